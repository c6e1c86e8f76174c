"""The check reader of section X as one call: image in, reading out. Wiring only."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.pipeline.agreement import decided, pooled, read_as, said_of
from service.pipeline.automaton import Grammar
from service.pipeline.brackets import in_brackets, reads_as_half
from service.pipeline.card import Calibration
from service.pipeline.crossed import is_crossed_out
from service.pipeline.cutlines import Polygon, polygon, polygons
from service.pipeline.decision import DEFAULT_MAX_ERROR, Decision, calibrated, decide
from service.pipeline.doubts import measure_signs
from service.pipeline.evidence import Chain, Evidence, Found, gather, seal
from service.pipeline.field import place_of
from service.pipeline.field_map import place_seen
from service.pipeline.image import ChequeImage, ImageLimits, load_cheque
from service.pipeline.ink import InkImage, extract_ink
from service.pipeline.looks import closer_looks, further_looks
from service.pipeline.minus import leads, stands_beside, trails
from service.pipeline.paper import is_other_paper
from service.pipeline.search import Interpretation, best_spelling
from service.pipeline.segment import SegmentationGraph
from service.pipeline.sight import Clock, Eye, Opinion, Seen, Sight
from service.pipeline.stated import CONCLUSIVE, Look, Stated, judge
from service.pipeline.strike import is_struck
from service.pipeline.usability import Measured, UsabilityLimits, legibility, measure_image

Evident = bool | Literal["rejected"]
"""Whether a reading carries what it rests on; rejected: where it is rejected."""

ALTERNATIVES = 5
# Amounts of each further look at a page whose stated amount is doubted.
_LOOKED_AT = 10
# Below this posterior, and where the field map sees no place for the amount as surely as that, the
# page may lie on its head. The choice is made on posteriors, so that another calibration changes
# no reading.
_UPRIGHT = 0.89
_SURELY_UPRIGHT = 0.95
# Where the field map holds it for less likely that an amount is written, there is none.
_NOWHERE = 0.35
# So many of these fill the line of an amount.
_FILLERS = "*#"
_FILLED = 2
# Prior odds of a page to be upside down.
_TURNED_ODDS = 0.05


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
    posterior: of the amount, of all looks at it together; signs: what there is to doubt it for, see
    `card.SIGNS`; the confidence is calibrated from both.
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
    posterior: float = 0.0
    signs: tuple[float, ...] = ()
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
        self._eye = Eye(folder)
        self._card = self._eye.card
        self._max_error = max_error
        self._limits = limits or ImageLimits()
        self._usability = usability or UsabilityLimits()

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
        evidence: Evident = False,
    ) -> Reading:
        """Read the courtesy amount of one image.

        data: a PNG, JPEG or TIFF file. field_only: it shows nothing but the amount. max_error: the
        share of wrong amounts among accepted ones that the caller can bear. stated: the amount in
        minor units that a record states of this cheque; it changes nothing of what is read.
        evidence: the reading carries what it rests on, or does where it is rejected. Raises
        InputError for data that is no usable image; an illegible cheque is a Reading with a reject
        reason.
        """
        started = perf_counter()
        wanted = _Wanted(
            self._eye.grammar(currency, locale),
            field_only,
            self._max_error if max_error is None else max_error,
            evidence,
        )
        image = load_cheque(data, field_only=field_only, limits=self._limits)
        clock = Clock({"image": perf_counter() - started})
        first, turned = self._first_look(image, wanted, clock)
        page = image.turned() if turned else image
        looks = [self._opinion(first, wanted, clock)]
        if not decided(looks):
            looks = [self._eye.parted(looks[0], wanted.grammar, clock, ALTERNATIVES)]
        for closer in self._closer_looks(page, looks, wanted, clock):
            looks.append(self._opinion(closer, wanted, clock))
            if decided(looks):
                break
        reading = self._reading(data, page, looks, wanted, turned=turned)
        if stated is not None:
            pages = [image, page] if turned else [image]
            judged = self._stated(first, stated, pages, wanted)
            if judged.looks == 1 and stated == reading.amount_minor:
                judged = replace(judged, confidence=reading.confidence)
            reading = replace(reading, stated=judged)
            clock.lap("looks")
        usability: tuple[Measured, ...] = ()
        if stated is not None and not field_only:
            usability = (
                *measure_image(data, self._limits, self._usability),
                legibility(reading.confidence, self._usability),
            )
        return replace(reading, reference=reference, usability=usability, stages=clock.laps)

    def _first_look(self, image: ChequeImage, wanted: "_Wanted", clock: Clock) -> tuple[Seen, bool]:
        """What is seen of an image, or of it turned where that is so much likelier; which it is."""
        ink = extract_ink(image.grey)
        clock.lap("ink")
        upright = self._look(image, ink, wanted, clock)
        place = upright.sight.place
        if wanted.field_only or upright.posterior >= _UPRIGHT or place >= _SURELY_UPRIGHT:
            return upright, False
        seen = place_seen(ink.turned())
        clock.lap("field")
        if seen <= place:
            return upright, False
        turned = image.turned()
        ink = extract_ink(turned.grey)
        clock.lap("ink")
        over = self._look(turned, ink, wanted, clock)
        odds = _odds(over.posterior) * _odds(seen) * _TURNED_ODDS
        return (over, True) if odds > _odds(upright.posterior) * _odds(place) else (upright, False)

    def _look(self, image: ChequeImage, ink: InkImage, wanted: "_Wanted", clock: Clock) -> Seen:
        return self._eye.look(
            image, ink, wanted.grammar, clock, field_only=wanted.field_only, number=ALTERNATIVES
        )

    def _opinion(self, seen: Seen, wanted: "_Wanted", clock: Clock) -> Opinion:
        return self._eye.opinion(seen, wanted.grammar, clock, ALTERNATIVES)

    def _closer_looks(
        self, page: ChequeImage, first: Sequence[Opinion], wanted: "_Wanted", clock: Clock
    ) -> Iterator[Seen]:
        """The closer looks at the amount of a page.

        None where the first is sure enough, nor at what is nowhere that an amount may be: it is
        rejected however it is read.
        """
        sight = first[0].seen.sight
        held = sight.holding()
        if decided(first) or not len(sight.graph.crops) or not held:
            return
        if sight.places is not None and sight.place < _NOWHERE:
            return
        for near in closer_looks(page, sight.ink, sight.fields, held):
            clock.lap("ink")
            yield self._eye.look_closer(near, sight, wanted.grammar, clock, ALTERNATIVES)

    def _reading(
        self,
        data: bytes,
        page: ChequeImage,
        looks: Sequence[Opinion],
        wanted: "_Wanted",
        *,
        turned: bool,
    ) -> Reading:
        """The amount that all looks together hold the likeliest, read as the surest of them did."""
        means = pooled(looks)
        calibration = self.calibration(field_only=wanted.field_only)
        amount = max(means, key=means.__getitem__) if means else None
        read = _read(looks, amount, wanted.grammar)
        first, sight = read.first, read.seen.sight
        page_seen = looks[0].seen.sight
        minus = other = struck = False
        place = 1.0
        signs: tuple[float, ...] = ()
        symbols: tuple[SymbolBox, ...] = ()
        sure: dict[int, float] = {}
        currency = None
        if first is not None:
            currency = first.currency
            if page_seen.places is not None:
                on_page = _on_page(read.boxes, sight, page_seen)
                place = place_of(on_page, page_seen.places.seen)
                other = len(on_page) > 0 and is_other_paper(
                    on_page,
                    page_seen.places,
                    page_seen.ink.rules,
                    filled=sum(map(read.labels.count, _FILLERS)) >= _FILLED,
                )
            said = said_of(looks, first.amount_minor)
            signs = measure_signs(first, read.boxes, sight.ink, place, said)
            minus = any(
                trails(one) or leads(one) or reads_as_half(one.text)
                for one in (first, *_said(looks, amount))
            )
            struck = is_struck(sight.ink, read.boxes)
            if not wanted.field_only:
                seen = read.boxes, read.labels, sight.ink
                minus = minus or stands_beside(first, *seen) or in_brackets(*seen)
                struck = struck or is_crossed_out(page_seen.ink.ink)
                currency = currency or self._eye.currency_before(sight, read.boxes)
            sure = self._believed(means, first.amount_minor, signs, wanted)
            outlines = polygons(read.boxes, sight.to_original)
            symbols = tuple(map(SymbolBox, read.labels, outlines))
        confidence = sure[first.amount_minor] if first else 0.0
        decision, reason = decide(
            amount,
            confidence,
            wanted.max_error,
            calibration,
            negative=looks[0].seen.minus or read.seen.minus or minus,
            blank=len(sight.graph.crops) == 0,
            other_paper=other,
            struck=struck,
            placed=place >= _NOWHERE,
        )
        reading = Reading(
            amount_minor=amount,
            currency=currency,
            text=first.text if first else None,
            digits=first.digits if first else None,
            confidence=confidence,
            decision=decision,
            reject_reason=reason,
            alternatives=_alternatives(looks, sure, first),
            field_box=_hull(read.boxes, sight.to_original),
            symbols=symbols,
            pages=page.pages,
            segments=len(sight.graph.crops),
            model_version=self.model_version,
            grammar_version=wanted.grammar.version,
            reference=None,
            stages={},
            posterior=means[first.amount_minor] if first else 0.0,
            signs=signs,
        )
        if not wanted.evidence or (wanted.evidence == "rejected" and decision != "reject"):
            return reading
        proof = self._evidence(data, looks, read, reading, sure, wanted, turned=turned)
        return replace(reading, evidence=proof)

    def _believed(
        self, means: dict[int, float], amount: int, signs: tuple[float, ...], wanted: "_Wanted"
    ) -> dict[int, float]:
        """How probable each amount is, calibrated; amount: the likeliest, signs: of its reading.

        What makes the likeliest one doubtful makes no other likelier: something is left out of all.
        """
        doubts = None if wanted.field_only else self._card.doubts
        mean = means[amount]
        believed = mean if doubts is None else doubts.believed(mean, signs)
        rest = min(1.0, (1 - believed) / max(1 - mean, 1e-9))
        calibration = self.calibration(field_only=wanted.field_only)
        return {
            one: calibrated(believed if one == amount else rest * share, calibration)
            for one, share in means.items()
        }

    def _evidence(
        self,
        data: bytes,
        looks: Sequence[Opinion],
        read: "_Read",
        reading: Reading,
        sure: dict[int, float],
        wanted: "_Wanted",
        *,
        turned: bool,
    ) -> Evidence:
        sight, first = read.seen.sight, read.first if read.segmented else None
        rest = (one for one in read.seen.found if one.amount_minor != reading.amount_minor)
        found = [] if first is None else [first, *rest]
        proof = gather(
            Chain(
                sight.zones, sight.fields, sight.graph, sight.lattice, wanted.grammar, found, sure,
                sight.to_original,
            ),
            no_amount=self._card.null_penalty,
            look=next(n for n, one in enumerate(looks, 1) if one.seen is read.seen),
            looks=[
                tuple(share.get(reading.amount_minor, 0.0) for share in one.shares) for one in looks
            ]
            if reading.amount_minor is not None
            else [],
            posterior=reading.posterior,
            signs=reading.signs,
            model=(self._card.model_version, self._card.sha256),
            calibration=self.calibration(field_only=wanted.field_only),
        )  # fmt: skip
        told = _found(reading, wanted.max_error, field_only=wanted.field_only)
        return seal(proof, data, told, turned=turned)

    def _stated(
        self, first: Seen, stated: int, pages: Sequence[ChequeImage], wanted: "_Wanted"
    ) -> Stated:
        """What is thought of a stated amount, after further looks where one does not suffice.

        pages: the page as it came, and turned where it was read so.
        """
        calibration = self.calibration(field_only=wanted.field_only)
        looks = [self._judged_by(first, [stated], wanted.grammar)[0]]
        if looks[0].stated < CONCLUSIVE:
            seen = [pages[-1], *_others(pages)]
            looks = [self._look_at_stated(one, [stated], wanted.grammar)[0] for one in seen]
        return judge(looks, stated, calibration, self._card.record_rule)

    def looks_at(
        self, data: bytes, amounts: Sequence[int], *, currency: str | None = None
    ) -> list[tuple[Look, ...]]:
        """What each of several amounts, were it stated of a whole cheque, would be judged by.

        Minor units. To fit `card.RecordRule` to. Raises InputError as `read` does.
        """
        wanted = _Wanted(self._eye.grammar(currency, None), False, self._max_error, False)
        image = load_cheque(data, limits=self._limits)
        _, turned = self._first_look(image, wanted, Clock({}))
        pages = [image, image.turned()] if turned else [image]
        first = self._look_at_stated(pages[-1], amounts, wanted.grammar)
        rest: list[list[Look]] = []
        if any(one.stated < CONCLUSIVE for one in first):
            others = (self._look_at_stated(p, amounts, wanted.grammar) for p in _others(pages))
            rest = [first, *others]
        return [
            (one,) if one.stated >= CONCLUSIVE else tuple(look[n] for look in rest)
            for n, one in enumerate(first)
        ]

    def _look_at_stated(
        self, page: ChequeImage, stated: Sequence[int], grammar: Grammar
    ) -> list[Look]:
        """What one look at a page says of each of several stated amounts."""
        seen = self._eye.look_at_all(page, extract_ink(page.grey), grammar, _LOOKED_AT)
        return self._judged_by(seen, stated, grammar)

    def _judged_by(self, seen: Seen, stated: Sequence[int], grammar: Grammar) -> list[Look]:
        pairs = tuple(seen.of_amounts().items())
        shares = self._eye.posteriors_of(seen.sight, grammar, stated)
        return [Look(share, pairs) for share in shares]


@dataclass(frozen=True, slots=True)
class _Wanted:
    """How an image is to be read, see ChequeReader.read."""

    grammar: Grammar
    field_only: bool
    max_error: float
    evidence: Evident


def _others(pages: Sequence[ChequeImage]) -> Iterator[ChequeImage]:
    """All other looks at a page; pages: as it came, and turned where it was read so."""
    yield from pages[:-1]
    for page in pages:
        yield from further_looks(page)


def _on_page(boxes: NDArray[np.float32], chosen: Sight, page: Sight) -> NDArray[np.floating]:
    """Boxes [S, 4] in the frame of one look as upright ones in that of the first, `page`."""
    if chosen is page or not len(boxes):
        return boxes
    matrix = np.linalg.inv(page.to_original) @ chosen.to_original
    corners = np.array(polygons(boxes, matrix))
    return np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1)


@dataclass(frozen=True, slots=True)
class _Read:
    """How the likeliest amount was read, None where nothing looks like one.

    boxes: f32 [S, 4] of the symbols read, in the frame of seen, labels: those symbols. segmented:
    they are segments of it, not only about where the swept network saw them.
    """

    seen: Seen
    first: Interpretation | None
    boxes: NDArray[np.float32]
    labels: list[str]
    segmented: bool


def _read(looks: Sequence[Opinion], amount: int | None, grammar: Grammar) -> _Read:
    none = _Read(looks[0].seen, None, np.zeros((0, 4), np.float32), [], False)
    if amount is None:
        return none
    look, first = read_as(looks, amount)
    if first is None:
        first = best_spelling(look.seen.sight.lattice, grammar, amount)
    if first is not None:
        return _Read(look.seen, first, *_written(first, look.seen.sight.graph, grammar), True)
    for one in looks:
        for found in one.said.found if one.said else ():
            if one.said is not None and found.amount_minor == amount:
                boxes, labels = one.said.written(found, grammar.rubbish)
                return _Read(one.seen, found, boxes, [grammar.labels[n] for n in labels], False)
    return none


def _said(looks: Sequence[Opinion], amount: int | None) -> Iterator[Interpretation]:
    """What the swept network read in each look where that is the amount."""
    for look in looks:
        if look.said and look.said.found and look.said.found[0].amount_minor == amount:
            yield look.said.found[0]


def _alternatives(
    looks: Sequence[Opinion], sure: Mapping[int, float], first: Interpretation | None
) -> tuple[Alternative, ...]:
    """Every amount once, as read where it is likeliest; the best first, then by confidence."""
    if first is None:
        return ()
    rest = sorted(sure, key=lambda one: (one != first.amount_minor, -sure[one]))
    read = [(amount, _found_as(looks, amount)) for amount in rest[:ALTERNATIVES]]
    return tuple(
        Alternative(one.text, one.digits, amount, one.currency, sure[amount])
        for amount, one in read
        if one is not None
    )


def _found_as(looks: Sequence[Opinion], amount: int) -> Interpretation | None:
    """An amount as the surest segments read it, else as the swept network does."""
    found = read_as(looks, amount)[1]
    said = (one for look in looks if look.said for one in look.said.found)
    return found or next((one for one in said if one.amount_minor == amount), None)


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


def _written(
    one: Interpretation, graph: SegmentationGraph, grammar: Grammar
) -> tuple[NDArray[np.float32], list[str]]:
    """The boxes of the symbols read, f32 [S, 4] in the frame of graph, and the symbols."""
    segments = graph.segment[one.arcs]
    written = np.flatnonzero((segments >= 0) & (one.labels != grammar.rubbish))
    labels = [grammar.labels[label] for label in one.labels[written].tolist()]
    return graph.boxes[segments[written]], labels


def _hull(boxes: NDArray[np.float32], to_original: NDArray[np.float64]) -> Polygon | None:
    """The place of all symbols, None where there are none."""
    if len(boxes) == 0:
        return None
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return polygon(np.concatenate([low, high]), to_original)
