"""Attention study: the chapter's text, tables, claims and figures, made from its lines."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from saffu_lab.records.comparison import perplexity
from saffu_lab.records.evidence import change, spread, still_improving
from saffu_lab.records.pictures import COLOURS, canvas
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import Chapter, Claim, Pairs, compared, select

PAIRS = {
    "cat, gain count": ("softmax cat count", "uniform cat count"),
    "cat, gain unit": ("softmax cat unit", "uniform cat unit"),
    "sum, gain count": ("softmax sum count", "uniform sum count"),
    "sum, gain unit": ("softmax sum unit", "uniform sum unit"),
    "cat, 16 slots": ("softmax cat count, radial:16", "uniform cat count, radial:16"),
}
"""Pairs of rows: explicit attention, and the same model with uniform attention."""
BY_SLOT = {
    "8 slots": ("softmax cat count, λ by slot", "uniform cat count, λ by slot"),
    "16 slots": (
        "softmax cat count, λ by slot, radial:16",
        "uniform cat count, λ by slot, radial:16",
    ),
}
"""The same pairs with one temper per slot."""

TEXT = """\
One layer on eight radial slots (128 bits), {targets} training targets, {seeds} seeds. `uniform`
attention has no W; `softmax` and `surprisal` attention solve W from hidden targets, in one round
unless the row states another number. All of these models are explicit; smoothing and tempers are
chosen on validation text. U has one λ or, in rows marked "λ by slot", one λ per slot. The λ per
slot are fitted jointly to the layer's own targets after W is solved, and W is not solved again.
They weight the slots in the same way for all contexts, whereas attention weights them by their
contents.

{explicit}

{reading}

The same models trained by Adam from the explicit solution and from random weights, on
{trained_targets} targets with one seed (frozen embeddings, the better of two learning rates on
validation text, early stopping); test perplexity:

{trained}

![W, and the mean attention of each slot](replication/attention-maps.png)

*Left and middle: W, explicit and after training. Rows are comparisons with the slots, columns the
slots that receive attention. Right: mean attention per slot, with its standard deviation over
contexts; uniform attention is 1/8.*

![Attention along a sentence](replication/attention-sentence.png)

*One row per context of a validation sentence: the attention of the model when it predicts the word
after the one on the left. Slot 0 is that word itself.*

    saffu replicate attention
"""


def chapter(lines: Sequence[Line]) -> Chapter:
    """The chapter made from the lines."""
    tests = select(lines, do="test")
    alone = [line for line in tests if ":" not in line["row"] or "radial:16" in line["row"]]
    trained = [line for line in tests if line not in alone]
    maps = select(lines, do="map")
    text = TEXT.format(
        targets=_amounts(alone),
        seeds=len({line["seed"] for line in alone}),
        trained_targets=_amounts(trained),
        explicit=_explicit_table(alone),
        reading=_reading(alone),
        trained=_trained_table(trained),
    )
    pictures = {}
    if maps:
        pictures = {
            "attention-maps": partial(draw_maps, maps),
            "attention-sentence": partial(draw_sentence, maps),
        }
    return Chapter(
        "Self-attention", text, claims(alone, trained, select(lines, do="trial")), pictures
    )


def rows_in_pairs(
    lines: Sequence[Line],
    pairs: Mapping[str, tuple[str, str]],
    unfinished: Collection[str] = (),
) -> Pairs:
    """Comparisons of several pairs of rows."""
    return compared(
        {
            name: (select(lines, row=one), select(lines, row=other))
            for name, (one, other) in pairs.items()
        },
        unfinished,
    )


def claims(alone: Sequence[Line], trained: Sequence[Line], trials: Sequence[Line]) -> list[Claim]:
    """The claims, with the comparisons that decide them."""
    explicit = rows_in_pairs(alone, PAIRS)
    by_slot = rows_in_pairs(alone, BY_SLOT)
    warm, cold = "explicit, trained", "cold, trained"
    kinds = ("softmax", "uniform")
    starts = {kind: (f"{kind} cat: {warm}", f"{kind} cat: {cold}") for kind in kinds}
    runs = [line for line in trials if line["row"] in [pair[1] for pair in starts.values()]]
    unfinished = [
        kind
        for kind, (_, row) in starts.items()
        if any(map(still_improving, select(runs, row=row)))
    ]
    begun = rows_in_pairs(trained, starts, unfinished)
    return [
        Claim(
            "Attention can be solved explicitly, and explicit attention is better than none",
            "[P1], [D]",
            explicit.answers,
            f"perplexity with explicit softmax attention against uniform: {explicit.words}",
            *(explicit.seeds, explicit.size),
        ),
        Claim(
            "Explicit attention is better than none even with one λ per slot",
            "[D]",
            by_slot.answers,
            "perplexity with explicit softmax attention against uniform, both with one λ per slot: "
            + by_slot.words,
            *(by_slot.seeds, by_slot.size),
        ),
        Claim(
            "Attention trained from the explicit solution ends better than from a random start",
            "[P1]",
            begun.answers,
            f"perplexity after training, explicit start against random start: {begun.words}"
            + _untuned(runs),
            *(begun.seeds, begun.size),
        ),
    ]


def _untuned(runs: Sequence[Line]) -> str:
    """What the random starts were given: rates, scales, and how many reached their limit."""
    if not runs:
        return ""
    still = sum(map(still_improving, runs))
    rates = sorted({run["recipe"].get("rate") for run in runs if "rate" in run["recipe"]})
    scales = len({run["recipe"].get("scale") for run in runs})
    return (
        f". Of the {len(runs)} runs from random starts (learning rates "
        f"{' and '.join(map('{:g}'.format, rates))}, {scales} initial scale"
        f"{'s' * (scales != 1)}), {still} were still improving when they reached the epoch limit"
    )


def _amounts(lines: Sequence[Line]) -> str:
    amounts = sorted({line["targets"] for line in lines if line["targets"]})
    return ", ".join(f"{amount:,}" for amount in amounts) or "–"


def _explicit_table(alone: Sequence[Line]) -> str:
    """Test perplexity of every explicit model, and its change from uniform attention."""
    names = sorted({line["row"] for line in alone}, key=_order)
    rows = []
    for name in names:
        ones = select(alone, row=name)
        words = name.split(",")[0].split()
        rest = ["count"] if words[0] == "surprisal" else []
        base = " ".join(["uniform", *words[1:], *rest])
        base += ", radial:16" if "radial:16" in name else ""
        others = select(alone, row=base)
        against = "" if base == name else change(ones, others)
        rows.append([name, spread(ones), against])
    head = ["explicit model", "test perplexity (95 %)", "against uniform attention"]
    return table(head, rows)


def _order(name: str) -> tuple[str, ...]:
    """Sort key: slots, aggregation and gain; uniform first, surprisal last."""
    words = name.split(",", maxsplit=1)[0].split()
    kind = {"uniform": "0", "softmax": "1", "surprisal": "2"}[words[0]]
    gain = words[2] if len(words) > 2 else "without"
    return ("1" if "radial:16" in name else "0", words[1], gain, kind, name)


def _reading(alone: Sequence[Line]) -> str:
    """The best options, in sentences."""
    if not alone:
        return ""
    mean: dict[str, float] = {}
    for name in sorted({line["row"] for line in alone if "radial:16" not in line["row"]}):
        logs = [np.log(perplexity(line)) for line in select(alone, row=name)]
        mean[name] = float(np.exp(np.mean(logs)))
    best, worst = min(mean, key=lambda n: mean[n]), max(mean, key=lambda n: mean[n])
    text = (
        f"With eight slots, *{best}* is the best ({mean[best]:.1f}) and *{worst}* the\n"
        f"worst ({mean[worst]:.1f})."
    )
    for kind in ("uniform", "softmax"):
        pair = [select(alone, row=f"{kind} cat count{more}") for more in (", λ by slot", "")]
        if all(pair):
            text += f" One λ per slot against one λ for all slots, {kind} cat: {change(*pair)}."
    pair = [select(alone, row=name) for name in ("softmax cat count", BY_SLOT["8 slots"][1])]
    if all(pair):
        text += (
            " Softmax attention with one λ for all slots against uniform attention with one λ per "
            "slot, cat: "
            f"{change(*pair)}."
        )
    for kind in ("cat", "sum"):
        pair = [select(alone, row=f"softmax {kind} {gain}") for gain in ("count", "unit")]
        if all(pair):
            text += f" Gain `count` against `unit`, softmax {kind}: {change(*pair)}."
    return text


def _trained_table(trained: Sequence[Line]) -> str:
    names = list(dict.fromkeys(line["row"].split(":")[0] for line in trained))
    ways = ("explicit", "explicit, trained", "cold, trained")
    rows = [
        [name, *(spread(select(trained, row=f"{name}: {way}")) for way in ways)] for name in names
    ]
    return table(["attention, aggregation", *ways], rows)


def draw_maps(maps: Sequence[Line]) -> Any:
    """W explicit, W trained, and mean attention per slot."""
    shown = [line for line in maps if line["row"].startswith("softmax cat:")]
    explicit = [line for line in shown if line["row"].endswith(": explicit")]
    trained = [line for line in shown if line["row"].endswith("explicit, trained")]
    figure = canvas(11.0, 3.6)
    axes = figure.subplots(1, 3)
    for axis, maps_shown, title in (
        (axes[0], explicit, "W, explicit"),
        (axes[1], trained, "W, explicit then trained"),
    ):
        axis.set_title(title)
        axis.set(xlabel="slot (steps back)", ylabel="comparison with slot")
        if maps_shown:
            w = np.array(maps_shown[0]["weights"])
            w = w - w.mean(axis=1, keepdims=True)
            limit = float(np.abs(w).max()) or 1.0
            image = axis.imshow(w, cmap="RdBu_r", vmin=-limit, vmax=limit)
            figure.colorbar(image, ax=axis, shrink=0.8)
    colours = {"explicit": "explicit", "explicit, trained": "trained", "cold, trained": "cold"}
    for number, line in enumerate(sorted(shown, key=lambda x: list(colours).index(way_of(x)))):
        place = np.arange(len(line["mean"])) + 0.12 * (number - 1)
        label = way_of(line)
        axes[2].errorbar(
            place, line["mean"], yerr=line["deviation"], fmt="o", markersize=4,
            color=COLOURS[colours[label]], label=label, linewidth=1,
        )  # fmt: skip
    if shown:
        axes[2].axhline(1 / len(shown[0]["mean"]), color="0.6", linestyle=":", linewidth=1)
    axes[2].set(xlabel="slot (steps back)", ylabel="attention", title="mean over contexts")
    axes[2].legend(fontsize="small")
    return figure


def way_of(line: Line) -> str:
    """How the model of a line was made."""
    return str(line["row"].split(": ")[1])


def draw_sentence(maps: Sequence[Line]) -> Any:
    """Attention in every context of one sentence, explicit and trained."""
    shown = [
        line
        for line in maps
        if line["row"] in ("softmax cat: explicit", "softmax cat: explicit, trained")
    ]
    figure = canvas(9.0, 6.0)
    axes = figure.subplots(1, max(len(shown), 1), squeeze=False)[0]
    for axis, line in zip(axes, shown, strict=False):
        image = axis.imshow(np.array(line["sentence"]), cmap="viridis", vmin=0, aspect="auto")
        axis.set_yticks(range(len(line["words"])), line["words"], fontsize=7)
        axis.set(xlabel="slot (steps back)", title=way_of(line))
        figure.colorbar(image, ax=axis, shrink=0.6)
    return figure
