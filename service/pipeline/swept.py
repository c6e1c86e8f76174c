"""T_rec by a space displacement network: one network swept over a strip, no cuts (section VII).

Its outputs are a graph as well: a node before and after every column, and between them an arc for
each symbol and one for none. Composed with the grammar it is searched like the recognition graph.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.errors import ModelError
from service.pipeline.automaton import Grammar, reweighted
from service.pipeline.card import SWEPT
from service.pipeline.chain import Entrances, against_none, forward_of_all, normalised
from service.pipeline.field import FieldCandidate
from service.pipeline.recognize import padded, session_of
from service.pipeline.search import forward_by_field
from service.pipeline.strip import LAYERS, STRIP_HEIGHT
from service.pipeline.sweep import Lattice

COLUMNS = 4
"""Columns of a strip to one output."""
STEP = 2 * COLUMNS
"""A strip that the network is called with is as wide as a multiple of so many columns."""
# A column that says a symbol with less than this probability says none.
_SILENT = 1e-5
# No strip is an amount with more certainty than this leaves.
_LEAST_ELSE = 1e-3


@dataclass(frozen=True, slots=True)
class SweptLattice:
    """The graph of a swept network's outputs; columns i32 [N, 2]: the field and the column that
    each segment of the lattice stands for."""

    lattice: Lattice
    columns: NDArray[np.int32]


class SweptNetwork:
    """A swept network, run with onnxruntime on one CPU thread; safe to share between threads.

    Its file may hold one for hands and one for print, and what tells which of them reads a strip.
    """

    def __init__(self, folder: Path, name: str = SWEPT) -> None:
        """Load the one of a model's folder, from a file of that name; raises ModelError."""
        self._session = session_of(folder, name)
        shape = self._session.get_inputs()[0].shape
        if shape[1:3] != [LAYERS, STRIP_HEIGHT]:
            raise ModelError(f"{name} in {folder} reads strips of another version: train it anew")

    def outputs(self, strip: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Penalties -log P of a strip, u8 [LAYERS, 36, W]: f32 [ceil(W / 8) * 2, K + 1].

        K: the recognizer's labels but RUBBISH, then SPACE; the last column is of no symbol.
        """
        if strip.shape[2] == 0:
            return np.zeros((0, self._session.get_outputs()[0].shape[-1]), np.float32)
        (result,) = self._session.run(None, {"strips": padded(strip, STEP)})
        return np.asarray(result[0], np.float32)


def swept_lattice(
    outputs: Sequence[NDArray[np.floating]], fields: Sequence[int], silent: float = _SILENT
) -> SweptLattice:
    """The graph of the outputs for some fields, all in parallel.

    outputs: of each field, see `SweptNetwork.outputs`. Columns that say a symbol with no more than
    the probability `silent` have no node. In class_penalty none is RUBBISH, so that the search
    passes over it like ink that belongs to no character. A path's penalty is -log of its
    probability, given its field's strip.
    """
    arcs: list[NDArray[np.int32]] = []
    penalties = [np.zeros(0)]
    told = [np.zeros((0, outputs[0].shape[1] - 1 if outputs else 1))]
    held = [np.zeros((0, 2), np.int32)]
    speaking = [_speaks(one, silent) for one in outputs]
    counts = [int(one.sum()) for one in speaking]
    node, start, last = 1, 0, 1 + sum(max(count - 1, 0) for count in counts)
    for own, speaks, count, number in zip(outputs, speaking, counts, fields, strict=True):
        if not count:
            continue
        exact = own[speaks].astype(np.float64)
        steps = np.arange(node - 1, node + count, dtype=np.int32)
        steps[0], steps[-1] = 0, last
        # Of each column an arc that reads it, and one for SPACE.
        table = np.empty((4, count, 2), np.int32)
        table[0], table[1], table[3] = steps[:-1, None], steps[1:, None], number
        table[2, :, 0], table[2, :, 1] = np.arange(start, start + count), -1
        penalty = np.zeros((count, 2))
        penalty[:, 1] = exact[:, -2]
        penalty[0] += own[~speaks, -1].sum(dtype=np.float64)
        arcs.append(table.reshape(4, -1))
        penalties.append(penalty.ravel())
        told.append(np.concatenate([exact[:, :-2], exact[:, -1:]], axis=1))
        columns = np.flatnonzero(speaks)
        held.append(np.stack([np.full(count, number), columns], axis=1).astype(np.int32))
        node, start = node + count - 1, start + count
    src, dst, segment, field = np.concatenate([np.zeros((4, 0), np.int32), *arcs], axis=1)
    penalty, labels = np.concatenate(penalties), np.concatenate(told)
    return SweptLattice(
        Lattice(last + 1, src, dst, segment, penalty, field, labels), np.concatenate(held)
    )


def weighed(
    graph: SweptLattice, fields: Sequence[FieldCandidate], grammar: Grammar
) -> tuple[SweptLattice, float]:
    """The graph with every field measured against being no amount at all; and the forward penalty
    of everything: all amounts of all fields, and that there is none.

    fields: all candidates. What is added to a path is the field's own log odds, and the network's:
    how much likelier it takes the strip for something else than the grammar's amounts.
    """
    entrances = Entrances.of(graph.lattice)
    found = forward_by_field(graph.lattice, grammar)
    totals = np.array([found[number] for number in entrances.fields.tolist()])
    own = np.array([against_none(fields[n].penalty) for n in entrances.fields.tolist()])
    elsewhere = np.maximum(-np.expm1(-np.maximum(totals, 0.0)), _LEAST_ELSE)
    added = own + np.log(elsewhere)
    lattice = normalised(graph.lattice, entrances, added)
    return replace(graph, lattice=lattice), forward_of_all((totals + added).tolist(), 0.0)


def _speaks(outputs: NDArray[np.floating], silent: float) -> NDArray[np.bool_]:
    """The columns that say a symbol with more than the probability `silent`; bool [T]."""
    return np.asarray(-np.expm1(-outputs[:, -1].astype(np.float64)) > silent)


def constraint(grammar: Grammar) -> Grammar:
    """The same grammar without penalties: it says which strings are amounts, and no more.

    How likely each is the network has learned by itself, from the same amounts as the weights.
    """
    return reweighted(grammar, np.zeros_like(grammar.weight_penalty))
