"""What enters the desk: rejected items, accepted ones drawn for an audit, single readings."""

import secrets
import time
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import sqlalchemy as sa

from service import metrics
from service.desk.counts import Counts
from service.desk.review import Desk
from service.desk.tables import desk_batches, evidence
from service.jobs.bodies import Bodies
from service.jobs.store import Batch, NewBatch, NewItem, Outcome, Store
from service.jobs.tables import batches, results
from service.options import ReadingOptions
from service.pipeline.reader import Evident
from service.pipeline.record import members_of

_REMEMBERED: Final = 4096


class Entrance:
    """Decides what goes to the desk, and writes it with the result that it is of."""

    def __init__(
        self, store: Store, bodies: Bodies, desk: Desk, counts: Counts, *, audit_share: float
    ) -> None:
        """audit_share: of accepted items of batches at the desk that clerks see unannounced."""
        self._store = store
        self._bodies = bodies
        self._desk = desk
        self._counts = counts
        self._share = audit_share
        self._secret = secrets.token_bytes(16)
        self._queue_of = lru_cache(maxsize=_REMEMBERED)(self._look_up)

    def open(
        self, connection: sa.Connection, batch: str, queue: str, *, webhook: bool = False
    ) -> None:
        """Have a batch's items go to a queue, in the transaction that accepts it.

        webhook: somebody is to be told when all of it is decided.
        """
        connection.execute(
            desk_batches.insert(), {"batch": batch, "queue": queue, "told": not webhook}
        )

    def wants_evidence(self, batch: Batch, number: int) -> Evident:
        """Whether an item of a batch is to be read with its evidence."""
        asked: Evident = batch.options.evidence
        if asked or self._queue_of(batch.id) is None:
            return asked
        return self._is_drawn(batch.id, number) or "rejected"

    def draws(self) -> bool:
        """Draw whether a single reading for the desk is for an audit, should it be accepted."""
        return self._is_drawn(secrets.token_hex(16), 0)

    def record(
        self, connection: sa.Connection, batch: Batch, number: int, outcome: Outcome
    ) -> None:
        """Write what belongs to a result, in the transaction that writes it."""
        reading = outcome.reading
        if reading is None:
            return
        queue = self._queue_of(batch.id)
        reason = None if queue is None else _reason(outcome, self._is_drawn(batch.id, number))
        if outcome.evidence is not None and (batch.options.evidence or reason is not None):
            _keep_evidence(connection, batch.id, number, outcome.evidence)
        if queue is not None and reason is not None:
            self._desk.enter(
                connection,
                batch.id,
                number,
                queue=queue,
                reason="audit" if reason == "audit" else "rejected",
                source=batch.owner,
                entered=batch.created,
                reading=reading,
            )
            metrics.DESK_ITEMS.labels(reason).inc()

    def count(self, owner: str, reading: Mapping[str, Any], *, field_only: bool) -> None:
        """Count a reading for the dashboard; never blocks."""
        self._counts.add(owner, reading, field_only=field_only)

    def single(
        self,
        data: bytes,
        outcome: Outcome,
        options: ReadingOptions,
        *,
        owner: str,
        queue: str,
        drawn: bool,
    ) -> str | None:
        """Take a single reading in as a batch of one that has ended; its id.

        drawn: for an audit. None where it was accepted and is not. Raises StorageFullError.
        """
        assert outcome.reading is not None
        reason = _reason(outcome, drawn)
        if reason is None:
            return None
        self._bodies.check_space(len(data))
        name, file = self._bodies.create()
        kept = False
        try:
            with file:
                file.write(data)
                self._bodies.keep(name, file)
            id = secrets.token_hex(16)
            with self._store.begin() as connection:
                new = NewBatch(id, owner, options, name, None, 1)
                item = NewItem(None, options.reference, 0, len(data))
                batch, _ = self._store.accept(new, [item], connection)
                self.open(connection, id, queue)
                _complete(connection, id, outcome)
                if outcome.evidence is not None:
                    _keep_evidence(connection, id, 0, outcome.evidence)
                self._desk.enter(
                    connection,
                    id,
                    0,
                    queue=queue,
                    reason="audit" if reason == "audit" else "rejected",
                    source=batch.owner,
                    entered=batch.created,
                    reading=outcome.reading,
                )
            kept = True
        finally:
            if not kept:
                self._bodies.remove(name)
        metrics.DESK_ITEMS.labels(reason).inc()
        return id

    def _is_drawn(self, batch: str, number: int) -> bool:
        """Whether an item is for an audit, should it be accepted: the same before it is read and
        after, and known to this process alone."""
        drawn = blake2b(f"{batch}/{number}".encode(), digest_size=8, key=self._secret).digest()
        return int.from_bytes(drawn) < self._share * 2**64

    def _look_up(self, batch: str) -> str | None:
        query = sa.select(desk_batches.c.queue).where(desk_batches.c.batch == batch)
        with self._store.engine.connect() as connection:
            found: str | None = connection.execute(query).scalar_one_or_none()
            return found


def _reason(outcome: Outcome, drawn: bool) -> str | None:
    """Why an item goes to the desk, None where it does not; drawn: for an audit."""
    if outcome.state == "rejected":
        return "rejected"
    return "audit" if drawn and outcome.state == "accepted" else None


def outcome_of(reading: Any) -> Outcome:
    """What a reading is as the result of an item; its evidence stands beside it."""
    members = members_of(reading)
    proof = members.pop("evidence")
    state: Any = "accepted" if reading.decision == "accept" else "rejected"
    return Outcome(state, members, None, proof)


def _keep_evidence(
    connection: sa.Connection, batch: str, number: int, proof: Mapping[str, Any]
) -> None:
    row = {"batch": batch, "number": number, "evidence": dict(proof)}
    connection.execute(evidence.insert(), row)


def _complete(connection: sa.Connection, id: str, outcome: Outcome) -> None:
    now = time.time()
    connection.execute(
        results.insert(),
        {
            "batch": id,
            "number": 0,
            "state": outcome.state,
            "reading": outcome.reading,
            "error_code": None,
            "error_message": None,
            "finished": now,
        },
    )
    connection.execute(
        batches.update().where(batches.c.id == id).values(state="completed", ended=now)
    )
