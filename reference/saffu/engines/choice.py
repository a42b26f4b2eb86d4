"""Which engine: by name, by an address, or by the size of the text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from saffu import checks
from saffu.engines.engine import Engine, Serial
from saffu.engines.pool import Pool, cores
from saffu.errors import BadOption

ENGINES: Final = ("auto", "serial", "pool", "dask")
POOL_PAYS: Final = 2_000_000
"""Targets from which on `auto` starts processes; see docs/scale.md for the measurement."""


@contextmanager
def open_engine(
    engine: str | Engine = "auto",
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    targets: int = 0,
) -> Iterator[Engine]:
    """An engine for as long as it is needed.

    Parameters: `engine` `"serial"`, this process; `"pool"`, processes of this machine; `"dask"`, a
    cluster; `"auto"`, a pool for `POOL_PAYS` targets and more if there are two cores, and otherwise
    this process; or an engine of your own, which stays open.  `workers`, how many processes (by
    default one a core); `scheduler`, the address of a Dask scheduler such as
    `"tcp://10.0.0.1:8786"`, whose workers are then used; `targets`, how much is to be counted.
    Refuses: another name; workers or a scheduler where there are none; Dask missing, or a scheduler
    that does not answer.

    >>> with open_engine(targets=1000) as engine:
    ...     engine.map_reduce(len, ["a", "bc"], max, print)
    1
    2
    2
    """
    if not isinstance(engine, str):
        yield engine
        return
    checks.choice("engine", engine, ENGINES, "SPEC 1")
    if workers is not None:
        checks.whole("workers", workers, 1, "SPEC 1")
    if scheduler is not None:
        if engine not in ("auto", "dask"):
            raise BadOption("scheduler", scheduler, f"none with engine={engine!r}", "SPEC 1")
        if workers is not None:
            expected = "none with a scheduler, which has its own"
            raise BadOption("workers", workers, expected, "SPEC 1")
        engine = "dask"
    if engine == "auto":
        several = (cores() if workers is None else workers) >= 2
        engine = "pool" if several and targets >= POOL_PAYS else "serial"
    elif engine == "serial" and workers not in (None, 1):
        raise BadOption("workers", workers, "1 with engine='serial'", "SPEC 1")
    if engine == "serial":
        yield Serial()
    elif engine == "pool":
        with Pool(workers) as pool:
            yield pool
    else:
        from saffu.engines.cluster import Cluster

        with Cluster(scheduler, workers=workers) as cluster:
            yield cluster
