"""Adaptation to a bank's own cheques, of which nothing but the amounts is known (section VII)."""

import copy
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from service.calibration import Sample, digest
from service.errors import InputError
from service.pipeline.card import load_card
from service.pipeline.decision import DEFAULT_MAX_ERROR, sample_needed
from service.pipeline.image import load_cheque
from training.dataset import Sources, build_isolated
from training.encode import png
from training.export import load_exported
from training.global_train import Chain, GlobalRecipe, Progress, tune, workers
from training.pretrain import Pool
from training.strings import SHARD, StringSample, build_strings, cut_image, load_strings
from training.tuning import single_pools, write_tuned
from training.variants import CROPPED, PAGE, varied

RECIPE = GlobalRecipe(rate=3e-4, hopeless=16.0, every=20, average=0.95)


@dataclass(frozen=True, slots=True)
class AdaptPlan:
    """How to adapt: the model, how many passes over the images, what part of them is held back.

    own: share of a batch that is the bank's, the rest is synthetic. patience: checks in a row
    without a lower loss on what is held back after which training ends.
    """

    model: Path
    passes: int = 32
    held_back: float = 0.2
    own: float = 0.6
    patience: int = 4
    workers: int = 2
    recipe: GlobalRecipe = RECIPE


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came out: the chain, and how it reads what was held back, before and after.

    kept: samples seen when the chain that is kept was reached. held_back: names of its images.
    """

    chain: Chain
    kept: int
    trained_on: int
    held_back: tuple[str, ...]
    loss_before: float
    loss_after: float
    right_before: float
    right_after: float


def amounts_of(label: str, key: str) -> tuple[int, ...]:
    """The amounts in minor units that a label may mean.

    Digits do not say whether the last two are cents.
    """
    if key == "amount_minor":
        return (int(label),)
    whole = int(label) * 100
    return (whole, int(label)) if len(label) > 2 else (whole,)


def cut_sample(
    sample: Sample, *, field_only: bool, variants: int = 0, seed: int = 0
) -> Iterator[tuple[str, tuple[StringSample, ...]]]:
    """Every image of a labelled sample with its graph, and with those of so many variants of it.

    Nothing where there is nothing to be learned: the image has no amount, cannot be read as an
    image, or holds no ink.
    """
    for number, (name, label) in enumerate(sample.labels.items()):
        if label == "":
            yield name, ()
            continue
        amounts = amounts_of(label, sample.key)
        rng = np.random.default_rng((seed, number))
        try:
            data = (sample.folder / name).read_bytes()
            grey = load_cheque(data, field_only=field_only).grey
            how = CROPPED if field_only else PAGE
            files = [data, *(png(varied(rng, grey, how)) for _ in range(variants))]
            cut = [cut_image(file, amounts, field_only=field_only) for file in files]
        except InputError:
            cut = []
        yield name, tuple(one for one in cut if one is not None) if cut and cut[0] else ()


def parted(names: Sequence[str], share: float) -> tuple[list[str], list[str]]:
    """Names to train on and to hold back: every so manieth of them in their order."""
    every = max(round(1 / share), 2)
    back = [name for index, name in enumerate(names) if index % every == every // 2]
    return [name for name in names if name not in set(back)], back


def adapt(
    plan: AdaptPlan,
    images: Mapping[str, Sequence[StringSample]],
    synthetic: Sequence[StringSample],
    pools: Sequence[Pool],
    *,
    checkpoint: Path | None = None,
    progress: Callable[[Progress, float], None] | None = None,
) -> Adapted:
    """Tune the whole chain of a model to images; the chain that reads the held-back ones best.

    images: of each by its name its graph, and after it those of its variants. synthetic, pools:
    fields and single characters mixed in, so that nothing is forgotten.
    progress: called with where training stands and the loss on what is held back.
    """
    if len(images) < 10:
        raise ValueError(f"{len(images)} usable images are too few to adapt to; 10 are the least")
    card = load_card(plan.model)
    chain = Chain(load_exported(plan.model), card)
    training, back = parted(sorted(images), plan.held_back)
    own = [variant for name in training for variant in images[name]]
    held_back = [images[name][0] for name in back]
    fields = math.ceil(plan.passes * len(training) / plan.own)
    recipe = replace(plan.recipe, fields=fields)
    kinds = [(own, plan.own), (synthetic, 1 - plan.own)] if synthetic else [(own, 1.0)]
    told: list[Progress] = []
    with workers(plan.workers, card.labels) as runner:

        def loss_of(one: Chain) -> float:
            with torch.no_grad():
                losses = [one.losses(b, recipe.loss, runner) for b in one.batches(held_back, 64)]
            return float(torch.cat(losses).clamp(max=recipe.hopeless).mean())

        before = loss_of(chain)
        right_before = chain.share_right(held_back)
        best, least, kept, since = copy.deepcopy(chain), before, 0, 0

        def watch(seen: int, averaged: Chain) -> bool:
            nonlocal best, least, kept, since
            loss = loss_of(averaged)
            since += 1
            if loss < least:
                best, least, kept, since = copy.deepcopy(averaged), loss, seen, 0
            if progress is not None:
                progress(told[-1], loss)
            return since >= plan.patience

        tune(
            chain, kinds, pools, recipe, runner=runner, checkpoint=checkpoint,
            progress=told.append, watch=watch,
        )  # fmt: skip
    right = best.share_right(held_back)
    return Adapted(
        best,
        kept,
        len(training),
        tuple(back),
        before,
        least,
        right_before,
        float(np.round(right, 4)),
    )


def build_mixture(sources: Sources, folder: Path, fields: int, workers: int = 2) -> Iterator[str]:
    """Make the synthetic fields and single characters that are mixed in; yields what is made."""
    shards = -(-fields // SHARD)
    for number in build_strings(sources, folder, "fields", shards, "train", workers):
        yield f"synthetic fields {SHARD * (number + 1)}"
    yield from build_isolated(sources, folder, "train", 0, workers)


def load_mixture(folder: Path, fields: int) -> tuple[list[StringSample], list[Pool]]:
    """What build_mixture made."""
    return load_strings(folder, "fields", -(-fields // SHARD)), single_pools(folder)


def write_adapted(
    adapted: Adapted, plan: AdaptPlan, sample: Sample, to: Path, *, field_only: bool
) -> None:
    """Write the adapted chain as a new version, calibrated where enough was held back."""
    recipe = asdict(replace(plan.recipe, fields=adapted.kept))
    training = {
        "adapted": {
            "from": load_card(plan.model).model_version,
            "images": adapted.trained_on,
            "held_back": len(adapted.held_back),
            "sample_sha256": digest(sample),
            "cropped": field_only,
            "recipe": recipe,
        }
    }
    write_tuned(adapted.chain, plan.model, to, training)


def what_it_accepts(adapted: Adapted, to: Path, max_error: float = DEFAULT_MAX_ERROR) -> str:
    """What the new version accepts, and what to do about it."""
    needed, back = sample_needed(max_error), len(adapted.held_back)
    enough = "enough" if back >= needed else "too few"
    return (
        f"{back} images held back are {enough} to count errors on: an error of "
        f"{100 * max_error:g} % needs {needed} accepted without one. {to} keeps no threshold and "
        f"accepts nothing, it ranks only; calibrate it to labelled cheques it was not adapted to "
        f"(cheque-reader calibrate)"
    )
