"""Skew: the slope of ruled lines and text lines, found by the sharpest projection profile."""

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.levels import percentile
from service.pipeline.native.inking import energies

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
    x, y, weight = _line_points(grey)
    if len(x) < 50:
        return Skew(0.0, 0.0)
    angles = np.arange(-_REACH, _REACH + 0.5, _COARSE)
    coarse = energies(x, y, weight, angles, 3.0)
    top = float(angles[coarse.argmax()])
    fine_angles = np.round(np.arange(top - 1.2, top + 1.25, _FINE), 3)
    fine = energies(x, y, weight, fine_angles, 1.5)
    best = int(fine.argmax())
    angle = _peak(fine_angles, fine, best)
    level = float(energies(x, y, weight, np.zeros(1), 1.5)[0])
    clear = coarse.max() > _CLEAR * float(np.median(coarse)) and fine[best] > 1.03 * level
    return Skew(angle if clear and abs(angle) <= _REACH else 0.0, float(coarse.max()))


def _line_points(
    grey: _Bytes,
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
    """Places and weights of thin dark strokes that run mostly sideways."""
    thin = cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, np.ones((7, 1), np.uint8))
    runs = cv2.blur(thin, (9, 1))
    level = max(12.0, percentile(np.asarray(runs, np.uint8)[::4, ::3], 94))
    edge = 3
    runs[:edge] = runs[-edge:] = 0
    runs[:, :edge] = runs[:, -edge:] = 0
    flat = np.flatnonzero(runs > level)
    flat = flat[:: max(1, len(flat) // _MAX_POINTS)]
    y, x = np.divmod(flat, grey.shape[1])
    weight = runs.reshape(-1)[flat].astype(np.float32)
    return x.astype(np.float32), y.astype(np.float32), weight


def _peak(angles: NDArray[np.float64], energy: NDArray[np.float64], best: int) -> float:
    """The angle of the top of the parabola through the best angle and its neighbours."""
    if not 0 < best < len(angles) - 1:
        return float(angles[best])
    before, at, after = energy[best - 1 : best + 2]
    bend = before - 2 * at + after
    shift = 0.0 if bend >= 0 else 0.5 * (before - after) / bend
    return float(angles[best] + np.clip(shift, -1, 1) * _FINE)
