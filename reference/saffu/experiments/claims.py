"""The two central claims of [P1], on real text: what holds, and what does not.   (SPEC 1, 7)

    (c)  explicit solutions outperform models optimised by backpropagation alone
    (d)  backpropagation after an explicit warm start reaches better optima from less data

    python -m saffu.experiments.claims --out claims              # the King James Bible, an hour
    python -m saffu.experiments.claims --out claims --resume     # goes on where it was stopped
    python -m saffu.experiments.claims --tiny                    # seconds, on other text

Chapters are documents, split at random 80/10/10; training text is drawn from the 80.  Everything is
chosen on validation text: smoothing and tempers, rates, initial scales, when to stop, and which run
stands for its row.  The test text is read once for each row, after that choice.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

import numpy as np

from saffu.baselines import fit_baselines
from saffu.configuration import DIRECT, SMALL, Configuration
from saffu.contexts import Radial
from saffu.corpora.bible import bible
from saffu.corpora.counting import count_tokens
from saffu.corpora.prose import prose
from saffu.corpus import Corpus
from saffu.direct import DirectParameters
from saffu.errors import BadOption
from saffu.experiments.results import Line, Results, circumstances
from saffu.experiments.rivals import TorchSlots, fit_slots, torch_nats
from saffu.experiments.verdicts import report
from saffu.explicit.smoothing import Backoff
from saffu.fast.cache import comparisons
from saffu.fast.choose import ChosenStart, Search
from saffu.fast.direct import DirectChoice, direct_nats
from saffu.fast.predict import chunk_nats
from saffu.tokenisers import Words
from saffu.training import Rates, Record, Schedule
from saffu.transformer import SaffuTransformer
from saffu.types import Array, Nats
from saffu.vocabulary import Samples, Vocabulary

Predictor: TypeAlias = Callable[[Samples], Nats]

BASELINES = ("unigram", "bigram")
EXPLICIT = ("explicit", "explicit wide", "one-hot")
TRAINED = ("cold", "warm")
ROWS = (*BASELINES, *EXPLICIT, *TRAINED)
RIVAL = "one-hot cold"
"""The family of `one-hot`, trained by backpropagation; runs on demand and needs PyTorch."""


@dataclass(frozen=True)
class Plan:
    """What is run."""

    text: str = "bible"
    configuration: Configuration = SMALL
    wide_bits: int = 512
    targets: tuple[int, ...] = (30_000, 150_000)
    search: Search = Search(
        hidden=tuple(Backoff(a) for a in (1.0, 10.0, 100.0, 1000.0, 10_000.0)),
        scales=(1.0, 1.5, 2.0, 3.0, 4.0, 6.0),
        output=tuple(Backoff(a) for a in (1.0, 10.0, 30.0, 100.0, 300.0)),
        judges=8192,
    )
    cold: tuple[tuple[float, float], ...] = (
        *product((0.003, 0.01, 0.03), (0.1, 1.0)),
        *product((0.01, 0.03), (0.3,)),
        (0.03, 2.0),
        (0.1, 1.0),
    )
    """rate and initial scale"""
    warm: tuple[float, ...] = (0.001, 0.003, 0.01, 0.03)
    """rates"""
    one_hot: tuple[float, ...] = (0.03, 0.1, 0.3)
    """rates of the rival in PyTorch"""
    schedule: Schedule = Schedule(frozen_epochs=24, thawed_epochs=8, patience=4)
    seed: int = 1


TINY = Plan(
    text="prose",
    configuration=Configuration(vocabulary=251, contexts=(Radial(3),), bits=31, label_bits=29),
    wide_bits=61,
    targets=(2_000, 6_000),
    search=Search(hidden=(Backoff(100.0),), scales=(2.0,), output=(Backoff(10.0),)),
    cold=((0.03, 0.1), (0.03, 1.0)),
    warm=(0.01,),
    schedule=Schedule(batch=256, frozen_epochs=2, thawed_epochs=1),
)
"""Every step once, on the documentation of Python; the numbers are of no account."""


class Texts(NamedTuple):
    """What all rows of one seed have in common."""

    vocabulary: Vocabulary
    train: Corpus
    validation: Corpus
    test: Corpus


def texts(plan: Plan) -> Texts:
    """Read, count, encode and split; the vocabulary is that of the training part."""
    documents = bible() if plan.text == "bible" else prose()
    size = plan.configuration.vocabulary
    whole = count_tokens(documents, Words()).vocabulary(size=None)
    parts = Corpus.in_memory(documents, Words(), whole).split((0.8, 0.1, 0.1), seed=plan.seed)
    counts = parts[0].counts(len(whole))
    seen = {whole.tokens[i]: int(counts[i]) for i in range(3, len(whole)) if counts[i]}
    vocabulary = Vocabulary.from_counts(seen, documents=parts[0].documents, size=size)
    parts = Corpus.in_memory(documents, Words(), vocabulary).split((0.8, 0.1, 0.1), seed=plan.seed)
    return Texts(vocabulary, *parts)


@dataclass(frozen=True)
class Experiment:
    """One seed and one amount of training text."""

    plan: Plan
    texts: Texts
    train: Corpus
    folder: Path

    def trials(self, row: str) -> Iterator[Line]:
        """The settings that are tried for a row; one of them will stand for it."""
        if row == "cold":
            yield from ({"rate": rate, "scale": scale} for rate, scale in self.plan.cold)
        elif row == "warm":
            yield from ({"rate": rate} for rate in self.plan.warm)
        elif row == RIVAL:
            yield from ({"rate": rate} for rate in self.plan.one_hot)
        else:
            yield {}

    def configuration(self, row: str) -> Configuration:
        """The shape of a row's model."""
        plain = self.plan.configuration
        if row == "explicit wide":
            return replace(plain, bits=self.plan.wide_bits, label_bits=self.plan.wide_bits)
        if row == "one-hot":
            return replace(plain, output="direct", layer=DIRECT.layer)
        return plain

    def run(self, row: str, settings: Line) -> Line:
        """Fit one model, keep it in a file, and judge it on validation text."""
        began, clock = time.process_time(), time.monotonic()
        more: Line = {}
        if row == RIVAL:
            more = self._fit_rival(settings)
        elif row not in BASELINES:
            more = self._fit(row, settings)
        predict = self.predictor(row, settings)
        seconds = {"cpu_seconds": time.process_time() - began, "seconds": time.monotonic() - clock}
        nats, targets = by_document(predict, self.texts.validation)
        judged, of = by_document(predict, self.judges)
        return {
            "validation_nats": float(nats.sum() / targets.sum()),
            "judges_nats": float(judged.sum() / of.sum()),
            **seconds,
            **more,
        }

    def _fit(self, row: str, settings: Line) -> Line:
        model = SaffuTransformer(self.configuration(row), Words(), self.texts.vocabulary)
        seed, more = self.plan.seed, {}
        if row == "cold":
            model.cold_start(self.train, scale=settings["scale"], seed=seed)
        elif row == "warm":
            model = SaffuTransformer.load(self.model("explicit", {}))
        else:
            search = None if row == "one-hot" else self.plan.search
            chosen = model.warm_start(self.train, self.texts.validation, search=search, seed=seed)
            more = _choices(chosen)
        if row in TRAINED:
            more = {"history": self._train(model, settings)}
        target = self.model(row, settings)
        target.parent.mkdir(parents=True, exist_ok=True)
        model.save(target)
        return more

    def _train(self, model: SaffuTransformer, settings: Line) -> list[list[Any]]:
        """Backpropagation; each record as [stage, targets seen, CPU seconds, validation nats]."""
        history: list[list[Any]] = []
        began = time.process_time()

        def note(record: Record) -> None:
            used = time.process_time() - began
            history.append([record.stage, record.targets, used, record.validation_nats])

        rates = Rates.all(settings["rate"])
        schedule = replace(self.plan.schedule, rates=rates, seed=self.plan.seed)
        model.fit(self.train, self.judges, schedule, on_record=note)
        return history

    def _fit_rival(self, settings: Line) -> Line:
        """The one-hot family in PyTorch, from zeros."""
        model, schedule = TorchSlots(self.plan.configuration), self.plan.schedule
        history: list[list[Any]] = []
        began = time.process_time()

        def note(seen: int, nats: float) -> None:
            history.append(["cold", seen, time.process_time() - began, nats])

        (train,) = self.train.chunks(self.train.targets)
        (judges,) = self.judges.chunks(self.judges.targets)
        fit_slots(
            *(model, train, judges),
            rate=settings["rate"],
            batch=schedule.batch,
            epochs=schedule.frozen_epochs,
            patience=schedule.patience,
            note=note,
        )
        target = self.model(RIVAL, settings)
        target.parent.mkdir(parents=True, exist_ok=True)
        tables, bias = model.state()
        np.savez(target, tables=tables, bias=bias)
        return {"history": history}

    @property
    def judges(self) -> Corpus:
        """The part of the validation text on which training is stopped."""
        whole = self.texts.validation
        return whole.take(min(20_000, whole.targets), self.plan.seed)

    def model(self, row: str, settings: Line) -> Path:
        """The file of a fitted model."""
        words = [row, str(self.train.targets), str(self.plan.seed), *map(str, settings.values())]
        suffix = ".npz" if row == RIVAL else ".saffu"
        return self.folder / "models" / ("-".join(words).replace(" ", "-") + suffix)

    def predictor(self, row: str, settings: Line) -> Predictor:
        """Nats of each sample, by the fitted model."""
        if row in BASELINES:
            size = self.plan.configuration.vocabulary
            both = fit_baselines(self.train, self.texts.validation, size)
            return both.unigram.nats if row == "unigram" else both.bigram.nats
        if row == RIVAL:
            rival = TorchSlots(self.plan.configuration)
            with np.load(self.model(row, settings), allow_pickle=False) as kept:
                rival.load((kept["tables"], kept["bias"]))
            return partial(torch_nats, rival)
        model = SaffuTransformer.load(self.model(row, settings))
        parameters, configuration = model.parameters, model.configuration
        if isinstance(parameters, DirectParameters):
            return partial(direct_nats, parameters, configuration)
        assert parameters is not None
        cache = comparisons(parameters.embedding)
        return lambda chunk: chunk_nats(parameters, configuration, chunk, cache)


def _choices(chosen: ChosenStart | DirectChoice) -> Line:
    """What an explicit row chose, for the record."""
    if isinstance(chosen, ChosenStart):
        return {"chosen": str(chosen.settings), "tried": [list(each) for each in chosen.tried]}
    tempers = [float(t) for tower in chosen.parameters.towers for t in tower.temper]
    return {"chosen": str(chosen.smoothing), "tempers": [round(t, 4) for t in tempers]}


def by_document(predict: Predictor, corpus: Corpus) -> tuple[Array, Array]:
    """Nats and targets of each document: what intervals are made of."""
    nats, targets = [], []
    for chunk in corpus.chunks(1 << 13):
        starts = np.flatnonzero(chunk.offsets == 0)
        nats.append(np.add.reduceat(predict(chunk).astype(np.float64), starts))
        targets.append(np.diff(np.append(starts, chunk.targets.shape[0])))
    return np.concatenate(nats), np.concatenate(targets)


def measure(experiment: Experiment, row: str, results: Results, key: Line) -> None:
    """All trials of a row, then the test of the best: what is in the results is not done again."""
    best: tuple[float, Line] | None = None
    for settings in experiment.trials(row):
        line = results.find(kind="run", row=row, settings=settings, **key)
        if line is None:
            line = {"kind": "run", "row": row, "settings": settings, **key}
            line |= experiment.run(row, settings)
            results.add(line)
            said = " ".join(f"{name} {value:g}" for name, value in settings.items())
            perplexity = np.exp(line["validation_nats"])
            print(f"{row} {said}: validation perplexity {perplexity:.2f}", flush=True)
        if best is None or line["validation_nats"] < best[0]:
            best = line["validation_nats"], settings
    assert best is not None
    if results.find(kind="test", row=row, **key) is None:
        predict = experiment.predictor(row, best[1])
        nats, targets = by_document(predict, experiment.texts.test)
        results.add(
            {
                "kind": "test",
                "row": row,
                "settings": best[1],
                **key,
                "nats": nats.round(6).tolist(),
                "targets_tested": targets.tolist(),
                "bytes_tested": experiment.texts.test.bytes,
            }
        )


def digest_of(described: Line, common: Texts) -> str:
    """What makes two runs comparable: the data, the model and the schedule, in one word."""
    free = ("targets", "cold", "warm", "one_hot")
    fixed = {name: value for name, value in described.items() if name not in free}
    prints = [corpus.fingerprint for corpus in common[1:]]
    return hashlib.sha256(json.dumps([fixed, prints]).encode()).hexdigest()[:16]


def run(plan: Plan, folder: Path, rows: Sequence[str] = ROWS) -> Results:
    """Measure what is not measured yet; return all lines."""
    results = Results(folder / "results.jsonl")
    common = texts(plan)
    described = json.loads(json.dumps(asdict(plan), default=str))
    setting = digest_of(described, common)
    if results.find(kind="plan", seed=plan.seed, setting=setting) is None:
        sizes = {
            "train": common.train.targets,
            "validation": common.validation.targets,
            "test": common.test.targets,
        }
        head = {"kind": "plan", "seed": plan.seed, "setting": setting, "parts": sizes}
        results.add({**head, "plan": described, **circumstances()})
    needed = {*rows, *(["explicit"] if "warm" in rows else [])}
    for targets in plan.targets:
        train = common.train.take(targets, plan.seed)
        experiment = Experiment(plan, common, train, folder)
        for row in (*ROWS, RIVAL):
            if row in needed:
                key = {"targets": targets, "seed": plan.seed, "setting": setting}
                measure(experiment, row, results, key)
    return results


def main(arguments: Sequence[str] | None = None) -> None:
    """The program."""
    parser = argparse.ArgumentParser(
        prog="python -m saffu.experiments.claims",
        description="Explicit solutions and backpropagation, on the same text.",
    )
    parser.add_argument("--tiny", action="store_true", help="every step once, in seconds")
    parser.add_argument("--targets", type=int, nargs="+", help="training targets")
    parser.add_argument("--out", type=Path, default=Path("claims"), help="folder of the results")
    parser.add_argument("--seed", type=int, default=1, help="of split, draw and initial weights")
    parser.add_argument("--rows", nargs="+", choices=(*ROWS, RIVAL), default=ROWS)
    parser.add_argument("--resume", action="store_true", help="go on from the results in --out")
    parser.add_argument("--report", action="store_true", help="print the results in --out, no more")
    chosen = parser.parse_args(arguments)
    path = chosen.out / "results.jsonl"
    if chosen.report:
        print(report(Results(path).lines, chosen.out / "claims.png"))
        return
    if path.exists() and not chosen.resume:
        raise BadOption("--out", str(chosen.out), "a folder without results, or --resume", "SPEC 7")
    plan = replace(TINY if chosen.tiny else Plan(), seed=chosen.seed)
    if chosen.targets:
        plan = replace(plan, targets=tuple(chosen.targets))
    results = run(plan, chosen.out, chosen.rows)
    print(report(results.lines, chosen.out / "claims.png"))


if __name__ == "__main__":
    main()
