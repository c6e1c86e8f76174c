"""The measurement of the segmentation: what is found, what is missed, and why."""

from pathlib import Path

import cv2
import numpy as np

from training.dataset import PLACEMENT
from training.segments import Found, Miss, causes, figures, measure_field, write_worst
from training.synth.field import SyntheticField


def field_of(draw: list[tuple[int, int]], stray: bool = False) -> SyntheticField:
    """A field of zeros about those points, perhaps with a heavy stroke through the first."""
    page = np.full((70, 220), 230, np.uint8)
    owner = np.zeros_like(page)
    for number, centre in enumerate(draw, 1):
        for target, ink in ((page, 40), (owner, number)):
            cv2.ellipse(target, centre, (12, 19), 0, 0, 360, ink, 4)
    if stray:
        x, y = draw[0]
        cv2.line(page, (x - 20, y + 22), (x + 30, y + 18), 40, 5)
    return SyntheticField(page, owner, "0" * len(draw), 0, None, True)


def test_characters_apart_are_found() -> None:
    found = measure_field(PLACEMENT, 7, field_of([(30, 35), (80, 35), (130, 35)]))
    assert (found.plain >= 0.9).all()
    assert (found.tolerant >= found.plain).all()
    assert found.misses == ()
    assert found.picture is None
    assert found.segments >= 3
    rows = dict(figures([found]))
    assert rows["fields with all characters at 0.9, plain"] == 1.0
    assert rows["segments a character"] == found.segments / 3


def test_stray_ink_on_a_character_is_told(tmp_path: Path) -> None:
    found = measure_field(PLACEMENT, 7, field_of([(40, 30), (120, 30)], stray=True))
    assert [(miss.symbol, miss.cause) for miss in found.misses] == [("0", "stray ink")]
    assert write_worst([found], tmp_path / "worst.png") == 1
    assert cv2.imread(str(tmp_path / "worst.png")) is not None


def test_lost_ink_is_told() -> None:
    field = field_of([(40, 30), (120, 30)])
    field.image[:, 80:] = 230
    found = measure_field(PLACEMENT, 7, field)
    assert [miss.cause for miss in found.misses] == ["ink lost"]
    blank = SyntheticField(
        np.full((40, 80), 230, np.uint8), np.zeros((40, 80), np.uint8), "1", 1, None, True
    )
    assert [miss.cause for miss in measure_field(PLACEMENT, 7, blank).misses] == ["ink lost"]


def test_causes_are_counted() -> None:
    nothing = np.zeros(1, np.float32)
    one = Found(0, "0", nothing, nothing, nothing, 4, (Miss("0", 0.3, "not cut"),), None)
    two = Found(
        1, "0", nothing, nothing, nothing, 4, (*one.misses, Miss("0", 0.85, "cut askew")), None
    )
    rows = {cause: (characters, alone) for cause, characters, alone, _ in causes([one, two])}
    assert rows["not cut"] == (2, 1)
    assert rows["cut askew"] == (1, 0)
