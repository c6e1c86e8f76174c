"""How sure a reading is, and whether that is sure enough (section X-F)."""

import math
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Calibration

Decision = Literal["accept", "reject"]

NO_AMOUNT = "no_amount_found"
LOW_CONFIDENCE = "low_confidence"
NEGATIVE = "negative_amount"
ZERO = "zero_amount"
UNREADABLE = "unreadable_image"
SEVERAL_FIELDS = "several_amounts"

_LARGEST_LOGIT = 30.0


def posterior(of_amount: float, of_everything: float) -> float:
    """exp(-(forward penalty of all that spells the amount - of everything)), in [0, 1]."""
    return math.exp(min(of_everything - of_amount, 0.0))


def calibrated(probability: float, calibration: Calibration) -> float:
    """A posterior as a probability that holds on held-out data, in [0, 1]."""
    x = calibration.slope * _logit(probability) + calibration.shift
    return 1 / (1 + math.exp(-min(max(x, -_LARGEST_LOGIT), _LARGEST_LOGIT)))


def fit_calibration(posteriors: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration:
    """The calibration under which outcomes on held-out data are most probable.

    posteriors f64 [N] of amounts that were read, uncalibrated; right bool [N]: whether each was the
    true amount. Logistic regression with the targets of Platt (1999), which keep a sample without
    an error from giving certainty. Raises ValueError for an empty sample.
    """
    if len(posteriors) == 0:
        raise ValueError("a calibration needs readings")
    x = np.array([_logit(p) for p in posteriors.tolist()])
    good, bad = int(right.sum()), int((~right).sum())
    target = np.where(right, (good + 1) / (good + 2), 1 / (bad + 2))
    design = np.stack([x, np.ones_like(x)], axis=1)
    weights = np.array([1.0, 0.0])

    def loss(candidate: NDArray[np.float64]) -> float:
        z = design @ candidate
        return float(
            (np.logaddexp(0.0, z) - target * z).sum() + ridge * ((candidate - plain) ** 2).sum()
        )

    # Newton's method with step halving; the ridge keeps it steady where outcomes separate.
    plain, ridge = weights.copy(), 5e-3
    for _ in range(50):
        expected = 1 / (1 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (expected - target) + 2 * ridge * (weights - plain)
        curvature = (design * (expected * (1 - expected))[:, None]).T @ design
        step = np.linalg.solve(curvature + 2 * ridge * np.eye(2), gradient)
        while loss(weights - step) > loss(weights) and np.abs(step).max() > 1e-9:
            step = step / 2
        weights = weights - step
        if np.abs(step).max() < 1e-7:
            break
    return Calibration(slope=float(weights[0]), shift=float(weights[1]))


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-13), 1 - 1e-13)
    return math.log(clipped) - math.log1p(-clipped)


def decide(
    amount_minor: int | None, confidence: float, max_error: float, *, negative: bool, blank: bool
) -> tuple[Decision, str | None]:
    """Accept an amount that is wrong with a probability of at most max_error; else say why not.

    negative: the amount was written as a negative one. blank: the image holds no ink at all.
    """
    if blank:
        return "reject", UNREADABLE
    if amount_minor is None:
        return "reject", NO_AMOUNT
    if negative:
        return "reject", NEGATIVE
    if amount_minor == 0:
        return "reject", ZERO
    if confidence < 1 - max_error:
        return "reject", LOW_CONFIDENCE
    return "accept", None
