"""Where the amount may stand on a page, as a network sees it at a glance: part of T_field.

The whole page, a few hundred pixels wide, goes through one convolutional network that is replicated
over it (section VII). It says of every cell of the page how likely the amount is written there, or
cents in a place of their own. What it says of a run of words is among the features by which runs
become candidates (`field_features`).
"""

import hashlib
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from service.errors import ModelError
from service.pipeline.ink import InkImage
from service.pipeline.native.places import map_features
from service.pipeline.recognize import session_of

Sides = tuple[float, float, float, float]
"""x0, y0, x1, y1 of a box in parts of pixels."""
CELL: Final = 4
"""Pixels of the small page to a cell."""
STEP: Final = 8
"""The small page's sides are multiples of so many pixels."""
LAYERS: Final = 4
"""Ink, darkness, and where on the page a pixel is: from the left, from above."""

NETWORK: Final = Path(__file__).parent / "field_map.onnx"
SHA256: Final = "2a9aacadd554064387f0ce3937d98e56c31004c96bdd1c3b60d36247faeb6f79"

_AREA: Final = 400 * 176
_MOST: Final = 800
_LIKELY: Final = 0.2
_JOINED: Final = 5
_MOST_PLACES: Final = 2
# Sizes of small pages whose places are kept: a scanner gives one.
_SIZES: Final = 16
# A place that holds less than this of what the first one does is none.
_LEAST_HELD: Final = 0.1


@dataclass(frozen=True, slots=True)
class FieldMap:
    """How likely each cell of a page is the amount's, or that of cents apart.

    amount, cents: f32 [h, w]. across, down: cells to a pixel of the page.
    """

    amount: NDArray[np.float32]
    cents: NDArray[np.float32]
    across: float
    down: float

    def features(self, boxes: NDArray[np.int32]) -> NDArray[np.float32]:
        """What the map says of runs, boxes i32 [R, 4] in pixels of the page; f32 [R, 3].

        The log odds of their cells on average, and the share that they hold of all that is likely
        on the page, and that follows them of all likely cents.
        """
        return map_features((self.amount, self.cents), boxes, self.across, self.down)

    def places(self) -> list["SeenPlace"]:
        """The places where the amount is likely, those that hold most first, two at most."""
        total = max(float(self.amount.sum()), 1e-6)
        cents = self._regions(self.cents, 1)
        return [
            SeenPlace(
                self._box(place),
                float(self.amount[place].max() * self.amount[place].sum() / total),
                self._box(cents[0]) if cents else None,
                float(self.cents[cents[0]].max()) if cents else 0.0,
            )
            for place in self._regions(self.amount, _MOST_PLACES)
        ]

    def _regions(self, values: NDArray[np.float32], most: int) -> list[NDArray[np.bool_]]:
        """Likely cells that are no further apart than cells of one text; those with most first."""
        likely = values > _LIKELY
        kernel = np.ones((1, _JOINED), np.uint8)
        joined = cv2.morphologyEx(likely.astype(np.uint8), cv2.MORPH_CLOSE, kernel)
        count, number = cv2.connectedComponents(joined, connectivity=8)
        held = np.bincount(number.ravel(), weights=values.ravel(), minlength=count)[1:]
        order = np.argsort(-held, kind="stable")[:most]
        return [
            (number == 1 + one) & likely for one in order if held[one] > _LEAST_HELD * held.max()
        ]

    def _box(self, place: NDArray[np.bool_]) -> Sides:
        x, y, w, h = cv2.boundingRect(place.astype(np.uint8))
        return x / self.across, y / self.down, (x + w) / self.across, (y + h) / self.down


@dataclass(frozen=True, slots=True)
class SeenPlace:
    """A place that the map sees the amount in, and cents of their own.

    box, cents: x0, y0, x1, y1 in pixels of the page, as exact as cells are; cents None where there
    are none. probability: that it is the amount's; cents_probability: that those are its cents.
    """

    box: Sides
    probability: float
    cents: Sides | None
    cents_probability: float


def field_map(ink: InkImage) -> FieldMap:
    """The map of a page; raises ModelError where the network's file is not the one meant."""
    layers, (wide, high) = page_layers(ink)
    (cells,) = _network().run(None, {"pages": layers[None]})
    height, width = ink.mask.shape
    amount, cents = np.asarray(cells[0], np.float32)
    return FieldMap(amount, cents, wide / CELL / width, high / CELL / height)


def place_seen(ink: InkImage) -> float:
    """How probable the likeliest place for the amount on a page is, 0 where there is none."""
    return max((one.probability for one in field_map(ink).places()), default=0.0)


@cache
def _network() -> InferenceSession:
    if hashlib.sha256(NETWORK.read_bytes()).hexdigest() != SHA256:
        raise ModelError(f"{NETWORK.name} is not the file that belongs to this version (sha256)")
    return session_of(NETWORK.parent, NETWORK.name)


def page_layers(ink: InkImage) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """A page as the network sees it: u8 [LAYERS, h, w], and the width and height it was brought to;
    what is right of that and below is paper."""
    height, width = ink.ink.shape
    scale = (_AREA / (height * width)) ** 0.5
    wide, high = (min(max(round(side * scale), STEP), _MOST) for side in (width, height))
    layers = np.zeros((LAYERS, -(-high // STEP) * STEP, -(-wide // STEP) * STEP), np.uint8)
    for number, seen in enumerate((ink.ink, ink.darkness)):
        layers[number, :high, :wide] = _reduced(seen, wide, high)
    layers[1] = cv2.convertScaleAbs(layers[1], alpha=2.0)
    layers[2:] = page_places(*layers.shape[1:])
    return layers, (wide, high)


def _reduced(seen: NDArray[np.uint8], wide: int, high: int) -> NDArray[np.uint8]:
    """A layer made smaller: halved, which is fast, and what is left by interpolation."""
    while seen.shape[1] >= 2 * wide and seen.shape[0] >= 2 * high:
        even = seen[: seen.shape[0] // 2 * 2, : seen.shape[1] // 2 * 2]
        half = even.shape[1] // 2, even.shape[0] // 2
        seen = np.asarray(cv2.resize(even, half, interpolation=cv2.INTER_AREA), np.uint8)
    return np.asarray(cv2.resize(seen, (wide, high), interpolation=cv2.INTER_LINEAR), np.uint8)


@lru_cache(maxsize=_SIZES)
def page_places(height: int, width: int) -> NDArray[np.uint8]:
    """How far each pixel is from the left and from above, 255 all the way; u8 [2, h, w]."""
    across = np.linspace(0, 255, width).astype(np.uint8)
    down = np.linspace(0, 255, height).astype(np.uint8)
    places = np.stack(np.broadcast_arrays(across, down[:, None]))
    places.flags.writeable = False
    return places
