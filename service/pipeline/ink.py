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
_FAINTEST = 0.5
_PEAK = 0.85
_NEAR = 0.012
_TEXTURE_WINDOW = 5
_TEXTURE = 0.25
_PAGE = 250
_PAGE_RULE = 0.075
_PAGE_UPRIGHT = 0.065
_PAGE_HAIRLINE = 0.034
_HAIRLINE = 4
_BOX_SIDE = 0.02
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
    level = _local_level(darkness, _ink_level(darkness))
    share = np.asarray(cv2.divide(darkness, level, dtype=cv2.CV_32F), np.float32)
    mask = _grow(share > _STRONG, (share > _WEAK).view(np.uint8))
    ink = np.asarray(cv2.convertScaleAbs(share, alpha=255.0), np.uint8)
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


def _local_level(darkness: NDArray[np.uint8], level: float) -> NDArray[np.float32]:
    """The darkness of a full stroke near each pixel; f32 [H, W], at most `level`.

    Print and pens of one page differ, those of one amount do not: on a page it is less where
    nothing darker is near, and not so much is as dark that it is a texture.
    """
    height, width = darkness.shape
    if min(height, width) <= _PAGE:
        return np.full(darkness.shape, level, np.float32)
    reach = max(5, round(_NEAR * width)) | 1
    near = cv2.dilate(darkness, np.ones((reach, reach), np.uint8))
    _, faint = cv2.threshold(darkness, _FAINTEST * _WEAK * level, 255, cv2.THRESH_BINARY)
    window = (_TEXTURE_WINDOW * reach, _TEXTURE_WINDOW * reach)
    _, texture = cv2.threshold(cv2.blur(faint, window), 255 * _TEXTURE, 255, cv2.THRESH_BINARY)
    peak = cv2.convertScaleAbs(cv2.max(near, texture), alpha=_PEAK)
    return np.clip(peak, np.float32(_FAINTEST * level), np.float32(level))


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
    threshold = max(_MIN_RULE_CONTRAST, _RULE_CONTRAST * _ink_level(darkness))
    height, width = int(darkness.shape[0]), int(darkness.shape[1])
    page = min(height, width) > _PAGE
    if page:
        level = _lines(darkness, threshold, int(_PAGE_RULE * width), 2)
        upright = _lines(darkness.T, threshold, int(_BOX_SIDE * width), 2)
        shelf = _pixels(level, (height, width)).T
        free = int(_PAGE_UPRIGHT * width)
        hairline = int(_PAGE_HAIRLINE * width)
        upright = [
            u
            for u in upright
            if u.length >= free
            or _ends_on(u, shelf)
            or (u.length >= hairline and u.thickness <= _HAIRLINE)
        ]
    else:
        least = int(min(_RULE * min(height, width), _RULE_SHARE * width))
        level = _lines(darkness, threshold, least, 3)
        upright = _lines(darkness.T, threshold, height - 2, 3)
    if level:
        darkness = _erase(darkness, _pixels(level, (height, width)))
    if upright:
        columns = np.ascontiguousarray(darkness.T)
        darkness = np.ascontiguousarray(_erase(columns, _pixels(upright, (width, height))).T)
    rules = [(r.x, r.y, r.x + r.length, r.y + r.thickness, HORIZONTAL) for r in level]
    rules += [(r.y, r.x, r.y + r.thickness, r.x + r.length, VERTICAL) for r in upright]
    return np.array(rules, np.int32).reshape(-1, 5), darkness


@dataclass(frozen=True, slots=True)
class _Rule:
    """A straight line along x in its own frame: box and pixels, bool [thickness, length]."""

    x: int
    y: int
    length: int
    thickness: int
    pixels: NDArray[np.bool_]


def _lines(darkness: NDArray[np.uint8], threshold: float, length: int, parts: int) -> list[_Rule]:
    """Straight thin lines along x, `length` px or more, in unbroken runs of a `parts`-th of it."""
    dark = np.ascontiguousarray(darkness > threshold).astype(np.uint8)
    # A line that leans is a stair of runs; two rows together see it as one.
    joined = cv2.dilate(dark, np.ones((2, 1), np.uint8))
    joined = cv2.morphologyEx(joined, cv2.MORPH_CLOSE, np.ones((1, 3), np.uint8))
    run = max(6, length // parts)
    opened = cv2.morphologyEx(joined, cv2.MORPH_OPEN, np.ones((1, run), np.uint8))
    runs = np.asarray(opened, np.uint8) & dark
    found = []
    labels, stats, _ = connected_components(runs)
    for index in range(1, len(stats)):
        x, y, w, h, area = stats[index].tolist()
        if w < length or area / w > _MAX_THICKNESS:
            continue
        own = labels[y : y + h, x : x + w] == index
        if _is_straight(own):
            found.append(_Rule(x, y, w, h, own))
    return found


def _pixels(rules: list[_Rule], shape: tuple[int, int]) -> NDArray[np.uint8]:
    """The pixels of lines, u8 0/1 of that shape."""
    pixels = np.zeros(shape, np.uint8)
    for rule in rules:
        pixels[rule.y : rule.y + rule.thickness, rule.x : rule.x + rule.length] |= rule.pixels
    return pixels


def _ends_on(rule: _Rule, shelf: NDArray[np.uint8]) -> bool:
    """True where both ends of a line meet pixels of the shelf: it is the side of a box."""
    rows = slice(max(rule.y - 3, 0), rule.y + rule.thickness + 3)
    ends = (rule.x, rule.x + rule.length)
    return all(bool(shelf[rows, max(e - 6, 0) : e + 6].any()) for e in ends)


def _is_straight(line: NDArray[np.bool_]) -> bool:
    """True where a line's middle follows one straight line and leans little; bool [h, w]."""
    height = len(line)
    if height <= 4:
        return True
    filled = line.sum(axis=0)
    rows = (np.arange(height)[:, None] * line).sum(axis=0) / np.maximum(filled, 1)
    columns = np.flatnonzero(filled)
    x, y = columns - columns.mean(), rows[columns] - rows[columns].mean()
    slope = float((x * y).sum() / max(float((x * x).sum()), 1.0))
    off = np.abs(y - slope * x)
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
