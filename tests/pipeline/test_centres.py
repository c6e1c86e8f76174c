"""What the network says of the middles of characters, on lines drawn here."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import ModelError
from service.pipeline import centres as module
from service.pipeline.centres import CELL, ROWS, UNIT, character_centres, line_rows
from service.pipeline.segment import Line, find_pieces


def _line(*middles: int, width: int = 200) -> NDArray[np.uint8]:
    """Zeros 40 px tall about the row 45."""
    line = np.zeros((90, width), np.uint8)
    for x in middles:
        cv2.ellipse(line, (x, 45), (11, 18), 0, 0, 360, 255, 4, cv2.LINE_AA)
    return line


def test_ink_points_at_the_middle_of_its_character() -> None:
    line = _line(40, 110)
    found = character_centres(line, 45.0)
    assert found.told.shape == (3, ROWS // CELL, 100)
    ys, xs = np.nonzero(line > 60)
    rows, columns = (ys - found.top) // CELL, xs // CELL
    none, right, below = found.told[:, rows, columns]
    assert (none < 0).all()
    x = columns * CELL + (CELL - 1) / 2 + right * UNIT
    y = rows * CELL + (CELL - 1) / 2 + found.top + below * UNIT
    assert np.abs(x - np.where(xs < 75, 40, 110)).max() < 6
    assert np.abs(y - 45).max() < 6


def test_zeros_that_reach_into_each_other_are_parted() -> None:
    line = _line(60, 82, 104)
    found = find_pieces(Line(line, 45.0, np.eye(2, 3)))
    assert found is not None
    middles = (found.boxes[:, 0] + found.boxes[:, 2]) / 2
    assert np.abs(middles[:, None] - [60, 82, 104]).min(axis=0).max() < 4
    assert (found.joint > 0).all()
    assert found.ink[-1] == pytest.approx((line > 60).sum() / 1600, rel=1e-6)


def test_a_figure_in_pieces_is_one_piece() -> None:
    line = np.zeros((90, 120), np.uint8)
    five = [(70, 30), (56, 30), (55, 43), (66, 42), (71, 50), (67, 61), (54, 62)]
    cv2.polylines(line, [np.array(five)], False, 255, 4, cv2.LINE_AA)
    line[:36, 59:62] = 0  # the flag is apart
    found = find_pieces(Line(line, 45.0, np.eye(2, 3)))
    assert found is not None
    assert cv2.connectedComponents((line > 60).astype(np.uint8))[0] - 1 == 2
    assert len(found.boxes) == 1


def test_what_is_above_or_below_the_rows_is_no_characters() -> None:
    line = np.zeros((300, 120), np.uint8)
    line[10:20, 30:60] = line[280:290, 30:60] = 255
    found = find_pieces(Line(line, 150.0, np.eye(2, 3)))
    assert found is not None
    assert len(found.boxes) == 2


@pytest.mark.parametrize("centre", [-100.0, -20.0, 0.0, 30.0, 59.6, 120.0])
def test_the_rows_of_a_line_are_those_about_its_middle(centre: float) -> None:
    image = np.arange(1, 61, dtype=np.uint8)[:, None].repeat(5, axis=1)
    rows, top = line_rows(image, centre)
    assert rows.shape == (ROWS, 5)
    expected = [y + 1 if 0 <= y < 60 else 0 for y in range(top, top + ROWS)]
    assert rows[:, 0].tolist() == expected
    assert abs(top + ROWS / 2 - centre) <= 0.5


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "centres.onnx"
    other.write_bytes(module.NETWORK.read_bytes()[:-1])
    monkeypatch.setattr(module, "NETWORK", other)
    module._network.cache_clear()
    try:
        with pytest.raises(ModelError, match="sha256"):
            character_centres(_line(40), 45.0)
    finally:
        monkeypatch.undo()
        module._network.cache_clear()
