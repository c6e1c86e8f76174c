"""Which groupings of neighbouring pieces could be one character, by the components they hold."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.components import connected_components

_WHOLE_WIDTH = 3.0
_WHOLE_SHARE = 0.85
_PART = 0.2
_LARGE = 0.06
_TALL = 0.6
_MIDDLE_WIDTH = 1.1
_MIDDLE_PART = 0.03


@dataclass(frozen=True, slots=True)
class Holdings:
    """What each piece has of each connected component of the ink.

    pixels: i64 [C, P]. width, height: f64 [C], of the components, in units of the line's size.
    """

    pixels: NDArray[np.int64]
    width: NDArray[np.float64]
    height: NDArray[np.float64]


def holdings(solid: NDArray[np.bool_], piece: NDArray[np.int16], count: int, size: int) -> Holdings:
    """Count the pixels that components and pieces share.

    solid: bool [H, W], the ink. piece: i16 [H, W] below count. size: px of the line's size.
    """
    labels, stats, _ = connected_components(solid.astype(np.uint8))
    rows = labels[solid].astype(np.int64) - 1
    flat = np.bincount(rows * count + piece[solid], minlength=(len(stats) - 1) * count)
    return Holdings(
        flat.reshape(-1, count).astype(np.int64),
        stats[1:, cv2.CC_STAT_WIDTH] / size,
        stats[1:, cv2.CC_STAT_HEIGHT] / size,
    )


def whole_components(held: Holdings) -> set[tuple[int, int]]:
    """Groupings (first piece, one past the last) that are little else but one component.

    Such a one may be a character however wide it is and however often it was cut.
    """
    found = set()
    for pixels, width in zip(held.pixels, held.width.tolist(), strict=True):
        pieces = np.flatnonzero(pixels)
        first, last = int(pieces[0]), int(pieces[-1]) + 1
        own = pixels.sum() >= _WHOLE_SHARE * held.pixels[:, first:last].sum()
        if last > first + 1 and width <= _WHOLE_WIDTH and own:
            found.add((first, last))
    return found


def plausible(
    held: Holdings,
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    size: int,
    *,
    middles: bool = False,
) -> NDArray[np.bool_]:
    """Which groupings could be one character; bool [S].

    None is of a part of one component and much of another, or of two whole ones as tall as digits;
    single pieces always may be, but for those of the middle of a component that is too narrow for
    three characters, unless `middles`. first, last: i32 [S]; size: px of the line's size.
    """
    running = np.pad(np.cumsum(held.pixels, axis=1), ((0, 0), (1, 0)))
    inside = running[:, last] - running[:, first]
    share = inside / running[:, -1:]
    large = inside >= _LARGE * size**2
    part = large & (share > _PART) & (share < 1 - _PART)
    whole = large & (share >= 1 - _PART)
    mixed = part.any(axis=0) & ((part | whole).sum(axis=0) > 1)
    several = (whole & (held.height >= _TALL)[:, None]).sum(axis=0) > 1
    least = _MIDDLE_PART * running[:, -1:]
    middle = (running[:, first] >= least) & (running[:, -1:] - running[:, last] >= least)
    middle &= (inside >= least) & (held.width < _MIDDLE_WIDTH)[:, None]
    middle &= running[:, -1:] >= _LARGE * size**2
    possible = ~(mixed | several) | (last - first == 1)
    return np.asarray(possible & (middles | ~middle.any(axis=0)), np.bool_)
