"""Files of every kind, mutations of them, and what reading a mutation may come to.

A mutation is drawn from a seed.  `bytes` mutations change the file as it lies on the disk: the
result of reading has to be an error of saffu, or exactly what the unchanged file gives.  `fields`
mutations change a header, an array or a column and set every checksum right: the result has to be
an error of saffu or finite numbers, since such a file may be another good one.
"""

from __future__ import annotations

import copy
import gzip
import hashlib
import json
import math
import random
import shutil
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from saffu.configuration import DIRECT, TINY
from saffu.contexts import DocumentContext, RadialContext
from saffu.counts import cooccurrence
from saffu.data import count_tokens, read_idx
from saffu.data.cache import COLUMNS
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Words
from saffu.errors import Interrupted, SaffuError
from saffu.files.countfile import load_counts, save_counts
from saffu.models.training import Schedule
from saffu.models.transformer import SaffuTransformer
from saffu.network import Examples, HiddenLayer, SoftmaxNetwork
from saffu.network.records import read_state
from saffu.network.training import TrainingSettings
from saffu.types import Array
from spec_tests.support.texts import sentences

TEXT = sentences(seed=11, count=60)
TOKENISER = Words()
VOCABULARY = count_tokens(TEXT, TOKENISER).vocabulary(15)
CORPUS = Corpus.in_memory(TEXT, TOKENISER, VOCABULARY)
TRAIN, HELD = CORPUS.split((0.7, 0.3), 1)
SHORT = Corpus.in_memory(TEXT[:2], TOKENISER, VOCABULARY)
SCHEDULE = Schedule(batch=32, frozen_epochs=2, thawed_epochs=1)
SETTINGS = TrainingSettings(0.01, epochs=2, batch=8)

Numbers = list[Array]


class Kind(NamedTuple):
    """One kind of file."""

    name: str
    path: Path
    read: Callable[[Path], Numbers]
    """Read it and compute with it."""
    fields: Callable[[Path, Path, random.Random], None] | None
    """Write a mutation with right checksums in the place of the second path."""


def kinds(folder: Path) -> list[Kind]:
    """One good file of each kind, in a folder."""
    made = []

    def add(
        name: str,
        write: Callable[[Path], object],
        read: Callable[[Path], Numbers],
        fields: Callable[[Path, Path, random.Random], None] | None,
    ) -> None:
        path = folder / name
        write(path)
        made.append(Kind(name, path, read, fields))

    shape = replace(TINY, vocabulary=len(VOCABULARY), bits=5, label_bits=4)
    deep = replace(shape, depth=2, contexts=(RadialContext(2), DocumentContext()))
    table = replace(DIRECT, vocabulary=len(VOCABULARY), contexts=(RadialContext(3),), bits=5)
    for name, configuration in (("softmax", deep), ("direct", table)):
        model = SaffuTransformer(configuration, TOKENISER, VOCABULARY)
        model.warm_start(TRAIN, HELD, engine="serial")
        add(f"{name}.model", model.save, _use_model, _change_record)
    add("interrupted.model", lambda path: _interrupted(shape, path), _resume, _change_record)
    add("counts", lambda path: save_counts(_counted(), path, of="x"), _use_counts, _change_record)
    network = SoftmaxNetwork(4, 3, [HiddenLayer(width=5)])
    network.cold_start(0.3)
    add("network", network.save, _use_network, _change_record)
    add("network.state", _train_network, _use_state, _change_record)
    images = np.arange(24, dtype=">f4").reshape(2, 3, 4)
    idx = bytes([0, 0, 0x0D, 3, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4]) + images.tobytes()
    add("images.idx", lambda path: path.write_bytes(idx), _use_idx, _change_idx)
    add("images.gz", lambda path: path.write_bytes(gzip.compress(idx, mtime=0)), _use_idx, None)
    add("corpus", _cache, _use_cache, _change_cache)
    return made


# --- reading ----------------------------------------------------------------------------------


def _use_model(path: Path) -> Numbers:
    model = SaffuTransformer.load(path)
    text = Corpus.in_memory(TEXT[:2], model.tokeniser, model.vocabulary)
    return [np.asarray(model.nats(text).nats)]


def _resume(path: Path) -> Numbers:
    model = SaffuTransformer.load(path)
    history = model.train(TRAIN, HELD, SCHEDULE, checkpoint=path, resume=True)
    return [np.asarray([record.validation_nats for record in history])]


def _use_counts(path: Path) -> Numbers:
    state = load_counts(path, of="x")
    both = state + state
    return [both.counts, np.asarray(both.norm), np.asarray(float(both.samples))]


def _use_network(path: Path) -> Numbers:
    return [SoftmaxNetwork.load(path).predict_log_probabilities(np.ones((2, 4)))]


def _use_state(path: Path) -> Numbers:
    state = read_state(path, SETTINGS)
    return [layer.weights for layer in (*state.layers, *state.log.best)]


def _use_idx(path: Path) -> Numbers:
    return [read_idx(path)]


def _use_cache(path: Path) -> Numbers:
    corpus = Corpus.on_disk(TEXT, TOKENISER, VOCABULARY, folder=path)
    (samples,) = corpus.chunks(1 << 20)
    return [*samples, np.asarray(corpus.bytes), *corpus.take(9, 1)]


# --- writing ----------------------------------------------------------------------------------


def _interrupted(configuration: Any, path: Path) -> None:
    model = SaffuTransformer(configuration, TOKENISER, VOCABULARY)
    model.warm_start(TRAIN, HELD, engine="serial")
    calls = iter(range(100))

    def stop(stage: str, done: int, total: int) -> None:
        del stage, done, total
        if next(calls) == 3:
            raise KeyboardInterrupt

    try:
        model.train(TRAIN, HELD, SCHEDULE, checkpoint=path, progress=stop)
    except Interrupted:
        return
    raise AssertionError("the training was to be interrupted")


def _counted() -> Any:
    drawn = np.random.default_rng(5)
    return cooccurrence(drawn.random((7, 3)), drawn.random((7, 4)))


def _train_network(path: Path) -> None:
    drawn = np.random.default_rng(5)
    data = Examples(drawn.random((40, 4)), drawn.integers(0, 3, 40))
    network = SoftmaxNetwork(4, 3, [HiddenLayer(width=5)])
    network.cold_start(0.3)
    network.train(data, data, SETTINGS, checkpoint=path)


def _cache(path: Path) -> None:
    Corpus.on_disk(TEXT, TOKENISER, VOCABULARY, folder=path)


# --- mutations --------------------------------------------------------------------------------

JUNK: list[Any] = [
    *(None, True, False, 0, 1, -1, 2, 3, 2**31, 2**63, 10**30, 0.0, 0.5, -0.5, 1e308, -1e308),
    *("", "x", "softmax", "direct", "float64", [], [[]], {}, {"name": "words"}, [0], [None, 1]),
]
NUMBERS: list[float] = [0, 1, -1, 2, 127, 2**31 - 1, -(2**31), 2**62, 0.5, math.nan, math.inf]
NUMBERS += [-math.inf, 1e300, 1e-300]
TYPES = ["<f4", "<f8", "<f2", "<i4", "<i8", "<u1", "<i2", "|b1", "<c16", "<u8"]


def mutate_bytes(content: bytes, draw: random.Random) -> bytes:
    """The bytes of a file, changed somehow."""
    changed = bytearray(content)
    at = draw.randrange(len(changed))
    match draw.randrange(6):
        case 0:
            for _ in range(draw.choice((1, 1, 2, 9))):
                changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
        case 1:
            changed[at] = draw.choice((0, 1, 0x7F, 0x80, 0xFF))
        case 2:
            del changed[at:]
        case 3:
            del changed[at : at + draw.choice((1, 2, 8, 64))]
        case 4:
            changed[at:at] = changed[at : at + draw.choice((1, 2, 8, 64))]
        case _:
            stop = min(len(changed), at + draw.choice((2, 4, 8, 64)))
            changed[at:stop] = draw.randbytes(stop - at)
    return bytes(changed)


def mutate_header(header: Any, draw: random.Random) -> Any:
    """A record of JSON with one field changed, lost, added or put elsewhere."""
    record = copy.deepcopy(header)
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, entry in entries:
            places.append((value, key))
            if isinstance(entry, dict | list):
                walk(entry)

    walk(record)
    if not places:
        return draw.choice(JUNK)
    parent, key = draw.choice(places)
    match draw.randrange(5):
        case 0:
            del parent[key]
        case 1 if isinstance(parent, list):
            parent.insert(draw.randrange(len(parent) + 1), draw.choice(JUNK))
        case 2 if isinstance(parent[key], int | float):
            parent[key] += draw.choice((-1, 1, 0.5, 1000))
        case _:
            parent[key] = draw.choice(JUNK)
    return record


def mutate_array(array: Array, draw: random.Random) -> Array:
    """An array of another type, shape or content."""
    changed = array.copy()
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        match draw.randrange(6):
            case 0:
                return changed.astype(draw.choice(TYPES))
            case 1:
                return changed.reshape(draw.choice(((-1,), (1, -1), (-1, 1), changed.shape[::-1])))
            case 2 if changed.ndim:
                return changed[: draw.randrange(changed.shape[0] + 1)]
            case 3 if changed.ndim:
                return np.concatenate([changed, changed[:1]])
            case 4 if changed.size > 1:
                flat = changed.reshape(-1)
                one, other = (draw.randrange(flat.shape[0]) for _ in range(2))
                flat[[one, other]] = flat[[other, one]]
                return changed
        if changed.size:
            flat = changed.reshape(-1)
            flat[draw.randrange(flat.shape[0])] = np.asarray(draw.choice(NUMBERS)).astype(
                changed.dtype
            )
        return changed


def _change_record(path: Path, place: Path, draw: random.Random) -> None:
    """A file of arrays and a header, put together again around a change."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    about = json.loads(members.pop("about.json"))
    arrays = {
        name.removesuffix(".npy"): np.lib.format.read_array(BytesIO(content))
        for name, content in members.items()
    }
    name = draw.choice(sorted(arrays))
    match draw.randrange(8):
        case 0:
            del arrays[name]
        case 1:
            arrays[draw.choice((f"{name}0", "layer9.weights", "x"))] = arrays[name]
        case 2:
            other = draw.choice(sorted(arrays))
            arrays[name], arrays[other] = arrays[other], arrays[name]
        case 3 | 4 | 5:
            arrays[name] = mutate_array(arrays[name], draw)
        case _:
            about["header"] = mutate_header(about["header"], draw)
    if draw.randrange(20) == 0:
        about[draw.choice(("schema", "version", "saffu_file", "header"))] = draw.choice(JUNK)
    about["arrays"] = {
        name: {
            "dtype": array.dtype.str,
            "shape": list(array.shape),
            "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
        }
        for name, array in arrays.items()
    }
    with zipfile.ZipFile(place, "w") as archive:
        archive.writestr("about.json", json.dumps(about))
        for name, array in arrays.items():
            content = BytesIO()
            np.lib.format.write_array(content, array, version=(1, 0))
            archive.writestr(f"{name}.npy", content.getvalue())


def _change_idx(path: Path, place: Path, draw: random.Random) -> None:
    """The header of an IDX file: type, number of dimensions, sizes."""
    content = bytearray(path.read_bytes())
    at = draw.randrange(2, 16)
    content[at] = draw.choice((0, 1, 2, 8, 9, 11, 12, 13, 14, 63, 64, 65, 127, 128, 255))
    place.write_bytes(content)


def _change_cache(path: Path, place: Path, draw: random.Random) -> None:
    """A column of a cached corpus, its digest set right; or its description."""
    shutil.copytree(path, place)
    (home,) = (place / "corpora").iterdir()
    about = json.loads((home / "about.json").read_text())
    if draw.randrange(5) == 0:
        about = mutate_header(about, draw)
    else:
        name = draw.choice(("ids", *COLUMNS))
        dtype = {"ids": about["dtype"], **COLUMNS}[name]
        mutate_array(np.fromfile(home / name, dtype=dtype), draw).tofile(home / name)
        about["sha256"][name] = hashlib.sha256((home / name).read_bytes()).hexdigest()
    (home / "about.json").write_text(json.dumps(about))


# --- verdict ----------------------------------------------------------------------------------

REFUSED, EQUAL, OTHER = "refused", "equal numbers", "other finite numbers"


def clear(place: Path) -> None:
    """Remove a file or a folder, if it is there."""
    if place.is_dir():
        shutil.rmtree(place)
    place.unlink(missing_ok=True)


def good_numbers(kind: Kind, folder: Path) -> Numbers:
    """What the unchanged file gives; it is read from a copy, which reading may change."""
    place = folder / f"good{kind.path.suffix}"
    clear(place)
    if kind.path.is_dir():
        shutil.copytree(kind.path, place)
    else:
        shutil.copy(kind.path, place)
    return kind.read(place)


def attempt(kind: Kind, folder: Path, seed: int, right: Numbers) -> tuple[str, str]:
    """Make the mutation of a seed and read it.

    Returns what it came to, one of the three words above, and how it was made.
    Raises: whatever is no error of saffu; `AssertionError` for numbers that may not be.
    """
    draw = random.Random(seed)
    place = folder / f"changed{kind.path.suffix}"
    clear(place)
    if kind.fields is None or draw.randrange(3) == 0:
        how = "bytes"
        changed = place
        if kind.path.is_dir():
            shutil.copytree(kind.path, place)
            changed = draw.choice(sorted(p for p in place.rglob("*") if p.is_file()))
        source = changed if kind.path.is_dir() else kind.path
        changed.write_bytes(mutate_bytes(source.read_bytes(), draw))
    else:
        how = "fields"
        kind.fields(kind.path, place, draw)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            numbers = kind.read(place)
    except SaffuError:
        return REFUSED, how
    same = len(numbers) == len(right) and all(
        one.shape == other.shape and np.array_equal(one, other)
        for one, other in zip(numbers, right, strict=True)
    )
    if same:
        return EQUAL, how
    if how == "bytes" and kind.path.suffix != ".idx":  # IDX has no checksums
        raise AssertionError("other numbers, though a checksum must fail")
    if not all(np.isfinite(array).all() for array in numbers):
        raise AssertionError("numbers that are not finite")
    return OTHER, how
