"""Where things stand in the original image: boxes as polygons, cuts as lines through the ink."""

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.native.cutting import Pieces
from service.pipeline.segment import Line, SegmentationGraph, ZoneSegments

# Corners of a box in the frame of the original image: 4 points x, y, clockwise from the top left.
Polygon = tuple[tuple[float, float], ...]
# Points x, y in the frame of the original image.
Line2D = tuple[tuple[float, float], ...]

_TOLERANCE = 0.8


def polygon(box: NDArray[np.float32], to_original: NDArray[np.float64]) -> Polygon:
    """The corners of a box x0, y0, x1, y1 in working pixels, in those of the original image."""
    return polygons(box[None], to_original)[0]


def polygons(boxes: NDArray[np.float32], to_original: NDArray[np.float64]) -> list[Polygon]:
    """The same for each of several boxes, f32 [N, 4]."""
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2).astype(np.float64)
    moved = _moved(corners, to_original)
    return [moved[first : first + 4] for first in range(0, len(moved), 4)]


def cut_lines(
    zones: Sequence[ZoneSegments],
    graph: SegmentationGraph,
    field: int,
    to_original: NDArray[np.float64],
) -> dict[int, Line2D]:
    """The lines of a field's cuts, by node; the first node, the last and the far side of a gap
    have none.

    zones: those of the field that hold ink. Nodes other than the far sides of gaps are numbered
    zone by zone, from left to right.
    """
    if field < 0:
        return {}
    own = graph.field == field
    far = set(graph.dst[own & (graph.segment < 0)].tolist())
    nodes = np.unique(np.concatenate([graph.src[own], graph.dst[own]])).tolist()
    near = [node for node in nodes if node not in far and 0 < node < graph.num_nodes - 1]
    lines = (
        _line(zone.line, zone.pieces, piece, to_original)
        for zone in zones
        for piece in range(1, len(zone.pieces.boxes) + 1)
    )
    return dict(zip(near, lines, strict=False))


def _line(line: Line, pieces: Pieces, piece: int, to_original: NDArray[np.float64]) -> Line2D:
    """The left side of the pieces from `piece` on, row by row, without needless points."""
    height, width = pieces.piece.shape
    after = pieces.piece >= piece
    columns = np.where(after.any(axis=1), after.argmax(axis=1), width)
    points = np.stack([columns - 0.5, np.arange(height, dtype=np.float64)], axis=1)
    few = cv2.approxPolyDP(points.astype(np.float32)[:, None], _TOLERANCE, False)[:, 0]
    working = few @ line.to_working[:, :2].T + line.to_working[:, 2]
    return _moved(working, to_original)


def _moved(points: NDArray[np.float64], to_original: NDArray[np.float64]) -> Line2D:
    moved = points @ to_original[:, :2].T + to_original[:, 2]
    return tuple(map(tuple, np.round(moved[:, :2] / moved[:, 2:], 1).tolist()))
