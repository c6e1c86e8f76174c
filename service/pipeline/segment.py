"""T_seg: over-segmentation of candidate fields into one segmentation graph a cheque.

Source: sections IV-D, VII and X. A line is parted by what a small network says of the middle of the
character that each of its pixels is of (`centres`): ink that points at one place is a piece. What
touches or crosses is parted so however the strokes run, and what stands in pieces stays together.
Neighbouring pieces are grouped in every way that could be a character: where the network parts too
much the graph holds the whole as well.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.centres import CELL, UNIT, Centres, character_centres
from service.pipeline.field import Box, FieldCandidate
from service.pipeline.frame import without_frame
from service.pipeline.ink import InkImage
from service.pipeline.native.cutting import (
    Gathering,
    Grouping,
    Neighbours,
    Pieces,
    crops,
    erase_neighbours,
    gather_pieces,
    group_pieces,
    line_frame,
    zone_arcs,
)

CROP = 32
FEATURES = ("bias", "inner_gap", "cut_ink", "wide", "tall", "off_line", "pieces", "ink")

LINE_SIZE = 40
_SOLID = 60
_EDGE = 2.0
_BAR_WIDTH = 0.9
_BAR_HEIGHT = 0.35
_BAR_LEAN = 0.25
_BAR_COVER = 0.5
_BAR_TALL = 0.3
_SLIVER = 0.012
_MOST = 192
_MAX_PIECES = 5
_MAX_WIDTH = 1.6
_MAX_APART_WIDTH = 1.1
_CLEAR_GAP = 0.06
_MAX_INNER_GAP = 0.25
_WHOLE_WIDTH = 3.0
_WHOLE_SHARE = 0.85
_PART = 0.2
_LARGE = 0.06
_TALL = 0.6
_MIDDLE_WIDTH = 1.1
_MIDDLE_PART = 0.03
_WIDE = 0.9
_HIGH = 1.3
_SPACE_GAPS = (0.45, 1.2)
_SPACE_PENALTIES = (1.0, -1.5)
_SPACE_RISES = (0.12, 0.40)
_RISE_REACH = 1.0
_RISE_HEIGHT = 0.35
_JOINT_PENALTY = -1.0


@dataclass(frozen=True, slots=True)
class SegmentationGraph:
    """All candidate segments of all candidate fields, as one acyclic graph.

    num_nodes: nodes are cuts; node 0 is the start, node num_nodes - 1 the end, src < dst always.
    src, dst: i32 [A]. segment: i32 [A], row of crops, or -1 for a SPACE arc (a wide gap, or the
    joint between an amount zone and its cents zone). penalty: f32 [A], the penalty of the segment,
    plus that of the field on arcs that leave node 0. field: i32 [A], index of the candidate.
    crops: u8 [N, 32, 32], ink 255 on 0. boxes: f32 [N, 4], x0, y0, x1, y1 in working pixels.
    features: f32 [N, len(FEATURES)]. Several arcs may share a segment: where a gap is wide its cut
    is doubled, u -SPACE-> v, and the arcs that leave u also leave v.
    """

    num_nodes: int
    src: NDArray[np.int32]
    dst: NDArray[np.int32]
    segment: NDArray[np.int32]
    penalty: NDArray[np.float32]
    field: NDArray[np.int32]
    crops: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    features: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Line:
    """One zone brought to the common size: its ink, and how its frame maps back.

    ink: u8 [H, W], characters about 40 px tall. centre: y of the middle of the line.
    to_working: f64 [2, 3], affine from this frame to working pixels.
    """

    ink: NDArray[np.uint8]
    centre: float
    to_working: NDArray[np.float64]


def normalise_line(ink: NDArray[np.uint8], box: tuple[int, int, int, int]) -> Line | None:
    """Bring a zone to characters of 40 px on a level line; None where it holds no ink.

    Size is normalised once for the whole zone, so that a comma stays small (section IV-D). What is
    left of a frame is taken out first. What begins beyond the line, or at the zone's edge and ends
    before the line, is not of this line: a comma or the tail of a digit reaches down to 0.8 of the
    size below the middle. Nor is a long level stroke beneath taller characters, with what stands
    below it: the bar and the hundred of a fraction, or the line under the cents. Strokes printed in
    stripes or by pins are closed. Neither the side of a box nor a tall sign before the characters
    tells their size.
    """
    x0, y0, x1, y1 = box
    zone = ink[y0:y1, x0:x1]
    if zone.size == 0:
        return None
    zone = without_frame(zone)
    frame = line_frame(zone)
    if frame is None:
        return None
    size, slope, level = frame.size, frame.slope, frame.level
    if any(frame.reach):
        across, down = frame.reach
        kernel = np.ones((down + 1, across + 1), np.uint8)
        zone = np.asarray(cv2.morphologyEx(zone, cv2.MORPH_CLOSE, kernel), np.uint8)
    scale = min(LINE_SIZE / max(size, 4.0), 4.0)
    height, width = zone.shape
    out_w = int(np.ceil(width * scale)) + 4
    lean = slope * width / 2 * scale
    out_h = int(np.ceil(height * scale + 2 * abs(lean))) + 4
    forward = np.array(
        [
            [scale, 0.0, 2.0],
            [-slope * scale, scale, 2.0 + abs(lean) + slope * scale * width / 2],
        ]
    )
    centre = scale * (level + slope * width / 2) + 2.0 + abs(lean)
    inter = cv2.INTER_AREA if scale < 0.7 else cv2.INTER_LINEAR
    source = zone if scale >= 0.7 else cv2.GaussianBlur(zone, (0, 0), 0.35 / scale)
    line = np.asarray(cv2.warpAffine(source, forward, (out_w, out_h), flags=inter), np.uint8)
    top = forward[1, 2] - forward[1, 0] / scale * 2.0
    erase_neighbours(
        line,
        Neighbours(
            centre=centre, size=LINE_SIZE, slope=slope, top=top, bottom=top + scale * height,
            edge=_EDGE, bar_width=_BAR_WIDTH, bar_height=_BAR_HEIGHT, bar_lean=_BAR_LEAN,
            bar_cover=_BAR_COVER, bar_tall=_BAR_TALL, solid=_SOLID,
        ),
    )  # fmt: skip
    back = np.asarray(cv2.invertAffineTransform(forward), np.float64)
    back[:, 2] += (x0, y0)
    return Line(ink=line, centre=float(centre), to_working=back)


def find_pieces(line: Line) -> Pieces | None:
    """Part a line into the ink of one character each, or less; None where it holds no ink.

    What points at middles next to each other is one piece, so is each connected part of what the
    network takes for no character's. Slivers go to what they touch most. Of very many pieces the
    smallest go with those on their left.
    """
    if not (line.ink > _SOLID).any():
        return None
    return gathered(line.ink, character_centres(line.ink, line.centre))


def gathered(ink: NDArray[np.uint8], found: Centres) -> Pieces | None:
    """The pieces of a line, u8 [H, W], with what the network says of it; see `find_pieces`."""
    rules = Gathering(
        size=LINE_SIZE, cell=CELL, unit=UNIT, sliver=_SLIVER * LINE_SIZE**2,
        reach=_RISE_REACH * LINE_SIZE, height=_RISE_HEIGHT * LINE_SIZE, solid=_SOLID, most=_MOST,
        top=found.top,
    )  # fmt: skip
    return gather_pieces(ink, found.told, rules)


def _space_penalties(pieces: Pieces) -> NDArray[np.float64]:
    """The penalty of SPACE at the cut before each piece, f64 [P]; NaN where nothing speaks for it.

    Either a wide gap does, or that what follows ends higher than what stands before.
    """
    found = np.full(len(pieces.boxes), np.inf)
    for measured, levels in ((pieces.gap, _SPACE_GAPS), (pieces.rise, _SPACE_RISES)):
        own = np.interp(measured, levels, _SPACE_PENALTIES)
        found[1:] = np.minimum(found[1:], np.where(measured > levels[0], own, np.inf))
    found[np.isinf(found)] = np.nan
    return found


@dataclass(frozen=True, slots=True)
class ZoneSegments:
    """The segments of one zone.

    first, last: i32 [S], the first piece and one past the last; crops u8 [S, 32, 32]; boxes
    f32 [S, 4] in working pixels; features f32 [S, len(FEATURES)].
    """

    line: Line
    pieces: Pieces
    first: NDArray[np.int32]
    last: NDArray[np.int32]
    crops: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    features: NDArray[np.float32]

    def members(self) -> NDArray[np.bool_]:
        """Which pieces each segment has; bool [S, P]."""
        pieces = np.arange(len(self.pieces.boxes))
        return (pieces >= self.first[:, None]) & (pieces < self.last[:, None])


def _segments(line: Line, pieces: Pieces, placement: Placement) -> ZoneSegments:
    """Every grouping of neighbouring pieces that could be one character.

    Those of few pieces that are narrow enough, apart only by small gaps; and, however wide it is
    and however often it was cut, what is little else but one component. None is of a part of one
    component and much of another, or of two whole ones as tall as digits, or of the middle of a
    component that is too narrow for three characters; of the middle, though, where the others do
    not lead through the zone.
    """
    rules = Grouping(
        centre=line.centre, size=LINE_SIZE, widest=_MAX_WIDTH, widest_apart=_MAX_APART_WIDTH,
        clear_gap=_CLEAR_GAP, inner_gap=_MAX_INNER_GAP, whole_width=_WHOLE_WIDTH,
        whole_share=_WHOLE_SHARE, part=_PART, large=_LARGE, tall=_TALL,
        middle_width=_MIDDLE_WIDTH, middle_part=_MIDDLE_PART, wide_from=_WIDE, tall_from=_HIGH,
        to_working=tuple(line.to_working.ravel()), solid=_SOLID, most=_MAX_PIECES,
    )  # fmt: skip
    found = group_pieces(line.ink, pieces, rules)
    return ZoneSegments(
        line,
        pieces,
        found.first,
        found.last,
        _crops(line, pieces.piece, found.first, found.last, found.bounds, placement),
        found.boxes,
        found.features,
    )  # fmt: skip


def _crops(
    line: Line,
    piece: NDArray[np.int16],
    first: NDArray[np.int32],
    last: NDArray[np.int32],
    bounds: NDArray[np.int32],
    placement: Placement,
) -> NDArray[np.uint8]:
    """The crops of segments of a line, u8 [S, 32, 32]; see `cutting.crops`."""
    numbers = (
        placement.normal, placement.largest, placement.size_damping, placement.offset_damping
    )  # fmt: skip
    return crops(
        line.ink, piece, first, last, bounds, size=LINE_SIZE, centre=line.centre, placement=numbers
    )  # fmt: skip


def place(
    ink: NDArray[np.uint8], extent: float, offset: float, placement: Placement
) -> NDArray[np.uint8]:
    """Put one segment's ink into a 32 x 32 crop; u8 [32, 32], ink 255 on 0.

    ink: u8 [h, w] of the segment at line scale (characters of 40 px), with at most a pixel of
    margin. extent: the greater of its height and width; offset: of its middle below the line's
    middle; both in units of the line's size. Size and offset are damped, not removed: a character
    of the common size becomes 20 px (section II), a small one stays smaller, a comma stays low.
    """
    extent = max(extent, 0.05)
    target = min(placement.normal * extent**placement.size_damping, placement.largest)
    scale = target / (extent * LINE_SIZE)
    h, w = ink.shape
    shift = float(np.clip(offset * placement.offset_damping, -0.25, 0.25)) * placement.normal
    # Pixel centres: the middle of the source lands on the middle of the crop.
    matrix = np.array(
        [
            [scale, 0.0, (CROP - 1) / 2 - scale * (w - 1) / 2],
            [0.0, scale, (CROP - 1) / 2 + shift - scale * (h - 1) / 2],
        ]
    )
    return cv2.warpAffine(ink, matrix, (CROP, CROP), flags=cv2.INTER_LINEAR).astype(np.uint8)


class _Builder:
    """Collects the arcs of all fields between one start and one end node."""

    def __init__(self) -> None:
        self.nodes = 1
        self.arcs: list[NDArray[np.float64]] = []
        self.fields: list[tuple[int, int]] = []
        self.parts: list[ZoneSegments] = []
        self.rows = 0

    def add_field(self, zones: list[ZoneSegments], penalty: float, field: int) -> None:
        """Add one candidate: its zones in sequence, a SPACE arc at each joint."""
        entry = (0, penalty)
        for number, zone in enumerate(zones):
            if number > 0:
                joint = [[entry[0], self.nodes, -1, _JOINT_PENALTY]]
                self._add(np.array(joint, np.float64), field)
                entry = (self.nodes, 0.0)
                self.nodes += 1
            arcs, self.nodes, leaving = zone_arcs(
                _space_penalties(zone.pieces), zone.first, zone.last, row=self.rows, entry=entry,
                end=number == len(zones) - 1, nodes=self.nodes,
            )  # fmt: skip
            self._add(arcs, field)
            self.rows += len(zone.first)
            self.parts.append(zone)
            entry = (leaving, 0.0)

    def _add(self, arcs: NDArray[np.float64], field: int) -> None:
        self.arcs.append(arcs)
        self.fields.append((field, len(arcs)))

    def finish(self, weights: NDArray[np.float32]) -> SegmentationGraph:
        """Close the graph: arcs to -1 go to the end node; arcs sorted by source."""
        arcs = np.concatenate([np.zeros((0, 4)), *self.arcs])
        field = np.repeat(*np.array(self.fields, np.int32).reshape(-1, 2).T)
        src, dst = arcs[:, 0].astype(np.int32), arcs[:, 1].astype(np.int32)
        dst[dst < 0] = self.nodes
        segment = arcs[:, 2].astype(np.int32)
        crops, boxes, features = _stack(self.parts)
        own = np.where(segment >= 0, (features @ weights)[segment], 0.0) if len(features) else 0.0
        penalty = (arcs[:, 3] + own).astype(np.float32)
        order = np.lexsort((dst, src))
        return SegmentationGraph(
            num_nodes=self.nodes + 1,
            src=src[order],
            dst=dst[order],
            segment=segment[order],
            penalty=penalty[order],
            field=field[order],
            crops=crops,
            boxes=boxes,
            features=features,
        )


def _stack(
    parts: list[ZoneSegments],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    if not parts:
        return (
            np.zeros((0, CROP, CROP), np.uint8),
            np.zeros((0, 4), np.float32),
            np.zeros((0, len(FEATURES)), np.float32),
        )
    return (
        np.concatenate([p.crops for p in parts]),
        np.concatenate([p.boxes for p in parts]),
        np.concatenate([p.features for p in parts]),
    )


def segment_fields(
    ink: InkImage,
    fields: Sequence[FieldCandidate],
    placement: Placement,
    weights: NDArray[np.float32] | None = None,
    *,
    only: Sequence[int] | None = None,
    known: dict[Box, ZoneSegments | None] | None = None,
) -> SegmentationGraph:
    """Replace each candidate field by its segmentation graph, all in parallel (section X-C).

    weights: f32 [len(FEATURES)], the segment penalty is features @ weights; None means zero. only:
    the fields, by index, that get one; all if left out. known: zones of this ink that were
    segmented already, by box; those that were not are added. A field without ink adds nothing;
    where none has any the graph has no arcs.
    """
    builder = _Builder()
    cache = {} if known is None else known
    for index in range(len(fields)) if only is None else only:
        zones = []
        for zone in fields[index].zones:
            if zone.box not in cache:
                cache[zone.box] = segment_zone(ink.ink, zone.box, placement)
            found = cache[zone.box]
            if found is not None:
                zones.append(found)
        builder.add_field(zones, fields[index].penalty, index)
    return builder.finish(np.zeros(len(FEATURES), np.float32) if weights is None else weights)


def segment_zone(
    ink: NDArray[np.uint8], box: tuple[int, int, int, int], placement: Placement
) -> ZoneSegments | None:
    """Over-segment one zone (x0, y0, x1, y1 in working pixels); None where it holds no ink.

    ink: u8 [H, W], the ink of the whole image.
    """
    line = normalise_line(ink, box)
    if line is None:
        return None
    pieces = find_pieces(line)
    if pieces is None:
        return None
    return _segments(line, pieces, placement)


def whole_crop(
    ink: NDArray[np.uint8], box: tuple[int, int, int, int], placement: Placement
) -> NDArray[np.uint8] | None:
    """The crop of all ink of a zone as one segment, u8 [32, 32]; None where it holds none.

    ink: u8 [H, W], the ink of the whole image; box: x0, y0, x1, y1 in working pixels.
    """
    line = normalise_line(ink, box)
    if line is None:
        return None
    solid = np.asarray(line.ink > _SOLID, np.uint8)
    x, y, w, h = cv2.boundingRect(solid)
    if not w:
        return None
    first, last = np.array([[0], [1]], np.int32)
    bounds = np.array([[x, y, x + w, y + h]], np.int32)
    whole = np.zeros(solid.shape, np.int16)
    return np.asarray(_crops(line, whole, first, last, bounds, placement)[0], np.uint8)
