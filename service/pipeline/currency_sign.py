"""The currency of an amount by the sign that a form has printed before its place.

The place of the amount ends before such a sign, so that no path reads it. It is looked for in the
ink beside the amount and recognised as one segment.
"""

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.doubts import line_of
from service.pipeline.grammar import CURRENCIES, STYLES
from service.pipeline.native.inking import component_stats
from service.pipeline.recognize import Recognizer
from service.pipeline.segment import whole_crop

CURRENCY_OF: Final = {
    sign: currency
    for currency in CURRENCIES
    for sign, _ in STYLES[currency].signs
    if len(sign) == 1 and sign != "$"
}
"""The currencies that a printed sign gives away; a dollar's or peso's is of two dozen of them."""

_SURE: Final = 0.9
_SOLID: Final = 60
# In heights of the amount: how far before it a sign may end, how high and how wide it may be, how
# far its middle may be off the line; and how near nothing else may be before it (R$, US$).
_REACH: Final = 2.5
_HIGH: Final = (0.5, 3.0)
_WIDE: Final = (0.25, 2.5)
_OFF: Final = 1.0
_ALONE: Final = 0.6


def sign_before(
    ink: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    recognizer: Recognizer,
    placement: Placement,
) -> str | None:
    """The currency that the sign before an amount gives away; None where none stands there alone.

    ink: u8 [H, W]; boxes: f32 [S, 4] of the amount's symbols in its pixels.
    """
    if not len(boxes):
        return None
    size, top, bottom = line_of(boxes)
    middle = (top + bottom) / 2
    left = float(boxes[:, 0].min())
    marks = _marks_before(ink, left, middle, size)
    high, wide = marks[:, 3] - marks[:, 1], marks[:, 2] - marks[:, 0]
    tall = (high >= _HIGH[0] * size) & (wide >= _WIDE[0] * size)
    near = marks[tall & (marks[:, 2] >= left - _REACH * size)]
    if not len(near):
        return None
    x0, y0, x1, y1 = near[near[:, 2].argmax()].tolist()
    off = abs((y0 + y1) / 2 - middle) > _OFF * size
    before = (marks[:, 2] <= x0 + 1) & (marks[:, 2] > x0 - _ALONE * size) & tall
    if off or y1 - y0 > _HIGH[1] * size or x1 - x0 > _WIDE[1] * size or before.any():
        return None
    box = max(0, x0 - 1), max(0, y0 - 1), x1 + 1, y1 + 1
    crop = whole_crop(ink, box, placement)
    if crop is None:
        return None
    penalties = recognizer.penalties(crop[None])
    likeliest = int(penalties[0].argmin())
    if penalties[0, likeliest] > -math.log(_SURE):
        return None
    return CURRENCY_OF.get(recognizer.labels[likeliest])


def _marks_before(
    ink: NDArray[np.uint8], left: float, middle: float, size: float
) -> NDArray[np.int64]:
    """Boxes i64 [M, 4] of the marks on the line before an amount, as far as a sign may reach."""
    reach = _REACH + _WIDE[1] + _ALONE
    x0, y0 = max(0, int(left - reach * size)), max(0, int(middle - 2 * size))
    x1, y1 = max(0, math.ceil(left + 0.2 * size)), math.ceil(middle + 2 * size)
    part = np.ascontiguousarray(ink[y0:y1, x0:x1] > _SOLID)
    if part.size == 0:
        return np.zeros((0, 4), np.int64)
    found = component_stats(part)[:, :4].astype(np.int64)
    found[:, 2:] += found[:, :2]
    return np.asarray(found[found[:, 2] < part.shape[1]] + np.array([x0, y0, x0, y0]), np.int64)
