"""Language model of SAFFU layers: fit, evaluate, generate, save and load.   (SPEC 4–7)

    model = SaffuTransformer(SMALL, tokeniser, vocabulary)
    model.warm_start(corpus, validation)     explicit solution, no gradient
    model.train(corpus, validation)          backpropagation from there: freeze, then thaw
    model.generate("In the beginning")

`fit` is both in one call.  The object holds what must be kept together: the configuration, the
tokeniser with its vocabulary, the parameters and the history of their training.  The mathematics is
elsewhere, in functions.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple, cast, overload

import numpy as np

from saffu import checks, files
from saffu.arrays.operation import operation
from saffu.cipher import cipher_embedding
from saffu.configuration import Configuration
from saffu.data.corpus import Corpus
from saffu.data.tokenisers import Tokeniser, tokeniser_from_json
from saffu.data.vocabulary import Vocabulary
from saffu.direct import DirectParameters
from saffu.engines import Engine, open_engine
from saffu.engines.passes import Passes
from saffu.errors import (
    BadFile,
    BadInput,
    BadOption,
    Diverged,
    NotFitted,
    TrainingInterrupted,
)
from saffu.fast.comparison_cache import comparisons
from saffu.fast.predict import chunk_nats
from saffu.fast.warm import stream_warm_start
from saffu.files.checkpoints import check_same_settings, place_to_resume
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
from saffu.models.sampling import Drawing, next_logits, sample_text
from saffu.models.training import (
    Record,
    Schedule,
    TrainingState,
    start_training,
    train,
)
from saffu.parameters import Parameters, cold_start
from saffu.positions import Samples
from saffu.progress import Progress, silent
from saffu.progress.interruption import interruptible
from saffu.search.direct import DirectChoice, DirectSearch, choose_direct, direct_nats
from saffu.search.warm import ChosenStart, Search, choose_warm_start
from saffu.types import Array, IntArray
from saffu.warm.layer import WarmSettings
from saffu.warm.start import WarmStart

SCHEMA, VERSION = "saffu-transformer", 1
JUDGES = 8192
"""Held-out targets on which explicit choices are made."""


class Total(NamedTuple):
    """Loss of a model on a text."""

    nats: float
    """sum over all targets"""
    targets: int
    bytes: int
    """of the text, in UTF-8"""

    @property
    def perplexity(self) -> float:
        """exp of the mean nats per target; infinity where float64 ends."""
        with np.errstate(over="ignore"):
            return float(np.exp(self.nats / self.targets))

    @property
    def bits_per_byte(self) -> float:
        """Bits per byte of text."""
        return bits_per_byte(self.nats, self.bytes)


class SaffuTransformer:
    """A language model of SAFFU layers, or of direct tables.   (SPEC 4)"""

    @operation
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

    @operation
    def fit(
        self,
        corpus: Corpus,
        validation: Corpus,
        schedule: Schedule | None = None,
        *,
        search: Search | DirectSearch | None = None,
        seed: int = 0,
        progress: Progress = silent,
        engine: str | Engine = "auto",
        workers: int | None = None,
        scheduler: str | None = None,
    ) -> SaffuTransformer:
        """Compute the explicit solution; with a `schedule`, train from there.   (SPEC 5, 6)

        It is `warm_start(corpus, validation, …)` and then, unless `schedule` is None,
        `train(corpus, validation, schedule)`.  Returns the model itself.
        Refuses: what these two refuse; a schedule for a direct model, before any work.
        """
        if schedule is not None:
            self._check_trainable()
        self.warm_start(
            corpus,
            validation,
            search=search,
            seed=seed,
            progress=progress,
            engine=engine,
            workers=workers,
            scheduler=scheduler,
        )
        if schedule is not None:
            self.train(corpus, validation, schedule, progress=progress)
        return self

    @overload
    def warm_start(
        self,
        corpus: Corpus,
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
        corpus: Corpus,
        validation: Corpus,
        *,
        settings: WarmSettings,
        seed: int = 0,
        progress: Progress = silent,
        engine: str | Engine = "auto",
        workers: int | None = None,
        scheduler: str | None = None,
    ) -> WarmStart: ...

    @operation
    def warm_start(
        self,
        corpus: Corpus,
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
            raise BadOption("search", search, "None when settings are given", "SPEC 5")
        if settings is not None and self.configuration.output == "direct":
            raise BadOption("settings", settings, "None with output='direct'", "SPEC 5")
        self._check_encoding(corpus, validation)
        judge = judges(validation, seed)
        opened = open_engine(engine, workers=workers, scheduler=scheduler, targets=corpus.targets)
        with opened as adder:
            passes = Passes(corpus, progress, engine=adder)
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

    @operation
    def cold_start(self, corpus: Corpus, *, scale: float, seed: int) -> None:
        """Random weights of a given scale; the embedding is the cipher as in `warm_start`.

        (SPEC 7)
        """
        checks.whole("seed", seed, 0, "SPEC 7")
        if self.configuration.radii:
            raise BadOption("radii", self.configuration.radii, "empty for a cold start", "SPEC 7")
        self._check_encoding(corpus)
        counts = corpus.counts(self.configuration.vocabulary)
        embedding = cipher_embedding(counts, self.configuration.bits).astype(self.dtype)
        self.parameters = cold_start(self.configuration, embedding, scale=scale, seed=seed)

    @operation
    def train(
        self,
        corpus: Corpus,
        validation: Corpus,
        schedule: Schedule = Schedule(),
        *,
        checkpoint: str | Path | None = None,
        resume: bool = False,
        progress: Progress = silent,
        on_record: Callable[[Record], None] | None = None,
    ) -> list[Record]:
        """Train by backpropagation from the present parameters: freeze, then thaw.   (SPEC 6)

        Parameters: `checkpoint`, a file that gets the model and the state of its training every
        `schedule.checkpoint_seconds`, and when training is interrupted; `resume=True` goes on from
        that file, to the same model as if training had never stopped; `on_record` is called with
        every validation.
        Returns the history; the parameters are the best on the validation text.  They are also kept
        where training is interrupted (`TrainingInterrupted`, at Ctrl-C) or diverges (`Diverged`).
        Refuses: a model that is not fitted; direct models, which have nothing to train by gradient;
        a checkpoint that cannot be written, or is of another training.
        """
        self._check_trainable()
        self._check_encoding(corpus, validation)
        source = place_to_resume(checkpoint, resume=resume)
        prints = {"train": corpus.fingerprint, "validation": validation.fingerprint}
        settings = {**asdict(schedule), **prints}
        if source is None:
            state = start_training(cast(Parameters, self._ready()))
        else:
            state = self._resumed(source, settings)
        keep = None
        if checkpoint is not None:
            target = Path(checkpoint)

            def keep(state: TrainingState) -> None:
                self._adopt(state)
                self._write(target, state, settings)

        with interruptible(signal.SIGINT):
            try:
                state = train(
                    state,
                    self.configuration,
                    corpus,
                    validation,
                    schedule,
                    progress=progress,
                    on_record=on_record,
                    keep=keep,
                )
            except (TrainingInterrupted, Diverged) as stopped:
                self._adopt(stopped.state)
                if isinstance(stopped, TrainingInterrupted):
                    raise TrainingInterrupted(stopped.stage, stopped.state, checkpoint) from None
                raise
        self._adopt(state)
        return self.history

    @operation
    def nats(self, corpus: Corpus) -> Total:
        """Nats over all targets of a text, `<eod>` included.   (SPEC 7)"""
        parameters = self._ready()
        self._check_encoding(corpus)
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
        """Bits per byte of text; a lower bound if it has unknown words.   (SPEC 7)"""
        return self.nats(corpus).bits_per_byte

    @operation
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

        Parameters: `tokens`, the largest number of new tokens; `temperature` >= 0 divides the
        logits (0: the likeliest token each time); `top_k`, the number of likeliest tokens to draw
        from (None: all).
        Ends early at the end of the document.  `<sod>` and `<unk>` are never drawn.
        Returns prompt and continuation as text.
        """
        parameters = self._ready()

        def follow(ids: IntArray) -> Array:
            return next_logits(parameters, self.configuration, ids)

        draw = Drawing(tokens, temperature, top_k, seed)
        return sample_text(follow, self.tokeniser, self.vocabulary, prompt, draw)

    @operation
    def save(self, path: str | Path) -> None:
        """Write the model into one file, whole or not at all.   (SPEC 8)"""
        self._write(Path(path), None, {})

    @classmethod
    @operation
    def load(cls, path: str | Path) -> SaffuTransformer:
        """The model in a file that `save` or `train` wrote.   (SPEC 8)

        Refuses (`BadFile`): damaged files and those of other programs; a model that holds NaN,
        infinity, or a table with entries out of range.
        """
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
            problem = "it holds a model, and no training to resume"
            raise BadFile(path, problem, "train without resume=True")
        training = header["training"]
        if not isinstance(training, dict):
            raise BadFile(path, "it does not describe a training", "train it again")
        begun = training.get("settings")
        if not isinstance(begun, dict):
            raise BadFile(path, "it does not describe a training", "train it again")
        check_same_settings(begun, settings, free=("seconds", "checkpoint_seconds"))
        if header["configuration"] != self.configuration.to_json():
            raise BadFile(path, "it holds a model of another configuration", "use its own")
        model = SaffuTransformer.load(path)
        check_state(path, self.configuration, training, arrays, self.dtype)
        self.history = model.history
        return state_from_file(self.configuration, training, arrays, model.history)

    def _adopt(self, state: TrainingState) -> None:
        """The best parameters and the history of a training."""
        self.parameters = state.log.best
        self.history = list(state.log.history)

    def _ready(self) -> Parameters | DirectParameters:
        if self.parameters is None:
            raise NotFitted("model")
        return self.parameters

    def _check_encoding(self, *corpora: Corpus) -> None:
        """Refuse texts whose ids are those of another vocabulary."""
        for corpus in corpora:
            if corpus.encoding not in (None, self.vocabulary.encoding):
                expected = "a text encoded with the vocabulary of the model"
                raise BadOption("corpus", "a text of another vocabulary", expected, "SPEC 3")

    def _check_trainable(self) -> None:
        if self.configuration.output == "direct":
            raise BadInput(
                "a direct model consists of counts and tempers, and has nothing to train by "
                "gradient; use output='softmax' (SPEC 4)"
            )


def judges(validation: Corpus, seed: int) -> Samples:
    """Held-out samples on which explicit choices are made: documents drawn at random."""
    few = validation.take(min(JUDGES, validation.targets), seed)
    chunks = list(few.chunks(few.targets))
    fields: list[Array] = [np.concatenate(field) for field in zip(*chunks, strict=True)]
    return Samples(*fields)
