"""Every failure is a problem document, whatever part of the service it comes from."""

import logging
import socket
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from service.api import problems
from service.errors import InputError, ModelError


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/", 404, "not_found"),
        ("GET", "/v1/nothing", 404, "not_found"),
        ("GET", "/docs", 404, "not_found"),
        ("GET", "/v1/readings", 405, "method_not_allowed"),
        ("DELETE", "/livez", 405, "method_not_allowed"),
        ("BREW", "/livez", 405, "method_not_allowed"),
    ],
)
def test_addresses_and_methods(
    client: httpx.Client, method: str, path: str, status: int, code: str
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert problem["code"] == code
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert ("allow" in answer.headers) == (status == 405)


def test_what_is_not_http(client: httpx.Client) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), 5) as raw:
        raw.sendall(b"\x16\x03\x01 this is not HTTP\r\n\r\n")
        answer = b""
        while piece := raw.recv(4096):
            answer += piece
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"content-type: application/problem+json" in answer
    assert b'"code": "malformed_request"' in answer


def test_a_bug_is_a_problem_that_says_nothing_of_the_cheque(
    start: Callable[..., httpx.Client],
    reader: Any,
    cheque: bytes,
    caplog: pytest.LogCaptureFixture,
) -> None:
    service = start(reader)
    reader.failure = ValueError("can't make sense of $98,765.43")
    with caplog.at_level(logging.INFO):
        answer = service.post("/v1/readings", files={"image": cheque})
    assert answer.status_code == 500
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "internal_error"
    assert "98,765" not in answer.text + caplog.text
    assert "ValueError" in caplog.text
    assert answer.json()["request_id"] in caplog.text
    reader.failure = None
    assert service.post("/v1/readings", files={"image": cheque}).status_code == 200


def test_errors_of_the_service_are_not_the_callers(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader)
    reader.failure = ModelError("the model went away")
    assert service.post("/v1/readings", files={"image": cheque}).status_code == 500
    reader.failure = InputError("a_new_code", "what it is")
    answer = service.post("/v1/readings", files={"image": cheque})
    assert (answer.status_code, answer.json()["code"]) == (422, "a_new_code")


def test_request_ids_are_kept_where_they_are_harmless(client: httpx.Client) -> None:
    assert client.get("/livez", headers={"X-Request-ID": "a-1.b_2"}).headers["x-request-id"] == (
        "a-1.b_2"
    )
    for odd in ("", "a b", "x" * 65, "<script>"):
        given = client.get("/livez", headers={"X-Request-ID": odd}).headers["x-request-id"]
        assert given != odd
        assert len(given) == 32


def test_every_kind_has_a_status_and_a_title() -> None:
    for code, (status, title) in problems.KINDS.items():
        document = problems.document(code, "because")
        assert 400 <= status < 600
        assert document["type"].endswith(code)
        assert document["title"] == title
