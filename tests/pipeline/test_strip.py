"""Strips for the swept network: their size, and the way back."""

import cv2
import numpy as np
import pytest

from service.pipeline.segment import Line, normalise_line
from service.pipeline.strip import LAYERS, STRIP_HEIGHT, STRIP_SIZE, strip_of


def _line(text: str, scale: float, left: int) -> tuple[Line, np.ndarray]:
    ink = np.zeros((140, 700), np.uint8)
    cv2.putText(ink, text, (left, 95), cv2.FONT_HERSHEY_SIMPLEX, scale, 255, round(2 * scale))
    line = normalise_line(ink, (0, 0, 700, 140))
    assert line is not None
    return line, ink


@pytest.mark.parametrize("scale", [0.9, 1.6, 2.4])
def test_characters_have_one_size_in_the_middle(scale: float) -> None:
    line, ink = _line("1803", scale, 40)
    strip = strip_of([line], ink)
    rows = np.flatnonzero((strip.layers[0] > 60).any(axis=1))
    assert strip.layers.shape[:2] == (LAYERS, STRIP_HEIGHT)
    assert rows[-1] + 1 - rows[0] == pytest.approx(STRIP_SIZE, abs=3)
    assert (rows[-1] + 1 + rows[0]) / 2 == pytest.approx(STRIP_HEIGHT / 2, abs=2)


def test_boxes_lead_back_to_the_ink() -> None:
    line, ink = _line("1803", 1.6, 40)
    strip = strip_of([line], ink)
    columns = np.flatnonzero((strip.layers[0] > 60).any(axis=0))
    ends = np.array([columns[0]], np.int32), np.array([columns[-1] + 1], np.int32)
    x0, y0, x1, y1 = strip.boxes(*ends)[0].tolist()
    inked = np.flatnonzero(ink.any(axis=0))
    rows = np.flatnonzero(ink.any(axis=1))
    assert [x0, x1] == pytest.approx([inked[0], inked[-1] + 1], abs=3)
    assert [y0, y1] == pytest.approx([rows[0], rows[-1] + 1], abs=5)


def test_zones_stand_apart_and_lead_back_each_to_its_own() -> None:
    first, second = _line("180", 1.6, 40), _line("50", 1.0, 500)
    strip = strip_of([first[0], second[0]], np.maximum(first[1], second[1]))
    start = strip.parts[1][0]
    assert not strip.layers[:, :, start - 8 : start].any()
    ends = np.array([2, start + 8], np.int32), np.array([10, start + 20], np.int32)
    boxes = strip.boxes(*ends)
    assert boxes[0, 2] < 300
    assert boxes[1, 0] > 450


def test_columns_are_in_the_middle_of_boxes_around_them() -> None:
    first, second = _line("180", 1.6, 40), _line("50", 1.0, 500)
    strip = strip_of([first[0], second[0]], np.maximum(first[1], second[1]))
    columns = np.arange(2, strip.layers.shape[2] - 2, 5, dtype=np.int32)
    boxes = strip.boxes(columns - 2, columns + 2)
    assert np.allclose(strip.across(columns), boxes[:, [0, 2]].mean(axis=1), atol=1e-3)


def test_no_ink_has_no_width() -> None:
    strip = strip_of([], np.zeros((140, 700), np.uint8))
    assert strip.layers.shape == (LAYERS, STRIP_HEIGHT, 0)
    assert strip.parts == ()


@pytest.mark.parametrize("scale", [0.9, 1.6, 2.4])
def test_darkness_lies_where_the_ink_does(scale: float) -> None:
    line, ink = _line("1803", scale, 40)
    own, darkness = strip_of([line], ink // 3).layers.astype(np.float64)
    assert np.corrcoef(own.ravel(), darkness.ravel())[0, 1] > 0.97
    assert np.median(darkness[own > 200]) == pytest.approx(200, abs=12)


def test_darkness_keeps_what_was_not_taken_for_ink() -> None:
    line, ink = _line("1803", 1.6, 40)
    page = ink.copy()
    cv2.line(page, (40, 70), (330, 70), 90, 2)
    own, darkness = strip_of([line], page).layers
    plain = strip_of([line], ink).layers[1]
    lined = (darkness > 60) & (plain == 0)
    assert not own[lined].any()
    assert (lined.any(axis=0) | (plain.max(axis=0) > 0)).mean() > 0.7
    assert (darkness[plain > 0] > 0).all()


def test_what_stands_beside_a_field_is_in_the_darkness_alone() -> None:
    ink = np.zeros((140, 700), np.uint8)
    cv2.putText(ink, "4 80 7", (40, 95), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 255, 3)
    letters = np.flatnonzero(np.diff(np.append(0, ink.any(axis=0).astype(np.int8))))
    left, right = int(letters[2]) - 3, int(letters[-1]) - 30
    line = normalise_line(ink, (left, 0, right, 140))
    assert line is not None
    own, darkness = strip_of([line], ink).layers
    beside = np.flatnonzero(own.any(axis=0))[[0, -1]] + [-3, 4]
    for side in (np.s_[:, : beside[0]], np.s_[:, beside[1] :]):
        assert not own[side].any()
        assert darkness[side].max() > 150


def test_a_strip_at_the_edge_of_its_image_is_whole() -> None:
    ink = np.zeros((40, 200), np.uint8)
    cv2.putText(ink, "77", (0, 38), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 255, 3)
    line = normalise_line(ink, (0, 0, 200, 40))
    assert line is not None
    own, darkness = strip_of([line], ink).layers
    assert own.shape == darkness.shape
    assert darkness[own > 200].min() > 60
