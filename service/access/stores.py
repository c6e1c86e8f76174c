"""Where keys are kept: in a file of the machine, or in the PostgreSQL that machines share."""

import hmac
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, IntegrityError, SQLAlchemyError

from service.access.keys import (
    FIRST_NAME,
    NAME_TAKEN,
    NO_KEY,
    NOTHING,
    Key,
    Keys,
    SqliteKeys,
    digest,
    id_in,
    key_from,
    make_key,
)
from service.errors import AccessError, ConfigurationError, KeysAwayError
from service.settings import Settings

_SECONDS: Final = 3
_LOCK: Final = 7281003146
_metadata: Final = sa.MetaData()
_keys: Final = sa.Table(
    "cheque_keys",
    _metadata,
    sa.Column("id", sa.String(16), primary_key=True),
    sa.Column("name", sa.String(64), nullable=False),
    sa.Column("scopes", sa.Text, nullable=False, comment="with blanks between"),
    sa.Column("sha256", sa.LargeBinary(32), nullable=False, comment="of the key"),
    sa.Column("created", sa.Float, nullable=False, comment="seconds since 1970"),
    sa.Column("revoked", sa.Float, nullable=True),
)
sa.Index(
    "cheque_keys_in_use", _keys.c.name, unique=True, postgresql_where=_keys.c.revoked.is_(None)
)
_KNOWN: Final = sa.select(
    _keys.c.id, _keys.c.name, _keys.c.scopes, _keys.c.created, _keys.c.revoked
)


def open_keys(settings: Settings) -> Keys:
    """The keys of the database that machines share, where one is set, else of the data folder.

    Raises ConfigurationError.
    """
    url = settings.database_url and sa.make_url(settings.database_url.get_secret_value())
    if url and url.get_backend_name() == "postgresql":
        return DatabaseKeys(url)
    return SqliteKeys(settings.keys_file)


class DatabaseKeys:
    """Keys in a PostgreSQL: all machines know them, and refuse one that any of them revoked."""

    def __init__(self, url: sa.URL) -> None:
        """Connect, and make the table where it is missing; raises ConfigurationError."""
        # None of these waits longer than a caller would.
        limits = {
            "connect_timeout": _SECONDS,
            "tcp_user_timeout": 1000 * _SECONDS,
            "options": f"-c statement_timeout={1000 * _SECONDS}",
        }
        self._engine = sa.create_engine(
            url.set(drivername="postgresql+psycopg"), connect_args=limits, pool_timeout=_SECONDS
        )
        try:
            with self._engine.begin() as connection:
                _lock(connection)
                _metadata.create_all(connection)
        except SQLAlchemyError as error:
            reason = type(error).__name__
            raise ConfigurationError(f"can't keep keys in CHEQUE_DATABASE_URL: {reason}") from None

    def add(self, name: str, scopes: Iterable[str]) -> tuple[Key, str]:
        """See Keys."""
        key, secret = make_key(name, scopes)
        with self._writing() as connection:
            connection.execute(_keys.insert(), _row(key, secret))
        return key, secret

    def add_first(self) -> tuple[Key, str] | None:
        """See Keys."""
        key, secret = make_key(FIRST_NAME, ["admin"])
        with self._writing() as connection:
            _lock(connection)
            if connection.execute(sa.select(_keys.c.id).limit(1)).first():
                return None
            connection.execute(_keys.insert(), _row(key, secret))
        return key, secret

    def all(self) -> Sequence[Key]:
        """See Keys."""
        rows = self._ask(_KNOWN.order_by(_keys.c.created, _keys.c.id))
        return [_key(row) for row in rows]

    def revoke(self, name_or_id: str) -> Key:
        """See Keys."""
        meant = sa.or_(_keys.c.id == name_or_id, _keys.c.name == name_or_id)
        with self._writing() as connection:
            row = connection.execute(
                _keys.update()
                .where(_keys.c.revoked.is_(None), meant)
                .values(revoked=time.time())
                .returning(*_KNOWN.selected_columns)
            ).first()
        if row is None:
            raise AccessError(NO_KEY)
        return _key(row)

    def find(self, secret: str) -> Key | None:
        """See Keys."""
        key_id = id_in(secret)
        if key_id is None:
            return None
        in_use = _keys.c.id == key_id, _keys.c.revoked.is_(None)
        rows = self._ask(sa.select(_keys.c.sha256, *_KNOWN.selected_columns).where(*in_use))
        kept = bytes(rows[0][0]) if rows else NOTHING
        if not hmac.compare_digest(kept, digest(secret)):
            return None
        return _key(rows[0][1:])

    def close(self) -> None:
        """See Keys."""
        self._engine.dispose()

    def _ask(self, query: sa.Select[Any]) -> Sequence[sa.Row[Any]]:
        """Rows; raises KeysAwayError. Once more where a connection had died meanwhile."""
        for again in (True, False):
            try:
                with self._engine.connect() as connection:
                    return connection.execute(query).fetchall()
            except SQLAlchemyError as error:
                died = isinstance(error, DBAPIError) and error.connection_invalidated
                if not (again and died):
                    reason = type(error).__name__
                    raise KeysAwayError(f"keys can't be read: {reason}") from None
        raise AssertionError

    @contextmanager
    def _writing(self) -> Iterator[sa.Connection]:
        try:
            with self._engine.begin() as connection:
                yield connection
        except IntegrityError:
            raise AccessError(NAME_TAKEN) from None
        except SQLAlchemyError as error:
            raise AccessError(f"keys can't be written: {type(error).__name__}") from None


def _lock(connection: sa.Connection) -> None:
    """Keep processes that start together from doing the same at once."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def _key(row: Sequence[Any]) -> Key:
    return key_from(*row)


def _row(key: Key, secret: str) -> dict[str, Any]:
    return {
        "id": key.id,
        "name": key.name,
        "scopes": " ".join(sorted(key.scopes)),
        "sha256": digest(secret),
        "created": key.created.timestamp(),
    }
