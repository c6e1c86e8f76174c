"""Strips for the swept network: which zones of a page say nothing."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.field import Box, FieldCandidate, Zone
from training import strips
from training.dataset import Sources
from training.strips import Strip, _cuts, _holds, symbols_of


def _owner(text: str) -> NDArray[np.uint8]:
    """Characters of 10 x 20 px side by side from (100, 50) on, each with a number of its own."""
    owner = np.zeros((100, 400), np.uint8)
    for number in range(len(text)):
        owner[50:70, 100 + 12 * number : 110 + 12 * number] = number + 1
    return owner


def _candidate(*boxes: Box) -> FieldCandidate:
    zones = tuple(Zone("cents" if n else "amount", box) for n, box in enumerate(boxes))
    return FieldCandidate(zones, 0.0, np.zeros(0, np.float32))


@pytest.mark.parametrize(
    ("text", "boxes", "cut"),
    [
        ("1234.50", [(95, 45, 200, 75)], False),
        ("1234.50", [(111, 45, 200, 75)], True),
        ("1234.50", [(95, 45, 170, 75)], True),
        ("1234.50", [(95, 45, 160, 75), (160, 45, 200, 75)], False),
        # What follows a fraction's bar says nothing more.
        ("$12 34/100", [(95, 45, 175, 75)], False),
        ("$12 34/100", [(110, 45, 250, 75)], False),
        ("$12 34/100", [(124, 45, 250, 75)], True),
        ("1234.50", [(0, 0, 80, 40)], False),
    ],
)
def test_a_zone_that_leaves_digits_of_the_amount_out_cuts_it(
    text: str, boxes: list[Box], cut: bool
) -> None:
    owner = _owner(text.replace(" ", ""))
    assert _cuts(_candidate(*boxes), owner, text) is cut


def test_other_thousands_are_made_from_other_images(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []

    def maker(_sources: Sources, _split: str) -> Callable[[int], list[Strip]]:
        def make(seed: int) -> list[Strip]:
            made.append(seed)
            return [Strip(np.zeros((2, 36, 8), np.uint8), symbols_of("1"))] * (seed % 1000 == 0)

        return make

    monkeypatch.setitem(strips._makers, "fields", maker)
    for first in (0, 7):
        strips._start(Sources(tmp_path, None), "fields", "train")
        assert strips._build(first, (tmp_path / f"{first}.npz", 1)) == 1
    assert made == [*range(1000, 2000), *range(8000, 9000)]


def test_a_zone_elsewhere_holds_nothing_of_the_amount() -> None:
    owner = _owner("12")
    assert _holds(_candidate((95, 45, 105, 75)), owner)
    assert not _holds(_candidate((200, 45, 300, 75)), owner)
