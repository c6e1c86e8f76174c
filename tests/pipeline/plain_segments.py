"""Over-segmentation as numpy has it, step by step: what the compiled one is tested against.

Source: sections IV-D, VII and X.
"""

from collections.abc import Sequence
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.centres import character_centres
from service.pipeline.components import connected_components
from service.pipeline.field import FieldCandidate
from service.pipeline.frame import without_frame
from service.pipeline.ink import InkImage
from service.pipeline.native.cutting import Pieces, crops
from service.pipeline.segment import (
    _BAR_COVER,
    _BAR_HEIGHT,
    _BAR_LEAN,
    _BAR_TALL,
    _BAR_WIDTH,
    _CLEAR_GAP,
    _EDGE,
    _JOINT_PENALTY,
    _MAX_APART_WIDTH,
    _MAX_INNER_GAP,
    _MAX_PIECES,
    _MAX_WIDTH,
    _RISE_HEIGHT,
    _RISE_REACH,
    _SOLID,
    _SPACE_GAPS,
    _SPACE_PENALTIES,
    _SPACE_RISES,
    CROP,
    FEATURES,
    LINE_SIZE,
    Line,
    SegmentationGraph,
    ZoneSegments,
)
from tests.pipeline.plain_groups import holdings, plausible, whole_components
from tests.pipeline.plain_pieces import gathered, piece_boxes, touching

_WHOLE = 0.5
_TALLER = 1.25


def normalise_line(ink: NDArray[np.uint8], box: tuple[int, int, int, int]) -> Line | None:
    """Bring a zone to characters of 40 px on a level line; None where it holds no ink.

    Size is normalised once for the whole zone, so that a comma stays small (section IV-D).
    """
    x0, y0, x1, y1 = box
    zone = ink[y0:y1, x0:x1]
    if zone.size == 0:
        return None
    zone = without_frame(zone)
    mask = (zone > 0).astype(np.uint8)
    _, stats, middles = connected_components(mask)
    if len(stats) == 1:
        return None
    across, down = _reach(stats[1:])
    if across or down:
        joined = _joined(_joined(mask, down).T, across).T
        _, others, other_middles = connected_components(np.ascontiguousarray(joined))
        if _usual_height(others[1:]) >= 2 * _usual_height(stats[1:]):
            stats, middles = others, other_middles
            zone = cv2.morphologyEx(
                zone, cv2.MORPH_CLOSE, np.ones((down + 1, across + 1), np.uint8)
            )
    own = _of_the_line(stats[1:])
    stats, middles = stats[1:][own], middles[1:][own]
    heights = stats[:, cv2.CC_STAT_HEIGHT].astype(np.float64)
    tall = heights >= 0.45 * _weighted_quantile(heights, heights, 0.95)
    usual = float(_weighted_median(heights[tall], stats[tall, cv2.CC_STAT_AREA]))
    size = _size_beside_stars(stats, usual)
    middle = stats[:, cv2.CC_STAT_TOP] + heights / 2
    # Stars would lift the middle of the line, and points fall out of it.
    whole = tall & (heights >= (size / _TALLER if size > usual else _WHOLE * size))
    slope, level = _fit_line(
        middles[whole, 0], middle[whole], stats[whole, cv2.CC_STAT_AREA].astype(np.float64), size
    )
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
    line = cv2.warpAffine(source, forward, (out_w, out_h), flags=inter)
    top = forward[1, 2] - forward[1, 0] / scale * 2.0
    edges = (slope, top, top + scale * height)
    line = _without_neighbours(line.astype(np.uint8), float(centre), edges)
    back = np.asarray(cv2.invertAffineTransform(forward), np.float64)
    back[:, 2] += (x0, y0)
    return Line(ink=line, centre=float(centre), to_working=back)


def _of_the_line(stats: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which components are no sides of a box and no tall sign before the characters."""
    left, _, wide, high, _ = stats.T
    levels = np.unique(high)[::-1]
    for size in levels[1:]:
        out = high > size
        alike = ~out & (high >= 0.7 * size)
        if out.sum() > 4:
            break
        if high[out].min() < 1.6 * size or alike.sum() < 3:
            continue
        if 2 * (wide[alike] <= 0.85 * high[alike]).sum() <= alike.sum():
            continue
        sign = (left + wide <= left[alike].min() + 0.3 * size) & (high >= 1.9 * size)
        if ((wide <= 0.35 * high) | sign)[out].all():
            return np.asarray(~out)
    return np.ones(len(stats), bool)


def _reach(stats: NDArray[np.int32]) -> tuple[int, int]:
    """How far apart, across and down, parts of a stroke are that is printed in stripes or by pins;
    0 where strokes are whole."""
    _, top, wide, high, area = stats.T
    extent = (top + high).max() - top.min()
    low = 3 * high <= extent
    flat = low & (2 * wide >= 3 * high)
    if low.sum() >= 8 and 5 * int(area[flat].sum()) >= 3 * int(area.sum()):
        return 0, 2 * int(high[low].sum()) // int(low.sum())
    small = (3 * np.maximum(wide, high) <= extent) & (9 * area >= 5 * wide * high)
    middles = (top + high / 2)[small]
    if (
        small.sum() >= 16
        and 5 * int(area[small].sum()) >= 2 * int(area.sum())
        and 5 * high[small].mean() <= extent
        and 6 * middles.std() >= extent
    ):
        reach = int(high[small].sum()) // int(small.sum())
        return reach, reach
    return 0, 0


def _usual_height(stats: NDArray[np.int32]) -> float:
    """The height that half of the components' ink reaches."""
    heights = stats[:, cv2.CC_STAT_HEIGHT].astype(np.float64)
    return float(_weighted_median(heights, stats[:, cv2.CC_STAT_AREA]))


def _joined(mask: NDArray[np.uint8], reach: int) -> NDArray[np.uint8]:
    """A mask with the gaps of its columns filled that are no longer than reach."""
    joined = mask.copy()
    for column in joined.T:
        rows = np.flatnonzero(column)
        for above, below in pairwise(rows.tolist()):
            if below - above - 1 <= reach:
                column[above:below] = 1
    return joined


def _without_neighbours(
    line: NDArray[np.uint8], centre: float, edges: tuple[float, float, float]
) -> NDArray[np.uint8]:
    """Erase what stands above or below the line: parts of other writing that reach into the zone.

    A comma or the tail of a digit reaches down to 0.8 of the size below the middle, but what begins
    beyond the line, or begins at the zone's edge and ends before the line, is not of this line;
    nor are bars and what stands below them. edges: the zone's slope, and its top and bottom at 0.
    """
    solid = (line > _SOLID).astype(np.uint8)
    labels, stats, _ = connected_components(solid)
    slope, top, bottom = edges
    left, high, wide, tall = stats[:, :4].T.astype(np.float64)
    x = left + 0.5 * wide
    near = 0.5 * wide * abs(slope) + _EDGE
    above, below = (high - centre) / LINE_SIZE, (high - centre) / LINE_SIZE + tall / LINE_SIZE
    foreign = (above > 0.62) | (below < -0.62)
    foreign |= (above > 0.40) & (high + tall >= bottom - slope * x - near)
    foreign |= (below < -0.30) & (high <= top - slope * x + near)
    for c in range(1, len(stats)):
        if _is_bar(labels, stats, c):
            foreign |= (high >= high[c]) & (x >= left[c]) & (x < left[c] + wide[c])
    foreign[0] = False
    if not foreign.any():
        return line
    erased = cv2.dilate(foreign[labels].astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    return np.where(erased & ((solid == 0) | foreign[labels]), 0, line).astype(np.uint8)


def _is_bar(labels: NDArray[np.int32], stats: NDArray[np.int32], c: int) -> bool:
    """Whether component c is a long level stroke beneath others that are taller."""
    left, _, wide, tall = stats[c, :4].tolist()
    if wide < _BAR_WIDTH * LINE_SIZE or tall > min(_BAR_HEIGHT * LINE_SIZE, _BAR_LEAN * wide):
        return False
    part = labels[:, left : left + wide]
    above = np.cumsum(part == c, axis=0) == 0
    others = (stats[:, cv2.CC_STAT_HEIGHT] >= _BAR_TALL * LINE_SIZE) & (np.arange(len(stats)) > 0)
    return bool((others[part] & above).any(axis=0).sum() >= _BAR_COVER * wide)


def _weighted_quantile(
    values: NDArray[np.float64], weights: NDArray[np.float64], share: float
) -> float:
    """The least value that, with all lower ones, has the share of the weight."""
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total / total[-1], share)])


def _weighted_median(values: NDArray[np.float64], weights: NDArray[np.int32]) -> float:
    order = np.argsort(values)
    total = np.cumsum(weights[order])
    return float(values[order][np.searchsorted(total, total[-1] / 2)])


def _size_beside_stars(stats: NDArray[np.int32], size: float) -> float:
    """The size of the figures where what has the usual size are four or more stars."""
    heights = stats[:, cv2.CC_STAT_HEIGHT].astype(np.float64)
    widths = stats[:, cv2.CC_STAT_WIDTH].astype(np.float64)
    figures = heights >= _TALLER * size
    stars = ~figures & (np.abs(heights - size) <= 0.2 * size)
    stars &= (widths >= 0.7 * heights) & (widths <= 1.4 * heights)
    if stars.sum() < 4 or figures.sum() < 2:
        return size
    return _weighted_median(heights[figures], stats[figures, cv2.CC_STAT_AREA])


def _fit_line(
    x: NDArray[np.float64], y: NDArray[np.float64], weight: NDArray[np.float64], size: float
) -> tuple[float, float]:
    """Slope and intercept of the middle line; level where too few characters support a slope."""
    level = float(np.average(y, weights=weight))
    if len(x) < 4 or np.ptp(x) < 3 * size:
        return 0.0, level
    mean = float(np.average(x, weights=weight))
    slope = float(np.average((x - mean) * (y - level), weights=weight))
    slope /= max(float(np.average((x - mean) ** 2, weights=weight)), 1.0)
    slope = float(np.clip(slope, -0.15, 0.15))
    return slope, level - slope * mean


def find_pieces(line: Line) -> Pieces | None:
    """Part a line into pieces, as the network's word on it says; None where it holds no ink."""
    solid = line.ink > _SOLID
    if not solid.any():
        return None
    piece, count = gathered(line.ink, character_centres(line.ink, line.centre))
    boxes = piece_boxes(piece, solid, count)
    areas = np.bincount(piece[solid], minlength=count) / LINE_SIZE**2
    return Pieces(
        piece=piece,
        boxes=boxes,
        joint=(touching(piece, solid, count) / LINE_SIZE).astype(np.float32),
        gap=((boxes[1:, 0] - boxes[:-1, 2]) / LINE_SIZE).astype(np.float32),
        rise=_rises(boxes),
        ink=np.concatenate([[0.0], np.cumsum(areas)]).astype(np.float32),
    )


def _rises(boxes: NDArray[np.int32]) -> NDArray[np.float32]:
    """How much higher the pieces from each on end than those before it; 0 where either is low.

    Commas and dashes are left out: they end where no character does.
    """
    reach, height = _RISE_REACH * LINE_SIZE, _RISE_HEIGHT * LINE_SIZE
    found = np.zeros(max(len(boxes) - 1, 0), np.float32)
    tall = boxes[:, 3] - boxes[:, 1] >= height
    for p in range(1, len(boxes)):
        after = np.arange(len(boxes)) >= p
        before = boxes[tall & ~after & (boxes[:, 2] > boxes[:p, 2].max() - reach), 3]
        behind = boxes[tall & after & (boxes[:, 0] < boxes[p:, 0].min() + reach), 3]
        if len(before) and len(behind):
            found[p - 1] = (int(before.max()) - int(behind.max())) / LINE_SIZE
    return found


def _space_penalty(gap: float, rise: float) -> float | None:
    """The penalty of SPACE at a cut; None where nothing speaks for it."""
    signs = ((gap, _SPACE_GAPS), (rise, _SPACE_RISES))
    found = [float(np.interp(x, xs, _SPACE_PENALTIES)) for x, xs in signs if x > xs[0]]
    return min(found, default=None)


def _segments(line: Line, pieces: Pieces, placement: Placement) -> ZoneSegments:
    """Every grouping of neighbouring pieces that could be one character."""
    held = holdings(line.ink > _SOLID, pieces.piece, len(pieces.boxes), LINE_SIZE)
    groups = dict.fromkeys(whole_components(held), 0.0) | _groups(pieces)
    a, b = np.array(sorted(groups), np.int32).T
    kept = plausible(held, a, b, LINE_SIZE)
    if not lead_through(a[kept], b[kept], len(pieces.boxes)):
        kept = plausible(held, a, b, LINE_SIZE, middles=True)
    a, b = a[kept], b[kept]
    inner = [groups[group] for group in zip(a.tolist(), b.tolist(), strict=True)]
    bounds = _bounds(pieces.boxes, a, b)
    box = bounds.astype(np.float32)
    own = placement
    found = crops(
        line.ink, pieces.piece, a, b, bounds, size=LINE_SIZE,
        centre=line.centre,
        placement=(own.normal, own.largest, own.size_damping, own.offset_damping),
    )  # fmt: skip
    ends = np.concatenate([[0.0], pieces.joint, [0.0]]).astype(np.float32)
    width, height = (box[:, 2] - box[:, 0]) / LINE_SIZE, (box[:, 3] - box[:, 1]) / LINE_SIZE
    off = np.abs((box[:, 1] + box[:, 3]) / 2 - line.centre) / LINE_SIZE
    features = np.stack(
        [
            np.ones_like(width),
            np.array(inner, np.float32),
            ends[a] + ends[b],
            np.maximum(width - 0.9, 0),
            np.maximum(height - 1.3, 0),
            off,
            (b - a - 1).astype(np.float32),
            pieces.ink[b] - pieces.ink[a],
        ],
        axis=1,
    )
    return ZoneSegments(
        line, pieces, a, b, found, _to_working(line, box), features.astype(np.float32)
    )


def lead_through(first: NDArray[np.int32], last: NDArray[np.int32], count: int) -> bool:
    """Whether steps from `first` to `last`, in order of the first, lead from 0 to `count`."""
    reached = {0}
    for a, b in zip(first.tolist(), last.tolist(), strict=True):
        if a in reached:
            reached.add(b)
    return count in reached


def _groups(pieces: Pieces) -> dict[tuple[int, int], float]:
    """Groupings (first piece, one past the last) that are narrow enough; the widest gap in each."""
    count = len(pieces.boxes)
    found: dict[tuple[int, int], float] = {}
    for i in range(count):
        x0, _, x1, _ = pieces.boxes[i].tolist()
        widest_gap = 0.0
        for j in range(i + 1, min(count, i + _MAX_PIECES) + 1):
            if j > i + 1:
                left, _, right, _ = pieces.boxes[j - 1].tolist()
                x0, x1 = min(x0, left), max(x1, right)
                if pieces.joint[j - 2] == 0:
                    widest_gap = max(widest_gap, float(pieces.gap[j - 2]))
                widest = _MAX_WIDTH if widest_gap < _CLEAR_GAP else _MAX_APART_WIDTH
                if x1 - x0 > widest * LINE_SIZE or widest_gap > _MAX_INNER_GAP:
                    break
            found[i, j] = widest_gap
    return found


def _bounds(
    boxes: NDArray[np.int32], first: NDArray[np.int32], last: NDArray[np.int32]
) -> NDArray[np.int32]:
    """The box about the boxes, i32 [B, 4], first .. last - 1 of each grouping; i32 [S, 4]."""
    ends = np.stack([first, last], axis=1).ravel()
    padded = np.concatenate([boxes, boxes[-1:]])
    low = np.minimum.reduceat(padded[:, :2], ends, axis=0)[::2]
    high = np.maximum.reduceat(padded[:, 2:], ends, axis=0)[::2]
    return np.ascontiguousarray(np.concatenate([low, high], axis=1))


def _to_working(line: Line, box: NDArray[np.float32]) -> NDArray[np.float32]:
    corners = np.stack([box[:, [0, 1]], box[:, [2, 1]], box[:, [2, 3]], box[:, [0, 3]]], axis=1)
    moved = corners @ line.to_working[:, :2].T + line.to_working[:, 2]
    return np.concatenate([moved.min(axis=1), moved.max(axis=1)], axis=1).astype(np.float32)


class _Builder:
    """Collects the arcs of all fields between one start and one end node."""

    def __init__(self) -> None:
        self.nodes = 1
        self.arcs: list[tuple[int, int, int, float, int]] = []
        self.parts: list[ZoneSegments] = []
        self.rows = 0

    def add_field(self, zones: list[ZoneSegments], penalty: float, field: int) -> None:
        """Add one candidate: its zones in sequence, a SPACE arc at each joint."""
        entries = {0: penalty}
        for number, zone in enumerate(zones):
            if number > 0:
                (entry,) = entries
                self.arcs.append((entry, self.nodes, -1, _JOINT_PENALTY, field))
                entries = {self.nodes: 0.0}
                self.nodes += 1
            last = self._add_zone(entries, zone, field, end=number == len(zones) - 1)
            entries = {last: 0.0}

    def _add_zone(
        self, entries: dict[int, float], zone: ZoneSegments, field: int, *, end: bool
    ) -> int:
        """Add one zone's segmentation graph; returns its last node, or -1 where that is the end.

        entries: nodes that the first segments leave from, with the penalty of doing so.
        """
        pieces = zone.pieces
        count = len(pieces.boxes)
        leave: list[dict[int, float]] = [dict(entries)]
        reach: list[int] = [-1]
        for p in range(1, count + 1):
            if p == count and end:
                leave.append({})
                reach.append(-1)
                continue
            node = self.nodes
            self.nodes += 1
            reach.append(node)
            leave.append({node: 0.0})
            space = _space_penalty(pieces.gap[p - 1], pieces.rise[p - 1]) if p < count else None
            if space is not None:
                self.arcs.append((node, self.nodes, -1, space, field))
                leave[p][self.nodes] = 0.0
                self.nodes += 1
        for row, (i, j) in enumerate(zip(zone.first, zone.last, strict=True)):
            for node, penalty in leave[i].items():
                self.arcs.append((node, reach[j], self.rows + row, penalty, field))
        self.rows += len(zone.first)
        self.parts.append(zone)
        return reach[count]

    def finish(self, weights: NDArray[np.float32]) -> SegmentationGraph:
        """Close the graph: arcs to -1 go to the end node; arcs sorted by source."""
        arcs = np.array(self.arcs, np.float64).reshape(-1, 5)
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
            field=arcs[order, 4].astype(np.int32),
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
) -> SegmentationGraph:
    """Replace each candidate field by its segmentation graph, all in parallel (section X-C).

    weights: f32 [len(FEATURES)], the segment penalty is features @ weights; None means zero. A
    field without ink adds nothing; where none has any the graph has no arcs.
    """
    builder = _Builder()
    cache: dict[tuple[int, int, int, int], ZoneSegments | None] = {}
    for index, candidate in enumerate(fields):
        zones = []
        for zone in candidate.zones:
            if zone.box not in cache:
                cache[zone.box] = segment_zone(ink.ink, zone.box, placement)
            found = cache[zone.box]
            if found is not None:
                zones.append(found)
        builder.add_field(zones, candidate.penalty, index)
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
