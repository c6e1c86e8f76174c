"""Further looks at a page: the same one turned a little, enlarged, reduced, stretched.

What a single reading misses, a cut or the extent of a field, hangs on accidents of the grid of
pixels. Readings of the same page slightly changed miss other things, so that their posteriors
averaged are far better than one (perturb and combine: Breiman, "Arcing classifiers", 1998).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.decode import scaling
from service.pipeline.field import FieldCandidate, Zone
from service.pipeline.image import ChequeImage
from service.pipeline.ink import InkImage


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
# What the edge of a pixel may be off for the sums that lead to it.
_ROUNDING: Final = 1e-6
LOOKS: Final = 1 + len(_CHANGES)
"""How many there are, the page as it is among them."""


def enlarged(image: ChequeImage) -> ChequeImage:
    """An image a quarter larger: the change that readings gain most from."""
    return _changed(image, _LARGER)


def closer(
    image: ChequeImage, ink: InkImage, fields: Sequence[FieldCandidate], wanted: Sequence[int]
) -> tuple[ChequeImage, InkImage, list[FieldCandidate]]:
    """The ink around the wanted fields a quarter larger, with all fields found in that frame.

    So a page is looked at again for a fraction of the time: where its amount may stand is known,
    and its cuts and crops do change. Of the image nothing is larger but its way back. Fields that
    are not wanted may lie outside.
    """
    boxes = np.array([zone.box for number in wanted for zone in fields[number].zones])
    x0, y0 = boxes[:, :2].min(axis=0).tolist()
    x1, y1 = boxes[:, 2:].max(axis=0).tolist()
    part = ink.ink[y0:y1, x0:x1]
    size = (max(1, round((x1 - x0) * _LARGER.wide)), max(1, round((y1 - y0) * _LARGER.high)))
    larger = np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_LINEAR), np.uint8)
    scale = np.array([size[0] / (x1 - x0), size[1] / (y1 - y0)])
    moved = [
        replace(field, zones=tuple(_moved(zone, (x0, y0), scale) for zone in field.zones))
        for field in fields
    ]
    shift = np.array([[1, 0, x0], [0, 1, y0], [0, 0, 1]], np.float64)
    back = image.to_original @ shift @ scaling(*(1 / scale).tolist())
    none = np.zeros((0, 5), np.int32)
    return replace(image, to_original=back), InkImage(larger, larger > 0, none), moved


def _moved(zone: Zone, origin: tuple[int, int], scale: NDArray[np.float64]) -> Zone:
    low = np.floor((np.array(zone.box[:2]) - origin) * scale + _ROUNDING)
    high = np.ceil((np.array(zone.box[2:]) - origin) * scale - _ROUNDING)
    x0, y0 = low.astype(int).tolist()
    x1, y1 = high.astype(int).tolist()
    return replace(zone, box=(x0, y0, x1, y1))


def further_looks(image: ChequeImage) -> Iterator[ChequeImage]:
    """LOOKS - 1 slight changes of an image, each with its way back to the original."""
    for change in _CHANGES:
        yield _changed(image, change)


def _changed(image: ChequeImage, change: _Change) -> ChequeImage:
    height, width = image.grey.shape
    size = (max(1, round(width * change.wide)), max(1, round(height * change.high)))
    scale = np.diag([size[0] / width, size[1] / height, 1.0])
    # Centres of pixels are at whole numbers.
    scale[:2, 2] = (np.diag(scale)[:2] - 1) / 2
    turn = np.eye(3)
    if change.degrees:
        middle = ((width - 1) / 2, (height - 1) / 2)
        turn[:2] = cv2.getRotationMatrix2D(middle, change.degrees, 1.0)
        paper = int(np.median(image.grey))
        grey = cv2.warpAffine(
            image.grey, turn[:2], (width, height), flags=cv2.INTER_LINEAR, borderValue=[paper]
        )
    else:
        shrinks = min(change.wide, change.high) < 1
        way = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        grey = cv2.resize(image.grey, size, interpolation=way)
    return replace(
        image,
        grey=np.asarray(grey, np.uint8),
        dpi=image.dpi * float(np.sqrt(change.wide * change.high)),
        to_original=image.to_original @ np.linalg.inv(scale @ turn),
    )
