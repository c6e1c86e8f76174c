"""From the symbols of an interpretation to money in minor units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum


class Role(IntEnum):
    """What a symbol stands for in an amount; the grammar decides, one role an arc."""

    FORMAT = 0
    MAJOR = 1
    CENTS = 2
    DENOMINATOR = 3


# As integers: a member of an enumeration is slow to look up.
_MAJOR, _CENTS = int(Role.MAJOR), int(Role.CENTS)
_DIGITS = (_MAJOR, _CENTS)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount as written.

    minor: integer in minor units (hundredths where no currency is known), below zero for a
    negative one; digits: the MAJOR and CENTS digits in order; text: the symbols as written.
    """

    minor: int
    digits: str
    text: str


def amount_of(symbols: Sequence[str], roles: Sequence[int], *, negative: bool = False) -> Amount:
    """The amount that symbols (one string each, stray ink as "") spell in the given roles.

    Digits in other roles (a fraction's denominator, the 0 of "NO/100") do not count. Without
    cents the amount is whole. Raises ValueError where roles and symbols differ in number, or
    there are neither no nor two digits of cents.
    """
    pairs = [one for one in zip(symbols, roles, strict=True) if one[1] in _DIGITS]
    major = "".join([symbol for symbol, role in pairs if role == _MAJOR])
    cents = "".join([symbol for symbol, role in pairs if role == _CENTS])
    if len(cents) not in (0, 2):
        raise ValueError("amount: cents have two digits or none")
    minor = int(major or "0") * 100 + int(cents or "0")
    digits = "".join([symbol for symbol, _ in pairs])
    return Amount(-minor if negative else minor, digits, "".join(symbols))
