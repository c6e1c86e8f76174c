"""Strips for the swept network: their size, and the way back."""

import cv2
import numpy as np
import pytest

from service.pipeline.segment import Line, normalise_line
from service.pipeline.strip import STRIP_HEIGHT, STRIP_SIZE, strip_of


def _line(text: str, scale: float, left: int) -> tuple[Line, np.ndarray]:
    ink = np.zeros((140, 700), np.uint8)
    cv2.putText(ink, text, (left, 95), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, round(2 * scale))
    line = normalise_line(ink, (0, 0, 700, 140))
    assert line is not None
    return line, ink


@pytest.mark.parametrize("scale", [0.9, 1.6, 2.4])
def test_characters_have_one_size_in_the_middle(scale: float) -> None:
    strip = strip_of([_line("1803", scale, 40)[0]])
    rows = np.flatnonzero((strip.ink > 60).any(axis=1))
    assert strip.ink.shape[0] == STRIP_HEIGHT
    assert rows[-1] + 1 - rows[0] == pytest.approx(STRIP_SIZE, abs=3)
    assert (rows[-1] + 1 + rows[0]) / 2 == pytest.approx(STRIP_HEIGHT / 2, abs=2)


def test_boxes_lead_back_to_the_ink() -> None:
    line, ink = _line("1803", 1.6, 40)
    strip = strip_of([line])
    columns = np.flatnonzero((strip.ink > 60).any(axis=0))
    ends = np.array([columns[0]], np.int32), np.array([columns[-1] + 1], np.int32)
    x0, y0, x1, y1 = strip.boxes(*ends)[0].tolist()
    inked = np.flatnonzero(ink.any(axis=0))
    rows = np.flatnonzero(ink.any(axis=1))
    assert [x0, x1] == pytest.approx([inked[0], inked[-1] + 1], abs=3)
    assert [y0, y1] == pytest.approx([rows[0], rows[-1] + 1], abs=5)


def test_zones_stand_apart_and_lead_back_each_to_its_own() -> None:
    first, second = _line("180", 1.6, 40)[0], _line("50", 1.0, 500)[0]
    strip = strip_of([first, second])
    start = strip.parts[1][0]
    assert not strip.ink[:, start - 8 : start].any()
    ends = np.array([2, start + 8], np.int32), np.array([10, start + 20], np.int32)
    boxes = strip.boxes(*ends)
    assert boxes[0, 2] < 300
    assert boxes[1, 0] > 450


def test_no_ink_has_no_width() -> None:
    strip = strip_of([])
    assert strip.ink.shape == (STRIP_HEIGHT, 0)
    assert strip.parts == ()
