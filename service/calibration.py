"""Fits the confidence of a model to labelled cheques, as `cheque-reader calibrate` does."""

import csv
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table

from service.errors import InputError
from service.listing import read_file
from service.options import Reader, ReadingOptions
from service.pipeline.card import Calibration, Fitted, write_version
from service.pipeline.decision import (
    error_bound,
    fit_calibration,
    hangs_on_confidence,
    largest_acceptance,
    sample_needed,
    uncalibrated,
)
from service.pipeline.reader import Reading

BOUNDS: Final = (0.005, 0.01, 0.02, 0.05)

Key = Literal["digits", "amount_minor"]


@dataclass(frozen=True, slots=True)
class Sample:
    """Labelled images.

    folder: that of the csv file, which names of images are relative to. key: which attribute of a
    reading the labels say. labels: by name, "" where nothing may be accepted.
    """

    folder: Path
    key: Key
    labels: dict[str, str]


@dataclass(frozen=True, slots=True)
class Judged:
    """One image of a sample, read.

    hangs: whether its confidence alone decides if it is accepted; posterior: that of the amount
    read, uncalibrated; right: whether the amount is the label's. error: the code of what kept the
    image from being read, else None.
    """

    hangs: bool
    posterior: float
    right: bool
    error: str | None = None


def load_sample(path: Path, images: Path | None = None) -> Sample:
    """The sample of a folder with truth.csv, or of a csv file with the images beside it.

    images: their folder where it is another one.

    Columns are file and digits or amount_minor; where there are both, digits are compared. Raises
    InputError that names the file and line at fault.
    """
    truth = path / "truth.csv" if path.is_dir() else path
    folder = images or truth.parent
    rows = _rows(truth)
    if not rows:
        raise InputError("empty_sample", f"{truth} lists no images")
    columns = rows[0][1].keys()
    if "file" not in columns or not columns & {"digits", "amount_minor"}:
        raise InputError(
            "malformed_sample", f"{truth} must have the columns file and digits or amount_minor"
        )
    key: Key = "digits" if "digits" in columns else "amount_minor"
    labels: dict[str, str] = {}
    for line, row in rows:
        where = f"{truth}, line {line}"
        image, label = _entry(row, key, where)
        if image in labels:
            raise InputError("malformed_sample", f"{where}: {image} is listed twice")
        if not (folder / image).is_file():
            raise InputError("missing_image", f"{where}: there is no file {folder / image}")
        labels[image] = label
    return Sample(folder, key, labels)


def _rows(truth: Path) -> list[tuple[int, dict[str, str]]]:
    try:
        with truth.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file, strict=True)
            return [(reader.line_num, row) for row in reader]
    except FileNotFoundError:
        raise InputError("not_found", f"there is no file {truth}") from None
    except OSError as error:
        raise InputError("unreadable_file", f"{truth}: {error.strerror}") from None
    except (csv.Error, UnicodeDecodeError) as error:
        raise InputError("malformed_sample", f"{truth} is no UTF-8 csv file: {error}") from None


def _entry(row: dict[str, str], key: Key, where: str) -> tuple[str, str]:
    """The image's name and its label."""
    image, label = row["file"], row[key]
    if not image or label is None or None in row:
        raise InputError("malformed_sample", f"{where}: fields are missing or too many")
    number = label.removeprefix("-") if key == "amount_minor" else label
    if label and not (number.isascii() and number.isdecimal()):
        wanted = "an amount in minor units" if key == "amount_minor" else "digits"
        raise InputError("malformed_sample", f"{where}: {key} must be {wanted}, or empty")
    return image, label


def refuse_too_few(count: int, what: str, max_error: float) -> None:
    """Raise InputError where `count` could not support max_error even without an error."""
    needed = sample_needed(max_error)
    if count < needed:
        raise InputError(
            "sample_too_small",
            f"an error of {_percent(max_error)} needs {needed} accepted without an error, "
            f"the sample has {count} {what}; take a larger sample or a larger max_error",
        )


def read_sample(
    reader: Reader,
    calibration: Calibration,
    sample: Sample,
    options: ReadingOptions,
    max_bytes: int,
) -> Iterator[Judged]:
    """Read and judge every image of a sample; calibration: that of the reader's confidences."""
    for image, label in sample.labels.items():
        row = read_file(reader, sample.folder / image, options, max_bytes)
        if row.reading is None:
            yield Judged(False, 0.0, False, row.error[0] if row.error else "internal_error")
        else:
            yield _judge(row.reading, sample.key, label, calibration)


def _judge(reading: Reading, key: Key, label: str, calibration: Calibration) -> Judged:
    said = reading.digits if key == "digits" else reading.amount_minor
    return Judged(
        hangs_on_confidence(reading.reject_reason),
        uncalibrated(reading.confidence, calibration),
        label != "" and said is not None and str(said) == label,
    )


def calibrate(judged: Sequence[Judged], max_error: float) -> Calibration:
    """The calibration that fits; raises InputError where the sample is too small or misleads."""
    read = [one for one in judged if one.hangs]
    refuse_too_few(len(read), "images with an amount that could be accepted", max_error)
    try:
        return fit_calibration(
            np.array([one.posterior for one in read]), np.array([one.right for one in read], bool)
        )
    except ValueError as error:
        raise InputError("misleading_sample", str(error)) from None


def next_version(model: Path) -> Path:
    """The folder beside the model's with the next free number as its name."""
    numbers = [int(one.name) for one in model.parent.iterdir() if one.name.isdecimal()]
    return model.parent / str(max(numbers, default=0) + 1)


def refuse_existing(to: Path) -> None:
    """Raise InputError where the folder of a new version is there already."""
    if to.exists():
        raise InputError("version_exists", f"{to} is there already; a version is never overwritten")


def write(
    model: Path,
    to: Path,
    calibration: Calibration,
    sample: Sample,
    judged: Sequence[Judged],
    options: ReadingOptions,
    model_version: str,
) -> None:
    """Write the new version; raises InputError where it is there or can't be written."""
    read = [one for one in judged if one.hangs]
    source: dict[str, Any] = {
        "sample": "labelled images",
        "model": model_version,
        "images": len(judged),
        "candidates": len(read),
        "wrong_candidates": sum(not one.right for one in read),
        "unreadable": sum(one.error is not None for one in judged),
        "sha256": digest(sample),
        "currency": options.currency,
        "locale": options.locale,
        "date": datetime.now(UTC).date().isoformat(),
    }
    try:
        write_version(model, to, Fitted(calibration, source, options.field_only))
    except FileExistsError:
        refuse_existing(to)
        raise
    except OSError as error:
        raise InputError("not_written", f"{to} can't be written: {error.strerror}") from None


def digest(sample: Sample) -> str:
    """sha256 of the labels and the bytes of the images, in the order of the names."""
    whole = hashlib.sha256(sample.key.encode())
    for image, label in sorted(sample.labels.items()):
        content = hashlib.sha256((sample.folder / image).read_bytes()).hexdigest()
        whole.update(f"\n{image}\t{label}\t{content}".encode())
    return whole.hexdigest()


def print_summary(
    judged: Sequence[Judged],
    calibration: Calibration,
    max_error: float,
    console: Console | None = None,
) -> None:
    """Print what is accepted at a few bounds, that of the caller among them."""
    read = [one for one in judged if one.hangs]
    right = sum(one.right for one in read)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("Error borne", "Accepted", "Wrong", "Error bound (95 %)", "Least confidence"):
        table.add_column(title, justify="right")
    for bound in sorted({*BOUNDS, max_error}):
        found = largest_acceptance(calibration, bound)
        if found is None:
            table.add_row(_percent(bound), "nothing", "-", "-", "-")
            continue
        table.add_row(
            _percent(bound),
            f"{100 * found.accepted / len(judged):.1f} %",
            f"{found.wrong} of {found.accepted}",
            f"{100 * error_bound(found.wrong, found.accepted):.2f} %",
            f"{100 * found.confidence:.2f} %",
        )
    screen = console or Console(highlight=False)
    screen.print(f"{len(judged)} images, {len(read)} could be accepted, {right} of them right")
    codes = [one.error for one in judged if one.error is not None]
    if codes:
        kinds = ", ".join(f"{codes.count(code)} {code}" for code in sorted(set(codes)))
        screen.print(f"not read: {kinds}")
    screen.print(table)
    if largest_acceptance(calibration, max_error) is None:
        screen.print(
            f"At {_percent(max_error)} nothing will be accepted: too many of the sample's most "
            "confident readings are wrong."
        )


def _percent(share: float) -> str:
    return f"{100 * share:g} %"
