"""Grammar graphs compiled from rules.

A grammar has one state per place in the rules, entered on one class of symbols whatever state comes
before; no epsilons; and no two states with the same future. ``Automaton`` is that layout, which
``search`` works on; ``Grammar.graph`` is the same as a plain graph.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.pipeline.amount import Role
from service.pipeline.graph import Floats, Graph, Ints
from service.pipeline.rules import RUBBISH, SPACE, Choice, End, Many, Rule, Seq, Symbol

Masks = NDArray[np.uint64]


@dataclass(frozen=True, slots=True, eq=False)
class Automaton:
    """A grammar laid out for the search: states are entered on their own class of symbols.

    State 0 is the start and nothing enters it. K labels of the alphabet, SPACE the last.
    state_class i32[S]: row of class_penalty, -1 for the start; role u8[S]: of the symbol that
    enters the state; class_penalty f64[C, K]: +infinity where the class lacks the symbol.
    src, dst i32[T], penalty f64[T]: transitions, sorted by dst.
    rubbish_penalty f64[S]: for one piece of stray ink in that state.
    finals i32[F], final_penalty f64[F].
    majors_before, majors_after, cents_after u64[S]: bit n set where n MAJOR (CENTS) digits may
    have been written on arrival, the state's own included, or may still follow (63 at most).
    only_zeros bool[S]: there is a way in on which every MAJOR digit is a zero, or there is none.
    origin: where each piece is from.
    """

    state_class: Ints
    role: NDArray[np.uint8]
    class_penalty: Floats
    src: Ints
    dst: Ints
    penalty: Floats
    rubbish_penalty: Floats
    finals: Ints
    final_penalty: Floats
    majors_before: Masks
    majors_after: Masks
    cents_after: Masks
    only_zeros: NDArray[np.bool_]
    origin: Origin


class Origin(NamedTuple):
    """Which pieces of a grammar's own automaton those of an automaton stand for.

    transition i32[T], state i32[S], final i32[F], group i32[C] (rows of class_penalty).
    """

    transition: Ints
    state: Ints
    final: Ints
    group: Ints


@dataclass(frozen=True, slots=True)
class Grammar:
    """A stochastic grammar of amounts over an alphabet (section X, T_gram).

    labels: the recognizer's and SPACE after them; rubbish: index of the label of stray ink.
    automaton: the compact layout. currency and negative: per final.
    graph: the same as a plain graph (nodes are states, label classes are spelled out, a RUBBISH
    loop on every node); role u8[A] per arc of it.
    weight_names, weight_penalty f64[W]: the named weights. transition_uses i32[U, 2]: (transition
    of the automaton, weight), final_uses i32[V, 2]: (final, weight): a penalty is the sum of the
    weights it uses. class_weight i32[C, K]: the weight that is the penalty of a label in a class,
    -1 for none; stray_weight i32[S]: of stray ink in a state.
    version changes with anything that changes an answer.
    """

    name: str
    version: str
    labels: tuple[str, ...]
    rubbish: int
    automaton: Automaton
    currency: tuple[str | None, ...]
    negative: NDArray[np.bool_]
    graph: Graph
    role: NDArray[np.uint8]
    weight_names: tuple[str, ...]
    weight_penalty: Floats
    transition_uses: Ints
    final_uses: Ints
    class_weight: Ints
    stray_weight: Ints


def compile_rule(
    name: str,
    rule: Rule,
    labels: Sequence[str],
    *,
    stray_inside: float = 0.02,
    stray_outside: float = 0.1,
    weights: Mapping[str, float] | None = None,
) -> Grammar:
    """The grammar of a rule over the recognizer's labels, which contain RUBBISH and not SPACE.

    stray_inside, stray_outside: probability of a piece of stray ink between symbols, and before
    the first or where the amount may end (weights "stray.inside", "stray.outside").
    weights: penalties that replace those of the rule, by name (a trained table).
    Raises ValueError for a name with two probabilities, or a way through the rule without End.
    """
    if RUBBISH not in labels or SPACE in labels:
        raise ValueError("grammar: labels must contain RUBBISH and not SPACE")
    compiler = _Compiler((*labels, SPACE), weights or {})
    stray = (
        compiler.weight("stray.inside", stray_inside),
        compiler.weight("stray.outside", stray_outside),
    )
    start = compiler.entries(rule, ())
    return _assemble(name, compiler, start, stray)


def reweighted(grammar: Grammar, weight_penalty: Floats) -> Grammar:
    """The same grammar with other penalties f64[W] for its named weights."""
    old = grammar.automaton
    of_label = weight_penalty[np.maximum(grammar.class_weight, 0)]
    nameless = np.where(np.isfinite(old.class_penalty), 0.0, np.inf)
    automaton = replace(
        old,
        class_penalty=np.where(grammar.class_weight >= 0, of_label, nameless),
        penalty=_summed(grammar.transition_uses, weight_penalty, len(old.src)),
        rubbish_penalty=weight_penalty[grammar.stray_weight],
        final_penalty=_summed(grammar.final_uses, weight_penalty, len(old.finals)),
    )
    return replace(
        grammar,
        version=_version(automaton, grammar.labels, grammar.currency, grammar.negative),
        automaton=automaton,
        graph=_spelled_out(automaton, grammar.rubbish)[0],
        weight_penalty=weight_penalty,
    )


def _summed(uses: Ints, weight_penalty: Floats, size: int) -> Floats:
    total = np.bincount(uses[:, 0], weight_penalty[uses[:, 1]], minlength=size)
    return total.astype(np.float64)


# What may come next: (state, or -1 - index of an End; the weights it takes to go there).
_Entry = tuple[int, tuple[int, ...]]
_Entries = tuple[_Entry, ...]
_Class = tuple[tuple[int, int], ...]


class _Compiler:
    """Builds states from the end of a rule towards its start, so that equal futures are shared."""

    def __init__(self, alphabet: tuple[str, ...], tuned: Mapping[str, float]) -> None:
        self.alphabet = alphabet
        self.index = {symbol: i for i, symbol in enumerate(alphabet)}
        self.tuned = tuned
        self.weights: dict[str, tuple[int, float]] = {}
        self.ends: dict[End, int] = {}
        self.classes: dict[_Class, int] = {}
        self.states: dict[tuple[int, Role, _Entries, tuple[int, int]], int] = {}
        self.follow: list[_Entries] = []
        self.kind: list[tuple[int, Role]] = []
        self.memo: dict[tuple[int, _Entries], _Entries] = {}

    def weight(self, name: str, share: float) -> int:
        """Index of a named weight, -1 for the nameless certainty."""
        if not name:
            return -1
        if not 0 < share <= 1:
            raise ValueError(f"grammar: {name} needs a probability in (0, 1]")
        number, known = self.weights.setdefault(name, (len(self.weights), share))
        if abs(known - share) > 1e-12:
            raise ValueError(f"grammar: {name} has two probabilities")
        return number

    def penalties(self) -> Floats:
        named = {name: -log(share) for name, (_, share) in self.weights.items()}
        named.update({name: p for name, p in self.tuned.items() if name in named})
        return np.array(list(named.values()), np.float64)

    def entries(self, rule: Rule, after: _Entries) -> _Entries:
        """What may come first in a rule that ``after`` follows."""
        key = (id(rule), after)
        if key not in self.memo:
            self.memo[key] = self._entries(rule, after)
        return self.memo[key]

    def _entries(self, rule: Rule, after: _Entries) -> _Entries:
        if isinstance(rule, End):
            return ((-1 - self.ends.setdefault(rule, len(self.ends)), ()),)
        if isinstance(rule, Symbol):
            return ((self._state(rule, after, (-1, -1)), ()),)
        if isinstance(rule, Many):
            more = self.weight(f"{rule.name}.more", rule.more)
            stop = self.weight(f"{rule.name}.stop", 1 - rule.more)
            return ((self._state(rule.symbol, _taking(after, stop), (more, stop)), ()),)
        if isinstance(rule, Seq):
            for part in reversed(rule.parts):
                after = self.entries(part, after)
            return after
        options = [
            entry
            for option, share, part in rule.options
            if self.spells(part)
            for entry in _taking(
                self.entries(part, after), self.weight(f"{rule.name}.{option}", share)
            )
        ]
        return tuple(sorted(options))

    def spells(self, rule: Rule) -> bool:
        """True where the alphabet has the symbols for some way through the rule."""
        if isinstance(rule, Symbol):
            return any(s in self.index for s, _, _ in rule.choices)
        if isinstance(rule, Many):
            return self.spells(rule.symbol)
        if isinstance(rule, Seq):
            return all(self.spells(part) for part in rule.parts)
        if isinstance(rule, Choice):
            return any(self.spells(part) for _, _, part in rule.options)
        return True

    def _state(self, symbol: Symbol, follow: _Entries, loop: tuple[int, int]) -> int:
        if not follow:
            raise ValueError("grammar: every way through a rule must reach an End")
        choices = [(self.index[s], self.weight(name, share))
                   for s, share, name in symbol.choices if s in self.index]  # fmt: skip
        if not choices:
            raise ValueError("grammar: the alphabet lacks a symbol that the rule cannot do without")
        group = self.classes.setdefault(tuple(choices), len(self.classes))
        key = (group, symbol.role, follow, loop)
        if key not in self.states:
            self.states[key] = len(self.follow)
            again = ((len(self.follow), (loop[0],)),) if loop[0] >= 0 else ()
            self.follow.append(follow + again)
            self.kind.append((group, symbol.role))
        return self.states[key]


def _taking(entries: _Entries, weight: int) -> _Entries:
    return tuple((target, tuple(sorted((*uses, weight)))) for target, uses in entries)


class _Move(NamedTuple):
    """A transition, or an end where dst is the index of one; and the weights that it uses."""

    dst: int
    src: int
    uses: tuple[int, ...]


def _assemble(name: str, compiler: _Compiler, start: _Entries, stray: tuple[int, int]) -> Grammar:
    follow = [start, *compiler.follow]  # state i of the compiler is state i + 1 from here on
    ways = [(target, state, uses) for state, entries in enumerate(follow)
            for target, uses in entries]  # fmt: skip
    moves = sorted(_Move(t + 1, state, uses) for t, state, uses in ways if t >= 0)
    ends = [_Move(-1 - t, state, uses) for t, state, uses in ways if t < 0]
    final_states = {end.src for end in ends}
    if len(final_states) != len(ends):
        raise ValueError("grammar: a state ends in two ways")
    strays = [stray[s == 0 or s in final_states] for s in range(len(follow))]
    automaton = _automaton(compiler, moves, ends, strays)
    rubbish = compiler.index[RUBBISH]
    graph, origin = _spelled_out(automaton, rubbish)
    known = list(compiler.ends)
    currency = tuple(known[end.dst].currency for end in ends)
    negative = np.array([known[end.dst].negative for end in ends], bool)
    return Grammar(
        name=name,
        version=_version(automaton, compiler.alphabet, currency, negative),
        labels=compiler.alphabet,
        rubbish=rubbish,
        automaton=automaton,
        currency=currency,
        negative=negative,
        graph=graph,
        role=np.where(origin >= 0, automaton.role[graph.dst], Role.FORMAT).astype(np.uint8),
        weight_names=tuple(compiler.weights),
        weight_penalty=compiler.penalties(),
        transition_uses=_pairs([(i, w) for i, move in enumerate(moves) for w in move.uses]),
        final_uses=_pairs([(i, w) for i, end in enumerate(ends) for w in end.uses]),
        class_weight=_class_weights(compiler),
        stray_weight=np.array(strays, np.int32),
    )


def _automaton(
    compiler: _Compiler, moves: list[_Move], ends: list[_Move], strays: list[int]
) -> Automaton:
    weight = compiler.penalties()
    class_penalty = np.full((len(compiler.classes), len(compiler.alphabet)), np.inf)
    for group, row in compiler.classes.items():
        for label, number in group:
            class_penalty[row, label] = weight[number] if number >= 0 else 0.0
    state_class = np.array([-1, *(group for group, _ in compiler.kind)], np.int32)
    role = np.array([Role.FORMAT, *(role for _, role in compiler.kind)], np.uint8)
    src = np.array([move.src for move in moves], np.int32)
    dst = np.array([move.dst for move in moves], np.int32)
    finals = np.array([end.src for end in ends], np.int32)
    major, cents = role == Role.MAJOR, role == Role.CENTS
    may_be_zero = np.isfinite(class_penalty[state_class, compiler.index.get("0", -1)])
    zeros = ~major[dst] | may_be_zero[dst]
    return Automaton(
        state_class=state_class,
        role=role,
        class_penalty=class_penalty,
        src=src,
        dst=dst,
        penalty=np.array([weight[list(move.uses)].sum() for move in moves]),
        rubbish_penalty=weight[strays],
        finals=finals,
        final_penalty=np.array([weight[list(end.uses)].sum() for end in ends]),
        majors_before=_counts(np.array([0]), src, dst, major),
        majors_after=_counts(finals, dst, src, major, leaving=True),
        cents_after=_counts(finals, dst, src, cents, leaving=True),
        only_zeros=_counts(np.array([0]), src[zeros], dst[zeros], major) > 0,
        origin=Origin(
            *(
                np.arange(n, dtype=np.int32)
                for n in (len(moves), len(strays), len(ends), len(class_penalty))
            )
        ),
    )


def _counts(
    origins: NDArray[np.integer],
    src: Ints,
    dst: Ints,
    counts: NDArray[np.bool_],
    *,
    leaving: bool = False,
) -> Masks:
    """u64[S]: bit n set where a way from the origins along src -> dst meets n counted states.

    The last state of a way counts; ``leaving``: the first one does instead.
    """
    one = np.uint64(1)
    reached = np.zeros(len(counts), np.uint64)
    reached[origins] = one
    counted = counts[src if leaving else dst]
    while True:
        before = reached.copy()
        brought = np.where(counted, reached[src] << one, reached[src])
        np.bitwise_or.at(reached, dst, brought)
        if (reached == before).all():
            return reached


def _spelled_out(automaton: Automaton, rubbish: int) -> tuple[Graph, Ints]:
    """The automaton as a plain graph, and the transition of each arc (-1 for RUBBISH loops)."""
    rows = automaton.class_penalty[automaton.state_class[automaton.dst]]
    move, label = np.nonzero(np.isfinite(rows))
    states = np.arange(len(automaton.state_class))
    graph = Graph(
        num_nodes=len(states),
        start=0,
        finals=automaton.finals,
        src=np.concatenate([automaton.src[move], states]).astype(np.int32),
        dst=np.concatenate([automaton.dst[move], states]).astype(np.int32),
        label=np.concatenate([label, np.full(len(states), rubbish)]).astype(np.int32),
        penalty=np.concatenate(
            [automaton.penalty[move] + rows[move, label], automaton.rubbish_penalty]
        ),
        final_penalty=automaton.final_penalty,
    )
    return graph, np.concatenate([move, np.full(len(states), -1)]).astype(np.int32)


def _class_weights(compiler: _Compiler) -> Ints:
    table = np.full((len(compiler.classes), len(compiler.alphabet)), -1, np.int32)
    for group, row in compiler.classes.items():
        for label, number in group:
            table[row, label] = number
    return table


def _pairs(pairs: list[tuple[int, int]]) -> Ints:
    return np.array(pairs, np.int32).reshape(-1, 2)


def _version(
    automaton: Automaton,
    alphabet: tuple[str, ...],
    currency: tuple[str | None, ...],
    negative: NDArray[np.bool_],
) -> str:
    digest = hashlib.sha256(repr((alphabet, currency, negative.tolist())).encode())
    for name in automaton.__slots__[:-1]:
        # Rounded: the last bits of a logarithm differ between platforms.
        digest.update(np.round(getattr(automaton, name).astype(np.float64), 9).tobytes())
    return digest.hexdigest()[:12]
