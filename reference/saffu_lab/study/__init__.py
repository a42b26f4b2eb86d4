"""Long measurements in small tasks, which can be stopped and resumed at any time.   (SPEC 7)

A measurement is a list of tasks.  A task is named by a record of plain values, its *key*: what is
done, with which settings, on which data.  Its result is one line of JSON that carries the key, so
that a task whose line is there is never repeated, whoever stopped the measurement and why.

`task` has the records, `running` does the tasks that are not done yet, in one process, several, or
on a cluster; `sources` and `texts` name and split the data; `recipes` builds a language model from
a key; `selection` chooses among such models on validation text and tests the chosen one.
"""
