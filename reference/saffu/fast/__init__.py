"""Fast versions of plain functions: change them freely, as long as results stay equal to rounding.

Every public function has a plain twin and a test that holds both equal, listed in
the tests (`test_fast_twins`).
"""
