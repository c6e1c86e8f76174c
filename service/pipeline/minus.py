"""A minus that the cheapest reading left out as stray ink, or that stands before its field."""

import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.components import connected_components
from service.pipeline.doubts import line_of
from service.pipeline.ink import InkImage
from service.pipeline.search import Interpretation, Lattice
from service.pipeline.segment import SegmentationGraph

_MINUS: Final = "-"
_FLAT: Final = 1.2
# Its distance from the first symbol and the place of its middle, in that symbol's heights.
_NEAR: Final = 0.8
_LEVEL: Final = (0.25, 0.8)
# How far before the amount a minus may stand, how long and how thick it is, in heights.
_BEFORE: Final = 2.5
_LONG: Final = (0.2, 1.3)
_THICK: Final = 0.35
_SOLID: Final = 60
_FILLED = re.compile(r"[-=*#/x]$")
# As a minus a piece is at most so much dearer than as no symbol at all.
_DEAREST: Final = 3.0


def leaves_out_minus(
    reading: Interpretation, graph: SegmentationGraph, lattice: Lattice, labels: Sequence[str]
) -> bool:
    """Whether stray ink before the amount could be the minus of a negative one.

    A short flat stroke is as likely a speck of the form's, and amounts are hardly ever negative, so
    that the cheapest path has it stray. But a negative amount that is accepted costs twice its
    worth, a positive one that is rejected a glance. lattice: the recognition graph made of graph;
    labels: the recognizer's, rubbish last.
    """
    rubbish, minus = len(labels) - 1, labels.index(_MINUS)
    first = next((n for n, label in enumerate(reading.labels.tolist()) if label != rubbish), 0)
    if first == 0:
        return False
    row, follows = graph.segment[reading.arcs[first - 1 : first + 1]].tolist()
    if follows < 0:
        return False
    odds = lattice.class_penalty[row, :rubbish]
    x0, y0, x1, y1 = graph.boxes[row].tolist()
    left, top, _, bottom = graph.boxes[follows].tolist()
    high, level = bottom - top, ((y0 + y1) / 2 - top) / (bottom - top)
    return bool(
        odds[minus] == odds.min()
        and odds[minus] <= _DEAREST
        and x1 - x0 >= _FLAT * (y1 - y0)
        and left - x1 <= _NEAR * high
        and _LEVEL[0] <= level <= _LEVEL[1]
    )


def stands_before(reading: Interpretation, boxes: NDArray[np.float32], ink: InkImage) -> bool:
    """Whether a lone dash stands before an amount, apart from it.

    boxes: f32 [S, 4] of the symbols read, in pixels of ink. It is none where more than one stands
    there, where the amount is followed by one too or by what fills a line, and before a currency
    sign, where forms have lines.
    """
    if not len(boxes) or not reading.text[:1].isdigit() or _FILLED.search(reading.text):
        return False
    size, top, _ = line_of(boxes)
    left, right = float(boxes[:, 0].min()), float(boxes[:, 2].max())
    x0, y0 = max(0, int(left - _BEFORE * size)), max(0, int(top))
    part = ink.ink[y0 : math.ceil(top + size), x0 : math.ceil(right + _BEFORE * size)] > _SOLID
    _, statistics, _ = connected_components(part.astype(np.uint8))
    start, upper, wide, high, _ = statistics[1:].astype(np.float64).T
    level = (upper + high / 2 + y0 - top) / size
    dash = (wide >= _FLAT * high) & (high <= _THICK * size)
    dash &= (wide >= _LONG[0] * size) & (wide <= _LONG[1] * size)
    dash &= (level >= _LEVEL[0]) & (level <= _LEVEL[1])
    before = start + wide + x0 <= left
    after = start + x0 >= right
    beyond = before & (high >= _THICK * size)
    nearest = (start + wide)[beyond].max(initial=-1.0)
    lone = dash & before & (start >= nearest)
    return int((dash & before).sum()) == 1 and bool(lone.any()) and not (dash & after).any()
