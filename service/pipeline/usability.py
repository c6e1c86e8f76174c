"""Defects of images that the exchange rules name, each with the figure that was measured.

What the Image View Analysis Record (type 54) and the banks' image quality rules call partial image,
excessive skew, too light or too dark, below minimum and above maximum size, streaks and bands, and
an amount that can't be read; and the sides exchanged.
"""

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.container import ImageLimits
from service.pipeline.decode import Page, decode_page, shrink
from service.pipeline.skew import estimate_skew

Defect = Literal[
    "partial_image", "excessive_skew", "too_light", "too_dark", "undersize", "oversize",
    "below_minimum_resolution", "streaks_or_bands", "front_and_back_swapped", "illegible_amount",
]  # fmt: skip

SURE_BACK: Final = 0.5
_SIDE: Final = 1800
_PREVIEW: Final = 700
_EDGE: Final = 0.03
_SPAN: Final = 0.97
_SPECK: Final = 0.004
_PAPER: Final = 75
_INK: Final = 0.62


@dataclass(frozen=True, slots=True)
class UsabilityLimits:
    """Beyond what an image has a defect.

    margin: share of a side, from an edge inward, that may be without print. skew: degrees. ink:
    least and largest share of dark pixels. width, height: least and largest, in inches. dpi: least
    resolution. streaks: share of rows or columns that may be dark from edge to edge.
    confidence: least probability of the likeliest amount.
    """

    margin: float = 0.4
    skew: float = 5.0
    ink: tuple[float, float] = (0.008, 0.35)
    width: tuple[float, float] = (5.0, 9.5)
    height: tuple[float, float] = (2.0, 4.75)
    dpi: float = 190.0
    streaks: float = 0.004
    confidence: float = 0.05


@dataclass(frozen=True, slots=True)
class Measured:
    """One possible defect: what was measured, in the unit of the limits, None where it could not
    be; limit: what it was compared with; present: whether the image has it."""

    defect: Defect
    value: float | None
    limit: float
    present: bool


def measure_image(
    data: bytes, limits: ImageLimits, thresholds: UsabilityLimits
) -> tuple[Measured, ...]:
    """The defects that show in the pixels of an image file; raises InputError as decoding does."""
    page = decode_page(data, limits, field_only=False, long_side=_SIDE, height=_SIDE)
    dark = _dark(page.grey)
    share = float(dark.mean())
    margin = _margin(dark)
    preview = shrink(page.grey, -(-max(page.grey.shape) // _PREVIEW))
    skew = abs(estimate_skew(preview).angle)
    streaks = max(_streaks(dark), _streaks(dark.T))
    return (
        Measured("partial_image", round(margin, 4), thresholds.margin, margin > thresholds.margin),
        Measured("excessive_skew", round(skew, 2), thresholds.skew, skew > thresholds.skew),
        Measured("too_light", round(share, 4), thresholds.ink[0], share < thresholds.ink[0]),
        Measured("too_dark", round(share, 4), thresholds.ink[1], share > thresholds.ink[1]),
        *_sizes(page, thresholds),
        Measured(
            "streaks_or_bands", round(streaks, 4), thresholds.streaks, streaks > thresholds.streaks
        ),
    )


def legibility(confidence: float, thresholds: UsabilityLimits) -> Measured:
    """Whether an amount can be read at all; confidence: of the one read."""
    least = thresholds.confidence
    return Measured("illegible_amount", round(confidence, 4), least, confidence < least)


def exchanged(front: float, back: float | None) -> Measured:
    """Whether front and back are exchanged; both: how sure an amount is read there."""
    swapped = back is not None and back >= SURE_BACK > front
    return Measured(
        "front_and_back_swapped", None if back is None else round(back, 4), SURE_BACK, swapped
    )


def _dark(grey: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where ink or shadow is, bool [H, W]."""
    paper = float(np.percentile(grey[::8, ::8], _PAPER))
    return grey < _INK * max(paper, 128.0)


def _sizes(page: Page, thresholds: UsabilityLimits) -> tuple[Measured, ...]:
    """Size and resolution; a page that stands upright is measured lying down."""
    if page.dpi is None:
        return (
            Measured("undersize", None, thresholds.width[0], False),
            Measured("oversize", None, thresholds.width[1], False),
            Measured("below_minimum_resolution", None, thresholds.dpi, False),
        )
    wide, high = max(page.size) / page.dpi, min(page.size) / page.dpi
    low = wide / thresholds.width[0] <= high / thresholds.height[0]
    small = (wide, thresholds.width[0]) if low else (high, thresholds.height[0])
    more = wide / thresholds.width[1] >= high / thresholds.height[1]
    large = (wide, thresholds.width[1]) if more else (high, thresholds.height[1])
    return (
        Measured("undersize", round(small[0], 3), small[1], small[0] < small[1]),
        Measured("oversize", round(large[0], 3), large[1], large[0] > large[1]),
        Measured(
            "below_minimum_resolution",
            round(page.dpi, 1),
            thresholds.dpi,
            page.dpi < thresholds.dpi,
        ),
    )


def _margin(dark: NDArray[np.bool_]) -> float:
    """The largest share of a side, from one edge inward, that is without print; 1 for a blank."""
    marks = np.asarray(cv2.erode(dark.astype(np.uint8), np.ones((2, 2), np.uint8)))
    largest = 0.0
    for axis in (0, 1):
        share = marks.mean(axis=axis)
        printed = np.flatnonzero(share > _SPECK)
        if len(printed) == 0:
            return 1.0
        size = len(share)
        largest = max(largest, int(printed[0]) / size, (size - 1 - int(printed[-1])) / size)
    return largest


def _streaks(dark: NDArray[np.bool_]) -> float:
    """The share of rows that are dark from edge to edge, those near the page's edges left out."""
    rows = len(dark)
    edge = round(_EDGE * rows)
    inner = dark[edge : rows - edge]
    return float((inner.mean(axis=1) > _SPAN).sum()) / rows if len(inner) else 0.0
