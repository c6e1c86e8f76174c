"""Measures how fast batches are read: two workers beside one, the queue beside single readings.

python tests/jobs/rates.py workers [--real]   on the PostgreSQL of CHEQUE_TEST_POSTGRES
python tests/jobs/rates.py queue [--real]     one service on SQLite

Without --real the reader sleeps, so that what is measured is the queue and not the machine. What is
compared is measured in turns; the medians are printed.
"""

import multiprocessing
import os
import signal
import socket
import statistics
import sys
import tempfile
import threading
import time
from itertools import count
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import httpx

sys.path.insert(0, str(Path(__file__).parent))
import killing
import postgres
import served
from direct import accept, ended, picture

from service.jobs.runtime import Jobs
from service.settings import Settings

_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["service.api"])
_SAMPLES = Path(__file__).parents[2] / "samples"
_TURNS = 3
_SLEEP = 0.1


def _image(real: bool) -> bytes:
    return (_SAMPLES / "us-personal-04.tif").read_bytes() if real else picture()


def workers(folder: Path, items: int, real: bool) -> str:
    """Items a second of one worker with one reader and of two, and their ratio."""
    more = {
        "database_url": postgres.emptied(),
        "images": str(folder / "images"),
        "auth": "off",
        "batch_readers": 1,
    }
    jobs = Jobs(Settings.model_validate({"data_dir": folder / "service", **more}))
    seconds = None if real else _SLEEP

    started = [
        _processes.Process(
            target=served.work,
            args=(str(folder / f"worker-{place}"), seconds, more, str(folder / "log"), {}),
        )
        for place in range(2)
    ]
    for process in started:
        process.start()
    rates: dict[str, list[float]] = {"one": [], "two": []}
    try:
        ended(jobs, accept(jobs, ["1"] * 40, _image(real)), 300)  # until both are warm
        for _ in range(_TURNS):
            _signal(started[1], signal.SIGSTOP)
            rates["one"].append(_rate(jobs, items, real))
            _signal(started[1], signal.SIGCONT)
            rates["two"].append(_rate(jobs, items, real))
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.join(60)
    jobs.close()
    one, two = (statistics.median(rates[number]) for number in ("one", "two"))
    return f"one worker {one:.2f} items/s, two {two:.2f}: {two / one:.2f} times, {_spread(rates)}"


def _signal(process: BaseProcess, number: signal.Signals) -> None:
    """Hold a worker that has nothing to do, or let it go on."""
    time.sleep(0.5)
    os.kill(process.pid or 0, number)


def _rate(jobs: Jobs, items: int, real: bool) -> float:
    started = time.monotonic()
    batch, _ = ended(jobs, accept(jobs, ["1"] * items, _image(real)), 900)
    assert batch.state == "completed"
    return items / (time.monotonic() - started)


def queue(folder: Path, items: int, real: bool) -> str:
    """Items a second over POST /v1/readings and through a batch, and their ratio."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    more: dict[str, Any] = {"readers": 2, "rate": 10_000, "rate_burst": 10_000}
    process = _processes.Process(
        target=served.serve_really if real else served.serve_slowly,
        args=(str(folder), port, _SLEEP, more, {}),
    )
    process.start()
    url = f"http://127.0.0.1:{port}"
    rates: dict[str, list[float]] = {"single": [], "batch": []}
    try:
        killing.wait_ready(url, process)
        _batch_rate(url, 20, real)  # until all are warm
        for _ in range(_TURNS):
            rates["single"].append(_single_rate(url, items, real))
            rates["batch"].append(_batch_rate(url, items, real))
    finally:
        process.terminate()
        process.join(60)
    single, batch = (statistics.median(rates[name]) for name in ("single", "batch"))
    return (
        f"single readings {single:.2f}/s, batches {batch:.2f}/s: {batch / single:.2f} times, "
        f"{_spread(rates)}"
    )


def _single_rate(url: str, items: int, real: bool) -> float:
    image = _image(real)
    numbers = count()
    parameters = {"field_only": "false" if real else "true", "reference": "1"}

    def send() -> None:
        with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
            while next(numbers) < items:
                while True:
                    answer = client.post("/v1/readings", params=parameters, files={"image": image})
                    if answer.status_code != 429:
                        break
                    time.sleep(0.01)
                answer.raise_for_status()

    threads = [threading.Thread(target=send) for _ in range(4)]
    started = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return items / (time.monotonic() - started)


def _batch_rate(url: str, items: int, real: bool) -> float:
    image = _image(real)
    parts: list[Any] = []
    for _ in range(items):
        parts += [("reference", (None, "1")), ("image", ("1", image))]
    parameters = {"field_only": "false" if real else "true"}
    with httpx.Client(base_url=url, timeout=120, trust_env=False) as client:
        started = time.monotonic()
        answer = client.post("/v1/batches", params=parameters, files=parts)
        answer.raise_for_status()
        location = answer.headers["Location"]
        while (document := client.get(location).json())["state"] == "running":
            time.sleep(0.05)
        took = time.monotonic() - started
    assert document["counts"]["failed"] == 0
    return items / took


def _spread(rates: dict[Any, list[float]]) -> str:
    return "; ".join(
        f"{name}: {min(found):.2f} to {max(found):.2f}" for name, found in rates.items()
    )


if __name__ == "__main__":
    what, real = sys.argv[1], "--real" in sys.argv
    if what == "workers" and not postgres.URL:
        sys.exit("CHEQUE_TEST_POSTGRES names no PostgreSQL; .ci/with-postgres starts one")
    with tempfile.TemporaryDirectory() as there:
        measure = {"workers": workers, "queue": queue}[what]
        done = measure(Path(there), 120 if real else 100, real)
    sys.stdout.write(done + "\n")
