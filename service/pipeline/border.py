"""Border search: where the cheque lies on a photographed table or a larger scanned page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.decode import shrink
from service.pipeline.levels import percentile

_SMALL: Final = 400
_LEVELS: Final = 9
_RING: Final = 0.012
_RING_CONTRAST: Final = 10.0
_MIN_AREA: Final = 0.10
_MAX_AREA: Final = 0.80
_ASPECT: Final = (1.55, 3.7)
# How much brighter than the table paper is, in levels or as a share of its own brightness, in the
# shade; how much darker; along how much of its sides together, and of each; how much is all.
_BRIGHTER: Final = 16.0
_BRIGHTER_SHARE: Final = 0.08
_DARKER: Final = 7.0
_SIDES_SHARE: Final = 0.85
_SIDE_SHARE: Final = 0.6
_WHOLE_SIDE: Final = 0.8
_AT_EDGE: Final = 0.012
_ALONG: Final = (0.06, 0.94)
_APART: Final = 0.3
_AGREE: Final = 0.4
_STEEP: Final = 0.45
_FAR_REACHES: Final = (12.0, 7.0)
_ROUGH_REACH: Final = 7.0
_FINE_REACH: Final = 2.5
_TILT: Final = 0.025
_PAGE_ASPECT: Final = (1.6, 3.6)
# What counts for an edge, as a share of the brightness, along how much of a side; how much of the
# contrast of print a stroke has; how much of it may be outside, per area; what is too little to
# tell; how far beyond the edge is cut; what is too dark to tell shares of.
_EDGE: Final = 0.02
_EDGE_SHARE: Final = 0.7
_OF_PRINT: Final = 0.5
_LEFT_OUT: Final = 0.03
_LEAST_SEEN: Final = 200
_GROWN: Final = 1.02
_DIM: Final = 20.0
_PRINT_CONTRAST: Final = 14.0
_PRINT_PAD: Final = 0.02

_Floats = NDArray[np.float64]
_Bytes = NDArray[np.uint8]
_Contour = NDArray[np.integer[Any] | np.floating[Any]]


@dataclass(frozen=True, slots=True)
class _Quad:
    """A candidate: corners f64 [4, 2] in turn, and whether the cheque is the brighter side."""

    corners: _Floats
    bright: bool


def find_border(grey: _Bytes) -> _Floats | None:
    """Corners of a cheque that lies on something of another brightness, or None.

    grey: u8 [H, W]. Returns f64 [4, 2] in pixels of grey (centres at whole numbers): the corners
    upper left, upper right, lower right, lower left of the cheque in landscape, turned the least
    from how it lies. None where the picture is the cheque: printed frames, security borders and
    tight crops have the same paper on both sides of the line, or leave too little outside it to
    be worth a cut.
    """
    factor = -(-max(grey.shape) // _SMALL)
    shaped = _PAGE_ASPECT[0] <= max(grey.shape) / min(grey.shape) <= _PAGE_ASPECT[1]
    if shaped and not _has_surroundings(grey, factor):
        return None
    small = shrink(grey, factor)
    smooth = np.asarray(cv2.GaussianBlur(small, (0, 0), 1.2), np.uint8)
    quads = _candidates(smooth)
    best = _clearest(smooth, quads) or _clearest(smooth, _moved(smooth, quads))
    if best is None:
        return _around_print(small, smooth, quads, factor)
    corners = _refine(smooth, best.corners, best.bright, _ROUGH_REACH)
    corners = _refine(grey, (corners + 0.5) * factor - 0.5, best.bright, _FINE_REACH * factor)
    corners = _landscape_order(corners)
    return corners if _is_cheque(corners, grey.shape) else None


def _around_print(
    small: _Bytes, smooth: _Bytes, quads: Sequence[_Quad], factor: int
) -> _Floats | None:
    """The largest quadrilateral with an edge all around that holds all print, in pixels of the
    picture; None where there is none.

    Paper on something as bright as itself shows its edge, or its printed frame, and no more.
    """
    strokes = _strokes(small)
    best: _Floats | None = None
    largest = 0.0
    for corners in (quad.corners for quad in quads):
        area = float(cv2.contourArea(corners.astype(np.float32)))
        if (
            area > largest
            and _is_cheque(_landscape_order(corners), small.shape)
            and _has_edges(smooth, corners)
            and _holds(strokes, corners)
        ):
            best, largest = corners, area
    if best is None:
        return None
    middle = best.mean(axis=0)
    return _landscape_order((middle + _GROWN * (best - middle) + 0.5) * factor - 0.5)


def _strokes(small: _Bytes) -> NDArray[np.float32]:
    """How much darker each pixel is than what lies around it, as a share of that; f32 [H, W]."""
    hat = cv2.morphologyEx(small, cv2.MORPH_BLACKHAT, np.ones((7, 7), np.uint8))
    around = cv2.blur(small.astype(np.float32), (15, 15))
    return np.asarray(hat / np.maximum(around, _DIM), np.float32)


def _has_edges(smooth: _Bytes, corners: _Floats) -> bool:
    """Whether brightness changes near most points of each side that is seen.

    smooth: u8 [H, W]; corners: f64 [4, 2] in its pixels.
    """
    across = np.stack(
        [cv2.blur(side, (1, 5)) for side in _profiles(smooth, corners, np.arange(-4.0, 5.0), 40)]
    )
    change = np.abs(np.diff(across, axis=2)).max(axis=2) / np.maximum(across.mean(axis=2), _DIM)
    seen = ~_open_sides(corners, smooth.shape)
    return bool((np.mean(change > _EDGE, axis=1)[seen] >= _EDGE_SHARE).all())


def _holds(strokes: NDArray[np.float32], corners: _Floats) -> bool:
    """Whether hardly any of a picture's strokes are outside of a quadrilateral.

    strokes: f32 [H, W] as of `_strokes`; corners: f64 [4, 2] in its pixels.
    """
    whole = np.zeros(strokes.shape, np.uint8)
    cv2.fillPoly(whole, [np.round(corners).astype(np.int32)], (1,))
    rim = np.ones((9, 9), np.uint8)
    inside = strokes[cv2.erode(whole, rim) > 0]
    outside = strokes[cv2.dilate(whole, rim) == 0]
    if len(inside) < _LEAST_SEEN or len(outside) < _LEAST_SEEN:
        return False
    least = _OF_PRINT * np.percentile(inside, 97)
    return float((outside > least).mean()) <= _LEFT_OUT * float((inside > least).mean())


def find_print(grey: _Bytes) -> tuple[int, int, int, int] | None:
    """Box of the printed part of a mostly blank page, such as a cheque on a scanner's bed.

    grey: u8 [H, W]. Returns left, top, right, bottom (half open, pixels of grey) with a little
    paper around, or None where the page has the shape of a cheque or its edges are not blank.
    """
    rows, columns = grey.shape
    if _PAGE_ASPECT[0] <= max(grey.shape) / min(grey.shape) <= _PAGE_ASPECT[1]:
        return None
    factor = -(-max(grey.shape) // _SMALL)
    small = shrink(grey, factor)
    paper = percentile(small, 80)
    dark = (small < paper - _PRINT_CONTRAST).astype(np.uint8)
    dark = np.asarray(cv2.medianBlur(dark, 3), np.uint8)
    down = np.flatnonzero(dark.sum(axis=1) >= 2)
    across = np.flatnonzero(dark.sum(axis=0) >= 2)
    if len(down) == 0 or len(across) == 0:
        return None
    pad = _PRINT_PAD * (across[-1] - across[0] + 1)
    left, right = max(0, round((across[0] - pad) * factor)), round((across[-1] + 1 + pad) * factor)
    top, bottom = max(0, round((down[0] - pad) * factor)), round((down[-1] + 1 + pad) * factor)
    right, bottom = min(columns, right), min(rows, bottom)
    width, height = right - left, bottom - top
    aspect = max(width, height) / max(1, min(width, height))
    if width * height > _MAX_AREA * rows * columns or not _ASPECT[0] <= aspect <= _ASPECT[1]:
        return None
    return left, top, right, bottom


def _has_surroundings(grey: _Bytes, factor: int) -> bool:
    """Whether at least two edges of the picture differ in brightness from its paper.

    It is looked at in blocks of factor x factor pixels, but no more of it than tells.
    """
    rows, columns = grey.shape[0] // factor, grey.shape[1] // factor
    band = max(2, round(_RING * max(rows, columns)))
    whole = grey[: rows * factor, : columns * factor]
    inner = whole[rows // 4 * factor :, columns // 4 * factor :]
    inner = inner[: (rows - 2 * (rows // 4)) * factor, : (columns - 2 * (columns // 4)) * factor]
    paper = percentile(shrink(inner, factor), 75)
    wide = band * factor
    edges = (whole[:wide], whole[-wide:], whole[:, :wide], whole[:, -wide:])
    values = np.array([percentile(shrink(edge, factor), 50) for edge in edges])
    if (np.abs(values - paper) > _RING_CONTRAST).sum() >= 2:
        return True
    # A small cheque may miss the middle; then it is the brightest thing on the table.
    dark = 2 * _RING_CONTRAST
    if (float(whole.max()) - values > dark).sum() < 2:
        return False
    brightest = percentile(shrink(whole, factor)[::2, ::2], 92)
    return bool((brightest - values > dark).sum() >= 2)


def _candidates(smooth: _Bytes) -> list[_Quad]:
    """Quadrilaterals around the large bright and dark regions, at several brightness levels."""
    low, high = np.percentile(smooth, (2, 97))
    size = max(5, round(0.03 * max(smooth.shape))) | 1
    kernel = np.ones((size, size), np.uint8)
    quads: list[_Quad] = []
    for level in np.linspace(low, high, _LEVELS + 2)[1:-1]:
        light = (smooth > level).astype(np.uint8)
        for bright in (True, False):
            region = cv2.morphologyEx(light if bright else 1 - light, cv2.MORPH_CLOSE, kernel)
            if not bright:
                region = cv2.morphologyEx(region, cv2.MORPH_OPEN, kernel)
            contours, _ = cv2.findContours(region, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
            quads += _quads(contours, smooth.size, (bright,))
    # Light that falls off across the table defeats every level; the edge itself is still there.
    edges = cv2.dilate(cv2.Canny(smooth, 12, 36), np.ones((3, 3), np.uint8))
    contours, _ = cv2.findContours(edges, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    return quads + _quads(contours, smooth.size, (True, False))


def _quads(contours: Sequence[_Contour], size: int, polarities: tuple[bool, ...]) -> list[_Quad]:
    """The quadrilaterals among the large contours of an image of `size` px."""
    quads = []
    for contour in contours:
        if cv2.contourArea(contour) >= _MIN_AREA * size:
            corners = _four_corners(contour)
            if corners is not None:
                quads += [_Quad(corners, bright) for bright in polarities]
    return quads


def _four_corners(contour: _Contour) -> _Floats | None:
    """The quadrilateral that a region fills, f64 [4, 2], or None where it fills none."""
    hull = cv2.convexHull(contour)
    area = cv2.contourArea(hull)
    around = cv2.arcLength(hull, True)
    for share in (0.015, 0.025, 0.04, 0.06):
        shape = cv2.approxPolyDP(hull, share * around, True)
        if len(shape) == 4 and cv2.contourArea(shape) > 0.9 * area:
            return np.asarray(shape, np.float64).reshape(4, 2)
    box = cv2.boxPoints(cv2.minAreaRect(hull))
    return np.asarray(box, np.float64) if area > 0.9 * cv2.contourArea(box) else None


def _sides(corners: _Floats) -> tuple[_Floats, _Floats, _Floats]:
    """Starts, ends and outward unit normals of the four sides, each f64 [4, 2]."""
    ends = np.roll(corners, -1, axis=0)
    along = ends - corners
    normals = np.stack((along[:, 1], -along[:, 0]), axis=1)
    normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
    inward = ((corners.mean(axis=0) - corners) * normals).sum(axis=1) > 0
    normals[inward] *= -1
    return corners, ends, normals


def _profiles(grey: _Bytes, corners: _Floats, offsets: _Floats, count: int) -> NDArray[np.float32]:
    """Brightness across each side, f32 [4, count, offsets]; offsets in px, positive outside."""
    starts, ends, normals = _sides(corners)
    share = np.linspace(*_ALONG, count)[None, :, None]
    points = starts[:, None] * (1 - share) + ends[:, None] * share
    samples = points[:, :, None] + normals[:, None, None] * offsets[None, None, :, None]
    maps = samples.reshape(4 * count, len(offsets), 2).astype(np.float32)
    values = cv2.remap(
        grey, maps[..., 0], maps[..., 1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(values, np.float32).reshape(4, count, len(offsets))


def _open_sides(corners: _Floats, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Which sides run along the picture's own edge, so that nothing is seen outside them."""
    starts, ends, _ = _sides(corners)
    near = _AT_EDGE * max(shape)
    limits = np.array([shape[1] - 1, shape[0] - 1], np.float64)
    low = (starts < near) & (ends < near)
    high = (starts > limits - near) & (ends > limits - near)
    return np.asarray((low | high).any(axis=1))


def _clearest(smooth: _Bytes, quads: Sequence[_Quad]) -> _Quad | None:
    """The quadrilateral whose paper differs most clearly from what lies outside."""
    margins = [_margin(smooth, quad) for quad in quads]
    best = int(np.argmax(margins)) if margins else 0
    return quads[best] if margins and margins[best] > 0 else None


def _moved(smooth: _Bytes, quads: Sequence[_Quad]) -> list[_Quad]:
    """The quadrilaterals like a cheque, their sides moved to the steepest step near them.

    Where the paper is curved or a shadow crosses a corner, none that a region fills lies well.
    """
    moved = []
    for quad in quads:
        if _is_cheque(_landscape_order(quad.corners), smooth.shape):
            corners = quad.corners
            for reach in _FAR_REACHES:
                corners = _refine(smooth, corners, quad.bright, reach)
            moved.append(_Quad(corners, quad.bright))
    return moved


def _margin(smooth: _Bytes, quad: _Quad) -> float:
    """How clearly the cheque's paper differs from what lies outside; 0 where it does not.

    The lightest of several depths is taken, so that a printed frame neither hides the paper behind
    it nor passes for a table.
    """
    if not _is_cheque(_landscape_order(quad.corners), smooth.shape):
        return 0.0
    depth = np.array([3.0, 6.0, 9.0, 13.0])
    inside = _profiles(smooth, quad.corners, -depth, 40).max(axis=2)
    outside = _profiles(smooth, quad.corners, depth, 40)
    # Averaged along the side: the grain of a table is short, a strip of paper is not.
    outside = np.stack([cv2.blur(side, (1, 7)) for side in outside])
    outside = outside.max(axis=2) if quad.bright else outside[:, :, :2].mean(axis=2)
    step = inside - outside if quad.bright else outside - inside
    least = np.minimum(_BRIGHTER, _BRIGHTER_SHARE * inside) if quad.bright else _DARKER
    closed = ~_open_sides(quad.corners, smooth.shape)
    if closed.sum() < 2:
        return 0.0
    shares = np.mean(step > least, axis=1)[closed]
    if shares.min() < _SIDE_SHARE or shares.mean() < _SIDES_SHARE:
        return 0.0
    weakest = float(np.median(step[closed], axis=1).min())
    # Sides that are seen beat sides that are taken from the picture's edge, and whole ones parts.
    return weakest + 256.0 * (float(closed.sum()) + min(float(shares.min()), _WHOLE_SIDE))


def _refine(grey: _Bytes, corners: _Floats, bright: bool, reach: float) -> _Floats:
    """Move each side to the steepest step within `reach` px of it, and cross the sides anew."""
    half = int(np.ceil(reach))
    offsets = np.arange(-half, half + 1, dtype=np.float64)
    profiles = _profiles(grey, corners, offsets, 40)
    # Nothing counts beyond the paper inside and the table outside: print is darker than both.
    levels = (
        np.median(profiles[:, :, :half], axis=(1, 2)),
        np.median(profiles[:, :, half + 1 :], axis=(1, 2)),
    )
    limits = np.sort(levels, axis=0)[:, :, None, None]
    profiles = np.clip(profiles, limits[0], limits[1])
    share = np.linspace(*_ALONG, 40)
    width = max(1, half // 3)
    kernel = np.repeat((1.0, -1.0), width).astype(np.float32)[None] / width
    steps = cv2.filter2D(profiles.reshape(-1, len(offsets)), cv2.CV_32F, -kernel)
    steps = steps.reshape(profiles.shape) * (-1 if bright else 1)
    steps[:, :, :width] = steps[:, :, len(offsets) - width :] = 0
    starts, ends, normals = _sides(corners)
    fixed = _open_sides(corners, grey.shape)
    lines = []
    for side in range(4):
        a, b = starts[side], ends[side]
        if not fixed[side]:
            found = offsets[_outermost(steps[side])] - 0.5
            first, last = _fit(share, found, max(0.75, 0.1 * reach))
            a, b = a + normals[side] * first, b + normals[side] * last
        lines.append(np.cross((*a, 1.0), (*b, 1.0)))
    crossed = np.array([np.cross(lines[side - 1], lines[side]) for side in range(4)])
    if (np.abs(crossed[:, 2]) < 1e-9).any():
        return corners
    crossed = crossed[:, :2] / crossed[:, 2:]
    moved = np.linalg.norm(crossed - corners, axis=1).max()
    return crossed if moved < 6 * reach else corners


def _outermost(steps: NDArray[np.float32]) -> NDArray[np.intp]:
    """Index of the outermost steep peak in each row: a printed frame farther in has one too."""
    peak = steps > _STEEP * steps.max(axis=1, keepdims=True)
    peak[:, 1:] &= steps[:, 1:] >= steps[:, :-1]
    peak[:, :-1] &= steps[:, :-1] >= steps[:, 1:]
    return np.asarray(steps.shape[1] - 1 - peak[:, ::-1].argmax(axis=1), np.intp)


def _fit(share: _Floats, offset: _Floats, near: float) -> tuple[float, float]:
    """Offsets at both ends of the line that most of the (share, offset) points agree on.

    Every pair of points that lie far enough apart proposes a line; (0, 0), the side as it was,
    where no line has two fifths of the points within `near`.
    """
    first, second = np.nonzero(share[None, :] - share[:, None] > _APART)
    slope = (offset[second] - offset[first]) / (share[second] - share[first])
    rest = offset[None] - offset[first, None] - slope[:, None] * (share[None] - share[first, None])
    agree = np.abs(rest) <= near
    best = agree[int(agree.sum(axis=1).argmax())]
    if best.mean() < _AGREE:
        return 0.0, 0.0
    slope, base = np.polyfit(share[best], offset[best], 1)
    return float(base), float(base + slope)


def _landscape_order(corners: _Floats) -> _Floats:
    """Corners clockwise as seen, from the upper left one of the landscape cheque."""
    centre = corners.mean(axis=0)
    turn = np.argsort(np.arctan2(corners[:, 1] - centre[1], corners[:, 0] - centre[0]))
    ordered = corners[turn]
    lengths = np.linalg.norm(np.roll(ordered, -1, axis=0) - ordered, axis=1)
    first = int(lengths[0] + lengths[2] < lengths[1] + lengths[3])
    tops = [np.roll(ordered, -(first + 2 * k), axis=0) for k in range(2)]
    # Of the two landscape ways to hold it, the one whose top edge runs more to the right; a cheque
    # that lies exactly upright on its side is turned clockwise.
    return max(tops, key=lambda c: round(float(c[1, 0] - c[0, 0]), 3))


def _is_cheque(corners: _Floats, shape: tuple[int, ...]) -> bool:
    """Whether four corners in landscape order bound something like a cheque, worth cutting out."""
    if not cv2.isContourConvex(corners.astype(np.float32)):
        return False
    lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    across, down = (lengths[0] + lengths[2]) / 2, (lengths[1] + lengths[3]) / 2
    if down <= 0 or not _ASPECT[0] <= across / down <= _ASPECT[1]:
        return False
    if max(lengths[0], lengths[2]) > 1.8 * min(lengths[0], lengths[2]):
        return False
    if max(lengths[1], lengths[3]) > 1.8 * min(lengths[1], lengths[3]):
        return False
    area = float(cv2.contourArea(corners.astype(np.float32))) / float(shape[0] * shape[1])
    if area < _MIN_AREA:
        return False
    if area < _MAX_AREA:
        return True
    # With little around it, only a cheque that is turned as a whole is told from a printed frame.
    along = np.roll(corners, -1, axis=0) - corners
    across_axis = along[np.arange(4), [1, 0, 1, 0]] * [1, -1, -1, 1]
    tilt = across_axis / lengths
    return area < 0.97 and bool((tilt > _TILT).all() or (tilt < -_TILT).all())
