"""Brackets around an amount that were read as figures, or not at all."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.brackets import in_brackets, reads_as_half
from service.pipeline.ink import InkImage

HIGH, WIDE, STEP = 40, 24, 32
LEFT, TOP = 100, 60
Mark = tuple[int, int, int]


def _page(marks: list[Mark], *, faint: bool = False) -> InkImage:
    """Four figures with strokes beside them: x of the ends, how far bowed to the right, height.

    faint: they are dark, but no ink.
    """
    ink = np.zeros((200, 400), np.uint8)
    for number in range(4):
        x = LEFT + STEP * number
        cv2.ellipse(ink, (x + 12, TOP + 20), (10, 18), 0, 0, 360, 255, 4)
    darkness = ink.copy()
    for x, bow, high in marks:
        down = np.linspace(-1, 1, 41)
        across = x + bow * (1 - down**2)
        line = np.column_stack([across, TOP + HIGH / 2 + high / 2 * down])
        for image in (darkness,) if faint else (ink, darkness):
            cv2.polylines(image, [np.rint(line).astype(np.int32)], False, 255, 3)
    return InkImage(ink, ink > 0, np.zeros((0, 5), np.int32), darkness)


def _boxes(first: int, last: int) -> NDArray[np.float32]:
    """Of the figures from one to another."""
    rows = [(LEFT + STEP * n, TOP, LEFT + STEP * n + WIDE, TOP + HIGH) for n in range(first, last)]
    return np.array(rows, np.float32)


OPENING, CLOSING = (88, -6, 44), (LEFT + 4 * STEP + 4, 6, 44)


def test_a_pair_that_was_not_read_is_seen() -> None:
    assert in_brackets(_boxes(0, 4), list("2345"), _page([OPENING, CLOSING]))


def test_so_is_one_whose_brackets_were_read_as_ones() -> None:
    page = _page([OPENING, CLOSING])
    ends = np.array([(80, 58, 92, 102), (228, 58, 242, 102)], np.float32)
    boxes = np.concatenate([ends[:1], _boxes(0, 4), ends[1:]])
    assert in_brackets(boxes, list("123451"), page)
    assert not in_brackets(boxes, list("723457"), page)


def test_and_one_that_was_taken_out_of_the_ink_on_one_side() -> None:
    page, faint = _page([OPENING]), _page([CLOSING], faint=True)
    both = np.maximum(page.darkness, faint.darkness)
    assert in_brackets(_boxes(0, 4), list("2345"), InkImage(page.ink, page.mask, page.rules, both))


@pytest.mark.parametrize(
    "marks",
    [
        [],
        [OPENING],
        [CLOSING],
        [(88, 0, 44), (232, 0, 44)],  # the sides of a box
        [(82, 6, 44), (238, -6, 44)],  # bowed inwards
        [(88, -6, 44), (238, -6, 44)],
        [(88, -3, 20), (232, 3, 20)],
        [(88, -10, 110), (232, 10, 110)],
        [(40, -6, 44), (300, 6, 44)],  # far off
    ],
)
def test_other_strokes_are_none(marks: list[Mark]) -> None:
    assert not in_brackets(_boxes(0, 4), list("2345"), _page(marks))


def test_fewer_than_two_figures_have_none() -> None:
    page = _page([OPENING, CLOSING])
    assert not in_brackets(_boxes(0, 1), ["2"], page)
    assert not in_brackets(np.zeros((0, 4), np.float32), [], page)
    assert not in_brackets(_boxes(0, 4), list("####"), page)


def test_a_page_without_ink_has_none() -> None:
    blank = np.zeros((200, 400), np.uint8)
    page = InkImage(blank, blank > 0, np.zeros((0, 5), np.int32), blank)
    assert not in_brackets(_boxes(0, 4), list("2345"), page)


@pytest.mark.parametrize(
    ("text", "half"),
    [
        ("122.000.-)", True), ("$ 1500.00)", True), ("(22.001", True), ("$(500.01 ", True),
        ("22.000)", False), ("(22.000", False), ("(122.001)", False), ("122.000", False),
        ("1)22", False), ("***1,620.00***", False), ("", False),
    ],
)  # fmt: skip
def test_a_bracket_may_have_been_read_as_a_one_where_the_other_was_read(
    text: str, half: bool
) -> None:
    assert reads_as_half(text) == half
