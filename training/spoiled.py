"""Images of amounts that were read, spoiled so that no amount of theirs may be accepted."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.changes import Grey

Box = tuple[float, float, float, float]
Spoil = Callable[[np.random.Generator, Grey, Box], Grey]
_Points = NDArray[np.float64]

# All of these in heights of the amount: how thick a stroke is, how far from it a minus or a bracket
# stands, how long a minus and how wide a bracket is, and how far strokes go beyond it.
_PEN: Final = 0.07
_APART: Final = 0.25
_MINUS: Final = 0.5
_BRACKET: Final = 0.2
_BEYOND: Final = 0.15
_ROOM: Final = 1.3
# As dark as this hundredth of an amount's pixels is what is written beside it.
_DARKEST: Final = 3
_INKED: Final = 12
# The pen for a whole cheque, in heights of it.
_PAGE_PEN: Final = 0.007
_PARTS: Final = 16
MINUS: Final = "a minus before it"


def with_room(image: Grey) -> Grey:
    """A cropped amount, u8 [H, W], with as much paper at either side as 1.3 of its height."""
    room = round(_ROOM * image.shape[0])
    level = int(np.percentile(image, 70))
    wide = np.pad(image, ((0, 0), (room, room)), constant_values=level)
    soft = cv2.GaussianBlur(wide, (0, 0), 3)
    for edge in (room, wide.shape[1] - room):
        wide[:, edge - 4 : edge + 4] = soft[:, edge - 4 : edge + 4]
    return wide


def _rubbed_out(_: np.random.Generator, image: Grey, box: Box) -> Grey:
    x0, y0, x1, y1 = (round(side) for side in box)
    edge = round(_BEYOND * (y1 - y0))
    part = (
        slice(max(0, y0 - edge), y1 + edge),
        slice(max(0, x0 - edge), x1 + edge),
    )
    zone = image[part]
    paper = cv2.medianBlur(zone, min(round(0.6 * (y1 - y0)), 255) | 1)
    inked = (zone.astype(np.int16) < paper.astype(np.int16) - _INKED).astype(np.uint8)
    inked = np.asarray(cv2.dilate(inked, np.ones((5, 5), np.uint8)), np.uint8)
    spoiled = image.copy()
    spoiled[part] = np.where(inked > 0, paper, zone)
    return spoiled


def _crossed(*lines: tuple[tuple[float, float], ...]) -> Spoil:
    """Strokes through an amount, each by its points, x and y in widths and heights of it."""

    def spoil(rng: np.random.Generator, image: Grey, box: Box) -> Grey:
        x0, y0, x1, y1 = box
        height = y1 - y0
        for line in lines:
            points = np.array(line) * (x1 - x0, height) + (x0, y0)
            points += rng.normal(0, 0.03 * height, points.shape)
            image = _stroke(image, points, _PEN * height, _darkness(image, box))
        return image

    return spoil


def _to_and_fro(rng: np.random.Generator, image: Grey, box: Box) -> Grey:
    x0, y0, x1, y1 = box
    turns = max(2, round((x1 - x0) / (0.35 * (y1 - y0))))
    line = tuple((at / turns, 0.15 if at % 2 else 0.85) for at in range(turns + 1))
    return _crossed(line)(rng, image, box)


def _with_minus(rng: np.random.Generator, image: Grey, box: Box) -> Grey:
    x0, y0, _, y1 = box
    height = y1 - y0
    end = x0 - _APART * height
    level = (y0 + y1) / 2 + rng.normal(0, 0.03 * height, 2)
    points = np.array([(end - _MINUS * height, level[0]), (end, level[1])])
    return _stroke(image, points, _PEN * height, _darkness(image, box))


def _in_brackets(_: np.random.Generator, image: Grey, box: Box) -> Grey:
    x0, y0, x1, y1 = box
    height = y1 - y0
    down = np.linspace(0, 1, _PARTS)
    bow = _BRACKET * height * (1 - (2 * down - 1) ** 2)
    y = y0 + height * (1.1 * down - 0.05)
    for edge, side in ((x0, -1), (x1, 1)):
        points = np.stack([edge + side * (_BEYOND * height + bow), y], axis=1)
        image = _stroke(image, points, _PEN * height, _darkness(image, box))
    return image


def _page_crossed(*corners: tuple[tuple[float, float], tuple[float, float]]) -> Spoil:
    """Strokes across a whole cheque, each by its ends in widths and heights, a little bent."""

    def spoil(rng: np.random.Generator, image: Grey, box: Box) -> Grey:
        height, width = image.shape
        for start, end in corners:
            ends = (np.array((start, end)) + rng.normal(0, 0.02, (2, 2))) * (width, height)
            along = np.linspace(0, 1, _PARTS)
            bow = rng.normal(0, 0.02) * height * np.sin(np.pi * along)
            points = ends[0] + along[:, None] * (ends[1] - ends[0])
            points[:, 1] += bow
            image = _stroke(image, points, _PAGE_PEN * height, _darkness(image, box))
        return image

    return spoil


def _mirrored(_: np.random.Generator, image: Grey, __: Box) -> Grey:
    return np.ascontiguousarray(image[:, ::-1])


def _stroke(image: Grey, points: _Points, width: float, level: float) -> Grey:
    """Draw a pen's stroke through points, f64 [P, 2], x and y in pixels, so wide and so dark."""
    mask = np.zeros(image.shape, np.uint8)
    at = np.rint(points * 8).astype(np.int32)
    cv2.polylines(mask, [at], False, (255,), max(2, round(width)), cv2.LINE_AA, 3)
    share = cv2.GaussianBlur(mask, (0, 0), 0.7).astype(np.float32) / 255
    return np.asarray(image * (1 - share) + np.minimum(image, level) * share, np.uint8)


def _darkness(image: Grey, box: Box) -> float:
    x0, y0, x1, y1 = (max(0, round(side)) for side in box)
    return float(np.percentile(image[y0:y1, x0:x1], _DARKEST))


SPOILED: Final[dict[str, Spoil]] = {
    "rubbed out": _rubbed_out,
    "struck out along": _crossed(((-0.05, 0.5), (0.5, 0.5), (1.05, 0.5))),
    "struck out twice": _crossed(((-0.05, 0.36), (1.05, 0.36)), ((-0.05, 0.64), (1.05, 0.64))),
    "struck out upwards": _crossed(((-0.03, 0.9), (1.03, 0.1))),
    "struck out crosswise": _crossed(((0, 0.95), (1, 0.05)), ((0, 0.05), (1, 0.95))),
    "scribbled over": _to_and_fro,
    MINUS: _with_minus,
    "in brackets": _in_brackets,
}
"""What is done to an amount, by its name, in an image u8 [H, W] with the amount's box x0, y0, x1,
y1 in its pixels."""

SPOILED_PAGES: Final[dict[str, Spoil]] = {
    "cheque crossed out once": _page_crossed(((0.06, 0.9), (0.94, 0.12))),
    "cheque crossed out twice": _page_crossed(
        ((0.06, 0.9), (0.94, 0.1)), ((0.06, 0.1), (0.94, 0.9))
    ),
    "seen from behind": _mirrored,
}
"""What is done to a whole cheque besides."""
