"""Items, deviations and totals as JSON and CSV have them."""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from service.pipeline.stated import Verdict
from service.x9.deviation import Deviation
from service.x9.items import Item, Report

EXCEPTION_COLUMNS: Final = (
    "number", "record", "type", "cash_letter", "bundle", "sequence_number", "amount_minor",
    "verdict", "amount_read_minor", "confidence", "stated_confidence", "penalty", "wrong",
    "defects", "deviations", "error_code", "error_message",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """An item and what came of it: its reading as `evidence.document` has it, or an error."""

    number: int
    item: Mapping[str, Any]
    evidence: Mapping[str, Any] | None
    error: tuple[str, str] | None

    @property
    def verdict(self) -> Verdict:
        """The verdict; unread where the item was not read."""
        stated = (self.evidence or {}).get("stated")
        said: Verdict = stated["verdict"] if stated else "unread"
        return said

    @property
    def read(self) -> tuple[int | None, float | None]:
        """The likeliest amount over all looks at the item, in minor units, and its probability."""
        found = self.evidence or {}
        stated = found.get("stated") or {}
        if stated.get("likeliest_minor") is not None:
            return stated["likeliest_minor"], stated["likeliest_confidence"]
        return found.get("amount_minor"), found.get("confidence")

    def cells(self) -> list[object]:
        """The row of EXCEPTION_COLUMNS."""
        found = self.evidence or {}
        stated = found.get("stated") or {}
        code, message = self.error or (None, None)
        return [
            self.number, self.item["record"], self.item["type"], self.item["cash_letter"],
            self.item["bundle"], self.item["sequence_number"], self.item["amount_minor"],
            self.verdict, *self.read,
            stated.get("confidence"), stated.get("penalty"), stated.get("wrong"),
            " ".join(one["defect"] for one in found.get("usability", ()) if one["present"]),
            " ".join(dict.fromkeys(one["code"] for one in self.item["deviations"])),
            code, message,
        ]  # fmt: skip


def item_document(item: Item) -> dict[str, Any]:
    """An item as JSON has it."""
    return {
        "record": item.record,
        "offset": item.offset,
        "type": item.type,
        "kind": item.kind,
        "amount_minor": item.amount_minor,
        "sequence_number": item.sequence,
        "routing_number": item.routing,
        "cash_letter": item.cash_letter,
        "bundle": item.bundle,
        "quarantined": item.quarantined,
        "micr_numbers": list(item.micr_numbers),
        "images": [
            {"side": one.side, "record": one.record, "size": one.size, "format": one.format}
            for one in item.views
        ],
        "deviations": [deviation_document(one) for one in item.deviations],
    }


def deviation_document(deviation: Deviation) -> dict[str, Any]:
    """A deviation as JSON has it, with its message."""
    return {**asdict(deviation), "message": deviation.message}


def report_document(report: Report) -> dict[str, Any]:
    """A report as JSON has it."""
    return {
        "standard": report.standard,
        "encoding": report.encoding,
        "framing": report.framing,
        "records": report.records,
        "cash_letters": report.cash_letters,
        "bundles": report.bundles,
        "items": report.items,
        "quarantined": report.quarantined,
        "images": report.images,
        "counts": dict(sorted(report.counts.items())),
        "deviation_counts": dict(sorted(report.by_code.items())),
        "deviations": [deviation_document(one) for one in report.deviations],
        "totals": [{**asdict(one), "right": not one.wrong} for one in report.totals],
    }


def why_not_read(item: Item) -> tuple[str, str] | None:
    """Code and message where an item is not to be read; None where it is."""
    if item.cause is not None:
        cause = item.cause
        place = f"record {cause.record}" + (f", {cause.field}" if cause.field else "")
        return cause.code, f"{place}: {cause.message}"
    if item.amount_minor is None:
        return "invalid_field", f"record {item.record}, Item Amount: it holds no amount"
    if item.view("front") is None:
        return "image_missing", f"record {item.record}: the item has no image"
    return None


def exception_lines(rows: Iterable[Row]) -> Iterator[str]:
    """A CSV of the items that don't agree, with its head (RFC 4180)."""
    yield _line(EXCEPTION_COLUMNS)
    for row in rows:
        if row.verdict != "agrees":
            yield _line(["" if cell is None else _harmless(cell) for cell in row.cells()])


def _harmless(cell: object) -> str:
    """Text that no spreadsheet takes for a formula."""
    text = str(cell)
    return f"'{text}" if isinstance(cell, str) and text[:1] in ("=", "+", "-", "@", "\t") else text


def _line(cells: Iterable[object]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()
