"""The MNIST comparison on a tiny MNIST: chosen on held-out digits, resumable, tabled."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from training.mnist import (
    Outcome,
    Trial,
    error_rate,
    load_trial,
    mnist_crops,
    outcomes,
    run_trial,
    table,
)
from training.pretrain import Recipe


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


def test_digits_stand_in_the_middle_of_32_by_32(mnist_folder: Path) -> None:
    crops, labels = mnist_crops(mnist_folder, "test")
    assert crops.shape == (30, 32, 32)
    assert not crops[:, :2].any()
    assert not crops[:, :, 30:].any()
    assert labels.tolist() == [n % 10 for n in range(30)]


def test_recipes_hold_to_the_criterion() -> None:
    plain, distorted = Trial("lenet5", False, 1).recipe(), Trial("lenet5", True, 1).recipe()
    assert (plain.smoothing, plain.distortion) == (0.0, None)
    assert distorted.distortion is not None
    assert (distorted.distortion.bend, distorted.distortion.thick) == (0.0, 0.0)
    assert (plain.seed, distorted.seed) == (1, 1)


@pytest.mark.parametrize("network", ["lenet1", "lenet4", "lenet5"])
def test_a_trial_trains_and_is_not_repeated(
    mnist_folder: Path, tmp_path: Path, network: str
) -> None:
    runs = tmp_path / "runs"
    seen: list[tuple[int, float, float]] = []
    trial = Trial(network, True, 0)
    first = run_trial(
        trial, mnist_folder, runs, samples=640, progress=lambda *row: seen.append(row)
    )
    assert seen
    assert seen[-1][0] == 640
    assert 0 <= first.test <= 100
    assert first.chosen_at == 640
    again = run_trial(
        trial, mnist_folder, runs, samples=640, progress=lambda *row: seen.append(row)
    )
    assert again == first
    assert len(seen) == 1
    assert outcomes(runs) == [first]
    assert json.loads((runs / trial.name / "log.jsonl").read_text())["valid"] == first.valid


def test_lenet5_learns_the_tiny_digits(
    mnist_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quick(_trial: Trial, samples: int | None = None) -> Recipe:
        return Recipe(samples=samples or 3200, batch=32, smoothing=0.0, distortion=None)

    monkeypatch.setattr(Trial, "recipe", quick)
    outcome = run_trial(Trial("lenet5", False, 0), mnist_folder, tmp_path)
    assert outcome.test == 0.0
    assert outcome.valid == 0.0
    kept, held = load_trial(tmp_path / "lenet5-plain-0")
    assert held == outcome
    assert error_rate(kept, *mnist_crops(mnist_folder, "test")) == 0.0


def test_an_interrupted_trial_ends_where_it_would_have(
    mnist_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def quick(_trial: Trial, _samples: int | None = None) -> Recipe:
        return Recipe(samples=240, batch=8, smoothing=0.0, every=12, distortion=None)

    def stop(samples: int, _loss: float, _valid: float) -> None:
        if samples >= 192:
            raise KeyboardInterrupt

    monkeypatch.setattr(Trial, "recipe", quick)
    trial = Trial("lenet1", False, 0)
    whole = run_trial(trial, mnist_folder, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_trial(trial, mnist_folder, tmp_path / "broken", progress=stop)
    resumed = run_trial(trial, mnist_folder, tmp_path / "broken")
    assert resumed == whole
    states = [
        torch.load(tmp_path / name / trial.name / "checkpoint.pt", weights_only=True)["averaged"]
        for name in ("whole", "broken")
    ]
    for key, value in states[0].items():
        assert torch.equal(value, states[1][key]), key


def test_a_network_that_knows_no_rubbish_is_not_for_export(
    mnist_folder: Path, tmp_path: Path
) -> None:
    run_trial(Trial("lenet1", False, 0), mnist_folder, tmp_path, samples=64)
    with pytest.raises(ValueError, match="lenet1"):
        load_trial(tmp_path / "lenet1-plain-0")


def test_the_median_counts() -> None:
    found = [Outcome("lenet5", False, s, 1, 1, 0.8, e) for s, e in enumerate((0.99, 0.91, 0.94))]
    found.append(Outcome("lenet4", True, 0, 1, 1, 1.0, 1.2))
    rows = table(found)
    assert rows[0] == {
        "network": "lenet5", "distorted": False, "seeds": [0, 1, 2], "test": [0.99, 0.91, 0.94],
        "median": 0.94, "printed": 0.95,
    }  # fmt: skip
    assert rows[1]["printed"] is None
    assert np.isclose(rows[1]["median"], 1.2)
