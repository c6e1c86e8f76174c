"""Variants of images: the same strings, drawn anew."""

from pathlib import Path

import cv2
import numpy as np

from service.pipeline.image import load_cheque
from service.pipeline.reader import ChequeReader
from training.encode import png
from training.variants import CROPPED, PAGE, Variation, varied

ROOT = Path(__file__).parents[2]
STILL = Variation(0, 0, 0, 0, 0, 0, 0, 0)


def picture() -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    grey = np.full((60, 200), 230, np.uint8)
    cv2.putText(grey, "1234", (20, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 20, 3)
    return grey


def test_without_ranges_nothing_changes() -> None:
    grey = picture()
    assert np.array_equal(varied(np.random.default_rng(0), grey, STILL), grey)


def test_one_seed_gives_one_variant_and_others_differ() -> None:
    first, again, other = (
        varied(np.random.default_rng(seed), picture(), CROPPED) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert first.shape != other.shape or not np.array_equal(first, other)


def test_the_ink_stays_in_the_picture() -> None:
    for seed in range(20):
        grey = varied(np.random.default_rng(seed), picture(), CROPPED)
        assert 0.5 < (grey < 128).mean() / (picture() < 128).mean() < 2.0


def test_a_variant_of_a_page_reads_as_the_page_does() -> None:
    file = ROOT / "samples" / sorted(p.name for p in (ROOT / "samples").glob("*.png"))[0]
    reader = ChequeReader(ROOT / "models" / "amounts" / "1")
    data = file.read_bytes()
    page = load_cheque(data, field_only=False).grey
    variant = png(varied(np.random.default_rng(3), page, PAGE))
    assert reader.read(variant).amount_minor == reader.read(data).amount_minor
