"""Two mutants whose fate is known; if one fares otherwise, the harness is broken, not the files.

`softmax` that returns zeros has to be killed, or the mutants never reach the cases.  `softmax` as
it is, put in like any mutant, has to survive, or the cases fail by themselves.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence

from saffu.conformance.contract.case import Case
from spec_tests.mutants.execute import Outcome, outcomes
from spec_tests.mutants.mutant import Mutant, original

ZEROS = Mutant(
    "saffu.numerics",
    "softmax",
    "…",
    "return zeros",
    "def softmax(logits, mask=None):\n    return namespace(logits).zeros_like(logits)\n",
)


def unchanged() -> Mutant:
    """The function as it is."""
    source = inspect.getsource(original(ZEROS.module, ZEROS.function))
    bare = source[source.index("def ") :]  # without its decorator
    return Mutant(ZEROS.module, ZEROS.function, "…", "…", bare)


def broken(cases: Sequence[Case]) -> list[str]:
    """What is wrong with the harness, in words."""
    ran = outcomes([(ZEROS, cases), (unchanged(), cases)], jobs=1, first_only=False)
    killed: dict[str, Outcome] = {outcome.mutant.becomes: outcome for outcome in ran}
    said = []
    if not killed[ZEROS.becomes].killed_by:
        said.append("softmax that returns zeros survives: mutants do not reach the cases")
    if by := killed[unchanged().becomes].killed_by:
        said.append(f"softmax as it is is killed by {by[0]}: the cases fail by themselves")
    return said
