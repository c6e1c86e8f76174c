"""The glyphs of many writers, of one split, kept compact and ready to be drawn."""

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.data.bitmaps import (
    load_bhmsds,
    load_hasyv2,
    load_kensanata,
    load_optdigits,
    load_semeion,
)
from training.data.glyphs import GlyphSet, Split
from training.data.mnist import load_mnist
from training.data.pendigits import load_pendigits
from training.data.spoiled import sound
from training.data.unipen import load_unipen_digits, load_unipen_symbols
from training.synth.strokes import Glyph, PenGlyph, mask_glyph, pen_glyph
from training.synth.zeros import is_slashed

DIGITS = "0123456789"
SLASHED = "\u00d8"
_LEAST_DIGITS = 6
_SYMBOLS = frozenset(".,-/=*#$£x()%+|")
_BITMAP_SYMBOLS = frozenset("$£x#*+%-/|")


@dataclass(frozen=True, slots=True)
class Writer:
    """What one person wrote: glyphs by symbol, most digits among them; slashed zeros by SLASHED.

    source: the set's name. known: False where the glyphs are of unknown people.
    """

    source: str
    known: bool
    glyphs: dict[str, tuple[Glyph, ...]]


@dataclass(frozen=True, slots=True)
class GlyphBank:
    """Writers by source, and symbols of any writer.

    writers: source name -> its writers. symbols: symbol -> glyphs, digits left out.
    """

    writers: dict[str, tuple[Writer, ...]]
    symbols: dict[str, tuple[Glyph, ...]]

    @classmethod
    def load(cls, folder: Path, split: Split = "train", most_mnist: int = 10_000) -> "GlyphBank":
        """All sets of a data folder, only their writers of that split.

        most_mnist: how many MNIST digits are kept, the first of the split.
        Raises DataMissingError where a set is not in the folder.
        """
        mnist = load_mnist(folder).part(split)
        mnist = mnist.take(list(range(min(most_mnist, len(mnist)))))
        sets = [
            sound(load(folder)).part(split)
            for load in (
                load_unipen_digits,
                load_pendigits,
                load_kensanata,
                load_optdigits,
                load_semeion,
            )
        ]
        bhmsds = load_bhmsds(folder).part(split)
        rows = [i for i, s in enumerate(bhmsds.labels) if s in DIGITS]
        bhmsds = bhmsds.take(rows[::4])
        marks = [sound(load_unipen_symbols(folder)).part(split), load_hasyv2(folder).part(split)]
        return cls.of([*sets, mnist, bhmsds], marks)

    @classmethod
    def of(cls, digits: list[GlyphSet], marks: list[GlyphSet]) -> "GlyphBank":
        """A bank of the given sets of digits and of other symbols."""
        writers = {held.name: _writers(held) for held in digits}
        symbols: dict[str, list[Glyph]] = defaultdict(list)
        for held in marks:
            wanted = _SYMBOLS if held.kind == "strokes" else _BITMAP_SYMBOLS
            for row, label in enumerate(held.labels):
                if label in wanted and (glyph := _glyph(held, row)) is not None:
                    symbols[label].append(glyph)
        return cls(
            writers={name: people for name, people in writers.items() if people},
            symbols={symbol: tuple(glyphs) for symbol, glyphs in symbols.items()},
        )


def _writers(held: GlyphSet) -> tuple[Writer, ...]:
    """The writers of a set who wrote most digits; all the others as one unknown writer each set."""
    people: dict[str, dict[str, list[Glyph]]] = defaultdict(lambda: defaultdict(list))
    for row, (label, writer) in enumerate(zip(held.labels, held.writers, strict=True)):
        if label in DIGITS and len(label) == 1 and (glyph := _glyph(held, row)) is not None:
            people[writer][_symbol(label, glyph)].append(glyph)
    found: list[Writer] = []
    rest: dict[str, list[Glyph]] = defaultdict(list)
    for writer, glyphs in sorted(people.items()):
        if writer and len(glyphs) >= _LEAST_DIGITS:
            found.append(Writer(held.name, True, {s: tuple(g) for s, g in glyphs.items()}))
        else:
            for symbol, some in glyphs.items():
                rest[symbol].extend(some)
    if rest:
        found.append(Writer(held.name, False, {s: tuple(g) for s, g in rest.items()}))
    return tuple(found)


def _symbol(label: str, glyph: Glyph) -> str:
    """The symbol a glyph is kept by: zeros with a stroke through them are rare on cheques."""
    if label == "0" and isinstance(glyph, PenGlyph) and is_slashed(glyph.points, glyph.starts):
        return SLASHED
    return label


def _glyph(held: GlyphSet, row: int) -> Glyph | None:
    """One sample ready to be drawn; None where it is empty."""
    if held.strokes is not None:
        strokes = held.strokes[row]
        return pen_glyph(strokes) if any(len(s) for s in strokes) else None
    assert held.images is not None
    aspect = None
    if held.name == "semeion" and held.labels[row] != "1":
        aspect = 0.5 + 0.3 * float(np.sin(row) ** 2)
    return mask_glyph(held.images[row], aspect)
