"""Whether a page is another paper than a cheque: a letter, a list, a receipt, a deposit slip.

An amount on such a paper reads as surely as a cheque's. But a cheque is wider than high, has one
amount, and that stands out: most print of a form is small, while figures in a letter or a statement
are as large as its text, in a list or a grid of cells others stand above and below them, and those
of a total stand below its entries. A sign in a photograph has little beside it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.doubts import line_of
from service.pipeline.field import Places
from service.pipeline.ink import HORIZONTAL, VERTICAL
from service.pipeline.levels import median_of_few, percentile_of_few

# What is written and printed on a cheque, even on one photographed at an angle or on a larger
# sheet, is wider, in its heights, the second on a page that is no wider than high. So much of it,
# in per cent at each end, may be stray. A word has so many marks: what a table shows beside a
# photographed cheque has fewer.
_NARROWEST: Final = (1.3, 1.5)
_STRAY: Final = 2
_WORD: Final = 3
# A form's print and what fills it in are more marks than this: 76 at least of 1,250 cheques.
_FEWEST: Final = 30
# The amount's characters are taller than a usual word, in heights of that, or at least so tall
# where the page has other marks than those of its text: of few pixels small print is lost.
_LEAST: Final = 1.1
_LEAST_OF_ALL: Final = 0.7
# Marks of text are as high as the amount, of a page of text they are such a share. More than so
# many no cheque has.
_OF_TEXT: Final = (0.5, 1.5)
_TEXT: Final = 0.86
_MUCH: Final = 250
# Rows of a list beside the amount's own, and cells of a grid with its own.
_ROWS: Final = 3
_CELLS: Final = 3
# A word of figures has so many marks, is as high as the amount, and ends where it does, in heights.
_FIGURES: Final = 2
_HEIGHT: Final = (0.6, 1.35)
_END: Final = 0.6
_NEXT_ROW: Final = 0.7
# The entries above a total are smaller than it; the next row is so near, and no nearer.
_ENTRY: Final = (0.45, 0.9)
_NEAR_ROW: Final = (0.4, 2.5)
# What counts for one rule, how far a cell's lower side is below the amount, how much of the amount
# it runs along, or a part of it that is between the cell's other sides, how far the ends of other
# sides are from its own, in heights of the amount.
_ONE_RULE: Final = 0.5
_BELOW: Final = 1.2
_ALONG: Final = 0.6
_ALONG_WITHIN: Final = 0.4
# A cell is so many times as wide as its amount at most, and what counts for its side such a part.
_WIDEST_CELL: Final = 3.0
_PART: Final = 0.3
_SAME_ENDS: Final = 0.8
# Cells of a grid are about as high as each other.
_AS_HIGH: Final = 1.35


def is_other_paper(
    amount: NDArray[np.floating], places: Places, rules: NDArray[np.int32], *, filled: bool = False
) -> bool:
    """Whether the page that an amount stands on is no cheque.

    amount: [S, 4], boxes of its symbols in pixels of the page, one at least; rules: i32 [R, 5], as
    in InkImage. filled: the amount's line is filled with stars or the like, as machines fill it on
    cheques; it may be as small as the other print then.
    """
    if len(places.marks.boxes) < _FEWEST:
        return True
    if is_narrow(places):
        return True
    size = line_of(amount)[0]
    usual = median_of_few(places.words[:, 3] - places.words[:, 1])
    cells = cells_with(amount, rules)
    high = places.marks.boxes[:, 3] - places.marks.boxes[:, 1]
    text = int(((high > _OF_TEXT[0] * size) & (high < _OF_TEXT[1] * size)).sum())
    least = _LEAST if text > _TEXT * len(high) else _LEAST_OF_ALL
    # Small figures in a box of their own are a cheque's all the same, unless there is much text.
    return (
        (not filled and size < least * usual and (cells != 1 or text > _MUCH))
        or rows_beside(amount, places) >= _ROWS
        or entries_above(amount, places) >= _ROWS
        or cells >= _CELLS
    )


def is_narrow(places: Places) -> bool:
    """Whether what is written on a page, words of some marks, is too narrow for a cheque."""
    words = places.words[_marks_of_words(places) >= _WORD]
    if not len(words):
        return True
    x0, y0 = (percentile_of_few(side, _STRAY) for side in words[:, :2].T)
    x1, y1 = (percentile_of_few(side, 100 - _STRAY) for side in words[:, 2:].T)
    height, width = places.ink.ink.shape
    return x1 - x0 < _NARROWEST[width <= height] * (y1 - y0)


def rows_beside(amount: NDArray[np.floating], places: Places) -> int:
    """How many other rows of a page have a word that is like an amount and ends where it does."""
    size, top, bottom = line_of(amount)
    upper, lower = _figures_at_its_end(amount, places, _HEIGHT)
    beside = (upper > bottom - 0.3 * size) | (lower < top + 0.3 * size)
    return len(_apart((upper + lower)[beside] / 2, _NEXT_ROW * size))


def entries_above(amount: NDArray[np.floating], places: Places) -> int:
    """How many rows on top of each other, the lowest right above an amount, have a word of smaller
    figures that ends where it does: what it is the total of.

    amount: [S, 4], boxes of its symbols in pixels of the page, one at least.
    """
    size, top, bottom = line_of(amount)
    upper, lower = _figures_at_its_end(amount, places, _ENTRY)
    above = lower < top + 0.3 * size
    nearest, furthest = _NEAR_ROW
    rows = _apart((upper + lower)[above] / 2, nearest * size)
    steps = np.diff(np.append(rows, (top + bottom) / 2))[::-1]
    return int(np.argmin(np.append(steps <= furthest * size, False)))


def _figures_at_its_end(
    amount: NDArray[np.floating], places: Places, heights: tuple[float, float]
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """The upper and lower sides, i32 [W] each, of words of figures that end where an amount does.

    amount: [S, 4]; all in pixels of the page. heights: between which theirs are, in heights of the
    amount.
    """
    size, _, _ = line_of(amount)
    near = np.flatnonzero(np.abs(places.words[:, 2] - float(amount[:, 2].max())) < _END * size)
    upper, lower = places.words[near, 1], places.words[near, 3]
    high = lower - upper
    alike = (high > heights[0] * size) & (high < heights[1] * size)
    if alike.any():
        alike &= _marks_of_words(places)[near] >= _FIGURES
    return upper[alike], lower[alike]


def _marks_of_words(places: Places) -> NDArray[np.int64]:
    """How many marks each word of a page has, i64 [W]."""
    held = places.marks.word[places.marks.word >= 0]
    return np.bincount(held, minlength=len(places.words))


def cells_with(amount: NDArray[np.floating], rules: NDArray[np.int32]) -> int:
    """How many cells of about the same height, the amount's among them, lie on one another.

    Level lines alone make no cells but for the amount's own: a place and a date are written on such
    lines too.
    """
    size, top, bottom = line_of(amount)
    left, right = float(amount[:, 0].min()), float(amount[:, 2].max())
    level = rules[rules[:, 4] == HORIZONTAL, :4].astype(np.float64)
    upright = rules[rules[:, 4] == VERTICAL, :4].astype(np.float64)
    along = np.minimum(level[:, 2], right) - np.maximum(level[:, 0], left)
    cell = _sides_of_cell(upright, amount)
    within = _between(level, cell, size)
    kept = along > np.where(within, _ALONG_WITHIN, _ALONG) * (right - left)
    level, within = level[kept], within[kept]
    y = (level[:, 1] + level[:, 3]) / 2
    under = np.flatnonzero((y > (top + bottom) / 2) & (y < bottom + _BELOW * size))
    if not len(under):
        return 0
    own = level[under[np.argmin(y[under])]]
    # One end is enough, or to be between the sides of the cell: of faint lines a part is found.
    ends = (np.abs(level[:, [0, 2]] - own[[0, 2]]) < _SAME_ENDS * size).any(axis=1) | within
    sides = _apart(y[ends], _ONE_RULE * size)
    if len(sides) < 2:
        return 0
    at = int(np.argmin(np.abs(sides - (own[1] + own[3]) / 2)))
    # The uppermost cell of a grid is often open above.
    gaps = np.diff(sides)
    gaps /= gaps[max(at - 1, 0)]
    alike = (gaps <= _AS_HIGH) & (gaps >= 1 / _AS_HIGH)
    above, below = (
        int(np.argmin(np.append(part, False))) for part in (alike[:at][::-1], alike[at:])
    )
    cells = above + below
    if cells <= 1:
        return cells
    x = (upright[:, 0] + upright[:, 2]) / 2
    side = np.abs(x[:, None] - own[[0, 2]]).min(axis=1) < _SAME_ENDS * size
    side |= np.isin(x, cell)
    held = np.minimum(upright[:, 3], sides[at + below]) - np.maximum(
        upright[:, 1], sides[at - above]
    )
    joined = (side & (held > _ALONG * (sides[at + below] - sides[at - above]))).any()
    return cells if joined else 1


def _sides_of_cell(
    upright: NDArray[np.float64], amount: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Where the nearest upright lines before and after an amount are, f64 [2]; f64 [0] where there
    are none, or they are too far apart for a cell."""
    size, top, bottom = line_of(amount)
    middle = (top + bottom) / 2
    x = (upright[:, 0] + upright[:, 2]) / 2
    x = x[(upright[:, 1] < middle) & (upright[:, 3] > middle)]
    left, right = float(amount[:, 0].min()), float(amount[:, 2].max())
    before = x[x < left + _SAME_ENDS / 2 * size]
    after = x[x > right - _SAME_ENDS / 2 * size]
    if not len(before) or not len(after):
        return np.zeros(0)
    found = np.array([before.max(), after.min()])
    return found if found[1] - found[0] <= _WIDEST_CELL * (right - left) else np.zeros(0)


def _between(
    level: NDArray[np.float64], sides: NDArray[np.float64], size: float
) -> NDArray[np.bool_]:
    """Which level lines, f64 [L, 4], are parts of one from side to side of a cell; bool [L]."""
    if not len(sides):
        return np.zeros(len(level), np.bool_)
    low, high = sides.tolist()
    out = _SAME_ENDS * size
    inside = (level[:, 0] > low - out) & (level[:, 2] < high + out)
    return np.asarray(inside & (level[:, 2] - level[:, 0] > _PART * (high - low)), np.bool_)


def _apart(values: NDArray[np.float64], least: float) -> NDArray[np.float64]:
    """Values in order, without those that follow on one that is kept by no more than `least`."""
    kept: list[float] = []
    for value in np.sort(values).tolist():
        if not kept or value - kept[-1] > least:
            kept.append(value)
    return np.array(kept)
