"""Sampled amounts mean to the grammar what they mean here."""

from collections import Counter

import numpy as np
import pytest

from service.pipeline.automaton import Grammar
from service.pipeline.grammar import grammar_for
from service.pipeline.search import Lattice, best
from training.synth.amounts import CURRENCIES, WrittenAmount, sample_amount, text_of

LABELS = (*"0123456789.,-/=*#$£€₹x()%+|NORS", "")


def read(grammar: Grammar, text: str) -> tuple[int, str | None, bool]:
    """Minor units, currency and sign of the likeliest reading of a text."""
    places = np.arange(len(text))
    is_space = np.array([symbol == " " for symbol in text])
    shown = [LABELS.index(symbol) for symbol in text if symbol != " "]
    classes = np.full((len(shown), len(LABELS)), 500.0)
    classes[np.arange(len(shown)), shown] = 0.0
    lattice = Lattice(
        num_nodes=len(text) + 1,
        src=places,
        dst=places + 1,
        segment=np.where(is_space, -1, np.cumsum(~is_space) - 1),
        penalty=np.zeros(len(text)),
        field=np.zeros(len(text), np.int32),
        class_penalty=classes,
    )
    (found,) = best(lattice, grammar)
    assert found.penalty < 500.0, text
    return found.amount_minor, found.currency, found.negative


def sampled(count: int) -> list[WrittenAmount]:
    return [sample_amount(np.random.default_rng(seed)) for seed in range(count)]


def test_the_grammar_reads_what_is_written() -> None:
    grammar = grammar_for(None, None, LABELS)
    wrong = [
        written.text
        for written in sampled(2000)
        if read(grammar, written.text) != (written.amount_minor, written.currency, False)
    ]
    assert wrong == []


@pytest.mark.parametrize("currency", CURRENCIES)
def test_each_currencys_own_grammar_reads_it_too(currency: str) -> None:
    grammar = grammar_for(currency, None, LABELS)
    for seed in range(100):
        written = sample_amount(np.random.default_rng(seed), currency)
        assert read(grammar, written.text)[0] == written.amount_minor, written.text


def test_one_seed_one_amount() -> None:
    assert sampled(50) == sampled(50)


def test_the_distribution_is_wide() -> None:
    amounts = sampled(4000)
    lengths = Counter(len(str(a.amount_minor // 100)) for a in amounts)
    assert set(lengths) == set(range(1, 8))
    digits = Counter(c for a in amounts for c in a.text if c.isdigit())
    rest = [digits[d] for d in "123456789"]
    assert max(rest) < 1.5 * min(rest)
    assert digits["0"] > max(rest)
    symbols = {c for a in amounts for c in a.text}
    assert symbols >= set("0123456789.,-/=*#$£€₹xNORS ")
    assert {a.currency for a in amounts} == {*CURRENCIES, None} - {"USD"}
    assert all(a.amount_minor > 0 for a in amounts)


def test_parts_spell_the_text() -> None:
    styles = Counter(style for a in sampled(3000) for _, style in a.parts)
    assert set(styles) == {"line", "superscript", "numerator", "denominator", "bar"}
    for written in sampled(500):
        assert text_of(written.parts) == written.text
        assert written.text == written.text.strip()


def test_what_a_horizontal_bar_hides() -> None:
    over = (("12", "line"), ("50", "numerator"), ("-", "bar"), ("100", "denominator"))
    assert text_of(over) == "12 50"
    crossed = (("12", "line"), ("xx", "numerator"), ("-", "bar"), ("100", "denominator"))
    assert text_of(crossed) == "12"
    slanted = (("12.", "line"), ("xx", "numerator"), ("/", "bar"), ("100", "denominator"))
    assert text_of(slanted) == "12.xx/100"
    assert text_of((("12", "line"), ("50", "superscript"), ("-", "bar"))) == "12 50"


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(ValueError, match="XXX"):
        sample_amount(np.random.default_rng(0), "XXX")
