"""Choice of the engine: by name, by an address, or by the size of the text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import current_process
from typing import Final

from saffu import checks
from saffu.engines.engine import Engine, Serial
from saffu.engines.pool import Pool, cores
from saffu.errors import BadOption

ENGINES: Final = ("auto", "serial", "pool", "dask")
POOL_PAYS: Final = 2_000_000
"""targets from which `auto` starts processes; measured in docs/scale.md"""
SOURCE: Final = "SPEC 1"


@contextmanager
def open_engine(
    engine: str | Engine = "auto",
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    targets: int = 0,
) -> Iterator[Engine]:
    """An engine, open in the block.

    Parameters: `engine` `"serial"`, this process; `"pool"`, processes of this machine; `"dask"`, a
    cluster; `"auto"`, a pool for `POOL_PAYS` targets and more if there are two cores and processes
    may be started, and otherwise this process; or an engine of your own, which stays open.
    `workers`, the number of processes (by default one per core); `scheduler`, the address of a Dask
    scheduler such as `"tcp://10.0.0.1:8786"`, whose workers are then used; `targets`, the number of
    targets to count.
    Refuses: another name; workers or a scheduler for an engine that has none; a pool in a daemonic
    process; Dask missing, or a scheduler that does not answer.

    >>> with open_engine(targets=1000) as engine:
    ...     engine.map_reduce(len, ["a", "bc"], max, print)
    1
    2
    2
    """
    if not isinstance(engine, str):
        yield engine
        return
    checks.choice("engine", engine, ENGINES, SOURCE)
    if workers is not None:
        checks.whole("workers", workers, 1, SOURCE)
    if scheduler is not None:
        if engine not in ("auto", "dask"):
            raise BadOption("scheduler", scheduler, f"None with engine={engine!r}", SOURCE)
        if workers is not None:
            expected = "None with a scheduler, which has its own"
            raise BadOption("workers", workers, expected, SOURCE)
        engine = "dask"
    if engine == "auto":
        alone = current_process().daemon  # which may start no other processes
        several = not alone and (cores() if workers is None else workers) >= 2
        engine = "pool" if several and targets >= POOL_PAYS else "serial"
    elif engine == "serial" and workers not in (None, 1):
        raise BadOption("workers", workers, "1 with engine='serial'", SOURCE)
    if engine == "serial":
        yield Serial()
    elif engine == "pool":
        with Pool(workers) as pool:
            yield pool
    else:
        from saffu.engines.cluster import Cluster

        with Cluster(scheduler, workers=workers) as cluster:
            yield cluster
