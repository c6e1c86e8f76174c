"""Adjusted copies: new amounts, totals that follow, every other byte as it was."""

import io

import pytest

from service.errors import InputError
from service.x9.adjust import adjust, adjusted
from service.x9.letter import CashLetterFile
from tests.x9.made import Made, made, padded

ITEMS = [Made(1000 + n, padded(600)) for n in range(7)]


def _adjusted(data: bytes, amounts: dict[int, int]) -> bytes:
    out = io.BytesIO()
    adjust(io.BytesIO(data), out, amounts)
    assert b"".join(adjusted(io.BytesIO(data), amounts)) == out.getvalue()
    return out.getvalue()


def test_nothing_changed_is_the_same_file() -> None:
    data = made(ITEMS, bundle=3)
    assert _adjusted(data, {}) == data


def test_amounts_and_totals_follow() -> None:
    data = made(ITEMS, bundle=3)
    copy = _adjusted(data, {1: 777, 6: 5})
    letter = CashLetterFile(io.BytesIO(copy))
    amounts = [item.amount_minor for item in letter.items()]
    assert amounts == [1000, 777, 1002, 1003, 1004, 1005, 5]
    assert letter.report.by_code == {}
    expected = made([Made(amount or 0, padded(600)) for amount in amounts], bundle=3)
    assert copy == expected


def test_wrong_totals_are_put_right() -> None:
    data = made(ITEMS)
    right = b"000000007021".translate(_EBCDIC)
    assert data.count(right) == 4  # 70 twice, 90, 99
    wrong = data.replace(right, b"000000000001".translate(_EBCDIC), 1)
    copy = _adjusted(wrong, {})
    assert copy == data


def test_what_cannot_be_done_is_refused() -> None:
    data = made(ITEMS)
    with pytest.raises(InputError) as refused:
        adjust(io.BytesIO(data), None, {7: 5})
    assert refused.value.code == "unknown_item"
    with pytest.raises(InputError) as refused:
        adjust(io.BytesIO(data), None, {0: 10**10})
    assert refused.value.code == "amount_too_large"


_EBCDIC = bytes(range(256)).decode("latin-1").encode("cp037")
