"""Image study: its claims and the rules that decide them.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from saffu_lab.records.evidence import Answer, Comparison, over_seeds
from saffu_lab.records.results import Line
from saffu_lab.replication.chapters import Claim, amounts
from saffu_lab.replication.images.chapter import CHANCE, NAMES, Group, groups

MARGINAL = 0.1
"""An improvement that removes less than this share of the errors and of the nats is marginal."""
CARRIED = 0.9
"""A solution carries over if it reaches this share of the trained layer's accuracy."""


def claims(lines: Sequence[Line]) -> list[Claim]:
    """Five claims, each decided by the rule stated in its evidence."""
    data_sets = groups(lines)
    return [
        _claim(
            "Explicit solutions carry over to images of digits.",
            [Answer(_carried(g, row)) for g in data_sets for row in ("one, λ = 1", "one")],
            f"Rule: accuracy at least {CARRIED:.0%} of that of the same layer trained from zeros, "
            "and less than half the nats of uniform guessing, both for λ = 1 and for λ chosen. "
            "Accuracy and nats: ",
            data_sets,
            lambda g: (
                f"λ = 1 {g.right('one, λ = 1').mean:.3f} and {g.nats('one, λ = 1').mean:.2f}, "
                f"chosen {g.right('one').mean:.3f} and {g.nats('one').mean:.2f}, trained "
                f"{g.right('one, cold').mean:.3f} and {g.nats('one, cold').mean:.2f}"
            ),
        ),
        _claim(
            "A second explicit layer helps.",
            [g.better(g.explicit_two, "one") for g in data_sets],
            "Rule: fewer nats on the test images, by the outermost ends of the seeds' intervals; "
            "the hidden layer is chosen on validation images. Nats of two layers minus those of "
            "one: ",
            data_sets,
            lambda g: (
                f"{_gap(g, g.explicit_two, 'one')} ({NAMES[g.explicit_two]}; with codes per "
                f"class {_gap(g, 'two, codes', 'one')})"
            ),
        ),
        _claim(
            "Backpropagation improves explicit solutions only marginally.",
            [Answer(_marginal(g, *pair)) for g in data_sets for pair in _pairs(g)],
            f"Rule: it removes less than {MARGINAL:.0%} of the errors and of the nats, for one "
            "layer and for two. Share of errors and of nats removed: ",
            data_sets,
            lambda g: "; ".join(_taken(g, *pair) for pair in _pairs(g)),
        ),
        _claim(
            "A warm start is ahead of a cold one after one epoch.",
            [_sooner(g, layers).answer for g in data_sets for layers in ("one", "two")],
            "Rule: fewer validation nats after the first epoch, by Student's interval over seeds, "
            "each start with its own best learning rate. Warm minus cold: ",
            data_sets,
            lambda g: f"one layer {_first(g, 'one')}; two layers {_first(g, 'two')}",
        ),
        _claim(
            "Training from an explicit start ends at better optima than from a cold one.",
            [a for g in data_sets for a in (_ends(g, "one"), _ends(g, "two"))],
            "Rule: fewer nats on the test images, by the outermost ends of the seeds' intervals. "
            "Nats of warm minus those of cold: ",
            data_sets,
            lambda g: (
                f"one layer {_gap(g, 'one, trained', 'one, cold')}; "
                f"two layers {_gap(g, 'two, trained', 'two, cold')}"
            ),
        ),
    ]


def _claim(
    statement: str,
    answers: Sequence[Answer],
    rule: str,
    data_sets: Sequence[Group],
    say: Callable[[Group], str],
) -> Claim:
    evidence = rule + ". ".join(f"{group.name}: {say(group)}" for group in data_sets)
    tests = [test for group in data_sets for test in group.tests]
    seeds = str(len({test["seed"] for test in tests}))
    size = amounts((group.images for group in data_sets), "images")
    return Claim(statement, "[P2]", answers, evidence + ".", seeds, size)


def _pairs(group: Group) -> tuple[tuple[str, str], ...]:
    return (("one, trained", "one"), ("two, trained", group.explicit_two))


def _carried(group: Group, row: str) -> bool:
    accurate = group.right(row).mean >= CARRIED * group.right("one, cold").mean
    return accurate and group.nats(row).mean < CHANCE / 2


def _shares(group: Group, trained: str, explicit: str) -> tuple[float, float]:
    """The shares of errors and of nats that training removes."""
    wrong = [1 - group.right(row).mean for row in (trained, explicit)]
    nats = [group.nats(row).mean for row in (trained, explicit)]
    return 1 - wrong[0] / max(wrong[1], 1e-9), 1 - nats[0] / max(nats[1], 1e-9)


def _marginal(group: Group, trained: str, explicit: str) -> bool:
    return max(_shares(group, trained, explicit)) < MARGINAL


def _taken(group: Group, trained: str, explicit: str) -> str:
    errors, nats = _shares(group, trained, explicit)
    return f"{trained.partition(',')[0]} {errors:.0%} and {nats:.0%}"


def _ends(group: Group, layers: str) -> Answer:
    return group.better(f"{layers}, trained", f"{layers}, cold")


def _firsts(group: Group, layers: str) -> list[tuple[float, float]]:
    """Validation nats after the first epoch, warm and cold, one pair per seed."""
    both = [group.chosen(f"{layers}, {start}") for start in ("trained", "cold")]
    return [
        (float(warm["history"][1]), float(cold["history"][1]))
        for warm, cold in zip(*both, strict=True)
    ]


def _sooner(group: Group, layers: str) -> Comparison:
    return over_seeds([warm - cold for warm, cold in _firsts(group, layers)])


def _first(group: Group, layers: str) -> str:
    warm, cold = np.mean(_firsts(group, layers), axis=0)
    return f"{_sooner(group, layers).nats:+.3f} from {cold:.3f} to {warm:.3f}"


def _gap(group: Group, one: str, other: str) -> str:
    """The mean over seeds, with the outermost ends of their intervals."""
    gap = group.gap(one, other)
    return "–" if gap is None else f"{gap:+.3f}"
