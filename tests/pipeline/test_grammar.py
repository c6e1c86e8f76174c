"""What the grammars take for an amount, what it means, and what they do not take."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.pipeline import search
from service.pipeline.amount import Role
from service.pipeline.automaton import Grammar, compile_rule, reweighted
from service.pipeline.grammar import CURRENCIES, MOST_DIGITS, free_grammar, grammar_for
from service.pipeline.rules import (
    SPACE,
    End,
    choice,
    literal,
    many,
    maybe,
    one_of,
    seq,
)
from tests.pipeline import oracle

MINUS = "minus"


@cache
def grammar(currency: str) -> Grammar:
    return grammar_for(None if currency == "any" else currency, None, oracle.LABELS)


def read(currency: str, text: str) -> list[search.Interpretation]:
    return search.best(oracle.written(text), grammar(currency), 3)


# In every grammar: amounts without anything that a currency or a convention decides.
EVERYWHERE = {
    "5": 500,
    "1234": 123400,
    "1025": 102500,
    "1234.56": 123456,
    "1234-56": 123456,
    "1234-": 123400,
    "1234--": 123400,
    "1234.-": 123400,
    "1234,-": 123400,
    "1234=": 123400,
    "1234.=": 123400,
    "100.": 10000,
    "100,": 10000,
    "100.--": 10000,
    "100.=": 10000,
    "100.==": 10000,
    "100.-=": 10000,
    "1234567": 123456700,
    "123456789": 12345678900,
    "1234567890.12": 123456789012,
    "0.50": 50,
    "0050.00": 5000,
    "0.00": 0,
    "000": 0,
    "123.00": 12300,
    "123 00": 12300,
    "1250 00": 125000,
    "1250 50-": 125050,
    "1234 56/100": 123456,
    "1234 00/100": 123400,
    "1234 xx/100": 123400,
    "1234 NO/100": 123400,
    "1234 N0/100": 123400,
    "1234 --/100": 123400,
    "123456/100": 123456,
    "1234-56/100": 123456,
    "1234 56/xx": 123456,
    "12.34": 1234,
    "1.50": 150,
    "**1234.56**": 123456,
    "***1234.56": 123456,
    "#1234#": 123400,
    "=1234=": 123400,
    "--1234--": 123400,
    "--1234.56": 123456,
    "-1234-": 123400,
    "-1234.-": 123400,
    "-1234.56-": 123456,
    "|1234|": 123400,
    "*=1234=*": 123400,
    "#*1234.56*#": 123456,
    "1234.56)": 123456,
    "1234)": 123400,
    "xxx1234.56": 123456,
    "1234.56**": 123456,
    "1234.56.-": 123456,
}
OWN = {
    "USD": {
        "$1,234.56": 123456,
        "1,234.56": 123456,
        "$ 300.00": 30000,
        "$ 45.00-": 4500,
        "$45.00--": 4500,
        "1,234 56/100": 123456,
        "$1,234 xx/100": 123400,
        "1,250 00": 125000,
        "$1,250 00": 125000,
        "**$1,234.56**": 123456,
        "$**1,234.56**": 123456,
        "$ --1,234.56": 123456,
        "$--45.00": 4500,
        "$-45.00-": 4500,
        "1,234,567.89": 123456789,
        "1,234,567,890.12": 123456789012,
        "12,345": 1234500,
        "1,234-": 123400,
        "1,234.-": 123400,
        "$.50": 50,
        ".50": 50,
        "1234,56": 123456,
        "1,234.xx": 123400,
        "1234,567.00": 123456700,
    },
    "GBP": {
        "£45-67": 4567,
        "£1,234-56": 123456,
        "£ 1,234.56": 123456,
        "£.50": 50,
        "£500-00": 50000,
        "£100": 10000,
        "16 000": 1600000,
        "£1,234=": 123400,
    },
    "EUR": {
        "€ 1.234,56": 123456,
        "€1.234,56": 123456,
        "1.234,56": 123456,
        "1.234,56€": 123456,
        "1.234,56 €": 123456,
        "1 234,56": 123456,
        "16 000": 1600000,
        "16 000 €": 1600000,
        "1,234.56": 123456,
        "1.234": 123400,
        "1.234.567,89": 123456789,
        "1 234 567,89": 123456789,
        "100,--": 10000,
        "**1.234,56**": 123456,
        "*1.234,56*€": None,
        "12,34": 1234,
        ",50": 50,
    },
    "INR": {
        "1,00,000/-": 10000000,
        "1,20,000/-": 12000000,
        "5000/-": 500000,
        "5,000/-": 500000,
        "₹1,20,000/-": 12000000,
        "₹ 12,34,567.89": 123456789,
        "1,23,45,678/-": 1234567800,
        "12,34,56,789": 12345678900,
        "1,000,000/-": 100000000,
        "Rs. 500".upper(): 50000,
        "RS.500/-": 50000,
        "RS 500.00": 50000,
        "RS500": 50000,
        "1,250.00/-": 125000,
        "5000/=": 500000,
        "=5000/-": 500000,
        "10,000/--": 1000000,
    },
}
# Currency-free, with the currency that is known all the same.
ANY = {
    "1.234.567.-": (123456700, None),
    "25.574.-": (2557400, None),
    "25.574": (2557400, None),
    "25.574=": (2557400, None),
    "25.574.": (2557400, None),
    "=25.574.=": (2557400, None),
    "$ 25.574.-": (2557400, None),
    "1234.567": (123456700, None),
    "1.234567": (123456700, None),
    "1.234,56": (123456, None),
    "1,234.56": (123456, None),
    "1 234,56": (123456, None),
    "16 000": (1600000, None),
    "1.234": (123400, None),
    "1,234": (123400, None),
    "12,34": (1234, None),
    "12.34": (1234, None),
    ".50": (50, None),
    ",50": (50, None),
    "RS.50": (5000, "INR"),
    "1.500,00": (150000, None),
    "$1.500,00": (150000, None),
    "$5000": (500000, None),
    "$5.000": (500000, None),
    "$5.000.-": (500000, None),
    "$1,234.56": (123456, None),
    "$ 300.00": (30000, None),
    "**$1,234.56**": (123456, None),
    "$1,250 00": (125000, None),
    "$1,234 56/100": (123456, None),
    "£45-67": (4567, "GBP"),
    "£1,234.56": (123456, "GBP"),
    "£100": (10000, "GBP"),
    "€ 1.234,56": (123456, "EUR"),
    "1.234,56 €": (123456, "EUR"),
    "€100": (10000, "EUR"),
    "₹500": (50000, "INR"),
    "RS. 500": (50000, "INR"),
    "5000/-": (500000, "INR"),
    "1,20,000": (12000000, "INR"),
    "1,20,000/-": (12000000, "INR"),
    "10,00,000.00": (100000000, "INR"),
}
CASES = [
    *((c, text, minor, c) for c in CURRENCIES for text, minor in EVERYWHERE.items()),
    *((c, text, minor, c) for c in CURRENCIES for text, minor in OWN[c].items() if minor),
    *(("any", text, minor, None) for text, minor in EVERYWHERE.items()),
    *(("any", text, minor, currency) for text, (minor, currency) in ANY.items()),
]


@pytest.mark.parametrize(("currency", "text", "minor", "said"), CASES)
def test_amounts(currency: str, text: str, minor: int, said: str | None) -> None:
    found = read(currency, text)
    assert [(i.text, i.amount_minor, i.currency, i.negative) for i in found] == [
        (text, minor, said, False)
    ]
    alone = search.forward_of_amount(oracle.written(text), grammar(currency), minor)
    # Nothing else is meant by the same string.
    assert alone == pytest.approx(search.forward(oracle.written(text), grammar(currency)))


NEGATIVE = {
    "-45.00": -4500,
    "-1234": -123400,
    "-1234.": -123400,
    "(45.00)": -4500,
    "(1234)": -123400,
    "*-45.00": -4500,
    "**(45.00)": -4500,
    "-0.50": -50,
}
SIGNED_NEGATIVE = ["{}-45.00", "-{}45.00", "({}45.00)", "{}(45.00)", "{} -45.00", "-{} 45.00"]
SIGNS = {"USD": "$", "GBP": "£", "EUR": "€", "INR": "₹"}


@pytest.mark.parametrize("currency", ["any", *CURRENCIES])
def test_a_minus_is_told_from_fillers(currency: str) -> None:
    signs = [SIGNS[currency]] if currency in SIGNS else list(SIGNS.values())
    signed = {f.format(sign): -4500 for f in SIGNED_NEGATIVE for sign in signs}
    for text, minor in (NEGATIVE | signed).items():
        found = [(i.amount_minor, i.negative) for i in read(currency, text)]
        assert found == [(minor, True)], text
        lattice = oracle.written(text)
        assert search.forward_of_amount(lattice, grammar(currency), -minor) == np.inf
        assert search.forward_of_amount(lattice, grammar(currency), minor) < np.inf


NOWHERE = [
    "", ".", "-", "--", "$", "*", "**", "/100", "xx/100", "1,23,4", "1,2", "1.2", "1,2345",
    "12,3456", "1.23.4", "1,,234", "1..00", "1234.5", "1234.567.8", "10/30/2019", "5-5-2015",
    "05-05-2015", "10-30-2019", "10.30.2019", "10/30", "1/2", "1234/56", "12-345", "1 2 3",
    "1234 5", "12 34 56", "1234 56 78", "$", "$$5", "5$5", "1*2", "1234 56/10", "1234 5/100",
    "1234 NO", "NO/100", "1234 567", "12345678901", "1,234,56", "1.234.56", "1,234.567",
    "1.234,567", "1,234 567", "-", "--.", "(", "()", "(45.00", "R500", "RS", "12%", "+5-5",
]  # fmt: skip
NOT_HERE = {
    "USD": ["12,34,567", "1,00,000", "1,20,000/-", "1.234,56", "1.234", "1 234,56", "16 000",
            "£5", "€5", "RS500", "5000/-", "1.234.567", "25.574.-"],
    "GBP": ["12,34,567", "1.234,56", "$5", "£1.234", "5000/-", "€5"],
    "EUR": ["12,34,567", "$5", "£5", "5000/-", "1.234,567", "1 234.567"],
    "INR": ["1.234,56", "1,23,000,00", "12,345,67", "1,0000", "$5", "1,2,000", "1,00,00,00",
            "12,34,5678", "1,00,0000", "1 234"],
    "any": ["1,2,000", "1.20.000", "$£5", "£1.234,56", "12,345,67", "1,00,0000"],
}  # fmt: skip


@pytest.mark.parametrize("currency", ["any", *CURRENCIES])
def test_what_is_no_amount(currency: str) -> None:
    for text in [*NOWHERE, *NOT_HERE[currency]]:
        if text:
            assert [i.amount_minor for i in read(currency, text)] == [], text


def test_western_groups_in_rupees_are_less_likely_than_indian_ones() -> None:
    western, indian = (search.forward(oracle.written(t), grammar("INR"))
                       for t in ("1,234,567/-", "12,34,567/-"))  # fmt: skip
    assert indian < western


@pytest.mark.parametrize(
    ("plain", "fuller"), [("1025", "1025.00"), ("1025", "$1025"), ("1025", "1025-")]
)
def test_a_bare_number_is_no_likelier_than_what_looks_like_an_amount(
    plain: str, fuller: str
) -> None:
    """Per symbol beyond the digits, which the recognizer must have seen."""
    bare, other = (search.forward(oracle.written(t), grammar("USD")) for t in (plain, fuller))
    assert other - bare < 5.0


def test_locale_settles_the_decimal_mark() -> None:
    comma, point = (grammar_for("EUR", locale, oracle.LABELS) for locale in ("de_DE", "en-IE"))
    for text in ("1.234,56", "1234,56"):
        lattice = oracle.written(text)
        assert search.forward(lattice, comma) < search.forward(lattice, point)
    lattice = oracle.written("1,234.56")
    assert search.forward(lattice, point) < search.forward(lattice, comma)


def test_grammars_are_made_once_and_their_version_tells_them_apart() -> None:
    made = [grammar(c) for c in ("any", *CURRENCIES)]
    assert grammar_for("USD", None, oracle.LABELS) is grammar_for("USD", "xx", oracle.LABELS)
    assert grammar_for("EUR", "de_AT", oracle.LABELS) is grammar_for("EUR", "fr", oracle.LABELS)
    assert len({g.version for g in made}) == len(made)
    with pytest.raises(ValueError, match="unsupported"):
        grammar_for("XYZ", None, oracle.LABELS)


@pytest.mark.parametrize("currency", ["any", *CURRENCIES])
def test_graph_arcs_say_their_role_and_their_weights(currency: str) -> None:
    g = grammar(currency)
    assert (g.graph.label < len(g.labels)).all()
    loops = g.graph.src == g.graph.dst
    assert (loops[g.graph.label == g.rubbish]).all()
    assert set(g.graph.src[loops & (g.graph.label == g.rubbish)]) == set(range(g.graph.num_nodes))
    digit = np.isin(g.graph.label, [g.labels.index(d) for d in "0123456789"])
    assert digit[np.isin(g.role, [Role.MAJOR, Role.CENTS, Role.DENOMINATOR])].sum() > 0
    assert not np.isin(g.role[~digit], [Role.MAJOR, Role.CENTS, Role.DENOMINATOR]).any()
    weight = np.append(g.weight_penalty, 0.0)  # the last one: nameless
    total = np.zeros(len(g.automaton.src))
    np.add.at(total, g.transition_uses[:, 0], weight[g.transition_uses[:, 1]])
    assert total == pytest.approx(g.automaton.penalty)
    spelled = np.isfinite(g.automaton.class_penalty)
    assert weight[g.class_weight][spelled] == pytest.approx(g.automaton.class_penalty[spelled])
    assert weight[g.stray_weight] == pytest.approx(g.automaton.rubbish_penalty)
    final = np.zeros(len(g.graph.finals))
    np.add.at(final, g.final_uses[:, 0], g.weight_penalty[g.final_uses[:, 1]])
    assert final == pytest.approx(g.graph.final_penalty)


def test_a_reweighted_grammar_is_the_one_compiled_with_those_weights() -> None:
    g = grammar("any")
    rng = np.random.default_rng(0)
    penalties = g.weight_penalty + rng.uniform(0, 0.5, len(g.weight_penalty))
    tuned = tuple(zip(g.weight_names, penalties.tolist(), strict=True))
    compiled = grammar_for(None, None, oracle.LABELS, tuned)
    again = reweighted(g, penalties)
    assert again.version == compiled.version != g.version
    assert again.graph.penalty == pytest.approx(compiled.graph.penalty)
    assert again.graph.final_penalty == pytest.approx(compiled.graph.final_penalty)


@pytest.mark.parametrize("currency", ["any", *CURRENCIES])
def test_shares_of_the_ways_on_sum_to_at_most_one(currency: str) -> None:
    """A stochastic grammar: from no state does more than all of the probability go on."""
    g = grammar(currency)
    loops = g.graph.label == g.rubbish
    onward = np.zeros(g.graph.num_nodes)
    np.add.at(onward, g.graph.src[~loops], np.exp(-g.graph.penalty[~loops]))
    np.add.at(onward, g.graph.finals, np.exp(-g.graph.final_penalty))
    assert (onward < 1 + 1e-9).all()
    assert onward.min() > 0.85


@settings(max_examples=150, deadline=None, database=None)
@given(st.sampled_from(["any", *CURRENCIES]), st.integers(0, 2**32 - 1))
def test_a_written_string_means_one_amount(currency: str, seed: int) -> None:
    """Strings drawn from the grammar itself: one amount each, in at most 10 digits and cents."""
    g = grammar(currency)
    rng = np.random.default_rng(seed)
    node, labels, ends = 0, [], set(g.graph.finals.tolist())
    arcs = np.flatnonzero(g.graph.label != g.rubbish)
    while node not in ends or rng.random() < 0.5:
        leaving = arcs[g.graph.src[arcs] == node]
        if len(leaving) == 0:
            break
        share = np.exp(-g.graph.penalty[leaving])
        arc = int(rng.choice(leaving, p=share / share.sum()))
        labels.append(int(g.graph.label[arc]))
        node = int(g.graph.dst[arc])
    text = "".join(g.labels[label] for label in labels)
    found = read(currency, text)
    assert len(found) == 1
    assert found[0].text == text
    assert len(found[0].digits.lstrip("0")) <= MOST_DIGITS + 2
    lattice = oracle.written(text)
    alone = search.forward_of_amount(lattice, g, found[0].amount_minor)
    assert alone == pytest.approx(search.forward(lattice, g)), text


def test_the_free_grammar_takes_anything() -> None:
    free = free_grammar(oracle.LABELS)
    for text in ("10/30/2019", "1234.56", "xx", "R O N"):
        assert search.forward(oracle.written(text), free) < np.inf
    stray = oracle.written("12")
    stray.class_penalty[:] = np.inf
    stray.class_penalty[:, -1] = 0.0
    assert search.forward(stray, free) < np.inf


def test_compiled_rules_share_states_of_equal_future() -> None:
    """Two ways in, one way on: "ax", "bx" and "aax" need four states beside the start."""
    rule = choice(
        "top",
        one=(0.5, seq(one_of("letter", {"1": 0.5, "2": 0.5}), literal("x"), End())),
        two=(0.5, seq(literal("1", Role.FORMAT), literal("1", Role.FORMAT), literal("x"), End())),
    )
    compiled = compile_rule("tiny", rule, oracle.LABELS, stray_inside=0.5, stray_outside=0.25)
    assert len(compiled.automaton.state_class) == 5
    assert sorted({round(float(np.exp(-p)), 6) for p in compiled.automaton.rubbish_penalty}) == [
        0.25, 0.5,
    ]  # fmt: skip
    lattice = oracle.written("2x")
    assert search.forward(lattice, compiled) == pytest.approx(-np.log(0.25))


def test_what_the_alphabet_lacks_is_left_out() -> None:
    few = ("1", "2", ".", "")
    rule = choice("top", a=(0.5, literal("1")), b=(0.3, literal("1/2")), c=(0.2, literal("2")))
    compiled = compile_rule("few", seq(rule, End()), few)
    assert search.forward(oracle.written("1", few), compiled) == pytest.approx(-np.log(0.5))
    assert compiled.labels == (*few, SPACE)


def test_trained_weights_replace_those_of_the_rules() -> None:
    rule = seq(maybe("dot", 0.5, literal(".")), one_of("digit", "12"), End())
    tuned = compile_rule("tuned", rule, oracle.LABELS, weights={"dot.yes": 3.0, "digit.1": 1.0})
    assert search.forward(oracle.written(".1"), tuned) == pytest.approx(4.0)
    assert tuned.version != compile_rule("tuned", rule, oracle.LABELS).version


@pytest.mark.parametrize(
    ("rule", "complaint"),
    [
        (seq(literal("1")), "End"),
        (seq(choice("a", b=(0.5, literal("1")), c=(0.5, literal("2"))),
             choice("a", b=(0.4, literal("1"))), End()), "two probabilities"),
        (seq(many("run", 0.4, one_of("x", "12")), choice("z", a=(0.5, seq()), b=(0.5, seq())),
             End()), "two ways"),
        (seq(maybe("never", 1.0, literal("1")), End()), "probability"),
        (seq(literal("€"), End()), "alphabet"),
    ],
)  # fmt: skip
def test_faulty_rules_are_refused(rule: object, complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        compile_rule("faulty", rule, ("1", "2", ""))  # type: ignore[arg-type]


def test_labels_must_have_stray_ink_and_no_space() -> None:
    for labels in itertools.starmap(lambda *a: a, [("1", "2"), ("1", "", SPACE)]):
        with pytest.raises(ValueError, match="labels"):
            compile_rule("faulty", seq(literal("1"), End()), labels)


def test_locale_without_a_currency_leaves_the_currency_to_the_sign() -> None:
    grammar = grammar_for(None, "de-DE", oracle.LABELS)
    assert set(grammar.currency) == {None, "GBP", "EUR", "INR"}
