"""What each part of the training is worth: the same chain trained without it (section X-E)."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from service.pipeline.card import load_card
from training.dataset import LABELS
from training.export import load_exported
from training.global_train import Chain, GlobalRecipe
from training.lenet1998 import LeNet5
from training.pretrain import Recipe, train
from training.readings import evaluate_folder
from training.recipes import material
from training.string_loss import LOSSES
from training.strings import load_strings
from training.tuning import TuningPlan, run_tuning, write_tuned

LENET5 = Recipe(samples=1_500_000, decay=0.05)


@dataclass(frozen=True, slots=True)
class Variant:
    """One way to train: the network, and the recipe of its global training (None: none)."""

    name: str
    network: str = "production"
    recipe: GlobalRecipe | None = None


def variants(recipe: GlobalRecipe) -> list[Variant]:
    """Characters only, the four losses, no grammar weights; and LeNet-5 of 1998."""
    whole = replace(recipe, loss="discriminative_forward")
    return [
        Variant("characters only"),
        *(Variant(loss, recipe=replace(recipe, loss=loss)) for loss in LOSSES),
        Variant("grammar as written", recipe=replace(whole, grammar_rate=0.0)),
        Variant("LeNet-5 of 1998, characters only", "lenet5"),
        Variant("LeNet-5 of 1998, discriminative_forward", "lenet5", whole),
    ]


@dataclass(frozen=True, slots=True)
class Trial:
    """What a variant gave: share of held-out synthetic fields right, scores of the images."""

    name: str
    synthetic: float
    correct_all: float | None = None
    read_at_1pct: float | None = None


def run_ablation(
    plan: TuningPlan,
    characters: Path,
    out: Path,
    *,
    images: Path | None = None,
    field_only: bool = False,
    lenet5: Recipe | None = None,
    progress: Callable[[str], None] = lambda _text: None,
) -> Iterator[Trial]:
    """Train and test every variant; what is finished is not trained again.

    plan: the model to begin with and the material of global training; characters: the folder of
    training crops that pretrain made, for LeNet-5; out: a folder for results. images: a folder with
    truth.csv to test on as well.
    """
    held_out = load_strings(plan.folder / "valid", "fields")[: plan.held_out]
    card = load_card(plan.model)
    for variant in variants(plan.recipe):
        folder = out / variant.name.replace(" ", "_").replace(",", "")
        finished = folder / "trial.json"
        if finished.exists():
            yield Trial(**json.loads(finished.read_text()))
            continue
        folder.mkdir(parents=True, exist_ok=True)
        progress(variant.name)
        network = None
        if variant.network == "lenet5":
            network = _lenet5(characters, out, lenet5 or LENET5)
        if variant.recipe is None:
            chain = Chain(network or load_exported(plan.model), card)
        else:
            own = replace(plan, recipe=variant.recipe)
            chain = run_tuning(own, network=network, run=folder)
        scores: dict[str, Any] = {}
        if images is not None:
            write_tuned(chain, plan.model, folder / "model", {"ablation": asdict(variant)})
            found, _ = evaluate_folder(
                folder / "model", images, images / "truth.csv", folder, field_only=field_only
            )
            scores = {"correct_all": found.correct_all, "read_at_1pct": found.read_at_1pct}
        trial = Trial(variant.name, round(chain.share_right(held_out), 4), **scores)
        finished.write_text(json.dumps(asdict(trial)) + "\n")
        yield trial


def _lenet5(characters: Path, out: Path, recipe: Recipe) -> nn.Module:
    """LeNet-5 of 1998 on the same characters as the production network, trained once."""
    torch.manual_seed(recipe.seed)
    network = LeNet5("".join(LABELS[:-1]))
    kept = out / "lenet5.pt"
    if not kept.exists():
        out.mkdir(parents=True, exist_ok=True)
        trained = train(network, material(characters), recipe, checkpoint=out / "lenet5.part.pt")
        torch.save(trained.state_dict(), kept)
    network.load_state_dict(torch.load(kept, weights_only=True))
    return network.eval()
