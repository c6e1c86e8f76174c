"""Signs that a reading leaves out something that its posterior cannot know of: writing beside it.

A posterior weighs the paths of the interpretation graph against each other. Where the truth is not
among them, an amount whose cents stand raised outside the field, the end of a word before a
fraction, a decimal point that left no ink, the best wrong path may still be nearly sure. Such
readings have signs of their own; how often they go wrong is fitted on labelled cheques.
"""

import ctypes
import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.ink import InkImage
from service.pipeline.native import LIBRARY, address, checked
from service.pipeline.native.inking import component_stats
from service.pipeline.search import Interpretation

_SOLID: Final = 60
# In heights of the amount's characters: how far around it is looked, and the widest gap between
# marks of one text.
_AROUND: Final = 3.0
_GAP: Final = 0.55
_LEAST_HEIGHT: Final = 0.3
_MOST_HEIGHT: Final = 1.6
_MOST_WIDTH: Final = 2.5
# A mark so many times longer than it is thick is a rule.
_THIN: Final = 7.0
_LEAST_PIXELS: Final = 6
_MOST_COUNTED: Final = 3
# The field map is hardly ever less sure of an amount's place than this.
_PLACED: Final = 0.8
# Nor has the swept network often a smaller share for an amount that is read rightly.
_SAID: Final = 0.5
# So many digits or more are seldom written without a separator; of a long number every digit
# beyond so many counts.
_LONG: Final = 4
_NUMBER: Final = 5


def measure_signs(
    reading: Interpretation,
    boxes: NDArray[np.float32],
    ink: InkImage,
    place: float = 1.0,
    said: float = 1.0,
) -> tuple[float, ...]:
    """The signs of a reading, one for each of `card.SIGNS`.

    boxes: f32 [S, 4] of the symbols read, in pixels of ink; place: how probable the field map holds
    that the amount is there; said: the share that the swept network has for it. text_before,
    text_after: marks of writing, three at most, that follow on the amount at the distance of
    letters; within: marks between its symbols that are none of them; no_cents: 1 where no cents are
    written; plain: 1 where four digits or more have neither cents nor any separator, and one more
    for each beyond six, as such are rather the number of an account; unplaced: how
    far the place is from a likely one, 1 where the map sees none; zeros: 1 where it begins with a
    zero and another digit, as what has lost its first digits does; unsaid: how far said is from
    half.
    """
    before, after, within = _marks_beside(boxes, ink)
    digits = re.sub(r"\D", "", reading.digits)
    cents = digits != "" and abs(reading.amount_minor) == int(digits)
    bare = not cents and not re.search(r"\d[.,]\d", reading.text)
    plain = max(1, len(digits) - _NUMBER) if bare and len(digits) >= _LONG else 0
    unplaced = max(0.0, 1 - place / _PLACED)
    zeros = begins_with_zero(reading)
    unsaid = max(0.0, 1 - said / _SAID)
    return tuple(map(float, (before, after, within, not cents, plain, unplaced, zeros, unsaid)))


def begins_with_zero(reading: Interpretation) -> bool:
    """Whether a reading begins with a zero and another digit; the zero may be a sign before it."""
    return re.match(r"\D*0\d", reading.text) is not None


def line_of(boxes: NDArray[np.floating]) -> tuple[float, float, float]:
    """The height of the characters of a line, and its top and bottom, in the pixels of boxes.

    boxes: f32 or f64 [S, 4] of its symbols, one at least.
    """
    single = boxes.dtype == np.float32
    numbers = np.ascontiguousarray(boxes, np.float32 if single else np.float64)
    line = (ctypes.c_double * 3)()
    held, count = address(numbers, numbers.dtype.type), len(numbers)
    checked(LIBRARY.line_of(held, ctypes.c_int64(single), ctypes.c_int64(count), line))
    return line[0], line[1], line[2]


def _marks_beside(boxes: NDArray[np.float32], ink: InkImage) -> tuple[int, int, int]:
    """How many marks of writing stand before, after and within the symbols that were read."""
    if not len(boxes):
        return 0, 0, 0
    size, top, bottom = line_of(boxes)
    left, right = float(boxes[:, 0].min()), float(boxes[:, 2].max())
    x0, y0 = max(0, int(left - _AROUND * size)), max(0, int(top - size))
    x1, y1 = int(right + _AROUND * size), int(bottom + size)
    solid = ink.ink[y0:y1, x0:x1] > _SOLID
    own = np.zeros_like(solid)
    for a, b, c, d in (boxes - [x0 + 1, y0 + 1, x0 - 1, y0 - 1]).tolist():
        own[max(0, math.floor(b)) : math.ceil(d), max(0, math.floor(a)) : math.ceil(c)] = True
    start, upper, wide, high, area, held = component_stats(solid, own).astype(np.float64).T
    start, upper = start + x0, upper + y0
    shared = np.minimum(upper + high, bottom) - np.maximum(upper, top)
    writing = (
        (held <= 0.5 * area)
        & (area >= _LEAST_PIXELS)
        & (high >= _LEAST_HEIGHT * size)
        & (high <= _MOST_HEIGHT * size)
        & (wide <= _MOST_WIDTH * size)
        & (wide <= _THIN * high)
        & (high <= _THIN * wide)
        & (shared >= 0.3 * high)
    )
    middle, end = start + wide / 2, start + wide
    reach = 0.3 * size
    before = writing & (middle < left) & (end < left + reach)
    after = writing & (middle > right) & (start > right - reach)
    within = writing & (middle > left) & (middle < right)
    return (
        _following(left - end[before], wide[before], _GAP * size),
        _following(start[after] - right, wide[after], _GAP * size),
        min(int(within.sum()), _MOST_COUNTED),
    )


def _following(distance: NDArray[np.float64], wide: NDArray[np.float64], gap: float) -> int:
    """How many marks follow each other by at most a gap, three at most.

    distance, wide: f64 [M], of each mark from where the first may begin, and its width.
    """
    reached, count = 0.0, 0
    for near, width in sorted(zip(distance.tolist(), wide.tolist(), strict=True)):
        if near - reached > gap or count == _MOST_COUNTED:
            break
        reached, count = max(reached, near + width), count + 1
    return count
