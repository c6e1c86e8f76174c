"""The command `x9`: what the check of cash letters flags, on synthetic ones."""

from typing import Annotated

import typer

from training.console import (
    MODEL,
    RUNS,
    Data,
    Fonts,
    Model,
    Runs,
    Seed,
    console,
    explained,
    progress_bars,
    say,
)


def x9(
    model: Model = MODEL,
    items: Annotated[int, typer.Option(help="Items of the cash letter.", min=1)] = 1000,
    wrong: Annotated[int, typer.Option(help="Items with a wrong amount.", min=0)] = 20,
    seed: Seed = 0,
    runs: Runs = RUNS,
    data: Data = None,
    fonts: Fonts = None,
    by_font: Annotated[
        bool, typer.Option("--by-font", help="Write by hand in fonts, without the sets.")
    ] = False,
) -> None:
    """Check synthetic cash letters, some of their amounts wrong: what is flagged, what is not."""
    from training.calibrate import state_of
    from training.cash_letters import flagged, judged_again, measure, table, trade_off
    from training.data.folder import data_folder
    from training.data.fonts import load_fonts

    with explained():
        load_fonts(fonts, split="valid", kinds=("machine",))
        sets = None if by_font else data_folder(data)
        how = f"{'fonts' if by_font else 'hands'}-{items}-{wrong}-{seed}"
        folder = runs / "x9" / state_of(model) / how
        with progress_bars() as bar:
            task = bar.add_task("items", total=items)
            outcomes = measure(
                model, sets, folder, items, wrong, seed,
                progress=lambda n: bar.update(task, completed=n),
            )  # fmt: skip
    outcomes = judged_again(outcomes)
    console.print(table(outcomes))
    console.print(trade_off(outcomes))
    caught, bad, alarms, good = flagged(outcomes)
    say(f"flagged: {caught} of {bad} wrong records, {alarms} of {good} right ones; in {folder}")
