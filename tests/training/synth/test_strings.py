"""Real strings: cut only where that is safe, drawn whole, with the amount the grammar reads."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from training.data.glyphs import GlyphSet, Stroke
from training.synth.strings import (
    StringMaker,
    amount_of,
    cut_at_dashes,
    cut_at_gaps,
    pieces_of,
)


def digit(left: float, wide: float = 50.0) -> Stroke:
    """A zigzag a hundred high."""
    t = np.linspace(0, 1, 30)
    x = left + wide * (0.5 + 0.5 * np.sin(9 * t))
    return np.stack([x, 100 * t], axis=1).astype(np.float32)


def dash(left: float, wide: float = 40.0, y: float = 50.0) -> Stroke:
    return np.array([[left, y], [left + wide / 2, y + 2], [left + wide, y]], np.float32)


def row(*lefts: float) -> tuple[Stroke, ...]:
    return tuple(digit(left) for left in lefts)


def held(*samples: tuple[str, tuple[Stroke, ...]]) -> GlyphSet:
    count = len(samples)
    return GlyphSet(
        "unipen_strings",
        None,
        tuple(strokes for _, strokes in samples),
        tuple(label for label, _ in samples),
        ("w",) * count,
        ("train",) * count,
    )


NUMBERS = held(
    ("123", row(0, 70, 140)),
    ("46", row(0, 45)),
    ("0640", row(0, 70, 140, 210)),
    ("$90", row(0, 70, 140)),
)


def test_the_grammar_says_what_is_an_amount() -> None:
    assert amount_of("0640") == (64000, None)
    assert amount_of("123.456.-") == (12345600, None)
    assert amount_of("$90,187,236.54") == (9018723654, None)
    for text in ("12/25/96", "458-6772", "000", "12345678901", "-6470.348"):
        assert amount_of(text) is None, text


def test_lines_are_cut_only_at_gaps_beyond_doubt() -> None:
    strokes = row(0, 70, 300, 370, 440)
    left, right = cut_at_gaps(strokes[::-1], 2)
    assert (len(left), len(right)) == (2, 3)
    assert left[0][:, 0].max() < right[0][:, 0].min()
    assert cut_at_gaps(strokes, 3) == []
    assert cut_at_gaps(row(0, 70, 145, 215), 2) == []
    assert cut_at_gaps(row(0, 100, 220), 2) == []
    below = np.float32([0, 400])
    assert cut_at_gaps((*row(0, 70), *(s + below for s in row(300, 370))), 2) == []


def test_numbers_are_parted_at_their_dashes() -> None:
    strokes = (*row(0, 70), dash(140), *row(200, 270, 340))
    left, right = cut_at_dashes(strokes, 2)
    assert (len(left), len(right)) == (2, 3)
    assert cut_at_dashes((*strokes, dash(400)), 2) == []
    assert cut_at_dashes((*row(0, 130), dash(140), digit(240)), 2) == []
    assert cut_at_dashes((*row(0, 70), dash(140, y=10), *row(200)), 2) == []


def test_pieces_are_amounts_with_plausible_ink() -> None:
    found = pieces_of(
        held(
            ("123", row(0, 70, 140)),
            ("12/25/96", row(*range(0, 560, 70))),
            ("34-56", (*row(0, 70), dash(140), *row(200, 270))),
            ("Pay $12 now", row(0, 60, 300, 360, 420, 700, 760)),
            ("1 8 0 0", row(0, 90, 200, 300)),
            ("5", row(0)),
            ("12345678", row(0, 70)),
        )
    )
    assert [piece.text for piece in found] == ["123", "34", "56", "$12", "1800"]
    for piece in found:
        assert piece.strokes.points[:, 1].max() == pytest.approx(0.0)
        assert piece.strokes.points[:, 1].min() == pytest.approx(-1.0, abs=0.05)
        assert piece.strokes.points[:, 0].min() == pytest.approx(0.0, abs=0.05)


def test_strings_are_captured_with_their_amount() -> None:
    maker = StringMaker(pieces_of(NUMBERS))
    made = [maker.make(seed) for seed in range(80)]
    for one in made:
        assert one.image.dtype == np.uint8
        assert one.image.min() < np.median(one.image)
        assert (one.amount_minor, one.currency) == amount_of(one.text)
        digits = "".join(symbol for symbol in one.text if symbol.isdigit())
        assert one.amount_minor == 100 * int(digits)
    texts = {one.text for one in made}
    assert {"123", "46", "0640", "$90"} & texts
    assert any(len(text.rstrip(".-=/")) > 4 for text in texts)
    assert any(not text[-1].isdigit() for text in texts)


def test_one_seed_one_string() -> None:
    maker = StringMaker(pieces_of(NUMBERS))
    one = maker.make(3)
    maker.make(4)
    again = maker.make(3)
    np.testing.assert_array_equal(one.image, again.image)
    assert one.text == again.text


def test_without_strings_there_is_no_maker() -> None:
    with pytest.raises(ValueError, match="no string"):
        StringMaker([])


def test_only_writers_of_the_split_are_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    split = {"x/ann": "train", "x/bob": "test"}
    monkeypatch.setattr("training.data.unipen.split_of", lambda _, writer: split[writer])
    upright = [(digit(70.0 * i) * np.float32([1, -1])).tolist() for i in range(2)]
    lines = [
        json.dumps({"contrib": "x", "writer": who, "label": label, "strokes": upright})
        for who, label in (("ann", "12"), ("bob", "34"))
    ]
    (tmp_path / "unipen").mkdir()
    for name in ("7_number_strings_and_words", "8_text_with_amounts"):
        with gzip.open(tmp_path / "unipen" / f"{name}.jsonl.gz", "wt") as file:
            file.write("\n".join(lines))
    assert {piece.text for piece in StringMaker.load(tmp_path, "train").pieces} == {"12"}
    assert {piece.text for piece in StringMaker.load(tmp_path, "test").pieces} == {"34"}
