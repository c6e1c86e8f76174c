"""The same image as it might have been written and scanned another time (section III-C's planar
affine distortions, of whole strings): a few hundred cheques have to teach more than themselves."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Variation:
    """Ranges of what varies, each drawn uniformly from [-range, range].

    slant: ratio of a horizontal shear. stretch, size: natural logarithms of the width's and of the
    whole image's factor. turn: radians. bend: displacement of a smooth random field, in parts of
    the image's height. gamma: natural logarithm of the exponent of the greys. noise: greatest
    standard deviation of added noise, in grey levels; blur: greatest radius, in parts of the
    image's height.
    """

    slant: float = 0.15
    stretch: float = 0.12
    size: float = 0.15
    turn: float = 0.025
    bend: float = 0.02
    gamma: float = 0.25
    noise: float = 6.0
    blur: float = 0.008


CROPPED = Variation()
# A page has a layout that must be found again, and far more pixels than the amount in it.
PAGE = Variation(
    slant=0.03, stretch=0.04, size=0.1, turn=0.015, bend=0.002, gamma=0.25, noise=6.0, blur=0.001
)


def varied(rng: np.random.Generator, grey: NDArray[np.uint8], how: Variation) -> NDArray[np.uint8]:
    """Another rendering of an image; u8 [H, W], of another size than what is given.

    What comes into view at the borders repeats them.
    """
    height, width = grey.shape

    def within(span: float) -> float:
        return float(rng.uniform(-span, span))

    across, scale = np.exp(within(how.stretch)), np.exp(within(how.size))
    turn, slant = within(how.turn), within(how.slant)
    linear = scale * np.array(
        [[across * np.cos(turn), slant - np.sin(turn)], [across * np.sin(turn), np.cos(turn)]]
    )
    new_width, new_height = max(round(width * scale * across), 8), max(round(height * scale), 8)
    back = np.linalg.inv(linear)
    ys, xs = np.mgrid[0:new_height, 0:new_width].astype(np.float32)
    xs, ys = xs - new_width / 2, ys - new_height / 2
    source_x = back[0, 0] * xs + back[0, 1] * ys + width / 2
    source_y = back[1, 0] * xs + back[1, 1] * ys + height / 2
    knots = (4, max(round(4 * width / height), 4))
    for source in (source_x, source_y):
        field = rng.uniform(-1, 1, knots).astype(np.float32) * how.bend * height
        source += cv2.resize(field, (new_width, new_height), interpolation=cv2.INTER_CUBIC)
    moved = cv2.remap(
        grey, source_x.astype(np.float32), source_y.astype(np.float32), cv2.INTER_LINEAR,
        borderMode=cv2.BORDER_REPLICATE,
    )  # fmt: skip
    radius = float(rng.uniform(0, how.blur)) * new_height
    if radius > 0.3:
        moved = cv2.GaussianBlur(moved, (0, 0), radius)
    exponent = np.exp(within(how.gamma))
    shown = 255.0 * np.power(np.asarray(moved, np.float64) / 255.0, exponent)
    shown += rng.normal(0, float(rng.uniform(0, how.noise)), moved.shape)
    return np.asarray(np.clip(np.rint(shown), 0, 255), np.uint8)
