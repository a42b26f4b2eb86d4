"""What came out of a contest: as a table, as sentences, as JSON, and as one page of HTML.

The page needs nothing but itself: no script, no font, no picture from anywhere else.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

from saffu_lab.demo.contest import PROMPT
from saffu_lab.demo.outcome import Outcome, Row

HEAD: Final = ("", "perplexity", "bits/byte", "seconds", "targets/s")


def cells(row: Row) -> tuple[str, str, str, str, str]:
    """A row as words: test perplexity, bits per byte, seconds, training targets per second."""
    speed = f"{row.targets / row.seconds:,.0f}" if row.targets else "–"
    return (
        row.name,
        f"{row.test.perplexity:,.2f}",
        f"{row.test.bits_per_byte:.3f}",
        f"{row.seconds:.1f}" if row.targets else "–",
        speed,
    )


def line(words: Sequence[str]) -> str:
    """A line of the table on a terminal.

    >>> line(HEAD)
    '                                   perplexity  bits/byte  seconds   targets/s'
    """
    name, perplexity, bits, seconds, speed = words
    return f"{name:<34} {perplexity:>10} {bits:>10} {seconds:>8} {speed:>11}"


def remarks(outcome: Outcome) -> Iterator[str]:
    """What the numbers say of the papers' claims, in sentences."""
    explicit, warm = (
        outcome.row("explicit only: SAFFU"),
        outcome.row("explicit, then backpropagation"),
    )
    same, longer = (
        outcome.row("backpropagation only, same time"),
        outcome.row("backpropagation only, longer"),
    )
    best = min(outcome.rows, key=lambda row: row.test.nats)
    yield f"Lowest test perplexity: {best.name} ({best.test.perplexity:,.1f})."
    goal = explicit.curve[-1]
    reached = [point.seconds for point in longer.curve if point.perplexity <= goal.perplexity]
    if reached:
        how = f"was as good on validation text after {reached[0]:.1f} s"
    else:
        how = f"was not yet as good on validation text after {longer.seconds:.1f} s"
    yield (
        f"The explicit solution of the SAFFU model took {goal.seconds:.1f} s; "
        f"backpropagation alone {how}."
    )
    yield (
        f"In the explicit solution's time, backpropagation alone came to "
        f"{same.test.perplexity:,.1f} on test text, against {explicit.test.perplexity:,.1f}."
    )
    yield (
        f"After {longer.seconds:.0f} s in all: {longer.test.perplexity:,.1f} by backpropagation "
        f"alone, {warm.test.perplexity:,.1f} by the explicit solution and backpropagation."
    )


STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 50rem; margin: auto; padding: 1rem; }
h1 { font-size: 1.5rem; line-height: 1.2; }
h2 { font-size: 1.15rem; margin-top: 2rem; }
div.wide { overflow-x: auto; }
table { border-collapse: collapse; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid #8886; }
th:first-child, td:first-child { text-align: left; padding-left: 0; }
td small { display: block; opacity: .7; }
tr.best td { font-weight: bold; }
img { max-width: 100%; height: auto; background: white; }
dt { font-weight: bold; margin-top: .6rem; }
dd { margin: 0; overflow-wrap: anywhere; }
"""


def html(
    outcome: Outcome, command: str, about: Mapping[str, Any], picture: bytes | None, missing: str
) -> str:
    """The whole page.

    Parameters: `command` that made it; `about` the machine and versions, by name; `picture`, a PNG,
    or None, and then `missing` says how to get it.
    """
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>saffu: explicit solutions and backpropagation</title>
<style>{STYLE}</style>
</head>
<body>
<h1>One text, one minute: explicit solutions and backpropagation</h1>
<p>Language models of the same shape, whose parameters come from counts, from an explicit solution,
or from backpropagation. Everything was chosen on validation text; the figures are of test text,
which was read once for each row. Lower perplexity is better.</p>
<div class="wide"><table>
<tr>{"".join(f"<th>{escape(word)}</th>" for word in HEAD)}</tr>
{"".join(_rows(outcome))}</table></div>
<h2>What it shows</h2>
<ul>{"".join(f"<li>{escape(remark)}</li>" for remark in remarks(outcome))}</ul>
<h2>How good, how soon</h2>
{_picture(picture, missing)}
<h2>In their own words</h2>
<p>Each model continues the word “{escape(PROMPT)}”, by the same draws.</p>
<dl>{"".join(_pair(row.name, row.sample) for row in outcome.rows)}</dl>
<h2>How it was made</h2>
<dl>{"".join(_pair(name, value) for name, value in _made(outcome, command, about))}</dl>
</body>
</html>
"""


def _rows(outcome: Outcome) -> Iterator[str]:
    best = min(outcome.rows, key=lambda row: row.test.nats)
    for row in outcome.rows:
        name, *numbers = map(escape, cells(row))
        kind = ' class="best"' if row is best else ""
        first = f"<td>{name}<small>{escape(row.note)}</small></td>"
        yield f"<tr{kind}>{first}{''.join(f'<td>{number}</td>' for number in numbers)}</tr>\n"


def _picture(picture: bytes | None, missing: str) -> str:
    if picture is None:
        return f"<p>{escape(missing)}</p>"
    data = b64encode(picture).decode()
    says = (
        "Validation perplexity against seconds, both logarithmic; the figures are in results.json"
    )
    return (
        f'<img alt="{says}" src="data:image/png;base64,{data}">'
        "<p>Perplexity on validation text. Thin lines: the random starts that were tried.</p>"
    )


def _pair(name: str, value: object) -> str:
    return f"<dt>{escape(name)}</dt><dd>{escape(str(value))}</dd>\n"


def _made(outcome: Outcome, command: str, about: Mapping[str, Any]) -> Iterator[tuple[str, object]]:
    """Names and values of all that a repetition needs."""
    text = outcome.text
    tried = "; ".join(
        f"scale {t.scale:g} at rate {t.rate:g} (validation {t.perplexity:,.1f} after "
        f"{t.curve[-1].seconds:.1f} s)"
        for t in outcome.tried
    )
    parts = ", ".join(
        f"{part.targets:,} targets for {purpose}"
        for part, purpose in (
            (text.train, "training"),
            (text.validation, "choices"),
            (text.test, "the test"),
        )
    )
    yield "command", command
    yield "seed", outcome.seed
    yield "text", f"{text.name}: {parts}; {len(text.vocabulary):,} tokens in the vocabulary"
    yield "model", outcome.settings.shape.to_json()
    yield (
        "backpropagation",
        f"Adam, embeddings frozen, the best on validation text kept; random starts tried: {tried}",
    )
    yield (
        "seconds",
        f"{outcome.seconds:.0f} in all; wall-clock, so what ends by time varies a little",
    )
    for name, value in about.items():
        if isinstance(value, Mapping):
            value = ", ".join(f"{key} {each}" for key, each in value.items()) or "not limited"
        yield name, value
