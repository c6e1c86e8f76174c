"""Confidence and the decision that follows from it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.card import KNEE, Calibration, Tally
from service.pipeline.decision import (
    Acceptance,
    binomial_tail,
    calibrated,
    decide,
    error_bound,
    fit_calibration,
    hangs_on_confidence,
    largest_acceptance,
    posterior,
    sample_needed,
    tally,
    uncalibrated,
)

PLAIN = Calibration(1.0, 0.0)


def counted(*steps: tuple[float, int, int], candidates: int | None = None) -> Calibration:
    """The plain calibration with these thresholds, accepted and wrong."""
    logits, accepted, wrong = zip(*steps, strict=True)
    return Calibration(1.0, 0.0, Tally(candidates or accepted[-1], logits, accepted, wrong))


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_posterior_is_the_share_of_the_amount_in_everything() -> None:
    amount, other = 2.0, 3.5
    everything = -math.log(math.exp(-amount) + math.exp(-other))
    expected = math.exp(-amount) / (math.exp(-amount) + math.exp(-other))
    assert posterior(amount, everything) == pytest.approx(expected)
    assert posterior(everything, everything + 1e-9) == pytest.approx(1.0)
    assert posterior(math.inf, 1.0) == 0.0


def test_the_plain_calibration_changes_nothing() -> None:
    for p in (0.001, 0.2, 0.5, 0.99):
        assert calibrated(p, PLAIN) == pytest.approx(p)


def test_calibration_keeps_order_and_stays_a_probability() -> None:
    values = [calibrated(p, Calibration(0.4, -1.0)) for p in (0.0, 0.1, 0.5, 0.9, 1.0)]
    assert values == sorted(values)
    assert 0 < values[0] < values[-1] < 1


def test_the_posterior_is_found_again_from_the_confidence() -> None:
    calibration = Calibration(1.3, -0.7)
    for p in (0.001, 0.5, 0.999, 1 - 1e-8):
        assert uncalibrated(calibrated(p, calibration), calibration) == pytest.approx(p)


CERTAIN = counted((5.0, 400, 0), (2.0, 600, 90))


@pytest.mark.parametrize(
    ("amount", "confidence", "negative", "blank", "expected"),
    [
        (1000, 0.995, False, False, ("accept", None)),
        (1000, sigmoid(5.0), False, False, ("accept", None)),
        (1000, 1.0, False, False, ("accept", None)),
        (1000, 0.985, False, False, ("reject", "low_confidence")),
        (0, 0.999, False, False, ("reject", "zero_amount")),
        (-1000, 0.999, True, False, ("reject", "negative_amount")),
        (-1000, 0.999, False, False, ("reject", "negative_amount")),
        (1000, 0.999, True, False, ("reject", "negative_amount")),
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
    assert decide(amount, confidence, 0.01, CERTAIN, negative=negative, blank=blank) == expected
    hangs = expected[1] in (None, "low_confidence")
    assert hangs_on_confidence(expected[1]) is hangs


def test_a_page_that_is_no_cheque_is_rejected_however_sure_its_amount_is() -> None:
    decision = decide(1000, 1.0, 0.01, CERTAIN, negative=False, blank=False, other_paper=True)
    assert decision == ("reject", "no_cheque")
    assert not hangs_on_confidence("no_cheque")


def test_nothing_is_accepted_without_evidence_for_it() -> None:
    def decided(max_error: float, calibration: Calibration) -> tuple[str, str | None]:
        return decide(1000, 1.0, max_error, calibration, negative=False, blank=False)

    assert decided(0.5, PLAIN) == ("reject", "not_calibrated")
    assert decided(0.005, CERTAIN) == ("reject", "error_bound_unsupported")
    assert hangs_on_confidence("not_calibrated")
    assert hangs_on_confidence("error_bound_unsupported")


def test_the_sample_a_bound_needs() -> None:
    assert sample_needed(0.01) == 299
    assert sample_needed(0.05) == 59
    assert sample_needed(0.001) == 2995
    for bound in (0.003, 0.01, 0.2):
        needed = sample_needed(bound)
        assert (1 - bound) ** needed <= 0.05 < (1 - bound) ** (needed - 1)
        assert largest_acceptance(counted((1.0, needed, 0)), bound) is not None
        assert largest_acceptance(counted((1.0, needed - 1, 0)), bound) is None


def test_the_binomial_tail_is_exact() -> None:
    for wrong, count, error in ((0, 1, 0.3), (3, 20, 0.1), (7, 200, 0.02), (40, 100, 0.5)):
        e = Fraction(error)
        exact = sum(math.comb(count, k) * e**k * (1 - e) ** (count - k) for k in range(wrong + 1))
        assert binomial_tail(wrong, count, error) == pytest.approx(float(exact), rel=1e-10)
    assert binomial_tail(5, 5, 0.1) == 1.0
    assert binomial_tail(10, 100_000, 0.5) == 0.0


@pytest.mark.parametrize(
    ("wrong", "accepted", "bound"),
    [(0, 299, 0.009969), (0, 10, 0.258866), (1, 10, 0.394163), (5, 100, 0.102253), (10, 10, 1.0)],
)
def test_the_bound_of_clopper_and_pearson(wrong: int, accepted: int, bound: float) -> None:
    assert error_bound(wrong, accepted) == pytest.approx(bound, abs=1e-6)


def test_the_search_ends_at_the_first_threshold_that_fails() -> None:
    steps = [(6.0, 500, 0), (5.0, 800, 2), (4.0, 900, 5), (3.0, 2000, 5)]
    assert binomial_tail(5, 900, 0.01) > 0.05 > binomial_tail(5, 2000, 0.01)
    found = largest_acceptance(counted(*steps), 0.01)
    assert found == Acceptance(sigmoid(5.0), 800, 2)


def test_thresholds_with_too_few_are_skipped_only_without_an_error() -> None:
    clean = counted((6.0, 150, 0), (5.0, 400, 0), candidates=400)
    assert largest_acceptance(clean, 0.01) == Acceptance(sigmoid(5.0), 400, 0)
    assert largest_acceptance(clean, 0.02) == Acceptance(sigmoid(5.0), 400, 0)
    spoiled = counted((6.0, 140, 1), (5.0, 600, 1), candidates=600)
    assert largest_acceptance(spoiled, 0.01) == Acceptance(sigmoid(5.0), 600, 1)  # 140 < 600 / 3
    spoiled = counted((6.0, 210, 1), (5.0, 600, 1), candidates=600)
    assert largest_acceptance(spoiled, 0.01) is None


def test_a_large_sample_forgives_early_errors_that_the_many_make_up_for() -> None:
    steps = [(8.0, 366, 3), (7.0, 700, 3), (6.0, 1250, 5), (5.0, 2000, 12), (4.0, 2500, 25)]
    found = largest_acceptance(counted(*steps, candidates=10_000), 0.01)
    assert found == Acceptance(sigmoid(5.0), 2000, 12)
    assert largest_acceptance(counted(*steps, candidates=8_000), 0.01) == found
    assert largest_acceptance(counted(*steps, candidates=12_000), 0.01) is None  # 25 of 2,500
    assert largest_acceptance(counted(*steps[:2], candidates=700), 0.01) is None


def drawn(
    rng: np.random.Generator, count: int, lift: float
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Logits, many of them tied at the top, and outcomes that are less sure than they say."""
    logits = np.minimum(rng.normal(4, 2, count), 6.5)
    return logits, rng.random(count) < 1 / (1 + np.exp(-logits + lift))


def test_a_caller_that_bears_more_is_never_given_less() -> None:
    rng = np.random.default_rng(3)
    bounds = np.geomspace(0.001, 0.3, 40).tolist()
    for _ in range(60):
        logits, right = drawn(rng, int(rng.integers(50, 3000)), 0.0)
        held = Calibration(1.0, 0.0, tally(logits, right))
        found = [largest_acceptance(held, bound) for bound in bounds]
        counts = [0 if one is None else one.accepted for one in found]
        assert counts == sorted(counts)


@pytest.mark.parametrize(("count", "bound"), [(400, 0.02), (1500, 0.01), (1500, 0.05)])
def test_the_guarantee_holds_over_samples(count: int, bound: float) -> None:
    rng = np.random.default_rng(7)
    everyone, right = drawn(rng, 400_000, 1.0)
    order = np.argsort(-everyone)
    ranked = everyone[order]
    true_error = np.cumsum(~right[order]) / np.arange(1, len(order) + 1)
    trials = 600
    broken = accepted = 0
    for _ in range(trials):
        held = Calibration(1.0, 0.0, tally(*drawn(rng, count, 1.0)))
        found = largest_acceptance(held, bound)
        if found is not None:
            threshold = math.log(found.confidence / (1 - found.confidence))
            reached = int(np.searchsorted(-ranked, -threshold + 1e-9, side="right"))
            accepted += 1
            broken += true_error[reached - 1] > bound
    # Three standard deviations above 5 %.
    assert broken / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)
    assert accepted > 0


def test_a_tally_counts_what_reaches_each_threshold() -> None:
    logits = np.array([40.0, 29.9, 5.03, 5.0, 4.97, -50.0])
    right = np.array([True, False, True, True, False, True])
    got = tally(logits, right)
    assert got == Tally(6, (12.0, 5.0, 4.9), (2, 4, 5), (1, 1, 2))


@pytest.mark.parametrize(
    ("logits", "accepted", "wrong"),
    [
        ((2.0, 3.0), (1, 2), (0, 0)),
        ((3.0, 2.0), (2, 2), (0, 0)),
        ((3.0, 2.0), (1, 2), (1, 0)),
        ((3.0,), (2,), (3,)),
        ((3.0,), (9,), (0,)),
        ((3.0,), (1, 2), (0, 0)),
    ],
)
def test_impossible_tallies_are_refused(
    logits: tuple[float, ...], accepted: tuple[int, ...], wrong: tuple[int, ...]
) -> None:
    with pytest.raises(ValueError, match="tally"):
        Tally(5, logits, accepted, wrong)


def test_a_fitted_calibration_says_how_often_readings_are_right() -> None:
    rng = np.random.default_rng(0)
    posteriors = rng.uniform(0.02, 0.9999, 20_000)
    # Overconfident: the true odds are the square root of those stated.
    odds = np.sqrt(posteriors / (1 - posteriors))
    right = rng.random(len(odds)) < odds / (1 + odds)
    fitted = fit_calibration(posteriors, right)
    assert fitted.slope == pytest.approx(0.5, abs=0.05)
    assert fitted.shift == pytest.approx(0.0, abs=0.08)
    assert fitted.tally is not None
    assert fitted.tally.candidates == 20_000


def test_a_sample_without_an_error_gives_no_certainty() -> None:
    fitted = fit_calibration(np.full(40, 0.999), np.ones(40, bool))
    assert calibrated(0.999, fitted) < 0.99
    with pytest.raises(ValueError, match="needs readings"):
        fit_calibration(np.zeros(0), np.zeros(0, bool))


def test_a_sample_without_an_error_keeps_the_order_of_the_posteriors() -> None:
    posteriors = 1 / (1 + np.exp(-np.linspace(2, 9, 400)))
    fitted = fit_calibration(posteriors, np.ones(400, bool))
    assert fitted.slope == pytest.approx(1.0, abs=0.1)
    confidences = [calibrated(p, fitted) for p in posteriors.tolist()]
    assert sum(1 - c for c in confidences) == pytest.approx(1.0, abs=0.1)


def test_confidence_that_misleads_is_not_calibrated() -> None:
    posteriors = np.linspace(0.05, 0.95, 200)
    with pytest.raises(ValueError, match="rarer"):
        fit_calibration(posteriors, posteriors < 0.5)


def test_a_calibration_may_bend_and_leads_back() -> None:
    bent = Calibration(0.6, 0.3, None, 0.9)
    confidences = [calibrated(p, bent) for p in np.linspace(0.001, 0.9999, 60).tolist()]
    assert confidences == sorted(confidences)
    for share in (0.01, 0.4, 0.87, 0.9, 0.97, 0.9999):
        assert uncalibrated(calibrated(share, bent), bent) == pytest.approx(share)
    with pytest.raises(ValueError, match="above its knee"):
        Calibration(0.6, 0.3, None, -0.7)


def test_a_bend_is_found_where_sure_readings_are_righter_than_they_say() -> None:
    rng = np.random.default_rng(3)
    logits = rng.normal(3, 3, 20_000)
    true = 0.5 * logits + 1.2 * np.maximum(logits - KNEE, 0)
    right = rng.random(len(logits)) < 1 / (1 + np.exp(-true))
    fitted = fit_calibration(1 / (1 + np.exp(-logits)), right)
    assert fitted.slope == pytest.approx(0.5, abs=0.05)
    assert fitted.bend == pytest.approx(1.2, abs=0.25)
    few = fit_calibration(1 / (1 + np.exp(-logits[:60])), right[:60])
    assert abs(few.bend) < 0.7
