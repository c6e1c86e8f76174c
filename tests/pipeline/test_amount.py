"""From symbols and roles to minor units."""

from __future__ import annotations

import pytest

from service.pipeline.amount import Amount, Role, amount_of

F, M, C, D = Role.FORMAT, Role.MAJOR, Role.CENTS, Role.DENOMINATOR


@pytest.mark.parametrize(
    ("symbols", "roles", "amount"),
    [
        ("$1,234.56", [F, M, F, M, M, M, F, C, C], Amount(123456, "123456", "$1,234.56")),
        ("1234", [M] * 4, Amount(123400, "1234", "1234")),
        ("12 56/100", [M, M, F, C, C, F, D, D, D], Amount(1256, "1256", "12 56/100")),
        ("7N0/100", [M, F, D, F, D, D, D], Amount(700, "7", "7N0/100")),
        (".05", [F, C, C], Amount(5, "05", ".05")),
        ("007.00", [M, M, M, F, C, C], Amount(700, "00700", "007.00")),
        ("99999999999999999.99", [M] * 17 + [F, C, C],
         Amount(9999999999999999999, "9" * 19, "9" * 17 + ".99")),
    ],
)  # fmt: skip
def test_only_major_and_cents_digits_count(symbols: str, roles: list[Role], amount: Amount) -> None:
    assert amount_of(symbols, roles) == amount


def test_stray_ink_leaves_no_trace_and_a_minus_turns_the_sign() -> None:
    assert amount_of(["-", "", "4", "5"], [F, F, M, M], negative=True) == Amount(-4500, "45", "-45")


def test_one_digit_of_cents_is_refused_and_roles_must_match() -> None:
    with pytest.raises(ValueError, match="two digits"):
        amount_of("1.5", [M, F, C])
    with pytest.raises(ValueError, match="zip"):
        amount_of("15", [M])
