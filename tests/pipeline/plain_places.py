"""Runs of words of a page as numpy finds and describes them, to test the compiled loops by."""

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.ink import InkImage
from service.pipeline.signs import _ASPECTS, _BIAS, _HEIGHTS, _LEAST_HEIGHT, SIGN_INK
from tests.pipeline.plain_features import field_features
from tests.pipeline.plain_ruling import find_ruling, without_rules
from tests.pipeline.plain_textline import (
    Marks,
    Runs,
    Words,
    find_marks,
    find_runs,
    find_words,
    runs_within,
)


def find_places(
    ink: InkImage,
) -> tuple[NDArray[np.int32], NDArray[np.float32], Marks] | None:
    """Boxes and features of all runs, and the marks; None where there is no word."""
    height, width = ink.mask.shape
    mask = without_rules(ink)
    marks, words = find_words(find_marks(mask), width)
    if not len(words.boxes):
        return None
    ruling = find_ruling(ink.rules, width, height)
    runs = find_runs(words, width).joined_with(runs_within(words, ruling.boxes))
    signs = sign_likeness(mask, marks.boxes[words.ends.ravel()]).reshape(-1, 2)
    features = field_features(runs, words, signs, ruling, (width, height))
    return _with_signs(runs, words, signs, marks), features, marks


def sign_likeness(mask: NDArray[np.bool_], boxes: NDArray[np.int32]) -> NDArray[np.float32]:
    """As in `service.pipeline.signs`, box by box."""
    wide, high = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    least = max(_LEAST_HEIGHT, _HEIGHTS[0] * mask.shape[1])
    possible = (high >= least) & (high <= _HEIGHTS[1] * mask.shape[1])
    possible &= (wide >= _ASPECTS[0] * high) & (wide <= _ASPECTS[1] * high)
    likeness = np.zeros(len(boxes), np.float32)
    ink, size = mask.view(np.uint8), SIGN_INK.shape[::-1]
    for index in np.flatnonzero(possible):
        x0, y0, x1, y1 = boxes[index].tolist()
        shape = cv2.resize(ink[y0:y1, x0:x1] * np.uint8(255), size, interpolation=cv2.INTER_AREA)
        likeness[index] = (float((shape * SIGN_INK).sum()) / 255 + _BIAS) / 10
    likeness[possible] = 1 / (1 + np.exp(-likeness[possible]))
    return likeness


def _with_signs(
    runs: Runs, words: Words, signs: NDArray[np.float32], marks: Marks
) -> NDArray[np.int32]:
    before = words.before[runs.first]
    sign = marks.boxes[words.ends[before, 1]]
    high = runs.boxes[:, 3] - runs.boxes[:, 1]
    adjoins = (before >= 0) & (signs[before, 1] > 0.6) & (signs[runs.first, 0] <= 0.6)
    adjoins &= words.gap_left[runs.first] < 1.2 * high
    adjoins &= sign[:, 3] - sign[:, 1] < 1.45 * high
    joined = np.concatenate(
        [np.minimum(runs.boxes[:, :2], sign[:, :2]), np.maximum(runs.boxes[:, 2:], sign[:, 2:])],
        axis=1,
    )
    return np.where(adjoins[:, None], joined, runs.boxes)
