"""What several looks at one amount say together; the posterior of an amount is the mean of all."""

from collections.abc import Sequence
from typing import Final

from service.pipeline.looks import CLOSER
from service.pipeline.search import Interpretation
from service.pipeline.sight import Seen

# Looks that are together as sure as this need no other.
_SURE: Final = 0.985
# Nor is one taken that could neither change the amount nor make it as sure as this.
_HARDLY_SURE: Final = 0.95


def added(looks: Sequence[Seen]) -> dict[int, float]:
    """The posteriors of each amount, in minor units, added up over some looks."""
    shares: dict[int, float] = {}
    for seen in looks:
        for one, share in seen.of_amounts().items():
            shares[one] = shares.get(one, 0.0) + share
    return shares


def decided(looks: Sequence[Seen]) -> bool:
    """Whether the first looks at an amount, the closer ones among them, make the rest needless.

    What is left out could only have moved the posterior of an amount that few callers accept.
    """
    left = 1 + CLOSER - len(looks)
    shares = sorted([0.0, 0.0, *added(looks).values()], reverse=True)
    if shares[0] >= _SURE * len(looks):
        return True
    return shares[0] - shares[1] > left and shares[0] + left < _HARDLY_SURE * (1 + CLOSER)


def surest(looks: Sequence[Seen], amount: int | None) -> tuple[Seen, Interpretation | None]:
    """The look that holds an amount the likeliest, and how it reads it; the first look of none."""
    if amount is None:
        return looks[0], None
    held = [
        (share, -number, seen, one)
        for number, seen in enumerate(looks)
        for one, share in zip(seen.found, seen.posteriors, strict=True)
        if one.amount_minor == amount
    ]
    _, _, seen, one = max(held, key=lambda each: each[:2])
    return seen, one
