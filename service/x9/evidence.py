"""Reads the images of an item against the amount that its record states."""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, Final

from service.errors import InputError
from service.options import Reader, ReadingOptions
from service.pipeline.container import ImageLimits
from service.pipeline.reader import Reading
from service.x9.usability import Measured, UsabilityLimits, measure_image
from service.x9.verdict import Verdict, verdict_of

CURRENCY: Final = "USD"
_DOUBTED: Final = 0.2
_SURE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the images say: the reading of the front, the verdict on the stated amount, defects."""

    reading: Reading
    verdict: Verdict
    usability: tuple[Measured, ...]

    def document(self) -> dict[str, Any]:
        """The reading as JSON has it, with verdict and usability as members of their own."""
        return {
            **asdict(self.reading),
            "verdict": self.verdict,
            "usability": [asdict(one) for one in self.usability],
        }


def read_item(
    reader: Reader,
    front: bytes,
    back: Callable[[], bytes | None],
    amount_minor: int,
    options: ReadingOptions,
    limits: ImageLimits,
    thresholds: UsabilityLimits,
) -> Evidence:
    """Read an item's front against its stated amount; raises InputError as the reader does.

    back: gives the back's image; it is read too where the front shows no amount that it may hold,
    to tell whether the sides are exchanged. Without a currency the item is in US dollars.
    """
    currency = options.currency or CURRENCY

    def read(data: bytes) -> Reading:
        return reader.read(
            data,
            currency=currency,
            locale=options.locale,
            field_only=options.field_only,
            max_error=options.max_error,
            reference=options.reference,
            stated=amount_minor,
        )

    reading = read(front)
    usability = list(measure_image(front, limits, thresholds))
    swapped: float | None = None
    verdict = verdict_of(reading)
    if verdict != "agrees" and reading.confidence < _DOUBTED:
        swapped = _back_confidence(back, read)
    exchanged = swapped is not None and swapped >= _SURE
    usability.append(Measured("front_and_back_swapped", swapped, _SURE, exchanged))
    confidence = round(reading.confidence, 4)
    usability.append(
        Measured(
            "illegible_amount",
            confidence,
            thresholds.confidence,
            confidence < thresholds.confidence and verdict != "agrees",
        )
    )
    return Evidence(reading, verdict, tuple(usability))


def _back_confidence(
    back: Callable[[], bytes | None], read: Callable[[bytes], Reading]
) -> float | None:
    """How sure an amount stands on the back; None where there is none to read."""
    data = back()
    if data is None:
        return None
    try:
        return round(read(data).confidence, 4)
    except InputError:
        return None
