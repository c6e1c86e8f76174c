"""A minus that the cheapest reading left out, or that stands beside what was read."""

import math
import re
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.doubts import line_of
from service.pipeline.ink import HORIZONTAL, InkImage
from service.pipeline.levels import percentile
from service.pipeline.native.inking import component_stats
from service.pipeline.search import Interpretation, Lattice
from service.pipeline.segment import SegmentationGraph

_MINUS: Final = "-"
_FLAT: Final = 1.2
# Its distance from the first symbol and the place of its middle, in that symbol's heights.
_NEAR: Final = 0.8
# A machine leaves a space.
_SPACE: Final = 1.3
_LEVEL: Final = (0.2, 0.8)
# Below its level a dash is as thick as a stroke, or it is a rest of a ruled line.
_LOWEST: Final = 0.97
_STROKE: Final = 0.08
# How far before the amount a minus may stand, how long and how thick it is, in heights.
_BEFORE: Final = 2.5
_LONG: Final = (0.2, 1.8)
_THICK: Final = 0.35
# A thin one may be shorter: its ends are pale.
_THIN: Final = 2.2
_THIN_LONG: Final = 0.15
# As high, what was read as a sign's point is a dash with what it touches.
_NO_POINT: Final = 0.5
_SOLID: Final = 60
# So dark, of what strokes are, is a pale dash; and how many marks may be near, itself among them,
# that are no specks: as large as this, in heights.
_PALE: Final = 0.25
_CROWD: Final = 2
_SPECK: Final = 0.1
_FILLED = re.compile(r"[-=*#/x]$")
_TRAILS = re.compile(r"(\D*[|])?[^-=*#x+|]*[., ]\d\d ?-")
_LEADS = re.compile(r"[^-=*#x+\d]*-[^-=\d]*(\d[^-=]*|[$£€₹][^-=\d]*\d[^-=]*-)")
_LEADS_TO_SIGN = re.compile(r"[-+]{1,2} ?[$£€₹][^-=*#x+]*")
_SIGNS: Final = frozenset("$£€₹")
_OF_SIGNS: Final = _SIGNS | frozenset("RS")
# The side of a box may be read as a bar.
_OPENING: Final = _OF_SIGNS | frozenset(".=|")
# How far off a ruled line, and beyond its end, what is left of it may be, in heights.
_ON_RULE: Final = 0.15
_FROM_RULE: Final = 0.5
# Both strokes of an "=" are together higher or, run into one, not so many times as wide as high;
# and no further apart, in heights.
_ONE_STROKE: Final = 0.25
_STROKE_LONG: Final = 1.8
_STROKES_APART: Final = 0.5
# A negative amount of which the segments are so sure beside another one may be the right one.
_SHARE: Final = 0.1
# A dash, with what of the next figure it touches, is no higher, in heights of that.
_NO_SIGN: Final = 0.5
# Where its middle is within the line, in heights.
_WITHIN: Final = (0.12, 0.86)
# How far the dashes of a line are apart at most, as many times as they are long.
_DASHES_APART: Final = 2.5
# A dash before a currency sign is shorter than what is left of a line that leads there. How far
# before the amount ink is looked at, so that none nearer is cut off.
_SHORT: Final = 0.9
_AROUND: Final = 6.0
# Of a row of fillers one is at least so many times as long as another.
_ALIKE: Final = 0.4
# With so many marks above or below that are nearly as large, and no larger than this, so near, in
# heights, a dash is a speck; of so many at most.
_FEW: Final = 3
_SMALL: Final = 0.6
_NEAR_ALIKE: Final = 2.0
_MOST: Final = 500
_CENTS = re.compile(r"[., ]\d\d$")
_CENTS_THEN = re.compile(r"[., ]\d\d ?\D{1,3}$")
# Height and width of a letter, the width of two in their own height, how far it may be off the
# line, and the gaps before and between.
_LETTER: Final = (0.75, 1.2)
_LETTER_WIDE: Final = (0.3, 1.1)
_TWO: Final = 1.25
_OFF: Final = 0.2
_APART: Final = 1.6
_TOGETHER: Final = 0.4
# As a minus a piece is at most so much dearer than as no symbol at all.
_DEAREST: Final = 3.0


def maybe_negative(
    found: Sequence[Interpretation],
    posteriors: Sequence[float],
    graph: SegmentationGraph,
    labels: Sequence[str],
    ink: InkImage,
) -> bool:
    """Whether the likeliest amount is negative, or a negative one has a share that counts.

    It does not where the likeliest one is filled with stars, of which a small one may be a dash, or
    where its dash is as high as a sign, or the end of a line that leads there. found: readings of
    different amounts, the likeliest first; posteriors: of their amounts; the others as in
    `leaves_out_minus`.
    """
    if not found or found[0].text.startswith("*"):
        return bool(found) and found[0].negative
    return any(
        one.negative and (one is found[0] or share >= _SHARE) and _is_meant(one, graph, labels, ink)
        for one, share in zip(found, posteriors, strict=True)
    )


def _is_meant(
    one: Interpretation, graph: SegmentationGraph, labels: Sequence[str], ink: InkImage
) -> bool:
    """Whether what makes a reading negative is brackets, or a dash within the line, low, that ends
    no line before it and is no part of what follows.

    The arguments are those of `leaves_out_minus`.
    """
    dashes = np.flatnonzero(one.labels == labels.index(_MINUS))
    if not len(dashes):
        return True
    rows = graph.segment[one.arcs[dashes[0] :]]
    boxes = graph.boxes[rows[rows >= 0]]
    if len(boxes) < 2:
        return True
    dash, following = boxes[0].astype(np.float64), boxes[1]
    high = float(following[3] - following[1])
    size, top, _ = line_of(boxes[1:])
    within = _WITHIN[0] <= _level(dash[None], top, size)[0] <= _WITHIN[1]
    part = following[0] < (dash[0] + dash[2]) / 2 < following[2]
    low = dash[3] - dash[1] <= _NO_SIGN * high
    return bool(within and low and not part and not _ends_line(dash, ink, high))


def leaves_out_minus(
    reading: Interpretation,
    lattice: Lattice,
    graph: SegmentationGraph,
    labels: Sequence[str],
    ink: InkImage,
) -> bool:
    """Whether stray ink before the amount could be the minus of a negative one.

    A short flat stroke is as likely a speck of the form's, and amounts are hardly ever negative, so
    that the cheapest path has it stray. But a negative amount that is accepted costs twice its
    worth, a positive one that is rejected a glance. The end of a line that leads there, dashed or
    not, is none. lattice: the recognition graph made of graph; labels: the recognizer's, rubbish
    last; ink: of the look, in whose pixels the graph's boxes are.
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
        and not _ends_line(graph.boxes[row].astype(np.float64), ink, high)
    )


def _ends_line(dash: NDArray[np.float64], ink: InkImage, size: float) -> bool:
    """Whether a dash is the last of a dashed line, or what is left of a ruled one's end.

    dash: f64 [4], in pixels of ink; size: of the amount's line, in the same pixels.
    """
    if _are_on_rules(dash[None], ink.rules, size)[0]:
        return True
    x0, y0, x1, y1 = dash.tolist()
    reach = _DASHES_APART * (x1 - x0)
    rows = slice(max(0, int(y0 - size / 2)), math.ceil(y1 + size / 2))
    first = max(0, int(x0 - 2 * reach))
    marks = _boxes(ink.ink[rows, first : round(x0)] > _SOLID, (first, rows.start))
    wide, high = marks[:, 2] - marks[:, 0], marks[:, 3] - marks[:, 1]
    off = np.abs((marks[:, 1] + marks[:, 3]) / 2 - (y0 + y1) / 2)
    like = (wide >= _ALIKE * (x1 - x0)) & (wide >= _FLAT * high) & (high <= _THICK * size)
    return bool((like & (off <= _ON_RULE * size) & (marks[:, 2] >= x0 - reach)).any())


def stands_beside(
    reading: Interpretation,
    boxes: NDArray[np.float32],
    labels: Sequence[str],
    ink: InkImage,
) -> bool:
    """Whether what was not read makes an amount a negative one: a lone dash or CR beside it.

    boxes: f32 [S, 4] of the symbols read, in pixels of ink; labels: those symbols. A dash may stand
    before the figures, with a currency sign before it or none, right before such a sign, and right
    after cents; so may CR or DR. It is none where it is not alone, or where the amount has fillers;
    letters of a currency that were read as fillers stand before its sign, fillers after it.
    A dash may also have been read as the point of a sign, as far as that is no point, or as an
    opening "=", of which it has one stroke.
    """
    digits = [n for n, label in enumerate(labels) if label.isdigit()]
    if not digits:
        return False
    first = digits[0]
    size, top, _ = line_of(boxes)
    if _CENTS_THEN.search(reading.text) and _has_letter(boxes, labels, digits[-1] + 1, size):
        return True
    if _FILLED.search(reading.text):
        return False
    boxes = boxes.copy()
    boxes[first, 0] = _without_dash(boxes[first], ink, top, size)
    left, right = float(boxes[first, 0]), float(boxes[:, 2].max())
    marks = _marks(ink, boxes, (left - _AROUND * size, right + _AROUND * size), top, size)
    marks = marks[~_are_of_rules(marks, ink.rules, top, size) & ~_are_of_pattern(marks, top, size)]
    dashes = marks[_are_dashes(marks, top, size)]
    others = marks[marks[:, 3] - marks[:, 1] >= _THICK * size]
    sign = max((n for n in range(first) if labels[n] in _OF_SIGNS), default=0)
    if not _OPENING.issuperset(labels[sign:first]):
        # Fillers: a dash may be one of them, but not before their sign.
        return labels[0] in _SIGNS and _before_sign(dashes, others, boxes[:first], size, _SPACE)
    opening = boxes[:first][[label == "=" for label in labels[:first]]].astype(np.float64)
    if len(opening):
        return any(_has_one_stroke(one, ink, top, size) for one in opening)
    points = boxes[:first][[label == "." for label in labels[:first]]].astype(np.float64)
    dashed = _are_dashes(points, top, size) & (_level(points, top, size) <= _LEVEL[1])
    if (dashed | (points[:, 3] - points[:, 1] >= _NO_POINT * size)).any():
        return True
    # Cents may be smaller than the rest, or not on its line.
    own, level, _ = line_of(boxes[digits[-2:]])
    either = _are_dashes(marks, top, size) | _are_dashes(marks, level, own)
    after = marks[either & (marks[:, 0] >= right - 1) & (marks[:, 0] <= right + _BEFORE * size)]
    if len(after):
        after = after[np.argsort(after[:, 0])]
        lone = len(after) == 1 or after[1, 0] > after[0, 2] + _BEFORE * own
        near = after[0, 0] <= right + _NEAR * size
        return bool(lone and near) and _CENTS.search(reading.text) is not None
    if _CENTS.search(reading.text) and (
        _letters_follow(others, right, top, size)
        or _is_pale(ink, boxes, right, top, size, after=True)
    ):
        return True
    others = np.concatenate([others, boxes[:first].astype(np.float64)])
    if _lone(dashes, others, left, _BEFORE * size):
        return True
    if _is_pale(ink, boxes, left, top, size, after=False):
        return True
    # Before a currency sign, be it read or not, the line that leads to it may end as well.
    ends = others[others[:, 2] <= left]
    signs = boxes[:first] if first else ends[np.argsort(ends[:, 2])][-1:]
    if not len(signs) or signs[:, 2].max() < left - _BEFORE * size:
        return False
    return _before_sign(dashes, others, signs, size)


def _is_pale(
    ink: InkImage, boxes: NDArray[np.float32], edge: float, top: float, size: float, *, after: bool
) -> bool:
    """Whether a dash too pale to be ink stands right beside the figures, next to nothing else.

    boxes: f32 [S, 4] of the symbols read; edge: where the figures begin, or with `after` end; top,
    size: of the line. All in pixels of ink.
    """
    y0 = max(0, int(top - size / 2))
    rows = slice(y0, math.ceil(top + 1.5 * size))
    read = slice(max(0, int(boxes[:, 0].min())), math.ceil(boxes[:, 2].max()))
    strokes = ink.darkness[rows, read][ink.ink[rows, read] > _SOLID]
    if not len(strokes):
        return False
    reach = (round(_AROUND * size), math.ceil(size / 2))
    before, behind = reach[::-1] if after else reach
    ends = round(edge) - before, round(edge) + behind
    x0, x1 = (min(max(end, 0), ink.darkness.shape[1]) for end in ends)
    dark = ink.darkness[rows, x0:x1] > int(_PALE * percentile(strokes[None], 50))
    marks = _boxes(dark, (x0, y0))
    if not _are_dashes(marks, top, size).any():
        return False
    marks = _unread(marks, boxes)
    marks = marks[~_are_of_rules(marks, ink.rules, top, size)]
    if after:
        # What stands behind the figures stands before them in a mirror.
        marks[:, [0, 2]], edge = -marks[:, [2, 0]], -edge
    dashes = marks[_are_dashes(marks, top, size)]
    others = marks[marks[:, 3] - marks[:, 1] >= _THICK * size]
    large = (marks[:, 2:] - marks[:, :2]).max(axis=1, initial=0.0) >= _SPECK * size
    near = large & (marks[:, 2] <= edge + 1) & (marks[:, 2] >= edge - _SPACE * size)
    return int(near.sum()) <= _CROWD and _lone(dashes, others, edge, _SPACE * size)


def _before_sign(
    dashes: NDArray[np.float64],
    others: NDArray[np.float64],
    signs: NDArray[np.floating],
    size: float,
    reach: float = _NEAR,
) -> bool:
    """Whether a lone short dash stands before a currency sign.

    dashes, others: f64 [M, 4], boxes of marks; signs: [S, 4], of the sign's symbols; size: of the
    line, in the same pixels; reach: how far before the sign, in heights.
    """
    short = dashes[dashes[:, 2] - dashes[:, 0] <= _SHORT * size]
    return _lone(short, others, float(signs[:, 0].min()), reach * size)


def _without_dash(box: NDArray[np.float32], ink: InkImage, top: float, size: float) -> float:
    """Where a figure begins, in pixels of ink, without a dash that was taken for its part.

    box: f32 [4], the figure's, in pixels of ink; top, size: of the line.
    """
    x0, y0, x1, y1 = (max(0, round(side)) for side in box.tolist())
    parts = _components(ink.ink[y0:y1, x0:x1] > _SOLID, (x0, y0))
    if len(parts) < 2:
        return float(box[0])
    parts = parts[np.argsort(parts[:, 0])]
    begins = float(parts[1:, 0].min())
    dash = _are_dashes(parts[:1], top, size)[0] and parts[0, 2] <= begins
    return begins if dash else float(box[0])


def _has_one_stroke(box: NDArray[np.float64], ink: InkImage, top: float, size: float) -> bool:
    """Whether what was read as "=" has one of its strokes alone, or with another far below.

    box: f64 [4], in pixels of ink; top, size: of the line.
    """
    x0, y0, x1, y1 = (max(0, round(side)) for side in box.tolist())
    parts = _components(ink.ink[y0:y1, x0:x1] > _SOLID, (x0, y0))
    wide, high = (parts[:, 2:] - parts[:, :2]).T
    thin = (high <= _ONE_STROKE * size) | (wide >= _STROKE_LONG * high)
    strokes = parts[_are_dashes(parts, top, size) & thin]
    levels = _level(strokes, top, size)
    return bool(len(strokes) == 1 or (len(strokes) and np.ptp(levels) > _STROKES_APART))


def _has_letter(boxes: NDArray[np.float32], labels: Sequence[str], first: int, size: float) -> bool:
    """Whether a symbol from the first on was read as a point, and is as high as a letter, or as
    "#", and is as wide as two, where no filler opens the line.

    boxes: f32 [S, 4] of the symbols, labels: those symbols; size: the line's, in the same pixels.
    """
    wide, high = (boxes[first:, 2:] - boxes[first:, :2]).T.tolist()
    filled = labels[0] in ("*", "#")
    return any(
        (label == "." and tall >= _LETTER[0] * size)
        or (label == "#" and not filled and long >= _TWO * tall)
        for label, long, tall in zip(labels[first:], wide, high, strict=True)
    )


def _letters_follow(others: NDArray[np.float64], right: float, top: float, size: float) -> bool:
    """Whether just two marks follow an amount, together and as tall as its figures: CR, DR."""
    tall = others[:, 3] - others[:, 1]
    after = others[(others[:, 0] >= right) & (tall <= _LETTER[1] * size)]
    after = after[np.argsort(after[:, 0])]
    if len(after) < 2 or (len(after) > 2 and after[2, 0] < after[1, 2] + size):
        return False
    pair = after[:2]
    return bool(
        (pair[:, 3] - pair[:, 1] >= _LETTER[0] * size).all()
        and (np.abs(pair[:, 1] - top) <= _OFF * size).all()
        and (pair[:, 2] - pair[:, 0] >= _LETTER_WIDE[0] * size).all()
        and (pair[:, 2] - pair[:, 0] <= _LETTER_WIDE[1] * size).all()
        and pair[0, 0] - right <= _APART * size
        and pair[1, 0] - pair[0, 2] <= _TOGETHER * size
    )


def _marks(
    ink: InkImage, boxes: NDArray[np.float32], across: tuple[float, float], top: float, size: float
) -> NDArray[np.float64]:
    """Boxes f64 [M, 4] of the ink along a line that no symbol has; none that is cut off."""
    x0, y0 = max(0, int(across[0])), max(0, int(top - size / 2))
    part = ink.ink[y0 : math.ceil(top + 1.5 * size), x0 : math.ceil(across[1])] > _SOLID
    return _unread(_boxes(part, (x0, y0)), boxes)


def _unread(marks: NDArray[np.float64], boxes: NDArray[np.float32]) -> NDArray[np.float64]:
    """The marks, [M, 4], whose middles are in none of the boxes, [S, 4]."""
    middle = (marks[:, :2] + marks[:, 2:]) / 2
    inside = (middle[:, None] >= boxes[:, :2]) & (middle[:, None] < boxes[:, 2:])
    held = (inside[..., 0] & inside[..., 1]).sum(axis=1) > 0
    return np.asarray(marks[~held])


def _components(solid: NDArray[np.bool_], corner: tuple[int, int]) -> NDArray[np.float64]:
    """Boxes f64 [M, 4] of the components of a part of a page, bool [H, W], in pixels of the page.

    corner: x, y where on the page the part begins.
    """
    found = component_stats(solid)[:, :4].astype(np.float64)
    found[:, :2] += corner
    found[:, 2:] += found[:, :2]
    return found


def _boxes(solid: NDArray[np.bool_], corner: tuple[int, int]) -> NDArray[np.float64]:
    """The same, but for those that the part's left side cuts off."""
    found = _components(solid, corner)
    return found[found[:, 0] > corner[0]]


def _are_dashes(marks: NDArray[np.float64], top: float, size: float) -> NDArray[np.bool_]:
    wide, high = marks[:, 2] - marks[:, 0], marks[:, 3] - marks[:, 1]
    level = _level(marks, top, size)
    long = (wide >= _LONG[0] * size) | ((wide >= _THIN_LONG * size) & (wide >= _THIN * high))
    low = (level <= _LEVEL[1]) | ((level <= _LOWEST) & (high >= _STROKE * size))
    flat = (wide >= _FLAT * high) & (high <= _THICK * size)
    return np.asarray(flat & long & low & (wide <= _LONG[1] * size) & (level >= _LEVEL[0]))


def _are_of_rules(
    marks: NDArray[np.float64], rules: NDArray[np.int32], top: float, size: float
) -> NDArray[np.bool_]:
    """Which marks at the feet of a line are what is left of a ruled one, or of its ends.

    rules: i32 [R, 5], as in InkImage; top, size: of the line, in the same pixels.
    """
    found = _level(marks, top, size) > _LEVEL[1]
    found[found] = _are_on_rules(marks[found], rules, size)
    return found


def _are_of_pattern(marks: NDArray[np.float64], top: float, size: float) -> NDArray[np.bool_]:
    """Which flat marks have others nearly as large above or below: specks, parts of a background.

    What is at the feet of the line, where a dashed line may run, is none. Of very many marks only
    the largest are looked at: a dash has few like it. marks: f64 [M, 4]; top, size: of the line, in
    the same pixels.
    """
    found = np.zeros(len(marks), np.bool_)
    if len(marks) <= _FEW:
        return found
    wide, high = (marks[:, 2:] - marks[:, :2]).T
    large = np.maximum(wide, high)
    order = np.argsort(-large, kind="stable")
    flat = order[(wide >= _FLAT * high)[order]]
    alike = (large <= _SMALL * size) & (_level(marks, top, size) <= _LEVEL[1])
    others = order[alike[order]][:_MOST]
    across, down = ((marks[:, :2] + marks[:, 2:]) / 2).T
    found[flat[_MOST:]] = True
    own = flat[:_MOST, None]
    near = np.abs(across[own] - across[others]) <= _NEAR_ALIKE * size
    apart = np.abs(down[own] - down[others]) > _ON_RULE * size
    found[own[:, 0]] = (near & apart & (large[others] >= _ALIKE * large[own])).sum(axis=1) >= _FEW
    return found


def _are_on_rules(
    marks: NDArray[np.float64], rules: NDArray[np.int32], size: float
) -> NDArray[np.bool_]:
    """Which marks lie on a ruled line, or go on where one ends."""
    ruled = rules[rules[:, 4] == HORIZONTAL, :4].astype(np.float64)
    middle = (marks[:, 1] + marks[:, 3]) / 2
    off = np.abs(middle[:, None] - (ruled[:, 1] + ruled[:, 3]) / 2)
    apart = np.maximum(marks[:, :1] - ruled[:, 2], ruled[:, 0] - marks[:, 2:3])
    return np.asarray(((off <= _ON_RULE * size) & (apart <= _FROM_RULE * size)).any(axis=1))


def _level(marks: NDArray[np.float64], top: float, size: float) -> NDArray[np.float64]:
    """How far below the top of a line the middles of marks are, in its heights."""
    return np.asarray(((marks[:, 1] + marks[:, 3]) / 2 - top) / size)


def _lone(
    dashes: NDArray[np.float64], others: NDArray[np.float64], left: float, reach: float
) -> bool:
    """Whether one dash alone stands before a place, within reach of it and next to it.

    The dots of a line that leads there are no others.
    """
    near = dashes[(dashes[:, 2] <= left + 1) & (dashes[:, 2] >= left - reach)]
    if len(near) != 1:
        return False
    start, _, end, _ = near[0].tolist()
    behind = (others[:, 2] > end) & (others[:, 0] < left) & (others[:, 2] <= left + 1)
    wide = dashes[:, 2] - dashes[:, 0] >= _ALIKE * (end - start)
    beside = wide & (dashes[:, 2] < start) & (dashes[:, 2] >= start - 2 * reach)
    return not behind.any() and not beside.any()


def trails(reading: Interpretation) -> bool:
    """Whether a lone dash follows cents: how accounts write a negative amount.

    After an amount without cents it stands for them, and a second one anywhere fills the line.
    """
    return _TRAILS.fullmatch(reading.text) is not None


def leads(reading: Interpretation) -> bool:
    """Whether a lone dash was read before an amount, though as a filler.

    Those are alike at both ends, but none stands before a currency sign. There a dash that a line
    of the form crosses or runs beside is a plus, or two dashes.
    """
    return any(one.fullmatch(reading.text) for one in (_LEADS, _LEADS_TO_SIGN))
