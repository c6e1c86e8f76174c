"""Whether a person could read the amount in a picture: no character lost, faded or buried."""

import cv2
import numpy as np
from numpy.typing import NDArray

LEAST_INK = 0.2
"""The share of its ink that a character must keep for a person to read it."""
_POINT = 25
_LEAST_PIXELS = 3
_LEAST_CONTRAST = 20.0
_LEAST_SHARE = 0.3

Image = NDArray[np.uint8]


def fewest_ink(image: Image, owner: Image) -> float:
    """Return the share of its ink that is dark of the character that lost most; points apart.

    image: u8 [H, W]; owner: u8 [H, W], 1 + index of a pixel's character. 1.0 where there is none.
    """
    x, y, w, h = cv2.boundingRect((owner > 0).astype(np.uint8))
    own = owner[y : y + h, x : x + w].ravel()
    whole = np.bincount(own, minlength=2)[1:]
    dark = image[y : y + h, x : x + w].ravel() < 128
    kept = np.bincount(own, weights=dark, minlength=2)[1:]
    large = whole > _POINT
    return float((kept[large] / whole[large]).min(initial=1.0))


def is_black_on_white(image: Image, owner: Image) -> bool:
    """Tell whether most of the amount's ink came out dark and the paper among it light."""
    x, y, w, h = cv2.boundingRect((owner > 0).astype(np.uint8))
    if not w:
        return True
    dark = image[y : y + h, x : x + w] < 128
    ink = owner[y : y + h, x : x + w] > 0
    return bool(dark[ink].mean() > 0.5 and dark[~ink].mean() < 0.3)


def shows_all(image: Image, owner: Image, count: int) -> bool:
    """Tell whether each of `count` characters stands out from its paper, the points too.

    image: u8 [H, W] or [H, W, 3]. A character that stands out less than three tenths as much as
    most do, as a point that blur has spread or another's ink covers, cannot be told to be there.
    """
    grey = image if image.ndim == 2 else np.asarray(image.mean(axis=2), np.uint8)
    found = []
    for index in range(1, count + 1):
        x, y, w, h = cv2.boundingRect((owner == index).astype(np.uint8))
        air = max(3, h // 3)
        place = np.s_[max(0, y - air) : y + h + air, max(0, x - air) : x + w + air]
        own, around = owner[place] == index, owner[place] == 0
        if own.sum() < _LEAST_PIXELS or not around.any():
            return False
        found.append(float(np.median(grey[place][around])) - float(grey[place][own].mean()))
    usual = float(np.median(found)) if found else np.inf
    return usual >= _LEAST_CONTRAST and min(found, default=np.inf) >= _LEAST_SHARE * usual
