"""What makes a run of words look like a courtesy amount, and the penalty that follows from it.

One linear-logistic model: penalty = -log sigmoid(weights . features). WEIGHTS is the only table;
training replaces its values, the features stay. They are measured in ``native/places.c``.

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
# boxes and ruled lines of a form.
WEIGHTS: dict[str, float] = {
    "one": -5.21,
    "right": 2.23,
    "right_squared": 4.07,
    "left_half": -3.20,
    "level_1": -0.26,
    "level_2": 0.87,
    "level_3": 2.23,
    "level_4": 0.27,
    "level_5": -4.44,
    "level_6": -1.71,
    "wide": 0.29,
    "wide_squared": -1.48,
    "tall": 0.92,
    "tall_squared": -0.89,
    "marks": -0.72,
    "marks_squared": -0.96,
    "above_typical": -0.10,
    "uneven_heights": 0.92,
    "uneven_baseline": 1.36,
    "mark_width": 0.83,
    "mark_width_squared": -1.49,
    "stacked": -1.95,
    "ink": -0.18,
    "free_left": -0.50,
    "free_right": 0.84,
    "tied_left": -4.29,
    "tied_right": -2.04,
    "widest_gap": -0.71,
    "lead_gap": -2.51,
    "words": -0.17,
    "line_left": -1.65,
    "line_right": -4.42,
    "sign_first": 0.44,
    "sign_before": 2.37,
    "small_before": -0.96,
    "boxed": 1.75,
    "box_filled": -3.39,
    "box_share": 2.49,
    "dividers": -7.36,
    "cents_cell": 2.23,
    "cell_follows": 0.28,
    "ruled": 0.09,
    "rule_longer": -0.73,
}
FEATURES: tuple[str, ...] = tuple(WEIGHTS)


def field_penalties(features: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Penalty of every row of features: -log of the probability that it is the amount; f32 [R].

    weights: f32 [len(FEATURES)], in place of WEIGHTS.
    """
    if weights is None:
        weights = np.array(list(WEIGHTS.values()), np.float32)
    return np.asarray(np.logaddexp(0.0, -(features @ weights)), np.float32)
