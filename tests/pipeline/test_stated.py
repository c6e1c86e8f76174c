"""The probability of a stated amount, and the verdict on it."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from service.pipeline.card import Calibration, RecordRule
from service.pipeline.looks import LOOKS
from service.pipeline.reader import ChequeReader
from service.pipeline.stated import LARGEST_PENALTY, Look, Stated, judge

MODEL = Path(__file__).resolve().parents[2] / "models" / "amounts" / "1"
SAMPLE = Path(__file__).resolve().parents[2] / "samples" / "us-personal-04.tif"


@pytest.fixture(scope="module")
def reader() -> ChequeReader:
    return ChequeReader(MODEL)


PLAIN = Calibration(1.0, 0.0)
RULE = RecordRule(slope=1.0, sure=0.0, shift=0.0, prior=0.02, flagged=1.5)


def _said(stated: int, *looks: tuple[float, dict[int, float]], rule: RecordRule = RULE) -> Stated:
    seen = [Look(said, tuple(found.items())) for said, found in looks]
    return judge(seen, stated, PLAIN, rule)


@pytest.mark.parametrize(
    ("stated", "said", "found", "verdict"),
    [
        (12345, 0.99, {12345: 0.99}, "agrees"),
        (12845, 0.1, {12345: 0.6, 12845: 0.1}, "agrees"),  # not so much less probable
        (12845, 1e-6, {12345: 0.99}, "disagrees"),  # one digit
        (13245, 1e-6, {12345: 0.99}, "disagrees"),  # two swapped
        (1245, 1e-6, {12345: 0.99}, "disagrees"),  # one lost
        (12845, 1e-6, {12345: 0.2}, "disagrees"),  # though the reading itself is doubtful
        (12845, 1e-3, {12345: 0.2}, "unread"),
        (9871234, 1e-14, {12345: 0.99}, "disagrees"),  # another cheque's
        (12345, 1e-6, {12300: 0.99}, "unread"),  # lost cents are an error of reading
        (12345, 1e-6, {1234500: 0.99}, "unread"),  # and so is a lost mark
        (12845, 0.0, {}, "unread"),  # nothing was read
        (0, 0.0, {12345: 0.99}, "unread"),
        (12345, 1e-9, {-12345: 0.99}, "unread"),
        (12345, 1e-14, {11261202600: 0.99}, "unread"),  # a date
        (12345, 1e-6, {1234500100: 0.5, 12345100: 0.3}, "unread"),  # a fraction taken for digits
    ],
)
def test_the_rule(stated: int, said: float, found: dict[int, float], verdict: str) -> None:
    assert _said(stated, (said, found)).verdict == verdict


def test_odds_count_less_where_no_amount_is_likely() -> None:
    rule = RecordRule(slope=1.0, sure=1.0, shift=0.0, prior=0.02, flagged=1.5)
    assert _said(12845, (5e-5, {12345: 0.9}), rule=rule).verdict == "disagrees"
    assert _said(12845, (5e-5, {12345: 0.1}), rule=rule).verdict == "unread"
    assert _said(12845, (5e-5, {12345: 0.1})).verdict == "disagrees"


def test_other_cents_are_a_fault_of_the_record_where_the_reading_is_sure() -> None:
    assert _said(12345, (1e-6, {12346: 0.99}), rule=RecordRule()).verdict == "disagrees"
    assert _said(12345, (1e-6, {12346: 0.05}), rule=RecordRule()).verdict == "unread"


def test_looks_are_averaged() -> None:
    bad = (1e-9, {12345: 0.9})
    good = (0.8, {12845: 0.8})
    one, two = _said(12845, bad), _said(12845, bad, good)
    assert (one.verdict, two.verdict) == ("disagrees", "agrees")
    assert two.confidence == pytest.approx(0.4, rel=1e-6)
    assert (two.likeliest_minor, two.looks) == (12345, 2)
    assert two.likeliest_confidence == pytest.approx(0.45, rel=1e-6)
    assert two.penalty == pytest.approx(np.log(0.45 / 0.4), rel=1e-6)


def test_how_probable_a_wrong_record_is() -> None:
    found = {12345: 0.9}
    low, high = (_said(12845, (said, found)).wrong for said in (1e-2, 1e-4))
    assert low is not None
    assert high is not None
    assert 0 < low < high < 1
    doubted = _said(12845, (1e-4, found), rule=RecordRule(1.0, 0.0, 0.0, 0.5, 1.5)).wrong
    assert doubted is not None
    assert doubted > high
    assert _said(12845, (0.0, {})).wrong is None
    assert _said(12845, (0.0, {})).penalty == LARGEST_PENALTY


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
    assert (right.stated.looks, wrong.stated.looks) == (1, LOOKS)
    assert right.stated.wrong is not None
    assert wrong.stated.wrong is not None
    assert right.stated.wrong < 0.001 < 0.1 < wrong.stated.wrong
    assert wrong.stated.likeliest_minor == 205000
    assert wrong.stated.verdict == "disagrees"
    assert wrong.stated.confidence < 0.01 < 5 < wrong.stated.penalty
    for one in (right, wrong):
        assert (one.amount_minor, one.confidence) == (plain.amount_minor, plain.confidence)
        assert one.alternatives == plain.alternatives


def test_a_blank_page_says_nothing(reader: ChequeReader) -> None:
    _, png = cv2.imencode(".png", np.full((500, 1200), 255, np.uint8))
    reading = reader.read(png.tobytes(), stated=12345)
    assert reading.stated is not None
    assert reading.stated.verdict == "unread"
    present = {one.defect for one in reading.usability if one.present}
    assert {"partial_image", "too_light", "illegible_amount"} <= present
