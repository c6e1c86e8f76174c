"""The compiled text-line structure of a page (``words.c``, ``places.c``); boxes x0, y0, x1, y1."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native import LIBRARY, address, checked

_Int = ctypes.c_int64
_Ints = NDArray[np.int32]
_Floats = NDArray[np.float32]
_SUMS: Final = 7
_MOST_IN_RUN: Final = 24
_MOST_BOXES: Final = 60
_FEATURES: Final = 43
_MOST_CELLS: Final = 16

for _name in ("find_marks", "find_places"):
    getattr(LIBRARY, _name).restype = _Int


class _Words(ctypes.Structure):
    _fields_ = (
        ("count", _Int),
        *((name, ctypes.c_void_p)
          for name in ("box", "end", "before", "after", "sums", "gap_left", "gap_right")),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Words:
    """Marks chained by tight gaps, from left to right, W of them, for `find_places`.

    ends: i32 [W, 2], the first and the last mark; numbers: what else is known of them.
    """

    ends: _Ints
    numbers: tuple[NDArray[np.int32] | NDArray[np.float32], ...]

    @property
    def boxes(self) -> _Ints:
        """Their boxes, i32 [W, 4]."""
        return np.asarray(self.numbers[0][: len(self.ends)], np.int32)


def find_marks(mask: NDArray[np.bool_], *, page: bool, most: int) -> tuple[_Ints, _Ints]:
    """The components of an ink mask, bool [H, W], that may be writing, from left to right.

    Boxes i32 [M, 4] and area i32 [M]; the tallest where there are more than `most`.
    """
    boxes, area = np.empty((most, 4), np.int32), np.empty(most, np.int32)
    found = LIBRARY.find_marks(
        address(mask, np.bool_), _Int(mask.shape[0]), _Int(mask.shape[1]), _Int(page), _Int(most),
        address(boxes, np.int32), address(area, np.int32),
    )  # fmt: skip
    checked(found >= 0)
    return boxes[:found], area[:found]


def find_words(boxes: _Ints, area: _Ints, page_width: int, most: int) -> tuple[Words, _Ints]:
    """At most `most` words of marks, i32 [M, 4] sorted by x0, and the word of each mark, i32 [M],
    -1 for none."""
    count = len(boxes)
    box, ends = np.empty((count, 4), np.int32), np.empty((count, 2), np.int32)
    before, after, number = np.empty((3, count), np.int32)
    sums, gaps = np.empty((count, _SUMS), np.float32), np.empty((2, count), np.float32)
    numbers = (box, ends, before, after, sums, gaps[0], gaps[1])
    words = _words(count, numbers)
    checked(
        LIBRARY.find_words(
            address(boxes, np.int32), address(area, np.int32), _Int(count), _Int(page_width),
            _Int(most), ctypes.byref(words), address(number, np.int32),
        )
    )  # fmt: skip
    return Words(ends[: words.count], numbers), number


def _words(
    count: int, numbers: tuple[NDArray[np.int32] | NDArray[np.float32], ...]
) -> ctypes.Structure:
    return _Words(count, *(one.ctypes.data for one in numbers))


def find_places(
    marks: _Ints, words: Words, rules: _Ints, signs: _Floats, page: tuple[int, int]
) -> tuple[_Ints, _Floats]:
    """Every run of words of a page: boxes i32 [R, 4], a currency sign that adjoins taken in, and
    features f32 [R, 43].

    rules: i32 [L, 5] of InkImage; signs: f32 [W, 2], how much the first and the last mark of each
    word look like a currency sign; page: width and height.
    """
    count = len(words.ends)
    if signs.shape != (count, 2) or rules.shape[1:] != (5,):
        raise ValueError("find_places: signs or rules of another page")
    room = _MOST_IN_RUN * count + _MOST_BOXES
    boxes, features = np.empty((room, 4), np.int32), np.empty((room, _FEATURES), np.float32)
    own = _words(count, words.numbers)
    found = LIBRARY.find_places(
        address(marks, np.int32), ctypes.byref(own), address(rules, np.int32), _Int(len(rules)),
        address(signs, np.float32), _Int(page[0]), _Int(page[1]), address(boxes, np.int32),
        address(features, np.float32),
    )  # fmt: skip
    checked(found >= 0)
    return boxes[:found], features[:found]


def widened(run: _Ints, boxes: _Ints, word: _Ints) -> _Ints:
    """The box of a run, i32 [4], widened by the small marks that belong to it.

    boxes, word: i32 [M, 4] and i32 [M] of the page's marks, as find_marks and find_words give them.
    """
    box = run.astype(np.int32)
    if len(boxes) != len(word):
        raise ValueError("widened: every mark needs its word")
    checked(
        LIBRARY.widen(
            address(boxes, np.int32), address(word, np.int32), _Int(len(boxes)),
            address(box, np.int32),
        )
    )  # fmt: skip
    return box


def near_zone(box: tuple[int, int, int, int], boxes: _Ints) -> _Ints:
    """Those of a page's marks, boxes i32 [M, 4], that are inside a zone or just right of it.

    What of small marks above its line may be cents is near, but only where the zone has any mark.
    """
    near = np.empty_like(boxes)
    function = LIBRARY.near_zone
    function.restype = _Int
    zone = (ctypes.c_int32 * 4)(*box)
    count = function(address(boxes, np.int32), _Int(len(boxes)), zone, address(near, np.int32))
    return near[:count]


def map_features(
    maps: tuple[_Floats, _Floats], boxes: _Ints, across: float, down: float
) -> _Floats:
    """What the maps of a page, f32 [h, w] of its amount and its cents, say of boxes, i32 [R, 4].

    across, down: cells to a pixel of the page. f32 [R, 3], see `field_map.FieldMap.features`.
    Raises ValueError where the maps are not of one page.
    """
    amount, cents = maps
    if amount.ndim != 2 or amount.shape != cents.shape or not amount.size:
        raise ValueError("map_features: two maps of one page are wanted")
    features = np.empty((len(boxes), 3), np.float32)
    checked(
        LIBRARY.map_features(
            address(amount, np.float32), address(cents, np.float32), _Int(amount.shape[0]),
            _Int(amount.shape[1]), ctypes.c_double(across), ctypes.c_double(down),
            address(np.ascontiguousarray(boxes), np.int32), _Int(len(boxes)),
            address(features, np.float32),
        )
    )  # fmt: skip
    return features


@dataclass(frozen=True, slots=True)
class Possible:
    """What boxes are compared with a pattern: their least and greatest height in px, and width in
    heights; bias: of the logistic model."""

    high: tuple[float, float]
    wide: tuple[float, float]
    bias: float


def compare_ink(
    mask: NDArray[np.bool_], boxes: _Ints, pattern: _Floats, possible: Possible
) -> _Floats:
    """How likely the ink in each box, i32 [N, 4], is what a pattern shows; f32 [N], 0..1.

    A logistic model of the products of both, the pattern's in tenths. The ink is brought to the
    pattern's size as OpenCV's resizing by area does, full ink being 1. mask: bool [H, W].
    """
    found = np.empty(len(boxes), np.float32)
    if max(pattern.shape) > _MOST_CELLS:
        raise ValueError("compare_ink: the pattern is too large")
    height, width = mask.shape
    low, high = boxes[:, :2], boxes[:, 2:]
    if len(boxes) and not (
        low.min() >= 0 and boxes[:, 2].max() <= width and boxes[:, 3].max() <= height
        and (low < high).all()
    ):  # fmt: skip
        raise ValueError("compare_ink: a box is outside of the page, or empty")
    limits = (ctypes.c_double * 5)(*possible.high, *possible.wide, possible.bias)
    LIBRARY.compare_ink(
        address(mask, np.bool_), _Int(width), address(boxes, np.int32), _Int(len(boxes)),
        address(pattern, np.float32), _Int(pattern.shape[0]), _Int(pattern.shape[1]), limits,
        address(found, np.float32),
    )  # fmt: skip
    return found
