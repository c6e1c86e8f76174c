"""Ink extraction step by step over whole images, as the compiled loops must find it."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Mask = NDArray[np.bool_]


def darkness(grey: Bytes) -> Bytes:
    """How much darker than the local paper each pixel is."""
    height, width = grey.shape
    size = max(9, int(0.3 * min(height, 160)) | 1)
    scale = 0.5 if min(height, width) > 200 else 1.0
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = max(9, int(size * scale) | 1)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    paper = cv2.blur(paper, (size, size))
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(cv2.subtract(paper, cv2.GaussianBlur(grey, (3, 3), 0.6)), np.uint8)


def find_lines(
    page: Bytes, threshold: float, *, run: int, length: int, thickness: float
) -> tuple[NDArray[np.int32], list[Mask]]:
    """Lines along x, however they lean: i32 [L, 5] (left to height, area), and their pixels."""
    dark = (page > threshold).astype(np.uint8)
    joined = cv2.dilate(dark, np.ones((2, 1), np.uint8))
    joined = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8))
    opened = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((1, run), np.uint8)) & dark
    _, labels, stats, _ = cv2.connectedComponentsWithStats(opened, connectivity=8)
    own = [c for c in range(1, len(stats)) if stats[c, 2] >= length
           and stats[c, 4] / stats[c, 2] <= thickness]  # fmt: skip
    return np.asarray(stats[own], np.int32), [labels == c for c in own]


def erase(page: Bytes, lines: Mask, usual: float, reach: int) -> Bytes:
    """The darkness without lines along x but for what goes through them."""
    near = cv2.dilate(lines.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    gone = near & (page <= usual)
    rest = np.pad(
        cv2.dilate(np.where(gone, 0, page), np.ones((1, 3), np.uint8)), ((reach,) * 2, (0, 0))
    )
    rows = len(page)
    above = np.max([rest[k : k + rows] for k in range(reach + 1)], axis=0)
    below = np.max([rest[reach + k : reach + k + rows] for k in range(reach + 1)], axis=0)
    return np.where(gone, np.minimum(page, np.minimum(above, below)), page).astype(np.uint8)


def strokes(
    page: Bytes, level: NDArray[np.float32], weak: float, strong: float
) -> tuple[Bytes, Mask]:
    """Ink and mask where the level of a full stroke, f32 [H, W] or one for all, is known."""
    share = page / level
    _, labels = cv2.connectedComponents((share > weak).astype(np.uint8), connectivity=8)
    kept = np.isin(labels, np.unique(labels[share > strong])) & (labels > 0)
    full = np.where(kept, np.minimum(np.rint(share * np.float32(255)), 255), 0)
    return full.astype(np.uint8), kept
