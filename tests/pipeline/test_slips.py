"""The error channel of records."""

import pytest

from service.pipeline.slips import slip


def _brute_force(written: int) -> dict[int, float]:
    """What one slip of a digit makes of an amount, with its probability, by making them all."""
    digits, found = str(written), dict[int, float]()

    def add(text: str, chance: float) -> None:
        number = int(text or "0")
        if number not in (0, written):
            found[number] = found.get(number, 0.0) + chance

    size = len(digits)
    for n in range(size):
        for digit in "0123456789":
            if digit != digits[n] and (n or digit != "0"):
                add(digits[:n] + digit + digits[n + 1 :], 0.2 / (9 * size))
        if n + 1 < size:
            made = digits[:n] + digits[n + 1] + digits[n] + digits[n + 2 :]
            add(made, 0.2 / (size - 1))
        add(digits[:n] + digits[n + 1 :], 0.2 / size)
    for n in range(size + 1):
        for digit in "0123456789":
            if n or digit != "0":
                add(digits[:n] + digit + digits[n:], 0.2 / (10 * (size + 1)))
    return found


@pytest.mark.parametrize("written", [5, 70, 1234, 10025, 1111, 900000])
def test_slips_of_a_digit_are_those_that_can_be_made(written: int) -> None:
    made = _brute_force(written)
    for one, chance in made.items():
        other = 0.2 / (one * 23.02585)
        assert slip(written, one) == pytest.approx(chance + other, rel=1e-4), one


def test_the_amount_of_another_cheque_can_be_any() -> None:
    assert 0 < slip(12345, 98761234) < 1e-9
    assert slip(12345, 12354) > 0.04 > 0.02 > slip(12345, 12346) > 0.004 > slip(12345, 12456)
