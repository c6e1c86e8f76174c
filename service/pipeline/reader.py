"""The check reader of section X as one call: image in, reading out. Wiring only."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from service.pipeline.automaton import Grammar
from service.pipeline.card import Calibration, load_card
from service.pipeline.chain import forward_of_everything, recognition_graph
from service.pipeline.decision import (
    DEFAULT_MAX_ERROR,
    Decision,
    calibrated,
    decide,
    posterior,
    uncalibrated,
)
from service.pipeline.field import FieldCandidate, locate_fields
from service.pipeline.grammar import free_grammar, grammar_for
from service.pipeline.image import ChequeImage, ImageLimits, load_cheque
from service.pipeline.ink import InkImage, extract_ink
from service.pipeline.recognize import OnnxRecognizer, Recognizer
from service.pipeline.search import (
    Interpretation,
    best,
    forward_of_amounts,
)
from service.pipeline.segment import SegmentationGraph, segment_fields

ALTERNATIVES = 5
_ENOUGH_FIELDS = 1.2
# Below this posterior the page is also read upside down. The choice is made on posteriors, so that
# another calibration changes no reading.
_UPRIGHT = 0.89
# Prior odds of a page to be upside down.
_TURNED_ODDS = 0.05
# Before a turned page is read as a whole its likeliest place is: where that is so many times too
# unlikely to win, the rest does not win either.
_TURNED_MARGIN = 30.0

# Corners of a box in the frame of the original image: 4 points x, y, clockwise from the top left.
Polygon = tuple[tuple[float, float], ...]


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


class ChequeReader:
    """Reads cheque images with one model; safe to share between threads."""

    def __init__(
        self,
        folder: Path,
        limits: ImageLimits | None = None,
        max_error: float = DEFAULT_MAX_ERROR,
    ) -> None:
        """Load the model in a folder; max_error: the bound of callers who state none."""
        self._card = load_card(folder)
        self._max_error = max_error
        self._recognizer: Recognizer = OnnxRecognizer(folder, self._card)
        self._limits = limits or ImageLimits()
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
    ) -> Reading:
        """Read the courtesy amount of one image.

        data: a PNG, JPEG or TIFF file. field_only: it shows nothing but the amount. max_error: the
        share of wrong amounts among accepted ones that the caller can bear. Raises InputError for
        data that is no usable image; an illegible cheque is a Reading with a reject reason.
        """
        started = perf_counter()
        grammar = grammar_for(currency, locale, self._card.labels, self._card.grammar_weights)
        bound = self._max_error if max_error is None else max_error
        image = load_cheque(data, field_only=field_only, limits=self._limits)
        loaded = perf_counter() - started
        clock = _Clock({"image": loaded})
        ink = extract_ink(image.grey)
        clock.lap("ink")
        reading = self._interpret(image, ink, grammar, field_only, bound, clock)
        if not field_only and self._posterior(reading) < _UPRIGHT:
            reading = self._right_way_up(reading, image, ink, grammar, bound, clock)
        return replace(reading, reference=reference, stages=clock.laps)

    def _right_way_up(
        self,
        reading: Reading,
        image: ChequeImage,
        ink: InkImage,
        grammar: Grammar,
        max_error: float,
        clock: "_Clock",
    ) -> Reading:
        """A reading of a whole image, or that of the image turned where it is so much likelier."""
        odds = _odds(self._posterior(reading))
        turned = image.turned()
        first = self._interpret(turned, ink.turned(), grammar, False, max_error, clock, most=1)
        if _odds(self._posterior(first)) * _TURNED_ODDS * _TURNED_MARGIN <= odds:
            return reading
        ink = extract_ink(turned.grey)
        clock.lap("ink")
        over = self._interpret(turned, ink, grammar, False, max_error, clock)
        return over if _odds(self._posterior(over)) * _TURNED_ODDS > odds else reading

    def _posterior(self, reading: Reading) -> float:
        """The posterior of a reading of a whole image."""
        return uncalibrated(reading.confidence, self.calibration(field_only=False))

    def _interpret(
        self,
        image: ChequeImage,
        ink: InkImage,
        grammar: Grammar,
        field_only: bool,
        max_error: float,
        clock: "_Clock",
        most: int | None = None,
    ) -> Reading:
        """One orientation of an image through all stages.

        most: fields that are looked at, for a first glance, without alternatives.
        """
        fields = locate_fields(image, ink, field_only=field_only, weights=self._field_weights)
        fields = (fields if field_only else enough_fields(fields))[:most]
        clock.lap("field")
        graph = segment_fields(ink, fields, self._card.placement, self._weights)
        clock.lap("segment")
        penalties = self._recognizer.penalties(graph.crops)
        clock.lap("recognize")
        lattice = recognition_graph(graph, fields, penalties, self._card, self._free)
        wanted = ALTERNATIVES if most is None else 1
        found = best(lattice, grammar, wanted, distinct="amount")
        everything = forward_of_everything(lattice, grammar, self._card.null_penalty)
        calibration = self.calibration(field_only=field_only)
        spelled = forward_of_amounts(lattice, grammar, [one.amount_minor for one in found])
        alternatives = tuple(
            _alternative(one, penalty, everything, calibration)
            for one, penalty in zip(found, spelled, strict=True)
        )
        alternatives = (
            *alternatives[:1],
            *sorted(alternatives[1:], key=lambda a: a.confidence, reverse=True),
        )
        clock.lap("search")
        return self._reading(
            image, graph, grammar, found, alternatives, max_error, calibration, clock
        )

    def _reading(
        self,
        image: ChequeImage,
        graph: SegmentationGraph,
        grammar: Grammar,
        found: list[Interpretation],
        alternatives: tuple[Alternative, ...],
        max_error: float,
        calibration: Calibration,
        clock: "_Clock",
    ) -> Reading:
        first = found[0] if found else None
        confidence = alternatives[0].confidence if alternatives else 0.0
        decision, reason = decide(
            first.amount_minor if first else None,
            confidence,
            max_error,
            calibration,
            negative=first is not None and first.negative,
            blank=len(graph.crops) == 0,
        )
        symbols = _symbols(first, graph, grammar, image.to_original) if first else ()
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
            grammar_version=grammar.version,
            reference=None,
            stages=clock.laps,
        )


class _Clock:
    """Seconds from one lap to the next, added up by name."""

    def __init__(self, laps: dict[str, float]) -> None:
        self.laps = laps
        self._last = perf_counter()

    def lap(self, name: str) -> None:
        now = perf_counter()
        self.laps[name] = self.laps.get(name, 0.0) + now - self._last
        self._last = now


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


def _odds(probability: float) -> float:
    return probability / max(1 - probability, 1e-9)


def _symbols(
    one: Interpretation,
    graph: SegmentationGraph,
    grammar: Grammar,
    to_original: NDArray[np.float64],
) -> tuple[SymbolBox, ...]:
    boxes = []
    for arc, label in zip(one.arcs.tolist(), one.labels.tolist(), strict=True):
        segment = int(graph.segment[arc])
        if segment >= 0 and label != grammar.rubbish:
            polygon = _polygon(graph.boxes[segment], to_original)
            boxes.append(SymbolBox(grammar.labels[label], polygon))
    return tuple(boxes)


def _hull(
    one: Interpretation, graph: SegmentationGraph, to_original: NDArray[np.float64]
) -> Polygon | None:
    segments = graph.segment[one.arcs]
    boxes = graph.boxes[segments[segments >= 0]]
    if len(boxes) == 0:
        return None
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return _polygon(np.concatenate([low, high]), to_original)


def _polygon(box: NDArray[np.float32], to_original: NDArray[np.float64]) -> Polygon:
    x0, y0, x1, y1 = box.tolist()
    corners = np.array([[x0, y0, 1], [x1, y0, 1], [x1, y1, 1], [x0, y1, 1]])
    moved = corners @ to_original.T
    return tuple((round(x / w, 1), round(y / w, 1)) for x, y, w in moved.tolist())
