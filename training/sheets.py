"""Sheets of synthetic fields and cheques, to be looked at beside sheets of real ones."""

import csv
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.glyphs import SPLITS, Split
from training.pictures import sheet, write_png
from training.synth.check import Check, check
from training.synth.cheque import make_cheque
from training.synth.field import FieldMaker, SyntheticField

_CELLS = 60


@dataclass(frozen=True, slots=True)
class Sample:
    """One picture u8 [H, W] or [H, W, 3] RGB with its truth; amount_minor is None for none."""

    seed: int
    image: NDArray[np.uint8]
    text: str
    amount_minor: int | None
    currency: str | None


def fields(data: Path, fonts: Path | None, split: str, seeds: range) -> Iterator[Sample]:
    """Synthetic fields by seed; raises ValueError for a split that is none."""
    maker = FieldMaker.load(data, fonts, _split(split))
    for seed in seeds:
        field = maker.make(seed)
        yield Sample(seed, field.image, field.text, field.amount_minor, field.currency)


def check_fields(
    data: Path,
    fonts: Path | None,
    split: str,
    seeds: range,
    progress: Callable[[], None] = lambda: None,
) -> Check:
    """Make the fields of the seeds, in one thread, and check the truth of each."""
    cv2.setNumThreads(1)
    maker = FieldMaker.load(data, fonts, _split(split))

    def made() -> Iterator[SyntheticField]:
        for seed in seeds:
            progress()
            yield maker.make(seed)

    return check(made())


def cheques(data: Path, split: str, seeds: range) -> Iterator[Sample]:
    """Whole synthetic cheques by seed, amounts in the hands of the data folder's writers."""
    from training.synth.bank import GlyphBank
    from training.synth.hand import HandWriter

    hand = HandWriter(GlyphBank.load(data, _split(split)))
    for seed in seeds:
        made = make_cheque(seed, hand=hand.write, split=split)
        yield Sample(seed, made.image, made.text, made.amount_minor, made.currency)


def write_sheets(
    samples: Iterable[Sample],
    folder: Path,
    name: str,
    cell: tuple[int, int],
    columns: int,
    *,
    single: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> int:
    """Write samples onto sheets of sixty cells (h, w), NAME-000.png and on; returns how many.

    single: also write each picture as NAME/<seed>.png, with truth.csv beside them.
    """
    images: list[NDArray[np.uint8]] = []
    rows: list[tuple[str, str, str, str]] = []
    written = 0
    for sample in samples:
        images.append(sample.image)
        if single:
            file = f"{sample.seed:06d}.png"
            write_png(sample.image, folder / name / file)
            amount = "" if (sample.amount_minor or 0) <= 0 else str(sample.amount_minor)
            rows.append((file, amount, sample.currency or "", sample.text))
        progress()
        if len(images) == _CELLS:
            write_png(sheet(images, cell, columns), folder / f"{name}-{written:03d}.png")
            images, written = [], written + 1
    if images:
        write_png(sheet(images, cell, columns), folder / f"{name}-{written:03d}.png")
        written += 1
    if single:
        with (folder / name / "truth.csv").open("w", newline="", encoding="utf-8") as file_:
            csv.writer(file_).writerows([("file", "amount_minor", "currency", "text"), *rows])
    return written


def _split(name: str) -> Split:
    for split in SPLITS:
        if split == name:
            return split
    raise ValueError(f"{name} is no split: {', '.join(SPLITS)}")
