"""Crops of single characters, placed as the service would place them in a line of their like."""

import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.segment import LINE_SIZE, place
from training.data.glyphs import GlyphSet
from training.synth.strokes import (
    Glyph,
    MaskGlyph,
    Pen,
    draw_mask,
    draw_strokes,
    mask_glyph,
    pen_glyph,
    sample_pen,
)

# What a symbol that is no digit measures beside a digit, and how far below the middle of the line
# its middle stands, both in units of the line's size: (extent, offset).
_GEOMETRY = {
    ".": (0.12, 0.45),
    ",": (0.28, 0.52),
    "-": (0.45, 0.05),
    "=": (0.50, 0.05),
    "*": (0.55, -0.10),
    "+": (0.60, 0.05),
    "x": (0.60, 0.15),
    "/": (1.25, 0.0),
    "(": (1.25, 0.0),
    ")": (1.25, 0.0),
    "|": (1.25, 0.0),
    "$": (1.20, 0.0),
}
_PLAIN = Pen(width=3.4, pressure=0.0, speed=0.0, taper=0.0)


def glyph_of(held: GlyphSet, row: int) -> Glyph | None:
    """One sample of a set ready to be drawn; None where it holds no ink."""
    if held.images is not None:
        return mask_glyph(held.images[row])
    assert held.strokes is not None
    strokes = held.strokes[row]
    return pen_glyph(strokes) if any(len(s) for s in strokes) else None


def plain_crop(held: GlyphSet, row: int, placement: Placement) -> NDArray[np.uint8]:
    """One sample as it stands, no randomness: what evaluation scores; u8 [32, 32]."""
    glyph = glyph_of(held, row)
    if glyph is None:
        return np.zeros((32, 32), np.uint8)
    extent, offset = _GEOMETRY.get(held.labels[row], (1.0, 0.0))
    rng = np.random.default_rng(0)
    pen = (
        Pen(width=glyph.width, pressure=0, speed=0, taper=0)
        if isinstance(glyph, MaskGlyph)
        else _PLAIN
    )
    return _draw(rng, glyph, pen, extent, offset, placement, plain=True)


def random_crop(
    rng: np.random.Generator, glyph: Glyph, label: str, placement: Placement
) -> NDArray[np.uint8]:
    """One sample with a random pen, slant, size and place on the line; u8 [32, 32]."""
    extent, offset = _GEOMETRY.get(label, (1.0, 0.0))
    extent = float(extent * np.exp(rng.normal(0, 0.18 if extent > 0.9 else 0.3)))
    offset = float(offset + rng.normal(0, 0.10))
    pen = sample_pen(rng, LINE_SIZE)
    return _draw(rng, glyph, pen, extent, offset, placement, plain=False)


def _draw(
    rng: np.random.Generator,
    glyph: Glyph,
    pen: Pen,
    extent: float,
    offset: float,
    placement: Placement,
    *,
    plain: bool,
) -> NDArray[np.uint8]:
    slant = 0.0 if plain else float(rng.normal(0.05, 0.18))
    aspect = 1.0 if plain else float(np.exp(rng.normal(0, 0.12)))
    size = extent * LINE_SIZE
    matrix = np.array([[size * aspect, -size * slant, 0], [0, size, 0]], np.float32)
    if isinstance(glyph, MaskGlyph):
        ink, _, _ = draw_mask(glyph, matrix, pen)
    else:
        points = glyph.points.copy()
        points[:, :2] = glyph.points[:, :2] @ matrix[:, :2].T
        ink, _, _ = draw_strokes(rng, points, glyph.starts, pen)
    rows, columns = np.flatnonzero(ink.max(axis=1) > 60), np.flatnonzero(ink.max(axis=0) > 60)
    if len(rows) == 0:
        return np.zeros((32, 32), np.uint8)
    ink = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return place(ink, max(ink.shape) / LINE_SIZE, offset, placement)
