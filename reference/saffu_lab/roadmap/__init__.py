"""Map of many models: parameters against perplexity, and the effect of each choice.   [P1]

A TOML file lists the choices and how many models to draw from them.  All models are solved
explicitly; the best, and some drawn at random before anything is measured, are trained as well.
The map shows the Pareto front, the main effect of each choice, and whether the ranking of explicit
solutions predicts that after training.

`space` holds the choices, `design` draws models from them, `fields` and `roadmap_file` read the
file, `walk` measures, `analysis` has the statistics, `summary` and `sizes` apply them to the
measured lines; `tables`, `page`, `drawings` and `report` write the result.
"""
