"""API keys: made once, shown once, kept as hashes.

A key is 256 random bits, so its SHA-256 tells nothing of it and can't be searched backwards. The
slow, salted hashes that passwords need would only make every request slower. The digests are
compared in constant time.
"""

import hashlib
import hmac
import re
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Protocol, get_args

from service.errors import AccessError, ConfigurationError, KeysAwayError

Scope = Literal["read", "batch", "desk", "metrics", "admin"]
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)

PREFIX: Final = "chq"
FIRST_NAME: Final = "first-admin"
NO_KEY: Final = "no key in use has this name or id"
NAME_TAKEN: Final = "a key in use has this name; revoke it first"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ID: Final = re.compile(r"[0-9a-f]{8}")
NOTHING: Final = bytes(32)
_LONGEST: Final = 64
_BUSY_SECONDS: Final = 5.0
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS keys (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    scopes TEXT NOT NULL,
    sha256 BLOB NOT NULL,
    created REAL NOT NULL,
    revoked REAL
);
CREATE UNIQUE INDEX IF NOT EXISTS names_in_use ON keys (name) WHERE revoked IS NULL;
"""


@dataclass(frozen=True, slots=True)
class Key:
    """What is known of a key, without the key: its id and name may be logged.

    scopes: what it is good for; admin is good for everything. created, revoked: UTC.
    """

    id: str
    name: str
    scopes: frozenset[Scope]
    created: datetime
    revoked: datetime | None = None

    def allows(self, scope: Scope) -> bool:
        """Whether the key is good for a scope."""
        return scope in self.scopes or "admin" in self.scopes


_EVERYTHING: Final = frozenset[Scope](["admin"])
_ALWAYS: Final = datetime.fromtimestamp(0, UTC)
ANYBODY: Final = Key("anybody", "anybody", _EVERYTHING, _ALWAYS)
"""Every caller, where the service asks for no key."""
ENVIRONMENT: Final = Key("environment", "environment", _EVERYTHING, _ALWAYS)
"""The key of CHEQUE_API_KEY."""


class Keys(Protocol):
    """Where keys are kept. Methods may block, and may be called from any thread."""

    def add(self, name: str, scopes: Iterable[str]) -> tuple[Key, str]:
        """Make a key; returns it and its secret, which is kept nowhere. Raises AccessError."""

    def add_first(self) -> tuple[Key, str] | None:
        """Make an admin key where none was ever made, however many processes ask at once."""

    def all(self) -> Sequence[Key]:
        """Every key, revoked ones too, oldest first."""

    def revoke(self, name_or_id: str) -> Key:
        """Revoke a key in use, for good and at once; raises AccessError where there is none."""

    def find(self, secret: str) -> Key | None:
        """The key in use with this secret; raises KeysAwayError where that can't be told."""

    def close(self) -> None:
        """Let go of what is held open; the keys may be used again."""


class SqliteKeys:
    """Keys in one SQLite file, which every process of the machine may have open.

    A key that one process revokes is refused by all of them from then on.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, made readable for its owner alone; raises ConfigurationError."""
        self._path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            with self._opened() as db:
                db.executescript(_SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise ConfigurationError(f"can't keep keys in {path}: {error}") from None

    def add(self, name: str, scopes: Iterable[str]) -> tuple[Key, str]:
        """See Keys."""
        key, secret = make_key(name, scopes)
        with self._writing() as db:
            _insert(db, key, secret)
        return key, secret

    def add_first(self) -> tuple[Key, str] | None:
        """See Keys."""
        key, secret = make_key(FIRST_NAME, ["admin"])
        with self._writing() as db:
            if db.execute("SELECT 1 FROM keys LIMIT 1").fetchone():
                return None
            _insert(db, key, secret)
        return key, secret

    def all(self) -> Sequence[Key]:
        """See Keys."""
        with self._opened() as db:
            rows = db.execute(
                "SELECT id, name, scopes, created, revoked FROM keys ORDER BY created, id"
            ).fetchall()
        return [key_from(*row) for row in rows]

    def revoke(self, name_or_id: str) -> Key:
        """See Keys."""
        with self._writing() as db:
            rows = db.execute(
                "UPDATE keys SET revoked = ? WHERE revoked IS NULL AND (id = ? OR name = ?) "
                "RETURNING id, name, scopes, created, revoked",
                (time.time(), name_or_id, name_or_id),
            ).fetchall()
        if not rows:
            raise AccessError(NO_KEY)
        return key_from(*rows[0])

    def find(self, secret: str) -> Key | None:
        """See Keys."""
        key_id = id_in(secret)
        if key_id is None:
            return None
        try:
            with self._opened() as db:
                row = db.execute(
                    "SELECT sha256, id, name, scopes, created, revoked FROM keys "
                    "WHERE id = ? AND revoked IS NULL",
                    (key_id,),
                ).fetchone()
        except sqlite3.Error as error:
            raise KeysAwayError(f"keys can't be read: {error}") from None
        # Compared where there is none, too: an id that exists takes no longer than another.
        if not hmac.compare_digest(row[0] if row else NOTHING, digest(secret)):
            return None
        return key_from(*row[1:])

    def close(self) -> None:
        """See Keys: nothing is."""

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        # Opened for each call, a tenth of a millisecond: so threads and forks need no care.
        db = sqlite3.connect(self._path, timeout=_BUSY_SECONDS, isolation_level=None)
        try:
            yield db
        finally:
            db.close()

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        try:
            with self._opened() as db:
                db.execute("BEGIN IMMEDIATE")
                yield db
                db.execute("COMMIT")
        except sqlite3.OperationalError as error:
            raise AccessError(f"keys can't be written: {error}") from None


def _insert(db: sqlite3.Connection, key: Key, secret: str) -> None:
    try:
        db.execute(
            "INSERT INTO keys VALUES (?, ?, ?, ?, ?, NULL)",
            (
                key.id,
                key.name,
                " ".join(sorted(key.scopes)),
                digest(secret),
                key.created.timestamp(),
            ),
        )
    except sqlite3.IntegrityError:
        raise AccessError(NAME_TAKEN) from None


def id_in(secret: str) -> str | None:
    """The id that a secret names, None where it is none of this service's."""
    prefix, _, rest = secret.partition("_")
    key_id, _, random = rest.partition("_")
    if prefix != PREFIX or not _ID.fullmatch(key_id) or not 0 < len(random) <= _LONGEST:
        return None
    return key_id


def digest(secret: str) -> bytes:
    """The SHA-256 of a key, which is what is kept of it."""
    return hashlib.sha256(secret.encode()).digest()


def make_key(name: str, scopes: Iterable[str]) -> tuple[Key, str]:
    """A new key and its secret; raises AccessError."""
    asked = set(scopes)
    wanted = frozenset(scope for scope in SCOPES if scope in asked)
    if not _NAME.fullmatch(name):
        raise AccessError(
            "a key's name has 1 to 64 letters, digits, dots, dashes and underscores, "
            "the first a letter or digit"
        )
    if _ID.fullmatch(name) or name in (ANYBODY.name, ENVIRONMENT.name):
        raise AccessError("a key's name must not be that of another thing in the logs, nor an id")
    if not asked or asked != wanted:
        raise AccessError(f"a key needs one or more of the scopes {', '.join(SCOPES)}")
    key_id = secrets.token_hex(4)
    key = Key(key_id, name, wanted, datetime.now(UTC))
    return key, f"{PREFIX}_{key_id}_{secrets.token_urlsafe(32)}"


def key_from(key_id: str, name: str, scopes: str, created: float, revoked: float | None) -> Key:
    """A key as it is kept: scopes with blanks between, times in seconds since 1970."""
    known = frozenset(scope for scope in SCOPES if scope in scopes.split())
    return Key(
        key_id,
        name,
        known,
        datetime.fromtimestamp(created, UTC),
        None if revoked is None else datetime.fromtimestamp(revoked, UTC),
    )
