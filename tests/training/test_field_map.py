"""The field map's network: what it learns from, that it learns, and that ONNX does the same."""

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import onnxruntime as ort
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from service.errors import InputError
from service.pipeline.field_map import CELL, LAYERS, page_places
from training import field_map
from training.export import export_field_map, load_field_map
from training.field_map import (
    FieldMapNet,
    MapRecipe,
    PageCells,
    begun_with,
    lacking_page,
    load_pages,
    moved_page,
    pack,
    raised_cents,
    train_map,
)

MODEL = Path(__file__).parents[2] / "models" / "amounts" / "1"


def _page(seed: int, size: tuple[int, int] = (64, 120)) -> PageCells:
    """A page with a wide bar, the amount, and two narrow ones that are not."""
    rng = np.random.default_rng(seed)
    height, width = size
    layers = np.zeros((LAYERS, height, width), np.uint8)
    layers[2:] = page_places(height, width)
    cells = np.zeros((2, height // CELL, width // CELL), np.uint8)
    rows = rng.permutation(height // 16)[:3]
    for number, row in enumerate(rows.tolist()):
        wide = 32 if number == 0 else 8
        x, y = CELL * int(rng.integers(0, (width - wide) // CELL)), 16 * row
        layers[:2, y : y + 8, x : x + wide] = 200
        if number == 0:
            cells[0, y // CELL : y // CELL + 2, x // CELL : (x + wide) // CELL] = 255
    return PageCells(layers, cells)


def test_a_page_lacks_parts_and_never_its_amount() -> None:
    page = _page(0)
    amount = np.kron(page.cells[0], np.ones((CELL, CELL), np.uint8)) > 0
    wiped = []
    for seed in range(40):
        lacking = lacking_page(page, np.random.default_rng(seed))
        np.testing.assert_array_equal(lacking.layers[:2, amount], page.layers[:2, amount])
        np.testing.assert_array_equal(lacking.layers[2:], page.layers[2:])
        np.testing.assert_array_equal(lacking.cells, page.cells)
        gone = lacking.layers[:2] != page.layers[:2]
        assert not lacking.layers[:2][gone].any()
        wiped.append(bool(gone.any()))
    assert any(wiped)


def test_pages_are_kept(tmp_path: Path) -> None:
    pages = [_page(0), _page(1, (80, 96)), _page(2)]
    pack(pages[:2], tmp_path / "pages-0000.npz")
    pack(pages[2:], tmp_path / "pages-0001.npz")
    found = load_pages(tmp_path)
    assert len(found) == 3
    for one, other in zip(found, pages, strict=True):
        np.testing.assert_array_equal(one.layers, other.layers)
        np.testing.assert_array_equal(one.cells, other.cells)


def test_other_thousands_are_other_cheques(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[int] = []

    def draw(seed: int, **_: object) -> None:
        drawn.append(seed)
        raise InputError("too_small", "nothing to see")

    monkeypatch.setattr(field_map, "make_cheque", draw)
    monkeypatch.setattr(field_map, "_hand", SimpleNamespace(write=None))
    for first in (0, 44):
        assert field_map._build(first, (tmp_path / f"{first}.npz", 1)) == 1
    starts = [120_000_000 + number * field_map.SHARD for number in (1, 45)]
    assert drawn == [seed for start in starts for seed in range(start, start + field_map.SHARD)]


def _written(bottoms: list[int]) -> NDArray[np.uint8]:
    """Characters of an amount as bars, side by side, each down to a row."""
    owner = np.zeros((60, 12 * len(bottoms)), np.uint8)
    for number, bottom in enumerate(bottoms):
        owner[bottom - 12 : bottom, 12 * number : 12 * number + 8] = number + 1
    return owner


def test_the_amount_moves_with_its_page() -> None:
    layers, cells = np.zeros((LAYERS, 160, 320), np.uint8), np.zeros((2, 40, 80), np.uint8)
    layers[0, 64:80, 160:240] = 255
    cells[0, 16:20, 40:60] = 255
    rng = np.random.default_rng(0)
    for _ in range(20):
        moved = moved_page(PageCells(layers, cells), rng)
        boxes = [
            np.array(cv2.boundingRect((plane > 127).astype(np.uint8))) * size
            for plane, size in ((moved.layers[0], 1), (moved.cells[0], CELL))
        ]
        assert abs(boxes[0] - boxes[1]).max() <= 1.5 * CELL
        assert not moved.cells[1].any()


def test_cents_are_raised_where_both_end_above_the_line() -> None:
    assert raised_cents(_written([50, 50, 51, 40, 40]), "12395", 20.0)
    assert raised_cents(_written([50, 50, 54, 40, 40]), "12.95", 20.0)
    assert not raised_cents(_written([50, 50, 51, 40, 49]), "12395", 20.0)
    assert not raised_cents(_written([50, 50, 51, 40, 40]), "123/-", 20.0)
    assert not raised_cents(_written([40, 40]), "95", 20.0)


@pytest.fixture(scope="module")
def trained() -> FieldMapNet:
    torch.manual_seed(0)
    pages = [_page(seed) for seed in range(40)]
    recipe = MapRecipe(pages=1200, batch=8, average=0.9)
    return train_map(FieldMapNet((4, 8, 8)), pages, recipe)


def test_it_learns_which_bar_is_the_amount(trained: FieldMapNet) -> None:
    right = 0
    for seed in range(100, 120):
        page = _page(seed)
        with torch.no_grad():
            found = trained(torch.from_numpy(page.layers)[None])[0, 0].numpy()
        right += int(page.cells[0].ravel()[found.argmax()] > 0)
    assert right >= 18


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    pages = [_page(seed) for seed in range(4)]
    told: list[int] = []
    recipe = MapRecipe(pages=16, batch=4, every=2)
    kept = tmp_path / "checkpoint.pt"
    train_map(FieldMapNet((4, 8, 8)), pages, recipe, kept, lambda seen, *_: told.append(seen))
    train_map(FieldMapNet((4, 8, 8)), pages, recipe, kept, lambda seen, *_: told.append(-seen))
    assert told == [8, 16]


def test_onnx_says_what_torch_does(trained: FieldMapNet, tmp_path: Path) -> None:
    path = tmp_path / "field_map.onnx"
    assert export_field_map(trained, path) < 1e-4
    assert b".py" not in path.read_bytes()  # nor where the sources lie
    session = ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    pages = np.stack([_page(7).layers])
    (cells,) = session.run(None, {"pages": pages})
    assert cells.shape == (1, 2, 64 // CELL, 120 // CELL)
    with torch.no_grad():
        np.testing.assert_allclose(cells, trained(torch.from_numpy(pages)).numpy(), atol=1e-4)


def _drift_in_training(network: nn.Module, given: Tensor, expected: Tensor) -> float:
    """The mean distance from what is expected, where batch norms take what they are given."""
    for part in network.modules():
        part.train(isinstance(part, nn.BatchNorm2d))
    with torch.no_grad():
        return float((network(given) - expected).abs().mean())


def test_training_goes_on_from_an_exported_network(trained: FieldMapNet, tmp_path: Path) -> None:
    path = tmp_path / "field_map.onnx"
    export_field_map(trained, path)
    pages = [_page(seed) for seed in range(40)]
    loaded = load_field_map(path)
    again = begun_with(loaded, pages)
    layers = torch.from_numpy(np.stack([one.layers for one in pages]))
    with torch.no_grad():
        expected = trained(layers)
        assert torch.allclose(loaded(layers), expected, atol=1e-4)
        assert torch.allclose(again(layers), expected, atol=1e-3)
    near, far = (_drift_in_training(one, layers, expected) for one in (again, loaded))
    assert near < far / 10


def test_another_network_is_no_field_map(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not hold the field map"):
        load_field_map(MODEL / "swept.onnx")
    with pytest.raises(ValueError, match="does not hold the field map"):
        load_field_map(tmp_path / "none.onnx")
