"""One look at an image through all stages: fields, segments, recognizer, search.

What a look finds are amounts with their posteriors. How sure a reader is of several looks, and what
it makes of that, is decided elsewhere (``reader``).
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from service.pipeline.automaton import Grammar
from service.pipeline.card import RUBBISH, SWEPT, ModelCard, load_card
from service.pipeline.cents import split_raised_cents
from service.pipeline.chain import against_none, forward_of_all, recognition_graph
from service.pipeline.currency_sign import sign_before
from service.pipeline.decision import posterior
from service.pipeline.doubts import begins_with_zero
from service.pipeline.field import (
    APART_CENTS_PENALTY,
    Box,
    FieldCandidate,
    Places,
    Zone,
    fields_of,
    find_places,
    locate_fields,
)
from service.pipeline.grammar import free_grammar, grammar_for
from service.pipeline.image import ChequeImage
from service.pipeline.ink import InkImage
from service.pipeline.looks import Near
from service.pipeline.minus import leaves_out_minus, maybe_negative
from service.pipeline.recognize import OnnxRecognizer, Recognizer
from service.pipeline.search import (
    Interpretation,
    Lattice,
    best,
    forward_by_field,
    forward_of_amounts,
)
from service.pipeline.segment import SegmentationGraph, ZoneSegments, segment_fields
from service.pipeline.strip import LAYERS, STRIP_HEIGHT, STRIP_SIZE, Strip, strip_of
from service.pipeline.swept import (
    COLUMNS,
    SweptLattice,
    SweptNetwork,
    constraint,
    swept_lattice,
    weighed,
)

_ENOUGH_FIELDS = 1.2
# A page's likeliest place for the amount is read first. Where that it is the amount is so many
# times likelier than all else the page may hold, and what it says is as sure, nothing else is read.
_SURE_OF_FIELD = 1e3
_SURE_OF_AMOUNT = 0.98
# So much likelier, as a log odds, a place must be than any beside it: a letter has many alike.
_LIKELIER = 3.0
# So much dearer at most, nats, is a place that goes beyond one that is read, to be read as well.
_HARDLY_DEARER = 0.5
# In heights of a field, what is too narrow for a digit.
_DIGIT = 0.35
# A field that is so many times as high as one within it is another line's; and the most that what a
# field leaves out of the amount is held against it, nats.
_LARGER = 2.0
_MOST_LEFT_OUT = 6.0
# No symbol is wider, columns of a strip.
_WIDEST = 0.8 * STRIP_SIZE
# Amounts whose paths are so much dearer than the best are not looked for: there is no chance of
# them. In an opinion neither count those that it gives less than this.
_FAR = 8.0
_COUNTS = 1e-3
# How a reading ends that has cents.
_CENTS = re.compile(r"[., ](\d\d(?:/100)?)$")
# A closer look is at the fields that hold at least this share of what the first one found.
_HOLDS = 0.02


class Clock:
    """Seconds from one lap to the next, added up by name."""

    def __init__(self, laps: dict[str, float]) -> None:
        self.laps = laps
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        """End a lap."""
        now = perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now


@dataclass(slots=True)
class Sight:
    """One look at an image, as far as it has come.

    ink: of the image, fields: found in the same frame; to_original: f64 [3, 3], from there to the
    original image. masses: the forward penalty of each field's amounts, by its number; of one that
    is not read what is known of it otherwise. places: of a whole page, all its words. read: the
    fields of graph and lattice; zones: what was segmented; penalties f32 [N, K]: what was
    recognised; swept: of a field its strip and what the swept network says of it, as in
    `SweptNetwork.outputs`.
    """

    ink: InkImage
    fields: Sequence[FieldCandidate]
    to_original: NDArray[np.float64]
    masses: dict[int, float]
    places: Places | None = None
    read: tuple[int, ...] = ()
    zones: dict[Box, ZoneSegments | None] = field(default_factory=dict)
    swept: dict[int, tuple[Strip, NDArray[np.float32]]] = field(default_factory=dict)
    penalties: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    graph: SegmentationGraph = field(init=False)
    lattice: Lattice = field(init=False)

    @property
    def place(self) -> float:
        """How probable the likeliest place that the field map sees is, 0 where it sees none."""
        seen = () if self.places is None else self.places.seen
        return max((one.probability for one in seen), default=0.0)

    def holding(self) -> list[int]:
        """The fields that were read and hold nearly all amounts that were found, and those that one
        of these is a part of."""
        likeliest = min((self.masses[number] for number in self.read), default=math.inf)
        held = [n for n in self.read if self.masses[n] <= likeliest - math.log(_HOLDS)]
        return [
            n
            for n in self.read
            if n in held or any(_is_within(self.fields[one], self.fields[n]) for one in held)
        ]


@dataclass(frozen=True, slots=True)
class Seen:
    """A look at an image and what was found: readings of different amounts, the likeliest first.

    posteriors: of their amounts. minus: whether the likeliest one is negative, or leaves out a
    stroke that could be a minus, or a negative one may be meant.
    """

    sight: Sight
    found: tuple[Interpretation, ...]
    posteriors: tuple[float, ...]
    minus: bool

    @property
    def posterior(self) -> float:
        """That of the likeliest amount, 0 where there is none."""
        return self.posteriors[0] if self.posteriors else 0.0

    def of_amounts(self) -> dict[int, float]:
        """The posteriors by amount, in minor units."""
        amounts = (one.amount_minor for one in self.found)
        return dict(zip(amounts, self.posteriors, strict=True))


@dataclass(frozen=True, slots=True)
class Said:
    """What the swept network says of the fields of a look.

    strips: of the fields, by their numbers; graph: of its outputs; found: readings of different
    amounts, the likeliest first.
    """

    strips: dict[int, Strip]
    graph: SweptLattice
    found: tuple[Interpretation, ...]

    def written(self, one: Interpretation, silent: int) -> tuple[NDArray[np.float32], list[int]]:
        """About where the symbols of a path stand, f32 [S, 4] in working pixels, and their labels.

        silent: the label of no symbol. A symbol reaches half way to its neighbours, and no further
        than a character is wide.
        """
        segments = self.graph.lattice.segment[one.arcs]
        said = (segments >= 0) & (one.labels != silent)
        places = self.graph.columns[segments[said]]
        if not len(places):
            return np.zeros((0, 4), np.float32), []
        middle = (places[:, 1] + 0.5) * COLUMNS
        half = np.concatenate([[_WIDEST], np.diff(middle), [_WIDEST]]).clip(max=_WIDEST) / 2
        ends = np.rint([middle - half[:-1], middle + half[1:]]).astype(np.int32)
        boxes = self.strips[int(places[0, 0])].boxes(*ends)
        return boxes, one.labels[said].tolist()

    def field_of(self, one: Interpretation) -> int:
        """The number of the field that a path is in."""
        return int(self.graph.lattice.field[one.arcs[0]])


Shares = Mapping[int, float]


@dataclass(frozen=True, slots=True)
class Opinion:
    """One look at an amount: what segments make of it, and what the swept network says of it.

    shares: of each of the two the posteriors of all amounts that either found, in minor units.
    """

    seen: Seen
    said: Said | None
    shares: tuple[Shares, ...]


class Eye:
    """Looks at images with one model; safe to share between threads."""

    def __init__(self, folder: Path) -> None:
        self.card: ModelCard = load_card(folder)
        self._recognizer: Recognizer = OnnxRecognizer(folder, self.card)
        self._swept = (
            SweptNetwork(folder, self.card.network(SWEPT)) if self.card.swept is not None else None
        )
        self._weights = np.array(self.card.segment_weights, np.float32)
        own = self.card.field_weights
        self._field_weights = np.array(own, np.float32) if own else None
        self._constraints: dict[str, Grammar] = {}
        self._free = free_grammar(self.card.labels)
        # What the first reading would otherwise wait for.
        grammar = self.grammar(None, None)
        self._recognizer.penalties(np.zeros((1, 32, 32), np.uint8))
        if self._swept is not None:
            self._constrained(grammar)
            self._swept.outputs(np.zeros((LAYERS, STRIP_HEIGHT, 8), np.uint8))

    def grammar(self, currency: str | None, locale: str | None) -> Grammar:
        """The grammar of amounts, with the model's weights."""
        return grammar_for(currency, locale, self.card.labels, self.card.grammar_weights)

    def look(
        self,
        image: ChequeImage,
        ink: InkImage,
        grammar: Grammar,
        clock: Clock,
        *,
        field_only: bool,
        number: int,
    ) -> Seen:
        """One orientation of an image, with so many amounts."""
        sight = self._located(image, ink, clock, field_only=field_only)
        every = list(range(len(sight.fields)))
        alone = None if field_only or len(every) == 1 else _alone(sight.fields)
        if alone is not None:
            every = [alone, *(one for one in every if one != alone)]
            self._read(sight, every[:1], grammar, clock)
            rest = [mass for one, mass in sight.masses.items() if one != alone]
            others = forward_of_all(rest, self.card.null_penalty)
            if sight.masses[alone] <= others - math.log(_SURE_OF_FIELD):
                seen = self._seen(sight, grammar, clock, number)
                if seen.posterior >= _SURE_OF_AMOUNT and not begins_with_zero(seen.found[0]):
                    return seen
        self._read(sight, every, grammar, clock)
        return self._seen(sight, grammar, clock, number)

    def look_closer(
        self, near: Near, first: Sight, grammar: Grammar, clock: Clock, number: int
    ) -> Seen:
        """The fields of a look that hold its amounts, seen another way."""
        sight = Sight(near.ink, near.fields, near.to_original, dict(first.masses))
        self._read(sight, first.holding(), grammar, clock)
        return self._seen(sight, grammar, clock, number)

    def opinion(self, seen: Seen, grammar: Grammar, clock: Clock, number: int) -> Opinion:
        """A look, with what the swept network says of the fields that hold its amounts.

        number: of the amounts that the network is asked for. Without such a network the segments'
        is the only share.
        """
        read = _counting(seen.of_amounts())
        if self._swept is None or self.card.swept is None:
            return Opinion(seen, None, (read,))
        sight = seen.sight
        fields = sight.holding()
        for index in fields:
            if index not in sight.swept:
                strip = self._strip(sight, index)
                sight.swept[index] = strip, self._swept.outputs(strip.layers)
        strips = {index: sight.swept[index][0] for index in fields}
        outputs = [sight.swept[index][1] for index in fields]
        clock.lap("sweep")
        own = self._constrained(grammar)
        candidates = _without_the_rest(sight, fields)
        graph, everything = weighed(swept_lattice(outputs, fields), candidates, own)
        found = tuple(best(graph.lattice, own, number, distinct="amount", within=_FAR))
        amounts = list(dict.fromkeys([*(one.amount_minor for one in found), *read]))
        spelled = forward_of_amounts(graph.lattice, own, amounts)
        said = {
            amount: posterior(penalty, everything)
            for amount, penalty in zip(amounts, spelled, strict=True)
        }
        said = _counting(said) | {amount: said[amount] for amount in read}
        missing = [amount for amount in said if amount not in read]
        if missing:
            shares = self.posteriors_of(sight, grammar, missing)
            read |= dict(zip(missing, shares, strict=True))
        clock.lap("search")
        return Opinion(seen, Said(strips, graph, found), (read, said))

    def parted(self, opinion: Opinion, grammar: Grammar, clock: Clock, number: int) -> Opinion:
        """An opinion of the same look with raised cents as a zone of their own, beside the whole.

        They are half as high as the other figures, too small in one strip with them. The same
        opinion where the swept network saw none.
        """
        found = self._parted(opinion)
        if found is None:
            return opinion
        sight = opinion.seen.sight
        sight.fields = [*sight.fields, found]
        self._read(sight, [*sight.read, len(sight.fields) - 1], grammar, clock)
        return self.opinion(self._seen(sight, grammar, clock, number), grammar, clock, number)

    def _parted(self, opinion: Opinion) -> FieldCandidate | None:
        """The field of what the swept network found the likeliest, its raised cents apart."""
        sight, said = opinion.seen.sight, opinion.said
        if said is None or not said.found:
            return None
        likeliest = said.found[0]
        ending = _CENTS.search(likeliest.text)
        whole = sight.fields[said.field_of(likeliest)]
        boxes, _ = said.written(likeliest, self.card.labels.index(RUBBISH))
        if ending is None or len(whole.zones) > 1 or len(boxes) <= len(ending[1]):
            return None
        begins = round(float(boxes[-len(ending[1]), 0]))
        zones = split_raised_cents(whole.zones[0].box, begins, sight.ink.mask)
        if zones is None:
            return None
        amount, cents = zones
        return replace(
            whole,
            zones=(Zone("amount", amount), Zone("cents", cents)),
            penalty=whole.penalty + APART_CENTS_PENALTY,
        )

    def _constrained(self, grammar: Grammar) -> Grammar:
        """The grammar as the swept network's constraint, made once."""
        if grammar.version not in self._constraints:
            self._constraints[grammar.version] = constraint(grammar)
        return self._constraints[grammar.version]

    def _strip(self, sight: Sight, number: int) -> Strip:
        zones = (sight.zones[zone.box] for zone in sight.fields[number].zones)
        lines = [zone.line for zone in zones if zone is not None]
        return strip_of(lines, sight.ink.darkness)

    def posteriors_of(
        self, sight: Sight, grammar: Grammar, amounts: Sequence[int]
    ) -> tuple[float, ...]:
        """Those of several amounts, in minor units."""
        everything = forward_of_all(sight.masses.values(), self.card.null_penalty)
        spelled = forward_of_amounts(sight.lattice, grammar, amounts)
        return tuple(posterior(one, everything) for one in spelled)

    def currency_before(self, sight: Sight, boxes: NDArray[np.float32]) -> str | None:
        """The currency by a sign before an amount; boxes: f32 [S, 4] of its symbols, in pixels of
        the look's ink. None where no sign tells."""
        return sign_before(sight.ink.ink, boxes, self._recognizer, self.card.placement)

    def look_at_all(self, image: ChequeImage, ink: InkImage, grammar: Grammar, number: int) -> Seen:
        """A whole image with every field read."""
        clock = Clock({})
        sight = self._located(image, ink, clock, field_only=False)
        self._read(sight, range(len(sight.fields)), grammar, clock)
        return self._seen(sight, grammar, clock, number)

    def _located(
        self,
        image: ChequeImage,
        ink: InkImage,
        clock: Clock,
        *,
        field_only: bool,
    ) -> Sight:
        """An image with its fields, none of them read yet."""
        places = None if field_only else find_places(ink)
        if places is not None:
            fields = enough_fields(fields_of(places, ink.rules, weights=self._field_weights))
        else:
            fields = locate_fields(image, ink, field_only=True) if field_only else []
        clock.lap("field")
        masses = {number: against_none(one.penalty) for number, one in enumerate(fields)}
        return Sight(ink, fields, image.to_original, masses, places)

    def _read(self, sight: Sight, fields: Sequence[int], grammar: Grammar, clock: Clock) -> None:
        """Read some of the fields; those that were read before must come first among them."""
        card = self.card
        sight.read = tuple(fields)
        sight.graph = segment_fields(
            sight.ink, sight.fields, card.placement, self._weights, only=fields, known=sight.zones
        )
        clock.lap("segment")
        more = self._recognizer.penalties(sight.graph.crops[len(sight.penalties) :])
        sight.penalties = np.concatenate([sight.penalties, more]) if len(sight.penalties) else more
        clock.lap("recognize")
        sight.lattice = recognition_graph(
            sight.graph, sight.fields, sight.penalties, card, self._free
        )
        found = forward_by_field(sight.lattice, grammar)
        sight.masses |= {number: found.get(number, math.inf) for number in fields}

    def _seen(self, sight: Sight, grammar: Grammar, clock: Clock, number: int) -> Seen:
        found = best(sight.lattice, grammar, number, distinct="amount", within=_FAR)
        posteriors = self.posteriors_of(sight, grammar, [one.amount_minor for one in found])
        clock.lap("search")
        seen = sight.graph, self.card.labels, sight.ink
        minus = maybe_negative(found, posteriors, *seen) or (
            bool(found) and leaves_out_minus(found[0], sight.lattice, *seen)
        )
        return Seen(sight, tuple(found), posteriors, minus)


def _counting(shares: Shares) -> dict[int, float]:
    """The amounts that count, the likeliest always among them."""
    least = min(_COUNTS, max(shares.values(), default=0.0))
    return {amount: share for amount, share in shares.items() if share >= least}


def _alone(fields: Sequence[FieldCandidate]) -> int | None:
    """The likeliest field beside which no place for the amount is nearly as likely, or goes beyond
    it."""
    for number, one in enumerate(fields):
        rest = (other for other in fields if other is not one)
        if all(_is_of(other, one) or other.penalty > one.penalty + _LIKELIER for other in rest):
            return number
    return None


def _is_of(other: FieldCandidate, first: FieldCandidate) -> bool:
    """Whether a field is at the place of another, with no room for a digit beyond its ends."""
    a, b = first.zones[0].box, other.zones[0].box
    if a[0] >= b[2] or b[0] >= a[2] or a[1] >= b[3] or b[1] >= a[3]:
        return False
    room = _DIGIT * min(a[3] - a[1], b[3] - b[1])
    return b[0] >= a[0] - room and other.zones[-1].box[2] <= first.zones[-1].box[2] + room


def _without_the_rest(sight: Sight, read: Sequence[int]) -> list[FieldCandidate]:
    """All fields of a look, those within others that were read dearer by what they leave out.

    read: the numbers of those that were swept over. A field that ends within an amount reads the
    rest of it as nothing, and what the wider strip says there is the penalty of that.
    """
    fields = list(sight.fields)
    for number in read:
        one = sight.fields[number]
        left, right = one.zones[0].box[0], one.zones[-1].box[2]
        silences = [
            _silence_beyond(*sight.swept[other], left, right)
            for other in read
            if _is_within(one, sight.fields[other])
        ]
        if silences:
            fields[number] = replace(one, penalty=one.penalty + min(max(silences), _MOST_LEFT_OUT))
    return fields


def _is_within(one: FieldCandidate, other: FieldCandidate) -> bool:
    """Whether a field is a part of another, which goes on where it ends, and is of its size."""
    a, b = one.zones[0].box, other.zones[0].box
    alike = b[3] - b[1] <= _LARGER * (a[3] - a[1])
    return alike and _is_of(one, other) and not _is_of(other, one)


def _silence_beyond(strip: Strip, outputs: NDArray[np.float32], left: float, right: float) -> float:
    """The penalty, nats, of no symbol of a strip being before or behind a place.

    outputs: f32 [T, K + 1], as in `SweptNetwork.outputs`; left, right: where the place begins and
    ends, x in working pixels.
    """
    x = strip.across((np.arange(len(outputs)) + 0.5) * COLUMNS)
    return float(outputs[(x < left) | (x > right), -1].sum())


def enough_fields(fields: list[FieldCandidate]) -> list[FieldCandidate]:
    """The likeliest fields, two at least, until they are together surer than one can be; and those
    that go beyond one of these and are hardly dearer, or what it leaves out is not known."""
    sure = 0.0
    for number, one in enumerate(fields):
        if number >= 2 and sure >= _ENOUGH_FIELDS:
            return [*fields[:number], *_beyond(fields[:number], fields[number:])]
        sure += math.exp(-max(one.penalty, 0.0))
    return fields


def _beyond(chosen: Sequence[FieldCandidate], others: list[FieldCandidate]) -> list[FieldCandidate]:
    """Of other fields those that one of the chosen is a part of, and that are hardly dearer."""
    return [
        other
        for other in others
        if any(
            other.penalty <= one.penalty + _HARDLY_DEARER and _is_within(one, other)
            for one in chosen
        )
    ]
