"""Reads files one after the other for the command line, as rows of JSON or of a table."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from service.errors import InputError, origin
from service.options import Reader, ReadingOptions, read_cheque
from service.pipeline.reader import Reading

_UNSEEN_WIDTH = 100  # columns, where there is no terminal to ask
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff"})


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one file: a reading, or an error as code and message; seconds it took."""

    file: Path
    reading: Reading | None
    error: tuple[str, str] | None
    seconds: float

    def to_json(self) -> str:
        """One line of JSON, without its end."""
        if self.reading is None:
            code, message = self.error or ("", "")
            return json.dumps({"file": str(self.file), "error": {"code": code, "message": message}})
        reading = self.reading
        members = {
            "file": str(self.file),
            "amount_minor": reading.amount_minor,
            "currency": reading.currency,
            "text": reading.text,
            "digits": reading.digits,
            "confidence": reading.confidence,
            "decision": reading.decision,
            "reject_reason": reading.reject_reason,
            "reference": reading.reference,
            "pages": reading.pages,
            "milliseconds": round(self.seconds * 1000, 1),
            "model_version": reading.model_version,
        }
        return json.dumps(members)


def expand(paths: Sequence[Path]) -> list[Path]:
    """The files to read: each path, a folder replaced by the images directly in it, by name."""
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = [p for p in path.iterdir() if p.suffix.lower() in SUFFIXES]
            files += sorted(inside) or [path]
        else:
            files.append(path)
    return files


def read_file(reader: Reader, file: Path, options: ReadingOptions, max_bytes: int) -> Row:
    """Read one file; whatever is wrong with it becomes the row's error."""
    started = time.perf_counter()
    reading: Reading | None = None
    error: tuple[str, str] | None = None
    try:
        reading = read_cheque(reader, load(file, max_bytes), options)
    except InputError as refused:
        error = refused.code, refused.message
    except Exception as bug:  # noqa: BLE001 - the other files still have to be read
        error = "internal_error", f"the reader failed with {origin(bug)}"
    return Row(file, reading, error, time.perf_counter() - started)


def load(file: Path, max_bytes: int) -> bytes:
    """At most max_bytes of a regular file; raises InputError (not_found, unreadable_file, ...)."""
    try:
        if file.is_dir():
            raise InputError("no_images", "the folder holds no PNG, JPEG or TIFF file")
        if file.exists() and not file.is_file():
            raise InputError("unreadable_file", "this is not a regular file")
        with file.open("rb") as stream:
            data = stream.read(max_bytes + 1)
    except FileNotFoundError:
        raise InputError("not_found", "there is no such file") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name can't be used"
        raise InputError("unreadable_file", f"the file can't be opened: {reason}") from None
    if len(data) > max_bytes:
        raise InputError("too_large_bytes", f"the file has more than {max_bytes} bytes")
    return data


def print_table(rows: Sequence[Row]) -> None:
    """Print rows as a table, with one line of totals, to standard output."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("File", overflow="fold")
    table.add_column("Amount", justify="right", no_wrap=True)
    table.add_column("Confidence", justify="right", no_wrap=True)
    table.add_column("Decision", overflow="fold")
    table.add_column("ms", justify="right", no_wrap=True)
    for row in rows:
        milliseconds = f"{row.seconds * 1000:.0f}"
        name = Text(printable(str(row.file)))
        if row.reading is None:
            code, message = row.error or ("", "")
            table.add_row(name, "", "", Text(f"{code}: {message}", "red"), milliseconds)
            continue
        table.add_row(
            name,
            format_amount(row.reading.amount_minor, row.reading.currency),
            f"{_floored_percent(row.reading.confidence)} %",
            _decision(row.reading),
            milliseconds,
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = max(console.width, _UNSEEN_WIDTH)
    console.print(table)
    console.print(Text(_totals(rows)))


def format_amount(amount_minor: int | None, currency: str | None) -> str:
    """Minor units as people write them: "USD 1,234.56", "INR 1,00,000.00"; "-" for none."""
    if amount_minor is None:
        return "-"
    major, minor = divmod(abs(amount_minor), 100)
    sign = "-" if amount_minor < 0 else ""
    grouped = _indian(major) if currency == "INR" else f"{major:,}"
    return f"{currency or ''} {sign}{grouped}.{minor:02d}".strip()


def _indian(major: int) -> str:
    head, tail = divmod(major, 1000)
    if head == 0:
        return str(major)
    pairs = []
    while head:
        head, pair = divmod(head, 100)
        pairs.append(f"{pair:02d}" if head else str(pair))
    return ",".join([*reversed(pairs), f"{tail:03d}"])


def _floored_percent(confidence: float) -> str:
    """One decimal, never rounded up: 100.0 is said of certainty alone."""
    return f"{int(confidence * 1000) / 10:.1f}"


def _decision(reading: Reading) -> Text:
    if reading.decision == "accept":
        return Text("accept", "green")
    return Text(f"reject ({reading.reject_reason})", "yellow")


def _totals(rows: Sequence[Row]) -> str:
    decisions = [row.reading.decision for row in rows if row.reading is not None]
    accepted = decisions.count("accept")
    parts = [f"{accepted} accepted", f"{len(decisions) - accepted} rejected"]
    failed = len(rows) - len(decisions)
    if failed:
        parts.append(f"{failed} not read")
    times = sorted(row.seconds for row in rows)
    if times:
        parts.append(f"median {times[len(times) // 2] * 1000:.0f} ms")
    files = "1 file" if len(rows) == 1 else f"{len(rows)} files"
    return f"{files}: {', '.join(parts)}"


def printable(text: str) -> str:
    """Text without characters that could steer a terminal, or that it can't show."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
