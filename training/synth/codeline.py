"""The codeline at a cheque's foot: shapes that look like E-13B and CMC-7 magnetic characters.

The E-13B shapes are drawn here on a 7 by 9 grid (ISO 1004-1 sets the module at 0.33 mm and the
pitch at 3.175 mm); CMC-7 characters are seven bars cut to a digit's outline (ISO 1004-2).
"""

from __future__ import annotations

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.page import shelf

PITCH = 3.175
HEIGHT = 2.97

_SHAPES = {
    "0": "XXXXXXX X.....X X.....X X.....X X.....X X.....X X.....X X.....X XXXXXXX",
    "1": "..XX... ...X... ...X... ...X... ...X... ..XXXX. ..XXXX. ..XXXX. ..XXXX.",
    "2": "..XXXX. .....X. .....X. .....X. ..XXXX. ..X.... ..X.... ..X.... ..XXXX.",
    "3": ".XXXX.. ....X.. ....X.. ....X.. .XXXXXX .....XX .....XX .....XX .XXXXXX",
    "4": ".XX.... .XX.... .XX.... .XX..XX .XX..XX .XXXXXX .....XX .....XX .....XX",
    "5": ".XXXXX. .X..... .X..... .X..... .XXXXX. .....X. .....X. .....X. .XXXXX.",
    "6": "XXXX... X..X... X...... X...... XXXXXXX X.....X X.....X X.....X XXXXXXX",
    "7": ".XXXXX. .X...X. .....X. .....X. ...XXX. ...X... ...X... ...X... ...X...",
    "8": ".XXXXX. .X...X. .X...X. .X...X. XXXXXXX XX...XX XX...XX XX...XX XXXXXXX",
    "9": "XXXXXXX X.....X X.....X X.....X XXXXXXX .....XX .....XX .....XX .....XX",
    "T": "....... X....XX X....XX X....XX X...... X....XX X....XX X....XX .......",
    "U": "....... ..X..XX ..X..XX ..X..XX ..X..XX X.X.... X.X.... X.X.... .......",
    "A": "....... ......X .X....X .X....X .X.X..X .X.X..X ...X..X ...X... .......",
    "D": "....... ....... X..X.XX X..X.XX X..X.XX X..X.XX X..X.XX ....... .......",
}
"""T, U, A and D stand for the transit, on-us, amount and dash symbols."""


@lru_cache(maxsize=256)
def _e13b(character: str, dpi: float) -> NDArray[np.uint8]:
    rows = _SHAPES[character].split()
    grid = np.array([[255 if cell == "X" else 0 for cell in row] for row in rows], np.uint8)
    large = cv2.resize(grid, None, fx=16, fy=16, interpolation=cv2.INTER_NEAREST)
    # Rounded corners, as the ribbon leaves them.
    large = cv2.GaussianBlur(large, (0, 0), 3.0)
    large = np.where(large > 127, 255, 0).astype(np.uint8)
    height = max(2, round(HEIGHT / 25.4 * dpi))
    width = max(2, round(HEIGHT * 7 / 9 / 25.4 * dpi))
    small = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


@lru_cache(maxsize=256)
def _cmc7(font: str, character: str, dpi: float) -> NDArray[np.uint8] | None:
    glyph = shelf()[font].glyph(character)
    if glyph is None:
        return None
    outline = cv2.resize(glyph.mask, (112, 144), interpolation=cv2.INTER_AREA)
    outline = cv2.dilate(outline, np.ones((9, 9), np.uint8))
    bars = np.zeros(112, np.uint8)
    # Two wide and four narrow gaps make a digit's code; which ones depends on the digit.
    wide = {ord(character) % 6, ord(character) // 7 % 6}
    x = 2
    for bar in range(7):
        bars[x : x + 8] = 255
        x += 20 if bar in wide else 14
    cut = np.where((outline > 127) & (bars[None, :] > 0), 255, 0).astype(np.uint8)
    height = max(2, round(2.8 / 25.4 * dpi))
    small = cv2.resize(cut, (max(2, round(2.4 / 25.4 * dpi)), height), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8)


def codeline(text: str, dpi: float, cmc7: str = "") -> NDArray[np.uint8]:
    """Draw a codeline as a mask u8[h,w], 255 ink.

    text holds digits, spaces and the letters T, U, A, D for the four E-13B symbols. With a font
    named, the characters are CMC-7 ones cut from its digits, and the symbols from A to D's.
    """
    step = PITCH / 25.4 * dpi
    width = int(step * (len(text) + 1))
    mask = np.zeros((round(HEIGHT / 25.4 * dpi) + 2, width), np.uint8)
    for index, character in enumerate(text):
        if character == " ":
            continue
        shape = _e13b(character, dpi) if not cmc7 else _cmc7(cmc7, character, dpi)
        if shape is None:
            continue
        left = round(index * step)
        mask[: shape.shape[0], left : left + shape.shape[1]] = shape
    return mask
