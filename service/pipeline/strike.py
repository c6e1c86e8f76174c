"""Whether an amount is struck out: one line runs through all of its characters.

Such an amount may read as surely as any other. But characters leave gaps between them at every
height, and the line of a form runs below their middle. The line that strikes an amount out may have
been taken out of its ink with the ruled lines: then it is in what was dark before.
"""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.doubts import line_of
from service.pipeline.ink import InkImage
from service.pipeline.levels import percentile
from service.pipeline.native.strokes import is_run_through

_SOLID: Final = 60
# So dark, of what strokes are, is what was part of a stroke or of a line.
_AS_DARK: Final = 0.6
# A line is looked for whose middle is in these rows of the amount, in its heights.
_ROWS: Final = (0.22, 0.72)
# Along the tops of the characters it goes on so far at either side, in heights; a form's line goes
# on farther.
_TOP_ROWS: Final = (0.0, 0.22)
_ON: Final = 0.25
_FARTHER: Final = 1.5
# Its ends are left out, of this width in heights.
_ENDS: Final = 0.3
_FEWEST: Final = 3
# What stands so far apart, in heights, may have been struck out by a line of its own.
_APART: Final = 0.6
# Of two characters it stands out so far at either side, in heights, where nothing else is higher
# than this.
_BEYOND: Final = 0.2
_ALONE: Final = 0.35
_HEIGHT: Final = 32


def is_struck(ink: InkImage, boxes: NDArray[np.floating]) -> bool:
    """Whether a line runs through an amount from its first character to its last.

    boxes: [S, 4] of its symbols in pixels of ink. The bars of two may make a line: it strikes them
    out where it begins before the first and ends behind the second. Of one nothing is said. Where
    cents stand in a cell of their own a line through the figures before them is enough.
    """
    if len(boxes) < 2:
        return False
    return any(_are_struck(ink, part) for part in (boxes, *_parts(boxes)))


def _parts(boxes: NDArray[np.floating]) -> list[NDArray[np.floating]]:
    """The symbols, [S, 4], one at least, parted at wide gaps; those parts that hold enough."""
    size, _, _ = line_of(boxes)
    right = np.maximum.accumulate(boxes[:, 2])
    wide = np.flatnonzero(boxes[1:, 0] - right[:-1] > _APART * size) + 1
    return [part for part in np.split(boxes, wide) if _FEWEST <= len(part) < len(boxes)]


def _are_struck(ink: InkImage, boxes: NDArray[np.floating]) -> bool:
    """Whether a line runs through symbols, [S, 4] in pixels of ink, two at least."""
    few = len(boxes) < _FEWEST
    size, top, _ = line_of(boxes)
    left, right = float(boxes[:, 0].min()), float(boxes[:, 2].max())
    ends = 0.0 if few else _ENDS * size
    part = _part_of(left + ends, right - ends, top, size)
    zone, darkness = ink.ink[part], ink.darkness[part]
    strokes = darkness[zone > _SOLID]
    if not len(strokes) or right - left - 2 * ends < 1.5 * size:
        return False
    if few and not _stands_out(zone):
        return False
    least = int(_AS_DARK * percentile(strokes[None], 50))
    if _is_crossed(zone, _ROWS) or _is_crossed(_solid(darkness > least), _ROWS):
        return True

    def goes_on(before: float, behind: float) -> bool:
        part = _part_of(left - before * size, right + behind * size, top, size)
        return _is_crossed(_solid(ink.darkness[part] > least), _TOP_ROWS)

    return bool(
        not few and goes_on(_ON, _ON) and not goes_on(_FARTHER, 0.0) and not goes_on(0.0, _FARTHER)
    )


def _part_of(left: float, right: float, top: float, size: float) -> tuple[slice, slice]:
    """The rows and columns from left to right, so high, that are on the page; all in pixels."""
    edges = (round(top), round(top + size)), (round(left), round(right))
    rows, columns = (slice(max(0, first), max(0, last)) for first, last in edges)
    return rows, columns


def _stands_out(zone: NDArray[np.uint8]) -> bool:
    """Whether there is a single low stroke at either side of a zone, u8 [H, W]."""
    height = len(zone)
    wide = max(round(_BEYOND * height), 1)
    for side in (zone[:, :wide], zone[:, -wide:]):
        rows = np.flatnonzero((side > _SOLID).any(axis=1))
        if not len(rows) or rows[-1] - rows[0] >= _ALONE * height:
            return False
    return True


def _solid(dark: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return dark.view(np.uint8) * np.uint8(255)


def _is_crossed(zone: NDArray[np.uint8], within: tuple[float, float]) -> bool:
    """Whether a line runs through a zone, u8 [H, W], from side to side.

    within: between which rows, of 1, it is in the middle.
    """
    scale = _HEIGHT / zone.shape[0]
    width = max(round(zone.shape[1] * scale), 1)
    small = cv2.resize(zone, (width, _HEIGHT), interpolation=cv2.INTER_AREA)
    rows = round(within[0] * _HEIGHT), round(within[1] * _HEIGHT)
    return is_run_through(np.asarray(small, np.uint8), _SOLID, rows)
