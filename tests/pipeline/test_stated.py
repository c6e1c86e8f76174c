"""The probability of a stated amount, and the verdict on it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from service.pipeline.reader import ChequeReader
from service.pipeline.stated import LARGEST_PENALTY, judge

MODEL = Path(__file__).resolve().parents[2] / "models" / "amounts" / "1"
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "us-personal-04.tif"


@pytest.fixture(scope="module")
def reader() -> ChequeReader:
    return ChequeReader(MODEL)


@pytest.mark.parametrize(
    ("read", "confidence", "stated", "found", "penalty", "verdict"),
    [
        (12345, 0.99, 12345, 0.99, 0.0, "agrees"),
        (12345, 0.6, 12845, 0.1, 2.0, "agrees"),  # nearly as probable
        (12345, 0.6, 12845, 0.001, 6.0, "unread"),
        (12345, 0.99, 12845, 1e-6, 13.0, "disagrees"),
        (12345, 0.3, 12845, 1e-6, 13.0, "unread"),  # the reading itself is doubtful
        (1234500, 0.99, 12345, 1e-6, 13.0, "unread"),  # a lost mark is an error of reading
        (1234500, 0.99, 12345, 1e-9, 20.0, "disagrees"),
        (12345, 0.01, 12845, 0.005, 0.7, "unread"),  # neither is there
        (None, 0.0, 12845, 0.0, LARGEST_PENALTY, "unread"),
    ],
)
def test_the_rule(
    read: int | None, confidence: float, stated: int, found: float, penalty: float, verdict: str
) -> None:
    assert judge(read, confidence, stated, found, penalty) == verdict


def test_an_amount_is_borne_out_by_the_image_that_shows_it(reader: ChequeReader) -> None:
    data = SAMPLE.read_bytes()
    plain = reader.read(data, currency="USD")
    right = reader.read(data, currency="USD", stated=205000)
    wrong = reader.read(data, currency="USD", stated=731942)
    assert plain.stated is None
    assert plain.usability == ()
    assert right.stated is not None
    assert wrong.stated is not None
    assert (right.stated.verdict, right.stated.penalty) == ("agrees", pytest.approx(0, abs=1e-6))
    assert right.stated.confidence == pytest.approx(right.confidence, abs=1e-6)
    assert wrong.stated.verdict == "disagrees"
    assert wrong.stated.confidence < 0.01 < 5 < wrong.stated.penalty
    for one in (right, wrong):
        assert (one.amount_minor, one.confidence) == (plain.amount_minor, plain.confidence)
        assert one.alternatives == plain.alternatives


def test_the_stated_confidence_is_that_of_an_alternative(reader: ChequeReader) -> None:
    data = SAMPLE.read_bytes()
    second = reader.read(data, currency="USD").alternatives[1]
    stated = reader.read(data, currency="USD", stated=second.amount_minor).stated
    assert stated is not None
    assert stated.confidence == pytest.approx(second.confidence, rel=1e-3)


def test_a_blank_page_says_nothing(reader: ChequeReader) -> None:
    _, png = cv2.imencode(".png", np.full((500, 1200), 255, np.uint8))
    reading = reader.read(png.tobytes(), stated=12345)
    assert reading.stated is not None
    assert reading.stated.verdict == "unread"
    present = {one.defect for one in reading.usability if one.present}
    assert {"partial_image", "too_light", "illegible_amount"} <= present
