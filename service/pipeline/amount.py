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
_ROLES, _DIGITS = tuple(map(int, Role)), (_MAJOR, _CENTS)


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
    written: dict[int, list[str]] = {role: [] for role in _ROLES}
    digits = []
    for symbol, role in zip(symbols, roles, strict=True):
        written[role].append(symbol)
        if role in _DIGITS:
            digits.append(symbol)
    major, cents = "".join(written[_MAJOR]), "".join(written[_CENTS])
    if len(cents) not in (0, 2):
        raise ValueError("amount: cents have two digits or none")
    minor = int(major or "0") * 100 + int(cents or "0")
    return Amount(-minor if negative else minor, "".join(digits), "".join(symbols))
