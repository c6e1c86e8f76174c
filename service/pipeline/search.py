"""Search of the interpretation graph without building it: best readings and forward penalties.

The interpretation graph is the recognition graph composed with the grammar (section X). ``sweep``
gives the penalties to and from each of its nodes; what lies near the best path is then built as
a plain graph, small enough for ``graph.n_best``. Answers are those of ``graph.compose`` and the
verbs on it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.pipeline.amount import Role, amount_of
from service.pipeline.automaton import Automaton, Grammar
from service.pipeline.graph import Floats, Graph, Ints, Path
from service.pipeline.native.paths import best_completions, n_best
from service.pipeline.spelling import spelling
from service.pipeline.sweep import Composition, Index, Lattice, Sweep

__all__ = [
    "Gradient",
    "Interpretation",
    "Lattice",
    "best",
    "forward",
    "forward_by_field",
    "forward_of_amount",
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
) -> list[Interpretation]:
    """The n best interpretations that differ, best first (section X, Viterbi).

    distinct "text": their symbols differ; "amount": their amounts do, which passes over other ways
    of writing the same one. Stray ink never tells interpretations apart. Fewer than n where there
    are fewer.
    """
    sweep = Sweep(lattice, grammar.automaton, grammar.rubbish)
    ahead, _ = sweep.forward()
    rest, _ = sweep.backward()
    if not np.isfinite(rest[0, 0]):
        return []
    found: list[Interpretation] = []
    for beam in _BEAMS:
        bound = rest[0, 0] + beam
        graph, onward = _near_the_best(sweep, ahead, rest, bound)
        if distinct == "amount":
            found = _best_amounts(graph, grammar, n, onward)
        else:
            paths = n_best(graph, n, silent=(grammar.rubbish,), rest=onward)
            roles = _roles(graph, grammar)
            found = [_interpretation(graph, grammar, roles, path) for path in paths]
        # Beyond the bound a string may have better paths than those that were kept.
        if len(found) >= n and found[-1].penalty <= bound:
            break
    return found


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
    automaton = spelling(grammar, amount_minor)
    return Composition(lattice, automaton, grammar.rubbish).total()


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


class _Arcs(NamedTuple):
    """Arcs of the interpretation graph, column by column; states are the grammar's."""

    src: Index  # cut
    src_state: Index
    dst: Index
    dst_state: Index
    label: Index
    penalty: Floats
    arc: Index  # of the lattice
    move: Index  # of the automaton, -1 for stray ink

    def where(self, keep: NDArray[np.bool_] | Index) -> _Arcs:
        return _Arcs._make(column[keep] for column in self)


def _near_the_best(sweep: Sweep, ahead: Floats, rest: Floats, bound: float) -> tuple[Graph, Floats]:
    """What of the interpretation graph lies on paths of at most a penalty; its best completions.

    Origin: (arc of the lattice, arc of the automaton, -1 for stray ink); final_origin:
    (-1, final of the automaton). Nodes are in topological order.
    """
    bound += 1e-9 * (1.0 + abs(rest[0, 0]))  # a sum differs in its last bits with its order
    through = ahead + rest
    cuts, states = np.nonzero((through <= bound) & (through < np.inf))
    number = np.full(through.shape, -1)
    number[cuts, states] = np.arange(len(cuts))
    arcs = [_strays(sweep, cuts, states), _reads(sweep, cuts, states, ahead, rest, bound)]
    columns = _Arcs._make(np.concatenate(pair) for pair in zip(*arcs, strict=True))
    total = ahead[columns.src, columns.src_state] + columns.penalty
    total += rest[columns.dst, columns.dst_state]
    columns = columns.where((total <= bound) & (total < np.inf))
    automaton = sweep.automaton
    ends = number[-1, automaton.finals]
    final = np.flatnonzero(ends >= 0)
    graph = Graph(
        num_nodes=len(cuts),
        start=0,
        finals=ends[final].astype(np.int32),
        src=number[columns.src, columns.src_state].astype(np.int32),
        dst=number[columns.dst, columns.dst_state].astype(np.int32),
        label=columns.label.astype(np.int32),
        penalty=columns.penalty,
        origin=np.stack([columns.arc, columns.move], axis=1).astype(np.int32),
        final_penalty=automaton.final_penalty[final],
        final_origin=np.stack([np.full(len(final), -1), final], axis=1).astype(np.int32),
    )
    return graph, rest[cuts, states]


def _strays(sweep: Sweep, cuts: Index, states: Index) -> _Arcs:
    lattice = sweep.lattice
    pair, arc = _ragged(cuts, lattice.src, lattice.num_nodes)
    penalty = lattice.penalty[arc] + sweep.stray[lattice.segment[arc]]
    state = states[pair]
    return _Arcs(
        cuts[pair], state, lattice.dst[arc].astype(np.int64), state,
        np.full(len(pair), sweep.rubbish), penalty + sweep.automaton.rubbish_penalty[state],
        arc, np.full(len(pair), -1),
    )  # fmt: skip


def _reads(
    sweep: Sweep, cuts: Index, states: Index, ahead: Floats, rest: Floats, bound: float
) -> _Arcs:
    """Arcs that read a symbol, found class by class first and then symbol by symbol."""
    lattice, automaton = sweep.lattice, sweep.automaton
    pair, move = _ragged(states, automaton.src, len(automaton.state_class))
    entered = automaton.dst[move]
    near = ahead[cuts[pair], states[pair]] + automaton.penalty[move] + rest.min(axis=0)[entered]
    # The states that no cut may leave towards the end are dropped before cuts are paired in.
    pair, move = pair[near < np.inf], move[near < np.inf]
    inner, arc = _ragged(cuts[pair], lattice.src, lattice.num_nodes)
    pair, move = pair[inner], move[inner]
    entered = automaton.dst[move]
    base = lattice.penalty[arc] + automaton.penalty[move]
    around = ahead[cuts[pair], states[pair]] + rest[lattice.dst[arc], entered]
    total = around + base + sweep.entering[lattice.segment[arc], entered]
    keep = np.flatnonzero((total <= bound) & (total < np.inf))
    pair, move, arc, entered = pair[keep], move[keep], arc[keep], entered[keep]
    spelled = automaton.class_penalty[automaton.state_class[entered]]
    spelled = spelled + sweep.labels[lattice.segment[arc]] + base[keep][:, None]
    row, label = np.nonzero(spelled + around[keep][:, None] <= min(bound, np.finfo(float).max))
    pair, move, arc = pair[row], move[row], arc[row]
    return _Arcs(
        cuts[pair], states[pair], lattice.dst[arc].astype(np.int64), entered[row].astype(np.int64),
        label, spelled[row, label], arc, move,
    )  # fmt: skip


def _ragged(wanted: Index, keys: Ints, size: int) -> tuple[Index, Index]:
    """All (i, j) with keys[j] == wanted[i]; keys are below ``size``."""
    order = np.argsort(keys, kind="stable")
    first = np.searchsorted(keys[order], np.arange(size + 1))
    counts = (first[1:] - first[:-1])[wanted]
    left = np.repeat(np.arange(len(wanted)), counts)
    within = np.arange(len(left)) - np.repeat(np.cumsum(counts) - counts, counts)
    return left, order[first[wanted][left] + within]


def _best_amounts(graph: Graph, grammar: Grammar, n: int, onward: Floats) -> list[Interpretation]:
    """The best interpretation of each of the n best amounts.

    Strings of the digits that count are told apart, those with a minus by themselves; the few that
    mean the same (1234 and 1234.00) are sorted out afterwards.
    """
    negative = grammar.negative[graph.final_origin[:, 1]]
    by_amount: dict[int, Interpretation] = {}
    for ends in (~negative, negative):
        if not ends.any():
            continue
        part = replace(
            graph,
            finals=graph.finals[ends],
            final_penalty=graph.final_penalty[ends],
            final_origin=graph.final_origin[ends],
        )
        roles = _roles(part, grammar)
        counted, silent = _counted_digits(part, grammar, roles)
        rest = onward if ends.all() else best_completions(part)
        enough, wanted = n < 1, n
        readings: list[Interpretation] = []
        while not enough:
            paths = n_best(counted, wanted, silent=(silent,), rest=rest)
            readings = [_interpretation(part, grammar, roles, path) for path in paths]
            enough = len({r.amount_minor for r in readings}) >= n or len(paths) < wanted
            wanted *= 2
        for reading in readings:
            known = by_amount.setdefault(reading.amount_minor, reading)
            if reading.penalty < known.penalty:
                by_amount[reading.amount_minor] = reading
    return sorted(by_amount.values(), key=lambda reading: reading.penalty)[:n]


def _counted_digits(graph: Graph, grammar: Grammar, roles: NDArray[np.uint8]) -> tuple[Graph, int]:
    """The graph with a label for each digit that counts and one, given too, for all the rest."""
    counted = (roles == Role.MAJOR) | (roles == Role.CENTS)
    silent = 2 * len(grammar.labels)
    spelled = graph.label + len(grammar.labels) * (roles == Role.CENTS)
    return replace(graph, label=np.where(counted, spelled, silent).astype(np.int32)), silent


def _roles(graph: Graph, grammar: Grammar) -> NDArray[np.uint8]:
    moves = graph.origin[:, 1]
    return np.where(
        moves >= 0, grammar.automaton.role[grammar.automaton.dst[moves]], Role.FORMAT
    ).astype(np.uint8)


def _interpretation(
    graph: Graph, grammar: Grammar, all_roles: NDArray[np.uint8], path: Path
) -> Interpretation:
    labels, roles = graph.label[path.arcs], all_roles[path.arcs]
    final = int(graph.final_origin[path.final, 1])
    negative = bool(grammar.negative[final])
    symbols = [grammar.labels[label] for label in labels]
    amount = amount_of(symbols, roles.tolist(), negative=negative)
    return Interpretation(
        arcs=graph.origin[path.arcs, 0],
        labels=labels,
        roles=roles,
        amount_minor=amount.minor,
        currency=grammar.currency[final],
        negative=negative,
        text=amount.text,
        digits=amount.digits,
        penalty=path.penalty,
    )
