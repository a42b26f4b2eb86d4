"""Runs the unfinished tasks of a study: in one process, several, or a cluster; resumable.

Lines are written here and nowhere else, each when its task is done.  Ctrl-C, a lost worker, a power
cut: what is lost is what was under way, and the same call goes on from there.
"""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from typing import Any, Literal, NamedTuple, TypeAlias

from saffu import checks
from saffu.engines.cluster import Cluster
from saffu.engines.pool import begin_worker, cores, launching
from saffu.errors import NotConverged, ProcessFailed
from saffu_lab.records.results import Line, circumstances
from saffu_lab.study.sources import Sources
from saffu_lab.study.task import Answers, Task, TaskNamer, digest

EngineName: TypeAlias = Literal["serial", "pool", "dask"]


class State(NamedTuple):
    """How far a measurement is."""

    done: int
    """tasks with a line"""
    known: int
    """tasks that can be named so far; more may follow from their lines"""
    seconds_left: float
    """by the guesses of the tasks, on one worker"""


Watch: TypeAlias = Callable[[State, Line | None], None]
"""Hears of every line that is added, and at the beginning (with None) of what is there."""


class Here(Executor):
    """This process: what is submitted is done at once.

    >>> Here().submit(max, 3, 5).result()
    5
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do it."""
        future: Future[Any] = Future()
        future.set_running_or_notify_cancel()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as problem:  # noqa: BLE001  # whatever it is, result() raises it again
            future.set_exception(problem)
        return future


class Crew(NamedTuple):
    """Who does the tasks, and how many at a time."""

    executor: Executor
    workers: int


@contextmanager
def open_crew(
    engine: EngineName = "pool", *, workers: int | None = None, scheduler: str | None = None
) -> Iterator[Crew]:
    """Whoever does the tasks, for as long as they are needed.

    Parameters: `engine`: `"serial"`, this process; `"pool"`, `workers` processes of this machine
    (default: one per core), each with one thread; `"dask"`, the cluster of a `scheduler`, or one
    of `workers` processes here.
    Refuses: other engines; what `saffu.engines.cluster.Cluster` refuses.
    """
    checks.choice("engine", engine, ("serial", "pool", "dask"), "SPEC 7")
    number = checks.whole("workers", cores() if workers is None else workers, 1, "SPEC 7")
    if engine == "serial":
        yield Crew(Here(), 1)
    elif engine == "dask":
        with Cluster(scheduler, workers=workers) as cluster:
            yield Crew(cluster.executor(), cluster.workers)
    else:
        context = multiprocessing.get_context("spawn")
        pool = ProcessPoolExecutor(number, mp_context=context, initializer=begin_worker)
        try:
            with launching():
                for _ in range(number):  # a worker is started for each, with one thread
                    pool.submit(time.sleep, 0.2)
            yield Crew(pool, number)
        except BaseException:
            stop(pool)
            raise
        pool.shutdown()


def stop(pool: ProcessPoolExecutor) -> None:
    """End the processes, whatever they are at."""
    for worker in list((pool._processes or {}).values()):
        worker.terminate()
    pool.shutdown(cancel_futures=True)  # it waits, so that no semaphore is left behind


def run_tasks(
    name_tasks: TaskNamer,
    answers: Answers,
    sources: Sources,
    crew: Crew,
    watch: Watch | None = None,
) -> None:
    """Do all tasks of a plan that have no line yet, and add their lines.

    A task that does not converge leaves a line that says so (`failed`).
    Refuses: what the tasks refuse; the lines that came before are kept.
    """
    running: dict[Future[Line], Task] = {}
    tasks = name_tasks(answers)
    tell(watch, tasks, answers, None)
    try:
        while True:
            busy = {digest(task.key) for task in running.values()}
            for task in tasks:
                if len(running) >= crew.workers:
                    break
                if digest(task.key) not in busy and answers.get(task.key) is None:
                    busy.add(digest(task.key))
                    running[crew.executor.submit(perform, task, sources)] = task
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                line = answers.add(running.pop(future).key, future.result())
                tasks = name_tasks(answers)
                tell(watch, tasks, answers, line)
    except BrokenExecutor as lost:
        advice = (
            "most likely memory ran out; all finished tasks are kept: run the same command again, "
            "with fewer workers (SPEC 7)"
        )
        raise ProcessFailed("a task", advice) from lost
    finally:
        for future in running:
            future.cancel()


def tell(watch: Watch | None, tasks: Sequence[Task], answers: Answers, line: Line | None) -> None:
    """Say how far everything is."""
    if watch is not None:
        left = [task for task in tasks if answers.get(task.key) is None]
        watch(State(len(tasks) - len(left), len(tasks), sum(task.seconds for task in left)), line)


def perform(task: Task, sources: Sources) -> Line:
    """In a worker: one task, what it took, and where that was."""
    began, clock = time.process_time(), time.monotonic()
    try:
        answer = task.work(task.key, sources)
    except NotConverged as problem:
        answer = {"failed": str(problem)}
    spent = {"cpu_seconds": time.process_time() - began, "seconds": time.monotonic() - clock}
    about = circumstances("torch", "scikit-learn")
    return {**{name: round(value, 3) for name, value in spent.items()}, **answer, **about}
