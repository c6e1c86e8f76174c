"""The command line of cash letters: `x9 inspect`, `x9 extract`, `x9 check`."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, NoReturn

import typer

from service.errors import ChequeReaderError, InputError

if TYPE_CHECKING:
    from service.x9.deviation import Profile
    from service.x9.documents import Row
    from service.x9.items import Item, Report, Side
    from service.x9.letter import CashLetterFile

x9 = typer.Typer(
    help="Inspect and check image cash letters (X9.37, X9.100-187).", no_args_is_help=True
)

_MOST_SHOWN = 50

File = Annotated[Path, typer.Argument(metavar="FILE", help="The cash letter.", show_default=False)]
ProfileOption = Annotated[
    str, typer.Option(help="lenient, exchange or strict: what sets an item aside.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]


@x9.command()
def inspect(file: File, as_json: Json = False, profile: ProfileOption = "lenient") -> None:
    """Print the records of a file, field by field, and what deviates from the standard."""
    from service.x9.documents import deviation_document, report_document
    from service.x9.letter import Assembly

    with _opened(file, profile) as (letter, _):
        assembly = Assembly(letter.report, _profile(profile))
        for record in letter.records():
            assembly.add(record)
            if as_json:
                said = {
                    "record": record.number,
                    "offset": record.offset,
                    "type": record.type,
                    "name": record.layout.name if record.layout else None,
                    "encoding": record.encoding,
                    "bytes": len(record.data),
                    "fields": record.fields(),
                    "deviations": [deviation_document(one) for one in record.deviations],
                }
                sys.stdout.write(json.dumps(said) + "\n")
                continue
            name = record.layout.name if record.layout else "not known"
            what = f"{record.type} {name}" if record.type else "no record"
            typer.echo(f"{record.number:>7}  @{record.offset:<10} {what}, {len(record.data)} bytes")
            for field, value in record.fields().items():
                if value not in ("", None) and field != "Record Type":
                    typer.echo(f"{'':>22}{field}: {_printable(str(value))}")
            for one in record.deviations:
                typer.echo(f"{'':>20}! {one.field + ': ' if one.field else ''}{one.message}")
        assembly.finish()
    if as_json:
        sys.stdout.write(json.dumps({"report": report_document(letter.report)}) + "\n")
    else:
        _print_report(letter.report)


@x9.command()
def extract(
    file: File,
    to: Annotated[Path, typer.Option(help="Folder for the images, made if it is missing.")],
    profile: ProfileOption = "lenient",
) -> None:
    """Write the images of a file into a folder, and items.jsonl that says whose they are."""
    from service.x9.documents import item_document

    count = 0
    to.mkdir(parents=True, exist_ok=True)
    with _opened(file, profile) as (letter, stream), (to / "items.jsonl").open("w") as lines:
        for item in letter.items():
            names = {}
            for view in item.views:
                name = f"{item.number:06d}-{view.side}.{_SUFFIXES.get(view.format or '', 'bin')}"
                (to / name).write_bytes(_image(stream, view.start, view.size))
                names[view.side] = name
                count += 1
            lines.write(json.dumps({"number": item.number, **item_document(item), **names}) + "\n")
    typer.echo(f"{letter.report.items} items, {count} images in {to}")


_SUFFIXES = {"tiff": "tif", "jpeg": "jpg", "png": "png"}


@x9.command()
def check(
    file: File,
    as_json: Json = False,
    profile: ProfileOption = "lenient",
    exceptions: Annotated[
        Path | None, typer.Option(help="File for the items that don't agree, as CSV.")
    ] = None,
    adjusted: Annotated[
        Path | None,
        typer.Option(help="File for a copy in which items that disagree have the amount read."),
    ] = None,
) -> None:
    """Read every item, compare it with the amount in its record, and reconcile the totals."""
    from service.x9.adjust import adjust
    from service.x9.documents import exception_lines

    rows: list[Row] = []
    with _opened(file, profile) as (letter, stream):
        for row in _checked(letter, stream, sum(1 for _ in _again(file, profile))):
            rows.append(row)
            if as_json:
                said = {
                    "number": row.number, **row.item, "verdict": row.verdict,
                    "reading": row.evidence,
                    "error": row.error and {"code": row.error[0], "message": row.error[1]},
                }  # fmt: skip
                sys.stdout.write(json.dumps(said) + "\n")
    if exceptions is not None:
        exceptions.write_text("".join(exception_lines(rows)), newline="")
    amounts = {
        row.number: amount
        for row in rows
        if row.verdict == "disagrees" and (amount := row.read[0]) is not None
    }
    if adjusted is not None:
        with _explained(), file.open("rb") as source, adjusted.open("xb") as target:
            adjust(source, target, amounts)
    if not as_json:
        _print_rows(rows)
        _print_report(letter.report)
    if any(row.verdict != "agrees" for row in rows) or letter.report.by_code["wrong_total"]:
        raise typer.Exit(1)


def _checked(letter: "CashLetterFile", stream: BinaryIO, total: int) -> "Iterator[Row]":
    """Every item of a file, read."""
    from rich.console import Console
    from rich.progress import Progress

    from service.errors import origin
    from service.options import ReadingOptions, read_cheque
    from service.pipeline.reader import ChequeReader, Reading
    from service.settings import load_settings
    from service.x9.documents import Row, item_document, why_not_read
    from service.x9.evidence import back_options, document, item_options

    with _explained():
        settings = load_settings()
        reader = ChequeReader(
            settings.model_dir,
            settings.image_limits,
            settings.max_error,
            settings.usability_limits,
        )

    def side(item: "Item", name: "Side", options: ReadingOptions) -> Reading | None:
        view = item.view(name)
        if view is None:
            return None
        return read_cheque(reader, _image(stream, view.start, view.size), options)

    def read(item: "Item") -> dict[str, Any] | None:
        options = item_options(ReadingOptions(), item.amount_minor or 0)
        front = side(item, "front", options)
        if front is None:
            return None
        back = back_options(options)
        return document(front, item.micr_numbers, lambda: side(item, "back", back))

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("items", total=total)
        for item in letter.items():
            error = why_not_read(item)
            evidence = None
            if error is None:
                try:
                    evidence = read(item)
                except InputError as refused:
                    error = refused.code, refused.message
                except Exception as bug:  # noqa: BLE001 - the other items still have to be read
                    error = "internal_error", f"the reader failed with {origin(bug)}"
            bar.advance(task)
            yield Row(item.number, item_document(item), evidence, error)


def _again(file: Path, profile: str) -> "Iterator[Item]":
    with _opened(file, profile) as (letter, _):
        yield from letter.items()


def _image(stream: BinaryIO, start: int, size: int) -> bytes:
    """Bytes of the file, without moving on what reads it."""
    here = stream.tell()
    stream.seek(start)
    data = stream.read(size)
    stream.seek(here)
    return data


@contextmanager
def _opened(file: Path, profile: str) -> "Iterator[tuple[CashLetterFile, BinaryIO]]":
    from service.x9.letter import CashLetterFile

    chosen = _profile(profile)
    with _explained():
        try:
            stream = file.open("rb")
        except OSError as error:
            raise InputError("unreadable_file", f"{file}: {error.strerror}") from None
        with stream:
            yield CashLetterFile(stream, chosen), stream


def _profile(name: str) -> "Profile":
    from service.x9.deviation import PROFILES

    for profile in PROFILES.values():
        if profile.name == name:
            return profile
    typer.echo(f"cheque-reader: --profile must be one of {', '.join(PROFILES)}", err=True)
    raise typer.Exit(2)


@contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except ChequeReaderError as error:
        _stop(error.message)


def _stop(message: str) -> NoReturn:
    typer.echo(f"cheque-reader: {message}", err=True)
    raise typer.Exit(2)


def _print_rows(rows: "list[Row]") -> None:
    from service.listing import format_amount

    typer.echo(
        f"{'item':>6} {'in the record':>16} {'read':>16} {'probability':>12} {'wrong':>8}  verdict"
    )
    for row in rows:
        found = row.evidence or {}
        stated = found.get("stated") or {}
        probability = f"{100 * stated['confidence']:.1f} %" if stated else "-"
        wrong = "-" if stated.get("wrong") is None else f"{100 * stated['wrong']:.1f} %"
        defects = [one["defect"] for one in found.get("usability", ()) if one["present"]]
        notes = ", ".join([*([row.error[1]] if row.error else []), *defects])
        typer.echo(
            f"{row.number:>6} {format_amount(row.item['amount_minor'], None):>16} "
            f"{format_amount(row.read[0], None):>16} {probability:>12} {wrong:>8}  "
            f"{row.verdict}{'  (' + notes + ')' if notes else ''}"
        )
    said = [row.verdict for row in rows]
    counts = ", ".join(f"{said.count(v)} {v}" for v in ("agrees", "disagrees", "unread"))
    typer.echo(f"{len(rows)} items: {counts}")


def _print_report(report: "Report") -> None:
    typer.echo(
        f"{report.standard}, {report.encoding}, length prefixes: {report.framing}; "
        f"{report.records} records, {report.cash_letters} cash letters, {report.bundles} bundles, "
        f"{report.items} items ({report.quarantined} set aside), {report.images} images"
    )
    for total in report.totals:
        if total.wrong:
            typer.echo(
                f"  record {total.record} ({total.type}) {total.field}: states {total.stated}, "
                f"the records make {total.found}"
            )
    for one in report.deviations[:_MOST_SHOWN]:
        what = f"{one.field}: " if one.field else ""
        item = "" if one.item is None else f" (item {one.item})"
        typer.echo(f"  record {one.record} ({one.type or 'none'}){item} {what}{one.message}")
    more = sum(report.by_code.values()) - min(len(report.deviations), _MOST_SHOWN)
    if more:
        typer.echo(f"  and {more} more deviations")


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
