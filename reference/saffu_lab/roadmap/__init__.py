"""A map of many models: parameters against perplexity, and what each choice is worth.   [P1]

A file says which choices there are and how many models are drawn from them.  All of them get their
explicit solution; the best, and some drawn by chance before anything was measured, are trained as
well.  The map has the Pareto front, the main effect of each choice, and whether the cheap ranking
tells the expensive one.

`space` has the choices, `design` draws models from them, `fields` and `roadmap_file` read the file,
`walk` measures, `analysis` has the statistics, `summary` and `sizes` what they say of measured
lines; `tables`, `page`, `drawings` and `report` show it.
"""
