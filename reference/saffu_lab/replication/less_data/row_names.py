"""Names and styles of the rows of the study on less data; `tasks` makes them."""

from __future__ import annotations

from typing import NamedTuple

from saffu_lab.records.pictures import COLOURS


class Look(NamedTuple):
    """A row in tables, sentences and figures."""

    name: str
    short: str
    kind: str = "outside"
    """key of its colour"""
    style: str | None = "-"
    """line style in the figure over sizes; None: in the table only"""


ROWS = {
    "unigram": Look("unigram", "unigram", style=None),
    "bigram": Look("bigram, interpolated", "bigram", style="--"),
    "kneser-ney 2": Look("Kneser–Ney, order 2 (KenLM)", "Kneser–Ney 2", style="-."),
    "kneser-ney 3": Look("Kneser–Ney, order 3 (KenLM)", "Kneser–Ney 3", style=None),
    "kneser-ney 4": Look("Kneser–Ney, order 4 (KenLM)", "Kneser–Ney 4", style=None),
    "kneser-ney 5": Look("Kneser–Ney, order 5 (KenLM)", "Kneser–Ney 5", style=":"),
    "transformer": Look("standard transformer, 1.06M parameters", "transformer"),
    "one-hot cold": Look(
        "one-hot slots, sparse Adam from zeros", "trained one-hot slots", "cold", "--"
    ),
    "cold": Look("SAFFU 128 bits, Adam from a cold start", "cold SAFFU", "cold"),
    "cold longer": Look(
        "SAFFU 128 bits, Adam from a cold start, three times the epochs",
        "cold SAFFU, longer",
        "cold",
        None,
    ),
    "cold wide": Look(
        "SAFFU 512 bits, Adam from a cold start", "cold SAFFU, 512 bits", "cold", "--"
    ),
    "explicit": Look("SAFFU 128 bits, explicit only", "explicit SAFFU", "explicit"),
    "warm": Look("SAFFU 128 bits, explicit, then Adam", "warm SAFFU", "trained"),
    "warm longer": Look(
        "SAFFU 128 bits, explicit, then Adam, three times the epochs",
        *("warm SAFFU, longer", "trained", None),
    ),
    "warm wide": Look(
        "SAFFU 512 bits, explicit, then Adam", "warm SAFFU, 512 bits", "trained", "--"
    ),
    "explicit wide": Look(
        "SAFFU 512 bits, explicit only, best of {wide}",
        *("best explicit SAFFU, 512 bits", "explicit", None),
    ),
    "explicit layers": Look(
        "SAFFU, explicit only, best of {layers}", "best explicit SAFFU", "explicit", "--"
    ),
    "explicit refined": Look(
        "SAFFU 128 bits, explicit, refined", "refined explicit SAFFU", "explicit", "-."
    ),
    "explicit direct": Look(
        "one-hot slots, explicit only, best of {direct}", "explicit one-hot slots", "direct"
    ),
    "explicit phrases": Look(
        "one-hot slots and phrases, explicit only", "explicit phrases", "direct", "--"
    ),
}
"""The rows, in the order of the table."""
EXPLICIT = (
    "explicit", "explicit layers", "explicit wide", "explicit refined", "explicit direct",
    "explicit phrases",
)  # fmt: skip
TRAINED = (
    "cold", "cold wide", "cold longer", "warm", "warm wide", "warm longer", "transformer"
)  # fmt: skip
"""Rows of trainings, which may reach their epoch limit."""


def short(row: str) -> str:
    """The name of a row in a sentence."""
    return ROWS[row].short


def colour_of(row: str) -> str:
    """The colour of a row."""
    return COLOURS[ROWS[row].kind]
