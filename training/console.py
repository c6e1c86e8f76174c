"""What the training commands share: options, messages, progress bars."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

console = Console()

Data = Annotated[
    Path | None,
    typer.Option(help="Folder of the training sets. [default: $CHEQUE_TRAINING_DATA]"),
]
Fonts = Annotated[
    Path | None,
    typer.Option(
        help="Folder of the fonts. [default: fonts in $CHEQUE_TRAINING_CACHE, or the user's cache]"
    ),
]
Runs = Annotated[Path, typer.Option(help="Folder for checkpoints, logs and results.")]
Seed = Annotated[int, typer.Option(help="Seed of all that is random.", min=0)]
Threads = Annotated[
    int | None, typer.Option(help="CPU threads of torch. [default: as torch chooses]", min=1)
]
Samples = Annotated[
    int | None, typer.Option(help="Crops to see, in place of the recipe's number.", min=1)
]
Truth = Annotated[
    Path | None,
    typer.Option(help="csv with file and amount_minor or digits. [default: truth.csv there]"),
]
FieldOnly = Annotated[
    bool, typer.Option("--field-only", help="The images are cropped courtesy amounts.")
]
Model = Annotated[Path, typer.Option(help="Folder of model.onnx and card.json.")]

RUNS = Path("runs")
MODEL = Path("models/amounts/1")


def say(line: str) -> None:
    console.print(line, soft_wrap=True, markup=False, highlight=False)


def use_threads(threads: int | None) -> None:
    if threads is not None:
        import torch

        torch.set_num_threads(threads)


@contextlib.contextmanager
def explained() -> Iterator[None]:
    """End with a message and an exit code where material is missing or not what it should be."""
    from service.errors import ChequeReaderError
    from training.data.download import DownloadError
    from training.data.folder import DataMissingError
    from training.data.fonts import FontError

    try:
        yield
    except (DownloadError, FontError) as error:
        typer.echo(f"training: {error}", err=True)
        raise typer.Exit(1) from error
    except (DataMissingError, ChequeReaderError, FileNotFoundError, ValueError) as error:
        typer.echo(f"training: {error}", err=True)
        raise typer.Exit(2) from error


def progress_bars() -> Progress:
    return Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
    )
