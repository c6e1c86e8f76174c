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
# and within, for a run that goes on right away is a part of something; a currency sign at its left
# end, or before it, or small print; and the boxes and ruled lines of a form.
WEIGHTS: dict[str, float] = {
    "one": -7.45,
    "right": 2.23,
    "right_squared": 5.57,
    "left_half": -3.05,
    "level_1": -0.29,
    "level_2": 0.49,
    "level_3": 2.07,
    "level_4": 0.41,
    "level_5": -4.22,
    "level_6": -3.09,
    "wide": -1.78,
    "wide_squared": -1.90,
    "tall": 3.14,
    "tall_squared": -1.85,
    "marks": 1.52,
    "marks_squared": -0.23,
    "above_typical": 0.02,
    "uneven_heights": -0.25,
    "uneven_baseline": 1.35,
    "mark_width": 1.62,
    "mark_width_squared": -1.16,
    "stacked": -3.78,
    "ink": -0.29,
    "free_left": 0.18,
    "free_right": 1.44,
    "tied_left": -5.15,
    "tied_right": -2.75,
    "widest_gap": -0.54,
    "lead_gap": -0.53,
    "words": 0.07,
    "sign_first": 0.47,
    "sign_before": 2.58,
    "small_before": -1.50,
    "boxed": 1.92,
    "box_filled": -4.81,
    "box_share": 4.19,
    "dividers": -7.98,
    "cents_cell": 1.63,
    "cell_follows": 0.62,
    "ruled": -0.35,
    "rule_longer": -0.92,
}
FEATURES: tuple[str, ...] = tuple(WEIGHTS)


def field_penalties(features: FloatArray, weights: FloatArray | None = None) -> FloatArray:
    """Penalty of every row of features: -log of the probability that it is the amount; f32 [R].

    weights: f32 [len(FEATURES)], in place of WEIGHTS.
    """
    if weights is None:
        weights = np.array(list(WEIGHTS.values()), np.float32)
    return np.asarray(np.logaddexp(0.0, -(features @ weights)), np.float32)
