"""How records come to state another amount than is written.

The error channel of the likelihood ratio in `stated`: given that a record is wrong, what it states
of a written amount. Amounts are keyed and captured digit by digit, so that most slips are of one
digit; else a record has the amount of another cheque.
"""

import math
from typing import Final

LARGEST_WRITTEN: Final = 10**10 - 1
"""The largest amount of a cheque, in minor units: an item's amount has ten digits."""
_OTHER_RANGE: Final = math.log(LARGEST_WRITTEN)
_SHARES: Final = {"digit": 0.2, "swapped": 0.2, "lost": 0.2, "added": 0.2, "other": 0.2}


def slip(written: int, stated: int) -> float:
    """The probability that a wrong record of an amount states another one; both above zero.

    One digit another, two neighbours swapped, a digit lost or added, each in one of all places; or
    the amount of another cheque (log-uniform over ten digits). Minor units.
    """
    a, b = str(written), str(stated)
    chance = _SHARES["other"] * any_amount(stated)
    if len(a) == len(b):
        chance += _SHARES["digit"] * _another_digit(a, b) + _SHARES["swapped"] * _swapped(a, b)
    elif len(b) < len(a):
        # Zeros that come to the front are no digits of a number.
        chance += _SHARES["lost"] * _lost(a, b) + _SHARES["swapped"] * _swapped(a, b)
    elif len(b) == len(a) + 1:
        chance += _SHARES["added"] * _lost(b, a) / 10
    return chance


def any_amount(minor: int) -> float:
    """The probability that a cheque of which nothing is known has this amount."""
    return 1 / (minor * _OTHER_RANGE)


def _another_digit(a: str, b: str) -> float:
    return (sum(x != y for x, y in zip(a, b, strict=True)) == 1) / (9 * len(a))


def _swapped(a: str, b: str) -> float:
    made = (a[:n] + a[n + 1] + a[n] + a[n + 2 :] for n in range(len(a) - 1))
    return sum(one.lstrip("0") == b for one in made) / max(len(a) - 1, 1)


def _lost(a: str, b: str) -> float:
    made = (a[:n] + a[n + 1 :] for n in range(len(a)))
    return sum(one.lstrip("0") == b for one in made) / len(a)
