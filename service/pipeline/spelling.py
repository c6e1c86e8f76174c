"""The part of a grammar that spells one amount: the grammar composed with the amount's digits."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from service.pipeline.amount import Role
from service.pipeline.automaton import Automaton, Grammar, Origin
from service.pipeline.graph import Ints
from service.pipeline.sweep import Spelled


def spelled(grammar: Grammar, amounts_minor: Sequence[int]) -> Spelled:
    """Amounts as the compiled search takes them, which makes their automata itself."""
    return Spelled(
        each=tuple(
            (tuple(_digits(grammar, one)), one % 100 == 0, (one > 0) - (one < 0))
            for one in amounts_minor
        ),
        zero=grammar.labels.index("0"),
        negative=grammar.negative,
    )


def _digits(grammar: Grammar, amount_minor: int) -> list[int]:
    """The labels of an amount's digits, without leading zeros, those of the cents last."""
    major, cents = divmod(abs(amount_minor), 100)
    return [grammar.labels.index(d) for d in (str(major) if major else "") + f"{cents:02d}"]


def spelling(grammar: Grammar, amount_minor: int) -> Automaton:
    """The automaton of exactly those strings of a grammar that mean an amount, same penalties.

    Leading zeros may stand; cents of 00 may be left out. Below zero: only strings with a minus;
    above: only those without. A state is a pair (state of the grammar, digits written so far):
    the MAJOR digits without leading zeros, then two CENTS digits.
    """
    automaton = grammar.automaton
    digits = _digits(grammar, amount_minor)
    written, whole = len(digits) - 2, amount_minor % 100 == 0
    kept, label = _places(automaton, digits, written, whole, grammar.labels.index("0"))
    number = np.cumsum(kept.ravel()).reshape(kept.shape) - 1
    move, place, onto = _moves(automaton, kept)
    states, places = np.nonzero(kept)
    chosen = label[states, places]
    class_penalty, state_class, group = _narrowed(automaton, states, chosen)
    ends = (automaton.finals[:, None], [[written, written + 2]])
    ending = kept[ends] & _sign(grammar, amount_minor)[:, None]
    ending[:, 0] &= whole
    final, which = np.nonzero(ending)
    return Automaton(
        state_class=state_class,
        role=automaton.role[states],
        class_penalty=class_penalty,
        src=number[automaton.src[move], place].astype(np.int32),
        dst=number[automaton.dst[move], onto].astype(np.int32),
        penalty=automaton.penalty[move],
        rubbish_penalty=automaton.rubbish_penalty[states],
        finals=number[automaton.finals[final], written + 2 * which].astype(np.int32),
        final_penalty=automaton.final_penalty[final],
        majors_before=automaton.majors_before[states],
        majors_after=automaton.majors_after[states],
        cents_after=automaton.cents_after[states],
        only_zeros=automaton.only_zeros[states],
        origin=Origin(move, states.astype(np.int32), final.astype(np.int32), group),
    )


def _places(
    automaton: Automaton, digits: list[int], written: int, whole: bool, zero: int
) -> tuple[NDArray[np.bool_], Ints]:
    """bool[S, places]: the pairs that can lie on a path to the end; i32[S, places]: the one label
    that may enter them, -1 for any of the state's class.

    Without this the product would be many times as large: most states fit one place only.
    """
    places = np.arange(len(digits) + 1)
    one = np.uint64(1)
    done = np.minimum(places, written).astype(np.uint64)
    after = automaton.majors_after[:, None] >> (np.uint64(written) - done)
    # Zeros may still come before the first digit, so that at place 0 more may follow than are left.
    fits = np.where(places == 0, after, after & one) > 0
    fits &= automaton.majors_before[:, None] >> done > 0
    fits[:, 0] &= automaton.only_zeros
    cents_left = one << np.minimum(len(digits) - places, 2).astype(np.uint64)
    cents_left[: written + 1] |= np.uint64(whole)
    fits &= automaton.cents_after[:, None] & cents_left > 0
    fits[0] = places == 0
    label = np.full(fits.shape, -1, np.int32)
    is_major, is_cents = (automaton.role == role for role in (Role.MAJOR, Role.CENTS))
    label[is_major, 0] = zero
    label[is_major, 1 : written + 1] = digits[:written]
    fits[is_major, written + 1 :] = False
    label[is_cents, written + 1 :] = digits[written:]
    fits[is_cents, : written + 1] = False
    allowed = automaton.class_penalty[automaton.state_class[:, None], label] < np.inf
    fits[1:] &= (allowed | (label < 0))[1:]
    return fits, label


def _moves(automaton: Automaton, kept: NDArray[np.bool_]) -> tuple[Ints, Ints, Ints]:
    """(transition, place before, place after) of every transition between kept pairs."""
    src, dst = automaton.src, automaton.dst
    role = automaton.role[dst]
    is_digit = (role == Role.MAJOR) | (role == Role.CENTS)
    stays = kept[src] & kept[dst]
    stays[is_digit, 1:] = False
    stays[role == Role.CENTS] = False
    advances = kept[src][:, :-1] & kept[dst][:, 1:]
    advances[~is_digit] = False
    move_a, place_a = np.nonzero(stays)
    move_b, place_b = np.nonzero(advances)
    move = np.concatenate([move_a, move_b]).astype(np.int32)
    place = np.concatenate([place_a, place_b]).astype(np.int32)
    return move, place, np.concatenate([place_a, place_b + 1]).astype(np.int32)


def _narrowed(
    automaton: Automaton, states: NDArray[np.int64], label: Ints
) -> tuple[NDArray[np.float64], Ints, Ints]:
    """The classes, and one more for each pair of a class and the one label that is allowed.

    Also the class of each state, and the class of the automaton that each class is from.
    """
    classes, width = automaton.class_penalty.shape
    state_class = automaton.state_class[states]
    narrow = label >= 0
    pairs, row = np.unique(state_class[narrow] * width + label[narrow], return_inverse=True)
    extra = np.full((len(pairs), width), np.inf)
    group, only = np.divmod(pairs, width)
    extra[np.arange(len(pairs)), only] = automaton.class_penalty[group, only]
    state_class = state_class.copy()
    state_class[narrow] = classes + row
    from_group = np.concatenate([np.arange(classes), group]).astype(np.int32)
    return np.concatenate([automaton.class_penalty, extra]), state_class, from_group


def _sign(grammar: Grammar, amount_minor: int) -> NDArray[np.bool_]:
    if amount_minor == 0:
        return np.ones(len(grammar.negative), bool)
    return grammar.negative if amount_minor < 0 else ~grammar.negative
