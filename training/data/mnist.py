"""MNIST: IDX files, 28x28, official train and test; the last 5,000 of train are valid."""

import gzip
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from training.data.folder import data_file
from training.data.glyphs import GlyphSet, Split

_VALID = 5000


def load_mnist(folder: Path) -> GlyphSet:
    """All 70,000 digits, writers unknown; folder holds mnist/*.gz."""
    images, labels = [], []
    for part in ("train", "t10k"):
        images.append(_idx(data_file(folder, f"mnist/{part}-images-idx3-ubyte.gz")))
        labels.append(_idx(data_file(folder, f"mnist/{part}-labels-idx1-ubyte.gz")))
    train, test = len(labels[0]), len(labels[1])
    valid = min(_VALID, train // 12)
    splits: list[Split] = []
    splits += ["train"] * (train - valid)
    splits += ["valid"] * valid
    splits += ["test"] * test
    return GlyphSet(
        name="mnist",
        images=np.concatenate(images),
        strokes=None,
        labels=tuple(str(int(d)) for d in np.concatenate(labels)),
        writers=("",) * (train + test),
        splits=tuple(splits),
    )


def _idx(path: Path) -> NDArray[np.uint8]:
    """One gzipped IDX file of unsigned bytes; raises ValueError where it is not one."""
    raw = gzip.decompress(path.read_bytes())
    if len(raw) < 4 or raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path.name} is not an IDX file of bytes")
    rank = raw[3]
    shape = tuple(int(n) for n in np.frombuffer(raw, ">u4", rank, 4))
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * rank).reshape(shape)
