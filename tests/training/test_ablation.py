"""The ablation trains every variant once, on tiny material."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.training.test_global_train import MODEL, RECIPE, sample
from training.ablation import run_ablation, variants
from training.dataset import ISOLATED, LABELS, Sources
from training.pretrain import Recipe
from training.strings import pack
from training.tuning import TuningPlan


@pytest.fixture
def plan(tmp_path: Path) -> TuningPlan:
    """A run whose material is a few random graphs and crops."""
    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        folder = tmp_path / "run" / split
        folder.mkdir(parents=True)
        pack([sample(n, 100 * (12 + n)) for n in range(4)], folder / "fields-0000.npz")
        for name in ISOLATED:
            crops = rng.integers(0, 256, (8, 32, 32)).astype(np.uint8)
            labels = rng.integers(0, len(LABELS), 8).astype(np.uint8)
            np.savez(folder / f"single-{name}.npz", crops=crops, labels=labels)
    # Crops of fields, as pretraining keeps them.
    characters = tmp_path / "characters"
    characters.mkdir()
    for path in (tmp_path / "run" / "train").glob("single-*.npz"):
        (characters / path.name).write_bytes(path.read_bytes())
    (characters / "fields-0000.npz").write_bytes((characters / "single-mnist.npz").read_bytes())
    recipe = replace(RECIPE, fields=8, single_crops=4, every=2)
    return TuningPlan(
        MODEL, tmp_path / "run", Sources(tmp_path, None), {"fields": 4}, {"fields": 1.0}, 4, 1,
        recipe,
    )  # fmt: skip


def test_every_variant_is_trained_once(plan: TuningPlan, tmp_path: Path) -> None:
    said: list[str] = []

    def run() -> list[str]:
        trials = run_ablation(
            plan, tmp_path / "characters", tmp_path / "out", lenet5=Recipe(samples=256, every=1),
            progress=said.append,
        )  # fmt: skip
        return [trial.name for trial in trials]

    names = [variant.name for variant in variants(plan.recipe)]
    assert run() == names
    assert said == names
    assert run() == names
    assert said == names
    assert len(set(names)) == 8
