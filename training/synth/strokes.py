"""Pen strokes and glyph bitmaps drawn with one pen model.

Two kinds of glyph, one look: strokes are drawn as runs of round-nibbed line, bitmaps are kept as
signed distances to their outline, so that moving the outline gives them the same pen's width.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Coverage = NDArray[np.uint8]

SDF_HEIGHT = 40
SDF_PAD = 4
_SDF_UNIT = 8.0
_OVERSAMPLE = 4
_SHIFT = 3
_SPACING = 0.05
_TAPERED = 6
_FAINT = 78
_NEAR = np.ones((3, 3), np.uint8)


@dataclass(frozen=True, slots=True)
class Pen:
    """One pen in one hand.

    width: stroke width, px.
    pressure: how much the width wanders along a stroke, as a share of it.
    speed: how much thinner the fastest parts are, as a share of the width.
    taper: how much thinner a stroke begins and ends, as a share of the width.
    ink: coverage of a full stroke, 0 to 1.
    fade: how much the ink wanders over the amount, 0 to 1.
    skips: chance that a stroke skips for a moment, as a dry ballpoint does.
    """

    width: float
    pressure: float = 0.1
    speed: float = 0.1
    taper: float = 0.1
    ink: float = 1.0
    fade: float = 0.1
    skips: float = 0.0


@dataclass(frozen=True, slots=True)
class PenGlyph:
    """Strokes in units of the digit height: y = 0 is the baseline, y = -1 the top of a digit.

    points: f32 [n, 3] of x, y (downward) and pen speed (0 slow to 1 fast).
    starts: first point of each stroke.
    """

    points: Floats
    starts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MaskGlyph:
    """A bitmap as signed distance to its outline, its ink SDF_HEIGHT rows high, SDF_PAD around.

    distance: i8 [h, w], eighths of a pixel, positive inside.
    width: its own stroke width, px of the same frame.
    core: how far its outline may move inwards before thin strokes break, px of the same frame.
    """

    distance: NDArray[np.int8]
    width: float
    core: float


Glyph = PenGlyph | MaskGlyph


def sample_pen(rng: np.random.Generator, height: float) -> Pen:
    """A ballpoint, gel pen, fountain pen or felt tip for digits of that height, px."""
    kind = rng.random()
    if kind < 0.5:
        width = float(np.exp(rng.normal(np.log(0.097), 0.22)))
        return Pen(
            width=max(1.1, width * height),
            pressure=rng.uniform(0.05, 0.22),
            speed=rng.uniform(0.0, 0.25),
            taper=rng.uniform(0.0, 0.35),
            ink=rng.uniform(0.8, 1.0),
            fade=rng.uniform(0.05, 0.4),
            skips=rng.choice([0.0, 0.0, 0.04, 0.15]),
        )
    if kind < 0.85:
        width = float(np.exp(rng.normal(np.log(0.116), 0.2)))
        return Pen(
            width=max(1.2, width * height),
            pressure=rng.uniform(0.03, 0.3),
            speed=rng.uniform(0.0, 0.35),
            taper=rng.uniform(0.0, 0.45),
            ink=rng.uniform(0.85, 1.0),
            fade=rng.uniform(0.0, 0.3),
        )
    width = float(np.exp(rng.normal(np.log(0.142), 0.18)))
    return Pen(
        width=max(1.4, width * height),
        pressure=rng.uniform(0.02, 0.1),
        speed=rng.uniform(0.0, 0.1),
        taper=rng.uniform(0.0, 0.1),
        ink=rng.uniform(0.9, 1.0),
        fade=rng.uniform(0.0, 0.15),
    )


def pen_glyph(strokes: tuple[Floats, ...]) -> PenGlyph:
    """Smooth and resample recorded strokes, scale them to height 1 standing on the baseline.

    strokes: f32 [points, 2] each, y downward, any units, as recorded (quantised, uneven speed).
    Flat or tiny writing is scaled by its larger side, so that a dash stays a dash.
    Raises ValueError where there is no point at all.
    """
    if not any(len(s) for s in strokes):
        raise ValueError("no pen points")
    joined = np.concatenate(strokes)
    low, high = joined.min(axis=0), joined.max(axis=0)
    size = max(float(high[1] - low[1]), 0.25 * float(high[0] - low[0]), 1e-6)
    return pen_line(strokes, size)


def pen_line(strokes: tuple[Floats, ...], size: float) -> PenGlyph:
    """Smooth and resample recorded strokes in units of ``size``, their lowest point at y = 0.

    strokes as pen_glyph takes them; the leftmost point comes to x = 0. Raises ValueError where
    there is no point at all.
    """
    if not any(len(s) for s in strokes):
        raise ValueError("no pen points")
    low = np.concatenate(strokes).min(axis=0)
    pieces = [_resample((s - low) / size) for s in strokes if len(s)]
    points = np.concatenate(pieces)
    points[:, 1] -= points[:, 1].max()
    starts = np.cumsum([0, *(len(p) for p in pieces[:-1])])
    return PenGlyph(points=points, starts=tuple(int(s) for s in starts))


def _resample(stroke: Floats) -> Floats:
    """f32 [n, 3]: the stroke smoothed, at even spacing, with its speed."""
    steps = np.hypot(*np.diff(stroke, axis=0).T) if len(stroke) > 1 else np.zeros(0, np.float32)
    keep = np.concatenate([[True], steps > 1e-4])
    stroke, steps = stroke[keep], steps[keep[1:]]
    if len(stroke) < 2:
        return np.array([[stroke[0, 0], stroke[0, 1], 0.3]], np.float32)
    passes = 3 if float(steps.mean()) < 0.04 else 1
    for _ in range(passes if len(stroke) > 4 else 0):
        inner = 0.25 * (stroke[:-2] + stroke[2:]) + 0.5 * stroke[1:-1]
        stroke = np.concatenate([stroke[:1], inner, stroke[-1:]])
    way = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(stroke, axis=0).T))])
    count = max(2, int(way[-1] / _SPACING) + 1)
    at = np.linspace(0.0, way[-1], count)
    pace = steps / max(float(np.sort(steps)[int(0.95 * len(steps))]), 1e-6)
    speed = np.interp(at, way, np.concatenate([pace[:1], pace]))
    columns = [np.interp(at, way, stroke[:, 0]), np.interp(at, way, stroke[:, 1])]
    return np.stack([*columns, np.clip(speed, 0, 1)], axis=1).astype(np.float32)


def mask_glyph(image: Coverage, aspect: float | None = None) -> MaskGlyph | None:
    """A bitmap glyph from ink 255 on 0; None where the image holds no ink.

    aspect: width by height to give it, where its own was lost.
    """
    image = _stretched(image)
    ink = image > _FAINT
    rows, columns = np.flatnonzero(ink.any(axis=1)), np.flatnonzero(ink.any(axis=0))
    if len(rows) == 0:
        return None
    crop = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = SDF_HEIGHT / max(crop.shape[0], 0.25 * crop.shape[1])
    high = max(2, round(crop.shape[0] * scale))
    wide = max(2, round(crop.shape[1] * scale if aspect is None else high * aspect))
    how = cv2.INTER_CUBIC if scale > 1 else cv2.INTER_AREA
    large = cv2.resize(crop, (wide, high), interpolation=how)
    large = cv2.copyMakeBorder(large, *(SDF_PAD,) * 4, cv2.BORDER_CONSTANT)
    large = cv2.GaussianBlur(large, (0, 0), max(0.6, 0.45 * scale))
    mask = (large > _FAINT).astype(np.uint8)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 5)
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 5)
    ridge = np.sort(inside[(inside >= cv2.dilate(inside, _NEAR)) & (mask > 0)])
    if len(ridge) == 0:
        return None
    # Distances are from pixel centre to pixel centre; the outline lies half way between.
    signed = inside - outside - np.where(mask, 0.5, -0.5)
    distance = np.clip(signed * _SDF_UNIT, -127, 127).astype(np.int8)
    thin, usual = float(ridge[len(ridge) // 5]), float(ridge[len(ridge) // 2])
    return MaskGlyph(distance, width=2.0 * usual - 0.5, core=max(0.0, thin - 0.8))


def _stretched(image: Coverage) -> Coverage:
    """The image with its paper at 0 and its ink at 255, specks removed."""
    levels = np.sort(image, axis=None)
    paper = float(levels[len(levels) // 4]) + 8.0
    ink = max(float(levels[-max(1, len(levels) // 33)]), paper + 24.0)
    image = np.clip((image - paper) * (255.0 / (ink - paper)), 0, 255).astype(np.uint8)
    count, labels, stats, _ = cv2.connectedComponentsWithStats((image > _FAINT).view(np.uint8))
    if count > 2:
        areas = stats[:, cv2.CC_STAT_AREA]
        keep = areas >= 0.04 * areas[1:].max()
        keep[0] = True
        image = image * keep[labels].astype(np.uint8)
    return image


def draw_strokes(
    rng: np.random.Generator, points: Floats, starts: tuple[int, ...], pen: Pen
) -> tuple[Coverage, int, int]:
    """Draw strokes that are already in pixels.

    points: f32 [n, 3] of x, y (px, downward) and speed; starts: first point of each stroke.
    Returns (coverage u8 [h, w], left, top): the patch's place in the points' frame.
    """
    edge = pen.width * (1.0 + pen.pressure) + 1.5
    left, top = (int(v) for v in np.floor(points[:, :2].min(axis=0) - edge))
    right, bottom = (int(v) for v in np.floor(points[:, :2].max(axis=0) + edge))
    canvas = np.zeros(
        ((bottom - top + 1) * _OVERSAMPLE, (right - left + 1) * _OVERSAMPLE), np.uint8
    )
    fixed = float(_OVERSAMPLE << _SHIFT)
    place = ((points[:, :2] - np.array([left, top], np.float32)) * fixed).astype(np.int32)
    thick = _thickness(rng, points, starts, pen)
    ends = (*starts[1:], len(points))
    for start, end in zip(starts, ends, strict=True):
        changes = np.flatnonzero(np.diff(thick[start:end])) + start + 1
        run = start
        for stop in [*changes.tolist(), end]:
            line = place[max(start, run - 1) : stop]
            if len(line) == 1:
                line = np.concatenate([line, line + 1])
            cv2.polylines(canvas, [line], False, 255, int(thick[run]), cv2.LINE_8, _SHIFT)
            run = stop
        if pen.skips and rng.random() < pen.skips and end - start > 6:
            _skip(rng, canvas, place[start:end], int(thick[start]))
    size = (canvas.shape[1] // _OVERSAMPLE, canvas.shape[0] // _OVERSAMPLE)
    small = cv2.resize(canvas, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), left, top


def _thickness(
    rng: np.random.Generator, points: Floats, starts: tuple[int, ...], pen: Pen
) -> NDArray[np.int32]:
    """Line thickness at every point, px of the oversampled canvas."""
    count = len(points)
    knots = rng.normal(0.0, 1.0, count // 6 + 2).astype(np.float32)
    wander = np.interp(np.arange(count) / 6.0, np.arange(len(knots)), knots)
    share = 1.0 + 0.5 * pen.pressure * wander - pen.speed * (points[:, 2] - 0.4)
    for start, end in zip(starts, (*starts[1:], count), strict=True):
        if end - start > _TAPERED:
            share[start : start + 2] *= 1.0 - pen.taper
            share[end - 1] *= 1.0 - pen.taper
    exact = np.maximum(share, 0.35) * pen.width * _OVERSAMPLE
    return np.maximum(1, np.rint(exact)).astype(np.int32)


def _skip(rng: np.random.Generator, canvas: Coverage, line: NDArray[np.int32], thick: int) -> None:
    """Lift the ink of a few points, fully or in part, along one edge of the line."""
    first = int(rng.integers(0, len(line) - 3))
    part = line[first : first + int(rng.integers(2, 5))]
    aside = rng.integers(-thick, thick + 1, 2) << (_SHIFT - 1)
    value = int(rng.integers(0, 160))
    cv2.polylines(
        canvas,
        [part + aside.astype(np.int32)],
        False,
        value,
        max(1, thick // 2),
        cv2.LINE_8,
        _SHIFT,
    )


def draw_mask(glyph: MaskGlyph, matrix: Floats, pen: Pen) -> tuple[Coverage, int, int]:
    """Draw a bitmap glyph with the pen's width.

    matrix: f32 [2, 3], from the units of PenGlyph (baseline 0, top -1) to pixels.
    Returns (coverage u8 [h, w], left, top), as draw_strokes does.
    """
    high, wide = glyph.distance.shape
    unit = 1.0 / SDF_HEIGHT
    base = high - SDF_PAD
    to_unit = np.array([[unit, 0, -SDF_PAD * unit], [0, unit, -base * unit], [0, 0, 1]], np.float32)
    whole = matrix @ to_unit
    corners = whole @ np.array([[0, wide, 0, wide], [0, 0, high, high], [1, 1, 1, 1]], np.float32)
    left, top = (int(v) for v in np.floor(corners.min(axis=1)))
    right, bottom = (int(v) for v in np.ceil(corners.max(axis=1)))
    whole[:, 2] -= np.array([left, top], np.float32)
    size = (max(1, right - left), max(1, bottom - top))
    signed = cv2.warpAffine(
        glyph.distance.astype(np.float32),
        whole,
        size,
        flags=cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=-127,
    )
    # What is no distance would overflow the cast below.
    signed = np.clip(np.nan_to_num(signed, nan=-127.0), -127.0, 127.0)
    scale = float(np.sqrt(abs(whole[0, 0] * whole[1, 1] - whole[0, 1] * whole[1, 0])))
    own = glyph.width * scale
    shift = float(np.clip(0.42 * (pen.width - own), -glyph.core * scale, (SDF_PAD - 1) * scale))
    covered = signed * (255.0 * scale / _SDF_UNIT) + 255.0 * (0.5 + shift)
    return np.clip(covered, 0, 255).astype(np.uint8), left, top
