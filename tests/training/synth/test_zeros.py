"""Zeros in a row: as many as asked for, joined, and those with a stroke through them known."""

from itertools import pairwise

import numpy as np
import pytest

from training.synth.zeros import Chain, chain_points, is_slashed, sample_chain

EVEN = Chain(width=0.8, room=0.1, shrink=1.0, hang=0.0, loose=0.0, flat=1.0, sag=0.0)
SHRINKING = Chain(width=0.8, room=0.1, shrink=0.7, hang=0.0, loose=0.0, flat=1.0, sag=0.0)


def ring() -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 50)
    return np.stack([0.4 * np.cos(angle), 0.5 * np.sin(angle) - 0.5], axis=1).astype(np.float32)


def test_zeros_are_joined_and_do_not_share_memory() -> None:
    for seed in range(40):
        rng = np.random.default_rng(seed)
        zeros = chain_points(rng, sample_chain(rng), 4)
        assert [of for _, of in zeros] == [(0,), (0, 1), (1,), (1, 2), (2,), (2, 3), (3,)]
        for (one, _), (two, _) in pairwise(zeros):
            np.testing.assert_array_equal(one[-1], two[0])
            assert not np.shares_memory(one, two)
        for one, two in pairwise(points for points, of in zeros if len(of) == 1):
            assert two[:, 0].mean() > one[:, 0].mean()


def heights(chain: Chain, count: int) -> list[float]:
    strokes = chain_points(np.random.default_rng(0), chain, count)
    return [float(np.ptp(points[:, 1])) for points, of in strokes if len(of) == 1]


def test_zeros_are_as_high_as_a_digit_or_shrink() -> None:
    assert heights(EVEN, 3) == pytest.approx([1, 1, 1], abs=0.2)
    high = heights(SHRINKING, 4)
    assert high[3] < 0.6 * high[0]
    assert high[3] >= 0.25


def test_a_stroke_through_a_zero_is_seen() -> None:
    plain = ring()
    t = np.linspace(0, 1, 20)
    stroke = np.stack([0.8 * t - 0.4, -1.1 * t + 0.05], axis=1).astype(np.float32)
    assert not is_slashed(plain, (0,))
    assert is_slashed(np.concatenate([plain, stroke]), (0, len(plain)))
    assert is_slashed(stroke, (0,))
    beside = stroke * np.float32(0.3) + np.float32(0.6)
    assert not is_slashed(np.concatenate([plain, beside]), (0, len(plain)))
