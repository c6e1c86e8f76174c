"""Loaders on small files in the repacked forms, and on the real sets where they are."""

import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.data.bitmaps import (
    load_bhmsds,
    load_hasyv2,
    load_kensanata,
    load_optdigits,
    load_semeion,
)
from training.data.folder import VARIABLE, DataMissingError, data_folder
from training.data.glyphs import SPLITS, GlyphSet
from training.data.mnist import load_mnist
from training.data.pendigits import load_pendigits
from training.data.unipen import (
    load_unipen_digits,
    load_unipen_strings,
    load_unipen_symbols,
    load_unipen_text,
)

REAL = [
    (load_mnist, 70_000),
    (load_kensanata, 12_221),
    (load_optdigits, 2_880),
    (load_semeion, 1_593),
    (load_bhmsds, 27_000),
    (load_hasyv2, 7_933),
    (load_pendigits, 10_992),
    (load_unipen_digits, 15_380),
    (load_unipen_symbols, 13_996),
    (load_unipen_strings, 4_472),
    (load_unipen_text, 964),
]


def idx(array: np.ndarray) -> bytes:
    head = b"\x00\x00\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(head + array.tobytes())


def test_mnist_keeps_the_official_test(tmp_path: Path) -> None:
    (tmp_path / "mnist").mkdir()
    for part, count in (("train", 24), ("t10k", 6)):
        images = np.arange(count * 784, dtype=np.uint32).astype(np.uint8).reshape(count, 28, 28)
        labels = (np.arange(count) % 10).astype(np.uint8)
        (tmp_path / f"mnist/{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (tmp_path / f"mnist/{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))
    glyphs = load_mnist(tmp_path)
    assert glyphs.kind == "bitmap"
    assert [glyphs.splits.count(s) for s in SPLITS] == [22, 2, 6]
    test = glyphs.part("test")
    assert test.labels == ("0", "1", "2", "3", "4", "5")
    assert test.images is not None
    assert test.images[1, 0, 0] == 784 % 256


def test_unipen_is_turned_upright_and_split_by_writer(tmp_path: Path) -> None:
    (tmp_path / "unipen").mkdir()
    lines = [
        {"contrib": "apa", "writer": "DavidSinger", "label": "7", "strokes": [[[1, 5], [4, 2]]]},
        {"contrib": "val", "writer": "val01", "label": "$", "strokes": [[[0, 0]], []]},
    ]
    raw = "\n".join(json.dumps(line) for line in lines)
    path = tmp_path / "unipen/1d_isolated_symbols.jsonl.gz"
    path.write_bytes(gzip.compress(raw.encode()))
    glyphs = load_unipen_symbols(tmp_path)
    assert glyphs.kind == "strokes"
    assert glyphs.writers == ("ap/DavidSinger", "val/val01")
    assert glyphs.strokes is not None
    np.testing.assert_array_equal(glyphs.strokes[0][0], [[1, -5], [4, -2]])
    assert len(glyphs.strokes[1]) == 1


def test_a_missing_set_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(DataMissingError, match="kensanata"):
        load_kensanata(tmp_path)
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(DataMissingError, match=VARIABLE):
        data_folder()
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert data_folder() == tmp_path
    with pytest.raises(DataMissingError):
        data_folder(tmp_path / "none")


def test_a_set_is_consistent() -> None:
    images = np.zeros((2, 4, 4), np.uint8)
    with pytest.raises(ValueError, match="number"):
        GlyphSet("x", images, None, ("1",), ("",), ("train",))
    with pytest.raises(ValueError, match="either"):
        GlyphSet("x", images, (), ("1", "2"), ("", ""), ("train", "train"))


@pytest.mark.skipif(not os.environ.get(VARIABLE), reason=f"{VARIABLE} names no training data")
@pytest.mark.parametrize(("load", "count"), REAL)
def test_the_real_sets(load: Callable[[Path], GlyphSet], count: int) -> None:
    glyphs = load(data_folder())
    assert len(glyphs) == count
    by_split = {split: {w for w in glyphs.part(split).writers if w} for split in SPLITS}
    assert not by_split["train"] & (by_split["valid"] | by_split["test"])
    assert not by_split["valid"] & by_split["test"]
    assert all(glyphs.splits.count(split) for split in SPLITS)
    if glyphs.images is not None:
        # Ink is the lesser part of every image.
        assert float(glyphs.images[::97].mean()) < 128
    else:
        assert glyphs.strokes is not None
        assert all(s.ndim == 2 and s.shape[1] == 2 for pen in glyphs.strokes for s in pen)
