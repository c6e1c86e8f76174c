"""Whether a whole cheque is crossed out: by one long stroke, or by two that cross each other.

Two lines side by side are a crossing, which only says how the cheque is to be paid.
"""

from collections.abc import Iterator, Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.native.inking import component_stats, shrink
from service.pipeline.native.strokes import longest_path

# All is looked at in a page about so wide, where a stroke is a pixel or two thick.
_WIDTH: Final = 200
# Of a pixel there so much, of 255, is ink.
_INKED: Final = 40
# A stroke across the page: how much of its width and height it spans, or of its height alone.
_ACROSS: Final = (0.5, 0.3)
_DOWN: Final = 0.7
# It leans so much, in degrees: level and upright lines are those of a form. What of these is left
# in the ink is so long, in pixels.
_LEAN: Final = (8.0, 75.0)
_RULE: Final = 24
# It is no further off the line between its ends, of that line's length, or in pixels.
_BENT: Final = 0.03
_BENT_PIXELS: Final = 3.0
_SHORTEST: Final = 30
_STEP: Final = 6
# It is inked along so much, and so much at most is so far off it, in pixels.
_ALONG: Final = 0.94
_OFF: Final = 5.0
_MOST_OFF: Final = 0.4
# So much is inked along the other line of a crossing, so far off, in widths of the page; and so
# much of that line must be on the page.
_OTHER: Final = 0.58
_APART: Final = (0.02, 0.3)
_ON_PAGE: Final = 0.6
_AROUND: Final = np.ones((3, 3), np.uint8)


def is_crossed_out(ink: NDArray[np.uint8]) -> bool:
    """Whether a page is crossed out.

    ink: u8 [H, W], as in InkImage.
    """
    step = max(ink.shape[1] // _WIDTH, 1)
    height, width = ink.shape[0] // step, ink.shape[1] // step
    if not height or not width:
        return False
    solid = (shrink(ink, step) > _INKED).view(np.uint8)
    thick = np.asarray(cv2.dilate(solid, _AROUND), np.uint8)
    spans = component_stats(thick.view(np.bool_))[:, 2:4]
    if not any(_leads_across(span, (width, height)) for span in spans.tolist()):
        return False
    return any(_crosses_out(path, solid, thick) for path in _long_paths(solid))


def _leads_across(span: Sequence[int], size: tuple[int, int]) -> bool:
    """Whether what spans so much of a page is as long as a stroke across it; x, y in pixels."""
    wide, high = span[0] / size[0], span[1] / size[1]
    return (wide >= _ACROSS[0] and high >= _ACROSS[1]) or high >= _DOWN


def _long_paths(solid: NDArray[np.uint8]) -> Iterator[NDArray[np.int64]]:
    """The longest strokes of a page, u8 [H, W], 1 where inked, falling and rising, of those that
    are rather level and of those that are rather upright; i64 [P, 2], x, y of each pixel."""
    level, upright = (
        np.asarray(cv2.morphologyEx(solid, cv2.MORPH_OPEN, np.ones(shape, np.uint8)), np.uint8)
        for shape in ((1, _RULE), (_RULE, 1))
    )
    rest = solid & ~(level | upright)
    for rows in (rest, rest[::-1]):
        for turned in (False, True):
            path = _straight_part(longest_path(rows.T if turned else rows))
            path = path[:, ::-1] if turned else path
            yield path if rows is rest else np.array((0, len(rest) - 1)) + path * (1, -1)


def _straight_part(path: NDArray[np.int64]) -> NDArray[np.int64]:
    """The longest part of a path, [P, 2], that is hardly bent: its ends may follow writing."""
    count = len(path)
    for length in range(count, _SHORTEST, -_STEP):
        for first in range(0, count - length + 1, _STEP):
            part = path[first : first + length]
            start, way = part[0], part[-1] - part[0]
            off = np.abs((part - start) @ (way[1], -way[0])).max()
            chord = float(np.hypot(*way))
            if off <= max(_BENT * chord, _BENT_PIXELS) * chord:
                return part
    return path[:0]


def _crosses_out(
    path: NDArray[np.int64], solid: NDArray[np.uint8], thick: NDArray[np.uint8]
) -> bool:
    """Whether a path leads across a page, alone.

    path: i64 [P, 2], x, y of its pixels; solid: u8 [H, W], 1 where inked; thick: and next to that.
    """
    if len(path) < _SHORTEST:
        return False
    height, width = solid.shape
    way = path[-1] - path[0]
    lean = np.degrees(np.arctan2(*np.abs(way[::-1])))
    if not _leads_across(np.abs(way).tolist(), (width, height)) or not _LEAN[0] <= lean <= _LEAN[1]:
        return False
    across = np.array((-way[1], way[0])) / np.hypot(*way)

    def beside(inked: NDArray[np.uint8], off: float) -> float:
        return max(_share(inked, path + side * off * across) for side in (-1, 1))

    if _share(thick, path) < _ALONG or beside(solid, _OFF) > _MOST_OFF:
        return False
    near, far = (round(apart * width) for apart in _APART)
    return all(beside(thick, off) < _OTHER for off in range(max(near, 4), far))


def _share(inked: NDArray[np.uint8], places: NDArray[np.number]) -> float:
    """How much is inked at places, [P, 2], x and y in pixels: 0 where few are on the page."""
    x, y = np.rint(places).astype(np.int64).T
    seen = (x >= 0) & (y >= 0) & (x < inked.shape[1]) & (y < inked.shape[0])
    return float(inked[y[seen], x[seen]].mean()) if seen.mean() >= _ON_PAGE else 0.0
