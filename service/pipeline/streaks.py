"""Streaks that a speck of dust on a scanner's sensor draws across a whole scan, taken out.

One lies along a row or a column of the scan, from edge to edge, which no stroke and hardly a line
of a form does. What it crosses is carried on from either side.
"""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.levels import percentile

_Bytes = NDArray[np.uint8]

# A scan is looked at in so many places along a streak, which is so much darker than what is beside
# it, in grey levels, in this share of those where that is paper: no darker than so below the scan's
# median, in so many at least. Nearer than this to an edge, of 1, are frames.
_PLACES: Final = 32
_DARKER: Final = 10
_SHARE: Final = 0.92
_SEEN: Final = 0.5
_PAPER: Final = 40
_FRAME: Final = 0.05
# The widest, in pixels, and its soft edges.
_WIDEST: Final = 6
_EDGE: Final = 1
# Of more than so many streaks all are the paper's pattern, or a table.
_MOST: Final = 8


def without_streaks(grey: _Bytes) -> _Bytes:
    """A scan, u8 [H, W], ink dark on light, without dark streaks; itself where it has none."""
    for turned in (False, True):
        rows = grey.T if turned else grey
        found = _streaks(rows)
        if found:
            rows = rows.copy()
            for first, last in found:
                _carry_on(rows, first, last)
            grey = np.ascontiguousarray(rows.T if turned else rows)
    return grey


def _streaks(grey: _Bytes) -> list[tuple[int, int]]:
    """The first and the last column, in pixels, of each upright streak of a scan, u8 [H, W], with
    its edges."""
    height, width = grey.shape
    places = np.linspace(0, height - 1, _PLACES).astype(np.int64)
    rows = np.ascontiguousarray(grey[places])
    beside = cv2.morphologyEx(rows, cv2.MORPH_CLOSE, np.ones((1, _WIDEST + 1), np.uint8))
    # Where a streak meets writing it is not told from that.
    paper = beside >= max(math.ceil(percentile(rows, 50) - _PAPER), 0)
    count = _count(paper)
    dark = _count(paper & (cv2.subtract(beside, rows) >= _DARKER)) >= _SHARE * count
    dark &= count >= _SEEN * _PLACES
    frame = max(round(_FRAME * width), _WIDEST)
    dark[:frame] = dark[-frame:] = False
    ends = np.flatnonzero(np.diff(dark.astype(np.int8))).reshape(-1, 2).tolist()
    # The first end is the last column before a streak, the second its own last one.
    streaks = [(before + 1 - _EDGE, last + _EDGE) for before, last in ends]
    return streaks if len(streaks) <= _MOST else []


def _count(marks: NDArray[np.bool_]) -> NDArray[np.int32]:
    """How many pixels of each column are marked, bool [H, W]; i32 [W]."""
    counts = cv2.reduce(marks.view(np.uint8), 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)
    return np.asarray(counts[0], np.int32)


def _carry_on(image: _Bytes, first: int, last: int) -> None:
    """Draw columns of an image, u8 [H, W], from first to last anew between those on either side."""
    before, behind = (image[:, at].astype(np.float32) for at in (first - 1, last + 1))
    share = np.arange(1, last - first + 2, dtype=np.float32) / (last - first + 2)
    image[:, first : last + 1] = before[:, None] * (1 - share) + behind[:, None] * share
