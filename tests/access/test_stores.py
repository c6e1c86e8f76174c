"""Keys in the PostgreSQL that machines share, whose URL is in CHEQUE_TEST_POSTGRES."""

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.access.keys import FIRST_NAME, SqliteKeys, digest
from service.access.stores import DatabaseKeys, open_keys
from service.errors import AccessError, ConfigurationError, KeysAwayError
from service.settings import Settings

URL = os.environ.get("CHEQUE_TEST_POSTGRES", "")
NOBODY = "postgresql://nobody:secret@127.0.0.1:1/none"
on_postgresql = pytest.mark.skipif(not URL, reason="CHEQUE_TEST_POSTGRES names no PostgreSQL")


@pytest.fixture
def engine() -> Iterator[sa.Engine]:
    """The database, without keys."""
    made = sa.create_engine(sa.make_url(URL).set(drivername="postgresql+psycopg"))
    with made.begin() as connection:
        connection.execute(sa.text("DROP TABLE IF EXISTS cheque_keys"))
    yield made
    made.dispose()


@pytest.fixture
def machine(engine: sa.Engine) -> Iterator[Callable[[], DatabaseKeys]]:
    """Make the keys as another machine has them."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(DatabaseKeys(engine.url)))


@pytest.fixture
def keys(machine: Callable[[], DatabaseKeys]) -> DatabaseKeys:
    """Keys as one machine has them."""
    return machine()


@on_postgresql
def test_what_one_machine_makes_and_revokes_all_know(
    machine: Callable[[], DatabaseKeys], keys: DatabaseKeys
) -> None:
    other = machine()
    key, secret = keys.add("till", ["read", "batch"])
    assert other.find(secret) == key
    assert other.all() == [key]
    revoked = other.revoke("till")
    assert revoked.revoked is not None
    assert keys.find(secret) is None
    with pytest.raises(AccessError, match="no key in use"):
        keys.revoke(key.id)
    again, second = keys.add("till", ["read"])
    assert other.find(second) == again
    assert [one.id for one in keys.all()] == [key.id, again.id]


@on_postgresql
def test_no_two_machines_use_a_name(
    machine: Callable[[], DatabaseKeys], keys: DatabaseKeys
) -> None:
    keys.add("till", ["read"])
    with pytest.raises(AccessError, match="a key in use has this name"):
        machine().add("till", ["read"])


@on_postgresql
def test_wrong_secrets_find_nothing(keys: DatabaseKeys) -> None:
    key, secret = keys.add("till", ["read"])
    for wrong in ("", "chq", f"chq_{key.id}", f"chq_{key.id}_x", secret + "x", secret.upper(), "'"):
        assert keys.find(wrong) is None, wrong


@on_postgresql
def test_what_is_kept_is_a_hash(engine: sa.Engine, keys: DatabaseKeys) -> None:
    _, secret = keys.add("till", ["read"])
    with engine.connect() as connection:
        (row,) = connection.execute(sa.text("SELECT * FROM cheque_keys")).all()
    assert bytes(row.sha256) == digest(secret)
    assert secret.split("_", 2)[2] not in str(tuple(row))


@on_postgresql
def test_machines_that_start_together_make_one_first_key(
    machine: Callable[[], DatabaseKeys],
) -> None:
    def start(_: int) -> bool:
        return machine().add_first() is not None

    with ThreadPoolExecutor(6) as machines:
        assert sum(machines.map(start, range(6))) == 1
    assert [key.name for key in machine().all()] == [FIRST_NAME]


@on_postgresql
def test_a_connection_that_died_is_made_anew(engine: sa.Engine, keys: DatabaseKeys) -> None:
    key, secret = keys.add("till", ["read"])
    with engine.connect() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND datname = current_database()"
            )
        )
    assert keys.find(secret) == key


@on_postgresql
def test_a_database_that_is_away_lets_nobody_in(keys: DatabaseKeys) -> None:
    _, secret = keys.add("till", ["read"])
    away = sa.make_url(NOBODY).set(drivername="postgresql+psycopg")
    keys.close()
    keys._engine = sa.create_engine(away)
    with pytest.raises(KeysAwayError) as caught:
        keys.find(secret)
    assert "secret" not in caught.value.message
    with pytest.raises(AccessError):
        keys.add("desk", ["read"])


@on_postgresql
@pytest.mark.usefixtures("engine")
def test_the_settings_say_where_keys_are(tmp_path: Path) -> None:
    with closing(open_keys(Settings(data_dir=tmp_path, database_url=URL))) as keys:
        assert isinstance(keys, DatabaseKeys)


def test_without_postgresql_they_are_in_a_file(tmp_path: Path) -> None:
    for url in (None, f"sqlite:///{tmp_path / 'jobs.sqlite'}"):
        assert isinstance(open_keys(Settings(data_dir=tmp_path, database_url=url)), SqliteKeys)


def test_a_database_that_can_not_be_reached_is_told_without_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        DatabaseKeys(sa.make_url(NOBODY))
    assert "CHEQUE_DATABASE_URL" in caught.value.message
    assert "secret" not in caught.value.message
