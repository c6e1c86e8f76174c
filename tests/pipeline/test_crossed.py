"""Cheques that are crossed out, and crossings that only say how they are to be paid."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.crossed import is_crossed_out

Ink = NDArray[np.uint8]
HEIGHT, WIDTH = 560, 1300


@pytest.fixture
def cheque() -> Ink:
    page = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x, y, text in (
        (40, 60, "BANK OF NOWHERE"), (900, 90, "3 May 2021"), (60, 210, "Jane Doe & Sons"),
        (70, 290, "one hundred and seventy and 00/100"), (980, 220, "$ 170.00"),
        (60, 520, "123456789 00112233 0042"), (860, 430, "J. Smith"),
    ):  # fmt: skip
        page = cv2.putText(page, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, 1.3, 255, 3)
    return page


def _stroke(
    page: Ink, start: tuple[float, float], end: tuple[float, float], bent: float = 0
) -> Ink:
    """Draw a stroke between points, in widths and heights, bent by a share of its length."""
    ends = np.array((start, end)) * (WIDTH, HEIGHT)
    along = np.linspace(0, 1, 40)[:, None]
    way = ends[1] - ends[0]
    points = ends[0] + along * way + bent * np.sin(np.pi * along) * way[::-1] * (-1, 1)
    return np.asarray(
        cv2.polylines(page.copy(), [np.rint(points).astype(np.int32)], False, 255, 5), np.uint8
    )


@pytest.mark.parametrize("bent", [-0.03, 0, 0.01, 0.03])
def test_one_stroke_or_two_from_corner_to_corner_cross_it_out(cheque: Ink, bent: float) -> None:
    assert not is_crossed_out(cheque)
    for start, end in (((0.06, 0.9), (0.94, 0.1)), ((0.06, 0.1), (0.94, 0.9))):
        cheque = _stroke(cheque, start, end, bent)
        assert is_crossed_out(cheque)
        assert is_crossed_out(np.ascontiguousarray(cheque[::-1, ::-1]))


@pytest.mark.parametrize("lean", [0.02, 0.15, 0.4])
@pytest.mark.parametrize("apart", [0.04, 0.1, 0.25])
@pytest.mark.parametrize("bent", [0, 0.01])
def test_two_lines_side_by_side_do_not(cheque: Ink, lean: float, apart: float, bent: float) -> None:
    for x in (0.2, 0.2 + apart):
        cheque = _stroke(cheque, (x, 0.9), (x + lean, 0.08), bent)
    assert not is_crossed_out(cheque)
    assert is_crossed_out(_stroke(cheque, (0.05, 0.08), (0.95, 0.92)))


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ((0.02, 0.55), (0.98, 0.57)),
        ((0.5, 0.02), (0.52, 0.98)),
        ((0.7, 0.95), (0.95, 0.7)),
        ((0.02, 0.3), (0.12, 0.02)),
    ],
)
def test_nor_do_lines_of_a_form_and_short_strokes(
    cheque: Ink, start: tuple[float, float], end: tuple[float, float]
) -> None:
    assert not is_crossed_out(_stroke(cheque, start, end))


def test_a_page_of_noise_or_without_ink_is_not_crossed_out() -> None:
    rng = np.random.default_rng(0)
    for share in (0, 0.1, 0.5, 1):
        page = 255 * (rng.random((HEIGHT, WIDTH)) < share).astype(np.uint8)
        assert not is_crossed_out(page)
    assert not is_crossed_out(np.zeros((0, 0), np.uint8))
    assert not is_crossed_out(np.full((1, 1), 255, np.uint8))
    hatched = np.zeros((HEIGHT, WIDTH), np.uint8)
    for x in range(-HEIGHT, WIDTH, 40):
        cv2.line(hatched, (x, HEIGHT), (x + HEIGHT, 0), 255, 4)
    assert not is_crossed_out(hatched)
