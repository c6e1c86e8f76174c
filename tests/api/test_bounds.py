"""What a slow, hostile or impatient client can hold of the service is bounded."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from service.api import create_app, server
from service.settings import Settings
from service.sockets import listen

_IN_CHUNKS = (
    b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    b"Transfer-Encoding: chunked\r\n\r\n"
)


@contextlib.contextmanager
def _connected(client: httpx.Client) -> Iterator[socket.socket]:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), 10) as raw:
        yield raw


def _until_closed(raw: socket.socket) -> bytes:
    answer = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := raw.recv(65536):
            answer += piece
    return answer


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def test_a_full_service_says_so_at_once_and_recovers(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, readers=1, max_in_flight=2)
    reader.gate.clear()
    reader.calls.clear()

    def post() -> httpx.Response:
        return service.post("/v1/readings", files={"image": cheque})

    with ThreadPoolExecutor(2) as callers:
        waiting = [callers.submit(post) for _ in range(2)]
        try:
            _wait_for(lambda: "in_flight 2.0" in service.get("/metrics").text)
            started = time.monotonic()
            refused = post()
            assert time.monotonic() - started < 2
            assert refused.status_code == 429
            assert refused.json()["code"] == "overloaded"
            assert int(refused.headers["retry-after"]) >= 1
            assert service.get("/livez").status_code == 200
            assert len(reader.calls) == 1
        finally:
            reader.gate.set()
        assert [w.result().status_code for w in waiting] == [200, 200]
    assert post().status_code == 200


def test_the_event_loop_is_free_while_cheques_are_read(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, readers=1)
    reader.gate.clear()
    with ThreadPoolExecutor(1) as caller:
        waiting = caller.submit(service.post, "/v1/readings", files={"image": cheque})
        try:
            _wait_for(lambda: "cheque_readers_busy 1.0" in service.get("/metrics").text)
            started = time.monotonic()
            assert service.get("/readyz").status_code == 200
            assert time.monotonic() - started < 1
        finally:
            reader.gate.set()
        assert waiting.result().status_code == 200


def test_who_leaves_the_line_is_not_read(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader, readers=1, max_in_flight=4)
    reader.gate.clear()
    reader.calls.clear()
    head = b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
    request = head + b"Content-Length: %d\r\n\r\n" % len(cheque) + cheque
    with contextlib.ExitStack() as stack:
        first, second = (stack.enter_context(_connected(service)) for _ in range(2))
        first.sendall(request)
        _wait_for(lambda: len(reader.calls) == 1)
        second.sendall(request)
        _wait_for(lambda: "in_flight 2.0" in service.get("/metrics").text)
        second.close()
        _wait_for(lambda: "in_flight 1.0" in service.get("/metrics").text)
        reader.gate.set()
        assert first.recv(4096).startswith(b"HTTP/1.1 200")
    assert service.post("/v1/readings", files={"image": cheque}).status_code == 200
    assert len(reader.calls) == 2


def test_a_body_that_trickles_is_cut_off(start: Callable[..., httpx.Client], reader: Any) -> None:
    service = start(reader, body_seconds=0.2)
    with _connected(service) as raw:
        raw.sendall(
            b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            b"Content-Length: 100000\r\n\r\n\x89PNG"
        )
        answer = _until_closed(raw)
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"code":"body_timeout"' in answer


@pytest.mark.parametrize("sent", [b"", b"GET /livez HTTP/1.1\r\nHost:"])
def test_a_head_that_trickles_is_cut_off(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.1)
    with _connected(client) as raw:
        raw.sendall(sent)
        assert _until_closed(raw) == b""


def test_an_endless_body_is_answered_and_then_cut_off(client: httpx.Client) -> None:
    piece = b"%x\r\n%s\r\n" % (1 << 16, bytes(1 << 16))
    sent = 0
    with _connected(client) as raw:
        raw.sendall(
            b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )
        with contextlib.suppress(ConnectionError):
            while sent < 1 << 28:
                raw.sendall(piece)
                sent += len(piece)
    assert sent < 96 * 1024 * 1024
    assert client.get("/livez").status_code == 200


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /livez?",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: ",
        _IN_CHUNKS + b"4;",
        _IN_CHUNKS + b"4\r\n\x89PNG\r\n0\r\nX-Long: ",
    ],
)
def test_an_endless_head_is_cut_off(client: httpx.Client, begun: bytes) -> None:
    sent = 0
    with _connected(client) as raw:
        raw.sendall(begun)
        with contextlib.suppress(ConnectionError):
            while sent < 1 << 26:
                raw.sendall(b"a" * (1 << 16))
                sent += 1 << 16
    assert sent < 1 << 24
    assert client.get("/livez").status_code == 200


def test_an_announced_giant_is_refused_before_it_is_sent(client: httpx.Client) -> None:
    with _connected(client) as raw:
        raw.sendall(
            b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            b"Content-Length: 10000000000\r\nExpect: 100-continue\r\n\r\n"
        )
        assert raw.recv(4096).startswith(b"HTTP/1.1 413 ")


def test_connections_are_bounded(client: httpx.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 8)
    with contextlib.ExitStack() as stack:
        idle = [stack.enter_context(_connected(client)) for _ in range(12)]
        assert _until_closed(idle[-1]) == b""
        monkeypatch.undo()
    assert client.get("/livez").status_code == 200


def test_requests_in_flight_finish_when_the_service_stops(reader: Any, cheque: bytes) -> None:
    settings = Settings(readers=1, auth="off")
    sock = listen("127.0.0.1", 0)
    url = f"http://127.0.0.1:{sock.getsockname()[1]}"
    running = server.make_server(create_app(settings, reader), settings)
    with ThreadPoolExecutor(2) as threads, httpx.Client(base_url=url, trust_env=False) as service:
        stopped = threads.submit(running.run, sockets=[sock])
        try:
            _wait_for(lambda: service.get("/readyz").status_code == 200)
            reader.gate.clear()
            reader.calls.clear()
            waiting = threads.submit(service.post, "/v1/readings", files={"image": cheque})
            _wait_for(lambda: len(reader.calls) == 1)
            running.should_exit = True
            time.sleep(0.3)
            assert not stopped.done()
        finally:
            running.should_exit = True
            reader.gate.set()
        assert waiting.result(10).status_code == 200
        stopped.result(10)


def test_many_callers_at_once_get_their_own_answers(client: httpx.Client, cheque: bytes) -> None:
    async def post_all() -> list[httpx.Response]:
        async with httpx.AsyncClient(base_url=client.base_url, trust_env=False) as caller:
            return await asyncio.gather(
                *(
                    caller.post(
                        "/v1/readings", params={"reference": f"r{i}"}, files={"image": cheque}
                    )
                    for i in range(20)
                )
            )

    answers = asyncio.run(post_all())
    assert [answer.json()["reference"] for answer in answers] == [f"r{i}" for i in range(20)]
