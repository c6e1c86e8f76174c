"""One lattice against one grammar automaton, swept in cut order, all grammar states at once.

The interpretation graph has a node for every pair of a cut and a grammar state. Here the states of
a cut are one row of numbers: a row is taken through every transition of the grammar in a few array
operations, and the only Python loop is over cuts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from service.pipeline.automaton import Automaton
from service.pipeline.graph import Floats, Ints

Index = NDArray[np.int64]
# Penalties [rows, n] -> [n], over the rows: the semiring.
Merge = Callable[[Floats], Floats]


@dataclass(frozen=True, slots=True)
class Lattice:
    """A segmentation graph with the recognizer's penalties for its segments.

    Node 0 is the beginning and the last node the end; src < dst on every arc.
    src, dst i32[A]; segment i32[A]: row of class_penalty, or -1 for SPACE; penalty f[A]: of the
    segment itself; field i32[A]: the field candidate that the arc belongs to;
    class_penalty f[N, K]: of each label of the recognizer, RUBBISH included.
    Raises ValueError where shapes or ranges are wrong.
    """

    num_nodes: int
    src: Ints
    dst: Ints
    segment: Ints
    penalty: NDArray[np.floating]
    field: Ints
    class_penalty: NDArray[np.floating]

    def __post_init__(self) -> None:
        arcs = len(self.src)
        if any(len(a) != arcs for a in (self.dst, self.segment, self.penalty, self.field)):
            raise ValueError("lattice: every array must have one entry per arc")
        if self.num_nodes < 2 or (arcs and self.dst.max() >= self.num_nodes):
            raise ValueError("lattice: a node is out of range")
        if (self.src >= self.dst).any() or (arcs and self.src.min() < 0):
            raise ValueError("lattice: arcs must lead to higher nodes")
        if arcs and (self.segment.min() < -1 or self.segment.max() >= len(self.class_penalty)):
            raise ValueError("lattice: a segment is out of range")

    def of_field(self, field: int) -> Lattice:
        """The arcs of one field candidate alone; nodes and segments keep their numbers."""
        own = self.field == field
        return replace(
            self, src=self.src[own], dst=self.dst[own], segment=self.segment[own],
            penalty=self.penalty[own], field=self.field[own],
        )  # fmt: skip


def lowest(rows: Floats) -> Floats:
    """The minimum over rows [rows, n] -> [n]: Viterbi."""
    least: Floats = rows.min(axis=0, initial=np.inf)
    return least


def log_sum(rows: Floats) -> Floats:
    """-log(sum(exp(-rows))) over rows [rows, n] -> [n]: forward. Divides by zero where all are
    +infinity, which callers silence once for all their cuts."""
    safe: Floats = rows.min(axis=0, initial=np.inf)
    safe[safe == np.inf] = 0.0
    safe -= np.log(np.exp(safe - rows).sum(axis=0))
    return safe


class _Fan:
    """Merges the entries of a vector that share a key (all transitions into a state, say)."""

    def __init__(self, keys: Ints, other: Ints, penalty: Floats) -> None:
        order = np.argsort(keys, kind="stable")
        self.keys, self.starts = np.unique(keys[order], return_index=True)
        self.other, self.penalty = other[order], penalty[order]
        self.weight = np.exp(-self.penalty)

    def merge(self, row: Floats, merge: Merge) -> Floats:
        """row[other] + penalty merged key by key, +infinity where there is nothing.

        In the log semiring the row is scaled to its lowest entry, so that one exponential a
        state does; what is 700 behind it, e^-700 of the sum, is lost.
        """
        out = np.full(len(row), np.inf)
        if len(self.keys) == 0:
            return out
        if merge is lowest:
            out[self.keys] = np.minimum.reduceat(row[self.other] + self.penalty, self.starts)
            return out
        least = row.min()
        if least < np.inf:
            shares = np.exp(least - row)[self.other] * self.weight
            out[self.keys] = least - np.log(np.add.reduceat(shares, self.starts))
        return out


class Sweep:
    """The rows of a lattice under an automaton, in one semiring.

    rubbish: label of stray ink. S states. Rows are f64[S]; +infinity: no way.
    labels f64[N + 1, K]: class penalties, with a column and a last row for SPACE, so that segment
    -1 finds it; entering f64[N + 1, S]: of reading a segment on the way into a state; stray
    f64[N + 1]: of taking it for stray ink.
    """

    def __init__(self, lattice: Lattice, automaton: Automaton, rubbish: int, merge: Merge) -> None:
        self.lattice, self.automaton, self.merge = lattice, automaton, merge
        self.rubbish = rubbish
        self.labels = np.full(
            (len(lattice.class_penalty) + 1, automaton.class_penalty.shape[1]), np.inf
        )
        self.labels[:-1, :-1] = lattice.class_penalty
        self.labels[-1, -1] = 0.0
        self.by_class = _by_class(self.labels, automaton.class_penalty, merge)
        self.entering = np.full((len(self.labels), len(automaton.state_class)), np.inf)
        self.entering[:, 1:] = self.by_class[:, automaton.state_class[1:]]
        self.stray = self.labels[:, rubbish]
        self._into = _Fan(automaton.dst, automaton.src, automaton.penalty)
        self._out_of = _Fan(automaton.src, automaton.dst, automaton.penalty)

    def forward(self) -> tuple[Floats, Floats]:
        """Penalties of all ways from the beginning.

        To each cut and state, f64[nodes, S]; and to each cut and on through a transition into
        the state, whose symbol is yet to be read.
        """
        nodes, rubbish = self.lattice.num_nodes, self.automaton.rubbish_penalty
        taken, groups = self._arcs(self.lattice.dst)
        ahead = np.full((nodes, len(rubbish)), np.inf)
        # What an arc starts from: a transition taken, or the state kept for stray ink.
        base = np.full((nodes, 2, len(rubbish)), np.inf)
        ahead[0, 0] = 0.0
        with np.errstate(divide="ignore"):
            for node, arcs in [(0, slice(0, 0)), *groups]:
                if node > 0:
                    rows = base[taken.src[arcs]] + taken.penalty[arcs]
                    ahead[node] = self.merge(rows.reshape(-1, len(rubbish)))
                base[node, 0] = self._into.merge(ahead[node], self.merge)
                base[node, 1] = ahead[node] + rubbish
        return ahead, base[:, 0]

    def backward(self) -> tuple[Floats, Floats]:
        """Penalties of all ways to the end.

        From each cut and state, f64[nodes, S]; and from each cut where a transition into the state
        has been taken, whose symbol is yet to be read.
        """
        nodes, rubbish = self.lattice.num_nodes, self.automaton.rubbish_penalty
        taken, groups = self._arcs(self.lattice.src)
        rest = np.full((nodes, len(rubbish)), np.inf)
        rest[-1, self.automaton.finals] = self.automaton.final_penalty
        entered = np.full(rest.shape, np.inf)
        with np.errstate(divide="ignore"):
            for node, arcs in reversed(groups):
                rows = rest[taken.dst[arcs]][:, None] + taken.penalty[arcs]
                entered[node], stray = self.merge(rows)
                read = self._out_of.merge(entered[node], self.merge)
                rest[node] = self.merge(np.stack([read, stray + rubbish]))
        return rest, entered

    def _arcs(self, ends: Ints) -> tuple[_Taken, list[tuple[int, slice]]]:
        """The lattice's arcs sorted by an end, and each node that is one with its share of them."""
        lattice = self.lattice
        order = np.argsort(ends, kind="stable")
        segment = lattice.segment[order]
        penalty = np.empty((len(order), 2, self.entering.shape[1]))
        penalty[:, 0] = self.entering[segment]
        penalty[:, 1] = self.stray[segment][:, None]
        penalty += lattice.penalty[order][:, None, None]
        nodes, starts = np.unique(ends[order], return_index=True)
        cuts = [*starts.tolist(), len(order)]
        shares = [slice(a, b) for a, b in pairwise(cuts)]
        taken = _Taken(lattice.src[order], lattice.dst[order], penalty)
        return taken, list(zip(nodes.tolist(), shares, strict=True))

    def total(self, ahead: Floats) -> float:
        """The merged penalty of everything, from the rows of ``forward``."""
        automaton = self.automaton
        return self._merged(ahead[-1, automaton.finals] + automaton.final_penalty)

    def total_by_field(self, ahead: Floats, stepped: Floats) -> dict[int, float]:
        """The same for each field apart, told by the arc that reaches the last node."""
        lattice, automaton = self.lattice, self.automaton
        read, stray = self._arrivals(ahead, stepped)
        ends = np.stack([read, stray], axis=1)[:, :, automaton.finals] + automaton.final_penalty
        last = lattice.dst == lattice.num_nodes - 1
        return {
            int(field): self._merged(ends[last & (lattice.field == field)])
            for field in np.unique(lattice.field)
        }

    def _arrivals(self, ahead: Floats, stepped: Floats) -> tuple[Floats, Floats]:
        """What each arc brings to its end, f64[A, S] each: by a symbol, by stray ink."""
        lattice = self.lattice
        penalty = lattice.penalty[:, None]
        stray = self.stray[lattice.segment][:, None] + penalty
        return (
            stepped[lattice.src] + self.entering[lattice.segment] + penalty,
            ahead[lattice.src] + self.automaton.rubbish_penalty + stray,
        )

    def _merged(self, penalties: Floats) -> float:
        with np.errstate(divide="ignore"):
            return float(self.merge(penalties.reshape(-1, 1))[0])

    def expected(self) -> Expected:
        """The merged penalty of everything, and how often each piece lies on its paths.

        Paths weigh exp(-penalty) in the log semiring; in that of ``lowest`` only the best counts.
        Zeros where there is no path.
        """
        lattice, automaton = self.lattice, self.automaton
        ahead, stepped = self.forward()
        rest, entered = self.backward()
        total = self.total(ahead)
        if total == np.inf:
            return Expected.none(lattice, automaton)
        read, stray = self._arrivals(ahead, stepped)
        onward = rest[lattice.dst]
        taken = self._share(total, read + onward)
        strays = self._share(total, stray + onward)
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
            share = self._share(self.by_class[used, group][:, None], spelled)
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
            transitions=self._share(total, moves).sum(axis=0),
            classes=classes,
            strays=strays.sum(axis=0),
            finals=self._share(total, ends),
        )

    def _share(self, whole: Floats | float, part: Floats) -> Floats:
        """The share of what merges into a whole that is a part's."""
        with np.errstate(invalid="ignore"):
            ahead = whole - part
        if self.merge is lowest:
            return np.asarray(ahead >= -1e-11 * (1.0 + np.abs(whole)), np.float64)
        return np.asarray(np.exp(np.nan_to_num(ahead, nan=-np.inf, neginf=-np.inf)), np.float64)


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


class _Taken(NamedTuple):
    """Arcs of a lattice in some order, with the penalty f64[A, 2, S] of a symbol and stray ink."""

    src: Ints
    dst: Ints
    penalty: Floats


def _by_class(labels: Floats, classes: Floats, merge: Merge) -> Floats:
    """f64[N + 1, C]: the penalty of reading each segment as any symbol of each class."""
    present = np.isfinite(classes)
    counts = present.sum(axis=1)
    out = np.full((len(labels), len(classes)), np.inf)
    single = np.flatnonzero(counts == 1)
    label = present[single].argmax(axis=1)
    out[:, single] = labels[:, label] + classes[single, label]
    with np.errstate(divide="ignore"):
        for group in np.flatnonzero(counts > 1):
            members = np.flatnonzero(present[group])
            out[:, group] = merge((labels[:, members] + classes[group, members]).T)
    return out
