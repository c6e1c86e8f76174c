"""Brute force for graphs, lattices and grammars small enough to list every path."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from service.pipeline.automaton import Grammar
from service.pipeline.graph import Graph
from service.pipeline.rules import RUBBISH, SPACE
from service.pipeline.search import Lattice

LABELS = (*"0123456789.,-/=*#$£€₹x()%+|NORS", RUBBISH)


@dataclass(frozen=True)
class Way:
    arcs: tuple[int, ...]
    labels: tuple[int, ...]
    penalty: float
    final: int

    def string(self, silent: tuple[int, ...] = ()) -> tuple[int, ...]:
        return tuple(label for label in self.labels if label not in silent)


def all_paths(graph: Graph, longest: int = 99) -> list[Way]:
    """Every path from the start to a final of at most so many arcs, infinite ones left out."""
    ends = {int(node): i for i, node in enumerate(graph.finals)}
    found: list[Way] = []

    def walk(node: int, arcs: tuple[int, ...], penalty: float) -> None:
        if node in ends:
            whole = penalty + float(graph.final_penalty[ends[node]])
            labels = tuple(int(graph.label[a]) for a in arcs)
            if whole < np.inf:
                found.append(Way(arcs, labels, whole, ends[node]))
        if len(arcs) < longest:
            for arc in np.flatnonzero(graph.src == node):
                walk(int(graph.dst[arc]), (*arcs, int(arc)), penalty + float(graph.penalty[arc]))

    walk(graph.start, (), 0.0)
    return found


def log_sum(penalties: list[float]) -> float:
    total = sum(np.exp(-p) for p in penalties)
    return float(-np.log(total)) if total else float("inf")


def random_graph(
    rng: np.random.Generator, *, labels: int = 3, cyclic: bool = False, most_nodes: int = 6
) -> Graph:
    """A few nodes, parallel arcs, dead ends and infinite penalties, negative ones too."""
    nodes = int(rng.integers(1, most_nodes + 1))
    arcs = int(rng.integers(0, 2 * nodes + 1)) if nodes > 1 or cyclic else 0
    src, dst = rng.integers(0, nodes, (2, arcs))
    if not cyclic:
        dst = np.where(src == dst, (src + 1) % nodes, dst)
        src, dst = np.minimum(src, dst), np.maximum(src, dst)
    finals = rng.permutation(nodes)[: rng.integers(0, 3)]
    penalty = rng.normal(0, 2, arcs)
    penalty[rng.random(arcs) < 0.1] = np.inf
    return Graph(
        num_nodes=nodes,
        start=0 if rng.random() < 0.9 else int(rng.integers(0, nodes)),
        finals=finals.astype(np.int32),
        src=src.astype(np.int32),
        dst=dst.astype(np.int32),
        label=rng.integers(0, labels, arcs).astype(np.int32),
        penalty=penalty,
        final_penalty=rng.normal(0, 1, len(finals)),
    )


def written(text: str, labels: tuple[str, ...] = LABELS) -> Lattice:
    """A lattice that can be read as just this text, SPACE standing where the text has it."""
    symbols = [s for s in text if s != SPACE]
    class_penalty = np.full((len(symbols), len(labels)), np.inf)
    class_penalty[np.arange(len(symbols)), [labels.index(s) for s in symbols]] = 0.0
    segment = np.cumsum([s != SPACE for s in text]) - 1
    segment[[s == SPACE for s in text]] = -1
    cuts = np.arange(len(text), dtype=np.int32)
    return Lattice(
        num_nodes=len(text) + 1,
        src=cuts,
        dst=cuts + 1,
        segment=segment.astype(np.int32),
        penalty=np.zeros(len(text)),
        field=np.zeros(len(text), np.int32),
        class_penalty=class_penalty,
    )


def random_lattice(
    rng: np.random.Generator,
    symbols: str,
    *,
    labels: tuple[str, ...] = LABELS,
    most_cuts: int = 6,
    choices: int = 4,
) -> Lattice:
    """A few cuts, shared segments, spaces; each segment may be a few of the symbols, or stray."""
    nodes = int(rng.integers(2, most_cuts + 1))
    cuts = [(u, u + 1) for u in range(nodes - 1) if rng.random() < 0.95]
    for _ in range(int(rng.integers(0, nodes + 1))):
        u = int(rng.integers(0, nodes - 1))
        cuts.append((u, int(rng.integers(u + 1, nodes))))
    order = rng.permutation(len(cuts))
    ends = np.array([cuts[i] for i in order], np.int32).reshape(-1, 2)
    segments = int(rng.integers(1, len(cuts) + 2))
    class_penalty = np.full((segments, len(labels)), np.inf)
    for row in class_penalty:
        likely = [labels.index(s) for s in rng.choice(list(symbols), choices)]
        row[likely] = rng.normal(0, 3, len(likely))
        if rng.random() < 0.6:
            row[labels.index(RUBBISH)] = rng.normal(0, 3)
    segment = rng.integers(0, segments, len(cuts))
    segment[rng.random(len(cuts)) < 0.15] = -1
    return Lattice(
        num_nodes=nodes,
        src=ends[:, 0],
        dst=ends[:, 1],
        segment=segment.astype(np.int32),
        penalty=rng.normal(0, 1, len(cuts)),
        field=rng.integers(0, 2, len(cuts)).astype(np.int32),
        class_penalty=class_penalty,
    )


def recognition_graph(lattice: Lattice, grammar: Grammar) -> Graph:
    """The lattice as a plain graph, one arc for each label that a segment may have."""
    space = len(grammar.labels) - 1
    arcs: list[tuple[int, int, float]] = []
    for arc, segment in enumerate(lattice.segment):
        if segment < 0:
            arcs.append((arc, space, float(lattice.penalty[arc])))
            continue
        row = lattice.class_penalty[segment]
        arcs.extend(
            (arc, int(label), float(lattice.penalty[arc] + row[label]))
            for label in np.flatnonzero(np.isfinite(row))
        )
    parent = np.array([arc for arc, _, _ in arcs], np.int32)
    return Graph(
        num_nodes=lattice.num_nodes,
        start=0,
        finals=np.array([lattice.num_nodes - 1], np.int32),
        src=lattice.src[parent],
        dst=lattice.dst[parent],
        label=np.array([label for _, label, _ in arcs], np.int32),
        penalty=np.array([penalty for _, _, penalty in arcs], np.float64),
        origin=np.stack([parent, np.full(len(parent), -1, np.int32)], axis=1),
    )
