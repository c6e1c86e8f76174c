"""Whether a mark looks like a currency sign: a cheap hint for finding fields, not a recognizer."""

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native.places import Possible, compare_ink

# Where a mark has ink if it is $, £, € or ₹ rather than a digit or a letter; tenths of a logistic
# model's weights, over the mark's ink brought to 9 rows of 7. Fitted on openly licensed fonts.
SIGN_INK = np.array(
    (
        (-9, -8, -1, 4, 4, 2, -3),
        (-16, -11, -8, -7, 14, 2, 4),
        (1, 3, 3, -4, -5, -2, 7),
        (1, 7, 2, 3, -5, -14, -17),
        (-2, 9, 0, 9, 5, -5, -11),
        (-3, 0, 1, 8, -5, 0, 3),
        (-6, 2, 1, -4, -7, -5, 4),
        (-10, 4, 9, 5, 6, -5, -4),
        (-8, -6, -13, 4, 2, 6, 5),
    ),
    np.float32,
)
_BIAS = -9.0
_LEAST_HEIGHT = 8
_HEIGHTS = (0.008, 0.09)
_ASPECTS = (0.25, 1.4)


def sign_likeness(mask: NDArray[np.bool_], boxes: NDArray[np.int32]) -> NDArray[np.float32]:
    """How much the ink in each box, i32 [N, 4], looks like a currency sign; f32 [N], 0..1.

    mask: bool [H, W] of a whole page. Boxes of a height or aspect no sign has give 0.
    """
    page = mask.shape[1]
    possible = Possible(
        high=(max(_LEAST_HEIGHT, _HEIGHTS[0] * page), _HEIGHTS[1] * page), wide=_ASPECTS, bias=_BIAS
    )
    return compare_ink(mask, boxes, SIGN_INK, possible)
