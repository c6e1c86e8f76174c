"""Several processes behind one address: their limits, keys, rates and metrics are those of one."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from PIL import Image
from prometheus_client.parser import text_string_to_metric_families

from service.access.keys import SqliteKeys
from service.audit import verify
from service.processes import share
from service.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
ADMIN = "0123456789abcdef-admin"

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="reads Linux's /proc")


@contextmanager
def _serving(folder: Path) -> Iterator[tuple["subprocess.Popen[str]", str]]:
    """The service with two processes, and its address."""
    settings = {
        "DATA_DIR": str(folder),
        "API_KEY": ADMIN,
        "PROCESSES": "2",
        "READERS": "2",
        "MAX_WAITING": "8",
        "BATCH_READERS": "0",
        "RATE": "0.001",
        "RATE_BURST": "5",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0"],
        cwd=ROOT,
        env={**os.environ, **{f"CHEQUE_{name}": value for name, value in settings.items()}},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if found := re.search(r"on (http://\S+)", line):
                break
        else:
            raise AssertionError
        yield process, found[1]
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def _children(process: int) -> set[int]:
    """Those that serve, forked from the one of multiprocessing's helpers that imports."""
    return {
        child
        for helper in _started_by(process)
        if "forkserver" in Path(f"/proc/{helper}/cmdline").read_text()
        for child in _started_by(helper)
    }


def _started_by(process: int) -> list[int]:
    children = Path(f"/proc/{process}/task/{process}/children")
    return [int(child) for child in children.read_text().split()]


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _metrics(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", headers={"X-API-Key": ADMIN}, timeout=60).text
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            name = " ".join([sample.name, *(sample.labels[x] for x in sorted(sample.labels))])
            values[name] = sample.value
    return values


def test_two_processes_are_as_one(
    tmp_path: Path, page: Image.Image, encode: Callable[..., bytes]
) -> None:
    keys = SqliteKeys(tmp_path / "keys.sqlite3")
    _, secret = keys.add("till", ["read"])
    field = encode(page.crop((630, 110, 870, 170)).resize((80, 20)))

    def read(url: str) -> int:
        # A connection of its own each time: whoever is free takes it.
        answer = httpx.post(
            f"{url}/v1/readings",
            params={"field_only": "true"},
            headers={"X-API-Key": secret},
            files={"image": field},
            timeout=60,
        )
        return answer.status_code

    with _serving(tmp_path) as (process, url):
        _wait_for(lambda: _metrics(url).get("cheque_readers") == 2)
        assert [read(url) for _ in range(7)] == [200] * 5 + [429] * 2
        counted = _metrics(url)
        assert counted["cheque_ready"] == 1
        assert counted["cheque_readings_in_flight_limit"] == 64
        assert counted["cheque_readings_in_flight"] == 0
        assert counted["cheque_confidence_count"] == 5
        assert counted["cheque_http_requests_total POST /v1/readings 200"] == 5
        assert counted["cheque_problems_total rate_limited"] == 2
        assert counted["process_resident_memory_bytes"] > 100e6

        before = _children(process.pid)
        assert len(before) == 2
        os.kill(min(before), signal.SIGKILL)
        _wait_for(lambda: len(_children(process.pid) - before) == 1)
        assert httpx.get(f"{url}/livez", timeout=60).status_code == 200
        _wait_for(lambda: _metrics(url)["cheque_readers"] == 2)
        again = _metrics(url)
        assert again["cheque_confidence_count"] == 5
        assert again["cheque_http_requests_total POST /v1/readings 200"] == 5
        keys.revoke("till")
        assert {read(url) for _ in range(4)} == {401}

        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert not any(Path(f"/proc/{child}").exists() for child in before)
    assert verify(tmp_path / "audit.jsonl").fault is None


def test_children_end_with_their_parent(tmp_path: Path) -> None:
    with _serving(tmp_path) as (process, url):
        _wait_for(lambda: len(_children(process.pid)) == 2)
        children = _children(process.pid)
        assert httpx.get(f"{url}/livez", timeout=60).status_code == 200
        process.kill()
        process.wait()
        _wait_for(lambda: not any(_lives(child) for child in children))


def _lives(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_what_can_not_start_is_not_tried_again(tmp_path: Path) -> None:
    model = tmp_path / "model"
    model.mkdir()
    for name in ("card.json", "model.onnx"):
        (model / name).write_bytes((Settings().model_dir / name).read_bytes())
    (model / "model.onnx").write_bytes(b"none")
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "serve", "--port", "0"],
        cwd=ROOT,
        env={
            **os.environ,
            "CHEQUE_DATA_DIR": str(tmp_path),
            "CHEQUE_MODEL_DIR": str(model),
            "CHEQUE_READERS": "2",
            "CHEQUE_PROCESSES": "2",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 2
    assert "sha256" in done.stderr


@pytest.mark.parametrize("processes", [1, 2, 3, 5])
def test_shares_add_up(processes: int) -> None:
    whole = Settings(processes=processes, readers=5, max_in_flight=17, batch_readers=4)
    parts = [share(whole, slot) for slot in range(processes)]
    assert sum(part.readers for part in parts) == 5
    assert min(part.readers for part in parts) >= 1
    assert sum(part.line for part in parts) == whole.line
    assert sum(part.max_in_flight for part in parts) == 17
    assert sum(part.batch_readers for part in parts) == 4
