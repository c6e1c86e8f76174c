"""Whether an image bears out the amount that its record states.

The reader gives the posterior of the amount read and that of the amount stated; the rule below
looks at how many times less probable the stated one is. It was chosen on synthetic cheques
(`python -m training x9`), where false alarms must be rare: a reading flags a record only where it
is itself likely to be right. Amounts that differ by a factor of a hundred need more: a mark lost
before the cents is an error of reading more often than one of the record.
"""

from typing import Final, Literal

from service.pipeline.reader import Reading

Verdict = Literal["agrees", "disagrees", "unread"]

_AGREES_PENALTY: Final = 3.0
_AGREES_CONFIDENCE: Final = 0.02
_DISAGREES_PENALTY: Final = 10.0
_DISAGREES_CONFIDENCE: Final = 0.5
_HUNDREDFOLD_PENALTY: Final = 16.0


def verdict_of(reading: Reading | None) -> Verdict:
    """What a reading with a stated amount says of it; unread where there is no such reading."""
    if reading is None or reading.stated is None or reading.amount_minor is None:
        return "unread"
    stated = reading.stated
    return judge(
        reading.amount_minor,
        max((one.confidence for one in reading.alternatives), default=reading.confidence),
        stated.amount_minor,
        stated.confidence,
        stated.penalty,
    )


def judge(
    read: int, confidence: float, stated: int, stated_confidence: float, penalty: float
) -> Verdict:
    """The rule. confidence: of the most probable amount read; penalty: as in `Stated`."""
    if penalty <= _AGREES_PENALTY and stated_confidence >= _AGREES_CONFIDENCE:
        return "agrees"
    hundredfold = read // 100 == stated or stated // 100 == read
    needed = _HUNDREDFOLD_PENALTY if hundredfold else _DISAGREES_PENALTY
    if confidence >= _DISAGREES_CONFIDENCE and penalty >= needed and read != stated:
        return "disagrees"
    return "unread"
