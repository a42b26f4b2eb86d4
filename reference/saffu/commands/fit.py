"""`saffu fit`: a language model from text files of any length.   (SPEC 5, 6, 7)

The text is encoded once, into the cache, and read from there chunk by chunk.  It is split into
training, validation and test; every choice is made on validation, and the test is read once, at the
end.  The model is saved as soon as its explicit solution is there, and again after every step of
training that is kept; the file is complete or not there, and holds all that resuming needs.
"""

from __future__ import annotations

import argparse
import shlex
import time
from typing import Any, Final

from saffu.commands.console import Bars, add_command, bars
from saffu.commands.options import (
    add_engine,
    add_shape,
    add_text,
    place,
    read_shape,
    read_tokeniser,
    real,
    seed,
    whole,
)
from saffu.commands.preparation import Text, bounded, check_place, check_same, read_text
from saffu.data.tokenisers import FORMS
from saffu.errors import Diverged, Interrupted, NotConverged
from saffu.models.baselines import fit_baselines, measure
from saffu.models.training import Rates, Record, Schedule
from saffu.models.transformer import SaffuTransformer, Total
from saffu.search.warm import ChosenStart

ABOUT: Final = """\
A language model from text files: first its explicit solution, computed from counts, then
backpropagation from there.  Ctrl-C keeps what was reached; --resume continues, with the same result
as an uninterrupted run.

  saffu fit book.txt -o model                                words, preset 'small'
  saffu fit notes/ -o model --unit file --preset base        one document per file
  saffu fit a.txt b.txt.gz -o model --explicit-only          no backpropagation
  saffu fit book.txt -o model --preset direct                one table per slot; best on small text
  saffu fit book.txt -o model --tokeniser characters --contexts radial:16 --vocabulary 200
  zcat *.gz | saffu fit - -o model                           text from a pipe
  saffu fit book.txt -o model --resume                       after Ctrl-C, with the same options
  saffu fit shelf/ -o model --engine pool --workers 8        count with eight processes
  saffu fit shelf/ -o model --scheduler tcp://10.0.0.1:8786  count with a Dask cluster

Encoded text is kept in $SAFFU_CACHE (default: ~/.cache/saffu).
"""


def add_parser(commands: Any, about: str) -> None:
    """Add `fit` to the commands of the program."""
    parser = add_command(commands, "fit", about, ABOUT, run)
    add_text(parser)
    parser.add_argument(
        "-o", "--output", metavar="MODEL", type=place, required=True, help="model file to write"
    )
    parser.add_argument(
        "--tokeniser",
        metavar="NAME",
        default="words",
        help="words, characters, bytes, or the path of a tokenizer.json (default: words)",
    )
    parser.add_argument(
        "--normalise", metavar="FORM", type=str.upper, choices=FORMS,
        help=f"Unicode form of all text that the model reads: {', '.join(FORMS)} "
        "(default: as it is)",
    )  # fmt: skip
    add_shape(parser)
    add_engine(parser)
    training = parser.add_argument_group("backpropagation")
    either = training.add_mutually_exclusive_group()
    either.add_argument(
        "--explicit-only",
        action="store_true",
        help="no backpropagation: the explicit solution only",
    )
    either.add_argument(
        "--resume", action="store_true", help="continuation of an interrupted training"
    )
    for option, default, least, about_it in (
        ("--epochs", 12, 0, "maximum number of epochs with frozen embeddings"),
        ("--thaw-epochs", 4, 0, "maximum number of epochs that also train embeddings"),
        ("--batch", 1024, 1, "samples per step"),
    ):
        training.add_argument(
            option, type=whole(least), default=default, metavar="N",
            help=f"{about_it} (default: %(default)s)",
        )  # fmt: skip
    training.add_argument(
        "--rate", type=real(0.0), default=0.01, help="learning rate of Adam (default: %(default)s)"
    )
    training.add_argument(
        "--seconds", type=real(0.0), metavar="S", help="time limit of backpropagation"
    )
    parser.add_argument(
        "--seed", type=seed, default=0, help="seed of the split and of training (default: 0)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Compute, save and print; returns the exit status."""
    check_place(arguments.output, resume=arguments.resume)
    tokeniser = read_tokeniser(arguments.tokeniser, arguments.normalise)
    with bars(arguments) as shown:
        text = read_text(arguments, tokeniser, shown)
        configuration = read_shape(arguments, len(text.vocabulary))
        if configuration != (fitting := bounded(configuration, text.longest)):
            shown.say(
                f"contexts: at most {text.longest} slots, the targets of the longest document"
            )
            configuration = fitting
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
        tell(shown, "the model", total.perplexity, f"{total.bits_per_byte:.3f} bits per byte")
        shown.say("", f"{arguments.output}: written; try", f"  saffu generate {arguments.output}")
    return 0


def tell(shown: Bars, what: str, perplexity: float, more: str = "") -> None:
    """One line of results."""
    shown.say(f"  {what:<28} {perplexity:>9.2f}   {more}".rstrip())


def solve(model: SaffuTransformer, text: Text, arguments: argparse.Namespace, shown: Bars) -> None:
    """Compute and save the explicit solution; print what was chosen for it."""
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
    model.save(arguments.output)
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
    """Train by backpropagation, from the explicit solution or from the interrupted state."""
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
