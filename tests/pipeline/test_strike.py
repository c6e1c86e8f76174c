"""Amounts that are struck out, and lines that strike nothing out."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.card import Calibration
from service.pipeline.decision import decide, hangs_on_confidence
from service.pipeline.ink import InkImage
from service.pipeline.strike import is_struck

BOXES = np.array([[40 + 42 * n, 40, 76 + 42 * n, 90] for n in range(6)], np.float32)
LEFT, RIGHT = 30, 300


def _is_struck(
    ink: NDArray[np.uint8], boxes: NDArray[np.float32], darkness: NDArray[np.uint8] | None = None
) -> bool:
    seen = ink if darkness is None else darkness
    return is_struck(InkImage(ink, ink > 0, np.zeros((0, 5), np.int32), seen), boxes)


def _amount(text: str = "385047") -> NDArray[np.uint8]:
    page = np.zeros((140, 360), np.uint8)
    for (x0, _, _, y1), digit in zip(BOXES.astype(int).tolist(), text, strict=True):
        cv2.putText(page, digit, (x0, y1), cv2.FONT_HERSHEY_SIMPLEX, 2.2, 255, 5)
    return page


def test_an_amount_by_itself_is_not_struck_out() -> None:
    assert not _is_struck(_amount(), BOXES)
    assert not _is_struck(_amount("000000"), BOXES)
    assert not _is_struck(np.zeros((140, 360), np.uint8), BOXES)
    assert not _is_struck(_amount(), BOXES[:0])


@pytest.mark.parametrize("left", [55, 62, 70])
@pytest.mark.parametrize("right", [55, 62, 70])
def test_a_line_through_all_of_it_strikes_it_out(left: int, right: int) -> None:
    page = _amount()
    cv2.line(page, (LEFT, left), (RIGHT, right), 255, 3)
    assert _is_struck(page, BOXES)


@pytest.mark.parametrize("count", [3, 4, 6])
@pytest.mark.parametrize("rising", [False, True])
def test_so_does_one_from_corner_to_corner(count: int, rising: bool) -> None:
    page, boxes = _amount(), BOXES[:count]
    left, right = LEFT, int(boxes[-1, 2]) + 8
    page[:, right:] = 0
    ends = (88, 42) if rising else (42, 88)
    assert not _is_struck(page, boxes)
    cv2.line(page, (left, ends[0]), (right, ends[1]), 255, 3)
    assert _is_struck(page, boxes)


@pytest.mark.parametrize(("bend", "struck"), [(8, True), (17, True), (30, False)])
def test_so_does_one_that_is_a_little_bent(bend: int, struck: bool) -> None:
    page = _amount()
    along = np.linspace(-1, 1, 60)
    x = (LEFT + RIGHT) / 2 + along * (RIGHT - LEFT) / 2
    y = 62 + bend * (0.5 - along**2)
    cv2.polylines(page, [np.rint(np.column_stack([x, y])).astype(np.int32)], False, 255, 3)
    assert _is_struck(page, BOXES) == struck


def test_nor_is_a_line_forgotten_that_was_taken_for_a_ruled_one() -> None:
    ink, darkness = _amount(), _amount() // 2
    cv2.line(darkness, (LEFT, 65), (RIGHT, 65), 120, 3)
    assert _is_struck(ink, BOXES, darkness)
    assert not _is_struck(ink, BOXES, _amount() // 2)
    # A pattern of the paper is paler than strokes.
    cv2.line(darkness, (LEFT, 65), (RIGHT, 65), 60, 3)
    assert not _is_struck(ink, BOXES, darkness)


@pytest.mark.parametrize("y", [30, 94, 104])
def test_a_line_above_or_below_it_does_not(y: int) -> None:
    page = _amount()
    cv2.line(page, (LEFT, y), (RIGHT, y), 255, 3)
    assert not _is_struck(page, BOXES)


@pytest.mark.parametrize("part", [0, 4])
def test_a_line_through_the_figures_is_enough_where_the_cents_stand_apart(part: int) -> None:
    boxes = BOXES.copy()
    boxes[4:, [0, 2]] += 70
    page = np.zeros((140, 440), np.uint8)
    page[:, :208] = _amount()[:, :208]
    page[:, 278:430] = _amount()[:, 208:]
    assert not _is_struck(page, boxes)
    begins, ends = (LEFT, 210) if part == 0 else (274, 364)
    cv2.line(page, (begins, 65), (ends, 65), 255, 3)
    # The bars of two cents may make a line.
    assert _is_struck(page, boxes) == (part == 0)


@pytest.mark.parametrize(
    ("ends", "struck"),
    [((20, 306), True), ((20, 399), False), ((100, 306), False), ((44, 286), False)],
    ids=["a little beyond", "far on", "from within", "as far as it"],
)
def test_a_line_along_its_tops_does_where_it_ends_beyond_both_sides(
    ends: tuple[int, int], struck: bool
) -> None:
    page = np.zeros((140, 460), np.uint8)
    page[:, 60:420] = _amount()
    boxes = BOXES + np.array([60, 0, 60, 0], np.float32)
    darkness = page.copy()
    cv2.line(darkness, (ends[0] + 60, 44), (ends[1] + 60, 44), 255, 3)
    assert _is_struck(page, boxes, darkness) == struck


def test_a_line_through_a_part_of_it_does_not() -> None:
    page = _amount()
    cv2.line(page, (LEFT, 65), ((LEFT + RIGHT) // 2, 65), 255, 3)
    assert not _is_struck(page, BOXES)


def _sevens(*bars: tuple[int, int]) -> NDArray[np.uint8]:
    """Two digits of 50 px with bars from and to these columns."""
    page = np.zeros((140, 360), np.uint8)
    for x in (60, 110):
        cv2.polylines(page, [np.array([[x, 42], [x + 30, 42], [x + 12, 90]])], False, 255, 4)
    for x0, x1 in bars:
        cv2.line(page, (x0, 66), (x1, 66), 255, 4)
    return page


def test_two_characters_are_struck_out_by_what_stands_out_at_both_sides() -> None:
    wide = np.array([[40, 40, 95, 92], [95, 40, 160, 92]], np.float32)
    assert _is_struck(_sevens((40, 160)), wide)
    # Bars of their own do not, nor does a line that only begins before them.
    crossed = np.array([[58, 40, 94, 92], [104, 40, 142, 92]], np.float32)
    assert not _is_struck(_sevens((60, 94), (104, 140)), crossed)
    assert not _is_struck(_sevens((60, 142)), crossed)
    begun = np.array([[40, 40, 95, 92], [95, 40, 142, 92]], np.float32)
    assert not _is_struck(_sevens((40, 142)), begun)


def test_one_character_tells_nothing() -> None:
    page = _amount()
    cv2.line(page, (LEFT, 65), (RIGHT, 65), 255, 3)
    assert not _is_struck(page, BOXES[:1])


def test_what_is_struck_out_is_rejected_however_sure_it_is() -> None:
    calibration = Calibration(1.0, 0.0)
    decision = decide(100, 1.0, 0.01, calibration, negative=False, blank=False, struck=True)
    assert decision == ("reject", "struck_out")
    assert not hangs_on_confidence("struck_out")
