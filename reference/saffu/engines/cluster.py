"""Cluster of machines, through Dask.   (SPEC 1)

The scheduler hands every part to a worker, and once more to another one if that worker is lost, as
often as its setting `distributed.scheduler.allowed-failures` says (3 times).  The function itself
is a task, so that it travels to each worker once and is not lost with any of them.

Workers need this package, the same version, and to see the files of the corpus under the same path.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import count
from types import TracebackType
from typing import Any, Final

from saffu import checks
from saffu.engines.engine import Fold, Part, Total, nobody
from saffu.engines.pool import THREADS, cores, launching
from saffu.errors import Missing, NoScheduler, WorkerLost

AHEAD: Final = 4
"""parts per worker that are under way, or wait for a slow part before them"""
PATIENCE: Final = 30
"""seconds that a scheduler has to answer, and to have a worker"""

ENVIRONMENT: Final = dict.fromkeys(THREADS, 1)
"""Environment of the workers that are started here.  Dask's default makes them return freed memory
at once (MALLOC_TRIM_THRESHOLD_), so that the arrays of every chunk would need new pages."""


class Cluster:
    """The workers of a Dask scheduler.

    Parameters: `scheduler`, its address; without one a cluster of `workers` processes (by default
    one per core) is started on this machine and ended with the engine.  `client`, a
    `distributed.Client` that is connected already, and stays so.
    Refuses: Dask missing; a scheduler that does not answer or has no workers.

        with Cluster("tcp://10.0.0.1:8786") as cluster:
            model.warm_start(train, validation, engine=cluster)
    """

    def __init__(
        self,
        scheduler: str | None = None,
        *,
        workers: int | None = None,
        client: Any = None,
    ) -> None:
        distributed = _distributed()
        self._ours: list[Any] = []
        if client is None:
            client = _connected(distributed, scheduler, workers, self._ours)
        self._client: Any = client
        self._dask: Any = distributed
        self._passes: Iterator[int] = count()
        self.recomputed = 0
        threads = client.nthreads()
        if not threads:
            self.close()
            raise NoScheduler(str(scheduler), f"it has no worker after {PATIENCE} seconds")
        self.workers = int(sum(threads.values()))

    def __enter__(self) -> Cluster:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        problem: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave the cluster; end it if it was started here."""
        while self._ours:
            self._ours.pop().close()

    def executor(self) -> Any:
        """The workers as a `concurrent.futures.Executor`."""
        return self._client.get_executor(pure=False)

    def map_reduce(
        self,
        function: Callable[[Part], Total],
        parts: Iterable[Part],
        add: Callable[[Total, Total], Total],
        done: Callable[[int], None] = nobody,
    ) -> Total:
        """The sum of `function(part)` over all parts."""
        topic = f"saffu-{id(self)}-{next(self._passes)}"
        fold = Fold(add, done)
        todo = enumerate(parts)
        held = self._submit(_same, function)
        under_way: dict[Any, int] = {}
        back = self._dask.as_completed()
        handed_out = 0
        try:
            while True:
                while handed_out < fold.next + AHEAD * self.workers:
                    following = next(todo, None)
                    if following is None:
                        break
                    index, part = following
                    future = self._submit(_work, held, part, topic, index)
                    under_way[future] = index
                    back.add(future)
                    handed_out += 1
                if not under_way:
                    break
                future = next(back)
                index = under_way.pop(future)
                try:
                    fold.put(index, future.result())
                except self._dask.scheduler.KilledWorker as lost:
                    begun = self._begun(topic)
                    at_work = max((index, *under_way.values()), key=lambda part: begun[part])
                    raise WorkerLost(at_work, int(lost.allowed_failures) + 1) from lost
                future.release()
        finally:
            self._client.cancel([held, *under_way], force=True)
        self.recomputed += max(0, self._begun(topic).total() - handed_out)
        return fold.total()

    def _submit(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """A task that is done again should its worker be lost."""
        import dask

        # parts carry ids and functions carry tables: what Dask finds large is what we mean to send
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
            return self._client.submit(function, *arguments, pure=False)

    def _begun(self, topic: str) -> Counter[int]:
        """The number of times that each part was begun.

        Dask suspects every task that a lost worker had, those that waited there as well; the part
        that ends its workers is the one that was begun most often.
        """
        return Counter(index for _, index in self._client.get_events(topic))


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as missing:
        install = "pip install 'saffu[cluster]'"
        raise Missing("engine='dask'", "the package distributed", install) from missing
    return distributed


def _connected(
    distributed: Any, scheduler: str | None, workers: int | None, ours: list[Any]
) -> Any:
    """A client, of a cluster started here if there is no scheduler; both go into `ours`."""
    if scheduler is None:
        number = checks.whole("workers", cores() if workers is None else workers, 1, "SPEC 1")
        import dask

        with launching(), dask.config.set({"distributed.nanny.pre-spawn-environ": ENVIRONMENT}):
            cluster = distributed.LocalCluster(
                n_workers=number, threads_per_worker=1, dashboard_address="127.0.0.1:0"
            )
        ours.append(cluster)
        client = distributed.Client(cluster)
        ours.append(client)
        return client
    client = distributed.Client.__new__(distributed.Client)
    try:
        client.__init__(scheduler, timeout=PATIENCE)
    except (OSError, ValueError) as problem:
        # its loop is stopped here; left to the garbage collector it is stopped when that runs, at
        # times while another client or cluster starts its own, and both wait for ever
        client.close()
        client._loop_runner.stop()
        raise NoScheduler(scheduler, f"it does not answer ({problem})") from problem
    ours.append(client)
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        while ours:
            ours.pop().close()
        raise NoScheduler(scheduler, f"it has no worker after {PATIENCE} seconds") from None
    return client


def _same(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """In a worker: the function, which stays there for the parts to come."""
    return function


def _work(function: Callable[[Any], Any], part: Any, topic: str, index: int) -> Any:
    """In a worker: one part; the scheduler logs that it was begun."""
    from distributed import get_worker

    get_worker().log_event(topic, index)
    return function(part)
