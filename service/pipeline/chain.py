"""The chain from segments to the search: penalties of every stage made comparable and added up.

What is tuned in global training (section VII) enters here, so that training and service share it.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.pipeline.automaton import Grammar
from service.pipeline.card import ModelCard
from service.pipeline.field import FieldCandidate
from service.pipeline.recognize import against_rubbish
from service.pipeline.search import Lattice, forward, forward_by_field
from service.pipeline.segment import FEATURES, SegmentationGraph

INK = FEATURES.index("ink")
SUREST_FIELD = 0.97


@dataclass(frozen=True, slots=True)
class Entrances:
    """The arcs by which each field candidate is entered.

    fields i32[F]: candidates that have segments, ascending; arcs: of each, indices into the graph.
    """

    fields: NDArray[np.int32]
    arcs: tuple[NDArray[np.int64], ...]

    @classmethod
    def of(cls, graph: SegmentationGraph | Lattice) -> "Entrances":
        """Those of a graph or lattice."""
        entering = np.flatnonzero(graph.src == 0)
        own = graph.field[entering]
        fields = np.flatnonzero(np.bincount(own))
        return cls(
            fields.astype(np.int32), tuple(entering[own == field] for field in fields.tolist())
        )


def recognition_graph(
    graph: SegmentationGraph,
    fields: Sequence[FieldCandidate],
    penalties: NDArray[np.float32],
    card: ModelCard,
    free: Grammar,
) -> Lattice:
    """The recognition graph of a cheque, every field measured against being no amount at all.

    fields: the candidates that the graph was made of; penalties f32 [N, K]: the recognizer's for
    its crops; free: the grammar of any string of symbols.
    """
    stray = card.stray_penalty + card.stray_ink_penalty * graph.features[:, INK]
    odds = against_rubbish(penalties, stray, card.symbol_penalty).astype(np.float64)
    lattice = Lattice(
        graph.num_nodes, graph.src, graph.dst, graph.segment,
        graph.penalty.astype(np.float64), graph.field, odds,
    )  # fmt: skip
    entrances = Entrances.of(lattice)
    own = [against_none(fields[field].penalty) for field in entrances.fields.tolist()]
    totals = forward_by_field(lattice, free) if len(own) else {}
    free_totals = [totals[field] for field in entrances.fields.tolist()]
    return normalised(lattice, entrances, np.array(own) - np.array(free_totals))


def normalised(lattice: Lattice, entrances: Entrances, added: NDArray[np.float64]) -> Lattice:
    """The lattice with a penalty added to every arc that enters a field; added f64[F].

    A field's amounts compete with the same ink read as any symbols, so that fields with many and
    with few segments compare, and so that a text that is no amount does not look like one: what is
    added is the field's own log odds less its forward penalty under the free grammar.
    """
    penalty = np.array(lattice.penalty, np.float64)
    for arcs, extra in zip(entrances.arcs, added.tolist(), strict=True):
        penalty[arcs] += extra
    return lattice.repriced(penalty)


def forward_of_everything(lattice: Lattice, grammar: Grammar, null_penalty: float) -> float:
    """The forward penalty of all amounts and of the hypothesis that there is none."""
    return forward_of_all([forward(lattice, grammar)], null_penalty)


def forward_of_all(fields: Iterable[float], null_penalty: float) -> float:
    """The same, from the forward penalty of each field's amounts.

    What of a field that nothing was read of stands for it is `against_none`: what it would have if
    its ink spoke neither for an amount nor against it.
    """
    every = [null_penalty, *fields]
    least = min(every)
    return least - math.log(sum(math.exp(least - one) for one in every))


def against_none(penalty: float) -> float:
    """From the penalty -log P that a field is the amount's to its log odds against being another's.

    That no field is the amount's then has penalty 0, whatever the number of candidates. The
    candidate's own penalty is on its arcs already and counts once more in the free grammar's total.
    """
    probability = min(math.exp(-max(penalty, 0.0)), SUREST_FIELD)
    return penalty + math.log1p(-probability)
