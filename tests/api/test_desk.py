"""The review desk over HTTP."""

import hashlib
import hmac
import json
import sys
import threading
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "desk"))
from desk_reader import UnsureReader

from service.access.keys import SqliteKeys
from service.desk.members import Members
from service.jobs.store import Store
from service.jobs.tables import open_database, sqlite_url
from service.pipeline.evidence import digest
from service.pipeline.reader import ChequeReader
from service.settings import Settings

PASSWORD = "correct horse battery"
SECRET = "a secret of 24 characters"
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "us-personal-04.tif"


@contextmanager
def _members(tmp_path: Path) -> Iterator[Members]:
    store = Store(open_database(sqlite_url(tmp_path / "data")))
    yield Members(store, hours=1, idle=60)
    store.engine.dispose()


def _clerk(tmp_path: Path, name: str = "anna", *queues: str, lead: bool = False) -> None:
    with _members(tmp_path) as members:
        members.add(name, PASSWORD, queues or ["default"], lead=lead)


def _submit(service: httpx.Client, cheque: bytes, *numbers: int, **given: Any) -> str:
    parts: list[Any] = []
    for number in numbers:
        parts += [("reference", (None, str(number))), ("image", (f"{number}.png", cheque))]
    answer = service.post("/v1/batches", params=given, files=parts)
    assert answer.status_code == 202, answer.text
    location = str(answer.headers["location"])
    deadline = time.monotonic() + 60
    while service.get(location).json()["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return location


def _take(service: httpx.Client, **said: Any) -> list[dict[str, Any]]:
    answer = service.post("/v1/desk/items/take", json=said)
    assert answer.status_code == 200, answer.text
    return list(answer.json()["items"])


def _decide(service: httpx.Client, item: dict[str, Any], **said: Any) -> httpx.Response:
    path = f"/v1/desk/items/{item['batch']}/{item['number']}/decision"
    return service.post(path, json={"lease": item["lease"], **said})


def test_rejected_items_go_to_the_desk_and_come_back_decided(
    start: Callable[..., httpx.Client], cheque: bytes
) -> None:
    service = start(UnsureReader(accept=True), batch_readers=1, desk_audit_share=0)
    location = _submit(service, cheque, 1, 2, 3)
    assert service.get(location).json()["desk"] == {"waiting": 2, "decided": 0}
    first, second = _take(service, most=5)
    assert [one["amount_minor"] for one in first["guesses"]] == [100, 900100]
    assert first["reference"] == "1"
    # Nothing tells how sure the reader was: clerks are to look, and audits are unannounced.
    assert not {"confidence", "reject_reason", "decision"} & first.keys()
    assert not {"confidence"} & first["guesses"][0].keys()
    image = service.get(f"/v1/desk/items/{first['batch']}/0/image")
    assert image.headers["content-type"] == "image/jpeg"
    assert image.headers["x-original-size"] == "900x400"
    keyed = _decide(service, first, kind="amount", amount_minor=777, currency="USD")
    assert keyed.json()["decision"]["amount_minor"] == 777
    assert _decide(service, second, kind="words_differ").status_code == 200
    assert service.get(location).json()["desk"] == {"waiting": 0, "decided": 2}
    lines = [
        json.loads(line) for line in service.get(f"{location}/results.jsonl").text.split("\n")[:3]
    ]
    assert [line["state"] for line in lines] == ["rejected", "accepted", "rejected"]
    assert lines[0]["reading"]["amount_minor"] == 100
    assert lines[0]["decision"]["amount_minor"] == 777
    assert lines[0]["decision"]["clerks"] == ["anybody"]
    assert lines[1]["decision"] is None
    assert service.get(f"{location}/items/0").json() == lines[0]
    table = service.get(f"{location}/results.csv").text.splitlines()
    assert table[0].endswith("desk_decision,desk_amount_minor,desk_currency")
    assert table[1].endswith("amount,777,USD")
    assert table[3].endswith("words_differ,,")


def test_what_stays_away_from_the_desk(start: Callable[..., httpx.Client], cheque: bytes) -> None:
    service = start(UnsureReader(), batch_readers=1)
    location = _submit(service, cheque, 1, desk="false")
    assert service.get(location).json()["desk"] is None
    assert _take(service) == []
    assert service.post("/v1/readings", files={"image": cheque}).json()["desk_item"] is None
    wrong = service.post("/v1/batches", params={"queue": "No Queue"}, files={"image": cheque})
    assert wrong.json()["code"] == "invalid_parameter"


def test_a_single_reading_asks_for_the_desk(
    start: Callable[..., httpx.Client], cheque: bytes
) -> None:
    service = start(UnsureReader(), batch_readers=1)
    answer = service.post(
        "/v1/readings",
        params={"desk": "true", "queue": "till", "reference": "5"},
        files={"image": cheque},
    ).json()
    path = f"/v1/readings/{answer['desk_item']}"
    assert answer["evidence"] is None
    seen = service.get(path).json()
    assert seen["decision"] is None
    assert seen["reading"]["amount_minor"] == answer["amount_minor"] == 500
    (item,) = _take(service, queue="till")
    assert _decide(service, item, kind="amount", amount_minor=501).status_code == 200
    assert service.get(path).json()["decision"]["amount_minor"] == 501
    assert service.get("/v1/readings/nothing").status_code == 404


def test_accepted_single_readings_stay_away_but_for_audits(
    start: Callable[..., httpx.Client], cheque: bytes
) -> None:
    service = start(UnsureReader(accept=True), desk_audit_share=0)
    parameters = {"desk": "true", "reference": "2"}
    answer = service.post("/v1/readings", params=parameters, files={"image": cheque})
    assert answer.json()["desk_item"] is None


def test_a_service_without_a_desk(start: Callable[..., httpx.Client], cheque: bytes) -> None:
    service = start(UnsureReader(), desk="off", batch_readers=1)
    assert service.get("/desk").status_code == 404
    assert service.post("/v1/desk/items/take", json={}).status_code == 404
    asked = service.post("/v1/readings", params={"desk": "true"}, files={"image": cheque})
    assert asked.json()["code"] == "invalid_parameter"
    location = _submit(service, cheque, 1)
    assert service.get(location).json()["desk"] is None


def test_the_wrong_key_is_refused(
    start: Callable[..., httpx.Client], tmp_path: Path, cheque: bytes
) -> None:
    service = start(UnsureReader(), auth="key", batch_readers=1)
    keys = SqliteKeys(tmp_path / "data" / "keys.sqlite3")
    _, batches = keys.add("bulk", ["batch"])
    desk, secret = keys.add("review", ["desk"])
    service.headers["Authorization"] = f"Bearer {batches}"
    _submit(service, cheque, 1, queue="large")
    _submit(service, cheque, 2, queue="small")
    assert service.post("/v1/desk/items/take", json={}).json()["code"] == "forbidden"
    service.headers["Authorization"] = "Bearer chq_00000000_wrong"
    assert service.post("/v1/desk/items/take", json={}).json()["code"] == "unauthorized"
    del service.headers["Authorization"]
    assert service.post("/v1/desk/items/take", json={}).status_code == 401
    assert service.get("/v1/desk/stats").status_code == 401
    service.headers["Authorization"] = f"Bearer {secret}"
    assert _take(service, most=5) == []
    with _members(tmp_path) as members:
        members.set_queues(f"key:{desk.id}", ["small"])
    (item,) = _take(service, most=5)
    assert item["queue"] == "small"
    assert service.get("/v1/desk/queues").json() == [{"name": "small", "waiting": 1}]
    assert service.get("/v1/desk/stats").status_code == 403
    assert service.get("/v1/batches/any").status_code == 403


def test_clerks_sign_in_and_their_requests_carry_a_token(
    start: Callable[..., httpx.Client], tmp_path: Path, cheque: bytes
) -> None:
    service = start(UnsureReader(), auth="key", api_key="k" * 20, batch_readers=1)
    _clerk(tmp_path)
    with httpx.Client(base_url=service.base_url, headers={"X-API-Key": "k" * 20}) as admin:
        _submit(admin, cheque, 1)
    assert service.get("/v1/desk/session").status_code == 401
    answer = service.post("/v1/desk/session", json={"name": "anna", "password": PASSWORD})
    assert answer.status_code == 200
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    token = answer.json()["csrf"]
    assert service.post("/v1/desk/items/take", json={}).json()["code"] == "forbidden"
    wrong = {"X-CSRF-Token": "x" * 43}
    assert service.post("/v1/desk/items/take", json={}, headers=wrong).status_code == 403
    service.headers["X-CSRF-Token"] = token
    assert len(_take(service)) == 1
    assert service.get("/v1/desk/stats").status_code == 403
    assert service.get("/v1/batches/any").status_code == 401
    assert service.delete("/v1/desk/session").status_code == 204
    assert service.post("/v1/desk/items/take", json={}).status_code == 401
    with _members(tmp_path) as members:
        members.remove("anna")
    again = service.post("/v1/desk/session", json={"name": "anna", "password": PASSWORD})
    assert again.status_code == 401


def test_guessing_passwords_locks_the_name(
    start: Callable[..., httpx.Client], tmp_path: Path
) -> None:
    service = start(UnsureReader())
    _clerk(tmp_path)
    for _ in range(5):
        wrong = service.post("/v1/desk/session", json={"name": "anna", "password": "guess"})
        assert wrong.status_code == 401
    right = service.post("/v1/desk/session", json={"name": "anna", "password": PASSWORD})
    assert right.status_code == 401
    assert right.json()["detail"] == wrong.json()["detail"]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b'{"name": "a"}', "application/json", 422),
        (b"{", "application/json", 422),
        (b'{"name": "a", "password": "b", "more": 1}', "application/json", 422),
        (b"name=a", "application/x-www-form-urlencoded", 415),
        (b'"' + b"x" * 20_000 + b'"', "application/json", 413),
    ],
)
def test_malformed_documents(client: httpx.Client, body: bytes, kind: str, status: int) -> None:
    answer = client.post("/v1/desk/session", content=body, headers={"Content-Type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("number", [-1, 2**31, 10**24])
def test_numbers_that_no_item_has(client: httpx.Client, number: int) -> None:
    skipped = client.post(f"/v1/desk/items/a/{number}/skip", json={"lease": "b"})
    decided = client.post(
        f"/v1/desk/items/a/{number}/decision", json={"lease": "b", "kind": "illegible"}
    )
    seen = client.get(f"/v1/desk/items/a/{number}/image")
    for answer in (skipped, decided, seen):
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


@pytest.mark.parametrize(
    ("route", "document"),
    [
        ("items/\0/0/skip", {"lease": "a"}),
        ("items/take", {"queue": "\0"}),
        ("leases", {"leases": ["\0"]}),
        ("leases/release", {"leases": ["\0"]}),
        ("undo", {"keying": "\0"}),
        ("session", {"name": "\0", "password": "b"}),
    ],
)
def test_texts_that_no_database_keeps(
    client: httpx.Client, route: str, document: dict[str, Any]
) -> None:
    answer = client.post("/v1/desk/" + route.replace("\0", "%00"), json=document)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_parameter")


def test_leases_over_http(start: Callable[..., httpx.Client], cheque: bytes) -> None:
    service = start(UnsureReader(), batch_readers=1)
    _submit(service, cheque, 1, 2)
    first, second = _take(service, most=2)
    leases = {"leases": [first["lease"], "0" * 32]}
    assert service.post("/v1/desk/leases", json=leases).json() == {"leases": [first["lease"]]}
    given = {"leases": [second["lease"]]}
    assert service.post("/v1/desk/leases/release", json=given).status_code == 204
    lost = _decide(service, second, kind="illegible")
    assert (lost.status_code, lost.json()["code"]) == (409, "lease_lost")
    skipped = service.post(
        f"/v1/desk/items/{first['batch']}/0/skip", json={"lease": first["lease"]}
    )
    assert skipped.status_code == 204, skipped.text
    assert [one["number"] for one in _take(service, most=2)] == [1, 0]
    missing = _decide(service, first, kind="amount")
    assert (missing.status_code, missing.json()["code"]) == (422, "invalid_parameter")


def test_undo_over_http(start: Callable[..., httpx.Client], cheque: bytes) -> None:
    service = start(UnsureReader(), batch_readers=1)
    location = _submit(service, cheque, 1)
    (item,) = _take(service)
    keying = _decide(service, item, kind="not_a_cheque").json()["keying"]
    again = service.post("/v1/desk/undo", json={"keying": keying}).json()
    assert (again["batch"], again["number"]) == (item["batch"], 0)
    assert again["lease"] != item["lease"]
    assert service.get(location).json()["desk"] == {"waiting": 1, "decided": 0}


def test_decisions_are_in_the_audit_log_without_amounts(
    start: Callable[..., httpx.Client], tmp_path: Path, cheque: bytes
) -> None:
    service = start(UnsureReader(), batch_readers=1)
    _submit(service, cheque, 471147114711)
    (item,) = _take(service)
    service.post("/v1/desk/leases", json={"leases": [item["lease"]]})
    service.get(f"/v1/desk/items/{item['batch']}/0/image")
    _decide(service, item, kind="amount", amount_minor=47114711471123, currency="USD")
    log = (tmp_path / "data" / "audit.jsonl").read_text()
    entries = [json.loads(line) for line in log.splitlines()]
    (decided,) = [one for one in entries if one.get("decision") == "desk:amount"]
    assert (decided["batch"], decided["item"], decided["key"]) == (item["batch"], 0, "anybody")
    assert any(one.get("route", "").endswith("/image") for one in entries)
    assert not any(one.get("route", "").endswith("/leases") for one in entries)
    assert "47114711" not in log


def test_evidence_of_a_batch_lies_with_its_items(start: Callable[..., httpx.Client]) -> None:
    settings = Settings()
    reader = ChequeReader(settings.model_dir)
    service = start(reader, wait=False, batch_readers=1)
    deadline = time.monotonic() + 120
    while service.get("/readyz").status_code != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    data = SAMPLE.read_bytes()
    single = service.post(
        "/v1/readings",
        params={"evidence": "full"},
        content=data,
        headers={"Content-Type": "image/tiff"},
    ).json()
    answer = service.post(
        "/v1/batches",
        params={"evidence": "full", "desk": "false"},
        content=data,
        headers={"Content-Type": "image/tiff"},
    )
    location = answer.headers["location"]
    deadline = time.monotonic() + 120
    while service.get(location).json()["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    evidence = service.get(f"{location}/items/0").json()["reading"]["evidence"]
    assert evidence == single["evidence"]
    assert evidence["image_sha256"] == hashlib.sha256(data).hexdigest()
    assert digest(evidence) == evidence["digest"]
    assert service.get(f"{location}/items").json()["items"][0]["reading"]["evidence"] is None
    assert service.get(f"{location}/items/1").status_code == 404
    service.post(
        "/v1/readings",
        params={"desk": "true", "max_error": "0.0001"},
        content=data,
        headers={"Content-Type": "image/tiff"},
    )
    (item,) = _take(service)
    picture = service.get(f"/v1/desk/items/{item['batch']}/0/evidence.svg")
    assert picture.headers["content-type"].startswith("image/svg+xml")
    assert "confidence" not in picture.text


def test_the_webhook_tells_when_all_is_decided(
    start: Callable[..., httpx.Client], cheque: bytes
) -> None:
    heard: list[tuple[dict[str, Any], bytes]] = []
    arrived = threading.Semaphore(0)

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            heard.append((dict(self.headers), body))
            self.send_response(204)
            self.end_headers()
            arrived.release()

        def log_message(self, *_: object) -> None:
            pass

    receiver = HTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=receiver.serve_forever)
    thread.start()
    try:
        service = start(
            UnsureReader(),
            batch_readers=1,
            webhook_hosts="127.0.0.1",
            webhook_secret=SECRET,
            desk_undo_seconds=0,
        )
        url = f"http://127.0.0.1:{receiver.server_port}/told"
        _submit(service, cheque, 1, 2, webhook=url)
        assert arrived.acquire(timeout=60)
        for item in _take(service, most=2):
            _decide(service, item, kind="amount", amount_minor=100)
        assert arrived.acquire(timeout=60)
    finally:
        receiver.shutdown()
        thread.join()
        receiver.server_close()
    (_, ended), (headers, decided) = heard
    assert json.loads(ended)["type"] == "batch.completed"
    said = json.loads(decided)
    assert said["type"] == "batch.decided"
    assert said["decisions"] == {"amount": 2}
    id, moment = headers["webhook-id"], headers["webhook-timestamp"]
    signed = f"{id}.{moment}.".encode() + decided
    mac = b64encode(hmac.new(SECRET.encode(), signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{mac}"


def test_the_figures_of_the_dashboard(start: Callable[..., httpx.Client], cheque: bytes) -> None:
    service = start(UnsureReader(accept=True), batch_readers=1, desk_audit_share=1)
    _submit(service, cheque, 1, 2, 3, 4)
    for item in _take(service, most=9):
        right = item["guesses"][0]["amount_minor"]
        amount = right + (1 if item["number"] == 1 else 0)
        _decide(service, item, kind="amount", amount_minor=amount)
    deadline = time.monotonic() + 60
    while True:
        found = service.get("/v1/desk/stats").json()
        if found["total"]["read"]["whole"] == 4:
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert found["total"]["read"] == {"part": 2, "whole": 4, "share": 0.5}
    assert found["total"]["reasons"] == {"low_confidence": 2}
    error = found["total"]["error"]
    assert (error["wrong"], error["audited"]) == (1, 2)
    assert error["low"] < 0.5 < error["high"]
    assert found["agreed"] == {"part": 2, "whole": 2, "share": 1.0}
    assert [one["name"] for one in found["sources"]] == ["anybody"]
    assert len(found["days"]) == 1
    assert service.get("/v1/desk/stats?source=nobody").json()["total"]["read"]["whole"] == 0
    assert service.get("/v1/desk/stats?days=0").status_code == 422


def test_the_page_is_shut_in(client: httpx.Client) -> None:
    page = client.get("/desk")
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "<script>" not in page.text
    assert "style=" not in page.text
    assert client.get("/desk/static/desk.js").headers["content-type"].startswith("text/javascript")
    assert client.get("/desk/static/desk.html").status_code == 404
    assert client.get("/desk/static/..%2Fmembers.py").status_code == 404
