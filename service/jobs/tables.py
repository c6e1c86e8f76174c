"""The tables of batches, the same on SQLite and PostgreSQL.

There is no migration: SCHEMA is raised with every change that the code before would trip over, and
a database of another one is refused at the start.
"""

import logging
import sqlite3
import time
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from service.errors import ConfigurationError

logger = logging.getLogger(__name__)

SCHEMA: Final = 1
_POOL_SECONDS: Final = 10.0
_BUSY_SECONDS: Final = 30
_AGAIN_SECONDS: Final = 0.01
_CONNECT: Final = {
    "connect_timeout": 10,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}

metadata: Final = sa.MetaData()

schema: Final = sa.Table(
    "cheque_schema", metadata, sa.Column("version", sa.Integer, primary_key=True)
)

batches: Final = sa.Table(
    "cheque_batches",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("state", sa.String(16), nullable=False, comment="running, completed, cancelled"),
    sa.Column("total", sa.Integer, nullable=False),
    sa.Column("chunk", sa.Integer, nullable=False, comment="items in each chunk of work"),
    sa.Column("options", sa.JSON, nullable=False, comment="how to read: ReadingOptions"),
    sa.Column("body", sa.String(64), nullable=False, comment="the file that holds the images"),
    sa.Column("webhook", sa.Text, nullable=True),
    sa.Column("created", sa.Float, nullable=False, comment="seconds since 1970"),
    sa.Column("ended", sa.Float, nullable=True),
    sa.Column("enqueued", sa.Integer, nullable=False, comment="how often, on the queue"),
    sa.Column(
        "told",
        sa.Boolean,
        nullable=False,
        comment="its webhook is on the queue",
    ),
    sa.Index("cheque_batches_open", "state", "enqueued"),
)


def of_a_batch() -> sa.Column[Any]:
    """The column of rows that belong to a batch, and go when it is removed; part of their key."""
    key = sa.ForeignKey(batches.c.id, ondelete="CASCADE")
    return sa.Column("batch", sa.String(64), key, primary_key=True)


def number_of_item() -> sa.Column[Any]:
    """The column of an item's number within its batch, from 0; part of the key."""
    return sa.Column("number", sa.Integer, primary_key=True, autoincrement=False)


items: Final = sa.Table(
    "cheque_items",
    metadata,
    of_a_batch(),
    number_of_item(),
    sa.Column("file", sa.Text, nullable=True, comment="what the caller calls the file"),
    sa.Column("reference", sa.Text, nullable=True),
    sa.Column("start", sa.BigInteger, nullable=False, comment="first byte in the batch's file"),
    sa.Column("size", sa.BigInteger, nullable=False),
)

results: Final = sa.Table(
    "cheque_results",
    metadata,
    of_a_batch(),
    number_of_item(),
    sa.Column("state", sa.String(16), nullable=False, comment="accepted, rejected, failed"),
    sa.Column("reading", sa.JSON(none_as_null=True), nullable=True),
    sa.Column("error_code", sa.String(64), nullable=True),
    sa.Column("error_message", sa.Text, nullable=True),
    sa.Column("finished", sa.Float, nullable=False),
    sa.Index("cheque_results_pace", "batch", "state", "finished"),
)

attempts: Final = sa.Table(
    "cheque_attempts",
    metadata,
    of_a_batch(),
    number_of_item(),
    sa.Column("begun", sa.Integer, nullable=False, comment="how often, since work was cut short"),
    comment="Items begun since their chunk was read anew; also the first of every chunk",
)

calls: Final = sa.Table(
    "cheque_calls",
    metadata,
    sa.Column("owner", sa.String(200), primary_key=True),
    sa.Column("route", sa.String(64), primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True, comment="digest of the Idempotency-Key"),
    sa.Column("holder", sa.String(300), nullable=False, comment="the attempt that claimed it"),
    sa.Column("until", sa.Float, nullable=False, comment="a claim not renewed by then is void"),
    sa.Column("fingerprint", sa.String(64), nullable=True, comment="digest of what was sent"),
    sa.Column("answer", sa.JSON(none_as_null=True), nullable=True, comment="null while it runs"),
    comment="Calls with an Idempotency-Key, and what was answered",
)

workers: Final = sa.Table(
    "cheque_workers",
    metadata,
    sa.Column("executor", sa.String(200), primary_key=True),
    sa.Column("beats", sa.BigInteger, nullable=False),
)


def open_database(url: str) -> sa.Engine:
    """An engine for a SQLite or PostgreSQL URL, its tables made where there are none.

    Raises ConfigurationError where it can't be used, or holds tables of another SCHEMA.
    """
    try:
        parsed = sa.make_url(url)
    except SQLAlchemyError:
        raise ConfigurationError("CHEQUE_DATABASE_URL is no URL of a database") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        if parsed.database in (None, "", ":memory:"):
            raise ConfigurationError("CHEQUE_DATABASE_URL must name a file")
        engine = sa.create_engine(parsed)
        event.listen(engine, "connect", _prepare_sqlite)
    elif backend == "postgresql":
        engine = sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"),
            pool_pre_ping=True,
            pool_timeout=_POOL_SECONDS,
            connect_args=connect_arguments(parsed),
        )
    else:
        raise ConfigurationError("CHEQUE_DATABASE_URL must begin with sqlite: or postgresql:")
    try:
        _create(engine)
    except SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or type(error).__name__).splitlines()[0]
        engine.dispose()
        raise ConfigurationError(f"the database can't be used: {reason}") from None
    except ConfigurationError:
        engine.dispose()
        raise
    return engine


def connect_arguments(url: sa.URL) -> dict[str, int]:
    """What keeps a connection to a PostgreSQL that is gone from being waited for without end.

    What the URL says itself is left out.
    """
    return {name: value for name, value in _CONNECT.items() if name not in url.query}


def _create(engine: sa.Engine) -> None:
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Processes that start together would otherwise trip over each other's CREATE TABLE.
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(7281003145)"))
        else:
            connection.execute(sa.text("BEGIN IMMEDIATE"))
        found = sa.inspect(connection)
        if found.has_table(schema.name):
            version = connection.execute(sa.select(schema.c.version)).scalar_one_or_none()
        else:
            version = 0 if found.has_table(batches.name) else SCHEMA
        if version != SCHEMA:
            raise ConfigurationError(
                f"the database holds tables of another version of the service (schema {version}, "
                f"this one has {SCHEMA}): let that version finish its batches and fetch their "
                "results, then give this one an empty database in CHEQUE_DATABASE_URL"
            )
        metadata.create_all(connection)
        if connection.execute(sa.select(schema.c.version)).scalar_one_or_none() is None:
            connection.execute(schema.insert(), {"version": SCHEMA})


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = "IMMEDIATE"
    connection.execute(f"PRAGMA busy_timeout={1000 * _BUSY_SECONDS}")
    _write_ahead(connection)
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("PRAGMA foreign_keys=ON")
    # What is purged is overwritten, not only forgotten.
    connection.execute("PRAGMA secure_delete=ON")


def _write_ahead(connection: sqlite3.Connection) -> None:
    """Switch to a write-ahead log; of a new file SQLite does not wait for who writes to it."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(_AGAIN_SECONDS)
        else:
            return


def is_full(error: BaseException) -> bool:
    """Whether a database refused a write because its disk is full."""
    if not isinstance(error, OperationalError):
        return False
    state = getattr(error.orig, "sqlstate", None)
    return state == "53100" or "disk is full" in str(error.orig)


def sqlite_url(folder: Path) -> str:
    """The database that is used where none is set."""
    return sa.URL.create("sqlite", database=str(folder / "jobs.sqlite")).render_as_string()
