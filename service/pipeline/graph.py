"""The one graph type of the reader, and the verbs on it: compose, viterbi, n_best, forward.

Penalties add along a path and are lower where better; they may be negative (log-odds) and
+infinity (no such arc), never NaN or -infinity. Viterbi takes the minimum over paths (the tropical
semiring), forward takes ``-log(sum(exp(-penalty)))`` (the log semiring). Everything here is
materialised and plain: ``search`` gives the same answers faster and is tested against this.
"""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import count

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int32]
Floats = NDArray[np.float64]


def _no_ints() -> Ints:
    return np.zeros(0, np.int32)


def _no_floats() -> Floats:
    return np.zeros(0, np.float64)


@dataclass(frozen=True, slots=True)
class Graph:
    """A weighted directed graph whose arcs carry labels (section VIII).

    num_nodes: nodes are 0 .. num_nodes - 1; start: where every path begins.
    finals i32[F]: where paths may end, each node once; final_penalty f64[F]: added when a path
    ends there (zeros when left out); final_origin i32[F, 2]: index into the finals of the first
    and second parent, -1 for none.
    src, dst, label i32[A]; penalty f64[A]; origin i32[A, 2]: arc in the first and second parent,
    -1 for none, so that a path leads back to segments, cuts and boxes.
    Raises ValueError where shapes, ranges or penalties are wrong.
    """

    num_nodes: int
    start: int
    finals: Ints
    src: Ints
    dst: Ints
    label: Ints
    penalty: Floats
    origin: Ints = field(default_factory=_no_ints)
    final_penalty: Floats = field(default_factory=_no_floats)
    final_origin: Ints = field(default_factory=_no_ints)

    def __post_init__(self) -> None:
        arcs, ends = len(self.src), len(self.finals)
        defaults = (
            ("origin", np.full((arcs, 2), -1, np.int32)),
            ("final_penalty", np.zeros(ends)),
            ("final_origin", np.full((ends, 2), -1, np.int32)),
        )
        for name, default in defaults:
            if getattr(self, name).size == 0:
                object.__setattr__(self, name, default)
        for name in ("dst", "label", "penalty", "origin"):
            if len(getattr(self, name)) != arcs:
                raise ValueError(f"graph: {name} must have one entry per arc")
        for name in ("final_penalty", "final_origin"):
            if len(getattr(self, name)) != ends:
                raise ValueError(f"graph: {name} must have one entry per final")
        nodes = np.concatenate([self.src, self.dst, self.finals, [self.start]])
        if nodes.min() < 0 or nodes.max() >= self.num_nodes:
            raise ValueError("graph: a node is out of range")
        if len(np.unique(self.finals)) != ends:
            raise ValueError("graph: a final is listed twice")
        for values in (self.penalty, self.final_penalty):
            if np.isnan(values).any() or (values == -np.inf).any():
                raise ValueError("graph: a penalty is NaN or -infinity")

    @property
    def is_topological(self) -> bool:
        """True where every arc leads to a higher node, so that node order is a topological one."""
        return bool((self.src < self.dst).all())


@dataclass(frozen=True, slots=True)
class Path:
    """A path from the start to a final node.

    arcs i32[L] in order; labels: theirs; penalty: the sum, with the final one;
    final: index into ``finals``.
    """

    arcs: Ints
    labels: tuple[int, ...]
    penalty: float
    final: int


def log_sum(penalties: Floats) -> float:
    """-log(sum(exp(-penalties))) of f64[n], +infinity where nothing is finite."""
    lowest = float(penalties.min(initial=np.inf))
    if lowest == np.inf:
        return np.inf
    return lowest - float(np.log(np.exp(lowest - penalties).sum()))


def compose(first: Graph, second: Graph) -> Graph:
    """All pairs of paths that spell the same labels, their penalties added (section VIII-C).

    Labels match one to one; there are no epsilons. The result is trimmed to what lies on a path
    from start to a final. Its node order is topological where either parent's is. ``origin`` holds
    the arcs of both parents, ``final_origin`` their finals. Without a common string the result is
    one node without finals.
    """
    nodes, arcs = _reachable_pairs(first, second)
    pairs = sorted(nodes, key=lambda p: p if first.is_topological else (p[1], p[0]))
    ends_a = {int(n): i for i, n in enumerate(first.finals)}
    ends_b = {int(n): i for i, n in enumerate(second.finals)}
    finals = [p for p in pairs if p[0] in ends_a and p[1] in ends_b]
    useful = _leading_to(finals, arcs)
    begin = (first.start, second.start)
    if begin not in useful:
        useful, finals, arcs = {begin}, [], []
    number = {p: i for i, p in enumerate(p for p in pairs if p in useful)}
    arcs = [a for a in arcs if a[0] in number and a[1] in number]
    order = sorted(range(len(arcs)), key=lambda i: (number[arcs[i][0]], number[arcs[i][1]]))
    origin = np.array([arcs[i][2:] for i in order], np.int32).reshape(-1, 2)
    from_finals = np.array([(ends_a[a], ends_b[b]) for a, b in finals], np.int32).reshape(-1, 2)
    return Graph(
        num_nodes=len(number),
        start=number[begin],
        finals=np.array([number[p] for p in finals], np.int32),
        src=np.array([number[arcs[i][0]] for i in order], np.int32),
        dst=np.array([number[arcs[i][1]] for i in order], np.int32),
        label=first.label[origin[:, 0]].astype(np.int32),
        penalty=first.penalty[origin[:, 0]] + second.penalty[origin[:, 1]],
        origin=origin,
        final_penalty=first.final_penalty[from_finals[:, 0]]
        + second.final_penalty[from_finals[:, 1]],
        final_origin=from_finals,
    )


_Pair = tuple[int, int]
_PairArc = tuple[_Pair, _Pair, int, int]


def _reachable_pairs(first: Graph, second: Graph) -> tuple[set[_Pair], list[_PairArc]]:
    leaving_a: dict[int, list[tuple[int, int, int]]] = {}
    for arc, (src, dst, label) in enumerate(_triples(first)):
        leaving_a.setdefault(src, []).append((arc, label, dst))
    leaving_b: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for arc, (src, dst, label) in enumerate(_triples(second)):
        leaving_b.setdefault((src, label), []).append((arc, dst))
    begin = (first.start, second.start)
    seen, waiting, arcs = {begin}, [begin], []
    while waiting:
        here = waiting.pop()
        for arc_a, label, dst_a in leaving_a.get(here[0], ()):
            for arc_b, dst_b in leaving_b.get((here[1], label), ()):
                there = (dst_a, dst_b)
                arcs.append((here, there, arc_a, arc_b))
                if there not in seen:
                    seen.add(there)
                    waiting.append(there)
    return seen, arcs


def _triples(graph: Graph) -> Iterator[tuple[int, int, int]]:
    return zip(graph.src.tolist(), graph.dst.tolist(), graph.label.tolist(), strict=True)


def _leading_to(finals: list[_Pair], arcs: list[_PairArc]) -> set[_Pair]:
    before: dict[_Pair, list[_Pair]] = {}
    for src, dst, _, _ in arcs:
        before.setdefault(dst, []).append(src)
    seen, waiting = set(finals), list(finals)
    while waiting:
        for node in before.get(waiting.pop(), ()):
            if node not in seen:
                seen.add(node)
                waiting.append(node)
    return seen


def _require_topological(graph: Graph) -> None:
    if not graph.is_topological:
        raise ValueError("graph: arcs must lead to higher nodes (topological order)")


def viterbi(graph: Graph) -> Path | None:
    """The path of lowest penalty, None where no path of finite penalty reaches a final.

    Needs topological node order. Ties go to the lower arc.
    """
    _require_topological(graph)
    best = np.full(graph.num_nodes, np.inf)
    best[graph.start] = 0.0
    came = np.full(graph.num_nodes, -1, np.int64)
    for node, arcs in _by_node(graph.dst):
        totals = best[graph.src[arcs]] + graph.penalty[arcs]
        winner = int(totals.argmin())
        if totals[winner] < best[node]:
            best[node], came[node] = totals[winner], arcs[winner]
    totals = best[graph.finals] + graph.final_penalty
    if totals.min(initial=np.inf) == np.inf:
        return None
    final = int(totals.argmin())
    arcs_back, node = [], int(graph.finals[final])
    while came[node] >= 0:
        arcs_back.append(int(came[node]))
        node = int(graph.src[came[node]])
    return _path(graph, arcs_back[::-1], float(totals[final]), final)


def _path(graph: Graph, arcs: list[int], penalty: float, final: int) -> Path:
    chosen = np.array(arcs, np.int32)
    return Path(chosen, tuple(graph.label[chosen].tolist()), penalty, final)


def _by_node(ends: Ints) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Each node that occurs in ``ends``, ascending, with the arcs that have it there."""
    order = np.argsort(ends, kind="stable")
    nodes, first = np.unique(ends[order], return_index=True)
    yield from zip(nodes.tolist(), np.split(order, first[1:]), strict=False)


def best_completions(graph: Graph) -> Floats:
    """f64[num_nodes]: the lowest penalty from each node to the end. Needs topological order."""
    _require_topological(graph)
    rest = np.full(graph.num_nodes, np.inf)
    rest[graph.finals] = graph.final_penalty
    for node, arcs in reversed(list(_by_node(graph.src))):
        onward = (graph.penalty[arcs] + rest[graph.dst[arcs]]).min()
        rest[node] = min(rest[node], float(onward))
    return rest


# A way to a node: its penalty so far, and the arcs as a linked list (arc, the list before it).
_Trail = tuple[int, "_Trail"] | None
_Front = dict[int, tuple[float, _Trail]]


def n_best(
    graph: Graph, n: int, *, silent: Collection[int] = (), rest: Floats | None = None
) -> list[Path]:
    """The n best distinct label strings, best first, each with its best path.

    Labels in ``silent`` do not count when strings are told apart (stray ink). rest: the graph's
    ``best_completions``, where they are known. Fewer than n where the graph spells fewer. Needs
    topological order.

    An A* search over prefixes: the graph is determinised on the fly (a prefix holds every node
    that it can lead to) and the estimate of the rest is exact, so at most n * length prefixes are
    opened, ties aside.
    """
    known = (best_completions(graph) if rest is None else rest).tolist()
    leaving = _leaving(graph, known)
    ends = {int(node): i for i, node in enumerate(graph.finals)}
    quiet, tick = frozenset(silent), count()
    found: list[Path] = []
    heap: list[tuple[float, int, int, _Front | Path]] = []
    if n > 0 and known[graph.start] < np.inf:
        heap.append((0.0, 0, next(tick), {graph.start: (0.0, None)}))
    while heap and len(found) < n:
        _, depth, _, front = heapq.heappop(heap)
        if isinstance(front, Path):
            found.append(front)
            continue
        _close(front, leaving, quiet)
        whole = _ending(graph, front, ends)
        if whole is not None:
            heapq.heappush(heap, (whole.penalty, depth, next(tick), whole))
        for following in _steps(front, leaving, quiet):
            estimate = min(penalty + known[node] for node, (penalty, _) in following.items())
            # Deeper first among equals: with exact estimates a tie need not widen the search.
            heapq.heappush(heap, (estimate, depth - 1, next(tick), following))
    return found


# The arcs that leave each node: (arc, label, dst, penalty).
_Leaving = list[list[tuple[int, int, int, float]]]


def _leaving(graph: Graph, rest: list[float]) -> _Leaving:
    """Arcs by the node that they leave, those left out that lead nowhere."""
    leaving: _Leaving = [[] for _ in range(graph.num_nodes)]
    columns = (graph.src, graph.label, graph.dst, graph.penalty)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    for arc, (src, label, dst, penalty) in enumerate(rows):
        if penalty < np.inf and rest[dst] < np.inf:
            leaving[src].append((arc, label, dst, penalty))
    return leaving


def _close(front: _Front, leaving: _Leaving, silent: frozenset[int]) -> None:
    """Adds to the front what silent arcs lead to; nodes are taken in topological order."""
    if not silent:
        return
    waiting = list(front)
    heapq.heapify(waiting)
    while waiting:
        node = heapq.heappop(waiting)
        so_far, trail = front[node]
        for arc, label, dst, penalty in leaving[node]:
            if label in silent:
                total = so_far + penalty
                if dst not in front:
                    heapq.heappush(waiting, dst)
                if dst not in front or total < front[dst][0]:
                    front[dst] = (total, (arc, trail))


def _steps(front: _Front, leaving: _Leaving, silent: frozenset[int]) -> list[_Front]:
    following: dict[int, _Front] = {}
    for node, (so_far, trail) in front.items():
        for arc, label, dst, penalty in leaving[node]:
            if label not in silent:
                ahead = following.setdefault(label, {})
                total = so_far + penalty
                if dst not in ahead or total < ahead[dst][0]:
                    ahead[dst] = (total, (arc, trail))
    return list(following.values())


def _ending(graph: Graph, front: _Front, ends: dict[int, int]) -> Path | None:
    best, chosen, last = np.inf, -1, None
    for node, (so_far, trail) in front.items():
        if node in ends:
            total = so_far + float(graph.final_penalty[ends[node]])
            if total < best:
                best, chosen, last = total, ends[node], trail
    if chosen < 0:
        return None
    arcs = []
    while last is not None:
        arcs.append(last[0])
        last = last[1]
    return _path(graph, arcs[::-1], float(best), chosen)


def forward_penalties(graph: Graph) -> Floats:
    """f64[num_nodes]: the forward penalty of all ways from the start to each node.

    Needs topological order.
    """
    _require_topological(graph)
    ahead = np.full(graph.num_nodes, np.inf)
    ahead[graph.start] = 0.0
    for node, arcs in _by_node(graph.dst):
        into = log_sum(ahead[graph.src[arcs]] + graph.penalty[arcs])
        ahead[node] = log_sum(np.array([ahead[node], into]))
    return ahead


def backward_penalties(graph: Graph) -> Floats:
    """f64[num_nodes]: the forward penalty of all ways from each node to the end.

    Needs topological order.
    """
    _require_topological(graph)
    rest = np.full(graph.num_nodes, np.inf)
    rest[graph.finals] = graph.final_penalty
    for node, arcs in reversed(list(_by_node(graph.src))):
        onward = log_sum(graph.penalty[arcs] + rest[graph.dst[arcs]])
        rest[node] = log_sum(np.array([rest[node], onward]))
    return rest


def forward_penalty(graph: Graph) -> float:
    """-log sum exp(-penalty) over all paths, +infinity where there is none (section VI-E).

    Needs topological order.
    """
    return log_sum(forward_penalties(graph)[graph.finals] + graph.final_penalty)


def arc_posteriors(graph: Graph) -> Floats:
    """f64[A]: the share of all paths, weighted by exp(-penalty), that takes each arc.

    It is the gradient of the forward penalty with respect to the arc's penalty (section VI-E);
    zeros where there is no path. Needs topological order.
    """
    ahead, rest = forward_penalties(graph), backward_penalties(graph)
    total = float(rest[graph.start])
    if total == np.inf:
        return np.zeros(len(graph.src))
    return np.exp(total - (ahead[graph.src] + graph.penalty + rest[graph.dst]))
