"""The check of synthetic fields finds what is untrue, and nothing in those that are made."""

from dataclasses import replace

import numpy as np

from training.data.fonts import Font
from training.synth.check import check, violations
from training.synth.field import FieldMaker, SyntheticField
from training.synth.printed import Printer


def field() -> SyntheticField:
    image = np.full((20, 40), 200, np.uint8)
    owner = np.zeros((20, 40), np.uint8)
    for index, x in enumerate((4, 14, 24)):
        image[4:16, x : x + 4] = 60
        owner[4:16, x : x + 4] = index + 1
    return SyntheticField(image, owner, "12-", 1200, None, True)


def test_a_true_field_has_no_violation() -> None:
    assert violations(field()) == []


def test_each_untruth_has_its_name() -> None:
    true = field()
    assert violations(replace(true, owner=true.owner[1:])) == ["shape"]
    assert violations(replace(true, text="12")) == ["owner"]
    assert violations(replace(true, text="12-=")) == ["hidden"]
    assert violations(replace(true, amount_minor=2100)) == ["amount"]
    assert violations(replace(true, amount_minor=1250)) == ["amount"]
    bleached = true.image.copy()
    bleached[:, 14:20] = 200
    assert violations(replace(true, image=bleached)) == ["pale"]


def test_a_check_counts_and_times(font: Font) -> None:
    maker = FieldMaker(hand=Printer([font]), printer=Printer([font]))
    found = check(maker.make(seed) for seed in range(60))
    assert found.fields == 60
    assert found.fields_a_second > 0
    assert found.violations == {}
    wrong = check([replace(field(), text="12")])
    assert wrong.violations == {"owner": 1}
