"""Ink without paper: what every writer, of hand or machine, hands to the backgrounds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MAX_CHARACTERS = 254
_COVERED = 128


@dataclass(frozen=True, slots=True)
class InkLayer:
    """The ink of one written amount on no paper at all.

    coverage: u8 [H, W], 255 = full ink, 0 = none.
    owner: u8 [H, W], 0 = no character, i + 1 = character i of text. Where characters overlap the
        darker one owns the pixel. Ink with owner 0 belongs to no character: the horizontal bar of
        a fraction and the denominator below it, an underline, a crossed out digit.
    text: one recognizer symbol a character, in reading order, SPACE left out.
    second: u8 [H, W], numbered like owner: a character whose ink also covers most of the pixel
        under that of the owner, 0 = none; None where it was not kept. A stroke that joins two
        characters and is part of neither has both.
    """

    coverage: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    text: str
    second: NDArray[np.uint8] | None = None


def compose_ink(
    patches: list[tuple[NDArray[np.uint8], int, int, int]], text: str, margin: int = 2
) -> InkLayer:
    """Lay character patches over each other and crop to their common box.

    patches: (coverage u8 [h, w], left, top, owner) in any common pixel frame; owner as in
        InkLayer, several patches may share one, and one patch may be given twice.
    margin: empty pixels kept on each side.
    Raises ValueError where there is no patch or text is too long for a u8 owner map.
    """
    if not patches:
        raise ValueError("no ink to compose")
    if len(text) > MAX_CHARACTERS:
        raise ValueError("too many characters for one owner map")
    left = min(p[1] for p in patches) - margin
    top = min(p[2] for p in patches) - margin
    right = max(p[1] + p[0].shape[1] for p in patches) + margin
    bottom = max(p[2] + p[0].shape[0] for p in patches) + margin
    coverage = np.zeros((bottom - top, right - left), np.uint8)
    owner, second = np.zeros_like(coverage), np.zeros_like(coverage)
    for patch, x, y, index in patches:
        rows = slice(y - top, y - top + patch.shape[0])
        columns = slice(x - left, x - left + patch.shape[1])
        under, owned = coverage[rows, columns], owner[rows, columns]
        both = (under >= _COVERED) & (patch >= _COVERED) & (owned != index)
        above = patch > under
        hidden = np.where(above, owned, index)
        second[rows, columns][both & (hidden > 0)] = hidden[both & (hidden > 0)]
        owned[above] = index
        np.maximum(under, patch, out=under)
    return InkLayer(coverage=coverage, owner=owner, text=text, second=second)
