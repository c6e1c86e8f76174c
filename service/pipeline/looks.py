"""Further looks at a page, or closer ones at its amount: turned, enlarged, reduced, stretched.

What a single reading misses, a cut or the extent of a field, hangs on accidents of the grid of
pixels. Readings of the same page slightly changed miss other things, so that their posteriors
averaged are far better than one (perturb and combine: Breiman, "Arcing classifiers", 1998). One of
the closer looks is sharpened as well.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.field import Box, FieldCandidate, Zone
from service.pipeline.image import ChequeImage
from service.pipeline.ink import InkImage, extract_ink
from service.pipeline.levels import percentile


@dataclass(frozen=True, slots=True)
class _Change:
    """Degrees that a page is turned by, and what its width and height are multiplied with."""

    degrees: float = 0.0
    wide: float = 1.0
    high: float = 1.0


_LARGER: Final = _Change(wide=1.25, high=1.25)
_CHANGES: Final = (
    _Change(degrees=-2.0), _Change(degrees=2.0), _Change(degrees=-1.0), _Change(degrees=1.0),
    _LARGER, _Change(wide=0.83, high=0.83), _Change(wide=1.12, high=0.95),
)  # fmt: skip
LOOKS: Final = 1 + len(_CHANGES)
"""How many looks at a page there are, the page as it is among them."""

_TURNED: Final = _Change(degrees=2.0)
CLOSER: Final = 2
"""How many closer looks at an amount there are beside the first."""

# How much stronger than its surroundings all is made in the larger one, and how far those reach, as
# the standard deviation of a Gaussian in heights of the amount (unsharp masking). No image is made
# smaller for it than leaves so many pixels of that.
_STRONGER: Final = 1.5
_SURROUNDINGS: Final = 0.06
_LEAST_REACH: Final = 4.0

# What of a page is seen of a closer look, in heights of the amount, and in pixels at least.
_BESIDE: Final = 3.0
_ABOVE: Final = 0.7
_LEAST_AROUND: Final = 24
_LEAST_HEIGHT: Final = 160


@dataclass(frozen=True, slots=True)
class Near:
    """The surroundings of an amount, seen another way: a part of the image, changed.

    ink: of that part; fields: all of the image's, in its frame; to_original: f64 [3, 3], from there
    to the original image.
    """

    ink: InkImage
    fields: list[FieldCandidate]
    to_original: NDArray[np.float64]


def closer_looks(
    image: ChequeImage, ink: InkImage, fields: Sequence[FieldCandidate], held: Sequence[int]
) -> Iterator[Near]:
    """CLOSER ways to see the part of an image that holds some of its fields.

    Where the amount may stand is known, so that such a look costs a fraction of the first. One
    finds ink anew in what is a quarter larger and sharper, so that what lies close together comes
    apart; the other turns the ink that was found. held: the fields that will be read; there must be
    one.
    """
    height, width = image.grey.shape
    boxes = np.array([zone.box for number in held for zone in fields[number].zones])
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    beside = max(_LEAST_AROUND, round(_BESIDE * (y1 - y0)))
    above = max(_LEAST_AROUND, round(_ABOVE * (y1 - y0)), (_LEAST_HEIGHT - int(y1 - y0)) // 2)
    left, top = max(0, int(x0) - beside), max(0, int(y0) - above)
    part = slice(top, min(height, int(y1) + above)), slice(left, min(width, int(x1) + beside))
    moved = np.array([[1.0, 0.0, left], [0.0, 1.0, top], [0.0, 0.0, 1.0]])

    def near(found: InkImage, matrix: NDArray[np.float64]) -> Near:
        into = matrix @ np.linalg.inv(moved)
        size = found.ink.shape
        mapped = [
            replace(
                one,
                zones=tuple(
                    replace(zone, box=_hull(zone, into, size if number in held else None))
                    for zone in one.zones
                ),
            )
            for number, one in enumerate(fields)
        ]
        return Near(found, mapped, image.to_original @ np.linalg.inv(into))

    grey = image.grey[part]
    larger, matrix = _changed(grey, _LARGER, int(percentile(grey, 50)))
    high = _LARGER.high * float((boxes[:, 3] - boxes[:, 1]).min())
    yield near(extract_ink(_sharper(larger, high)), matrix)
    turned, matrix = _changed(ink.ink[part], _TURNED, 0)
    darkness, _ = _changed(ink.darkness[part], _TURNED, 0)
    yield near(InkImage(turned, turned > 0, ink.rules[:0], darkness), matrix)


def _sharper(grey: NDArray[np.uint8], high: float) -> NDArray[np.uint8]:
    """A grey image, u8 [H, W], with strokes set off from what is around, of the same shape.

    high: px, of the amount.
    """
    height, width = grey.shape
    reach = max(_SURROUNDINGS * high, 0.5)
    # What a blur costs grows with its reach: a wide one is that of a smaller image.
    step = max(1, int(reach / _LEAST_REACH))
    size = (-(-width // step), -(-height // step))
    small = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    soft = cv2.resize(cv2.GaussianBlur(small, (0, 0), reach / step), (width, height))
    return np.asarray(cv2.addWeighted(grey, 1 + _STRONGER, soft, -_STRONGER, 0), np.uint8)


def _hull(zone: Zone, matrix: NDArray[np.float64], within: tuple[int, ...] | None) -> Box:
    """The smallest upright box around a zone that is mapped; within: height, width to keep to."""
    x0, y0, x1, y1 = zone.box
    # Edges of boxes lie half a pixel before the centres of pixels.
    corners = np.array([[x, y] for x in (x0, x1) for y in (y0, y1)], np.float64) - 0.5
    mapped = corners @ matrix[:2, :2].T + matrix[:2, 2] + 0.5
    low, high = np.floor(mapped.min(axis=0)), np.ceil(mapped.max(axis=0))
    if within is not None:
        low, high = np.maximum(low, 0), np.minimum(high, within[::-1])
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def further_looks(image: ChequeImage) -> Iterator[ChequeImage]:
    """LOOKS - 1 slight changes of an image, each with its way back to the original."""
    paper = int(percentile(image.grey, 50))
    for change in _CHANGES:
        grey, matrix = _changed(image.grey, change, paper)
        yield replace(
            image,
            grey=grey,
            dpi=image.dpi * float(np.sqrt(change.wide * change.high)),
            to_original=image.to_original @ np.linalg.inv(matrix),
        )


def _changed(
    pixels: NDArray[np.uint8], change: _Change, paper: int
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Pixels changed, and the matrix, f64 [3, 3], that takes old places to new ones.

    paper: what comes in at the corners.
    """
    height, width = pixels.shape
    size = (max(1, round(width * change.wide)), max(1, round(height * change.high)))
    scale = np.diag([size[0] / width, size[1] / height, 1.0])
    # Centres of pixels are at whole numbers.
    scale[:2, 2] = (np.diag(scale)[:2] - 1) / 2
    turn = np.eye(3)
    if change.degrees:
        middle = ((width - 1) / 2, (height - 1) / 2)
        turn[:2] = cv2.getRotationMatrix2D(middle, change.degrees, 1.0)
        changed = cv2.warpAffine(
            pixels, turn[:2], (width, height), flags=cv2.INTER_LINEAR, borderValue=[paper]
        )
    else:
        shrinks = min(change.wide, change.high) < 1
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        changed = cv2.resize(pixels, size, interpolation=way)
    return np.asarray(changed, np.uint8), scale @ turn
