"""Calls that are made with an Idempotency-Key: each is done once, and its answer said again.

As draft-ietf-httpapi-idempotency-key-header has it. A call claims its key before its body is
received; the claim is void after a while, so that a process that died holds no key for ever.
"""

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from service.errors import ConflictError, InputError
from service.jobs.store import Store
from service.jobs.tables import calls as table


@dataclass(frozen=True, slots=True)
class Call:
    """A claimed key: whose, on which route, and which attempt holds it."""

    owner: str
    route: str
    key: str
    holder: str


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was answered before: what was sent, as a digest, and the answer."""

    fingerprint: str
    answer: Mapping[str, Any]

    def check(self, fingerprint: str) -> None:
        """Raise InputError (idempotency_mismatch) where something else is sent now."""
        if fingerprint != self.fingerprint:
            raise InputError(
                "idempotency_mismatch", "the Idempotency-Key was used with another request"
            )


def claim(
    store: Store, process: str, owner: str, route: str, key: str, seconds: float
) -> Call | Answered:
    """Claim a key for some seconds, or what was answered under it.

    process: the name of the one that claims, by which `free` finds what it left. Raises
    ConflictError while another call holds it.
    """
    holder = f"{process}/{secrets.token_hex(8)}"
    call = Call(owner, route, hashlib.sha256(key.encode()).hexdigest(), holder)
    try:
        with store.begin() as connection:
            now = store.now(connection)
            row = connection.execute(table.select().where(_same(call))).one_or_none()
            if row is None:
                connection.execute(
                    table.insert(),
                    {
                        "owner": owner,
                        "route": route,
                        "key": call.key,
                        "holder": call.holder,
                        "until": now + seconds,
                    },
                )
                return call
            if row.answer is not None:
                return Answered(row.fingerprint, row.answer)
            taken = connection.execute(
                table.update()
                .where(_same(call), table.c.holder == row.holder, table.c.until < now)
                .where(table.c.answer.is_(None))
                .values(holder=call.holder, until=now + seconds)
            )
            if taken.rowcount == 1:
                return call
    except IntegrityError:
        pass  # another call has claimed it between the two statements
    raise ConflictError("a call with this Idempotency-Key is still being worked on")


def answer(
    store: Store, connection: sa.Connection, call: Call, fingerprint: str, said: Mapping[str, Any]
) -> None:
    """Keep what a call is answered, in a transaction of the caller's.

    Raises ConflictError where the claim has become void and another call holds the key.
    """
    done = connection.execute(
        table.update()
        .where(_same(call), table.c.holder == call.holder, table.c.answer.is_(None))
        .values(fingerprint=fingerprint, answer=dict(said), until=store.now(connection))
    )
    if done.rowcount != 1:
        raise ConflictError("the call took too long, another one holds its Idempotency-Key")


def give_up(store: Store, call: Call) -> None:
    """Free the key of a call that failed; a later one may succeed."""
    with store.begin() as connection:
        connection.execute(
            table.delete().where(
                _same(call), table.c.holder == call.holder, table.c.answer.is_(None)
            )
        )


def free(store: Store, process: str) -> None:
    """Free the keys that the last process of this name held when it was killed."""
    with store.begin() as connection:
        connection.execute(
            table.delete().where(
                table.c.holder.startswith(f"{process}/", autoescape=True),
                table.c.answer.is_(None),
            )
        )


def expire(store: Store, before: float) -> None:
    """Forget calls that were answered, or claims that became void, before a moment."""
    with store.begin() as connection:
        connection.execute(table.delete().where(table.c.until < before))


def digest(data: bytes, said: Mapping[str, Any]) -> str:
    """A digest of a body and of what was said beside it."""
    text = json.dumps(said, sort_keys=True).encode()
    return hashlib.sha256(b"%d:" % len(text) + text + data).hexdigest()


def _same(call: Call) -> sa.ColumnElement[bool]:
    return sa.and_(
        table.c.owner == call.owner, table.c.route == call.route, table.c.key == call.key
    )
