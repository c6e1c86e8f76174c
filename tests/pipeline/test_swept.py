"""The graph of a swept network's outputs, against all ways to say a text one by one."""

import math
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import ModelError
from service.pipeline.chain import against_none
from service.pipeline.field import FieldCandidate, Zone
from service.pipeline.grammar import free_grammar, grammar_for
from service.pipeline.search import best, forward, forward_by_field, forward_of_amount
from service.pipeline.swept import SweptNetwork, constraint, swept_lattice, weighed

LABELS = (*"0123456789.,-/=*#$£€₹x()%+|NORS", "")
SYMBOLS = (*LABELS[:-1], " ")
GRAMMAR = constraint(grammar_for(None, None, LABELS))


def _outputs(seed: int, columns: int) -> NDArray[np.float32]:
    raw = np.random.default_rng(seed).normal(size=(columns, len(SYMBOLS) + 1)) * 2
    return (np.log(np.exp(raw).sum(axis=1, keepdims=True)) - raw).astype(np.float32)


def _penalty_of(outputs: NDArray[np.float32], text: str) -> float:
    """-log of the probability of saying a text, summed over where its symbols are said."""
    total = 0.0
    for places in combinations(range(len(outputs)), len(text)):
        said = dict(zip(places, text, strict=True))
        total += math.exp(
            -sum(
                float(row[SYMBOLS.index(said[n]) if n in said else -1])
                for n, row in enumerate(outputs)
            )
        )
    return -math.log(total)


def _texts(length: int) -> list[str]:
    return [f"{n}" for n in range(10 ** (length - 1), 10**length)]


def test_all_texts_that_spell_an_amount_are_summed() -> None:
    outputs = _outputs(0, 5)
    others = [n for n, symbol in enumerate(SYMBOLS) if symbol not in "0123456789."]
    outputs[:, others] += 30.0
    lattice = swept_lattice([outputs], [0], silent=-1.0).lattice
    for amount, texts in (
        (71200, ("712", "712.", "0712", "00712", "0712.")),
        (1234, ("12.34", "012.34")),
        (700, ("7", "7.", "07", "007", "07.", "007.", "0007", "00007", "0007.", "7.00", "07.00")),
    ):
        spelled = [_penalty_of(outputs, text) for text in texts if len(text) <= 5]
        expected = -np.logaddexp.reduce([-one for one in spelled])
        found = forward_of_amount(lattice, GRAMMAR, amount)
        # A mark may be of two groupings or two marks: the same text counts once for each.
        assert expected - math.log(3) < found < expected + 1e-4


def test_the_best_path_is_the_best_text() -> None:
    outputs = _outputs(3, 4)
    outputs[:, [SYMBOLS.index(s) for s in SYMBOLS if not s.isdigit()]] += 30.0
    graph = swept_lattice([outputs], [0], silent=-1.0)
    found = best(graph.lattice, GRAMMAR, 1)[0]
    ways = []
    for length in (1, 2, 3, 4):
        for text in _texts(length):
            for places in combinations(range(4), length):
                said = dict(zip(places, text, strict=True))
                ways.append(
                    (
                        sum(
                            float(row[SYMBOLS.index(said[n]) if n in said else -1])
                            for n, row in enumerate(outputs)
                        ),
                        text,
                    )
                )
    penalty, text = min(ways)
    assert found.text == text
    assert found.penalty == pytest.approx(penalty, abs=1e-4)
    segments = graph.lattice.segment[found.arcs]
    assert (graph.columns[segments][:, 1] == np.arange(4)).all()


def test_silent_columns_are_passed_over() -> None:
    outputs = _outputs(1, 6)
    silent = outputs.copy()
    silent[[1, 4]] = 40.0
    silent[[1, 4], -1] = 1e-7
    whole = swept_lattice([silent], [0], silent=-1.0).lattice
    graph = swept_lattice([silent], [0])
    assert graph.columns[:, 1].tolist() == [0, 2, 3, 5]
    for amount in (700, 71200, 45600):
        assert forward_of_amount(graph.lattice, GRAMMAR, amount) == pytest.approx(
            forward_of_amount(whole, GRAMMAR, amount), abs=1e-5
        )


def test_a_strip_that_says_nothing_has_no_graph() -> None:
    quiet = np.full((5, len(SYMBOLS) + 1), 40.0, np.float32)
    quiet[:, -1] = 0.0
    graph = swept_lattice([quiet], [0])
    assert len(graph.lattice.src) == 0
    assert best(graph.lattice, GRAMMAR, 1) == []
    both = swept_lattice([quiet, _outputs(2, 4)], [0, 1])
    assert set(both.columns[:, 0].tolist()) == {1}


def test_fields_are_apart() -> None:
    one, other = _outputs(1, 5), _outputs(2, 4)
    both = swept_lattice([one, other], [0, 3]).lattice
    totals = forward_by_field(both, GRAMMAR)
    for number, outputs in ((0, one), (3, other)):
        alone = forward(swept_lattice([outputs], [0]).lattice, GRAMMAR)
        assert totals[number] == pytest.approx(alone, abs=1e-6)


def test_probabilities_of_all_strings_add_up_to_one() -> None:
    free = free_grammar(LABELS)
    outputs = _outputs(4, 5)
    lattice = swept_lattice([outputs], [0], silent=-1.0).lattice
    anything = constraint(free)
    assert forward(lattice, anything) == pytest.approx(0.0, abs=1e-6)


def test_a_field_is_weighed_by_what_else_its_strip_may_say() -> None:
    outputs = [_outputs(5, 6), _outputs(6, 5)]
    fields = [
        FieldCandidate((Zone("amount", (0, 0, 9, 9)),), penalty, np.zeros(1, np.float32))
        for penalty in (0.4, 2.0)
    ]
    graph = swept_lattice(outputs, [0, 1])
    before = forward_by_field(graph.lattice, GRAMMAR)
    own, everything = weighed(graph, fields, GRAMMAR)
    after = forward_by_field(own.lattice, GRAMMAR)
    assert everything == pytest.approx(
        -np.logaddexp.reduce([0.0, *(-one for one in after.values())])
    )
    for number, field in enumerate(fields):
        other = math.log(1 - math.exp(-before[number]))
        assert after[number] == pytest.approx(
            before[number] + other + against_none(field.penalty), abs=1e-6
        )


def test_a_constraint_has_no_preferences() -> None:
    assert (GRAMMAR.automaton.rubbish_penalty == 0).all()
    assert (GRAMMAR.automaton.penalty == 0).all()
    assert set(np.unique(GRAMMAR.automaton.class_penalty)) == {0.0, np.inf}


def test_a_missing_network_is_a_model_error(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"swept\.onnx"):
        SweptNetwork(tmp_path)
