"""Chapter on context models: tables, claims and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from saffu_lab.records.comparison import perplexity
from saffu_lab.records.evidence import change, estimate, over_seeds, spread
from saffu_lab.records.pictures import COLOURS, canvas, plain_numbers
from saffu_lab.records.results import Line, table
from saffu_lab.replication.chapters import (
    Chapter,
    Claim,
    Pairs,
    amounts,
    compared,
    seeds_of,
    select,
)

TEXT = """\
One layer for each context model, 128 bits, explicit only, {targets} training targets, {seeds}
seeds. `radial:r` sees the r newest tokens, `block:b` the present block of b tokens as far as it
goes, `document` the mean of all tokens so far. Lists are towers side by side, read by one output
layer.

{all}

![Perplexity by the length of the context](replication/contexts-lengths.png)

{reading}

**Dynamic or padded.** The same explicit layer on eight radial slots, by the plain functions, on
{filled} targets: with the slots that a document has, and with all eight, the missing ones filled
with the marker of the document's start. Nats of validation text; "early" targets are those with
fewer than eight tokens before them.

{padded}

    saffu replicate contexts
"""


def chapter(lines: Sequence[Line]) -> Chapter:
    """What the lines say."""
    tests, filled = select(lines, do="test"), select(lines, do="filled")
    text = TEXT.format(
        targets=f"{tests[0]['targets']:,}" if tests else "–",
        seeds=len({line["seed"] for line in tests}),
        all=all_table(tests),
        reading=reading(tests),
        filled=f"{filled[0]['targets']:,}" if filled else "–",
        padded=padded_table(filled),
    )
    pictures = {"contexts-lengths": partial(draw_lengths, tests)}
    return Chapter("Contexts", text, claims(tests, filled), pictures)


def all_table(tests: Sequence[Line]) -> str:
    """Every context, and what it brings over radial:8."""
    base = select(tests, row="radial:8")
    rows = []
    for name in sorted({line["row"] for line in tests}, key=_order):
        ones = select(tests, row=name)
        against = "" if name == "radial:8" else change(ones, base)
        rows.append([f"`{name}`", spread(ones), against])
    return table(["contexts", "test perplexity (95 %)", "against `radial:8`"], rows)


def _order(name: str) -> tuple[int, tuple[str, ...], tuple[int, ...]]:
    """Single contexts first; radial, block, document; by length."""
    parts = [part.partition(":") for part in name.split(",")]
    kinds = tuple("0" if kind == "radial" else kind for kind, _, _ in parts)
    return len(parts), kinds, tuple(int(size or 0) for _, _, size in parts)


def logs(tests: Sequence[Line], row: str) -> list[float]:
    """Log perplexities of a row, one per seed."""
    return [float(np.log(perplexity(line))) for line in select(tests, row=row)]


def reading(tests: Sequence[Line]) -> str:
    """Which context is the best."""
    if not tests:
        return ""
    mean = {
        row: float(np.mean(logs(tests, row))) for row in sorted({line["row"] for line in tests})
    }
    best = min(mean, key=lambda row: mean[row])
    radial = {row: m for row, m in mean.items() if row.startswith("radial") and "," not in row}
    text = f"The best of all is `{best}` ({np.exp(mean[best]):.1f})"
    if radial:
        alone = min(radial, key=lambda row: radial[row])
        text += f"; of the radial contexts alone, `{alone}` ({np.exp(mean[alone]):.1f})"
    return text + "."


def claims(tests: Sequence[Line], filled: Sequence[Line]) -> list[Claim]:
    """The claims, with the comparisons that decide them."""

    def pairs(*named: tuple[str, str]) -> Pairs:
        return compared(
            {
                f"`{one}` against `{other}`": (select(tests, row=one), select(tests, row=other))
                for one, other in named
            }
        )

    several = pairs(
        ("radial:8,document", "radial:8"),
        ("block:8,document", "block:8"),
        ("radial:8,block:16", "radial:8"),
        ("radial:8,block:16,document", "radial:8,block:16"),
    )
    longer = pairs(("radial:16", "radial:8"), ("radial:32", "radial:16"))
    statement = "Several contexts, read together by the output layer, are better than one"
    return [
        Claim(statement, "[T]", *several),
        Claim("Longer radial contexts make a better explicit solution", "[D]", *longer),
        dynamic_claim(filled),
    ]


def dynamic_claim(filled: Sequence[Line]) -> Claim:
    """Whether dynamic contexts are better than padded ones, over all targets."""
    pairs = [
        (one, two)
        for one in select(filled, row="dynamic")
        for two in select(filled, row="padded", seed=one["seed"])
    ]
    by_targets = {
        name: over_seeds([a[field] - b[field] for a, b in pairs])
        for name, field in (("all targets", "nats"), ("early targets", "early_nats"))
        if pairs
    }
    words = [f"{name}: perplexity {one.percent}" for name, one in by_targets.items()]
    return Claim(
        "Dynamic contexts, with the parameters of their valid slots, are better than padded ones",
        "[T]",
        [one.answer for name, one in by_targets.items() if name == "all targets"],
        "Rule: over all targets. Dynamic against padded, " + "; ".join(words),
        seeds_of(filled),
        amounts(line["targets"] for line in filled),
    )


def padded_table(filled: Sequence[Line]) -> str:
    """Nats of dynamic and padded slots."""
    rows = [
        [
            line["row"],
            str(line["seed"]),
            f"{line['nats']:.4f}",
            f"{line['early_nats']:.4f}",
            f"{line['late_nats']:.4f}",
            f"{100 * line['early_share']:.0f} %",
        ]
        for line in sorted(filled, key=lambda x: (x["seed"], x["row"]))
    ]
    return table(["slots", "seed", "nats", "early", "later", "early targets"], rows)


def draw_lengths(tests: Sequence[Line]) -> Any:
    """Perplexity against the length of radial and block contexts."""
    figure = canvas(7.0, 4.4)
    axis = figure.subplots()
    for kind, colour in (("radial", COLOURS["explicit"]), ("block", COLOURS["cold"])):
        rows = {
            int(line["row"].split(":")[1])
            for line in tests
            if line["row"].startswith(kind) and "," not in line["row"]
        }
        lengths = sorted(rows)
        estimates = [estimate(logs(tests, f"{kind}:{length}")) for length in lengths]
        axis.plot(lengths, [np.exp(e.mean) for e in estimates], "o-", color=colour, label=kind)
        low, high = ([np.exp(e[i]) for e in estimates] for i in (1, 2))
        axis.fill_between(lengths, low, high, color=colour, alpha=0.2)
    for row, style in (("document", ":"), ("radial:8,document", "--")):
        if select(tests, row=row):
            level = np.exp(np.mean(logs(tests, row)))
            axis.axhline(level, color="0.4", linestyle=style, label=row)
    axis.set(xlabel="slots", ylabel="test perplexity", yscale="log")
    axis.set_xscale("log", base=2)
    plain_numbers(axis.yaxis)
    axis.set_xticks([1, 2, 4, 8, 16, 32], labels=["1", "2", "4", "8", "16", "32"])
    axis.grid(alpha=0.3, which="both")
    axis.legend()
    return figure
