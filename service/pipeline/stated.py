"""Whether an image bears out an amount that a record states of it.

The lattice gives the forward penalty of any one amount, so that of the stated one too, however far
from the best it is: what counts is how many times less probable it is than the likeliest. The rule
was chosen on synthetic cheques (`python -m training x9`), where alarms at right records must be
rare: a reading flags a record only where it is itself likely to be right. Amounts that differ by a
factor of a hundred need more: a mark lost before the cents is an error of reading more often than
one of the record.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from service.pipeline.automaton import Grammar
from service.pipeline.card import Calibration
from service.pipeline.decision import calibrated, posterior
from service.pipeline.search import Lattice, forward_of_amount

Verdict = Literal["agrees", "disagrees", "unread"]

LARGEST_PENALTY: Final = 1000.0
AGREES_PENALTY: Final = 3.0
AGREES_CONFIDENCE: Final = 0.02
DISAGREES_PENALTY: Final = 10.0
DISAGREES_CONFIDENCE: Final = 0.5
HUNDREDFOLD_PENALTY: Final = 16.0
# Posteriors below this are as good as none.
_LEAST: Final = 1e-13


@dataclass(frozen=True, slots=True)
class Stated:
    """How well an image bears out an amount that a record states.

    confidence: calibrated probability that this is the amount written, whatever was read. penalty:
    forward penalty of all that spells it less that of the likeliest amount, at most
    LARGEST_PENALTY; 0 where it is the likeliest itself. verdict: agrees, disagrees, or unread where
    the image does not tell.
    """

    amount_minor: int
    confidence: float
    penalty: float
    verdict: Verdict


def bear_out(
    lattice: Lattice,
    grammar: Grammar,
    amount_minor: int,
    everything: float,
    found: Sequence[tuple[int, float]],
    calibration: Calibration,
) -> Stated:
    """What the lattice says of one amount.

    everything: forward penalty of all amounts and of none. found: the amounts read and their
    posteriors, uncalibrated.
    """
    spelled = forward_of_amount(lattice, grammar, amount_minor)
    read, likeliest = max(found, key=lambda one: one[1], default=(None, 0.0))
    confidence = calibrated(posterior(spelled, everything), calibration)
    ahead = spelled - everything + math.log(max(likeliest, _LEAST))
    penalty = min(max(ahead, 0.0), LARGEST_PENALTY)
    verdict = judge(read, calibrated(likeliest, calibration), amount_minor, confidence, penalty)
    return Stated(amount_minor, confidence, penalty, verdict)


def judge(
    read: int | None, confidence: float, stated: int, stated_confidence: float, penalty: float
) -> Verdict:
    """The rule. read, confidence: the likeliest amount; penalty: as in `Stated`."""
    if read is None:
        return "unread"
    if penalty <= AGREES_PENALTY and stated_confidence >= AGREES_CONFIDENCE:
        return "agrees"
    hundredfold = read // 100 == stated or stated // 100 == read
    needed = HUNDREDFOLD_PENALTY if hundredfold else DISAGREES_PENALTY
    if confidence >= DISAGREES_CONFIDENCE and penalty >= needed:
        return "disagrees"
    return "unread"
