"""Ink extraction: pen and print separated from paper, security background and ruled lines.

Source: the preprocessing that section X takes for granted; the line removal follows the usual rule
that a ruled line is erased only where no stroke crosses it.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.levels import histogram, otsu, percentile_of_counts
from service.pipeline.native.inking import (
    Grain,
    Length,
    Lines,
    are_met,
    count_under,
    darken,
    erase_lines,
    find_lines,
    find_strokes,
    greatest_around,
    least_around,
)

HORIZONTAL, VERTICAL = 0, 1

_PAPER_KERNEL = 0.30
_WHITE = 255
_MIN_CONTRAST = 18.0
_WEAK = 0.50
_STRONG = 0.68
_FAINTEST = 0.5
_PEAK = 0.85
_NEAR = 0.012
_TEXTURE_WINDOW = 5
_TEXTURE = 127 / 510
_WIDEST_WINDOW = 255
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
_MOST_SLANT = 0.06
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
    darkness: u8 [H, W], how much darker than the local paper each pixel is, in grey levels: before
        it was decided what is a stroke and what a ruled line.
    """

    ink: NDArray[np.uint8]
    mask: NDArray[np.bool_]
    rules: NDArray[np.int32]
    darkness: NDArray[np.uint8]

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
            darkness=np.ascontiguousarray(self.darkness[::-1, ::-1]),
        )


def extract_ink(grey: NDArray[np.uint8]) -> InkImage:
    """Separate writing from paper, tint, guilloche and ruled lines.

    grey: u8 [H, W], ink dark on light. Returns an InkImage of the same frame; a blank image gives
    an empty mask.
    """
    before = _darkness(grey)
    darkness = before.copy()
    rules, counts = _take_rules_out(darkness)
    level = _ink_level(counts)
    # A stroke's full darkness is less where nothing darker is near, and not so much is as dark that
    # it is a texture.
    ink, mask = find_strokes(
        darkness,
        *_surroundings(darkness, level),
        peaks=_PEAKS,
        lowest=_FAINTEST * level,
        highest=level,
        weak=_WEAK,
        strong=_STRONG,
    )
    return InkImage(ink=ink, mask=mask, rules=rules, darkness=before)


def _darkness(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """How much darker than the local paper each pixel is; u8 [H, W] in grey levels."""
    return darken(np.ascontiguousarray(grey), _paper(grey))


def _paper(grey: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """The local paper for `darken`: the least of the brightest near each pixel, smoothed."""
    height, width = grey.shape
    size = max(9, int(_PAPER_KERNEL * min(height, 160)) | 1)
    scale = 0.5 if min(height, width) > 200 else 1.0
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    size = max(9, int(size * scale) | 1)
    brightest = greatest_around(np.ascontiguousarray(small, np.uint8), size // 2)
    if brightest.min() == _WHITE:  # a bitonal page
        return None
    paper = np.asarray(cv2.blur(least_around(brightest, size // 2), (size, size)), np.uint8)
    if scale == 1.0 or (height % 2 == 0 and width % 2 == 0):
        return paper
    return np.asarray(cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _ink_level(counts: NDArray[np.int64]) -> float:
    """The darkness of a full stroke, from the pixels that Otsu's threshold calls dark.

    counts: i64 [256], how often each darkness occurs.
    """
    first = otsu(counts) + 1
    if not counts[first:].any():
        return _MIN_CONTRAST * 4
    return max(percentile_of_counts(counts, 70, first), _MIN_CONTRAST)


def _surroundings(
    darkness: NDArray[np.uint8], level: float
) -> tuple[NDArray[np.uint8] | None, Grain | None]:
    """The darkest near each pixel, u8 [H, W], and what is a texture.

    Print and pens of one page differ, those of one amount do not (None).
    """
    height, width = darkness.shape
    if min(height, width) <= _PAGE:
        return None, None
    reach = max(5, round(_NEAR * width)) | 1
    near = greatest_around(darkness, reach // 2)
    window = min(_TEXTURE_WINDOW * reach, _WIDEST_WINDOW)
    return near, Grain(window, _TEXTURE, _FAINTEST * _WEAK * level)


def _take_rules_out(
    darkness: NDArray[np.uint8],
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Find ruled lines and box sides and take them out of the darkness, u8 [H, W].

    Returns the rules as in InkImage, and how often each darkness occurs then, i64 [256]. Lines are
    found in the grey levels, whatever their own darkness, so that a heavy frame does not hide a
    light pen. A stroke that crosses a line comes out on both sides of it and stays.
    """
    height, width = int(darkness.shape[0]), int(darkness.shape[1])
    page = min(height, width) > _PAGE
    # The dark edge of a scan says nothing about the ink.
    inner = round(_EDGE * width) if page else 0
    middle = darkness[inner : height - inner]
    counts = histogram(middle[:, inner : width - inner])
    level = _ink_level(counts)
    if page:
        edges = (
            darkness[:inner], darkness[height - inner :], middle[:, :inner],
            middle[:, width - inner :],
        )  # fmt: skip
        counts += sum(map(histogram, edges))
    heavy = max(_MIN_RULE_CONTRAST, _RULE_CONTRAST * level)
    if not page:
        return _take_out(darkness, counts, heavy, _MAX_THICKNESS), counts
    # A heavy line is found without the blur around it, a light one once the heavy ones are gone.
    thickest = max(_MAX_THICKNESS, round(_PAGE_THICKNESS * width))
    rules = _take_out(darkness, counts, heavy, thickest)
    light = max(_MIN_RULE_CONTRAST, _LIGHT_CONTRAST * level)
    more = _take_out(darkness, counts, light, _MAX_THICKNESS)
    return np.concatenate([rules, more]), counts


def _take_out(
    darkness: NDArray[np.uint8], counts: NDArray[np.int64], threshold: float, thickest: int
) -> NDArray[np.int32]:
    """Take the rules that are darker than a threshold, no thicker, out of the darkness.

    counts: i64 [256], how often each darkness occurs, is kept right.
    """
    height, width = int(darkness.shape[0]), int(darkness.shape[1])
    page = min(height, width) > _PAGE
    # A line that leans is a stair of runs; two rows together see it as one.
    if page:
        lengths = (_length(int(_PAGE_RULE * width), 2), _length(int(_BOX_SIDE * width), 2))
    else:
        least = int(min(_RULE * min(height, width), _RULE_SHARE * width))
        lengths = (_length(least, 3), _length(height - 2, 3))
    level, upright = find_lines(
        darkness, threshold, *lengths, thickness=thickest, slope=_MOST_LEAN, off=_OFF_LINE
    )
    if page:
        kept = (np.ones(len(level.stats), np.bool_), _sides(upright, level, width))
    else:
        kept = (_through(level, (height, width)), np.ones(len(upright.stats), np.bool_))
    for lines, wanted in zip((level, upright), kept, strict=True):
        if wanted.any():
            # What is darker than the line itself was written over it.
            counted = count_under(darkness, lines, wanted)
            usual = percentile_of_counts(counted, 60) * _OVER_LINE
            erase_lines(darkness, lines, wanted, counts, usual=usual, reach=thickest + 3)
    boxes = tuple(
        lines.boxes[wanted & _fill_their_box(lines, thickest)]
        for lines, wanted in zip((level, upright), kept, strict=True)
    )
    rules = np.empty((len(boxes[0]) + len(boxes[1]), 5), np.int32)
    rules[: len(boxes[0]), :4], rules[: len(boxes[0]), 4] = boxes[0], HORIZONTAL
    rules[len(boxes[0]) :, :4] = boxes[1][:, [1, 0, 3, 2]]
    rules[len(boxes[0]) :, 4] = VERTICAL
    return rules


def _fill_their_box(lines: Lines, thickest: int) -> NDArray[np.bool_]:
    """Which lines are no thicker, with what is joined to them, than their lean explains; bool [L].

    The sides of a double frame may be one line with a bar of it, and its box is the whole page.
    """
    _, _, wide, high, _, _ = lines.stats.T
    return np.asarray(high <= thickest + _MOST_LEAN * wide + 2 * _OFF_LINE)


def _length(line: int, parts: int) -> Length:
    """Of lines so long, in unbroken runs of a `parts`-th of it."""
    return Length(line, max(6, line // parts))


def _through(level: Lines, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Which level lines of an amount cut out of its page, of that height and width, are no strokes.

    The feet of zeros in a row, or the flags of two fives, are a straight line too; but a ruled one
    comes from beyond the cut, or is most of it, or thinner than a stroke.
    """
    height, width = size
    x0, _, wide, _, area, _ = level.stats.T
    reach = _FROM_EDGE * width
    return np.asarray(
        (x0 <= reach)
        | (x0 + wide >= width - reach)
        | (wide >= _MOST_OF_WIDTH * width)
        | (area <= _HAIR * height * wide)
    )


def _sides(upright: Lines, level: Lines, width: int) -> NDArray[np.bool_]:
    """Which upright lines of a page are long enough, or thin enough, or the sides of a box."""
    _, _, wide, high, _, _ = upright.stats.T
    wanted = (wide >= int(_PAGE_UPRIGHT * width)) | (
        (wide >= int(_PAGE_HAIRLINE * width)) & (high <= _HAIRLINE)
    )
    others = ~wanted
    if others.any() and len(level.stats):
        # The side of a box meets level lines with both ends.
        left, top, wide, high = upright.stats[others, :4].T
        ends = [
            np.stack([top - 3, end - 6, top + high + 3, end + 6], axis=1)
            for end in (left, left + wide)
        ]
        met = [are_met(level, np.ascontiguousarray(end)) for end in ends]
        # So does a tall 1, but it slants.
        slants = high - upright.stats[others, 4] / wide > _MOST_SLANT * wide
        wanted[others] = met[0] & met[1] & ~slants
    return np.asarray(wanted)
