"""Provenance of the report: readings of each test set, machines, versions and commits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from saffu_lab.records.results import Line, table

IMAGES = {"mnist": "MNIST, test images", "digits": "scikit-learn's digits, test images"}
READS = ("test", "baselines")
"""the kinds of lines that read test data"""


def test_set(line: Line) -> str:
    """Name of the test data that a line read; the test part of a text depends on the seed.

    >>> test_set({"text": "0123456789abcdef", "seed": 2}), test_set({"data": "mnist", "seed": 2})
    ('text 01234567, seed 2', 'MNIST, test images')
    """
    data = line.get("data")
    if data in IMAGES:
        return IMAGES[data]
    return f"text {line['text'][:8]}, seed {line.get('seed', 1)}"


def models_in(line: Line) -> int:
    """Number of models that a line tested.

    >>> models_in({"do": "test", "nats": [1.0, 2.0]}), models_in({"do": "test", "rows": {"a": {}}})
    (1, 1)
    """
    if line["do"] == "baselines":
        return 2
    for field in ("rows", "nats"):
        if isinstance(line.get(field), dict):
            return len(line[field])
    return 1


def readings_table(lines: Mapping[str, Sequence[Line]]) -> str:
    """Number of models tested on each test set, by study."""
    counts: Counter[tuple[str, str]] = Counter()
    for study, of_study in lines.items():
        for line in of_study:
            if line["do"] in READS and "failed" not in line:
                counts[test_set(line), study] += models_in(line)
    rows = []
    for name in sorted({name for name, _ in counts}):
        by_study = {study: n for (each, study), n in counts.items() if each == name}
        words = ", ".join(f"{study} {n}" for study, n in by_study.items())
        rows.append([name, words, str(sum(by_study.values()))])
    return table(["test data", "models tested, by study", "total"], rows)


def machines_table(lines: Mapping[str, Sequence[Line]]) -> str:
    """Machines, versions and commits of all lines."""
    counts: Counter[tuple[str, str, str]] = Counter()
    for line in (line for of_study in lines.values() for line in of_study if "machine" in line):
        versions = line["versions"]
        words = [f"Python {line['python']}", *(f"{n} {v}" for n, v in versions.items())]
        counts[line["machine"], ", ".join(words), line.get("commit", "not recorded")] += 1
    rows = [[machine, words, commit, f"{n:,}"] for (machine, words, commit), n in counts.items()]
    return table(["machine", "versions", "commit", "lines"], rows)
