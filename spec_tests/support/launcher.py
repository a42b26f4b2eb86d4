"""Launching of programs that have imported everything already, so that hundreds can be killed.

    python -m spec_tests.support.launcher        serves one request per line of stdin

The server imports NumPy and saffu once.  For each request it forks a child, which becomes what
`python -m saffu …` or `python script.py` would be: main module, arguments, working directory,
standard streams, end of the interpreter.  A request may also ask for a program that begins from
nothing (`fresh`), so that kills hit its imports as well.  Each child leads a process group, as a
command in a terminal does.
"""

from __future__ import annotations

import json
import os
import runpy
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

from spec_tests.support.patience import PATIENCE

IMPORTED = (
    "matplotlib.backends.backend_agg",
    "matplotlib.figure",
    "saffu.commands.fit",
    "saffu_lab.commands.replicate",
    "saffu_lab.commands.roadmap",
    "saffu_lab.replication.contexts.tasks",
    "spec_tests.support.texts",
)


class Ended(NamedTuple):
    """What is known of a program that has ended."""

    status: int
    """exit status; minus the signal that ended it"""
    printed: str
    errors: str
    seconds: float
    signalled: bool
    """whether it was still running when the first signal was sent"""
    orphans: tuple[int, ...]
    """processes of its group that did not end with it"""


class Shot(NamedTuple):
    """Signals to one program."""

    seconds: float
    """from its start to the first signal"""
    signals: tuple[signal.Signals, ...]
    gap: float
    """seconds between two signals"""
    group: bool
    """whether they go to the whole process group, as from a terminal"""


class Launcher:
    """A server, used as a context; ends it and whatever it has started."""

    def __init__(self) -> None:
        variables = os.environ | dict.fromkeys(
            ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
        )
        self._server = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            env=variables,
            cwd=Path(__file__).parents[2],
        )
        if self._answer() != "ready":
            raise RuntimeError("the launcher did not start")

    def __enter__(self) -> Launcher:
        return self

    def __exit__(self, *_: object) -> None:
        with self._server:  # it closes the streams
            assert self._server.stdin is not None
            self._server.stdin.close()
            self._server.wait(PATIENCE)

    def run(
        self,
        words: Sequence[str],
        folder: Path,
        *,
        fresh: bool = False,
        environment: Mapping[str, str] | None = None,
        shot: Shot | None = None,
    ) -> Ended:
        """Start a program in a folder, shoot at it if asked to, and wait until it has ended.

        Parameters: `words`, a command of saffu, or the path of a script that ends in `.py`.
        """
        streams = folder.with_name(folder.name + ".out"), folder.with_name(folder.name + ".err")
        request = {
            "words": list(words),
            "folder": str(folder),
            "streams": [str(path) for path in streams],
            "environment": dict(environment or {}),
            "fresh": fresh,
        }
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(request) + "\n")
        process, began = int(self._answer()), time.monotonic()
        signalled = False
        ended = shot is not None and self._has_answer(shot.seconds)
        if shot is not None and not ended:
            signalled = True
            for number, one in enumerate(shot.signals):
                if number:
                    time.sleep(shot.gap)
                (os.killpg if shot.group else os.kill)(process, one)
        if not ended and not self._has_answer(PATIENCE):
            os.killpg(process, signal.SIGKILL)
        self._answer()
        seconds = time.monotonic() - began
        self._server.stdin.write("reap\n")  # until here it is a zombie, and its number its own
        status = os.waitstatus_to_exitcode(int(self._answer()))
        orphans = left_of(process)
        printed, errors = (path.read_text(encoding="utf-8") for path in streams)
        for path in streams:
            path.unlink()
        return Ended(status, printed, errors, seconds, signalled, orphans)

    def _has_answer(self, seconds: float) -> bool:
        assert self._server.stdout is not None
        return bool(select.select([self._server.stdout], [], [], seconds)[0])

    def _answer(self) -> str:
        assert self._server.stdout is not None
        return self._server.stdout.readline().strip()


def left_of(group: int, patience: float = 60.0) -> tuple[int, ...]:
    """The processes of a group that still run after a while."""
    end = time.monotonic() + patience
    while (members := _members(group)) and time.monotonic() < end:
        time.sleep(0.01)
    for member in members:
        os.kill(member, signal.SIGKILL)
    return members


def _members(group: int) -> tuple[int, ...]:
    members = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = path.read_text().rpartition(")")[2].split()[:3]
        except OSError:  # it has ended
            continue
        if int(its_group) == group and state != "Z":
            members.append(int(path.parent.name))
    return tuple(members)


def serve() -> dict[str, Any] | None:
    """In the server: answer requests until there are none.  Returns only in a child, with its own.

    Answers to a request: the number of the process; a word when it has ended, and stays a zombie;
    after another word from the client, its exit status.
    """
    for name in IMPORTED:
        import_module(name)
    _say("ready")
    while line := sys.stdin.readline():
        request: dict[str, Any] = json.loads(line)
        process = os.fork()
        if process == 0:
            return request
        os.read(_GATE[0], 1)  # now it is ready to be killed
        _say(process)
        os.waitid(os.P_PID, process, os.WEXITED | os.WNOWAIT)
        _say("ended")
        sys.stdin.readline()
        _say(os.waitpid(process, 0)[1])
    return None


def _say(word: object) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def become(request: dict[str, Any]) -> None:
    """In a child: become the program that is asked for."""
    os.setpgid(0, 0)
    os.chdir(request["folder"])
    os.environ.update(request["environment"])
    places = [os.open(os.devnull, os.O_RDONLY)]
    places += [os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC) for path in request["streams"]]
    for number, place in enumerate(places):
        os.dup2(place, number)
        os.close(place)
    os.write(_GATE[1], b".")
    for end in _GATE:
        os.close(end)
    words: list[str] = request["words"]
    script = words[0].endswith(".py")
    if request["fresh"]:
        os.execv(sys.executable, [sys.executable, *([] if script else ["-m", "saffu"]), *words])
    if script:
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")
    else:
        sys.argv = ["saffu", *words]
        runpy.run_module("saffu", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    _GATE = os.pipe()
    asked = serve()
    if asked is not None:
        become(asked)
