"""The points and profiles that skew is told from, step by step, as the compiled loops find them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
_EDGE = 3


def thin_strokes(grey: Bytes) -> Bytes:
    """Thin dark strokes that run mostly sideways."""
    thin = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((7, 1), np.uint8))
    return np.asarray(cv2.blur(thin, (9, 1)), np.uint8)


def thin_points(strokes: Bytes, level: float, most: int) -> NDArray[np.intp]:
    """Of each point x, y and weight, [3, N]."""
    inner = strokes.copy()
    inner[:_EDGE] = inner[-_EDGE:] = 0
    inner[:, :_EDGE] = inner[:, -_EDGE:] = 0
    flat = np.flatnonzero(inner > level)
    flat = flat[:: max(1, len(flat) // most)]
    y, x = np.divmod(flat, strokes.shape[1])
    return np.stack([x, y, strokes.ravel()[flat]])


def energies(
    points: NDArray[np.intp], degrees: NDArray[np.float64], bin_size: float
) -> NDArray[np.float64]:
    """Sums of squares of the profiles along lines of each slope."""
    x, y, weight = points.astype(np.float32)
    found = []
    for slope in np.tan(np.radians(degrees)).astype(np.float32):
        place = (y - slope * x) * np.float32(1 / bin_size)
        bins = (place - place.min()).astype(np.int64)
        found.append(float((np.bincount(bins, weight) ** 2).sum()))
    return np.array(found)
