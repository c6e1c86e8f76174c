"""Training of the network of characters' middles, on lines drawn here."""

from pathlib import Path

import cv2
import numpy as np
import onnxruntime as ort
import pytest
import torch

from service.pipeline.centres import CELL, ROWS, UNIT
from training import centres
from training.centres import CentreNet, CentreRecipe, TrueLine, load_lines, pack, train_centres
from training.export import export_centres, load_centres

MODEL = Path(__file__).parents[2] / "models" / "amounts" / "1"


def _line(seed: int) -> TrueLine:
    """Two zeros, perhaps one in the other's way, and a stroke of no character below them."""
    rng = np.random.default_rng(seed)
    ink = np.zeros((ROWS, 96), np.uint8)
    owner = np.zeros((2, ROWS, 96), np.uint8)
    for number, x in enumerate((28, 28 + int(rng.integers(24, 40))), 1):
        own = np.zeros((ROWS, 96), np.uint8)
        cv2.ellipse(own, (x, 28), (9, 13), 0, 0, 360, 255, 3)
        owner[1][(own > 0) & (owner[0] > 0)] = number
        owner[0][(own > 0) & (owner[0] == 0)] = number
        ink = np.maximum(ink, own)
    ink[54:58, 10:80] = 220
    return TrueLine(ink, owner)


def test_what_is_wanted_are_the_middles_of_boxes() -> None:
    line = _line(3)
    _, wanted, known = centres._collated([line])
    assert wanted.shape == (1, 3, ROWS // CELL, 96 // CELL)
    ys, xs = np.nonzero(known[0, 1].numpy())
    right, below = wanted[0, 1:].numpy()[:, ys, xs]
    middles = np.unique(np.round(xs * CELL + 0.5 + right * UNIT, 3))
    boxes = [cv2.boundingRect((line.owner == one).any(axis=0).astype(np.uint8)) for one in (1, 2)]
    assert middles.tolist() == [x + (w - 1) / 2 for x, _, w, _ in boxes]
    assert np.allclose(ys * CELL + 0.5 + below * UNIT, 28, atol=0.6)
    # The stroke is known to be of no character, and points nowhere.
    assert wanted[0, 0, 27, 5:40].all()
    assert known[0, 0, 27, 5:40].all()
    assert not known[0, 1, 27].any()
    # Ink of two characters tells nothing.
    both = np.argwhere(line.owner[1] > 0)
    assert all(line.owner[1][y, x] > 0 or known[0, 1, y // CELL, x // CELL] for y, x in both)


@pytest.fixture(scope="module")
def trained() -> CentreNet:
    torch.manual_seed(0)
    lines = [_line(seed) for seed in range(60)]
    recipe = CentreRecipe(lines=1600, batch=8, average=0.9)
    return train_centres(CentreNet((4, 12)), lines, recipe)


def test_it_learns_where_the_middles_are(trained: CentreNet) -> None:
    lines = [_line(seed) for seed in range(100, 110)]
    torch.manual_seed(1)
    assert centres.loss_of(trained, lines) < 0.4 * centres.loss_of(CentreNet((4, 12)), lines)


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    lines = [_line(seed) for seed in range(4)]
    told: list[int] = []
    recipe = CentreRecipe(lines=16, batch=4, every=2)
    kept = tmp_path / "checkpoint.pt"
    train_centres(CentreNet((4, 8)), lines, recipe, kept, lambda seen, *_: told.append(seen))
    train_centres(CentreNet((4, 8)), lines, recipe, kept, lambda seen, *_: told.append(-seen))
    assert told == [8, 16]


def test_lines_are_kept(tmp_path: Path) -> None:
    lines = [_line(seed) for seed in range(3)]
    lines[1] = TrueLine(lines[1].ink[:, :50], lines[1].owner[:, :, :50])
    pack(lines, tmp_path / "fields-0000.npz")
    pack([], tmp_path / "fields-0001.npz")
    found = load_lines(tmp_path)
    assert len(found) == 3
    for one, other in zip(lines, found, strict=True):
        np.testing.assert_array_equal(one.ink, other.ink)
        np.testing.assert_array_equal(one.owner, other.owner)


def test_onnx_says_what_torch_does_and_can_be_trained_on(
    trained: CentreNet, tmp_path: Path
) -> None:
    path = tmp_path / "centres.onnx"
    assert export_centres(trained, path) < 1e-4
    assert b".py" not in path.read_bytes()
    session = ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    lines = np.stack([_line(7).ink])
    (told,) = session.run(None, {"lines": lines})
    with torch.no_grad():
        expected = trained(torch.from_numpy(lines)).numpy()
        again = load_centres(path)(torch.from_numpy(lines)).numpy()
    np.testing.assert_allclose(told, expected, atol=1e-4)
    np.testing.assert_allclose(again, expected, atol=1e-4)


def test_another_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="does not hold the network of characters' middles"):
        load_centres(MODEL / "swept.onnx")
    with pytest.raises(ValueError, match="does not hold the network of characters' middles"):
        load_centres(tmp_path / "none.onnx")
