"""Rates of readings on hand-counted lists."""

from pathlib import Path

import pytest

from training.scoring import Judged, area_under_risk, load_truth, read_rate, score


def judged(expected: str, said: str, confidence: float, accepted: bool) -> Judged:
    return Judged("x.png", expected, said, confidence, accepted)


def ranked(*right: bool) -> list[Judged]:
    """Readings in falling confidence."""
    return [
        judged("1", "1" if one else "2", 1 - 0.001 * (rank + 1), True)
        for rank, one in enumerate(right)
    ]


def test_rates_at_the_readers_own_decisions() -> None:
    got = score(
        [
            judged("100", "100", 0.9, True),
            judged("200", "200", 0.4, False),
            judged("300", "301", 0.8, True),
            judged("400", "", 0.0, False),
            judged("", "500", 0.7, True),
            judged("", "", 0.0, False),
        ]
    )
    assert (got.n, got.must_reject, got.false_accept) == (4, 2, 1)
    assert (got.correct_all, got.correct, got.error, got.reject) == (0.5, 0.25, 0.25, 0.5)


def test_read_rate_reaches_as_far_as_the_bound_allows() -> None:
    rows = ranked(*[True] * 99, False, *[True] * 97, False, False, False)
    assert read_rate(rows, 0.02) == 1.0
    assert read_rate(rows, 0.01) == 197 / 200
    assert read_rate(rows, 0.001) == 99 / 200
    assert read_rate(ranked(False, True, True), 0.01) == 0


def test_equal_confidences_are_accepted_together() -> None:
    tied = [judged("1", "1", 0.9, True), judged("1", "2", 0.9, True), judged("1", "1", 0.5, True)]
    assert read_rate(tied, 0.4) == 1.0
    assert read_rate(tied, 0.01) == 0.0


def test_confidence_zero_is_never_accepted() -> None:
    assert read_rate([judged("1", "1", 0.0, False)], 0.01) == 0.0


def test_area_under_risk() -> None:
    assert area_under_risk(ranked(True, False)) == pytest.approx((0 + 1 / 2) / 2)
    assert area_under_risk(ranked(False, True)) == pytest.approx((1 + 1 / 2) / 2)


def test_a_set_without_amounts_has_no_scores() -> None:
    with pytest.raises(ValueError, match="amount"):
        score([judged("", "5", 0.9, True)])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("file,digits\na.png,123\n", ({"a.png": "123"}, "digits")),
        ("file,amount_minor,layout\na.png,,x\n", ({"a.png": ""}, "amount_minor")),
    ],
)
def test_truth_columns(tmp_path: Path, text: str, expected: object) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    assert load_truth(path) == expected


@pytest.mark.parametrize("text", ["file,digits\n", "file,amount\na.png,1\n", "name,digits\na,1\n"])
def test_unusable_truth(tmp_path: Path, text: str) -> None:
    path = tmp_path / "truth.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"truth\.csv"):
        load_truth(path)
