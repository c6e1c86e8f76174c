"""The verbs on graphs against a listing of every path, on thousands of small random graphs."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.pipeline.graph import (
    Graph,
    arc_posteriors,
    backward_penalties,
    compose,
    forward_penalties,
    forward_penalty,
    log_sum,
    n_best,
    viterbi,
)
from tests.pipeline import oracle

SEEDS = st.integers(0, 2**32 - 1)
EACH = 5  # graphs a seed
many_graphs = settings(max_examples=300, deadline=None, database=None)


def graphs(seed: int) -> list[tuple[Graph, list[oracle.Way]]]:
    rng = np.random.default_rng(seed)
    made = [oracle.random_graph(rng) for _ in range(EACH)]
    return [(graph, oracle.all_paths(graph)) for graph in made]


def small() -> Graph:
    """0 -a:1-> 1, 0 -b:2-> 1, 1 -a:0.5-> 2, 0 -a:4-> 2; ends in 2."""
    return Graph(
        num_nodes=3,
        start=0,
        finals=np.array([2], np.int32),
        src=np.array([0, 0, 1, 0], np.int32),
        dst=np.array([1, 1, 2, 2], np.int32),
        label=np.array([0, 1, 0, 0], np.int32),
        penalty=np.array([1.0, 2.0, 0.5, 4.0]),
    )


def test_hand_counted() -> None:
    path = viterbi(small())
    assert path is not None
    assert path.arcs.tolist() == [0, 2]
    assert path.labels == (0, 0)
    assert path.penalty == 1.5
    assert [(p.labels, p.penalty) for p in n_best(small(), 9)] == [
        ((0, 0), 1.5),
        ((1, 0), 2.5),
        ((0,), 4.0),
    ]
    assert forward_penalty(small()) == pytest.approx(
        -np.log(np.exp(-1.5) + np.exp(-2.5) + np.exp(-4.0))
    )


@many_graphs
@given(SEEDS)
def test_viterbi_is_the_lowest_of_all_paths(seed: int) -> None:
    for graph, ways in graphs(seed):
        path = viterbi(graph)
        if path is None:
            assert not ways
            continue
        assert path.penalty == pytest.approx(min(way.penalty for way in ways))
        assert tuple(path.arcs.tolist()) in {way.arcs for way in ways}
        assert graph.label[path.arcs].tolist() == list(path.labels)


@many_graphs
@given(SEEDS, st.sampled_from([(), (0,), (1, 2)]))
def test_n_best_are_the_lowest_distinct_strings(seed: int, silent: tuple[int, ...]) -> None:
    for graph, ways in graphs(seed):
        best: dict[tuple[int, ...], float] = {}
        for way in ways:
            string = way.string(silent)
            best[string] = min(way.penalty, best.get(string, np.inf))
        for n in (0, 1, 3, 50):
            paths = n_best(graph, n, silent=silent)
            expected = sorted(best.values())[:n]
            assert [p.penalty for p in paths] == pytest.approx(expected)
            strings = [tuple(x for x in p.labels if x not in silent) for p in paths]
            assert len(set(strings)) == len(strings)
            for path, string in zip(paths, strings, strict=True):
                assert path.penalty == pytest.approx(best[string])
                whole = graph.penalty[path.arcs].sum() + graph.final_penalty[path.final]
                assert path.penalty == pytest.approx(whole)


@many_graphs
@given(SEEDS)
def test_forward_and_posteriors_sum_over_all_paths(seed: int) -> None:
    for graph, ways in graphs(seed):
        total = oracle.log_sum([way.penalty for way in ways])
        assert forward_penalty(graph) == pytest.approx(total)
        assert backward_penalties(graph)[graph.start] == pytest.approx(total)
        shares = np.zeros(len(graph.src))
        for way in ways:
            shares[list(way.arcs)] += np.exp(total - way.penalty)
        assert arc_posteriors(graph) == pytest.approx(shares)


@many_graphs
@given(SEEDS, st.booleans())
def test_compose_pairs_the_paths_that_spell_the_same(seed: int, swapped: bool) -> None:
    rng = np.random.default_rng(seed)
    for _ in range(EACH):
        plain, cyclic = oracle.random_graph(rng), oracle.random_graph(rng, cyclic=True)
        first, second = (cyclic, plain) if swapped else (plain, cyclic)
        ways = [oracle.all_paths(graph, longest=plain.num_nodes) for graph in (first, second)]
        expected = Counter(
            (a.arcs, b.arcs, a.final, b.final, round(a.penalty + b.penalty, 6))
            for a in ways[0]
            for b in ways[1]
            if a.labels == b.labels
        )
        both = compose(first, second)
        assert both.is_topological
        found = Counter(
            (
                tuple(both.origin[list(way.arcs), 0].tolist()),
                tuple(both.origin[list(way.arcs), 1].tolist()),
                *both.final_origin[way.final].tolist(),
                round(way.penalty, 6),
            )
            for way in oracle.all_paths(both)
        )
        assert found == expected
        assert (first.label[both.origin[:, 0]] == both.label).all()
        assert (second.label[both.origin[:, 1]] == both.label).all()


def test_compose_keeps_only_what_lies_on_a_path() -> None:
    # The common strings are none: "a" and "b" lead to node 1 of both, which ends in one only.
    longer = replace(small(), label=np.array([0, 1, 2, 2], np.int32))
    both = compose(small(), longer)
    assert both.num_nodes == 1
    assert len(both.src) == len(both.finals) == 0
    assert viterbi(both) is None
    assert forward_penalty(both) == np.inf


def test_posteriors_are_the_numerical_gradient_of_the_forward_penalty() -> None:
    graph = small()
    step = 1e-6
    for arc, share in enumerate(arc_posteriors(graph)):
        moved = graph.penalty.copy()
        moved[arc] += step
        slope = (forward_penalty(replace(graph, penalty=moved)) - forward_penalty(graph)) / step
        assert slope == pytest.approx(share, abs=1e-5)


def test_large_penalties_neither_overflow_nor_vanish() -> None:
    for offset in (5e3, -5e3):
        graph = replace(small(), penalty=small().penalty + offset)
        assert forward_penalties(graph)[1] == pytest.approx(
            offset - np.log(np.exp(-1.0) + np.exp(-2.0))
        )
        assert np.isfinite(forward_penalty(graph))
    assert log_sum(np.array([np.inf, np.inf])) == np.inf
    assert log_sum(np.zeros(0)) == np.inf


def test_ties_do_not_widen_the_search_for_strings() -> None:
    """3^40 strings of equal penalty: the first five are found at once."""
    length = 40
    src = np.repeat(np.arange(length, dtype=np.int32), 3)
    graph = Graph(
        num_nodes=length + 1,
        start=0,
        finals=np.array([length], np.int32),
        src=src,
        dst=src + 1,
        label=np.tile(np.arange(3, dtype=np.int32), length),
        penalty=np.zeros(3 * length),
    )
    assert len({path.labels for path in n_best(graph, 5)}) == 5


@pytest.mark.parametrize(
    "change",
    [
        {"dst": np.array([1, 1, 2, 3], np.int32)},
        {"label": np.array([0], np.int32)},
        {"penalty": np.array([0.0, 0.0, np.nan, 0.0])},
        {"penalty": np.array([0.0, 0.0, -np.inf, 0.0])},
        {"finals": np.array([2, 2], np.int32), "final_penalty": np.zeros(2),
         "final_origin": np.zeros((2, 2), np.int32)},
        {"start": 3},
    ],
)  # fmt: skip
def test_malformed_graphs_are_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="graph"):
        replace(small(), **change)  # type: ignore[arg-type]


def test_verbs_need_topological_order() -> None:
    backwards = replace(small(), src=np.array([0, 0, 2, 0], np.int32),
                        dst=np.array([1, 1, 1, 2], np.int32))  # fmt: skip
    for verb in (viterbi, forward_penalty, arc_posteriors):
        with pytest.raises(ValueError, match="topological"):
            verb(backwards)
