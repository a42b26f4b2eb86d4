"""Process pool of this machine that survives the death of its workers.   (SPEC 1)

Each worker is a `ProcessPoolExecutor` of one process, so that a killed process takes with it the
part that it was working on, and no other.  The part goes to the next free worker, a new process
replaces the lost one, and after `attempts` losses of one part the sum is given up: something in
that part kills its workers, most likely its need of memory.   [D]

The processes are spawned, not forked: a fork would copy the locks of threads that it does not copy.
They live until the pool is closed, and end by themselves if this process is killed.  Signals are
left to this process: workers ignore Ctrl-C and SIGTERM, and an interruption here kills them.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import resource_tracker
from types import ModuleType, TracebackType
from typing import Any, Final

from saffu import checks
from saffu.engines.engine import Fold, Part, Total, nobody
from saffu.errors import BadOption, WorkerLost

POOL: Final = "SPEC 1"
ATTEMPTS: Final = 3
"""Losses of a worker to one part, at most."""
QUEUE: Final = 2
"""Parts that a worker holds: the one that it works on, and the next."""
AHEAD: Final = 4
"""Answers per worker that may wait for a slow part before them."""
THREADS: Final = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def cores() -> int:
    """The number of cores that this process may use.

    >>> 1 <= cores() <= (os.cpu_count() or 1)
    True
    """
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Todo:
    """Parts without a worker: lost ones first, then the next ones."""

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
    """A part that a worker holds."""

    index: int
    part: Any
    future: Future[Any]


class Pool:
    """Some processes of this machine.

    Parameters: `workers` >= 1, by default one per core; `attempts` >= 1, the number of workers that
    may be lost to one part.
    Refuses: a daemonic process, such as a worker of `multiprocessing.Pool`, which may start no
    others.

    >>> with Pool(2) as pool:
    ...     pool.map_reduce(len, ["a", "bc", "def"], max)
    3
    """

    def __init__(self, workers: int | None = None, *, attempts: int = ATTEMPTS) -> None:
        self.workers = checks.whole("workers", cores() if workers is None else workers, 1, POOL)
        if multiprocessing.current_process().daemon:
            raise BadOption(
                "engine", "pool", "'serial' in a daemonic process, which may start no others", POOL
            )
        self.recomputed = 0
        self._attempts = checks.whole("attempts", attempts, 1, POOL)
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

    def kill(self) -> None:
        """End the processes at once, in the middle of their parts, and wait until they are gone."""
        with held_back(signal.SIGINT, signal.SIGTERM):
            for worker in self._crew:
                worker.kill()

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
        except KeyboardInterrupt:
            self.kill()
            raise
        finally:
            for worker in self._crew:
                worker.forget()

    def _hand_out(self, function: Callable[[Any], Any], todo: _Todo, border: int) -> None:
        """Give every worker parts before that border, the one with the fewest first."""
        for depth in range(QUEUE):
            for worker in self._crew:
                following = todo.take(border) if len(worker.tasks) <= depth else None
                if following is not None:
                    worker.begin(self._pass, function, *following)

    def _collect(self, worker: _Worker, fold: Fold[Any], todo: _Todo, lost: dict[int, int]) -> None:
        """Take the answers of a worker; if it is lost, queue its parts again."""
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
    """One process, started when it is needed, and the parts that it holds."""

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
            self._process = process
        once = function if self._knows != which else None
        with launching():
            future: Future[Any] = process.submit(_work, which, once, part)
        self._knows = which
        return future

    def forget(self) -> None:
        """Drop the parts that are not begun."""
        for task in self.tasks:
            task.future.cancel()
        self.tasks.clear()
        self._knows = -1  # a cancelled part may have carried the function

    def end(self) -> None:
        """End the process."""
        self.forget()
        if self._process is not None:
            self._process.shutdown(wait=False, cancel_futures=True)
        self._process = None

    def kill(self) -> None:
        """End the process in the middle of its part, and wait until it is gone."""
        self.tasks.clear()
        self._knows = -1
        if self._process is not None:
            # as `kill_workers` of Python 3.14 does; there is none once the executor is shut down
            for process in list((self._process._processes or {}).values()):
                process.kill()
            self._process.shutdown(wait=True)
        self._process = None


@contextmanager
def launching() -> Iterator[None]:
    """While a process starts: it does not run the main script, takes one core, and is not stopped.

    A spawned process imports the script that is running, which would begin everything again if the
    script has no `if __name__ == "__main__"`.  Workers need nothing of it, so it is hidden.
    Matrix products on several threads in each of several workers are slower than on one thread; a
    number of threads that the user has set is kept.
    Ctrl-C is held back until the process has started, and the new process, which inherits the mask,
    never hears of it.  The resource tracker of Python is started before, since starting it lifts
    the mask.
    """
    resource_tracker.ensure_running()
    main = sys.modules["__main__"]
    unset = [] if any(name in os.environ for name in THREADS) else list(THREADS)
    sys.modules["__main__"] = ModuleType("__main__")
    os.environ.update(dict.fromkeys(unset, "1"))
    try:
        with held_back(signal.SIGINT):
            yield
    finally:
        sys.modules["__main__"] = main
        for name in unset:
            del os.environ[name]


@contextmanager
def held_back(*signals: signal.Signals) -> Iterator[None]:
    """In the block, these signals wait for its end, and processes that start in it never get them.

    The mask is what a new process inherits.  It is not enough for this one: the system may give a
    signal to a thread of a library, and Python then still calls the handler in the main thread.
    """
    waiting: set[int] = set()
    inside = threading.current_thread() is threading.main_thread()
    known = {each: signal.getsignal(each) for each in signals if inside}
    handlers = {each: handler for each, handler in known.items() if handler is not None}
    for each in handlers:
        signal.signal(each, lambda number, _: waiting.add(number))
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals) if masks else set()
    try:
        yield
    finally:
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for each, handler in handlers.items():
            signal.signal(each, handler)
        for number in waiting:
            signal.raise_signal(number)


def begin_worker() -> None:
    """A worker leaves Ctrl-C and SIGTERM to its parent, and does not outlive it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)


_KNOWN: dict[int, Callable[[Any], Any]] = {}
"""In a worker: the function of the current pass."""


def _work(which: int, function: Callable[[Any], Any] | None, part: Any) -> Any:
    """In a worker: one part."""
    if function is not None:
        _KNOWN.clear()
        _KNOWN[which] = function
    return _KNOWN[which](part)
