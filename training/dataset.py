"""Builds the crops that recognizers are trained on, in shards that an interrupted run keeps."""

from collections.abc import Callable, Iterator
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
from training.data.spoiled import sound
from training.data.unipen import load_unipen_digits, load_unipen_symbols
from training.isolated import glyph_of, plain_crop, random_crop
from training.shards import Job, build_shards, write_arrays
from training.synth.field import FieldMaker

Bytes = NDArray[np.uint8]

LABELS = (*"0123456789.,-/=*#$£€₹x()%+|NORS", "")
PLACEMENT = Placement(normal=20.0, largest=28.0, size_damping=0.5, offset_damping=0.35)
FIELDS_A_SHARD = 1000
# Every eighth field holds one of the symbols that amounts rarely have.
RARE = "NORSx(%|+£€₹#"
RARE_EVERY = 8

# Sets of single characters, and the share of the training that each makes up.
ISOLATED: dict[str, tuple[Callable[[Path], GlyphSet], float]] = {
    "mnist": (load_mnist, 0.16),
    "kensanata": (load_kensanata, 0.09),
    "unipen_digits": (load_unipen_digits, 0.09),
    "unipen_symbols": (load_unipen_symbols, 0.07),
    "pendigits": (load_pendigits, 0.06),
    "optdigits": (load_optdigits, 0.02),
    "semeion": (load_semeion, 0.02),
    "hasyv2": (load_hasyv2, 0.03),
}
_DRAWINGS = 80_000
_LEAST_COPIES = 2
_MOST_COPIES = 60


@dataclass(frozen=True, slots=True)
class Sources:
    """Where training material lies: the data folder and the font cache."""

    data: Path
    fonts: Path | None


def build_field_crops(
    sources: Sources, folder: Path, shards: int, split: Split, workers: int = 2
) -> Iterator[int]:
    """Write missing shards of crops cut from synthetic fields; yields each shard's number."""
    paths = [_shard(folder, number) for number in range(shards)]
    return build_shards(paths, _start, (sources, split), _build, workers)


def load_field_crops(folder: Path) -> tuple[Bytes, Bytes]:
    """All shards of a folder: crops u8 [N, 32, 32], labels u8 [N]."""
    crops, labels = [], []
    for path in sorted(folder.glob("fields-*.npz")):
        with np.load(path) as held:
            crops.append(held["crops"])
            labels.append(held["labels"])
    return np.concatenate(crops), np.concatenate(labels)


def build_isolated(
    sources: Sources, folder: Path, split: Split, seed: int, workers: int = 2
) -> Iterator[str]:
    """Write the missing files of single characters, one a set; yields each set's name.

    Small sets are drawn more often than large ones: every drawing is by another pen.
    """
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in ISOLATED if not _isolated(folder, name).exists()]
    jobs = [(sources.data, folder, name, split, seed) for name in missing]
    with get_context("spawn").Pool(workers, _one_thread) as pool:
        yield from pool.imap_unordered(_draw_set, jobs)


def load_isolated(folder: Path) -> dict[str, tuple[Bytes, Bytes]]:
    """Crops u8 [N, 32, 32] and labels u8 [N] of every set that build_isolated has written."""
    found = {}
    for name in ISOLATED:
        with np.load(_isolated(folder, name)) as held:
            found[name] = (held["crops"], held["labels"])
    return found


def _draw_set(job: tuple[Path, Path, str, Split, int]) -> str:
    data, folder, name, split, seed = job
    crops, labels = isolated_crops(sound(ISOLATED[name][0](data)).part(split), seed)
    write_arrays(_isolated(folder, name), {"crops": crops, "labels": labels})
    return name


def isolated_crops(held: GlyphSet, seed: int) -> tuple[Bytes, Bytes]:
    """Every single character of a set, once as it stands and then by random pens."""
    rng = np.random.default_rng(seed)
    crops: list[Bytes] = []
    labels: list[int] = []
    rows = [row for row, label in enumerate(held.labels) if label in LABELS[:-1]]
    copies = min(max(_LEAST_COPIES, round(_DRAWINGS / max(len(rows), 1))), _MOST_COPIES)
    for row in rows:
        glyph = glyph_of(held, row)
        if glyph is None:
            continue
        label = held.labels[row]
        crops.append(plain_crop(held, row, PLACEMENT))
        crops += [random_crop(rng, glyph, label, PLACEMENT) for _ in range(copies - 1)]
        labels += [LABELS.index(label)] * copies
    return np.stack(crops), np.array(labels, np.uint8)


_maker: FieldMaker | None = None  # one a worker process


def _start(sources: Sources, split: Split) -> None:
    global _maker
    cv2.setNumThreads(1)
    _maker = FieldMaker.load(sources.data, sources.fonts, split)


def _build(job: Job) -> int:
    path, number = job
    assert _maker is not None
    crops, labels = [], []
    for seed in range(number * FIELDS_A_SHARD, (number + 1) * FIELDS_A_SHARD):
        field = _maker.make(seed, RARE if seed % RARE_EVERY == 0 else "")
        own, own_labels = field_crops(
            extract_ink(field.image), field.owner, field.text, LABELS, PLACEMENT, field.second
        )
        crops.append(own)
        labels.append(own_labels)
    write_arrays(path, {"crops": np.concatenate(crops), "labels": np.concatenate(labels)})
    return number


def _one_thread() -> None:
    cv2.setNumThreads(1)


def _isolated(folder: Path, name: str) -> Path:
    return folder / f"single-{name}.npz"


def _shard(folder: Path, number: int) -> Path:
    return folder / f"fields-{number:04d}.npz"
