"""Global training from its material to a model's folder, in steps that an interrupted run keeps."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from service.pipeline.card import SWEPT, load_card
from training.dataset import ISOLATED, Sources, build_isolated, load_isolated
from training.export import export, load_exported
from training.global_train import Chain, GlobalRecipe, Progress, tune, workers
from training.pretrain import Pool
from training.strings import KINDS, SHARD, Kind, build_strings, load_strings


@dataclass(frozen=True, slots=True)
class TuningPlan:
    """One run: the model to begin with, the folder of the run, its material, how to tune.

    samples: how many of each kind are made for training. shares: of each kind in a batch.
    held_out: how many fields of other writers the training is watched by.
    """

    model: Path
    folder: Path
    sources: Sources
    samples: dict[Kind, int] = field(
        default_factory=lambda: {
            "fields": 12_000,
            "cheques": 2_000,
            "strings": 3_000,
            "refused": 1_000,
        }
    )
    shares: dict[Kind, float] = field(
        default_factory=lambda: {
            "fields": 0.64,
            "cheques": 0.15,
            "strings": 0.13,
            "refused": 0.08,
        }
    )
    held_out: int = 250
    workers: int = 2
    recipe: GlobalRecipe = field(default_factory=GlobalRecipe)


def build_material(plan: TuningPlan) -> Iterator[str]:
    """Make what is missing; yields what has been made."""
    for kind in KINDS:
        shards = -(-plan.samples.get(kind, 0) // SHARD)
        made = build_strings(
            plan.sources, plan.folder / "train", kind, shards, "train", plan.workers
        )
        for number in made:
            yield f"{kind} {number + 1} of {shards}"
    shards = -(-plan.held_out // SHARD)
    for _ in build_strings(plan.sources, plan.folder / "valid", "fields", shards, "valid", 1):
        yield "held out"
    singles = plan.folder / "train"
    yield from build_isolated(plan.sources, singles, "train", plan.recipe.seed, plan.workers)


def run_tuning(
    plan: TuningPlan,
    progress: Callable[[Progress, float], None] | None = None,
    network: nn.Module | None = None,
    run: Path | None = None,
) -> Chain:
    """Tune the chain of the plan's model; returns the averaged chain.

    progress: called with where training stands and the share of held-out fields read right.
    network: in place of the model's. run: folder of the checkpoint and the log, where it is not
    that of the material.
    """
    run = run or plan.folder
    card = load_card(plan.model)
    chain = Chain(network or load_exported(plan.model), card)
    kinds = [
        (load_strings(plan.folder / "train", kind, -(-count // SHARD)), plan.shares[kind])
        for kind, count in plan.samples.items()
        if count > 0
    ]
    held_out = load_strings(plan.folder / "valid", "fields")[: plan.held_out]
    told: list[Progress] = []

    def watch(_fields: int, averaged: Chain) -> bool:
        right = averaged.share_right(held_out) if held_out else 0.0
        with (run / "log.jsonl").open("a") as log:
            log.write(json.dumps({**asdict(told[-1]), "valid_right": round(right, 4)}) + "\n")
        if progress is not None:
            progress(told[-1], right)
        return False

    with workers(plan.workers, card.labels) as runner:
        return tune(
            chain, kinds, single_pools(plan.folder / "train"), plan.recipe, runner=runner,
            checkpoint=run / "checkpoint.pt", progress=told.append, watch=watch,
        )  # fmt: skip


def single_pools(folder: Path) -> list[Pool]:
    """The single characters of a folder, by their shares."""
    return [Pool(name, *crops, ISOLATED[name][1]) for name, crops in load_isolated(folder).items()]


def write_tuned(chain: Chain, model: Path, to: Path, training: dict[str, Any]) -> float:
    """Export a tuned chain as the version `to`.name; returns the difference of ONNX to torch.

    The card is the model's with the tuned weights, and without a tally: what the confidences are
    worth has to be counted anew. training: what was done, added under "tuned".
    """
    card = json.loads((model / "card.json").read_text())
    card |= {"name": to.parent.name, "version": to.name, "weights": chain.weights.entries()}
    card["training"] = {**card["training"], **training}
    for name in ("calibration", "field_calibration"):
        if name in card:
            card[name] = {"slope": card[name]["slope"], "shift": card[name]["shift"]}
    card.pop("calibrated_on", None)
    card["scores"] = {}
    difference = export(chain.network, card, to)
    if "swept" in card:
        shutil.copyfile(model / SWEPT, to / SWEPT)
    return difference


def description(plan: TuningPlan) -> dict[str, Any]:
    """What the card says of a run."""
    recipe = asdict(plan.recipe)
    return {"global": {"recipe": recipe, "samples": plan.samples, "shares": plan.shares}}
