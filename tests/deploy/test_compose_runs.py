"""The compose file's own processes, with its settings, beside a PostgreSQL: do they work together?

Its URL is in CHEQUE_TEST_POSTGRES. Only addresses, ports and the folder are others than in the
file.
"""

import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

URL = os.environ.get("CHEQUE_TEST_POSTGRES", "")
GIVEN = {"CHEQUE_API_KEY": "a key of this test alone", "POSTGRES_PASSWORD": "of no use here"}

pytestmark = pytest.mark.skipif(not URL, reason="CHEQUE_TEST_POSTGRES names no PostgreSQL")


def _environment(service: dict[str, Any], folder: Path, **others: str) -> dict[str, str]:
    """What compose would set: the file's values, its variables put in."""

    def value(found: re.Match[str]) -> str:
        return GIVEN.get(found[1], found[2] or "")

    said = {
        name: re.sub(r"\$\{(\w+)(?::[-?]([^}]*))?\}", value, str(text))
        for name, text in service["environment"].items()
    }
    assert said["CHEQUE_DATABASE_URL"].startswith("postgresql://cheque:of no use here@postgres:")
    return {
        **os.environ,
        **said,
        "CHEQUE_DATABASE_URL": URL,
        "CHEQUE_DATA_DIR": str(folder),
        "CHEQUE_METRICS_HOST": "127.0.0.1",
        **others,
    }


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 240
    while True:
        try:
            if condition():
                return
        except httpx.HTTPError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _metric(port: int, sample: str) -> float:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=30).text
    found = re.search(rf"^{re.escape(sample)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_service_and_worker_read_a_batch_together(
    compose: dict[str, Any], tmp_path: Path, cheque: bytes
) -> None:
    engine = sa.create_engine(sa.make_url(URL).set(drivername="postgresql+psycopg"))
    with engine.begin() as connection:
        names = connection.execute(
            sa.text("SELECT tablename FROM pg_tables WHERE tablename LIKE 'cheque_%'")
        ).scalars()
        for name in names.all():
            connection.execute(sa.text(f"DROP TABLE {name} CASCADE"))
        connection.execute(sa.text("DROP SCHEMA IF EXISTS dbos CASCADE"))
    engine.dispose()
    port, operations, worker = _free_port(), _free_port(), _free_port()
    services = compose["services"]
    commands = {
        "service": ({"CHEQUE_PORT": str(port), "CHEQUE_METRICS_PORT": str(operations)}, "serve"),
        "worker": ({"CHEQUE_METRICS_PORT": str(worker)}, services["worker"]["command"][0]),
    }
    with ExitStack() as stack:
        for name, (others, command) in commands.items():
            process = subprocess.Popen(
                [sys.executable, "-m", "service.cli", command],
                cwd=Path(__file__).resolve().parents[2],
                env=_environment(services[name], tmp_path, **others),
            )
            stack.callback(process.wait, 60)
            stack.callback(process.terminate)
        _wait_for(lambda: _metric(operations, "cheque_ready") == 1)
        _wait_for(lambda: _metric(worker, "cheque_ready") == 1)
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"X-API-Key": GIVEN["CHEQUE_API_KEY"]},
            timeout=60,
        ) as client:
            files = [("image", (f"{number}.png", cheque)) for number in range(3)]
            location = client.post("/v1/batches", files=files).headers["location"]
            _wait_for(lambda: client.get(location).json()["state"] == "completed")
            counts = client.get(location).json()["counts"]
        read = {state: counts[state] for state in ("accepted", "rejected")}
        for state, count in read.items():
            sample = f'cheque_batch_items_total{{state="{state}"}}'
            assert _metric(worker, sample) == count
            assert _metric(operations, sample) == 0
        assert sum(read.values()) == 3
        assert _metric(operations, 'cheque_batches_total{event="accepted"}') == 1
        assert _metric(worker, "cheque_confidence_count") == 3
        assert httpx.get(f"http://127.0.0.1:{worker}/metrics").status_code == 200
