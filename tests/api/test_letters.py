"""Cash letters as batches over HTTP, with a stand-in for the model."""

import csv
import io
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from service.pipeline.stated import Stated
from service.x9.letter import CashLetterFile
from tests.x9.made import Made, made, tiff

ITEMS = [
    Made(123456, tiff(), tiff(ink=1)), Made(777, tiff(ink=2)), Made(123456, b"no picture"),
    Made(50, b""),
]  # fmt: skip


class _Comparing:
    """The stand-in reader, comparing as the real one does."""

    model_version = "stand-in/1"

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        self.stated: list[tuple[int | None, str | None]] = []

    def read(self, data: bytes, **options: Any) -> Any:
        stated = options.pop("stated", None)
        self.stated.append((stated, options["currency"]))
        reading = self._reader.read(data, **options)
        if stated is None:
            return reading
        agrees = stated == reading.amount_minor
        judged = Stated(
            stated, 0.99 if agrees else 1e-6, 0.0 if agrees else 14.0,
            "agrees" if agrees else "disagrees",
        )  # fmt: skip
        return replace(reading, stated=judged)


@pytest.fixture
def comparing(reader: Any) -> _Comparing:
    return _Comparing(reader)


def _read(service: httpx.Client, **how: Any) -> str:
    answer = service.post("/v1/batches", **how)
    assert answer.status_code == 202, answer.text
    location = str(answer.headers["location"])
    deadline = time.monotonic() + 60
    while service.get(location).json()["state"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return location


def _raw(data: bytes) -> dict[str, Any]:
    return {"content": data, "headers": {"Content-Type": "application/octet-stream"}}


def test_every_item_is_read_against_its_record(
    start: Callable[..., httpx.Client], comparing: _Comparing
) -> None:
    service = start(comparing, batch_readers=2)
    location = _read(service, **_raw(made(ITEMS)))
    counts = service.get(location).json()["counts"]
    assert (counts["accepted"], counts["failed"]) == (2, 2)
    read = [one for one in comparing.stated if one[0] is not None]
    assert sorted(read) == [(777, "USD"), (123456, "USD")]
    (letter,) = service.get(f"{location}/cash-letters").json()
    assert letter["standard"] == "x9.100-187"
    assert letter["items"] == 4
    assert letter["quarantined"] == 1
    assert letter["verdicts"] == {"agrees": 1, "disagrees": 1, "unread": 2}
    assert letter["waiting"] == 0
    assert all(total["right"] for total in letter["totals"])
    page = service.get(f"{location}/cash-letters/0/items", params={"limit": 3}).json()
    assert [item["verdict"] for item in page["items"]] == ["agrees", "disagrees", "unread"]
    assert page["next"] == 2
    first, _, third = page["items"]
    assert first["amount_minor"] == 123456
    assert first["reading"]["stated"]["confidence"] == 0.99
    assert [image["side"] for image in first["images"]] == ["front", "back"]
    assert third["error"]["code"] == "image_unknown_format"
    assert third["deviations"][0]["field"] == "Image Data"
    last = service.get(f"{location}/cash-letters/0/items", params={"after": 2}).json()
    assert [item["error"]["code"] for item in last["items"]] == ["image_missing"]
    assert last["next"] is None
    results = service.get(f"{location}/items").json()["items"]
    assert [item["reference"] for item in results] == [f"{n:015d}" for n in (1, 2, 3, 4)]


def test_exceptions_and_an_adjusted_copy(
    start: Callable[..., httpx.Client], comparing: _Comparing
) -> None:
    service = start(comparing, batch_readers=2)
    data = made(ITEMS)
    location = _read(service, **_raw(data))
    text = service.get(f"{location}/cash-letters/0/exceptions.csv").text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["number"] for row in rows] == ["1", "2", "3"]
    assert rows[0]["verdict"] == "disagrees"
    assert rows[0]["amount_read_minor"] == "123456"
    assert rows[1]["error_code"] == "image_unknown_format"
    url = f"{location}/cash-letters/0/adjusted"
    same = service.post(url, json={})
    assert same.content == data
    copy = service.post(url, json={"as_read": True, "amounts": {"3": 99}})
    letter = CashLetterFile(io.BytesIO(copy.content))
    assert [item.amount_minor for item in letter.items()] == [123456, 123456, 123456, 99]
    assert not letter.report.by_code["wrong_total"]
    refused = service.post(url, json={"amounts": {"17": 5}})
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_item")
    assert service.post(url, json={"amount": 1}).status_code == 422
    for body, status in ((b"\xff{}", 422), (b" " * 600_000 + b"{}", 413)):
        sent = {"Content-Type": "application/json"}
        assert service.post(url, content=body, headers=sent).status_code == status
    assert service.post(url, content=b"{}").status_code == 415
    assert service.get(f"{location}/cash-letters/1/items").status_code == 404


def test_cash_letters_and_images_in_one_form(
    start: Callable[..., httpx.Client], comparing: _Comparing, cheque: bytes
) -> None:
    service = start(comparing, batch_readers=2)
    parts: list[Any] = [
        ("image", ("one.png", cheque)),
        ("reference", (None, "Monday")),
        ("image", ("monday.x937", made(ITEMS[:1], encoding="ascii", standard="x9.37"))),
        ("image", ("tuesday.x937", made(ITEMS[1:2], framing="none"))),
    ]
    location = _read(service, files=parts)
    letters = service.get(f"{location}/cash-letters").json()
    assert [(one["file"], one["standard"], one["framing"]) for one in letters] == [
        ("monday.x937", "x9.37", "big-endian"), ("tuesday.x937", "x9.100-187", "none"),
    ]  # fmt: skip
    assert letters[0]["reference"] == "Monday"
    copy = service.post(f"{location}/cash-letters/1/adjusted", json={"amounts": {"2": 5}})
    assert [item.amount_minor for item in CashLetterFile(io.BytesIO(copy.content)).items()] == [5]
    assert service.delete(location).status_code == 204
    assert service.get(f"{location}/cash-letters").status_code == 404


def test_an_amount_is_stated_for_a_single_reading(
    start: Callable[..., httpx.Client], comparing: _Comparing, cheque: bytes
) -> None:
    service = start(comparing)
    files = {"image": ("a.png", cheque)}
    answer = service.post("/v1/readings", params={"stated": 123456}, files=files).json()
    assert answer["stated"]["verdict"] == "agrees"
    assert service.post("/v1/readings", files=files).json()["stated"] is None
    assert service.post("/v1/batches", params={"stated": 1}, files=files).status_code == 422
