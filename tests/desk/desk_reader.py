"""A stand-in reader whose readings the desk has to look at, and a clerk's browser."""

from dataclasses import dataclass
from typing import Any

from service.pipeline.image import load_cheque
from service.pipeline.reader import Alternative, Reading


@dataclass
class UnsureReader:
    """Reads the number in the reference as the amount, and is not sure of it.

    Where accept is set the even ones are accepted.
    """

    model_version: str = "unsure/1"
    accept: bool = False

    def read(self, data: bytes, **options: Any) -> Reading:
        """A reading with two alternatives."""
        load_cheque(data, field_only=options["field_only"])
        number = int(options["reference"] or 0)
        accepted = self.accept and number % 2 == 0
        amounts = (100 * number, 100 * number + 900000)
        return Reading(
            amount_minor=amounts[0],
            currency="USD",
            text=f"${number}.00",
            digits=str(amounts[0]),
            confidence=0.999 if accepted else 0.6,
            decision="accept" if accepted else "reject",
            reject_reason=None if accepted else "low_confidence",
            alternatives=tuple(
                Alternative(f"${one / 100:.2f}", str(one), one, "USD", 0.5) for one in amounts
            ),
            field_box=((640.0, 110.0), (860.0, 110.0), (860.0, 160.0), (640.0, 160.0)),
            symbols=(),
            pages=1,
            segments=9,
            model_version=self.model_version,
            grammar_version="any/1",
            reference=options["reference"],
            stages={},
        )
