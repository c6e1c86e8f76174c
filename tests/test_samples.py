"""The shipped model reads the shipped samples."""

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from service.cli import app
from service.pipeline.reader import ChequeReader

MODEL = Path(__file__).resolve().parent.parent / "models" / "amounts" / "1"
SAMPLES = Path(__file__).resolve().parent.parent / "samples"
TRUTH = list(csv.DictReader((SAMPLES / "truth.csv").read_text("utf-8").splitlines()))


@pytest.fixture(scope="module")
def readings() -> dict[str, dict[str, object]]:
    """What the command line says of every sample, by file name."""
    result = CliRunner().invoke(app, ["read", "--json", str(SAMPLES)])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {Path(line["file"]).name: line for line in lines}


@pytest.mark.parametrize("row", TRUTH, ids=[row["file"] for row in TRUTH])
def test_samples(readings: dict[str, dict[str, object]], row: dict[str, str]) -> None:
    reading = readings[row["file"]]
    if row["amount_minor"]:
        assert reading["amount_minor"] == int(row["amount_minor"])
    else:
        assert reading["decision"] == "reject"
        assert reading["reject_reason"]


def test_every_sample_has_its_truth(readings: dict[str, dict[str, object]]) -> None:
    assert set(readings) == {row["file"] for row in TRUTH}


def test_no_printed_sign_is_read_as_a_zero(readings: dict[str, dict[str, object]]) -> None:
    texts = {name: str(one["text"]) for name, one in readings.items() if one["text"]}
    assert texts["us-personal-04.tif"] == "2,050.00"
    assert [text for text in texts.values() if text.lstrip("$").startswith("0")] == []


def _png(page: NDArray[np.uint8]) -> bytes:
    return bytes(cv2.imencode(".png", page)[1])


@pytest.mark.parametrize("name", ["brazil-01.jpg", "ireland-01.jpg", "mexico-01.png"])
def test_a_dash_that_joins_the_last_cents_makes_an_amount_negative(name: str) -> None:
    reader = ChequeReader(MODEL)
    seen = cv2.imread(str(SAMPLES / name), cv2.IMREAD_GRAYSCALE)
    assert seen is not None
    page = np.asarray(seen, np.uint8)
    plain = reader.read(_png(page))
    assert plain.decision == "accept"
    (_, top), (right, bottom) = (side(plain.symbols[-1].box, axis=0) for side in (np.min, np.max))
    high, middle = bottom - top, round((top + bottom) / 2)
    ends = round(right - 0.1 * high), round(right + 0.35 * high)
    thick = round(0.05 * high)
    page[middle - thick : middle + thick + 1, ends[0] : ends[1]] = 20
    reading = reader.read(_png(page))
    assert reading.decision == "reject"
    assert reading.reject_reason == "negative_amount"
