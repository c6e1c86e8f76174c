"""Skew: the slope of ruled lines and text lines, found by the sharpest projection profile."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.levels import percentile
from service.pipeline.native.inking import Points, energies, thin_points, thin_strokes

_MAX_POINTS: Final = 3000
_REACH: Final = 12.0
_COARSE: Final = 1.0
_FINE: Final = 0.1
_CLEAR: Final = 1.15

_Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Skew:
    """Angle in degrees, positive where lines fall to the right; sharpness: its profile's energy."""

    angle: float
    sharpness: float


def estimate_skew(grey: _Bytes) -> Skew:
    """Slope of the lines of a cheque, within 12 degrees either way.

    grey: u8 [H, W], ink dark on light, best about 700 px wide. The angle is 0 where no slope is
    clearly sharper than the others, or than level. Sharpness compares two pictures of the same
    size; it has no unit.
    """
    points = _line_points(grey)
    if len(points.x) < 50:
        return Skew(0.0, 0.0)
    angles = np.arange(-_REACH, _REACH + 0.5, _COARSE)
    coarse = energies(points, angles, 3.0)
    top = float(angles[coarse.argmax()])
    fine_angles = np.round(np.arange(top - 1.2, top + 1.25, _FINE), 3)
    fine = energies(points, fine_angles, 1.5)
    best = int(fine.argmax())
    angle = _peak(fine_angles, fine, best)
    level = float(energies(points, np.zeros(1), 1.5)[0])
    clear = coarse.max() > _CLEAR * float(np.median(coarse)) and fine[best] > 1.03 * level
    return Skew(angle if clear and abs(angle) <= _REACH else 0.0, float(coarse.max()))


def _line_points(grey: _Bytes) -> Points:
    """Thin dark strokes that run mostly sideways."""
    strokes = thin_strokes(np.ascontiguousarray(grey))
    level = max(12.0, percentile(strokes[::4, ::3], 94))
    return thin_points(strokes, level, _MAX_POINTS)


def _peak(angles: NDArray[np.float64], energy: NDArray[np.float64], best: int) -> float:
    """The angle of the top of the parabola through the best angle and its neighbours."""
    if not 0 < best < len(angles) - 1:
        return float(angles[best])
    before, at, after = energy[best - 1 : best + 2]
    bend = before - 2 * at + after
    shift = 0.0 if bend >= 0 else 0.5 * (before - after) / bend
    return float(angles[best] + np.clip(shift, -1, 1) * _FINE)
