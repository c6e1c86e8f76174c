"""What is purged is gone: images, results, and what the databases and their files kept of them."""

import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

sys.path.insert(0, str(Path(__file__).parent))
import postgres
from direct import accept, ended, picture
from served import SlowReader

from service.jobs import calls
from service.jobs.runtime import Jobs
from service.settings import Settings

AMOUNT = "77310055"
MARK = b"IMAGE-OF-A-CHEQUE"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=postgres.needed)])
def jobs(request: pytest.FixtureRequest, tmp_path: Path) -> Jobs:
    """The jobs of a process, on either database."""
    given = {"database_url": postgres.emptied()} if request.param == "postgresql" else {}
    return Jobs(Settings.model_validate({"data_dir": tmp_path, "batch_readers": 1, **given}))


def _held(engine: sa.Engine, mine: Callable[[str], bool]) -> str:
    """Everything in those tables, in one string."""
    found = []
    schema = "dbos" if engine.dialect.name == "postgresql" else None
    with engine.connect() as connection:
        for place in {None, schema}:
            for name in sa.inspect(connection).get_table_names(schema=place):
                if mine(name):
                    table = f"{place}.{name}" if place else name
                    rows = connection.execute(sa.text(f"SELECT * FROM {table}")).all()
                    found += [str(tuple(row)) for row in rows]
    return "\n".join(found)


def _is_ours(name: str) -> bool:
    return name.startswith("cheque_")


def _files(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_nothing_of_a_batch_outlives_its_time(jobs: Jobs, tmp_path: Path) -> None:
    engine = jobs.store.engine
    claimed = calls.claim(jobs.store, "p", "owner", "/v1/readings", "key", 60)
    assert isinstance(claimed, calls.Call)
    with jobs.store.begin() as connection:
        calls.answer(jobs.store, connection, claimed, "f", {"amount_minor": int(AMOUNT)})
    jobs.start(SlowReader(0.0))
    try:
        batch, (first, _) = ended(jobs, accept(jobs, [AMOUNT, "55"], picture() + MARK))
        assert first.reading is not None
        assert str(first.reading["amount_minor"]) == AMOUNT
        assert AMOUNT in _held(engine, _is_ours)
        # What the engine that runs the work keeps of it are names of batches and counts.
        kept = _held(engine, lambda name: not _is_ours(name))
        assert batch.id in kept
        assert AMOUNT not in kept
        assert MARK in _files(tmp_path)
        assert jobs._upkeep is not None
        jobs._upkeep._retention = -5.0
        deadline = time.monotonic() + 60
        while True:
            jobs._upkeep._purge()
            left = _held(engine, lambda _: True)
            # A checkpoint of SQLite's log waits until nobody reads from it.
            if batch.id not in left and AMOUNT.encode() not in _files(tmp_path):
                break
            assert time.monotonic() < deadline, "something is left"
            time.sleep(0.1)
    finally:
        jobs.close()
    assert AMOUNT not in left
    assert MARK not in _files(tmp_path)
    assert not list((tmp_path / "images").iterdir())
