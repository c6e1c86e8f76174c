"""A field as one strip of ink, for the network that is swept over it (section VII)."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.segment import LINE_SIZE, Line

STRIP_SIZE = 20
"""Height of a character in a strip, pixels."""
STRIP_HEIGHT = 36
"""Height of a strip: the line, and what stands raised or hangs below."""

_SCALE = STRIP_SIZE / LINE_SIZE
_MARGIN = 6
_SOLID = 60
# Between the strips of two zones there is a gap as wide as a character is high.
_GAP = STRIP_SIZE - 2 * _MARGIN
_MOST_WIDE = 800


@dataclass(frozen=True, slots=True)
class Strip:
    """One or more zones in sequence, characters 20 px tall.

    ink: u8 [36, W], ink 255 on 0; the middle row is the middle of the line. parts: of each zone
    the column where it begins, the x of that column in its line's frame, and its line.
    """

    ink: NDArray[np.uint8]
    parts: tuple[tuple[int, float, Line], ...]

    def boxes(self, left: NDArray[np.int32], right: NDArray[np.int32]) -> NDArray[np.float32]:
        """What stands from column left to right, as tall as the line; f32 [N, 4], working pixels.

        left, right: i32 [N]. Each box is of the zone that its middle is in.
        """
        starts = [start for start, _, _ in self.parts]
        zones = np.searchsorted(starts, (left + right) / 2, side="right") - 1
        boxes = np.zeros((len(left), 4), np.float32)
        for row, number in enumerate(np.maximum(zones, 0).tolist()):
            start, x, line = self.parts[number]
            ends = x + (np.array([left[row], right[row]]) - start) / _SCALE
            high = line.centre + np.array([-0.5, 0.5]) * LINE_SIZE
            corners = np.array([[a, b, 1.0] for a in ends for b in high]) @ line.to_working.T
            boxes[row] = (*corners.min(axis=0), *corners.max(axis=0))
        return boxes


def strip_of(lines: Sequence[Line]) -> Strip:
    """The strip of lines in sequence; paper before and after the ink is left out but a margin."""
    inks: list[NDArray[np.uint8]] = []
    parts: list[tuple[int, float, Line]] = []
    width = 0
    for line in lines:
        found = _part(line)
        if found is None:
            continue
        if inks:
            inks.append(np.zeros((STRIP_HEIGHT, _GAP), np.uint8))
            width += _GAP
        ink, x = found
        inks.append(ink)
        parts.append((width, x, line))
        width += ink.shape[1]
    whole = np.concatenate([np.zeros((STRIP_HEIGHT, 0), np.uint8), *inks], axis=1)
    return Strip(np.ascontiguousarray(whole[:, :_MOST_WIDE]), tuple(parts))


def _part(line: Line) -> tuple[NDArray[np.uint8], float] | None:
    """The strip of one line and the x of its first column; None where there is no ink."""
    reach = STRIP_HEIGHT / 2 / _SCALE
    first = round(line.centre - reach)
    last = first + round(2 * reach)
    rows = line.ink[max(first, 0) : max(last, 0)]
    inked = np.flatnonzero((rows > _SOLID).any(axis=0)) if rows.size else np.zeros(0, np.int64)
    if not len(inked):
        return None
    above, below = max(-first, 0), max(last - line.ink.shape[0], 0)
    margin = round(_MARGIN / _SCALE)
    x0, x1 = int(inked[0]), int(inked[-1]) + 1
    before, after = max(margin - x0, 0), max(margin - (rows.shape[1] - x1), 0)
    own = rows[:, max(x0 - margin, 0) : x1 + margin]
    padded = cv2.copyMakeBorder(own, above, below, before, after, cv2.BORDER_CONSTANT)
    width = max(round(padded.shape[1] * _SCALE), 1)
    ink = cv2.resize(padded, (width, STRIP_HEIGHT), interpolation=cv2.INTER_AREA)
    return np.asarray(ink, np.uint8), float(x0 - margin)
