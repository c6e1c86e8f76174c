"""Marks, words and runs of words: the text-line structure of a page, from its ink alone.

A mark is a connected component of ink, a word a chain of marks with tight gaps, a run one word or
up to twenty-four that follow one another on a line, or that a box of rules holds. Every gap is
measured against the height of the ink beside it, so that the same code holds from 100 to 600 dpi.
All boxes are x0, y0, x1, y1, half open, in pixels of the ink image. Words and runs are found by
compiled loops (``native.places``).

Source: the connected-component analysis of section X ("field location").
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.pipeline.ink import InkImage
from service.pipeline.native import places

IntArray = NDArray[np.int32]

MOST_MARKS = 1500
MOST_WORDS = 400


@dataclass(frozen=True, slots=True)
class Marks:
    """Connected components of ink that may be writing, from left to right.

    boxes: i32 [M, 4]; area: i32 [M], ink pixels; word: i32 [M], the word a mark belongs to, or -1.
    """

    boxes: IntArray
    area: IntArray
    word: IntArray


def find_marks(mask: NDArray[np.bool_], *, page: bool = True, most: int = MOST_MARKS) -> Marks:
    """The marks of an ink mask, bool [H, W]; specks left out, at most `most` of them.

    page: the mask shows a whole page, so that frames and what else is too large for writing are
    left out too. The tallest are kept where there are more, which bounds the work on noise.
    """
    boxes, area = places.find_marks(np.ascontiguousarray(mask), page=page, most=most)
    return Marks(boxes, area, np.full(len(boxes), -1, np.int32))


def find_words(marks: Marks, page_width: int) -> tuple[Marks, places.Words]:
    """Chain marks into words; returns the marks with their word numbers, and the words."""
    words, number = places.find_words(marks.boxes, marks.area, page_width, MOST_WORDS)
    return Marks(marks.boxes, marks.area, number), words


def without_rules(ink: InkImage) -> NDArray[np.bool_]:
    """The ink mask cut open along every ruled line, so that no frame ties words together.

    For finding fields only: strokes that cross a line are cut too.
    """
    mask = ink.mask.copy()
    for x0, y0, x1, y1 in ink.rules[:, :4].tolist():
        mask[max(0, y0 - 1) : y1 + 1, max(0, x0 - 1) : x1 + 1] = False
    return mask
