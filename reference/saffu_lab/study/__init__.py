"""Long measurements in small pieces, which may be stopped at any time.   (SPEC 7)

A measurement is a list of tasks.  A task is named by a record of plain values, its *key*: what is
to be done, with which settings, on which data.  Its answer is one line of JSON that carries the
key, so that a task whose line is there is never done again, whoever stopped the measurement and
why.

`task` has the records, `running` does what is not done yet, on one process, several, or a cluster;
`sources` and `texts` say what is measured on; `recipes` makes a language model from a key, `rows`
chooses among such models on validation text and tests the one that was chosen; `evidence` compares
tested models; `pictures` draws.
"""
