"""Levels of grey that split or rank the pixels of an image, from how often each value occurs."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native.inking import histogram

_VALUES = np.arange(256)
_LEAST_SHARE = np.finfo(np.float32).eps


def percentile(values: NDArray[np.uint8], percent: float) -> float:
    """A percentile of grey values, linear between neighbours; 50 is the median."""
    return percentile_of_counts(histogram(values), percent)


def percentile_of_few(values: NDArray[np.number[Any]], percent: float) -> float:
    """A percentile of a few numbers, [N], one at least, as numpy has it, in a tenth of its time."""
    ordered = np.sort(values)
    place = percent / 100 * (len(ordered) - 1)
    below = int(place)
    low, high = ordered[below], ordered[min(below + 1, len(ordered) - 1)]
    part = place - below
    return float(high - (high - low) * (1 - part) if part >= 0.5 else low + (high - low) * part)


def median_of_few(values: NDArray[np.number[Any]]) -> float:
    """The median of a few numbers, [N], one at least, as numpy has it."""
    ordered = np.sort(values)
    return float((ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2)


def otsu(counts: NDArray[np.int64]) -> int:
    """Otsu's threshold of a histogram, i64 [256], as OpenCV finds it."""
    share = counts / counts.sum()
    below = np.cumsum(share)
    first = np.cumsum(share * _VALUES)
    told = np.flatnonzero(np.minimum(below, 1 - below) >= _LEAST_SHARE)
    if not len(told):
        return 0
    low = first[told] / below[told]
    high = (first[-1] - first[told]) / (1 - below[told])
    apart = below[told] * (1 - below[told]) * (low - high) ** 2
    return int(told[apart.argmax()])


def percentile_of_counts(counts: NDArray[np.int64], percent: float) -> float:
    """A percentile, linear between neighbours, of values 0..255 that occur so often, i64 [256]."""
    ends = counts.cumsum()
    last = int(ends[-1]) - 1
    place = percent / 100 * last
    below = min(int(ends.searchsorted(int(place), "right")), 255)
    if place >= last:
        return float(below)
    above = min(int(ends.searchsorted(int(place) + 1, "right")), 255)
    return below + (above - below) * (place - int(place))
