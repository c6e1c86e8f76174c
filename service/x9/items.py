"""What a cash letter is made of: items, their images, and the report on the whole file."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, Literal

from service.x9.deviation import Code, Deviation
from service.x9.layout import Standard
from service.x9.record import Encoding
from service.x9.shapes import Framing
from service.x9.totals import Kind, Total

Side = Literal["front", "back"]

MOST_DEVIATIONS: Final = 10_000


@dataclass(frozen=True, slots=True)
class View:
    """One image of an item: which side, where its bytes are in the file, format None if unknown."""

    side: Side
    record: int
    start: int
    size: int
    format: str | None


@dataclass(frozen=True, slots=True)
class Item:
    """A cheque, a returned cheque or a credit.

    number: place in the file, from 0. record, offset: of its first record. type: 25, 31, 61 or 62.
    amount_minor: as stated, None where it is no number. sequence: as stated, without blanks.
    routing: of the bank it is drawn on, 9 digits or fewer. cash_letter, bundle: from 1, 0 outside.
    micr_valid: whether it counts for the MICR Valid Total Amount. views: its images. deviations:
    in its records. cause: that for which the profile sets it aside, None where it doesn't.
    """

    number: int
    record: int
    offset: int
    type: str
    kind: Kind
    amount_minor: int | None
    sequence: str
    routing: str
    cash_letter: int
    bundle: int
    micr_valid: bool
    views: tuple[View, ...]
    deviations: tuple[Deviation, ...]
    cause: Deviation | None

    @property
    def quarantined(self) -> bool:
        """Whether it is set aside."""
        return self.cause is not None

    def view(self, side: Side) -> View | None:
        """The image of a side."""
        for one in self.views:
            if one.side == side:
                return one
        return None


@dataclass(slots=True)
class Report:
    """What a file is, and what is wrong with it; complete once all of it was read.

    counts: records by type. deviations: the first MOST_DEVIATIONS; by_code: how many of each there
    are. totals: what control records state and what was found, those of 90 and 99 and those of 70
    that are wrong. items, quarantined: how many.
    """

    framing: Framing
    encoding: Encoding
    standard: Standard
    records: int = 0
    items: int = 0
    quarantined: int = 0
    cash_letters: int = 0
    bundles: int = 0
    images: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    deviations: list[Deviation] = field(default_factory=list)
    by_code: Counter[Code] = field(default_factory=Counter)
    totals: list[Total] = field(default_factory=list)

    def add(self, deviation: Deviation) -> None:
        """Note a deviation."""
        self.by_code[deviation.code] += 1
        if len(self.deviations) < MOST_DEVIATIONS:
            self.deviations.append(deviation)
