"""One lattice against one grammar automaton, swept in cut order, all grammar states at once.

The interpretation graph has a node for every pair of a cut and a grammar state. Here the states of
a cut are one row of numbers, and a row is taken through every arc and transition by compiled loops
(``native``): as penalties for the best path (the tropical semiring), as probabilities relative to
the row's best for sums over all paths (the log semiring).
"""

from __future__ import annotations

import ctypes
import weakref
from collections.abc import Callable
from dataclasses import dataclass, replace
from dataclasses import field as field_of
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.amount import Role
from service.pipeline.automaton import Automaton
from service.pipeline.graph import Floats, Ints
from service.pipeline.native import LIBRARY, address, checked

# Grammars whose numbers are kept; training spells out one for every amount.
_AUTOMATA: Final = 64
# Forms of amounts, by their digits, whose automata are kept.
_FORMS: Final = 512
_MOST_DIGITS: Final = 62
_NO_NUMBER: Final = "composition: a penalty is not a number"


@dataclass(frozen=True, slots=True)
class Lattice:
    """A segmentation graph with the recognizer's penalties for its segments.

    Node 0 is the beginning and the last node the end; src < dst on every arc.
    src, dst i32[A]; segment i32[A]: row of class_penalty, or -1 for SPACE; penalty f[A]: of the
    segment itself; field i32[A]: the field candidate that the arc belongs to;
    class_penalty f[N, K]: of each label of the recognizer, RUBBISH included. None is changed once
    the lattice was searched.
    Raises ValueError where shapes or ranges are wrong.
    """

    num_nodes: int
    src: Ints
    dst: Ints
    segment: Ints
    penalty: NDArray[np.floating]
    field: Ints
    class_penalty: NDArray[np.floating]
    _numbers: _Numbers | None = field_of(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        arcs = len(self.src)
        if not arcs == len(self.dst) == len(self.segment) == len(self.penalty) == len(self.field):
            raise ValueError("lattice: every array must have one entry per arc")
        if self.num_nodes < 2 or (arcs and self.dst.max() >= self.num_nodes):
            raise ValueError("lattice: a node is out of range")
        if (self.src >= self.dst).any() or (arcs and self.src.min() < 0):
            raise ValueError("lattice: arcs must lead to higher nodes")
        if arcs and (self.segment.min() < -1 or self.segment.max() >= len(self.class_penalty)):
            raise ValueError("lattice: a segment is out of range")

    def numbers(self) -> _Numbers:
        """What the compiled loops read; raises ValueError where a penalty is not a number."""
        if self._numbers is None:
            object.__setattr__(self, "_numbers", _Numbers(self))
        assert self._numbers is not None
        return self._numbers

    def repriced(self, penalty: NDArray[np.float64]) -> Lattice:
        """The same arcs at other penalties, f64[A]; raises ValueError where one is not a number."""
        if len(penalty) != len(self.src):
            raise ValueError("lattice: every array must have one entry per arc")
        # Not by `replace`: what the same arcs were found to be need not be found again.
        other = object.__new__(Lattice)
        own = {"penalty": penalty, "_numbers": self.numbers().repriced(penalty)}
        for name in self.__slots__:
            object.__setattr__(other, name, own[name] if name in own else getattr(self, name))
        return other

    def of_field(self, field: int) -> Lattice:
        """The arcs of one field candidate alone; nodes and segments keep their numbers."""
        own = self.field == field
        return replace(
            self, src=self.src[own], dst=self.dst[own], segment=self.segment[own],
            penalty=self.penalty[own], field=self.field[own],
        )  # fmt: skip


class _Numbers:
    """src, dst, segment, penalty and class_penalty of a lattice, and the weights of its labels.

    Contiguous and of one type; addresses: where they lie, in that order. weight_addresses: where
    exp(least - penalty) lie, f64[N + 1, K + 1], with a column and a last row for SPACE, and the
    least penalty of each segment, f64[N + 1].
    """

    def __init__(self, lattice: Lattice) -> None:
        fixed = (
            np.ascontiguousarray(lattice.src, np.int32),
            np.ascontiguousarray(lattice.dst, np.int32),
            np.ascontiguousarray(lattice.segment, np.int32),
        )
        told = np.ascontiguousarray(lattice.class_penalty, np.float64)
        rows, labels = told.shape
        label, least = np.empty((rows + 1, labels + 1)), np.empty(rows + 1)
        read, weights, lowest = (address(one, np.float64) for one in (told, label, least))
        if not LIBRARY.label_weights(
            read, ctypes.c_int64(rows), ctypes.c_int64(labels + 1), weights, lowest
        ):
            raise ValueError(_NO_NUMBER)
        self._kept: tuple[NDArray[Any], ...] = (*fixed, told, label, least)
        self._ways = tuple(address(one, np.int32).value for one in fixed)
        self._read = read.value
        self.weight_addresses = weights.value, lowest.value
        self._price(lattice.penalty)

    def repriced(self, penalty: NDArray[np.floating]) -> _Numbers:
        """Those of the same lattice at other penalties, f[A]."""
        other = object.__new__(_Numbers)
        other.__dict__.update(self.__dict__)
        other._price(penalty)
        return other

    def _price(self, penalty: NDArray[np.floating]) -> None:
        self._penalty = np.ascontiguousarray(penalty, np.float64)
        if np.isnan(self._penalty).any():
            raise ValueError(_NO_NUMBER)
        self.addresses = *self._ways, address(self._penalty, np.float64).value, self._read


class _Problem(ctypes.Structure):
    """A lattice and an automaton as the compiled loops take them (``sweep.h``)."""

    _fields_ = (
        *((name, ctypes.c_int64) for name in ("nodes", "arcs", "segments", "labels", "states",
                                              "moves", "classes", "finals", "rubbish")),
        *((name, ctypes.c_void_p) for name in ("src", "dst", "segment", "penalty", "label_penalty",
                                               "state_class", "class_penalty", "from_", "to",
                                               "move_penalty", "rubbish_penalty", "final",
                                               "final_penalty", "label_weight", "label_least",
                                               "layout")),
    )  # fmt: skip


class _Grammar(ctypes.Structure):
    """What ``spelled.c`` must know of a grammar's states and finals."""

    _fields_ = (
        *((name, ctypes.c_void_p) for name in ("role", "majors_before", "majors_after",
                                               "cents_after", "only_zeros", "negative")),
        *((name, ctypes.c_int64) for name in ("major", "cents", "zero")),
    )  # fmt: skip


class _Form(ctypes.Structure):
    _fields_ = tuple((name, ctypes.c_int64) for name in ("count", "whole", "sign"))


for _make in (LIBRARY.layout_make, LIBRARY.spelling_make):
    _make.restype = ctypes.c_void_p
for _free in (LIBRARY.layout_free, LIBRARY.spelling_free):
    _free.argtypes = (ctypes.c_void_p,)


@dataclass(frozen=True, slots=True)
class Spelled:
    """Amounts as the labels of their digits, see ``spelling``.

    each: of an amount its digits, without leading zeros, two for the cents last; whether the cents
    are 00 and may be left out; and its sign, 0 for zero. zero: label of 0; negative bool[F]: per
    final of the grammar.
    """

    each: tuple[tuple[tuple[int, ...], bool, int], ...]
    zero: int
    negative: NDArray[np.bool_]


class _Fixed:
    """The numbers of an automaton, contiguous and of one type, where they lie, and its layout.

    entered, counts: as in `Composition`.
    """

    def __init__(self, automaton: Automaton) -> None:
        """Raises ValueError where an index is out of range, or a penalty is not a number."""
        classes, _ = automaton.class_penalty.shape
        states = len(automaton.state_class)
        for indices, least, count in (
            (automaton.state_class, -1, classes),
            (automaton.src, 0, states),
            (automaton.dst, 0, states),
            (automaton.finals, 0, states),
        ):
            if len(indices) and (indices.min() < least or indices.max() >= count):
                raise ValueError("composition: an index is out of range")
        self.numbers: tuple[NDArray[Any], ...] = (
            np.ascontiguousarray(automaton.state_class, np.int32),
            np.ascontiguousarray(automaton.class_penalty, np.float64),
            *(np.ascontiguousarray(one, np.int32) for one in (automaton.src, automaton.dst)),
            *(
                np.ascontiguousarray(one, np.float64)
                for one in (automaton.penalty, automaton.rubbish_penalty)
            ),
            np.ascontiguousarray(automaton.finals, np.int32),
            np.ascontiguousarray(automaton.final_penalty, np.float64),
        )
        if any(np.isnan(one).any() for one in self.numbers if one.dtype == np.float64):
            raise ValueError(_NO_NUMBER)
        self.addresses = tuple(one.ctypes.data for one in self.numbers)
        self.sizes = (
            automaton.class_penalty.shape[1], states, len(automaton.src), classes,
            len(automaton.finals),
        )  # fmt: skip
        role = automaton.role
        self.entered = np.append(role[automaton.dst], np.uint8(Role.FORMAT))
        self.counts = (role == Role.MAJOR) + 2 * (role == Role.CENTS).astype(np.uint8)
        self.layout: int | None = None
        self.layout = LIBRARY.layout_make(ctypes.byref(self.problem()))
        checked(self.layout is not None)
        weakref.finalize(self, LIBRARY.layout_free, self.layout).atexit = False

    def problem(self) -> _Problem:
        """The automaton without a lattice."""
        weights = (None, None)
        return _Problem(
            0, 0, 0, *self.sizes, 0, *(5 * [None]), *self.addresses, *weights, self.layout
        )


@lru_cache(maxsize=_AUTOMATA)
def _numbers_of(automaton: Automaton) -> _Fixed:
    return _Fixed(automaton)


class _Spelling:
    """The automaton of all amounts with as many digits, see ``spelled.c``."""

    def __init__(self, automaton: Automaton, negative: bytes, zero: int, form: _Form) -> None:
        self._fixed = _numbers_of(automaton)  # its numbers are read on
        masks = (automaton.majors_before, automaton.majors_after, automaton.cents_after)
        flags = np.frombuffer(negative, np.bool_)
        grammar = _Grammar(
            address(automaton.role, np.uint8),
            *(address(mask, np.uint64) for mask in masks),
            address(automaton.only_zeros, np.bool_),
            address(flags, np.bool_),
            Role.MAJOR,
            Role.CENTS,
            zero,
        )
        self.handle: int = LIBRARY.spelling_make(
            ctypes.byref(self._fixed.problem()), ctypes.byref(grammar), ctypes.byref(form)
        )
        checked(self.handle is not None)
        weakref.finalize(self, LIBRARY.spelling_free, self.handle).atexit = False


@lru_cache(maxsize=_FORMS)
def _spelling_of(
    automaton: Automaton, negative: bytes, zero: int, count: int, whole: bool, sign: int
) -> _Spelling:
    return _Spelling(automaton, negative, zero, _Form(count, whole, sign))


class Composition:
    """A lattice under an automaton, ready for the compiled loops; rubbish: label of stray ink.

    Holds the numbers, contiguous and of one type, that the loops read. Raises ValueError where an
    index is out of range, or a penalty is NaN: the loops check nothing.
    entered: u8[T + 1], the role of what each transition reads, the last one's of stray ink. counts:
    u8[S], 1 for states that are entered on a MAJOR digit, 2 on a CENTS digit, else 0.
    """

    def __init__(self, lattice: Lattice, automaton: Automaton, rubbish: int) -> None:
        self.lattice, self.automaton, self.rubbish = lattice, automaton, rubbish
        classes, labels = automaton.class_penalty.shape
        segments = len(lattice.class_penalty.reshape(-1, labels - 1))
        fixed = _numbers_of(automaton)
        if not 0 <= rubbish < labels - 1:
            raise ValueError("composition: an index is out of range")
        numbers = lattice.numbers()
        self.problem = _Problem(
            lattice.num_nodes, len(lattice.src), segments, labels, len(automaton.state_class),
            len(automaton.src), classes, len(automaton.finals), rubbish, *numbers.addresses,
            *fixed.addresses, *numbers.weight_addresses, fixed.layout,
        )  # fmt: skip
        self._fixed = fixed
        self.entered, self.counts = fixed.entered, fixed.counts

    def spelled_totals(self, amounts: Spelled) -> list[float]:
        """The summed penalty of the paths that spell each amount, +infinity where there is none.

        Raises ValueError where the amounts are not of this composition's grammar.
        """
        automaton, count = self.automaton, len(amounts.each)
        if len(amounts.negative) != len(automaton.finals) or any(
            max(digits) >= automaton.class_penalty.shape[1] for digits, _, _ in amounts.each
        ):
            raise ValueError("composition: the amounts are of another grammar")
        negative = np.ascontiguousarray(amounts.negative, np.bool_).tobytes()
        spellings = [
            _spelling_of(automaton, negative, amounts.zero, len(digits), whole, sign)
            if len(digits) <= _MOST_DIGITS
            else None
            for digits, whole, sign in amounts.each
        ]
        handles = [one.handle if one is not None else None for one in spellings]
        digits = [(ctypes.c_int32 * len(one))(*one) for one, _, _ in amounts.each]
        pointers = ctypes.c_void_p * count
        totals = (ctypes.c_double * count)()
        checked(
            LIBRARY.spelled_totals(
                ctypes.byref(self.problem),
                pointers(*handles),
                pointers(*map(ctypes.addressof, digits)),
                ctypes.c_int64(count),
                totals,
            )
        )
        return list(totals)

    def total(self) -> float:
        """The summed penalty of all paths, +infinity where there is none."""
        return float(self._totals(np.zeros(len(self.lattice.src), np.int32), 1)[0])

    def total_by_field(self) -> dict[int, float]:
        """The same for each field apart, told by the arc that reaches the last node."""
        arcs = np.bincount(self.lattice.field)
        own = np.ascontiguousarray(self.lattice.field, np.int32)
        totals = self._totals(own, len(arcs)).tolist()
        return {field: totals[field] for field, held in enumerate(arcs.tolist()) if held}

    def _totals(self, field: Ints, fields: int) -> Floats:
        totals = np.empty(2 * fields)
        checked(
            LIBRARY.summed_totals(
                ctypes.byref(self.problem), address(field, np.int32), ctypes.c_int64(fields),
                address(totals, np.float64),
            )
        )  # fmt: skip
        return totals

    def expected(self) -> Expected:
        """The summed penalty of all paths, and how often each piece lies on them.

        Paths weigh exp(-penalty). Zeros where there is no path.
        """
        found = Expected.none(self.lattice, self.automaton)
        total = ctypes.c_double()
        pieces = (found.labels, found.arcs, found.transitions, found.classes, found.strays,
                  found.finals)  # fmt: skip
        checked(
            LIBRARY.summed_expected(
                ctypes.byref(self.problem),
                ctypes.byref(total),
                *(address(piece, np.float64) for piece in pieces),
            )
        )
        return replace(found, penalty=total.value)


class Sweep:
    """The rows of a lattice under an automaton, in the semiring of lowest penalties (Viterbi).

    rubbish: label of stray ink. S states. Rows are f64[S]; +infinity: no way.
    labels f64[N + 1, K]: class penalties, with a column and a last row for SPACE, so that segment
    -1 finds it; entering f64[N + 1, S]: of reading a segment on the way into a state; stray
    f64[N + 1]: of taking it for stray ink.
    """

    def __init__(self, lattice: Lattice, automaton: Automaton, rubbish: int) -> None:
        self.lattice, self.automaton, self.rubbish = lattice, automaton, rubbish
        self._composition = Composition(lattice, automaton, rubbish)
        self.labels = np.full(
            (len(lattice.class_penalty) + 1, automaton.class_penalty.shape[1]), np.inf
        )
        self.labels[:-1, :-1] = lattice.class_penalty
        self.labels[-1, -1] = 0.0
        self.by_class = _by_class(self.labels, automaton.class_penalty)
        self.entering = np.full((len(self.labels), len(automaton.state_class)), np.inf)
        self.entering[:, 1:] = self.by_class[:, automaton.state_class[1:]]
        self.stray = self.labels[:, rubbish]

    def forward(self) -> tuple[Floats, Floats]:
        """Lowest penalties of all ways from the beginning.

        To each cut and state, f64[nodes, S]; and to each cut and on through a transition into
        the state, whose symbol is yet to be read.
        """
        return self._rows(LIBRARY.lowest_forward)

    def backward(self) -> tuple[Floats, Floats]:
        """Lowest penalties of all ways to the end.

        From each cut and state, f64[nodes, S]; and from each cut where a transition into the state
        has been taken, whose symbol is yet to be read.
        """
        return self._rows(LIBRARY.lowest_backward)

    def _rows(self, function: Callable[..., int]) -> tuple[Floats, Floats]:
        shape = (self.lattice.num_nodes, len(self.automaton.state_class))
        rows, moved = np.empty(shape), np.empty(shape)
        checked(
            function(
                ctypes.byref(self._composition.problem),
                address(rows, np.float64),
                address(moved, np.float64),
            )
        )
        return rows, moved

    def expected(self) -> Expected:
        """The penalty of the best path, and how often each piece lies on it.

        Of paths that are equally good all count. Zeros where there is no path.
        """
        lattice, automaton = self.lattice, self.automaton
        ahead, stepped = self.forward()
        rest, entered = self.backward()
        total = float((ahead[-1, automaton.finals] + automaton.final_penalty).min(initial=np.inf))
        if total == np.inf:
            return Expected.none(lattice, automaton)
        read, stray = self._arrivals(ahead, stepped)
        onward = rest[lattice.dst]
        taken = _on_best(total, read + onward)
        strays = _on_best(total, stray + onward)
        order = np.argsort(lattice.segment, kind="stable")
        segments, starts = np.unique(lattice.segment[order], return_index=True)
        by_state = np.zeros(self.entering.shape)
        by_state[segments] = np.add.reduceat(taken[order], starts)
        labels = np.zeros(self.labels.shape)
        classes = np.zeros(automaton.class_penalty.shape)
        for group in range(len(classes)):
            count = by_state[:, automaton.state_class == group].sum(axis=1)
            used = np.flatnonzero(count)
            spelled = self.labels[used] + automaton.class_penalty[group]
            share = _on_best(self.by_class[used, group][:, None], spelled)
            counts = count[used][:, None] * share
            labels[used] += counts
            classes[group] = counts.sum(axis=0)
        np.add.at(labels[:, self.rubbish], lattice.segment, strays.sum(axis=1))
        moves = ahead[:, automaton.src] + automaton.penalty + entered[:, automaton.dst]
        ends = ahead[-1, automaton.finals] + automaton.final_penalty
        return Expected(
            penalty=total,
            labels=labels[:-1, :-1],
            arcs=taken.sum(axis=1) + strays.sum(axis=1),
            transitions=_on_best(total, moves).sum(axis=0),
            classes=classes,
            strays=strays.sum(axis=0),
            finals=_on_best(total, ends),
        )

    def _arrivals(self, ahead: Floats, stepped: Floats) -> tuple[Floats, Floats]:
        """What each arc brings to its end, f64[A, S] each: by a symbol, by stray ink."""
        lattice = self.lattice
        penalty = lattice.penalty[:, None]
        stray = self.stray[lattice.segment][:, None] + penalty
        return (
            stepped[lattice.src] + self.entering[lattice.segment] + penalty,
            ahead[lattice.src] + self.automaton.rubbish_penalty + stray,
        )


@dataclass(frozen=True, slots=True)
class Expected:
    """How often the paths of a composition use each piece, weighted: the gradient of its penalty.

    penalty: of all paths merged. labels f64[N, K]: segments read as labels; arcs f64[A]; and of the
    automaton transitions f64[T], classes f64[C, K], strays f64[S], finals f64[F].
    """

    penalty: float
    labels: Floats
    arcs: Floats
    transitions: Floats
    classes: Floats
    strays: Floats
    finals: Floats

    @classmethod
    def none(cls, lattice: Lattice, automaton: Automaton) -> Expected:
        """Where there is no path."""
        return cls(
            np.inf,
            np.zeros(lattice.class_penalty.shape),
            np.zeros(len(lattice.src)),
            np.zeros(len(automaton.src)),
            np.zeros(automaton.class_penalty.shape),
            np.zeros(len(automaton.state_class)),
            np.zeros(len(automaton.finals)),
        )


def _on_best(whole: Floats | float, part: Floats) -> Floats:
    """1 for each part that is as good as the whole that it merges into, else 0."""
    with np.errstate(invalid="ignore"):
        ahead = whole - part
    return np.asarray(ahead >= -1e-11 * (1.0 + np.abs(whole)), np.float64)


def _by_class(labels: Floats, classes: Floats) -> Floats:
    """f64[N + 1, C]: the lowest penalty of reading each segment as any symbol of each class."""
    present = np.isfinite(classes)
    counts = present.sum(axis=1)
    out = np.full((len(labels), len(classes)), np.inf)
    single = np.flatnonzero(counts == 1)
    label = present[single].argmax(axis=1)
    out[:, single] = labels[:, label] + classes[single, label]
    for group in np.flatnonzero(counts > 1):
        members = np.flatnonzero(present[group])
        out[:, group] = (labels[:, members] + classes[group, members]).min(axis=1)
    return out
