"""T_field: where the courtesy amount of a cheque of unknown layout may stand.

Runs of words are read off the ink, described by a few features and given a penalty by one small
linear-logistic model; the cheapest become candidates. Which one is the amount is decided later, by
the Viterbi search over all of them (section X, "field graph").
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.pipeline.cents import marks_near, split_apart_cents, split_cents_cell
from service.pipeline.crop import line_within
from service.pipeline.field_features import FEATURES, field_penalties
from service.pipeline.field_map import SeenPlace, Sides, field_map
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
# A row of dashes is so much lower than the place they are in, in heights of that.
_LOW = 0.17
_MARGIN = 4.0
_MOST_SPLIT = 2
APART_CENTS_PENALTY = 0.7
_CENTS_CELL_PENALTY = -1.5
# Of a place that the field map sees: the least it may be likely, the most that its cents may be; in
# its heights how far beside it and above the middles of its marks may be, and how far its sides may
# move out and in; how far off its line its cents may stand, and how near they adjoin it.
_LEAST_SEEN = 1e-3
_SUREST_CENTS = 0.97
_BESIDE = 0.25
_OVER = 0.15
_OUT = 0.4
_IN = 0.1
_OFF = 0.5
_ADJOINING = 0.5


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
    words: i32 [W, 4], boxes of the page's words. seen: where the field map sees the amount,
    whatever runs there are.
    """

    boxes: NDArray[np.int32]
    features: NDArray[np.float32]
    marks: Marks
    ink: InkImage
    words: NDArray[np.int32]
    seen: Sequence[SeenPlace] = ()

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
    whole of it is one candidate without penalty, another is the amount's line where the crop shows
    much around it, and so are both where their cents stand apart.
    weights: f32 [len(FEATURES)], in place of WEIGHTS: a candidate's penalty is
    -log sigmoid(weights . features), cents apart add a fixed one.
    Returns an empty list where there is no ink. Source: section X, "field location".
    """
    height, width = image.grey.shape
    if field_only:
        if not ink.mask.any():
            return []
        marks, none = find_marks(ink.mask, page=False), np.zeros(len(FEATURES), np.float32)
        line = line_within(ink)
        boxes = [(0, 0, width, height), *([] if line is None else [line])]
        whole = [FieldCandidate((Zone("amount", box),), 0.0, none) for box in boxes]
        apart = [_with_cents_apart(one, marks, ink.rules, (width, height)) for one in whole]
        return [one for own, two in zip(whole, apart, strict=True) for one in (own, *two)][:most]
    places = find_places(ink)
    return [] if places is None else fields_of(places, ink.rules, most, weights)


def fields_of(
    places: Places,
    rules: NDArray[np.int32],
    most: int = 4,
    weights: NDArray[np.float32] | None = None,
) -> list[FieldCandidate]:
    """Candidate fields among the places of a page; arguments as in `locate_fields`."""
    as_seen = [_as_seen(place, places) for place in places.seen]
    seen = [one for each in as_seen for one in each]
    penalties = field_penalties(places.features, weights)
    chosen = choose(places, penalties, most, [one.zones[0].box for one in seen])
    # Where the map sees the cents begin is not always where a rule parts them.
    undivided = [
        replace(each[-1], penalty=_seen_penalty(place))
        for each, place in zip(as_seen, places.seen, strict=True)
    ]
    whole = sorted([*undivided, *chosen], key=attrgetter("penalty"))[:_MOST_SPLIT]
    page = places.page
    apart = [two for one in whole for two in _with_cents_apart(one, places.marks, rules, page)]
    return sorted([*seen, *chosen, *apart], key=attrgetter("penalty"))[:most]


def _seen_penalty(place: SeenPlace) -> float:
    """-log of how probable a place is, nats."""
    return -math.log(max(place.probability, _LEAST_SEEN))


def _as_seen(place: SeenPlace, places: Places) -> list[FieldCandidate]:
    """A place of the field map as candidates: without its cents, and with them where it has any.

    Without cents of their own, what is held for them is the amount's where it adjoins.
    """
    penalty = _seen_penalty(place)
    amount = _about(place.box, places)
    none = np.zeros(len(FEATURES), np.float32)
    if place.cents is None or not _follows(place.cents, place.box):
        return [FieldCandidate((Zone("amount", amount),), penalty, none)]
    apart = min(place.cents_probability, _SUREST_CENTS)
    x0, y0, x1, y1 = _about(place.cents, places)
    whole = amount
    if x0 < amount[2] + _ADJOINING * (amount[3] - amount[1]):
        whole = (amount[0], min(amount[1], y0), max(amount[2], x1), max(amount[3], y1))
    amount = (*amount[:2], max(min(amount[2], x0), amount[0] + 1), amount[3])
    zones = Zone("amount", amount), Zone("cents", (x0, y0, x1, y1))
    return [
        FieldCandidate(zones, penalty - math.log(apart), none),
        FieldCandidate((Zone("amount", whole),), penalty - math.log1p(-apart), none),
    ]


def _follows(cents: Sides, amount: Sides) -> bool:
    """Whether cents that are seen stand behind an amount, on its line or a little off it.

    Both x0, y0, x1, y1 in pixels of the page, as in `SeenPlace`.
    """
    high = amount[3] - amount[1]
    beyond = cents[0] + cents[2] > 2 * amount[2]
    return beyond and cents[3] > amount[1] - _OFF * high and cents[1] < amount[3] + _OFF * high


def _about(box: Sides, places: Places) -> Box:
    """A box that is as exact as cells are, in pixels of the page, with the marks within and a
    little air.

    Its sides go out to those of the marks, but no further than what would still be its text.
    """
    x0, y0, x1, y1 = box
    high = y1 - y0
    marks = places.marks.boxes
    x, y = (marks[:, :2] + marks[:, 2:]).T / 2
    beside, above = _BESIDE * high, _OVER * high
    own = (x > x0 - beside) & (x < x1 + beside) & (y > y0 - above) & (y < y1 + above)
    own &= marks[:, 3] - marks[:, 1] < 2 * high
    if own.any():
        low, most = marks[own, :2].min(axis=0), marks[own, 2:].max(axis=0)
        x0, y0 = (
            min(max(float(to), side - _OUT * high), side + _IN * high)
            for to, side in zip(low, (x0, y0), strict=True)
        )
        x1, y1 = (
            max(min(float(to), side + _OUT * high), side - _IN * high)
            for to, side in zip(most, (x1, y1), strict=True)
        )
    air = max(1, round(0.04 * (y1 - y0)))
    width, height = places.page
    return (
        max(0, round(x0) - air), max(0, round(y0) - air),
        min(width, round(x1) + air), min(height, round(y1) + air),
    )  # fmt: skip


def find_places(ink: InkImage) -> Places | None:
    """All runs of words of a page; None where there is no word."""
    height, width = ink.mask.shape
    mask = without_rules(ink)
    marks, words = find_words(find_marks(mask), width)
    if not len(words.ends):
        return None
    signs = sign_likeness(mask, marks.boxes[words.ends.ravel()]).reshape(-1, 2)
    boxes, own = compiled.find_places(marks.boxes, words, ink.rules, signs, (width, height))
    seen = field_map(ink)
    features = np.concatenate([own, seen.features(boxes)], axis=1)
    return Places(boxes, features, marks, ink, words.boxes, seen.places())


def place_of(amount: NDArray[np.floating], seen: Sequence[SeenPlace]) -> float:
    """How probable the places of the field map hold that an amount is where it was read.

    amount: [S, 4], boxes of its symbols in pixels of the page. 0 where it is at none of them: a
    place shares half of what the smaller of the two covers.
    """
    if not len(amount):
        return 0.0
    own = (*amount[:, :2].min(axis=0).tolist(), *amount[:, 2:].max(axis=0).tolist())
    shared = ((one, *_overlap(own, one.box)) for one in seen)
    return max((one.probability for one, both, less in shared if both > 0.5 * less), default=0.0)


def choose(
    places: Places, penalties: NDArray[np.float32], most: int, known: Sequence[Box] = ()
) -> list[FieldCandidate]:
    """The cheapest boxes that are really different places, and near-equal extents of one place.

    known: places that are candidates already.
    """
    chosen: list[FieldCandidate] = []
    kept: list[tuple[Box, float]] = []
    if not len(penalties):
        return chosen
    # None dearer than this one is taken; sorting all of a page would take longer.
    near = np.flatnonzero(penalties <= penalties.min() + (_MARGIN + 0.01))
    order = near[np.argsort(penalties[near], kind="stable")][:200]
    cheap = zip(
        order.tolist(), places.boxes[order].tolist(), penalties[order].tolist(), strict=True
    )
    for index, box, penalty in cheap:
        if kept and penalty > kept[0][1] + _MARGIN:
            break
        if _repeats(box, penalty, kept) or _is_known(box, known):
            continue
        kept.append((box, penalty))
        zone = places.zone(index)
        if any(zone == candidate.zones[0] for candidate in chosen):
            continue
        chosen.append(FieldCandidate((zone,), penalty, places.features[index]))
        if len(chosen) == most:
            break
    return chosen


def _repeats(box: Box, penalty: float, kept: list[tuple[Box, float]]) -> bool:
    """Whether a run adds nothing to those kept: the same place, or a much dearer extent of it.

    Two extents are the same where no digit fits between their ends.
    """
    variants = 0
    for other, cheaper in kept:
        shared, smaller = _overlap(box, other)
        if shared <= _VARIANT * smaller:
            continue
        if _same(box, other):
            return True
        variants += 1
        if variants > _MOST_VARIANTS or penalty > cheaper + _VARIANT_MARGIN:
            return True
    return False


def _is_known(box: Box, known: Sequence[Box]) -> bool:
    """Whether a run is at one of the known places, or a low row within one."""
    return any(_same(box, place) or _is_low(box, place) for place in known)


def _same(a: Box, b: Box) -> bool:
    """Whether two boxes that overlap end where the other does."""
    near = _SAME_END * min(a[3] - a[1], b[3] - b[1])
    shared, smaller = _overlap(a, b)
    return shared > _VARIANT * smaller and abs(a[0] - b[0]) < near and abs(a[2] - b[2]) < near


def _is_low(box: Box, place: Box) -> bool:
    """Whether a box is a row within a place that is much lower: the dashes under its figures."""
    shared, smaller = _overlap(box, place)
    return shared > _VARIANT * smaller and box[3] - box[1] < _LOW * (place[3] - place[1])


def _overlap(a: Sequence[float], b: Sequence[float]) -> tuple[float, float]:
    """Areas: what two boxes share, and the smaller one."""
    wide = max(0, min(a[2], b[2]) - max(a[0], b[0]))
    high = max(0, min(a[3], b[3]) - max(a[1], b[1]))
    return wide * high, min((one[2] - one[0]) * (one[3] - one[1]) for one in (a, b))


def _tightened(run: NDArray[np.int32], marks: Marks, ink: InkImage) -> Box:
    """The zone of a run: its box, with the small marks that belong to it, and a little air."""
    height, width = ink.mask.shape
    core = float(run[3] - run[1])
    x0, y0, x1, y1 = (int(side) for side in compiled.widened(run, marks.boxes, marks.word))
    upright = _upright_along(ink.rules, y0, y1)
    if len(upright):
        reach = round(_THROUGH * core)
        rows = ink.mask[y0:y1]
        x0 -= _through(rows[:, max(0, x0 - reach) : x0][:, ::-1], _ruled(upright, x0 - 1, -1))
        x1 += _through(rows[:, x1 : x1 + reach], _ruled(upright, x1, 1))
    air = max(1, round(0.04 * core))
    return max(0, x0 - air), max(0, y0 - air), min(width, x1 + air), min(height, y1 + air)


def _upright_along(rules: NDArray[np.int32], y0: int, y1: int) -> NDArray[np.int32]:
    """Where the upright rules along most of the rows y0 .. y1 begin and end, i32 [R, 2]."""
    upright = rules[rules[:, 4] == VERTICAL]
    if not len(upright):
        return np.zeros((0, 2), np.int32)
    shared = np.minimum(upright[:, 3], y1) - np.maximum(upright[:, 1], y0)
    return np.asarray(upright[shared > 0.5 * (y1 - y0), :4:2] + (-_AT_RULE, _AT_RULE), np.int32)


def _ruled(upright: NDArray[np.int32], x: int, step: int) -> int:
    """How far an upright rule reaches from column x on; 0: there is none.

    upright: i32 [R, 2], from where to where each is; step: 1 rightwards, -1 leftwards.
    """
    here = upright[(upright[:, 0] <= x) & (x < upright[:, 1])]
    if not len(here):
        return 0
    return int(here[:, 1].max()) - x if step > 0 else x + 1 - int(here[:, 0].min())


def _through(beyond: NDArray[np.bool_], ruled: int) -> int:
    """How many columns of a last character stand in a rule at an end of its run, or beyond it.

    beyond: bool [H, reach], ink outward from that end; ruled: columns that the rule takes up. 0
    where there is no rule, and where the ink goes on and on, for that is no character's.
    """
    if not ruled:
        return 0
    inked = np.asarray(beyond.any(axis=0))
    clear = np.flatnonzero(~inked[ruled:])
    if not len(clear):
        return 0
    held = np.flatnonzero(inked[: ruled + int(clear[0])])
    return int(held[-1]) + 1 if len(held) else 0


def _with_cents_apart(
    candidate: FieldCandidate, marks: Marks, rules: NDArray[np.int32], page: tuple[int, int]
) -> list[FieldCandidate]:
    """The same place read as an amount and cents in sequence, where there are cents apart."""
    box = candidate.zones[0].box
    near = marks_near(box, marks)
    found = (
        (split_apart_cents(box, near, page), APART_CENTS_PENALTY),
        (split_cents_cell(box, near, marks, rules, page), _CENTS_CELL_PENALTY),
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
