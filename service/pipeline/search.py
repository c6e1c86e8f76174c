"""Search of the interpretation graph without building it: best readings and forward penalties.

The interpretation graph is the recognition graph composed with the grammar (section X). What of it
lies near the best path is built as a plain graph (``native.nearest``), small enough for the search
of ``graph.n_best``. Answers are those of ``graph.compose`` and the
verbs on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.pipeline.amount import amount_of
from service.pipeline.automaton import Automaton, Grammar
from service.pipeline.graph import Floats, Ints
from service.pipeline.native.nearest import Nearest, String, nearest
from service.pipeline.spelling import spelled, spelling
from service.pipeline.sweep import Composition, Lattice, Sweep

__all__ = [
    "Gradient",
    "Interpretation",
    "Lattice",
    "best",
    "best_spelling",
    "forward",
    "forward_by_field",
    "forward_of_amount",
    "forward_of_amounts",
    "gradient",
]

# How far from the best path strings are looked for, in turn, until there are enough of them.
_BEAMS = (8.0, 24.0, 72.0, np.inf)


@dataclass(frozen=True, slots=True)
class Interpretation:
    """One way to read a lattice.

    arcs i32[L]: arcs of the lattice in order, stray ink included; labels i32[L] and roles u8[L]:
    theirs; amount_minor, digits and text as in ``Amount``; negative: written with a minus;
    penalty: of the path.
    """

    arcs: Ints
    labels: Ints
    roles: NDArray[np.uint8]
    amount_minor: int
    currency: str | None
    negative: bool
    text: str
    digits: str
    penalty: float


def best(
    lattice: Lattice,
    grammar: Grammar,
    n: int = 1,
    *,
    distinct: Literal["text", "amount"] = "text",
    within: float = np.inf,
) -> list[Interpretation]:
    """The n best interpretations that differ, best first (section X, Viterbi).

    distinct "text": their symbols differ; "amount": their amounts do, which passes over other ways
    of writing the same one. Stray ink never tells interpretations apart. Fewer than n where there
    are fewer whose penalty is at most `within` above the best one's.
    """
    composition = Composition(lattice, grammar.automaton, grammar.rubbish)
    found: list[Interpretation] = []
    with nearest(composition.problem, lattice.num_nodes) as near:
        if not np.isfinite(near.penalty):
            return []
        for beam in (*(one for one in _BEAMS if one < within), within):
            bound = near.penalty + beam
            near.look(bound)
            if distinct == "amount":
                found = _best_amounts(near, grammar, composition, n, bound)
            else:
                strings = near.strings(n, bound)
                found = [_interpretation(grammar, composition.entered, one) for one in strings]
            if len(found) >= n:
                break
    return found


def best_spelling(lattice: Lattice, grammar: Grammar, amount_minor: int) -> Interpretation | None:
    """The best interpretation that spells an amount, None where nothing does."""
    automaton = spelling(grammar, amount_minor)
    finals = automaton.origin.final
    narrowed = replace(
        grammar,
        automaton=automaton,
        currency=tuple(grammar.currency[final] for final in finals.tolist()),
        negative=grammar.negative[finals],
    )
    return next(iter(best(lattice, narrowed, 1)), None)


def forward(lattice: Lattice, grammar: Grammar) -> float:
    """The forward penalty of all interpretations together, +infinity where there is none."""
    return Composition(lattice, grammar.automaton, grammar.rubbish).total()


def forward_by_field(lattice: Lattice, grammar: Grammar) -> dict[int, float]:
    """The forward penalty of each field candidate's interpretations.

    Their log-sum is ``forward``, where fields share no nodes but the first and the last.
    """
    return Composition(lattice, grammar.automaton, grammar.rubbish).total_by_field()


def forward_of_amount(lattice: Lattice, grammar: Grammar, amount_minor: int) -> float:
    """The forward penalty of all strings and segmentations that spell an amount, in any currency.

    Leading zeros count, and cents left out as well as 00. Below zero: written with a minus;
    zero: either way. +infinity where nothing spells it.
    """
    return forward_of_amounts(lattice, grammar, [amount_minor])[0]


def forward_of_amounts(
    lattice: Lattice, grammar: Grammar, amounts_minor: Sequence[int]
) -> list[float]:
    """The same for each of several amounts."""
    composition = Composition(lattice, grammar.automaton, grammar.rubbish)
    return composition.spelled_totals(spelled(grammar, amounts_minor))


@dataclass(frozen=True, slots=True)
class Gradient:
    """A penalty of a composition, and its gradient with respect to all it is the sum of.

    penalty: of the best path (section VI-C), or of all together (VI-E); +infinity, and zeros, where
    there is none. labels f64[N, K]: with respect to ``class_penalty``, the expected number of times
    that each segment is read as each label; arcs f64[A]: to the lattice's ``penalty``; weights
    f64[W]: to the grammar's named weights.
    """

    penalty: float
    labels: Floats
    arcs: Floats
    weights: Floats


def gradient(
    lattice: Lattice, grammar: Grammar, amount_minor: int | None = None, *, viterbi: bool = False
) -> Gradient:
    """The forward penalty, or that of the best path, and its gradient; over what spells an amount.

    With and without the amount they differ by the gradient of discriminative training.
    """
    automaton = grammar.automaton if amount_minor is None else spelling(grammar, amount_minor)
    if viterbi:
        automaton = replace(automaton, penalty=automaton.penalty + _parting(automaton))
    paths = Sweep if viterbi else Composition
    found = paths(lattice, automaton, grammar.rubbish).expected()
    origin = automaton.origin
    weights = np.zeros(len(grammar.weight_names) + 1)  # the last one: nameless
    transitions = np.bincount(
        origin.transition, found.transitions, minlength=len(grammar.automaton.src)
    )
    transition, weight = grammar.transition_uses.T
    np.add.at(weights, weight, transitions[transition])
    finals = np.bincount(origin.final, found.finals, minlength=len(grammar.automaton.finals))
    final, weight = grammar.final_uses.T
    np.add.at(weights, weight, finals[final])
    np.add.at(weights, grammar.class_weight[origin.group], found.classes)
    np.add.at(weights, grammar.stray_weight[origin.state], found.strays)
    return Gradient(found.penalty, found.labels, found.arcs, weights[:-1])


def _parting(automaton: Automaton) -> Floats:
    """A trifle for each transition, so that of paths that are equally good one is the best."""
    return 1e-6 * np.random.default_rng(0).random(len(automaton.src))


def _best_amounts(
    near: Nearest, grammar: Grammar, composition: Composition, n: int, bound: float
) -> list[Interpretation]:
    """The best interpretation of each of the n best amounts of at most a penalty.

    Strings of the digits that count are told apart, those with a minus by themselves; the few that
    mean the same (1234 and 1234.00) are sorted out afterwards.
    """
    by_amount: dict[int, Interpretation] = {}
    for negative in (False, True):
        enough, wanted = n < 1, n
        readings: list[Interpretation] = []
        while not enough:
            strings = near.strings(
                wanted, bound, kind=grammar.negative, own=negative, counts=composition.counts
            )
            readings = [_interpretation(grammar, composition.entered, one) for one in strings]
            enough = len({r.amount_minor for r in readings}) >= n or len(strings) < wanted
            wanted *= 2
        for reading in readings:
            known = by_amount.setdefault(reading.amount_minor, reading)
            if reading.penalty < known.penalty:
                by_amount[reading.amount_minor] = reading
    return sorted(by_amount.values(), key=lambda reading: reading.penalty)[:n]


def _interpretation(grammar: Grammar, entered: NDArray[np.uint8], path: String) -> Interpretation:
    roles = entered[path.moves]
    negative = bool(grammar.negative[path.final])
    symbols = [grammar.labels[label] for label in path.labels.tolist()]
    amount = amount_of(symbols, roles.tolist(), negative=negative)
    return Interpretation(
        arcs=path.arcs,
        labels=path.labels,
        roles=roles,
        amount_minor=amount.minor,
        currency=grammar.currency[path.final],
        negative=negative,
        text=amount.text,
        digits=amount.digits,
        penalty=path.penalty,
    )
