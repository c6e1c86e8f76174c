"""The rest of a frame is taken out of an amount's zone, and strokes of the amount are not."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.frame import without_frame
from service.pipeline.segment import normalise_line

Bytes = NDArray[np.uint8]
BOX = (0, 0, 300, 90)


def figures(text: str = "930.00") -> Bytes:
    """An amount whose feet are at row 70."""
    zone = np.zeros((90, 300), np.uint8)
    cv2.putText(zone, text, (40, 70), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 255, 6)
    return zone


def framed(zone: Bytes, lean: int = 0) -> Bytes:
    """The same on the lower side of a frame that falls by so many rows, beside its left side."""
    zone = zone.copy()
    corner = 72 + max(-lean, 0)
    cv2.line(zone, (10, corner), (290, corner + lean), 255, 4)
    cv2.line(zone, (10, 2), (10, corner), 255, 4)
    return zone


@pytest.mark.parametrize("lean", [-8, 0, 8])
def test_figures_on_the_side_of_their_frame_keep_their_size(lean: int) -> None:
    plain, found = normalise_line(figures(), BOX), normalise_line(framed(figures(), lean), BOX)
    assert plain is not None
    assert found is not None
    assert found.to_working[0, 0] == pytest.approx(plain.to_working[0, 0], rel=0.1)


@pytest.mark.parametrize("lean", [-8, 0, 8])
def test_the_frame_goes_and_the_figures_stay(lean: int) -> None:
    own, zone = figures(), framed(figures(), lean)
    found = without_frame(zone)
    frame = (zone > 0) & (own == 0)
    assert (found[frame] > 0).mean() < 0.05
    above = np.arange(90)[:, None] < 66
    assert (found[(own > 0) & above] > 0).all()


def test_a_stroke_through_the_side_stays_whole() -> None:
    zone = framed(figures("9"))
    zone[40:88, 200:206] = 255
    found = without_frame(zone)
    assert (found[40:88, 200:206] > 0).mean() > 0.95


@pytest.mark.parametrize("row", [35, 45, 55])
def test_a_line_through_the_middle_is_none_of_a_frame(row: int) -> None:
    zone = figures()
    zone[row - 2 : row + 2, 20:290] = 255
    assert without_frame(zone) is zone


def test_feet_of_zeros_in_a_row_are_none_of_a_frame() -> None:
    zone = np.zeros((60, 300), np.uint8)
    for x in range(30, 290, 24):
        cv2.ellipse(zone, (x, 30), (11, 22), 0, 0, 360, 255, 4)
    assert without_frame(zone) is zone


@pytest.mark.parametrize("text", ["1850.1", "(850)"])
def test_neither_a_one_nor_a_bracket_is_the_side_of_a_frame(text: str) -> None:
    zone = figures(text)
    assert without_frame(zone) is zone
    with_side = zone.copy()
    with_side[80:84, 2:298] = 255
    found = without_frame(with_side)
    np.testing.assert_array_equal(found[:76], zone[:76])


def test_a_narrow_zone_has_no_frame() -> None:
    zone = framed(figures())[:, :120]
    assert without_frame(zone) is zone


@pytest.mark.parametrize("column", [2, 292])
def test_a_side_that_is_taller_than_the_figures_goes_alone(column: int) -> None:
    zone = np.zeros((90, 300), np.uint8)
    cv2.putText(zone, "930.03", (60, 66), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 255, 5)
    framed = zone.copy()
    framed[2:88, column : column + 4] = 255
    np.testing.assert_array_equal(without_frame(framed), zone)
    # What is as tall as the figures is one of them.
    framed[:30, column : column + 4] = 0
    framed[70:, column : column + 4] = 0
    assert without_frame(framed) is framed
