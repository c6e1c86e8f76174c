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
from training.descent import mean_network
from training.encode import png
from training.export import export_swept, load_exported
from training.global_train import Chain, GlobalRecipe, Progress, tune, workers
from training.pretrain import Pool
from training.string_loss import Runner
from training.strings import SHARD, StringSample, build_strings, cut_image, load_strings
from training.strips import Strip, build_strips, load_strips
from training.swept import SweptNet
from training.tuning import single_pools, write_tuned
from training.variants import CROPPED, PAGE, varied

# Synthetic strips are made in no time: so many to a field.
_STRIPS = 4
# Below it a part says nothing of when to stop.
_LEAST = 10

RECIPE = GlobalRecipe(rate=3e-4, hopeless=16.0, every=20, average=0.95)


@dataclass(frozen=True, slots=True)
class AdaptPlan:
    """How to adapt: the model, how many passes over the images, how many parts they come in.

    own: share of a batch that is the bank's, the rest is synthetic. patience: checks in a row
    without a lower loss on what is held back after which training ends. share: of the tuned chain
    in the mean with the one before, where a swept network reads beside it: tuned to a few hundred
    images it reads better by itself, and is too sure to have nearly half of the say.
    """

    model: Path
    passes: int = 32
    parts: int = 4
    own: float = 0.6
    patience: int = 6
    share: float = 0.25
    workers: int = 2
    recipe: GlobalRecipe = RECIPE


@dataclass(frozen=True, slots=True)
class Adapted:
    """What came out: the chain, and how the parts were read by chains that never saw them.

    kept: samples seen of each part when its chain was reached; images: that were learned from.
    share: of the tuned chains' mean in chain, the rest is the chain before. loss, right: mean loss
    and share read rightly, of every part by the chain tuned to the others.
    """

    chain: Chain
    kept: tuple[int, ...]
    images: int
    share: float
    loss_before: float
    loss_after: float
    right_before: float
    right_after: float


@dataclass(frozen=True, slots=True)
class _Part:
    """The chain that read one part best, and how it and the one before read it."""

    chain: Chain
    kept: int
    loss: tuple[float, float]
    right: tuple[float, float]


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


def parted(names: Sequence[str], parts: int) -> list[list[str]]:
    """Names in so many parts, neighbours in different ones."""
    return [list(names[number::parts]) for number in range(parts)]


def adapt(
    plan: AdaptPlan,
    images: Mapping[str, Sequence[StringSample]],
    synthetic: Sequence[StringSample],
    pools: Sequence[Pool],
    *,
    progress: Callable[[int, Progress, float], None] | None = None,
) -> Adapted:
    """Tune the whole chain of a model to images, as a mean of chains tuned to all parts but one.

    Each ends where the part that it does not see is read best. A few dozen images say that only
    roughly: the mean of the chains hangs on no part, and has learned from all of them. Of it
    `AdaptPlan.share` is taken, of the chain before the rest.
    images: of each by its name its graph, and after it those of its variants. synthetic, pools:
    fields and single characters mixed in, so that nothing is forgotten.
    progress: called with the part's number, where training stands and the loss on that part.
    Raises ValueError for fewer than ten images.
    """
    if len(images) < _LEAST:
        raise ValueError(
            f"{len(images)} usable images are too few to adapt to; {_LEAST} are the least"
        )
    names = sorted(images)
    parts = parted(names, plan.parts)
    card = load_card(plan.model)
    found: list[_Part] = []
    with workers(plan.workers, card.labels) as runner:
        for number, back in enumerate(parts):

            def tell(now: Progress, loss: float, number: int = number) -> None:
                if progress is not None:
                    progress(number, now, loss)

            left = set(back)
            own = [one for name in names if name not in left for one in images[name]]
            fields = math.ceil(plan.passes * (len(names) - len(back)) / plan.own)
            recipe = replace(plan.recipe, fields=fields, seed=plan.recipe.seed + number)
            kinds = [(own, plan.own), (synthetic, 1 - plan.own)] if synthetic else [(own, 1.0)]
            chain = Chain(load_exported(plan.model), card)
            held_back = [images[name][0] for name in back]
            found.append(_tuned_to(chain, kinds, held_back, pools, recipe, plan, runner, tell))
    shares = np.array([len(part) for part in parts]) / len(names)
    loss = shares @ np.array([part.loss for part in found])
    right = shares @ np.array([part.right for part in found])
    tuned = mean_network([part.chain for part in found])
    share = plan.share if card.swept is not None else 1.0
    before = Chain(load_exported(plan.model), card)
    return Adapted(
        mean_network([before, tuned], [1 - share, share]),
        tuple(part.kept for part in found),
        len(names),
        share,
        *(round(float(one), 4) for one in (*loss, *right)),
    )


def _tuned_to(
    chain: Chain,
    kinds: Sequence[tuple[Sequence[StringSample], float]],
    held_back: Sequence[StringSample],
    pools: Sequence[Pool],
    recipe: GlobalRecipe,
    plan: AdaptPlan,
    runner: Runner,
    progress: Callable[[Progress, float], None],
) -> _Part:
    """Tune a chain on kinds of samples; what reads those held back best of what it became."""

    def loss_of(one: Chain) -> float:
        with torch.no_grad():
            losses = [one.losses(b, recipe.loss, runner) for b in one.batches(held_back, 64)]
        return float(torch.cat(losses).clamp(max=recipe.hopeless).mean())

    before, right = loss_of(chain), chain.share_right(held_back)
    best, least, kept, since = copy.deepcopy(chain), before, 0, 0
    told: list[Progress] = []

    def watch(seen: int, averaged: Chain) -> bool:
        nonlocal best, least, kept, since
        loss = loss_of(averaged)
        since += 1
        if loss < least:
            best, least, kept, since = copy.deepcopy(averaged), loss, seen, 0
        progress(told[-1], loss)
        return since >= plan.patience

    tune(chain, kinds, pools, recipe, runner=runner, progress=told.append, watch=watch)
    return _Part(best, kept, (before, least), (right, best.share_right(held_back)))


def build_mixture(sources: Sources, folder: Path, fields: int, workers: int = 2) -> Iterator[str]:
    """Make the synthetic fields, strips and single characters that are mixed in; yields what is
    made."""
    shards = -(-fields // SHARD)
    for number in build_strings(sources, folder, "fields", shards, "train", workers):
        yield f"synthetic fields {SHARD * (number + 1)}"
    thousands = -(-_STRIPS * fields // 1000)
    for number in build_strips(sources, folder / "strips", "fields", thousands, "train", workers):
        yield f"synthetic strips {1000 * (number + 1)}"
    yield from build_isolated(sources, folder, "train", 0, workers)


def load_mixture(folder: Path, fields: int) -> tuple[list[StringSample], list[Pool], list[Strip]]:
    """What build_mixture made."""
    return (
        load_strings(folder, "fields", -(-fields // SHARD)),
        single_pools(folder),
        load_strips(folder / "strips", "fields", -(-_STRIPS * fields // 1000)),
    )


def write_adapted(
    adapted: Adapted,
    plan: AdaptPlan,
    sample: Sample,
    to: Path,
    swept: Mapping[bool, SweptNet],
    *,
    field_only: bool,
) -> None:
    """Write what was adapted as a new version, which ranks and accepts nothing.

    swept: the swept networks that were tuned, by whether it is the one that reads print.
    """
    training = {
        "adapted": {
            "from": load_card(plan.model).model_version,
            "images": adapted.images,
            "parts": plan.parts,
            "kept": adapted.kept,
            "share": adapted.share,
            "sample_sha256": digest(sample),
            "cropped": field_only,
            "recipe": asdict(plan.recipe),
        }
    }
    write_tuned(adapted.chain, plan.model, to, training)
    for of_print, network in swept.items():
        export_swept(network, to, of_print=of_print)


def what_it_accepts(adapted: Adapted, to: Path, max_error: float = DEFAULT_MAX_ERROR) -> str:
    """What the new version accepts, and what to do about it."""
    return (
        f"{to} learned from all {adapted.images} images, so that errors cannot be counted on them: "
        f"it keeps no threshold and accepts nothing, it ranks only. Calibrate it to labelled "
        f"cheques it was not adapted to (cheque-reader calibrate); an error of "
        f"{100 * max_error:g} % needs {sample_needed(max_error)} accepted without one"
    )
