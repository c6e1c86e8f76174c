"""What goes into the audit log, and that nothing is answered without it."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends

from service.access.keys import Key, SqliteKeys
from service.api import create_app
from service.api.auth import caller
from service.api.problems import RefusalError
from service.audit import AuditLog, verify
from service.errors import AuditError
from service.settings import Settings


def _records(folder: Path) -> list[dict[str, Any]]:
    assert verify(folder / "audit.jsonl").fault is None
    return [json.loads(line) for line in (folder / "audit.jsonl").read_text().splitlines()]


def test_requests_are_audited_without_what_is_of_the_cheque(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    key, secret = SqliteKeys(tmp_path / "keys.sqlite3").add("till", ["read"])
    service = start(reader, auth="key", data_dir=tmp_path)
    headers = {"Authorization": f"Bearer {secret}"}

    def post(image: bytes, **parameters: str) -> httpx.Response:
        return service.post(
            "/v1/readings", params=parameters, headers=headers, files={"image": image}
        )

    accepted = post(cheque, reference="acct-4711")
    reader.reading = replace(reader.reading, decision="reject", reject_reason="low_confidence")
    post(cheque)
    post(b"no image")
    post(cheque, currency="acct-4711")
    service.get("/v1/readings", headers=headers)
    service.get("/metrics", headers=headers)
    started, first, second, third, fourth = _records(tmp_path)
    assert started["event"] == "service.started"
    assert {name: first[name] for name in first if name not in ("time", "prev", "seq")} == {
        "event": "request",
        "key_id": key.id,
        "key": "till",
        "client": "127.0.0.1",
        "request_id": accepted.headers["x-request-id"],
        "method": "POST",
        "route": "/v1/readings",
        "status": 200,
        "decision": "accept",
        "model_version": "stand-in/1",
        "image_sha256": sha256(cheque).hexdigest(),
    }
    assert (second["decision"], second["reject_reason"]) == ("reject", "low_confidence")
    assert (third["status"], third["code"]) == (415, "unsupported_type")
    assert third["image_sha256"] == sha256(b"no image").hexdigest()
    assert (fourth["status"], fourth["code"]) == (422, "invalid_parameter")
    text = (tmp_path / "audit.jsonl").read_text()
    for sensitive in ("acct-4711", "123456", "1,234.56", secret, secret.split("_", 2)[2]):
        assert sensitive not in text


def test_strangers_and_floods_do_not_fill_the_log(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    _, secret = SqliteKeys(tmp_path / "keys.sqlite3").add("till", ["batch"])
    service = start(reader, auth="key", data_dir=tmp_path, rate=0.01, rate_burst=1)
    service.post("/v1/readings", files={"image": cheque})
    service.post("/v1/readings", headers={"X-API-Key": "x"}, files={"image": cheque})
    service.post("/v1/readings", headers={"X-API-Key": secret}, files={"image": cheque})
    forbidden = _records(tmp_path)[1:]
    assert [(record["status"], record["code"]) for record in forbidden] == [(403, "forbidden")]


def test_nothing_is_answered_that_is_not_audited(
    start: Callable[..., httpx.Client],
    reader: Any,
    cheque: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    service = start(reader, data_dir=tmp_path)
    with monkeypatch.context() as patch:

        def full(*_: object) -> str:
            raise AuditError("the audit log can't be written: No space left on device")

        patch.setattr(AuditLog, "append", full)
        for image in (cheque, b"no image"):
            answer = service.post("/v1/readings", files={"image": image})
            assert answer.status_code == 507
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["x-frame-options"] == "DENY"
            problem = answer.json()
            assert problem["code"] == "unrecorded"
            assert problem["request_id"] == answer.headers["x-request-id"]
            assert "amount_minor" not in answer.text
        assert service.get("/readyz").status_code == 200
    assert service.post("/v1/readings", files={"image": cheque}).status_code == 200
    assert [record["event"] for record in _records(tmp_path)] == ["service.started", "request"]
    assert _records(tmp_path)[1]["key"] == "anybody"


def test_bugs_and_callers_who_left_are_audited(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes, tmp_path: Path
) -> None:
    service = start(reader, data_dir=tmp_path)
    reader.failure = ValueError("what it says")
    assert service.post("/v1/readings", files={"image": cheque}).status_code == 500
    reader.failure = None
    reader.gate.clear()
    reader.calls.clear()
    with ThreadPoolExecutor(1) as caller:
        left = caller.submit(
            service.post, "/v1/readings", files={"image": cheque}, timeout=httpx.Timeout(5, read=1)
        )
        assert isinstance(left.exception(), httpx.ReadTimeout)
    try:
        while (records := _records(tmp_path))[-1].get("status") != 499:
            assert len(records) <= 3
    finally:
        reader.gate.set()
    assert [record.get("status") for record in records] == [None, 500, 499]
    assert records[-1]["image_sha256"] == sha256(cheque).hexdigest()


def test_start_and_stop_are_audited(reader: Any, tmp_path: Path) -> None:
    app = create_app(Settings(auth="off", data_dir=tmp_path), reader)

    async def live() -> None:
        async with app.router.lifespan_context(app):
            pass

    asyncio.run(live())
    assert [record["event"] for record in _records(tmp_path)] == [
        "service.started",
        "service.stopped",
    ]


def test_a_full_disk_does_not_keep_the_service_down(
    reader: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(Settings(auth="off", data_dir=tmp_path), reader)

    def full(*_: object) -> str:
        raise AuditError("the audit log can't be written: No space left on device")

    async def live() -> None:
        async with app.router.lifespan_context(app):
            pass

    monkeypatch.setattr(AuditLog, "append", full)
    asyncio.run(live())
    assert "service.started was not audited: the audit log can't be written" in caplog.text
    assert "service.stopped was not audited" in caplog.text


def test_routes_with_an_id_are_audited_with_it_where_it_is_the_services_own(
    reader: Any, tmp_path: Path
) -> None:
    keys = SqliteKeys(tmp_path / "keys.sqlite3")
    _, batch = keys.add("desk", ["batch"])
    _, read = keys.add("till", ["read"])
    app = create_app(Settings(data_dir=tmp_path), reader)

    @app.get("/v1/things/{id}")
    async def thing(id: str, key: Annotated[Key, Depends(caller("batch"))]) -> str:
        if id != "known":
            raise RefusalError("not_found", "There is none.")
        return key.name

    async def ask() -> list[tuple[int, Any]]:
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(
                transport=httpx.ASGITransport(app), base_url="http://service"
            ) as client,
        ):
            answers = [
                await client.get(f"/v1/things/{id}", headers={"X-API-Key": secret})
                for id, secret in (("known", batch), ("acct-4711", batch), ("known", read))
            ]
        return [(answer.status_code, answer.json()) for answer in answers]

    (first, name), (second, _), (third, _) = asyncio.run(ask())
    assert (first, name, second, third) == (200, "desk", 404, 403)
    assert [
        (record["key"], record["route"], record["status"], record.get("batch"))
        for record in _records(tmp_path)
        if record["event"] == "request"
    ] == [
        ("desk", "/v1/things/{id}", 200, "known"),
        ("desk", "/v1/things/{id}", 404, None),
        ("till", "/v1/things/{id}", 403, None),
    ]
