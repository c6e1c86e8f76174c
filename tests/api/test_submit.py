"""The commands submit and worker, against a running service."""

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from typer.testing import CliRunner

from service.cli import app

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def test_submit_uploads_a_folder_and_writes_its_results(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    service = start(reader, batch_readers=1)
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("a.png", 'b "two".png'):
        (folder / name).write_bytes(cheque)
    (folder / "c.jpg").write_bytes(b"no image")
    done = CliRunner().invoke(app, ["submit", str(folder), "--url", str(service.base_url)])
    assert done.exit_code == 1, done.output
    assert "3 items: 2 accepted, 0 rejected, 1 not read" in done.output
    with (folder / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["file"] for row in rows] == ["a.png", 'b "two".png', "c.jpg"]
    assert [row["amount_minor"] for row in rows] == ["123456", "123456", ""]


def test_submit_says_what_the_service_says(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    service = start(reader)
    (tmp_path / "a.png").write_bytes(cheque)
    command = ["submit", str(tmp_path), "--url", str(service.base_url), "--currency", "XXX"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 2
    assert "the service answered 422: currency must be one of" in done.output


def test_a_worker_reads_what_a_service_accepts(
    start: Callable[..., httpx.Client], reader: Any, tmp_path: Path
) -> None:
    service = start(reader)
    image = (SAMPLES / "us-personal-04.tif").read_bytes()
    answer = service.post("/v1/batches", files={"image": image})
    environment = {**os.environ, "CHEQUE_DATA_DIR": str(tmp_path / "data")}
    command = [sys.executable, "-m", "service.cli", "worker"]
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) as worker:
        location = answer.headers["location"]
        deadline = time.monotonic() + 120
        while service.get(location).json()["state"] == "running":
            assert worker.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(60) == 0
    item = service.get(f"{location}/items").json()["items"][0]
    assert item["reading"]["amount_minor"] == 205000
