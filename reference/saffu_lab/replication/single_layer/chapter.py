"""Single-layer study: the chapter's text and tables, made from its lines.   (SPEC 7)"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from saffu_lab.records.comparison import Gap, gap, perplexity
from saffu_lab.records.evidence import Answer, of_interval
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import select

NAMES = {
    "unigram": "unigram",
    "explicit": "explicit, λ = 1",
    "tempered": "explicit, one λ",
    "slots": "explicit, one λ per slot",
    "discounted": "explicit, one λ per slot, Discount",
    "scaling": "iterative scaling of P(α), 30 steps",
    "optimum": "optimum of P(α)",
    "Adam from zeros": "Adam from zeros",
    "Adam from random": "Adam from random weights",
    "Adam from explicit": "Adam from explicit, λ = 1",
    "Adam from slots": "Adam from explicit, one λ per slot",
}
COLD = ("Adam from zeros", "Adam from random")


class Group(NamedTuple):
    """The lines of one tested context radius."""

    radius: int
    lines: Sequence[Line]

    @property
    def test(self) -> Line:
        """The line of the test."""
        return select(self.lines, do="test")[0]

    @property
    def optimum(self) -> Line:
        """The line of the optimum of P(α)."""
        return select(self.lines, do="descend", by="lbfgs", keep=True)[0]

    @property
    def scaling(self) -> Line:
        """The line of iterative scaling."""
        return select(self.lines, do="descend", by="scaling")[0]

    @property
    def from_zeros(self) -> Line:
        """The line of L-BFGS from zeros."""
        return select(self.lines, do="descend", start="zeros")[0]

    def of(self, row: str) -> Line:
        """One row of the test, as a line of its own."""
        return {"nats": self.test["nats"][row], "targets_tested": self.test["targets_tested"]}

    def perplexity(self, row: str) -> float:
        """On the test text."""
        return perplexity(self.of(row))

    def gap(self, one: str, other: str) -> Gap:
        """Difference of two rows in nats per test target: the first minus the second."""
        return gap(self.of(one), self.of(other))

    def better(self, one: str, other: str) -> Answer:
        """Whether the first row is better, by the interval over test documents."""
        return of_interval(self.gap(one, other)).answer

    def run(self, row: str) -> Line:
        """The training run that was tested."""
        key: Mapping[str, Any] = self.test["made"][row]
        return select(self.lines, do="train", start=key["start"], rate=key["rate"])[0]


def leaves(run: Line, mark: str) -> bool:
    """Whether a run's last distance from a mark exceeds its smallest one by more than a tenth."""
    column = 2 + run["marks"].index(mark)
    far = [float(entry[column][0]) for entry in run["history"]]
    return far[-1] > 1.1 * min(far)


class Way(NamedTuple):
    """Distance and direction to a mark, at the start of a run and at its best epoch."""

    first: float
    """distance at the start"""
    last: float
    """distance at the best epoch"""
    cosine: float
    """cosine at the best epoch"""

    @property
    def covered(self) -> float:
        """The share of the initial distance that was covered."""
        return 1 - self.last / self.first if self.first else 0.0


def way(run: Line, mark: str) -> Way:
    """Distance of a run's weights from a mark at the start, and at the best epoch with the cosine.

    >>> course = [[0, 5.0, [2.0, 0.0]], [1, 4.0, [1.0, 0.9]], [2, 4.5, [0.5, 0.99]]]
    >>> way({"marks": ["optimum"], "history": course}, "optimum")
    Way(first=2.0, last=1.0, cosine=0.9)
    """
    column = 2 + run["marks"].index(mark)
    best = min(run["history"], key=lambda entry: float(entry[1]))
    return Way(run["history"][0][column][0], *best[column])


def groups(lines: Sequence[Line]) -> list[Group]:
    """The tested radii, smallest first."""
    radii = sorted({int(line["radius"]) for line in select(lines, do="test")})
    return [Group(radius, select(lines, radius=radius)) for radius in radii]


def text(lines: Sequence[Line]) -> str:
    """The chapter below its title."""
    by_radius = groups(lines)
    size = by_radius[0].test["vocabulary"] if by_radius else "V"
    amount = f"{by_radius[0].test['targets']:,}" if by_radius else "some"
    features = (
        f"The language model is one softmax layer. Its features are the last r tokens as one-hot "
        f"vectors, one slot per position: D = r V, V = {size}, norm r (less at the beginning of a "
        f"document); {amount} training targets. The logits are log q + h U, where q is the unigram "
        "distribution of the targets. The tempered explicit solution has log q as its bias; every "
        "row has it, cold starts included. Adding a constant to a row of U does not change the "
        "softmax, so weights are compared after each row is centred to mean zero."
    )
    problem = (
        "The cross-entropy of such a layer has no minimum: the weight of a pair of context token "
        "and target that never occurs in the training text diverges. The optimum reported here is "
        "therefore that of P(α): the cross-entropy with α pseudo-samples added per feature, each "
        "with that feature alone and targets distributed as q. This is the meaning of "
        "`Backoff(α)`, and for r = 1 the minimum of P(α) is the explicit solution. L-BFGS runs "
        "until the norm of the gradient is 1e-8. The α of the explicit solutions and of P(α), the "
        "tempers, and the learning rate of Adam (the same four candidates for every start) are "
        "chosen on validation text. Adam minimises the training loss without pseudo-samples and "
        "keeps the epoch with the best validation loss. The test text is read once per r. One "
        "seed. P(α) has a single minimum, which descent reaches from every start; starts differ "
        "only in how long that takes."
    )
    parts = [features, problem]
    if by_radius:
        parts += ["Test perplexity:", _perplexities(by_radius), ABOVE, _gaps(by_radius)]
        parts += [WAYS, _ways(by_radius), COURSES, DISTANCES, _conclusion(by_radius)]
    parts.append("To repeat it: `saffu replicate single-layer`.")
    return "\n\n".join(parts)


ABOVE = """Value of P(α) above its optimum, in nats per sample, at the α whose optimum is best on
validation text; a star marks an α at the end of the range that was tried. The discounted solution
does not approximate P(α) and is left out:"""
WAYS = """Distance (root mean square over centred weights) from the weights of cold starts to the
explicit solutions and the optimum: at the start → at the best epoch, then the cosine at the best
epoch:"""
COURSES = """![Courses of training](replication/single-layer-courses.png)

Validation perplexity during training, at the learning rate chosen for each start; the dotted line
is the optimum of P(α)."""
DISTANCES = """![Distances](replication/single-layer-distances.png)

Distance between the weights of cold starts and the explicit solutions or the optimum, by epoch."""


def _perplexities(by_radius: Sequence[Group]) -> str:
    head = ["model", *(f"r = {group.radius}" for group in by_radius)]
    rows = [
        [name, *(f"{group.perplexity(row):.1f}" for group in by_radius)]
        for row, name in NAMES.items()
    ]
    return table(head, rows)


def _gaps(by_radius: Sequence[Group]) -> str:
    head = ["P(α)", *(f"r = {group.radius}" for group in by_radius)]
    rows = [
        ["α", *(_strength(group) for group in by_radius)],
        ["P(α) at the optimum", *(f"{group.optimum['values'][-1]:.4f}" for group in by_radius)],
        ["norm of the gradient there", *(f"{g.optimum['slope_length']:.1e}" for g in by_radius)],
        ["iterations from one λ per slot", *(f"{g.optimum['iterations']}" for g in by_radius)],
    ]
    names = {
        "unigram": "unigram",
        "same α, λ = 1": "explicit, same α, λ = 1",
        "explicit": "explicit, own α, λ = 1",
        "tempered": "explicit, one λ",
        "slots": "explicit, one λ per slot",
    }
    rows += [
        [name, *(f"{_above(group, row):.4f}" for group in by_radius)] for row, name in names.items()
    ]
    after = [group.scaling["values"][-1] - group.optimum["values"][-1] for group in by_radius]
    rows.append(["iterative scaling", *(f"{gap:.4f}" for gap in after)])
    cold = [group.from_zeros["values"][-1] - group.optimum["values"][-1] for group in by_radius]
    rows.append(
        [
            f"L-BFGS from zeros, at most {by_radius[0].from_zeros['most']} iterations",
            *(f"{max(gap, 0):.1e}" for gap in cold),
        ]
    )
    return table(head, rows)


def _strength(group: Group) -> str:
    """α of the optimum, with a star if it is the smallest or largest that was tried."""
    tried = select(group.lines, do="descend", by="lbfgs", start="explicit", keep=False)
    chosen = group.optimum["strength"]
    ends = sorted(line["strength"] for line in tried)
    return f"{chosen:g}" + ("*" if ends and chosen in (ends[0], ends[-1]) else "")


def _above(group: Group, row: str) -> float:
    """P(α) of an explicit solution minus that of the optimum, in nats."""
    optimum = group.optimum
    return float(optimum["explicit"][row]["objective"] - optimum["values"][-1])


def _ways(by_radius: Sequence[Group]) -> str:
    head = ["start", "to", *(f"r = {group.radius}" for group in by_radius)]
    marks = {"explicit": "λ = 1", "slots": "one λ per slot", "optimum": "optimum"}
    rows = []
    for row in COLD:
        for mark, name in marks.items():
            ways = [way(group.run(row), mark) for group in by_radius]
            cells = [f"{w.first:.2f} → {w.last:.2f}, {w.cosine:.2f}" for w in ways]
            rows.append([NAMES[row].removeprefix("Adam from "), name, *cells])
    return table(head, rows)


def _between(group: Group) -> float:
    """The cosine between the explicit solution (λ = 1) and the optimum."""
    run = group.run("Adam from explicit")
    return float(run["history"][0][2 + run["marks"].index("optimum")][1])


def _conclusion(by_radius: Sequence[Group]) -> str:
    items = []
    for group in by_radius:
        explicit = min(("explicit", "tempered", "slots", "discounted"), key=group.perplexity)
        best = min(NAMES, key=group.perplexity)
        cold = min(COLD, key=group.perplexity)
        items.append(
            f"- r = {group.radius}: the best row is *{NAMES[best]}* "
            f"({group.perplexity(best):.1f}); the best explicit row is *{NAMES[explicit]}* "
            f"({group.perplexity(explicit):.1f}). Its perplexity differs by "
            f"{group.gap(explicit, cold).percent} from the best cold start ({NAMES[cold]}, "
            f"{group.perplexity(cold):.1f}) and by {group.gap(explicit, 'optimum').percent} from "
            f"the optimum of P(α) ({group.perplexity('optimum'):.1f})."
        )
    runs = [group.run(row) for group in by_radius for row in COLD]
    away = sum(leaves(run, "explicit") for run in runs)
    more = sum(way(run, "optimum").covered > way(run, "explicit").covered for run in runs)
    between = [_between(group) for group in by_radius]
    items.append(
        f"- Of {len(runs)} cold starts, {away} moved away from the explicit solution (λ = 1) "
        "again: when training stops, their distance from it is more than a tenth above its "
        f"minimum. At the best epoch, {more} have covered a larger share of the distance to the "
        "optimum than of the distance to the explicit solution. The cosine between the optimum and "
        f"the explicit solution is {min(between):.2f} to {max(between):.2f}; the closer it is to "
        "one, the harder it is to distinguish drift towards one from drift towards the other."
    )
    return "Summary of test perplexities and distances:\n\n" + "\n".join(items)
