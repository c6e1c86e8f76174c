"""Where the middle of each pixel's character is, as a network says it of a whole line: T_seg.

The line goes through one convolutional network that is replicated over it (section VII). Of every
cell of two by two pixels it says how likely ink there is of no character, and how far off the
middle of the character is that it belongs to. Characters that touch, cross or stand in pieces point
at different middles, or the same: `segment` gathers them.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from service.errors import ModelError
from service.pipeline.recognize import padded, session_of

ROWS: Final = 64
"""Rows of a line that the network sees, half of them above its middle."""
CELL: Final = 2
"""Pixels of the line to a cell."""
STEP: Final = 8
"""The width of what the network sees is a multiple of so many pixels."""
UNIT: Final = 20.0
"""Pixels of the line to 1 of an offset: half of a character's height."""

NETWORK: Final = Path(__file__).parent / "centres.onnx"
SHA256: Final = "0c9cebbb4b1bdc3094e9dba9fea178d8257c3770fbe528dc413b03843d200915"


@dataclass(frozen=True, slots=True)
class Centres:
    """What the network says of the cells of a line.

    told: f32 [3, ROWS / CELL, w], the log odds that ink is of no character, and the middle of its
    character right of the cell's and below it, in UNITs. top: the row of the line that the first
    cell begins at, which may be above it.
    """

    told: NDArray[np.float32]
    top: int


def character_centres(ink: NDArray[np.uint8], centre: float) -> Centres:
    """The network's word on a line, u8 [H, W], characters 40 px tall about the row `centre`.

    Raises ModelError where the network's file is not the one meant.
    """
    seen, top = seen_lines(ink, centre)
    (told,) = _network().run(None, {"lines": seen})
    return Centres(np.ascontiguousarray(told[0], np.float32), top)


def seen_lines(ink: NDArray[np.uint8], centre: float) -> tuple[NDArray[np.uint8], int]:
    """A line as the network is called with it, u8 [1, ROWS, W], W a multiple of STEP, and the row
    of the line that is its first."""
    seen, top = line_rows(ink, centre)
    return padded(seen, STEP), top


def line_rows(image: NDArray[np.uint8], centre: float) -> tuple[NDArray[np.uint8], int]:
    """The rows of a line's image, u8 [H, W], that the network sees, u8 [ROWS, W], and the first."""
    top = round(centre) - ROWS // 2
    rows = np.zeros((ROWS, image.shape[1]), np.uint8)
    low, high = max(top, 0), min(top + ROWS, image.shape[0])
    if low < high:
        rows[low - top : high - top] = image[low:high]
    return rows, top


@cache
def _network() -> InferenceSession:
    if hashlib.sha256(NETWORK.read_bytes()).hexdigest() != SHA256:
        raise ModelError(f"{NETWORK.name} is not the file that belongs to this version (sha256)")
    return session_of(NETWORK.parent, NETWORK.name)
