"""Batches over HTTP, with a stand-in for the model."""

import base64
import csv
import hashlib
import hmac
import io
import json
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

from service.errors import StorageFullError
from service.jobs.bodies import Folder

SECRET = "a secret of 24 characters"


def _await_end(service: httpx.Client, location: str) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while (batch := service.get(location).json())["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return dict(batch)


def _files(*images: bytes) -> list[tuple[str, tuple[str, bytes]]]:
    return [("image", (f"{number}.png", image)) for number, image in enumerate(images)]


def test_a_batch_is_read_item_by_item(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, batch_readers=2)
    parts: list[Any] = [
        ("image", ("=cmd.png", cheque)),
        ("reference", (None, "-7+cmd")),
        ("image", ("two.png", cheque)),
        ("image", ("readme.txt", b"no image")),
        ("image", ("cut.png", cheque[:-40])),
    ]
    answer = service.post("/v1/batches", params={"reference": "Monday"}, files=parts)
    assert answer.status_code == 202
    location = answer.headers["location"]
    assert location == f"/v1/batches/{answer.json()['id']}"
    batch = _await_end(service, location)
    assert batch["state"] == "completed"
    assert batch["items"] == 4
    assert batch["counts"] == {
        "waiting": 0, "accepted": 2, "rejected": 0, "failed": 2, "cancelled": 0
    }  # fmt: skip
    lines = [
        json.loads(line) for line in service.get(f"{location}/results.jsonl").text.splitlines()
    ]
    assert [line["number"] for line in lines] == [0, 1, 2, 3]
    assert [line["reference"] for line in lines] == ["Monday", "-7+cmd", "Monday", "Monday"]
    assert lines[1]["reading"]["amount_minor"] == 123456
    assert lines[1]["reading"]["reference"] == "-7+cmd"
    assert lines[2]["error"]["code"] == "unsupported_type"
    assert lines[3]["error"]["code"] == "truncated_image"
    page = service.get(f"{location}/items", params={"limit": 3}).json()
    assert [item["number"] for item in page["items"]] == [0, 1, 2]
    rest = service.get(f"{location}/items", params={"after": page["next"]}).json()
    assert rest["items"] == lines[3:]
    assert rest["next"] is None
    table = list(csv.DictReader(io.StringIO(service.get(f"{location}/results.csv").text)))
    assert table[0]["file"] == "'=cmd.png"
    assert table[1]["reference"] == "'-7+cmd"
    assert table[0]["amount_minor"] == "123456"
    assert service.delete(location).status_code == 204
    assert service.get(location).status_code == 404


def test_an_archive_and_pages_are_items(
    start: Callable[..., httpx.Client],
    reader: Any,
    page: Image.Image,
    cheque: bytes,
    encode: Callable[..., bytes],
) -> None:
    service = start(reader)
    tiff = encode(page, "TIFF", save_all=True, append_images=[page, page, page])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/one.png", cheque)
        archive.writestr("__MACOSX/a/one.png", b"x")
        archive.writestr("a/four.tif", tiff)
    for kind, body, pages, items in (
        ("application/zip", packed.getvalue(), "first", 2),
        ("application/zip", packed.getvalue(), "items", 5),
        ("image/tiff", tiff, "items", 4),
        ("image/tiff", tiff, "front_back", 2),
        ("image/tiff", tiff, "first", 1),
    ):
        answer = service.post(
            "/v1/batches", params={"pages": pages}, headers={"Content-Type": kind}, content=body
        )
        assert answer.json()["items"] == items
        assert answer.json()["counts"]["failed"] == 0


def test_a_key_makes_a_batch_once(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader)
    headers = {"Idempotency-Key": "night run 7"}
    first = service.post("/v1/batches", headers=headers, files=_files(cheque))
    again = service.post("/v1/batches", headers=headers, files=_files(cheque))
    assert first.status_code == again.status_code == 202
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = service.post("/v1/batches", headers=headers, files=_files(cheque, cheque))
    assert other.status_code == 422
    assert other.json()["code"] == "idempotency_mismatch"


def test_a_key_makes_a_reading_once(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader)
    headers = {"Idempotency-Key": "one"}
    refused = service.post("/v1/readings", headers=headers, files={"image": b"no image"})
    assert refused.status_code == 415
    first = service.post("/v1/readings", headers=headers, files={"image": cheque})
    read = len(reader.calls)
    again = service.post("/v1/readings", headers=headers, files={"image": cheque})
    assert again.json() == first.json()
    assert len(reader.calls) == read
    other = service.post("/v1/readings?reference=x", headers=headers, files={"image": cheque})
    assert other.status_code == 422


def test_a_call_that_still_runs_holds_its_key(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader)
    headers = {"Idempotency-Key": "one"}
    read = len(reader.calls)
    reader.gate.clear()
    answers: list[httpx.Response] = []

    def call() -> None:
        answers.append(service.post("/v1/readings", headers=headers, files={"image": cheque}))

    thread = threading.Thread(target=call)
    thread.start()
    try:
        while len(reader.calls) == read:
            time.sleep(0.01)
        held = service.post("/v1/readings", headers=headers, files={"image": cheque})
    finally:
        reader.gate.set()
        thread.join()
    assert held.status_code == 409
    assert held.json()["code"] == "conflict"
    assert answers[0].status_code == 200


def test_a_cancelled_batch_keeps_what_was_read(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader)
    location = service.post("/v1/batches", files=_files(cheque, b"")).headers["location"]
    cancelled = service.post(f"{location}/cancel").json()
    assert cancelled["state"] == "cancelled"
    assert cancelled["counts"]["cancelled"] == 1
    assert cancelled["counts"]["failed"] == 1


@pytest.mark.parametrize(
    ("settings", "images", "status", "code"),
    [
        ({"batch_items": 1}, 2, 413, "too_many_items"),
        ({"batch_bytes": 1024}, 2, 413, "batch_too_large"),
        ({}, 0, 400, "malformed_batch"),
    ],
)
def test_what_is_too_much_is_refused(
    start: Callable[..., httpx.Client],
    reader: Any,
    cheque: bytes,
    tmp_path: Path,
    settings: dict[str, Any],
    images: int,
    status: int,
    code: str,
) -> None:
    service = start(reader, **settings)
    parts: list[Any] = _files(*[cheque] * images) or [("reference", (None, "r"))]
    answer = service.post("/v1/batches", files=parts)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert not list((tmp_path / "data" / "images").iterdir())


def test_a_bomb_is_refused(start: Callable[..., httpx.Client], reader: Any, tmp_path: Path) -> None:
    service = start(reader, batch_bytes=1 << 20)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(5):
            archive.writestr(f"{number}.png", bytes(400_000))
    assert len(packed.getvalue()) < 10_000
    answer = service.post(
        "/v1/batches", headers={"Content-Type": "application/zip"}, content=packed.getvalue()
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "batch_too_large")
    assert not list((tmp_path / "data" / "images").iterdir())


def test_a_full_disk_is_said_and_nothing_is_left(
    start: Callable[..., httpx.Client],
    reader: Any,
    cheque: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = start(reader)

    def full(*_: object) -> None:
        raise StorageFullError("the disk is full")

    monkeypatch.setattr(Folder, "keep", full)
    headers = {"Idempotency-Key": "one"}
    answer = service.post("/v1/batches", headers=headers, files=_files(cheque))
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert not list((tmp_path / "data" / "images").iterdir())
    monkeypatch.undo()
    assert service.post("/v1/batches", headers=headers, files=_files(cheque)).status_code == 202


def test_no_room_is_said_before_the_body_is_taken(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, disk_reserve=1 << 60)
    assert service.post("/v1/batches", files=_files(cheque)).status_code == 507


@contextmanager
def _receiver(statuses: list[int]) -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A server that answers with the statuses in turn, and what it was sent."""
    got: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            got.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(statuses[min(len(got), len(statuses)) - 1])
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", got
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_end_of_a_batch_is_told_signed_and_again(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, batch_readers=1, webhook_hosts="127.0.0.1", webhook_secret=SECRET)
    with _receiver([500, 204]) as (url, got):
        answer = service.post("/v1/batches", params={"webhook": url}, files=_files(cheque))
        assert answer.status_code == 202
        deadline = time.monotonic() + 60
        while len(got) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
    assert got[0][1] == got[1][1]
    headers, body = got[1]
    told = json.loads(body)
    assert told["batch"] == answer.json()["id"]
    assert told["type"] == "batch.completed"
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == f"v1,{base64.b64encode(expected).decode()}"


@pytest.mark.parametrize(
    "url",
    ["https://elsewhere.example/", "http://hooks.example/", "https://u:p@hooks.example/", "x"],
)
def test_webhooks_go_where_they_may(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, url: str
) -> None:
    service = start(reader, webhook_hosts="hooks.example", webhook_secret=SECRET)
    answer = service.post("/v1/batches", params={"webhook": url}, files=_files(cheque))
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["parameter"] == "webhook"


@pytest.mark.parametrize("path", ["/v1/readings/%00", "/v1/batches/%00", "/v1/batches/%00/items"])
def test_ids_that_no_database_keeps(client: httpx.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")
