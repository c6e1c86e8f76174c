"""Taking over from processes that are gone, queueing anew, purging."""

import os
import sqlite3
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from service.desk.room import Room
from service.errors import ConfigurationError, ConflictError, StorageUnavailableError
from service.jobs import calls
from service.jobs.bodies import Folder
from service.jobs.process import ProcessName
from service.jobs.runtime import chunk_of
from service.jobs.store import Batch, NewBatch, NewItem, Outcome, Store
from service.jobs.tables import SCHEMA, open_database, schema, sqlite_url, workers
from service.jobs.upkeep import Upkeep
from service.options import ReadingOptions
from service.settings import Settings

READ = Outcome("accepted", {"amount_minor": 1}, None)


@dataclass
class FakeWorker:
    """A worker that only notes what it is asked for."""

    busy: set[str] = field(default_factory=set)
    taken: list[str] = field(default_factory=list)
    queued: list[tuple[str, int]] = field(default_factory=list)
    open: bool = False

    def executors(self) -> set[str]:
        return self.busy

    def take_over(self, names: list[str]) -> None:
        self.taken += names

    def enqueue(self, batch: Batch, generation: int) -> bool:
        self.queued.append((batch.id, generation))
        return True

    def is_open(self, _: Batch) -> bool:
        return self.open

    def forget(self, _: float) -> None:
        pass


@pytest.fixture
def store(tmp_path: Path) -> Any:
    """A store of the test's own."""
    made = Store(open_database(sqlite_url(tmp_path)))
    yield made
    made.engine.dispose()


@pytest.fixture
def bodies(tmp_path: Path) -> Folder:
    """A folder of the test's own."""
    return Folder(tmp_path / "images", reserve=0)


def _accept(store: Store, id: str, body: str = "f", items: int = 1) -> None:
    with store.begin() as connection:
        new = NewBatch(id, "", ReadingOptions(), body, None, 20)
        store.accept(new, [NewItem(None, None, 0, 1)] * items, connection)


def _upkeep(worker: FakeWorker, store: Store, bodies: Folder, **given: float) -> Upkeep:
    times = {"retention": 3600.0, "orphan": 3600.0, **given}
    room = Room(Settings(), store, bodies)
    return Upkeep(worker, store, bodies, "me", room, **times)  # type: ignore[arg-type]


def test_what_the_dead_hold_is_taken_over(store: Store, bodies: Folder) -> None:
    worker = FakeWorker(busy={"me", "gone", "silent", "alive"})
    upkeep = _upkeep(worker, store, bodies)
    upkeep.beat()
    with store.begin() as connection:
        for name in ("silent", "alive"):
            connection.execute(workers.insert(), {"executor": name, "beats": 1})
    upkeep._take_over(100.0)
    assert worker.taken == ["gone"]
    worker.busy.remove("gone")
    upkeep._take_over(114.0)
    upkeep._take_over(129.0)
    with store.begin() as connection:
        connection.execute(workers.update().where(workers.c.executor == "alive").values(beats=2))
    upkeep._take_over(131.0)
    assert worker.taken == ["gone", "silent"]


def test_who_could_not_look_takes_nobody_for_dead(store: Store, bodies: Folder) -> None:
    worker = FakeWorker(busy={"me", "slow"})
    upkeep = _upkeep(worker, store, bodies)
    with store.begin() as connection:
        connection.execute(workers.insert(), {"executor": "slow", "beats": 1})
    for moment in (100.0, 110.0, 150.0, 160.0):
        upkeep._take_over(moment)
    assert worker.taken == []


def test_a_batch_is_queued_once_and_again_where_its_work_has_ended(
    store: Store, bodies: Folder
) -> None:
    worker = FakeWorker(open=True)
    upkeep = _upkeep(worker, store, bodies)
    _accept(store, "a")
    upkeep._feed()
    upkeep._feed()
    upkeep._heal()
    assert worker.queued == [("a", 0)]
    worker.open = False
    upkeep._heal()
    assert worker.queued == [("a", 0), ("a", 1)]


def test_what_is_old_is_purged_and_what_runs_is_not(store: Store, bodies: Folder) -> None:
    names = []
    for id in ("ended", "running"):
        name, file = bodies.create()
        file.close()
        names.append(name)
        _accept(store, id, name)
    orphan, file = bodies.create()
    file.close()
    for name in (*names, orphan):
        os.utime(bodies.path(name), (time.time() - 9999, time.time() - 9999))
    assert store.record("ended", {0: READ})
    assert store.complete("ended")
    _upkeep(FakeWorker(), store, bodies, retention=-1.0)._purge()
    assert store.batch("ended") is None
    assert store.batch("running") is not None
    assert bodies.older_than(0) == [names[1]]


def test_a_result_is_written_once_and_only_while_its_batch_runs(store: Store) -> None:
    _accept(store, "a", items=3)
    assert store.record("a", {0: READ})
    assert not store.record("a", {0: Outcome("failed", None, ("x", "y"))})
    assert not store.complete("a")
    store.cancel("a")
    assert not store.record("a", {1: READ})
    batch = store.batch("a")
    assert batch is not None
    progress = store.progress(batch)
    assert (progress.accepted, progress.cancelled, progress.failed) == (1, 2, 0)
    store.remove("a")
    assert not store.record("a", {2: READ})
    assert store.batch("a") is None
    assert store.waiting("a", 0, 20) == []


def test_a_batch_is_its_owners_alone(store: Store) -> None:
    _accept(store, "a")
    assert store.batch("a", "") is not None
    assert store.batch("a", "somebody") is None


def test_claims_of_a_killed_process_are_freed_by_the_next_of_its_name(
    store: Store, tmp_path: Path
) -> None:
    first = ProcessName(tmp_path)
    second = ProcessName(tmp_path)
    assert first.name != second.name
    calls.claim(store, first.name, "", "/r", "key", 60)
    with pytest.raises(ConflictError):
        calls.claim(store, second.name, "", "/r", "key", 60)
    first.release()
    again = ProcessName(tmp_path)
    assert again.name == first.name
    calls.free(store, again.name)
    assert isinstance(calls.claim(store, second.name, "", "/r", "key", 60), calls.Call)
    again.release()
    second.release()


def test_a_void_claim_is_taken(store: Store) -> None:
    calls.claim(store, "p", "", "/r", "key", -1)
    assert isinstance(calls.claim(store, "q", "", "/r", "key", 60), calls.Call)


@pytest.mark.parametrize("url", ["nonsense", "mysql://h/d", "sqlite://", "sqlite:////no/such/f"])
def test_databases_that_cannot_be_used_are_named(url: str) -> None:
    with pytest.raises(ConfigurationError):
        open_database(url)


def test_a_new_file_that_another_process_writes_to_is_waited_for(tmp_path: Path) -> None:
    # As two processes find it that start together: SQLite itself does not wait here.
    other = sqlite3.connect(tmp_path / "jobs.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    done = threading.Timer(0.3, lambda: other.execute("COMMIT"))
    done.start()
    open_database(sqlite_url(tmp_path)).dispose()
    done.join()
    other.close()


def test_tables_of_another_version_are_refused_with_what_to_do(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(schema.update().values(version=SCHEMA + 1))
    engine.dispose()
    with pytest.raises(ConfigurationError) as caught:
        open_database(url)
    assert f"schema {SCHEMA + 1}, this one has {SCHEMA}" in caught.value.message
    assert "CHEQUE_DATABASE_URL" in caught.value.message


def test_tables_without_a_version_are_another_one(tmp_path: Path) -> None:
    url = sqlite_url(tmp_path)
    engine = open_database(url)
    with engine.begin() as connection:
        schema.drop(connection)
    engine.dispose()
    with pytest.raises(ConfigurationError):
        open_database(url)


def test_machines_of_one_name_are_told_apart(tmp_path: Path) -> None:
    first, second = ProcessName(tmp_path / "a"), ProcessName(tmp_path / "b")
    assert first.name != second.name
    first.release()
    assert ProcessName(tmp_path / "a").name == first.name
    second.release()


def test_the_pace_is_that_of_the_last_minute(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [1000.0]
    monkeypatch.setattr(Store, "now", lambda *_: clock[0])
    _accept(store, "a", items=100)
    batch = store.batch("a")
    assert batch is not None
    assert store.progress(batch).pace is None
    for number in range(5):
        clock[0] += 2.0
        store.record("a", {number: READ})
    assert store.progress(batch).pace == pytest.approx(0.5)
    clock[0] += 100.0
    assert store.progress(batch).pace is None


def test_chunks_give_every_reader_some() -> None:
    assert [chunk_of(items) for items in (1, 31, 100, 640, 10_000)] == [1, 1, 6, 20, 20]


def test_what_was_begun_often_is_read_last(store: Store) -> None:
    _accept(store, "a", items=3)
    assert not store.begin_chunk("a", 0)
    assert store.begin_chunk("a", 0)
    store.begin_item("a", 0)
    store.begin_item("a", 0)
    store.begin_item("a", 1)
    waiting = [(item.number, item.begun) for item in store.waiting("a", 0, 20)]
    assert waiting == [(2, 0), (1, 1), (0, 2)]
    store.begin_item("gone", 0)


def test_a_database_that_is_away_is_said(store: Store) -> None:
    @sa.event.listens_for(store.engine, "before_cursor_execute")
    def fail(*_: object) -> None:
        raise OperationalError("", {}, Exception("no connection"))

    with pytest.raises(StorageUnavailableError):
        store.batch("a")
