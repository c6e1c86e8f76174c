"""Reads the images of an item against the amount that its record states."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any, Final

from service.errors import ChequeReaderError
from service.options import ReadingOptions
from service.pipeline.reader import Reading
from service.pipeline.usability import exchanged

CURRENCY: Final = "USD"
_DOUBTED: Final = 0.2


def item_options(options: ReadingOptions, amount_minor: int) -> ReadingOptions:
    """How an item is read: against its record, in US dollars where no currency is given."""
    return replace(options, currency=options.currency or CURRENCY, stated=amount_minor)


def back_options(options: ReadingOptions) -> ReadingOptions:
    """How the back of an item is read: there no amount is expected."""
    return replace(options, stated=None)


def document(
    reading: Reading, numbers: Sequence[str], back: Callable[[], Reading | None]
) -> dict[str, Any]:
    """A reading of an item's front as JSON has it, the comparison with its back among the measures.

    numbers: of the item's codeline; what was read for an amount and is one of them is none. back:
    reads the back, None where there is none. It is called only where the front shows no amount that
    it may hold, to tell whether the sides are exchanged.
    """
    reading = without_numbers(reading, numbers)
    doubted = reading.confidence < _DOUBTED and (
        reading.stated is None or reading.stated.verdict != "agrees"
    )
    other = _tried(back) if doubted else None
    sides = exchanged(reading.confidence, None if other is None else other.confidence)
    return asdict(replace(reading, usability=(*reading.usability, sides)))


def without_numbers(reading: Reading, numbers: Sequence[str]) -> Reading:
    """A reading whose verdict does not rest on a number of the codeline taken for the amount.

    The cheque's own number is printed large, near where amounts stand.
    """
    stated = reading.stated
    if stated is None or stated.verdict != "disagrees":
        return reading
    if not is_number(stated.likeliest_minor, numbers):
        return reading
    return replace(reading, stated=replace(stated, verdict="unread"))


def is_number(read: int | None, numbers: Sequence[str]) -> bool:
    """Whether an amount that was read is one of the codeline's numbers, with cents or without."""
    if read is None:
        return False
    return str(read) in numbers or (read % 100 == 0 and str(read // 100) in numbers)


def _tried(back: Callable[[], Reading | None]) -> Reading | None:
    try:
        return back()
    except ChequeReaderError:
        return None
