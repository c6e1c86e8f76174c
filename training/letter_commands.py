"""The commands `x9` and `x9-fit`: what the check of cash letters flags, on synthetic ones."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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

if TYPE_CHECKING:
    from training.letter_outcomes import Judged

FIT_SEED = 1_000_000
"""The fit's items begin so far from those that are reported."""

_ByFont = Annotated[
    bool, typer.Option("--by-font", help="Write by hand in fonts, without the sets.")
]


def x9(
    model: Model = MODEL,
    items: Annotated[int, typer.Option(help="Items of the cash letter.", min=1)] = 1000,
    wrong: Annotated[int, typer.Option(help="Items with a wrong amount.", min=0)] = 20,
    seed: Seed = 0,
    runs: Runs = RUNS,
    data: Data = None,
    fonts: Fonts = None,
    by_font: _ByFont = False,
) -> None:
    """Check synthetic cash letters, some of their amounts wrong: what is flagged, what is not."""
    from service.pipeline.card import load_card
    from training.letter_outcomes import flagged, judged_again, table, trade_off

    with explained():
        outcomes, folder = _measured(model, items, wrong, seed, runs, data, fonts, by_font)
        outcomes = judged_again(outcomes, load_card(model).record_rule)
    console.print(table(outcomes))
    console.print(trade_off(outcomes))
    caught, bad, alarms, good = flagged(outcomes)
    say(f"flagged: {caught} of {bad} wrong records, {alarms} of {good} right ones; in {folder}")


def x9_fit(
    model: Model = MODEL,
    items: Annotated[int, typer.Option(help="Items of the sample.", min=300)] = 2000,
    wrong: Annotated[int, typer.Option(help="Items with a wrong amount.", min=1)] = 400,
    seed: Seed = FIT_SEED,
    runs: Runs = RUNS,
    data: Data = None,
    fonts: Fonts = None,
    by_font: _ByFont = False,
) -> None:
    """Fit when a record is flagged as wrong, to synthetic cash letters, and write it into the card.

    Some minutes. To be repeated with every other model or reader; `x9` reports on other items.
    """
    from service.pipeline.card import write_record_rule
    from training.calibrate import state_of
    from training.letter_outcomes import fit_rule, flagged, judged_again, table

    with explained():
        outcomes, _ = _measured(model, items, wrong, seed, runs, data, fonts, by_font)
        rule = fit_rule(outcomes)
        write_record_rule(model, rule, {
            "sample": "synthetic cash letters of the writers, fonts and layouts held out as valid",
            "items": items, "wrong": wrong, "first_seed": seed, "reader": state_of(model),
            "date": datetime.now(UTC).date().isoformat(),
        })  # fmt: skip
    outcomes = judged_again(outcomes, rule)
    console.print(table(outcomes))
    caught, bad, alarms, good = flagged(outcomes)
    say(
        f"flagged from odds {rule.flagged} on: {caught} of {bad} wrong records, "
        f"{alarms} of {good} right ones, of the sample itself"
    )


def _measured(
    model: Path,
    items: int,
    wrong: int,
    seed: int,
    runs: Path,
    data: Path | None,
    fonts: Path | None,
    by_font: bool,
) -> "tuple[list[Judged], Path]":
    from training.calibrate import state_of
    from training.cash_letters import measure
    from training.data.folder import data_folder
    from training.data.fonts import load_fonts

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
    return outcomes, folder
