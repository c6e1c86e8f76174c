"""How sure a reading is, and whether that is sure enough (section X-F).

A confidence is fitted: a logistic map makes the posterior of a reading a probability. What is
accepted is not left to that fit: it is tested. The labelled sample of the calibration is counted at
thresholds that were fixed beforehand, and a fixed-sequence test over them (Maurer, Hothorn and
Lehmacher, 1995; for the risk of a model Angelopoulos et al., "Learn then Test", 2021) finds the
lowest one whose error is below the caller's bound.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import KNEE, Calibration, Tally

Decision = Literal["accept", "reject"]

NO_AMOUNT = "no_amount_found"
LOW_CONFIDENCE = "low_confidence"
NOT_CALIBRATED = "not_calibrated"
UNSUPPORTED = "error_bound_unsupported"
NEGATIVE = "negative_amount"
ZERO = "zero_amount"
UNREADABLE = "unreadable_image"
NO_CHEQUE = "no_cheque"
STRUCK = "struck_out"

DEFAULT_MAX_ERROR: Final = 0.01
# Chance that a calibration sample makes the reader accept more errors than the bound.
_RISK: Final = 0.05
# The tested thresholds, logits of uncalibrated posteriors. Fixed: the test is only valid for
# thresholds that were chosen without looking at what is right.
_THRESHOLDS: Final = tuple(round(12 - 0.1 * step, 1) for step in range(151))
# Where the tests begin. With few accepted a single early error would end a test that the many after
# it could have passed, so that the first threshold tested accepts enough to pass with this many, or
# this share of a small sample's candidates; and of a large sample's at least this share, or number.
_FIRST_ERRORS: Final = 2
_FIRST_SHARE: Final = 1 / 3
_LARGE_SHARE: Final = 1 / 5
_LARGE_FIRST: Final = 2500
_LARGEST_LOGIT = 30.0
# Above its knee a calibration keeps this share of its slope; how far its bend is held back: a small
# sample has none.
_LEAST_SLOPE: Final = 0.1
_RIDGES: Final = (5e-3, 5e-3, 2.0)


@dataclass(frozen=True, slots=True)
class Acceptance:
    """What is accepted: readings of at least this confidence.

    accepted, wrong: how many of the calibration sample that were, and how many of those in error.
    """

    confidence: float
    accepted: int
    wrong: int


def posterior(of_amount: float, of_everything: float) -> float:
    """exp(-(forward penalty of all that spells the amount - of everything)), in [0, 1]."""
    return math.exp(min(of_everything - of_amount, 0.0))


def calibrated(probability: float, calibration: Calibration) -> float:
    """A posterior as a probability that holds on held-out data, in [0, 1]."""
    return _confidence(_logit(probability), calibration)


def uncalibrated(confidence: float, calibration: Calibration) -> float:
    """The posterior that this confidence was made of."""
    return _sigmoid(calibration.unmapped(_logit(confidence)))


def fit_calibration(posteriors: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    """The calibration under which outcomes on held-out data are most probable, with its tally.

    posteriors f64 [N], uncalibrated, of the readings that hang on their confidence (see
    `hangs_on_confidence`); right bool [N]: whether each is the true amount. Raises ValueError for
    an empty sample, and where errors do not get rarer as the posterior rises.
    """
    if len(posteriors) == 0:
        raise ValueError("a calibration needs readings")
    logits = np.array([_logit(p) for p in posteriors.tolist()])
    slope, shift, bend = _fit_logistic(logits, right)
    if slope <= 0:
        raise ValueError("the sample's errors do not get rarer as the reader gets surer")
    return Calibration(slope, shift, tally(logits, right), max(bend, _LEAST_SLOPE * slope - slope))


def tally(logits: NDArray[np.float64], right: NDArray[np.bool_]) -> Tally:
    """A sample counted at the thresholds, but those that accept no more than the one above.

    logits f64 [N] of uncalibrated posteriors; right bool [N].
    """
    steps: list[tuple[float, int, int]] = []
    for threshold in _THRESHOLDS:
        chosen = logits >= threshold
        count = int(chosen.sum())
        if count > (steps[-1][1] if steps else 0):
            steps.append((threshold, count, count - int(right[chosen].sum())))
    return Tally(
        candidates=len(logits),
        logits=tuple(step[0] for step in steps),
        accepted=tuple(step[1] for step in steps),
        wrong=tuple(step[2] for step in steps),
    )


@lru_cache(maxsize=1024)
def largest_acceptance(calibration: Calibration, max_error: float) -> Acceptance | None:
    """The most that may be accepted with at most max_error of it wrong; None: nothing.

    Over calibration samples, the chance of an acceptance that errs more is at most 5 %, the search
    over thresholds included: from the most confident downward each must pass the exact binomial
    test of "errs more than max_error", and the first that fails ends the search. Thresholds that
    accept too few to pass even without an error are skipped while they hold none. What a smaller
    max_error accepts, a larger one does too.
    """
    found = None
    counts = calibration.tally
    if counts is None:
        return None
    first = max(
        min(_enough(_FIRST_ERRORS, max_error), _FIRST_SHARE * counts.candidates),
        min(_LARGE_FIRST, _LARGE_SHARE * counts.candidates),
    )
    for threshold, accepted, wrong in zip(
        counts.logits, counts.accepted, counts.wrong, strict=True
    ):
        if accepted < first:
            continue
        if binomial_tail(wrong, accepted, max_error) <= _RISK:
            found = Acceptance(_confidence(threshold, calibration), accepted, wrong)
        elif wrong > 0:
            break
    return found


@lru_cache(maxsize=1024)
def _enough(wrong: int, max_error: float) -> int:
    """The fewest accepted, so many of them wrong, that pass the test of max_error."""
    low, high = wrong, math.ceil(20 * (wrong + 1) / max_error)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (low, middle) if binomial_tail(wrong, middle, max_error) <= _RISK else (middle, high)
        )
    return high


def sample_needed(max_error: float) -> int:
    """How many must be accepted without an error to support max_error: 299 for 1 %."""
    return math.ceil(math.log(_RISK) / math.log1p(-max_error))


def error_bound(wrong: int, accepted: int) -> float:
    """The error that `wrong` of `accepted` leave possible with 95 % confidence, in [0, 1].

    The one-sided bound of Clopper and Pearson (1934), at one threshold that was not searched for.
    """
    low, high = 0.0, 1.0
    while wrong < accepted and high - low > 1e-9:
        middle = (low + high) / 2
        if binomial_tail(wrong, accepted, middle) > _RISK:
            low = middle
        else:
            high = middle
    return high


def binomial_tail(wrong: int, count: int, error: float) -> float:
    """P(at most `wrong` of `count` are in error), each with probability error in (0, 1)."""
    if wrong >= count:
        return 1.0
    k = np.arange(wrong + 1)
    steps = np.log((count - k[1:] + 1) / k[1:]) + math.log(error) - math.log1p(-error)
    terms = count * math.log1p(-error) + np.concatenate([[0.0], np.cumsum(steps)])
    top = float(terms.max())
    return min(1.0, math.exp(top) * float(np.exp(terms - top).sum()))


def decide(
    amount_minor: int | None,
    confidence: float,
    max_error: float,
    calibration: Calibration,
    *,
    negative: bool,
    blank: bool,
    other_paper: bool = False,
    struck: bool = False,
    placed: bool = True,
) -> tuple[Decision, str | None]:
    """Accept, or say why not, so that at most max_error of what is accepted is wrong.

    negative: the amount was written as a negative one, or may have been. blank: the image holds no
    ink at all. other_paper: the page is no cheque. struck: a line runs through the amount or across
    the cheque. placed: it stands where a cheque's amount may.
    """
    if blank:
        return "reject", UNREADABLE
    if amount_minor is None:
        return "reject", NO_AMOUNT
    if negative or amount_minor < 0:
        return "reject", NEGATIVE
    if other_paper:
        return "reject", NO_CHEQUE
    if amount_minor == 0:
        return "reject", ZERO
    if struck:
        return "reject", STRUCK
    if not placed:
        return "reject", NO_AMOUNT
    if calibration.tally is None:
        return "reject", NOT_CALIBRATED
    acceptance = largest_acceptance(calibration, max_error)
    if acceptance is None:
        return "reject", UNSUPPORTED
    if confidence < acceptance.confidence:
        return "reject", LOW_CONFIDENCE
    return "accept", None


def hangs_on_confidence(reject_reason: str | None) -> bool:
    """Whether a reading with this reject reason is accepted once its confidence is high enough.

    Only such readings belong in the sample of a calibration.
    """
    return reject_reason in (None, LOW_CONFIDENCE, NOT_CALIBRATED, UNSUPPORTED)


def _confidence(x: float, calibration: Calibration) -> float:
    return _sigmoid(calibration.mapped(x))


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -_LARGEST_LOGIT), _LARGEST_LOGIT)))


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-13), 1 - 1e-13)
    return math.log(clipped) - math.log1p(-clipped)


def _fit_logistic(x: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[float, float, float]:
    """Slope, shift and bend of a logistic regression with smoothed targets.

    As in Platt (1999) the targets keep a sample without an error from giving certainty: less than
    one error is spread over the right readings. It is spread in proportion to what the posteriors
    expect, not evenly, or such a sample would make every reading equally sure.
    """
    good, bad = int(right.sum()), int((~right).sum())
    doubt = np.where(right, 1 / (1 + np.exp(np.clip(x, -30, 30))), 0.0)
    doubt *= good / (good + 2) / max(float(doubt.sum()), 1e-300)
    target = np.where(right, 1 - np.minimum(doubt, 0.5), 1 / (bad + 2))
    design = np.stack([x, np.ones_like(x), np.maximum(x - KNEE, 0.0)], axis=1)
    plain, ridge = np.array([1.0, 0.0, 0.0]), np.array(_RIDGES)
    weights = plain.copy()

    def loss(candidate: NDArray[np.float64]) -> float:
        z = design @ candidate
        held = (ridge * (candidate - plain) ** 2).sum()
        return float((np.logaddexp(0.0, z) - target * z).sum() + held)

    # Newton's method with step halving; the ridge keeps it steady where outcomes separate.
    for _ in range(50):
        expected = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (expected - target) + 2 * ridge * (weights - plain)
        curvature = (design * (expected * (1 - expected))[:, None]).T @ design
        step = np.linalg.solve(curvature + 2 * np.diag(ridge), gradient)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-9:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-7:
            break
    slope, shift, bend = weights.tolist()
    return slope, shift, bend
