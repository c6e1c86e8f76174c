"""The commands `x9` and `x9-fit`: what the check of cash letters flags, on synthetic ones."""

from datetime import UTC, datetime
from pathlib import Path
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
    from training.cash_letters import measure
    from training.letter_outcomes import flagged, judged_again, table, trade_off

    with explained():
        sets = _sets(data, fonts, by_font)
        folder = _folder(runs, model, by_font) / f"{items}-{wrong}-{seed}"
        with progress_bars() as bar:
            task = bar.add_task("items", total=items)
            outcomes = measure(
                model, sets, folder, items, wrong, seed,
                progress=lambda n: bar.update(task, completed=n),
            )  # fmt: skip
        rule = load_card(model).record_rule
    outcomes = judged_again(outcomes, rule)
    console.print(table(outcomes))
    console.print(trade_off(outcomes, rule))
    caught, bad, alarms, good = flagged(outcomes)
    say(f"flagged: {caught} of {bad} wrong records, {alarms} of {good} right ones; in {folder}")


def x9_fit(
    model: Model = MODEL,
    items: Annotated[int, typer.Option(help="Items of the sample.", min=300)] = 1500,
    seed: Seed = FIT_SEED,
    runs: Runs = RUNS,
    data: Data = None,
    fonts: Fonts = None,
    by_font: _ByFont = False,
) -> None:
    """Fit when a record is flagged as wrong, to synthetic items, and write it into the card.

    Some minutes. To be repeated with every other model or reader; `x9` reports on other items.
    """
    from service.pipeline.card import write_record_rule
    from training.calibrate import state_of
    from training.cash_letters import FIRST_SEED
    from training.record_fit import fit_rule, flagged_shares, state_all

    with explained():
        sets = _sets(data, fonts, by_font)
        reader = state_of(model)
        kept = _folder(runs, model, by_font) / f"fit-{seed}.jsonl"
        with progress_bars() as bar:
            task = bar.add_task("items", total=items)
            rows = state_all(
                model, sets, kept, items, seed, progress=lambda n: bar.update(task, completed=n)
            )
        rule = fit_rule(rows)
        write_record_rule(model, rule, {
            "sample": "synthetic items of the writers, fonts and layouts held out as valid",
            "items": items, "first_seed": FIRST_SEED + seed, "reader": reader,
            "date": datetime.now(UTC).date().isoformat(),
        })  # fmt: skip
    for kind, share in flagged_shares(rows, rule).items():
        console.print(f"{kind or 'right'}: {100 * share:.1f} % flagged")
    say(f"in the card: {rule}")


def _sets(data: Path | None, fonts: Path | None, by_font: bool) -> Path | None:
    """The folder of the handwriting sets, None to write in fonts; the fonts must be there."""
    from training.data.folder import data_folder
    from training.data.fonts import load_fonts

    load_fonts(fonts, split="valid", kinds=("machine",))
    return None if by_font else data_folder(data)


def _folder(runs: Path, model: Path, by_font: bool) -> Path:
    """Where the outcomes of one state of the reader lie."""
    from training.calibrate import state_of

    return runs / "x9" / state_of(model) / ("fonts" if by_font else "hands")
