"""The small bitmap sets, one loader each: kensanata, optdigits, semeion, bhmsds, hasyv2."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.folder import data_file
from training.data.glyphs import GlyphSet, Split
from training.data.splits import by_blocks, split_of

_BHMSDS_NAMES = {"dot": ".", "minus": "-", "plus": "+", "slash": "/"}


def load_kensanata(folder: Path) -> GlyphSet:
    """12,221 Swiss digits of 21 writers, 64x64; whole writers are held out."""
    with np.load(data_file(folder, "kensanata_digits.npz"), allow_pickle=False) as held:
        images, labels = held["images"], held["labels"]
        writers = tuple(str(n) for n in held["writer_names"][held["writers"]])
    return GlyphSet(
        name="kensanata",
        images=_full_contrast(images),
        strokes=None,
        labels=_digits(labels),
        writers=writers,
        splits=tuple(split_of("kensanata", w) for w in writers),
    )


def load_optdigits(folder: Path) -> GlyphSet:
    """1,934 + 946 digits, 32x32 binary; the second part is test, every tenth block valid."""
    with np.load(data_file(folder, "optdigits.npz"), allow_pickle=False) as held:
        train, test = held["train_images"], held["test_images"]
        labels = np.concatenate([held["train_labels"], held["test_labels"]])
    held_out: list[Split] = []
    held_out += ["test"] * len(test)
    return GlyphSet(
        name="optdigits",
        images=np.concatenate([train, test]),
        strokes=None,
        labels=_digits(labels),
        writers=("",) * len(labels),
        splits=by_blocks(len(train), 20, 1, 0, 10) + tuple(held_out),
    )


def load_semeion(folder: Path) -> GlyphSet:
    """1,593 digits, 16x16 binary, aspect lost; written in pages of twenty, split by page."""
    with np.load(data_file(folder, "semeion.npz"), allow_pickle=False) as held:
        images, labels = held["images"], held["labels"]
    return GlyphSet(
        name="semeion",
        images=images,
        strokes=None,
        labels=_digits(labels),
        writers=("",) * len(labels),
        splits=by_blocks(len(labels), 20, 1, 2, 10),
    )


def load_bhmsds(folder: Path) -> GlyphSet:
    """27,000 digits and symbols, 28x28: 0-9 . - + / and the letters w x y z."""
    with np.load(data_file(folder, "bhmsds_symbols.npz"), allow_pickle=False) as held:
        images, names = held["images"], [str(n) for n in held["labels"]]
    return GlyphSet(
        name="bhmsds",
        images=255 - images,
        strokes=None,
        labels=tuple(_BHMSDS_NAMES.get(n, n) for n in names),
        writers=("",) * len(names),
        splits=by_blocks(len(names), 50, 1, 3, 30),
    )


def load_hasyv2(folder: Path) -> GlyphSet:
    """7,933 digits and symbols, 32x32: $ / - | . * # x £ % + among them."""
    with np.load(data_file(folder, "hasyv2_symbols.npz"), allow_pickle=False) as held:
        images, labels = held["images"], tuple(str(n) for n in held["labels"])
    return GlyphSet(
        name="hasyv2",
        images=255 - images,
        strokes=None,
        labels=labels,
        writers=("",) * len(labels),
        splits=by_blocks(len(labels), 10, 1, 2, 10),
    )


def _full_contrast(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pale pen on grey paper -> ink 255 on 0: each image from its paper to its darkest stroke."""
    flat = images.reshape(len(images), -1)
    darkest, middle = flat.shape[1] * 7 // 1000, flat.shape[1] // 2
    ink = np.empty_like(flat)
    for first in range(0, len(flat), 512):
        some = slice(first, first + 512)
        levels = np.partition(flat[some], (darkest, middle), axis=1).astype(np.float32)
        paper = levels[:, middle : middle + 1]
        depth = np.maximum(paper - levels[:, darkest : darkest + 1], 20.0)
        share = ((paper - flat[some]) / depth - 0.25) / 0.55
        ink[some] = np.clip(share * 255.0, 0, 255).astype(np.uint8)
    return ink.reshape(images.shape)


def _digits(labels: NDArray[np.integer]) -> tuple[str, ...]:
    return tuple(str(int(d)) for d in labels)
