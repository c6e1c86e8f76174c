"""Results as CSV, safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Final

from service.desk.review import Decision
from service.jobs.store import Item

COLUMNS: Final = (
    "number", "file", "reference", "state", "decision", "reject_reason", "amount_minor",
    "currency", "text", "digits", "confidence", "model_version", "error_code", "error_message",
    "desk_decision", "desk_amount_minor", "desk_currency",
)  # fmt: skip
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_FROM_READING: Final = frozenset(COLUMNS[4:12])


def csv_lines(items: Iterable[tuple[Item, Decision | None]]) -> Iterator[str]:
    """The head and a line for each item with what clerks decided of it (RFC 4180).

    A cell of text that a spreadsheet would run as a formula gets an apostrophe before it; numbers
    are left as they are, so that a negative amount stays one.
    """
    yield _line(COLUMNS)
    for item, decision in items:
        code, message = item.error or (None, None)
        reading = item.reading or {}
        own: dict[str, object] = {
            "number": item.number,
            "file": item.file,
            "reference": item.reference,
            "state": item.state,
            "error_code": code,
            "error_message": message,
            "desk_decision": decision and decision.said.kind,
            "desk_amount_minor": decision and decision.said.amount_minor,
            "desk_currency": decision and decision.said.currency,
        }
        yield _line(
            [_cell(reading.get(name) if name in _FROM_READING else own[name]) for name in COLUMNS]
        )


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.lstrip(" ").startswith(_FORMULA) else value
    return str(value)


def _line(cells: Iterable[str]) -> str:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow(cells)
    return buffer.getvalue()
