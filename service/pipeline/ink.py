"""Ink extraction: pen and print separated from paper, security background and ruled lines.

Source: the preprocessing that section X takes for granted; the line removal follows the usual rule
that a ruled line is erased only where no stroke crosses it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.components import connected_components

HORIZONTAL, VERTICAL = 0, 1

_PAPER_KERNEL = 0.30
_MIN_CONTRAST = 18.0
_WEAK = 0.50
_STRONG = 0.68
_PAGE = 250
_PAGE_RULE = (0.075, 0.038)
_RULE = 1.3
_RULE_SHARE = 0.65
_MIN_RULE_CONTRAST = 12.0
_RULE_CONTRAST = 0.50
_MAX_THICKNESS = 6
_OVER_LINE = 1.35


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
    rules, darkness = _without_rules(darkness)
    level = _ink_level(darkness)
    weak = (darkness > _WEAK * level).astype(np.uint8)
    mask = _grow(darkness > _STRONG * level, weak)
    ink = np.asarray(cv2.convertScaleAbs(darkness, alpha=255.0 / level), np.uint8)
    return InkImage(ink=ink * mask, mask=mask.astype(bool), rules=rules)


def _darkness(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How much darker than the local paper each pixel is; u8 [H, W] in grey levels."""
    height, width = grey.shape
    size = max(9, int(_PAPER_KERNEL * min(height, 160)) | 1)
    scale = 0.5 if min(height, width) > 200 else 1.0
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = max(9, int(size * scale) | 1)
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, np.ones((size, size), np.uint8))
    paper = cv2.blur(paper, (size, size))
    paper = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    smooth = cv2.GaussianBlur(grey, (3, 3), 0.6)
    return cv2.subtract(paper, smooth).astype(np.uint8)


def _ink_level(darkness: NDArray[np.uint8]) -> float:
    """The darkness of a full stroke, from the pixels that Otsu's threshold calls dark."""
    threshold, _ = cv2.threshold(darkness, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    dark = darkness[darkness > threshold]
    if dark.size == 0:
        return _MIN_CONTRAST * 4
    return max(float(np.percentile(dark, 70)), _MIN_CONTRAST)


def _grow(strong: NDArray[np.bool_], weak: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Hysteresis: the weak components that hold a strong pixel; u8 0/1 [H, W]."""
    count, labels = cv2.connectedComponents(weak, connectivity=8)
    keep = np.zeros(count, np.uint8)
    keep[labels[strong]] = 1
    keep[0] = 0
    return np.asarray(keep[labels], np.uint8)


def _without_rules(darkness: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Find ruled lines and box sides and take them out; rules as in InkImage, and the darkness.

    Lines are found in the grey levels, whatever their own darkness, so that a heavy frame does not
    hide a light pen. A stroke that crosses a line comes out on both sides of it and stays.
    """
    rules: list[tuple[int, int, int, int, int]] = []
    threshold = max(_MIN_RULE_CONTRAST, _RULE_CONTRAST * _ink_level(darkness))
    page = min(darkness.shape) > _PAGE
    for orientation in (HORIZONTAL, VERTICAL):
        image = darkness if orientation == HORIZONTAL else np.ascontiguousarray(darkness.T)
        lines, boxes = _lines(image, threshold, _least_length(darkness, orientation, page), page)
        if not boxes:
            continue
        image = _erase(image, lines)
        darkness = image if orientation == HORIZONTAL else np.ascontiguousarray(image.T)
        for x, y, w, h in boxes:
            box = (x, y, x + w, y + h) if orientation == HORIZONTAL else (y, x, y + h, x + w)
            rules.append((*box, orientation))
    return np.array(rules, np.int32).reshape(-1, 5), darkness


def _least_length(darkness: NDArray[np.uint8], orientation: int, page: bool) -> int:
    """From what length on, px, a straight line is a rule and not part of the writing."""
    height, width = int(darkness.shape[0]), int(darkness.shape[1])
    if page:
        share = _PAGE_RULE[0] if orientation == HORIZONTAL else _PAGE_RULE[1]
        return int(share * width)
    if orientation == VERTICAL:
        return height - 2
    return int(min(_RULE * min(height, width), _RULE_SHARE * width))


def _lines(
    darkness: NDArray[np.uint8], threshold: float, length: int, page: bool
) -> tuple[NDArray[np.uint8], list[tuple[int, int, int, int]]]:
    """Near-horizontal straight thin lines of at least `length` px: pixels 0/1, boxes x, y, w, h."""
    dark = (darkness > threshold).astype(np.uint8)
    # A line that leans is a stair of shorter runs; two rows together see it as one.
    joined = cv2.dilate(dark, np.ones((2, 1), np.uint8))
    joined = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8))
    run = max(6, length // (2 if page else 3))
    opened = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    runs = np.asarray(opened, np.uint8) & dark
    kept = np.zeros_like(dark)
    boxes = []
    labels, stats, _ = connected_components(runs)
    for index in range(1, len(stats)):
        x, y, w, h, area = stats[index].tolist()
        if w < length or area / w > _MAX_THICKNESS:
            continue
        own = labels[y : y + h, x : x + w] == index
        if not _is_straight(own):
            continue
        kept[y : y + h, x : x + w] |= own
        boxes.append((x, y, w, h))
    return kept, boxes


def _is_straight(line: NDArray[np.bool_]) -> bool:
    """True where a line's middle follows one straight line and leans little; bool [h, w]."""
    height = len(line)
    if height <= 4:
        return True
    filled = line.sum(axis=0)
    rows = (np.arange(height)[:, None] * line).sum(axis=0) / np.maximum(filled, 1)
    columns = np.flatnonzero(filled)
    slope, middle = np.polyfit(columns, rows[columns], 1)
    off = np.abs(rows[columns] - slope * columns - middle)
    return bool(abs(slope) < 0.08 and np.percentile(off, 90) <= 1.5)


def _erase(darkness: NDArray[np.uint8], lines: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Take horizontal lines out of the darkness; what is dark on both sides goes through."""
    fat = np.asarray(cv2.dilate(lines, np.ones((3, 3), np.uint8)), np.uint8)
    # What is darker than the line itself was written over it.
    usual = float(np.percentile(darkness[lines > 0], 60)) * _OVER_LINE
    fat &= (darkness <= usual).astype(np.uint8)
    rest = np.where(fat > 0, 0, darkness).astype(np.uint8)
    reach = _MAX_THICKNESS + 3
    look = np.zeros((2 * reach + 1, 3), np.uint8)
    look[: reach + 1] = 1
    above = cv2.dilate(rest, look)
    below = cv2.dilate(rest, np.ascontiguousarray(look[::-1]))
    through = np.minimum(np.minimum(above, below), darkness)
    return np.where(fat > 0, through, darkness).astype(np.uint8)
