"""A disk that is really full: a small file system of its own, where one may be mounted."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parent))
from killing import picture_of
from served import SlowReader

from service.api import create_app
from service.api.server import make_server
from service.settings import Settings
from service.sockets import listen

_ITEMS = 60
_BALLAST = "ballast"


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 16 MB."""
    place = tmp_path / "disk"
    place.mkdir()
    try:
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=16m,mode=0700", "none", str(place)],
            capture_output=True,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("there is no mount")
    if mounted.returncode:
        pytest.skip("this user may not mount a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


def _fill(disk: Path) -> None:
    """Take all the room that is left, to the last byte."""
    with (disk / _BALLAST).open("ab", buffering=0) as ballast:
        for size in (1 << 16, 1 << 12, 1 << 8, 1):
            try:
                while True:
                    ballast.write(os.urandom(size))
            except OSError:
                continue


def _post(client: httpx.Client, first: int) -> httpx.Response:
    parts: list[Any] = []
    for number in range(first, first + _ITEMS):
        parts.append(("reference", (None, str(number))))
        parts.append(("image", (f"{number}.png", picture_of(number), "image/png")))
    return client.post("/v1/batches", params={"field_only": "true"}, files=parts)


def test_a_full_disk_is_said_and_nothing_accepted_is_lost(disk: Path) -> None:
    settings = Settings.model_validate(
        {"data_dir": disk / "data", "auth": "off", "batch_readers": 2, "disk_reserve": 0}
    )
    server = make_server(create_app(settings, SlowReader(0.1)), settings)
    sock = listen("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
    thread.start()
    try:
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        with httpx.Client(base_url=url, timeout=60, trust_env=False) as client:
            accepted = _post(client, 0)
            assert accepted.status_code == 202
            batch = accepted.headers["Location"]
            while client.get(batch).json()["counts"]["accepted"] < 2:
                time.sleep(0.05)
            _fill(disk)
            refused = [_post(client, 1000) for _ in range(3)]
            assert {answer.status_code for answer in refused} == {507}
            assert {answer.json()["code"] for answer in refused} <= {"storage_full", "unrecorded"}
            time.sleep(2.0)  # what is being read can't be written meanwhile
            (disk / _BALLAST).unlink()
            deadline = time.monotonic() + 120
            while client.get(batch).json().get("state") != "completed":
                assert time.monotonic() < deadline, "the batch is never completed"
                time.sleep(0.1)
            items = client.get(f"{batch}/items?limit=1000").json()["items"]
            amounts = [item["reading"]["amount_minor"] for item in items]
            assert amounts == list(range(_ITEMS))
            assert _post(client, 2000).status_code == 202
    finally:
        server.should_exit = True
        thread.join(60)
    assert not thread.is_alive()
