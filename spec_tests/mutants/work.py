"""What there is to do: the mutants of every function that a published case runs through."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence

from tqdm import tqdm

from saffu.conformance.contract.case import Case
from spec_tests.mutants import generate, suite
from spec_tests.mutants.mutant import Mutant


class Work:
    """Mutants, and the cases that run through each, quickest first."""

    def __init__(self, only: Sequence[str] | None) -> None:
        self.cases = suite.cases()
        reached = {case.id: suite.reached(case) for case in self.cases}
        places = set().union(*reached.values())
        self.modules = generate.modules_below("saffu.", places)
        self.mutants: list[Mutant] = []
        self.unreached: Counter[str] = Counter()
        self.conversions: Counter[str] = Counter()
        chosen = [name for name in self.modules if not only or name.removeprefix("saffu.") in only]
        for name in tqdm(chosen, desc="making mutants", unit="module"):
            for mutant in generate.mutants_of(name):
                if name in suite.CONVERSIONS:
                    self.conversions[mutant.place] += 1
                elif (name, mutant.function) in places:
                    self.mutants.append(mutant)
                else:
                    self.unreached[mutant.place] += 1
        seconds = {case.id: _seconds(case) for case in self.cases}
        quickest = sorted(self.cases, key=lambda case: seconds[case.id])
        self.of = {
            place: [case for case in quickest if place in reached[case.id]] for place in places
        }

    def against(self, mutant: Mutant) -> list[Case]:
        """The cases that run through a mutant's function."""
        return self.of[mutant.module, mutant.function]


def _seconds(case: Case) -> float:
    before = time.perf_counter()
    suite.right(case)
    return time.perf_counter() - before
