"""What control records state, and what the records that they control add up to."""

from dataclasses import dataclass
from typing import Final, Literal, Protocol

from service.x9.record import Record

Kind = Literal["check", "return", "credit"]


@dataclass(slots=True)
class Sums:
    """Items and their amounts; credits apart, since clearing arrangements count them or don't.

    unknown: items whose amount is no number.
    """

    items: int = 0
    amount: int = 0
    credits: int = 0
    credit_amount: int = 0
    micr_valid: int = 0
    images: int = 0
    unknown: int = 0

    def add(self, kind: Kind, amount: int | None, *, micr_valid: bool) -> None:
        """Count an item."""
        if amount is None:
            self.unknown += 1
        if kind == "credit":
            self.credits += 1
            self.credit_amount += amount or 0
            return
        self.items += 1
        self.amount += amount or 0
        if micr_valid:
            self.micr_valid += amount or 0


@dataclass(frozen=True, slots=True)
class Total:
    """One total of a control record: what it states (None: nothing, or no number), what was found.

    also: what else may be stated, with credits counted or not.
    """

    record: int
    offset: int
    type: str
    field: str
    stated: int | None
    found: int
    also: int | None = None

    @property
    def wrong(self) -> bool:
        """Whether a total is stated, and is not right."""
        return self.stated is not None and self.stated not in (self.found, self.also)


class _Make(Protocol):
    """What makes a total of its name and values."""

    def __call__(self, name: str, found: int, also: int | None = None) -> Total: ...


_ITEMS: Final = {
    "70": "Items Within Bundle Count",
    "90": "Items Within Cash Letter Count",
    "99": "Total Item Count",
}
_AMOUNTS: Final = {
    "70": "Bundle Total Amount",
    "90": "Cash Letter Total Amount",
    "99": "File Total Amount",
}
_IMAGES: Final = {
    "70": "Images Within Bundle Count",
    "90": "Images Within Cash Letter Count",
}
_INDICATOR: Final = "Credit Total Indicator"


class Totals:
    """Sums of the bundle, the cash letter and the file that are open."""

    def __init__(self) -> None:
        self.bundle = Sums()
        self.letter = Sums()
        self.file = Sums()
        self.bundles = 0
        self.letters = 0

    def begin_letter(self) -> None:
        """Start a cash letter."""
        self.letter = Sums()
        self.letters += 1
        self.bundles = 0

    def begin_bundle(self) -> None:
        """Start a bundle."""
        self.bundle = Sums()
        self.bundles += 1

    def end_bundle(self) -> None:
        """What follows belongs to no bundle."""
        self.bundle = Sums()

    def end_letter(self) -> None:
        """What follows belongs to no cash letter."""
        self.letter = Sums()

    def item(self, kind: Kind, amount: int | None, *, micr_valid: bool) -> None:
        """Count an item."""
        for sums in (self.bundle, self.letter, self.file):
            sums.add(kind, amount, micr_valid=micr_valid)

    def image(self) -> None:
        """Count an image record."""
        for sums in (self.bundle, self.letter, self.file):
            sums.images += 1

    def stated(self, record: Record) -> list[Total]:
        """What a control record states, against what was found."""
        type_ = record.type
        sums = {"70": self.bundle, "90": self.letter, "99": self.file}[type_]

        def total(name: str, found: int, also: int | None = None) -> Total:
            return Total(
                record.number, record.offset, type_, name, record.number_in(name), found, also
            )

        with_credits = _credits_count(record)
        items = (sums.items, sums.items + sums.credits)
        amounts = (sums.amount, sums.amount + sums.credit_amount)
        found = [
            _either(total, _ITEMS[type_], items, with_credits),
            _either(total, _AMOUNTS[type_], amounts, with_credits),
        ]
        if type_ == "70":
            found.append(total("MICR Valid Total Amount", sums.micr_valid, 0))
        if type_ == "90":
            found.append(total("Bundle Count", self.bundles))
        if type_ == "99":
            found.append(total("Cash Letter Count", self.letters))
            found.append(total("Total Record Count", record.number))
        else:
            found.append(total(_IMAGES[type_], sums.images))
        return found


def _credits_count(record: Record) -> bool | None:
    """Whether a record says that credits are in its totals; None where it says nothing."""
    try:
        said = record[_INDICATOR]
    except KeyError:
        return None
    return {"0": False, "1": True}.get(said)


def _either(total: _Make, name: str, values: tuple[int, int], with_credits: bool | None) -> Total:
    """A total that credits may be part of."""
    if with_credits is None:
        return total(name, values[0], values[1])
    return total(name, values[1 if with_credits else 0])
