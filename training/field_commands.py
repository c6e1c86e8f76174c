"""The command for the field map's network: `field-map`."""

from typing import Annotated

import typer

from training.console import RUNS, Data, Fonts, Runs, Seed, explained, progress_bars, say


def field_map(
    cheques: Annotated[
        int, typer.Option(help="Thousands of synthetic cheques to learn from.", min=1)
    ] = 10,
    first: Annotated[
        int, typer.Option(help="The first thousand: other ones hold other cheques.", min=0)
    ] = 0,
    pages: Annotated[int, typer.Option(help="Pages to see in all.", min=1)] = 150_000,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 3e-3,
    begin: Annotated[bool, typer.Option(help="Go on from the network that is there.")] = False,
    keep: Annotated[
        float,
        typer.Option(help="Share of what was begun with in every weight.", min=0, max=1),
    ] = 0.0,
    data: Data = None,
    fonts: Fonts = None,
    runs: Runs = RUNS,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(help="Processes that draw, and threads.", min=1)] = 2,
) -> None:
    """Train the network that says where on a page the amount may stand.

    It belongs to the service's code, as the locator's weights do, not to a model: the file goes
    beside this code, in eight bits into service/pipeline (quantize).
    """
    import torch

    from service.pipeline.field_map import NETWORK
    from training.data.folder import data_folder
    from training.data.glyphs import Split
    from training.dataset import Sources
    from training.descent import mean_network
    from training.export import export_field_map, load_field_map
    from training.field_map import (
        SHARD,
        FieldMapNet,
        MapRecipe,
        begun_with,
        build_pages,
        load_pages,
        loss_of,
        train_map,
    )
    from training.quantize import trained

    folder, path = runs / "field_map", trained(NETWORK)
    with explained(), progress_bars() as bar:
        torch.set_num_threads(workers)
        torch.manual_seed(seed)
        sources = Sources(data_folder(data), fonts)
        task = bar.add_task("cheques", total=cheques * 1000 // SHARD + 1)
        wanted: dict[Split, tuple[int, int]] = {
            "valid": (1, 0), "train": (cheques * 1000 // SHARD, first * 1000 // SHARD)
        }  # fmt: skip
        for split, (shards, start) in wanted.items():
            for _ in build_pages(sources, folder / split, shards, split, workers, start):
                bar.advance(task)
        held_out = load_pages(folder / "valid")
        task = bar.add_task("training", total=pages)

        def show(seen: int, loss: float, network: FieldMapNet) -> None:
            text = f"training, loss {loss:.5f}, held out {loss_of(network, held_out):.5f}"
            bar.update(task, completed=seen, description=text)

        learned = load_pages(folder / "train")
        network = begun_with(load_field_map(path), learned) if begin else FieldMapNet()
        recipe = MapRecipe(pages, rate=rate, seed=seed)
        network = train_map(network, learned, recipe, folder / "checkpoint.pt", show)
        if begin and keep:
            # Weights are alike only once the norms are folded into them.
            export_field_map(network, folder / "learned.onnx")
            both = [load_field_map(path), load_field_map(folder / "learned.onnx")]
            network = mean_network(both, [keep, 1 - keep])
        difference = export_field_map(network, path)
    say(f"wrote {path}; torch and ONNX differ by at most {difference:.1g}")
    say("bring it to the service: python -m training quantize --shared")
    say("fit the locator's weights anew: python -m training fields --fit; then doubts, calibrate")
