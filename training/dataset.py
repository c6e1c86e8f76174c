"""Builds the crops that recognizers are trained on, in shards that an interrupted run keeps."""

from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.ink import extract_ink
from training.crops import field_crops
from training.data.bitmaps import load_hasyv2, load_kensanata, load_optdigits, load_semeion
from training.data.glyphs import GlyphSet, Split
from training.data.mnist import load_mnist
from training.data.pendigits import load_pendigits
from training.data.unipen import load_unipen_digits, load_unipen_symbols
from training.isolated import glyph_of, random_crop
from training.synth.field import FieldMaker

Bytes = NDArray[np.uint8]

LABELS = (*"0123456789.,-/=*#$£€₹x()%+|NORS", "")
PLACEMENT = Placement(normal=20.0, largest=28.0, size_damping=0.5, offset_damping=0.35)
FIELDS_A_SHARD = 1000
# Every eighth field holds one of the symbols that amounts rarely have.
RARE = "NORSx(%|+£€₹#"
RARE_EVERY = 8

LOADERS = (
    load_mnist,
    load_kensanata,
    load_unipen_digits,
    load_unipen_symbols,
    load_pendigits,
    load_optdigits,
    load_semeion,
    load_hasyv2,
)


@dataclass(frozen=True, slots=True)
class Sources:
    """Where training material lies: the data folder and the font cache."""

    data: Path
    fonts: Path | None


def build_field_crops(
    sources: Sources, folder: Path, shards: int, split: Split, workers: int = 2
) -> Iterator[int]:
    """Write missing shards of crops cut from synthetic fields; yields each shard's number."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [n for n in range(shards) if not _shard(folder, n).exists()]
    context = get_context("spawn")
    with context.Pool(workers, _start, (sources, split)) as pool:
        yield from pool.imap_unordered(_build, [(folder, n) for n in missing])


def load_field_crops(folder: Path) -> tuple[Bytes, Bytes]:
    """All shards of a folder: crops u8 [N, 32, 32], labels u8 [N]."""
    crops, labels = [], []
    for path in sorted(folder.glob("fields-*.npz")):
        with np.load(path) as held:
            crops.append(held["crops"])
            labels.append(held["labels"])
    return np.concatenate(crops), np.concatenate(labels)


def isolated_crops(sources: Sources, split: Split, copies: int, seed: int) -> tuple[Bytes, Bytes]:
    """Every single character of a split, drawn `copies` times by random pens."""
    rng = np.random.default_rng(seed)
    crops: list[Bytes] = []
    labels: list[int] = []
    for load in LOADERS:
        held: GlyphSet = load(sources.data).part(split)
        for row, label in enumerate(held.labels):
            if label not in LABELS:
                continue
            glyph = glyph_of(held, row)
            if glyph is None:
                continue
            for _ in range(copies):
                crops.append(random_crop(rng, glyph, label, PLACEMENT))
                labels.append(LABELS.index(label))
    return np.stack(crops), np.array(labels, np.uint8)


_maker: FieldMaker | None = None  # one a worker process


def _start(sources: Sources, split: Split) -> None:
    global _maker
    cv2.setNumThreads(1)
    _maker = FieldMaker.load(sources.data, sources.fonts, split)


def _build(job: tuple[Path, int]) -> int:
    folder, number = job
    assert _maker is not None
    crops, labels = [], []
    for seed in range(number * FIELDS_A_SHARD, (number + 1) * FIELDS_A_SHARD):
        field = _maker.make(seed, RARE if seed % RARE_EVERY == 0 else "")
        own, own_labels = field_crops(
            extract_ink(field.image), field.owner, field.text, LABELS, PLACEMENT
        )
        crops.append(own)
        labels.append(own_labels)
    path = _shard(folder, number)
    part = path.with_suffix(".part.npz")
    np.savez(part, crops=np.concatenate(crops), labels=np.concatenate(labels))
    part.replace(path)
    return number


def _shard(folder: Path, number: int) -> Path:
    return folder / f"fields-{number:04d}.npz"
