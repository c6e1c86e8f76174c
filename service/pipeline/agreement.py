"""What several opinions of one amount say together: looks, each read by segments and swept over.

The posterior of an amount is that of independent witnesses who share one vote: its posteriors are
multiplied, and the root taken of as many (a logarithmic opinion pool: Genest and Zidek, 1986); who
errs less has a larger share of the vote. What one reader takes for impossible is doubtful then,
however sure the others are. A witness who sees no amount at all says little of which one it is:
votes are as the squares of the posteriors that there is any.
"""

import math
from collections.abc import Sequence
from typing import Final

from service.pipeline.search import Interpretation
from service.pipeline.sight import Opinion, Shares

# Opinions that are together as sure as this need no other look. Less sure than that other one after
# a closer look, they are not made sure by another, nor is what they hold the likeliest righter.
_SURE: Final = 0.9
_NEARLY_SURE: Final = 0.85
# Votes of the segments and of the swept network, which errs less.
_VOTES: Final = (1.0, 1.3)
# An opinion holds nothing for less likely than this.
_LEAST: Final = 1e-4
_LEAST_REST: Final = 1e-3
# Nor has one less of a vote than the square of this, however surely it sees no amount at all.
_LEAST_VOTE: Final = 0.1


def together(shares: Sequence[Shares], votes: Sequence[float]) -> dict[int, float]:
    """The posterior of each amount that any opinion has, of all of them together.

    votes: how much each counts beside the others, where it sees an amount for certain.
    """
    amounts = {amount for one in shares for amount in one}
    if not amounts:
        return {}
    sums = [sum(one.values()) for one in shares]
    votes = [
        own * max(_LEAST_VOTE, min(one, 1.0)) ** 2 for own, one in zip(votes, sums, strict=True)
    ]
    every = sum(votes)
    votes = [one / every for one in votes]
    pooled = dict.fromkeys(amounts, 0.0)
    for vote, one in zip(votes, shares, strict=True):
        for amount in amounts:
            pooled[amount] += vote * math.log(max(one.get(amount, 0.0), _LEAST))
    rest = sum(
        vote * math.log(max(1.0 - one, _LEAST_REST)) for vote, one in zip(votes, sums, strict=True)
    )
    whole = math.exp(rest) + sum(math.exp(share) for share in pooled.values())
    return {amount: math.exp(share) / whole for amount, share in pooled.items()}


def pooled(opinions: Sequence[Opinion]) -> dict[int, float]:
    """The same of several looks."""
    shares = [share for one in opinions for share in one.shares]
    return together(shares, [vote for one in opinions for vote in _VOTES[: len(one.shares)]])


def said_of(opinions: Sequence[Opinion], amount: int) -> float:
    """The share in [0, 1] that the swept network has for an amount: its looks' geometric mean.

    amount: in minor units. 1 where no network was swept.
    """
    shares = [share.get(amount, 0.0) for one in opinions for share in one.shares[1:]]
    logs = [math.log(max(share, _LEAST)) for share in shares]
    return math.exp(sum(logs) / len(logs)) if logs else 1.0


def decided(opinions: Sequence[Opinion]) -> bool:
    """Whether the looks so far, the first and closer ones, make further ones needless."""
    likeliest = max(pooled(opinions).values(), default=0.0)
    return likeliest >= _SURE or (len(opinions) > 1 and likeliest < _NEARLY_SURE)


def read_as(opinions: Sequence[Opinion], amount: int) -> tuple[Opinion, Interpretation | None]:
    """How an amount is read: by the segments of the look that holds it the likeliest.

    None where no look's segments were searched as far as that.
    """
    held = [
        (share, -number, one, found)
        for number, one in enumerate(opinions)
        for found, share in zip(one.seen.found, one.seen.posteriors, strict=True)
        if found.amount_minor == amount
    ]
    if not held:
        return opinions[0], None
    _, _, opinion, found = max(held, key=lambda each: each[:2])
    return opinion, found
