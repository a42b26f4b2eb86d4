"""Tasks that are killed at random moments and resumed, and what must hold of them.

A round begins in a folder with nothing but the task's input.  The task is started, killed, started
again as its user would, killed again with probability one half, … until it is left alone.  Then
everything it leaves must be what an uninterrupted run leaves: the same files, with the same bits,
except for measured times.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from saffu.errors import SaffuError
from saffu.files import read_about, read_file
from saffu.models.transformer import SCHEMA as MODEL
from saffu.models.transformer import SaffuTransformer
from spec_tests.support.launcher import Ended, Launcher, Shot
from spec_tests.support.texts import sentences

TEXT = "\n\n".join(sentences(seed=11, count=400))
FIT = ["fit", "text.txt", "-o", "model", "--preset", "tiny", "--vocabulary", "19"]
TRAIN = [*FIT, "--epochs", "4", "--thaw-epochs", "3", "--batch", "64"]
POOL = [*FIT, "--explicit-only", "--engine", "pool", "--workers", "2"]
MAP = """
[text]
names = ["text.txt"]
vocabulary = 19
targets = 400
[space]
contexts = ["radial:2"]
embedding = ["cipher"]
bits = [11]
label_bits = [7]
attention = ["softmax", "uniform"]
[search]
hidden = [10.0]
factors = [3.0]
smoothing = [10.0]
[walk]
models = 2
[training]
best = 1
random_share = 0.5
rates = [0.01]
checks = 1
frozen = 1
thawed = 1
cold = false
"""
BEGIN = """\
import signal, sys
from dataclasses import replace
from pathlib import Path
from saffu.progress.interruption import interruptible
from spec_tests.support.texts import corpora
"""
END = """
try:
    with interruptible(signal.SIGINT, signal.SIGTERM, to_the_end=True):
        run()
except KeyboardInterrupt:
    sys.exit(130)
"""
TRAINING = f"""{BEGIN}
from saffu.configuration import TINY
from saffu.files import read_about
from saffu.models.training import Schedule
from saffu.models.transformer import SCHEMA as MODEL
from saffu.models.transformer import SaffuTransformer

def run():
    train, validation, vocabulary, tokeniser = corpora()
    shape = replace(TINY, vocabulary=len(vocabulary))
    model = SaffuTransformer(shape, tokeniser, vocabulary)
    model.cold_start(train, scale=1.0, seed=3)
    how = Schedule(batch=32, frozen_epochs=5, thawed_epochs=4, checkpoint_seconds=0.02)
    there = Path("model").exists()
    if there and "training" not in read_about("model").header:
        return  # all is done
    model.train(train, validation, how, checkpoint="model", resume=there)
    model.save("model")
{END}"""
COUNTING = f"""{BEGIN}
import numpy as np
from saffu.counts import cooccurrence
from saffu.files.countfile import load_counts, save_counts

def run():
    train, _, vocabulary, _ = corpora(count=600)
    of, size, parts = vocabulary.fingerprint, len(vocabulary), list(train.parts(300))
    for number, part in enumerate(parts):
        path = Path(f"{{number}}.counts")
        if not path.exists():
            rows = np.eye(size)
            chunks = [(rows[c.tokens], rows[c.targets]) for c in part.chunks(100)]
            sums = [cooccurrence(*chunk) for chunk in chunks]
            save_counts(sum(sums[1:], sums[0]), path, of=of)
    whole = load_counts("0.counts", of=of)
    for number in range(1, len(parts)):
        whole = whole + load_counts(f"{{number}}.counts", of=of)
    save_counts(whole, "whole.counts", of=of)
{END}"""


@dataclass(frozen=True)
class Task:
    """A program whose work can be killed and resumed."""

    words: Callable[[Path], list[str]]
    """what a user starts, given what lies in the folder"""
    given: Mapping[str, str]
    """files that are there at the beginning"""
    meanwhile: str = r"(?!)"
    """files that are there while it works, as a regular expression"""


def plain(*words: str) -> Callable[[Path], list[str]]:
    """The same words whatever is there."""
    return lambda _: list(words)


def fit_again(folder: Path) -> list[str]:
    """With `--resume` if the file holds an interrupted training."""
    path = folder / "model"
    unfinished = path.exists() and "training" in read_about(path).header
    return [*TRAIN, "--resume"] if unfinished else list(TRAIN)


TASKS: Final = {
    "fit": Task(fit_again, {"text.txt": TEXT}),
    "fit with a pool": Task(plain(*POOL), {"text.txt": TEXT}),
    "train": Task(plain("train.py"), {"train.py": TRAINING}),
    "count": Task(plain("count.py"), {"count.py": COUNTING}),
    "roadmap": Task(
        plain("roadmap", "map.toml", "--out", "out", "--engine", "serial"),
        {"text.txt": TEXT, "map.toml": MAP},
        r"out/models/[0-9a-f]+\.(saffu|json)",
    ),
    "replicate": Task(
        plain(
            *("replicate", "contexts", "--tiny", "--corpus", "text.txt", "--out", "out"),
            *("--engine", "serial"),
        ),
        {"text.txt": TEXT},
    ),
}
SIGNALS: Final = {
    "SIGKILL": (signal.SIGKILL,),
    "SIGTERM": (signal.SIGTERM,),
    "SIGINT": (signal.SIGINT,),
    "SIGINT twice": (signal.SIGINT, signal.SIGINT),
}
NOISE: Final = ("Traceback", "Exception ignored", "Error in", "leaked", "Warning")
TIMES: Final = ("seconds", "cpu_seconds", "fit_cpu_seconds", "commit")


class Bench:
    """Tasks in folders of their own, with what each leaves if nobody stops it."""

    def __init__(self, folder: Path, launcher: Launcher) -> None:
        self.folder = folder
        self.launcher = launcher
        self._whole: dict[str, tuple[dict[str, Any], float]] = {}

    def begin(self, task: Task, name: str) -> Path:
        """A folder with a task's input."""
        folder = self.folder / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file, text in task.given.items():
            (folder / file).write_text(text, encoding="utf-8")
        return folder

    def start(self, task: Task, folder: Path, shot: Shot | None = None, *, fresh: bool) -> Ended:
        """Start a task as a user would who sees the folder."""
        root = str(Path(__file__).parents[2])
        variables = {"SAFFU_CACHE": str(folder / "cache"), "PYTHONPATH": f"{root}/reference:{root}"}
        return self.launcher.run(
            task.words(folder), folder, fresh=fresh, environment=variables, shot=shot
        )

    def whole(self, name: str, *, fresh: bool) -> tuple[dict[str, Any], float]:
        """What an uninterrupted run leaves, and how long it takes."""
        key = f"{name}, {'fresh' if fresh else 'forked'}"
        if key not in self._whole:
            folder = self.begin(TASKS[name], key.replace(" ", "-"))
            ended = self.start(TASKS[name], folder, fresh=fresh)
            assert (ended.status, ended.errors) == (0, ""), ended
            self._whole[key] = contents(folder), ended.seconds
        return self._whole[key]

    def round(
        self, number: int, seed: int, kills: int, *, fresh: bool | None = None
    ) -> dict[str, Any]:
        """One round: a task that is killed until `kills` or chance end it, and what was wrong.

        Parameters: `fresh`, whether its programs begin from nothing; None: chance decides.
        """
        random = np.random.default_rng([seed, number])
        name = list(TASKS)[number % len(TASKS)]
        task, by_chance = TASKS[name], bool(random.random() < 0.2)
        fresh = by_chance if fresh is None else fresh
        (reference, seconds), faults = self.whole(name, fresh=fresh), list[str]()
        folder = self.begin(task, f"round-{number}")
        shots: list[dict[str, Any]] = []
        before: dict[str, Any] = {}
        while True:
            how = str(random.choice(list(SIGNALS)))
            shot = Shot(
                seconds=float(random.random() * seconds),
                signals=SIGNALS[how],
                gap=float(random.random() * 0.05),
                group=bool(random.random() < 0.4),
            )
            ended = self.start(task, folder, shot, fresh=fresh)
            after = contents(folder)
            wrong = wrong_end(ended, how, fresh=fresh)
            wrong += wrong_files(after, reference, before, task.meanwhile, how)
            faults += [f"{how} after {shot.seconds:.3f} s: {one}" for one in wrong]
            if ended.signalled:
                shots.append({"how": how, "group": shot.group, "seconds": shot.seconds,
                              "gap": shot.gap, "status": ended.status})  # fmt: skip
            before = after
            if len(shots) >= kills or not ended.signalled or random.random() < 0.5:
                break
        last = self.start(task, folder, fresh=False)
        if (last.status, last.errors) != (0, ""):
            faults.append(f"resumed: exit status {last.status}: {last.errors}")
        faults += [f"at the end: {one}" for one in differences(contents(folder), reference)]
        if not faults:
            shutil.rmtree(folder)
        return {"round": number, "seed": seed, "task": name, "fresh": fresh, "kills": shots,
                "faults": faults}  # fmt: skip


def wrong_end(ended: Ended, how: str, *, fresh: bool) -> list[str]:
    """What is wrong with the way in which a program ended.

    If a signal hits text that Python executes while it imports (`exec`), then `python -m` ends by
    SIGINT whatever the status of the program; a shell shows 130 for that, too.
    """
    wrong = [f"{len(ended.orphans)} processes went on"] if ended.orphans else []
    if fresh and (ended.status, ended.errors) == (-signal.SIGINT, "saffu: stopped\n"):
        ended = ended._replace(status=130)
    if ended.signalled and ended.status == -SIGNALS[how][0] and answered_by_system(ended, how):
        return wrong
    wrong += [f"it printed {ended.errors!r}" for noise in NOISE if noise in ended.errors][:1]
    if ended.status not in (0, 130) or (ended.status == 130 and how == "SIGKILL"):
        wrong.append(f"exit status {ended.status}: {ended.errors!r}")
    return wrong


def answered_by_system(ended: Ended, how: str) -> bool:
    """Whether a signal came before saffu, or its script, had begun; SIGKILL always does.

    Until then there is nothing to lose; SIGTERM ends the process, Ctrl-C the imports of Python.
    When a pool is killed, Python removes its semaphores, and warns of them.
    """
    if how.startswith("SIGINT") and "KeyboardInterrupt" in ended.errors:
        return " in main\n" not in ended.errors and " in run\n" not in ended.errors
    printed = ended.errors.splitlines()
    return not printed or (how == "SIGKILL" and all("resource_tracker" in one for one in printed))


def wrong_files(
    after: Mapping[str, Any],
    reference: Mapping[str, Any],
    before: Mapping[str, Any],
    meanwhile: str,
    how: str,
) -> list[str]:
    """What is wrong with the files that a killed program leaves.

    SIGKILL may leave a hidden unfinished file, which is cleared away when a later run comes to the
    same work; nothing else may.  A folder may still be empty.
    """
    wrong = []
    for path, content in after.items():
        if path.endswith("/") and any(known.startswith(path) for known in reference):
            continue
        hidden = any(part.startswith(".") for part in Path(path).parts)
        if path not in reference and re.fullmatch(meanwhile, path) is None:
            if not hidden or (how != "SIGKILL" and path not in before):
                wrong.append(f"{path} is left")
        elif isinstance(content, str):
            wrong.append(f"{path}: {content}")
        elif path.endswith(".jsonl"):
            lines = reference[path]
            if content != lines[: len(content)]:
                wrong.append(f"{path} has other lines than the uninterrupted run")
            if len(content) < len(before.get(path, [])):
                wrong.append(f"{path} lost lines")
        elif path in reference and path != "model" and content != reference[path]:
            wrong.append(f"{path} differs from the uninterrupted run")
    return wrong + [f"{path} is gone" for path in before if path in reference and path not in after]


def differences(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[str]:
    """The files in which two folders differ, and how."""
    wrong = [f"{path} is missing" for path in other if path not in one]
    wrong += [f"{path} is left" for path in one if path not in other]
    both = [path for path in one if path in other]
    return wrong + [f"{path} differs" for path in both if one[path] != other[path]]


def contents(folder: Path) -> dict[str, Any]:
    """All files below a folder by their path: contents without times, or what is wrong as text."""
    every: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_file():
            every[name] = _content(path)
        elif not any(path.iterdir()):
            every[name + "/"] = None
    return every


def _content(path: Path) -> Any:
    """What a file holds; a string says what is wrong with it."""
    raw = path.read_bytes()
    if path.name.startswith("."):
        return len(raw)
    try:
        match path.suffix:
            case ".jsonl":
                whole = raw.split(b"\n")[:-1]  # a cut last line is dropped by the next run
                return [_timeless(json.loads(line)) for line in whole]
            case ".json":
                return _timeless(json.loads(raw))
            case ".png":
                return raw.endswith(b"IEND\xaeB`\x82") or "it is not whole"
            case ".svg":
                return raw.rstrip().endswith(b"</svg>") or "it is not whole"
            case ".md":
                heads = [line for line in raw.splitlines() if line.startswith(b"#")]
                return heads if raw.endswith(b"\n") else "it is not whole"
            case ".counts":
                return _arrays(path, "saffu.cooccurrence")
            case ".saffu":
                SaffuTransformer.load(path)
                return _arrays(path, MODEL)
        if path.name == "model":
            SaffuTransformer.load(path)
            return _arrays(path, MODEL)
    except (SaffuError, ValueError) as problem:
        return f"{type(problem).__name__}: {problem}"
    return raw


def _arrays(path: Path, schema: str) -> Any:
    """Header and arrays of a file, without times."""
    header, arrays = read_file(path, schema)
    bits = {name: (a.dtype.str, a.shape, a.tobytes()) for name, a in arrays.items()}
    return _timeless(header), bits


def _timeless(record: Any) -> Any:
    """A record without the times in it: fields, and the entry of each row of a history."""
    if not isinstance(record, dict):
        return record
    plain = {name: _timeless(value) for name, value in record.items() if name not in TIMES}
    if "history" in plain:  # [stage, targets, seconds, …], or a Record
        plain["history"] = [
            [*row[:2], *row[3:]] if len(row) == 4 else [*row[:3], *row[4:]]
            for row in plain["history"]
        ]
    return plain
