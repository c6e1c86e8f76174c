"""A font for the tests: the one inside Pillow, with the signs that it lacks drawn by hand."""

from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from training.data.fonts import SYMBOLS, Font, Glyph


@pytest.fixture(scope="session")
def font(tmp_path_factory: pytest.TempPathFactory) -> Font:
    face = ImageFont.load_default(40)
    assert isinstance(face, ImageFont.FreeTypeFont)
    path: Path = tmp_path_factory.mktemp("font") / "inside.ttf"
    path.write_bytes(face.font_bytes)
    made = Font("inside", "machine", "train", path, None)
    stand_in = np.zeros((64, 40), np.uint8)
    stand_in[8:56, 8:32] = 255
    for symbol in SYMBOLS:
        if made.glyph(symbol) is None:
            made._glyphs[symbol] = Glyph(stand_in, 2, 64, 44.0)
    return made
