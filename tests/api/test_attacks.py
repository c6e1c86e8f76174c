"""What an attacker would try who has a key, or a web page that a browser here shows."""

import json
import logging
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.access.keys import SqliteKeys
from service.api import upload
from service.api.auth import ELSEWHERE
from service.logs import JsonFormatter, TextFormatter


@contextmanager
def _sending(service: httpx.Client, request: bytes) -> Iterator[socket.socket]:
    """A connection on which this much has been sent."""
    with socket.create_connection((service.base_url.host, service.base_url.port or 0), 20) as raw:
        raw.sendall(request)
        yield raw


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "localhost:8080"}, 200),
        ({"Host": "[::1]"}, 200),
        ({"Host": "127.0.0.2", "Origin": "http://localhost:3000"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "127.0.0.1.evil.example"}, 403),
        ({"Host": "[::1"}, 403),
        ({"Host": ""}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://localhost.evil.example"}, 403),
    ],
)
def test_without_keys_no_web_page_of_others_is_answered(
    client: httpx.Client, cheque: bytes, headers: dict[str, str], status: int
) -> None:
    """A name of theirs may lead to this machine, and a form of theirs may be sent to it."""
    answer = client.post("/v1/readings", headers=headers, files={"image": cheque})
    assert answer.status_code == status
    if status == 403:
        assert (answer.json()["code"], answer.json()["detail"]) == ("forbidden", ELSEWHERE)
    assert client.get("/metrics", headers=headers).status_code == status


def test_with_keys_the_service_may_have_any_name(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    _, secret = SqliteKeys(tmp_path / "keys.sqlite3").add("till", ["read"])
    service = start(reader, auth="key", data_dir=tmp_path)
    headers = {"Host": "cheques.bank.example", "X-API-Key": secret}
    assert service.post("/v1/readings", headers=headers, files={"image": cheque}).is_success


def test_bodies_that_do_not_come_leave_places_for_others(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    keys = SqliteKeys(tmp_path / "keys.sqlite3")
    slow, other = (keys.add(name, ["read"])[1] for name in ("slow", "other"))
    service = start(reader, auth="key", data_dir=tmp_path, max_in_flight=4, metrics_port=0)
    own = f"http://127.0.0.1:{service.headers['x-operations-port']}/metrics"

    def held(count: int) -> Callable[[], bool]:
        return lambda: f"cheque_readings_in_flight {count}.0" in httpx.get(own).text

    request = (
        b"POST /v1/readings HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
        b"X-API-Key: " + slow.encode() + b"\r\nContent-Length: 1000\r\n\r\n"
    )
    with ExitStack() as stack:
        for number in range(3):
            stack.enter_context(_sending(service, request))
            _wait_for(held(number + 1))
        with _sending(service, request) as fourth:
            assert fourth.recv(4096).startswith(b"HTTP/1.1 429 ")
        answer = service.post("/v1/readings", headers={"X-API-Key": other}, files={"image": cheque})
        assert answer.status_code == 200
    _wait_for(held(0))


def test_a_batch_that_trickles_is_given_up(
    start: Callable[..., httpx.Client], reader: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "_PACE", 1 << 30)
    service = start(reader, body_seconds=0.3, batch_seconds=600)
    request = (
        b"POST /v1/batches HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/zip\r\n"
        b"Content-Length: 100000000\r\n\r\nPK\x03\x04"
    )
    with _sending(service, request) as raw:
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b"came too slowly" in answer


def test_a_batch_that_keeps_its_pace_may_take_longer(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "_PACE", 1)
    service = start(reader, body_seconds=0.2, batch_seconds=600)

    def pieces() -> Iterator[bytes]:
        yield cheque[:100]
        time.sleep(0.5)
        yield cheque[100:]

    answer = service.post("/v1/batches", headers={"Content-Type": "image/tiff"}, content=pieces())
    assert answer.status_code == 202


def test_a_batch_of_another_s_is_as_one_that_is_not_there(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    keys = SqliteKeys(tmp_path / "keys.sqlite3")
    made = {name: keys.add(name, [name]) for name in ("batch", "admin")}
    _, other = keys.add("other", ["batch"])
    service = start(reader, auth="key", data_dir=tmp_path)
    mine = {"X-API-Key": made["batch"][1]}
    location = service.post("/v1/batches", headers=mine, files={"image": cheque}).headers[
        "location"
    ]
    none = f"/v1/batches/{'0' * 32}"
    for secret in (other, made["admin"][1]):
        for method, path in (
            ("GET", ""),
            ("GET", "/items"),
            ("GET", "/results.jsonl"),
            ("GET", "/results.csv"),
            ("POST", "/cancel"),
            ("DELETE", ""),
        ):
            answers = [
                service.request(method, where + path, headers={"X-API-Key": secret})
                for where in (location, none)
            ]
            assert [answer.status_code for answer in answers] == [404, 404]
            first, second = ({**answer.json(), "request_id": ""} for answer in answers)
            assert first == second
    assert service.get(location, headers=mine).json()["state"] == "running"


def test_keys_of_calls_are_their_caller_s_own(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    keys = SqliteKeys(tmp_path / "keys.sqlite3")
    one, two = (keys.add(name, ["read"])[1] for name in ("one", "two"))
    service = start(reader, auth="key", data_dir=tmp_path)

    def post(secret: str, image: bytes) -> httpx.Response:
        headers = {"X-API-Key": secret, "Idempotency-Key": "monday"}
        return service.post("/v1/readings", headers=headers, files={"image": image})

    assert "idempotent-replayed" not in post(one, cheque).headers
    assert "idempotent-replayed" not in post(two, cheque).headers
    assert post(one, cheque).headers["idempotent-replayed"] == "true"
    assert post(two, b"other").json()["code"] == "idempotency_mismatch"


def test_keys_of_calls_do_not_fill_the_disk(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, disk_reserve=1 << 62)
    headers = {"Idempotency-Key": "monday"}
    answer = service.post("/v1/readings", headers=headers, files={"image": cheque})
    assert (answer.status_code, answer.json()["code"]) == (507, "storage_full")
    assert service.post("/v1/readings", files={"image": cheque}).status_code == 200


@pytest.mark.parametrize("value", [b"a b", b"x" * 65, b"caf\xe9", b"a\tb"])
def test_what_callers_say_can_not_forge_logs_or_headers(
    client: httpx.Client, cheque: bytes, caplog: pytest.LogCaptureFixture, value: bytes
) -> None:
    forged = "FORGED\r\nX-Evil: 1\n{}"
    with caplog.at_level(logging.DEBUG):
        answer = client.post(
            "/v1/readings",
            params={"reference": "r-FORGED"},
            headers=[(b"X-Request-ID", value), (b"User-Agent", b"FORGED")],
            files={"image": (forged, cheque)},
        )
        lost = client.request("FORGED", "/v1/%0d%0aFORGED")
    assert answer.status_code == 200
    assert lost.status_code in (404, 405)
    for one in (answer, lost):
        assert one.headers["x-request-id"].isalnum()
        assert "x-evil" not in one.headers
    for record in caplog.records:
        if record.name.startswith(("service", "uvicorn", "asyncio")):
            as_json = JsonFormatter().format(record)
            assert json.loads(as_json)
            for line in (as_json, TextFormatter("%(message)s").format(record)):
                assert "\n" not in line
                assert "FORGED" not in line
                assert line.isprintable()


def test_ids_of_keys_can_not_be_told_by_waiting(tmp_path: Path) -> None:
    """Whether a key of this id exists or not, two hashes are compared."""
    keys = SqliteKeys(tmp_path / "keys.sqlite3")
    key, secret = keys.add("till", ["read"])
    assert keys.find(f"chq_{key.id}_wrong") is None
    assert keys.find(f"chq_{'0' * 8}_wrong") is None
    assert keys.find(f"chq_{key.id}_{'x' * 10_000}") is None
    assert keys.find(secret) == key


_POST = b"POST /v1/readings HTTP/1.1\r\nContent-Type: image/png\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        _POST + b"\r\n",
        _POST + b"Host: localhost\r\nHost: localhost\r\n\r\n",
        _POST + b"Host: localhost\r\nX-Request-ID: a\x1b[31m\r\n\r\n",
        _POST + b"Host: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n",
        _POST + b"Host: localhost\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\n",
        _POST + b"Host: localhost\r\nTransfer-Encoding: gzip, chunked, x\r\n\r\n",
        _POST + b"Host: localhost\r\nContent-Length: +4\r\n\r\n",
        _POST + b"Host: localhost\r\nTransfer-Encoding : chunked\r\n\r\n",
        _POST + b"Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    ],
)
def test_what_two_could_read_differently_is_refused(client: httpx.Client, request_: bytes) -> None:
    with _sending(client, request_) as raw:
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"malformed_request" in answer


def test_trailers_say_nothing(client: httpx.Client, cheque: bytes) -> None:
    body = b"%x\r\n%s\r\n0\r\nHost: evil.example\r\nX-Request-ID: forged\r\n\r\n"
    head = _POST + b"Host: localhost\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    with _sending(client, head + body % (len(cheque), cheque)) as raw:
        answer = b"".join(iter(lambda: raw.recv(65536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"forged" not in answer


def test_other_protocols_are_not_changed_to(client: httpx.Client, cheque: bytes) -> None:
    offer = {"Connection": "Upgrade, HTTP2-Settings", "Upgrade": "h2c", "HTTP2-Settings": "AAM"}
    assert client.post("/v1/readings", headers=offer, files={"image": cheque}).status_code == 200
    assert client.get("/livez", headers=offer).status_code == 200
    head = b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\n"
    with _sending(client, head) as raw:
        time.sleep(0.1)
        raw.sendall(b"X-A: b\r\nupgrade: websocket\r\n\r\n")
        assert raw.recv(4096).startswith(b"HTTP/1.1 200 ")
