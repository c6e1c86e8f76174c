"""Batches, their items and their results, as rows."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from service.errors import StorageFullError, StorageUnavailableError
from service.jobs import letters
from service.jobs.tables import attempts, batches, is_full, items, results
from service.options import ReadingOptions

if TYPE_CHECKING:
    from service.jobs.letters import NewLetterItem

logger = logging.getLogger(__name__)

_Row = TypeVar("_Row")

BatchState = Literal["running", "completed", "cancelled"]
ItemState = Literal["waiting", "accepted", "rejected", "failed", "cancelled"]

_PAGE: Final = 500
_INSERT_AT_ONCE: Final = 1000
_PACE_SECONDS: Final = 60.0
_READ: Final = ("accepted", "rejected")
_UNREAD: Final = ~sa.exists().where(
    results.c.batch == items.c.batch, results.c.number == items.c.number
)
_CLOCK: Final = sa.literal_column("extract(epoch FROM clock_timestamp())", sa.Float)


@dataclass(frozen=True, slots=True)
class NewItem:
    """An image of a batch that is about to be accepted.

    start, size: where it is in the batch's file. error: code and message of an image that is
    already known to be unusable; it becomes the item's result. letter: of an item of a cash letter.
    """

    file: str | None
    reference: str | None
    start: int
    size: int
    error: tuple[str, str] | None = None
    letter: "NewLetterItem | None" = None


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
    """An item of a batch with what came of it so far; cancelled batches leave none waiting.

    begun: how often a process ended while it may have been reading it.
    """

    number: int
    file: str | None
    reference: str | None
    start: int
    size: int
    state: ItemState
    reading: Mapping[str, Any] | None
    error: tuple[str, str] | None
    begun: int = 0


@dataclass(frozen=True, slots=True)
class Progress:
    """How many items of a batch are in each state.

    pace: items read a second in the last minute, None where fewer than two were.
    """

    waiting: int
    accepted: int
    rejected: int
    failed: int
    cancelled: int
    pace: float | None


class Store:
    """All that is written about batches; safe to share between threads and processes.

    Times are those of the database's clock, in seconds since 1970: the machines that share it need
    not agree. Every method raises StorageUnavailableError where the database can't be reached.
    """

    def __init__(self, engine: sa.Engine) -> None:
        self.engine = engine

    def accept(
        self, batch: NewBatch, new: Sequence[NewItem], connection: sa.Connection
    ) -> tuple[Batch, Progress]:
        """Write a batch and its items in a transaction of the caller's."""
        row: dict[str, Any] = {
            **asdict(batch),
            "state": "running",
            "total": len(new),
            "created": self.now(connection),
            "ended": None,
            "enqueued": 0,
            "told": batch.webhook is None,
        }
        connection.execute(batches.insert(), row)
        for first in range(0, len(new), _INSERT_AT_ONCE):
            part = list(enumerate(new))[first : first + _INSERT_AT_ONCE]
            connection.execute(items.insert(), [_item_row(batch, n, item) for n, item in part])
        failed = [
            _result_row(batch.id, n, Outcome("failed", None, item.error), row["created"])
            for n, item in enumerate(new)
            if item.error
        ]
        if failed:
            connection.execute(results.insert(), failed)
        letters.accept(connection, batch.id, new)
        progress = Progress(len(new) - len(failed), 0, 0, len(failed), 0, None)
        return _batch(SimpleNamespace(**row)), progress

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """A transaction; raises StorageFullError and StorageUnavailableError."""
        with _translated(), self.engine.begin() as connection:
            yield connection

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A connection to read with; raises StorageUnavailableError."""
        with _translated(), self.engine.connect() as connection:
            yield connection

    def now(self, connection: sa.Connection | None = None) -> float:
        """The database's clock; of a SQLite file that is the machine's."""
        if self.engine.dialect.name != "postgresql":
            return time.time()
        if connection is None:
            with self.reading() as own:
                return self.now(own)
        return float(connection.execute(sa.select(_CLOCK)).scalar_one())

    def _moment(self) -> Any:
        """The same within a statement."""
        return _CLOCK if self.engine.dialect.name == "postgresql" else self.now()

    def batch(self, id: str, owner: str | None = None) -> Batch | None:
        """A batch, if there is one of this owner; owner None: whoever's it is."""
        query = batches.select().where(batches.c.id == id)
        if owner is not None:
            query = query.where(batches.c.owner == owner)
        with self.reading() as connection:
            row = connection.execute(query).one_or_none()
        return None if row is None else _batch(row)

    def progress(self, batch: Batch) -> Progress:
        """How far a batch is."""
        with self.reading() as connection:
            now = self.now(connection)
            late = sa.case((results.c.finished > now - _PACE_SECONDS, results.c.finished))
            query = (
                sa.select(results.c.state, sa.func.count())
                .add_columns(sa.func.count(late), sa.func.min(late))
                .where(results.c.batch == batch.id)
                .group_by(results.c.state)
            )
            rows = connection.execute(query).all()
        counts = {state: count for state, count, _, _ in rows}
        late_rows = [(count, first) for state, _, count, first in rows if count and state in _READ]
        rest = batch.items - sum(counts.values())
        ended = batch.state != "running"
        return Progress(
            waiting=0 if ended else rest,
            accepted=counts.get("accepted", 0),
            rejected=counts.get("rejected", 0),
            failed=counts.get("failed", 0),
            cancelled=rest if ended else 0,
            pace=_pace(late_rows, now),
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
        with self.reading() as connection:
            return [_item(row, batch.state) for row in connection.execute(query)]

    def finished(self, batch: Batch) -> Iterator[Item]:
        """Every item that has a result, in order, read page by page."""
        after = -1
        while page := self.page(batch, after=after, limit=_PAGE, finished=True):
            yield from page
            after = page[-1].number

    def waiting(self, id: str, first: int, count: int) -> list[Item]:
        """The items first ... first + count - 1 that have no result yet, the least begun first."""
        tried = items.join(
            attempts,
            sa.and_(attempts.c.batch == items.c.batch, attempts.c.number == items.c.number),
            isouter=True,
        )
        begun = sa.func.coalesce(attempts.c.begun, 0).label("begun")
        query = (
            sa.select(items, begun)
            .select_from(tried)
            .where(items.c.batch == id, items.c.number.between(first, first + count - 1), _UNREAD)
            .order_by(begun, items.c.number)
        )
        with self.reading() as connection:
            return [
                _filled(Item, row, state="waiting", reading=None, error=None)
                for row in connection.execute(query)
            ]

    def chunks_waiting(self, batch: Batch) -> list[int]:
        """The first items of the chunks of a batch that hold any without a result, in order."""
        first = items.c.number - items.c.number % batch.chunk
        query = sa.select(first).where(items.c.batch == batch.id, _UNREAD).distinct()
        with self.reading() as connection:
            return sorted(connection.scalars(query))

    def begin_chunk(self, id: str, first: int) -> bool:
        """Note that a chunk is about to be read; whether it was before."""
        insert = self._insert(attempts).values(batch=id, number=first, begun=0)
        return not self._written(insert.on_conflict_do_nothing())

    def begin_item(self, id: str, number: int) -> None:
        """Note that an item is about to be read, in case its reader takes the process with it."""
        insert = self._insert(attempts).values(batch=id, number=number, begun=1)
        self._written(
            insert.on_conflict_do_update(
                index_elements=[attempts.c.batch, attempts.c.number],
                set_={"begun": attempts.c.begun + 1},
            )
        )

    def _written(self, statement: Any) -> bool:
        """Whether a statement wrote a row; it does not where the batch has been purged."""
        try:
            with self.begin() as connection:
                return connection.execute(statement).rowcount == 1
        except IntegrityError:
            return False

    def record(
        self,
        id: str,
        outcomes: Mapping[int, Outcome],
        beside: Callable[[sa.Connection, int], None] = lambda _, __: None,
    ) -> set[int]:
        """Write results of items, by their numbers, all or none; the numbers that were written.

        One that has a result already keeps it; none is written where the batch has ended. beside:
        writes what belongs to the result of a number, in the same transaction.
        """
        # Nobody cancels the batch between the two statements.
        running = (
            sa.select(batches.c.id)
            .where(batches.c.id == id, batches.c.state == "running")
            .with_for_update(read=True)
        )
        try:
            with self.begin() as connection:
                if connection.execute(running).one_or_none() is None:
                    return set()
                now = self.now(connection)
                rows = [_result_row(id, number, one, now) for number, one in outcomes.items()]
                insert = self._insert(results).on_conflict_do_nothing()
                new = set(connection.scalars(insert.returning(results.c.number), rows))
                for number in new:
                    beside(connection, number)
                return new
        except IntegrityError:
            return set()

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
                .values(state="completed", ended=self._moment())
            )
        return done.rowcount == 1

    def cancel(self, id: str) -> None:
        """End a batch that still runs; what has a result keeps it."""
        with self.begin() as connection:
            connection.execute(
                batches.update()
                .where(batches.c.id == id, batches.c.state == "running")
                .values(state="cancelled", ended=self._moment())
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
        with self.reading() as connection:
            rows = connection.execute(sa.select(batches.c.body).where(batches.c.body.in_(names)))
            return {row.body for row in rows}

    def _listed(self, *conditions: sa.ColumnElement[bool]) -> list[Batch]:
        query = batches.select().where(*conditions).order_by(batches.c.created)
        with self.reading() as connection:
            return [_batch(row) for row in connection.execute(query)]

    def _insert(self, table: sa.Table) -> Any:
        make = postgresql.insert if self.engine.dialect.name == "postgresql" else sqlite.insert
        # Of an INSERT the count of rows is not known afterwards on PostgreSQL, if it is not kept.
        return make(table).execution_options(preserve_rowcount=True)

    def shred(self) -> None:
        """Take what was removed out of the files of a SQLite database, its log included."""
        if self.engine.dialect.name == "sqlite":
            with self.reading() as connection:
                connection.execute(sa.text("PRAGMA wal_checkpoint(TRUNCATE)"))


@contextmanager
def _translated() -> Iterator[None]:
    """Turn what a database that is full or away raises into errors of the service's own."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout) as error:
        if is_full(error):
            raise StorageFullError("the database's disk is full") from None
        kind = type(getattr(error, "orig", None) or error).__name__
        logger.error("the database can't be used (%s)", kind)
        raise StorageUnavailableError("the database can't be reached") from None


def _filled(kind: type[_Row], row: Any, **other: Any) -> _Row:
    """A dataclass from the columns that its fields are named after, the others as given."""
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: other[name] if name in other else getattr(row, name) for name in names})


def _item_row(batch: NewBatch, number: int, item: NewItem) -> dict[str, Any]:
    row = {**asdict(item), "batch": batch.id, "number": number}
    del row["error"]
    return row | {"reference": item.reference or batch.options.reference}


def _result_row(batch: str, number: int, outcome: Outcome, moment: Any) -> dict[str, Any]:
    code, message = outcome.error or (None, None)
    return {
        "batch": batch,
        "number": number,
        "state": outcome.state,
        "reading": outcome.reading,
        "error_code": code,
        "error_message": message,
        "finished": moment,
    }


def _pace(late: Sequence[tuple[int, float]], now: float) -> float | None:
    """Items a second, from counts of late results and the moment of the first of each."""
    count = sum(number for number, _ in late)
    if count < 2:
        return None
    return (count - 1) / max(now - min(first for _, first in late), 1e-3)


def _batch(row: Any) -> Batch:
    return _filled(Batch, row, items=row.total, options=ReadingOptions(**row.options))


def _item(row: Any, batch_state: BatchState) -> Item:
    unread: ItemState = "waiting" if batch_state == "running" else "cancelled"
    error = (row.error_code, row.error_message) if row.error_code else None
    return _filled(Item, row, state=row.state or unread, error=error, begun=0)
