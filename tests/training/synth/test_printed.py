import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.fonts import Font
from training.synth import printed
from training.synth.amounts import Part, WrittenAmount, sample_amount, text_of
from training.synth.printed import Printer


def _written(*parts: Part) -> WrittenAmount:
    return WrittenAmount(parts, 123456, None, text_of(parts))


def test_the_same_generator_gives_the_same_ink(font: Font) -> None:
    printer = Printer([font])
    written = _written(("$1,234.56", "line"))
    first = printer.write(np.random.default_rng(3), written, 30)
    again = printer.write(np.random.default_rng(3), written, 30)
    assert np.array_equal(first.coverage, again.coverage)
    assert np.array_equal(first.owner, again.owner)


def test_text_is_the_amount_s_text_without_spaces_and_every_symbol_has_ink(font: Font) -> None:
    printer = Printer([font])
    for seed in range(60):
        rng = np.random.default_rng(seed)
        written = sample_amount(rng)
        layer = printer.write(rng, written, 28)
        assert layer.text == written.text.replace(" ", "")
        assert layer.coverage.shape == layer.owner.shape
        assert set(np.unique(layer.owner)) - {0} == set(range(1, len(layer.text) + 1))


def test_digits_are_about_as_tall_as_asked(font: Font) -> None:
    layer = Printer([font]).write(np.random.default_rng(1), _written(("888", "line")), 32)
    for owner in (1, 2, 3):
        rows = np.nonzero((layer.owner == owner).any(axis=1))[0]
        assert 26 <= np.ptp(rows) + 1 <= 39


def test_characters_stand_in_reading_order(font: Font) -> None:
    layer = Printer([font]).write(np.random.default_rng(5), _written(("1234567", "line")), 30)
    middles = [np.nonzero(layer.owner == i)[1].mean() for i in range(1, 8)]
    assert middles == sorted(middles)


@pytest.mark.parametrize("zero", ["stroke", "dot", "bar"])
def test_a_marked_zero_has_ink_within_and_paper_on_both_sides_of_it(
    font: Font, zero: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def drawn(kinds: dict[str, float]) -> NDArray[np.uint8]:
        monkeypatch.setattr(printed, "_ZEROS", kinds)
        written = _written(("808", "line"))
        return Printer([font]).write(np.random.default_rng(3), written, 60).coverage

    plain, marked = drawn({"": 1.0}), drawn({zero: 1.0})
    columns = np.flatnonzero((plain != marked).any(axis=0))
    rows = np.flatnonzero((plain != marked).any(axis=1))
    x0, x1 = int(columns[0]), int(columns[-1])
    # The one zero stands in the middle third; its rim is as it was.
    assert plain.shape[1] / 3 < x0 <= x1 < 2 * plain.shape[1] / 3
    middle = marked[(int(rows[0]) + int(rows[-1])) // 2, x0 : x1 + 1]
    assert middle.max() > 128
    row = marked[marked.shape[0] // 2, plain.shape[1] // 3 : 2 * plain.shape[1] // 3] > 128
    assert np.count_nonzero(np.diff(row.astype(int)) == 1) == 3


def test_superscript_cents_stand_high_and_small(font: Font) -> None:
    layer = Printer([font]).write(
        np.random.default_rng(2), _written(("8", "line"), ("00", "superscript")), 40
    )
    full = np.nonzero((layer.owner == 1).any(axis=1))[0]
    small = np.nonzero((layer.owner == 2).any(axis=1))[0]
    assert np.ptp(small) < 0.8 * np.ptp(full)
    assert small.mean() < full.mean()


def test_what_stands_under_a_fraction_bar_belongs_to_no_character(font: Font) -> None:
    layer = Printer([font]).write(
        np.random.default_rng(4),
        _written(("7", "line"), ("25", "numerator"), ("-", "bar"), ("100", "denominator")),
        40,
    )
    assert layer.text == "725"
    assert ((layer.coverage > 100) & (layer.owner == 0)).sum() > 20


def test_a_symbol_that_no_font_has_is_refused(font: Font) -> None:
    with pytest.raises(ValueError, match="no font"):
        Printer([font]).write(np.random.default_rng(0), _written(("\u4e00", "line")), 30)
    with pytest.raises(ValueError, match="needs fonts"):
        Printer([])


def test_a_printer_takes_the_kinds_of_its_fonts_as_often_as_it_is_told(font: Font) -> None:
    fonts = [
        Font(font.name, kind, font.split, font.path, None, font._faces, font._glyphs)
        for kind in ("machine", "protector", "hand")
    ]
    rng = np.random.default_rng(0)
    printer = Printer(fonts, {"machine": 0.5, "protector": 1.5})
    drawn = [printer.font(rng, "12").kind for _ in range(200)]
    assert drawn.count("hand") == 0
    assert 120 <= drawn.count("protector") <= 180


@pytest.mark.parametrize("kind", ["machine", "dots", "protector", "hand"])
def test_every_kind_leaves_ink_under_its_owners(font: Font, kind: str) -> None:
    other = Font(font.name, kind, font.split, font.path, None, font._faces, font._glyphs)
    printer = Printer([other])
    for seed in range(12):
        layer = printer.write(np.random.default_rng(seed), _written(("1,234.56", "line")), 30)
        assert layer.coverage[layer.owner > 0].mean() > 25
        assert layer.coverage[layer.owner == 0].mean() < 15
