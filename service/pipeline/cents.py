"""Cents that stand apart from the amount: raised, underlined, over a bar, in a cell.

Source: section X, "field location": dollars and cents may be separate zones in sequence.
"""

import numpy as np
from numpy.typing import NDArray

from service.pipeline.ink import VERTICAL
from service.pipeline.levels import percentile_of_few
from service.pipeline.native.places import near_zone
from service.pipeline.textline import Marks

Box = tuple[int, int, int, int]

_SMALLER = 0.8
_RAISED = 0.22
_LEAST_HEIGHT = 0.25
_BAR_ASPECT = 2.2
# What share of the ink above and below is left out of a line's height; what share of what stands
# behind the amount a bar is long, and how soon it is so, in heights; how wide two digits are, in
# theirs.
_MOST_INK = (0.03, 0.97)
_BAR_LONG = 0.7
_BAR_HIGH = 0.15
_TWO_WIDE = 0.6
# Slopes of a bar, level first.
_LEANS = (0.0, -0.05, 0.05, -0.1, 0.1, -0.15, 0.15, -0.2, 0.2)
# In heights of a digit: how far behind the amount a cell may begin, how wide what it holds may be,
# what room there is behind that, and the least height of a digit in it and of the cell's side: what
# is lower is a 1. How much higher than those in the cell a mark is that is a sign by itself.
_CELL_AFTER = 1.5
_CELL = 3.0
_CELL_END = 1.5
_CELL_DIGIT = 0.4
_CELL_SIDE = 1.15
_CELL_SIGN = 1.2
_MOST_SIDES = 4


def split_apart_cents(box: Box, near: list[Box], page: tuple[int, int]) -> tuple[Box, Box] | None:
    """The amount zone without its cents, and the cents zone; None where none stand apart.

    near: of `marks_near`; page: its width and height. The cents are small marks at the right end
    that end well above the line of the digits. What is under them (a bar, a denominator) belongs to
    neither zone: it says nothing that is not known.
    """
    if len(near) < 3:
        return None
    core = _usual_height(near)
    baseline = percentile_of_few([y1 for _, y0, _, y1 in near if y1 - y0 >= 0.75 * core], 50)
    on_line = [
        x1
        for _, y0, x1, y1 in near
        if abs(y1 - baseline) < _RAISED * core and y1 - y0 >= 0.6 * core
    ]
    if not on_line:
        return None
    edge = max(on_line)
    digits = [
        (x0, y0, x1, y1)
        for x0, y0, x1, y1 in near
        if x0 + x1 > 2 * edge
        and x0 > edge - 0.15 * core
        and y1 <= baseline - _RAISED * core
        and x1 - x0 <= _BAR_ASPECT * (y1 - y0)
        and _LEAST_HEIGHT * core <= y1 - y0 <= _SMALLER * core
    ]
    if not _two_digits(digits, core):
        return None
    cents = _around(digits)
    x0, y0, x1, y1 = box
    air = max(1, round(0.04 * core))
    main = (x0, y0, min(x1, max(edge + air, cents[0] - air)), y1)
    cents = (cents[0] - air, max(y0, cents[1] - air), cents[2] + air, cents[3] + air)
    return main, (max(0, cents[0]), cents[1], min(page[0], cents[2]), min(page[1], cents[3]))


def split_raised_cents(box: Box, x: int, mask: NDArray[np.bool_]) -> tuple[Box, Box] | None:
    """The amount zone up to column x, and the zone of two raised digits behind it; None for none.

    mask: bool [H, W], the page's ink. They may touch what stands beside and below them: a bar ends
    them, or paper well above the feet of the figures.
    """
    x0, y0, x1, y1 = box
    if not x0 < x < x1:
        return None
    figures = mask[y0:y1, x0:x].sum(axis=1)
    if not figures.any():
        return None
    line = _rows_of_line(figures)
    cents = _levelled(mask[y0:y1, x:x1])
    rows = _raised_rows(cents, line)
    if rows is None:
        return None
    first, last = rows
    columns = np.flatnonzero(cents[first:last].any(axis=0))
    if not len(columns) or np.ptp(columns) + 1 < _TWO_WIDE * (last - first):
        return None
    air = max(1, round(0.04 * (line[1] - line[0])))
    left, right = x + int(columns[0]), x + int(columns[-1]) + 1
    return (x0, y0, x, y1), (
        max(x, left - air), max(0, y0 + first - air),
        min(mask.shape[1], right + air), y0 + last,
    )  # fmt: skip


def _rows_of_line(inked: NDArray[np.integer]) -> tuple[int, int]:
    """The first row of a line, and one past its last; inked: [H], how much ink each row has.

    Print above or below the line is parted from it by paper.
    """
    parts = np.split(np.arange(len(inked)), np.flatnonzero(inked == 0))
    line = max(parts, key=lambda part: int(inked[part].sum()))
    held = np.cumsum(inked[line])
    top, bottom = (int(line[0] + np.searchsorted(held, share * held[-1])) for share in _MOST_INK)
    return top, bottom + 1


def _raised_rows(cents: NDArray[np.bool_], line: tuple[int, int]) -> tuple[int, int] | None:
    """The first row of raised cents, and one past their last; None where they are not raised.

    cents: bool [H, W], the ink behind the figures; line: the rows of those.
    """
    inked = cents.sum(axis=1)
    if not inked.any():
        return None
    high = line[1] - line[0]
    first = int(np.flatnonzero(inked)[0])
    width = int(np.ptp(np.flatnonzero(cents.any(axis=0)))) + 1
    bar = _longest_runs(cents) >= _BAR_LONG * width
    ends = np.flatnonzero(bar | (inked == 0))
    ends = ends[ends >= first + int(_LEAST_HEIGHT * high)]
    if not len(ends) or ends[0] >= line[1] - int(_RAISED * high):
        return None
    last = int(ends[0])
    # Below paper only a bar may follow.
    below = np.flatnonzero(inked[last:])
    if len(below) and not bar[last + below[0] : last + below[0] + int(_BAR_HIGH * high) + 1].any():
        return None
    return first, last


def _levelled(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Ink, bool [H, W], with its columns shifted so that its longest run of a row is as long as can
    be: a bar that leans comes level."""
    height, width = mask.shape
    across, rows = np.arange(width) - width / 2, np.arange(height)
    padded = np.pad(mask, ((0, 1), (0, 0)))
    shifted = []
    for lean in _LEANS:
        at = rows[:, None] + np.rint(lean * across).astype(int)
        at[(at < 0) | (at > height)] = height
        shifted.append(np.take_along_axis(padded, at, axis=0))
    return max(shifted, key=lambda one: int(_longest_runs(one).max()))


def _longest_runs(mask: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How many pixels of each row, bool [H, W], follow on one another at most; [H]."""
    place = np.arange(mask.shape[1])
    gap = np.maximum.accumulate(np.where(mask, -1, place), axis=1)
    return np.asarray((place - gap).max(axis=1))


def split_cents_cell(
    box: Box, near: list[Box], marks: Marks, rules: NDArray[np.int32], page: tuple[int, int]
) -> tuple[Box, Box] | None:
    """The amount zone and the zone of the cents that an upright rule parts from it; None for none.

    near: of `marks_near`; rules: i32 [R, 5] as in InkImage; page: its width and height. The cell
    holds nothing but two digits, and is no wider than they may be.
    """
    upright = rules[rules[:, 4] == VERTICAL, :4].tolist()
    if len(near) < 2 or not upright:
        return None
    core = _usual_height(near)
    high = box[3] - box[1]
    inside = [
        (left, top, right, bottom)
        for left, top, right, bottom in upright
        if box[0] + 0.5 * core < (left + right) / 2 < box[2] + _CELL_AFTER * core
        and min(bottom, box[3]) - max(top, box[1]) > 0.5 * high
        and bottom - top >= _CELL_SIDE * core
    ]
    # A sign's, the cents', and both sides of the frame; more are cells of single digits.
    if not 0 < len(inside) <= _MOST_SIDES:
        return None
    tall = [
        (x0, y0, x1, y1)
        for x0, y0, x1, y1 in marks.boxes.tolist()
        if y0 < box[3] and y1 > box[1] and y1 - y0 >= _CELL_DIGIT * core
    ]
    # The last one may be the side of the whole frame.
    end = page[0]
    for left, _, right, _ in sorted(inside, reverse=True):
        cents = _cell_after(right, [one for one in tall if one[0] < end], core)
        end = left
        if cents is not None and not _is_sign([one for one in near if one[2] <= left + 1], cents):
            air = max(1, round(0.04 * core))
            x0, y0, x1, y1 = cents
            cents = (max(right, x0 - air), max(0, y0 - air), x1 + air, y1 + air)
            main = (box[0], box[1], left, box[3])
            return main, (*cents[:2], min(page[0], cents[2]), min(page[1], cents[3]))
    return None


def _is_sign(before: list[Box], cents: Box) -> bool:
    """Whether all marks before a cell but one are low, and that is higher than what it holds.

    Boxes are x0, y0, x1, y1 in pixels of the page; cents: about what the cell holds.
    """
    high = cents[3] - cents[1]
    heights = [y1 - y0 for _, y0, _, y1 in before if y1 - y0 >= _CELL_DIGIT * high]
    return len(heights) == 1 and heights[0] > _CELL_SIGN * high


def _cell_after(side: int, tall: list[Box], core: float) -> Box | None:
    """What two digits behind a rule at x = side take up, where nothing follows them; None else."""
    after = [one for one in tall if one[0] >= side - 1]
    within = [one for one in after if one[2] <= side + _CELL * core]
    if not _two_digits(within, 1.5 * core):
        return None
    end = max(x1 for _, _, x1, _ in within)
    follow = any(x0 < end + _CELL_END * core for x0, _, x1, _ in after if x1 > side + _CELL * core)
    return None if follow else _around(within)


def marks_near(box: Box, marks: Marks) -> list[Box]:
    """The marks inside a zone or just right of it, in their order."""
    return [(x0, y0, x1, y1) for x0, y0, x1, y1 in near_zone(box, marks.boxes).tolist()]


def _usual_height(near: list[Box]) -> float:
    """The height of the digits among some marks, one at least."""
    high = [y1 - y0 for _, y0, _, y1 in near]
    least = 0.45 * max(high)
    return percentile_of_few([one for one in high if one >= least], 70)


def _two_digits(cents: list[Box], core: float) -> bool:
    """Whether raised marks are as wide and as many as two small digits."""
    if not cents:
        return False
    x0, y0, x1, y1 = _around(cents)
    high = y1 - y0
    return high <= core and 0.7 * high <= x1 - x0 <= 4 * high and len(cents) <= 4


def _around(boxes: list[Box]) -> Box:
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)
