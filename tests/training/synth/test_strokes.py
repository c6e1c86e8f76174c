"""The pen: widths, places and shapes of what it draws."""

import cv2
import numpy as np
import pytest

from training.synth.strokes import (
    Pen,
    draw_mask,
    draw_strokes,
    mask_glyph,
    pen_glyph,
    sample_pen,
)

PLAIN = Pen(width=4.0, pressure=0.0, speed=0.0, taper=0.0)


def line(*points: tuple[float, float]) -> np.ndarray:
    return np.array(points, np.float32)


def upright(height: float) -> tuple[np.ndarray, tuple[int, ...]]:
    y = np.linspace(0, height, 20)
    points = np.stack([np.zeros(20), y, np.full(20, 0.4)], axis=1).astype(np.float32)
    return points, (0,)


@pytest.mark.parametrize("width", [1.5, 3.0, 5.0])
def test_a_stroke_is_as_wide_as_its_pen(width: float) -> None:
    points, starts = upright(30.0)
    pen = Pen(width, pressure=0.0, speed=0.0, taper=0.0)
    coverage, left, top = draw_strokes(np.random.default_rng(0), points, starts, pen)
    middle = coverage[15 - top].astype(float) / 255
    assert middle.sum() == pytest.approx(width, abs=0.4)
    centre = (middle * np.arange(len(middle))).sum() / middle.sum() + left + 0.5
    assert centre == pytest.approx(0.0, abs=0.4)


def test_a_patch_knows_its_place() -> None:
    points, starts = upright(20.0)
    one = draw_strokes(np.random.default_rng(0), points, starts, PLAIN)
    moved = points + np.array([7, -40, 0], np.float32)
    two = draw_strokes(np.random.default_rng(0), moved, starts, PLAIN)
    assert (two[1] - one[1], two[2] - one[2]) == (7, -40)
    np.testing.assert_array_equal(one[0], two[0])
    assert not one[0][0].any()
    assert not one[0][:, 0].any()


def test_a_point_is_a_dot_of_the_pens_width() -> None:
    points = np.array([[5, 5, 0.3]], np.float32)
    coverage, _, _ = draw_strokes(np.random.default_rng(0), points, (0,), PLAIN)
    assert float(coverage.sum()) / 255 == pytest.approx(np.pi * 4.0, rel=0.3)


def test_skips_take_ink_away() -> None:
    points, starts = upright(40.0)
    wet = draw_strokes(np.random.default_rng(1), points, starts, PLAIN)[0]
    dry = Pen(4.0, pressure=0.0, speed=0.0, taper=0.0, skips=1.0)
    assert draw_strokes(np.random.default_rng(1), points, starts, dry)[0].sum() < wet.sum()


def test_recorded_strokes_stand_on_the_baseline_one_high() -> None:
    glyph = pen_glyph((line((100, 50), (140, 250)), line((90, 150), (150, 150))))
    assert glyph.points[:, 1].min() == pytest.approx(-1.0, abs=0.02)
    assert glyph.points[:, 1].max() == 0.0
    assert np.ptp(glyph.points[:, 0]) == pytest.approx(0.3, abs=0.02)
    assert len(glyph.starts) == 2
    assert glyph.points[:, 2].min() >= 0.0


def test_a_dash_stays_flat_and_a_dot_is_a_point() -> None:
    dash = pen_glyph((line((0, 0), (50, 1), (100, 0)),))
    assert np.ptp(dash.points[:, 1]) < 0.1
    dot = pen_glyph((line((3, 3), (3, 3)),))
    assert len(dot.points) == 1
    with pytest.raises(ValueError, match="points"):
        pen_glyph((np.zeros((0, 2), np.float32),))


def test_quantised_strokes_become_smooth() -> None:
    angle = np.linspace(0, 2 * np.pi, 80)
    circle = np.stack([np.round(9 * np.cos(angle)), np.round(9 * np.sin(angle))], axis=1)
    glyph = pen_glyph((circle.astype(np.float32),))
    way = np.diff(glyph.points[:, :2], axis=0)
    turns = np.abs(np.diff(np.unwrap(np.arctan2(way[:, 1], way[:, 0]))))
    assert turns.max() < np.pi / 4


@pytest.mark.parametrize("width", [2.0, 4.0, 6.0])
def test_a_bitmap_takes_the_pens_width(width: float) -> None:
    image = np.zeros((28, 28), np.uint8)
    cv2.line(image, (14, 4), (14, 23), 255, 3)
    glyph = mask_glyph(image)
    assert glyph is not None
    matrix = np.array([[40, 0, 0], [0, 40, 0]], np.float32)
    coverage, _, top = draw_mask(glyph, matrix, Pen(width))
    own = glyph.width
    wide = float(coverage[-20 - top].sum()) / 255
    assert wide == pytest.approx(own + 0.85 * (width - own), abs=0.9)
    rows = np.flatnonzero(coverage.max(axis=1) > 128)
    assert rows[-1] + top == pytest.approx(0, abs=6)


def test_thin_bitmaps_do_not_break() -> None:
    image = np.zeros((64, 64), np.uint8)
    cv2.ellipse(image, (32, 32), (14, 22), 0, 0, 360, 90, 2, cv2.LINE_AA)
    glyph = mask_glyph(image)
    assert glyph is not None
    coverage, _, _ = draw_mask(glyph, np.array([[30, 0, 0], [0, 30, 0]], np.float32), Pen(1.0))
    parts, _ = cv2.connectedComponents((coverage > 64).astype(np.uint8))
    assert parts == 2  # paper and one ring


def test_a_blank_bitmap_is_no_glyph() -> None:
    assert mask_glyph(np.zeros((28, 28), np.uint8)) is None


def test_pens_are_as_wide_as_pens_are() -> None:
    rng = np.random.default_rng(3)
    widths = np.array([sample_pen(rng, 32.0).width for _ in range(400)])
    assert 2.0 < np.median(widths) < 4.0
    assert widths.min() >= 1.0
    assert widths.max() < 9.0
