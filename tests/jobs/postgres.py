"""The PostgreSQL of the tests: its URL is in CHEQUE_TEST_POSTGRES, .ci/with-postgres sets it."""

import os

import pytest
import sqlalchemy as sa

URL = os.environ.get("CHEQUE_TEST_POSTGRES", "")
needed = pytest.mark.skipif(
    not URL, reason="CHEQUE_TEST_POSTGRES names no PostgreSQL; .ci/with-postgres starts one"
)


def engine() -> sa.Engine:
    """An engine for it."""
    return sa.create_engine(sa.make_url(URL).set(drivername="postgresql+psycopg"))


def emptied() -> str:
    """Its URL, once nothing of the service is left in it."""
    made = engine()
    with made.begin() as connection:
        for name in sa.inspect(connection).get_table_names():
            if name.startswith("cheque_"):
                connection.execute(sa.text(f"DROP TABLE {name} CASCADE"))
        connection.execute(sa.text("DROP SCHEMA IF EXISTS dbos CASCADE"))
    made.dispose()
    return URL
