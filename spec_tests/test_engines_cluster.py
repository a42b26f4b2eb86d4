"""Clusters through Dask: in threads of this process, and once with processes of their own."""

from __future__ import annotations

import operator
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import distributed
import pytest

from saffu.engines import Engine, Serial, open_engine
from saffu.engines import cluster as clusters
from saffu.engines.cluster import Cluster
from saffu.errors import BadFile, Missing, NoSamples, NoScheduler, WorkerLost
from spec_tests.support import patience, workers

PARTS = 23
NOWHERE = "127.0.0.1:0"
"""Any port that is free."""
LETTERS = "".join(f"<{part}>" for part in range(PARTS))


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy machine may take its time to answer."""
    monkeypatch.setattr(clusters, "PATIENCE", patience.PATIENCE)


@pytest.fixture(scope="module")
def client() -> Iterator[Any]:
    """Two workers in threads of this process."""
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=False, dashboard_address=NOWHERE
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        yield client


@pytest.fixture(scope="module")
def cluster(client: Any) -> Cluster:
    return Cluster(client=client)


def test_a_cluster_is_an_engine(cluster: Cluster) -> None:
    assert isinstance(cluster, Engine)
    assert cluster.workers == 2


def test_a_cluster_adds_from_left_to_right(cluster: Cluster) -> None:
    told: list[int] = []
    assert cluster.map_reduce(workers.letters, range(PARTS), operator.add, told.append) == LETTERS
    assert told == list(range(1, PARTS + 1))
    thirds = [
        engine.map_reduce(workers.thirds, range(301), operator.add)
        for engine in (cluster, Serial())
    ]
    assert thirds[0] == thirds[1]
    assert cluster.recomputed == 0


def test_what_a_worker_refuses_is_refused_here(cluster: Cluster) -> None:
    with pytest.raises(BadFile, match="part 3: it is bad; take another"):
        cluster.map_reduce(workers.Refusing(3), range(PARTS), operator.add)
    assert cluster.map_reduce(workers.letters, range(PARTS), operator.add) == LETTERS
    with pytest.raises(NoSamples):
        cluster.map_reduce(workers.letters, [], operator.add)


def test_a_client_of_ones_own_stays_connected(client: Any) -> None:
    with Cluster(client=client):
        pass
    assert client.submit(workers.letters, 5).result() == "<5>"


def test_a_scheduler_is_found_by_its_address(client: Any) -> None:
    with open_engine(scheduler=client.scheduler.address) as engine:
        assert type(engine) is Cluster
        assert engine.map_reduce(workers.letters, range(PARTS), operator.add) == LETTERS


def test_a_scheduler_that_does_not_answer_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "PATIENCE", 1)
    before = set(threading.enumerate())
    with pytest.raises(NoScheduler, match=r"tcp://127\.0\.0\.1:9: it does not answer.*dask worker"):
        Cluster("tcp://127.0.0.1:9")
    with pytest.raises(NoScheduler, match="somewhere: it does not answer"):
        Cluster("somewhere")
    left = [thread.name for thread in threading.enumerate() if thread not in before]
    assert "IO loop" not in left


def test_a_scheduler_without_workers_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    wait = distributed.Client.wait_for_workers

    def not_long(client: Any, workers: int, timeout: float) -> Any:
        return wait(client, workers, timeout=min(timeout, 0.1))

    monkeypatch.setattr(distributed.Client, "wait_for_workers", not_long)
    with (
        distributed.LocalCluster(n_workers=0, processes=False, dashboard_address=NOWHERE) as empty,
        pytest.raises(NoScheduler, match=f"it has no worker after {patience.PATIENCE} seconds"),
    ):
        Cluster(empty.scheduler_address)


def test_without_dask_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(Missing, match=r"pip install 'saffu\[cluster\]'"), open_engine("dask"):
        pass


@pytest.mark.slow
def test_a_lost_worker_costs_the_part_that_it_was_at(tmp_path: Path) -> None:
    for place in ("once", "always"):
        (tmp_path / place).mkdir()
    once = workers.Deadly(tmp_path / "once", deadly=7, times=1)
    always = workers.Deadly(tmp_path / "always", deadly=7, times=99)
    with open_engine("dask", workers=2) as engine:
        assert engine.workers == 2
        assert engine.map_reduce(once, range(PARTS), operator.add) == LETTERS
        assert once.begun(7) == 2
        begun = sum(once.begun(part) for part in range(PARTS))
        # what a lost worker had done, and nobody had fetched, is done again too
        assert 1 <= begun - PARTS == engine.recomputed <= 1 + clusters.AHEAD * 2
        with pytest.raises(WorkerLost, match="part 7 of the data was begun 4 times"):
            engine.map_reduce(always, range(PARTS), operator.add)
        assert always.begun(7) == 4
        assert engine.map_reduce(workers.letters, range(PARTS), operator.add) == LETTERS
