"""Whether an amount stands in brackets that were not read: how accounts write a negative one.

A bracket reads as a 1 or as the side of a box, and where it is taken for neither it is stray ink.
But it is a thin stroke as high as the figures that is bowed outwards, which no 1 and no side is.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.components import connected_components
from service.pipeline.doubts import line_of
from service.pipeline.ink import InkImage
from service.pipeline.levels import percentile
from service.pipeline.native.inking import component_stats

_Box = tuple[int, int, int, int]
_SOLID: Final = 60
# So dark, of what strokes are, is a bracket that was taken out of the ink with the side of a box.
_AS_DARK: Final = 0.5
# All in heights of the figures: how far around them is looked, how high a bracket is, how far off
# their middle, and how far from the next figure, which it may reach over.
_AROUND: Final = 1.5
_BESIDE: Final = 0.6
_HIGH: Final = (0.85, 1.9)
_OFF: Final = 0.35
_NEAR: Final = (-0.35, 0.8)
# In its own heights: how wide it is, and its stroke; how far it is bowed, and both together.
_WIDE: Final = 0.6
_STROKE: Final = 0.25
_BOWED: Final = 0.025
_BOTH: Final = 0.06
# Rows at either end that tell where its chord is, and those in the middle, of 1.
_END: Final = 0.15
_MIDDLE: Final = (0.3, 0.7)
_FEWEST_ROWS: Final = 6
_HALF = re.compile(r"[^()\d]*1[^()]*\)[^()\d]*|[^()\d]*\([^()]*1[^()\d]*")


def reads_as_half(text: str) -> bool:
    """Whether one bracket was read and the other one may be the 1 at the other end of an amount.

    text: as read. A bracket by itself may be the side of a box.
    """
    return _HALF.fullmatch(text) is not None


def in_brackets(boxes: NDArray[np.float32], labels: Sequence[str], ink: InkImage) -> bool:
    """Whether a bracket stands before the figures of an amount and another one behind them.

    boxes: f32 [S, 4] of the symbols read, in pixels of ink; labels: those symbols. The first or the
    last figure may itself be a bracket that was read as a 1.
    """
    figures = [number for number, label in enumerate(labels) if label.isdigit()]
    if len(figures) < 2:
        return False
    size, top, bottom = line_of(boxes[figures])
    x0, y0 = max(0, int(boxes[:, 0].min() - _AROUND * size)), max(0, int(top - _BESIDE * size))
    part = (
        slice(y0, int(bottom + _BESIDE * size)),
        slice(x0, int(boxes[:, 2].max() + _AROUND * size)),
    )
    solid = ink.ink[part] > _SOLID
    if not solid.any():
        return False
    ends = _ends(
        boxes[figures] - np.array([x0, y0, x0, y0], np.float32), [labels[n] for n in figures]
    )
    middle = (top + bottom) / 2 - y0
    bowed = _most_bowed(solid, ends, middle, size)
    if bowed.max() < _BOWED:
        return False
    darkness = ink.darkness[part]
    dark = darkness > int(_AS_DARK * percentile(darkness[solid][None], 50))
    bowed = np.maximum(bowed, _most_bowed(dark, ends, middle, size))
    return bool(bowed.min() >= _BOWED and bowed.sum() >= _BOTH)


def _ends(
    boxes: NDArray[np.float32], labels: Sequence[str]
) -> tuple[list[tuple[float, float]], list[tuple[float, float]]]:
    """Beyond which x the middle of a bracket is, and from where it is near, on the left and, both
    negative, on the right: of the figures' end and, where that is a 1, of the next figure's.

    boxes: f32 [F, 4] of the figures, two at least, in pixels, in which the ends are too; labels:
    the figures.
    """
    left = [(float(boxes[0, 0]), float(boxes[0, 0]))]
    right = [(-float(boxes[-1, 2]), -float(boxes[-1, 2]))]
    if labels[0] == "1":
        left.append((float(boxes[0, 2]), float(boxes[1, 0])))
    if labels[-1] == "1":
        right.append((-float(boxes[-1, 0]), -float(boxes[-2, 2])))
    return left, right


def _most_bowed(
    solid: NDArray[np.bool_],
    ends: tuple[list[tuple[float, float]], list[tuple[float, float]]],
    middle: float,
    size: float,
) -> NDArray[np.float64]:
    """How far the marks beside the figures are bowed outwards at most, f64 [2], left and right, in
    their own heights.

    solid: bool [H, W]; ends: as in `_ends`; middle, size: y of the figures' middle and their
    height; all in its pixels.
    """
    most = np.zeros(2)
    for box in _strokes(solid, middle, size):
        x0, _, x1, _ = box
        for side, (sign, start) in enumerate(((1, x1), (-1, -x0))):
            centre = sign * (x0 + x1) / 2
            if any(
                centre < beyond and _NEAR[0] * size <= edge - start <= _NEAR[1] * size
                for beyond, edge in ends[side]
            ):
                most[side] = max(most[side], -sign * _bow(_mark(solid, box)))
    return most


def _strokes(solid: NDArray[np.bool_], middle: float, size: float) -> Iterator[_Box]:
    """The boxes of the marks as high and as narrow as a bracket; the arguments are those of
    `_most_bowed`."""
    for x, y, wide, high, _, _ in component_stats(solid).tolist():
        level = abs(y + high / 2 - middle) <= _OFF * size
        whole = x > 0 and x + wide < solid.shape[1]
        if whole and level and _HIGH[0] * size <= high <= _HIGH[1] * size and wide <= _WIDE * high:
            yield x, y, x + wide, y + high


def _mark(solid: NDArray[np.bool_], box: _Box) -> NDArray[np.bool_]:
    """The pixels of the mark that has a box, bool [h, w]; solid: bool [H, W]."""
    x0, y0, x1, y1 = box
    part = solid[y0:y1, x0:x1].astype(np.uint8)
    owner, found, _ = connected_components(part)
    whole = (found[1:, 2:4] == (x1 - x0, y1 - y0)).all(axis=1)
    return np.asarray(owner == 1 + int(whole.argmax()))


def _bow(mark: NDArray[np.bool_]) -> float:
    """How far a stroke's middle is right of its chord, in its heights; 0 where it is no stroke.

    mark: bool [H, W], with ink in every row.
    """
    height, width = mark.shape
    first, last = mark.argmax(axis=1), width - mark[:, ::-1].argmax(axis=1)
    if height < _FEWEST_ROWS or (last - first).mean() > _STROKE * height:
        return 0.0
    across = (first + last) / 2
    down = (np.arange(height) + 0.5) / height
    top, bottom = across[down < _END].mean(), across[down > 1 - _END].mean()
    chord = top + (bottom - top) * (down - _END / 2) / (1 - _END)
    held = (down > _MIDDLE[0]) & (down < _MIDDLE[1])
    return float((across - chord)[held].mean() / height)
