"""Readable stochastic rules for what may be written.

A rule is built from five pieces::

    one_of(name, {"-": 0.7, "=": 0.3})     one symbol of a class
    literal("/100")                        these symbols
    many(name, more, symbol)               a symbol, once or more
    choice(name, a=(0.9, ...), b=(0.1, ...))
    seq(..., ..., End("USD"))

``maybe`` is a choice between a rule and nothing. Every probability is a weight with a name
("cents.mark"); using a name twice ties the weights. A choice leaves out what the alphabet cannot
spell. Every way through a rule must reach an End, which says what the string means.

``automaton.compile_rule`` makes a grammar graph of a rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.pipeline.amount import Role

SPACE = " "
RUBBISH = ""
DIGITS = "0123456789"


@dataclass(frozen=True, slots=True)
class Symbol:
    """One symbol out of a class; choices: (symbol, probability, name of the weight or "")."""

    choices: tuple[tuple[str, float, str], ...]
    role: Role


@dataclass(frozen=True, slots=True)
class Many:
    """A symbol once or more; more: the probability of another one after each."""

    name: str
    more: float
    symbol: Symbol


@dataclass(frozen=True, slots=True)
class Seq:
    """One rule after the other; no parts at all is the empty string."""

    parts: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of several rules; options: (name, probability, rule)."""

    name: str
    options: tuple[tuple[str, float, Rule], ...]


@dataclass(frozen=True, slots=True)
class End:
    """The end of an amount in this currency (None: unknown), negative or not."""

    currency: str | None = None
    negative: bool = False


Rule = Symbol | Many | Seq | Choice | End


def one_of(name: str, shares: Mapping[str, float] | str, role: Role = Role.FORMAT) -> Symbol:
    """One symbol of a class with weights "name.symbol"; a string stands for equal shares."""
    if isinstance(shares, str):
        shares = {symbol: 1 / len(shares) for symbol in shares}
    return Symbol(tuple((s, share, f"{name}.{s}") for s, share in shares.items()), role)


def literal(symbols: str, role: Role | None = None) -> Seq:
    """Just these symbols; digits are DENOMINATOR (they do not count), unless a role is given."""
    roles = [
        role if role is not None else Role.DENOMINATOR if s in DIGITS else Role.FORMAT
        for s in symbols
    ]
    return Seq(tuple(Symbol(((s, 1.0, ""),), r) for s, r in zip(symbols, roles, strict=True)))


def many(name: str, more: float, symbol: Symbol) -> Many:
    """A symbol once or more, another one each time with probability ``more``."""
    return Many(name, more, symbol)


def seq(*parts: Rule) -> Seq:
    """One rule after the other."""
    return Seq(parts)


def choice(name: str, **options: tuple[float, Rule]) -> Choice:
    """One of the named options, each a probability and a rule."""
    return Choice(name, tuple((option, share, rule) for option, (share, rule) in options.items()))


def maybe(name: str, share: float, rule: Rule) -> Choice:
    """The rule with this probability, else nothing."""
    return choice(name, yes=(share, rule), no=(1 - share, Seq(())))
