"""The compiled loops that follow strokes (``strokes.c``), with numpy arrays."""

import ctypes

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native import LIBRARY, address, checked

_Int = ctypes.c_int64

LIBRARY.longest_path.restype = _Int


def longest_path(solid: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The path with the most ink that with each column falls by a row or by none.

    solid: u8 [H, W], 1 where inked, of any strides. Returns i64 [P, 2], x, y of each pixel. A gap
    makes it shorter, and where it has as many gaps as ink it begins anew.
    """
    if solid.dtype != np.uint8:
        raise ValueError("longest_path: bytes are wanted")
    height, width = solid.shape
    path = np.empty((width, 2), np.int64)
    count = LIBRARY.longest_path(
        ctypes.c_void_p(solid.ctypes.data), _Int(height), _Int(width), *map(_Int, solid.strides),
        address(path, np.int64),
    )  # fmt: skip
    checked(count >= 0)
    return path[:count]


def is_run_through(zone: NDArray[np.uint8], level: int, rows: tuple[int, int]) -> bool:
    """Whether a line runs through what is darker than a level in a zone, u8 [H, W].

    It leads from side to side, with its middle in one of the rows from the first to before the
    second, and may be thin, or a little bent.
    """
    height, width = zone.shape
    found = LIBRARY.is_run_through(
        address(zone, np.uint8), _Int(height), _Int(width), ctypes.c_uint8(level), *map(_Int, rows)
    )
    checked(found >= 0)
    return bool(found)
