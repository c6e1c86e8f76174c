"""Ink extraction: pen and print separated from paper, security background and ruled lines.

Source: the preprocessing that section X takes for granted; the line removal follows the usual rule
that a ruled line is erased only where no stroke crosses it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.levels import otsu, percentile_of_counts
from service.pipeline.native.inking import (
    erase_lines,
    find_lines,
    find_strokes,
    histogram,
    paint_lines,
)

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
_FROM_EDGE = 0.015
_MOST_OF_WIDTH = 0.65
_HAIR = 0.055
_MIN_RULE_CONTRAST = 12.0
_RULE_CONTRAST = 0.50
_LIGHT_CONTRAST = 0.28
_MAX_THICKNESS = 6
_PAGE_THICKNESS = 0.0065
_EDGE = 0.02
_OVER_LINE = 1.35
_MOST_LEAN = 0.08
_OFF_LINE = 1.5
# The darkness of a full stroke where the darkest near it is each grey level.
_PEAKS = np.asarray(
    cv2.convertScaleAbs(np.arange(256, dtype=np.uint8), alpha=_PEAK), np.uint8
).ravel()


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

    def turned(self) -> "InkImage":
        """The same ink turned by 180 degrees; nearly what is found in the turned image."""
        height, width = self.mask.shape
        rules = self.rules.copy()
        rules[:, [0, 2]] = width - self.rules[:, [2, 0]]
        rules[:, [1, 3]] = height - self.rules[:, [3, 1]]
        return InkImage(
            ink=np.ascontiguousarray(self.ink[::-1, ::-1]),
            mask=np.ascontiguousarray(self.mask[::-1, ::-1]),
            rules=rules,
        )


def extract_ink(grey: NDArray[np.uint8]) -> InkImage:
    """Separate writing from paper, tint, guilloche and ruled lines.

    grey: u8 [H, W], ink dark on light. Returns an InkImage of the same frame; a blank image gives
    an empty mask.
    """
    darkness = _darkness(grey)
    rules, darkness = _without_rules(darkness)
    level = _ink_level(darkness)
    # A stroke's full darkness is less where nothing darker is near, and not so much is as dark that
    # it is a texture.
    ink, mask = find_strokes(
        darkness,
        _surroundings(darkness, level),
        peaks=_PEAKS,
        texture=255 * _TEXTURE,
        lowest=_FAINTEST * level,
        highest=level,
        weak=_WEAK,
        strong=_STRONG,
    )
    return InkImage(ink=ink, mask=mask, rules=rules)


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
    counts = histogram(darkness)
    counts[: otsu(counts) + 1] = 0
    if not counts.any():
        return _MIN_CONTRAST * 4
    return max(percentile_of_counts(counts, 70), _MIN_CONTRAST)


def _surroundings(
    darkness: NDArray[np.uint8], level: float
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]] | None:
    """The darkest near each pixel, and how much around it is faintly dark, 255 where all is.

    u8 [H, W] each. Print and pens of one page differ, those of one amount do not (None).
    """
    height, width = darkness.shape
    if min(height, width) <= _PAGE:
        return None
    reach = max(5, round(_NEAR * width)) | 1
    near = cv2.dilate(darkness, np.ones((reach, reach), np.uint8))
    _, faint = cv2.threshold(darkness, _FAINTEST * _WEAK * level, 255, cv2.THRESH_BINARY)
    window = (_TEXTURE_WINDOW * reach, _TEXTURE_WINDOW * reach)
    return np.asarray(near, np.uint8), np.asarray(cv2.blur(faint, window), np.uint8)


def _without_rules(darkness: NDArray[np.uint8]) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """Find ruled lines and box sides and take them out; rules as in InkImage, and the darkness.

    Lines are found in the grey levels, whatever their own darkness, so that a heavy frame does not
    hide a light pen. A stroke that crosses a line comes out on both sides of it and stays.
    """
    height, width = int(darkness.shape[0]), int(darkness.shape[1])
    page = min(height, width) > _PAGE
    # The dark edge of a scan says nothing about the ink.
    inner = round(_EDGE * width) if page else 0
    within = np.ascontiguousarray(darkness[inner : height - inner, inner : width - inner])
    level = _ink_level(within)
    heavy = max(_MIN_RULE_CONTRAST, _RULE_CONTRAST * level)
    if not page:
        return _without(darkness, heavy, _MAX_THICKNESS)
    # A heavy line is found without the blur around it, a light one once the heavy ones are gone.
    thickest = max(_MAX_THICKNESS, round(_PAGE_THICKNESS * width))
    rules, darkness = _without(darkness, heavy, thickest)
    light = max(_MIN_RULE_CONTRAST, _LIGHT_CONTRAST * level)
    more, darkness = _without(darkness, light, _MAX_THICKNESS)
    return np.concatenate([rules, more]), darkness


def _without(
    darkness: NDArray[np.uint8], threshold: float, thickest: int
) -> tuple[NDArray[np.int32], NDArray[np.uint8]]:
    """The rules that are darker than a threshold, no thicker, and the darkness without them."""
    height, width = int(darkness.shape[0]), int(darkness.shape[1])
    columns = np.asarray(cv2.transpose(darkness), np.uint8)
    if min(height, width) > _PAGE:
        level = _lines(darkness, threshold, int(_PAGE_RULE * width), 2, thickest)
        upright = _lines(columns, threshold, int(_BOX_SIDE * width), 2, thickest)
        upright.keep(_sides(upright, level, width))
    else:
        least = int(min(_RULE * min(height, width), _RULE_SHARE * width))
        level = _lines(darkness, threshold, least, 3, thickest)
        level.keep(_through(level, width))
        upright = _lines(columns, threshold, height - 2, 3, thickest)
    if len(level.boxes):
        darkness = _erase(darkness, level, thickest)
        columns = np.asarray(cv2.transpose(darkness), np.uint8)
    if len(upright.boxes):
        darkness = np.asarray(cv2.transpose(_erase(columns, upright, thickest)), np.uint8)
    rules = np.empty((len(level.boxes) + len(upright.boxes), 5), np.int32)
    rules[: len(level.boxes), :4], rules[: len(level.boxes), 4] = level.boxes, HORIZONTAL
    rules[len(level.boxes) :, :4] = upright.boxes[:, [1, 0, 3, 2]]
    rules[len(level.boxes) :, 4] = VERTICAL
    return rules, darkness


class _Lines:
    """Straight thin lines along x in their own frame.

    boxes: i32 [L, 4], x0, y0, x1, y1, of those that are kept; the rest as find_lines gives them.
    """

    def __init__(self, labels: NDArray[np.uint16], stats: NDArray[np.int32]) -> None:
        self.labels, self.stats = labels, stats
        self.wanted = np.ones(len(stats), np.bool_)
        self.boxes = stats.copy()
        self.boxes[:, 2:] += stats[:, :2]

    def keep(self, wanted: NDArray[np.bool_]) -> None:
        """Drop the lines that are not wanted, bool [L]; none has been dropped before."""
        self.wanted, self.boxes = wanted, self.boxes[wanted]


def _lines(
    darkness: NDArray[np.uint8], threshold: float, length: int, parts: int, thickest: int
) -> _Lines:
    """Straight thin lines along x, `length` px or more, in unbroken runs of a `parts`-th of it."""
    # A line that leans is a stair of runs; two rows together see it as one.
    run = max(6, length // parts)
    return _Lines(
        *find_lines(
            darkness, threshold, run=run, length=length, thickness=thickest,
            slope=_MOST_LEAN, off=_OFF_LINE,
        )
    )  # fmt: skip


def _through(level: _Lines, width: int) -> NDArray[np.bool_]:
    """Which level lines of an amount cut out of its page are no strokes.

    The feet of zeros in a row, or the flags of two fives, are a straight line too; but a ruled one
    comes from beyond the cut, or is most of it, or thinner than a stroke.
    """
    height = len(level.labels)
    x0, x1, reach = level.boxes[:, 0], level.boxes[:, 2], _FROM_EDGE * width
    wanted = (x0 <= reach) | (x1 >= width - reach) | (x1 - x0 >= _MOST_OF_WIDTH * width)
    if wanted.all():
        return np.asarray(wanted)
    areas = np.bincount(level.labels.ravel(), minlength=len(x0) + 1)[1:]
    return np.asarray(wanted | (areas <= _HAIR * height * (x1 - x0)))


def _sides(upright: _Lines, level: _Lines, width: int) -> NDArray[np.bool_]:
    """Which upright lines of a page are long enough, or thin enough, or the sides of a box."""
    _, _, wide, high = upright.stats.T
    wanted = (wide >= int(_PAGE_UPRIGHT * width)) | (
        (wide >= int(_PAGE_HAIRLINE * width)) & (high <= _HAIRLINE)
    )
    shelf = level.labels.T
    for number in np.flatnonzero(~wanted).tolist():
        # The side of a box meets level lines with both ends.
        left, top, length, thick = upright.stats[number].tolist()
        rows = shelf[max(top - 3, 0) : top + thick + 3]
        wanted[number] = all(
            rows[:, max(end - 6, 0) : end + 6].any() for end in (left, left + length)
        )
    return np.asarray(wanted)


def _erase(darkness: NDArray[np.uint8], lines: _Lines, thickest: int) -> NDArray[np.uint8]:
    """Take horizontal lines out of the darkness; what is dark on both sides goes through."""
    pixels, counts = paint_lines(darkness, lines.labels, lines.stats, lines.wanted)
    # What is darker than the line itself was written over it.
    usual = percentile_of_counts(counts, 60) * _OVER_LINE
    return erase_lines(darkness, pixels, lines.boxes, usual=usual, reach=thickest + 3)
