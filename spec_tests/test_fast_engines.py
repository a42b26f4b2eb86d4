"""The warm start is the same, to the last bit, whoever counts; and whole counts however cut."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import distributed
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from saffu.cipher import cipher_embedding
from saffu.configuration import TINY, Configuration
from saffu.contexts import BlockContext, DocumentContext, RadialContext
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Words
from saffu.data.vocabulary import Vocabulary
from saffu.engines import Engine, Pool, Serial
from saffu.engines.cluster import Cluster
from saffu.engines.passes import Passes
from saffu.errors import TokenOutOfRange
from saffu.fast import counting_layers
from saffu.fast.counting_layers import TokenLayer
from saffu.fast.label_sums import whole_codes
from saffu.fast.pair_sums import PairSums
from saffu.fast.warm import Ingredients, ingredients, stream_warm_start
from saffu.layer import LayerOptions
from saffu.models.transformer import SaffuTransformer
from saffu.parameters import flatten
from saffu.positions import make_samples
from saffu.search.direct import DirectSearch, count_slots
from saffu.search.warm import Search
from saffu.types import Array
from saffu.warm.layer import WarmSettings
from spec_tests.support.texts import Chunked, corpora, random_documents, sentences

V = 31
DOCUMENTS = random_documents(7, V, [11, 3, 29, 17, 5, 13, 19, 2, 23, 7, 31, 37, 41, 1, 43])
TEXT = Chunked(DOCUMENTS)
JUDGE = make_samples(DOCUMENTS[:3])
SETTINGS = WarmSettings(rounds=1, hidden_temper=0.7, output_temper=1.3)
SHAPES = {
    "softmax": Configuration(vocabulary=V, contexts=(RadialContext(3),), bits=7, label_bits=5),
    "surprisal": Configuration(
        vocabulary=V,
        contexts=(BlockContext(3),),
        bits=7,
        label_bits=5,
        layer=LayerOptions(attention="surprisal", aggregation="sum"),
    ),
    "deep": Configuration(
        vocabulary=V, contexts=(RadialContext(2), DocumentContext()), bits=7, label_bits=5, depth=2
    ),
    "radial": Configuration(
        vocabulary=V,
        contexts=(RadialContext(3),),
        bits=7,
        label_bits=5,
        radii=(1, 3),
        combine="cat",
    ),
}
DIRECT = replace(
    TINY, vocabulary=V, contexts=(RadialContext(3), BlockContext(2)), bits=7, output="direct"
)


@pytest.fixture(scope="module")
def engines() -> Iterator[dict[str, Engine]]:
    """A pool, and a cluster of two workers in threads of this process."""
    local = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=False, dashboard_address="127.0.0.1:0"
    )
    with local, distributed.Client(local) as client, Pool(2) as pool:
        yield {"pool": pool, "dask": Cluster(client=client)}


def bits(arrays: Any) -> list[bytes]:
    return [np.asarray(array).tobytes() for array in arrays]


# --- any engine -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["pool", "dask"])
@pytest.mark.parametrize("shape", list(SHAPES))
def test_a_warm_start_is_the_same_bits_on_every_engine(
    engines: dict[str, Engine], shape: str, name: str
) -> None:
    def parameters(engine: Engine) -> list[bytes]:
        passes = Passes(TEXT, chunk=23, engine=engine, part=61)
        start = stream_warm_start(
            passes, SHAPES[shape], SETTINGS, JUDGE, attention_targets=130, dtype=np.float32
        )
        return bits(flatten(start.parameters))

    assert len(list(TEXT.parts(61))) >= 4
    assert parameters(engines[name]) == parameters(Serial())


@pytest.mark.parametrize("name", ["pool", "dask"])
def test_pairs_of_tokens_are_the_same_on_every_engine(
    engines: dict[str, Engine], name: str
) -> None:
    found = []
    for engine in (Serial(), engines[name]):
        counts, towers = count_slots(Passes(TEXT, chunk=23, engine=engine, part=61), DIRECT)
        found.append(bits([counts, *(c.toarray() for tower in towers for c in tower)]))
    assert found[0] == found[1]


@pytest.mark.parametrize("name", ["pool", "dask"])
def test_what_a_worker_refuses_is_refused_here(engines: dict[str, Engine], name: str) -> None:
    small = replace(SHAPES["softmax"], vocabulary=17)
    with pytest.raises(TokenOutOfRange, match="must be a token id in 0 … 16"):
        ingredients(Passes(TEXT, chunk=23, engine=engines[name], part=61), small, np.float32)


@pytest.mark.parametrize("place", ["memory", "disk"])
def test_a_transformer_is_the_same_whoever_counts(
    engines: dict[str, Engine], place: str, tmp_path: Path
) -> None:
    train, validation, vocabulary, tokeniser = corpora()
    if place == "disk":
        train = Corpus.on_disk(sentences(5, 60)[:45], tokeniser, vocabulary, folder=tmp_path)
    configuration = replace(TINY, vocabulary=len(vocabulary))
    search = Search(scales=(1.0, 4.0))
    found = []
    for engine in ("serial", engines["pool"], engines["dask"]):
        model = SaffuTransformer(configuration, tokeniser, vocabulary)
        model.warm_start(train, validation, search=search, engine=engine)
        assert model.parameters is not None
        found.append(bits(flatten(model.parameters)))  # type: ignore[arg-type]
    assert found[0] == found[1] == found[2]


def test_a_direct_model_is_the_same_whoever_counts(engines: dict[str, Engine]) -> None:
    train, validation, vocabulary, tokeniser = corpora()
    configuration = replace(DIRECT, vocabulary=len(vocabulary))
    nats = []
    for engine in ("serial", engines["pool"]):
        model = SaffuTransformer(configuration, tokeniser, vocabulary)
        model.warm_start(train, validation, search=DirectSearch(), engine=engine)
        nats.append(model.nats(validation).nats)
    assert nats[0] == nats[1]


def test_progress_hears_of_all_targets(engines: dict[str, Engine]) -> None:
    for engine in (Serial(), *engines.values()):
        told: list[tuple[str, int, int]] = []

        def note(
            stage: str, done: int, total: int, told: list[tuple[str, int, int]] = told
        ) -> None:
            told.append((stage, done, total))

        passes = Passes(TEXT, note, 23, engine, 61)
        ingredients(passes, SHAPES["radial"], np.float64)
        for stage in ("counting tokens", "counting neighbours"):
            done = [said[1] for said in told if said[0] == stage]
            assert done == sorted(done)
            assert (done[0], done[-1]) == (0, TEXT.targets)


# --- any parts --------------------------------------------------------------------------------


@given(part=st.integers(1, 300), chunk=st.integers(1, 300), attention=st.booleans())
def test_whole_counts_are_the_same_bits_however_the_text_is_cut(
    part: int, chunk: int, attention: bool
) -> None:
    """Uniform attention with gain by count, or none solved yet: features are sums of codes."""
    options = LayerOptions(attention="softmax" if attention else "uniform")
    configuration = replace(SHAPES["softmax"], layer=options)
    found = []
    for passes in (Passes(TEXT), Passes(TEXT, chunk=chunk, part=part)):
        known = ingredients(passes, configuration, np.float32)
        layer = TokenLayer(RadialContext(3), known.embedding, known.labels, options)
        state = layer.feature_counts(passes, "features", layer.start)
        found.append([*bits([known.embedding, known.labels, state.counts]), state.norm])
        counts, towers = count_slots(passes, DIRECT)
        found[-1] += bits([counts, *(c.toarray() for tower in towers for c in tower)])
    assert found[0] == found[1]


def test_parts_of_floating_point_sums_follow_from_the_text_alone(
    engines: dict[str, Engine],
) -> None:
    seen = []

    class Noted(Chunked):
        def parts(self, targets_per_part: int) -> Iterator[Chunked]:
            seen.append(targets_per_part)
            return super().parts(targets_per_part)

    known = ingredients(Passes(TEXT), SHAPES["softmax"], np.float64)
    layer = TokenLayer(RadialContext(3), known.embedding, known.labels, LayerOptions())
    w = np.eye(3)
    for engine in (Serial(), engines["dask"]):
        layer.feature_counts(Passes(Noted(DOCUMENTS), engine=engine, part=61), "features", w)
    assert seen == [61, 61]


@given(
    st.integers(1, 12),
    st.integers(2, 40),
    st.sampled_from([np.float32, np.float64]),
)
def test_codes_are_whole_numbers_over_a_scale(bits: int, size: int, dtype: type) -> None:
    size = min(size, 2**bits - 1)
    table: Array = cipher_embedding(np.arange(size), bits).astype(dtype)
    codes = whole_codes(table)
    cells = codes.rows.toarray()
    assert (cells == np.rint(cells)).all()
    np.testing.assert_allclose(
        cells / codes.scale, table, rtol=3e-7 if dtype == np.float32 else 1e-15
    )
    assert (cells.sum(axis=1) == codes.scale).all()


def test_tables_that_are_no_codes_stay_as_they_are() -> None:
    random = np.random.default_rng(3)
    table = random.dirichlet(np.ones(5), 7)
    codes = whole_codes(table)
    assert codes.scale == 1
    assert codes.rows.toarray().tolist() == table.tolist()


# --- pairs ------------------------------------------------------------------------------------


@pytest.mark.parametrize("most", [1, 10**6], ids=["sorted", "tables"])
@given(seed=st.integers(0, 99), tables=st.lists(st.integers(0, 2), min_size=3, max_size=3))
def test_pairs_are_counted_one_by_one(most: int, seed: int, tables: list[int]) -> None:
    random = np.random.default_rng(seed)
    sums = PairSums(11, tables, most)
    expected = np.zeros((max(tables) + 1, 11, 11))
    seen = np.zeros(11)
    for n in (5, 1, 17, 2):
        slots, targets = random.integers(0, 11, (n, 3)), random.integers(0, 11, n)
        mask = random.random((n, 3)) < 0.6
        sums.add(slots, mask, targets)
        for m in range(n):
            seen[targets[m]] += 1
            for k in range(3):
                expected[tables[k], slots[m, k], targets[m]] += mask[m, k]
    found = sums.total()
    assert found.targets.tolist() == seen.tolist()
    assert [pairs.toarray().tolist() for pairs in found.pairs] == expected.tolist()
    twice = found + found
    assert [pairs.toarray().tolist() for pairs in twice.pairs] == (2 * expected).tolist()


def test_pairs_of_a_long_text_are_moved_a_few_times_only() -> None:
    """Each chunk meets matrices of its own size, and not all that was counted before."""
    moved = 0

    class Noted(PairSums):
        def total(self) -> Any:
            return [[pairs.nnz for pairs in heap] for heap in self.heaps]

    sums = Noted(1009, [0], most=1)
    random = np.random.default_rng(2)
    for _ in range(64):
        slots, targets = random.integers(0, 1009, (100, 1)), random.integers(0, 1009, 100)
        sums.add(slots, np.ones((100, 1), dtype=bool), targets)
        (heap,) = sums.total()
        moved += heap[-1]
        assert all(2 * small < large for large, small in pairwise(heap))
    assert 6_000 <= moved <= 6_400 * 7


# --- layers travel by what defines them -------------------------------------------------------


def test_tables_that_follow_are_not_sent() -> None:
    known = Ingredients(np.eye(5), np.eye(5))
    layer = TokenLayer(RadialContext(3), known.embedding, known.labels, LayerOptions())
    scorer = layer.scorer(np.zeros((3, 3)), np.ones((15, 5)))
    assert layer.cache.gram is not None
    scorer(make_samples([np.array([0, 3, 4, 1])]))
    records: tuple[Any, ...] = (layer, scorer)
    for record in records:
        kind, sent = record.__reduce__()
        assert type(record) is kind
        assert vars(kind(*sent)).keys() < vars(record).keys()
    assert counting_layers._by_fields(layer)[1] == (
        layer.context,
        layer.embedding,
        layer.labels,
        layer.options,
    )


# --- parts of a corpus ------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["memory", "disk"])
@given(targets=st.integers(1, 400), seed=st.integers(0, 9))
def test_parts_of_a_corpus_are_the_corpus(
    place: str, targets: int, seed: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    texts = sentences(3, 41)
    tokeniser = Words()
    vocabulary = Vocabulary.from_counts({"the": 3, "cat": 2, "on": 1, ".": 1}, documents=1)
    if place == "memory":
        corpus = Corpus.in_memory(texts, tokeniser, vocabulary)
    else:
        folder = tmp_path_factory.getbasetemp() / "parts"
        corpus = Corpus.on_disk(texts, tokeniser, vocabulary, folder=folder)
    for whole in (corpus, *corpus.split((0.3, 0.7), seed)):
        parts = list(whole.parts(targets))
        assert sum(part.targets for part in parts) == whole.targets
        assert sum(part.bytes for part in parts) == whole.bytes
        assert [d.tolist() for part in parts for d in part] == [d.tolist() for d in whole]
        longest = int(whole.index.lengths.max())
        assert all(part.targets <= targets + longest for part in parts)
        if place == "memory":
            assert all(len(part.store.ids) < len(corpus.store.ids) for part in parts[1:])  # type: ignore[attr-defined]
