"""The amount's line in a crop that shows more than it."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.crop import line_within
from service.pipeline.ink import extract_ink
from service.pipeline.reader import ChequeReader
from service.settings import load_settings

AMOUNT = "1,234.56"
FONT = cv2.FONT_HERSHEY_SIMPLEX


def _crop(height: int, baseline: int, *others: tuple[str, int, int, float]) -> NDArray[np.uint8]:
    """A crop with an amount at x = 60, and others: text, x, y, scale."""
    page = np.full((height, 320), 240, np.uint8)
    for text, x, y, scale in ((AMOUNT, 60, baseline, 1.2), *others):
        cv2.putText(page, text, (x, y), FONT, scale, 20, 2, cv2.LINE_AA)
    return page


def _is_the_amount(box: tuple[int, int, int, int] | None, baseline: int) -> bool:
    (wide, high), _ = cv2.getTextSize(AMOUNT, FONT, 1.2, 2)
    assert box is not None
    wanted = np.array([60, baseline - high, 60 + wide, baseline])
    return bool((np.abs(np.array(box) - wanted) < 0.5 * high).all())


@pytest.mark.parametrize("baseline", [60, 90, 120])
def test_the_line_with_the_most_ink_is_found_among_others(baseline: int) -> None:
    label, below = ("Amount", 20, baseline - 45, 0.5), ("Springfield", 30, baseline + 45, 0.6)
    page = _crop(200, baseline, label, below)
    assert _is_the_amount(line_within(extract_ink(page)), baseline)
    cv2.rectangle(page, (40, baseline - 38), (280, baseline + 14), 60, 2)
    assert _is_the_amount(line_within(extract_ink(page)), baseline)


def test_a_tight_crop_is_one_line() -> None:
    assert line_within(extract_ink(_crop(45, 36))) is None


def test_what_is_cut_off_above_and_below_is_no_line() -> None:
    page = _crop(170, 100)
    page[:12, ::7] = 20
    page[-30:, 20:300:5] = 20
    assert _is_the_amount(line_within(extract_ink(page)), 100)


def test_paper_lines_and_specks_have_none() -> None:
    paper = np.full((200, 320), 240, np.uint8)
    assert line_within(extract_ink(paper)) is None
    cv2.line(paper, (0, 90), (319, 90), 20, 3)
    paper[20:24, 30:34] = 20
    assert line_within(extract_ink(paper)) is None


@pytest.mark.parametrize("around", [0, 20, 45])
def test_an_amount_is_read_however_loosely_it_is_cropped(around: int) -> None:
    sample = Path(__file__).parents[2] / "samples" / "us-personal-04.tif"
    reader = ChequeReader(load_settings().model_dir)
    page = cv2.imread(str(sample), cv2.IMREAD_GRAYSCALE)
    assert page is not None
    box = reader.read(sample.read_bytes()).field_box
    assert box is not None
    left, top = np.array(box).min(axis=0).astype(int).tolist()
    right, bottom = np.array(box).max(axis=0).astype(int).tolist()
    rows = slice(max(0, top - around), bottom + around)
    columns = slice(max(0, left - 2 * around), right + 2 * around)
    crop = cv2.imencode(".png", page[rows, columns])[1].tobytes()
    assert reader.read(crop, field_only=True).amount_minor == 205000
