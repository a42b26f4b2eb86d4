"""SAFFU transformers: text in, a language model out.   (SPEC 4–7)

    model = SaffuTransformer(SMALL, tokeniser, vocabulary)
    model.warm_start(train, validation)      explicit solution, no gradient
    model.fit(train, validation)             backpropagation: freeze, then thaw
    model.generate("In the beginning")

The object holds what must be kept together: the configuration, the tokeniser with its vocabulary,
the parameters and the history of their training.  The mathematics is elsewhere, in functions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, overload

import numpy as np

from saffu import checks, files
from saffu.cipher import cipher_embedding
from saffu.configuration import Configuration
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Tokeniser, tokeniser_from_json
from saffu.data.vocabulary import Vocabulary
from saffu.direct import DirectParameters
from saffu.engines import Engine, open_engine
from saffu.engines.passes import Passes
from saffu.errors import BadFile, BadInput, BadOption, NotFitted
from saffu.fast.cache import comparisons
from saffu.fast.predict import chunk_nats
from saffu.fast.warm import stream_warm_start
from saffu.loss import bits_per_byte
from saffu.models.modelfile import (
    check_arrays,
    check_state,
    history_in,
    parameters_from_arrays,
    state_from_file,
    state_to_file,
    to_arrays,
)
from saffu.models.sampling import next_logits, pick
from saffu.models.training import (
    Record,
    Schedule,
    TrainingInterrupted,
    TrainingState,
    start_training,
    train,
)
from saffu.parameters import Parameters, cold_start
from saffu.positions import END, START, UNKNOWN, Samples
from saffu.progress import Progress, silent
from saffu.search.direct import DirectChoice, DirectSearch, choose_direct, direct_nats
from saffu.search.warm import ChosenStart, Search, choose_warm_start
from saffu.types import Array
from saffu.warm.layer import WarmSettings
from saffu.warm.start import WarmStart

SCHEMA, VERSION = "saffu-transformer", 1
JUDGES = 8192
"""held-out targets on which explicit choices are made"""


class Total(NamedTuple):
    """How well a text was predicted."""

    nats: float
    """sum over all targets"""
    targets: int
    bytes: int
    """of the text, in UTF-8"""

    @property
    def perplexity(self) -> float:
        """exp of the mean nats per target."""
        return float(np.exp(self.nats / self.targets))

    @property
    def bits_per_byte(self) -> float:
        """Bits for one byte of text."""
        return bits_per_byte(self.nats, self.bytes)


class SaffuTransformer:
    """A language model of SAFFU layers, or of direct tables.   (SPEC 4)"""

    def __init__(
        self,
        configuration: Configuration,
        tokeniser: Tokeniser,
        vocabulary: Vocabulary,
        *,
        dtype: str = "float32",
    ) -> None:
        """A model without parameters.

        Parameters: `configuration`, whose vocabulary is the size of `vocabulary`; `tokeniser`, the
        one that the vocabulary was counted with; `dtype` `"float32"` or `"float64"`.
        Refuses: sizes that disagree; other types.
        """
        checks.choice("dtype", dtype, ("float32", "float64"), "SPEC 0")
        if configuration.vocabulary != len(vocabulary):
            raise BadOption(
                "configuration.vocabulary",
                configuration.vocabulary,
                f"{len(vocabulary)}, the size of the vocabulary",
                "SPEC 4",
            )
        self.configuration = configuration
        self.tokeniser = tokeniser
        self.vocabulary = vocabulary
        self.dtype = dtype
        self.parameters: Parameters | DirectParameters | None = None
        self.history: list[Record] = []

    @overload
    def warm_start(
        self,
        train: Corpus,
        validation: Corpus,
        *,
        settings: None = None,
        search: Search | DirectSearch | None = None,
        seed: int = 0,
        progress: Progress = silent,
        engine: str | Engine = "auto",
        workers: int | None = None,
        scheduler: str | None = None,
    ) -> ChosenStart | DirectChoice: ...

    @overload
    def warm_start(
        self,
        train: Corpus,
        validation: Corpus,
        *,
        settings: WarmSettings,
        seed: int = 0,
        progress: Progress = silent,
        engine: str | Engine = "auto",
        workers: int | None = None,
        scheduler: str | None = None,
    ) -> WarmStart: ...

    def warm_start(
        self,
        train: Corpus,
        validation: Corpus,
        *,
        settings: WarmSettings | None = None,
        search: Search | DirectSearch | None = None,
        seed: int = 0,
        progress: Progress = silent,
        engine: str | Engine = "auto",
        workers: int | None = None,
        scheduler: str | None = None,
    ) -> ChosenStart | DirectChoice | WarmStart:
        """Compute all parameters from counts; choose smoothing and tempers on validation text.

        (SPEC 5)

        Parameters: `settings`, smoothing and tempers that are known, so that no search is made
        (a temper of None is fitted on validation text); the settings that a search returned give
        the same parameters as the search did.  `search`, the settings to try.  `engine`, which
        takes the sums over the training text: `"serial"`, this process; `"pool"`, `workers`
        processes of this machine; `"dask"`, the cluster of a `scheduler`
        (`"tcp://10.0.0.1:8786"`), or one of `workers` processes here; `"auto"`, a pool for long
        texts; or any `saffu.engines.Engine`.  The parameters do not depend on the engine.
        Sets the parameters; returns them with the choices made.
        Refuses: what `saffu.engines.open_engine` refuses; settings together with a search, or for a
        direct model, whose smoothing is always searched for.
        """
        if settings is not None and search is not None:
            raise BadOption("search", search, "None together with settings", "SPEC 5")
        if settings is not None and self.configuration.output == "direct":
            raise BadOption("settings", settings, "None with output='direct'", "SPEC 5")
        judge = judges(validation, seed)
        opened = open_engine(engine, workers=workers, scheduler=scheduler, targets=train.targets)
        with opened as adder:
            passes = Passes(train, progress, engine=adder)
            if self.configuration.output == "direct":
                return self._choose_direct(passes, judge, search)
            return self._solve(passes, judge, settings or search or Search(), seed)

    def _choose_direct(
        self, passes: Passes, judge: Samples, search: Search | DirectSearch | None
    ) -> DirectChoice:
        options = search if isinstance(search, DirectSearch) else DirectSearch()
        direct = choose_direct(passes, self.configuration, judge, options, dtype=self._numbers)
        self.parameters = direct.parameters
        return direct

    def _solve(
        self,
        passes: Passes,
        judge: Samples,
        how: WarmSettings | Search | DirectSearch,
        seed: int,
    ) -> ChosenStart | WarmStart:
        shape, dtype = self.configuration, self._numbers
        if isinstance(how, WarmSettings):
            most = Search().attention_targets
            start = stream_warm_start(
                passes, shape, how, judge, attention_targets=most, seed=seed, dtype=dtype
            )
            self.parameters = start.parameters
            return start
        plain = how if isinstance(how, Search) else Search()
        chosen = choose_warm_start(passes, shape, judge, plain, seed=seed, dtype=dtype)
        self.parameters = chosen.start.parameters
        return chosen

    @property
    def _numbers(self) -> type:
        return np.float32 if self.dtype == "float32" else np.float64

    def cold_start(self, train: Corpus, *, scale: float, seed: int) -> None:
        """Random weights of a given scale; the embedding is the cipher all the same.   (SPEC 7)"""
        if self.configuration.radii:
            raise BadOption("radii", self.configuration.radii, "none for a cold start", "SPEC 7")
        counts = train.counts(self.configuration.vocabulary)
        embedding = cipher_embedding(counts, self.configuration.bits).astype(self.dtype)
        self.parameters = cold_start(self.configuration, embedding, scale=scale, seed=seed)

    def fit(
        self,
        train_on: Corpus,
        validation: Corpus,
        schedule: Schedule = Schedule(),
        *,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        progress: Progress = silent,
        on_record: Callable[[Record], None] | None = None,
    ) -> list[Record]:
        """Train by backpropagation from the present parameters: freeze, then thaw.   (SPEC 6)

        Parameters: `checkpoint`, a file that gets the model and the state of its training now and
        then, and when training is interrupted; `resume=True` goes on from that file, to the same
        result as if it had never stopped; `on_record` hears of every validation.
        The best parameters on the validation text are kept.  Returns the history.
        Refuses: a model without parameters; direct models, which have nothing to train by gradient.
        """
        prints = {"train": train_on.fingerprint, "validation": validation.fingerprint}
        settings = {**asdict(schedule), **prints}
        if resume:
            if checkpoint is None:
                raise BadOption("checkpoint", None, "the file to resume from", "SPEC 6")
            state = self._resumed(Path(checkpoint), settings)
        else:
            state = start_training(self._trainable())
        keep = None
        if checkpoint is not None:
            target = Path(checkpoint)

            def keep(state: TrainingState) -> None:
                self._take(state)
                self._write(target, state, settings)

        try:
            state = train(
                state,
                self.configuration,
                train_on,
                validation,
                schedule,
                progress=progress,
                on_record=on_record,
                keep=keep,
            )
        except TrainingInterrupted as stopped:
            self._take(stopped.state)
            raise TrainingInterrupted(stopped.state, checkpoint) from None
        self._take(state)
        return self.history

    def nats(self, corpus: Corpus) -> Total:
        """Nats over all targets of a text, `<eod>` included.   (SPEC 7)"""
        parameters = self._ready()
        total, count = 0.0, 0
        size = min(1 << 14, corpus.targets)
        if isinstance(parameters, DirectParameters):
            for chunk in corpus.chunks(size):
                nats = direct_nats(parameters, self.configuration, chunk)
                total, count = total + float(nats.sum(dtype=np.float64)), count + nats.shape[0]
        else:
            cache = comparisons(parameters.embedding)
            for chunk in corpus.chunks(size):
                nats = chunk_nats(parameters, self.configuration, chunk, cache)
                total, count = total + float(nats.sum(dtype=np.float64)), count + nats.shape[0]
        return Total(total, count, corpus.bytes)

    def perplexity(self, corpus: Corpus) -> float:
        """exp of the mean nats per target.   (SPEC 7)"""
        return self.nats(corpus).perplexity

    def bits_per_byte(self, corpus: Corpus) -> float:
        """Bits for one byte of text; a lower bound if it has unknown words.   (SPEC 7)"""
        return self.nats(corpus).bits_per_byte

    def generate(
        self,
        prompt: str = "",
        *,
        tokens: int = 60,
        temperature: float = 1.0,
        top_k: int | None = 40,
        seed: int = 0,
    ) -> str:
        """Continue a text.

        Parameters: `tokens`, at most so many new ones; `temperature` >= 0 divides the logits (0:
        the likeliest token each time); `top_k`, draw from so many likeliest tokens only (None:
        all).
        Ends early at the end of the document.  `<sod>` and `<unk>` are never drawn.
        Returns prompt and continuation as text.
        """
        parameters = self._ready()
        checks.whole("tokens", tokens, 0, "SPEC 4")
        checks.positive("temperature", temperature, "SPEC 4", zero=True)
        if top_k is not None:
            checks.whole("top_k", top_k, 1, "SPEC 4")
        random = np.random.default_rng(seed)
        ids = [START, *self.vocabulary.encode(self.tokeniser.tokenise(prompt)).tolist()]
        for _ in range(tokens):
            logits = next_logits(parameters, self.configuration, np.array(ids, dtype=np.int64))
            logits[[START, UNKNOWN]] = -np.inf
            token = pick(logits, temperature, top_k, random)
            if token == END:
                break
            ids.append(token)
        return self.tokeniser.join(self.vocabulary.decode(np.array(ids[1:], dtype=np.int64)))

    def save(self, path: str | Path) -> None:
        """Write the model into one file, whole or not at all.   (SPEC 8)"""
        self._write(Path(path), None, {})

    @classmethod
    def load(cls, path: str | Path) -> SaffuTransformer:
        """Read a model that `save` or `fit` wrote.  Refuses damaged or foreign files.   (SPEC 8)"""
        header, arrays = files.read_file(path, SCHEMA)
        try:
            model = cls(
                Configuration.from_json(header["configuration"]),
                tokeniser_from_json(header["tokeniser"]),
                Vocabulary.from_json(header["vocabulary"]),
                dtype=header["dtype"],
            )
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            raise BadFile(
                path, f"it does not describe a model ({wrong})", "save the model again"
            ) from wrong
        check_arrays(path, model.configuration, arrays, model.dtype)
        model.history = history_in(path, header)
        model.parameters = parameters_from_arrays(model.configuration, arrays)
        return model

    def _write(self, path: Path, state: TrainingState | None, settings: dict[str, Any]) -> None:
        arrays = to_arrays(self._ready())
        header: dict[str, Any] = {
            "configuration": self.configuration.to_json(),
            "tokeniser": self.tokeniser.to_json(),
            "vocabulary": self.vocabulary.to_json(),
            "dtype": self.dtype,
            "history": [list(record) for record in self.history],
        }
        if state is not None:
            extra, more = state_to_file(state)
            header["training"] = {"settings": settings, **extra}
            arrays |= more
        files.write_file(path, SCHEMA, VERSION, header, arrays)

    def _resumed(self, path: Path, settings: dict[str, Any]) -> TrainingState:
        header, arrays = files.read_file(path, SCHEMA)
        if "training" not in header:
            raise BadFile(path, "its training is complete", "leave out resume to train it again")
        training = header["training"]
        if not isinstance(training, dict):
            raise BadFile(path, "it does not describe a training", "train it again")
        begun = training.get("settings")
        if not isinstance(begun, dict):
            raise BadFile(path, "it does not describe a training", "train it again")
        for name, value in begun.items():
            if settings.get(name) != value and name not in ("seconds", "checkpoint_seconds"):
                raise BadOption(
                    name, settings.get(name), f"{value!r}, as when training began", "SPEC 6"
                )
        if header["configuration"] != self.configuration.to_json():
            raise BadFile(path, "it holds a model of another configuration", "use its own")
        model = SaffuTransformer.load(path)
        check_state(path, self.configuration, training, arrays, self.dtype)
        self.history = model.history
        return state_from_file(self.configuration, training, arrays, model.history)

    def _take(self, state: TrainingState) -> None:
        """Adopt the best parameters and the history of a training."""
        self.parameters = state.best
        self.history = list(state.history)

    def _ready(self) -> Parameters | DirectParameters:
        if self.parameters is None:
            raise NotFitted("model")
        return self.parameters

    def _trainable(self) -> Parameters:
        parameters = self._ready()
        if isinstance(parameters, DirectParameters):
            raise BadInput(
                "a direct model is all counts and tempers, so backpropagation has nothing to do; "
                "use output='softmax' (SPEC 4)"
            )
        return parameters


def judges(validation: Corpus, seed: int) -> Samples:
    """Held-out samples on which explicit choices are made: some documents from anywhere."""
    few = validation.take(min(JUDGES, validation.targets), seed)
    chunks = list(few.chunks(few.targets))
    fields: list[Array] = [np.concatenate(field) for field in zip(*chunks, strict=True)]
    return Samples(*fields)
