"""Exceptions: one root, and below it the built-in exception that callers expect.   (SPEC 8)

    SaffuError(Exception)                       everything that saffu raises on purpose
    ├── BadInput(ValueError)                    an argument, an array entry, a setting, a record
    ├── BadFile(OSError)                        a file that cannot be read or written as it should
    ├── Missing(ImportError)                    an optional package or program
    ├── WorkerLost(RuntimeError), ProcessFailed(RuntimeError), NoScheduler(ConnectionError)
    └── Interrupted(KeyboardInterrupt)          Ctrl-C, after what was reached has been kept

An error says what was expected, what was given and what to do.  It carries the offending value, and
a `reason`, a short code that ports in other languages report for the same mistake.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final


class SaffuError(Exception):
    """The root of all errors of this package."""

    reason: ClassVar[str] = "error"

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle by contents, not by `__init__`: errors travel between processes unchanged."""
        return _restored, (type(self), self.args, self.__dict__)


def _restored(
    kind: type[SaffuError], args: tuple[Any, ...], contents: dict[str, Any]
) -> SaffuError:
    """The same error, whatever parameters its `__init__` has."""
    error = kind.__new__(kind, *args)
    super(SaffuError, error).__init__(*args)  # that of OSError sets args, that of ImportError msg
    error.__dict__.update(contents)
    return error


class BadInput(SaffuError, ValueError):
    """The root of all refusals of bad input."""

    reason: ClassVar[str] = "refused"


class NotFitted(BadInput):
    """An estimator without parameters is asked to predict or to train."""

    reason: ClassVar[str] = "not-fitted"

    def __init__(self, what: str) -> None:
        super().__init__(
            f"the {what} is not fitted; call warm_start() or cold_start(), or load one"
        )


class NotAnArray(BadInput):
    """A list, a frame, a sparse or masked array, or anything else where an array is needed."""

    reason: ClassVar[str] = "array"

    def __init__(self, name: str, got: str, advice: str) -> None:
        super().__init__(f"{name}: expected a NumPy array, got {got}; {advice} (SPEC 8)")
        self.name: Final = name


class WrongType(BadInput):
    """Something of another type than an argument has: a tuple for a record, a list for a corpus."""

    reason: ClassVar[str] = "option"

    def __init__(self, name: str, expected: str, value: object) -> None:
        kind = type(value)
        module = kind.__module__.partition(".")[0]
        got = kind.__name__ if module in ("builtins", "saffu") else f"{module}.{kind.__name__}"
        super().__init__(f"{name}: expected {expected}, got {got} (SPEC 8)")
        self.name: Final = name
        self.expected: Final = expected


class WrongShape(BadInput):
    """Two arrays that should agree in a dimension do not, or one has the wrong number of them."""

    reason: ClassVar[str] = "shape"

    def __init__(self, name: str, expected: str, got: tuple[int, ...], source: str) -> None:
        super().__init__(
            f"{name} must have shape {expected}, got {got}; "
            f"check that samples are rows and that the arrays belong together ({source})"
        )
        self.name: Final = name
        self.got: Final = got


class NoSamples(BadInput):
    """There is nothing to count."""

    reason: ClassVar[str] = "no-samples"

    def __init__(self, name: str, source: str) -> None:
        super().__init__(f"{name} must hold at least one sample, got none ({source})")
        self.name: Final = name


def _entry(name: str, index: tuple[int, ...]) -> str:
    """The name of one entry or row; of an array without dimensions left, that of the array."""
    return f"{name}[{', '.join(map(str, index))}]" if index else name


class BadEntry(BadInput):
    """One entry of an array is not allowed; the first one is named."""

    reason: ClassVar[str] = "entry"
    expected: str
    """what the entry must be"""
    advice: str
    """why, and what to do"""

    def __init__(self, name: str, index: tuple[int, ...], value: object, source: str) -> None:
        entry = _entry(name, index)
        super().__init__(f"{entry} must be {self.expected}, got {value}: {self.advice} ({source})")
        self.name: Final = name
        self.index: Final = index
        self.value: Final = value


class NegativeEntry(BadEntry):
    """Features and targets count things, so they cannot be negative."""

    reason: ClassVar[str] = "negative"
    expected = ">= 0"
    advice = (
        "explicit solutions count co-occurrences; "
        "shift or rectify the values, or split them into a positive and a negative part"
    )


class SignedInput(BadEntry):
    """The inputs of a SAFFU layer left the simplex."""

    reason: ClassVar[str] = "negative"
    expected = ">= 0"
    advice = (
        "the layer is defined on non-negative inputs; a trained embedding may leave the simplex: "
        "train with project='simplex', or pass signed=True to compute with it as it is"
    )


class NonFiniteEntry(BadEntry):
    """NaN or infinity came in."""

    reason: ClassVar[str] = "non-finite"
    expected = "a finite number"
    advice = "find out where it arose, or drop the sample"


class InexactEntry(BadEntry):
    """A whole or very precise number that float64 would round."""

    reason: ClassVar[str] = "inexact"
    expected = "a number that float64 holds exactly, such as a whole number up to 2^53"
    advice = "round it with x.astype(np.float64), or divide all numbers by a power of two"


class TooLargeEntry(BadEntry):
    """A number that single precision does not hold."""

    reason: ClassVar[str] = "inexact"
    expected = "at most 3.4e38, the largest number of float32"
    advice = "use dtype='float64', or scale the numbers down"


class ZeroEntry(BadEntry):
    """A count of zero where its logarithm is needed."""

    reason: ClassVar[str] = "zero-count"
    expected = "> 0"
    advice = "its logarithm is needed; smooth the counts first, as with smooth(F, Backoff(1.0))"


class FractionalCount(BadEntry):
    """A count that is not whole, where whole counts are taken apart."""

    reason: ClassVar[str] = "fraction"
    expected = "a whole number"
    advice = (
        "Discount takes the same amount from every cell of whole counts (one-hot features); "
        "use Backoff(1.0) for weighted features"
    )


class TokenOutOfRange(BadEntry):
    """A token id that the vocabulary or the embedding does not have."""

    reason: ClassVar[str] = "token-range"
    advice = "encode the text with the vocabulary that the model was made with"

    def __init__(self, name: str, index: tuple[int, ...], value: object, size: int) -> None:
        self.expected = f"a token id in 0 … {size - 1}"
        super().__init__(name, index, value, "SPEC 8")
        self.size: Final = size


class LabelOutOfRange(BadEntry):
    """A class that the network does not have."""

    reason: ClassVar[str] = "label-range"
    advice = "correct the label, or give the network more classes"

    def __init__(self, name: str, index: tuple[int, ...], value: object, size: int) -> None:
        self.expected = f"a label in 0 … {size - 1}"
        super().__init__(name, index, value, "SPEC 8")
        self.size: Final = size


class NegativeToken(BadEntry):
    """A token id below zero, where the size of the vocabulary is not known."""

    reason: ClassVar[str] = "token-range"
    expected = "a token id >= 0"
    advice = "encode the text with a vocabulary"


class EmptyTarget(BadInput):
    """A row of targets that is all zero asks for nothing."""

    reason: ClassVar[str] = "zero-target"

    def __init__(self, name: str, row: int) -> None:
        super().__init__(
            f"{name}[{row}] must have a positive entry, got a row of zeros: "
            "the sample has no target; drop it, or give it a target (SPEC 8)"
        )
        self.row: Final = row


class OffSimplex(BadInput):
    """A row that should be a distribution does not add up to one."""

    reason: ClassVar[str] = "simplex"

    def __init__(self, name: str, row: tuple[int, ...], total: float, source: str) -> None:
        super().__init__(
            f"{_entry(name, row)} must add up to 1, got {total:g}; "
            f"pass what softmax returned ({source})"
        )
        self.name: Final = name
        self.row: Final = row
        self.total: Final = total


class ZeroNorm(BadInput):
    """All features of all samples are zero, so the priming number is zero."""

    reason: ClassVar[str] = "zero-norm"

    def __init__(self, name: str) -> None:
        super().__init__(
            f"{name}: the mean norm of the features must be > 0, got 0: (K-1)/K has no value; "
            "give at least one positive feature, or pass the priming number K > 0 (SPEC 1)"
        )


class ZeroCount(BadInput):
    """A cell of F is zero and nothing smooths it, so its logarithm has no value."""

    reason: ClassVar[str] = "zero-count"

    def __init__(self, feature: int, target: int, advice: str) -> None:
        super().__init__(
            f"the count of feature {feature} with target {target} must be > 0, got 0: "
            f"the weight is its logarithm; {advice} (SPEC 1, zeros)"
        )
        self.feature: Final = feature
        self.target: Final = target


class BadOption(BadInput):
    """A setting outside of what it may be."""

    reason: ClassVar[str] = "option"

    def __init__(self, name: str, value: object, expected: str, source: str) -> None:
        super().__init__(f"{name} must be {expected}, got {value!r} ({source})")
        self.name: Final = name
        self.value: Final = value


class TooFewBits(BadInput):
    """2^b - 1 distinct non-zero codes are not enough for the vocabulary."""

    reason: ClassVar[str] = "bits"

    def __init__(self, size: int, bits: int) -> None:
        super().__init__(
            f"bits must be at least {size.bit_length()} for {size} tokens, got {bits}: "
            f"{bits} bits give {2**bits - 1} distinct non-zero codes, one per token (SPEC 2)"
        )
        self.size: Final = size
        self.bits: Final = bits


class InvalidPivot(BadInput):
    """The query of a context lies on a slot that holds nothing, or outside of the context."""

    reason: ClassVar[str] = "pivot"

    def __init__(self, row: int, pivot: int, slots: int) -> None:
        super().__init__(
            f"pivot[{row}] must be a valid slot of its context of {slots} slots, got {pivot}; "
            "pass an index whose mask is True (SPEC 3)"
        )
        self.row: Final = row
        self.pivot: Final = pivot


class EmptyMask(BadInput):
    """A row without any valid entry has no softmax."""

    reason: ClassVar[str] = "empty-mask"

    def __init__(self, row: tuple[int, ...]) -> None:
        super().__init__(
            f"{_entry('mask', row)} must have at least one valid entry, got none: the softmax "
            "over it has no value; drop the row, or mark an entry as valid (SPEC 4)"
        )
        self.row: Final = row


class NotConverged(BadInput):
    """An optimum was not reached, or there is none at a finite place."""

    reason: ClassVar[str] = "not-converged"


class Diverged(NotConverged):
    """Training left the finite numbers; `state` is the last one before that."""

    def __init__(self, problem: str, rate: float, state: Any) -> None:
        super().__init__(
            f"training diverged ({problem}); lower the learning rate, which is {rate:g}; "
            "the best parameters before that are kept (SPEC 6)"
        )
        self.state: Final = state


class BadFile(SaffuError, OSError):
    """A file that is not what it should be: another schema, cut short, or changed."""

    reason: ClassVar[str] = "file"

    def __init__(self, path: object, problem: str, advice: str) -> None:
        super().__init__(f"{path}: {problem}; {advice} (SPEC 8)")
        self.path: Final = path
        self.problem: Final = problem


class NotUtf8(BadFile):
    """A text file that is not UTF-8; the offset counts bytes of the unpacked text."""

    reason: ClassVar[str] = "utf-8"

    def __init__(self, path: object, offset: int, byte: int, advice: str | None = None) -> None:
        convert = "convert it, for example with: iconv -f WINDOWS-1252 -t UTF-8"
        super().__init__(
            path,
            f"byte {offset} (0x{byte:02x}) is not UTF-8",
            f"{advice or convert}; or leave it out by suffixes=(…)",
        )
        self.offset: Final = offset


class BadRecord(BadInput):
    """A record read back from JSON lacks a field, or a field is not what it should be."""

    reason: ClassVar[str] = "record"

    def __init__(self, record: str, problem: str) -> None:
        super().__init__(
            f"the record of a {record} is not usable: {problem}; "
            "it should be what to_json() of the same class returned (SPEC 8)"
        )
        self.record: Final = record
        self.problem: Final = problem


class DuplicateToken(BadEntry):
    """Two ids for one token."""

    reason: ClassVar[str] = "duplicate-token"
    expected = "unlike all tokens before it"
    advice = "every token has one id; remove one of the two"


class Missing(SaffuError, ImportError):
    """An optional package or program that is not installed."""

    reason: ClassVar[str] = "missing"

    def __init__(self, needs: str, what: str, install: str) -> None:
        super().__init__(
            f"{needs} needs {what}, which is not installed; install it with: {install}"
        )
        self.what: Final = what
        self.install: Final = install


class WorkerLost(SaffuError, RuntimeError):
    """A part of the data whose workers end without an answer, again and again."""

    reason: ClassVar[str] = "worker"

    def __init__(self, part: int, times: int) -> None:
        super().__init__(
            f"part {part} of the data was begun {times} times, and every time its worker ended "
            "without an answer, as it does where memory runs out; use fewer workers, a smaller "
            "model, or engine='serial' (SPEC 1)"
        )
        self.part: Final = part
        self.times: Final = times


class ProcessFailed(SaffuError, RuntimeError):
    """A process of the laboratory that ended without an answer."""

    reason: ClassVar[str] = "worker"

    def __init__(self, doing: str, advice: str) -> None:
        super().__init__(f"the process for {doing} ended without an answer; {advice}")
        self.doing: Final = doing


class NoScheduler(SaffuError, ConnectionError):
    """A cluster that does not answer, or has no workers."""

    reason: ClassVar[str] = "scheduler"

    def __init__(self, address: str, problem: str) -> None:
        super().__init__(
            f"the Dask scheduler at {address}: {problem}; start one with 'dask scheduler' and "
            "workers with 'dask worker ADDRESS', and give its address, such as tcp://10.0.0.1:8786"
        )
        self.address: Final = address


class Interrupted(SaffuError, KeyboardInterrupt):
    """Work was stopped from outside, by Ctrl-C or SIGTERM; what was reached is kept."""

    reason: ClassVar[str] = "interrupted"


class TrainingInterrupted(Interrupted):
    """Training was stopped; `state` is what was reached, `path` the checkpoint that holds it."""

    def __init__(self, stage: str, state: Any, path: object = None) -> None:
        kept = f"; what was reached is in {path}, and can be resumed" if path else ""
        super().__init__(f"training was interrupted in {stage}{kept}")
        self.stage: Final = stage
        self.state: Final = state
        self.path: Final = path
