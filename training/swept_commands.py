"""Commands for the swept network: `sweep`, and its part of `adapt`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress, TaskID

from training.console import (
    MODEL,
    RUNS,
    Data,
    Fonts,
    Model,
    Runs,
    Seed,
    explained,
    progress_bars,
    say,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.calibration import Sample
    from training.strips import Strip
    from training.swept import SweptNet


def sweep(
    model: Model = MODEL,
    strips: Annotated[int, typer.Option(help="Strips to see in all.", min=0)] = 1_000_000,
    fields: Annotated[int, typer.Option(help="Thousands of synthetic fields.", min=0)] = 48,
    printed: Annotated[
        int, typer.Option("--print", help="Thousands of synthetic fields in print.", min=0)
    ] = 15,
    cheques: Annotated[int, typer.Option(help="Thousands of synthetic cheques.", min=0)] = 4,
    strings: Annotated[int, typer.Option(help="Thousands of real strings.", min=0)] = 8,
    hands: Annotated[int, typer.Option(help="Thousands of synthetic fields by hand.", min=0)] = 0,
    typed: Annotated[int, typer.Option(help="Thousands of synthetic cheques in print.", min=0)] = 0,
    print_alone: Annotated[
        bool,
        typer.Option(
            "--print-alone", help="Learn print alone: the network that reads it, where one does."
        ),
    ] = False,
    keep_hands: Annotated[
        Path | None,
        typer.Option(
            help="Learn print alone, and of hands to say what this model's swept network says."
        ),
    ] = None,
    first: Annotated[
        int, typer.Option(help="The first thousand of each: other ones hold other images.", min=0)
    ] = 0,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-3,
    begin: Annotated[
        list[Path] | None,
        typer.Option(help="A model to begin with its swept network; of several, with their mean."),
    ] = None,
    data: Data = None,
    fonts: Fonts = None,
    runs: Runs = RUNS,
    name: Annotated[str, typer.Option(help="Name of the run, a folder in --runs.")] = "swept",
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(help="Processes that cut and search.", min=1)] = 2,
) -> None:
    """Train the swept network on texts alone and put it into a model's folder.

    With --strips 0 the network begun with is put there as it is.
    """
    import torch

    from training import swept
    from training.data.folder import data_folder
    from training.dataset import Sources
    from training.descent import mean_network
    from training.export import export_swept, load_swept

    with explained():
        torch.set_num_threads(workers)
        recipe = swept.SweptRecipe(strips=strips, rate=rate, seed=seed)
        begun = [load_swept(one, of_print=print_alone) for one in begin or ()]
        network = mean_network(begun) if begun else None
        if strips or network is None:
            with progress_bars() as bar:
                task = bar.add_task("strips", total=None)
                made = swept.build_swept_material(
                    Sources(data_folder(data), fonts), runs / name,
                    {
                        "fields": fields, "print": printed, "cheques": cheques,
                        "strings": strings, "hands": hands, "typed": typed,
                    },
                    1, workers, first,
                )  # fmt: skip
                for done in made:
                    bar.update(task, advance=1, description=done)
                task = bar.add_task("training", total=strips)

                def show(now: swept.SweptProgress, right: float) -> None:
                    text = f"training, loss {now.loss:.3f}, held out {100 * right:.1f} % right"
                    bar.update(task, completed=now.strips, description=text)

                before = load_swept(keep_hands) if keep_hands else None
                network = swept.run_swept(
                    runs / name, recipe, show, network, before, print_alone=print_alone
                )
        difference = export_swept(network, model, of_print=print_alone)
    say(f"put it into {model}; torch and ONNX differ by at most {difference:.1g}")
    say(f"bring it to eight bits: python -m training quantize --model {model}")
    say("then calibrate it anew: doubts, calibrate")


def gate(
    printed: Annotated[Path, typer.Option(help="A model whose swept network learned print.")],
    model: Model = MODEL,
    runs: Runs = RUNS,
    name: Annotated[
        str, typer.Option(help="The run that made strips, a folder in --runs.")
    ] = "swept",
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(help="Threads.", min=1)] = 2,
) -> None:
    """Have a model read print with the swept network of another, and hands with its own.

    What tells print from hands is trained on the run's strips of print, typed, hands and strings.
    """
    import torch

    from training import gate as gates
    from training.export import export_printed, load_swept

    with explained(), progress_bars() as bar:
        torch.set_num_threads(workers)
        recipe = gates.GateRecipe(seed=seed)
        in_print = gates.spoken(runs / name / "train", gates.PRINTED)
        by_hand = gates.spoken(runs / name / "train", gates.BY_HAND)
        task = bar.add_task("training", total=recipe.steps)

        def show(loss: float) -> None:
            bar.update(task, advance=1, description=f"training, loss {loss:.3f}")

        told = gates.train_gate(in_print, by_hand, recipe, show)
        shares = {
            kind: gates.share_in_print(told, gates.spoken(runs / name / "valid", [kind], 1))
            for kind in (*gates.PRINTED, *gates.BY_HAND)
        }
        difference = export_printed(load_swept(printed), told, model)
    taken = ", ".join(f"{100 * share:.1f} % of {kind}" for kind, share in shares.items())
    say(f"of strips held out it takes {taken} for print")
    say(f"put it into {model}; torch and ONNX differ by at most {difference:.1g}")
    say(f"bring it to eight bits: python -m training quantize --model {model}")
    say("then calibrate it anew: doubts, calibrate")


def adapt_networks(
    model: Path,
    sample: "Sample",
    mixed: "Sequence[Strip]",
    bar: Progress,
    *,
    field_only: bool,
    variants: int,
    seed: int,
) -> "dict[bool, SweptNet]":
    """The swept networks of a model, tuned to a labelled sample, by whether it reads print.

    Where one reads hands and one print, each is tuned to the images that are its own, or left out
    where these are few. mixed: synthetic strips; variants: distorted copies of every image. Raises
    ValueError for a model without a swept network.
    """
    from service.pipeline.card import load_card
    from training import swept_adapt as adaptation
    from training.adapt import amounts_of
    from training.export import load_gate, load_swept

    task = bar.add_task("strips of the images", total=len(sample.labels))
    images: list[Sequence[Sequence[adaptation.AmountStrip]]] = []
    for _, own in adaptation.amount_strips(
        sample, amounts_of, field_only=field_only, variants=variants, seed=seed
    ):
        bar.advance(task)
        images += [own] if own else []
    labels = load_card(model).labels
    gate = load_gate(model)
    parts = {False: (images, list(mixed))}
    if gate is not None:
        parts = adaptation.parted(load_swept(model), gate, images, mixed, labels)
    tuned = {}
    for of_print, (own_images, own_mixed) in parts.items():
        what = "what reads print" if of_print else "the swept network"
        task = bar.add_task(f"adapting {what}", total=1.0)

        def show(done: float, loss: float, task: TaskID = task, what: str = what) -> None:
            bar.update(task, completed=done, description=f"adapting {what}, loss {loss:.3f}")

        network = load_swept(model, of_print=of_print)
        how = adaptation.SweptAdaptation(seed=seed)
        tuned[of_print] = adaptation.adapt_swept(network, own_images, own_mixed, labels, how, show)
    return tuned
