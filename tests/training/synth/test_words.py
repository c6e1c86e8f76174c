import numpy as np
import pytest

from training.synth.words import legal_amount, number_in_words


@pytest.mark.parametrize(
    ("number", "language", "words"),
    [
        (0, "en", "zero"),
        (21, "en", "twenty-one"),
        (1234, "en", "one thousand two hundred thirty-four"),
        (1234, "en-GB", "one thousand two hundred and thirty-four"),
        (12_000_000, "en-IN", "one crore twenty lakh"),
        (2_345_678, "en-IN", "twenty three lakh forty five thousand six hundred seventy eight"),
        (100, "es", "cien"),
        (101, "es", "ciento uno"),
        (1_002_016, "es", "un millón dos mil dieciséis"),
        (71, "fr", "soixante-onze"),
        (80, "fr", "quatre-vingt"),
        (1999, "fr", "mille neuf cent quatre-vingt-dix-neuf"),
        (1234, "de", "eintausendzweihundertvierunddreißig"),
        (2310, "pt", "dois mil trezentos e dez"),
    ],
)  # fmt: skip
def test_numbers_are_spelled(number: int, language: str, words: str) -> None:
    assert number_in_words(number, language) == words


@pytest.mark.parametrize("language", ["en", "en-GB", "en-IN", "es", "fr", "de", "pt"])
def test_every_number_has_its_own_words(language: str) -> None:
    numbers = [*range(1200), *range(1200, 9_999_999, 60_013)]
    spelled = {number_in_words(number, language) for number in numbers}
    assert len(spelled) == len(numbers)


def test_a_legal_amount_names_units_and_cents() -> None:
    rng = np.random.default_rng(0)
    assert legal_amount(rng, 12, 50, "en-IN") == "twelve rupees and fifty paise only"
    assert legal_amount(rng, 5, 25, "en-GB", "euros").endswith("euros and twenty-five cent only")
    assert legal_amount(rng, 75, 6, "en").startswith("seventy-five and 06/100")
