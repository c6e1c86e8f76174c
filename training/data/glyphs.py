"""The one type that every loader of handwriting gives."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Stroke = NDArray[np.float32]
Split = Literal["train", "valid", "test"]
SPLITS: tuple[Split, ...] = ("train", "valid", "test")


@dataclass(frozen=True, slots=True)
class GlyphSet:
    """Labelled handwriting of one set: characters, or short strings where labels say so.

    name: the set's name, as in the data folder.
    images: u8 [N, H, W], ink 255 on 0, native size; None for strokes.
    strokes: one tuple of pen strokes a sample, each f32 [points, 2] of x, y with y DOWNWARD in
        the tablet's units, points in writing order; None for bitmaps.
    labels: the characters written (a symbol, or a string such as "1,234").
    writers: the writer's name within the set, "" where it is not known.
    splits: "train", "valid" or "test" of every sample.
    """

    name: str
    images: NDArray[np.uint8] | None
    strokes: tuple[tuple[Stroke, ...], ...] | None
    labels: tuple[str, ...]
    writers: tuple[str, ...]
    splits: tuple[Split, ...]

    def __post_init__(self) -> None:
        if (self.images is None) == (self.strokes is None):
            raise ValueError("a glyph set holds either images or strokes")
        if {len(self.writers), len(self.splits), self._samples()} != {len(self.labels)}:
            raise ValueError("labels, writers, splits and samples differ in number")

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def kind(self) -> Literal["bitmap", "strokes"]:
        """ "bitmap" or "strokes"."""
        return "strokes" if self.images is None else "bitmap"

    def part(self, split: Split) -> "GlyphSet":
        """Only the samples of one split."""
        return self.take([i for i, s in enumerate(self.splits) if s == split])

    def take(self, rows: list[int]) -> "GlyphSet":
        """Only the given rows, in that order."""
        return GlyphSet(
            name=self.name,
            images=None if self.images is None else self.images[rows],
            strokes=None if self.strokes is None else tuple(self.strokes[i] for i in rows),
            labels=tuple(self.labels[i] for i in rows),
            writers=tuple(self.writers[i] for i in rows),
            splits=tuple(self.splits[i] for i in rows),
        )

    def _samples(self) -> int:
        if self.images is not None:
            return len(self.images)
        return len(self.strokes or ())
