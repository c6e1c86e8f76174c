"""A cheque's page under the printer and the pen: inks laid over paper, in millimetres.

Inks multiply what is below them, as dyes on paper do, so that writing stays visible through
security print and print through writing. Lengths are millimetres from the page's top left corner;
type sizes are points.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from training.data.fonts import Font, load_fonts

Colour = tuple[float, float, float]
"""What an ink lets through of red, green and blue, 0 to 1: (0, 0, 0) is black."""

BLACK: Colour = (0.08, 0.08, 0.09)
MM_PER_INCH = 25.4
POINT_MM = MM_PER_INCH / 72.0


@lru_cache(maxsize=1)
def shelf() -> dict[str, Font]:
    """Return the cached fonts by name, the first weight of each; "name!" is the boldest one."""
    fonts: dict[str, Font] = {}
    for font in load_fonts():
        fonts.setdefault(font.name, font)
        fonts[f"{font.name}!"] = font
    return fonts


@lru_cache(maxsize=2048)
def _face(path: str, step: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, 1.02**step)


def face(path: str, size: float) -> ImageFont.FreeTypeFont:
    """Return a font file opened at a size in pixels, to within 1 per cent, and kept open."""
    return _face(path, round(float(np.log(max(size, 1.0)) / np.log(1.02))))


def _runs(font: Font, text: str) -> list[tuple[str, str]]:
    """Split a text into runs of one font file each: some signs are in the extended file only."""
    main = str(font.path)
    extended = main if font.extended is None else str(font.extended)
    runs: list[tuple[str, str]] = []
    for character in text:
        path = extended if character == "₹" else main
        if runs and runs[-1][0] == path:
            runs[-1] = (path, runs[-1][1] + character)
        else:
            runs.append((path, character))
    return runs


def text_width(font: Font, text: str, size: float) -> float:
    """Return the advance of a text set at a size, both in pixels."""
    return sum(float(face(path, size).getlength(run)) for path, run in _runs(font, text))


def text_mask(font: Font, text: str, size: float) -> tuple[NDArray[np.uint8], int, int]:
    """Set a text at a size in pixels: mask u8[h,w] (255 ink), its left and top from the pen.

    The pen starts at the baseline; top is negative above it. An empty text gives an empty mask.
    """
    runs = _runs(font, text)
    starts = np.cumsum([0.0] + [float(face(path, size).getlength(run)) for path, run in runs])
    boxes = [face(path, size).getbbox(run, anchor="ls") for path, run in runs]
    if not boxes:
        return np.zeros((0, 0), np.uint8), 0, 0
    left = int(min(start + box[0] for start, box in zip(starts, boxes, strict=False))) - 1
    right = int(max(start + box[2] for start, box in zip(starts, boxes, strict=False))) + 2
    top = int(min(box[1] for box in boxes)) - 1
    bottom = int(max(box[3] for box in boxes)) + 2
    image = Image.new("L", (max(1, right - left), max(1, bottom - top)), 0)
    pen = ImageDraw.Draw(image)
    for start, (path, run) in zip(starts, runs, strict=False):
        pen.text((float(start) - left, -top), run, fill=255, font=face(path, size), anchor="ls")
    return np.asarray(image, dtype=np.uint8), left, top


def _coverage(low: float, high: float, size: int) -> NDArray[np.float32]:
    """Return how much of each of ``size`` pixels lies between two positions."""
    edges = np.arange(size + 1, dtype=np.float32)
    inside = np.clip(edges, low, high)
    return np.diff(inside)


@dataclass(slots=True)
class Page:
    """Paper being printed and written on: image u8[H,W,3] RGB, owner u8[H,W], dots per inch.

    owner is 0 where no character of the courtesy amount is, else 1 + the character's index.
    """

    image: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    dpi: float

    def px(self, millimetres: float) -> float:
        """Return a length in pixels."""
        return millimetres * self.dpi / MM_PER_INCH

    def points(self, points: float) -> float:
        """Return a type size in pixels."""
        return self.px(points * POINT_MM)

    def stain(
        self,
        mask: NDArray[np.uint8],
        left: int,
        top: int,
        colour: Colour,
        strength: float = 1.0,
        owner: NDArray[np.uint8] | None = None,
    ) -> None:
        """Lay ink over the paper: mask u8[h,w] (255 full ink) placed at pixel (left, top).

        What falls outside the page is lost. ``owner`` u8[h,w] marks the characters of the amount.
        """
        height, width = self.owner.shape
        x0, y0 = max(0, left), max(0, top)
        x1, y1 = min(width, left + mask.shape[1]), min(height, top + mask.shape[0])
        if x1 <= x0 or y1 <= y0:
            return
        part = mask[y0 - top : y1 - top, x0 - left : x1 - left]
        ink = part.astype(np.float32) * np.float32(strength / 255.0)
        here = self.image[y0:y1, x0:x1]
        for channel in range(3):
            kept = 1.0 - ink * np.float32(1.0 - colour[channel])
            here[..., channel] = (here[..., channel] * kept + 0.5).astype(np.uint8)
        if owner is not None:
            marks = owner[y0 - top : y1 - top, x0 - left : x1 - left]
            np.copyto(self.owner[y0:y1, x0:x1], marks, where=marks > 0)

    def box(
        self, x0: float, y0: float, x1: float, y1: float, colour: Colour, strength: float = 1.0
    ) -> None:
        """Fill a rectangle, exact to a fraction of a pixel."""
        left, top = int(np.floor(self.px(x0))), int(np.floor(self.px(y0)))
        right, bottom = int(np.ceil(self.px(x1))), int(np.ceil(self.px(y1)))
        if right <= left or bottom <= top:
            return
        across = _coverage(self.px(x0) - left, self.px(x1) - left, right - left)
        down = _coverage(self.px(y0) - top, self.px(y1) - top, bottom - top)
        mask = (np.outer(down, across) * 255.0 + 0.5).astype(np.uint8)
        self.stain(mask, left, top, colour, strength)

    def erase(self, x0: float, y0: float, x1: float, y1: float, keep: float) -> None:
        """Lighten a rectangle towards white, as where the security print leaves a field out."""
        top, bottom = max(0, round(self.px(y0))), max(0, round(self.px(y1)))
        left, right = max(0, round(self.px(x0))), max(0, round(self.px(x1)))
        part = self.image[top:bottom, left:right]
        part[:] = (255.0 - (255.0 - part.astype(np.float32)) * keep + 0.5).astype(np.uint8)

    def lines(
        self, points: list[NDArray[np.float64]], width: float, colour: Colour, strength: float = 1.0
    ) -> None:
        """Draw polylines: arrays f64[N,2] of millimetres, with one width in millimetres."""
        if not points:
            return
        scaled = [line * (self.dpi / MM_PER_INCH) for line in points]
        reach = self.px(width) + 3.0
        low = np.min([line.min(axis=0) for line in scaled], axis=0) - reach
        high = np.max([line.max(axis=0) for line in scaled], axis=0) + reach
        low = np.maximum(np.floor(low), 0.0)
        high = np.minimum(np.ceil(high), np.array(self.owner.shape[::-1], np.float64))
        if np.any(high <= low):
            return
        mask = np.zeros((int(high[1] - low[1]), int(high[0] - low[0])), np.uint8)
        pixels = self.px(width)
        shifted = [np.round((line - low) * 16.0).astype(np.int32) for line in scaled]
        cv2.polylines(mask, shifted, False, 255, max(1, round(pixels)), cv2.LINE_AA, 4)
        # Hairlines thinner than a pixel are drawn one pixel wide and paler.
        self.stain(mask, int(low[0]), int(low[1]), colour, strength * min(1.0, pixels))

    def text(
        self,
        font: Font,
        text: str,
        x: float,
        y: float,
        size: float,
        colour: Colour,
        align: str = "left",
        turned: bool = False,
    ) -> None:
        """Set a text with its baseline at y; align is left, centre or right of x.

        A turned text reads upwards.
        """
        mask, left, top = text_mask(font, text, self.points(size))
        if not mask.size:
            return
        width = text_width(font, text, self.points(size))
        shift = {"left": 0.0, "centre": -width / 2.0, "right": -width}[align]
        if turned:
            mask = np.ascontiguousarray(np.rot90(mask))
            across = round(self.px(x) + top)
            down = round(self.px(y) - shift - left - mask.shape[0])
            self.stain(mask, across, down, colour)
            return
        self.stain(mask, round(self.px(x) + shift + left), round(self.px(y) + top), colour)
