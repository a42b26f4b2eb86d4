"""Command line options of several commands: the text, the model, the engine."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from saffu.configuration import PRESETS, Configuration
from saffu.contexts import ContextModel, parse_contexts
from saffu.data.readers import UNITS
from saffu.data.tokenisers import Bytes, Characters, HuggingFace, Normalised, Tokeniser, Words
from saffu.engines import ENGINES, POOL_PAYS
from saffu.errors import BadOption

TOKENISERS: Final[dict[str, Tokeniser]] = {
    "words": Words(),
    "characters": Characters(),
    "bytes": Bytes(),
}


def whole(least: int) -> Callable[[str], int]:
    """A type for argparse: whole numbers >= `least`.

    >>> whole(1)("17")
    17
    """

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"expected a whole number >= {least}, got {text!r}")
        return number

    return read


def seed(text: str) -> int:
    """A type for argparse: whole numbers in 0 … 2^64−1.

    >>> seed("18446744073709551615") == 2**64 - 1
    True
    """
    number = whole(0)(text)
    if number >= 2**64:
        raise argparse.ArgumentTypeError(f"expected a whole number below 2^64, got {text!r}")
    return number


def place(text: str) -> Path:
    """A type for argparse: the path of a file or folder, which has a name.

    >>> place("notes").name
    'notes'
    """
    if not text:
        raise argparse.ArgumentTypeError("expected the path of a file or folder, got an empty one")
    return Path(text)


def real(above: float, *, itself: bool = False) -> Callable[[str], float]:
    """A type for argparse: finite numbers > `above`, or (with `itself`) >= `above`."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not (above < number < float("inf") or (itself and number == above)):
            sign = ">=" if itself else ">"
            raise argparse.ArgumentTypeError(f"expected a number {sign} {above:g}, got {text!r}")
        return number

    return read


def radii(text: str) -> tuple[int, ...]:
    """Radii written as `2,5`.

    >>> radii("2,5")
    (2, 5)
    """
    return tuple(whole(1)(part) for part in text.split(","))


def contexts(text: str) -> tuple[ContextModel, ...]:
    """Context models written as `radial:8,block:16,document`.

    >>> contexts("radial:8,document")
    (RadialContext(radius=8), DocumentContext())
    """
    try:
        return parse_contexts(text)
    except BadOption as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from wrong


def add_text(parser: argparse.ArgumentParser, unit: str = "paragraph") -> None:
    """Options of a text: FILE… and `--unit`."""
    parser.add_argument(
        "paths",
        metavar="FILE",
        nargs="+",
        type=place,
        help="UTF-8 text, also as .gz, .xz, .bz2 or .zst; a folder for all files in it; - for the "
        "standard input",
    )
    parser.add_argument(
        "--unit",
        choices=UNITS,
        default=unit,
        help="part of a file that makes one document (default: %(default)s)",
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Options of the engine that counts: `--engine`, `--workers`, `--scheduler`."""
    group = parser.add_argument_group(
        "engine",
        "Counts of parts of the text add up, so several processes or machines can each count a "
        "part.\nThe model is the same, to the last bit, with every engine; if a worker is lost, "
        "only its part is\ncounted again.  Backpropagation runs in this process.",
    )
    group.add_argument(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="serial: this process; pool: several processes on this machine; dask: a cluster, or "
        f"without --scheduler one on this machine; auto: pool from {POOL_PAYS:,} targets on, with "
        "two cores or more (default: %(default)s)",
    )
    group.add_argument(
        "--workers", type=whole(1), metavar="N", help="number of processes (default: one per core)"
    )
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="address of a Dask scheduler, such as tcp://10.0.0.1:8786, whose workers see the "
        "cache of encoded text ($SAFFU_CACHE) under the same path; start it with "
        "'dask scheduler', and on every machine 'dask worker ADDRESS' "
        "(pip install 'saffu[cluster]')",
    )


def add_shape(parser: argparse.ArgumentParser) -> None:
    """Options of a `Configuration`; each defaults to the value of the preset."""
    group = parser.add_argument_group("model (defaults: those of the preset)")

    def add(option: str, about: str, **more: Any) -> None:
        group.add_argument(option, help=about, **more)

    add(
        "--preset",
        "defaults of the other options (default: small)",
        choices=tuple(PRESETS),
        default="small",
    )
    add("--vocabulary", "maximum number V of token ids", type=whole(4), metavar="V")
    form = "radial:8,block:16,document"
    add(
        "--contexts",
        f"context models, one tower per model, such as {form}",
        type=contexts,
        metavar="LIST",
    )
    add("--bits", "width of the token cipher", type=whole(1), metavar="N")
    add(
        "--label-bits", "width of the label cipher and of hidden states", type=whole(1), metavar="N"
    )
    add("--depth", "number of SAFFU layers per tower", type=whole(1), metavar="N")
    add(
        "--attention",
        "source of the attention weights",
        choices=("softmax", "surprisal", "uniform"),
    )
    add("--aggregation", "combination of slots into features", choices=("sum", "cat"))
    add("--gain", "norm of the features: one, or the number of slots", choices=("unit", "count"))
    add("--radii", "radii of the radial embedding, such as 2,5", type=radii, metavar="LIST")
    add("--combine", "combination of the radii", choices=("sum", "cat"))


def read_shape(arguments: argparse.Namespace, vocabulary: int) -> Configuration:
    """The configuration given by the options, for a vocabulary of this size.

    Refuses: what `Configuration` refuses.
    """
    preset = PRESETS[arguments.preset]

    def given(*fields: str) -> dict[str, Any]:
        chosen = {name: getattr(arguments, name) for name in fields}
        return {name: value for name, value in chosen.items() if value is not None}

    layer = replace(preset.layer, **given("attention", "aggregation", "gain"))
    rest = given("contexts", "bits", "label_bits", "depth", "radii", "combine")
    return replace(preset, vocabulary=vocabulary, layer=layer, **rest)


def read_tokeniser(name: str, form: str | None = None) -> Tokeniser:
    """`words`, `characters`, `bytes`, or a `tokenizer.json` of Hugging Face.

    Parameters: `form`, a Unicode normalisation form of the text; None for the text as it is.

    >>> read_tokeniser("words")
    Words(lower=False)
    >>> read_tokeniser("words", "NFC")
    Normalised(of=Words(lower=False), form='NFC')
    """
    if name in TOKENISERS:
        tokeniser = TOKENISERS[name]
    elif Path(name).exists():
        tokeniser = HuggingFace.from_file(name)
    else:
        expected = f"{', '.join(TOKENISERS)}, or the path of a tokenizer.json"
        raise BadOption("--tokeniser", name, expected, "SPEC 0")
    return tokeniser if form is None else Normalised(tokeniser, form)
