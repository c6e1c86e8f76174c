"""Connected components, with the types that OpenCV's own stubs leave open."""

import cv2
import numpy as np
from numpy.typing import NDArray


def connected_components(
    solid: NDArray[np.uint8],
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Components of the nonzero pixels, neighbours in 8 directions; number 0 is the rest.

    solid: u8 [H, W]. Returns labels i32 [H, W], statistics i32 [C, 5] (left, top, width, height,
    area in pixels) and middles f64 [C, 2] (x, y).
    """
    _, labels, statistics, middles = cv2.connectedComponentsWithStats(solid, connectivity=8)
    return (
        np.asarray(labels, np.int32),
        np.asarray(statistics, np.int32),
        np.asarray(middles, np.float64),
    )
