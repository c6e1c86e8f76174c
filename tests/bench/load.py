"""HTTP load: a service in a process of its own, and clients that keep it busy or at a rate."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from workloads import Workload

_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Service:
    """A running service: its port, its first process and the seconds it took to be ready."""

    port: int
    pid: int
    ready_seconds: float

    def processes(self) -> list[int]:
        """The process and all that descend from it."""
        children: dict[int, list[int]] = {}
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                rest = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            children.setdefault(int(rest[1]), []).append(int(path.parent.name))
        found, waiting = [], [self.pid]
        while waiting:
            found.append(waiting.pop())
            waiting += children.get(found[-1], [])
        return found

    def cpu_seconds(self) -> float:
        """User and system time of all its processes."""
        total = 0
        for pid in self.processes():
            rest = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            total += int(rest[11]) + int(rest[12])
        return total / _TICKS

    def peak_megabytes(self) -> list[float]:
        """Highest resident memory of each of its processes that serves, in MiB, highest first."""
        lines = [
            line
            for pid in self.processes()
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
        ]
        peaks = (int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))
        return sorted(peaks, reverse=True)


@contextmanager
def serving(port: int, environment: dict[str, str]) -> Iterator[Service]:
    """Start the service without keys, wait until it is ready, stop it in the end."""
    with tempfile.TemporaryDirectory() as folder:
        settings = {
            "CHEQUE_AUTH": "off", "CHEQUE_DATA_DIR": folder, "CHEQUE_LOG_LEVEL": "error",
            "CHEQUE_MAX_WAITING": "64",
        }  # fmt: skip
        started = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", "--port", str(port)],
            env=os.environ | settings | environment,
            stderr=subprocess.DEVNULL,
        )
        try:
            _wait(port, process)
            yield Service(port, process.pid, time.monotonic() - started)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise SystemExit("the service does not start")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            pass
        time.sleep(0.02)
    raise SystemExit("the service does not get ready")


@dataclass(slots=True)
class Outcome:
    """What the clients saw: seconds of each answer, by whether it was a reading."""

    seconds: list[float] = field(default_factory=list)
    refused: int = 0
    elapsed: float = 0.0

    @property
    def rate(self) -> float:
        """Readings a second."""
        return len(self.seconds) / self.elapsed if self.elapsed else 0.0

    def percentile(self, percent: float) -> float:
        """A percentile of the time to a reading, in milliseconds."""
        ordered = sorted(self.seconds)
        if not ordered:
            return float("nan")
        return 1000 * ordered[min(len(ordered) - 1, int(percent / 100 * len(ordered)))]


def busy(service: Service, load: Workload, clients: int, count: int) -> Outcome:
    """`count` readings by clients that each send the next image as soon as they are answered."""
    return asyncio.run(_busy(service.port, load, clients, count))


def paced(service: Service, load: Workload, rate: float, count: int) -> Outcome:
    """`count` readings that begin at even intervals, `rate` a second, answered or not."""
    return asyncio.run(_paced(service.port, load, rate, count))


_SUFFIXES = {"image/tiff": "tif", "image/jpeg": "jpg", "image/png": "png"}
_BATCH_SECONDS = 600.0


def queued(service: Service, load: Workload, count: int) -> float:
    """Readings a second of `count` cheques sent as one batch, until the last has its result."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        for number, data in zip(range(count), cycle(load.files), strict=False):
            file.writestr(f"{number}.{_SUFFIXES[load.media_type]}", data)
    query = "?field_only=true" if load.field_only else ""
    url = f"http://127.0.0.1:{service.port}"
    request = urllib.request.Request(
        f"{url}/v1/batches{query}", archive.getvalue(), {"Content-Type": "application/zip"}
    )
    began = time.perf_counter()
    with urllib.request.urlopen(request, timeout=60) as answer:
        batch = answer.headers["Location"]
    while time.perf_counter() - began < _BATCH_SECONDS:
        time.sleep(0.1)
        with urllib.request.urlopen(url + batch, timeout=60) as answer:
            found = json.load(answer)
        if found["state"] == "completed":
            elapsed = time.perf_counter() - began
            if found["counts"]["accepted"] + found["counts"]["rejected"] != count:
                raise SystemExit(f"of a batch of {count} was read: {found['counts']}")
            return count / elapsed
    raise SystemExit("a batch does not end")


class _Client:
    """One connection that is kept."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, request: bytes) -> int:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        lines = head.lower().split(b"\r\n")
        length = next(int(one[15:]) for one in lines if one.startswith(b"content-length:"))
        await reader.readexactly(length)
        if b"connection: close" in lines:
            self.close()
        return int(lines[0].split()[1])

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


def _requests(load: Workload) -> list[bytes]:
    query = "?field_only=true" if load.field_only else ""
    return [
        f"POST /v1/readings{query} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {load.media_type}"
        f"\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        + data
        for data in load.files
    ]


async def _busy(port: int, load: Workload, clients: int, count: int) -> Outcome:
    outcome, requests = Outcome(), cycle(_requests(load))
    left = iter(range(count))

    async def run() -> None:
        client = _Client(port)
        for _ in left:
            started = time.perf_counter()
            status = await client.ask(next(requests))
            _note(outcome, status, time.perf_counter() - started)
        client.close()

    began = time.perf_counter()
    await asyncio.gather(*(run() for _ in range(clients)))
    outcome.elapsed = time.perf_counter() - began
    return outcome


async def _paced(port: int, load: Workload, rate: float, count: int) -> Outcome:
    outcome, requests = Outcome(), cycle(_requests(load))
    idle: deque[_Client] = deque()

    async def one(due: float) -> None:
        # The one that waited longest: so all processes that hold a connection get their share.
        client = idle.popleft() if idle else _Client(port)
        status = await client.ask(next(requests))
        _note(outcome, status, time.perf_counter() - due)
        idle.append(client)

    began = time.perf_counter()
    tasks = []
    for number in range(count):
        due = began + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.create_task(one(due)))
    await asyncio.gather(*tasks)
    outcome.elapsed = time.perf_counter() - began
    for client in idle:
        client.close()
    return outcome


def _note(outcome: Outcome, status: int, seconds: float) -> None:
    if status == 200:
        outcome.seconds.append(seconds)
    else:
        outcome.refused += 1
