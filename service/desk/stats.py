"""The figures of the dashboard: read rate, error, reject reasons, confidence, drift.

The error is that of accepted readings, estimated from audits: accepted items drawn at random that
clerks keyed without knowing. Its interval is that of Clopper and Pearson (1934), 95 %, two-sided.
Drift compares the confidences of the last days with those of the calibration sample.
"""

import math
import time
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import sqlalchemy as sa

from service.desk.counts import FAILED, WIDTH
from service.desk.tables import desk_counts, desk_outcomes
from service.jobs.store import Store
from service.pipeline.card import Calibration
from service.pipeline.decision import binomial_tail, hangs_on_confidence

_DAY: Final = 86400.0
# Of a population stability index: what is usually called a shift that needs looking into.
DRIFTED: Final = 0.2
LEAST_FOR_DRIFT: Final = 200
_DRIFT_DAYS: Final = 7
# Edges of the bins that are compared, in the logit of the confidence.
_EDGES: Final = (-2.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0)
_LEAST_SHARE: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Rate:
    """part of whole, as counted."""

    part: int
    whole: int

    @property
    def share(self) -> float | None:
        """part / whole, None of nothing."""
        return self.part / self.whole if self.whole else None


@dataclass(frozen=True, slots=True)
class Error:
    """Errors among audited accepted items; low, high: of the share, with 95 % confidence."""

    wrong: int
    audited: int
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Slice:
    """The figures of one day, of one source, or of all."""

    name: str
    read: Rate
    error: Error
    reasons: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Bar:
    """Readings whose confidence is from low to high; expected: by the calibration sample."""

    low: float
    high: float
    count: int
    expected: float | None


@dataclass(frozen=True, slots=True)
class Drift:
    """How far recent confidences are from the calibration sample's.

    index: the population stability index, None where there is nothing to compare. Drifted: the
    index is large and the readings are enough to tell.
    """

    index: float | None
    readings: int
    drifted: bool


@dataclass(frozen=True, slots=True)
class Figures:
    """All of the dashboard. kinds: decisions by what clerks said; agreed: amounts that are those
    read, among all amounts keyed for rejected items."""

    total: Slice
    days: tuple[Slice, ...]
    sources: tuple[Slice, ...]
    histogram: tuple[Bar, ...]
    drift: Drift
    kinds: Mapping[str, int]
    agreed: Rate


def figures(
    store: Store,
    *,
    days: int,
    source: str | None,
    model: str,
    calibration: Calibration,
) -> Figures:
    """The figures of the last days; source: of one alone.

    model, calibration: those that are served; whole images read with them are compared with the
    calibration's sample.
    """
    first = time.strftime("%Y-%m-%d", time.gmtime(time.time() - (days - 1) * _DAY))
    counts, outcomes = _rows(store, first, source)
    by_day, by_source = _grouped(counts, outcomes, "day"), _grouped(counts, outcomes, "source")
    recent = time.strftime("%Y-%m-%d", time.gmtime(time.time() - (_DRIFT_DAYS - 1) * _DAY))
    own = [
        row
        for row in counts
        if row.model == model and not row.field_only and _is_candidate(row.result)
    ]
    return Figures(
        total=_slice("all", counts, outcomes),
        days=tuple(_slice(name, *by_day[name]) for name in sorted(by_day, reverse=True)),
        sources=tuple(_slice(name, *by_source[name]) for name in sorted(by_source)),
        histogram=_histogram(own, calibration),
        drift=_drift([row for row in own if row.day >= recent], calibration),
        kinds=dict(Counter(row.kind for row in outcomes)),
        agreed=_agreed(outcomes),
    )


def interval(wrong: int, count: int) -> tuple[float, float]:
    """The two-sided 95 % interval of a share of which `wrong` of `count` were seen."""
    if count == 0:
        return 0.0, 1.0
    return _bound(wrong - 1, count, 0.975), _bound(wrong, count, 0.025)


def _bound(wrong: int, count: int, tail: float) -> float:
    """The share under which at most `wrong` of `count` has the probability `tail`."""
    if wrong < 0:
        return 0.0
    if wrong >= count:
        return 1.0
    low, high = 0.0, 1.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_tail(wrong, count, middle) > tail else (low, middle)
    return high


def _rows(store: Store, first: str, source: str | None) -> tuple[list[Any], list[Any]]:
    found = []
    with store.engine.connect() as connection:
        for table in (desk_counts, desk_outcomes):
            query = sa.select(table).where(table.c.day >= first)
            if source is not None:
                query = query.where(table.c.source == source)
            found.append(list(connection.execute(query)))
    return found[0], found[1]


def _grouped(
    counts: Sequence[Any], outcomes: Sequence[Any], name: str
) -> dict[str, tuple[list[Any], list[Any]]]:
    groups: dict[str, tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for kind, rows in enumerate((counts, outcomes)):
        for row in rows:
            groups[getattr(row, name)][kind].append(row)
    return groups


def _slice(name: str, counts: Sequence[Any], outcomes: Sequence[Any]) -> Slice:
    results: Counter[str] = Counter()
    for row in counts:
        results[row.result] += row.count
    accepted = results.pop("accept", 0)
    # What clerks could not tell from the figures says nothing of how they were read.
    audits = [
        row for row in outcomes if row.reason == "audit" and row.kind in ("amount", "not_a_cheque")
    ]
    wrong = sum(not row.agrees for row in audits)
    low, high = interval(wrong, len(audits))
    return Slice(
        name,
        Rate(accepted, accepted + sum(results.values())),
        Error(wrong, len(audits), low, high),
        dict(results.most_common()),
    )


def _agreed(outcomes: Sequence[Any]) -> Rate:
    keyed = [row for row in outcomes if row.reason == "rejected" and row.kind == "amount"]
    return Rate(sum(row.agrees for row in keyed), len(keyed))


def _is_candidate(result: str) -> bool:
    return result != FAILED and hangs_on_confidence(None if result == "accept" else result)


def _binned(rows: Sequence[Any]) -> list[int]:
    """Readings between the edges, those beyond the first and the last among them."""
    bars = [0] * (len(_EDGES) + 1)
    for row in rows:
        logit = (row.bin + 0.5) * WIDTH
        bars[sum(edge <= logit for edge in _EDGES)] += row.count
    return bars


def _expected(calibration: Calibration) -> list[float] | None:
    """The shares of the calibration sample between the edges."""
    tally = calibration.tally
    if tally is None or not tally.logits:
        return None
    above = []
    for edge in _EDGES:
        threshold = calibration.unmapped(edge)
        # The tally counts from the highest threshold down; below its last one nobody is counted.
        reached = [
            count
            for logit, count in zip(tally.logits, tally.accepted, strict=True)
            if logit >= threshold
        ]
        above.append(max(reached, default=0) / tally.candidates)
    shares = [1.0, *above, 0.0]
    return [high - low for high, low in pairwise(shares)]


def _histogram(rows: Sequence[Any], calibration: Calibration) -> tuple[Bar, ...]:
    expected = _expected(calibration)
    sides = [-math.inf, *_EDGES, math.inf]
    return tuple(
        Bar(
            _sigmoid(sides[number]),
            _sigmoid(sides[number + 1]),
            count,
            None if expected is None else expected[number],
        )
        for number, count in enumerate(_binned(rows))
    )


def _drift(rows: Sequence[Any], calibration: Calibration) -> Drift:
    bars, expected = _binned(rows), _expected(calibration)
    total = sum(bars)
    if expected is None or total == 0:
        return Drift(None, total, False)
    index = 0.0
    for count, share in zip(bars, expected, strict=True):
        now, then = max(count / total, _LEAST_SHARE), max(share, _LEAST_SHARE)
        index += (now - then) * math.log(now / then)
    return Drift(round(index, 4), total, index > DRIFTED and total >= LEAST_FOR_DRIFT)


def _sigmoid(logit: float) -> float:
    return 1.0 if logit == math.inf else 0.0 if logit == -math.inf else 1 / (1 + math.exp(-logit))
