"""What is left of an amount's frame in its zone, taken out before the line is measured.

Where figures touch their frame, both together are too thick for a ruled line, and stay in the
page's ink (``ink.py``). In the zone the level sides lie above and below the figures, and are longer
than any stroke.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native.inking import Length, Lines, erase_lines, find_lines

# What is ink for certain.
_SOLID: Final = 60.0
# A zone is so much wider than high, and so many pixels high, that its frame can be told.
_WIDE: Final = 1.5
_HIGH: Final = 8
# How long level sides are, and the stretches they are made of, in widths of the zone; the same of
# the upright ones at their ends, in its heights.
_LEVEL: Final = (0.6, 0.3)
_UPRIGHT: Final = (0.7, 0.35)
# In heights of the zone: how far from its edges level sides lie, how thick sides are, how near the
# end of a level one an upright one is, and how near ink above and below is of one stroke.
_OUTER: Final = 0.3
_THICK: Final = 0.2
_CORNER: Final = 0.12
_REACH: Final = 0.1
_LEAST_THICK: Final = 3.0
_LEVEL_LEAN: Final = 0.08
_UPRIGHT_LEAN: Final = 0.12
_OFF: Final = 1.5


def without_frame(zone: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A zone's ink, u8 [H, W], without level sides of a frame and upright ones that meet them.

    The same array where there are none. What of a stroke is within a side is lost, but where it
    goes on beyond it. Source: section X takes preprocessing for granted; the rule is that of `ink`.
    """
    height, width = zone.shape
    if height < _HIGH or width < _WIDE * height:
        return zone
    level = _sides(zone, _lengths(width, _LEVEL), _none_of(height), _LEVEL_LEAN)[0]
    if not len(level.stats):
        return zone
    left, top, long, thick, _, _ = level.stats.T
    middle = top + thick / 2
    outer = (middle < _OUTER * height) | (middle > (1 - _OUTER) * height)
    if not outer.any():
        return zone
    found = np.array(zone, order="C")
    _erase(found, level, outer)
    upright = _sides(found, _none_of(width), _lengths(height, _UPRIGHT), _UPRIGHT_LEAN)[1]
    ends = np.concatenate([left[outer], (left + long)[outer]])
    first, wide = upright.stats[:, 1], upright.stats[:, 3]
    near = _CORNER * height
    meets = (ends >= (first - near)[:, None]) & (ends <= (first + wide + near)[:, None])
    _erase(found, upright, meets.any(axis=1))
    return found


def _sides(
    zone: NDArray[np.uint8], level: Length, upright: Length, lean: float
) -> tuple[Lines, Lines]:
    thickness = max(_LEAST_THICK, _THICK * zone.shape[0])
    return find_lines(
        np.ascontiguousarray(zone), _SOLID, level, upright,
        thickness=thickness, slope=lean, off=_OFF,
    )  # fmt: skip


def _lengths(side: int, shares: tuple[float, float]) -> Length:
    return Length(int(shares[0] * side), max(6, int(shares[1] * side)))


def _none_of(side: int) -> Length:
    """Longer than any line can be."""
    return Length(side + 1, side + 1)


def _erase(zone: NDArray[np.uint8], lines: Lines, wanted: NDArray[np.bool_]) -> None:
    if wanted.any():
        reach = max(3, round(_REACH * zone.shape[0]))
        erase_lines(zone, lines, wanted, np.zeros(256, np.int64), usual=255.0, reach=reach)
