"""Confidence and the decision that follows from it."""

import math

import numpy as np
import pytest

from service.pipeline.card import Calibration
from service.pipeline.decision import calibrated, decide, fit_calibration, posterior


def test_posterior_is_the_share_of_the_amount_in_everything() -> None:
    amount, other = 2.0, 3.5
    everything = -math.log(math.exp(-amount) + math.exp(-other))
    expected = math.exp(-amount) / (math.exp(-amount) + math.exp(-other))
    assert posterior(amount, everything) == pytest.approx(expected)
    assert posterior(everything, everything + 1e-9) == pytest.approx(1.0)
    assert posterior(math.inf, 1.0) == 0.0


def test_the_plain_calibration_changes_nothing() -> None:
    for p in (0.001, 0.2, 0.5, 0.99):
        assert calibrated(p, Calibration(1.0, 0.0)) == pytest.approx(p)


def test_calibration_keeps_order_and_stays_a_probability() -> None:
    values = [calibrated(p, Calibration(0.4, -1.0)) for p in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert values == sorted(values)
    assert 0 < values[0] < values[-1] < 1


@pytest.mark.parametrize(
    ("amount", "confidence", "negative", "blank", "expected"),
    [
        (1000, 0.995, False, False, ("accept", None)),
        (1000, 0.985, False, False, ("reject", "low_confidence")),
        (0, 0.999, False, False, ("reject", "zero_amount")),
        (-1000, 0.999, True, False, ("reject", "negative_amount")),
        (None, 0.0, False, False, ("reject", "no_amount_found")),
        (None, 0.0, False, True, ("reject", "unreadable_image")),
    ],
)
def test_decisions(
    amount: int | None,
    confidence: float,
    negative: bool,
    blank: bool,
    expected: tuple[str, str | None],
) -> None:
    assert decide(amount, confidence, 0.01, negative=negative, blank=blank) == expected


def test_a_fitted_calibration_says_how_often_readings_are_right() -> None:
    rng = np.random.default_rng(0)
    posteriors = rng.uniform(0.02, 0.9999, 20_000)
    # Overconfident: the true odds are the square root of those stated.
    odds = np.sqrt(posteriors / (1 - posteriors))
    right = rng.random(len(odds)) < odds / (1 + odds)
    fitted = fit_calibration(posteriors, right)
    assert fitted.slope == pytest.approx(0.5, abs=0.05)
    assert fitted.shift == pytest.approx(0.0, abs=0.08)


def test_a_sample_without_an_error_gives_no_certainty() -> None:
    fitted = fit_calibration(np.full(40, 0.999), np.ones(40, bool))
    assert calibrated(0.999, fitted) < 0.99
    with pytest.raises(ValueError, match="needs readings"):
        fit_calibration(np.zeros(0), np.zeros(0, bool))
