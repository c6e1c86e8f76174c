"""The fast search against composition, and against a listing of every interpretation."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import replace
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.pipeline import graph as plain
from service.pipeline import search
from service.pipeline.amount import Role, amount_of
from service.pipeline.automaton import Grammar, compile_rule
from service.pipeline.grammar import free_grammar, grammar_for
from service.pipeline.rules import (
    SPACE,
    End,
    Rule,
    choice,
    literal,
    many,
    maybe,
    one_of,
    seq,
)
from tests.pipeline import oracle

SEEDS = st.integers(0, 2**32 - 1)
SMALL = ("0", "1", "2", ".", "-", "")
EACH = 4  # lattices a seed


def lattices(seed: int) -> list[tuple[search.Lattice, Grammar]]:
    """Random lattices with random grammars."""
    rng = np.random.default_rng(seed)
    grammar = random_grammar(rng)
    return [
        (oracle.random_lattice(rng, "0012.-", labels=SMALL, choices=3), grammar)
        for _ in range(EACH)
    ]


def random_grammar(rng: np.random.Generator) -> Grammar:
    def share() -> float:
        return float(rng.uniform(0.1, 0.9))

    def number(name: str, end: Rule) -> Rule:
        digit = one_of(f"{name}.digit", {"0": share(), "1": share(), "2": share()}, Role.MAJOR)
        cents = seq(*[one_of("cent", {"0": 0.5, "1": 0.5}, Role.CENTS)] * 2)
        major = choice(
            f"{name}.major",
            one=(share(), digit),
            two=(share(), seq(digit, maybe(f"{name}.point", share(), literal(".")), digit)),
            run=(share(), many(f"{name}.run", share(), digit)),
            zeros=(share(), seq(many("zeros", 0.4, one_of("zero", "0", Role.MAJOR)), digit)),
        )
        tail = choice(
            f"{name}.tail",
            none=(share(), seq()),
            cents=(share(), seq(literal("."), cents)),
            apart=(share(), seq(literal(SPACE), cents)),
            dashes=(share(), many("dashes", 0.5, one_of("dash", {"-": 0.6, ".": 0.3}))),
        )
        return seq(major, tail, end)

    rule = choice(
        "top",
        bare=(share(), number("a", End(None))),
        spaced=(share(), seq(maybe("gap", share(), literal(SPACE)), number("b", End("EUR")))),
        minus=(share(), seq(literal("-"), number("c", End(None, negative=True)))),
    )
    return compile_rule("random", rule, SMALL, stray_inside=share(), stray_outside=share())


@cache
def real_grammar(name: str) -> Grammar:
    if name == "free":
        return free_grammar(oracle.LABELS)
    return grammar_for(None if name == "any" else name, None, oracle.LABELS)


def real_lattices(seed: int) -> list[tuple[search.Lattice, Grammar]]:
    rng = np.random.default_rng(seed)
    grammar = real_grammar(str(rng.choice(["USD", "GBP", "EUR", "INR", "any", "free"])))
    symbols = "0000123456789..,,--/$€*" + "".join(rng.choice(list("£RS₹x=#()NO%"), 4))
    return [(oracle.random_lattice(rng, symbols, most_cuts=7, choices=3), grammar)]


def interpretation_graph(lattice: search.Lattice, grammar: Grammar) -> plain.Graph:
    return plain.compose(oracle.recognition_graph(lattice, grammar), grammar.graph)


def meaning(grammar: Grammar, both: plain.Graph, way: oracle.Way) -> tuple[int, str, str]:
    """Amount, text and digits of a path of the composed graph, by its arcs' roles."""
    symbols = [grammar.labels[label] for label in way.labels]
    roles = grammar.role[both.origin[list(way.arcs), 1]].tolist()
    final = int(both.final_origin[way.final, 1])
    amount = amount_of(symbols, roles, negative=bool(grammar.negative[final]))
    return amount.minor, amount.text, amount.digits


def check_best(lattice: search.Lattice, grammar: Grammar, n: int) -> None:
    both = interpretation_graph(lattice, grammar)
    expected = plain.n_best(both, n, silent=(grammar.rubbish,))
    found = search.best(lattice, grammar, n)
    assert [i.penalty for i in found] == pytest.approx([p.penalty for p in expected])
    assert len({i.text for i in found}) == len(found)
    for reading in found:
        check_interpretation(lattice, grammar, reading)


def check_interpretation(
    lattice: search.Lattice, grammar: Grammar, reading: search.Interpretation
) -> None:
    """Its arcs join up from the first cut to the last, and carry its labels."""
    ends = list(zip(lattice.src[reading.arcs], lattice.dst[reading.arcs], strict=True))
    assert ends[0][0] == 0
    assert ends[-1][1] == lattice.num_nodes - 1
    assert all(a[1] == b[0] for a, b in pairwise(ends))
    symbols = [grammar.labels[label] for label in reading.labels]
    for arc, symbol in zip(reading.arcs, symbols, strict=True):
        assert (lattice.segment[arc] < 0) == (symbol == SPACE)
    amount = amount_of(symbols, reading.roles.tolist(), negative=reading.negative)
    assert (amount.minor, amount.text, amount.digits) == (
        reading.amount_minor, reading.text, reading.digits,
    )  # fmt: skip


def check_forward(lattice: search.Lattice, grammar: Grammar) -> None:
    both = interpretation_graph(lattice, grammar)
    total = plain.forward_penalty(both)
    assert search.forward(lattice, grammar) == pytest.approx(total)
    found = search.gradient(lattice, grammar)
    assert found.penalty == pytest.approx(total)
    shares = np.zeros(lattice.class_penalty.shape)
    segment = lattice.segment[
        oracle.recognition_graph(lattice, grammar).origin[both.origin[:, 0], 0]
    ]
    read = segment >= 0
    np.add.at(shares, (segment[read], both.label[read]), plain.arc_posteriors(both)[read])
    assert found.labels == pytest.approx(shares, abs=1e-9)
    if np.isfinite(total):
        into_end = lattice.dst == lattice.num_nodes - 1
        assert found.arcs[into_end].sum() == pytest.approx(1.0)


@settings(max_examples=150, deadline=None, database=None)
@given(SEEDS, st.sampled_from([1, 2, 5]))
def test_best_equals_composition_with_random_grammars(seed: int, n: int) -> None:
    for lattice, grammar in lattices(seed):
        check_best(lattice, grammar, n)


@settings(max_examples=150, deadline=None, database=None)
@given(SEEDS, st.sampled_from([1, 5]))
def test_best_equals_composition_with_real_grammars(seed: int, n: int) -> None:
    for lattice, grammar in real_lattices(seed):
        check_best(lattice, grammar, n)


@settings(max_examples=150, deadline=None, database=None)
@given(SEEDS)
def test_forward_and_posteriors_equal_composition_with_random_grammars(seed: int) -> None:
    for lattice, grammar in lattices(seed):
        check_forward(lattice, grammar)


@settings(max_examples=100, deadline=None, database=None)
@given(SEEDS)
def test_forward_and_posteriors_equal_composition_with_real_grammars(seed: int) -> None:
    for lattice, grammar in real_lattices(seed):
        check_forward(lattice, grammar)


@settings(max_examples=70, deadline=None, database=None)
@given(SEEDS)
def test_amounts_are_those_of_all_listed_paths(seed: int) -> None:
    """forward_of_amount, and best by amount, against every path of the composed graph."""
    for lattice, grammar in lattices(seed)[:2] + real_lattices(seed):
        both = interpretation_graph(lattice, grammar)
        ways = [(meaning(grammar, both, way)[0], way.penalty) for way in oracle.all_paths(both)]
        by_amount: dict[int, list[float]] = defaultdict(list)
        for minor, penalty in ways:
            by_amount[minor].append(penalty)
        for minor in list(by_amount)[:6]:
            expected = oracle.log_sum(by_amount[minor])
            assert search.forward_of_amount(lattice, grammar, minor) == pytest.approx(expected)
        assert search.forward_of_amount(lattice, grammar, 22222222222) == np.inf
        found = search.best(lattice, grammar, 3, distinct="amount")
        lowest = {minor: min(penalties) for minor, penalties in by_amount.items()}
        assert [i.penalty for i in found] == pytest.approx(sorted(lowest.values())[:3])
        assert [lowest[i.amount_minor] for i in found] == pytest.approx([i.penalty for i in found])
        assert len({i.amount_minor for i in found}) == len(found)


@settings(max_examples=60, deadline=None, database=None)
@given(SEEDS, st.sampled_from([0.5, 3.0, 12.0]))
def test_what_is_far_from_the_best_can_be_left_out(seed: int, within: float) -> None:
    for lattice, grammar in [*lattices(seed), *real_lattices(seed)]:
        every = search.best(lattice, grammar, 8, distinct="amount")
        near = search.best(lattice, grammar, 8, distinct="amount", within=within)
        least = every[0].penalty if every else 0.0
        expected = [one for one in every if one.penalty <= least + within - 1e-9]
        found = near[: len(expected)]
        assert [one.penalty for one in found] == [one.penalty for one in expected]
        # Of amounts that are as far as each other any may come first, or be the last of eight.
        often = Counter(one.penalty for one in expected)
        assert [one.amount_minor for one in found if often[one.penalty] == 1] == [
            one.amount_minor for one in expected if often[one.penalty] == 1
        ]
        assert all(one.penalty <= least + within + 1e-9 for one in near)


@settings(max_examples=60, deadline=None, database=None)
@given(SEEDS)
def test_the_best_way_to_spell_an_amount_is_found(seed: int) -> None:
    for lattice, grammar in [*lattices(seed), *real_lattices(seed)]:
        for one in search.best(lattice, grammar, 6, distinct="amount"):
            found = search.best_spelling(lattice, grammar, one.amount_minor)
            assert found is not None
            assert found.penalty == pytest.approx(one.penalty, abs=1e-6)
            assert (found.amount_minor, found.negative) == (one.amount_minor, one.negative)
            assert found.currency in grammar.currency
        assert search.best_spelling(lattice, grammar, 121212121212) is None


@settings(max_examples=100, deadline=None, database=None)
@given(SEEDS)
def test_posteriors_of_an_amount_are_numerical_gradients(seed: int) -> None:
    lattice, grammar = lattices(seed)[0]
    found = search.best(lattice, grammar)
    if not found:
        return
    amount = found[0].amount_minor
    found_all = search.gradient(lattice, grammar, amount)
    total, shares = found_all.penalty, found_all.labels
    assert total == pytest.approx(search.forward_of_amount(lattice, grammar, amount))
    step = 1e-5
    for arc in range(0, len(lattice.src), 7):
        penalty = lattice.penalty.copy()
        penalty[arc] += step
        moved = search.forward_of_amount(replace(lattice, penalty=penalty), grammar, amount)
        assert (moved - total) / step == pytest.approx(found_all.arcs[arc], abs=1e-3)
    for row, label in np.argwhere(np.isfinite(lattice.class_penalty))[:6]:
        labels = lattice.class_penalty.copy()
        labels[row, label] += step
        moved = search.forward_of_amount(replace(lattice, class_penalty=labels), grammar, amount)
        assert (moved - total) / step == pytest.approx(shares[row, label], abs=1e-3)


@pytest.mark.parametrize("amount", [None, 1234500])
def test_gradients_of_grammar_weights_are_numerical_gradients(amount: int | None) -> None:
    lattice = oracle.written("$12,345-")
    rng = np.random.default_rng(3)
    lattice.class_penalty[:] = rng.uniform(0, 3, lattice.class_penalty.shape)
    grammar = real_grammar("any")
    found = search.gradient(lattice, grammar, amount)
    known = dict(zip(grammar.weight_names, grammar.weight_penalty.tolist(), strict=True))
    used = np.flatnonzero(found.weights > 1e-4)
    assert len(used) > 10
    step = 1e-4
    for index in [*used[:6].tolist(), grammar.weight_names.index("stray.inside")]:
        name = grammar.weight_names[index]
        totals = []
        for way in (-1, 1):
            weights = ((name, known[name] + way * step),)
            tuned = grammar_for(None, None, oracle.LABELS, weights)
            totals.append(search.gradient(lattice, tuned, amount).penalty)
        assert (totals[1] - totals[0]) / (2 * step) == pytest.approx(found.weights[index], abs=1e-4)


def with_own_segments(lattice: search.Lattice) -> search.Lattice:
    """The lattice with a segment for every arc, no two alike, so that no two paths are equal."""
    own = np.flatnonzero(lattice.segment >= 0)
    segment = np.full(len(lattice.src), -1, np.int32)
    segment[own] = np.arange(len(own))
    rows = lattice.class_penalty[lattice.segment[own]]
    rows = rows + np.random.default_rng(0).uniform(0, 0.1, rows.shape)
    return replace(lattice, segment=segment, class_penalty=rows)


@settings(max_examples=100, deadline=None, database=None)
@given(SEEDS)
def test_the_gradient_of_the_best_path_counts_its_pieces(seed: int) -> None:
    for shared, grammar in real_lattices(seed):
        lattice = with_own_segments(shared)
        (one, *_) = [*search.best(lattice, grammar, 1), None]
        found = search.gradient(lattice, grammar, viterbi=True)
        if one is None:
            assert found.penalty == np.inf
            continue
        assert found.penalty == pytest.approx(one.penalty, abs=1e-4)
        assert np.flatnonzero(found.arcs).tolist() == sorted(one.arcs.tolist())
        segments = lattice.segment[one.arcs]
        counts = np.zeros(found.labels.shape)
        np.add.at(counts, (segments[segments >= 0], one.labels[segments >= 0]), 1)
        assert found.labels == pytest.approx(counts)
        weighed = (found.labels * np.nan_to_num(lattice.class_penalty, posinf=0)).sum()
        weighed += found.arcs @ lattice.penalty + found.weights @ grammar.weight_penalty
        assert weighed == pytest.approx(one.penalty, abs=1e-4)


def two_fields() -> search.Lattice:
    """The texts "12" and "$3.45" side by side as fields 7 and 9."""
    first, second = oracle.written("12"), oracle.written("$3.45")
    end = first.num_nodes + second.num_nodes - 3

    def join(cuts: np.ndarray, last: int, shift: int) -> np.ndarray:
        return np.where(cuts == last, end, np.where(cuts == 0, 0, cuts + shift)).astype(np.int32)

    ends = [
        (join(cuts, lattice.num_nodes - 1, shift))
        for lattice, shift in ((first, 0), (second, first.num_nodes - 2))
        for cuts in (lattice.src, lattice.dst)
    ]
    return search.Lattice(
        num_nodes=end + 1,
        src=np.concatenate([ends[0], ends[2]]),
        dst=np.concatenate([ends[1], ends[3]]),
        segment=np.arange(7, dtype=np.int32),
        penalty=np.array([3.0, 0, 0, 0, 0, 0, 0]),
        field=np.array([7, 7, 9, 9, 9, 9, 9], np.int32),
        class_penalty=np.concatenate([first.class_penalty, second.class_penalty]),
    )


def test_fields_compete_and_are_told_apart() -> None:
    lattice, grammar = two_fields(), real_grammar("USD")
    readings = search.best(lattice, grammar, 5)
    assert {i.text for i in readings} == {"12", "$3.45"}
    by_field = search.forward_by_field(lattice, grammar)
    assert set(by_field) == {7, 9}
    assert by_field[7] == pytest.approx(search.forward_of_amount(lattice, grammar, 1200))
    assert by_field[9] == pytest.approx(search.forward_of_amount(lattice, grammar, 345))
    total = oracle.log_sum(list(by_field.values()))
    assert search.forward(lattice, grammar) == pytest.approx(total)


def test_stray_ink_does_not_make_a_new_string() -> None:
    lattice = oracle.written("12.345")
    lattice.class_penalty[3, -1] = 1.0  # the 3 may be stray: 12.45
    lattice.class_penalty[0, -1] = 1.0  # the 1 too: 2.45
    texts = [i.text for i in search.best(lattice, real_grammar("USD"), 9)]
    assert texts == ["12.45", "2.45"]


def test_what_nothing_spells_is_no_interpretation() -> None:
    lattice, grammar = oracle.written("//"), real_grammar("any")
    assert search.best(lattice, grammar, 5) == []
    assert search.forward(lattice, grammar) == np.inf
    assert search.forward_of_amount(lattice, grammar, 100) == np.inf
    found = search.gradient(lattice, grammar)
    assert found.penalty == np.inf
    assert not found.labels.any()
    assert not found.arcs.any()
    assert not found.weights.any()


def test_a_lattice_without_arcs_is_no_interpretation() -> None:
    none = np.zeros(0, np.int32)
    empty = search.Lattice(
        2, none, none, none, np.zeros(0), none, np.zeros((0, len(oracle.LABELS)))
    )
    assert search.best(empty, real_grammar("any")) == []
    assert search.forward(empty, real_grammar("any")) == np.inf
    assert search.forward_by_field(empty, real_grammar("any")) == {}


def test_single_precision_and_extreme_penalties_are_taken() -> None:
    """A field of strong evidence that is no amount: 30 digits, of which most must be stray."""
    lattice = oracle.written("1" * 30)
    penalty = np.where(np.isfinite(lattice.class_penalty), -20.0, 60.0).astype(np.float32)
    penalty[:, -1] = 0.0
    strong = search.Lattice(
        lattice.num_nodes, lattice.src, lattice.dst, lattice.segment,
        lattice.penalty.astype(np.float32), lattice.field, penalty,
    )  # fmt: skip
    grammar = real_grammar("USD")
    reading = search.best(strong, grammar)[0]
    assert reading.text == "1" * 10
    assert -220 < search.forward(strong, grammar) < reading.penalty


@pytest.mark.parametrize(
    ("field", "value"),
    [("dst", [0, 2]), ("dst", [1, 3]), ("segment", [0, 2]), ("segment", [-2, 0]), ("src", [0])],
)
def test_malformed_lattices_are_refused(field: str, value: list[int]) -> None:
    with pytest.raises(ValueError, match="lattice"):
        replace(oracle.written("12"), **{field: np.array(value, np.int32)})
