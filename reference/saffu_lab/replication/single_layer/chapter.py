"""What the lines of the study of one softmax layer say.   (SPEC 7)"""

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
    """One radius that is tested."""

    radius: int
    lines: Sequence[Line]

    @property
    def test(self) -> Line:
        """The tested line."""
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
        """A row of the test as a line of its own."""
        return {"nats": self.test["nats"][row], "targets_tested": self.test["targets_tested"]}

    def perplexity(self, row: str) -> float:
        """On the test text."""
        return perplexity(self.of(row))

    def gap(self, one: str, other: str) -> Gap:
        """Nats a test target that one row needs more than another."""
        return gap(self.of(one), self.of(other))

    def better(self, one: str, other: str) -> Answer:
        """By the interval of the test documents."""
        return of_interval(self.gap(one, other)).answer

    def run(self, row: str) -> Line:
        """The training that was tested."""
        key: Mapping[str, Any] = self.test["made"][row]
        return select(self.lines, do="train", start=key["start"], rate=key["rate"])[0]


def leaves(run: Line, mark: str) -> bool:
    """Whether a training that went on ends farther from a mark than it has been, by a tenth."""
    column = 2 + run["marks"].index(mark)
    far = [float(entry[column][0]) for entry in run["history"]]
    return far[-1] > 1.1 * min(far)


class Way(NamedTuple):
    """From the start of a training to its best epoch, as seen from a mark."""

    first: float
    """distance"""
    last: float
    cosine: float
    """at the best epoch"""

    @property
    def covered(self) -> float:
        """The share of the distance that is gone."""
        return 1 - self.last / self.first if self.first else 0.0


def way(run: Line, mark: str) -> Way:
    """How the weights of a training went to or from a mark.

    >>> course = [[0, 5.0, [2.0, 0.0]], [1, 4.0, [1.0, 0.9]], [2, 4.5, [0.5, 0.99]]]
    >>> way({"marks": ["optimum"], "history": course}, "optimum")
    Way(first=2.0, last=1.0, cosine=0.9)
    """
    column = 2 + run["marks"].index(mark)
    best = min(run["history"], key=lambda entry: float(entry[1]))
    return Way(run["history"][0][column][0], *best[column])


def groups(lines: Sequence[Line]) -> list[Group]:
    """Radii with a test, the smallest first."""
    radii = sorted({int(line["radius"]) for line in select(lines, do="test")})
    return [Group(radius, select(lines, radius=radius)) for radius in radii]


def text(lines: Sequence[Line]) -> str:
    """The chapter below its title."""
    by_radius = groups(lines)
    size = by_radius[0].test["vocabulary"] if by_radius else "V"
    amount = f"{by_radius[0].test['targets']:,}" if by_radius else "some"
    features = (
        f"The features of this language model are the last r tokens as one-hot vectors, each in a "
        f"slot of its own: D = r V, V = {size}, norm r, less at the beginning of a document; "
        f"{amount} training targets. Logits are log q + h U, with q the shares of the targets, "
        "which the tempered explicit solution has as its bias; all rows have it, the cold ones "
        "too. Softmax does not see a number added to a row of U, so weights are compared with "
        "rows of mean zero."
    )
    problem = (
        "The cross-entropy of such a layer has no minimum: where a token was never seen before a "
        "target, the weight runs away. So the optimum is that of P(α), which adds α imagined "
        "samples of each feature alone, with targets spread as q; this is what `Backoff(α)` "
        "means, and for r = 1 its minimum is the explicit solution. L-BFGS goes on to a gradient "
        "of length 1e-8. α of explicit solutions and of P(α), tempers, and the rate of Adam (the "
        "same four rates for every start) are chosen on validation text, and Adam, on the training "
        "text without imagined samples, keeps its best epoch there. The test text is read once for "
        "each r. One seed. P(α) has one minimum, where descent ends from every start; what "
        "a cold start adds is how long that takes."
    )
    parts = [features, problem]
    if by_radius:
        parts += ["Test perplexity:", _perplexities(by_radius), ABOVE, _gaps(by_radius)]
        parts += [WAYS, _ways(by_radius), COURSES, DISTANCES, _conclusion(by_radius)]
    parts.append("To repeat it: `saffu replicate single-layer`.")
    return "\n\n".join(parts)


ABOVE = """Mean nats of P(α) above its optimum, at the α that is best for the optimum on validation
text (a discounted table is no approximation of P(α), and is left out):"""
WAYS = """Distance (root mean square of the weights, rows of mean zero) from cold starts to the
explicit solutions and to the optimum, at the start and at the best epoch, and the cosine there:"""
COURSES = """![Courses of training](replication/single-layer-courses.png)

Validation perplexity during training, for the chosen rate of every start; the dotted line is the
optimum of P(α)."""
DISTANCES = """![Distances](replication/single-layer-distances.png)

Distance of the weights of cold starts to the explicit solutions and to the optimum, epoch by
epoch."""


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
        ["length of the gradient there", *(f"{g.optimum['slope_length']:.1e}" for g in by_radius)],
        ["iterations from one λ per slot", *(f"{g.optimum['iterations']}" for g in by_radius)],
    ]
    names = {
        "unigram": "unigram",
        "same α, λ = 1": "explicit, the same α, λ = 1",
        "explicit": "explicit, its own α, λ = 1",
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
            f"L-BFGS from zeros, {by_radius[0].from_zeros['most']} iterations at most",
            *(f"{max(gap, 0):.1e}" for gap in cold),
        ]
    )
    return table(head, rows)


def _strength(group: Group) -> str:
    """α of the optimum; with a star, if it is the least or the largest that was tried."""
    tried = select(group.lines, do="descend", by="lbfgs", start="explicit", keep=False)
    chosen = group.optimum["strength"]
    ends = sorted(line["strength"] for line in tried)
    return f"{chosen:g}" + ("*" if ends and chosen in (ends[0], ends[-1]) else "")


def _above(group: Group, row: str) -> float:
    """Nats of P(α) of an explicit solution above the optimum."""
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
            f"- r = {group.radius}: best row *{NAMES[best]}* ({group.perplexity(best):.1f}); best "
            f"explicit row *{NAMES[explicit]}* ({group.perplexity(explicit):.1f}), against the "
            f"best cold start ({NAMES[cold]}, {group.perplexity(cold):.1f}) "
            f"{group.gap(explicit, cold).percent} of perplexity, against the optimum of P(α) "
            f"({group.perplexity('optimum'):.1f}) {group.gap(explicit, 'optimum').percent}."
        )
    runs = [group.run(row) for group in by_radius for row in COLD]
    away = sum(leaves(run, "explicit") for run in runs)
    more = sum(way(run, "optimum").covered > way(run, "explicit").covered for run in runs)
    between = [_between(group) for group in by_radius]
    items.append(
        f"- Of {len(runs)} cold starts, {away} have left the explicit solution (λ = 1) again, by a "
        f"tenth or more of the least distance, when training stops. At their best epochs {more} "
        "have covered more of the way to the optimum than of that to the explicit solution; the "
        f"cosine between those two is {min(between):.2f} to {max(between):.2f}, and the closer it "
        "is to one, the less can a drift to one be distinguished from a drift to the other."
    )
    return "What remains, in test perplexity and in distance:\n\n" + "\n".join(items)
