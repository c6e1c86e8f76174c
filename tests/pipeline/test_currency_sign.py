"""The currency by the sign that a form has printed before the amount."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.currency_sign import sign_before
from service.pipeline.reader import ChequeReader
from service.settings import load_settings

SAMPLES = Path(__file__).parents[2] / "samples"
PLACEMENT = Placement(normal=20.0, largest=28.0, size_damping=0.5, offset_damping=0.35)
BOXES = np.array([[200, 50, 225, 90], [230, 50, 255, 90], [260, 50, 285, 90]], np.float32)


class _Says:
    """A recognizer that takes every segment for one symbol, as surely as it is told."""

    labels = ("0", "$", "£", "€", "")

    def __init__(self, symbol: str, probability: float = 0.99) -> None:
        self._at, self._probability = self.labels.index(symbol), probability

    def penalties(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        rest = (1 - self._probability) / (len(self.labels) - 1)
        found = np.full((len(crops), len(self.labels)), -np.log(rest), np.float32)
        found[:, self._at] = -np.log(self._probability)
        return found


def _page(*marks: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    page = np.zeros((140, 400), np.uint8)
    for x0, y0, x1, y1 in (*marks, *BOXES.astype(int).tolist()):
        page[y0:y1, x0:x1] = 255
    return page


@pytest.mark.parametrize(("symbol", "currency"), [("£", "GBP"), ("€", "EUR"), ("$", None)])
def test_a_sign_before_the_amount_gives_its_currency_away(
    symbol: str, currency: str | None
) -> None:
    assert sign_before(_page((150, 45, 175, 95)), BOXES, _Says(symbol), PLACEMENT) == currency


@pytest.mark.parametrize(
    "marks",
    [
        [],
        [(20, 45, 45, 95)],  # far away
        [(150, 2, 175, 26)],  # above the line
        [(150, 80, 175, 90)],  # too low for a sign
        [(120, 45, 145, 95), (150, 45, 175, 95)],  # one more letter before it
    ],
)
def test_what_does_not_stand_there_alone_is_no_sign(
    marks: list[tuple[int, int, int, int]],
) -> None:
    assert sign_before(_page(*marks), BOXES, _Says("£"), PLACEMENT) is None


def test_nothing_is_told_from_a_doubtful_sign_or_without_an_amount() -> None:
    page = _page((150, 45, 175, 95))
    assert sign_before(page, BOXES, _Says("£", 0.6), PLACEMENT) is None
    assert sign_before(page, BOXES, _Says("0"), PLACEMENT) is None
    assert sign_before(page, BOXES[:0], _Says("£"), PLACEMENT) is None


@pytest.mark.parametrize(
    ("name", "currency"), [("uk-01.jpg", "GBP"), ("uk-02.tif", "GBP"), ("chile-01.jpg", None)]
)
def test_signs_of_forms(name: str, currency: str | None) -> None:
    reader = ChequeReader(load_settings().model_dir)
    assert reader.read((SAMPLES / name).read_bytes()).currency == currency
