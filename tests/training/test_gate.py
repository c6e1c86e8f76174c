"""The gate: print is told from hands, and each strip is read by its own network."""

import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray

from service.pipeline.swept import SweptNetwork
from training import swept_adapt
from training.dataset import LABELS
from training.export import export_printed, export_swept, load_gate, load_swept
from training.gate import SURE, Gate, GateRecipe, share_in_print, spoken, train_gate
from training.strips import Strip, pack, symbols_of
from training.swept import SweptNet
from training.swept_adapt import AmountStrip

MODEL = Path(__file__).parents[2] / "models" / "amounts" / "1"
SMALL = (4, 6, 8, 10, 12)


def _network(seed: int) -> SweptNet:
    torch.manual_seed(seed)
    network = SweptNet(SMALL).train()
    network(torch.randint(0, 256, (8, 2, 36, 64), dtype=torch.uint8))
    return network.eval()


def _strip(rng: np.random.Generator, *, printed: bool) -> Strip:
    """Upright strokes of one height, or strokes that lean this way and that."""
    width = int(rng.integers(60, 160))
    ink = np.zeros((36, width), np.uint8)
    for x in range(8, width - 8, 12):
        lean, rise = (0, 0) if printed else rng.integers(-6, 7, 2).tolist()
        cv2.line(ink, (x - lean, 9 + rise), (x + lean, 27 + rise), 255, 2)
    return Strip(np.stack([ink, ink]), symbols_of("1"))


def _strips(seed: int, count: int, *, printed: bool) -> list[Strip]:
    rng = np.random.default_rng(seed)
    return [_strip(rng, printed=printed) for _ in range(count)]


def test_a_gate_learns_to_tell_print_from_hands() -> None:
    recipe = GateRecipe(steps=60, batch=16)
    losses: list[float] = []
    gate = train_gate(
        _strips(0, 80, printed=True), _strips(1, 80, printed=False), recipe, losses.append
    )
    assert len(losses) == recipe.steps
    assert np.mean(losses[-10:]) < np.mean(losses[:10])
    assert share_in_print(gate, _strips(2, 40, printed=True)) > 0.6
    assert share_in_print(gate, _strips(3, 40, printed=False)) < 0.1
    assert share_in_print(gate, []) == 0.0


def test_the_same_seed_gives_the_same_gate_and_it_needs_both_kinds() -> None:
    recipe = GateRecipe(steps=3, batch=8)
    both = _strips(0, 20, printed=True), _strips(1, 20, printed=False)
    one, other = (train_gate(*both, recipe).state_dict() for _ in range(2))
    assert all(torch.equal(one[name], other[name]) for name in one)
    with pytest.raises(ValueError, match="by hand"):
        train_gate(both[0], [], recipe)


def test_only_strips_that_say_something_are_learned_from(tmp_path: Path) -> None:
    strips = _strips(0, 3, printed=True)
    pack([*strips, Strip(strips[0].layers, symbols_of(""))], tmp_path / "typed-0000.npz")
    assert len(spoken(tmp_path, ("print", "typed"))) == 3


def test_images_to_adapt_to_go_to_the_network_that_reads_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def told(_: Gate, layers: NDArray[np.uint8]) -> bool:
        return bool(layers.max() > 200)

    monkeypatch.setattr(swept_adapt, "is_print", told)
    strips = [*_strips(0, 14, printed=True), *_strips(1, 12, printed=False)]
    strips[14:] = [Strip(one.layers // 2, one.symbols) for one in strips[14:]]
    images = [[[AmountStrip(one.layers, (100,))]] for one in strips]

    def parted(count: int) -> dict[bool, tuple[int, int]]:
        found = swept_adapt.parted(_network(1), _gate(printed=True), images[:count], strips, LABELS)
        return {kind: (len(own), len(mixed)) for kind, (own, mixed) in found.items()}

    assert parted(26) == {False: (12, 26), True: (14, 14)}
    assert parted(20) == {True: (14, 14)}
    assert parted(5) == {}


def _gate(*, printed: bool) -> Gate:
    """One that takes all strips for print, or none."""
    gate = Gate((2, 2, 2, 2)).eval()
    with torch.no_grad():
        gate.odds.weight.zero_()
        gate.odds.bias.fill_(SURE + (0.5 if printed else -0.5))
    return gate


def _read(folder: Path, strip: NDArray[np.uint8]) -> NDArray[np.float32]:
    return SweptNetwork(folder).outputs(strip)


def _says(network: SweptNet, strip: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.no_grad():
        return np.asarray(-network(torch.from_numpy(strip)[None])[0].numpy(), np.float32)


@pytest.mark.parametrize("printed", [True, False])
def test_each_strip_is_read_by_the_network_that_the_gate_says(
    tmp_path: Path, printed: bool
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(MODEL, folder)
    hands, other, again = (_network(seed) for seed in (1, 2, 3))
    (folder / "swept.onnx").unlink()
    export_swept(hands, folder)
    assert load_gate(folder) is None
    gate = _gate(printed=printed)
    assert export_printed(other, gate, folder) < 1e-4
    strip = np.random.default_rng(0).integers(0, 256, (2, 36, 64)).astype(np.uint8)
    held = load_gate(folder)
    assert held is not None
    with torch.no_grad():
        before, after = (one(torch.from_numpy(strip)[None]) for one in (gate, held))
    assert torch.allclose(before, after, atol=1e-4)
    expected = _says(other if printed else hands, strip)
    assert _read(folder, strip) == pytest.approx(expected, abs=1e-4)
    assert _says(load_swept(folder), strip) == pytest.approx(_says(hands, strip), abs=1e-4)
    # What reads hands may be put there anew; what reads print stays.
    export_swept(again, folder)
    onnx.checker.check_model(str(folder / "swept.onnx"))
    expected = _says(other if printed else again, strip)
    assert _read(folder, strip) == pytest.approx(expected, abs=1e-4)
    # So may what reads print, by itself or with another gate.
    said = _says(load_swept(folder, of_print=True), strip)
    assert said == pytest.approx(_says(other, strip), abs=1e-4)
    third = _network(4)
    export_swept(third, folder, of_print=True)
    onnx.checker.check_model(str(folder / "swept.onnx"))
    expected = _says(third if printed else again, strip)
    assert _read(folder, strip) == pytest.approx(expected, abs=1e-4)
    export_printed(hands, _gate(printed=True), folder)
    assert _read(folder, strip) == pytest.approx(_says(hands, strip), abs=1e-4)
    assert _says(load_swept(folder), strip) == pytest.approx(_says(again, strip), abs=1e-4)
