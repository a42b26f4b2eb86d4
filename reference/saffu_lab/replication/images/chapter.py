"""Image study: the chapter's text and tables, made from its lines.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from saffu_lab.records.evidence import Answer, Estimate, of_interval
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import select
from saffu_lab.replication.images.intervals import pair_of, wilson

NAMES = {
    "one, λ = 1": "one layer, explicit, λ = 1",
    "one": "one layer, explicit, α and λ chosen",
    "one, scaled": "one layer, iterative scaling from explicit",
    "one, trained": "one layer, Adam from explicit",
    "one, cold": "one layer, Adam from zeros",
    "two, codes": "two layers, explicit, label codes per class",
    "two, parts": "two layers, explicit, label codes per subclass",
    "two, refitted": "two layers, explicit, refitted to hidden targets",
    "two, trained": "two layers, Adam from explicit",
    "two, cold": "two layers, Adam from random weights",
}
EXPLICIT_TWO = ("two, codes", "two, parts", "two, refitted")
CHANCE = float(np.log(10))


class Group(NamedTuple):
    """The lines of one data set at one size."""

    data: str
    size: int | None
    lines: Sequence[Line]

    @property
    def tests(self) -> list[Line]:
        """The lines of the tests, one per seed."""
        return select(self.lines, do="test")

    @property
    def images(self) -> int:
        """Number of training images."""
        return max(int(line["trained_on"]) for line in self.lines if "trained_on" in line)

    @property
    def name(self) -> str:
        """Title of the data set in the report."""
        known = {"mnist": "MNIST", "digits": "scikit-learn's digits"}
        return f"{known[self.data]}, {self.images:,} images"

    def right(self, row: str) -> Estimate:
        """Accuracy, the mean over seeds, with Wilson's interval."""
        rights = [test["rows"][row]["right"] for test in self.tests]
        return wilson(round(float(np.mean(rights))), int(self.tests[0]["tested"]))

    def nats(self, row: str) -> Estimate:
        """Cross-entropy and the ends of its interval, each the mean over seeds."""
        each = [[test["rows"][row][n] for n in ("nats", "low", "high")] for test in self.tests]
        return Estimate(*(float(x) for x in np.mean(each, axis=0)))

    def gaps(self, one: str, other: str) -> list[Estimate]:
        """Nats of the first row minus those of the second, one per seed."""
        differences = [pair_of(test, one, other) for test in self.tests]
        return [gap for gap in differences if gap is not None]

    def gap(self, one: str, other: str) -> Estimate | None:
        """Mean over seeds, with the outermost ends of their intervals; None if not measured."""
        gaps = self.gaps(one, other)
        if not gaps:
            return None
        mean = float(np.mean([gap.mean for gap in gaps]))
        return Estimate(mean, min(gap.low for gap in gaps), max(gap.high for gap in gaps))

    def better(self, one: str, other: str) -> Answer:
        """Whether the first row needs fewer nats, by the outermost ends of the seeds' intervals."""
        gap = self.gap(one, other)
        if gap is None:
            return Answer(None)
        chance = max(of_interval(each).chance for each in self.gaps(one, other))
        return Answer(of_interval(gap).better, chance)

    def chosen(self, row: str) -> list[Line]:
        """The trials chosen for the test of a row, one per seed."""
        trials = select(self.lines, do="trial", row=row)
        return [
            trial
            for test in self.tests
            for trial in select(trials, seed=test["seed"])
            if trial["recipe"] == test["chosen"][row]
        ]

    @property
    def explicit_two(self) -> str:
        """The explicit two-layer row that is best on the first seed's validation images."""
        nats = {row: float(self.chosen(row)[0]["validation_nats"]) for row in EXPLICIT_TWO}
        return min(nats, key=lambda row: nats[row])


def groups(lines: Sequence[Line]) -> list[Group]:
    """Data sets and sizes with at least one test; MNIST last, smallest first."""
    keys = {(line["data"], line["size"]) for line in select(lines, do="test")}
    order = sorted(keys, key=lambda key: (key[0], key[1] is None, key[1] or 0))
    return [Group(*key, select(lines, data=key[0], size=key[1])) for key in order]


def text(lines: Sequence[Line]) -> str:
    """The chapter below its title."""
    data_sets = groups(lines)
    seeds = sorted({int(line["seed"]) for line in select(lines, do="test")})
    setting = (
        "The first softmax layer reads pixels in [0, 1]; a second one reads its outputs, of which "
        "there are at least ten. Explicit layers are solved one after the other. A hidden layer "
        "predicts label codes, either one per class or one per subclass (each class is divided by "
        "the signs of its first principal components), and may then be refitted to the hidden "
        "targets implied by the layer above. A tenth of the training images is held out for "
        "validation, and every choice is made on it: α and λ of the explicit layers, the number of "
        "subclasses, the number of iterative-scaling steps, the learning rate, the factor by which "
        "λ of an explicit hidden layer is reduced before training (softening), the scale of random "
        "weights, and early stopping. Warm and cold starts get the same learning rates and the "
        "same number of trials. All trials are run with the first seed; the other seeds use the "
        f"settings chosen there. Seeds so far: {', '.join(map(str, seeds)) or '–'}. The test "
        "images are read once per seed. Smaller training sets are drawn from the full one, while "
        "the validation set keeps its size, which helps all rows alike."
    )
    parts = [setting]
    if not any(group.data == "mnist" for group in data_sets):
        parts.append(
            "MNIST was not available, or is not finished; the results are for a small data set."
        )
    for group in data_sets:
        parts += [f"### {group.name}", _table(group), *_chosen(group)]
    parts.append(
        "The 95 % intervals are over the test images: Wilson's for accuracy, bootstrap for "
        "cross-entropy in nats; both are means over seeds. CPU seconds are for the chosen run "
        "alone, on one thread, including the explicit start."
    )
    if data_sets:
        parts.append(
            "![Cross-entropy of all rows](replication/images-nats.png)\n\nLeft: cross-entropy on "
            "the test images, on a logarithmic scale; the dashed line is uniform guessing. Right: "
            "validation cross-entropy during training, first seed; epoch 0 is the initial state."
        )
        parts.append(_conclusion(data_sets))
    parts.append("To repeat it: `saffu replicate images`.")
    return "\n\n".join(parts)


def _table(group: Group) -> str:
    rows = []
    for row, name in NAMES.items():
        seconds = [float(trial["fit_cpu_seconds"]) for trial in group.chosen(row)]
        rows.append(
            [
                name,
                f"{group.right(row):.4f}",
                f"{group.nats(row):.3f}",
                f"{np.mean(seconds):.1f}" if seconds else "–",
            ]
        )
    return table(["digits", "accuracy", "nats", "CPU s"], rows)


def _chosen(group: Group) -> list[str]:
    """The settings chosen for trainings, and whether they lie at an end of the range tried."""
    parts = []
    for row in ("one, trained", "one, cold", "two, trained", "two, cold"):
        if not group.chosen(row):
            continue
        recipe = group.chosen(row)[0]["recipe"]
        tried = sorted({t["recipe"]["rate"] for t in select(group.lines, do="trial", row=row)})
        edge = len(tried) > 1 and recipe["rate"] in (tried[0], tried[-1])
        more = " (at an end of the range tried)" if edge else ""
        extra = f", softened by {recipe['soft']:g}" if "soft" in recipe else ""
        if "scale" in recipe and recipe["scale"] != [0.0]:
            extra = f", scales {' and '.join(f'{s:g}' for s in recipe['scale'])}"
        parts.append(f"{NAMES[row]}: rate {recipe['rate']:g}{more}{extra}")
    return [f"Chosen: {'; '.join(parts)}."] if parts else []


def _conclusion(data_sets: Sequence[Group]) -> str:
    """The best rows of each data set, in sentences."""
    items = []
    for group in data_sets:
        best = min(NAMES, key=lambda row: group.nats(row).mean)
        explicit = group.explicit_two
        one = _against(group.better(explicit, "one, cold").favours)
        two = _against(group.better(explicit, "two, cold").favours)
        items.append(
            f"- {group.name}: the best row is *{NAMES[best]}* ({group.nats(best).mean:.3f} nats, "
            f"accuracy {group.right(best).mean:.4f}); the best explicit two-layer row is "
            f"*{NAMES[explicit]}* ({group.nats(explicit).mean:.3f} nats, accuracy "
            f"{group.right(explicit).mean:.4f}), which {one} one layer trained from zeros and "
            f"{two} two layers trained from random weights."
        )
    return "\n".join(items)


def _against(better: bool | None) -> str:
    return {True: "beats", False: "loses to", None: "cannot be distinguished from"}[better]
