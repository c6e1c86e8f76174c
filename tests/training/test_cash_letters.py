"""Synthetic cash letters: wrong amounts, files that are read back, what is counted."""

import io
from pathlib import Path

import numpy as np
import pytest

from service.x9.letter import CashLetterFile
from training.cash_letters import (
    Judged,
    flagged,
    judged_again,
    table,
    trade_off,
    write_letter,
    wrong_amount,
)


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
    write_letter(path, images, list(range(1, 31)), list(range(100, 130)))
    letter = CashLetterFile(io.BytesIO(path.read_bytes()))
    items = list(letter.items())
    assert [item.amount_minor for item in items] == list(range(1, 31))
    assert [int(item.sequence) for item in items] == list(range(100, 130))
    assert letter.report.by_code == {}


def test_counting() -> None:
    right = Judged(1, True, "", 5, 5, 5, 0.9, 0.9, 0.0, (), "unread")
    alarm = Judged(2, True, "", 5, 5, 7, 0.9, 1e-9, 20.0, (), "unread")
    caught = Judged(3, False, "digit", 5, 9, 5, 0.9, 1e-9, 20.0, (), "unread")
    missed = Judged(4, False, "digit", 5, 9, 5, 0.3, 1e-9, 20.0, (), "unread")
    outcomes = judged_again([right, alarm, caught, missed])
    assert [one.verdict for one in outcomes] == ["agrees", "disagrees", "disagrees", "unread"]
    assert flagged(outcomes) == (1, 2, 1, 2)
    assert table(outcomes).row_count == 2
    assert trade_off(outcomes).row_count == 7
