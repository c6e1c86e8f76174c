"""Commands that tune the whole chain on amounts: `tune` and `adapt`."""

from dataclasses import replace
from enum import StrEnum
from itertools import islice
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from training.console import (
    MODEL,
    RUNS,
    Data,
    FieldOnly,
    Fonts,
    Model,
    Runs,
    Seed,
    Truth,
    console,
    explained,
    progress_bars,
    say,
)

# Images that the scales of eight bits are chosen by, at most.
IMAGES = 200


class LossName(StrEnum):
    """The losses of section VI, one switch."""

    viterbi = "viterbi"
    discriminative_viterbi = "discriminative_viterbi"
    forward = "forward"
    discriminative_forward = "discriminative_forward"


Bf16 = Annotated[
    bool, typer.Option("--bf16", help="Round the network's products: faster where it can be done.")
]
Workers = Annotated[int, typer.Option(help="Processes that cut and search.", min=1)]


def tune(
    model: Model = MODEL,
    to: Annotated[
        Path | None, typer.Option(help="Folder of the version to write. [default: the next one]")
    ] = None,
    loss: Annotated[LossName, typer.Option(help="What is minimised.")] = (
        LossName.discriminative_forward
    ),
    grammar: Annotated[bool, typer.Option(help="Tune the grammar's weights too.")] = True,
    samples: Annotated[
        int, typer.Option(help="Amounts to see, the same ones again where they run out.", min=1)
    ] = 24_000,
    fields: Annotated[int, typer.Option(help="Synthetic fields to make.", min=1)] = 12_000,
    cheques: Annotated[int, typer.Option(help="Synthetic cheques to make.", min=0)] = 2_000,
    strings: Annotated[int, typer.Option(help="Drawings of real strings.", min=0)] = 3_000,
    refused: Annotated[
        int, typer.Option(help="Pages without an amount, or with a negative one.", min=0)
    ] = 1_000,
    data: Data = None,
    fonts: Fonts = None,
    runs: Runs = RUNS,
    name: Annotated[str, typer.Option(help="Name of the run, a folder in --runs.")] = "global",
    seed: Seed = 0,
    bf16: Bf16 = False,
    workers: Workers = 2,
) -> None:
    """Tune the whole chain on amounts alone: recognizer, segments, fields and grammar."""
    import torch

    from service.calibration import next_version
    from training import tuning
    from training.data.folder import data_folder
    from training.dataset import Sources
    from training.global_train import GlobalRecipe, Progress

    with explained():
        torch.set_num_threads(workers)
        recipe = GlobalRecipe(loss=loss.value, fields=samples, seed=seed, bf16=bf16)
        recipe = recipe if grammar else replace(recipe, grammar_rate=0.0)
        plan = tuning.TuningPlan(
            model, runs / name, Sources(data_folder(data), fonts),
            {"fields": fields, "cheques": cheques, "strings": strings, "refused": refused},
            workers=workers, recipe=recipe,
        )  # fmt: skip
        with progress_bars() as bar:
            task = bar.add_task("material", total=None)
            for done in tuning.build_material(plan):
                bar.update(task, advance=1, description=done)
            task = bar.add_task("tuning", total=samples)

            def show(now: Progress, right: float) -> None:
                text = f"tuning, loss {now.loss:.3f}, held-out fields {100 * right:.1f} % right"
                bar.update(task, completed=now.fields, description=text)

            chain = tuning.run_tuning(plan, show)
        folder = to or next_version(model)
        difference = tuning.write_tuned(chain, model, folder, tuning.description(plan))
    say(f"wrote {folder}; torch and ONNX differ by at most {difference:.1g}")
    say(f"bring it to eight bits: python -m training quantize --model {folder}")
    say(f"it accepts nothing before: python -m training calibrate --model {folder}")


def adapt(
    images: Annotated[Path, typer.Option(help="Folder of the bank's own cheques.")],
    truth: Truth = None,
    model: Model = MODEL,
    to: Annotated[
        Path | None, typer.Option(help="Folder of the version to write. [default: the next one]")
    ] = None,
    field_only: FieldOnly = False,
    passes: Annotated[int, typer.Option(help="Passes over the images, at most.", min=1)] = 32,
    parts: Annotated[
        int, typer.Option(help="Chains to tune, each to all parts but one.", min=2, max=10)
    ] = 4,
    variants: Annotated[
        int, typer.Option(help="Distorted copies of every image to learn from.", min=0)
    ] = 8,
    rate: Annotated[float, typer.Option(help="Learning rate of the recognizer.")] = 3e-4,
    synthetic: Annotated[
        int, typer.Option(help="Synthetic fields mixed in, 0 for none.", min=0)
    ] = 1_000,
    data: Data = None,
    fonts: Fonts = None,
    runs: Runs = RUNS,
    name: Annotated[str, typer.Option(help="Name of the run, a folder in --runs.")] = "adapt",
    seed: Seed = 0,
    bf16: Bf16 = False,
    workers: Workers = 2,
) -> None:
    """Tune the whole chain to a bank's own cheques, of which only the amounts are known."""
    import torch

    from service.calibration import load_sample, next_version, refuse_existing
    from service.pipeline.card import load_card
    from training import adapt as adaptation
    from training import quantize as quantizing
    from training.data.folder import data_folder
    from training.dataset import Sources
    from training.global_train import Progress
    from training.pretrain import Pool
    from training.strings import StringSample
    from training.strips import Strip
    from training.swept import SweptNet
    from training.swept_commands import adapt_networks

    with explained():
        torch.set_num_threads(workers)
        folder = to or next_version(model)
        refuse_existing(folder)
        sample = load_sample(truth or images, images)
        plan = adaptation.AdaptPlan(
            model,
            passes=passes,
            parts=parts,
            workers=workers,
            recipe=replace(adaptation.RECIPE, seed=seed, rate=rate, bf16=bf16),
        )
        with progress_bars() as bar:
            task = bar.add_task("cutting the images", total=len(sample.labels))
            cut = {}
            for image, own in adaptation.cut_sample(
                sample, field_only=field_only, variants=variants, seed=seed
            ):
                bar.advance(task)
                if own:
                    cut[image] = own
            mixed: list[StringSample] = []
            pools: list[Pool] = []
            strips: list[Strip] = []
            if synthetic:
                task = bar.add_task("synthetic fields", total=None)
                sources = Sources(data_folder(data), fonts)
                for done in adaptation.build_mixture(sources, runs / name, synthetic, workers):
                    bar.update(task, advance=1, description=done)
                mixed, pools, strips = adaptation.load_mixture(runs / name, synthetic)
            task = bar.add_task("adapting", total=None)

            def show(part: int, now: Progress, loss: float) -> None:
                text = (
                    f"adapting, part {part + 1} of {plan.parts} held back: loss {now.loss:.3f}, "
                    f"on that part {loss:.3f}"
                )
                bar.update(task, completed=now.fields, description=text)

            adapted = adaptation.adapt(plan, cut, mixed, pools, progress=show)
            swept: dict[bool, SweptNet] = {}
            if load_card(model).swept is not None:
                swept = adapt_networks(
                    model, sample, strips, bar,
                    field_only=field_only, variants=variants, seed=seed,
                )  # fmt: skip
        adaptation.write_adapted(adapted, plan, sample, folder, swept, field_only=field_only)
        shown = ((sample.folder / one).read_bytes() for one in islice(cut, IMAGES))
        quantizing.quantize_model(
            folder, quantizing.examples_of(folder, shown, field_only=field_only)
        )
    table = Table("each part while held back", "loss", "right %")
    for row, loss, right in (
        ("before", adapted.loss_before, adapted.right_before),
        ("after", adapted.loss_after, adapted.right_after),
    ):
        table.add_row(row, f"{loss:.3f}", f"{100 * right:.1f}")
    console.print(table)
    left_out = len(sample.labels) - len(cut)
    say(f"wrote {folder}: adapted to {adapted.images} images, {left_out} of no use")
    say(adaptation.what_it_accepts(adapted, folder))


def ablate(
    model: Annotated[Path, typer.Option(help="The model to begin with, trained on characters.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder with truth.csv to test on as well.")
    ] = None,
    field_only: FieldOnly = False,
    samples: Annotated[int, typer.Option(help="Amounts that each variant sees.", min=1)] = 6_400,
    characters: Annotated[
        Path, typer.Option(help="Folder of the training crops that pretrain made.")
    ] = RUNS / "amounts" / "train",
    material: Annotated[
        Path, typer.Option(help="Folder of the run of `tune` whose material is used.")
    ] = RUNS / "global",
    out: Annotated[Path, typer.Option(help="Folder for the results.")] = RUNS / "ablation",
    data: Data = None,
    seed: Seed = 0,
    bf16: Bf16 = False,
    workers: Workers = 2,
) -> None:
    """Train the chain without one part after the other, and LeNet-5 of 1998 in its place."""
    import torch

    from training import ablation, tuning
    from training.data.folder import data_folder
    from training.dataset import Sources
    from training.global_train import GlobalRecipe

    table = Table("trained", "synthetic fields right %", "correct_all", "read_at_1pct")
    with explained():
        torch.set_num_threads(workers)
        recipe = GlobalRecipe(fields=samples, seed=seed, bf16=bf16)
        sources = Sources(data_folder(data), None)
        plan = tuning.TuningPlan(model, material, sources, workers=workers, recipe=recipe)
        trials = ablation.run_ablation(
            plan, characters, out, images=images, field_only=field_only, progress=say
        )
        for one in trials:
            shares = [
                "" if value is None else f"{value:.3f}"
                for value in (one.correct_all, one.read_at_1pct)
            ]
            table.add_row(one.name, f"{100 * one.synthetic:.1f}", *shares)
    console.print(table)


def quantize(
    model: Model = MODEL,
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of images to choose scales by. [default: synthetic cheques]"),
    ] = None,
    field_only: FieldOnly = False,
    count: Annotated[
        int, typer.Option(help="Images to choose scales by, at most.", min=1)
    ] = IMAGES,
    shared: Annotated[
        bool, typer.Option(help="Also the networks that belong to the service's code.")
    ] = False,
    data: Data = None,
    seed: Seed = 0,
) -> None:
    """Bring a model's networks to integers of eight bits, as the service runs them."""
    from training import quantize as quantizing
    from training.data.folder import data_folder

    with explained():
        if shared and (images is not None or field_only):
            raise ValueError("the field map sees whole pages of any bank: --shared takes no images")
        if images is None:
            drawn = quantizing.drawn_cheques(data_folder(data), count, seed)
        else:
            drawn = islice(quantizing.images_in(images), count)
        examples = quantizing.examples_of(model, drawn, field_only=field_only)
        digests = quantizing.quantize_shared(examples) if shared else {}
        changed = quantizing.quantize_model(model, examples)
    for name, off in changed.items():
        say(f"wrote {name} in eight bits into {model}: penalties change by {off:.3f} nats")
    for name, digest in digests.items():
        say(f"wrote service/pipeline/{name}, its sha256 for the module that reads it: {digest}")
    say(f"it accepts as before; to count anew: python -m training calibrate --model {model}")
