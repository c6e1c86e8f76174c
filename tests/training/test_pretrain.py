"""Training, distortion and export of recognizers."""

import json
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from training.augment import Distortion, distort
from training.export import export
from training.lenet import ProductionNet
from training.pretrain import Pool, Recipe, predict, train

# More threads than cores left on a busy machine wait for each other.
torch.set_num_threads(1)


def bars(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Upright and level bars, labels 0 and 1."""
    rng = np.random.default_rng(seed)
    crops = np.zeros((count, 32, 32), np.uint8)
    labels = rng.integers(0, 2, count).astype(np.uint8)
    for crop, label in zip(crops, labels, strict=True):
        at = rng.integers(8, 24)
        if label:
            crop[at - 1 : at + 2, 6:26] = 255
        else:
            crop[6:26, at - 1 : at + 2] = 255
    return crops, labels


def small_net() -> ProductionNet:
    torch.manual_seed(0)
    return ProductionNet(2, (4, 4, 8, 8))


def test_it_learns_what_it_is_shown() -> None:
    crops, labels = bars(400, 0)
    recipe = Recipe(samples=2_500, batch=50, average=0.9)
    network = train(small_net(), [Pool("bars", crops, labels, 1.0)], recipe)
    unseen, truth = bars(200, 1)
    assert (predict(network, unseen).argmax(axis=1) == truth).mean() > 0.97


def test_an_interrupted_run_goes_on_to_the_same_end(tmp_path: Path) -> None:
    crops, labels = bars(100, 0)

    class StoppedError(Exception):
        pass

    def stop(seen: int, _: float) -> None:
        # Raised before the checkpoint of that step is written.
        if seen > 1000:
            raise StoppedError

    recipe = Recipe(samples=2500, batch=50, average=0.9, every=10)
    pools = [Pool("bars", crops, labels, 1.0)]
    whole = train(small_net(), pools, recipe)
    path = tmp_path / "run.pt"
    with pytest.raises(StoppedError):
        train(small_net(), pools, recipe, checkpoint=path, progress=stop)
    resumed = train(small_net(), pools, recipe, checkpoint=path)
    # Dropout draws from the global generator, so only the outcome is compared, not each weight.
    unseen, truth = bars(100, 2)
    for network in (whole, resumed):
        assert (predict(network, unseen).argmax(axis=1) == truth).mean() > 0.9


def test_distortion_is_seeded_and_keeps_the_ink_in_sight() -> None:
    crops = torch.from_numpy(bars(16, 0)[0])
    first = distort(crops, Distortion(), torch.Generator().manual_seed(3))
    again = distort(crops, Distortion(), torch.Generator().manual_seed(3))
    assert torch.equal(first, again)
    assert not torch.equal(first, crops)
    share = first.float().sum(dim=(1, 2)) / crops.float().sum(dim=(1, 2))
    assert bool(((share > 0.4) & (share < 2.5)).all())


def test_no_distortion_changes_only_the_darkness() -> None:
    crops = torch.from_numpy(bars(8, 0)[0])
    still = Distortion(rotate=0, shear=0, scale=0, shift=0, bend=0, thick=0)
    same = distort(crops, still, torch.Generator().manual_seed(0))
    assert torch.equal(same > 128, crops > 128)


def test_export_gives_the_same_penalties_and_signs_its_card(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns of its own internals
        difference = export(small_net(), {"name": "bars", "version": "1"}, tmp_path)
    assert difference < 1e-4
    card = json.loads((tmp_path / "card.json").read_text())
    assert len(card["sha256"]) == 64
    assert card["name"] == "bars"
