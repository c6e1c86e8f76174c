"""The comparison of section III: the networks of 1998 on MNIST, plain and distorted."""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from statistics import median_low
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.augment import PLANAR
from training.data.glyphs import Split
from training.data.mnist import load_mnist
from training.lenet1998 import LeNet1, LeNet4, LeNet5
from training.pretrain import Pool, Recipe, predict, train

Bytes = NDArray[np.uint8]

NETWORKS: dict[str, Callable[[], nn.Module]] = {
    "lenet1": LeNet1,
    "lenet4": LeNet4,
    "lenet5": LeNet5,
}
PRINTED = {("lenet1", False): 1.7, ("lenet4", False): 1.1, ("lenet5", False): 0.95,
           ("lenet5", True): 0.8}  # fmt: skip
"""Test errors of the paper's figure 9, in per cent, by network and distortion."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One training run: which network, whether its training digits are distorted, the seed."""

    network: str
    distorted: bool
    seed: int

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.network}-{'distorted' if self.distorted else 'plain'}-{self.seed}"

    def recipe(self, samples: int | None = None) -> Recipe:
        """How it is trained: 20 epochs plain, which need more decay, 28 distorted; no smoothing."""
        usual = Recipe(
            samples=1_540_000 if self.distorted else 1_100_000,
            batch=64,
            decay=0.05 if self.distorted else 0.1,
            every=1000,
            smoothing=0.0,
            seed=self.seed,
            distortion=PLANAR if self.distorted else None,
        )
        return usual if samples is None else replace(usual, samples=samples)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a trial gave: errors in per cent, and after how many samples the kept network was best.

    valid: on the 5,000 training digits held out, by which the network was chosen; test: on the
    10,000 test digits, looked at once.
    """

    network: str
    distorted: bool
    seed: int
    samples: int
    chosen_at: int
    valid: float
    test: float


def mnist_crops(data: Path, split: Split) -> tuple[Bytes, Bytes]:
    """MNIST as the paper places it: 28x28 within 32x32; crops u8 [N, 32, 32], labels u8 [N]."""
    held = load_mnist(data).part(split)
    assert held.images is not None
    crops = np.pad(held.images, ((0, 0), (2, 2), (2, 2)))
    return crops, np.array([int(label) for label in held.labels], np.uint8)


def run_trial(
    trial: Trial,
    data: Path,
    runs: Path,
    *,
    samples: int | None = None,
    progress: Callable[[int, float, float], None] | None = None,
) -> Outcome:
    """Train, choose on held-out digits, test; goes on where an interrupted run stopped.

    runs: gets a folder of the trial's name with checkpoint.pt, best.pt, log.jsonl, outcome.json.
    progress: called with samples seen, mean loss and error on the held-out digits in per cent.
    """
    folder = runs / trial.name
    finished = folder / "outcome.json"
    recipe = trial.recipe(samples)
    if finished.exists():
        held = Outcome(**json.loads(finished.read_text()))
        if held.samples == recipe.samples:
            return held
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(trial.seed)
    network = NETWORKS[trial.network]()
    keeper = _Keeper(folder, *mnist_crops(data, "valid"), progress)
    train(
        network, [Pool("mnist", *mnist_crops(data, "train"), 1.0)], recipe,
        checkpoint=folder / "checkpoint.pt", progress=keeper.note, watch=keeper.watch,
    )  # fmt: skip
    best = torch.load(folder / "best.pt", weights_only=True)
    network = network.cpu()
    network.load_state_dict(best["network"])
    outcome = Outcome(
        **asdict(trial), samples=recipe.samples, chosen_at=best["samples"], valid=best["valid"],
        test=error_rate(network, *mnist_crops(data, "test")),
    )  # fmt: skip
    finished.write_text(json.dumps(asdict(outcome)) + "\n")
    return outcome


def load_trial(folder: Path) -> tuple[LeNet5, Outcome]:
    """The network that a finished trial kept, ready to predict, and what it gave.

    Raises ValueError for a network without an output for rubbish, which the service asks of every
    model: of these networks only LeNet-5 has one.
    """
    outcome = Outcome(**json.loads((folder / "outcome.json").read_text()))
    if outcome.network != "lenet5":
        raise ValueError(f"{outcome.network} has no output for rubbish")
    network = LeNet5()
    network.load_state_dict(torch.load(folder / "best.pt", weights_only=True)["network"])
    return network.eval(), outcome


def error_rate(network: nn.Module, crops: Bytes, labels: Bytes) -> float:
    """Share of digits whose best digit is wrong, in per cent; rubbish is left out."""
    best = predict(network, crops)[:, :10].argmax(axis=1)
    return round(100 * float((best != labels).mean()), 4)


def outcomes(runs: Path) -> list[Outcome]:
    """All finished trials of a folder, in order of network, distortion and seed."""
    found = [Outcome(**json.loads(p.read_text())) for p in runs.glob("*/outcome.json")]
    return sorted(found, key=lambda o: (o.network, o.distorted, o.seed))


def table(found: Iterable[Outcome]) -> list[dict[str, Any]]:
    """One row a network and distortion: errors of every seed, the median, the paper's."""
    rows: dict[tuple[str, bool], list[Outcome]] = {}
    for outcome in found:
        rows.setdefault((outcome.network, outcome.distorted), []).append(outcome)
    return [
        {
            "network": network,
            "distorted": distorted,
            "seeds": [o.seed for o in some],
            "test": [o.test for o in some],
            "median": median_low([o.test for o in some]),
            "printed": PRINTED.get((network, distorted)),
        }
        for (network, distorted), some in rows.items()
    ]


class _Keeper:
    """Keeps the averaged network that errs least on the held-out digits, and a log."""

    def __init__(
        self,
        folder: Path,
        crops: Bytes,
        labels: Bytes,
        progress: Callable[[int, float, float], None] | None,
    ) -> None:
        self._folder, self._crops, self._labels = folder, crops, labels
        self._progress = progress
        self._loss = 0.0
        best = folder / "best.pt"
        resumed = best.exists() and (folder / "checkpoint.pt").exists()
        self._least = torch.load(best, weights_only=True)["valid"] if resumed else 100.0

    def note(self, _samples: int, loss: float) -> None:
        self._loss = loss

    def watch(self, samples: int, averaged: nn.Module) -> None:
        device = next(averaged.parameters()).device
        valid = error_rate(averaged.cpu(), self._crops, self._labels)
        if valid <= self._least:
            self._least = valid
            state = {"network": averaged.state_dict(), "samples": samples, "valid": valid}
            part = self._folder / "best.part"
            torch.save(state, part)
            part.replace(self._folder / "best.pt")
        averaged.to(device)
        with (self._folder / "log.jsonl").open("a") as log:
            log.write(json.dumps({"samples": samples, "loss": self._loss, "valid": valid}) + "\n")
        if self._progress is not None:
            self._progress(samples, self._loss, valid)
