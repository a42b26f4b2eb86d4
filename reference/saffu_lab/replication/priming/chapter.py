"""Priming study: the chapter's text, tables and claims, made from its lines.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from saffu_lab.records.evidence import Answer, Estimate, of_interval
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import Claim, select
from saffu_lab.replication.images.intervals import pair_of, wilson

WAYS = {
    "mean": "K the mean norm, λ = 1",
    "unit": "K = 1, λ = 1",
    "best": "best K, λ = 1",
    "tempered": "K the mean norm, best λ",
    "both": "best K and λ",
}
CLOSE = 0.01
"""The mean norm counts as the best K if it costs at most this share of the nats, …"""
POINTS = 0.01
"""… and at most this much accuracy."""
ABOUT = {
    "digits": "scikit-learn's digits",
    "mnist": "MNIST",
    "slots": "text, the last 5 tokens in separate slots",
    "sentence bags": "text, a bag of the sentence so far",
    "sentence means": "text, the mean of the sentence so far",
}


class Group(NamedTuple):
    """The lines of one data set at one scale."""

    sweeps: Sequence[Line]
    test: Line

    @property
    def name(self) -> str:
        """Title of the data set in the report."""
        scale = float(self.test["scale"])
        return ABOUT[self.test["data"]] + (f", pixels × {scale:g}" if scale != 1 else "")

    @property
    def mean(self) -> float:
        """The mean norm of the inputs."""
        return float(self.sweeps[0]["mean_norm"])

    def sweep(self, way: str) -> Line:
        """The sweep with the smoothing chosen for a way."""
        strength = self.test["chosen"][way]["strength"]
        return select(self.sweeps, strength=strength)[0]

    def nats(self, way: str) -> Estimate:
        """Test nats with their interval."""
        row = self.test["rows"][way]
        return Estimate(row["nats"], row["low"], row["high"])

    def accuracy(self, way: str) -> Estimate:
        """Accuracy on test data, with Wilson's interval."""
        return wilson(self.test["rows"][way]["right"], self.test["tested"])

    def cost(self) -> float:
        """The share of its nats that the mean norm loses to the best K."""
        return 1 - self.nats("best").mean / self.nats("mean").mean


def groups(lines: Sequence[Line]) -> list[Group]:
    """The tested data sets, in the order of the lines."""
    data_sets = []
    for test in select(lines, do="test"):
        same = {"data": test["data"], "scale": test["scale"]}
        sweeps = [x for x in select(lines, do="sweep", **same) if "failed" not in x]
        data_sets.append(Group(sweeps, test))
    return data_sets


def text(lines: Sequence[Line]) -> str:
    """The chapter below its title."""
    data_sets = groups(lines)
    idea = (
        "The explicit solution U[d,i] = log F[d,i] − ((K−1)/K) log Σ_d' F[d',i] has one free "
        "parameter that is not a count: the priming number K. The lecture states that the mean "
        "norm of the inputs is the best choice. The logits are s + κ t, with "
        "s_i = Σ_d h_d log(F[d,i]/n_i), t_i = ‖h‖ log n_i and κ = 1/K. K therefore sets the weight "
        "of the prior log n, but not that of the evidence s; the temper λ does: λ s + κ t. "
        "Cross-entropy is convex in κ, in λ and in both jointly, so the best values are found "
        "exactly. If all inputs have the same norm, K equal to it counts the prior exactly once, "
        "which is naive Bayes."
    )
    setting = (
        "Smoothing (`Backoff`), K and λ were chosen on validation data for each way; the test data "
        "were read once, for all of them. Images were also measured with rescaled pixels: "
        "multiplying the pixels by a constant changes the norm, and with it the meaning of λ = 1. "
        "Text features are one-hot slots (norm 5, less at the beginning of a document), bags of "
        "words of the sentence so far (norms vary), and the same bags divided by their norm "
        "(norm 1)."
    )
    parts = [idea, setting]
    for group in data_sets:
        norms = " / ".join(f"{q:.3g}" for q in group.sweeps[0]["norms"])
        parts.append(
            f"### {group.name}\n\nMean norm {group.mean:.4g} (5 %, median, 95 %: {norms}); "
            f"{group.test['tested']:,} test samples.{_edges(group)}\n\n{_table(group)}"
        )
    if data_sets:
        parts.append(
            "The 95 % intervals are over the test data. For nats they come from resampling whole "
            "documents or single images; for accuracy they are Wilson's, which treats the targets "
            "of a text as independent and is therefore too narrow for text."
        )
        parts.append(
            "![Loss against K](replication/priming-curves.png)\n\nValidation nats against K, with "
            "the smoothing that is best at the mean norm: λ = 1 (solid), and the best λ for each "
            "K (dashed). The vertical line is the mean norm, the dot the best K."
        )
        parts.append(_conclusion(data_sets))
    parts.append("To repeat it: `saffu replicate priming`.")
    return "\n\n".join(parts)


def _table(group: Group) -> str:
    rows = []
    for way, name in WAYS.items():
        chosen = group.test["chosen"][way]
        rows.append(
            [
                name,
                _k(chosen["kappa"]),
                f"{chosen['lambda']:.3g}",
                f"{chosen['strength']:g}",
                f"{group.nats(way):.3f}",
                f"{group.accuracy(way):.3f}",
            ]
        )
    return table(["way", "K", "λ", "α", "nats", "accuracy"], rows)


def _edges(group: Group) -> str:
    """Ways whose smoothing is the smallest or the largest that was tried."""
    tried = sorted(float(sweep["strength"]) for sweep in group.sweeps)
    ends = (tried[0], tried[-1])
    ways = [name for way, name in WAYS.items() if group.test["chosen"][way]["strength"] in ends]
    if not ways:
        return ""
    return (
        f" α was tried from {ends[0]:g} to {ends[1]:g}; the chosen α is at an end of that range "
        f"for: {'; '.join(ways)}."
    )


def _k(kappa: float) -> str:
    """K = 1/κ in words; if κ <= 0, no K is large enough."""
    return f"{1 / kappa:.4g}" if kappa > 0 else f"none (1/K = {kappa:.2g})"


def _conclusion(data_sets: Sequence[Group]) -> str:
    close = [group.name for group in data_sets if _optimal(group)]
    far = [group.name for group in data_sets if not _optimal(group)]
    sentences = []
    if close:
        sentences.append(f"The mean norm is as good as the best K on: {'; '.join(close)}.")
    if far:
        sentences.append(f"It is worse on: {'; '.join(far)}.")
    more = [group for group in data_sets if _worth(group).favours]
    if more:
        top = max(more, key=_gained)
        sentences.append(
            "Fitting the temper does more: with K the mean norm, it removes up to "
            f"{_gained(top):.0%} of the nats ({top.name}), and it beats the best K on {len(more)} "
            f"of {len(data_sets)} data sets."
        )
    scaled = [group for group in data_sets if float(group.test["scale"]) != 1]
    sentences += [
        _units(one, other)
        for other in scaled
        for one in data_sets
        if one.test["data"] == other.test["data"] and one not in scaled
    ]
    return " ".join(sentences)


def _units(one: Group, other: Group) -> str:
    """The effect of rescaling the pixels of the same images."""
    mean, cool = ([group.nats(way).mean for group in (one, other)] for way in ("mean", "tempered"))
    sentence = (
        f"Rescaling the pixels of {ABOUT[one.test['data']]} changes the nats at the mean norm from "
        f"{mean[0]:.3f} to {mean[1]:.3f}, and those with the best λ from {cool[0]:.3f} to "
        f"{cool[1]:.3f}"
    )
    undone = abs(cool[0] - cool[1]) < 0.1 * abs(mean[0] - mean[1])
    return sentence + (": λ compensates for the scale, K does not." if undone else ".")


def _optimal(group: Group) -> bool:
    """Whether the mean norm is as good as the best K."""
    lost = group.accuracy("best").mean - group.accuracy("mean").mean
    return group.cost() <= CLOSE and lost <= POINTS


def _gained(group: Group) -> float:
    return 1 - group.nats("tempered").mean / group.nats("mean").mean


def _worth(group: Group) -> Answer:
    """Whether the best λ at the mean norm beats the best K at λ = 1."""
    gap = pair_of(group.test, "tempered", "best")
    return Answer(None) if gap is None else of_interval(gap).answer


def claims(lines: Sequence[Line]) -> list[Claim]:
    """Three claims, each decided by the rule stated in its evidence."""
    data_sets = groups(lines)
    size = f"{len(data_sets)} data sets"
    return [
        Claim(
            "The mean norm of the inputs is the best K.",
            "[T]",
            [Answer(_optimal(group)) for group in data_sets],
            f"Rule: compared with the best K (chosen by validation nats, at λ = 1), it loses at "
            f"most {CLOSE:.0%} of the nats and {POINTS:.0%} of accuracy on test data. Mean norm "
            "and best K; nats and accuracy of both: "
            + "; ".join(
                f"{g.name}: {g.mean:.3g} and {_k(g.test['chosen']['best']['kappa'])}; "
                f"{g.nats('mean').mean:.3f} and {g.nats('best').mean:.3f}, "
                f"{g.accuracy('mean').mean:.3f} and {g.accuracy('best').mean:.3f}"
                for g in data_sets
            )
            + ".",
            *("1", size),
        ),
        Claim(
            "With the temper fitted, the mean norm is the best K.",
            "[D]",
            [Answer(1 - g.nats("both").mean / g.nats("tempered").mean <= CLOSE) for g in data_sets],
            f"Rule: it loses at most {CLOSE:.0%} of the nats to K and λ fitted jointly. Nats: "
            + "; ".join(
                f"{g.name}: {g.nats('tempered').mean:.3f} and {g.nats('both').mean:.3f}"
                for g in data_sets
            )
            + ".",
            *("1", size),
        ),
        Claim(
            "Fitting the temper at the mean norm gains more than choosing the best K.",
            "[D]",
            [_worth(group) for group in data_sets],
            "Rule: fewer nats on test data, by the whole interval of the difference. Differences, "
            "nats: "
            + "; ".join(f"{g.name}: {_gap(g, 'tempered', 'best')}" for g in data_sets)
            + ".",
            *("1", size),
        ),
    ]


def _gap(group: Group, one: str, other: str) -> str:
    gap = pair_of(group.test, one, other)
    return "–" if gap is None else f"{gap:+.3f}"
