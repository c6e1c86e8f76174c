"""What points at one middle is one piece, as numpy has it: what ``gather.c`` is tested against."""

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.centres import CELL, UNIT, Centres
from service.pipeline.segment import _MOST, _SLIVER, _SOLID, LINE_SIZE

_BLUR = np.array([0.56991166, 0.20540506, 0.00961897, 0.00005853], np.float32)
_MARGIN = 2
_NEAR = [(y, x) for y in (-1, 0, 1) for x in (-1, 0, 1)]


def gathered(ink: NDArray[np.uint8], found: Centres) -> tuple[NDArray[np.int16], int]:
    """The piece of each pixel of a line, i16 [H, W], and how many pieces there are."""
    solid = ink > _SOLID
    keys, modes = _keys(solid, found)
    regions = _regions(keys)
    labels = [int(keys[own[0][0], own[1][0]]) for own in regions]
    for index, own in enumerate(labels):
        if own < 0:
            labels[index], modes = modes, modes + 1
    _give_slivers(regions, labels, solid.shape)
    return _spread(*_ordered(regions, labels, solid))


def _keys(solid: NDArray[np.bool_], found: Centres) -> tuple[NDArray[np.int64], int]:
    """The peak that each pixel speaks for, -1 for none, -2 without ink; and the number of bins."""
    height, width = solid.shape
    none, right, below = found.told.astype(np.float64)
    high, wide = (int(side / CELL) + 2 * _MARGIN + 1 for side in (height, width))
    keys = np.where(solid, -1, -2).astype(np.int64)
    bins = np.zeros((high, wide), np.float32)
    for y, x in np.argwhere(solid).tolist():
        row, column = (y - found.top) // CELL, x // CELL
        if not 0 <= row < none.shape[0] or none[row, column] > 0:
            continue
        middle = (row + 0.5) * CELL + found.top + below[row, column] * UNIT
        own_row = int(np.clip(np.floor(middle / CELL) + _MARGIN, 0, high - 1))
        across = column + 0.5 + right[row, column] * (UNIT / CELL)
        own_column = int(np.clip(np.floor(across) + _MARGIN, 0, wide - 1))
        keys[y, x] = own_row * wide + own_column
        bins[own_row, own_column] += 1
    top = _tops(_blurred(_blurred(bins).T).T)
    spoken = keys >= 0
    keys[spoken] = top[keys[spoken]]
    return keys, high * wide


def _blurred(bins: NDArray[np.float32]) -> NDArray[np.float32]:
    """Blurred along the last axis."""
    width = bins.shape[1]
    found = _BLUR[0] * bins
    for k in range(1, min(len(_BLUR), width)):
        found[:, k:] += _BLUR[k] * bins[:, : width - k]
        found[:, : width - k] += _BLUR[k] * bins[:, k:]
    return found


def _tops(bins: NDArray[np.float32]) -> NDArray[np.int64]:
    """The peak that each bin leads up to, as indices into the bins laid end to end."""
    high, wide = bins.shape
    up = np.arange(high * wide)
    for y in range(high):
        for x in range(wide):
            best = y, x
            for j, i in ((y + a, x + b) for a, b in _NEAR):
                if 0 <= j < high and 0 <= i < wide and bins[j, i] > bins[best]:
                    best = j, i
            up[y * wide + x] = best[0] * wide + best[1]
    while (up != up[up]).any():
        up = up[up]
    return up


_Region = tuple[NDArray[np.intp], NDArray[np.intp]]


def _regions(keys: NDArray[np.int64]) -> list[_Region]:
    """Pixels of one key that touch, in order of their first pixel; rows and columns of each."""
    found = []
    for key in np.unique(keys[keys > -2]).tolist():
        count, number = cv2.connectedComponents((keys == key).astype(np.uint8), connectivity=8)
        found += [np.nonzero(number == one) for one in range(1, count)]
    found.sort(key=lambda own: (int(own[0][0]), int(own[1][0])))
    return found


def _give_slivers(regions: list[_Region], labels: list[int], shape: tuple[int, ...]) -> None:
    """Give every sliver to the label that it touches most, the first of equal ones; in place."""
    number = np.full((shape[0] + 2, shape[1] + 2), -1)
    for index, (rows, columns) in enumerate(regions):
        number[rows + 1, columns + 1] = index
    for index, (rows, columns) in enumerate(regions):
        if len(rows) >= _SLIVER * LINE_SIZE**2:
            continue
        touched: dict[int, int] = {}
        for a, b in _NEAR:
            for other in number[rows + 1 + a, columns + 1 + b].tolist():
                if other not in (-1, index):
                    touched[labels[other]] = touched.get(labels[other], 0) + 1
        if touched:
            labels[index] = min(touched, key=lambda one: (-touched[one], one))


def _ordered(
    regions: list[_Region], labels: list[int], solid: NDArray[np.bool_]
) -> tuple[NDArray[np.int16], NDArray[np.bool_], int]:
    """Pieces from left to right, and how many; the smallest of too many go with one on the left."""
    names = sorted(set(labels))
    both = list(zip(regions, labels, strict=True))
    columns = {name: np.concatenate([own[1] for own, one in both if one == name]) for name in names}
    kept = set(sorted(names, key=lambda name: (-len(columns[name]), name))[:_MOST])
    number, count = {}, 0
    for name in sorted(names, key=lambda n: ((columns[n].min() + columns[n].max()) / 2, n)):
        count += name in kept
        number[name] = max(count - 1, 0)
    piece = np.zeros(solid.shape, np.int16)
    for own, name in both:
        piece[own] = number[name]
    return piece, solid, count


def _spread(
    piece: NDArray[np.int16], solid: NDArray[np.bool_], count: int
) -> tuple[NDArray[np.int16], int]:
    """Give every pixel without ink to what is nearest, in two passes of steps of 3 and 4."""
    height, width = solid.shape
    far = np.where(solid, 0, 10**9).tolist()
    own = piece.tolist()
    steps = [(0, -1, 3), (-1, -1, 4), (-1, 0, 3), (-1, 1, 4)]
    for way in (1, -1):
        for y in range(height)[::way]:
            for x in range(width)[::way]:
                for dy, dx, cost in steps:
                    j, i = y + way * dy, x + way * dx
                    inside = 0 <= j < height and 0 <= i < width
                    if inside and far[j][i] + cost < far[y][x]:
                        far[y][x] = far[j][i] + cost
                        own[y][x] = own[j][i]
    return np.array(own, np.int16), count


def piece_boxes(
    piece: NDArray[np.int16], solid: NDArray[np.bool_], count: int
) -> NDArray[np.int32]:
    """The box of the solid pixels of each piece, i32 [count, 4], half open."""
    found = np.zeros((count, 4), np.int32)
    for one in range(count):
        x, y, w, h = cv2.boundingRect(((piece == one) & solid).astype(np.uint8))
        found[one] = x, y, x + w, y + h
    return found


def touching(piece: NDArray[np.int16], solid: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """How many pairs of pixels touch by a side across the end of each piece; i64 [count - 1]."""
    found = np.zeros(count - 1, np.int64)
    for a, b, ink in (
        (piece[:, :-1], piece[:, 1:], solid[:, :-1] & solid[:, 1:]),
        (piece[:-1], piece[1:], solid[:-1] & solid[1:]),
    ):
        for one, other in zip(a[ink].tolist(), b[ink].tolist(), strict=True):
            found[min(one, other) : max(one, other)] += 1
    return found
