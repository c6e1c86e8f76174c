"""Kills workers that share one PostgreSQL at random during a batch, and counts what is left.

`python tests/jobs/killing_workers.py [ITEMS [SECONDS]]` does it by hand, a kill every so many
seconds on average; `make kill-postgres` with 2,000 items and every 4 seconds.
"""

import multiprocessing
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
import postgres
import served
import sqlalchemy as sa
from direct import accept, ended

from service.jobs.runtime import Jobs
from service.settings import Settings

# Processes come from one that has imported everything, so that starting costs no time.
_processes = multiprocessing.get_context("forkserver")
_processes.set_forkserver_preload(["service.api"])
_READERS = 2


@dataclass
class Place:
    """Where a worker runs: its own folder, and what is left of it after a kill."""

    folder: Path
    process: BaseProcess | None = None
    returns: bool = True
    down_until: float = 0.0


def kill_and_count(
    folder: Path,
    url: str,
    *,
    items: int,
    workers: int = 3,
    seconds: float = 0.05,
    every: float = 4.0,
    seed: int = 0,
) -> str:
    """Kill workers while they read a batch, cut the database's connections, and count.

    The worker in the first place is killed early and never comes back. every: mean seconds between
    two kills. Raises AssertionError where anything is lost or doubled; returns figures.
    """
    chance = random.Random(seed)
    more = {
        "database_url": url,
        "images": str(folder / "images"),
        "auth": "off",
        "batch_readers": _READERS,
    }
    jobs = Jobs(Settings.model_validate({"data_dir": folder / "service", **more}))
    places = [Place(folder / f"worker-{number}") for number in range(workers)]
    log = folder / "reads"
    kills = cuts = failed = 0
    try:
        id = accept(jobs, [str(number) for number in range(items)])
        started = time.monotonic()
        next_kill = started + 5
        while jobs.store.running():
            now = time.monotonic()
            assert now - started < 1800, "the batch is never completed"
            for place in places:
                if place.process is not None and place.process.exitcode is not None:
                    failed += 1  # its database was cut off while it started
                    place.process = None
                if place.process is None and place.returns and now >= place.down_until:
                    place.process = _start(place, seconds, more, log)
            if now >= next_kill:
                next_kill = now + chance.expovariate(1 / every)
                alive = [place for place in places if place.process is not None]
                if alive:
                    place = places[0] if places[0] in alive else chance.choice(alive)
                    _kill(place, now + chance.uniform(0, 3), returns=place is not places[0])
                    kills += 1
                if chance.random() < 0.2:
                    _cut_connections()
                    cuts += 1
            time.sleep(0.05)
        took = time.monotonic() - started
        _, found = ended(jobs, id)
    finally:
        for place in places:
            if place.process is not None:
                place.process.terminate()
        for place in places:
            if place.process is not None:
                place.process.join(60)
        jobs.close()
    wrong = [
        item.number
        for item in found
        if item.reading is None or item.reading["amount_minor"] != item.number
    ]
    assert len(found) == items, "items are lost"
    assert not wrong, f"{len(wrong)} items were lost or doubled"
    reads = Counter(log.read_text().split())
    again = sum(reads.values()) - len(reads)
    return (
        f"{items} items, {workers} workers, {kills} kills, {cuts} times all connections cut, "
        f"{failed} workers that did not come up for that: "
        f"0 lost, 0 doubled, {again} read again because their result was cut off "
        f"({took:.0f} s, {items * seconds / (workers * _READERS):.0f} s without a kill)"
    )


def _start(place: Place, seconds: float, more: dict[str, Any], log: Path) -> BaseProcess:
    process = _processes.Process(
        target=served.work, args=(str(place.folder), seconds, more, str(log), {})
    )
    process.start()
    return process


def _kill(place: Place, until: float, *, returns: bool) -> None:
    assert place.process is not None
    place.process.kill()
    place.process.join()
    place.process, place.returns, place.down_until = None, returns, until


def _cut_connections() -> None:
    engine = postgres.engine()
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        )
    engine.dispose()


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 2000
    pause = float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    if not postgres.URL:
        sys.exit("CHEQUE_TEST_POSTGRES names no PostgreSQL; .ci/with-postgres starts one")
    with tempfile.TemporaryDirectory() as there:
        done = kill_and_count(Path(there), postgres.emptied(), items=count, every=pause)
    sys.stdout.write(done + "\n")
