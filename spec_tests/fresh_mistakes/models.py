"""Mistakes in whole models: warm_start, model_forward, model_loss and model_gradient."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import numpy as np

from saffu import attention, batch, contexts, layer, model
from saffu.arrays import namespace
from saffu.explicit import hidden, solution
from saffu.types import Array
from saffu.warm import layer as warm_layer
from saffu.warm import start
from spec_tests.fresh_mistakes.examples import LAYER, put, warm
from spec_tests.fresh_mistakes.examples import configuration as shape
from spec_tests.fresh_mistakes.examples import model as whole
from spec_tests.fresh_mistakes.record import (
    COMMON,
    LEGAL,
    NUMERICAL,
    RARE,
    REFUSAL,
    SIZE,
    STATE,
    VALUE,
    Answer,
    FreshMistake,
    Given,
    Wrong,
    fresh,
    inside,
    refusing,
    right,
    some,
    spoiled,
    unchecked,
)

_ALL: Final = ("warm_start", "model_forward", "model_loss", "model_gradient")
_GIVEN: Final = _ALL[1:]
_WORDS: Final = {"warm_start": "warm", "model_forward": "forward", "model_loss": "total-loss",
                 "model_gradient": "gradient"}  # fmt: skip


def _texts(given: Given) -> list[Array]:
    count = sum(name.startswith("document_") for name in given)
    return [given[f"document_{i}"] for i in range(count)]


def _with_texts(given: Given, texts: Sequence[Array]) -> dict[str, Any]:
    rest = {n: x for n, x in given.items() if not n.startswith("document_")}
    return {**rest, **{f"document_{i}": text for i, text in enumerate(texts)}}


def _other_texts(op: str, change: Callable[[list[Array]], Sequence[Array]]) -> Wrong:
    def wrong(given: Given) -> Answer:
        right(op, given)
        return right(op, _with_texts(given, change(_texts(given))))

    return wrong


def _shaped(op: str, **fields: Callable[[Any], Any]) -> Wrong:
    """The configuration read otherwise."""

    def wrong(given: Given) -> Answer:
        right(op, given)
        record = dict(given["configuration"])
        for name, change in fields.items():
            record[name] = change(record[name])
        return right(op, {**given, "configuration": record})

    return wrong


def _optioned(op: str, **options: Any) -> Wrong:
    """A layer option that is not read."""
    return _shaped(op, layer=lambda record: {**record, **options})


def _for(
    ops: Sequence[str], kind: str, likely: str, slug: str, about: str,
    wrong: Callable[[str], Wrong], shaped: Mapping[str, Any] | None = None,
    texts: list[list[int]] | None = None, **settings: Any,
) -> tuple[FreshMistake, ...]:  # fmt: skip
    """One mistake in several operations of whole models."""
    record = shape(**(shaped or {}))
    calls = {
        op: warm(record, texts, **settings) if op == "warm_start" else whole(record, texts)
        for op in ops
    }
    return tuple(
        fresh(op, kind, likely, f"{_WORDS[op]}-{slug}", about, wrong(op), calls[op]) for op in ops
    )


def _swap_towers(op: str, order: Callable[[list[str]], list[str]]) -> Wrong:
    """Towers are read in another order, and their hidden states stand in that order."""

    def wrong(given: Given) -> Answer:
        right(op, given)
        names = [str(c) for c in range(len(given["configuration"]["contexts"]))]
        moved = order(names)
        record = given["configuration"]
        h = record["label_bits"]
        rows = np.concatenate([np.arange(h) + h * int(c) for c in moved])
        if op == "warm_start":
            answer = right(op, given)
            return {**answer, "output": answer["output"][rows]}
        back = np.argsort(rows)
        answer = right(op, {**given, "output": given["output"][back]})
        if "output" in answer:
            answer["output"] = answer["output"][rows]
        return answer

    return wrong


def _as_text(names: list[str]) -> list[str]:
    return sorted(names)


def _second_document(op: str) -> Wrong:
    """Every document tower has the features of the first."""

    def wrong(given: Given) -> Answer:
        right(op, given)
        bags = [c for c, one in enumerate(given["configuration"]["contexts"])
                if one[0] == "Document"]  # fmt: skip
        other = dict(given)
        for c in bags[1:]:
            other[f"tower{c}.layer0.features"] = given[f"tower{bags[0]}.layer0.features"]
        return right(op, other)

    return wrong


def _third_layer(op: str) -> Wrong:
    """Every layer above the second has the weights of the second."""

    def wrong(given: Given) -> Answer:
        right(op, given)
        other = {
            n: given[".".join([n.split(".")[0], "layer1", n.split(".")[2]])]
            if ".layer" in n and int(n.split(".layer")[1][0]) > 1 else x
            for n, x in given.items()
        }  # fmt: skip
        return right(op, other)

    return wrong


def _plan_of_first_layer(op: str) -> Wrong:
    """Higher layers read only the sample's own hidden state."""
    real = batch._tower

    def tower(samples: Any, context: Any, depth: int, chosen: Array) -> Any:
        plans = real(samples, context, depth, chosen)
        if isinstance(plans, batch.DocumentPlan):
            return plans
        made = [plans[0]]
        for plan in plans[1:]:
            own = np.arange(len(plan.pivot))
            slots = np.where(plan.mask, plan.slots[own, plan.pivot][:, None], 0)
            made.append(plan._replace(slots=slots))
        return tuple(made)

    return inside(op, {"saffu.batch._tower": tower})


def _late(op: str, kind: Any, change: Callable[[Any, Any], Any]) -> Wrong:
    """Contexts of a kind are laid out otherwise; `change` gets the context and offsets."""
    name = f"saffu.contexts.{kind.__name__}.steps_back"
    real = kind.steps_back

    def steps_back(self: Any, offsets: Array) -> Any:
        return change(real(self, offsets), self)

    return inside(op, {name: steps_back})


def _mean_without_start(op: str) -> Wrong:
    def members(offsets: Array) -> Any:
        owner, at = contexts.earlier_samples(offsets)
        lonely = (offsets == 0)[owner]
        keep = (at > 0) | lonely
        return owner[keep], at[keep]

    return inside(op, {"saffu.contexts.DocumentContext.members":
                       lambda self, offsets: members(np.asarray(offsets))})  # fmt: skip


_DEEP: Final = {"depth": 2}
_THREE: Final = {"depth": 3}
_BLOCK: Final = {"contexts": [["Block", 3], ["Radial", 2]]}
_TWO_BAGS: Final = {"contexts": [["Document"], ["Radial", 2], ["Document"]]}
_ELEVEN: Final = {"contexts": [["Radial", 1 + c % 3] for c in range(11)] + [["Document"]],
                  "label_bits": 3}  # fmt: skip
_TWELVE: Final = [[0, 3, 4 + k % 3, 1] for k in range(10)] + [[0, 5, 2, 6, 1], [0, 2, 3, 2, 1]]
_SUM: Final = {"layer": {**LAYER, "aggregation": "sum"}}
_SURPRISAL: Final = {"layer": {**LAYER, "attention": "surprisal"}}
_UNIFORM: Final = {"layer": {**LAYER, "attention": "uniform"}}
_UNIT: Final = {"layer": {**LAYER, "gain": "unit"}}


def _shared() -> list[FreshMistake]:
    """Mistakes that several operations can have."""
    made: list[FreshMistake] = []

    def add(*arguments: Any, **others: Any) -> None:
        made.extend(_for(*arguments, **others))

    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "one-document",
        "documents are read as one",
        lambda op: _other_texts(op, lambda t: [np.concatenate(t)]),
    )
    add(
        _ALL,
        NUMERICAL,
        RARE,
        "without-last-target",
        "the last target of a document is left out",
        lambda op: _other_texts(op, lambda t: [x[:-1] if len(x) > 2 else x for x in t]),
    )
    add(
        _ALL,
        SIZE,
        COMMON,
        "first-document",
        "only the first document is read",
        lambda op: _other_texts(op, lambda t: t[:1]),
    )
    add(
        _ALL,
        SIZE,
        COMMON,
        "ten-documents",
        "documents after the tenth are not read",
        lambda op: _other_texts(op, lambda t: t[:10]),
        None,
        _TWELVE,
    )
    add(
        ("model_forward",),
        SIZE,
        COMMON,
        "documents-as-text",
        "documents are sorted as text",
        lambda op: _other_texts(op, lambda t: [t[int(k)] for k in sorted(map(str, range(len(t))))]),
        None,
        _TWELVE,
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "towers-reversed",
        "hidden states stand in reverse order",
        lambda op: _swap_towers(op, lambda names: names[::-1]),
    )
    add(
        _ALL,
        SIZE,
        COMMON,
        "towers-as-text",
        "tower 10 comes before tower 2",
        lambda op: _swap_towers(op, _as_text),
        _ELEVEN,
    )
    add(
        _GIVEN,
        SIZE,
        COMMON,
        "second-document-tower",
        "document towers share their features",
        _second_document,
        _TWO_BAGS,
    )
    add(
        _GIVEN,
        SIZE,
        COMMON,
        "third-layer",
        "the third layer has the weights of the second",
        _third_layer,
        _THREE,
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "own-hidden-only",
        "higher layers read the sample's own state",
        _plan_of_first_layer,
        _DEEP,
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "gain-not-read",
        "the gain is count always",
        lambda op: _optioned(op, gain="count"),
        _UNIT,
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "surprisal-not-read",
        "surprisal is softmax",
        lambda op: _optioned(op, attention="softmax"),
        _SURPRISAL,
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "uniform-not-read",
        "uniform attention is softmax",
        lambda op: _optioned(op, attention="softmax"),
        _UNIFORM,
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "block-as-radial",
        "the pivot of a block is its first slot",
        lambda op: _late(op, contexts.BlockContext, lambda c, _: c._replace(pivot=0 * c.pivot)),
        _BLOCK,
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "block-mask",
        "a block is filled from its end",
        lambda op: _late(
            op,
            contexts.BlockContext,
            lambda c, self: c._replace(
                slots=c.slots[:, ::-1], mask=c.mask[:, ::-1], pivot=self.length - 1 - c.pivot
            ),
        ),
        _BLOCK,
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "radial-reversed",
        "the farthest token stands in slot 0",
        lambda op: _late(
            op,
            contexts.RadialContext,
            lambda c, self: c._replace(
                slots=c.slots[:, ::-1], mask=c.mask[:, ::-1], pivot=self.radius - 1 - c.pivot
            ),
        ),
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "mean-without-start",
        "<sod> is not in the mean of a document",
        _mean_without_start,
    )
    add(
        _ALL,
        NUMERICAL,
        COMMON,
        "compare-scaled",
        "comparisons over the root of D",
        lambda op: inside(
            op,
            {
                "saffu.layer.compare_unchecked": lambda x, p: (
                    attention_compare(x, p) / np.sqrt(x.shape[2])
                )
            },
        ),
    )
    for op, words in _WORDS.items():
        usual = warm() if op == "warm_start" else whole()
        made += _refusals(op, words, usual)
    return made


attention_compare: Final = attention.compare_unchecked


def _layer_of(given: Given) -> Mapping[str, Any]:
    record: Mapping[str, Any] = given["configuration"]["layer"]
    return record


def _refusals(op: str, word: str, usual: Any) -> list[FreshMistake]:
    record = usual["configuration"]
    text = usual["document_1"]

    def named(name: str) -> Callable[[Given], Any]:
        return lambda g: g["configuration"][name]

    def with_record(**other: Any) -> dict[str, Any]:
        return {**usual, "configuration": {**record, **other}}

    def out(slug: str, about: str, when: Callable[[Given], Any], call: Any) -> FreshMistake:
        return fresh(op, REFUSAL, COMMON, f"{word}-{slug}", about, unchecked(op, when), call)

    made = [
        out(
            "no-documents",
            "no documents are accepted",
            lambda g: not _texts(g),
            _with_texts(usual, []),
        ),
        out(
            "document-of-one-token",
            "a document of one token adds nothing",
            lambda g: any(len(t) == 1 for t in _texts(g)),
            {**usual, "document_1": text[:1]},
        ),
        out(
            "other-start",
            "a document that begins with another token is accepted",
            lambda g: any(len(t) and t[0] > 0 for t in _texts(g)),
            {**usual, "document_1": put(text, 0, 3)},
        ),
        out(
            "negative-token",
            "token -1 is the last",
            lambda g: any(some(t < 0) for t in _texts(g)),
            {**usual, "document_1": put(text, 2, -1)},
        ),
        out(
            "token-beyond",
            "a token outside of the vocabulary is the last",
            lambda g: any(some(t[:-1] >= g["configuration"]["vocabulary"]) for t in _texts(g)),
            {**usual, "document_1": put(text, 2, 7)},
        ),
        out(
            "last-token-beyond",
            "a last target outside of the vocabulary passes",
            lambda g: any(t.size and t[-1] >= g["configuration"]["vocabulary"] for t in _texts(g)),
            {**usual, "document_1": put(text, -1, 7)},
        ),
        out(
            "no-contexts",
            "no context models are accepted",
            lambda g: not named("contexts")(g),
            with_record(contexts=[]),
        ),
        out(
            "unknown-context",
            "an unknown context model is Radial",
            lambda g: any(
                c[0] not in ("Radial", "Block", "Document") for c in named("contexts")(g)
            ),
            with_record(contexts=[["Window", 3], ["Document"]]),
        ),
        out(
            "radius-zero",
            "a radius of zero is accepted",
            lambda g: any(len(c) > 1 and c[1] == 0 for c in named("contexts")(g)),
            with_record(contexts=[["Radial", 0], ["Document"]]),
        ),
        out(
            "depth-zero",
            "a depth of zero is accepted",
            lambda g: named("depth")(g) == 0,
            with_record(depth=0),
        ),
        out(
            "vocabulary-of-one",
            "a vocabulary of one is accepted",
            lambda g: named("vocabulary")(g) == 1,
            with_record(vocabulary=1),
        ),
        out(
            "too-few-bits",
            "too few bits are accepted",
            lambda g: 2 ** named("bits")(g) - 1 < named("vocabulary")(g),
            with_record(bits=2),
        ),
        out(
            "too-few-label-bits",
            "too few bits of labels are accepted",
            lambda g: 2 ** named("label_bits")(g) - 1 < named("vocabulary")(g),
            with_record(label_bits=2),
        ),
        out(
            "unknown-attention",
            "unknown attention is softmax",
            lambda g: _layer_of(g)["attention"] not in ("softmax", "surprisal", "uniform"),
            with_record(layer={**LAYER, "attention": "dot"}),
        ),
        out(
            "unknown-gain",
            "an unknown gain is count",
            lambda g: _layer_of(g)["gain"] not in ("count", "unit"),
            with_record(layer={**LAYER, "gain": "two"}),
        ),
        out(
            "falling-radii",
            "falling radii are sorted",
            lambda g: list(named("radii")(g)) != sorted(named("radii")(g)),
            with_record(radii=[3, 1], combine="cat"),
        ),
        out(
            "unknown-field",
            "an unknown field of the configuration is ignored",
            lambda g: "width" in g["configuration"],
            with_record(width=3),
        ),
    ]
    if op == "warm_start":
        return made
    unread = {**usual, "embedding": put(usual["embedding"], (2, 0), np.nan)}
    w = "tower0.layer0.attention"
    return [
        *made,
        fresh(op, REFUSAL, COMMON, f"{word}-unread-nan", "NaN in an unread embedding passes",
              unchecked(op, lambda g: some(np.isnan(g["embedding"][_unread(g)]))), unread),
        fresh(op, REFUSAL, COMMON, f"{word}-unread-infinity",
              "infinity in an unread embedding passes",
              unchecked(op, lambda g: some(np.isinf(g["embedding"][_unread(g)]))),
              {**usual, "embedding": put(usual["embedding"], (2, 0), -np.inf)}),
        fresh(op, LEGAL, RARE, f"{word}-refuses-unread-negative",
              "a negative unread embedding is refused",
              refusing(op, lambda g: some(g["embedding"] < 0), "negative"),
              {**usual, "embedding": put(usual["embedding"], (2, 0), -1.0)}),
        fresh(op, REFUSAL, COMMON, f"{word}-negative-embedding",
              "a negative embedding that is read passes",
              unchecked(op, lambda g: some(g["embedding"][~_unread(g)] < 0)),
              {**usual, "embedding": put(usual["embedding"], (3, 0), -1.0)}),
        fresh(op, REFUSAL, COMMON, f"{word}-output-nan", "NaN in the output layer passes",
              unchecked(op, lambda g: some(np.isnan(g["output"]))),
              {**usual, "output": put(usual["output"], (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, f"{word}-attention-nan", "NaN in an attention W passes",
              unchecked(op, lambda g: w in g and some(np.isnan(g[w]))),
              {**usual, w: put(usual[w], (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, f"{word}-uniform-nan", "NaN in a W that nothing reads passes",
              unchecked(op, lambda g: _layer_of(g)["attention"] == "uniform" and any(
                  some(np.isnan(x)) for n, x in g.items() if n.endswith(".attention"))),
              {**with_record(layer={**LAYER, "attention": "uniform"}),
               w: put(usual[w], (0, 0), np.nan)}),
        fresh(op, REFUSAL, COMMON, f"{word}-tall-embedding", "rows beyond the vocabulary pass",
              unchecked(op, lambda g: len(g["embedding"]) > g["configuration"]["vocabulary"]),
              {**usual, "embedding": np.vstack([usual["embedding"]] * 2)}),
        fresh(op, REFUSAL, COMMON, f"{word}-output-of-other-height", "rows of O are not counted",
              unchecked(op, lambda g: len(g["output"]) > g["configuration"]["label_bits"] * len(
                  g["configuration"]["contexts"])),
              {**usual, "output": np.vstack([usual["output"]] * 2)}),
        fresh(op, LEGAL, COMMON, f"{word}-refuses-other-norms", "embeddings have to add up to one",
              refusing(op, lambda g: some(abs(g["embedding"].sum(-1) - 1) > 1e-6), "simplex"),
              {**usual, "embedding": 2 * usual["embedding"]}),
        fresh(op, VALUE, COMMON, f"{word}-embedding-normalised", "embeddings are normalised first",
              lambda g: right(op, g) and right(op, {**g, "embedding": g["embedding"] / np.where(
                  g["embedding"].sum(1, keepdims=True) == 0, 1,
                  g["embedding"].sum(1, keepdims=True))}),
              {**usual, "embedding": usual["embedding"] * np.arange(1, 8)[:, None]}),
        fresh(op, LEGAL, RARE, f"{word}-refuses-zero-embedding", "a zero row that is read fails",
              refusing(op, lambda g: some((g["embedding"] == 0).all(-1)), "zero-norm"),
              {**usual, "embedding": put(usual["embedding"], 3, 0.0)}),
    ]  # fmt: skip


def _unread(given: Given) -> Array:
    """Rows of the embedding that no context holds."""
    flags = np.ones(len(given["embedding"]), bool)
    for text in _texts(given):
        read = text[:-1]
        flags[read[(read >= 0) & (read < len(flags))]] = False
    return flags


class _FirstEmbedding:
    """The embedding of the first call of a shape stays."""

    def __init__(self, op: str) -> None:
        self.op = op
        self.kept: dict[tuple[int, ...], Array] = {}

    def __call__(self, given: Given) -> Answer:
        right(self.op, given)
        e = given["embedding"]
        return right(self.op, {**given, "embedding": self.kept.setdefault(e.shape, e)})


class _Sums:
    """Gradients are not reset between calls."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, tuple[int, ...]], Array] = {}

    def __call__(self, given: Given) -> Answer:
        answer = right("model_gradient", given)
        for name, x in answer.items():
            key = name, x.shape
            self.sums[key] = self.sums.get(key, 0.0) + x
        return {name: self.sums[name, x.shape].copy() for name, x in answer.items()}


class _Labels:
    """Codes of labels are kept by the vocabulary."""

    def __init__(self) -> None:
        self.labels: dict[tuple[int, int], Array] = {}
        self.real = start.label_embedding

    def __call__(self, given: Given) -> Answer:
        def cached(targets: Array, record: Any) -> Array:
            key = record.vocabulary, record.label_bits
            if key not in self.labels:
                self.labels[key] = self.real(targets, record)
            return self.labels[key]

        return inside("warm_start", {"saffu.warm.start.label_embedding": cached})(given)


def _count(given: Given) -> int:
    return sum(len(text) - 1 for text in _texts(given))


def _document_mean(given: Given) -> Answer:
    losses = [right("model_loss", _with_texts(given, [text]))["loss"] for text in _texts(given)]
    right("model_loss", given)
    return {"loss": np.mean(losses)}


def _without_end(given: Given) -> Answer:
    right("model_loss", given)
    total, count = 0.0, 0
    logits = right("model_forward", given)["logits"]
    logs = right("log_softmax", {"logits": logits})["log_probabilities"]
    at = 0
    for text in _texts(given):
        for target in text[1:]:
            total, count = (total, count) if target == 1 else (
                total - float(logs[at, target]), count + 1)  # fmt: skip
            at += 1
    return {"loss": np.asarray(total / max(count, 1))}


def _losses_and_forward() -> list[FreshMistake]:
    usual, op = whole(), "model_loss"
    changed = {**usual, "embedding": usual["embedding"][::-1].copy()}
    return [
        fresh(op, NUMERICAL, COMMON, "total-loss-sum", "the sum over targets",
              lambda g: {"loss": right(op, g)["loss"] * _count(g)}, usual),
        fresh(op, NUMERICAL, COMMON, "total-loss-mean-of-documents", "documents weigh the same",
              _document_mean, usual),
        fresh(op, NUMERICAL, COMMON, "total-loss-without-end", "<eod> is not counted",
              _without_end, usual),
        fresh(op, NUMERICAL, RARE, "total-loss-bits", "the loss in bits",
              spoiled(op, loss=lambda x: x / np.log(2)), usual),
        fresh(op, NUMERICAL, RARE, "total-loss-perplexity", "the perplexity",
              spoiled(op, loss=np.exp), usual),
        fresh(op, NUMERICAL, COMMON, "total-loss-with-start", "divided by the tokens, <sod> too",
              lambda g: {"loss": right(op, g)["loss"] * _count(g)
                         / (_count(g) + len(_texts(g)))}, usual),
        fresh("model_forward", NUMERICAL, COMMON, "forward-probabilities", "probabilities",
              spoiled("model_forward", logits=lambda z: right("softmax", {"logits": z})[
                  "probabilities"]), usual),
        fresh("model_forward", NUMERICAL, RARE, "forward-log-probabilities", "log-probabilities",
              spoiled("model_forward", logits=lambda z: right("log_softmax", {"logits": z})[
                  "log_probabilities"]), usual),
        *(
            FreshMistake(f"fresh-{_WORDS[one]}-first-embedding", "the first call's embedding stays",
                         one, STATE, COMMON, partial(_FirstEmbedding, one),
                         (usual, changed))
            for one in _GIVEN
        ),
    ]  # fmt: skip


def _gradients() -> list[FreshMistake]:
    op, usual, deep = "model_gradient", whole(), whole(shape(**_DEEP))
    bags = whole(shape(**_TWO_BAGS))

    def part(slug: str, about: str, likely: str, replaced: Mapping[str, Any], call: Any) -> Any:
        return fresh(op, NUMERICAL, likely, f"gradient-{slug}", about, inside(op, replaced), call)

    def last_wins(index: Array, x: Array, rows: int) -> Array:
        table = np.zeros((rows, x.shape[1]))
        table[index] = x
        return table

    real_mean, real_back = namespace.average_rows_vjp, layer.saffu_backward_unchecked

    def only(first: Callable[[str], bool]) -> Wrong:
        return lambda g: {n: x if first(n) else 0 * x for n, x in right(op, g).items()}

    return [
        fresh(op, NUMERICAL, COMMON, "gradient-sum", "gradients of the sum of losses",
              lambda g: {n: x * _count(g) for n, x in right(op, g).items()}, usual),
        part("last-token-wins", "rows of dE are set, not added up", COMMON,
             {"saffu.model.add_rows": last_wins}, usual),
        part("embedding-of-document-lost", "a document tower gives nothing to dE", COMMON,
             {"saffu.model.average_rows_vjp": lambda *x: 0 * real_mean(*x)}, usual),
        part("mean-not-divided", "a document tower's dE is not divided by the tokens", COMMON,
             {"saffu.model.average_rows_vjp": lambda d, e, token, owner, n: real_mean(
                 d * np.bincount(owner, minlength=n)[:, None], e, token, owner, n)}, usual),
        part("attention-weights-zero", "W gets no gradient", COMMON,
             {"saffu.model.saffu_backward_unchecked": lambda *x: _without(
                 "attention_weights", real_back(*x))}, usual),
        part("lower-layer-zero", "nothing flows below the top layer", COMMON,
             {"saffu.model.saffu_backward_unchecked": lambda *x: _without(
                 "inputs", real_back(*x))}, deep),
        fresh(op, NUMERICAL, RARE, "gradient-one-block-of-hidden",
              "every tower gets the first tower's dh", _first_block, usual),
        part("targets-as-logits", "d logits = p - y without M", RARE,
             {"saffu.model.cross_entropy_gradient_unchecked": lambda z, y: (
                 np.exp(z - z.max(1, keepdims=True))
                 / np.exp(z - z.max(1, keepdims=True)).sum(1, keepdims=True) - y)}, usual),
        part("softmax-adjoint-lost", "dq = dh in document towers", COMMON,
             {"saffu.model.softmax_vjp": lambda p, dp: dp}, usual),
        part("surprisal-as-softmax", "dz of surprisal is that of softmax", COMMON,
             {"saffu.layer.attend_vjp": lambda dw, state, mask, w, kind, gain: real_attend(
                 dw, state, mask, w, "softmax" if kind == "surprisal" else kind, gain)},
             whole(shape(**_SURPRISAL))),
        part("pivot-lost", "the pivot does not get its sum", COMMON,
             {"saffu.layer.compare_vjp": lambda dc, x, p: dc[..., None] * x[
                 np.arange(len(x)), p][:, None]}, usual),
        fresh(op, NUMERICAL, COMMON, "gradient-embedding-of-first-tower", "dE of one tower alone",
              _embedding_of_first_tower, usual),
        fresh(op, NUMERICAL, RARE, "gradient-frozen-embedding", "dE is zero",
              only(lambda n: n != "embedding"), usual),
        fresh(op, SIZE, RARE, "gradient-later-document-towers", "later document towers get none",
              lambda g: {n: 0 * x if n.endswith("features") and _bag(g, n) > 0 else x
                         for n, x in right(op, g).items()}, bags),
        fresh(op, VALUE, RARE, "gradient-clipped", "gradients have length 0.01 at most",
              lambda g: {n: x / max(1.0, 100 * np.sqrt((x**2).sum()))
                         for n, x in right(op, g).items()}, usual),
        FreshMistake("fresh-gradient-accumulates", "gradients are not reset", op, STATE, COMMON,
                     _Sums, (usual, usual)),
    ]  # fmt: skip


real_attend: Final = attention.attend_vjp


def _without(name: str, got: Any) -> Any:
    """Gradients with one of them zero."""
    return got._replace(**{name: 0 * getattr(got, name)})


def _setting(name: str, bad: Callable[[Any], Any]) -> Callable[[Given], bool]:
    """Whether a setting is bad."""
    return lambda g: g["settings"][name] is not None and bool(bad(g["settings"][name]))


def _bag(given: Given, name: str) -> int:
    """Which document tower an array belongs to; 0 for the first and for towers of slots."""
    c = int(name.split(".", maxsplit=1)[0].removeprefix("tower"))
    kinds = [one[0] for one in given["configuration"]["contexts"]]
    return kinds[:c].count("Document") if kinds[c] == "Document" else 0


def _first_block(given: Given) -> Answer:
    real, seen = model._tower_backward, list[Array]()

    def backward(d_hidden: Array, *rest: Any) -> Any:
        seen.append(d_hidden)
        return real(seen[0], *rest)

    return inside("model_gradient", {"saffu.model._tower_backward": backward})(given)


def _embedding_of_first_tower(given: Given) -> Answer:
    answer = right("model_gradient", given)
    real, calls = model._tower_backward, []

    def first(*arguments: Any) -> Any:
        d_layers, d_table = real(*arguments)
        calls.append(1)
        return d_layers, d_table if len(calls) == 1 else 0 * d_table

    alone = inside("model_gradient", {"saffu.model._tower_backward": first})(given)
    return {**answer, "embedding": alone["embedding"]}


def _set(op: str, **settings: Callable[[Mapping[str, Any]], Any]) -> Wrong:
    """Settings read otherwise."""

    def wrong(given: Given) -> Answer:
        right(op, given)
        record = dict(given["settings"])
        fields = {n: change(record) for n, change in settings.items()}
        return right(op, {**given, "settings": {**record, **fields}})

    return wrong


def _warms() -> list[FreshMistake]:
    op = "warm_start"
    usual, deep = warm(), warm(shape(**_DEEP), refits=1)
    three = warm(shape(**_THREE), refits=1)
    real_solve, real_upwards = warm_layer.solve_softmax, start._upwards
    real_ascent, real_targets = warm_layer.attention_ascent, hidden.hidden_targets_unchecked
    real_implied, real_layer = start._implied_targets, warm_layer.solve_layer_unchecked
    weights = solution.explicit_weights
    strong = {"kind": "backoff", "strength": 7.3}
    free = warm(hidden_temper=None, output_temper=None)
    negative = warm(hidden_temper=-0.4, output_temper=-0.3)
    embed = start.embed

    def part(
        slug: str, about: str, likely: str, replaced: Mapping[str, Any], call: Any = usual,
        kind: str = NUMERICAL,
    ) -> FreshMistake:  # fmt: skip
        return fresh(op, kind, likely, f"warm-{slug}", about, inside(op, replaced), call)

    def labels_of_tokens(given: Given) -> Answer:
        ids = np.concatenate(_texts(given)) if _texts(given) else np.zeros(0, int)
        real = start.label_embedding
        return inside(
            op, {"saffu.warm.start.label_embedding": lambda targets, record: real(ids, record)}
        )(given)

    def embed_targets(texts: Sequence[Array], record: Any) -> Array:
        return embed([np.asarray(text)[1:] for text in texts], record) if not record.radii else (
            embed(texts, record))  # fmt: skip

    def keeping_scale(record: Any, **other: Any) -> Any:
        return replace(record, **{n: x for n, x in other.items() if n != "scale"})

    def mean_targets(problem: Any, tower: Any, solved: Any) -> Any:
        m = len(problem.targets)
        return real_implied(problem._replace(targets=problem.targets / m), tower, solved)

    def unclipped_chain(problem: Any, tower: Any, solved: Any) -> Any:
        goals = real_implied(problem, tower, solved)
        return [goals[-2] if len(goals) > 1 else goals[0]] * (len(goals) - 1) + goals[-1:]

    def from_labels(problem: Any, tower: Any, solved: Any) -> Any:
        return [problem.targets] * len(tower)

    def top_stays(problem: Any, tower: Any, goals: Any) -> Any:
        solved = real_upwards(problem, tower, goals)
        if all(goal is problem.targets for goal in goals):
            without.clear()
            without.append(solved[-1])
            return solved
        return [*solved[:-1], without[0]]

    without: list[Any] = []

    def bottom_only(problem: Any, tower: Any, solved: Any) -> Any:
        goals = real_implied(problem, tower, solved)
        return [problem.targets, *goals[1:]] if len(goals) > 2 else goals

    def top_two_only(problem: Any, tower: Any, solved: Any) -> Any:
        goals = real_implied(problem, tower, solved)
        return [goals[0], *[problem.targets] * (len(goals) - 1)] if len(goals) > 2 else goals

    def ignoring_scale_in_bags(features: Any, targets: Any, how: Any) -> Any:
        return real_solve(features, targets, replace(how, scale=1.0))

    return [
        fresh(op, NUMERICAL, COMMON, "warm-labels-of-tokens",
              "labels are ranked by how often a token occurs, <sod> too", labels_of_tokens, usual),
        part("embedding-of-targets", "embeddings are ranked by how often a token is a target",
             COMMON, {"saffu.warm.start.embed": embed_targets}),
        fresh(op, NUMERICAL, COMMON, "warm-radii-not-read", "the embedding is the cipher always",
              _shaped(op, radii=lambda r: [] if len(r) == 1 else r),
              warm(shape(radii=[2], combine="sum"))),
        fresh(op, NUMERICAL, RARE, "warm-rounds-not-read", "one round always",
              _set(op, rounds=lambda r: 1), warm(rounds=2)),
        fresh(op, SIZE, RARE, "warm-two-rounds", "at most two rounds",
              _set(op, rounds=lambda r: min(r["rounds"], 2)), warm(rounds=3)),
        fresh(op, NUMERICAL, COMMON, "warm-no-rounds", "W is not solved",
              _set(op, rounds=lambda r: 0), usual),
        fresh(op, NUMERICAL, COMMON, "warm-refits-not-read", "no refits",
              _set(op, refits=lambda r: 0), deep),
        fresh(op, SIZE, RARE, "warm-one-refit", "at most one refit",
              _set(op, refits=lambda r: min(r["refits"], 1)), warm(shape(**_DEEP), refits=2)),
        fresh(op, NUMERICAL, COMMON, "warm-hidden-smoothing-for-output", "one for U and O",
              _set(op, output_smoothing=lambda r: r["hidden_smoothing"]),
              warm(output_smoothing=strong)),
        fresh(op, NUMERICAL, COMMON, "warm-hidden-smoothing-for-attention", "one for U and W",
              _set(op, attention_smoothing=lambda r: r["hidden_smoothing"]),
              warm(attention_smoothing=strong)),
        fresh(op, NUMERICAL, COMMON, "warm-output-temper-of-hidden", "one temper for U and O",
              _set(op, output_temper=lambda r: r["hidden_temper"]), usual),
        fresh(op, NUMERICAL, COMMON, "warm-hidden-temper-not-read", "lambda of U is 1",
              _set(op, hidden_temper=lambda r: 1.0), usual),
        fresh(op, NUMERICAL, COMMON, "warm-scale-not-read", "the factor on lambda is 1",
              _set(op, hidden_scale=lambda r: 1.0), usual),
        fresh(op, NUMERICAL, COMMON, "warm-scale-of-output", "the factor is on lambda of O too",
              _set(op, output_temper=lambda r: r["output_temper"] and (
                  r["output_temper"] * r["hidden_scale"])), usual),
        fresh(op, NUMERICAL, COMMON, "warm-null-is-one", "a temper of null is 1",
              _set(op, hidden_temper=lambda r: 1.0 if r["hidden_temper"] is None
                   else r["hidden_temper"],
                   output_temper=lambda r: 1.0 if r["output_temper"] is None
                   else r["output_temper"]), free),
        fresh(op, VALUE, COMMON, "warm-negative-tempers", "negative tempers are zero",
              _set(op, hidden_temper=lambda r: r["hidden_temper"] and max(r["hidden_temper"], 0.0),
                   output_temper=lambda r: r["output_temper"] and max(r["output_temper"], 0.0)),
              negative),
        fresh(op, LEGAL, COMMON, "warm-refuses-negative-tempers", "negative tempers are refused",
              refusing(op, lambda g: any((g["settings"][n] or 0) < 0 for n in (
                  "hidden_temper", "output_temper")), "option"), negative),
        fresh(op, LEGAL, COMMON, "warm-refuses-zero-temper", "a temper of zero is refused",
              refusing(op, lambda g: 0 in (g["settings"]["hidden_temper"],
                                           g["settings"]["output_temper"]), "option"),
              warm(hidden_temper=0.0)),
        fresh(op, LEGAL, RARE, "warm-refuses-no-rounds", "no rounds are refused",
              refusing(op, lambda g: g["settings"]["rounds"] == 0, "option"), warm(rounds=0)),
        fresh(op, LEGAL, RARE, "warm-refuses-refits-of-one-layer", "refits of one layer fail",
              refusing(op, lambda g: g["settings"]["refits"] > 0
                       and g["configuration"]["depth"] == 1, "option"), warm(refits=1)),
        part("scale-everywhere", "the factor is on lambda of every U, also that which leads to W",
             COMMON, {"saffu.warm.layer.replace": keeping_scale}),
        part("scale-of-slots-only", "document towers have no factor", RARE,
             {"saffu.warm.start.solve_softmax": ignoring_scale_in_bags}),
        part("prior-scaled", "the factor multiplies the prior too", COMMON,
             {"saffu.warm.layer.tempered_weights_unchecked": lambda f, lam, k: np.asarray(
                 lam) * weights(f, k)}),
        part("temper-on-evidence-of-counts", "U is lambda log F + log n / K", RARE,
             {"saffu.warm.layer.tempered_weights_unchecked": lambda f, lam, k: np.asarray(
                 lam) * np.log(f) + np.log(f.sum(0)) / k}),
        part("attention-priming-one", "W is solved with K = 1", COMMON,
             {"saffu.warm.layer.explicit_weights": lambda f, k: np.log(f)}),
        part("attention-of-attention", "W is solved for attention, not for hidden targets", RARE,
             {"saffu.warm.layer.hidden_targets_unchecked": lambda a, g: a}),
        part("ascent-sign", "hidden targets of attention go the other way", COMMON,
             {"saffu.warm.layer.attention_ascent": lambda *x: -real_ascent(*x)}),
        part("ascent-without-gain", "the gain is not in G", COMMON,
             {"saffu.warm.layer.gains": lambda mask, gain, dtype: np.ones((len(mask), 1))}),
        part("ascent-mean", "G is divided by M", COMMON,
             {"saffu.warm.layer.attention_ascent": lambda state, *x: real_ascent(state, *x) / len(
                 state.hidden)}),
        part("targets-unclipped", "negative hidden targets are put to 1e-3", RARE,
             {"saffu.warm.layer.hidden_targets_unchecked": lambda a, g: np.maximum(
                 real_targets(a, g, clip=False), 1e-3 * (a > 0))},
             warm(hidden_temper=6.0)),
        part("refit-targets-of-mean", "targets are implied by the mean loss", COMMON,
             {"saffu.warm.start._implied_targets": mean_targets}, deep),
        part("refit-to-labels", "refits are to the labels again", RARE,
             {"saffu.warm.start._implied_targets": lambda problem, tower, solved: [
                 0.5 * (a + b) for a, b in zip(from_labels(problem, tower, solved), real_implied(
                     problem, tower, solved), strict=True)]}, deep),
        part("refit-top-stays", "the top layer is not solved again", COMMON,
             {"saffu.warm.start._upwards": top_stays}, deep),
        part("refit-middle-for-bottom", "the bottom layer gets the targets of the next", COMMON,
             {"saffu.warm.start._implied_targets": unclipped_chain}, three, SIZE),
        part("refit-two-layers", "the bottom of three layers keeps the labels", COMMON,
             {"saffu.warm.start._implied_targets": bottom_only}, three, SIZE),
        part("refit-bottom-only", "of three layers only the bottom one is solved for targets", RARE,
             {"saffu.warm.start._implied_targets": top_two_only}, three, SIZE),
        part("refit-through-clipped", "the chain goes on from clipped targets", RARE,
             {"saffu.warm.start._implied_targets": _through_clipped},
             warm(shape(**_THREE), refits=1, hidden_temper=6.0)),
        part("embedding-for-all-layers", "layers above read states without the factor", RARE,
             {"saffu.warm.start.solve_layer_unchecked": lambda given, goal, options, settings: (
                 real_layer(given, goal, options, settings)._replace(
                     state=_unscaled(given, goal, options, settings, real_layer)))}, deep),
        fresh(op, NUMERICAL, RARE, "warm-output-of-labels", "O predicts from zero states",
              spoiled(op, output=lambda o: o - o.mean(0)), usual),
        fresh(op, SIZE, RARE, "warm-two-towers", "towers after the second share its weights",
              _shared_towers, warm(shape(contexts=[["Radial", 2]] * 2 + [["Block", 2]]))),
        fresh(op, REFUSAL, COMMON, "warm-scale-zero", "a factor of zero is accepted",
              unchecked(op, lambda g: g["settings"]["hidden_scale"] == 0), warm(hidden_scale=0.0)),
        fresh(op, REFUSAL, COMMON, "warm-scale-negative", "a negative factor is accepted",
              unchecked(op, lambda g: g["settings"]["hidden_scale"] < 0), warm(hidden_scale=-1.0)),
        fresh(op, REFUSAL, COMMON, "warm-scale-infinite", "an infinite factor is accepted",
              unchecked(op, lambda g: g["settings"]["hidden_scale"] == np.inf),
              warm(hidden_scale=np.inf)),
        *(
            fresh(op, REFUSAL, COMMON, f"warm-{name}-{word}".replace("_", "-"),
                  f"{name} of {word} is accepted",
                  unchecked(op, _setting(name, bad)), warm(None, None, **{name: value}))
            for name in ("hidden_temper", "output_temper")
            for word, value, bad in (
                ("nan", np.nan, np.isnan), ("infinity", np.inf, np.isposinf),
                ("minus-infinity", -np.inf, np.isneginf))
        ),
        *(
            fresh(op, REFUSAL, COMMON, f"warm-{name}-negative", f"negative {name} are none",
                  unchecked(op, _setting(name, lambda x: x < 0)), warm(None, None, **{name: -1}))
            for name in ("rounds", "refits")
        ),
        fresh(op, REFUSAL, COMMON, "warm-rounds-fractional", "rounds of 1.5 are 1",
              unchecked(op, lambda g: g["settings"]["rounds"] % 1 != 0), warm(rounds=1.5)),
        *(
            fresh(op, REFUSAL, COMMON, f"warm-{name}-negative".replace("_", "-"),
                  f"a negative strength of {name} is accepted",
                  unchecked(op, _setting(name, lambda x: x["strength"] < 0)),
                  warm(None, None, **{name: {"kind": "backoff", "strength": -1.0}}))
            for name in ("hidden_smoothing", "attention_smoothing", "output_smoothing")
        ),
        fresh(op, REFUSAL, COMMON, "warm-discounted-fractions", "fractions are discounted",
              unchecked(op, lambda g: any(g["settings"][n]["kind"] == "discount" for n in (
                  "hidden_smoothing", "attention_smoothing", "output_smoothing"))),
              warm(hidden_smoothing={"kind": "discount", "strength": 0.5})),
        FreshMistake("fresh-warm-labels-of-before", "labels are kept by the vocabulary", op, STATE,
                     RARE, _Labels, (warm(None, [[0, 6, 6, 5, 1]]), usual)),
    ]  # fmt: skip


def _through_clipped(problem: Any, tower: Any, solved: Any) -> Any:
    """The gradient goes on below as that of the clipped targets."""
    goals = [problem.targets]
    top = solved[-1].state.hidden
    d = -problem.targets / np.where(top > 0, top, 1.0)
    for level in reversed(range(1, len(tower))):
        one, step, below = solved[level], tower[level], solved[level - 1].state.hidden
        got = layer.saffu_backward_unchecked(
            d, one.state, model.look_up(below, step), step.mask, step.pivot,
            one.parameters.attention, one.parameters.features, problem.options)  # fmt: skip
        d = model.look_up_vjp(got.inputs, step, below.shape[0])
        goals.append(hidden.hidden_targets_unchecked(below, -d))
        d = -goals[-1] / below
    return goals[::-1]


def _unscaled(given: Any, goal: Any, options: Any, settings: Any, solve: Any) -> Any:
    """The state of the layer without the factor on lambda."""
    return solve(given, goal, options, replace(settings, hidden_scale=1.0)).state


def _shared_towers(given: Given) -> Answer:
    answer = right("warm_start", given)
    for name, x in list(answer.items()):
        second = f"tower1.{name.partition('.')[2]}"
        if (
            name.startswith("tower")
            and name[5:6].isdigit()
            and int(name.split(".")[0][5:]) > 1
            and second in answer
            and answer[second].shape == x.shape
        ):
            answer[name] = answer[second]  # fmt: skip
    return answer


MISTAKES: Final = (*_shared(), *_losses_and_forward(), *_gradients(), *_warms())
