import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from training.data.fonts import DIGIT_HEIGHT
from training.synth.amounts import WrittenAmount
from training.synth.pins import PinFont, pin_fonts
from training.synth.printed import Printer


def test_the_splits_share_no_printer() -> None:
    names = [{font.name for font in pin_fonts(split)} for split in ("train", "valid", "test")]
    assert all(names)
    assert set.union(*names) == {font.name for font in pin_fonts()}
    assert sum(map(len, names)) == len(pin_fonts())


@pytest.mark.parametrize("font", pin_fonts("valid"), ids=lambda font: font.name)
def test_digits_are_as_tall_as_said_and_all_differ(font: PinFont) -> None:
    masks = []
    for digit in "0123456789":
        glyph = font.glyph(digit)
        assert glyph is not None
        rows = np.flatnonzero((glyph.mask > 128).any(axis=1))
        assert abs(np.ptp(rows) + 1 - DIGIT_HEIGHT) <= 2
        masks.append(glyph.mask.tobytes())
    assert len(set(masks)) == 10


def test_a_symbol_without_a_pattern_has_no_glyph() -> None:
    font = pin_fonts()[0]
    assert font.glyph("₹") is None
    assert font.has("$1,234.56")
    assert not font.has("₹1")


def test_dots_stand_apart_where_pins_are_finer_than_their_grid() -> None:
    font = PinFont("fine", (), 0.75, 1.2, 6.0)
    written = WrittenAmount((("7", "line"),), 700, None, "7")
    layer = Printer([font]).write(np.random.default_rng(0), written, 70)
    assert layer.text == "7"
    glyph = font.glyph("7")
    assert glyph is not None
    # Eleven pins, none touching another.
    assert _parts(glyph.mask) == 11


def _parts(mask: NDArray[np.uint8]) -> int:
    return int(cv2.connectedComponents((mask > 128).astype(np.uint8))[0]) - 1
