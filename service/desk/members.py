"""Who works at the desk: clerks with a name and a password, and keys with the scope desk.

Passwords are kept as scrypt hashes (RFC 7914); a session is 256 random bits in a cookie, of which
the SHA-256 is kept. After some wrong passwords in a row a name is locked for a while, and the check
takes as long for names that there are not.
"""

import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from service.access.keys import Key
from service.desk.tables import desk_clerks, desk_grants, desk_sessions
from service.errors import AccessError
from service.jobs.store import Store

QUEUE: Final = "default"
_QUEUE: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LEAST_PASSWORD: Final = 10
_LONGEST_PASSWORD: Final = 200
# What OWASP's cheat sheet of password storage takes for scrypt, at 32 MB.
_SCRYPT: Final = (1 << 15, 8, 3)
_SCRYPT_BYTES: Final = 64 * 1024 * 1024
_FREE_FAILURES: Final = 5
_LOCK_SECONDS: Final = (30.0, 900.0)
_SEEN_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Clerk:
    """A clerk; lead: may see the dashboard. created, removed: seconds since 1970."""

    id: str
    name: str
    lead: bool
    created: float
    removed: float | None
    queues: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Member:
    """Who asks the desk for something.

    id: clerk:ID or key:ID, by which grants and keyings know them. holder: what leases are held by,
    one for each browser that a clerk has signed in with. queues: those granted, None for all.
    """

    id: str
    name: str
    holder: str
    queues: frozenset[str] | None
    lead: bool

    def may_see(self, queue: str) -> bool:
        """Whether a queue is granted."""
        return self.queues is None or queue in self.queues


@dataclass(frozen=True, slots=True)
class Session:
    """A clerk who is signed in; csrf: what the page must send with all that changes something."""

    member: Member
    csrf: str


class Members:
    """Clerks, their sessions, and the queues granted to clerks and keys."""

    def __init__(self, store: Store, *, hours: float, idle: float) -> None:
        """hours: the longest that a session lasts; idle: minutes without a cheque that end one."""
        self._store = store
        self._longest = hours * 3600
        self._idle = idle * 60

    def add(self, name: str, password: str, queues: Sequence[str], *, lead: bool = False) -> Clerk:
        """Make a clerk; raises AccessError."""
        if not _NAME.fullmatch(name):
            raise AccessError(
                "a clerk's name has 1 to 64 letters, digits, dots, dashes and underscores, the "
                "first a letter or digit"
            )
        _check_password(password)
        check_queues(queues)
        id = secrets.token_hex(4)
        now = time.time()
        try:
            with self._store.begin() as connection:
                connection.execute(
                    desk_clerks.insert(),
                    {
                        "id": id,
                        "name": name,
                        "password": _hashed(password),
                        "lead": lead,
                        "created": now,
                        "removed": None,
                        "failures": 0,
                        "locked": 0.0,
                    },
                )
                _grant(connection, f"clerk:{id}", queues)
        except IntegrityError:
            raise AccessError("there is a clerk of this name") from None
        return Clerk(id, name, lead, now, None, tuple(queues))

    def all(self) -> list[Clerk]:
        """Every clerk, removed ones too, oldest first."""
        with self._store.engine.connect() as connection:
            rows = connection.execute(desk_clerks.select().order_by(desk_clerks.c.created)).all()
            return [_clerk(row, _granted(connection, f"clerk:{row.id}")) for row in rows]

    def remove(self, name: str) -> Clerk:
        """Let a clerk in no more, at once; raises AccessError where there is none."""
        with self._store.begin() as connection:
            row = _named(connection, name)
            connection.execute(
                desk_clerks.update()
                .where(desk_clerks.c.id == row.id)
                .values(removed=time.time(), password="")
            )
            connection.execute(desk_sessions.delete().where(desk_sessions.c.clerk == row.id))
            return _clerk(row, _granted(connection, f"clerk:{row.id}"))

    def set_password(self, name: str, password: str) -> None:
        """Give a clerk another password, and end all sessions; raises AccessError."""
        _check_password(password)
        with self._store.begin() as connection:
            row = _named(connection, name)
            connection.execute(
                desk_clerks.update()
                .where(desk_clerks.c.id == row.id)
                .values(password=_hashed(password), failures=0, locked=0.0)
            )
            connection.execute(desk_sessions.delete().where(desk_sessions.c.clerk == row.id))

    def clerk_id(self, name: str) -> str:
        """The member id of a clerk; raises AccessError where there is none of this name."""
        with self._store.engine.connect() as connection:
            return f"clerk:{_named(connection, name).id}"

    def set_queues(self, member: str, queues: Sequence[str]) -> None:
        """Grant a member these queues and no others; raises AccessError."""
        check_queues(queues)
        with self._store.begin() as connection:
            connection.execute(desk_grants.delete().where(desk_grants.c.member == member))
            _grant(connection, member, queues)

    def of_key(self, key: Key) -> Member:
        """Who a key with the scope desk is; one that is good for everything sees all queues."""
        member = f"key:{key.id}"
        if "admin" in key.scopes:
            return Member(member, key.name, member, None, lead=True)
        with self._store.engine.connect() as connection:
            queues = frozenset(_granted(connection, member))
        return Member(member, key.name, member, queues, lead=False)

    def sign_in(self, name: str, password: str) -> tuple[str, Session] | None:
        """A new session and what its cookie must hold; None where name or password is wrong."""
        now = time.time()
        with self._store.engine.connect() as connection:
            row = connection.execute(_in_use(name)).one_or_none()
        # Names that are locked or unknown are answered as late as others.
        right = _is_password(password, row.password if row is not None else _NOBODY)
        if row is None or row.locked > now:
            return None
        if not right:
            self._count_failure(row.id, now)
            return None
        token, csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        with self._store.begin() as connection:
            connection.execute(
                desk_clerks.update()
                .where(desk_clerks.c.id == row.id)
                .values(failures=0, locked=0.0)
            )
            connection.execute(
                desk_sessions.delete().where(desk_sessions.c.created < now - self._longest)
            )
            connection.execute(
                desk_sessions.insert(),
                {
                    "id": _digest(token),
                    "clerk": row.id,
                    "csrf": csrf,
                    "created": now,
                    "seen": now,
                },
            )
            queues = _granted(connection, f"clerk:{row.id}")
        return token, Session(_member(row, _digest(token), queues), csrf)

    def session(self, token: str, *, working: bool) -> Session | None:
        """The session that a cookie is of, if it still lasts; working: it is not idle now."""
        now = time.time()
        query = (
            sa.select(desk_clerks, desk_sessions.c.csrf, desk_sessions.c.seen)
            .join(desk_sessions, desk_sessions.c.clerk == desk_clerks.c.id)
            .where(
                desk_sessions.c.id == _digest(token),
                desk_sessions.c.created > now - self._longest,
                desk_sessions.c.seen > now - self._idle,
                desk_clerks.c.removed.is_(None),
            )
        )
        with self._store.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            queues = _granted(connection, f"clerk:{row.id}")
        if working and row.seen < now - _SEEN_SECONDS:
            with self._store.begin() as connection:
                connection.execute(
                    desk_sessions.update()
                    .where(desk_sessions.c.id == _digest(token))
                    .values(seen=now)
                )
        return Session(_member(row, _digest(token), queues), row.csrf)

    def sign_out(self, token: str) -> None:
        """End a session."""
        with self._store.begin() as connection:
            connection.execute(desk_sessions.delete().where(desk_sessions.c.id == _digest(token)))

    def _count_failure(self, id: str, now: float) -> None:
        with self._store.begin() as connection:
            failures = connection.execute(
                desk_clerks.update()
                .where(desk_clerks.c.id == id)
                .values(failures=desk_clerks.c.failures + 1)
                .returning(desk_clerks.c.failures)
            ).scalar_one()
            if failures >= _FREE_FAILURES:
                first, longest = _LOCK_SECONDS
                pause = min(first * 2.0 ** min(failures - _FREE_FAILURES, 20), longest)
                connection.execute(
                    desk_clerks.update().where(desk_clerks.c.id == id).values(locked=now + pause)
                )


def check_queues(queues: Sequence[str]) -> None:
    """Raise AccessError where one is no name of a queue."""
    if not queues or not all(_QUEUE.fullmatch(queue) for queue in queues):
        raise AccessError(
            "a queue's name has 1 to 64 lower-case letters, digits, dots, dashes and underscores"
        )


def is_queue(name: str) -> bool:
    """Whether a queue may have this name."""
    return _QUEUE.fullmatch(name) is not None


def _grant(connection: sa.Connection, member: str, queues: Sequence[str]) -> None:
    rows = [{"member": member, "queue": queue} for queue in dict.fromkeys(queues)]
    connection.execute(desk_grants.insert(), rows)


def _granted(connection: sa.Connection, member: str) -> tuple[str, ...]:
    query = sa.select(desk_grants.c.queue).where(desk_grants.c.member == member)
    return tuple(connection.execute(query.order_by(desk_grants.c.queue)).scalars())


def _in_use(name: str) -> sa.Select[Any]:
    return desk_clerks.select().where(desk_clerks.c.name == name, desk_clerks.c.removed.is_(None))


def _named(connection: sa.Connection, name: str) -> Any:
    row = connection.execute(_in_use(name)).one_or_none()
    if row is None:
        raise AccessError("there is no clerk of this name")
    return row


def _clerk(row: Any, queues: tuple[str, ...]) -> Clerk:
    return Clerk(row.id, row.name, row.lead, row.created, row.removed, queues)


def _member(row: Any, session: str, queues: tuple[str, ...]) -> Member:
    holder = f"clerk:{row.id}/{session[:16]}"
    return Member(f"clerk:{row.id}", row.name, holder, frozenset(queues), row.lead)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _check_password(password: str) -> None:
    if not LEAST_PASSWORD <= len(password) <= _LONGEST_PASSWORD:
        raise AccessError(f"a password has {LEAST_PASSWORD} to {_LONGEST_PASSWORD} characters")


def _derived(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=n, r=r, p=p, maxmem=_SCRYPT_BYTES, dklen=32
    )


def _hashed(password: str) -> str:
    salt = secrets.token_bytes(16)
    n, r, p = _SCRYPT
    return f"scrypt${n}${r}${p}${salt.hex()}${_derived(password, salt, n, r, p).hex()}"


def _is_password(password: str, kept: str) -> bool:
    if len(password) > _LONGEST_PASSWORD:
        return False
    _, n, r, p, salt, known = kept.split("$")
    derived = _derived(password, bytes.fromhex(salt), int(n), int(r), int(p))
    return hmac.compare_digest(derived, bytes.fromhex(known))


_NOBODY: Final = f"scrypt${'$'.join(map(str, _SCRYPT))}${'00' * 16}${'00' * 32}"
