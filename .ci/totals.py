"""Add up what the runs of pytest reported: a line for each, then 'N passed, N failed'.

Fails if a test failed, or if none ran at all: an empty run proves nothing.
"""

from __future__ import annotations

import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import NamedTuple


class Tally(NamedTuple):
    """The outcome of a number of tests."""

    passed: int
    failed: int
    skipped: int

    def __str__(self) -> str:
        """As pytest puts it."""
        counts = f"{self.passed} passed, {self.failed} failed"
        return f"{counts}, {self.skipped} skipped" if self.skipped else counts


def tally(report: Path) -> Tally:
    """Count the outcomes in one JUnit file; an error in set-up or collection is a failure."""
    suites = ElementTree.parse(report).getroot().iter("testsuite")
    tests = failed = skipped = 0
    for suite in suites:
        tests += int(suite.attrib["tests"])
        failed += int(suite.attrib["failures"]) + int(suite.attrib["errors"])
        skipped += int(suite.attrib["skipped"])
    return Tally(passed=tests - failed - skipped, failed=failed, skipped=skipped)


def main(folder: Path) -> int:
    """Print the tally of each report in the folder and their sum."""
    tallies = {report.stem: tally(report) for report in sorted(folder.glob("*.xml"))}
    print()
    for name, one in tallies.items():
        print(f"{name + ':':<16} {one}")
    columns = zip(*tallies.values(), strict=True)
    total = Tally(*map(sum, columns)) if tallies else Tally(0, 0, 0)
    print(total)
    return 0 if total.passed and not total.failed else 1


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
