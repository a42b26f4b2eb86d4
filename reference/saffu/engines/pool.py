"""Several processes of this machine, any of which may die.   (SPEC 1)

Each worker is a `ProcessPoolExecutor` of one process, so that a process that is killed takes with
it the part that it worked on, and no other.  The part goes to the next worker that is free, a new
process takes the place of the lost one, and after `attempts` losses of one part the sum is given
up: something in that part kills its workers, most likely its need of memory.   [D]

The processes are spawned, not forked: a fork would copy the locks of threads that it does not copy.
They live until the pool is closed, and end by themselves should this process be killed.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Thread
from types import ModuleType, TracebackType
from typing import Any, Final

from saffu import checks
from saffu.engines.engine import Fold, Part, Total, nobody
from saffu.errors import WorkerLost

ATTEMPTS: Final = 3
"""How often one part may take its worker with it."""
QUEUE: Final = 2
"""Parts that a worker has: one that it works on, and one that is there when it is done."""
AHEAD: Final = 4
"""Answers for each worker that may wait until a slow part before them is done."""
THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """How many cores this process may use.

    >>> 1 <= cores() <= (os.cpu_count() or 1)
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Todo:
    """Parts that nobody has: those that were lost first, and then the next ones."""

    def __init__(self, parts: Iterator[tuple[int, Any]]) -> None:
        self.again: list[tuple[int, Any]] = []
        self._parts = parts
        self._handed_out = 0

    def take(self, border: int) -> tuple[int, Any] | None:
        """A part, if there is one before the border."""
        if self.again:
            return self.again.pop(0)
        if self._handed_out >= border:
            return None
        self._handed_out += 1
        return next(self._parts, None)


@dataclass(frozen=True)
class _Task:
    """A part on its way."""

    index: int
    part: Any
    future: Future[Any]


class Pool:
    """Some processes of this machine.

    Parameters: `workers` >= 1, by default one a core; `attempts` >= 1, how often one part may lose
    its worker.

    >>> with Pool(2) as pool:
    ...     pool.map_reduce(len, ["a", "bc", "def"], max)
    3
    """

    def __init__(self, workers: int | None = None, *, attempts: int = ATTEMPTS) -> None:
        self.workers = checks.whole("workers", cores() if workers is None else workers, 1, "SPEC 1")
        self.recomputed = 0
        self._attempts = checks.whole("attempts", attempts, 1, "SPEC 1")
        self._pass = 0
        self._crew = [_Worker() for _ in range(self.workers)]

    def __enter__(self) -> Pool:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes."""
        for worker in self._crew:
            worker.end()

    def map_reduce(
        self,
        function: Callable[[Part], Total],
        parts: Iterable[Part],
        add: Callable[[Total, Total], Total],
        done: Callable[[int], None] = nobody,
    ) -> Total:
        """The sum of `function(part)` over all parts."""
        self._pass += 1
        fold = Fold(add, done)
        todo = _Todo(enumerate(parts))
        lost: dict[int, int] = {}
        try:
            while True:
                self._hand_out(function, todo, fold.next + AHEAD * self.workers)
                begun = [worker.tasks[0].future for worker in self._crew if worker.tasks]
                if not begun:
                    return fold.total()
                wait(begun, return_when=FIRST_COMPLETED)
                for worker in self._crew:
                    self._collect(worker, fold, todo, lost)
        finally:
            for worker in self._crew:
                worker.forget()

    def _hand_out(self, function: Callable[[Any], Any], todo: _Todo, border: int) -> None:
        """Give every worker something to do before that border, the one with least first."""
        for depth in range(QUEUE):
            for worker in self._crew:
                following = todo.take(border) if len(worker.tasks) <= depth else None
                if following is not None:
                    worker.begin(self._pass, function, *following)

    def _collect(self, worker: _Worker, fold: Fold[Any], todo: _Todo, lost: dict[int, int]) -> None:
        """Take what a worker has done; if it is lost, begin again what it was at."""
        while worker.tasks and worker.tasks[0].future.done():
            task = worker.tasks.popleft()
            problem = task.future.exception()
            if problem is None:
                fold.put(task.index, task.future.result())
                continue
            if not isinstance(problem, BrokenExecutor):
                raise problem
            lost[task.index] = lost.get(task.index, 0) + 1
            todo.again += [(rest.index, rest.part) for rest in (task, *worker.tasks)]
            worker.end()
            if lost[task.index] >= self._attempts:
                raise WorkerLost(task.index, lost[task.index]) from problem
            self.recomputed += 1


class _Worker:
    """One process, started when it is needed, and what it has been given."""

    def __init__(self) -> None:
        self.tasks: deque[_Task] = deque()
        self._process: ProcessPoolExecutor | None = None
        self._knows = -1

    def begin(self, which: int, function: Callable[[Any], Any], index: int, part: Any) -> None:
        """Queue a part.  The function goes along with the first part of each pass."""
        try:
            future = self._submit(which, function, part)
        except BrokenExecutor:  # it died with nothing to do
            self.end()
            future = self._submit(which, function, part)
        self.tasks.append(_Task(index, part, future))

    def _submit(self, which: int, function: Callable[[Any], Any], part: Any) -> Future[Any]:
        process = self._process
        if process is None:
            process = ProcessPoolExecutor(
                1, mp_context=multiprocessing.get_context("spawn"), initializer=begin_worker
            )
        told = function if self._knows != which else None
        with launching():
            future: Future[Any] = process.submit(_work, which, told, part)
        self._process, self._knows = process, which
        return future

    def forget(self) -> None:
        """Leave undone what is not begun."""
        for task in self.tasks:
            task.future.cancel()
        self.tasks.clear()
        self._knows = -1  # what was cancelled may have had the function with it

    def end(self) -> None:
        """End the process."""
        self.forget()
        if self._process is not None:
            self._process.shutdown(wait=False, cancel_futures=True)
        self._process = None


@contextmanager
def launching() -> Iterator[None]:
    """While a process starts: it does not run the main script anew, and takes one core.

    A spawned process imports the script that is running, which would begin everything again if the
    script has no `if __name__ == "__main__"`.  Workers need nothing of it, so it is out of sight.
    Matrix products on several threads in each of several workers are slower than on one; whoever
    has set a number of threads has decided.
    """
    main = sys.modules["__main__"]
    unset = [] if any(name in os.environ for name in THREADS) else list(THREADS)
    sys.modules["__main__"] = ModuleType("__main__")
    os.environ.update(dict.fromkeys(unset, "1"))
    try:
        yield
    finally:
        sys.modules["__main__"] = main
        for name in unset:
            del os.environ[name]


def begin_worker() -> None:
    """A worker leaves Ctrl-C to its parent, and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


_KNOWN: dict[int, Callable[[Any], Any]] = {}
"""In a worker: the function of the present pass."""


def _work(which: int, function: Callable[[Any], Any] | None, part: Any) -> Any:
    """In a worker: one part."""
    if function is not None:
        _KNOWN.clear()
        _KNOWN[which] = function
    return _KNOWN[which](part)
