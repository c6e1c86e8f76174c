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


def widened(run: NDArray[np.int32], marks: Marks) -> NDArray[np.int64]:
    """As in `service.pipeline.native.places`."""
    core = run[3] - run[1]
    x0, y0, x1, y1 = marks.boxes.T
    small = ((y1 - y0) <= 0.6 * core) & ((x1 - x0) <= 1.8 * core)
    crowd = np.bincount(marks.word + 1, minlength=1)[marks.word + 1]
    small &= (crowd <= 3) | (marks.word < 0)
    box = run.astype(np.int64)
    for _ in range(2):
        level = (y0 >= box[1] - 0.25 * core) & (y1 <= box[3] + 0.35 * core)
        centre = (x0 + x1) / 2
        within = (centre > box[0]) & (centre < box[2])
        beside = (x1 > box[0] - 0.6 * core) & (x0 < box[2] + 0.6 * core)
        beside &= (y1 > box[1] + 0.2 * core) & (y0 < box[3])
        taken = marks.boxes[small & level & (within | beside)]
        if not len(taken):
            break
        box[:2] = np.minimum(box[:2], taken[:, :2].min(axis=0))
        box[2:] = np.maximum(box[2:], taken[:, 2:].max(axis=0))
    return box


def near_zone(box: tuple[int, int, int, int], boxes: NDArray[np.int32]) -> NDArray[np.int32]:
    """The marks inside a zone or just right of it; i32 [N, 4]."""
    x0, y0, x1, y1 = boxes.T
    high = box[3] - box[1]
    centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
    inside = (centre_x >= box[0]) & (centre_x < box[2]) & (centre_y >= box[1]) & (centre_y < box[3])
    beyond = (x0 >= box[2] - 0.1 * high) & (x0 < box[2] + 0.5 * high)
    beyond &= (x1 < box[2] + 2 * high) & (centre_y > box[1] - 0.3 * high) & (y1 < box[3])
    return np.asarray(boxes[(inside | beyond) & inside.any()])
