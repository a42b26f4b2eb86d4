"""How the choices of a model and of its text are written on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from saffu.configuration import PRESETS, Configuration
from saffu.contexts import ContextModel, parse_contexts
from saffu.data.readers import UNITS
from saffu.data.tokenisers import Bytes, Characters, HuggingFace, Tokeniser, Words
from saffu.engines import ENGINES, POOL_PAYS
from saffu.errors import BadOption

TOKENISERS: Final[dict[str, Tokeniser]] = {
    "words": Words(),
    "characters": Characters(),
    "bytes": Bytes(),
}


def whole(least: int) -> Callable[[str], int]:
    """Read a whole number of at least `least`, as argparse wants it.

    >>> whole(1)("17")
    17
    """

    def read(text: str) -> int:
        try:
            number = int(text)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"{text!r}: a whole number >= {least} is expected")
        return number

    return read


def real(above: float, *, itself: bool = False) -> Callable[[str], float]:
    """Read a finite number above `above`, or (with `itself`) of at least that."""

    def read(text: str) -> float:
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not (above < number < float("inf") or (itself and number == above)):
            sign = ">=" if itself else ">"
            raise argparse.ArgumentTypeError(f"{text!r}: a number {sign} {above:g} is expected")
        return number

    return read


def radii(text: str) -> tuple[int, ...]:
    """Read `2,5` as radii.

    >>> radii("2,5")
    (2, 5)
    """
    return tuple(whole(1)(part) for part in text.split(","))


def contexts(text: str) -> tuple[ContextModel, ...]:
    """Read `radial:8,block:16,document` as context models.

    >>> contexts("radial:8,document")
    (RadialContext(radius=8), DocumentContext())
    """
    try:
        return parse_contexts(text)
    except BadOption as wrong:
        raise argparse.ArgumentTypeError(str(wrong)) from wrong


def add_text(parser: argparse.ArgumentParser, unit: str = "paragraph") -> None:
    """FILE… and what makes a document in them."""
    parser.add_argument(
        "paths",
        metavar="FILE",
        nargs="+",
        type=Path,
        help="UTF-8 text, also .gz, .xz, .bz2 or .zst; of a folder, all files in it",
    )
    parser.add_argument(
        "--unit", choices=UNITS, default=unit, help="what a document is (default: %(default)s)"
    )


def add_engine(parser: argparse.ArgumentParser) -> None:
    """Who adds up: `--engine`, `--workers`, `--scheduler`."""
    group = parser.add_argument_group(
        "who counts",
        "Counts add up, so that several processes or machines can each take a part of the text.  "
        "The\nmodel is the same, to the last bit, whoever counts; a worker that is lost costs the "
        "part that it\nwas at.  Backpropagation stays in this process.",
    )
    group.add_argument(
        "--engine",
        choices=ENGINES,
        default="auto",
        help="serial: this process; pool: several processes of this machine; dask: a cluster, or "
        f"without --scheduler one on this machine; auto: a pool from {POOL_PAYS:,} targets on, if "
        "there are two cores (default: %(default)s)",
    )
    group.add_argument(
        "--workers", type=whole(1), metavar="N", help="processes (default: one a core)"
    )
    group.add_argument(
        "--scheduler",
        metavar="ADDRESS",
        help="of a Dask scheduler, such as tcp://10.0.0.1:8786, whose workers see the cache of "
        "encoded text ($SAFFU_CACHE) under the same path; start it with 'dask scheduler', and on "
        "every machine 'dask worker ADDRESS' (pip install 'saffu[cluster]')",
    )


def add_shape(parser: argparse.ArgumentParser) -> None:
    """The choices of a `Configuration`; what is not given is as the preset has it."""
    group = parser.add_argument_group("the model (what is not given is as the preset has it)")

    def add(option: str, about: str, **more: Any) -> None:
        group.add_argument(option, help=about, **more)

    add("--preset", "where to start from (default: small)", choices=tuple(PRESETS), default="small")
    add("--vocabulary", "V, token ids at most", type=whole(4), metavar="V")
    form = "radial:8,block:16,document"
    add("--contexts", f"a tower for each, say {form}", type=contexts, metavar="LIST")
    add("--bits", "width of the token cipher", type=whole(1), metavar="N")
    add(
        "--label-bits", "width of the label cipher and of hidden states", type=whole(1), metavar="N"
    )
    add("--depth", "SAFFU layers in each tower", type=whole(1), metavar="N")
    add("--attention", "where the weights come from", choices=("softmax", "surprisal", "uniform"))
    add("--aggregation", "how slots become features", choices=("sum", "cat"))
    add("--gain", "whether features grow with the context", choices=("unit", "count"))
    add("--radii", "radial embedding over these radii, say 2,5", type=radii, metavar="LIST")
    add("--combine", "how the radii are joined", choices=("sum", "cat"))


def read_shape(arguments: argparse.Namespace, vocabulary: int) -> Configuration:
    """The configuration that the options describe, for a vocabulary of this size.

    Refuses: what `Configuration` refuses.
    """
    preset = PRESETS[arguments.preset]

    def given(*fields: str) -> dict[str, Any]:
        chosen = {name: getattr(arguments, name) for name in fields}
        return {name: value for name, value in chosen.items() if value is not None}

    layer = replace(preset.layer, **given("attention", "aggregation", "gain"))
    rest = given("contexts", "bits", "label_bits", "depth", "radii", "combine")
    return replace(preset, vocabulary=vocabulary, layer=layer, **rest)


def read_tokeniser(name: str) -> Tokeniser:
    """`words`, `characters`, `bytes`, or a `tokenizer.json` of Hugging Face.

    >>> read_tokeniser("words")
    Words(lower=False)
    """
    if name in TOKENISERS:
        return TOKENISERS[name]
    if not Path(name).exists():
        expected = f"{', '.join(TOKENISERS)}, or the path of a tokenizer.json"
        raise BadOption("--tokeniser", name, expected, "SPEC 0")
    return HuggingFace.from_file(name)
