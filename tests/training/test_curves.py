"""The numbers behind the pictures of confidence."""

from pathlib import Path

import numpy as np
import pytest

from training.curves import (
    Judged,
    reliability,
    reliability_picture,
    risk_coverage,
    risk_coverage_picture,
)


def test_risk_is_counted_where_the_threshold_can_stand() -> None:
    confidences = np.array([0.9, 0.5, 0.9, 0.7, 0.1])
    right = np.array([True, False, False, True, True])
    counts, wrong = risk_coverage(Judged("made up", confidences, right, 5))
    assert counts.tolist() == [2, 3, 4, 5]
    assert wrong.tolist() == [1, 1, 2, 2]


def test_reliability_holds_bins_of_equally_many() -> None:
    confidences = np.repeat(np.arange(12) / 12, 10)
    right = np.tile(np.arange(10) < 7, 12)
    rows = reliability(Judged("made up", confidences, right, 120))
    assert [row[0] for row in rows] == pytest.approx((np.arange(12) / 12).tolist())
    for _, share, low, high in rows:
        assert share == pytest.approx(0.7)
        # Clopper and Pearson, 3 and 7 of 10: binomial tails of 5 %.
        assert (low, high) == pytest.approx((0.39338, 0.91273), abs=1e-5)


@pytest.mark.parametrize("count", [0, 1, 5, 400])
def test_pictures_of_any_number(count: int, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    one = Judged("made up", rng.random(count), rng.random(count) < 0.9, max(count, 1))
    reliability_picture([one, one], "made up", tmp_path / "a" / "reliability.png")
    risk_coverage_picture([one, one], "made up", tmp_path / "risk.png")
    assert (tmp_path / "a" / "reliability.png").stat().st_size > 5000
    assert (tmp_path / "risk.png").stat().st_size > 5000
