"""The line before the readers stays short; readings, and answers that nobody takes, end."""

import contextlib
import socket
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from service.access.keys import SqliteKeys
from service.api import server
from service.errors import KeysAwayError


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def _seen(service: httpx.Client, name: str, value: float) -> bool:
    return f"\n{name} {value:.1f}\n" in service.get("/metrics").text


def test_who_finds_the_line_full_is_refused_before_the_body_comes(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, readers=1, max_waiting=1, max_in_flight=64)
    reader.gate.clear()

    def post() -> httpx.Response:
        return service.post("/v1/readings", files={"image": cheque})

    with ThreadPoolExecutor(2) as callers:
        waiting = [callers.submit(post) for _ in range(2)]
        try:
            _wait_for(lambda: _seen(service, "cheque_readings_waiting", 1))
            with socket.create_connection(
                (service.base_url.host, service.base_url.port or 0), 10
            ) as raw:
                raw.sendall(
                    b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
                    b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n"
                )
                assert raw.recv(4096).startswith(b"HTTP/1.1 429 ")
            assert post().json()["code"] == "overloaded"
        finally:
            reader.gate.set()
        assert [w.result().status_code for w in waiting] == [200, 200]
    assert post().status_code == 200
    assert _seen(service, "cheque_readings_waiting", 0)
    assert _seen(service, "cheque_readings_in_flight", 0)


def test_a_line_that_fills_while_a_body_comes_is_full(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, readers=1, max_waiting=0, max_in_flight=64)
    with socket.create_connection((service.base_url.host, service.base_url.port or 0), 10) as raw:
        raw.sendall(
            b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(cheque)
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 100 ")
        reader.gate.clear()
        reader.calls.clear()
        with ThreadPoolExecutor(1) as caller:
            waiting = caller.submit(service.post, "/v1/readings", files={"image": cheque})
            try:
                _wait_for(lambda: len(reader.calls) == 1)
                raw.sendall(cheque)
                assert raw.recv(4096).startswith(b"HTTP/1.1 429 ")
            finally:
                reader.gate.set()
            assert waiting.result().status_code == 200


def test_a_reading_that_takes_too_long_is_given_up(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, readers=1, max_waiting=1, request_seconds=0.1)
    reader.gate.clear()
    try:
        for _ in range(2):  # one at a reader, one in the line
            answer = service.post("/v1/readings", files={"image": cheque})
            assert answer.status_code == 503
            assert answer.json()["code"] == "reading_timeout"
            assert answer.json()["detail"] == "The reading was not done within 0.1 seconds."
            assert answer.headers["retry-after"] == "1"
        # Who is given up leaves the line; the thread at work is taken until it is done.
        assert _seen(service, "cheque_readings_waiting", 0)
        assert _seen(service, "cheque_readers_busy", 1)
    finally:
        reader.gate.set()
    _wait_for(lambda: _seen(service, "cheque_readers_busy", 0))


def test_answers_that_nobody_takes_are_given_up(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "UNWRITTEN_SECONDS", 0.2)
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n" * 20
    sent = 0
    with socket.socket() as raw:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(20)
        raw.connect((client.base_url.host, client.base_url.port or 0))
        with contextlib.suppress(ConnectionError):
            while sent < 1 << 26:
                raw.sendall(request)
                sent += len(request)
    assert sent < 1 << 26
    assert client.get("/livez").status_code == 200


def test_where_keys_can_not_be_checked_nobody_is_let_in(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise KeysAwayError("keys can't be read: OperationalError")

    service = start(reader, auth="key")
    monkeypatch.setattr(SqliteKeys, "find", away)
    answer = service.post("/v1/readings", headers={"X-API-Key": "chq_x"}, files={"image": cheque})
    assert (answer.status_code, answer.json()["code"]) == (503, "keys_away")
    assert int(answer.headers["retry-after"]) >= 1
    assert service.get("/livez").status_code == 200
