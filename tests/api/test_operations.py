"""Health, metrics, and the OpenAPI document."""

import re
from collections.abc import Callable
from typing import Any

import httpx
from fastapi.openapi.models import OpenAPI

from service.api.schemas import Problem, Reading
from service.options import LOCALES
from service.pipeline.grammar import CURRENCIES


def _value(metrics: str, name: str) -> float:
    found = re.search(rf"^{re.escape(name)} ([0-9.e+-]+)$", metrics, re.MULTILINE)
    return float(found.group(1)) if found else 0.0


def test_alive_before_ready(start: Callable[..., httpx.Client], reader: Any, cheque: bytes) -> None:
    reader.gate.clear()
    service = start(reader, wait=False)
    try:
        assert service.get("/livez").json() == {"status": "alive", "model_version": "stand-in/1"}
        for answer in (
            service.get("/readyz"),
            service.post("/v1/readings", files={"image": cheque}),
        ):
            assert answer.status_code == 503
            assert answer.json()["code"] == "not_ready"
            assert answer.headers["retry-after"] == "1"
    finally:
        reader.gate.set()
    while service.get("/readyz").status_code != 200:
        continue
    assert service.get("/readyz").json()["status"] == "ready"
    warmed = {call["currency"] for call in reader.calls}
    assert warmed == {None, *CURRENCIES}


def test_a_model_that_fails_is_never_ready(start: Callable[..., httpx.Client], reader: Any) -> None:
    reader.failure = RuntimeError("broken")
    service = start(reader, wait=False)
    while not reader.calls:
        continue
    assert service.get("/livez").status_code == 200
    assert service.get("/readyz").status_code == 503


def test_metrics_count_what_was_done(client: httpx.Client, cheque: bytes) -> None:
    before = client.get("/metrics").text
    client.post("/v1/readings", files={"image": cheque}).raise_for_status()
    client.post("/v1/readings", files={"image": b"no image"})
    client.get("/nothing")
    after = client.get("/metrics")
    assert after.headers["content-type"].startswith("text/plain; version=")
    for name, count in {
        'cheque_http_requests_total{method="POST",route="/v1/readings",status="200"}': 1,
        'cheque_http_requests_total{method="POST",route="/v1/readings",status="415"}': 1,
        'cheque_http_requests_total{method="GET",route="unmatched",status="404"}': 1,
        'cheque_problems_total{code="unsupported_type"}': 1,
        'cheque_decisions_total{currency="USD",decision="accept"}': 1,
        'cheque_stage_seconds_count{stage="recognize"}': 1,
        'cheque_http_request_seconds_count{route="/v1/readings"}': 2,
        "cheque_confidence_count": 1,
    }.items():
        assert _value(after.text, name) - _value(before, name) == count, name
    assert _value(after.text, 'cheque_model_info{version="stand-in/1"}') == 1
    assert _value(after.text, "cheque_readings_in_flight") == 0


def test_the_openapi_document_is_valid_and_its_references_resolve(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    OpenAPI.model_validate(document)
    assert document["openapi"].startswith("3.1")
    references = re.findall(r"'\$ref': '#/components/schemas/(\w+)'", str(document))
    assert set(references) <= set(document["components"]["schemas"])
    operation = document["paths"]["/v1/readings"]["post"]
    assert set(operation["requestBody"]["content"]) == {
        "multipart/form-data",
        "image/png",
        "image/jpeg",
        "image/tiff",
    }
    parameters = {p["name"]: p["schema"] for p in operation["parameters"]}
    assert parameters["currency"]["enum"] == list(CURRENCIES)
    assert parameters["locale"]["enum"] == list(LOCALES)
    for status in (*("400", "401", "403", "408", "413", "415", "422", "429", "500", "503", "507"),):
        assert "application/problem+json" in operation["responses"][status]["content"]


def test_the_examples_of_the_openapi_document_are_real(client: httpx.Client, cheque: bytes) -> None:
    responses = client.get("/openapi.json").json()["paths"]["/v1/readings"]["post"]["responses"]
    example = responses["200"]["content"]["application/json"]["example"]
    assert Reading.model_validate(example).decision == "accept"
    answer = client.post("/v1/readings", files={"image": cheque}).json()
    assert example.keys() == answer.keys()
    shown = responses["422"]["content"]["application/problem+json"]["examples"]["empty"]["value"]
    problem = client.post("/v1/readings", files={"image": b""}).json()
    assert Problem.model_validate(shown)
    assert {**shown, "request_id": problem["request_id"]} == problem
