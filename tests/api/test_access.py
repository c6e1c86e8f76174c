"""Keys over HTTP: who gets in, with which scope, how often; headers; metrics."""

import json
import logging
import re
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.access.keys import SqliteKeys
from service.api.auth import CHALLENGE
from service.logs import JsonFormatter

KEY = "0123456789abcdef-key"


@pytest.fixture
def keys(tmp_path: Path) -> SqliteKeys:
    """The keys of a service that is started with data_dir=tmp_path."""
    return SqliteKeys(tmp_path / "keys.sqlite3")


def _bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_no_key_and_wrong_keys_are_refused(
    start: Callable[..., httpx.Client],
    reader: Any,
    cheque: bytes,
    keys: SqliteKeys,
    tmp_path: Path,
) -> None:
    _, secret = keys.add("till", ["read"])
    service = start(reader, auth="key", data_dir=tmp_path)
    reader.calls.clear()
    wrong: list[tuple[dict[str, str], str]] = [
        ({}, CHALLENGE),
        ({"Authorization": f"Basic {secret}"}, CHALLENGE),
        ({"Authorization": "Bearer"}, CHALLENGE),
        ({"X-API-Key": ""}, CHALLENGE),
        (_bearer(f"{secret}x"), f'{CHALLENGE}, error="invalid_token"'),
        (_bearer(KEY), f'{CHALLENGE}, error="invalid_token"'),
        ({"X-API-Key": "x"}, f'{CHALLENGE}, error="invalid_token"'),
        ({**_bearer("x"), "X-API-Key": secret}, f'{CHALLENGE}, error="invalid_token"'),
    ]
    for headers, challenge in wrong:
        answer = service.post(
            "/v1/readings", params={"nonsense": "1"}, headers=headers, files={"image": cheque}
        )
        assert answer.status_code == 401, headers
        assert answer.headers["www-authenticate"] == challenge
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "unauthorized"
        assert secret not in answer.text
    assert not reader.calls
    for headers in (_bearer(secret), {"X-API-Key": secret}):
        assert service.post("/v1/readings", headers=headers, files={"image": cheque}).is_success
    keys.revoke("till")
    answer = service.post("/v1/readings", headers=_bearer(secret), files={"image": cheque})
    assert answer.status_code == 401
    for path in ("/livez", "/readyz", "/openapi.json"):
        assert service.get(path).status_code == 200


def test_scopes_say_what_a_key_is_good_for(
    start: Callable[..., httpx.Client],
    reader: Any,
    cheque: bytes,
    keys: SqliteKeys,
    tmp_path: Path,
) -> None:
    service = start(reader, auth="key", data_dir=tmp_path)
    allowed = {
        "read": (200, 403),
        "batch": (403, 403),
        "metrics": (403, 200),
        "admin": (200, 200),
    }
    for scope, (reading, metrics) in allowed.items():
        headers = _bearer(keys.add(f"a-{scope}", [scope])[1])
        read = service.post("/v1/readings", headers=headers, files={"image": cheque})
        seen = service.get("/metrics", headers=headers)
        assert (read.status_code, seen.status_code) == (reading, metrics), scope
        if reading == 403:
            assert read.json()["code"] == "forbidden"
            assert read.json()["detail"] == "The key lacks the scope read."
            challenge = f'{CHALLENGE}, error="insufficient_scope", scope="read"'
            assert read.headers["www-authenticate"] == challenge
    assert service.get("/metrics").status_code == 401


def test_a_key_from_the_environment_is_an_admin(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    service = start(reader, auth="key", api_key=KEY, data_dir=tmp_path)
    answer = service.post("/v1/readings", headers=_bearer(KEY), files={"image": cheque})
    assert answer.status_code == 200
    assert service.get("/metrics", headers={"X-API-Key": KEY}).status_code == 200


def test_each_key_has_a_rate_of_its_own(
    start: Callable[..., httpx.Client],
    reader: Any,
    cheque: bytes,
    keys: SqliteKeys,
    tmp_path: Path,
) -> None:
    eager, patient = keys.add("eager", ["read"])[1], keys.add("patient", ["read"])[1]
    settings = {"auth": "key", "data_dir": tmp_path, "rate": 0.01, "rate_burst": 3}
    # Two services that share a folder share its limits.
    services = [start(reader, **settings) for _ in range(2)]
    answers = [
        services[number % 2].post("/v1/readings", headers=_bearer(eager), files={"image": cheque})
        for number in range(5)
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
    assert answers[3].json()["code"] == "rate_limited"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 100
    other = services[0].post("/v1/readings", headers=_bearer(patient), files={"image": cheque})
    assert other.status_code == 200
    assert services[0].get("/livez", headers=_bearer(eager)).status_code == 200


def test_what_is_logged_names_the_key_and_never_shows_it(
    start: Callable[..., httpx.Client],
    reader: Any,
    cheque: bytes,
    keys: SqliteKeys,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    _, secret = keys.add("till-7", ["read"])
    service = start(reader, auth="key", data_dir=tmp_path)
    with caplog.at_level(logging.DEBUG):
        answer = service.post(
            "/v1/readings",
            params={"reference": "acct-4711"},
            headers=_bearer(secret),
            files={"image": cheque},
        )
        bad = service.post("/v1/readings", headers=_bearer(secret), files={"image": b"?"})
        service.post("/v1/readings", headers=_bearer("chq_unknown_secret"), content=b"?")
    lines = [
        json.loads(JsonFormatter().format(record))
        for record in caplog.records
        if record.name.startswith(("service", "uvicorn", "asyncio"))
    ]
    # A line is written when its answer has been sent: the third may not be there yet.
    done = {line["message"].rpartition(" ")[2]: line for line in lines}
    good_line, bad_line = (done[a.headers["x-request-id"]] for a in (answer, bad))
    assert (good_line["key"], good_line["status"], good_line["route"]) == (
        "till-7",
        200,
        "/v1/readings",
    )
    assert "code" not in good_line
    assert (bad_line["key"], bad_line["code"]) == ("till-7", "unsupported_type")
    everything = json.dumps(lines)
    for sensitive in (secret, secret.split("_", 2)[2], "chq_unknown", "acct-4711", "1,234.56"):
        assert sensitive not in everything


def _headers_of_what_is_not_http(client: httpx.Client) -> httpx.Headers:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0), 5) as raw:
        raw.sendall(b"no HTTP\r\n\r\n")
        answer = b"".join(iter(lambda: raw.recv(4096), b""))
    status, *lines = answer.split(b"\r\n\r\n")[0].split(b"\r\n")
    assert status == b"HTTP/1.1 400 Bad Request"
    return httpx.Headers([(name, value) for name, _, value in (x.partition(b": ") for x in lines)])


def test_every_answer_has_the_security_headers(client: httpx.Client) -> None:
    answers = [
        client.get("/livez"),
        client.get("/nothing"),
        client.post("/v1/readings", content=b"?"),
        client.get("/metrics"),
    ]
    assert [answer.status_code for answer in answers] == [200, 404, 415, 200]
    for headers in [*(answer.headers for answer in answers), _headers_of_what_is_not_http(client)]:
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["cross-origin-resource-policy"] == "same-origin"
        policy = "default-src 'none'; frame-ancestors 'none'"
        assert headers["content-security-policy"] == policy
        assert "strict-transport-security" not in headers
        assert "server" not in headers


def test_metrics_have_a_port_of_their_own(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    service = start(reader, auth="key", api_key=KEY, data_dir=tmp_path, metrics_port=0)
    answer = service.get("/metrics", headers=_bearer(KEY))
    assert answer.status_code == 404
    assert answer.json()["detail"] == "Metrics are served on a port of their own."
    own = f"http://127.0.0.1:{service.headers['x-operations-port']}"
    with httpx.Client(base_url=own, trust_env=False) as operations:
        metrics = operations.get("/metrics")
        assert metrics.status_code == 200
        assert re.search(r"^cheque_ready 1\.0$", metrics.text, re.MULTILINE)
        assert operations.get("/livez").status_code == 200
        assert operations.get("/readyz").status_code == 200
        for path in ("/", "/openapi.json", "/v1/readings", "/metrics/", "/v1/nothing"):
            assert operations.get(path, headers=_bearer(KEY)).status_code == 404, path
        posted = operations.post("/v1/readings", headers=_bearer(KEY), files={"image": cheque})
        assert posted.status_code == 404


def test_openapi_tells_how_to_send_the_key(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert {scheme["type"] for scheme in schemes.values()} == {"http", "apiKey"}
    wanted = document["paths"]["/v1/readings"]["post"]["security"]
    assert sorted(next(iter(one)) for one in wanted) == sorted(schemes)
