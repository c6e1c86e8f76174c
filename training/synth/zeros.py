"""Zeros in a row as a fast hand writes them: a chain of loops that grows smaller to its end."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]

_STEPS = 26
_SMALLEST = 0.3
_STRAIGHT = 0.55
_ROOM_SHARES = (0.65, 0.35)
# Share of hands whose zeros reach into each other; most only touch.
_CROSSING = 0.08


@dataclass(frozen=True, slots=True)
class Chain:
    """One hand's way with zeros in a row; lengths in heights of the first zero.

    width: of a zero. room: between zeros. shrink: size of a zero as a share of the one before.
    hang: 0 small zeros stand on the line, 1 they hang at the top. loose: 0 every zero is closed
    before the pen moves on along the top, 1 the pen moves on all the time, as in a coil.
    flat: width of a zero as a share of the one before it, beyond shrink; small ones end in a wave.
    sag: how deep the stroke from zero to zero hangs.
    """

    width: float
    room: float
    shrink: float
    hang: float
    loose: float
    flat: float
    sag: float


def sample_chain(rng: np.random.Generator) -> Chain:
    """Draw a hand's way with zeros in a row."""
    closed = rng.random() < 0.88
    wavy = rng.random() < 0.15
    return Chain(
        width=float(rng.uniform(0.65, 1.3)),
        room=float(rng.choice([rng.uniform(-0.02, 0.1), rng.uniform(0.1, 0.4)], p=_ROOM_SHARES))
        if rng.random() > _CROSSING
        else float(rng.uniform(-0.1, -0.02)),
        shrink=float(rng.choice([rng.uniform(0.9, 1.02), rng.uniform(0.68, 0.9)], p=[0.5, 0.5])),
        hang=float(rng.choice([0.0, rng.uniform(0.2, 1.0)], p=[0.55, 0.45])),
        loose=float(rng.uniform(0.0, 0.25) if closed else rng.uniform(0.35, 0.7)),
        flat=float(rng.uniform(0.5, 0.75)) if wavy else float(rng.uniform(0.9, 1.0)),
        sag=float(rng.choice([0.0, rng.uniform(0.0, 0.3)])),
    )


def chain_points(
    rng: np.random.Generator, chain: Chain, count: int
) -> list[tuple[Floats, tuple[int, ...]]]:
    """The strokes of ``count`` zeros and those that join them, each with the zeros it belongs to.

    Returns f32 [n, 3] a stroke: x from 0 rightwards, y downward from the baseline (the first zero's
    top at -1), pen speed. Each begins where the one before ends. A joining stroke belongs to both
    zeros: wherever it is cut, neither loses what makes it a zero.
    """
    k = np.arange(count + 1)
    size = np.maximum(chain.shrink**k * np.exp(rng.normal(0, 0.05, count + 1)), _SMALLEST)
    wide = chain.width * size * np.maximum(chain.flat**k, 0.25)
    pitch = (chain.width + chain.room) * 0.5 * (size[:-1] + size[1:])
    pitch = np.maximum(pitch, 0.22) * np.exp(rng.normal(0, 0.04, count))
    x = np.concatenate([[0.0], np.cumsum(pitch)])
    y = -0.5 * size - chain.hang * np.maximum(0.0, 1.0 - size) + rng.normal(0, 0.02, count + 1)
    u = np.linspace(0.0, count, count * _STEPS + 1)[:-1]
    at, part = np.divmod(u, 1.0)
    closing = 0.8 + 0.2 * chain.loose
    angle = -0.5 * np.pi - 2 * np.pi * np.minimum(part / closing, 1.0) + rng.normal(0, 0.2)
    leaving = np.clip((part - closing) / max(1.0 - closing, 1e-3), 0.0, 1.0)
    moved = at + chain.loose * part + (1.0 - chain.loose) * leaving**2 * (3 - 2 * leaving)
    across = np.interp(moved, k, x) + 0.5 * np.interp(moved, k, wide) * np.cos(angle)
    high = np.interp(moved, k, size)
    down = np.interp(moved, k, y) + 0.5 * high * np.sin(angle)
    down += chain.sag * high * np.sin(np.pi * leaving)
    points = np.stack([across, down, np.full(len(u), 0.6)], axis=1).astype(np.float32)
    # The last zero ends closed, or with the beginning of one more joining stroke.
    last = len(points) - int(rng.choice([2, 5]) * (1.0 - chain.loose))
    found: list[tuple[Floats, tuple[int, ...]]] = []
    for i in range(count):
        closed = int((i + closing) * _STEPS) if i + 1 < count else last
        found.append((points[i * _STEPS : closed + 1].copy(), (i,)))
        if i + 1 < count:
            found.append((points[closed : (i + 1) * _STEPS + 1].copy(), (i, i + 1)))
    return found


def is_slashed(points: Floats, starts: tuple[int, ...]) -> bool:
    """Whether a recorded zero is crossed by a long straight stroke, or is nothing but one.

    points: f32 [n, 2 or more] of x, y in digit heights, evenly spaced; starts: first point of
    each stroke.
    """
    low, high = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    centre, room = (low + high) / 2, 0.02 + 0.13 * max(float(high[0] - low[0]), 0.4)
    for start, end in zip(starts, (*starts[1:], len(points)), strict=True):
        line = points[start:end:2, :2]
        for first in range(len(line) - 4):
            for last in range(len(line) - 1, first + 3, -1):
                along = line[last] - line[first]
                length = float(np.hypot(*along))
                if length < _STRAIGHT:
                    break
                aside = line[first:last] - line[first]
                off = np.abs(along[0] * aside[:, 1] - along[1] * aside[:, 0]) / length
                if off.max() < 0.05:
                    to = centre - line[first]
                    if abs(along[0] * to[1] - along[1] * to[0]) / length < room:
                        return True
                    break
    return False
