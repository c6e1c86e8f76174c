"""Cash letters in batches: their items with the amounts stated, and the report on each file."""

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa

from service.jobs.bodies import Bodies
from service.jobs.tables import metadata, number_of_item, of_a_batch, results
from service.x9.documents import Row, item_document, report_document, why_not_read
from service.x9.items import Item, Report
from service.x9.letter import CashLetterFile

if TYPE_CHECKING:
    from service.jobs.store import NewItem, Store

_PAGE: Final = 500
_AT_ONCE: Final = 1 << 20
_INSERT_AT_ONCE: Final = 1000
_REPORTED: Final = 1000

letters: Final = sa.Table(
    "cheque_letters",
    metadata,
    of_a_batch(),
    sa.Column("letter", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("file", sa.Text, nullable=True, comment="what the caller calls the file"),
    sa.Column("reference", sa.Text, nullable=True),
    sa.Column("start", sa.BigInteger, nullable=False, comment="first byte in the batch's file"),
    sa.Column("size", sa.BigInteger, nullable=False),
    sa.Column("first", sa.Integer, nullable=False, comment="number of its first item"),
    sa.Column("report", sa.JSON, nullable=False),
)

letter_items: Final = sa.Table(
    "cheque_letter_items",
    metadata,
    of_a_batch(),
    number_of_item(),
    sa.Column("letter", sa.Integer, nullable=False),
    sa.Column("amount", sa.BigInteger, nullable=True, comment="as its record states it"),
    sa.Column("back_start", sa.BigInteger, nullable=True),
    sa.Column("back_size", sa.BigInteger, nullable=True),
    sa.Column("item", sa.JSON, nullable=False),
)


@dataclass(slots=True)
class NewLetter:
    """A cash letter that is being taken in; its report is complete after its last item."""

    file: str | None
    reference: str | None
    start: int
    size: int
    report: Report


@dataclass(frozen=True, slots=True)
class NewLetterItem:
    """An item of a cash letter; back: where its back's image is in the batch's file."""

    letter: NewLetter
    item: Item
    back: tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A cash letter of a batch; first: the number of its first item in the batch."""

    number: int
    file: str | None
    reference: str | None
    start: int
    size: int
    first: int
    report: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StatedItem:
    """What a record says of an item: its amount, where its back is, its codeline's numbers."""

    amount_minor: int
    back: tuple[int, int] | None
    numbers: tuple[str, ...]


def take_in_letter(
    body: Any, start: int, end: int, file: str | None, reference: str | None
) -> "Iterator[NewItem]":
    """The items of the cash letter at body[start:end]; raises InputError (not_a_cash_letter)."""
    from service.jobs.store import NewItem

    with memoryview(body) as view, view[start:end] as part:
        stream = Part(lambda at, size: bytes(part[at : at + size]), end - start)
        source = CashLetterFile(stream)
        letter = NewLetter(file, reference, start, end - start, source.report)
        for item in source.items():
            front, back = item.view("front"), item.view("back")
            place = None if back is None else (start + back.start, back.size)
            named = item.sequence if item.sequence.isprintable() else ""
            named = named or f"record {item.record}"
            yield NewItem(
                file,
                reference or named,
                start + (front.start if front else 0),
                front.size if front else 0,
                why_not_read(item),
                NewLetterItem(letter, item, place),
            )


def accept(connection: sa.Connection, batch: str, items: "Sequence[NewItem]") -> None:
    """Write the cash letters among the items of a new batch, in a transaction of the caller's."""
    numbers: dict[int, int] = {}
    rows: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    for number, new in enumerate(items):
        if new.letter is None:
            continue
        letter = new.letter.letter
        if id(letter) not in numbers:
            numbers[id(letter)] = len(numbers)
            report = report_document(letter.report)
            heads.append({
                "batch": batch, "letter": numbers[id(letter)], "file": letter.file,
                "reference": letter.reference, "start": letter.start, "size": letter.size,
                "first": number,
                "report": {**report, "deviations": report["deviations"][:_REPORTED]},
            })  # fmt: skip
        back = new.letter.back or (None, None)
        rows.append({
            "batch": batch, "number": number, "letter": numbers[id(letter)],
            "amount": new.letter.item.amount_minor, "back_start": back[0], "back_size": back[1],
            "item": item_document(new.letter.item),
        })  # fmt: skip
    if heads:
        connection.execute(letters.insert(), heads)
    for first in range(0, len(rows), _INSERT_AT_ONCE):
        connection.execute(letter_items.insert(), rows[first : first + _INSERT_AT_ONCE])


def stated_items(store: "Store", batch: str, first: int, count: int) -> dict[int, StatedItem]:
    """What records state of some items, by number; nothing of those that are of no cash letter."""
    table = letter_items
    query = table.select().where(
        table.c.batch == batch,
        table.c.number >= first,
        table.c.number < first + count,
        table.c.amount.is_not(None),
    )
    with store.reading() as connection:
        return {
            row.number: StatedItem(
                row.amount,
                None if row.back_start is None else (row.back_start, row.back_size),
                tuple(row.item["micr_numbers"]),
            )
            for row in connection.execute(query)
        }


def letters_of(store: "Store", batch: str) -> list[Letter]:
    """The cash letters of a batch, in order."""
    query = letters.select().where(letters.c.batch == batch).order_by(letters.c.letter)
    with store.reading() as connection:
        return [
            Letter(row.letter, row.file, row.reference, row.start, row.size, row.first, row.report)
            for row in connection.execute(query)
        ]


def rows_of(
    store: "Store", batch: str, letter: int, *, after: int = -1, limit: int | None = None
) -> Iterator[tuple[Row, bool]]:
    """The items of a cash letter, in order, and whether each has its result, page by page.

    after: the number in the batch of the item before the first.
    """
    table = letter_items
    joined = table.join(
        results,
        sa.and_(results.c.batch == table.c.batch, results.c.number == table.c.number),
        isouter=True,
    )
    columns = (results.c.state, results.c.reading, results.c.error_code, results.c.error_message)
    left = limit
    while left is None or left > 0:
        size = _PAGE if left is None else min(left, _PAGE)
        query = (
            sa.select(table, *columns)
            .select_from(joined)
            .where(table.c.batch == batch, table.c.letter == letter, table.c.number > after)
            .order_by(table.c.number)
            .limit(size)
        )
        with store.reading() as connection:
            page = connection.execute(query).all()
        for row in page:
            error = (row.error_code, row.error_message) if row.error_code else None
            yield Row(row.number, row.item, row.reading, error), row.state is not None
        if len(page) < size:
            return
        after = page[-1].number
        left = None if left is None else left - size


def open_letter(bodies: Bodies, body: str, letter: Letter) -> "Part":
    """A cash letter as a stream; reads of a body that is gone raise FileNotFoundError."""

    def read(at: int, size: int) -> bytes:
        data = bodies.read(body, letter.start + at, size)
        if data is None:
            raise FileNotFoundError(body)
        return data

    return Part(read, letter.size)


class Part(io.RawIOBase):
    """A part of something as a stream that is read from its beginning."""

    def __init__(self, load: Any, size: int) -> None:
        """load: called with an offset and a number of bytes that are there."""
        self._load = load
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int | None = -1) -> bytes:
        left = self._size - self._at
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted == 0:
            return b""
        data: bytes = self._load(self._at, wanted)
        self._at += len(data)
        return data
