from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from training.synth.capture import Settings, binarize, capture, sample_settings

_PLAIN = Settings(
    scale=1.0,
    angle=0.0,
    shear=0.0,
    blur=0.0,
    sharpen=0.0,
    noise=0.0,
    noise_blur=0.0,
    low=0.0,
    high=255.0,
    gamma=1.0,
    slope=(0.0, 0.0),
    jpeg=0,
    binarizer="",
)


def _bars() -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    owner = np.zeros((60, 160), np.uint8)
    owner[12:48, 20:32] = 1
    owner[12:48, 90:98] = 2
    image = np.where(owner > 0, 40, 215).astype(np.uint8)
    return image, owner


def test_without_any_effect_nothing_changes() -> None:
    image, owner = _bars()
    got, moved = capture(np.random.default_rng(0), image, owner, _PLAIN)
    assert np.array_equal(got, image)
    assert np.array_equal(moved, owner)


@pytest.mark.parametrize("scale", [0.62, 0.8, 1.0, 1.5])
@pytest.mark.parametrize("angle", [0.0, 3.0, -5.0])
def test_the_owner_map_moves_with_the_ink(scale: float, angle: float) -> None:
    image, owner = _bars()
    how = replace(_PLAIN, scale=scale, angle=angle, shear=0.03)
    got, moved = capture(np.random.default_rng(0), image, owner, how)
    assert got.shape == moved.shape
    assert set(np.unique(moved)) == {0, 1, 2}
    ink = got < 128
    agree = (ink & (moved > 0)).sum() / (ink | (moved > 0)).sum()
    assert agree > 0.85


def test_random_captures_keep_ink_darker_than_paper() -> None:
    image, owner = _bars()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        got, moved = capture(rng, image, owner)
        assert got.dtype == np.uint8
        assert got[moved > 0].mean() + 40 < got[moved == 0].mean()


@pytest.mark.parametrize(
    "name", ["otsu", "fixed", "adaptive", "sauvola", "diffusion", "dynamic", "wolf"]
)
def test_every_binarizer_gives_two_levels_and_keeps_the_ink(name: str) -> None:
    image, owner = _bars()
    bits = binarize(image, name)
    assert set(np.unique(bits)) == {0, 255}
    assert (bits[owner > 0] == 0).mean() > 0.7
    assert (bits[owner == 0] == 255).mean() > 0.8


def test_an_unknown_binarizer_and_unequal_shapes_are_refused() -> None:
    image, owner = _bars()
    with pytest.raises(ValueError, match="binarizer"):
        binarize(image, "magic")
    with pytest.raises(ValueError, match="shape"):
        capture(np.random.default_rng(0), image, owner[:-1], _PLAIN)


def test_the_share_of_bitonal_captures_is_the_one_asked_for() -> None:
    rng = np.random.default_rng(0)
    assert not any(sample_settings(rng, 0.0).binarizer for _ in range(50))
    assert all(sample_settings(rng, 1.0).binarizer for _ in range(50))
