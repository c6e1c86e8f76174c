"""Marks, words and runs of words: the text-line structure of a page, from its ink alone.

A mark is a connected component of ink, a word a chain of marks with tight gaps, a run one word or
several that follow one another on a line. Every gap is measured against the height of the ink
beside it, so that the same code holds from 100 to 600 dpi. All boxes are x0, y0, x1, y1, half open,
in pixels of the ink image.

Source: the connected-component analysis of section X ("field location").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native.inking import component_stats
from service.pipeline.textline import MOST_MARKS, MOST_WORDS, Marks

IntArray = NDArray[np.int32]
FloatArray = NDArray[np.float32]

MOST_WORDS_IN_RUN = 24

_LEAST_HEIGHT = 0.0035
_MOST_HEIGHT = 0.35
_MOST_WIDTH = 0.5
_WORD_GAP = 0.45
_FRAME_INK = 0.3
_FRAMED = 0.3
_WORD_OVERLAP = 0.35
_ALIKE = 0.4
_ACCENT_GAP = 0.25
_RUN_GAP = 4.0
_RUN_OVERLAP = 0.5
_RUN_ALIKE = 0.28
_RUN_WIDTH = 0.55


@dataclass(frozen=True, slots=True)
class Words:
    """Marks chained by tight gaps, from left to right.

    boxes: i32 [W, 4]; the sums of f32 [W, S] are, per word, over its marks of nearly full height:
    count, height, height squared, width, bottom, bottom squared; then over all its marks: ink.
    ends: i32 [W, 2], the first and the last mark. before, after: i32 [W], the nearest ink to the
    left on the line, and the word that follows on it, -1 where there is none.
    gap_left, gap_right: f32 [W], pixels to the nearest ink on the line; the page's edge if none.
    """

    boxes: IntArray
    sums: FloatArray
    ends: IntArray
    before: IntArray
    after: IntArray
    gap_left: FloatArray
    gap_right: FloatArray


@dataclass(frozen=True, slots=True)
class Runs:
    """Words that follow one another: every chain of up to MOST_WORDS_IN_RUN words of a line.

    first, last: i32 [R] word numbers; boxes: i32 [R, 4]; words: i32 [R], how many; sums: f32
    [R, S] of Words.sums; widest_gap, lead_gap: f32 [R], pixels, the widest gap between words and
    the one after the first word (0 in a run of one word).
    """

    first: IntArray
    last: IntArray
    boxes: IntArray
    words: IntArray
    sums: FloatArray
    widest_gap: FloatArray
    lead_gap: FloatArray

    def joined_with(self, other: "Runs") -> "Runs":
        """The runs of both."""
        pairs = ((getattr(self, name), getattr(other, name)) for name in Runs.__slots__)
        return Runs(*(np.concatenate(pair) for pair in pairs))


def find_marks(mask: NDArray[np.bool_], *, page: bool = True, most: int = MOST_MARKS) -> Marks:
    """The marks of an ink mask, bool [H, W]; specks left out, at most `most` of them.

    page: the mask shows a whole page, so that frames and what else is too large for writing are
    left out too. The tallest are kept where there are more, which bounds the work on noise.
    """
    height, width = mask.shape
    stats = component_stats(np.ascontiguousarray(mask))[:, :5]
    wide, high, area = stats[:, 2], stats[:, 3], stats[:, 4]
    least = max(2.0, _LEAST_HEIGHT * width) if page else 2.0
    keep = (np.maximum(wide, high) >= least) & (area >= max(3.0, least))
    if page:
        keep &= (high <= max(_MOST_HEIGHT * height, 20)) & (wide <= max(_MOST_WIDTH * width, 20))
        # A corner of a frame, a large box with next to nothing in it, and what is left of a rule.
        share = np.where(wide > 0.25 * width, 0.12, 0.05)
        keep &= ~((area < share * wide * high) & (np.minimum(wide, high) > 0.05 * width))
        keep &= ~((wide > 6 * high) & (wide > 0.06 * width))
        keep &= ~((wide < 0.09 * high) & (high > 0.025 * width))
        keep &= ~((wide < 0.22 * high) & (high > 0.03 * width) & (area > 0.8 * wide * high))
    stats = stats[keep]
    if page:
        stats = stats[~_is_frame(stats)]
    if len(stats) > most:
        stats = stats[np.argsort(-stats[:, 3], kind="stable")[:most]]
    stats = stats[np.argsort(stats[:, 0], kind="stable")]
    boxes = stats[:, :4].astype(np.int32)
    boxes[:, 2:] += boxes[:, :2]
    return Marks(boxes, stats[:, 4].astype(np.int32), np.full(len(boxes), -1, np.int32))


def _is_frame(stats: IntArray) -> NDArray[np.bool_]:
    """Which components are left of a frame: two others at least stand well within their boxes."""
    x0, y0, wide, high, area = stats.T
    x1, y1 = x0 + wide, y0 + high
    within = (x0[None] > x0[:, None]) & (y0[None] > y0[:, None])
    within &= (x1[None] < x1[:, None]) & (y1[None] < y1[:, None])
    within &= high[None] >= _FRAMED * high[:, None]
    return np.asarray((area < _FRAME_INK * wide * high) & (within.sum(axis=1) >= 2))


def find_words(marks: Marks, page_width: int) -> tuple[Marks, Words]:
    """Chain marks into words; returns the marks with their word numbers, and the words."""
    reach = _WORD_GAP * 0.12 * page_width
    left, right = _pairs_to_the_right(marks.boxes, reach)
    joined = _same_word(marks.boxes, left, right)
    label = _components(len(marks.boxes), left[joined], right[joined])
    words, label = _gather(marks, label)
    return Marks(marks.boxes, marks.area, label), words


def find_runs(words: Words, page_width: int) -> Runs:
    """Every chain of up to MOST_WORDS_IN_RUN words, no wider than about half the page."""
    first = np.arange(len(words.boxes), dtype=np.int32)
    last, boxes, sums = first.copy(), words.boxes, words.sums
    widest = np.zeros(len(first), np.float32)
    lead = np.zeros(len(first), np.float32)
    found = [(first, last, boxes, sums, widest, lead)]
    for _ in range(MOST_WORDS_IN_RUN - 1):
        following = words.after[last]
        alive = following >= 0
        first, following, boxes = first[alive], following[alive], boxes[alive]
        gap = np.maximum(words.boxes[following, 0] - boxes[:, 2], 0).astype(np.float32)
        lead = np.where(first == last[alive], gap, lead[alive])
        widest = np.maximum(widest[alive], gap)
        boxes = _union(boxes, words.boxes[following])
        sums = sums[alive] + words.sums[following]
        last = following
        fits = (boxes[:, 2] - boxes[:, 0]) <= _RUN_WIDTH * page_width
        first, last, boxes, sums = first[fits], last[fits], boxes[fits], sums[fits]
        widest, lead = widest[fits], lead[fits]
        if not len(first):
            break
        found.append((first, last, boxes, sums, widest, lead))
    count = np.concatenate([np.full(len(part[0]), n + 1) for n, part in enumerate(found)])
    columns = [np.concatenate(column) for column in zip(*found, strict=True)]
    return Runs(
        columns[0], columns[1], columns[2], count.astype(np.int32), columns[3], *columns[4:]
    )


def runs_within(words: Words, boxes: IntArray) -> Runs:
    """Per box, i32 [B, 4], that holds two words or more: all of them as one run."""
    centre = (words.boxes[:, :2] + words.boxes[:, 2:]) / 2
    inside = (centre[None] >= boxes[:, None, :2]) & (centre[None] < boxes[:, None, 2:])
    held = [np.flatnonzero(row) for row in np.asarray(inside.all(axis=2))]
    held = [row for row in held if 2 <= len(row) <= MOST_WORDS_IN_RUN]
    ends = np.array([(row[0], row[-1]) for row in held], np.int32).reshape(-1, 2)
    spans, sums, gaps = [], [], []
    for row in held:
        inner = words.boxes[row]
        spans.append((*inner[:, :2].min(axis=0), *inner[:, 2:].max(axis=0)))
        sums.append(words.sums[row].sum(axis=0))
        gap = np.maximum(inner[1:, 0] - np.maximum.accumulate(inner[:, 2])[:-1], 0)
        gaps.append((gap.max(), gap[0]))
    widest, lead = np.array(gaps, np.float32).reshape(-1, 2).T
    return Runs(
        ends[:, 0],
        ends[:, 1],
        np.array(spans, np.int32).reshape(-1, 4),
        np.array([len(row) for row in held], np.int32),
        np.array(sums, np.float32).reshape(-1, words.sums.shape[1]),
        widest,
        lead,
    )


def _pairs_to_the_right(boxes: IntArray, reach: float) -> tuple[IntArray, IntArray]:
    """Pairs (i, j), i < j, of boxes sorted by x0: j starts at most `reach` right of i's end."""
    stop = np.searchsorted(boxes[:, 0], boxes[:, 2] + reach, side="right")
    count = np.maximum(stop - np.arange(len(boxes)) - 1, 0)
    left = np.repeat(np.arange(len(boxes)), count)
    start = np.repeat(np.cumsum(count) - count, count)
    right = left + 1 + np.arange(len(left)) - start
    return left.astype(np.int32), right.astype(np.int32)


def _same_word(boxes: IntArray, left: IntArray, right: IntArray) -> NDArray[np.bool_]:
    """Which pairs of marks are neighbours in a word: near, on a line, and of like height.

    A much smaller mark (point, comma, dash, piece of a broken stroke) has to be nearer.
    """
    a, b = boxes[left], boxes[right]
    high_a, high_b = a[:, 3] - a[:, 1], b[:, 3] - b[:, 1]
    lower, taller = np.minimum(high_a, high_b), np.maximum(high_a, high_b)
    gap = b[:, 0] - a[:, 2]
    overlap = np.minimum(a[:, 3], b[:, 3]) - np.maximum(a[:, 1], b[:, 1])
    alike = lower >= _ALIKE * taller
    near = gap <= np.where(alike, _WORD_GAP * lower, _ACCENT_GAP * taller)
    return np.asarray(near & (overlap >= _WORD_OVERLAP * lower))


def _components(count: int, left: IntArray, right: IntArray) -> IntArray:
    """Connected components of an undirected graph; i32 [count], the least node of each one."""
    root = np.arange(count, dtype=np.int32)
    while True:
        least = np.minimum(root[left], root[right])
        proposed = root.copy()
        np.minimum.at(proposed, root[left], least)
        np.minimum.at(proposed, root[right], least)
        proposed = proposed[proposed]
        if np.array_equal(proposed, root):
            return root
        root = proposed


def _gather(marks: Marks, label: IntArray) -> tuple[Words, IntArray]:
    """Words from the marks' component labels; a word number per mark, -1 where none was kept."""
    number = np.unique(label, return_inverse=True)[1].astype(np.int32)
    count = int(number.max(initial=-1)) + 1
    boxes = np.empty((count, 4), np.int32)
    boxes[:, :2], boxes[:, 2:] = np.iinfo(np.int32).max, 0
    for side, reduce in enumerate((np.minimum, np.minimum, np.maximum, np.maximum)):
        reduce.at(boxes[:, side], number, marks.boxes[:, side])
    sums = _sums(marks, number, boxes)
    high = boxes[:, 3] - boxes[:, 1]
    kept = np.sort(np.argsort(-high, kind="stable")[:MOST_WORDS])
    kept = kept[np.argsort(boxes[kept, 0], kind="stable")]
    renumber = np.full(count, -1, np.int32)
    renumber[kept] = np.arange(len(kept))
    boxes = boxes[kept]
    ends = np.stack([np.full(count, len(label)), np.full(count, -1)], axis=1).astype(np.int32)
    np.minimum.at(ends[:, 0], number, np.arange(len(label), dtype=np.int32))
    np.maximum.at(ends[:, 1], number, np.arange(len(label), dtype=np.int32))
    return Words(boxes, sums[kept], ends[kept], *_neighbours(boxes)), renumber[number]


def _sums(marks: Marks, number: IntArray, word_boxes: IntArray) -> FloatArray:
    """Words.sums: count, height, height², width, bottom, bottom² of the tall marks; ink of all."""
    size = (marks.boxes[:, 2:] - marks.boxes[:, :2]).astype(np.float64)
    word_high = (word_boxes[:, 3] - word_boxes[:, 1])[number]
    tall = (size[:, 1] >= 0.45 * word_high).astype(np.float64)
    high, bottom = size[:, 1], marks.boxes[:, 3].astype(np.float64)
    columns = (tall, tall * high, tall * high**2, tall * size[:, 0], tall * bottom,
               tall * bottom**2, marks.area.astype(np.float64))  # fmt: skip
    count = len(word_boxes)
    return np.stack([np.bincount(number, column, count) for column in columns], axis=1).astype(
        np.float32
    )


def _neighbours(boxes: IntArray) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
    """Words.before, after, gap_left and gap_right."""
    if not len(boxes):
        nobody, nothing = np.zeros(0, np.int32), np.zeros(0, np.float32)
        return nobody, nobody, nothing, nothing
    x0, y0, x1, y1 = boxes.astype(np.float32).T
    high = y1 - y0
    gap = x0[None, :] - x1[:, None]
    lower = np.minimum(high[:, None], high[None, :])
    overlap = np.minimum(y1[:, None], y1[None, :]) - np.maximum(y0[:, None], y0[None, :])
    after = (gap > -0.4 * lower) & (x0[None, :] > x0[:, None]) & (x1[None, :] > x1[:, None])
    on_line = after & (overlap >= 0.3 * lower)
    taller = np.maximum(high[:, None], high[None, :])
    # An isolated speck or dash does not end a line, nor does it bound one.
    on_line &= high[None, :] >= 0.3 * high[:, None]
    # Raised cents share less of the line, but are smaller and near.
    raised = (high[None, :] < 0.8 * high[:, None]) & (gap < taller) & (overlap >= 0.3 * lower)
    linked = on_line & ((overlap >= _RUN_OVERLAP * lower) | raised)
    # A comma is passed over: by its tail it shares less of the line with what follows it.
    linked &= ~((high[None, :] < 0.5 * high[:, None]) & (2 * y0[None, :] > (y0 + y1)[:, None]))
    linked &= lower >= _RUN_ALIKE * taller
    linked &= gap <= _RUN_GAP * taller
    far = np.float32(1e6)
    distance = np.where(linked, gap, far)
    best = distance.argmin(axis=1).astype(np.int32)
    following = np.where(distance.min(axis=1) < far, best, -1).astype(np.int32)
    to_right = np.where(on_line, gap, far).min(axis=1)
    back = after & (overlap >= 0.3 * lower) & (high[:, None] >= 0.3 * high[None, :])
    behind = np.where(back, gap, far)
    to_left = behind.min(axis=0)
    before = np.where(to_left < far, behind.argmin(axis=0), -1).astype(np.int32)
    gap_right = np.minimum(np.maximum(to_right, 0), float(x1.max()) - x1 + 2 * high)
    gap_left = np.minimum(np.maximum(to_left, 0), x0)
    return before, following, gap_left.astype(np.float32), gap_right.astype(np.float32)


def _union(a: IntArray, b: IntArray) -> IntArray:
    return np.concatenate([np.minimum(a[:, :2], b[:, :2]), np.maximum(a[:, 2:], b[:, 2:])], axis=1)
