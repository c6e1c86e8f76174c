"""Reads the images of an item against the amount that its record states."""

from collections.abc import Callable
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


def document(reading: Reading, back: Callable[[], Reading | None]) -> dict[str, Any]:
    """A reading of an item's front as JSON has it, the comparison with its back among the measures.

    back: reads the back, None where there is none. It is called only where the front shows no
    amount that it may hold, to tell whether the sides are exchanged.
    """
    doubted = reading.confidence < _DOUBTED and (
        reading.stated is None or reading.stated.verdict != "agrees"
    )
    other = _tried(back) if doubted else None
    sides = exchanged(reading.confidence, None if other is None else other.confidence)
    return asdict(replace(reading, usability=(*reading.usability, sides)))


def _tried(back: Callable[[], Reading | None]) -> Reading | None:
    try:
        return back()
    except ChequeReaderError:
        return None
