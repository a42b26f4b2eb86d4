"""Draws the pictures of the chapters: `python docs/chapters/draw.py [FOLDER]`.

Everything shown is computed here by the functions that the chapters are about, from fixed seeds, so
the same program draws the same pictures.  It takes some seconds and needs matplotlib
(`pip install 'saffu[plot]'`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from scipy import optimize

import saffu
from saffu.contexts import BlockContext, RadialContext
from saffu.direct import evidence_table
from saffu.explicit.choice import leave_one_out_nats
from saffu.explicit.newton import Curve, minimise_convex
from saffu.explicit.smoothing import shares_of_totals
from saffu.explicit.temper import slot_scores, temper_curve
from saffu.network.labels import Examples, find_parts, part_of
from saffu.pairs import pair_counts
from saffu.types import Array
from saffu_lab.records.pictures import COLOURS, canvas

PICTURES = Path(__file__).parent / "pictures"
STYLE = {"svg.fonttype": "none", "font.sans-serif": ["DejaVu Sans", "Arial"]}
"""Letters stay letters."""
BLUE, ORANGE, GREEN, GREY = (COLOURS[k] for k in ("explicit", "cold", "direct", "outside"))


def loss() -> Any:
    """Chapter 1: cross-entropy of one logit among four, its slope and curvature."""
    figure = canvas(6.0, 3.2)
    axes = figure.add_subplot()
    z = np.linspace(-6, 8, 141)
    logits = np.concatenate([z[:, None], np.zeros((141, 3))], axis=1)
    p = saffu.softmax(logits)[:, 0]
    axes.plot(z, saffu.token_nats(logits, np.zeros(141, dtype=int)), color=BLUE, label="−log φ(z)₁")
    axes.plot(z, p - 1, color=ORANGE, label="slope, p − 1")
    axes.plot(z, p * (1 - p), color=GREEN, label="curvature, p (1 − p)")
    axes.set(xlabel="logit of the target", ylabel="nats", ylim=(-1.2, 5))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def solution() -> Any:
    """Chapter 3: counts of a small text, the weights made of them, and what they predict."""
    text = "the cat sat on the mat the dog sat on the rug the cat saw the dog"
    words = text.split()
    seen = list(dict.fromkeys(words))
    one_hot = np.eye(len(seen))[[seen.index(word) for word in words]]
    state = saffu.cooccurrence(one_hot[:-1], one_hot[1:])
    weights = saffu.explicit_solution(state, saffu.Backoff(0.5)).weights
    figure = canvas(9.5, 3.4)
    panels = (
        ("count:  F = Hᵀ Y", state.counts, "{:.0f}"),
        ("solve:  U = log F,  smoothed", weights, "{:.1f}"),
        ("predict:  ŷ = φ(h U)", saffu.softmax(weights), "{:.2f}"),
    )
    for axes, (title, table, form) in zip(figure.subplots(1, 3, sharey=True), panels, strict=True):
        shade = (table - table.min()) / (table.max() - table.min())
        axes.imshow(shade, cmap="Blues", vmin=0, vmax=1.3)
        for row, column in np.argwhere(table != 0):
            value = table[row, column]
            axes.text(column, row, form.format(value), ha="center", va="center", fontsize=7)
        axes.set(title=title, xlabel="next word")
        axes.set_xticks(range(len(seen)), seen, rotation=45)
        axes.set_yticks(range(len(seen)), seen)
    figure.axes[0].set_ylabel("word")
    return figure


def dependence() -> Any:
    """Chapter 3: gradient of the explicit solution when the second slot repeats the first."""
    figure = canvas(6.0, 3.2)
    axes = figure.add_subplot()
    first = np.array([[0.7, 0.2, 0.1], [0.2, 0.3, 0.5]])  # P(token | target)
    repeats = np.linspace(0, 1, 41)
    steepest, excess = [], []
    for rho in repeats:
        rows, targets = [], []
        for y, a, b in np.ndindex(2, 3, 3):
            share = 0.5 * first[y, a] * (rho * (a == b) + (1 - rho) * first[y, b])
            if share > 0:
                rows.append(np.concatenate([np.eye(3)[a], np.eye(3)[b]]))
                targets.append(share * np.eye(2)[y])
        features, wanted = np.array(rows), np.array(targets)
        state = saffu.cooccurrence(features, wanted)
        logits = features @ saffu.explicit_solution(state, saffu.Additive(0.0)).weights
        slope = features.T @ (len(rows) * saffu.cross_entropy_gradient(logits, wanted))
        best = _optimum(features, wanted)
        steepest.append(np.abs(slope).max())
        excess.append(len(rows) * float(saffu.cross_entropy(logits, wanted)) - best)
    axes.plot(repeats, steepest, color=BLUE, label="largest entry of the gradient")
    axes.plot(repeats, excess, color=ORANGE, label="nats above the optimum")
    axes.set(xlabel="ρ, how often the second slot repeats the first")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def leave_one_out() -> Any:
    """Chapter 4: the loss by leaving one out, and the true one."""
    figure = canvas(8.0, 3.2)
    rng = np.random.default_rng(4)
    truth = rng.dirichlet(0.05 * np.arange(1, 101)[::-1] ** 0.7, size=40)
    row = rng.choice(40, 3000, p=rng.dirichlet(np.ones(40)))
    target = np.array([rng.choice(100, p=truth[x]) for x in row])
    counts = pair_counts(row, target, 100).toarray()[:40]
    counts, truth = counts[counts.sum(axis=1) > 0], truth[counts.sum(axis=1) > 0]
    weights = counts.sum(axis=1) / counts.sum()

    def true_loss(smoothing: Any) -> float:
        full = saffu.smooth(counts, smoothing)
        p = full / full.sum(axis=1, keepdims=True)
        return float(-(weights[:, None] * truth * np.log(p)).sum())

    families: tuple[Any, ...] = (
        ("Backoff(α)", saffu.Backoff, 10 ** np.linspace(-1.5, 3, 37), "log"),
        ("Discount(δ)", saffu.Discount, np.linspace(0.1, 0.98, 37), "linear"),
    )
    for axes, (name, make, strengths, scale) in zip(
        figure.subplots(1, 2, sharey=True), families, strict=True
    ):
        left_out = [leave_one_out_nats(counts, make(float(s))) for s in strengths]
        true = [true_loss(make(float(s))) for s in strengths]
        axes.plot(strengths, left_out, color=BLUE, label="leaving one out")
        axes.plot(strengths, true, color=ORANGE, label="true")
        for values, colour in ((left_out, BLUE), (true, ORANGE)):
            axes.plot(strengths[np.argmin(values)], min(values), "o", color=colour)
        axes.set(xscale=scale, xlabel=name, ylim=(min(true) - 0.1, min(true) + 1.0))
        axes.grid(alpha=0.3)
    axes.legend()
    figure.axes[0].set_ylabel("nats")
    return figure


def temper() -> Any:
    """Chapter 5: loss over λ for a slot and for three copies of it, and Newton's way."""
    figure = canvas(6.0, 3.2)
    axes = figure.add_subplot()
    rng = np.random.default_rng(5)
    x = rng.integers(0, 5, 900)
    y = (x + rng.integers(0, 7, 900) * (rng.random(900) < 0.7)) % 7
    one, targets = np.eye(5)[x], np.eye(7)[y]
    for copies, colour, name in ((1, GREEN, "the slot alone"), (3, BLUE, "three copies of it")):
        features = np.concatenate([one] * copies, axis=1)
        state = saffu.cooccurrence(features[:150], targets[:150])
        counts = saffu.smooth(state.counts, saffu.Additive(0.5))
        prior, scores = slot_scores(features[150:], counts)
        spread = float((scores.max(axis=2) - scores.min(axis=2)).max())
        visited: list[float] = []

        def curve(lam: Array, way: tuple[Any, ...] = (prior, scores / spread, visited)) -> Curve:
            here = temper_curve(lam, way[0], way[1], targets[150:])
            way[2].append(float(lam[0]))
            return here

        minimise_convex(curve, np.zeros(1))
        grid = np.linspace(0, 2, 121)
        nats = [temper_curve(np.array([g]), prior, scores, targets[150:]).value for g in grid]
        axes.plot(grid, nats, color=colour, label=name)
        places = np.array(visited) / spread
        values = [temper_curve(np.array([g]), prior, scores, targets[150:]).value for g in places]
        axes.plot(places, values, "o", color=colour, markersize=4)
    axes.axvline(1.0, color=GREY, linestyle=":", linewidth=1)
    axes.set(xlabel="λ", ylabel="held-out nats", ylim=(None, 2.3))
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def scaling() -> Any:
    """Chapter 6: steps of iterative scaling."""
    figure = canvas(6.0, 3.4)
    axes = figure.add_subplot()
    features, targets = _dependent()
    best = _optimum(features, targets)
    for name, start, colour in _starts(features, targets):
        losses = np.array(saffu.refine(start, features, targets, steps=1000).losses)
        axes.plot(1 + np.arange(losses.size), losses - best, color=colour, label=name)
    axes.set(xscale="log", yscale="log", xlabel="1 + steps", ylabel="nats above the optimum")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def optimisers() -> Any:
    """Chapter 13: gradient descent and Adam on the same layer."""
    figure = canvas(6.0, 3.4)
    axes = figure.add_subplot()
    features, targets = _dependent()
    best = _optimum(features, targets)
    for name, start, colour in _starts(features, targets)[:2]:
        for style, rule in (("-", "Adam, η = 0.03"), (":", "gradient descent, η = 1")):
            theta: tuple[Array, ...] = (start,)
            state, losses = saffu.adam_start(theta), []
            for _ in range(300):
                logits = features @ theta[0]
                losses.append(float(saffu.cross_entropy(logits, targets)))
                slope = (features.T @ saffu.cross_entropy_gradient(logits, targets),)
                if style == "-":
                    theta, state = saffu.adam_step(theta, slope, state, 0.03)
                else:
                    theta = saffu.sgd_step(theta, slope, 1.0)
            label = f"{name}; {rule}"
            axes.plot(1 + np.arange(300), np.array(losses) - best, style, color=colour, label=label)
    axes.set(xscale="log", yscale="log", xlabel="1 + steps", ylabel="nats above the optimum")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    return figure


def cipher() -> Any:
    """Chapter 7: all codes of five bits and the inner products of their vectors."""
    figure = canvas(7.5, 3.8)
    left, right = figure.subplots(1, 2, width_ratios=(1, 4.5))
    codes = saffu.bit_cipher(31, 5)
    left.imshow(codes, cmap="Greys", aspect="auto", interpolation="nearest")
    left.set(xlabel="bit", ylabel="rank", title="codes")
    left.set_xticks(range(5))
    vectors = codes / codes.sum(axis=1, keepdims=True)
    shown = right.imshow(vectors @ vectors.T, cmap="Blues", vmin=0, interpolation="nearest")
    right.set(xlabel="rank", title="inner products")
    for axes in (left, right):
        axes.set_yticks([0, 5, 15, 25, 30])
    right.set_xticks([0, 5, 15, 25, 30])
    figure.colorbar(shown, ax=right)
    return figure


def contexts() -> Any:
    """Chapter 8: what each sample sees."""
    figure = canvas(9.0, 3.4)
    models: tuple[tuple[str, RadialContext | BlockContext | None], ...] = (
        ("Radial(4)", RadialContext(4)),
        ("Block(4)", BlockContext(4)),
        ("Document()", None),
    )
    for axes, (name, model) in zip(figure.subplots(1, 3), models, strict=True):
        seen = np.zeros((8, 9))
        for o in range(8):
            if model is None:
                seen[o, : o + 1] = 1
                continue
            context = model.steps_back(np.array([o]))
            for slot in np.flatnonzero(context.mask[0]):
                at = o - int(context.slots[0, slot])
                asks = slot == context.pivot[0]
                seen[o, at] = 2 if asks else 1
                colour = "white" if asks else "black"
                axes.text(at, o, str(slot), ha="center", va="center", color=colour)
        axes.imshow(seen, cmap="Blues", vmin=0, vmax=2.4, interpolation="nearest")
        for o in range(8):
            axes.text(o + 1, o, "×", ha="center", va="center", color=ORANGE)
        axes.set(title=name, xlabel="position (× is the target)")
        axes.set_xticks(range(9))
        axes.set_yticks(range(8))
    figure.axes[0].set_ylabel("offset of the sample")
    return figure


def layer() -> Any:
    """Chapter 9: the parts of a layer and what they pass back."""
    figure = canvas(9.5, 2.6)
    axes = figure.add_subplot()
    axes.set(xlim=(-0.6, 12.6), ylim=(-1.6, 1.6))
    axes.set_axis_off()
    names = ("X", "c", "z", "a", "w", "s", "h")
    forward = ("x_p Xᵀ", "c W", "φ", "g a", "w_k x_k", "φ(s U)")
    backward = ("dc_k x_p …", "dz Wᵀ", "a⊙(da−⟨da,a⟩)", "g dw", "⟨ds_k, x_k⟩", "dq Uᵀ")
    for k, name in enumerate(names):
        box = {"boxstyle": "circle,pad=0.4", "facecolor": "white", "edgecolor": BLUE}
        axes.text(2 * k, 0, name, ha="center", va="center", bbox=box, fontsize=12)
    for k, (ahead, back) in enumerate(zip(forward, backward, strict=True)):
        arrow = {"arrowstyle": "->", "color": BLUE}
        axes.annotate("", (2 * k + 1.55, 0.12), (2 * k + 0.45, 0.12), arrowprops=arrow)
        arrow = {"arrowstyle": "->", "color": ORANGE}
        axes.annotate("", (2 * k + 0.45, -0.12), (2 * k + 1.55, -0.12), arrowprops=arrow)
        axes.text(2 * k + 1, 0.35, ahead, ha="center", color=BLUE, fontsize=9)
        axes.text(2 * k + 1, -0.55, back, ha="center", color=ORANGE, fontsize=8)
    for height, ends, said, colour in (
        (0.8, (0.0, 10.0), "x_k", BLUE),
        (-0.8, (10.0, 0.0), "w_k ds_k", ORANGE),
    ):
        bent = "arc3,rad=-0.12"
        arrow = {"arrowstyle": "->", "color": colour, "connectionstyle": bent}
        axes.annotate("", (ends[1], height), (ends[0], height), arrowprops=arrow)
        axes.text(5, 1.3 * height, said, ha="center", va="center", color=colour, fontsize=9)
    return figure


def simplex() -> Any:
    """Chapter 10: hidden targets on the simplex of three slots."""
    figure = canvas(5.0, 4.2)
    axes = figure.add_subplot()
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, 0.75**0.5]])
    axes.fill(*corners.T, facecolor="none", edgecolor=GREY)
    for corner, name, at in zip(corners, ("slot 0", "slot 1", "slot 2"), "rlc", strict=True):
        side = {"r": "right", "l": "left", "c": "center"}[at]
        above = 0.03 if at == "c" else -0.06
        axes.text(corner[0], corner[1] + above, name, ha=side)
    a = np.array([0.5, 0.2, 0.3])
    axes.plot(*(a @ corners), "o", color="black")
    axes.annotate("a", a @ corners, xytext=(6, 6), textcoords="offset points")
    asks = ((np.array([-1.0, 2.0, 0.2]), BLUE), (np.array([0.3, -1.0, 1.5]), ORANGE))
    for ascent, colour in asks:
        sizes = np.linspace(0, 6, 121)
        way = np.array([saffu.hidden_targets(a, size * ascent) for size in sizes])
        axes.plot(*(way @ corners).T, color=colour)
        for size in (1, 2, 4):
            t = saffu.hidden_targets(a, size * ascent)
            axes.plot(*(t @ corners), "o", color=colour, markersize=4)
            axes.annotate(f"{size} G", t @ corners, xytext=(5, -10), textcoords="offset points")
    axes.set(aspect="equal", xlim=(-0.15, 1.15), ylim=(-0.12, 0.95))
    axes.set_axis_off()
    return figure


def operations() -> Any:
    """Chapter 11: operations of one co-occurrence, literally and by pairs."""
    figure = canvas(6.0, 3.2)
    axes = figure.add_subplot()
    size, slots, width = 2048, 8, 128
    samples = 10.0 ** np.linspace(3, 9, 61)
    outer = samples * slots * width * width
    pairs = np.minimum(samples, size**2)
    counted = samples * slots + slots * (pairs * width + size * width * width)
    axes.plot(samples, outer, color=ORANGE, label="outer products")
    axes.plot(samples, counted, color=BLUE, label="pairs, then two products")
    axes.plot(samples, samples * slots, ":", color=BLUE, label="of these, counting")
    axes.set(xscale="log", yscale="log", xlabel="targets M", ylabel="operations")
    axes.grid(alpha=0.3)
    axes.legend()
    return figure


def tempers() -> Any:
    """Chapter 12: one temper a slot."""
    figure = canvas(6.0, 3.0)
    axes = figure.add_subplot()
    rng = np.random.default_rng(12)
    size, total = 17, 24_000
    tokens = rng.integers(0, size, total).tolist()
    for t in range(3, total):
        chance = rng.random()
        if chance < 0.45:
            tokens[t] = (3 * tokens[t - 1] + 1) % size
        elif chance < 0.75:
            tokens[t] = (5 * tokens[t - 3] + 2) % size
    text = np.array(tokens)
    slots = np.stack([text[5 - k : total - 1 - k] for k in range(6)], axis=1)
    targets = text[6:]
    cut = 20_000
    shares = shares_of_totals(np.bincount(targets[:cut], minlength=size))
    tables = [
        evidence_table(
            pair_counts(slots[:cut, k], targets[:cut], size), shares, saffu.Discount(0.75)
        ).toarray()
        for k in range(6)
    ]
    scores = np.stack([tables[k][slots[cut:, k]] for k in range(6)], axis=1)
    wanted = np.eye(size)[targets[cut:]]
    found = minimise_convex(
        lambda lam: temper_curve(lam, np.log(shares), scores, wanted), np.zeros(6)
    )
    axes.bar(np.arange(6), found.place, color=BLUE)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set(xlabel="slot (0 is the newest token)", ylabel="λ")
    axes.grid(alpha=0.3, axis="y")
    return figure


def parts() -> Any:
    """Chapter 14: classes taken apart along their own axes."""
    figure = canvas(5.0, 4.0)
    axes = figure.add_subplot()
    rng = np.random.default_rng(14)
    shapes = (np.array([[1.1, 0.5], [0.0, 0.4]]), np.array([[0.4, 0.0], [-0.5, 0.9]]))
    centres = np.array([[3.0, 3.0], [6.5, 4.0]])
    clouds = [rng.normal(size=(110, 2)) @ shape for shape in shapes]
    points = np.repeat(centres, 110, axis=0) + np.concatenate(clouds)
    examples = Examples(points, np.repeat([0, 1], 110))
    found = find_parts(examples, 2, 2)
    part = part_of(found, examples)
    blues, oranges = "#08306b #2171b5 #6baed6 #c6dbef", "#7f2704 #d94801 #fd8d3c #fdd0a2"
    shades = blues.split() + oranges.split()
    for number, shade in enumerate(shades):
        axes.plot(*points[part == number].T, ".", color=shade, markersize=6)
    for i in range(2):
        for axis in found.axes[i].T:
            ends = found.means[i] + np.outer([-2.6, 2.6], axis)
            axes.plot(*ends.T, color="black", linewidth=0.8)
    axes.set(aspect="equal", xlabel="feature 0", ylabel="feature 1")
    return figure


def fold() -> Any:
    """Chapter 15: answers that arrive in any order, and a sum from left to right."""
    figure = canvas(7.0, 2.6)
    axes = figure.add_subplot()
    work = (
        ("f(p₁)", 0.0, 5.0, 1, BLUE),
        ("f(p₂)", 0.0, 3.0, 0, ORANGE),
        ("f(p₃)", 3.0, 4.5, 0, GREEN),
    )
    for name, start, length, worker, colour in work:
        axes.barh(worker, length, left=start, height=0.6, color=colour, alpha=0.7)
        axes.text(start + length / 2, worker, name, ha="center", va="center")
    axes.plot([3.0, 5.0], [-1.0, -1.0], ":", color=ORANGE)
    axes.text(4.0, -0.85, "p₂ waits", ha="center", color=ORANGE, fontsize=9)
    for at, said in ((5.0, "f(p₁) + f(p₂)"), (7.5, "(f(p₁) + f(p₂)) + f(p₃)")):
        axes.plot(at, -1.0, "o", color="black")
        axes.text(at, -1.5, said, ha="center", fontsize=9)
    axes.set(ylim=(-1.9, 1.6), xlim=(0, 9.5), xlabel="time")
    axes.set_yticks([1, 0, -1], ["worker 1", "worker 2", "the sum"])
    axes.set_xticks([])
    return figure


DRAWN: dict[str, Callable[[], Any]] = {
    "01-loss": loss,
    "03-solution": solution,
    "03-dependence": dependence,
    "04-leave-one-out": leave_one_out,
    "05-temper": temper,
    "06-scaling": scaling,
    "07-cipher": cipher,
    "08-contexts": contexts,
    "09-layer": layer,
    "10-simplex": simplex,
    "11-operations": operations,
    "12-tempers": tempers,
    "13-optimisers": optimisers,
    "14-parts": parts,
    "15-fold": fold,
}
"""All pictures, by name."""


def draw(folder: Path) -> list[Path]:
    """Draw all pictures; the same bytes with the same versions of the libraries."""
    import matplotlib

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, picture in DRAWN.items():
        paths.append(folder / f"{name}.svg")
        with matplotlib.rc_context({**STYLE, "svg.hashsalt": name}):
            picture().savefig(paths[-1], metadata={"Date": None, "Creator": None})
    return paths


def _dependent() -> tuple[Array, Array]:
    """Ten slots of three values that partly repeat the first, and five targets."""
    rng = np.random.default_rng(6)
    first = rng.integers(0, 3, 600)
    slots = [np.where(rng.random(600) < 0.6, first, rng.integers(0, 3, 600)) for _ in range(10)]
    target = (first + slots[1] * (rng.random(600) < 0.5) + (rng.random(600) < 0.4)) % 5
    return np.concatenate([np.eye(3)[slot] for slot in slots], axis=1), np.eye(5)[target]


def _starts(features: Array, targets: Array) -> list[tuple[str, Array, str]]:
    """Zeros, the explicit solution, and the tempered one."""
    state = saffu.cooccurrence(features, targets)
    counts = saffu.smooth(state.counts, saffu.Backoff(1.0))
    lam = saffu.fit_temper(features, targets, counts).temper
    return [
        ("zeros", np.zeros(state.counts.shape), ORANGE),
        ("explicit", saffu.explicit_solution(state).weights, BLUE),
        ("tempered", saffu.tempered_weights(counts, lam, state.priming), GREEN),
    ]


def _optimum(features: Array, targets: Array) -> float:
    """The least loss of a layer by a quasi-Newton method, per unit of target weight."""
    shape = (features.shape[1], targets.shape[1])
    scale = targets.shape[0] / targets.sum()

    def loss_and_slope(flat: Array) -> tuple[float, Array]:
        logits = features @ flat.reshape(shape)
        slope = features.T @ saffu.cross_entropy_gradient(logits, targets)
        return scale * float(saffu.cross_entropy(logits, targets)), scale * slope.ravel()

    settings = {"maxiter": 5000, "ftol": 1e-16, "gtol": 1e-12}
    minimise: Any = optimize.minimize
    start = np.zeros(shape[0] * shape[1])
    return float(minimise(loss_and_slope, start, jac=True, method="L-BFGS-B", options=settings).fun)


if __name__ == "__main__":
    draw(Path(sys.argv[1]) if len(sys.argv) > 1 else PICTURES)
