"""Handwriting: every character has ink of its own, in its place, from writers of the split."""

import os
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.folder import VARIABLE, data_folder
from training.data.fonts import Font
from training.data.glyphs import GlyphSet, Stroke
from training.synth.amounts import Part, WrittenAmount, sample_amount, text_of
from training.synth.bank import SLASHED, GlyphBank
from training.synth.hand import HandWriter
from training.synth.ink import InkLayer
from training.synth.places import Front
from training.synth.printed import Printer

DATA = os.environ.get(VARIABLE, "")


def strokes_of(digit: int, rng: np.random.Generator) -> tuple[Stroke, ...]:
    """A zigzag or ring that differs from digit to digit."""
    t = np.linspace(0, 1, 24)
    x = 30 * np.sin(t * (digit + 2)) + rng.normal(0, 0.5, 24)
    return (np.stack([x, 100 * t], axis=1).astype(np.float32),)


def small_bank() -> GlyphBank:
    rng = np.random.default_rng(0)
    labels = tuple(str(i % 10) for i in range(40))
    writers = tuple(f"w{i // 20}" for i in range(40))
    pens = GlyphSet(
        "unipen_digits",
        None,
        tuple(strokes_of(int(d), rng) for d in labels),
        labels,
        writers,
        ("train",) * 40,
    )
    images = np.zeros((20, 28, 28), np.uint8)
    for row, image in enumerate(images):
        cv2.putText(image, str(row % 10), (6, 22), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    bitmaps = GlyphSet("mnist", images, None, labels[:20], ("",) * 20, ("train",) * 20)
    marks = GlyphSet(
        "unipen_symbols",
        None,
        tuple(strokes_of(3, rng) for _ in range(4)),
        (",", ",", "/", "@"),
        ("w0",) * 4,
        ("train",) * 4,
    )
    return GlyphBank.of([pens, bitmaps], [marks])


@pytest.fixture(scope="module")
def writer() -> HandWriter:
    return HandWriter(small_bank())


def line(symbols: str) -> WrittenAmount:
    parts = ((symbols, "line"),)
    return WrittenAmount(parts, 0, None, text_of(parts))


def boxes(layer: InkLayer) -> np.ndarray:
    found = [
        cv2.boundingRect((layer.owner == i + 1).view(np.uint8)) for i in range(len(layer.text))
    ]
    return np.array([(x, y, x + w, y + h) for x, y, w, h in found])


def test_a_bank_groups_glyphs_by_writer() -> None:
    bank = small_bank()
    people = bank.writers["unipen_digits"]
    assert [len(p.glyphs) for p in people] == [10, 10]
    assert all(p.known for p in people)
    assert [p.known for p in bank.writers["mnist"]] == [False]
    assert set(bank.symbols) == {",", "/"}


def test_every_character_owns_ink(writer: HandWriter) -> None:
    for seed in range(150):
        rng = np.random.default_rng(seed)
        written = sample_amount(rng)
        layer = writer.write(rng, written, float(rng.uniform(20, 45)))
        assert layer.text == written.text.replace(" ", "")
        assert layer.coverage.dtype == layer.owner.dtype == np.uint8
        assert layer.coverage.shape == layer.owner.shape
        counts = np.bincount(layer.owner.ravel(), minlength=len(layer.text) + 1)
        assert len(counts) == len(layer.text) + 1
        assert counts[1:].min() > 0, written.text
        assert (layer.coverage[layer.owner > 0] > 0).all()
        assert not layer.coverage[[0, -1]].any()
        assert not layer.coverage[:, [0, -1]].any()


def test_characters_follow_each_other(writer: HandWriter) -> None:
    for seed in range(60):
        layer = writer.write(np.random.default_rng(seed), line("58263"), 30.0)
        middles = boxes(layer)[:, [0, 2]].mean(axis=1)
        assert (np.diff(middles) > 0).all()
        heights = np.diff(boxes(layer)[:, [1, 3]], axis=1)
        assert 20 < np.median(heights) < 46


def test_one_seed_one_picture(writer: HandWriter) -> None:
    one, two, other = (
        writer.write(np.random.default_rng(seed), line("12.340,-"), 30.0) for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(one.coverage, two.coverage)
    np.testing.assert_array_equal(one.owner, two.owner)
    assert one.coverage.shape != other.coverage.shape or (one.coverage != other.coverage).any()


def test_raised_cents_are_smaller_and_higher(writer: HandWriter) -> None:
    parts = (("88", "line"), ("88", "superscript"))
    written = WrittenAmount(parts, 8888, None, text_of(parts))
    found = np.mean(
        [boxes(writer.write(np.random.default_rng(s), written, 40.0)) for s in range(30)], axis=0
    )
    sizes = found[:, 3] - found[:, 1]
    assert sizes[2:].mean() < 0.85 * sizes[:2].mean()
    assert found[2:, 3].mean() < found[:2, 3].mean() - 8


def test_below_a_horizontal_bar_nothing_is_owned(writer: HandWriter) -> None:
    parts = (("12", "line"), ("50", "numerator"), ("-", "bar"), ("100", "denominator"))
    written = WrittenAmount(parts, 1250, None, text_of(parts))
    for seed in range(20):
        layer = writer.write(np.random.default_rng(seed), written, 40.0)
        assert layer.text == "1250"
        stray = (layer.coverage > 60) & (layer.owner == 0)
        assert stray.sum() > 40
        bottom = np.flatnonzero(stray.any(axis=1))[-1]
        assert bottom > boxes(layer)[2:, 3].max()


def test_a_slanted_fraction_is_text(writer: HandWriter) -> None:
    parts = (("7", "line"), ("50", "numerator"), ("/", "bar"), ("100", "denominator"))
    written = WrittenAmount(parts, 750, None, text_of(parts))
    layer = writer.write(np.random.default_rng(2), written, 40.0)
    assert layer.text == "750/100"
    assert set(np.unique(layer.owner)) >= set(range(1, 8))


FORMS: tuple[tuple[Part, ...], ...] = (
    (("7", "line"), ("xx", "numerator"), ("/", "bar"), ("100", "denominator")),
    (("7", "line"), ("NO", "numerator"), ("/", "bar"), ("100", "denominator")),
    (("7", "line"), ("N0", "numerator"), ("-", "bar"), ("100", "denominator")),
    (("7.", "line"), ("25", "numerator"), ("-", "bar"), ("xx", "denominator")),
    (("7", "line"), ("25", "superscript"), ("-", "bar")),
    (("7", "line"), ("00", "superscript")),
    (("7 xx/100", "line"),),
    (("$70.000,50-", "line"),),
    (("500.000.-", "line"),),
)


@pytest.mark.parametrize("parts", FORMS)
def test_pen_and_print_give_every_character_of_a_form_ink(
    writer: HandWriter, font: Font, parts: tuple[Part, ...]
) -> None:
    written = WrittenAmount(parts, 700, None, text_of(parts))
    for seed in range(40):
        for hand in (writer, Printer([font])):
            layer = hand.write(np.random.default_rng(seed), written, 32.0)
            assert layer.text == written.text.replace(" ", "")
            owners = set(np.unique(layer.owner[layer.coverage > 30])) - {0}
            assert owners == set(range(1, len(layer.text) + 1))


def test_zeros_at_the_end_may_shrink_and_cents_stand_higher(writer: HandWriter) -> None:
    shares, raised = [], 0
    for seed in range(120):
        places = boxes(writer.write(np.random.default_rng(seed), line("8000"), 40.0))
        high = places[:, 3] - places[:, 1]
        shares.append(high[3] / high[1])
        places = boxes(writer.write(np.random.default_rng(seed), line("88.88"), 40.0))
        raised += bool(places[3:, 3].max() < places[:2, 3].min() - 4)
    assert np.mean(shares) < 0.95
    assert min(shares) < 0.7
    assert 4 <= raised <= 40


def test_some_hands_begin_large_and_some_grow_smaller(writer: HandWriter) -> None:
    first, last = [], []
    for seed in range(200):
        places = boxes(writer.write(np.random.default_rng(seed), line("66666666"), 40.0))
        high = places[:, 3] - places[:, 1]
        first.append(high[0] / np.median(high))
        last.append(high[-2:].mean() / high[1:3].mean())
    assert 0.04 < np.mean(np.array(first) > 1.25) < 0.2
    assert 0.95 < np.median(first) < 1.1
    assert 0.03 < np.mean(np.array(last) < 0.8) < 0.25
    assert 0.95 < np.median(last) < 1.05


def test_what_left_no_ink_takes_no_room() -> None:
    front = Front(20.0, 5)
    ink = np.full((20, 10), 255, np.uint8)
    _, _, end = front.place(ink, -20, 2.0, 20.0, 0.0)
    assert front.place(np.zeros((8, 30), np.uint8), -8, 2.0, 20.0, 0.5) == (end, end, end)
    assert front.place(ink, -20, 2.0, 20.0, 0.0)[1] == end + 2


def test_slashed_zeros_are_kept_apart() -> None:
    t = np.linspace(0, 1, 40)[:, None]
    angle = 2 * np.pi * t
    around = np.concatenate([30 * np.cos(angle), 50 * np.sin(angle)], axis=1).astype(np.float32)
    stroke = np.concatenate([70 * t - 35, 55 - 110 * t], axis=1).astype(np.float32)
    zeros: tuple[tuple[Stroke, ...], ...] = ((around,), (around, stroke))
    held = GlyphSet("unipen_digits", None, zeros * 4, ("0",) * 8, ("w",) * 8, ("train",) * 8)
    (person,) = GlyphBank.of([held], []).writers["unipen_digits"]
    assert {symbol: len(some) for symbol, some in person.glyphs.items()} == {"0": 4, SLASHED: 4}


def test_a_symbol_without_glyph_is_refused(writer: HandWriter) -> None:
    with pytest.raises(ValueError, match="@"):
        writer.write(np.random.default_rng(0), line("12@"), 30.0)


@pytest.mark.skipif(not DATA, reason=f"{VARIABLE} names no training data")
def test_the_real_bank_of_a_split() -> None:
    bank = GlyphBank.load(data_folder(Path(DATA)), "valid", most_mnist=200)
    assert {"unipen_digits", "pendigits", "kensanata", "mnist"} <= set(bank.writers)
    assert len(bank.writers["kensanata"]) == 2
    written = HandWriter(bank).write(np.random.default_rng(0), line("**1.234.567,89**"), 30.0)
    assert len(written.text) == 16
