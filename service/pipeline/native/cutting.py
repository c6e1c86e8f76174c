"""The compiled steps of over-segmentation (``line.c``, ``gather.c``, ``groups.c``, ``crops.c``).

Shapes as in `service.pipeline.segment`; H, W: height and width of a line.
"""

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native import LIBRARY, address, checked

_Int = ctypes.c_int64
_Double = ctypes.c_double

for _name in ("line_frame", "gather_pieces", "group_pieces", "zone_arcs"):
    getattr(LIBRARY, _name).restype = _Int


class Gathering(ctypes.Structure):
    """The numbers that `gather_pieces` goes by (``gather.c``).

    size, reach, height: px of the line, as in `Pieces`; cell, unit: px to a cell and to 1 of an
    offset; sliver: px of ink; solid: the darkest paper; most: pieces; top: row of the first cell.
    """

    _fields_ = (
        *((name, _Double) for name in ("size", "cell", "unit", "sliver", "reach", "height")),
        ("solid", _Int), ("most", _Int), ("top", _Int),
    )  # fmt: skip


class Neighbours(ctypes.Structure):
    """The numbers that `erase_neighbours` goes by (``line.c``)."""

    _fields_ = (
        *((name, _Double) for name in (
            "centre", "size", "slope", "top", "bottom", "edge", "bar_width", "bar_height",
            "bar_lean", "bar_cover", "bar_tall")),
        ("solid", _Int),
    )  # fmt: skip


class Grouping(ctypes.Structure):
    """The numbers that `group_pieces` goes by (``groups.c``); to_working: row by row."""

    _fields_ = (
        *((name, _Double) for name in (
            "centre", "size", "widest", "widest_apart", "clear_gap", "inner_gap", "whole_width",
            "whole_share", "part", "large", "tall", "middle_width", "middle_part", "wide_from",
            "tall_from")),
        ("to_working", _Double * 6), ("solid", _Int), ("most", _Int),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pieces:
    """The pieces of one line, by the middles of their ink from left to right.

    piece: i16 [H, W], index of the piece that each pixel belongs to, where there is no ink of the
    nearest. boxes: i32 [P, 4] of each piece's ink in line pixels. joint: f32 [P - 1], how many
    pixels of pieces up to p touch those of later ones, in units of the line's size; gap: f32
    [P - 1], clear width between p and p + 1; rise: f32 [P - 1], by how much what follows ends
    higher than what stands before, as raised cents do; in the same units.
    ink: f32 [P + 1], ink of all pieces before each, in squares of the line's size.
    """

    piece: NDArray[np.int16]
    boxes: NDArray[np.int32]
    joint: NDArray[np.float32]
    gap: NDArray[np.float32]
    rise: NDArray[np.float32]
    ink: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Groups:
    """Groupings of pieces: first, last i32 [S], one past the last; bounds i32 [S, 4] on the line;
    boxes f32 [S, 4] in working pixels; features f32 [S, 8]."""

    first: NDArray[np.int32]
    last: NDArray[np.int32]
    bounds: NDArray[np.int32]
    boxes: NDArray[np.float32]
    features: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Frame:
    """Where the line of a zone runs: its size in px, its slope, its level at x = 0, in px.

    reach: how far apart, in px across and down, the parts of one stroke are where they are printed
    in stripes or by pins; 0 where strokes are whole.
    """

    size: float
    slope: float
    level: float
    reach: tuple[int, int]


def line_frame(zone: NDArray[np.uint8]) -> Frame | None:
    """The frame of a zone, u8 [H, W], each row one run of bytes; None where it holds no ink."""
    if zone.dtype != np.uint8 or zone.strides[1] != 1:
        raise ValueError("line_frame: rows of bytes are needed")
    found, reach = (_Double * 3)(), (_Int * 2)()
    count = LIBRARY.line_frame(
        ctypes.c_void_p(zone.ctypes.data), _Int(zone.shape[0]), _Int(zone.shape[1]),
        _Int(zone.strides[0]), ctypes.byref(found), ctypes.byref(reach),
    )  # fmt: skip
    checked(count >= 0)
    return Frame(found[0], found[1], found[2], (reach[0], reach[1])) if count else None


def erase_neighbours(line: NDArray[np.uint8], rules: Neighbours) -> None:
    """Erase from a line, in place, what is of other lines above and below it, and bars."""
    checked(
        LIBRARY.erase_neighbours(
            address(line, np.uint8), _Int(line.shape[0]), _Int(line.shape[1]), ctypes.byref(rules)
        )
    )


def gather_pieces(
    ink: NDArray[np.uint8], told: NDArray[np.float32], rules: Gathering
) -> Pieces | None:
    """The pieces of a line, u8 [H, W]; None where it holds no ink.

    told: f32 [3, h, w], see `service.pipeline.centres.Centres`.
    """
    height, width = ink.shape
    _, rows, columns = told.shape
    if len(told) != 3 or columns * rules.cell < width:
        raise ValueError("gather_pieces: the cells are of another line")
    piece = np.empty(ink.shape, np.int16)
    boxes = np.empty((rules.most, 4), np.int32)
    joint, gap, rise, sums = np.empty((4, rules.most + 1), np.float32)
    count = LIBRARY.gather_pieces(
        address(ink, np.uint8), _Int(height), _Int(width), ctypes.byref(rules),
        address(told, np.float32), _Int(rows), _Int(columns), address(piece, np.int16),
        address(boxes, np.int32), *(address(one, np.float32) for one in (joint, gap, rise, sums)),
    )  # fmt: skip
    checked(count >= 0)
    if not count:
        return None
    inner = count - 1
    return Pieces(piece, boxes[:count], joint[:inner], gap[:inner], rise[:inner], sums[: count + 1])


def group_pieces(ink: NDArray[np.uint8], pieces: Pieces, rules: Grouping) -> Groups:
    """Every grouping of neighbouring pieces of a line, u8 [H, W], that could be one character."""
    count = len(pieces.boxes)
    if pieces.piece.shape != ink.shape:
        raise ValueError("group_pieces: the pieces are of another line")
    # Those of few pieces, and one for every pair of ends at worst.
    for room in (count * (rules.most + 2), count * (count + 1) // 2):
        first, last = np.empty((2, room), np.int32)
        bounds = np.empty((room, 4), np.int32)
        boxes, features = np.empty((room, 4), np.float32), np.empty((room, 8), np.float32)
        found = LIBRARY.group_pieces(
            address(ink, np.uint8), address(pieces.piece, np.int16), _Int(ink.shape[0]),
            _Int(ink.shape[1]), ctypes.byref(rules), _Int(count), address(pieces.boxes, np.int32),
            *(address(one, np.float32) for one in (pieces.joint, pieces.gap, pieces.ink)),
            _Int(room), address(first, np.int32), address(last, np.int32),
            address(bounds, np.int32), address(boxes, np.float32), address(features, np.float32),
        )  # fmt: skip
        checked(found != -1)
        if found >= 0:
            break
    return Groups(first[:found], last[:found], bounds[:found], boxes[:found], features[:found])


def zone_arcs(
    spaces: NDArray[np.float64], first: NDArray[np.int32], last: NDArray[np.int32], *,
    row: int, entry: tuple[int, float], end: bool, nodes: int,
) -> tuple[NDArray[np.float64], int, int]:  # fmt: skip
    """The arcs of one zone, f64 [A, 4], the next number of a node, and the zone's last node.

    spaces: f64 [P], penalty of SPACE at the cut before each piece, NaN where there is none; first,
    last: i32 [S] of its segments, whose crops begin at `row`. entry: the node that it is entered
    from, and the penalty of that; end: its last node is the graph's, -1. nodes: the next number.
    """
    count = len(spaces)
    if len(first) and not (first.min() >= 0 and last.max() <= count):
        raise ValueError("zone_arcs: a piece is out of range")
    arcs = np.empty((2 * len(first) + count, 4))
    following, leaving = _Int(nodes), _Int()
    made = LIBRARY.zone_arcs(
        _Int(count), address(spaces, np.float64), _Int(len(first)), address(first, np.int32),
        address(last, np.int32), _Int(row), _Int(entry[0]), _Double(entry[1]), _Int(end),
        ctypes.byref(following), ctypes.byref(leaving), address(arcs, np.float64),
    )  # fmt: skip
    checked(made >= 0)
    return arcs[:made], following.value, leaving.value


def crops(
    ink: NDArray[np.uint8], piece: NDArray[np.int16], first: NDArray[np.int32],
    last: NDArray[np.int32], boxes: NDArray[np.int32], *, size: int, centre: float,
    placement: Sequence[float],
) -> NDArray[np.uint8]:  # fmt: skip
    """The crops of segments, u8 [S, 32, 32], see `service.pipeline.segment.place`.

    first, last: i32 [S] pieces; boxes: i32 [S, 4] of their ink; size, centre: of the line.
    """
    found = np.empty((len(first), 32, 32), np.uint8)
    height, width = ink.shape
    low, high = boxes[:, :2], boxes[:, 2:]
    if len(boxes) and not (
        (low >= 0).all() and (low < high).all() and (high <= (width, height)).all()
    ):
        raise ValueError("crops: a box is outside of the line")
    checked(
        LIBRARY.crops(
            address(ink, np.uint8), address(piece, np.int16), _Int(height), _Int(width),
            address(first, np.int32), address(last, np.int32), address(boxes, np.int32),
            _Int(len(first)), _Double(size), _Double(centre),
            ctypes.byref((_Double * 4)(*placement)), address(found, np.uint8),
        )
    )  # fmt: skip
    return found
