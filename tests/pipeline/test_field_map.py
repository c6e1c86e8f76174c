"""The map of where the amount may stand: how a page is seen, and what is read off the map."""

from pathlib import Path

import numpy as np
import pytest

from service.errors import ModelError
from service.pipeline import field_map as module
from service.pipeline.field_map import CELL, LAYERS, STEP, FieldMap, field_map, page_layers
from service.pipeline.ink import InkImage


def _ink(height: int, width: int) -> InkImage:
    page = np.zeros((height, width), np.uint8)
    page[height // 4 : height // 3, width // 2 : width // 2 + width // 5] = 255
    return InkImage(page, page > 0, np.zeros((0, 5), np.int32), page // 2)


@pytest.mark.parametrize("size", [(570, 1300), (300, 620), (1600, 1200), (20, 2400)])
def test_pages_of_all_sizes_are_seen_alike(size: tuple[int, int]) -> None:
    layers, (wide, high) = page_layers(_ink(*size))
    assert layers.shape[0] == LAYERS
    assert layers.shape[1] % STEP == layers.shape[2] % STEP == 0
    assert layers.shape[1] - high < STEP
    assert layers.shape[2] - wide < STEP
    assert layers.shape[1] * layers.shape[2] < 90_000
    seen = np.argwhere(layers[0, :high, :wide] > 128)
    middle = seen.mean(axis=0) / (high, wide)
    assert middle == pytest.approx([7 / 24, 0.6], abs=0.06)
    assert (np.diff(layers[2, 0].astype(int)) >= 0).all()
    assert layers[3, -1, 0] == layers[2, 0, -1] == 255


def test_a_map_has_a_cell_for_every_few_pixels() -> None:
    ink = _ink(570, 1300)
    layers, (wide, high) = page_layers(ink)
    found = field_map(ink)
    assert found.amount.shape == found.cents.shape
    assert found.amount.shape == (layers.shape[1] // CELL, layers.shape[2] // CELL)
    assert found.across == pytest.approx(wide / CELL / 1300)
    assert found.down == pytest.approx(high / CELL / 570)
    assert ((found.amount >= 0) & (found.amount <= 1)).all()


def _made_map() -> FieldMap:
    amount = np.zeros((20, 40), np.float32)
    amount[8:10, 20:30] = 0.9
    cents = np.zeros((20, 40), np.float32)
    cents[8:10, 31:33] = 0.5
    return FieldMap(amount, cents, 0.1, 0.1)


def test_features_tell_how_much_of_the_amount_a_run_holds() -> None:
    boxes = np.array(
        [
            [200, 80, 300, 100],  # all of the amount
            [250, 80, 300, 100],  # the half of it
            [20, 20, 120, 40],  # nothing
            [160, 80, 340, 100],  # and more
        ],
        np.int32,
    )
    within, held, cents = _made_map().features(boxes).T
    sure = np.log(0.9 / 0.1)
    assert within[:2] == pytest.approx([sure, sure], abs=1e-4)
    assert within[2] < -6 < within[3] < within[0]
    assert held == pytest.approx([1.0, 0.5, 0.0, 1.0], abs=1e-4)
    assert cents[:3] == pytest.approx([1.0, 1.0, 0.0], abs=1e-4)


def _held(values: np.ndarray, across: np.ndarray, down: np.ndarray) -> float:
    """What a map holds between two places along x and two along y, in cells."""
    table = np.pad(values.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    rows = np.stack([np.interp(across, np.arange(len(row)), row) for row in table])
    corners = np.stack([np.interp(down, np.arange(len(rows)), column) for column in rows.T])
    return float(np.diff(np.diff(corners, axis=0), axis=1)[0, 0])


def test_features_are_the_sums_over_boxes_wherever_they_lie() -> None:
    draw = np.random.default_rng(1)
    amount, cents = draw.random((2, 17, 41), np.float32) ** 8
    found = FieldMap(amount, cents, 0.23, 0.31)
    corners = np.sort(draw.integers(-20, 200, (60, 2, 2)), axis=2)
    corners[:, :, 1] += 1
    boxes = corners.transpose(0, 2, 1).reshape(60, 4).astype(np.int32)
    for (x0, y0, x1, y1), features in zip(
        boxes.tolist(), found.features(boxes).tolist(), strict=True
    ):
        across, down = np.array([x0, x1]) * 0.23, np.array([y0, y1]) * 0.31
        high = y1 - y0
        behind = np.array([x1, x1 + 4 * high]) * 0.23, np.array([y0 - high, y1]) * 0.31
        held = _held(amount, across, down)
        share = np.clip(held / ((x1 - x0) * high * 0.23 * 0.31), 1e-3, 1 - 1e-3)
        assert features == pytest.approx(
            [
                np.log(share / (1 - share)),
                held / amount.sum(),
                _held(cents, *behind) / cents.sum(),
            ],
            rel=1e-4,
            abs=1e-5,
        )


def test_maps_of_two_pages_are_refused() -> None:
    wrong = FieldMap(np.zeros((2, 3), np.float32), np.zeros((3, 3), np.float32), 1.0, 1.0)
    with pytest.raises(ValueError, match="one page"):
        wrong.features(np.zeros((1, 4), np.int32))


def test_features_change_by_parts_of_cells() -> None:
    boxes = np.array([[200, 80, x, 100] for x in range(240, 300, 3)], np.int32)
    held = _made_map().features(boxes)[:, 1]
    assert held == pytest.approx((boxes[:, 2] - 200) / 100, abs=1e-4)


def test_another_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    other = tmp_path / "field_map.onnx"
    other.write_bytes(module.NETWORK.read_bytes()[:-1])
    monkeypatch.setattr(module, "NETWORK", other)
    module._network.cache_clear()
    try:
        with pytest.raises(ModelError, match="sha256"):
            field_map(_ink(200, 400))
    finally:
        monkeypatch.undo()
        module._network.cache_clear()
