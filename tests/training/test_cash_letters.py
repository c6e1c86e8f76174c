"""Synthetic cash letters: wrong amounts, files that are read back, what is counted."""

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.pipeline.card import RecordRule
from service.x9.letter import CashLetterFile
from training.cash_letters import write_letter, wrong_amount
from training.letter_outcomes import Judged, flagged, judged_again, table, trade_off
from training.record_fit import FALSE_SHARE, Stating, fit_rule, flagged_shares


@pytest.mark.parametrize("error", ["digit", "swap", "lost", "added", "other"])
def test_a_wrong_amount_is_another_one(error: str) -> None:
    rng = np.random.default_rng(1)
    for amount in (7, 1234, 500000, 9999999999, 1111):
        for _ in range(20):
            wrong = wrong_amount(rng, amount, error)
            assert wrong != amount
            assert 0 < wrong < 10**10


def test_letters_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "letter.x937"
    images = [b"II*\0" + bytes(300 + n) for n in range(30)]
    write_letter(path, images, list(range(1, 31)), list(range(100, 130)), [""] * 30)
    letter = CashLetterFile(io.BytesIO(path.read_bytes()))
    items = list(letter.items())
    assert [item.amount_minor for item in items] == list(range(1, 31))
    assert [int(item.sequence) for item in items] == list(range(100, 130))
    assert letter.report.by_code == {}


def _judged(seed: int, error: str, odds: float | None, **other: object) -> Judged:
    plain = Judged(seed, True, error, 5, 5, 5, 0.9, 0.5, 0.5, 0.0, odds, 1, (), (), "unread")
    return replace(plain, **other)  # type: ignore[arg-type]


def test_counting() -> None:
    outcomes = judged_again(
        [
            _judged(1, "", -6.0),
            _judged(2, "", 3.0),
            _judged(3, "digit", 5.0),
            _judged(4, "digit", 0.0),
            _judged(5, "digit", None),
            _judged(6, "", 9.0, read=67906600, numbers=("679066",)),  # the cheque's number
        ],
        RecordRule(1.0, 0.4, 0.0, flagged=2.0),
    )
    assert [one.verdict for one in outcomes] == [
        "agrees", "disagrees", "disagrees", "unread", "unread", "unread",
    ]  # fmt: skip
    assert flagged(outcomes) == (1, 3, 1, 3)
    assert table(outcomes).row_count == 2
    assert trade_off(outcomes, RecordRule()).row_count == 9


def test_the_rule_that_fits_flags_the_share_asked_for() -> None:
    rng = np.random.default_rng(3)
    right = [
        Stating(n, "", float(x), float(rng.uniform(0.1, 0.9)), n % 50 == 0)
        for n, x in enumerate(rng.normal(-6, 3, 3000))
    ]
    wrong = [
        Stating(n, "digit", float(x), float(rng.uniform(0.1, 0.9)), taken=False)
        for n, x in enumerate(rng.normal(6, 3, 3000))
    ]
    rule = fit_rule([*right, *wrong])
    shares = flagged_shares([*right, *wrong], rule)
    assert shares[""] == pytest.approx(FALSE_SHARE, abs=1 / 3000)
    assert shares["digit"] > 0.9
    # Two normals 12 apart with variance 9: the log odds rise with 12 / 9.
    assert rule.slope == pytest.approx(12 / 9, rel=0.1)
    assert rule.sure == pytest.approx(0, abs=0.2)
    assert rule.wrong(rule.evidence(0.0, 0.5)) == pytest.approx(rule.prior, abs=0.01)
    with pytest.raises(ValueError, match="wrong records"):
        fit_rule(right)
    with pytest.raises(ValueError, match="300"):
        fit_rule([*right[:100], *wrong])
