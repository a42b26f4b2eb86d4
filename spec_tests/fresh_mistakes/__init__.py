"""Mistakes of porters written from the documents alone, before anybody looked at the cases.

The bank of mistakes and the golden cases were written together, so how many of the bank the cases
expose says little.  These mistakes were written by somebody who had read the specification, the
pages on porting and the reference's mathematics, and none of the cases: how many of them the cases
expose estimates how many mistakes of a real port would be seen.  `python -m
spec_tests.fresh_mistakes` counts them.
"""
