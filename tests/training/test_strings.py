"""The shards of segmented images that global training learns from."""

from pathlib import Path

import numpy as np
import pytest

from service.errors import InputError
from training import strings
from training.encode import OWN_LIMITS
from training.strings import SHARD, StringSample, cut_image, unpack

SAMPLE = Path(__file__).parents[2] / "samples" / "us-personal-01.png"


def test_pictures_that_the_service_refuses_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = cut_image(SAMPLE.read_bytes(), [123456], field_only=False, limits=OWN_LIMITS)
    assert known is not None
    asked: list[int] = []

    def make(seed: int) -> StringSample | None:
        asked.append(seed)
        if seed % SHARD == 3:
            return known
        if seed % 2:
            raise InputError("too_small", "a strip is no cheque")
        return None

    monkeypatch.setattr(strings, "_maker", make)
    assert strings._build((tmp_path / "fields-0002.npz", 2)) == 2
    assert asked == list(range(2 * SHARD, 3 * SHARD))
    (found,) = unpack(tmp_path / "fields-0002.npz")
    assert found.amounts.tolist() == [123456]
    np.testing.assert_array_equal(found.graph.crops, known.graph.crops)
