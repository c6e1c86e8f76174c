"""Cents that stand apart from the amount: raised, underlined, over a bar, in a cell.

Source: section X, "field location": dollars and cents may be separate zones in sequence.
"""

import numpy as np
from numpy.typing import NDArray

from service.pipeline.ink import VERTICAL
from service.pipeline.levels import percentile_of_few
from service.pipeline.textline import Marks

Box = tuple[int, int, int, int]

_SMALLER = 0.8
_RAISED = 0.22
_LEAST_HEIGHT = 0.25
_BAR_ASPECT = 2.2
_REACH = 2.0
# In heights of a digit: how far behind the amount a cell may begin, how wide what it holds may be,
# what room there is behind that, and the least height of a digit in it.
_CELL_AFTER = 1.5
_CELL = 3.0
_CELL_END = 1.5
_CELL_DIGIT = 0.4
_MOST_SIDES = 4


def split_apart_cents(
    box: Box, near: NDArray[np.int32], page: tuple[int, int]
) -> tuple[Box, Box] | None:
    """The amount zone without its cents, and the cents zone; None where none stand apart.

    near: i32 [N, 4], of `marks_near`; page: its width and height. The cents are small marks at the
    right end that end well above the line of the digits. What is under them (a bar, a denominator)
    belongs to neither zone: it says nothing that is not known.
    """
    if len(near) < 3:
        return None
    wide, high = near[:, 2] - near[:, 0], near[:, 3] - near[:, 1]
    core = percentile_of_few(high[high >= 0.45 * high.max()], 70)
    baseline = percentile_of_few(near[high >= 0.75 * core, 3], 50)
    on_line = (np.abs(near[:, 3] - baseline) < _RAISED * core) & (high >= 0.6 * core)
    if not on_line.any():
        return None
    edge = int(near[on_line, 2].max())
    raised = (near[:, 0] + near[:, 2] > 2 * edge) & (near[:, 0] > edge - 0.15 * core)
    raised &= near[:, 3] <= baseline - _RAISED * core
    flat = (wide > _BAR_ASPECT * high) | (high < _LEAST_HEIGHT * core)
    digits = raised & ~flat & (high <= _SMALLER * core)
    if not _two_digits(near[digits], core):
        return None
    cents = _around(near[digits])
    x0, y0, x1, y1 = box
    air = max(1, round(0.04 * core))
    main = (x0, y0, min(x1, max(edge + air, cents[0] - air)), y1)
    cents = (cents[0] - air, max(y0, cents[1] - air), cents[2] + air, cents[3] + air)
    return main, (max(0, cents[0]), cents[1], min(page[0], cents[2]), min(page[1], cents[3]))


def split_cents_cell(
    box: Box,
    near: NDArray[np.int32],
    marks: Marks,
    rules: NDArray[np.int32],
    page: tuple[int, int],
) -> tuple[Box, Box] | None:
    """The amount zone and the zone of the cents that an upright rule parts from it; None for none.

    near: i32 [N, 4], of `marks_near`; rules: i32 [R, 5] as in InkImage; page: its width and height.
    The cell holds nothing but two digits, and is no wider than they may be.
    """
    upright = rules[rules[:, 4] == VERTICAL, :4]
    if len(near) < 2 or not len(upright):
        return None
    high = near[:, 3] - near[:, 1]
    core = percentile_of_few(high[high >= 0.45 * high.max()], 70)
    at = (upright[:, 0] + upright[:, 2]) / 2
    shared = np.minimum(upright[:, 3], box[3]) - np.maximum(upright[:, 1], box[1])
    inside = (at > box[0] + 0.5 * core) & (at < box[2] + _CELL_AFTER * core)
    inside &= shared > 0.5 * (box[3] - box[1])
    # A sign's, the cents', and both sides of the frame; more are cells of single digits.
    if not 0 < inside.sum() <= _MOST_SIDES:
        return None
    level = (marks.boxes[:, 1] < box[3]) & (marks.boxes[:, 3] > box[1])
    level &= marks.boxes[:, 3] - marks.boxes[:, 1] >= _CELL_DIGIT * core
    # The last one may be the side of the whole frame.
    for left, _, right, _ in sorted(upright[inside].tolist(), reverse=True):
        cents = _cell_after(right, marks.boxes[level], core)
        if cents is not None:
            air = max(1, round(0.04 * core))
            x0, y0, x1, y1 = cents
            cents = (max(right, x0 - air), max(0, y0 - air), x1 + air, y1 + air)
            main = (box[0], box[1], left, box[3])
            return main, (*cents[:2], min(page[0], cents[2]), min(page[1], cents[3]))
    return None


def _cell_after(side: int, tall: NDArray[np.int32], core: float) -> Box | None:
    """What two digits behind a rule at x = side take up, where nothing follows them; None else."""
    after = tall[tall[:, 0] >= side - 1]
    within = after[:, 2] <= side + _CELL * core
    if not _two_digits(after[within], 1.5 * core):
        return None
    end = after[within, 2].max()
    return None if (after[~within, 0] < end + _CELL_END * core).any() else _around(after[within])


def marks_near(box: Box, marks: Marks) -> NDArray[np.int32]:
    """The marks inside a zone or just right of it; i32 [N, 4]."""
    x0, y0, x1, y1 = marks.boxes.T
    high = box[3] - box[1]
    twice_x, twice_y = x0 + x1, y0 + y1
    inside = (twice_x >= 2 * box[0]) & (twice_x < 2 * box[2])
    inside &= (twice_y >= 2 * box[1]) & (twice_y < 2 * box[3])
    if not inside.any():
        return np.zeros((0, 4), np.int32)
    # What the zone holds is enough where the cents are in it already.
    beyond = (x0 >= box[2] - 0.1 * high) & (x0 < box[2] + 0.5 * high)
    beyond &= (x1 < box[2] + _REACH * high) & (twice_y > 2 * (box[1] - 0.3 * high)) & (y1 < box[3])
    return np.asarray(marks.boxes[inside | beyond])


def _two_digits(cents: NDArray[np.int32], core: float) -> bool:
    """Whether raised marks are as wide and as many as two small digits."""
    if not len(cents):
        return False
    x0, y0, x1, y1 = _around(cents)
    high = y1 - y0
    return high <= core and 0.7 * high <= x1 - x0 <= 4 * high and len(cents) <= 4


def _around(boxes: NDArray[np.int32]) -> Box:
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])
