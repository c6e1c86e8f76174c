"""POST /v1/readings with cheques that can be read."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest
from PIL import Image

from service.errors import ParameterError
from service.pipeline.reader import Alternative


def test_raw_body_gives_the_reading(client: httpx.Client, cheque: bytes) -> None:
    answer = client.post("/v1/readings", content=cheque, headers={"Content-Type": "image/png"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    reading = answer.json()
    assert reading["amount_minor"] == 123456
    assert reading["currency"] == "USD"
    assert reading["text"] == "$1,234.56"
    assert reading["digits"] == "123456"
    assert reading["confidence"] == 0.9987
    assert reading["decision"] == "accept"
    assert reading["reject_reason"] is None
    assert reading["field_box"][0] == [640.0, 110.0]
    assert reading["symbols"][0]["symbol"] == "$"
    assert reading["symbols"][0]["box"][2] == [660.0, 160.0]
    assert reading["model_version"] == "stand-in/1"
    assert reading["pages"] == 1
    assert reading["stages"]["recognize"] == 0.02
    assert reading["reference"] is None


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_form_gives_the_reading(
    client: httpx.Client, page: Image.Image, encode: Callable[..., bytes], kind: str
) -> None:
    answer = client.post("/v1/readings", files={"image": ("x", encode(page, kind))})
    assert answer.status_code == 200
    assert answer.json()["amount_minor"] == 123456


def test_first_of_several_pages_is_read_and_their_number_reported(
    client: httpx.Client, page: Image.Image, encode: Callable[..., bytes]
) -> None:
    bitonal = page.convert("1")
    data = encode(bitonal, "TIFF", compression="group4", save_all=True, append_images=[bitonal] * 2)
    answer = client.post("/v1/readings", content=data, headers={"Content-Type": "image/tiff"})
    assert answer.json()["pages"] == 3


def test_parameters_reach_the_reader(
    client: httpx.Client, shared_reader: Any, cheque: bytes
) -> None:
    answer = client.post(
        "/v1/readings",
        params={
            "currency": "INR",
            "locale": "en-IN",
            "field_only": "true",
            "max_error": "0.002",
            "reference": "batch 7/42 é",
            "evidence": "none",
        },
        files={"image": cheque},
    )
    assert answer.status_code == 200
    assert answer.json()["reference"] == "batch 7/42 é"
    assert shared_reader.calls[-1] == {
        "currency": "INR",
        "locale": "en-IN",
        "field_only": True,
        "max_error": 0.002,
        "reference": "batch 7/42 é",
        "evidence": False,
        "stated": None,
    }


def test_a_rejected_cheque_is_a_reading(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    reader.reading = replace(
        reader.reading,
        amount_minor=None,
        currency=None,
        text=None,
        digits=None,
        field_box=None,
        confidence=0.0,
        decision="reject",
        reject_reason="no_amount_found",
    )
    answer = start(reader).post("/v1/readings", files={"image": cheque})
    assert answer.status_code == 200
    assert answer.json()["amount_minor"] is None
    assert answer.json()["decision"] == "reject"
    assert answer.json()["reject_reason"] == "no_amount_found"


def test_alternatives_are_listed(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    other = Alternative("$7,234.56", "723456", 723456, "USD", 0.001)
    reader.reading = replace(reader.reading, alternatives=(other,))
    answer = start(reader).post("/v1/readings", files={"image": cheque})
    assert answer.json()["alternatives"] == [
        {
            "amount_minor": 723456,
            "currency": "USD",
            "text": "$7,234.56",
            "digits": "723456",
            "confidence": 0.001,
        }
    ]


@pytest.mark.parametrize(
    ("parameters", "parameter"),
    [
        ({"currency": "XXX"}, "currency"),
        ({"currency": ""}, "currency"),
        ({"locale": "tlh"}, "locale"),
        ({"max_error": "0"}, "max_error"),
        ({"max_error": "1"}, "max_error"),
        ({"max_error": "-0.1"}, "max_error"),
        ({"max_error": "nan"}, "max_error"),
        ({"max_error": "little"}, "max_error"),
        ({"field_only": "perhaps"}, "field_only"),
        ({"evidence": "everything"}, "evidence"),
        ({"reference": ""}, "reference"),
        ({"reference": "x" * 201}, "reference"),
        ({"reference": "two\nlines"}, "reference"),
        ({"curency": "USD"}, "curency"),
        ([("currency", "USD"), ("currency", "EUR")], "currency"),
    ],
)
def test_bad_parameters_are_named(
    client: httpx.Client, shared_reader: Any, cheque: bytes, parameters: Any, parameter: str
) -> None:
    shared_reader.calls.clear()
    answer = client.post("/v1/readings", params=parameters, files={"image": cheque})
    problem = answer.json()
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == "invalid_parameter"
    assert [fault["parameter"] for fault in problem["errors"]] == [parameter]
    assert not shared_reader.calls


def test_parameters_that_the_pipeline_refuses_are_named(
    start: Callable[..., httpx.Client], reader: Any, cheque: bytes
) -> None:
    service = start(reader)
    reader.failure = ParameterError("locale", "no such locale")
    answer = service.post("/v1/readings", files={"image": cheque})
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"parameter": "locale", "message": "no such locale"}]
