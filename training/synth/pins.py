"""Draft print of dot-matrix printers: characters of pins on a grid, as their makers draw them."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.fonts import DIGIT_HEIGHT, Glyph

Mask = NDArray[np.uint8]

_ROWS = 7
_PRINTERS = 24
_SPLITS = ("train", "train", "train", "train", "valid", "test")
# Rows from the top down, "#" a pin; the eighth and ninth row are below the line.
_PATTERNS = {
    "0": ".###. #...# #...# #...# #...# #...# .###.",
    "1": "..#.. .##.. ..#.. ..#.. ..#.. ..#.. .###.",
    "2": ".###. #...# ....# ..##. .#... #.... #####",
    "3": ".###. #...# ....# ..##. ....# #...# .###.",
    "4": "...#. ..##. .#.#. #..#. ##### ...#. ...#.",
    "5": "##### #.... ####. ....# ....# #...# .###.",
    "6": "..##. .#... #.... ####. #...# #...# .###.",
    "7": "##### ....# ...#. ..#.. .#... .#... .#...",
    "8": ".###. #...# #...# .###. #...# #...# .###.",
    "9": ".###. #...# #...# .#### ....# ...#. .##..",
    ".": "..... ..... ..... ..... ..... .##.. .##..",
    ",": "..... ..... ..... ..... .##.. .##.. ..#.. .#...",
    "-": "..... ..... ..... ##### ..... ..... .....",
    "/": "..... ....# ...#. ..#.. .#... #.... .....",
    "=": "..... ..... ##### ..... ##### ..... .....",
    "*": "..... ..#.. #.#.# .###. #.#.# ..#.. .....",
    "#": ".#.#. .#.#. ##### .#.#. ##### .#.#. .#.#.",
    "$": "..#.. .#### #.#.. .###. ..#.# ####. ..#..",
    "£": "..##. .#..# .#... ###.. .#... .#..# ####.",
    "(": "...#. ..#.. .#... .#... .#... ..#.. ...#.",
    ")": ".#... ..#.. ...#. ...#. ...#. ..#.. .#...",
    "%": "##... ##..# ...#. ..#.. .#... #..## ...##",
    "+": "..... ..#.. ..#.. ##### ..#.. ..#.. .....",
    "x": "..... ..... #...# .#.#. ..#.. .#.#. #...#",
    "X": "#...# #...# .#.#. ..#.. .#.#. #...# #...#",
    "N": "#...# #...# ##..# #.#.# #..## #...# #...#",
    "O": ".###. #...# #...# #...# #...# #...# .###.",
    "R": "####. #...# #...# ####. #.#.. #..#. #...#",
    "S": ".#### #.... #.... .###. ....# ....# ####.",
    "s": "..... ..... .#### #.... .###. ....# ####.",
}
# Makers differ in these; a printer has one of them.
_OTHERS = {
    "0": (
        ".###. #...# #..## #.#.# ##..# #...# .###.",
        "..#.. .#.#. #...# #...# #...# .#.#. ..#..",
        ".###. #...# #...# #.#.# #...# #...# .###.",
    ),
    "1": ("..#.. .##.. #.#.. ..#.. ..#.. ..#.. #####",),
    "3": ("##### ...#. ..#.. ...#. ....# #...# .###.", "##### ....# ...#. ..##. ....# #...# .###."),
    "4": ("...#. ..##. .#.#. #..#. #..#. ##### ...#.", "#..#. #..#. #..#. ##### ...#. ...#. ...#."),
    "6": (".###. #...# #.... ####. #...# #...# .###.",),
    "7": ("##### #...# ....# ...#. ..#.. ..#.. ..#..", "##### ....# ....# ...#. ..#.. .#... #...."),
    "9": (".###. #...# #...# .#### ....# #...# .###.",),
    ".": ("..... ..... ..... ..... ..... ..... ..#..",),
}


@dataclass(slots=True)
class PinFont:
    """The characters of one dot-matrix printer, rendered once and kept.

    choices: which of the other drawings each character has, by its place in ``_OTHERS`` from 1;
    pin: diameter of a dot, and pitch: way from column to column, both in ways from row to row;
    advance: columns from character to character.
    """

    name: str
    choices: tuple[tuple[str, int], ...]
    pin: float
    pitch: float
    advance: float
    kind: str = "dots"
    _glyphs: dict[str, Glyph | None] = field(default_factory=dict, repr=False)

    def glyph(self, character: str) -> Glyph | None:
        """Return the glyph of a character, None where the printer has none."""
        if character not in self._glyphs:
            self._glyphs[character] = self._draw(character)
        return self._glyphs[character]

    def has(self, text: str) -> bool:
        """Tell whether the printer has every character of a text."""
        return all(character in _PATTERNS for character in text if character != " ")

    def _draw(self, character: str) -> Glyph | None:
        if character not in _PATTERNS:
            return None
        choice = dict(self.choices).get(character, 0)
        pattern = _OTHERS[character][choice - 1] if choice else _PATTERNS[character]
        # The height of a digit is six ways from pin to pin and one pin.
        way = DIGIT_HEIGHT / (_ROWS - 1 + self.pin)
        rows = pattern.split(" ")
        size = (len(rows) - 1 + self.pin) * way, ((len(rows[0]) - 1) * self.pitch + self.pin) * way
        mask = np.zeros((int(np.ceil(size[0])) + 1, int(np.ceil(size[1])) + 1), np.uint8)
        for y, row in enumerate(rows):
            for x, struck in enumerate(row):
                if struck == "#":
                    _dot(mask, (x * self.pitch + self.pin / 2) * way, (y + self.pin / 2) * way,
                         self.pin / 2 * way)  # fmt: skip
        return Glyph(mask, 0, DIGIT_HEIGHT, self.advance * self.pitch * way)


def _dot(mask: Mask, x: float, y: float, radius: float) -> None:
    at = (round(x * 16), round(y * 16))
    cv2.circle(mask, at, round(radius * 16), 255, -1, cv2.LINE_AA, 4)


@cache
def pin_fonts(split: str | None = None) -> tuple[PinFont, ...]:
    """Printers of several makes: zeros with and without a stroke, worn and fresh pins.

    split: "train", "valid" or "test"; None: all.
    """
    rng = np.random.default_rng(0)
    fonts = []
    for number in range(_PRINTERS):
        choices = []
        for character, others in _OTHERS.items():
            choice = int(rng.integers(len(others) + 1))
            if choice:
                choices.append((character, choice))
        # Ten, twelve or seventeen characters to the inch, sixty half columns to the inch at ten.
        pitch = float(rng.choice([1.2, 1.2, 1.2, 1.0, 0.72]))
        fonts.append(
            PinFont(f"pins-{number}", tuple(choices), float(rng.uniform(0.75, 1.25)), pitch, 6.0)
        )
    return tuple(fonts[n] for n in range(_PRINTERS) if split in (None, _SPLITS[n % len(_SPLITS)]))
