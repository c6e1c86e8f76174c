"""What goes on beside the reading: queueing, taking over from the dead, purging."""

import logging
import threading
import time
from typing import Final

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from service import metrics
from service.desk.room import Room
from service.errors import ChequeReaderError, without_values
from service.jobs import calls
from service.jobs.bodies import Bodies
from service.jobs.store import Batch, Store
from service.jobs.tables import workers
from service.jobs.work import Worker

logger = logging.getLogger(__name__)

# What this process accepts wakes it; this is how late it learns what others have accepted or ended.
_FEED_SECONDS: Final = 1.0
_BEAT_SECONDS: Final = 5.0
_LEASE_SECONDS: Final = 30.0
_PURGE_SECONDS: Final = 60.0


def purge(store: Store, bodies: Bodies, batch: Batch) -> None:
    """Remove a batch, its images first, so that none outlives what knows of it."""
    bodies.remove(batch.body)
    store.remove(batch.id)
    store.shred()
    metrics.BATCHES.labels("purged").inc()


class Upkeep:
    """A thread that does, for as long as a worker runs, what no single batch asks for.

    Every worker does all of it; what two of them do at once is done once.
    """

    def __init__(
        self,
        worker: Worker,
        store: Store,
        bodies: Bodies,
        executor: str,
        room: Room,
        *,
        retention: float,
        orphan: float,
    ) -> None:
        """retention: seconds that a batch is kept; orphan: age of a file no batch can claim."""
        self._worker = worker
        self._store = store
        self._bodies = bodies
        self._executor = executor
        self._room = room
        self._retention = retention
        self._orphan = orphan
        self._seen: dict[str, tuple[int, float]] = {}
        self._looked = 0.0
        self._stopping = threading.Event()
        self._wake = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name="upkeep", daemon=True),
            # Apart, so that what takes long does not make this process look dead.
            threading.Thread(target=self._keep_beating, name="heartbeat", daemon=True),
        ]

    def start(self) -> None:
        """Begin; the worker has been started, `beat` called before."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, and say that this process takes no more work."""
        self._stopping.set()
        self._wake.set()
        for thread in self._threads:
            thread.join(30)
        try:
            with self._store.begin() as connection:
                connection.execute(workers.delete().where(workers.c.executor == self._executor))
        except (SQLAlchemyError, ChequeReaderError):
            logger.warning("this worker's name could not be given back")

    def wake(self) -> None:
        """Look for accepted batches now."""
        self._wake.set()

    def beat(self) -> None:
        """Say that this process lives."""
        mine = workers.c.executor == self._executor
        with self._store.begin() as connection:
            if not connection.execute(
                workers.update().where(mine).values(beats=workers.c.beats + 1)
            ).rowcount:
                connection.execute(workers.insert(), {"executor": self._executor, "beats": 1})

    def _keep_beating(self) -> None:
        while not self._stopping.wait(_BEAT_SECONDS):
            try:
                self.beat()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next one may succeed
                logger.error("a heartbeat failed (%s)", type(error).__name__)

    def _run(self) -> None:
        last_look = last_purge = -1e9
        while not self._stopping.is_set():
            now = time.monotonic()
            try:
                self._feed()
                if now - last_look >= _BEAT_SECONDS:
                    last_look = now
                    self._take_over(now)
                    self._heal()
                if now - last_purge >= _PURGE_SECONDS:
                    last_purge = now
                    self._purge()
            except Exception as error:  # noqa: BLE001 - whatever it is, the next round may succeed
                logger.error("upkeep failed:\n%s", without_values(error))
                self._stopping.wait(_BEAT_SECONDS)
            self._wake.wait(_FEED_SECONDS)
            self._wake.clear()

    def _feed(self) -> None:
        for batch in self._store.unqueued():
            if self._worker.enqueue(batch, 0):
                self._store.set_enqueued(batch.id)
        for batch in self._store.untold():
            self._worker.enqueue_webhook(batch)
            self._store.set_told(batch.id)
        for id in self._room.untold():
            self._worker.enqueue_decisions(id)
            self._room.set_told(id)

    def _take_over(self, now: float) -> None:
        """Put back on the queue what processes hold that have stopped beating.

        now: seconds of this machine's steady clock. Where this process could not look for a while,
        others may not have been able to beat, and are given their time anew.
        """
        with self._store.begin() as connection:
            rows = connection.execute(sa.select(workers.c.executor, workers.c.beats))
            beats = {row.executor: int(row.beats) for row in rows}
        if now - self._looked > _LEASE_SECONDS / 2:
            self._seen.clear()
        self._looked = now
        silent = []
        for name, count in beats.items():
            seen, since = self._seen.get(name, (None, now))
            if count != seen:
                self._seen[name] = count, now
            elif now - since > _LEASE_SECONDS:
                silent.append(name)
        busy = self._worker.executors() - {self._executor}
        gone = [name for name in busy if name not in beats or name in silent]
        if gone:
            logger.warning("taking over the work of %d workers that are gone", len(gone))
            self._worker.take_over(gone)
        if silent:
            # One that is only slow says its name again with its next beat.
            with self._store.begin() as connection:
                connection.execute(workers.delete().where(workers.c.executor.in_(silent)))

    def _heal(self) -> None:
        """Queue anew what is left of batches whose workflows have all ended."""
        oldest = waiting = 0.0
        now = self._store.now()
        for batch in self._store.running():
            oldest = max(oldest, now - batch.created)
            waiting += self._store.progress(batch).waiting
            if (
                batch.enqueued
                and not self._worker.is_open(batch)
                and self._worker.enqueue(batch, batch.enqueued)
            ):
                self._store.set_enqueued(batch.id)
        metrics.BATCH_WAITING.set(waiting)
        metrics.BATCH_AGE.set(oldest)

    def _purge(self) -> None:
        now = self._store.now()
        for batch in self._store.ended_before(now - self._retention):
            if not self._room.holds(batch):
                purge(self._store, self._bodies, batch)
        old = self._bodies.older_than(self._orphan)
        for first in range(0, len(old), 500):
            part = old[first : first + 500]
            for name in set(part) - self._store.bodies(part) - self._room.sample.bodies(part):
                self._bodies.remove(name)
        calls.expire(self._store, now - self._retention)
        self._worker.forget(now - self._retention)
        self._store.shred()
