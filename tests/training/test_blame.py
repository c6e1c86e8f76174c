"""Blame falls on the first stage that failed, on fields drawn so that one of them must."""

import cv2
import numpy as np
import pytest

from service.pipeline.card import Placement
from training.blame import Blame, blame_field, shares
from training.synth.field import SyntheticField

PLACEMENT = Placement(20.0, 28.0, 0.5, 0.35)
LABELS = ("0", "1", "8", ",", "")


class Always:
    """Takes every crop for one label."""

    labels = LABELS

    def __init__(self, label: str) -> None:
        self._label = LABELS.index(label)

    def penalties(self, crops: np.ndarray) -> np.ndarray:
        penalties = np.full((len(crops), len(LABELS)), 5.0, np.float32)
        penalties[:, self._label] = 0.1
        return penalties


def field(text: str, split: bool = False, lost: bool = False) -> SyntheticField:
    """Zeros side by side; split: the first belongs to two characters; lost: one has no ink."""
    image = np.full((60, 200), 235, np.uint8)
    owner = np.zeros((60, 200), np.uint8)
    for index in range(3):
        ring = np.zeros((60, 200), np.uint8)
        cv2.ellipse(ring, (40 + 50 * index, 30), (11, 17), 0, 0, 360, 255, 4)
        image[ring > 0] = 40
        owner[ring > 0] = index + 1
    if split:
        owner[:30][owner[:30] == 1] = 4
    if lost:
        image[:, 60:120] = 235
    return SyntheticField(image, owner, text, 0, None, hand=True)


@pytest.mark.parametrize(
    ("label", "drawn", "expected"),
    [
        ("0", field("000"), Blame("interpretation", "")),
        ("8", field("000"), Blame("recognition", "0")),
        ("0", field("0,0"), Blame("recognition", ",")),
        (",", field("0,1"), Blame("recognition", "0")),
        ("0", field("0000", split=True), Blame("segmentation", "0")),
        ("0", field("010", lost=True), Blame("ink", "1")),
    ],
)
def test_blame(label: str, drawn: SyntheticField, expected: Blame) -> None:
    assert blame_field(Always(label), PLACEMENT, drawn) == expected


def test_an_empty_field_is_the_inks_fault() -> None:
    blank = np.full((60, 200), 235, np.uint8)
    nothing = SyntheticField(blank, np.zeros_like(blank), "10", 1000, None, hand=True)
    assert blame_field(Always("0"), PLACEMENT, nothing) == Blame("ink", "1")


def test_shares_name_the_worst_symbols() -> None:
    rows = shares([None, None, Blame("recognition", "7"), Blame("interpretation", "")])
    assert rows == [
        ("right", 0.5, ""),
        ("ink", 0.0, ""),
        ("segmentation", 0.0, ""),
        ("recognition", 0.25, "7:1"),
        ("interpretation", 0.25, ""),
    ]
