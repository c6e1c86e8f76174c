"""What counts as the amount's field, and that the locator's weights learn from it."""

import cv2
import numpy as np
import pytest

from service.pipeline.field import FieldCandidate, Zone
from service.pipeline.field_features import FEATURES
from service.pipeline.image import ChequeImage
from service.pipeline.ink import InkImage
from training.field_fit import Choice, as_table, choice_of, fit, present_weights
from training.field_fit import Seen as SeenPage
from training.fields import Found, Sought, ink_shares, is_field, place, rank_of, table

TEXT = "1 250"
DIGITS = ((400, 100, 410, 130), (430, 100, 450, 130), (460, 100, 480, 130), (490, 100, 510, 130))


def owner() -> np.ndarray:
    page = np.zeros((300, 700), np.uint8)
    for index, (x0, y0, x1, y1) in enumerate(DIGITS):
        page[y0:y1, x0:x1] = index + 1
    return page


def image() -> ChequeImage:
    grey = np.where(owner() > 0, 40, 220).astype(np.uint8)
    return ChequeImage(grey, 200.0, np.eye(3), 1, (700, 300))


def sought() -> Sought:
    found = place(image(), owner(), TEXT)
    assert found is not None
    return found


def zone(x0: int, y0: int, x1: int, y1: int) -> Zone:
    return Zone("amount", (x0, y0, x1, y1))


def test_the_truth_is_placed_upright_whichever_way_the_page_lies() -> None:
    assert sought().box == (400, 100, 510, 130)
    assert sought().height == 30
    upside_down = place(image().turned(), owner(), TEXT)
    assert upside_down is not None
    assert upside_down.box == (400, 100, 510, 130)
    assert place(image(), np.zeros_like(owner()), TEXT) is None


@pytest.mark.parametrize(
    ("zones", "expected"),
    [
        ((zone(396, 96, 514, 134),), True),
        ((zone(330, 90, 514, 134),), True),
        ((zone(396, 96, 455, 134), Zone("cents", (456, 96, 514, 134))), True),
        ((zone(425, 96, 514, 134),), False),
        ((zone(396, 96, 508, 134),), True),
        ((zone(396, 96, 498, 134),), False),
        ((zone(200, 96, 514, 134),), False),
        ((zone(396, 96, 600, 134),), False),
        ((zone(396, 40, 514, 134),), False),
    ],
)
def test_a_field_holds_every_digit_and_little_else(zones: tuple[Zone, ...], expected: bool) -> None:
    assert is_field(zones, sought(), TEXT) is expected


def test_the_rank_counts_from_the_cheapest() -> None:
    none = np.zeros(len(FEATURES), np.float32)
    places = (zone(0, 0, 90, 30), zone(396, 96, 514, 134))
    candidates = [FieldCandidate((one,), 0.0, none) for one in places]
    assert rank_of(candidates, sought(), TEXT) == 1
    assert rank_of(candidates[:1], sought(), TEXT) is None


def test_ink_is_judged_by_the_characters_it_belongs_to() -> None:
    mask = owner() > 0
    mask[:, 400:410] = False
    mask[105:125, 417:423] = True
    kept, foreign = ink_shares(
        InkImage(mask.view(np.uint8), mask, np.zeros((0, 5), np.int32), mask.view(np.uint8)),
        sought(),
    )
    assert kept == pytest.approx(1800 / 2100)
    assert foreign == pytest.approx(120 / 1920)


def test_shares_are_told_by_group() -> None:
    found = [
        Found(0, "cut", "uk", machine=False, rank=0, kept=0.9, foreign=0.1, outcome="right"),
        Found(1, "bed", "uk", machine=True, rank=2, kept=0.7, foreign=0.1, outcome="misread"),
        Found(2, "bed", "us", machine=True, rank=None, kept=0.5, foreign=0.1, outcome="no field"),
        Found(3, "bed", "us", machine=True, rank=1, kept=0.5, foreign=0.1, outcome="right"),
    ]
    rows = {row[0]: row[1:] for row in table(found)}
    assert rows["all"][:5] == ("4", "25.0", "50.0", "75.0", "75.0")
    assert rows["all"][7:] == ("50.0", "25.0", "0.0", "25.0")
    assert set(rows) == {"all", "hand", "print", "cut", "bed", "uk", "us"}


def test_the_fit_prefers_what_the_true_runs_have() -> None:
    rng = np.random.default_rng(0)
    sign = FEATURES.index("sign_first")
    choices = []
    for _ in range(60):
        features = np.zeros((8, len(FEATURES)), np.float32)
        features[:, FEATURES.index("one")] = 1
        features[:, sign] = rng.uniform(0, 0.3, 8)
        true = np.arange(8) == rng.integers(8)
        features[true, sign] = 0.9
        choices.append(Choice(features, true))
    weights = fit(choices)
    assert weights[sign] > present_weights()[sign]
    right = [one.true[(one.features @ weights).argmax()] for one in choices]
    assert all(right)
    with pytest.raises(ValueError, match="no page"):
        fit([Choice(one.features, np.zeros(8, bool)) for one in choices])


def test_runs_of_a_page_are_labelled_and_weights_printed() -> None:
    page = np.full((300, 700), 220, np.uint8)
    cv2.putText(page, "Somebody", (40, 130), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 40, 3)
    page[owner() > 0] = 40
    mask = page < 128
    ink = InkImage(mask.view(np.uint8), mask, np.zeros((0, 5), np.int32), mask.view(np.uint8))
    choice = choice_of(SeenPage(sought(), TEXT, ink))
    assert choice is not None
    assert 1 <= choice.true.sum() < len(choice.true)
    lines = as_table(present_weights()).splitlines()
    assert len(lines) == len(FEATURES)
    assert lines[0].startswith('    "one": ')
