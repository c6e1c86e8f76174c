"""The features of runs of words as numpy measures them, all runs at once."""

import numpy as np
from numpy.typing import NDArray

from tests.pipeline.plain_ruling import Ruling
from tests.pipeline.plain_textline import Runs, Words

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int32]

_TEXT_GAP = 1.5
_DOUBLINGS = 5  # 32 words


def field_features(
    runs: Runs, words: Words, signs: FloatArray, ruling: Ruling, page: tuple[int, int]
) -> FloatArray:
    """Features of every run; f32 [R, F], columns as FEATURES.

    signs: f32 [W, 2], how much the first and the last mark of each word look like a currency sign.
    page: width and height in pixels.
    """
    count, high = np.maximum(runs.sums[:, :2], 1e-3).T
    core = high / count
    columns = (
        *_place(runs, page),
        *_size(runs, words, core, page),
        *_evenness(runs, core),
        *_isolation(runs, words, core),
        *_company(runs, words, signs, core),
        *_form(runs, words, ruling, core),
    )
    return np.clip(np.stack(columns, axis=1), -9.0, 9.0).astype(np.float32)


def _place(runs: Runs, page: tuple[int, int]) -> tuple[FloatArray, ...]:
    """Where on the page: the right end, and the height in steps of a sixth of the page."""
    x0, y0, x1, y1 = runs.boxes.astype(np.float32).T
    right, left = x1 / page[0], x0 / page[0]
    level = (y0 + y1) / (2 * page[1])
    steps = (np.maximum(1 - np.abs(level * 6 - step), 0) for step in (0.5, 1.5, 2.5, 3.5, 4.5, 5.5))
    return np.ones_like(right), right, right**2, np.maximum(0.5 - left, 0), *steps


def _size(
    runs: Runs, words: Words, core: FloatArray, page: tuple[int, int]
) -> tuple[FloatArray, ...]:
    """Width, height and number of characters against a usual amount's, and the print around."""
    wide = np.log((runs.boxes[:, 2] - runs.boxes[:, 0]) / (0.16 * page[0]))
    tall = np.log(core / (0.028 * page[0]))
    marks = np.log(np.maximum(runs.sums[:, 0], 1e-3) / 6)
    typical = float(np.median(words.boxes[:, 3] - words.boxes[:, 1]))
    above = np.log(np.maximum(core / max(typical, 1.0), 0.2))
    return wide, wide**2, tall, tall**2, marks, marks**2, above


def _evenness(runs: Runs, core: FloatArray) -> tuple[FloatArray, ...]:
    """Digits are of one height, on one line and narrow; words of writing are not."""
    count, high, high_squared, wide, bottom, bottom_squared, ink = np.maximum(runs.sums, 1e-3).T
    width = np.log(wide / high / 0.65)
    box_high = runs.boxes[:, 3] - runs.boxes[:, 1]
    return (
        _spread(count, high, high_squared) / core,
        np.minimum(_spread(count, bottom, bottom_squared) / core, 2.0),
        width,
        width**2,
        np.log(np.maximum(box_high / core, 1.0)),
        np.log(ink / (high * core * 0.22)),
    )


def _isolation(runs: Runs, words: Words, core: FloatArray) -> tuple[FloatArray, ...]:
    """Gaps on both sides, and within; a run that goes on right away is a part of something."""
    left, right = words.gap_left[runs.first] / core, words.gap_right[runs.last] / core
    return (
        np.minimum(left, 6.0) / 6,
        np.minimum(right, 6.0) / 6,
        np.maximum(1 - left / 1.2, 0),
        np.maximum(1 - right / 1.2, 0),
        np.minimum(runs.widest_gap / core, 4.0) / 4,
        np.minimum(runs.lead_gap / core, 4.0) / 4,
        np.log(runs.words.astype(np.float32)),
        np.log1p(_led(words, runs.first, words.before, words.gap_left, 0) / core) / 3,
        np.log1p(_led(words, runs.last, words.after, words.gap_right, 2) / core) / 3,
    )


def _led(
    words: Words, start: IntArray, following: IntArray, gap: FloatArray, end: int
) -> FloatArray:
    """How far the text goes on beyond the words `start`, f32 [R] pixels.

    From word to word where their gap is that of a text. end: the column of their boxes that looks
    that way, 0 or 2.
    """
    high = words.boxes[:, 3] - words.boxes[:, 1]
    near = (following >= 0) & (gap < _TEXT_GAP * high)
    last = np.where(near, following, np.arange(len(high)))
    for _ in range(_DOUBLINGS):
        last = last[last]
    beyond = np.abs(words.boxes[last[start], end] - words.boxes[start, end])
    return np.asarray(beyond, np.float32)


def _company(
    runs: Runs, words: Words, signs: FloatArray, core: FloatArray
) -> tuple[FloatArray, ...]:
    """A currency sign at the left end, or just before it; small print just before it."""
    before = words.before[runs.first]
    near = (before >= 0) & (words.gap_left[runs.first] < 4 * core)
    before_high = (words.boxes[before, 3] - words.boxes[before, 1]) / core
    return (
        signs[runs.first, 0],
        np.where(near, signs[before, 1], 0),
        np.where(near, np.clip(1 - before_high, -1, 1), 0),
    )


def _form(runs: Runs, words: Words, ruling: Ruling, core: FloatArray) -> tuple[FloatArray, ...]:
    """Boxes and ruled lines."""
    box, boxed, filled = ruling.boxes_around(runs.boxes, core)
    held = ruling.ink_held(words.boxes, words.sums[:, -1])
    share = np.where(box >= 0, np.minimum(runs.sums[:, -1] / np.maximum(held[box], 1), 1.2), 0)
    ruled, longer = ruling.rule_under(runs.boxes, core)
    divided, cents, follows = ruling.dividers(runs.boxes, core)
    follows = follows * (words.gap_right[runs.last] < 3 * core)
    return boxed, filled, share, divided, cents, follows, ruled, longer


def _spread(count: FloatArray, total: FloatArray, total_squared: FloatArray) -> FloatArray:
    mean = total / count
    return np.sqrt(np.maximum(total_squared / count - mean**2, 0.0))
