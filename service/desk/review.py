"""The desk's queues: who has which item, what was keyed, what was decided.

An item is leased to one member at a time, and comes back when the lease runs out. What a clerk keys
is a keying; one, or two that agree, or the third of three, make a decision. Neither ever changes,
nor does the reading: a keying that is undone, and the decision it made, are marked so.
"""

import hashlib
import json
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, get_args

import sqlalchemy as sa

from service.desk.members import Member
from service.desk.tables import (
    desk_decisions,
    desk_items,
    desk_keyings,
    desk_outcomes,
    desk_skips,
    evidence,
)
from service.errors import LeaseError, ParameterError
from service.jobs.store import Store
from service.jobs.tables import batches, items, results

Kind = Literal["amount", "not_a_cheque", "words_differ", "illegible"]
Reason = Literal["rejected", "audit"]
Order = Literal["oldest", "largest"]

KINDS: Final[tuple[Kind, ...]] = get_args(Kind)
LARGEST_AMOUNT: Final = 10**15
MOST_LEASED: Final = 10
_DECIDED: Final = "decided"
_WAITING: Final = "waiting"
_GONE: Final = "the item is no longer leased to you"


@dataclass(frozen=True, slots=True)
class Said:
    """What a clerk says of a cheque; the amount is there where kind is amount, and only then.

    Raises ParameterError where it is not.
    """

    kind: Kind
    amount_minor: int | None = None
    currency: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ParameterError("kind", f"kind must be one of {', '.join(KINDS)}")
        if (self.kind == "amount") != (self.amount_minor is not None):
            raise ParameterError("amount_minor", "amount_minor goes with the kind amount")
        if self.amount_minor is not None and not 0 <= self.amount_minor <= LARGEST_AMOUNT:
            raise ParameterError("amount_minor", f"amount_minor must be 0 to {LARGEST_AMOUNT}")
        if self.kind != "amount" and self.currency is not None:
            raise ParameterError("currency", "currency goes with the kind amount")


@dataclass(frozen=True, slots=True)
class Leased:
    """An item that a member has; reading: as JSON has it. until: seconds since 1970.

    start, size: where its image lies in the file named body.
    """

    batch: str
    number: int
    queue: str
    lease: str
    until: float
    reading: Mapping[str, Any]
    options: Mapping[str, Any]
    body: str
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What became of an item; clerks: names of those who agree. at: seconds since 1970.

    reading_sha256: of the canonical JSON of the reading it is linked to.
    """

    id: str
    said: Said
    clerks: tuple[str, ...]
    reading_sha256: str
    at: float


@dataclass(frozen=True, slots=True)
class Keyed:
    """What came of a keying: its id, and the decision where it made one."""

    id: str
    decision: Decision | None


class Desk:
    """The queues; safe to share between threads and processes."""

    def __init__(
        self,
        store: Store,
        *,
        lease: float,
        keyings: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """lease: seconds that an item stays with who does not renew; keyings: clerks who agree.

        clock: seconds since 1970.
        """
        self._store = store
        self._clock = clock
        self._lease = lease
        self._keyings = keyings

    @contextmanager
    def _alone(self) -> Iterator[sa.Connection]:
        """A transaction whose first look is as binding as its writes.

        On SQLite one would otherwise begin with the first write, and two that look first would
        both find the same item free; PostgreSQL locks the rows that are looked at.
        """
        with self._store.begin() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            yield connection

    def enter(
        self,
        connection: sa.Connection,
        batch: str,
        number: int,
        *,
        queue: str,
        reason: Reason,
        source: str,
        entered: float,
        reading: Mapping[str, Any],
    ) -> None:
        """Put an item into its queue, in the transaction that writes its result.

        entered: when its batch was accepted; within a batch items keep their order, whichever was
        read first.
        """
        connection.execute(
            desk_items.insert(),
            {
                "batch": batch,
                "number": number,
                "queue": queue,
                "reason": reason,
                "source": source,
                "amount": min(abs(reading["amount_minor"] or 0), LARGEST_AMOUNT),
                "entered": entered,
                "keyings": self._keyings,
                "state": _WAITING,
                "decided": None,
                "settled": False,
                "holder": None,
                "lease": None,
                "until": 0.0,
            },
        )

    def waiting(self, member: Member) -> dict[str, int]:
        """How many items wait in each queue that a member sees, leased ones among them."""
        query = (
            sa.select(desk_items.c.queue, sa.func.count())
            .where(desk_items.c.state == _WAITING)
            .group_by(desk_items.c.queue)
            .order_by(desk_items.c.queue)
        )
        with self._store.engine.connect() as connection:
            counts = {queue: int(count) for queue, count in connection.execute(query)}
        if member.queues is None:
            return counts
        return {queue: counts.get(queue, 0) for queue in sorted(member.queues)}

    def take(self, member: Member, *, queue: str | None, order: Order, most: int) -> list[Leased]:
        """Lease up to `most` items that nobody has, of one queue or of all that are granted.

        An item is not offered to who has keyed it; one that the member skipped comes after all
        others.
        """
        now = self._clock()
        with self._alone() as connection:
            held = connection.execute(
                sa.select(sa.func.count()).where(
                    desk_items.c.holder == member.holder,
                    desk_items.c.until > now,
                    desk_items.c.state == _WAITING,
                )
            ).scalar_one()
            room = min(most, MOST_LEASED - held)
            if room <= 0:
                return []
            found = connection.execute(self._free(member, queue, order, now).limit(room)).all()
            leases = []
            for row in found:
                lease, until = secrets.token_hex(16), now + self._lease
                connection.execute(
                    desk_items.update()
                    .where(_is(desk_items, row.batch, row.number))
                    .values(holder=member.holder, lease=lease, until=until)
                )
                leases.append((row.batch, row.number))
            return [_leased(connection, batch, number) for batch, number in leases]

    def _free(
        self, member: Member, queue: str | None, order: Order, now: float
    ) -> sa.Select[tuple[str, int]]:
        keyed = sa.exists().where(
            desk_keyings.c.batch == desk_items.c.batch,
            desk_keyings.c.number == desk_items.c.number,
            desk_keyings.c.member == member.id,
            desk_keyings.c.undone.is_(None),
        )
        skipped = (
            sa.select(desk_skips.c.at)
            .where(
                desk_skips.c.batch == desk_items.c.batch,
                desk_skips.c.number == desk_items.c.number,
                desk_skips.c.member == member.id,
            )
            .scalar_subquery()
        )
        first = desk_items.c.amount.desc() if order == "largest" else desk_items.c.entered
        query = (
            sa.select(desk_items.c.batch, desk_items.c.number)
            .where(desk_items.c.state == _WAITING, desk_items.c.until < now, ~keyed)
            .order_by(sa.func.coalesce(skipped, 0.0), first, desk_items.c.batch)
            .order_by(desk_items.c.number)
            .with_for_update(skip_locked=True, of=desk_items)
        )
        if queue is not None:
            query = query.where(desk_items.c.queue == queue)
        if member.queues is not None:
            query = query.where(desk_items.c.queue.in_(sorted(member.queues)))
        return query

    def renew(self, member: Member, leases: Sequence[str]) -> list[str]:
        """Keep leases for longer; those of them that the member still has."""
        now = self._clock()
        mine = sa.and_(
            desk_items.c.lease.in_(leases),
            desk_items.c.holder == member.holder,
            desk_items.c.state == _WAITING,
        )
        with self._alone() as connection:
            connection.execute(desk_items.update().where(mine).values(until=now + self._lease))
            rows = connection.execute(sa.select(desk_items.c.lease).where(mine)).scalars()
            return [lease for lease in rows if lease is not None]

    def release(self, member: Member, leases: Sequence[str]) -> None:
        """Give items back before their leases run out."""
        with self._alone() as connection:
            connection.execute(
                desk_items.update()
                .where(desk_items.c.lease.in_(leases), desk_items.c.holder == member.holder)
                .values(holder=None, lease=None, until=0.0)
            )

    def release_all(self, member: Member) -> None:
        """Give back all that a member has in one place, who signs out there."""
        with self._alone() as connection:
            connection.execute(
                desk_items.update()
                .where(desk_items.c.holder == member.holder)
                .values(holder=None, lease=None, until=0.0)
            )

    def skip(self, member: Member, batch: str, number: int, lease: str) -> None:
        """Put a leased item behind all others, for this member; raises LeaseError."""
        now = self._clock()
        with self._alone() as connection:
            _held(connection, member, batch, number, lease)
            connection.execute(
                desk_skips.delete().where(
                    _is(desk_skips, batch, number), desk_skips.c.member == member.id
                )
            )
            connection.execute(
                desk_skips.insert(),
                {"batch": batch, "number": number, "member": member.id, "at": now},
            )
            connection.execute(
                desk_items.update()
                .where(_is(desk_items, batch, number))
                .values(holder=None, lease=None, until=0.0)
            )

    def key(self, member: Member, batch: str, number: int, lease: str, said: Said) -> Keyed:
        """Write what a member says of a leased item.

        Said again under the same lease it is answered again, and written once. Raises
        LeaseError where the member has the item no longer.
        """
        now = self._clock()
        with self._alone() as connection:
            earlier = connection.execute(
                desk_keyings.select().where(
                    desk_keyings.c.lease == lease, desk_keyings.c.member == member.id
                )
            ).one_or_none()
            if earlier is not None:
                if (earlier.batch, earlier.number, _said(earlier)) != (batch, number, said):
                    raise LeaseError("something else was keyed under this lease")
                return Keyed(earlier.id, _decision_of(connection, earlier.id))
            item = _held(connection, member, batch, number, lease)
            id = secrets.token_hex(16)
            connection.execute(
                desk_keyings.insert(),
                {
                    "id": id,
                    "batch": batch,
                    "number": number,
                    "lease": lease,
                    "member": member.id,
                    "name": member.name,
                    "kind": said.kind,
                    "amount_minor": said.amount_minor,
                    "currency": said.currency,
                    "at": now,
                    "undone": None,
                },
            )
            clerks = _agreed(connection, batch, number, item.keyings)
            decided = clerks is not None
            connection.execute(
                desk_items.update()
                .where(_is(desk_items, batch, number))
                .values(
                    state=_DECIDED if decided else _WAITING,
                    decided=now if decided else None,
                    holder=None,
                    lease=None,
                    until=0.0,
                )
            )
            if clerks is None:
                return Keyed(id, None)
            return Keyed(id, _decide(connection, id, item, said, clerks, now))

    def undo(self, member: Member, keying: str) -> Leased:
        """Take back a member's keying, and the decision it made; the item is leased again.

        Raises LeaseError where it is too late: the item is keyed by another since, or with
        another, or its decision has been passed on.
        """
        now = self._clock()
        with self._alone() as connection:
            row = connection.execute(
                desk_keyings.select().where(
                    desk_keyings.c.id == keying,
                    desk_keyings.c.member == member.id,
                    desk_keyings.c.undone.is_(None),
                )
            ).one_or_none()
            if row is None:
                raise LeaseError("there is no such keying of yours to undo")
            item = connection.execute(
                desk_items.select().where(_is(desk_items, row.batch, row.number)).with_for_update()
            ).one()
            last = _keyings(connection, row.batch, row.number)[-1]
            if item.settled or last.id != keying or item.until > now:
                raise LeaseError("it is too late to undo this")
            for table in (desk_keyings, desk_decisions):
                column = table.c.undone if table is desk_keyings else table.c.withdrawn
                connection.execute(table.update().where(table.c.id == keying).values({column: now}))
            connection.execute(desk_outcomes.delete().where(desk_outcomes.c.id == keying))
            connection.execute(
                desk_items.update()
                .where(_is(desk_items, row.batch, row.number))
                .values(
                    state=_WAITING,
                    decided=None,
                    holder=member.holder,
                    lease=secrets.token_hex(16),
                    until=now + self._lease,
                )
            )
            return _leased(connection, row.batch, row.number)

    def look(self, member: Member, batch: str, number: int) -> Leased | None:
        """An item of a queue that a member sees, whoever has it; its lease is left out."""
        with self._store.engine.connect() as connection:
            row = connection.execute(
                sa.select(desk_items.c.queue).where(_is(desk_items, batch, number))
            ).one_or_none()
            if row is None or not member.may_see(row.queue):
                return None
            return _leased(connection, batch, number)

    def evidence(self, batch: str, number: int) -> Mapping[str, Any] | None:
        """What an item's reading rests on, where it was kept."""
        query = sa.select(evidence.c.evidence).where(_is(evidence, batch, number))
        with self._store.engine.connect() as connection:
            found: Mapping[str, Any] | None = connection.execute(query).scalar_one_or_none()
            return found

    def decisions(self, batch: str, numbers: Sequence[int]) -> dict[int, Decision]:
        """The decisions of some items of a batch that have one."""
        query = desk_decisions.select().where(
            desk_decisions.c.batch == batch,
            desk_decisions.c.number.in_(numbers),
            desk_decisions.c.withdrawn.is_(None),
        )
        with self._store.engine.connect() as connection:
            return {row.number: _decision(row) for row in connection.execute(query)}

    def progress(self, batch: str) -> tuple[int, int]:
        """How many of a batch's items wait at the desk, and how many are decided."""
        query = (
            sa.select(desk_items.c.state, sa.func.count())
            .where(desk_items.c.batch == batch)
            .group_by(desk_items.c.state)
        )
        with self._store.engine.connect() as connection:
            counts = {state: int(count) for state, count in connection.execute(query)}
        return counts.get(_WAITING, 0), counts.get(_DECIDED, 0)


def reading_sha256(reading: Mapping[str, Any]) -> str:
    """The SHA-256 of a reading as JSON with sorted names and no spaces."""
    text = json.dumps(reading, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _is(table: sa.Table, batch: str, number: int) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.batch == batch, table.c.number == number)


def _held(connection: sa.Connection, member: Member, batch: str, number: int, lease: str) -> Any:
    """The row of an item that a member has; even past its time, if nobody has taken it since."""
    row = connection.execute(
        desk_items.select().where(_is(desk_items, batch, number)).with_for_update()
    ).one_or_none()
    if (
        row is None
        or row.state != _WAITING
        or row.lease != lease
        or row.holder != member.holder
        or not member.may_see(row.queue)
    ):
        raise LeaseError(_GONE)
    return row


def _leased(connection: sa.Connection, batch: str, number: int) -> Leased:
    query = (
        sa.select(
            desk_items,
            results.c.reading,
            batches.c.options,
            batches.c.body,
            items.c.start,
            items.c.size,
        )
        .join(results, sa.and_(*_same(results)))
        .join(items, sa.and_(*_same(items)))
        .join(batches, batches.c.id == desk_items.c.batch)
        .where(_is(desk_items, batch, number))
    )
    row = connection.execute(query).one()
    return Leased(
        batch=batch,
        number=number,
        queue=row.queue,
        lease=row.lease or "",
        until=row.until,
        reading=row.reading,
        options=row.options,
        body=row.body,
        start=row.start,
        size=row.size,
    )


def _same(table: sa.Table) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return table.c.batch == desk_items.c.batch, table.c.number == desk_items.c.number


def _keyings(connection: sa.Connection, batch: str, number: int) -> Sequence[Any]:
    query = desk_keyings.select().where(
        _is(desk_keyings, batch, number), desk_keyings.c.undone.is_(None)
    )
    return connection.execute(query.order_by(desk_keyings.c.at, desk_keyings.c.id)).all()


def _agreed(
    connection: sa.Connection, batch: str, number: int, wanted: int
) -> tuple[str, ...] | None:
    """The names of those who agree with the last keying, where that makes a decision."""
    keyed = _keyings(connection, batch, number)
    last = _said(keyed[-1])
    agree = tuple(row.name for row in keyed if _said(row) == last)
    # Of three the third decides, whether anybody agrees or not.
    return agree if len(agree) >= wanted or len(keyed) > wanted else None


def _decide(
    connection: sa.Connection,
    id: str,
    item: Any,
    said: Said,
    clerks: tuple[str, ...],
    now: float,
) -> Decision:
    reading = connection.execute(
        sa.select(results.c.reading).where(_is(results, item.batch, item.number))
    ).scalar_one()
    decision = Decision(id, said, clerks, reading_sha256(reading), now)
    connection.execute(
        desk_decisions.insert(),
        {
            "id": id,
            "batch": item.batch,
            "number": item.number,
            "kind": said.kind,
            "amount_minor": said.amount_minor,
            "currency": said.currency,
            "clerks": list(clerks),
            "reading_sha256": decision.reading_sha256,
            "at": now,
            "withdrawn": None,
        },
    )
    connection.execute(
        desk_outcomes.insert(),
        {
            "id": id,
            "day": time.strftime("%Y-%m-%d", time.gmtime(item.entered)),
            "source": item.source,
            "model": reading["model_version"],
            "reason": item.reason,
            "kind": said.kind,
            "agrees": said.kind == "amount" and said.amount_minor == reading["amount_minor"],
            "at": now,
        },
    )
    return decision


def _decision_of(connection: sa.Connection, id: str) -> Decision | None:
    row = connection.execute(
        desk_decisions.select().where(
            desk_decisions.c.id == id, desk_decisions.c.withdrawn.is_(None)
        )
    ).one_or_none()
    return None if row is None else _decision(row)


def _said(row: Any) -> Said:
    return Said(row.kind, row.amount_minor, row.currency)


def _decision(row: Any) -> Decision:
    return Decision(row.id, _said(row), tuple(row.clerks), row.reading_sha256, row.at)
