"""Kills a service at random while it receives and reads batches, and counts what is left.

`python tests/jobs/killing.py [KILLS]` does it by hand, `make kill` a hundred times.
"""

import multiprocessing
import random
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import httpx
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import served

# Processes come from one that has imported everything, so that starting costs no time.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["service.api"])
_PATIENCE = 180.0


@dataclass
class Client:
    """Submits batches until each is accepted, whatever happens to the service meanwhile."""

    url: str
    batches: int
    items: int
    gap: float
    accepted: list[str] = field(default_factory=list)
    given_up: bool = False

    def run(self) -> None:
        """Submit every batch under an Idempotency-Key of its own."""
        for number in range(self.batches):
            while not self._submit(number):
                if self.given_up:
                    return
                time.sleep(0.05)
            time.sleep(self.gap)

    def _submit(self, number: int) -> bool:
        parts: list[tuple[str, object]] = []
        for item in range(self.items):
            parts.append(("reference", (None, str(number * self.items + item))))
            parts.append(("image", (f"{item}.png", picture_of(item), "image/png")))
        try:
            answer = httpx.post(
                f"{self.url}/v1/batches",
                params={"field_only": "true"},
                files=parts,  # type: ignore[arg-type]
                headers={"Idempotency-Key": f"batch {number}"},
                timeout=20,
                trust_env=False,
            )
        except httpx.HTTPError:
            return False
        if answer.status_code in (409, 429):  # what was killed holds the key until it expires
            return False
        answer.raise_for_status()
        self.accepted.append(answer.json()["id"])
        return True


def picture_of(number: int) -> bytes:
    """A PNG of a cropped amount."""
    picture = np.full((48, 160), 255, np.uint8)
    cv2.putText(picture, f"{number}.00", (8, 34), cv2.FONT_HERSHEY_SIMPLEX, 1.0, 0, 2)
    return bytes(cv2.imencode(".png", picture)[1].tobytes())


def kill_and_count(
    folder: Path,
    *,
    kills: int,
    batches: int,
    items: int,
    gap: float = 0.0,
    seconds: float = 0.05,
    seed: int = 0,
    database: str | None = None,
    images: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Kill the service `kills` times, let it finish, and say what was lost or doubled: nothing.

    images: settings of where images are kept; environment: variables of the service. Raises
    AssertionError otherwise.
    """
    chance = random.Random(seed)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    client = Client(url, batches, items, gap)
    thread = threading.Thread(target=client.run)
    thread.start()
    started = time.monotonic()
    more = {"database_url": database, **(images or {})}
    arguments = (str(folder), port, seconds, more, dict(environment or {}))
    process: multiprocessing.process.BaseProcess | None = None
    try:
        for _ in range(kills):
            process = _processes.Process(target=served.serve_slowly, args=arguments)
            process.start()
            if chance.random() < 0.9:
                wait_ready(url, process, "/livez")
            time.sleep(chance.uniform(0.0, 1.5))
            process.kill()
            process.join()
        process = _processes.Process(target=served.serve_slowly, args=arguments)
        process.start()
        wait_ready(url, process, "/livez")
        thread.join(_PATIENCE)
        assert not thread.is_alive(), "a batch was never accepted"
        _count(client)
    finally:
        client.given_up = True
        if process is not None:
            process.terminate()
            process.join(60)
        thread.join(30)
    took = time.monotonic() - started
    return f"{kills} kills, {batches} batches of {items}: 0 lost, 0 doubled ({took:.0f} s)"


def wait_ready(
    url: str, process: multiprocessing.process.BaseProcess, path: str = "/readyz"
) -> None:
    """Wait until a service that is starting says that it is up; raises AssertionError."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline:
        assert process.is_alive(), "the service ended by itself"
        try:
            if httpx.get(f"{url}{path}", timeout=5, trust_env=False).status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    raise AssertionError("the service never came up")


def _count(client: Client) -> None:
    """Every batch that was accepted is complete, every item read once and as itself."""
    assert len(client.accepted) == client.batches == len(set(client.accepted))
    for place, id in enumerate(client.accepted):
        deadline = time.monotonic() + _PATIENCE
        batch = f"{client.url}/v1/batches/{id}"
        while httpx.get(batch, timeout=20, trust_env=False).json()["state"] != "completed":
            assert time.monotonic() < deadline, "a batch is never completed"
            time.sleep(0.1)
        answer = httpx.get(f"{batch}/items?limit=1000", timeout=20, trust_env=False).json()
        first = place * client.items
        assert [item["reading"]["amount_minor"] for item in answer["items"]] == list(
            range(first, first + client.items)
        )


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as there:
        done = kill_and_count(
            Path(there), kills=count, batches=max(3, count // 4), items=60, gap=2.0
        )
    sys.stdout.write(done + "\n")
