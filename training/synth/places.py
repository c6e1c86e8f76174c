"""Where a hand puts its characters: sizes, heights on the line, gaps, and the front of ink."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.person import Hand
from training.synth.strokes import SDF_HEIGHT, SDF_PAD, Coverage, Glyph, MaskGlyph

_DESCENDING = frozenset("1479")
_FAR = 1 << 20


@dataclass(frozen=True, slots=True)
class Extent:
    """How a symbol that is no digit is scaled and placed, in digit heights.

    size: smallest and largest height (or width, where by_width). middle: lowest and highest
    centre, y downward from the baseline.
    """

    size: tuple[float, float]
    middle: tuple[float, float]
    by_width: bool = False


EXTENTS: dict[str, Extent] = {
    ".": Extent((0.0, 0.11), (-0.06, 0.03)),
    ",": Extent((0.16, 0.42), (-0.04, 0.14)),
    "-": Extent((0.22, 0.85), (-0.62, -0.34), by_width=True),
    "=": Extent((0.3, 0.75), (-0.55, -0.25), by_width=True),
    "/": Extent((0.95, 1.5), (-0.56, -0.4)),
    "*": Extent((0.3, 0.85), (-0.7, -0.4)),
    "#": Extent((0.6, 1.1), (-0.6, -0.42)),
    "+": Extent((0.4, 0.7), (-0.55, -0.35)),
    "x": Extent((0.4, 0.85), (-0.45, -0.25)),
    "|": Extent((1.0, 1.45), (-0.55, -0.4)),
    "(": Extent((1.0, 1.4), (-0.55, -0.4)),
    ")": Extent((1.0, 1.4), (-0.55, -0.4)),
    "$": Extent((1.0, 1.45), (-0.56, -0.44)),
    "£": Extent((0.85, 1.25), (-0.56, -0.46)),
    "€": Extent((0.8, 1.2), (-0.56, -0.44)),
    "₹": Extent((0.8, 1.2), (-0.54, -0.44)),
    "%": Extent((0.7, 1.1), (-0.56, -0.44)),
}
_TAP = 0.04
_LETTER = Extent((0.75, 1.1), (-0.54, -0.42))


class Front:
    """How far right the ink of a line reaches, row by row; places the next character."""

    __slots__ = ("_reach", "_span", "_start", "right")

    def __init__(self, height: float, start: int) -> None:
        self._span = int(3.2 * height)
        self._reach = np.full(2 * self._span, start - _FAR, np.int32)
        self._start = start
        self.right = start

    def place(
        self, coverage: Coverage, top: int, gap: float, unit: float, tuck: float
    ) -> tuple[int, int, int]:
        """Place a patch with a gap (px, below 0 they overlap) behind what is written.

        tuck: 1 moves characters into each other's hollows, 0 keeps their boxes apart.
        Returns (x of the patch, first ink column, column after the last). One without ink takes no
        room.
        """
        ink = coverage > min(60, int(coverage.max()) // 2)
        if not ink.any():
            return self.right, self.right, self.right
        has = ink.any(axis=1)
        begins = np.where(has, ink.argmax(axis=1), _FAR)
        ends = np.where(has, coverage.shape[1] - ink[:, ::-1].argmax(axis=1), -_FAR)
        rows = np.clip(np.arange(len(coverage)) + top + self._span, 0, 2 * self._span - 1)
        first = int(begins.min())
        boxed = self.right - first
        reach = cv2.dilate(self._reach.astype(np.float32).reshape(-1, 1), _near(unit)).ravel()
        kerned = float((reach[rows] - begins).max())
        tuck = 1.0 if gap < 0 else tuck
        x = round(max(tuck * kerned + (1 - tuck) * boxed, boxed - 0.45 * unit) + gap)
        np.maximum.at(self._reach, rows, (ends + x).astype(np.int32))
        self.right = max(self.right, int(ends.max()) + x)
        return x, x + first, int(ends.max()) + x


def digit_place(rng: np.random.Generator, hand: Hand, symbol: str) -> tuple[float, float]:
    """Height of a digit and how far it goes below the baseline, in digit heights."""
    size = float(np.exp(rng.normal(0, hand.size_spread)))
    drop = hand.descent * float(rng.uniform(0.4, 1.2)) if symbol in _DESCENDING else 0.0
    if symbol == "0":
        size *= hand.zero_size
        drop += float(rng.choice([0.0, -0.5])) * max(0.0, 1.0 - hand.zero_size) * 0.6
    elif symbol == "1":
        size *= hand.one_size
        drop += 0.5 * (hand.one_size - 1.0)
    return size * (1.0 + 0.5 * max(0.0, drop)), drop


def symbol_place(
    rng: np.random.Generator, hand: Hand, symbol: str, glyph: Glyph, follows: str
) -> tuple[float, float]:
    """Scale of the glyph and where its bottom stands, in digit heights below the baseline."""
    extent = EXTENTS.get(symbol, _LETTER)
    if isinstance(glyph, MaskGlyph):
        rows, columns = glyph.distance.shape
        high, wide = (rows - 2 * SDF_PAD) / SDF_HEIGHT, (columns - 2 * SDF_PAD) / SDF_HEIGHT
        bottom = 0.0
    else:
        low, top = glyph.points[:, 1].max(), glyph.points[:, 1].min()
        high = max(float(low - top), 1e-3)
        wide = float(np.ptp(glyph.points[:, 0]))
        bottom = float(low)
    size = float(rng.uniform(*extent.size))
    if symbol == ".":
        # A mere tap of the pen is a point however much it is enlarged, and would be thrown far off.
        scale = size / max(high, wide, _TAP)
    else:
        scale = size / max(wide if extent.by_width else high, 0.3)
    if symbol in "NORS" and high < 0.7:
        scale = float(rng.uniform(0.8, 1.2))
    middle = float(rng.uniform(*extent.middle))
    low = symbol == "-" and rng.random() < hand.low_dash * (1.0 if follows in ".,-" else 0.5)
    # Fillers stand on the line, a minus before the figures does not.
    if low and (follows.isdigit() or follows in ("-", ".", ",")):
        middle = float(rng.uniform(-0.12, 0.05))
    if symbol == "." and hand.high_point and rng.random() < hand.high_point:
        middle = float(rng.uniform(-0.5, -0.2))
    return scale, middle + scale * high / 2.0 - scale * bottom


def marks(follows: str, symbol: str) -> bool:
    """Whether one of two neighbours is a mark: whoever writes one means it to be seen."""
    return any(one and one in ".,-" for one in (follows, symbol))


def gap_before(
    rng: np.random.Generator, hand: Hand, follows: str, symbol: str, wide: float
) -> float:
    """Room between two symbols, digit heights; below 0 they touch."""
    if wide:
        return wide + hand.gap
    if marks(follows, symbol):
        return max(0.02, hand.point_gap * float(rng.uniform(0.3, 1.3)))
    if follows and rng.random() < hand.touch:
        return -float(rng.uniform(0.0, 0.09))
    return max(0.0, hand.gap + float(rng.normal(0, hand.gap_spread)))


def _near(unit: float) -> NDArray[np.uint8]:
    return np.ones((2 * max(1, int(0.06 * unit)) + 1, 1), np.uint8)
