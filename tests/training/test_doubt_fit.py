"""Doubts fitted to outcomes whose truth is known."""

import numpy as np
import pytest

from service.pipeline.card import SIGNS
from training.calibrate import Outcome
from training.doubt_fit import fit_doubts


def _outcomes(count: int) -> list[Outcome]:
    """Right with the posterior's probability, but for a fifth of those with text before them."""
    rng = np.random.default_rng(5)
    made = []
    for seed in range(count):
        posterior = float(1 / (1 + np.exp(-rng.normal(4, 2))))
        signs = [0.0] * len(SIGNS)
        signs[0] = float(rng.random() < 0.3)
        right = rng.random() < posterior * (0.2 if signs[0] else 0.99)
        made.append(
            Outcome("cheque", seed, True, 500, 500 if right else 501, posterior, True, tuple(signs))
        )
    return made


def test_a_sign_that_goes_with_errors_is_doubted() -> None:
    doubts = fit_doubts(_outcomes(4000))
    clean, signed = (0.0,) * len(SIGNS), (1.0,) + (0.0,) * (len(SIGNS) - 1)
    for posterior in (0.9, 0.99):
        assert doubts.believed(posterior, clean) == pytest.approx(0.99 * posterior, abs=0.03)
        assert doubts.believed(posterior, signed) == pytest.approx(0.2 * posterior, abs=0.06)
    assert doubts.weights[0] > 2


def test_signs_that_never_come_weigh_nothing() -> None:
    assert fit_doubts(_outcomes(2000)).weights[1:] == pytest.approx([0.0] * (len(SIGNS) - 1))


def test_too_few_outcomes_are_refused() -> None:
    with pytest.raises(ValueError, match="doubts need 300 cheques"):
        fit_doubts(_outcomes(200))
