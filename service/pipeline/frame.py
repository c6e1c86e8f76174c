"""What is left of an amount's frame in its zone, taken out before the line is measured.

Where figures touch their frame, both together are too thick for a ruled line, and stay in the
page's ink (``ink.py``). In the zone the level sides lie above and below the figures, and are longer
than any stroke.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native.inking import Length, Lines, erase_lines, find_lines

# What is ink for certain, of 255.
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
# In pixels: how thick a side may be in any zone, how long its stretches and how far ink goes on are
# at least, and how far off a straight line it may be. And how much it leans at most.
_LEAST_THICK: Final = 3.0
_LEAST_STRETCH: Final = 6
_LEAST_REACH: Final = 3
_OFF: Final = 1.5
_LEAN: Final = 0.1
# An upright side by itself is so many times as tall as all else in the zone, and so near its end,
# in heights.
_TALLER: Final = 1.5
_AT_END: Final = 0.3
# Rows with fewer pixels of ink hold a speck.
_FEWEST: Final = 3


def without_frame(zone: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A zone's ink without level sides of a frame and upright ones that meet them, or that are
    taller than all else at its ends.

    zone: u8 [H, W], 255 the darkest. Returns the same array where there are none, else another.
    What of a stroke is within a side is lost, but where it goes on beyond it. Source: section X
    takes preprocessing for granted; the rule is that of `ink`.
    """
    height, width = zone.shape
    if height < _HIGH or width < _WIDE * height:
        return zone
    level, upright = find_lines(
        np.ascontiguousarray(zone), _SOLID, _lengths(width, _LEVEL), _lengths(height, _UPRIGHT),
        thickness=max(_LEAST_THICK, _THICK * height), slope=_LEAN, off=_OFF,
    )  # fmt: skip
    if not len(level.stats) and not len(upright.stats):
        return zone
    outer = _are_outer(level, height)
    found = _erased(zone, level, outer)
    return _erased(
        found, upright, _meet(upright, level, outer, height) | _stand_out(upright, found)
    )


def _lengths(side: int, shares: tuple[float, float]) -> Length:
    """Of lines and of their stretches, as shares of a side of the zone, px."""
    return Length(int(shares[0] * side), max(_LEAST_STRETCH, int(shares[1] * side)))


def _are_outer(level: Lines, height: int) -> NDArray[np.bool_]:
    """Which level lines lie above or below figures in a zone so high, px; bool [L]."""
    _, top, _, thick, _, _ = level.stats.T
    middle = top + thick / 2
    return np.asarray((middle < _OUTER * height) | (middle > (1 - _OUTER) * height))


def _meet(upright: Lines, level: Lines, outer: NDArray[np.bool_], height: int) -> NDArray[np.bool_]:
    """Which upright lines are at an end of one of the outer level ones, bool [L], in a zone so
    high, px; bool [U]."""
    left, _, long, _, _, _ = level.stats[outer].T
    ends, near = np.concatenate([left, left + long]), _CORNER * height
    first, thick = upright.stats[:, 1:2], upright.stats[:, 3:4]
    return np.asarray(((ends >= first - near) & (ends <= first + thick + near)).any(axis=1))


def _stand_out(upright: Lines, zone: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which upright lines at the ends of a zone, u8 [H, W], are taller than all else; bool [U]."""
    height, width = zone.shape
    near = _AT_END * height
    wanted = np.zeros(len(upright.stats), np.bool_)
    for number, (_, x, long, thick, _, _) in enumerate(upright.stats.tolist()):
        if x <= near or x + thick >= width - near:
            beside = np.concatenate([zone[:, : max(x - 1, 0)], zone[:, x + thick + 1 :]], axis=1)
            rows = np.flatnonzero((beside > _SOLID).sum(axis=1) >= _FEWEST)
            wanted[number] = len(rows) > 0 and long >= _TALLER * (rows[-1] - rows[0] + 1)
    return wanted


def _erased(zone: NDArray[np.uint8], lines: Lines, wanted: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """A zone, u8 [H, W], without the wanted lines, bool [L]; the same array where none is."""
    if not wanted.any():
        return zone
    found = np.array(zone, order="C")
    reach = max(_LEAST_REACH, round(_REACH * len(zone)))
    erase_lines(found, lines, wanted, np.zeros(256, np.int64), usual=255.0, reach=reach)
    return found
