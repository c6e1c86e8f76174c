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
from training.dataset import (
    ISOLATED,
    LABELS,
    Sources,
    build_field_crops,
    build_isolated,
    load_field_crops,
    load_isolated,
)
from training.lenet import ProductionNet
from training.pretrain import Pool, Recipe, draw, predict, train

Bytes = NDArray[np.uint8]

WIDTHS = (16, 64, 128, 192)
_VALID_CROPS = 6000
_PARTS: tuple[Split, Split] = ("train", "valid")


@dataclass(frozen=True, slots=True)
class Plan:
    """One production run: its folder, where its material lies, how much of it, how to train.

    shards: of a thousand synthetic fields each, for training; one more of the valid split is cut
    to watch the training by.
    """

    folder: Path
    sources: Sources
    shards: int = 80
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
    parts = tuple(zip(_PARTS, (plan.shards, 1), strict=True))
    for split, shards in parts:
        folder = plan.folder / split
        others = sum(len(list((plan.folder / s).glob("fields-????.npz"))) for s, _ in parts)
        yield others
        for done, _ in enumerate(
            build_field_crops(plan.sources, folder, shards, split, plan.workers), 1
        ):
            yield others + done


def build_single(plan: Plan) -> Iterator[int]:
    """Draw the missing sets of single characters; yields how many are done."""
    done = 0
    for split in _PARTS:
        for _ in build_isolated(
            plan.sources, plan.folder / split, split, plan.recipe.seed, plan.workers
        ):
            done += 1
            yield done


def train_production(
    plan: Plan, progress: Callable[[int, float, float], None] | None = None
) -> nn.Module:
    """Train on the run's crops and write the network file; returns the averaged network.

    progress: called with samples seen, mean loss, and the error on held-out crops in per cent.
    """
    pools = material(plan.folder / "train")
    valid = _held_out(material(plan.folder / "valid"))
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
        network, pools, plan.recipe, checkpoint=plan.folder / "checkpoint.pt",
        progress=lambda _samples, loss: losses.append(loss), watch=watch,
    )  # fmt: skip
    torch.save(
        {"state": averaged.state_dict(), "widths": plan.widths, "training": description(
            plan, pools
        )},
        plan.network_file,
    )  # fmt: skip
    return averaged


def description(plan: Plan, pools: list[Pool]) -> dict[str, Any]:
    """What the card says of a run: recipe, seed, numbers of crops."""
    return {
        "network": f"ProductionNet{plan.widths}",
        "recipe": asdict(plan.recipe),
        "fields": plan.shards * 1000,
        "crops": {pool.name: len(pool.crops) for pool in pools},
        "shares": {pool.name: pool.share for pool in pools},
    }


def load_network(path: Path) -> tuple[ProductionNet, dict[str, Any]]:
    """A network file's network, ready to predict, and how it was trained."""
    held = torch.load(path, weights_only=True)
    widths = tuple(int(width) for width in held["widths"])
    assert len(widths) == 4
    network = ProductionNet(len(LABELS), widths)
    network.load_state_dict(held["state"])
    return network.eval(), dict(held["training"])


def material(folder: Path) -> list[Pool]:
    """The crops of a split's folder: those cut from fields, and each set of single characters."""
    single = [
        Pool(name, *crops, ISOLATED[name][1]) for name, crops in load_isolated(folder).items()
    ]
    from_fields = 1.0 - sum(pool.share for pool in single)
    return [Pool("fields", *load_field_crops(folder), from_fields), *single]


def _held_out(pools: list[Pool]) -> tuple[Bytes, Bytes]:
    """A sample of the pools by their shares, always the same."""
    generator = torch.Generator().manual_seed(0)
    return draw(pools, _VALID_CROPS, generator)
