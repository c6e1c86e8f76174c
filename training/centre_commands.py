"""The command for the network that parts a line into characters: `centres`."""

from typing import Annotated

import typer

from training.console import RUNS, Data, Fonts, Runs, Seed, explained, progress_bars, say


def centres(
    fields: Annotated[
        int, typer.Option(help="Thousands of synthetic fields to learn from.", min=1)
    ] = 20,
    cheques: Annotated[
        int, typer.Option(help="Thousands of synthetic cheques to learn from.", min=0)
    ] = 6,
    lines: Annotated[int, typer.Option(help="Lines to see in all.", min=1)] = 250_000,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 3e-3,
    begin: Annotated[bool, typer.Option(help="Go on from the network that is there.")] = False,
    data: Data = None,
    fonts: Fonts = None,
    runs: Runs = RUNS,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(help="Processes that draw, and threads.", min=1)] = 2,
) -> None:
    """Train the network that says where the middle of each pixel's character is.

    It belongs to the service's code, as the field map's does, not to a model: the file goes
    beside this code, in eight bits into service/pipeline (quantize).
    """
    import torch

    from service.pipeline.centres import NETWORK
    from training.centres import (
        SHARDS,
        CentreNet,
        CentreRecipe,
        Kind,
        build_lines,
        load_lines,
        loss_of,
        train_centres,
    )
    from training.data.folder import data_folder
    from training.data.glyphs import Split
    from training.dataset import Sources
    from training.export import export_centres, load_centres
    from training.quantize import trained

    folder, path = runs / "centres", trained(NETWORK)
    with explained(), progress_bars() as bar:
        torch.set_num_threads(workers)
        torch.manual_seed(seed)
        sources = Sources(data_folder(data), fonts)
        wanted: list[tuple[Split, Kind, int]] = [
            ("valid", "fields", 1),
            ("valid", "cheques", 1),
            ("train", "fields", fields * 1000 // SHARDS["fields"]),
            ("train", "cheques", cheques * 1000 // SHARDS["cheques"]),
        ]
        task = bar.add_task("lines", total=sum(shards for _, _, shards in wanted))
        for split, kind, shards in wanted:
            for _ in build_lines(sources, folder / split, kind, shards, split, workers):
                bar.advance(task)
        held_out = load_lines(folder / "valid")
        learned = load_lines(folder / "train")
        task = bar.add_task("training", total=lines)

        def show(seen: int, loss: float, network: CentreNet) -> None:
            text = f"training, loss {loss:.4f}, held out {loss_of(network, held_out):.4f}"
            bar.update(task, completed=seen, description=text)

        network = load_centres(path) if begin else CentreNet()
        recipe = CentreRecipe(lines, rate=rate, seed=seed)
        network = train_centres(network, learned, recipe, folder / "checkpoint.pt", show)
        difference = export_centres(network, path)
    say(f"wrote {path}; torch and ONNX differ by at most {difference:.1g}")
    say("bring it to the service: python -m training quantize --shared")
    say("then tune the chain on the segments that it makes: global-train; then doubts, calibrate")
