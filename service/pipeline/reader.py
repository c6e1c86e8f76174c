"""The check reader of section X as one call: image in, reading out. Wiring only."""

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from service.pipeline.automaton import Grammar
from service.pipeline.card import Calibration, load_card
from service.pipeline.chain import against_none, forward_of_all, recognition_graph
from service.pipeline.cutlines import Polygon, polygon, polygons
from service.pipeline.decision import (
    DEFAULT_MAX_ERROR,
    NEGATIVE,
    Decision,
    calibrated,
    decide,
    posterior,
    uncalibrated,
)
from service.pipeline.evidence import Chain, Evidence, Found, gather, of_looks, seal
from service.pipeline.field import Box, FieldCandidate, locate_fields
from service.pipeline.grammar import free_grammar, grammar_for
from service.pipeline.image import ChequeImage, ImageLimits, load_cheque
from service.pipeline.ink import InkImage, extract_ink
from service.pipeline.looks import closer, enlarged, further_looks
from service.pipeline.minus import leaves_out_minus
from service.pipeline.recognize import OnnxRecognizer, Recognizer
from service.pipeline.search import (
    Interpretation,
    Lattice,
    best,
    forward_by_field,
    forward_of_amount,
    forward_of_amounts,
)
from service.pipeline.segment import SegmentationGraph, ZoneSegments, segment_fields
from service.pipeline.stated import CONCLUSIVE, Look, Stated, judge
from service.pipeline.usability import Measured, UsabilityLimits, legibility, measure_image

ALTERNATIVES = 5
# Amounts of each further look at a page whose stated amount is doubted.
_LOOKED_AT = 10
_ENOUGH_FIELDS = 1.2
# Below this posterior the page is also read upside down. The choice is made on posteriors, so that
# another calibration changes no reading. It is not where the penalty of what was found, against
# there being no amount, is below the other: an upside-down page hardly ever holds as much.
_UPRIGHT = 0.89
_SURELY_UPRIGHT = -9.0
# Below this posterior the page is looked at a second time, enlarged.
_SURE = 0.97
# Prior odds of a page to be upside down.
_TURNED_ODDS = 0.05
# A page's likeliest place for the amount is read first. Where it is so many times likelier to be
# the amount than all else that the page may hold, nothing else is read.
_SURE_OF_FIELD = 1e3
# Of a second look are the fields that hold at least this share of what the first one found.
_HOLDS = 0.02
# Before a turned page is read as a whole its likeliest place is: where that is so many times too
# unlikely to win, the rest does not win either.
_TURNED_MARGIN = 30.0


@dataclass(frozen=True, slots=True)
class Alternative:
    """An amount that the image may also hold, with its calibrated probability."""

    text: str
    digits: str
    amount_minor: int
    currency: str | None
    confidence: float


@dataclass(frozen=True, slots=True)
class SymbolBox:
    """One symbol of the reading and where it stands, in pixels of the original image."""

    symbol: str
    box: Polygon


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read from one image.

    amount_minor: integer in minor units (hundredths where the currency is unknown); text: the
    symbols as written; digits: the digits of text in order, a fraction's denominator left out; all
    None only where no path exists. confidence: calibrated probability that amount_minor is right.
    field_box, symbols: in pixels of the original image, EXIF orientation applied. stages: seconds.
    stated: of the amount that the caller stated, None where none was; usability: what was measured
    of the image then. evidence: what the reading rests on, where it was
    asked for.
    """

    amount_minor: int | None
    currency: str | None
    text: str | None
    digits: str | None
    confidence: float
    decision: Decision
    reject_reason: str | None
    alternatives: tuple[Alternative, ...]
    field_box: Polygon | None
    symbols: tuple[SymbolBox, ...]
    pages: int
    segments: int
    model_version: str
    grammar_version: str
    reference: str | None
    stages: dict[str, float]
    stated: Stated | None = None
    usability: tuple[Measured, ...] = ()
    evidence: Evidence | None = None


class ChequeReader:
    """Reads cheque images with one model; safe to share between threads."""

    def __init__(
        self,
        folder: Path,
        limits: ImageLimits | None = None,
        max_error: float = DEFAULT_MAX_ERROR,
        usability: UsabilityLimits | None = None,
    ) -> None:
        """Load the model in a folder; max_error: the bound of callers who state none.

        usability: beyond what an image has a defect.
        """
        self._card = load_card(folder)
        self._max_error = max_error
        self._recognizer: Recognizer = OnnxRecognizer(folder, self._card)
        self._limits = limits or ImageLimits()
        self._usability = usability or UsabilityLimits()
        self._weights = np.array(self._card.segment_weights, np.float32)
        own = self._card.field_weights
        self._field_weights = np.array(own, np.float32) if own else None
        self._free = free_grammar(self._card.labels)
        # What the first reading would otherwise wait for.
        grammar_for(None, None, self._card.labels, self._card.grammar_weights)
        self._recognizer.penalties(np.zeros((1, 32, 32), np.uint8))

    @property
    def model_version(self) -> str:
        """Name and version of the model."""
        return self._card.model_version

    def calibration(self, *, field_only: bool) -> Calibration:
        """The calibration of its confidences."""
        return self._card.calibration_of(field_only=field_only)

    def read(
        self,
        data: bytes,
        *,
        currency: str | None = None,
        locale: str | None = None,
        field_only: bool = False,
        max_error: float | None = None,
        reference: str | None = None,
        stated: int | None = None,
        evidence: bool = False,
    ) -> Reading:
        """Read the courtesy amount of one image.

        data: a PNG, JPEG or TIFF file. field_only: it shows nothing but the amount. max_error: the
        share of wrong amounts among accepted ones that the caller can bear. stated: the amount in
        minor units that a record states of this cheque; it changes nothing of what is read.
        evidence: the reading carries what it rests on. Raises InputError for data that is no usable
        image; an illegible cheque is a Reading with a reject reason.
        """
        started = perf_counter()
        wanted = _Wanted(
            grammar_for(currency, locale, self._card.labels, self._card.grammar_weights),
            field_only,
            self._max_error if max_error is None else max_error,
            stated,
            evidence,
        )
        image = load_cheque(data, field_only=field_only, limits=self._limits)
        loaded = perf_counter() - started
        clock = _Clock({"image": loaded})
        ink = extract_ink(image.grey)
        clock.lap("ink")
        upright = seen = self._interpret(image, ink, wanted, clock)
        if not field_only:
            seen = self._right_way_up(upright, wanted, clock)
        turned = seen is not upright
        reading = seen.reading
        if reading.segments and self._posterior(reading, field_only) < _SURE:
            reading = self._looked_twice(seen, wanted, clock)
        if wanted.stated is not None and reading.stated is not None:
            pages = [image, image.turned()] if turned else [image]
            reading = self._looked_again(reading, reading.stated, pages, wanted, clock)
        if reading.evidence is not None:
            proof = seal(
                reading.evidence,
                data,
                _found(reading, wanted.max_error, field_only=field_only),
                turned=turned,
            )
            reading = replace(reading, evidence=proof)
        usability: tuple[Measured, ...] = ()
        if stated is not None and not field_only:
            usability = (
                *measure_image(data, self._limits, self._usability),
                legibility(reading.confidence, self._usability),
            )
        return replace(reading, reference=reference, usability=usability, stages=clock.laps)

    def _looked_twice(self, seen: "_Seen", wanted: "_Wanted", clock: "_Clock") -> Reading:
        """A reading beside one of the same page enlarged: that of which both are surer.

        The posterior of an amount is the mean of both looks. Source: see `looks`.
        """
        first = seen.reading
        second = self._enlarged(seen, replace(wanted, stated=None), clock).reading
        calibration = self.calibration(field_only=wanted.field_only)
        looks = [_posteriors(one, calibration) for one in (first, second)]
        amounts = {one.amount_minor: one for one in (*second.alternatives, *first.alternatives)}
        sure = {a: calibrated(sum(look.get(a, 0.0) for look in looks) / 2, calibration)
                for a in amounts}  # fmt: skip
        surer = max((first, second), key=lambda one: sure.get(one.amount_minor or 0, 0.0))
        if surer.amount_minor is None:
            return first
        rest = sorted(
            (replace(one, confidence=sure[a]) for a, one in amounts.items()),
            key=lambda one: (one.amount_minor != surer.amount_minor, -one.confidence),
        )
        decision, reason = decide(
            surer.amount_minor,
            rest[0].confidence,
            wanted.max_error,
            calibration,
            negative=NEGATIVE in (first.reject_reason, second.reject_reason),
            blank=False,
        )
        evidence = surer.evidence and of_looks(
            surer.evidence,
            1 if surer is first else 2,
            [look.get(surer.amount_minor, 0.0) for look in looks],
        )
        return replace(
            surer, confidence=rest[0].confidence, decision=decision, reject_reason=reason,
            alternatives=tuple(rest[:ALTERNATIVES]), stated=first.stated, evidence=evidence,
        )  # fmt: skip

    def _enlarged(self, seen: "_Seen", wanted: "_Wanted", clock: "_Clock") -> "_Seen":
        """The same page seen larger: a cropped amount anew, of a cheque the fields that count."""
        sight = seen.sight
        if wanted.field_only:
            larger = enlarged(sight.image)
            ink = extract_ink(larger.grey)
            clock.lap("ink")
            return self._interpret(larger, ink, wanted, clock)
        likeliest = min(sight.masses.values())
        held = [n for n in sight.read if sight.masses[n] <= likeliest - math.log(_HOLDS)]
        near = _Sight(
            *closer(sight.image, sight.ink, sight.fields, held), masses=dict(sight.masses)
        )
        clock.lap("ink")
        self._look_at(near, held, wanted, clock)
        return _Seen(near, self._read_off(near, wanted, clock))

    def _right_way_up(self, seen: "_Seen", wanted: "_Wanted", clock: "_Clock") -> "_Seen":
        """What was seen of a whole image, or of it turned where that is so much likelier."""
        upright = self._posterior(seen.reading)
        likeliest = min(seen.sight.masses.values(), default=math.inf)
        if upright >= _UPRIGHT or likeliest < _SURELY_UPRIGHT:
            return seen
        odds = _odds(upright)
        turned = seen.sight.image.turned()
        first = self._interpret(turned, seen.sight.ink.turned(), wanted, clock, most=1)
        if _odds(self._posterior(first.reading)) * _TURNED_ODDS * _TURNED_MARGIN <= odds:
            return seen
        ink = extract_ink(turned.grey)
        clock.lap("ink")
        over = self._interpret(turned, ink, wanted, clock)
        return over if _odds(self._posterior(over.reading)) * _TURNED_ODDS > odds else seen

    def looks_at(
        self, data: bytes, amounts: Sequence[int], *, currency: str | None = None
    ) -> list[tuple[Look, ...]]:
        """What each of several amounts, were it stated of a whole cheque, would be judged by.

        Minor units. To fit `card.RecordRule` to. Raises InputError as `read` does.
        """
        grammar = grammar_for(currency, None, self._card.labels, self._card.grammar_weights)
        wanted = _Wanted(grammar, False, self._max_error, None, False)
        image = load_cheque(data, limits=self._limits)
        clock = _Clock({})
        ink = extract_ink(image.grey)
        seen = self._interpret(image, ink, wanted, clock)
        other = self._right_way_up(seen, wanted, clock)
        pages = [image] if other is seen else [image, image.turned()]
        first = self._look(pages[-1], wanted, amounts)
        rest: list[list[Look]] = []
        if any(one.stated < CONCLUSIVE for one in first):
            rest = [first, *(self._look(one, wanted, amounts) for one in _others(pages))]
        return [
            (one,) if one.stated >= CONCLUSIVE else tuple(look[n] for look in rest)
            for n, one in enumerate(first)
        ]

    def _looked_again(
        self,
        reading: Reading,
        first: Stated,
        pages: Sequence[ChequeImage],
        wanted: "_Wanted",
        clock: "_Clock",
    ) -> Reading:
        """A reading with the stated amount judged by further looks, where one does not suffice.

        pages: the page as it came, and turned where it was read so.
        """
        calibration = self.calibration(field_only=wanted.field_only)
        if uncalibrated(first.confidence, calibration) >= CONCLUSIVE:
            return reading
        stated = first.amount_minor
        seen = [pages[-1], *_others(pages)]
        further = [self._look(one, wanted, [stated])[0] for one in seen]
        clock.lap("looks")
        return replace(reading, stated=judge(further, stated, calibration, self._card.record_rule))

    def _look(self, image: ChequeImage, wanted: "_Wanted", stated: Sequence[int]) -> list[Look]:
        """What one look at an image says of each of several stated amounts."""
        grammar = wanted.grammar
        sight = self._located(image, extract_ink(image.grey), wanted, _Clock({}))
        self._look_at(sight, range(len(sight.fields)), wanted, _Clock({}))
        lattice = sight.lattice
        found = best(lattice, grammar, _LOOKED_AT, distinct="amount")
        everything = forward_of_all(sight.masses.values(), self._card.null_penalty)
        amounts = [one.amount_minor for one in found]
        spelled = forward_of_amounts(lattice, grammar, [*amounts, *stated])
        posteriors = [posterior(one, everything) for one in spelled]
        pairs = tuple(zip(amounts, posteriors, strict=False))
        return [Look(one, pairs) for one in posteriors[len(amounts) :]]

    def _posterior(self, reading: Reading, field_only: bool = False) -> float:
        """The posterior of a reading."""
        return uncalibrated(reading.confidence, self.calibration(field_only=field_only))

    def _located(
        self,
        image: ChequeImage,
        ink: InkImage,
        wanted: "_Wanted",
        clock: "_Clock",
        most: int | None = None,
    ) -> "_Sight":
        """An image with its fields, none of them read yet; most: of them, where not all."""
        field_only = wanted.field_only
        fields = locate_fields(image, ink, field_only=field_only, weights=self._field_weights)
        fields = (fields if field_only else enough_fields(fields))[:most]
        clock.lap("field")
        masses = {number: against_none(one.penalty) for number, one in enumerate(fields)}
        return _Sight(image, ink, fields, masses)

    def _look_at(
        self, sight: "_Sight", fields: Sequence[int], wanted: "_Wanted", clock: "_Clock"
    ) -> None:
        """Read some of the fields; those that were read before must come first among them."""
        card = self._card
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
        found = forward_by_field(sight.lattice, wanted.grammar)
        sight.masses |= {number: found.get(number, math.inf) for number in fields}

    def _interpret(
        self,
        image: ChequeImage,
        ink: InkImage,
        wanted: "_Wanted",
        clock: "_Clock",
        most: int | None = None,
    ) -> "_Seen":
        """One orientation of an image through all stages.

        most: fields that are looked at, for a first glance, without alternatives.
        """
        sight = self._located(image, ink, wanted, clock, most)
        every = range(len(sight.fields))
        if wanted.field_only or len(every) < 2:
            self._look_at(sight, every, wanted, clock)
        else:
            self._look_at(sight, every[:1], wanted, clock)
            others = forward_of_all(list(sight.masses.values())[1:], self._card.null_penalty)
            if sight.masses[0] > others - math.log(_SURE_OF_FIELD):
                self._look_at(sight, every, wanted, clock)
        return _Seen(sight, self._read_off(sight, wanted, clock, glance=most is not None))

    def _read_off(
        self, sight: "_Sight", wanted: "_Wanted", clock: "_Clock", *, glance: bool = False
    ) -> Reading:
        """The reading of the fields that were looked at; glance: without alternatives."""
        grammar, stated = wanted.grammar, wanted.stated
        image, graph, lattice = sight.image, sight.graph, sight.lattice
        found = best(lattice, grammar, 1 if glance else ALTERNATIVES, distinct="amount")
        everything = forward_of_all(sight.masses.values(), self._card.null_penalty)
        calibration = self.calibration(field_only=wanted.field_only)
        spelled = forward_of_amounts(lattice, grammar, [one.amount_minor for one in found])
        alternatives = tuple(
            _alternative(one, penalty, everything, calibration)
            for one, penalty in zip(found, spelled, strict=True)
        )
        alternatives = (
            *alternatives[:1],
            *sorted(alternatives[1:], key=lambda a: a.confidence, reverse=True),
        )
        borne_out = None
        if stated is not None:
            posteriors = [
                (one.amount_minor, posterior(penalty, everything))
                for one, penalty in zip(found, spelled, strict=True)
            ]
            said = posterior(forward_of_amount(lattice, grammar, stated), everything)
            first = Look(said, tuple(posteriors))
            borne_out = judge([first], stated, calibration, self._card.record_rule)
        clock.lap("search")
        reading = self._reading(
            image, graph, lattice, wanted, found, alternatives, calibration, clock
        )
        reading = replace(reading, stated=borne_out)
        if not wanted.evidence or glance:
            return reading
        sure = {one.amount_minor: one.confidence for one in alternatives}
        proof = gather(
            Chain(sight.ink, sight.fields, graph, lattice, grammar, found, sure, image.to_original),
            no_amount=self._card.null_penalty,
            posterior=uncalibrated(reading.confidence, calibration) if found else None,
            model=(self._card.model_version, self._card.sha256),
            calibration=calibration,
        )
        return replace(reading, evidence=proof)

    def _reading(
        self,
        image: ChequeImage,
        graph: SegmentationGraph,
        lattice: Lattice,
        wanted: "_Wanted",
        found: list[Interpretation],
        alternatives: tuple[Alternative, ...],
        calibration: Calibration,
        clock: "_Clock",
    ) -> Reading:
        first = found[0] if found else None
        confidence = alternatives[0].confidence if alternatives else 0.0
        decision, reason = decide(
            first.amount_minor if first else None,
            confidence,
            wanted.max_error,
            calibration,
            negative=first is not None
            and (first.negative or leaves_out_minus(first, graph, lattice, self._card.labels)),
            blank=len(graph.crops) == 0,
        )
        symbols = _symbols(first, graph, wanted.grammar, image.to_original) if first else ()
        return Reading(
            amount_minor=first.amount_minor if first else None,
            currency=first.currency if first else None,
            text=first.text if first else None,
            digits=first.digits if first else None,
            confidence=confidence,
            decision=decision,
            reject_reason=reason,
            alternatives=alternatives,
            field_box=_hull(first, graph, image.to_original) if first else None,
            symbols=symbols,
            pages=image.pages,
            segments=len(graph.crops),
            model_version=self.model_version,
            grammar_version=wanted.grammar.version,
            reference=None,
            stages=clock.laps,
        )


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How an image is to be read, see ChequeReader.read."""

    grammar: Grammar
    field_only: bool
    max_error: float
    stated: int | None
    evidence: bool


@dataclass(slots=True)
class _Sight:
    """One look at an image, as far as it has come.

    ink: of the same frame as image; fields: found in it. masses: the forward penalty of each
    field's amounts, by its number; of one that is not read what is known of it otherwise. read:
    the fields of graph and lattice; zones: what was segmented; penalties f32 [N, K]: what was
    recognised.
    """

    image: ChequeImage
    ink: InkImage
    fields: Sequence[FieldCandidate]
    masses: dict[int, float]
    read: tuple[int, ...] = ()
    zones: dict[Box, ZoneSegments | None] = dataclasses.field(default_factory=dict)
    penalties: NDArray[np.float32] = dataclasses.field(
        default_factory=lambda: np.zeros((0, 0), np.float32)
    )
    graph: SegmentationGraph = dataclasses.field(init=False)
    lattice: Lattice = dataclasses.field(init=False)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A look at an image and what was read in it."""

    sight: _Sight
    reading: Reading


class _Clock:
    """Seconds from one lap to the next, added up by name."""

    def __init__(self, laps: dict[str, float]) -> None:
        self.laps = laps
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        now = perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now


def _posteriors(reading: Reading, calibration: Calibration) -> dict[int, float]:
    """The posteriors of all amounts of a reading."""
    return {
        one.amount_minor: uncalibrated(one.confidence, calibration) for one in reading.alternatives
    }


def _others(pages: Sequence[ChequeImage]) -> Iterator[ChequeImage]:
    """All other looks at a page; pages: as it came, and turned where it was read so."""
    yield from pages[:-1]
    for page in pages:
        yield from further_looks(page)


def enough_fields(fields: list[FieldCandidate]) -> list[FieldCandidate]:
    """The likeliest fields, two at least, until they are together surer than one can be."""
    sure = 0.0
    for number, field in enumerate(fields):
        if number >= 2 and sure >= _ENOUGH_FIELDS:
            return fields[:number]
        sure += math.exp(-max(field.penalty, 0.0))
    return fields


def _alternative(
    one: Interpretation, spelled: float, everything: float, calibration: Calibration
) -> Alternative:
    probability = calibrated(posterior(spelled, everything), calibration)
    return Alternative(one.text, one.digits, one.amount_minor, one.currency, probability)


def _found(reading: Reading, max_error: float, *, field_only: bool) -> Found:
    return Found(
        reading.amount_minor,
        reading.currency,
        reading.text,
        reading.confidence,
        reading.decision,
        reading.reject_reason,
        max_error,
        field_only,
    )


def _odds(probability: float) -> float:
    return probability / max(1 - probability, 1e-9)


def _symbols(
    one: Interpretation,
    graph: SegmentationGraph,
    grammar: Grammar,
    to_original: NDArray[np.float64],
) -> tuple[SymbolBox, ...]:
    segments = graph.segment[one.arcs]
    written = np.flatnonzero((segments >= 0) & (one.labels != grammar.rubbish))
    outlines = polygons(graph.boxes[segments[written]], to_original)
    labels = one.labels[written].tolist()
    return tuple(
        SymbolBox(grammar.labels[label], outline)
        for label, outline in zip(labels, outlines, strict=True)
    )


def _hull(
    one: Interpretation, graph: SegmentationGraph, to_original: NDArray[np.float64]
) -> Polygon | None:
    segments = graph.segment[one.arcs]
    boxes = graph.boxes[segments[segments >= 0]]
    if len(boxes) == 0:
        return None
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return polygon(np.concatenate([low, high]), to_original)
