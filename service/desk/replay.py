"""Reads what clerks keyed with another model, and says whether it may replace the present one."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from service.desk.sample import Labelled, Sample
from service.errors import InputError
from service.options import Reader, ReadingOptions, read_cheque


@dataclass(frozen=True, slots=True)
class Once:
    """How one cheque was read: whether it was accepted, and whether the amount was the keyed."""

    accepted: bool
    right: bool


@dataclass(frozen=True, slots=True)
class Total:
    """What a model made of the history: cheques, accepted, wrong among those; right: the amounts
    that are the keyed ones, accepted or not."""

    cheques: int
    accepted: int
    wrong: int
    right: int

    @property
    def error(self) -> float:
        """The share of wrong amounts among accepted ones."""
        return self.wrong / self.accepted if self.accepted else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models on the same history, cheque by cheque."""

    old: tuple[Once, ...]
    new: tuple[Once, ...]

    def total(self, readings: Sequence[Once]) -> Total:
        """The sums of one of the two."""
        accepted = [one for one in readings if one.accepted]
        return Total(
            cheques=len(readings),
            accepted=len(accepted),
            wrong=sum(not one.right for one in accepted),
            right=sum(one.right for one in readings),
        )

    @property
    def better(self) -> bool:
        """Whether the new model reads more, at no more error."""
        old, new = self.total(self.old), self.total(self.new)
        return new.accepted > old.accepted and new.error <= old.error


def replay(
    sample: Sample,
    old: Reader,
    new: Reader,
    *,
    field_only: bool,
    max_error: float | None,
    done: Callable[[], None] = lambda: None,
) -> Comparison:
    """Read the sample with both models, each cheque as its caller asked for it.

    max_error: the bound of both; None: the readers' own. done: called after every cheque. Raises
    InputError where the sample is empty.
    """
    rows = sample.all(field_only=field_only)
    if not rows:
        raise InputError("empty_sample", "the desk has kept no such cheques")
    readings: tuple[list[Once], list[Once]] = ([], [])
    for one in rows:
        data = sample.image(one)
        if data is None:
            continue
        for reader, into in zip((old, new), readings, strict=True):
            into.append(_read(reader, data, one, max_error))
        done()
    return Comparison(tuple(readings[0]), tuple(readings[1]))


def _read(reader: Reader, data: bytes, one: Labelled, max_error: float | None) -> Once:
    options = ReadingOptions(
        currency=one.asked_currency,
        locale=one.locale,
        field_only=one.field_only,
        max_error=max_error,
    )
    try:
        reading = read_cheque(reader, data, options)
    except InputError:
        return Once(False, False)
    known = one.amount_minor
    return Once(reading.decision == "accept", known is not None and reading.amount_minor == known)


def print_comparison(
    comparison: Comparison, names: tuple[str, str], console: Console | None = None
) -> None:
    """Print both models side by side, and what changes from one to the other."""
    screen = console or Console(highlight=False)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("Model", "Cheques", "Accepted", "Wrong", "Error", "Right amount"):
        table.add_column(title, justify="left" if title == "Model" else "right")
    for name, readings in zip(names, (comparison.old, comparison.new), strict=True):
        total = comparison.total(readings)
        table.add_row(
            name,
            str(total.cheques),
            f"{total.accepted} ({_percent(total.accepted, total.cheques)})",
            str(total.wrong),
            _percent(total.wrong, total.accepted),
            f"{total.right} ({_percent(total.right, total.cheques)})",
        )
    screen.print(table)
    pairs = list(zip(comparison.old, comparison.new, strict=True))
    gained = [new for old, new in pairs if new.accepted and not old.accepted]
    lost = sum(old.accepted and not new.accepted for old, new in pairs)
    wrong = sum(not one.right for one in gained)
    screen.print(
        f"Newly accepted: {len(gained)}, {wrong} of them wrong. No longer accepted: {lost}."
    )
    verdict = "reads more at no more error" if comparison.better else "is not better"
    screen.print(f"{names[1]} {verdict}.")


def promote(model: Path, link: Path) -> None:
    """Make a symbolic link point to a model, in one step; raises InputError."""
    if link.exists() and not link.is_symlink():
        raise InputError("not_written", f"{link} is there and no symbolic link")
    part = link.with_name(f".{link.name}.{os.getpid()}.part")
    try:
        part.symlink_to(model.resolve(), target_is_directory=True)
        part.replace(link)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise InputError("not_written", f"{link} can't be made: {error.strerror}") from None


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.2f} %" if whole else "-"
