"""Explicit solutions of plain softmax layers on images of digits.   (SPEC 1, 5, 7)

    python -m saffu_lab.digits.mnist --mnist FOLDER --out mnist  # MNIST: a quarter of an hour
    python -m saffu_lab.digits.mnist                             # scikit-learn's digits: a minute
    python -m saffu_lab.digits.mnist --tiny                      # seconds

[P2] says that explicit solutions carry over to MNIST, and that backpropagation improves them only
marginally.  Here they stand beside scikit-learn's naive Bayes, iterative scaling, and training by
backpropagation from explicit and from random starts, on all training images and on few.  Rates and
the scale of a start are chosen on validation images, from as many runs for either kind of start.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from saffu.explicit.smoothing import Additive
from saffu.network import ExplicitSettings, HiddenLayer
from saffu_lab.digits.digits import Bench, Data, DigitsRow, load
from saffu_lab.records.results import Results, circumstances, table


@dataclass(frozen=True)
class MnistSettings:
    """What is measured."""

    most: int | None = None
    """training images at most"""
    sizes: tuple[int, ...] = (1000, 10_000)
    """training sets to compare on, besides the whole"""
    bits: tuple[int, ...] = (5, 10)
    """widths of hidden layers that predict the cipher of the classes"""
    axes: tuple[int, ...] = (2, 4, 6)
    """of hidden layers that predict 2^axes parts of each class"""
    refits: int = 3
    trained_axes: int = 4
    """of the hidden layer that is trained"""
    rates: tuple[float, ...] = (0.001, 0.003)
    soft: tuple[float, ...] = (1.0, 0.5, 0.25)
    """factors on λ of the hidden layer before training"""
    scales: tuple[tuple[float, float], ...] = ((0.03, 5.0), (0.03, 10.0), (0.03, 20.0))
    """standard deviations of random weights, hidden and output"""
    epochs: int = 20
    scaling_steps: int = 100


TINY = MnistSettings(
    most=300,
    sizes=(100,),
    bits=(4,),
    axes=(1,),
    refits=1,
    trained_axes=1,
    rates=(0.003,),
    soft=(0.5,),
    scales=((0.03, 5.0),),
    epochs=2,
    scaling_steps=3,
)


def run_digits(
    folder: Path | None,
    *,
    tiny: bool = False,
    seed: int = 1,
    progress: Callable[[str], None],
) -> list[DigitsRow]:
    """All rows of the table.   (SPEC 7)

    Parameters: `folder` with the four files of MNIST, or None for scikit-learn's digits; `tiny`,
    few images and steps; `seed` of split, random starts and order; `progress` hears how far it is.
    """
    settings = TINY if tiny else MnistSettings()
    return list(measured(load(folder, seed, settings.most), settings, seed, progress))


def measured(
    data: Data, settings: MnistSettings, seed: int, progress: Callable[[str], None]
) -> Iterator[DigitsRow]:
    """The rows, one by one."""
    bench = Bench(data, progress, settings.rates, settings.epochs, seed)
    yield from _explicit(bench, settings)
    for size in settings.sizes:
        if size < data.train.labels.shape[0]:
            few = bench._replace(data=data.take(size))
            parts = [HiddenLayer(settings.trained_axes)]
            yield few.explicit("explicit, one layer", (), ExplicitSettings(None))
            yield few.explicit("explicit, two layers", parts, ExplicitSettings(None))
            yield from _trained(few, settings)
    yield from _trained(bench, settings)


def _explicit(bench: Bench, settings: MnistSettings) -> Iterator[DigitsRow]:
    ones = ExplicitSettings(Additive(1.0), temper=1.0)
    fitted = ExplicitSettings(Additive(1.0))
    yield bench.explicit("explicit, one layer, λ = 1", (), ones)
    yield from bench.naive_bayes("multinomial naive Bayes of scikit-learn", ones)
    yield bench.explicit("explicit, one layer, λ fitted", (), fitted)
    yield bench.explicit("explicit, one layer, α and λ chosen", (), ExplicitSettings(None))
    yield bench.scaled("explicit, one layer, iterative scaling", fitted, settings.scaling_steps)
    for bits in settings.bits:
        name = f"explicit, two layers, classes in {bits} bits"
        yield bench.explicit(name, [HiddenLayer(width=bits)], ExplicitSettings())
    for axes in settings.axes:
        name = f"explicit, two layers, {2**axes} parts a class"
        yield bench.explicit(name, [HiddenLayer(axes)], ExplicitSettings())
    most = settings.axes[-1]
    name = f"explicit, two layers, {2**most} parts a class, refitted"
    yield bench.explicit(name, [HiddenLayer(most)], ExplicitSettings(refits=settings.refits))


def _trained(bench: Bench, settings: MnistSettings) -> Iterator[DigitsRow]:
    parts = [HiddenLayer(settings.trained_axes)]
    yield bench.trained("one layer, trained from explicit", bench.warm((), (1.0,)))
    yield bench.trained("one layer, trained from zeros", bench.cold((), ((0.0,),)))
    yield bench.trained("two layers, trained from explicit", bench.warm(parts, settings.soft))
    yield bench.trained("two layers, trained from random", bench.cold(parts, settings.scales))


def printed(rows: Sequence[DigitsRow]) -> str:
    """The rows as a table in Markdown."""
    head = ["digits", "images", "accuracy", "nats", "seconds"]
    return table(
        head,
        [
            [
                row.name,
                f"{row.samples:,}",
                f"{row.accuracy:.4f}",
                f"{row.cross_entropy:.4f}",
                f"{row.seconds:.1f}",
            ]
            for row in rows
        ],
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.digits.mnist",
        description="Explicit solutions and backpropagation, on images of digits.",
    )
    parser.add_argument("--tiny", action="store_true", help="every step once, in seconds")
    parser.add_argument("--mnist", type=Path, metavar="FOLDER", help="the four files of MNIST")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="add results.jsonl to it")
    parser.add_argument("--seed", type=int, default=1, help="of split, starts and order")
    chosen = parser.parse_args(arguments)
    settings = TINY if chosen.tiny else MnistSettings()
    results = Results(chosen.out / "results.jsonl") if chosen.out else None
    data = load(chosen.mnist, chosen.seed, settings.most)
    about = {"data": "MNIST" if chosen.mnist else "digits", "seed": chosen.seed}
    rows = []
    for row in measured(data, settings, chosen.seed, lambda what: print(what, file=sys.stderr)):
        rows.append(row)
        if results is not None:
            results.add({**about, **row._asdict(), **circumstances("scikit-learn")})
    print(printed(rows))


if __name__ == "__main__":
    main()
