"""A field as one strip, for the network that is swept over it (section VII).

A strip shows the field twice: the ink that was found, and how dark everything is, a little of what
stands before and after it as well. So what was wrongly taken for paper, thin or pale strokes, or
for ink, is not lost on the network; and it sees where an amount goes on beyond the field.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.levels import percentile
from service.pipeline.segment import LINE_SIZE, Line

STRIP_SIZE = 20
"""Height of a character in a strip, pixels."""
STRIP_HEIGHT = 36
"""Height of a strip: the line, and what stands raised or hangs below."""

LAYERS = 2
"""Ink, and darkness."""

_SCALE = STRIP_SIZE / LINE_SIZE
_MARGIN = 6
_BESIDE = 26
_SOLID = 60
# Between the strips of two zones there is a gap as wide as a character is high.
_GAP = STRIP_SIZE - 2 * _MARGIN
_MOST_WIDE = 800
# Strokes that are surely ink are in the layer of darkness as dark as this in the middle.
_INKED = 128
_FULL = 200.0
# What is darker than this by itself, in grey levels, is no paper however pale the ink is.
_LEAST_DARK = 16.0
# Pixels of the image to one of the strip from which on it is blurred first, and how much.
_COARSE = 1.4
_BLUR = 0.35


@dataclass(frozen=True, slots=True)
class Strip:
    """One or more zones in sequence, characters 20 px tall.

    layers: u8 [LAYERS, 36, W], ink and darkness, 255 the darkest, paper 0; the middle row is the
    middle of the line. parts: of each zone the column where it begins, the x of that column in its
    line's frame, and its line.
    """

    layers: NDArray[np.uint8]
    parts: tuple[tuple[int, float, Line], ...]

    def boxes(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.float32]:
        """What stands from column left to right, as tall as the line; f32 [N, 4], working pixels.

        left, right: i32 [N]. Each box is of the zone that its middle is in.
        """
        boxes = np.zeros((len(left), 4), np.float32)
        for row, number in enumerate(self._zones((left + right) / 2).tolist()):
            start, x, line = self.parts[number]
            ends = x + (np.array([left[row], right[row]]) - start) / _SCALE
            high = line.centre + np.array([-0.5, 0.5]) * LINE_SIZE
            corners = np.array([[a, b, 1.0] for a in ends for b in high]) @ line.to_working.T
            boxes[row] = (*corners.min(axis=0), *corners.max(axis=0))
        return boxes

    def across(self, columns: NDArray[np.floating]) -> NDArray[np.float64]:
        """Where columns, [N], are in the middle of their lines: x, f64 [N], working pixels."""
        x = np.zeros(len(columns))
        zones = self._zones(columns)
        for number, (start, first, line) in enumerate(self.parts):
            own = zones == number
            scale, lean, shift = line.to_working[0]
            x[own] = scale * (first + (columns[own] - start) / _SCALE) + lean * line.centre + shift
        return x

    def _zones(self, columns: NDArray[np.floating]) -> NDArray[np.intp]:
        """The number of the zone that each column, [N], is in; [N]."""
        starts = [start for start, _, _ in self.parts]
        return np.maximum(np.searchsorted(starts, columns, side="right") - 1, 0)


def strip_of(lines: Sequence[Line], darkness: NDArray[np.uint8]) -> Strip:
    """The strip of lines in sequence; of the paper before and after them a little is left.

    darkness: u8 [H, W], of the image that the lines are from, see `InkImage`.
    """
    shown: list[NDArray[np.uint8]] = []
    parts: list[tuple[int, float, Line]] = []
    width = 0
    inked = [(line, rows) for line in lines if (rows := _rows(line)) is not None]
    for number, (line, rows) in enumerate(inked):
        if number:
            shown.append(np.zeros((LAYERS, STRIP_HEIGHT, _GAP), np.uint8))
            width += _GAP
        before = _MARGIN if number else _BESIDE
        after = _BESIDE if number == len(inked) - 1 else _MARGIN
        ink, x = _ink(rows, round(before / _SCALE), round(after / _SCALE))
        shown.append(np.stack([ink, _darkness(line, darkness, ink, x)]))
        parts.append((width, x, line))
        width += ink.shape[1]
    whole = np.concatenate([np.zeros((LAYERS, STRIP_HEIGHT, 0), np.uint8), *shown], axis=2)
    return Strip(np.ascontiguousarray(whole[:, :, :_MOST_WIDE]), tuple(parts))


def _first_row(line: Line) -> int:
    return round(line.centre - STRIP_HEIGHT / 2 / _SCALE)


def _rows(line: Line) -> NDArray[np.uint8] | None:
    """The rows of a line that a strip shows, at the line's size; None where they hold no ink."""
    first = _first_row(line)
    last = first + round(STRIP_HEIGHT / _SCALE)
    rows = line.ink[max(first, 0) : max(last, 0)]
    if not (rows > _SOLID).any():
        return None
    above, below = max(-first, 0), max(last - line.ink.shape[0], 0)
    return np.asarray(cv2.copyMakeBorder(rows, above, below, 0, 0, cv2.BORDER_CONSTANT), np.uint8)


def _ink(rows: NDArray[np.uint8], before: int, after: int) -> tuple[NDArray[np.uint8], float]:
    """What is inked of rows, with margins in columns of the line: u8 [36, W], and its first x."""
    inked = np.flatnonzero((rows > _SOLID).any(axis=0))
    x0, x1 = int(inked[0]), int(inked[-1]) + 1
    left, right = max(before - x0, 0), max(after - (rows.shape[1] - x1), 0)
    own = rows[:, max(x0 - before, 0) : x1 + after]
    padded = cv2.copyMakeBorder(own, 0, 0, left, right, cv2.BORDER_CONSTANT)
    width = max(round(padded.shape[1] * _SCALE), 1)
    ink = cv2.resize(padded, (width, STRIP_HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(ink, np.uint8), float(x0 - before)


def _darkness(
    line: Line, darkness: NDArray[np.uint8], ink: NDArray[np.uint8], x: float
) -> NDArray[np.uint8]:
    """How dark everything is where a line's ink is seen, u8 as large as it; x: where it begins."""
    # From pixels of the strip to those of the line, and on to those of the image.
    into_line = np.array(
        [
            [1 / _SCALE, 0.0, x + (1 / _SCALE - 1) / 2],
            [0.0, 1 / _SCALE, _first_row(line) + (1 / _SCALE - 1) / 2],
            [0.0, 0.0, 1.0],
        ]
    )
    matrix = line.to_working @ into_line
    height, width = ink.shape
    corners = matrix @ np.array([[0, width, 0, width], [0, 0, height, height], [1, 1, 1, 1]])
    low = np.maximum(np.floor(corners.min(axis=1)).astype(int) - 2, 0)
    high = np.maximum(np.ceil(corners.max(axis=1)).astype(int) + 3, low + 1)
    source = darkness[low[1] : high[1], low[0] : high[0]]
    if source.size == 0:
        return np.zeros_like(ink)
    matrix[:, 2] -= low
    step = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    if step > _COARSE:
        source = np.asarray(cv2.GaussianBlur(source, (0, 0), _BLUR * step), np.uint8)
    way = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    seen = np.asarray(cv2.warpAffine(source, matrix, (width, height), flags=way), np.uint8)
    strokes = seen[ink > _INKED]
    full = max(percentile(strokes[None], 50) if len(strokes) else 0.0, _LEAST_DARK)
    return np.asarray(cv2.convertScaleAbs(seen, alpha=_FULL / full), np.uint8)
