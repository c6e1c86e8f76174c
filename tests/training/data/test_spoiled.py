"""Spoiled samples are left out of training, never of a test."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from training.data.folder import VARIABLE
from training.data.glyphs import GlyphSet
from training.data.spoiled import _LIST, sound
from training.data.unipen import load_unipen_digits, load_unipen_symbols

DATA = os.environ.get(VARIABLE, "")


def test_listed_rows_are_left_out() -> None:
    rows = 20_000
    held = GlyphSet(
        "unipen_digits", np.zeros((rows, 1, 1), np.uint8), None, ("1",) * rows, ("",) * rows,
        ("train",) * rows,
    )  # fmt: skip
    kept = sound(held)
    assert 0 < rows - len(kept) < 200
    other = GlyphSet("other", held.images, None, held.labels, held.writers, held.splits)
    assert len(sound(other)) == rows


@pytest.mark.skipif(not DATA, reason=f"{VARIABLE} names no training data")
@pytest.mark.parametrize("load", [load_unipen_digits, load_unipen_symbols])
def test_no_test_sample_is_listed(load) -> None:  # type: ignore[no-untyped-def]
    held = load(Path(DATA))
    listed = json.loads(_LIST.read_text())[held.name]
    assert {held.splits[row] for row in listed} <= {"train", "valid"}
