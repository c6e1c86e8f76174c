"""The production recognizer from data to a network file, in steps that an interrupted run keeps."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from training.data.glyphs import Split
from training.dataset import LABELS, Sources, build_field_crops, isolated_crops, load_field_crops
from training.lenet import ProductionNet
from training.pretrain import Recipe, predict, train

Bytes = NDArray[np.uint8]

WIDTHS = (16, 48, 96, 160)
_VALID_CROPS = 6000


@dataclass(frozen=True, slots=True)
class Plan:
    """One production run: its folder, where its material lies, how much of it, how to train.

    shards: of a thousand synthetic fields each, for training; one more of the valid split is cut
    to watch the training by. copies: how often each single character is drawn.
    """

    folder: Path
    sources: Sources
    shards: int = 80
    copies: int = 2
    workers: int = 2
    recipe: Recipe = field(default_factory=Recipe)
    widths: tuple[int, int, int, int] = WIDTHS

    @property
    def network_file(self) -> Path:
        """Where the trained network goes."""
        return self.folder / "network.pt"

    @property
    def log(self) -> Path:
        """Where the learning curve goes, one JSON object a line."""
        return self.folder / "log.jsonl"


def build_fields(plan: Plan) -> Iterator[int]:
    """Cut the missing shards of synthetic fields; yields how many are there, the valid one too."""
    parts: tuple[tuple[Split, int], ...] = (("train", plan.shards), ("valid", 1))
    for split, shards in parts:
        folder = plan.folder / split
        others = sum(len(list((plan.folder / s).glob("fields-????.npz"))) for s, _ in parts)
        yield others
        for done, _ in enumerate(
            build_field_crops(plan.sources, folder, shards, split, plan.workers), 1
        ):
            yield others + done


def build_isolated(plan: Plan, split: Split) -> tuple[Bytes, Bytes]:
    """Single characters of a split as crops and labels, drawn once and kept in the run's folder."""
    path = plan.folder / f"isolated-{split}-{plan.copies}-{plan.recipe.seed}.npz"
    if not path.exists():
        crops, labels = isolated_crops(plan.sources, split, plan.copies, plan.recipe.seed)
        part = path.with_suffix(".part.npz")
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(part, crops=crops, labels=labels)
        part.replace(path)
    with np.load(path) as held:
        return held["crops"], held["labels"]


def train_production(
    plan: Plan, progress: Callable[[int, float, float], None] | None = None
) -> nn.Module:
    """Train on the run's crops and write the network file; returns the averaged network.

    progress: called with samples seen, mean loss, and the error on held-out crops in per cent.
    """
    crops, labels = _material(plan, "train", plan.folder / "train")
    valid = _some(*_material(plan, "valid", plan.folder / "valid"), _VALID_CROPS)
    torch.manual_seed(plan.recipe.seed)
    network = ProductionNet(len(LABELS), plan.widths)
    losses: list[float] = []

    def watch(samples: int, averaged: nn.Module) -> None:
        device = next(averaged.parameters()).device
        wrong = predict(averaged.cpu(), valid[0]).argmax(axis=1) != valid[1]
        averaged.to(device)
        error = round(100 * float(wrong.mean()), 3)
        with plan.log.open("a") as log:
            row = {"samples": samples, "loss": losses[-1], "valid": error}
            log.write(json.dumps(row) + "\n")
        if progress is not None:
            progress(samples, losses[-1], error)

    averaged = train(
        network, crops, labels, plan.recipe, checkpoint=plan.folder / "checkpoint.pt",
        progress=lambda _samples, loss: losses.append(loss), watch=watch,
    )  # fmt: skip
    torch.save(
        {"state": averaged.state_dict(), "widths": plan.widths, "training": description(
            plan, len(crops)
        )},
        plan.network_file,
    )  # fmt: skip
    return averaged


def description(plan: Plan, crops: int) -> dict[str, Any]:
    """What the card says of a run: recipe, seed, numbers of crops."""
    return {
        "network": f"ProductionNet{plan.widths}",
        "recipe": asdict(plan.recipe),
        "fields": plan.shards * 1000,
        "copies_of_single_characters": plan.copies,
        "crops": crops,
    }


def load_network(path: Path) -> tuple[ProductionNet, dict[str, Any]]:
    """A network file's network, ready to predict, and how it was trained."""
    held = torch.load(path, weights_only=True)
    widths = tuple(int(width) for width in held["widths"])
    assert len(widths) == 4
    network = ProductionNet(len(LABELS), widths)
    network.load_state_dict(held["state"])
    return network.eval(), dict(held["training"])


def _material(plan: Plan, split: Split, folder: Path) -> tuple[Bytes, Bytes]:
    crops, labels = load_field_crops(folder)
    own, own_labels = build_isolated(plan, split)
    return np.concatenate([crops, own]), np.concatenate([labels, own_labels])


def _some(crops: Bytes, labels: Bytes, most: int) -> tuple[Bytes, Bytes]:
    rows = np.random.default_rng(0).permutation(len(crops))[:most]
    return crops[rows], labels[rows]
