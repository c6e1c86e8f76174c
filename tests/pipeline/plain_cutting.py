"""The single loops of over-segmentation (``cuts.c``), which the service runs in one call.

Shapes as in `service.pipeline.segment`; H, W: height and width of a line.
"""

import ctypes
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native import LIBRARY, address, checked

_Int = ctypes.c_int64
_Double = ctypes.c_double


def least_ink(
    ink: NDArray[np.float32], lateral: float
) -> tuple[NDArray[np.float32], NDArray[np.int8]]:
    """Least ink from the top row to every pixel, f32 [H, W], and the steps taken, i8 [H, W].

    lateral: penalty of a pixel that a step goes sideways too, two at most. Steps: 0 straight down,
    1 from the left, 2 from the right, 3 and 4 from two pixels left and right.
    """
    ink = np.ascontiguousarray(ink)
    total, step = np.empty_like(ink), np.empty(ink.shape, np.int8)
    LIBRARY.least_ink(
        address(ink, np.float32), _Int(ink.shape[0]), _Int(ink.shape[1]), ctypes.c_float(lateral),
        address(total, np.float32), address(step, np.int8),
    )  # fmt: skip
    return total, step


def trace(step: NDArray[np.int8], row: int, column: int) -> NDArray[np.int32]:
    """Columns, from row 0 down to `row`, of the cheapest path that reaches (row, column)."""
    path = np.empty(row + 1, np.int32)
    if not (0 <= row < step.shape[0] and 0 <= column < step.shape[1]):
        raise ValueError("trace: a place is outside of the line")
    LIBRARY.trace(
        address(step, np.int8), _Int(step.shape[1]), _Int(row), _Int(column),
        address(path, np.int32),
    )  # fmt: skip
    return path


def cut_paths(
    down: NDArray[np.int8], up: NDArray[np.int8], seeds: Sequence[tuple[int, NDArray[np.int32]]]
) -> NDArray[np.int32]:
    """The cheapest cut through every seed (row, columns), each once, in lexical order; i32 [P, H].

    down, up: steps of the line and of the line upside down.
    """
    height, width = down.shape
    columns = np.concatenate([np.zeros(0, np.int32), *(found for _, found in seeds)])
    columns = columns.astype(np.int32)
    rows = np.repeat(
        np.array([row for row, _ in seeds], np.int32), [len(found) for _, found in seeds]
    )
    inside = len(rows) == 0 or (
        0 <= rows.min() <= rows.max() < height and 0 <= columns.min() <= columns.max() < width
    )
    if up.shape != down.shape or not inside:
        raise ValueError("cut_paths: a seed is outside of the line")
    paths, count = np.empty((len(rows), height), np.int32), _Int()
    checked(
        LIBRARY.cut_paths(
            address(down, np.int8), address(up, np.int8), _Int(height), _Int(width),
            address(rows, np.int32), address(columns, np.int32), _Int(len(rows)),
            address(paths, np.int32), ctypes.byref(count),
        )
    )  # fmt: skip
    return paths[: count.value]


def minima(profile: NDArray[np.float32], least_step: float, prominence: float) -> NDArray[np.int32]:
    """Middles of the local minima, plateaus included, at least so deep; i32 [M].

    least_step: what changes less between neighbours is level.
    """
    profile = np.ascontiguousarray(profile, np.float32)
    found = np.empty(len(profile), np.int32)
    function = LIBRARY.minima
    function.restype = _Int
    count = function(
        address(profile, np.float32), _Int(len(profile)), ctypes.c_float(least_step),
        _Double(prominence), address(found, np.int32),
    )  # fmt: skip
    return found[:count]


def cut_places(
    paths: NDArray[np.int32], ink: NDArray[np.float32], level: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Of each path, i32 [P, H]: pixels above a level of ink left of it, and its mean column."""
    before, middle = np.empty(len(paths), np.int64), np.empty(len(paths))
    _on_line(paths, ink.shape)
    checked(
        LIBRARY.cut_places(
            address(ink, np.float32), _Int(ink.shape[0]), _Int(ink.shape[1]),
            ctypes.c_float(level), address(paths, np.int32), _Int(len(paths)),
            address(before, np.int64), address(middle, np.float64),
        )
    )  # fmt: skip
    return before, middle


def choose_cuts(
    crossed: NDArray[np.float32], before: NDArray[np.int64], middle: NDArray[np.float64], *,
    free: float, clear: float, gap: float, piece: float, most: int,
) -> list[int]:  # fmt: skip
    """The cuts to keep, in order of the ink they cross; at most `most`.

    Those that cross at most `free` part at least `clear` pixels from all others, the rest at least
    `piece` pixels, and their middles lie `gap` apart.
    """
    order = np.argsort(crossed, kind="stable")
    kept = np.empty(most, np.int64)
    function = LIBRARY.choose_cuts
    function.restype = _Int
    count = function(
        address(order, np.int64), _Int(len(order)), address(crossed, np.float32),
        address(before, np.int64), address(middle, np.float64), _Double(free), _Double(clear),
        _Double(gap), _Double(piece), _Int(most), address(kept, np.int64),
    )  # fmt: skip
    return [int(one) for one in kept[:count]]


def pieces(paths: NDArray[np.int32], shape: tuple[int, int]) -> NDArray[np.int16]:
    """The number of cuts at or left of each pixel, i16 [H, W]; paths i32 [P, H], left to right."""
    piece = np.empty(shape, np.int16)
    paths = np.ascontiguousarray(paths.reshape(-1, shape[0]), np.int32)
    _on_line(paths, shape)
    LIBRARY.pieces(
        address(paths, np.int32), _Int(len(paths)), _Int(shape[0]), _Int(shape[1]),
        address(piece, np.int16),
    )  # fmt: skip
    return piece


def _on_line(paths: NDArray[np.int32], shape: tuple[int, ...]) -> None:
    fits = paths.size == 0 or (paths.min() >= 0 and paths.max() < shape[1])
    if paths.shape[1:] != shape[:1] or not fits:
        raise ValueError("a cut leaves the line")


def mend(piece: NDArray[np.int16], solid: NDArray[np.bool_], smallest: float) -> NDArray[np.int16]:
    """The pieces with every part of one that has fewer pixels given to the neighbour it touches."""
    result = piece.copy()
    height, width = piece.shape
    checked(
        LIBRARY.mend(
            address(solid, np.bool_), _Int(height), _Int(width), _Double(smallest),
            address(result, np.int16),
        )
    )  # fmt: skip
    return result


def free_points(
    piece: NDArray[np.int16], solid: NDArray[np.bool_], labels: NDArray[np.int32],
    stats: NDArray[np.int32], middle: NDArray[np.float64], chosen: NDArray[np.int32],
) -> NDArray[np.int16]:  # fmt: skip
    """Every chosen component as a piece of its own, just before or after the piece it was part of.

    Numbers of pieces are tripled and one more. labels, stats: of the components; middle f64 [C]: x
    of their centres; chosen i32 [N].
    """
    result = piece.copy()
    height, width = piece.shape
    checked(
        LIBRARY.free_points(
            address(labels, np.int32), address(stats, np.int32), address(middle, np.float64),
            address(chosen, np.int32), _Int(len(chosen)), address(solid, np.bool_), _Int(height),
            _Int(width), _Int(int(piece.max(initial=0))), address(result, np.int16),
        )
    )  # fmt: skip
    return result


def piece_boxes(
    piece: NDArray[np.int16], solid: NDArray[np.bool_], count: int
) -> NDArray[np.int32]:
    """The box of the solid pixels of each piece, i32 [count, 4]; pieces are below count."""
    if piece.size and not 0 <= int(piece.min()) <= int(piece.max()) < count:
        raise ValueError("piece_boxes: a piece is out of range")
    boxes = np.empty((count, 4), np.int32)
    LIBRARY.piece_boxes(
        address(piece, np.int16), address(solid, np.bool_), _Int(piece.shape[0]),
        _Int(piece.shape[1]), _Int(count), address(boxes, np.int32),
    )  # fmt: skip
    return boxes


def crossings(piece: NDArray[np.int16], solid: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """How many pixels of each piece have one of the next piece to their right; i64 [count]."""
    found = np.zeros(count, np.int64)
    LIBRARY.crossings(
        address(piece, np.int16), address(solid, np.bool_), _Int(piece.shape[0]),
        _Int(piece.shape[1]), address(found, np.int64),
    )  # fmt: skip
    return found


def rises(boxes: NDArray[np.int32], reach: float, height: float) -> NDArray[np.float64]:
    """By how many pixels the boxes from each on end higher than those before it; f64 [B - 1].

    boxes: i32 [B, 4]. Only those at least `height` tall count that reach within `reach` of the
    rightmost before, or begin within it of the leftmost after; 0 where either side has none.
    """
    found = np.zeros(max(len(boxes) - 1, 0))
    LIBRARY.rises(
        address(boxes, np.int32), _Int(len(boxes)), _Double(reach), _Double(height),
        address(found, np.float64),
    )  # fmt: skip
    return found
