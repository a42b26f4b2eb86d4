"""How much the published golden files see: every mistake of the bank, and every one-token mutant.

    python -m spec_tests.mutants --help

`generate` makes the mutants, `execute` runs the published cases against each in a child process,
`banked` does the same with the bank of mistakes, `argued` holds the survivors to the arguments in
equivalent.toml, `ledger` remembers what is done, `results` and `page` write down what was found.
"""
