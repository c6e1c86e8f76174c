"""Strokes across a page or an amount, step by step, as the compiled loops find them."""

import cv2
import numpy as np
from numpy.typing import NDArray

GAP = 2.0
RISES = np.arange(-14, 15, 2)
INKED = 0.9
LONGEST_GAP = 8


def longest_path(solid: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The path with the most ink that with each column falls by a row or by none.

    solid: u8 [H, W], 1 where inked. Returns i64 [P, 2], x, y of each pixel. A gap makes it shorter,
    and where it has as many gaps as ink it begins anew.
    """
    height, width = solid.shape
    gains = np.where(solid.T > 0, 1.0, -GAP)
    scores, fell = np.zeros((width + 1, height)), np.zeros((width, height), np.bool_)
    for x, gain in enumerate(gains):
        level = scores[x]
        above = np.concatenate([[0.0], level[:-1]])
        fell[x] = above >= level
        scores[x + 1] = np.maximum(np.maximum(level, above) + gain, 0.0)
    x, y = (int(at) for at in np.unravel_index(scores[1:].argmax(), fell.shape))
    path = []
    while x >= 0 and y >= 0 and scores[x + 1, y] > 0:
        path.append((x, y))
        x, y = x - 1, y - int(fell[x, y])
    return np.array(path[::-1], np.int64).reshape(-1, 2)


def is_run_through(zone: NDArray[np.uint8], level: int, rows: tuple[int, int]) -> bool:
    """Whether a line runs through a zone, u8 [H, W], with its middle in one of the rows."""
    height, width = zone.shape
    # A line that is a little bent, or thin, is in this row or the next.
    solid = cv2.dilate((zone > level).astype(np.uint8), np.ones((2, 1), np.uint8))
    columns = np.arange(width)
    shifts = np.rint(np.outer(RISES, 2 * columns / width - 1)).astype(np.int64)
    at = np.clip(np.arange(*rows)[:, None] + shifts[:, None], 0, height - 1)
    along = solid.ravel()[at * width + columns]  # [rises, rows, columns]
    share = along.sum(axis=2, dtype=np.int32) / width
    return any(_longest_gap(one) <= LONGEST_GAP for one in along[share >= INKED])


def _longest_gap(along: NDArray[np.uint8]) -> int:
    """How many columns without ink follow one another at most."""
    ends = np.flatnonzero(np.concatenate([[1], along, [1]]))
    return int(np.diff(ends).max()) - 1
