"""Boxes and ruled lines as landmarks: which box a run of words stands in, which line it stands on.

A form prints a box around the courtesy amount or a line under it; a box may lack a side, and the
writing may cross its frame. All coordinates are pixels of the ink image.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.pipeline.ink import HORIZONTAL, VERTICAL, InkImage

IntArray = NDArray[np.int32]
FloatArray = NDArray[np.float32]

MOST_BOXES = 60
_MOST_RULES = 150
_CENTS = 3.2
_NEXT = 1.5


@dataclass(frozen=True, slots=True)
class Ruling:
    """Horizontal and vertical rules and the boxes they make; i32 [., 4], x0, y0, x1, y1."""

    horizontal: IntArray
    vertical: IntArray
    boxes: IntArray

    def boxes_around(
        self, runs: IntArray, core: FloatArray
    ) -> tuple[IntArray, FloatArray, FloatArray]:
        """The box that each run, i32 [R, 4], stands in, if any is of a size to be meant for it.

        core: f32 [R], height of the run's characters. Returns the number of the box, i32 [R], -1
        where none; the share of the run inside it, and the run's width over the box's, f32 [R].
        """
        none = np.zeros(len(runs), np.float32)
        if not len(self.boxes) or not len(runs):
            return np.full(len(runs), -1, np.int32), none, none
        run, box = runs[:, None, :].astype(np.float32), self.boxes[None, :, :].astype(np.float32)
        slack = 0.3 * core[:, None]
        shared_x = np.minimum(run[..., 2], box[..., 2]) - np.maximum(run[..., 0], box[..., 0])
        shared_y = np.minimum(run[..., 3], box[..., 3] + slack)
        shared_y = shared_y - np.maximum(run[..., 1], box[..., 1] - slack)
        run_wide, run_high = run[..., 2] - run[..., 0], run[..., 3] - run[..., 1]
        inside = np.clip(shared_x / run_wide, 0, 1) * np.clip(shared_y / run_high, 0, 1)
        box_wide, box_high = box[..., 2] - box[..., 0], box[..., 3] - box[..., 1]
        fits = (box_high < 4 * core[:, None]) & (box_wide < 8 * run_wide)
        inside = np.where(fits, inside, 0)
        best = inside.argmax(axis=1)
        boxed = inside[np.arange(len(runs)), best]
        filled = np.where(boxed > 0, np.minimum(run_wide[:, 0] / box_wide[0, best], 1.5), 0)
        number = np.where(boxed > 0, best, -1).astype(np.int32)
        return number, boxed.astype(np.float32), filled.astype(np.float32)

    def rule_under(self, runs: IntArray, core: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Whether each run stands on a ruled line, f32 [R] 0..1, and log2 of the line's length
        over the run's, f32 [R], 0 where none."""
        none = np.zeros(len(runs), np.float32)
        if not len(self.horizontal) or not len(runs):
            return none, none
        run, rule = runs[:, None, :].astype(np.float32), self.horizontal[None].astype(np.float32)
        run_wide = run[..., 2] - run[..., 0]
        shared = np.minimum(run[..., 2], rule[..., 2]) - np.maximum(run[..., 0], rule[..., 0])
        below = (rule[..., 1] + rule[..., 3]) / 2 - run[..., 3]
        near = (below > -0.5 * core[:, None]) & (below < 0.7 * core[:, None])
        share = np.where(near, np.clip(shared / run_wide, 0, 1), 0)
        best = share.argmax(axis=1)
        ruled = share[np.arange(len(runs)), best]
        length = (rule[0, :, 2] - rule[0, :, 0])[best]
        longer = np.clip(np.log2(np.maximum(length / run_wide[:, 0], 0.25)), -2, 4)
        return ruled.astype(np.float32), np.where(ruled > 0.3, longer, 0).astype(np.float32)

    def ink_held(self, words: IntArray, ink: FloatArray) -> FloatArray:
        """Ink, f32 [W], of the words, i32 [W, 4], centred in each box; f32 [B], not empty."""
        if not len(self.boxes):
            return np.zeros(1, np.float32)
        centre = (words[:, :2] + words[:, 2:]) / 2
        inside = (centre[None] >= self.boxes[:, None, :2]) & (
            centre[None] < self.boxes[:, None, 2:]
        )
        return np.asarray(inside.all(axis=2) @ ink, np.float32)

    def dividers(
        self, runs: IntArray, core: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Upright rules at each run: boxes of a digit each, as for dates, or a cell for the cents.

        Returns f32 [R] each: rules inside the run per character height, at most 1; whether the only
        one inside cuts off as much as two digits at the right end; whether one follows right after.
        """
        none = np.zeros(len(runs), np.float32)
        if not len(self.vertical) or not len(runs):
            return none, none, none
        x = ((self.vertical[:, 0] + self.vertical[:, 2]) / 2)[None]
        y0, y1 = self.vertical[:, 1], self.vertical[:, 3]
        shared = np.minimum(y1[None], runs[:, 3, None]) - np.maximum(y0[None], runs[:, 1, None])
        beside = shared > 0.5 * (runs[:, 3] - runs[:, 1])[:, None]
        right, unit = runs[:, 2, None], core[:, None]
        within = beside & (x > runs[:, 0, None] + 0.3 * unit) & (x < right - 0.3 * unit)
        count = within.sum(axis=1)
        characters = np.maximum((runs[:, 2] - runs[:, 0]) / core, 1.0)
        last = (within & (x > right - _CENTS * unit) & (x < right - 0.5 * unit)).any(axis=1)
        follows = beside & (x > right - 0.2 * unit) & (x < right + _NEXT * unit)
        return (
            np.minimum(count / characters, 1.0).astype(np.float32),
            (last & (count == 1)).astype(np.float32),
            np.asarray(follows.any(axis=1), np.float32),
        )


def without_rules(ink: InkImage) -> NDArray[np.bool_]:
    """The ink mask cut open along every ruled line, so that no frame ties words together.

    For finding fields only: strokes that cross a line are cut too.
    """
    mask = ink.mask.copy()
    for x0, y0, x1, y1, _ in ink.rules:
        mask[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = False
    return mask


def find_ruling(rules: IntArray, page_width: int, page_height: int) -> Ruling:
    """Landmarks from InkImage.rules, i32 [R, 5]; the longest are kept where there are very many."""
    length = np.maximum(rules[:, 2] - rules[:, 0], rules[:, 3] - rules[:, 1])
    rules = rules[np.argsort(-length, kind="stable")[:_MOST_RULES]]
    horizontal = rules[rules[:, 4] == HORIZONTAL, :4]
    vertical = rules[rules[:, 4] == VERTICAL, :4]
    return Ruling(horizontal, vertical, _boxes(horizontal, vertical, page_width, page_height))


def _boxes(horizontal: IntArray, vertical: IntArray, page_width: int, page_height: int) -> IntArray:
    """Pairs of horizontal rules whose ends agree, or that a side joins; i32 [B, 4], inner area."""
    if len(horizontal) < 2:
        return np.zeros((0, 4), np.int32)
    a, b = (side.ravel() for side in np.indices((len(horizontal), len(horizontal))))
    top, bottom = horizontal[a], horizontal[b]
    high = bottom[:, 1] - top[:, 3]
    x0, x1 = np.maximum(top[:, 0], bottom[:, 0]), np.minimum(top[:, 2], bottom[:, 2])
    longest = np.maximum(top[:, 2] - top[:, 0], bottom[:, 2] - bottom[:, 0])
    fits = (high > 0.012 * page_width) & (high < 0.2 * page_height)
    fits &= (x1 - x0 > 1.2 * high) & (x1 - x0 < 0.6 * page_width) & (x1 - x0 > 0.6 * longest)
    a, b, x0, x1 = a[fits], b[fits], x0[fits], x1[fits]
    y0, y1 = horizontal[a, 3], horizontal[b, 1]
    slack = np.maximum(0.25 * (y1 - y0), 3)
    aligned = np.abs(horizontal[a, 0] - horizontal[b, 0]) <= slack
    aligned &= np.abs(horizontal[a, 2] - horizontal[b, 2]) <= slack
    closed = aligned | _side(vertical, x0, y0, y1, slack) | _side(vertical, x1, y0, y1, slack)
    boxes = np.stack([x0, y0, x1, y1], axis=1)[closed]
    # The lowest boxes first: where rules stack, the pair that is nearest makes the box.
    order = np.argsort(boxes[:, 3] - boxes[:, 1], kind="stable")[:MOST_BOXES]
    return np.asarray(boxes[order], np.int32)


def _side(
    vertical: IntArray, x: IntArray, y0: IntArray, y1: IntArray, slack: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Which pairs have a vertical rule near x that spans most of y0..y1; bool [B]."""
    if not len(vertical):
        return np.zeros(len(x), np.bool_)
    centre = (vertical[:, 0] + vertical[:, 2]) / 2
    near = np.abs(centre[None] - x[:, None]) <= slack[:, None]
    shared = np.minimum(vertical[:, 3][None], y1[:, None])
    shared = shared - np.maximum(vertical[:, 1][None], y0[:, None])
    return np.asarray((near & (shared >= 0.6 * (y1 - y0)[:, None])).any(axis=1))
