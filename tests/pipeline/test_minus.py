"""A stray stroke before the amount: a minus, or a speck of the form's."""

import numpy as np
import pytest

from service.pipeline.ink import InkImage
from service.pipeline.minus import leaves_out_minus, stands_before
from service.pipeline.search import Interpretation, Lattice
from service.pipeline.segment import FEATURES, SegmentationGraph

LABELS = ("0", "1", "-", "=", "")
STROKE = (10.0, 28.0, 24.0, 32.0)
DIGITS = ((30.0, 10.0, 50.0, 50.0), (55.0, 10.0, 75.0, 50.0))


def _read(
    stroke: tuple[float, ...] = STROKE,
    odds: tuple[float, ...] = (9.0, 7.0, 1.6, 4.0, 0.0),
    labels: tuple[int, ...] = (4, 1, 0),
) -> bool:
    """Whether a reading of a stroke and two digits, these labels, leaves a minus out."""
    boxes = np.array([stroke, *DIGITS], np.float32)
    count = np.arange(3, dtype=np.int32)
    graph = SegmentationGraph(
        4, count, count + 1, count, np.zeros(3, np.float32), np.zeros(3, np.int32),
        np.zeros((3, 32, 32), np.uint8), boxes, np.zeros((3, len(FEATURES)), np.float32),
    )  # fmt: skip
    lattice = Lattice(
        4, count, count + 1, count, np.zeros(3), np.zeros(3, np.int32),
        np.array([odds, (9, -5, 9, 9, 0), (-5, 9, 9, 9, 0)], np.float64),
    )  # fmt: skip
    reading = Interpretation(
        count, np.array(labels, np.int32), np.zeros(3, np.uint8), 1000, None, False, "10", "10", 0.0
    )
    return leaves_out_minus(reading, graph, lattice, LABELS)


def test_a_flat_stroke_that_adjoins_the_amount_may_be_its_minus() -> None:
    assert _read()


@pytest.mark.parametrize(
    "stroke",
    [(10, 20, 24, 40), (-40, 28, -26, 32), (10, 50, 24, 54), (10, 6, 24, 10)],
    ids=["not flat", "far", "below", "above"],
)
def test_other_strokes_are_none(stroke: tuple[float, ...]) -> None:
    assert not _read(stroke)


def test_nor_is_what_looks_less_like_a_minus_than_like_nothing_or_another_symbol() -> None:
    assert not _read(odds=(9.0, 7.0, 3.5, 4.0, 0.0))
    assert not _read(odds=(9.0, 7.0, 1.6, 1.0, 0.0))


def test_what_is_read_is_not_left_out() -> None:
    assert not _read(labels=(2, 1, 0))
    assert not _read(labels=(1, 1, 0))
    assert not _read(labels=(4, 4, 4))


def _dashed(*dashes: tuple[int, int, int, int], text: str = "500.00") -> bool:
    """Whether a minus stands before five marks, with dashes x, y, width, height beside them."""
    ink = np.zeros((200, 900), np.uint8)
    read = [(300 + 32 * n, 80, 24, 40) for n in range(5)]
    for x, y, wide, high in [*read, *dashes]:
        ink[y : y + high, x : x + wide] = 255
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in read], np.float32)
    none = np.zeros(0, np.int32)
    reading = Interpretation(
        none, none, np.zeros(0, np.uint8), 50000, None, False, text, "50000", 0.0
    )
    return stands_before(reading, boxes, InkImage(ink, ink > 0, np.zeros((0, 5), np.int32)))


def test_a_lone_dash_before_an_amount_is_a_minus() -> None:
    assert _dashed((250, 98, 24, 5))
    assert _dashed((215, 95, 24, 6))


@pytest.mark.parametrize(
    "dashes",
    [
        [],
        [(250, 98, 24, 5), (215, 98, 24, 5)],  # a filled line
        [(250, 98, 24, 5), (470, 98, 24, 5)],
        [(250, 117, 24, 3)],  # on the base line
        [(250, 84, 24, 5)],
        [(250, 90, 12, 24)],
        [(100, 98, 24, 5)],
        [(225, 98, 24, 5), (260, 80, 24, 40)],  # a letter between
    ],
)
def test_other_dashes_and_marks_are_none(dashes: list[tuple[int, int, int, int]]) -> None:
    assert not _dashed(*dashes)


@pytest.mark.parametrize("text", ["$500.00", "500.00-", "500.00*"])
def test_lines_before_signs_and_of_filled_amounts_are_no_minus(text: str) -> None:
    assert not _dashed((250, 98, 24, 5), text=text)
