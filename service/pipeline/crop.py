"""The line of the amount in a cropped image that shows more around it."""

from typing import Final

import numpy as np

from service.pipeline.ink import InkImage
from service.pipeline.textline import find_marks, without_rules

# How high a character is, in heights of the crop, how high in its own widths at most, and how wide
# in widths of the crop: the sides of a box are thinner, a line is wider.
_HEIGHTS: Final = (0.1, 0.8)
_THIN: Final = 6.0
_WIDEST: Final = 0.6
_FEWEST: Final = 2
# Characters of a line are so far off its middle at most, and so high, in heights of a usual one.
_OFF: Final = 0.6
_HIGHEST: Final = 2.0
# The rows that have nearly as much ink as the fullest are its middle.
_FULL: Final = 0.98
# Air around the line, more below where commas hang, in heights of a character.
_AIR: Final = 0.15
_BELOW: Final = 0.3
# A crop is loose where its line is no higher than this, in heights of the crop.
_LOOSE: Final = 0.6


def line_within(ink: InkImage) -> tuple[int, int, int, int] | None:
    """The box x0, y0, x1, y1, in pixels of a loose crop, of its line with the most ink.

    ink: of a cropped amount. None where the crop is tight, or shows no line.
    """
    height, width = ink.mask.shape
    marks = find_marks(without_rules(ink), page=False)
    boxes = marks.boxes.astype(np.float64)
    wide, high = (boxes[:, 2:] - boxes[:, :2]).T
    middle = (boxes[:, 1] + boxes[:, 3]) / 2
    least, most = (share * height for share in _HEIGHTS)
    usable = (high >= least) & (high <= most) & (high < _THIN * wide) & (wide < _WIDEST * width)
    usable &= (boxes[:, 1] > 0) & (boxes[:, 3] < height)
    if usable.sum() < _FEWEST:
        return None
    area = np.where(usable, marks.area, 0)
    order = np.argsort(high)
    half = np.searchsorted(np.cumsum(area[order]), area.sum() / 2)
    size = float(high[order][half])
    # Ink of the marks that each row of the crop goes through.
    began = np.bincount(marks.boxes[:, 1], area, height + 1)
    ended = np.bincount(marks.boxes[:, 3], area, height + 1)
    through = np.cumsum(began - ended)
    level = float(np.flatnonzero(through >= _FULL * through.max()).mean())
    own = usable & (np.abs(middle - level) <= _OFF * size) & (high <= _HIGHEST * size)
    if own.sum() < _FEWEST:
        return None
    (x0, y0), (x1, y1) = boxes[own, :2].min(axis=0), boxes[own, 2:].max(axis=0)
    air = _AIR * size
    if y1 - y0 + 2 * air > _LOOSE * height:
        return None
    return (
        max(0, int(x0 - air)), max(0, int(y0 - air)),
        min(width, int(x1 + air)), min(height, int(y1 + _BELOW * size)),
    )  # fmt: skip
