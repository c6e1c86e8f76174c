"""Whether an image bears out an amount that a record states of it.

The lattice gives the posterior of any one amount, so that of the stated one too, however far from
the best it is. Where a page does not show the stated amount at first it is looked at again
(`looks`), and posteriors are averaged: an amount that is written is hardly missed by every look.

A record is judged by one number, the odds of "it is wrong" against "it is right" that the image
gives: on the one side all other amounts, each as probable as it is read and as a wrong record of it
would state this one (`slips`), on the other the stated amount itself. So a single digit that is
surely another one flags a record, and cents that were overlooked do not, though the reading be as
sure: hardly any slip of a record makes the one amount of the other. Nothing is flagged because
nothing is read, and the less sure the looks are of any amount, the more of the odds is put down to
their having missed it. How much the odds count, and from where on a record is flagged, is fitted
(`python -m training x9-fit`), and is in the model's card.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from service.pipeline.card import Calibration, RecordRule
from service.pipeline.decision import calibrated
from service.pipeline.slips import LARGEST_WRITTEN, any_amount, slip

Verdict = Literal["agrees", "disagrees", "unread"]

LARGEST_PENALTY: Final = 1000.0
CONCLUSIVE: Final = 0.5
"""The posterior of the stated amount from which on one look is enough."""
AGREES_CONFIDENCE: Final = 0.02
AGREES_WRONG: Final = 0.01
# Posteriors below this are as good as none.
_LEAST: Final = 1e-15
# How often, of the times that an amount is read, it is another one for the reader's commonest
# faults: a mark before the cents that is not there or overlooked, other cents, a sign or the edge
# of a box taken for the first digit, and a fraction, or cents that touch the units, for digits.
_MARK: Final = 0.01
_CENTS: Final = 0.001
_FIRST: Final = 0.003
_LAST: Final = 0.001
# And how often, of the times that the likeliest amount is not right, nothing that was read tells.
_MISSED: Final = 0.01
_SHORTEST: Final = 1000
_MOST_LAST: Final = 5


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a page says: the posterior of the stated amount, and the likeliest amounts
    with theirs, minor units and uncalibrated."""

    stated: float
    found: tuple[tuple[int, float], ...]


@dataclass(frozen=True, slots=True)
class Stated:
    """How well an image bears out an amount that a record states.

    confidence: calibrated probability that this is the amount written, whatever was read. penalty:
    how many times less probable than the likeliest amount it is, as a natural logarithm, at most
    LARGEST_PENALTY; 0 where it is the likeliest itself. odds: natural logarithm of the odds that
    the image gives for a wrong record; None where nothing was read. wrong: probability that the
    record is wrong, where RecordRule.prior of all are. verdict: agrees, disagrees, or unread where
    the image does not tell. likeliest_minor: the most probable amount over all looks, of
    those that a cheque can have, with likeliest_confidence; None where there is none. looks: how
    many there were.
    """

    amount_minor: int
    confidence: float
    penalty: float
    verdict: Verdict
    odds: float | None = None
    wrong: float | None = None
    likeliest_minor: int | None = None
    likeliest_confidence: float = 0.0
    looks: int = 1


def judge(
    looks: Sequence[Look], amount_minor: int, calibration: Calibration, rule: RecordRule
) -> Stated:
    """The verdict of one look or several on a record that states an amount in minor units."""
    share = 1 / len(looks)
    said = share * sum(one.stated for one in looks)
    found: dict[int, float] = {}
    largest = max(LARGEST_WRITTEN, 10 ** len(str(amount_minor)) - 1)
    for one in looks:
        for amount, probability in one.found:
            # What has more digits than an amount can have is a date or a number taken for one.
            if 0 < amount <= largest:
                found[amount] = found.get(amount, 0.0) + share * probability
    likeliest = max(found, key=lambda amount: found[amount], default=None)
    best = max(found.values(), default=0.0)
    penalty = LARGEST_PENALTY
    if said > 0:
        penalty = min(max(math.log(max(best, _LEAST) / said), 0.0), LARGEST_PENALTY)
    confidence = calibrated(said, calibration)
    odds = odds_of_wrong(found, amount_minor, said)
    return Stated(
        amount_minor,
        confidence,
        penalty,
        verdict_of(odds, best, confidence, rule),
        odds,
        None if odds is None else rule.wrong(rule.evidence(odds, best)),
        likeliest,
        calibrated(best, calibration) if likeliest is not None else 0.0,
        len(looks),
    )


def odds_of_wrong(found: dict[int, float], stated: int, said: float) -> float | None:
    """Natural logarithm of P(image | wrong record) / P(image | right one), None without amounts.

    found: the amounts read, above zero, and their posteriors; said: posterior of the stated one.
    The posteriors' own prior of amounts is that of the cheques, so that it cancels out.
    """
    if not found or stated <= 0:
        return None
    written = dict.fromkeys(found, 0.0)
    for one, p in found.items():
        meant = [(one, p), (100 * one, _MARK * p)]
        if one % 100 == 0:
            meant.append((one // 100, _MARK * p))
        if one // 100 and one % 100 != stated % 100:
            meant.append((one - one % 100 + stated % 100, _CENTS * p))
        if one >= _SHORTEST:
            meant.append((int(str(one)[1:]), _FIRST * p))
        for amount, share in meant:
            written[amount] = written.get(amount, 0.0) + share
    mistaken = written.pop(stated, 0.0) - found.get(stated, 0.0)
    mistaken += _LAST * sum(p for one, p in found.items() if _ends_otherwise(one, stated))
    against = sum(p * slip(one, stated) for one, p in written.items() if one > 0)
    # A page that was read wholly wrong says the same of both.
    nothing = max(_MISSED * (1 - max(found.values())), _LEAST) * any_amount(stated)
    return math.log(against + nothing) - math.log(said + max(mistaken, 0.0) + nothing)


def _ends_otherwise(read: int, stated: int) -> bool:
    """Whether an amount read begins with the units of the stated one and ends as no cents do."""
    units, digits = str(stated // 100), str(read)
    more = len(digits) - len(units)
    return stated >= 100 and 0 <= more <= _MOST_LAST and more != 2 and digits.startswith(units)


def verdict_of(
    odds: float | None, likeliest: float, confidence: float, rule: RecordRule
) -> Verdict:
    """The verdict; odds: of a wrong record, likeliest: posterior of the likeliest amount,
    confidence: that the stated amount is written."""
    if odds is None:
        return "unread"
    evidence = rule.evidence(odds, likeliest)
    if evidence >= rule.flagged:
        return "disagrees"
    if rule.wrong(evidence) <= AGREES_WRONG and confidence >= AGREES_CONFIDENCE:
        return "agrees"
    return "unread"
