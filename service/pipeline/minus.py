"""A minus that the cheapest reading left out as stray ink."""

from collections.abc import Sequence
from typing import Final

from service.pipeline.search import Interpretation, Lattice
from service.pipeline.segment import SegmentationGraph

_MINUS: Final = "-"
_FLAT: Final = 1.2
# Its distance from the first symbol and the place of its middle, in that symbol's heights.
_NEAR: Final = 0.8
_LEVEL: Final = (0.25, 0.8)
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
