"""The proof of a reading: what was found, cut, read and weighed on the way to it.

Numbers are rounded when the evidence is made, so that what is written is what the digest is of.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.automaton import Grammar
from service.pipeline.card import SIGNS, Calibration
from service.pipeline.cutlines import Line2D, Polygon, cut_lines, polygon
from service.pipeline.field import Box, FieldCandidate
from service.pipeline.record import members_of
from service.pipeline.search import Interpretation, Lattice
from service.pipeline.segment import SegmentationGraph, ZoneSegments

VERSION: Final = 4
_DECIMALS: Final = 4
_OTHERS: Final = 3


@dataclass(frozen=True, slots=True)
class LocatedField:
    """A place where the amount was looked for.

    zones: in pixels of the original image; the amount, then its cents where they stand apart.
    penalty: the field's own, -log of the probability that it is the amount's. chosen: the best
    reading is of this field.
    """

    zones: tuple[Polygon, ...]
    penalty: float
    chosen: bool


@dataclass(frozen=True, slots=True)
class Cut:
    """A node of the chosen field's segmentation graph; line: where it parts the ink, top down.

    number: 0 is the field's beginning, the last one its end; neither has a line, nor has the far
    side of a wide gap.
    """

    number: int
    line: Line2D


@dataclass(frozen=True, slots=True)
class ReadAs:
    """A symbol that a segment may be, with the penalty of reading it so."""

    symbol: str
    penalty: float


@dataclass(frozen=True, slots=True)
class Step:
    """One arc of a path, from cut src to cut dst.

    symbol: what it was read as, "" for ink that belongs to no character, " " for a gap. box: in
    pixels of the original image, crop: what the recognizer saw, a PNG in base64; both None for a
    gap. segmentation, recognition: penalties. others: the segment's likeliest other symbols.
    """

    src: int
    dst: int
    symbol: str
    box: Polygon | None
    crop: str | None
    segmentation: float
    recognition: float
    others: tuple[ReadAs, ...]


@dataclass(frozen=True, slots=True)
class PathPenalty:
    """The penalty of a path and what it is the sum of.

    field: of entering the field, measured against its being no amount.
    """

    field: float
    segmentation: float
    recognition: float
    grammar: float
    total: float


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a runner-up parts from the winning path, between two cuts that both go through.

    instead_of, symbols: what the winner and the runner-up read there. segmentation, recognition:
    what the runner-up's penalties there are above the winner's.
    """

    src: int
    dst: int
    instead_of: str
    symbols: str
    segmentation: float
    recognition: float


@dataclass(frozen=True, slots=True)
class RunnerUp:
    """The best way to read another amount; differences is empty where it is of another field.

    behind: its path's penalty above the winner's.
    """

    amount_minor: int
    currency: str | None
    text: str
    confidence: float
    behind: float
    same_field: bool
    differences: tuple[Difference, ...]


@dataclass(frozen=True, slots=True)
class Arc:
    """An arc of the chosen field's graph, with the symbol that is cheapest on it."""

    src: int
    dst: int
    symbol: str
    penalty: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a reading was, as its evidence says it; decided under max_error."""

    amount_minor: int | None
    currency: str | None
    text: str | None
    confidence: float
    decision: str
    reject_reason: str | None
    max_error: float
    field_only: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """All that a reading rests on.

    image_sha256: of the file as received. reading: what was found. turned: the page was read
    upside down. look: the look that fields, cuts, arcs, path and runners-up are of, 1 for the page
    as it is. path: the winner's steps, penalty: theirs; both None where nothing spells an amount.
    no_amount: the penalty of there being none. looks: what every look at the page gives the amount,
    by its segments and, where the model has one, by the swept network; posterior: what they come to
    together. signs: what there is to doubt the reading for, by `card.SIGNS`; the
    calibration made the confidence of posterior and signs. calibration_version: names the
    calibration with all its counts. digest: SHA-256, in hexadecimal, of all the other members as
    canonical JSON (RFC 8785).
    """

    version: int
    image_sha256: str
    reading: Found | None
    turned: bool
    look: int
    fields: tuple[LocatedField, ...]
    cuts: tuple[Cut, ...]
    arcs: tuple[Arc, ...]
    path: tuple[Step, ...] | None
    penalty: PathPenalty | None
    no_amount: float
    posterior: float | None
    looks: tuple[tuple[float, ...], ...]
    signs: dict[str, float]
    runners_up: tuple[RunnerUp, ...]
    model_version: str
    model_sha256: str
    grammar_version: str
    calibration_version: str
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Chain:
    """What the stages made of one orientation of an image.

    zones: what was segmented, by box; found: interpretations, the best first; confidences:
    calibrated, by amount.
    """

    zones: Mapping[Box, ZoneSegments | None]
    fields: Sequence[FieldCandidate]
    graph: SegmentationGraph
    lattice: Lattice
    grammar: Grammar
    found: Sequence[Interpretation]
    confidences: Mapping[int, float]
    to_original: NDArray[np.float64]


def gather(
    chain: Chain,
    *,
    no_amount: float,
    look: int,
    looks: Sequence[Sequence[float]],
    posterior: float,
    signs: Sequence[float],
    model: tuple[str, str],
    calibration: Calibration,
) -> Evidence:
    """The evidence of a reading, not sealed yet; model: its version and sha256.

    looks: what every look at the page gives the amount, in each of its ways; posterior: together;
    look: the one that the chain is of, from 1.
    """
    first = chain.found[0] if chain.found else None
    field = int(chain.lattice.field[first.arcs[0]]) if first else -1
    numbers = _numbers(chain.graph, field)
    places = chain.fields[field].zones if field >= 0 else ()
    zones = [zone for place in places if (zone := chain.zones[place.box]) is not None]
    lines = cut_lines(zones, chain.graph, field, chain.to_original)
    return Evidence(
        version=VERSION,
        image_sha256="",
        reading=None,
        turned=False,
        look=look,
        fields=tuple(_located(chain, index, field) for index in range(len(chain.fields))),
        cuts=tuple(Cut(number, lines.get(node, ())) for node, number in numbers.items()),
        arcs=_arcs(chain, field, numbers),
        path=_path(chain, first, numbers) if first else None,
        penalty=_penalty(chain, first) if first else None,
        no_amount=_rounded(no_amount),
        posterior=_rounded(posterior) if looks else None,
        looks=tuple(tuple(map(_rounded, one)) for one in looks),
        signs={name: _rounded(one) for name, one in zip(SIGNS, signs, strict=False)},
        runners_up=tuple(
            _runner_up(chain, first, other, numbers)
            for other in chain.found[1:]
            if first is not None
        ),
        model_version=model[0],
        model_sha256=model[1],
        grammar_version=chain.grammar.version,
        calibration_version=calibration_version(calibration),
    )


def seal(evidence: Evidence, data: bytes, reading: Found, *, turned: bool) -> Evidence:
    """The evidence with the file and the reading that it is of, and its digest."""
    reading = replace(reading, confidence=_rounded(reading.confidence))
    whole = replace(
        evidence, image_sha256=hashlib.sha256(data).hexdigest(), reading=reading, turned=turned
    )
    return replace(whole, digest=digest(members_of(whole)))


def digest(members: Mapping[str, Any]) -> str:
    """The digest that belongs to evidence with these members, as JSON has them."""
    rest = {name: value for name, value in members.items() if name != "digest"}
    return hashlib.sha256(canonical(rest)).hexdigest()


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of what evidence is made of: at most 4 decimals, ASCII names."""
    return json.dumps(
        _whole_numbers(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    ).encode()


@lru_cache(maxsize=16)
def calibration_version(calibration: Calibration) -> str:
    """12 hexadecimal digits that change with a calibration or the counts it rests on."""
    text = json.dumps(asdict(calibration), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _whole_numbers(value: Any) -> Any:
    """Floats without a fraction as integers, as RFC 8785 writes them."""
    if isinstance(value, (str, int)):
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else value
    if isinstance(value, Mapping):
        return {name: _whole_numbers(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_whole_numbers(one) for one in value]
    return value


def _rounded(value: float) -> float:
    # Adding zero makes minus zero, which JSON would keep, plain zero.
    return round(min(max(float(value), -1e6), 1e6), _DECIMALS) + 0.0


def _numbers(graph: SegmentationGraph, field: int) -> dict[int, int]:
    """The chosen field's nodes, numbered from its beginning to its end."""
    own = graph.field == field
    nodes = np.unique(np.concatenate([graph.src[own], graph.dst[own]])).tolist()
    return {node: number for number, node in enumerate(nodes)}


def _located(chain: Chain, index: int, chosen: int) -> LocatedField:
    field = chain.fields[index]
    zones = tuple(
        polygon(np.array(zone.box, np.float32), chain.to_original) for zone in field.zones
    )
    return LocatedField(zones, _rounded(field.penalty), index == chosen)


def _arcs(chain: Chain, field: int, numbers: Mapping[int, int]) -> tuple[Arc, ...]:
    arcs = []
    for arc in np.flatnonzero(chain.graph.field == field).tolist():
        segment = int(chain.graph.segment[arc])
        symbol, penalty = " ", 0.0
        if segment >= 0:
            row = chain.lattice.class_penalty[segment]
            label = int(row.argmin())
            symbol, penalty = chain.grammar.labels[label], float(row[label])
        src, dst = int(chain.graph.src[arc]), int(chain.graph.dst[arc])
        whole = penalty + _segmentation(chain, arc)
        arcs.append(Arc(numbers[src], numbers[dst], symbol, _rounded(whole)))
    return tuple(arcs)


def _entering(chain: Chain, arc: int) -> float:
    """What an arc's penalty holds for entering its field: its own, and its normalisation."""
    if chain.graph.src[arc] != 0:
        return 0.0
    added = float(chain.lattice.penalty[arc]) - float(chain.graph.penalty[arc])
    return added + chain.fields[int(chain.graph.field[arc])].penalty


def _segmentation(chain: Chain, arc: int) -> float:
    return float(chain.lattice.penalty[arc]) - _entering(chain, arc)


def _recognition(chain: Chain, arc: int, label: int) -> float:
    segment = int(chain.graph.segment[arc])
    return float(chain.lattice.class_penalty[segment, label]) if segment >= 0 else 0.0


def _path(chain: Chain, one: Interpretation, numbers: Mapping[int, int]) -> tuple[Step, ...]:
    return tuple(
        _step(chain, arc, label, numbers)
        for arc, label in zip(one.arcs.tolist(), one.labels.tolist(), strict=True)
    )


def _step(chain: Chain, arc: int, label: int, numbers: Mapping[int, int]) -> Step:
    graph, labels = chain.graph, chain.grammar.labels
    segment = int(graph.segment[arc])
    box, crop = None, None
    others: tuple[ReadAs, ...] = ()
    if segment >= 0:
        box = polygon(graph.boxes[segment], chain.to_original)
        crop = _png(graph.crops[segment])
        row = chain.lattice.class_penalty[segment]
        likely = [one for one in np.argsort(row, kind="stable").tolist() if one != label]
        others = tuple(ReadAs(labels[one], _rounded(row[one])) for one in likely[:_OTHERS])
    return Step(
        src=numbers[int(graph.src[arc])],
        dst=numbers[int(graph.dst[arc])],
        symbol=labels[label],
        box=box,
        crop=crop,
        segmentation=_rounded(_segmentation(chain, arc)),
        recognition=_rounded(_recognition(chain, arc, label)),
        others=others,
    )


def _png(crop: NDArray[np.uint8]) -> str:
    done, data = cv2.imencode(".png", crop)
    assert done
    return base64.b64encode(data.tobytes()).decode()


def _sums(chain: Chain, steps: Sequence[tuple[int, int]]) -> tuple[float, float]:
    """Penalties of segmentation and recognition of steps (arc, label)."""
    return (
        sum(_segmentation(chain, arc) for arc, _ in steps),
        sum(_recognition(chain, arc, label) for arc, label in steps),
    )


def _steps(one: Interpretation) -> list[tuple[int, int]]:
    return list(zip(one.arcs.tolist(), one.labels.tolist(), strict=True))


def _penalty(chain: Chain, one: Interpretation) -> PathPenalty:
    field = sum(_entering(chain, arc) for arc in one.arcs.tolist())
    segmentation, recognition = _sums(chain, _steps(one))
    return PathPenalty(
        field=_rounded(field),
        segmentation=_rounded(segmentation),
        recognition=_rounded(recognition),
        grammar=_rounded(one.penalty - field - segmentation - recognition),
        total=_rounded(one.penalty),
    )


def _runner_up(
    chain: Chain,
    first: Interpretation,
    other: Interpretation,
    numbers: Mapping[int, int],
) -> RunnerUp:
    same = chain.graph.field[first.arcs[0]] == chain.graph.field[other.arcs[0]]
    return RunnerUp(
        amount_minor=other.amount_minor,
        currency=other.currency,
        text=other.text,
        confidence=_rounded(chain.confidences.get(other.amount_minor, 0.0)),
        behind=_rounded(other.penalty - first.penalty),
        same_field=bool(same),
        differences=_differences(chain, first, other, numbers) if same else (),
    )


def _differences(
    chain: Chain, first: Interpretation, other: Interpretation, numbers: Mapping[int, int]
) -> tuple[Difference, ...]:
    shared = {int(chain.graph.dst[arc]) for arc, _ in _steps(first)}
    shared &= {int(chain.graph.dst[arc]) for arc, _ in _steps(other)}
    ours, theirs = (_between(chain, _steps(one), shared) for one in (first, other))
    differences, start = [], 0
    for (end, own), (_, others) in zip(ours, theirs, strict=True):
        if own != others:
            before, after = _sums(chain, own), _sums(chain, others)
            differences.append(
                Difference(
                    src=numbers[start],
                    dst=numbers[end],
                    instead_of=_spelled(chain, own),
                    symbols=_spelled(chain, others),
                    segmentation=_rounded(after[0] - before[0]),
                    recognition=_rounded(after[1] - before[1]),
                )
            )
        start = end
    return tuple(differences)


def _between(
    chain: Chain, steps: Sequence[tuple[int, int]], shared: set[int]
) -> list[tuple[int, list[tuple[int, int]]]]:
    """Steps in groups that each end at a shared node."""
    groups: list[tuple[int, list[tuple[int, int]]]] = []
    group: list[tuple[int, int]] = []
    for arc, label in steps:
        group.append((arc, label))
        end = int(chain.graph.dst[arc])
        if end in shared:
            groups.append((end, group))
            group = []
    return groups


def _spelled(chain: Chain, steps: Sequence[tuple[int, int]]) -> str:
    return "".join(chain.grammar.labels[label] for _, label in steps)
