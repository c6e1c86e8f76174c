"""Composition of character patches into one layer."""

import numpy as np
import pytest

from training.synth.ink import compose_ink


def patch(high: int, wide: int, value: int) -> np.ndarray:
    return np.full((high, wide), value, np.uint8)


def test_the_darker_character_owns_the_overlap() -> None:
    layer = compose_ink([(patch(4, 4, 100), 10, -3, 1), (patch(4, 4, 200), 12, -3, 2)], "12", 1)
    assert layer.coverage.shape == (6, 8)
    assert layer.owner[1].tolist() == [0, 1, 1, 2, 2, 2, 2, 0]
    assert layer.second is not None
    assert not layer.second.any()
    assert layer.coverage[1].tolist() == [0, 100, 100, 200, 200, 200, 200, 0]


def test_a_character_may_have_several_patches_and_ink_no_owner() -> None:
    patches = [(patch(2, 2, 255), 0, 0, 1), (patch(1, 9, 255), 0, 5, 0), (patch(2, 2, 9), 6, 0, 1)]
    layer = compose_ink(patches, "7")
    assert int((layer.owner == 1).sum()) == 8
    assert int(((layer.coverage > 0) & (layer.owner == 0)).sum()) == 9


def test_ink_of_two_characters_is_of_both() -> None:
    patches = [
        (patch(1, 4, 130), 0, 0, 1),
        (patch(1, 4, 200), 2, 0, 2),
        (patch(1, 9, 255), 5, 0, 0),
    ]
    layer = compose_ink(
        [*patches, (patch(1, 2, 200), 9, 0, 3), (patch(1, 2, 200), 9, 0, 4)], "1234", 0
    )
    assert layer.owner[0].tolist() == [1, 1, 2, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert layer.second is not None
    assert layer.second[0].tolist() == [0, 0, 1, 1, 0, 2, 0, 0, 0, 4, 4, 0, 0, 0]


def test_refuses_nothing_and_too_much() -> None:
    with pytest.raises(ValueError, match="no ink"):
        compose_ink([], "")
    with pytest.raises(ValueError, match="too many"):
        compose_ink([(patch(1, 1, 1), 0, 0, 1)], "1" * 255)
