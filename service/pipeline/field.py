"""T_field: where the courtesy amount of a cheque of unknown layout may stand.

Runs of words are read off the ink, described by a few features and given a penalty by one small
linear-logistic model; the cheapest become candidates. Which one is the amount is decided later, by
the Viterbi search over all of them (section X, "field graph").
"""

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.pipeline.cents import split_apart_cents, split_cents_cell
from service.pipeline.field_features import FEATURES, field_penalties
from service.pipeline.image import ChequeImage
from service.pipeline.ink import VERTICAL, InkImage
from service.pipeline.native import places as compiled
from service.pipeline.signs import sign_likeness
from service.pipeline.textline import Marks, find_marks, find_words, without_rules

Box = tuple[int, int, int, int]

_SAME_END = 0.35
_VARIANT = 0.55
_VARIANT_MARGIN = 2.5
_MOST_VARIANTS = 2
_THROUGH = 0.6
_AT_RULE = 2
_MARGIN = 4.0
_MOST_SPLIT = 2
_APART_CENTS_PENALTY = 0.7
_CENTS_CELL_PENALTY = -1.5


@dataclass(frozen=True, slots=True)
class Zone:
    """A rectangle of ink that is read from left to right.

    box: x0, y0, x1, y1, half open, working pixels.
    """

    kind: Literal["amount", "cents"]
    box: Box


@dataclass(frozen=True, slots=True)
class FieldCandidate:
    """One place where the courtesy amount may stand: one arc of the field graph.

    zones: the amount, followed by its cents where they stand apart. penalty: additive, lower is
    better. features: f32 [len(FEATURES)], what the penalty was computed from; zeros for a crop.
    """

    zones: tuple[Zone, ...]
    penalty: float
    features: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Places:
    """Every run of words of a page, before any is chosen.

    boxes: i32 [R, 4], a currency sign that adjoins taken in; features: f32 [R, len(FEATURES)].
    marks: the page's marks of ink, cut open along the rules; ink: as it was before.
    words: i32 [W, 4], boxes of the page's words.
    """

    boxes: NDArray[np.int32]
    features: NDArray[np.float32]
    marks: Marks
    ink: InkImage
    words: NDArray[np.int32]

    @property
    def page(self) -> tuple[int, int]:
        """Width and height of the page, in pixels."""
        height, width = self.ink.mask.shape
        return width, height

    def zone(self, run: int) -> Zone:
        """The zone that a run becomes as a candidate."""
        return Zone("amount", _tightened(self.boxes[run], self.marks, self.ink))


def locate_fields(
    image: ChequeImage,
    ink: InkImage,
    *,
    field_only: bool = False,
    most: int = 4,
    weights: NDArray[np.float32] | None = None,
) -> list[FieldCandidate]:
    """Candidate fields of a cheque, the cheapest first, at most `most` of them.

    ink: of the same frame as image. field_only: the image is the cropped amount already; then the
    whole of it is one candidate without penalty, beside a second one where its cents stand apart.
    weights: f32 [len(FEATURES)], in place of WEIGHTS: a candidate's penalty is
    -log sigmoid(weights . features), cents apart add a fixed one.
    Returns an empty list where there is no ink. Source: section X, "field location".
    """
    height, width = image.grey.shape
    if field_only:
        marks = find_marks(ink.mask, page=False)
        whole = FieldCandidate(
            (Zone("amount", (0, 0, width, height)),), 0.0, np.zeros(len(FEATURES), np.float32)
        )
        return (
            [whole, *_with_cents_apart(whole, marks, ink.rules, (width, height))][:most]
            if ink.mask.any()
            else []
        )
    places = find_places(ink)
    return [] if places is None else fields_of(places, ink.rules, most, weights)


def fields_of(
    places: Places,
    rules: NDArray[np.int32],
    most: int = 4,
    weights: NDArray[np.float32] | None = None,
) -> list[FieldCandidate]:
    """Candidate fields among the places of a page; arguments as in `locate_fields`."""
    candidates: list[FieldCandidate] = []
    for rank, candidate in enumerate(
        choose(places, field_penalties(places.features, weights), most)
    ):
        candidates.append(candidate)
        if rank < _MOST_SPLIT:
            candidates += _with_cents_apart(candidate, places.marks, rules, places.page)
    return sorted(candidates[:most], key=lambda candidate: candidate.penalty)


def find_places(ink: InkImage) -> Places | None:
    """All runs of words of a page; None where there is no word."""
    height, width = ink.mask.shape
    mask = without_rules(ink)
    marks, words = find_words(find_marks(mask), width)
    if not len(words.ends):
        return None
    signs = sign_likeness(mask, marks.boxes[words.ends.ravel()]).reshape(-1, 2)
    boxes, features = compiled.find_places(marks.boxes, words, ink.rules, signs, (width, height))
    return Places(boxes, features, marks, ink, words.boxes)


def choose(places: Places, penalties: NDArray[np.float32], most: int) -> list[FieldCandidate]:
    """The cheapest boxes that are really different places, and near-equal extents of one place."""
    chosen: list[FieldCandidate] = []
    kept: list[int] = []
    for index in np.argsort(penalties, kind="stable")[:200]:
        if kept and penalties[index] > penalties[kept[0]] + _MARGIN:
            break
        if _repeats(places.boxes, penalties, int(index), kept):
            continue
        kept.append(int(index))
        zone = places.zone(int(index))
        if any(zone == candidate.zones[0] for candidate in chosen):
            continue
        chosen.append(FieldCandidate((zone,), float(penalties[index]), places.features[index]))
        if len(chosen) == most:
            break
    return chosen


def _repeats(
    boxes: NDArray[np.int32], penalties: NDArray[np.float32], index: int, kept: list[int]
) -> bool:
    """Whether a run adds nothing to those kept: the same place, or a much dearer extent of it.

    Two extents are the same where no digit fits between their ends.
    """
    variants = 0
    for other in kept:
        shared, smaller = _overlap(boxes[index], boxes[other])
        if shared <= _VARIANT * smaller:
            continue
        high = min(boxes[index, 3] - boxes[index, 1], boxes[other, 3] - boxes[other, 1])
        if (np.abs(boxes[index, ::2] - boxes[other, ::2]) < _SAME_END * high).all():
            return True
        variants += 1
        if variants > _MOST_VARIANTS or penalties[index] > penalties[other] + _VARIANT_MARGIN:
            return True
    return False


def _overlap(a: NDArray[np.int32], b: NDArray[np.int32]) -> tuple[float, float]:
    """Areas: what two boxes share, and the smaller one."""
    wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    area_a, area_b = (float((box[2] - box[0]) * (box[3] - box[1])) for box in (a, b))
    shared = float(wide * high)
    return shared, min(area_a, area_b)


def _tightened(run: NDArray[np.int32], marks: Marks, ink: InkImage) -> Box:
    """The zone of a run: its box, with the small marks that belong to it, and a little air."""
    height, width = ink.mask.shape
    core = float(run[3] - run[1])
    x0, y0, x1, y1 = (int(side) for side in compiled.widened(run, marks.boxes, marks.word))
    reach = round(_THROUGH * core)
    rows = ink.mask[y0:y1]
    x0 -= _through(rows[:, max(0, x0 - reach) : x0][:, ::-1], _ruled(ink, y0, y1, x0 - 1, -1))
    x1 += _through(rows[:, x1 : x1 + reach], _ruled(ink, y0, y1, x1, 1))
    air = max(1, round(0.04 * core))
    return max(0, x0 - air), max(0, y0 - air), min(width, x1 + air), min(height, y1 + air)


def _ruled(ink: InkImage, y0: int, y1: int, x: int, step: int) -> int:
    """How far an upright rule along most of the rows y0 .. y1 reaches from column x on; 0: none.

    step: 1 rightwards, -1 leftwards.
    """
    upright = ink.rules[ink.rules[:, 4] == VERTICAL]
    shared = np.minimum(upright[:, 3], y1) - np.maximum(upright[:, 1], y0)
    left, right = upright[:, 0] - _AT_RULE, upright[:, 2] + _AT_RULE
    here = (shared > 0.5 * (y1 - y0)) & (left <= x) & (x < right)
    if not here.any():
        return 0
    return int(right[here].max()) - x if step > 0 else x + 1 - int(left[here].min())


def _through(beyond: NDArray[np.bool_], ruled: int) -> int:
    """How many columns of a last character stand in a rule at an end of its run, or beyond it.

    beyond: bool [H, reach], ink outward from that end; ruled: columns that the rule takes up. 0
    where there is no rule, and where the ink goes on and on, for that is no character's.
    """
    inked = np.asarray(beyond.any(axis=0))
    clear = np.flatnonzero(~inked[ruled:])
    if not ruled or not len(clear):
        return 0
    held = np.flatnonzero(inked[: ruled + int(clear[0])])
    return int(held[-1]) + 1 if len(held) else 0


def _with_cents_apart(
    candidate: FieldCandidate, marks: Marks, rules: NDArray[np.int32], page: tuple[int, int]
) -> list[FieldCandidate]:
    """The same place read as an amount and cents in sequence, where there are cents apart."""
    box = candidate.zones[0].box
    found = (
        (split_apart_cents(box, marks, page), _APART_CENTS_PENALTY),
        (split_cents_cell(box, marks, rules, page), _CENTS_CELL_PENALTY),
    )
    return [
        replace(
            candidate,
            zones=(Zone("amount", parts[0]), Zone("cents", parts[1])),
            penalty=candidate.penalty + penalty,
        )
        for parts, penalty in found
        if parts is not None
    ]
