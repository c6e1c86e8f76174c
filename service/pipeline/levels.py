"""Levels of grey that split or rank the pixels of an image, from how often each value occurs."""

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native import LIBRARY, address

LIBRARY.percentile.restype = LIBRARY.percentile_of_counts.restype = ctypes.c_double
LIBRARY.otsu.restype = ctypes.c_int64


def histogram(values: NDArray[np.uint8]) -> NDArray[np.int64]:
    """How often each value occurs in u8 [H, W], which need not be contiguous; i64 [256]."""
    found = np.empty(256, np.int64)
    LIBRARY.histogram(*_rows(values), address(found, np.int64))
    return found


def percentile(values: NDArray[np.uint8], percent: float) -> float:
    """A percentile of grey values, u8 [H, W], linear between neighbours; 50 is the median."""
    return float(LIBRARY.percentile(*_rows(values), ctypes.c_double(percent)))


def percentile_of_counts(counts: NDArray[np.int64], percent: float, first: int = 0) -> float:
    """A percentile, linear between neighbours, of values 0..255 that occur so often, i64 [256].

    first: values below it are left out. 255 where there is none.
    """
    found = LIBRARY.percentile_of_counts(
        _counts(counts), ctypes.c_int64(first), ctypes.c_double(percent)
    )
    return float(found)


def otsu(counts: NDArray[np.int64]) -> int:
    """Otsu's threshold of a histogram, i64 [256], as OpenCV finds it."""
    return int(LIBRARY.otsu(_counts(counts)))


def _rows(values: NDArray[np.uint8]) -> tuple[ctypes.c_void_p | ctypes.c_int64, ...]:
    if values.dtype != np.uint8 or values.ndim != 2:
        raise ValueError("levels: rows of bytes are wanted")
    return (
        ctypes.c_void_p(values.ctypes.data),
        *map(ctypes.c_int64, values.shape + values.strides),
    )


def _counts(counts: NDArray[np.int64]) -> ctypes.c_void_p:
    if len(counts) != 256:
        raise ValueError("levels: a count for each value is wanted")
    return address(counts, np.int64)


def percentile_of_few(values: NDArray[np.number[Any]] | list[int], percent: float) -> float:
    """A percentile of a few numbers, [N], one at least, as numpy has it, in a tenth of its time."""
    ordered: Any = sorted(values) if isinstance(values, list) else np.sort(values)
    place = percent / 100 * (len(ordered) - 1)
    below = int(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    part = place - below
    return float(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)


def median_of_few(values: NDArray[np.number[Any]]) -> float:
    """The median of a few numbers, [N], one at least, as numpy has it."""
    ordered = np.sort(values)
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)
