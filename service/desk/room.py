"""Puts the parts of the desk together for one process, and does what no single item asks for."""

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Final

import sqlalchemy as sa

from service import metrics
from service.desk.counts import Counts
from service.desk.entrance import Entrance
from service.desk.members import Members
from service.desk.review import Decision, Desk
from service.desk.sample import Sample
from service.desk.tables import desk_batches, desk_clerks, desk_items, desk_outcomes
from service.errors import without_values
from service.jobs.bodies import Bodies
from service.jobs.store import Batch, Item, Store
from service.jobs.tables import batches
from service.settings import Settings

logger = logging.getLogger(__name__)

_ROUND_SECONDS: Final = 2.0
_EXPIRE_SECONDS: Final = 600.0
_DAY: Final = 86400.0
_ITEMS_AT_ONCE: Final = 500


class Room:
    """The desk of one process; its thread begins with `start`."""

    def __init__(self, settings: Settings, store: Store, bodies: Bodies) -> None:
        self.on = settings.desk == "on"
        self._store = store
        self._kept = settings.desk_hours * 3600
        self._undo = settings.desk_undo_seconds
        self._history = settings.desk_history_days
        self.desk = Desk(
            store, clock=store.now, lease=settings.desk_lease_seconds, keyings=settings.desk_keyings
        )
        self.members = Members(
            store, hours=settings.desk_session_hours, idle=settings.desk_idle_minutes
        )
        self.counts = Counts(store)
        self.sample = Sample(store, bodies, days=settings.desk_sample_days)
        self.entrance = Entrance(
            store, bodies, self.desk, self.counts, audit_share=settings.desk_audit_share
        )
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to settle, count and expire; a second call does nothing."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="desk", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End, and write what was counted."""
        if self._thread is not None:
            self._stopping.set()
            self._thread.join(30)
            self._thread = None

    def progress(self, batch: str) -> tuple[int, int] | None:
        """How many of a batch's items wait and are decided; None where none may come here."""
        query = sa.select(desk_batches.c.batch).where(desk_batches.c.batch == batch)
        with self._store.engine.connect() as connection:
            if connection.execute(query).one_or_none() is None:
                return None
        return self.desk.progress(batch)

    def decided(self, batch: str, items: Iterable[Item]) -> Iterator[tuple[Item, Decision | None]]:
        """Items of a batch in their order, each with its decision."""
        several = iter(items)
        while part := list(islice(several, _ITEMS_AT_ONCE)):
            found = self.desk.decisions(batch, [item.number for item in part])
            yield from ((item, found.get(item.number)) for item in part)

    def untold(self) -> list[str]:
        """Ended batches whose items are all decided for good, but whose caller is not told yet."""
        mine = desk_items.c.batch == desk_batches.c.batch
        query = (
            sa.select(desk_batches.c.batch)
            .join(batches, batches.c.id == desk_batches.c.batch)
            .where(
                ~desk_batches.c.told,
                batches.c.state != "running",
                batches.c.webhook.is_not(None),
                sa.exists().where(mine),
                ~sa.exists().where(mine, ~desk_items.c.settled),
            )
        )
        with self._store.engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def set_told(self, batch: str) -> None:
        """Note that the webhook of a batch's decisions is on its queue."""
        with self._store.begin() as connection:
            connection.execute(
                desk_batches.update().where(desk_batches.c.batch == batch).values(told=True)
            )

    def holds(self, batch: Batch) -> bool:
        """Whether a batch is kept past its time, because clerks have not seen all of it."""
        if not self.on or batch.ended is None or batch.ended < time.time() - self._kept:
            return False
        waits = sa.exists().where(desk_items.c.batch == batch.id, ~desk_items.c.settled)
        staffed = sa.exists().where(desk_clerks.c.removed.is_(None))
        with self._store.engine.connect() as connection:
            return bool(connection.execute(sa.select(sa.and_(waits, staffed))).scalar())

    def round(self) -> None:
        """Write counts, settle decisions, and say how much waits."""
        self.counts.flush()
        while self.sample.settle(time.time() - self._undo):
            continue
        with self._store.engine.connect() as connection:
            waiting = connection.execute(
                sa.select(sa.func.count(), sa.func.min(desk_items.c.entered)).where(
                    desk_items.c.state == "waiting"
                )
            ).one()
        metrics.DESK_WAITING.set(waiting[0])
        metrics.DESK_AGE.set(time.time() - waiting[1] if waiting[1] else 0.0)

    def expire(self) -> None:
        """Remove what is past its time."""
        self.sample.expire()
        oldest = time.strftime("%Y-%m-%d", time.gmtime(time.time() - self._history * _DAY))
        self.counts.expire(oldest)
        with self._store.begin() as connection:
            connection.execute(desk_outcomes.delete().where(desk_outcomes.c.day < oldest))

    def _run(self) -> None:
        last = -1e9
        while not self._stopping.wait(_ROUND_SECONDS):
            self._try(self.round)
            if time.monotonic() - last > _EXPIRE_SECONDS:
                last = time.monotonic()
                self._try(self.expire)
        self._try(self.counts.flush)

    @staticmethod
    def _try(act: Callable[[], None]) -> None:
        try:
            act()
        except Exception as error:  # noqa: BLE001 - whatever it is, the next round may succeed
            logger.error("the desk's upkeep failed:\n%s", without_values(error))
