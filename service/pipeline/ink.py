"""Ink extraction: pen and print separated from paper, security background and ruled lines.

Source: the preprocessing that section X takes for granted; the line removal follows the usual rule
that a ruled line is erased only where no stroke crosses it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

HORIZONTAL, VERTICAL = 0, 1

_PAPER_KERNEL = 0.30
_MIN_CONTRAST = 18.0
_WEAK = 0.50
_MIN_RULE = 1.3
_RULE_SHARE = 0.30
_PAGE = 250
_PAGE_RULE = (0.075, 0.045)
_STRONG = 0.68


@dataclass(frozen=True, slots=True)
class InkImage:
    """The ink of one image, in the image's own pixel frame.

    ink: u8 [H, W], 0 = paper, 255 = the darkest writing; ruled lines removed, strokes mended.
    mask: bool [H, W], pixels that belong to a stroke.
    rules: i32 [R, 5], x0, y0, x1, y1 (half open), orientation (0 horizontal, 1 vertical): ruled
        lines and box sides.
    """

    ink: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    rules: NDArray[np.int32]


def extract_ink(grey: NDArray[np.uint8]) -> InkImage:
    """Separate writing from paper, tint, guilloche and ruled lines.

    grey: u8 [H, W], ink dark on light. Returns an InkImage of the same frame; a blank image gives
    an empty mask.
    """
    darkness = _darkness(grey)
    level = _ink_level(darkness)
    strong = darkness > _STRONG * level
    weak = (darkness > _WEAK * level).astype(np.uint8)
    mask = _grow(strong, weak)
    rules, line_pixels = _find_rules(mask)
    mask = _erase_rules(mask, line_pixels)
    ink = np.clip(darkness * (255.0 / max(level, 1.0)), 0, 255).astype(np.uint8)
    ink[mask == 0] = 0
    return InkImage(ink=ink, mask=mask.astype(bool), rules=rules)


def _darkness(grey: NDArray[np.uint8]) -> NDArray[np.float32]:
    """How much darker than the local paper each pixel is; f32 [H, W] in grey levels."""
    height, width = grey.shape
    size = max(9, int(_PAPER_KERNEL * min(height, 160)) | 1)
    scale = 0.5 if min(height, width) > 200 else 1.0
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = max(9, int(size * scale) | 1)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    paper = cv2.blur(paper, (size, size))
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    smooth = cv2.GaussianBlur(grey, (3, 3), 0.6)
    return cv2.subtract(paper.astype(np.float32), smooth.astype(np.float32))


def _ink_level(darkness: NDArray[np.float32]) -> float:
    """The darkness of a full stroke, from the pixels that Otsu's threshold calls dark."""
    clipped = np.clip(darkness, 0, 255).astype(np.uint8)
    threshold, _ = cv2.threshold(clipped, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    dark = clipped[clipped > threshold]
    if dark.size == 0:
        return _MIN_CONTRAST * 4
    return max(float(np.percentile(dark, 70)), _MIN_CONTRAST)


def _grow(strong: NDArray[np.bool_], weak: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hysteresis: the weak components that hold a strong pixel; u8 0/1 [H, W]."""
    count, labels = cv2.connectedComponents(weak, connectivity=8)
    keep = np.zeros(count, np.uint8)
    keep[labels[strong]] = 1
    keep[0] = 0
    return keep[labels]


def _find_rules(mask: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Ruled lines and box sides: long thin straight runs.

    mask: u8 0/1 [H, W]. Returns the rules (i32 [R, 5], see InkImage) and their pixels (u8 0/1).
    """
    height, width = mask.shape
    pixels = np.zeros_like(mask)
    rules: list[tuple[int, int, int, int, int]] = []
    short = min(height, width)
    for orientation, extent in ((HORIZONTAL, width), (VERTICAL, height)):
        image = mask if orientation == HORIZONTAL else np.ascontiguousarray(mask.T)
        if short > _PAGE:
            length = int(_PAGE_RULE[orientation] * width)
        else:
            length = int(max(_MIN_RULE * short, _RULE_SHARE * min(extent, 4 * short)))
        if length >= extent:
            continue
        found, boxes = _long_runs(image, length)
        pixels |= found if orientation == HORIZONTAL else found.T
        for x, y, w, h in boxes:
            box = (x, y, x + w, y + h) if orientation == HORIZONTAL else (y, x, y + h, x + w)
            rules.append((*box, orientation))
    return np.array(rules, np.int32).reshape(-1, 5), pixels


def _long_runs(
    mask: NDArray[np.uint8], length: int
) -> tuple[NDArray[np.uint8], list[tuple[int, int, int, int]]]:
    """Near-horizontal thin lines of at least `length` px: their pixels and boxes (x, y, w, h)."""
    # A line that leans by a few degrees is a stair of shorter runs: closing the gaps in x and
    # widening by one pixel in y lets the stair count as one run.
    joined = cv2.dilate(mask, np.ones((2, 1), np.uint8))
    joined = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8))
    runs = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((1, length), np.uint8))
    runs = cv2.dilate(runs, np.ones((3, max(3, length // 4)), np.uint8)) & mask
    runs = cv2.morphologyEx(runs, cv2.MORPH_OPEN, np.ones((1, max(4, length // 6)), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(runs, connectivity=8)
    del labels
    boxes = []
    keep = np.zeros_like(mask)
    for x, y, w, h, area in stats[1:count].tolist():
        thickness = area / max(w, 1)
        if w >= length and thickness <= max(3.5, 0.05 * length) and h <= max(6, 0.12 * w):
            keep[y : y + h, x : x + w] = runs[y : y + h, x : x + w]
            boxes.append((x, y, w, h))
    return keep, boxes


def _erase_rules(mask: NDArray[np.uint8], lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Erase line pixels, except where a stroke enters the line from above or below (or the sides).

    mask, lines: u8 0/1 [H, W].
    """
    if not lines.any():
        return mask
    fat = cv2.dilate(lines, np.ones((3, 3), np.uint8))
    rest = mask & (1 - fat)
    # A stroke that crosses comes out on both sides; let what is left of it grow through the line.
    bridge = cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((9, 3), np.uint8))
    bridge |= cv2.morphologyEx(rest, cv2.MORPH_CLOSE, np.ones((3, 9), np.uint8))
    touching = cv2.dilate(rest, np.ones((3, 3), np.uint8)) & fat
    return rest | (fat & mask & (bridge | touching))
