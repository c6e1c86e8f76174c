"""Offers a service ten times what it can read, and then slow clients: `make overload`.

Measured with one client, then at ten times the rate that as many clients as readers get through,
each request on time whether or not those before it are answered. It ends with exit code 1 where
accepted requests take more than three times as long as alone (at the 99th percentile), anything is
answered but 200 and 429 with Retry-After, refusals dawdle, memory grows, or it does not recover.
"""

import argparse
import asyncio
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter

import httpx

ROOT = Path(__file__).resolve().parents[2]
IMAGE = ROOT / "samples" / "us-personal-04.tif"
TIMES = 10
SLOWER = 3.0
GROWTH = 64 << 20
REFUSED_SECONDS = 1.0
SLOW_CLIENTS = 30


@dataclass
class Seen:
    """What came of requests: seconds by status, and what should not have come."""

    seconds: dict[int, list[float]] = field(default_factory=dict)
    wrong: list[str] = field(default_factory=list)

    def at(self, share: float, status: int = 200) -> float:
        """Seconds within which this share of the answers with a status came."""
        ordered = sorted(self.seconds.get(status, [0.0]))
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def count(self, status: int) -> int:
        """How many answers had a status."""
        return len(self.seconds.get(status, ()))


@contextmanager
def _serving(readers: int, processes: int) -> Iterator[tuple[int, str, str]]:
    """A service of its own: its process id, address and key."""
    key = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", "serve", "--port", "0"],
            cwd=ROOT,
            env={
                **os.environ,
                "CHEQUE_DATA_DIR": folder,
                "CHEQUE_API_KEY": key,
                "CHEQUE_READERS": str(readers),
                "CHEQUE_PROCESSES": str(processes),
                "CHEQUE_BATCH_READERS": "0",
                "CHEQUE_RATE": "100000",
                "CHEQUE_RATE_BURST": "100000",
                "CHEQUE_LOG_LEVEL": "warning",
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        assert process.stderr is not None
        try:
            for line in process.stderr:
                if found := re.search(r"on (http://\S+)", line):
                    break
            else:
                raise SystemExit("the service did not start")
            while httpx.get(f"{found[1]}/readyz", timeout=30).status_code != 200:
                continue
            yield process.pid, found[1], key
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def _memory(process: int) -> int:
    """Resident bytes of a process and those that it started."""
    total = 0
    for folder in [process, *_children(process)]:
        pages = Path(f"/proc/{folder}/statm").read_text().split()[1]
        total += int(pages) * os.sysconf("SC_PAGE_SIZE")
    return total


def _children(process: int) -> list[int]:
    return [int(x) for x in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


async def _post(client: httpx.AsyncClient, image: bytes, seen: Seen) -> None:
    started = perf_counter()
    try:
        answer = await client.post(
            "/v1/readings", content=image, headers={"Content-Type": "image/tiff"}
        )
    except httpx.HTTPError as error:
        seen.wrong.append(type(error).__name__)
        return
    seen.seconds.setdefault(answer.status_code, []).append(perf_counter() - started)
    if answer.status_code == 429 and int(answer.headers.get("Retry-After", 0)) < 1:
        seen.wrong.append("429 without Retry-After")
    if answer.status_code not in (200, 429):
        seen.wrong.append(f"{answer.status_code} {answer.json().get('code')}")


async def _one_by_one(client: httpx.AsyncClient, image: bytes, count: int) -> Seen:
    seen = Seen()
    for _ in range(count):
        await _post(client, image, seen)
    return seen


async def _sustainable(client: httpx.AsyncClient, image: bytes, readers: int, each: int) -> float:
    """Readings a second that as many clients as readers get through."""
    started = perf_counter()
    await asyncio.gather(*(_one_by_one(client, image, each) for _ in range(readers)))
    return readers * each / (perf_counter() - started)


async def _flood(client: httpx.AsyncClient, image: bytes, rate: float, seconds: float) -> Seen:
    """Requests at a rate for some time, each sent when it is due."""
    seen = Seen()
    started = perf_counter()
    async with asyncio.TaskGroup() as group:
        for number in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, started + number / rate - perf_counter()))
            group.create_task(_post(client, image, seen))
    return seen


async def _slow(url: str, key: str, body: bool) -> None:
    """A client that sends a byte a second of a request's head, or of its body, until cut off."""
    address = httpx.URL(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    head = f"POST /v1/readings HTTP/1.1\r\nHost: {address.host}\r\nX-API-Key: {key}\r\n".encode()
    if body:
        writer.write(head + b"Content-Type: image/png\r\nContent-Length: 100000\r\n\r\n")
        head = b"\x89PNG\r\n\x1a\n" + bytes(1000)
    try:
        for byte in head:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(1)
            if reader.at_eof():
                return
    except ConnectionError:
        return
    finally:
        writer.close()


class Report:
    """Says what was measured, and remembers whether it is as it must be."""

    def __init__(self) -> None:
        self.good = True

    def say(self, text: str, good: bool = True) -> None:
        """One line; good: whether it is as it must be."""
        self.good &= good
        sys.stdout.write(f"{text}{'' if good else '   <- not as it must be'}\n")
        sys.stdout.flush()


async def _try(process: int, url: str, key: str, readers: int, seconds: float) -> bool:
    report, image = Report(), IMAGE.read_bytes()
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(
            httpx.AsyncClient(
                base_url=url,
                headers={"X-API-Key": key},
                timeout=30,
                trust_env=False,
                limits=httpx.Limits(max_connections=400, max_keepalive_connections=400),
            )
        )
        await _one_by_one(client, image, 10)
        alone = await _one_by_one(client, image, 100)
        limit = SLOWER * alone.at(0.99)
        report.say(
            f"alone: median {alone.at(0.5):.3f} s, 99 % within {alone.at(0.99):.3f} s",
            not alone.wrong and alone.count(429) == 0,
        )
        rate = await _sustainable(client, image, readers, 40)
        report.say(f"sustainable: {rate:.1f} readings a second")
        await _flood(client, image, TIMES * rate, 5)
        before = _memory(process)
        seen = await _flood(client, image, TIMES * rate, seconds)
        after = _memory(process)
        total = sum(map(len, seen.seconds.values()))
        report.say(f"offered: {total} in {seconds:.0f} s, {TIMES} times that")
        report.say(
            f"accepted: {seen.count(200)} ({seen.count(200) / seconds:.1f} a second), "
            f"median {seen.at(0.5):.3f} s, 99 % within {seen.at(0.99):.3f} s, "
            f"{seen.at(0.99) / alone.at(0.99):.1f} times that of one alone",
            seen.at(0.99) <= limit and seen.count(200) > 0.5 * rate * seconds,
        )
        report.say(
            f"refused: {seen.count(429)}, median {seen.at(0.5, 429):.3f} s, "
            f"99 % within {seen.at(0.99, 429):.3f} s",
            seen.at(0.99, 429) <= REFUSED_SECONDS,
        )
        report.say(f"anything else: {sorted(set(seen.wrong)) or 'nothing'}", not seen.wrong)
        report.say(
            f"memory: {before >> 20} MB after 5 s, {after >> 20} MB at the end",
            after - before < GROWTH,
        )
        again = await _one_by_one(client, image, 30)
        report.say(
            f"afterwards, one by one: {again.count(200)} of 30 answered, median "
            f"{again.at(0.5):.3f} s",
            again.count(200) == 30 and again.at(0.5) <= 2 * alone.at(0.5),
        )
        slow = [
            asyncio.create_task(_slow(url, key, body=number % 2 == 1))
            for number in range(SLOW_CLIENTS)
        ]
        await asyncio.sleep(2)
        beside = await _one_by_one(client, image, 30)
        report.say(
            f"beside {SLOW_CLIENTS} slow clients: {beside.count(200)} of 30 answered, "
            f"99 % within {beside.at(0.99):.3f} s",
            beside.count(200) == 30 and beside.at(0.99) <= limit,
        )
        done, left = await asyncio.wait(slow, timeout=40)
        report.say(f"slow clients cut off: {len(done)} of {SLOW_CLIENTS}", not left)
        for task in left:
            task.cancel()
    return report.good


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--readers", type=int, default=1)
    parser.add_argument("--processes", type=int, default=1)
    given = parser.parse_args()
    with _serving(given.readers, given.processes) as (process, url, key):
        good = asyncio.run(_try(process, url, key, given.readers, given.seconds))
    sys.exit(not good)


if __name__ == "__main__":
    main()
