"""How sure a reading is, and whether that is sure enough (section X-F)."""

import math
from typing import Literal

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
    clipped = min(max(probability, 1e-13), 1 - 1e-13)
    logit = math.log(clipped) - math.log1p(-clipped)
    x = calibration.slope * logit + calibration.shift
    return 1 / (1 + math.exp(-min(max(x, -_LARGEST_LOGIT), _LARGEST_LOGIT)))


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
