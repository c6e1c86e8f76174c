"""What makes a run of words look like a courtesy amount, and the penalty that follows from it.

One linear-logistic model: penalty = -log sigmoid(weights . features). WEIGHTS is the only table;
training replaces its values, the features stay. They are measured in ``native/places.c``, those of
the field map in ``field_map``.

Source: section X, "field location": a candidate's penalty comes from its position, size and aspect.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]

# Per feature its weight, in the order of `describe` in places.c: where on the page the run stands
# (its right end; its height in steps of a sixth of the page); its width, height and number of
# characters against a usual amount's, and its height against the print around; how even it is, for
# digits are of one height, on one line and narrow, words of writing are not; the gaps on both sides
# and within, for a run that goes on right away is a part of something, and how far the text of its
# line goes on beyond it; a currency sign at its left end, or before it, or small print; and the
# boxes and ruled lines of a form; and what the field map says of it.
WEIGHTS: dict[str, float] = {
    "one": -1.48,
    "right": -0.05,
    "right_squared": -0.81,
    "left_half": -1.75,
    "level_1": -0.31,
    "level_2": 0.06,
    "level_3": -0.50,
    "level_4": -0.71,
    "level_5": 1.20,
    "level_6": -1.05,
    "wide": 0.05,
    "wide_squared": -1.15,
    "tall": -1.48,
    "tall_squared": -0.07,
    "marks": -0.19,
    "marks_squared": 0.17,
    "above_typical": 0.31,
    "uneven_heights": 0.11,
    "uneven_baseline": 1.97,
    "mark_width": 1.07,
    "mark_width_squared": -1.43,
    "stacked": -5.14,
    "ink": -1.21,
    "free_left": 0.39,
    "free_right": 0.70,
    "tied_left": -2.78,
    "tied_right": -1.98,
    "widest_gap": -0.50,
    "lead_gap": -0.29,
    "words": -0.09,
    "line_left": 0.36,
    "line_right": -2.24,
    "sign_first": -0.28,
    "sign_before": 0.77,
    "small_before": -0.51,
    "boxed": 0.80,
    "box_filled": -1.18,
    "box_share": 0.16,
    "dividers": -0.62,
    "cents_cell": 1.13,
    "cell_follows": 0.96,
    "ruled": -0.20,
    "rule_longer": -0.46,
    "map_within": 0.61,
    "map_held": 6.06,
    "map_cents": -3.69,
}
FEATURES: tuple[str, ...] = tuple(WEIGHTS)


def field_penalties(features: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Penalty of every row of features: -log of the probability that it is the amount; f32 [R].

    weights: f32 [len(FEATURES)], in place of WEIGHTS.
    """
    if weights is None:
        weights = np.array(list(WEIGHTS.values()), np.float32)
    return np.asarray(np.logaddexp(0.0, -(features @ weights)), np.float32)
