"""Batches, their items and their results, as rows."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any, Final, Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, OperationalError

from service.errors import StorageFullError
from service.jobs.tables import batches, is_full, items, results
from service.options import ReadingOptions

BatchState = Literal["running", "completed", "cancelled"]
ItemState = Literal["waiting", "accepted", "rejected", "failed", "cancelled"]

_PAGE: Final = 500
_INSERT_AT_ONCE: Final = 1000


@dataclass(frozen=True, slots=True)
class NewItem:
    """An image of a batch that is about to be accepted.

    start, size: where it is in the batch's file. error: code and message of an image that is
    already known to be unusable; it becomes the item's result.
    """

    file: str | None
    reference: str | None
    start: int
    size: int
    error: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class NewBatch:
    """A batch that is about to be accepted; body: the name of the file that holds its images."""

    id: str
    owner: str
    options: ReadingOptions
    body: str
    webhook: str | None
    chunk: int


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch; created, ended: seconds since 1970. enqueued: times its chunks were queued."""

    id: str
    owner: str
    state: BatchState
    items: int
    chunk: int
    options: ReadingOptions
    body: str
    webhook: str | None
    created: float
    ended: float | None
    enqueued: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one item: a reading, as JSON has it, or an error as code and message.

    evidence: what the reading rests on, where it was asked for.
    """

    state: Literal["accepted", "rejected", "failed"]
    reading: Mapping[str, Any] | None
    error: tuple[str, str] | None
    evidence: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """An item of a batch with what came of it so far; cancelled batches leave none waiting."""

    number: int
    file: str | None
    reference: str | None
    start: int
    size: int
    state: ItemState
    reading: Mapping[str, Any] | None
    error: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class Progress:
    """How many items of a batch are in each state, and when the last result came."""

    waiting: int
    accepted: int
    rejected: int
    failed: int
    cancelled: int
    latest: float | None


class Store:
    """All that is written about batches; safe to share between threads and processes."""

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def accept(
        self, batch: NewBatch, new: Sequence[NewItem], connection: sa.Connection
    ) -> tuple[Batch, Progress]:
        """Write a batch and its items in a transaction of the caller's."""
        row: dict[str, Any] = {
            "id": batch.id,
            "owner": batch.owner,
            "state": "running",
            "total": len(new),
            "chunk": batch.chunk,
            "options": asdict(batch.options),
            "body": batch.body,
            "webhook": batch.webhook,
            "created": time.time(),
            "ended": None,
            "enqueued": 0,
            "told": batch.webhook is None,
        }
        connection.execute(batches.insert(), row)
        for first in range(0, len(new), _INSERT_AT_ONCE):
            part = list(enumerate(new))[first : first + _INSERT_AT_ONCE]
            connection.execute(items.insert(), [_item_row(batch, n, item) for n, item in part])
        failed = [_failure_row(batch.id, n, item.error) for n, item in enumerate(new) if item.error]
        if failed:
            connection.execute(results.insert(), failed)
        progress = Progress(len(new) - len(failed), 0, 0, len(failed), 0, None)
        return _batch(SimpleNamespace(**row)), progress

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction; raises StorageFullError where the database's disk is full."""
        try:
            with self.engine.begin() as connection:
                yield connection
        except OperationalError as error:
            if is_full(error):
                raise StorageFullError("the database's disk is full") from None
            raise

    def batch(self, id: str, owner: str | None = None) -> Batch | None:
        """A batch, if there is one of this owner; owner None: whoever's it is."""
        query = batches.select().where(batches.c.id == id)
        if owner is not None:
            query = query.where(batches.c.owner == owner)
        with self.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _batch(row)

    def progress(self, batch: Batch) -> Progress:
        """How far a batch is."""
        query = (
            sa.select(results.c.state, sa.func.count(), sa.func.max(results.c.finished))
            .where(results.c.batch == batch.id)
            .group_by(results.c.state)
        )
        with self.engine.connect() as connection:
            rows = connection.execute(query).all()
        counts = {state: count for state, count, _ in rows}
        rest = batch.items - sum(counts.values())
        ended = batch.state != "running"
        return Progress(
            waiting=0 if ended else rest,
            accepted=counts.get("accepted", 0),
            rejected=counts.get("rejected", 0),
            failed=counts.get("failed", 0),
            cancelled=rest if ended else 0,
            latest=max((latest for _, _, latest in rows), default=None),
        )

    def page(self, batch: Batch, *, after: int, limit: int, finished: bool = False) -> list[Item]:
        """At most `limit` items whose number is above `after`, in order.

        finished: only those that have a result.
        """
        joined = items.join(
            results,
            sa.and_(results.c.batch == items.c.batch, results.c.number == items.c.number),
            isouter=not finished,
        )
        query = (
            sa.select(items, results.c.state, results.c.reading, results.c.error_code)
            .add_columns(results.c.error_message)
            .select_from(joined)
            .where(items.c.batch == batch.id, items.c.number > after)
            .order_by(items.c.number)
            .limit(limit)
        )
        with self.engine.connect() as connection:
            return [_item(row, batch.state) for row in connection.execute(query)]

    def finished(self, batch: Batch) -> Iterator[Item]:
        """Every item that has a result, in order, read page by page."""
        after = -1
        while page := self.page(batch, after=after, limit=_PAGE, finished=True):
            yield from page
            after = page[-1].number

    def waiting(self, id: str, first: int, count: int) -> list[Item]:
        """The items first ... first + count - 1 that have no result yet."""
        unread = ~sa.exists().where(
            results.c.batch == items.c.batch, results.c.number == items.c.number
        )
        query = (
            items.select()
            .where(items.c.batch == id, items.c.number.between(first, first + count - 1), unread)
            .order_by(items.c.number)
        )
        with self.engine.connect() as connection:
            return [
                Item(
                    row.number, row.file, row.reference, row.start, row.size, "waiting", None, None
                )
                for row in connection.execute(query)
            ]

    def record(
        self,
        id: str,
        number: int,
        outcome: Outcome,
        beside: Callable[[sa.Connection], None] = lambda _: None,
    ) -> bool:
        """Write an item's result; False where it has one already, or its batch has ended.

        beside: writes what belongs to the result, in the same transaction.
        """
        code, message = outcome.error or (None, None)
        row = {
            "batch": id,
            "number": number,
            "state": outcome.state,
            "reading": outcome.reading,
            "error_code": code,
            "error_message": message,
            "finished": time.time(),
        }
        try:
            with self.begin() as connection:
                running = connection.execute(
                    sa.select(batches.c.id).where(batches.c.id == id, batches.c.state == "running")
                )
                if running.one_or_none() is None:
                    return False
                written = connection.execute(self._insert_once(results).values(row))
                if written.rowcount == 1:
                    beside(connection)
                return written.rowcount == 1
        except IntegrityError:
            return False

    def complete(self, id: str) -> bool:
        """Whether every item of a batch has its result; the batch is completed then."""
        count = (
            sa.select(sa.func.count())
            .select_from(results)
            .where(results.c.batch == batches.c.id)
            .correlate(batches)
            .scalar_subquery()
        )
        with self.begin() as connection:
            done = connection.execute(
                batches.update()
                .where(batches.c.id == id, batches.c.state == "running", batches.c.total == count)
                .values(state="completed", ended=time.time())
            )
        return done.rowcount == 1

    def cancel(self, id: str) -> None:
        """End a batch that still runs; what has a result keeps it."""
        with self.begin() as connection:
            connection.execute(
                batches.update()
                .where(batches.c.id == id, batches.c.state == "running")
                .values(state="cancelled", ended=time.time())
            )

    def remove(self, id: str) -> None:
        """Remove a batch with its items and results."""
        with self.begin() as connection:
            connection.execute(batches.delete().where(batches.c.id == id))

    def unqueued(self) -> list[Batch]:
        """Running batches whose chunks are not on the queue yet, the oldest first."""
        return self._listed(batches.c.state == "running", batches.c.enqueued == 0)

    def running(self) -> list[Batch]:
        """All that runs."""
        return self._listed(batches.c.state == "running")

    def untold(self) -> list[Batch]:
        """Batches that ended without their webhook on its queue."""
        return self._listed(batches.c.state != "running", ~batches.c.told)

    def ended_before(self, moment: float) -> list[Batch]:
        """Batches that ended before a moment, in seconds since 1970."""
        return self._listed(batches.c.ended < moment)

    def set_enqueued(self, id: str) -> None:
        """Note that a batch's chunks are on the queue."""
        with self.begin() as connection:
            connection.execute(
                batches.update().where(batches.c.id == id).values(enqueued=batches.c.enqueued + 1)
            )

    def set_told(self, id: str) -> None:
        """Note that a batch's webhook is on its queue."""
        with self.begin() as connection:
            connection.execute(batches.update().where(batches.c.id == id).values(told=True))

    def bodies(self, names: Sequence[str]) -> set[str]:
        """Those of some names of files that belong to a batch."""
        with self.engine.connect() as connection:
            rows = connection.execute(sa.select(batches.c.body).where(batches.c.body.in_(names)))
            return {row.body for row in rows}

    def _listed(self, *conditions: sa.ColumnElement[bool]) -> list[Batch]:
        query = batches.select().where(*conditions).order_by(batches.c.created)
        with self.engine.connect() as connection:
            return [_batch(row) for row in connection.execute(query)]

    def _insert_once(self, table: sa.Table) -> Any:
        make = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        return make(table).on_conflict_do_nothing()


def _item_row(batch: NewBatch, number: int, item: NewItem) -> dict[str, Any]:
    return {
        "batch": batch.id,
        "number": number,
        "file": item.file,
        "reference": item.reference or batch.options.reference,
        "start": item.start,
        "size": item.size,
    }


def _failure_row(batch: str, number: int, error: tuple[str, str]) -> dict[str, Any]:
    return {
        "batch": batch,
        "number": number,
        "state": "failed",
        "error_code": error[0],
        "error_message": error[1],
        "finished": time.time(),
    }


def _batch(row: Any) -> Batch:
    return Batch(
        id=row.id,
        owner=row.owner,
        state=row.state,
        items=row.total,
        chunk=row.chunk,
        options=ReadingOptions(**row.options),
        body=row.body,
        webhook=row.webhook,
        created=row.created,
        ended=row.ended,
        enqueued=row.enqueued,
    )


def _item(row: Any, batch_state: BatchState) -> Item:
    unread: ItemState = "waiting" if batch_state == "running" else "cancelled"
    return Item(
        number=row.number,
        file=row.file,
        reference=row.reference,
        start=row.start,
        size=row.size,
        state=row.state or unread,
        reading=row.reading,
        error=(row.error_code, row.error_message) if row.error_code else None,
    )
