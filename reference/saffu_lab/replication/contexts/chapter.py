"""Context study: the chapter's text, tables, claims and figure, made from its lines."""

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
One layer per context model, 128 bits, explicit only, {targets} training targets, {seeds} seeds.
`radial:r` reads the r most recent tokens, `block:b` the tokens so far of the current block of b,
and `document` the mean of all tokens so far. A list names several towers side by side, read by one
output layer.

{all}

![Perplexity by context length](replication/contexts-lengths.png)

{reading}

**Dynamic or padded contexts.** The same explicit layer on eight radial slots, computed by the plain
functions on {filled} targets: "dynamic" uses only the slots that hold a token, "padded" uses all
eight and fills the missing ones with the start-of-document token. Validation nats per target;
"early" targets have fewer than eight tokens before them.

{padded}

    saffu replicate contexts
"""


def chapter(lines: Sequence[Line]) -> Chapter:
    """The chapter made from the lines."""
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
    """Test perplexity of every context model, and its change from radial:8."""
    base = select(tests, row="radial:8")
    rows = []
    for name in sorted({line["row"] for line in tests}, key=_order):
        ones = select(tests, row=name)
        against = "" if name == "radial:8" else change(ones, base)
        rows.append([f"`{name}`", spread(ones), against])
    return table(["contexts", "test perplexity (95 %)", "against `radial:8`"], rows)


def _order(name: str) -> tuple[int, tuple[str, ...], tuple[int, ...]]:
    """Sort key: single context models first; radial, block, document; by length."""
    parts = [part.partition(":") for part in name.split(",")]
    kinds = tuple("0" if kind == "radial" else kind for kind, _, _ in parts)
    return len(parts), kinds, tuple(int(size or 0) for _, _, size in parts)


def logs(tests: Sequence[Line], row: str) -> list[float]:
    """Log perplexities of a row, one per seed."""
    return [float(np.log(perplexity(line))) for line in select(tests, row=row)]


def reading(tests: Sequence[Line]) -> str:
    """The best context models, in a sentence."""
    if not tests:
        return ""
    mean = {
        row: float(np.mean(logs(tests, row))) for row in sorted({line["row"] for line in tests})
    }
    best = min(mean, key=lambda row: mean[row])
    radial = {row: m for row, m in mean.items() if row.startswith("radial") and "," not in row}
    text = f"The best context is `{best}` ({np.exp(mean[best]):.1f})"
    if radial:
        alone = min(radial, key=lambda row: radial[row])
        text += f"; the best single radial context is `{alone}` ({np.exp(mean[alone]):.1f})"
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
        Claim("Longer radial contexts give better explicit solutions", "[D]", *longer),
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
        "Dynamic contexts, which use only the parameters of valid slots, beat padded ones",
        "[T]",
        [one.answer for name, one in by_targets.items() if name == "all targets"],
        "Rule: decided over all targets. Dynamic against padded, " + "; ".join(words),
        seeds_of(filled),
        amounts(line["targets"] for line in filled),
    )


def padded_table(filled: Sequence[Line]) -> str:
    """Nats with dynamic and with padded slots."""
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
