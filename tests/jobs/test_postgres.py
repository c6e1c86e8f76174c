"""The same on a real PostgreSQL, whose URL is in CHEQUE_TEST_POSTGRES."""

import os
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent))
from killing import kill_and_count

URL = os.environ.get("CHEQUE_TEST_POSTGRES", "")
pytestmark = pytest.mark.skipif(not URL, reason="CHEQUE_TEST_POSTGRES names no PostgreSQL")


def test_killed_services_lose_and_double_nothing_on_postgresql(tmp_path: Path) -> None:
    engine = sa.create_engine(sa.make_url(URL).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        for table in ("results", "items", "batches", "calls", "workers"):
            connection.execute(sa.text(f"DROP TABLE IF EXISTS cheque_{table} CASCADE"))
        connection.execute(sa.text("DROP SCHEMA IF EXISTS dbos CASCADE"))
    engine.dispose()
    kill_and_count(tmp_path / "data", kills=4, batches=3, items=20, seed=2, database=URL)
