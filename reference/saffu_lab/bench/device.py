"""Throughput of the same work on NumPy arrays and on a GPU.   (SPEC 4, 5, 6)

    python -m saffu_lab.bench.device             # all libraries that are at hand; a minute
    python -m saffu_lab.bench.device --on numpy cupy
    python -m saffu_lab.bench.device --tiny      # seconds; the numbers mean nothing

What the machine can do, products of matrices and copies, stands beside what the package makes of
it: predicting, a step down the gradient by hand, and the counting of a warm start.  Models are in
single precision, and their batch lies on the device already.  What comes out is compared with what
NumPy gives for the same numbers.
"""

from __future__ import annotations

import argparse
import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import matmul
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saffu.arrays.namespace import namespace, on_host
from saffu.batch import LayerPlan, place, plan
from saffu.cipher import cipher_embedding
from saffu.configuration import SMALL, Configuration
from saffu.contexts import RadialContext
from saffu.errors import Missing
from saffu.model import model_forward, model_gradient
from saffu.optim import sgd_step
from saffu.pairs import slot_counts
from saffu.parameters import cold_start, flatten
from saffu.parameters import place as place_parameters
from saffu.positions import make_samples
from saffu.types import Array
from saffu_lab.records.results import circumstances, table


@dataclass(frozen=True)
class DeviceLoad:
    """How much is done."""

    shape: Configuration = SMALL
    targets: int = 4096
    """in a batch"""
    side: int = 4096
    """of the square matrices that are multiplied"""
    numbers: int = 1 << 26
    """that are copied"""
    seconds: float = 1.0
    """for each measurement"""


TINY = DeviceLoad(
    Configuration(vocabulary=67, contexts=(RadialContext(3),), bits=13, label_bits=11),
    *(29, 31, 101, 0.01),
)


class Device(NamedTuple):
    """Where arrays lie, and how to know that it is done with them."""

    library: str
    name: str
    take: Callable[[Array], Any]
    """NumPy's array as one there"""
    wait: Callable[[], object]


class Work(NamedTuple):
    """Something to do again and again."""

    name: str
    unit: str
    amount: float
    """of the unit, each time"""
    do: Callable[[], Any]
    """returns an array, or a sequence of them"""


class Measured(NamedTuple):
    """One work on one device."""

    library: str
    device: str
    work: str
    per_second: float
    """the median"""
    unit: str
    times: int
    difference: float
    """from NumPy's answer, at most, in units of its largest entry"""


def numpy_device() -> Device:
    """The processor, by NumPy."""
    return Device("numpy", platform.processor() or platform.machine(), np.asarray, lambda: None)


def torch_device() -> Device:
    """PyTorch, on a GPU if there is one."""
    try:
        import torch
    except ImportError:
        raise Missing("--on torch", "torch", "pip install torch") from None
    if not torch.cuda.is_available():
        return Device("torch", numpy_device().name, torch.asarray, lambda: None)
    name, wait = torch.cuda.get_device_name(), torch.cuda.synchronize
    return Device("torch", name, lambda x: torch.asarray(x, device="cuda"), wait)


def cupy_device() -> Device:
    """The GPU, by CuPy."""
    try:
        import cupy
    except ImportError:
        raise Missing(
            "--on cupy", "cupy", "pip install 'saffu[cuda12]' or 'saffu[cuda13]'"
        ) from None
    if not cupy.is_available():
        raise Missing("--on cupy", "a driver of an NVIDIA GPU", "its maker's program")
    here = cupy.cuda.Device()
    name = cupy.cuda.runtime.getDeviceProperties(here.id)["name"].decode()
    return Device("cupy", name, cupy.asarray, here.synchronize)


DEVICES = {"numpy": numpy_device, "torch": torch_device, "cupy": cupy_device}


def at_hand() -> Iterator[Device]:
    """All devices that there are, the processor first."""
    for find in DEVICES.values():
        try:
            yield find()
        except Missing:
            continue


def works(chosen: DeviceLoad, device: Device) -> Iterator[Work]:
    """All that is timed on a device; the same numbers on each."""
    random = np.random.default_rng(7)
    for dtype in (np.float32, np.float64):
        a = device.take(random.standard_normal((chosen.side, chosen.side)).astype(dtype))
        gigaflop = 2e-9 * chosen.side**3
        yield Work(f"product, {np.dtype(dtype)}", "GFLOP", gigaflop, partial(matmul, a, a))
    numbers = device.take(random.standard_normal(chosen.numbers).astype(np.float32))
    xp: Any = namespace(numbers)
    copied = 2e-9 * 4 * chosen.numbers
    yield Work("copy", "GB", copied, lambda: xp.asarray(numbers, copy=True))
    yield from model_works(chosen, device, random)


def model_works(chosen: DeviceLoad, device: Device, random: np.random.Generator) -> Iterator[Work]:
    """Predicting, a step down the gradient, and counting, for a batch of random words."""
    shape = chosen.shape
    words = random.zipf(1.3, chosen.targets).clip(1, shape.vocabulary - 3) + 2
    text = make_samples([np.concatenate([[0], words])])
    counts = np.bincount(text.targets, minlength=shape.vocabulary)
    embedding = cipher_embedding(counts, shape.bits).astype(np.float32)
    labels = device.take(cipher_embedding(counts, shape.label_bits).astype(np.float32))
    like = device.take(np.zeros(1, np.float32))
    start = place_parameters(cold_start(shape, embedding, scale=0.3, seed=7), like)
    batch = place(plan(text, shape), like)

    def step() -> tuple[Array, ...]:
        gradient = flatten(model_gradient(start, batch, shape.layer))
        return sgd_step(flatten(start), gradient, 0.5)

    def predict() -> Array:
        return model_forward(start, batch, shape.layer).logits

    first = batch.towers[0][0]
    assert isinstance(first, LayerPlan)  # for the type checker
    xp = namespace(like)
    weights = xp.astype(first.mask, like.dtype)

    def count() -> Array:
        return slot_counts(first.slots, weights, batch.targets, start.embedding, labels, "cat")

    yield Work("predict", "targets", chosen.targets, predict)
    yield Work("step", "targets", chosen.targets, step)
    yield Work("count", "targets", chosen.targets, count)


def timed(work: Work, wait: Callable[[], object], seconds: float) -> list[float]:
    """Seconds of each time that the work was done, after one that does not count."""
    work.do()
    wait()
    seconds_each: list[float] = []
    while sum(seconds_each) < seconds or len(seconds_each) < 3:
        before = time.perf_counter()
        work.do()
        wait()
        seconds_each.append(time.perf_counter() - before)
    return seconds_each


def answer(result: Any) -> Array:
    """All numbers of a result in one row, on the host and in double precision."""
    parts = result if isinstance(result, tuple) else (result,)
    return np.concatenate([on_host(part).astype(np.float64).ravel() for part in parts])


def run(chosen: DeviceLoad, devices: Sequence[Device]) -> list[Measured]:
    """Time every work on every device."""
    results = []
    truths = {work.name: answer(work.do()) for work in works(chosen, numpy_device())}
    for device in devices:
        for work in works(chosen, device):
            truth = truths[work.name]
            away = np.max(np.abs(answer(work.do()) - truth)) / np.max(np.abs(truth))
            each = timed(work, device.wait, chosen.seconds)
            rate = work.amount / float(np.median(each))
            results.append(
                Measured(
                    device.library, device.name, work.name, rate, work.unit, len(each), float(away)
                )
            )
    return results


def summary(results: Sequence[Measured]) -> str:
    """A table with one line for each work, one column for each library."""
    libraries = list(dict.fromkeys(each.library for each in results))
    rates = {(each.work, each.library): each.per_second for each in results}
    units = {each.work: each.unit for each in results}
    rows = [
        [f"{work}, {unit}/s", *(f"{rates[work, library]:,.4g}" for library in libraries)]
        for work, unit in units.items()
    ]
    names = {each.library: f"{each.library}: {each.device}" for each in results}
    worst = max(each.difference for each in results)
    return "\n".join(
        [table(["work", *libraries], rows), "", *names.values(), f"differences <= {worst:.1e}"]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu_lab.bench.device",
        description="The same work on NumPy's arrays and on those of a GPU.",
    )
    parser.add_argument("--tiny", action="store_true", help="next to nothing, in seconds")
    parser.add_argument("--on", nargs="+", choices=DEVICES, help="libraries; all, unless named")
    parser.add_argument("--out", type=Path, default=Path("device.json"), help="file of the results")
    chosen = parser.parse_args(arguments)
    devices = [DEVICES[name]() for name in chosen.on] if chosen.on else list(at_hand())
    results = run(TINY if chosen.tiny else DeviceLoad(), devices)
    print(summary(results))
    record = {"measured": [each._asdict() for each in results], **circumstances("torch", "cupy")}
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    chosen.out.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
