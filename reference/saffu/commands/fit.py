"""`saffu fit`: a language model of text files, of any length.   (SPEC 5, 6, 7)

The text is encoded once, into the cache, and read from there chunk by chunk.  It is parted into
training, validation and test; every choice is made on validation, and the test is read once, at the
end.  The model file is written whole or not at all, and holds all that is needed to go on.
"""

from __future__ import annotations

import argparse
import shlex
import time
from pathlib import Path
from typing import Any, Final

from saffu.commands.console import Bars, add_common, bars
from saffu.commands.options import (
    add_engine,
    add_shape,
    add_text,
    read_shape,
    read_tokeniser,
    real,
    whole,
)
from saffu.commands.reading import Text, check_place, check_same, read_text
from saffu.errors import Diverged, Interrupted, NotConverged
from saffu.models.baselines import fit_baselines, measure
from saffu.models.training import Rates, Record, Schedule
from saffu.models.transformer import SaffuTransformer, Total
from saffu.search.warm import ChosenStart

ABOUT: Final = """\
Make a language model of text files: first its explicit solution, from counts alone, then
backpropagation from there.  Ctrl-C keeps what was reached; --resume goes on from it, to the result
that an uninterrupted run would have had.

  saffu fit book.txt -o model                                words, the preset 'small'
  saffu fit notes/ -o model --unit file --preset base        one document a file
  saffu fit a.txt b.txt.gz -o model --explicit-only          no gradient at all
  saffu fit book.txt -o model --preset direct                one table a slot; the best of the small
  saffu fit book.txt -o model --tokeniser characters --contexts radial:16 --vocabulary 200
  saffu fit book.txt -o model --resume                       after Ctrl-C, with the same options
  saffu fit shelf/ -o model --engine pool --workers 8        eight processes count
  saffu fit shelf/ -o model --scheduler tcp://10.0.0.1:8786  the workers of a Dask cluster count

Encoded text is kept in $SAFFU_CACHE, or else in ~/.cache/saffu.
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `fit` to the commands of the program."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "fit",
        help=about,
        description=ABOUT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_text(parser)
    parser.add_argument(
        "-o", "--output", metavar="MODEL", type=Path, required=True, help="the file to write"
    )
    parser.add_argument(
        "--tokeniser",
        metavar="NAME",
        default="words",
        help="words, characters, bytes, or the path of a tokenizer.json (default: words)",
    )
    add_shape(parser)
    add_engine(parser)
    training = parser.add_argument_group("backpropagation")
    either = training.add_mutually_exclusive_group()
    either.add_argument(
        "--explicit-only", action="store_true", help="none: keep the explicit solution"
    )
    either.add_argument("--resume", action="store_true", help="go on after an interruption")
    for option, default, least, about_it in (
        ("--epochs", 12, 0, "epochs at most with embeddings frozen"),
        ("--thaw-epochs", 4, 0, "epochs at most that train embeddings too"),
        ("--batch", 1024, 1, "samples a step"),
    ):
        training.add_argument(
            option, type=whole(least), default=default, metavar="N",
            help=f"{about_it} (default: %(default)s)",
        )  # fmt: skip
    training.add_argument(
        "--rate", type=real(0.0), default=0.01, help="learning rate of Adam (default: %(default)s)"
    )
    training.add_argument("--seconds", type=real(0.0), metavar="S", help="stop training after this")
    parser.add_argument(
        "--seed", type=whole(0), default=0, help="of parting and training (default: 0)"
    )
    add_common(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Make the model; returns the exit status."""
    check_place(arguments.output, resume=arguments.resume)
    tokeniser = read_tokeniser(arguments.tokeniser)
    with bars(arguments) as shown:
        text = read_text(arguments, tokeniser, shown)
        configuration = read_shape(arguments, len(text.vocabulary))
        model = SaffuTransformer(configuration, tokeniser, text.vocabulary)
        if arguments.resume:
            check_same(model, arguments.output)
        both = fit_baselines(text.train, text.validation, len(text.vocabulary))
        shown.say("", "perplexity, validation")
        for name, baseline in both._asdict().items():
            tell(shown, name, measure(baseline, text.validation).perplexity)
        if not arguments.resume:
            solve(model, text, arguments, shown)
        if not arguments.explicit_only and configuration.output == "softmax":
            train(model, text, arguments, shown)
        model.save(arguments.output)
        shown.say("", "perplexity, test (read once)")
        for name, baseline in both._asdict().items():
            tell(shown, name, measure(baseline, text.test).perplexity)
        total = model.nats(text.test)
        tell(shown, "the model", total.perplexity, f"{total.bits_per_byte:.3f} bits a byte")
        shown.say("", f"{arguments.output}: written; try", f"  saffu generate {arguments.output}")
    return 0


def tell(shown: Bars, what: str, perplexity: float, more: str = "") -> None:
    """One line of results."""
    shown.say(f"  {what:<28} {perplexity:>9.2f}   {more}".rstrip())


def solve(model: SaffuTransformer, text: Text, arguments: argparse.Namespace, shown: Bars) -> None:
    """The explicit solution, and what was chosen for it."""
    began = time.perf_counter()
    chosen = model.warm_start(
        text.train,
        text.validation,
        seed=arguments.seed,
        progress=shown,
        engine=arguments.engine,
        workers=arguments.workers,
        scheduler=arguments.scheduler,
    )
    seconds = time.perf_counter() - began
    rate = f"{seconds:.1f} s, {text.train.targets / seconds:,.0f} targets/s"
    tell(shown, "explicit solution", model.perplexity(text.validation), rate)
    if isinstance(chosen, ChosenStart):
        s = chosen.settings
        shown.say(
            f"    chosen: α of U {s.hidden_smoothing.strength:g}, factor on its λ "
            f"{s.hidden_scale:g}, α of O {s.output_smoothing.strength:g}"
        )
    else:
        shown.say(f"    chosen: {chosen.smoothing}")


def train(model: SaffuTransformer, text: Text, arguments: argparse.Namespace, shown: Bars) -> None:
    """Backpropagation, from the explicit solution or from where it was interrupted."""
    schedule = Schedule(
        batch=arguments.batch,
        frozen_epochs=arguments.epochs,
        thawed_epochs=arguments.thaw_epochs,
        rates=Rates.all(arguments.rate),
        seed=arguments.seed,
        seconds=arguments.seconds,
    )

    def record(one: Record) -> None:
        if one.stage != "warm":
            name = f"{one.stage}, epoch {one.epoch + 1}"
            perplexity = Total(one.validation_nats, 1, 0).perplexity
            tell(shown, name, perplexity, f"{one.seconds:.1f} s")

    try:
        model.train(
            text.train,
            text.validation,
            schedule,
            checkpoint=arguments.output,
            resume=arguments.resume,
            progress=shown,
            on_record=record,
        )
    except Diverged as diverged:
        model.save(arguments.output)
        raise NotConverged(f"{diverged}: they are in {arguments.output}") from diverged
    except Interrupted as stopped:
        words = [word for word in arguments.words if word != "--resume"]
        again = shlex.join(["saffu", *words, "--resume"])
        kept = f"stopped; what was reached is in {arguments.output}"
        raise Interrupted(f"{kept}; go on with:\n  {again}") from stopped
