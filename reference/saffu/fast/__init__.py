"""Fast versions: the results of the plain functions, in less time or memory.

Every public function has a plain twin and a test that holds both equal, listed in
`spec_tests/test_fast_twins.py`.  Anything may be changed here as long as these tests pass.
"""
