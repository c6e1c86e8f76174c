"""A copy of a file with other amounts, and with totals that are right for them."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Final

from service.errors import InputError
from service.x9.letter import KINDS, CashLetterFile
from service.x9.record import Record
from service.x9.totals import Sums
from service.x9.window import SupportsRead

_AT_ONCE: Final = 1 << 18
_ITEMS: Final = ("25", "31", "61", "62")
_AMOUNT: Final = {
    "70": "Bundle Total Amount", "90": "Cash Letter Total Amount", "99": "File Total Amount",
}  # fmt: skip
_COUNT: Final = {
    "70": "Items Within Bundle Count", "90": "Items Within Cash Letter Count",
    "99": "Total Item Count",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Adjusted:
    """What was changed: amounts of items, and control records of which a total was."""

    amounts: int
    controls: int


@dataclass(slots=True)
class _Level:
    """What has been added up since a bundle, a cash letter, the file began.

    sums: of the new amounts; change: of debits, credits and those that are MICR-valid.
    """

    sums: Sums = field(default_factory=Sums)
    change: int = 0
    credit_change: int = 0
    micr_change: int = 0


def adjust(source: SupportsRead, target: BinaryIO | None, amounts: Mapping[int, int]) -> Adjusted:
    """Copy a file; amounts: the new ones by item number, in minor units. target None: try it.

    Totals of amounts and items in 70, 90 and 99 become what the items add up to; where an item's
    amount is no number, and in 75, 85 and the MICR Valid Total Amount, the difference is added to
    what is stated. 40 and 41 are left alone. Everything else is copied byte by byte. Raises
    InputError (unknown_item, amount_too_large).
    """
    copy = _Copy(amounts)
    for record in CashLetterFile(source).records():
        changed = copy.changed(record)
        if target is not None:
            target.write(changed.raw)
    unknown = [number for number in amounts if not 0 <= number < copy.items]
    if unknown:
        raise InputError("unknown_item", f"the file has no item {unknown[0]}")
    return Adjusted(copy.amounts, copy.controls)


def adjusted(source: SupportsRead, amounts: Mapping[int, int]) -> Iterator[bytes]:
    """The copy that `adjust` makes, in pieces; raises as it does."""
    copy = _Copy(amounts)
    pieces: list[bytes] = []
    size = 0
    for record in CashLetterFile(source).records():
        pieces.append(copy.changed(record).raw)
        size += len(pieces[-1])
        if size >= _AT_ONCE:
            yield b"".join(pieces)
            pieces, size = [], 0
    yield b"".join(pieces)


class _Copy:
    def __init__(self, amounts: Mapping[int, int]) -> None:
        self._new = amounts
        self.items = 0
        self.amounts = 0
        self.controls = 0
        self._levels = {"70": _Level(), "90": _Level(), "99": _Level(), "75": _Level()}
        self._by_routing: defaultdict[str, int] = defaultdict(int)

    def changed(self, record: Record) -> Record:
        """The record as it goes into the copy."""
        if record.type in _ITEMS:
            return self._item(record)
        if record.type == "20":
            self._levels["70"] = _Level()
        elif record.type == "10":
            self._levels["90"] = _Level()
            self._by_routing.clear()
        elif record.type in ("70", "90", "99"):
            return self._control(record)
        elif record.type == "75":
            level, self._levels["75"] = self._levels["75"], _Level()
            return self._moved(record, "Box Total Amount", level.change)
        elif record.type == "85":
            routing = record["Routing Number Within Cash Letter"][:8]
            return self._moved(record, "Routing Number Total Amount", self._by_routing[routing])
        return record

    def _item(self, record: Record) -> Record:
        number = self.items
        self.items += 1
        old = record.number_in("Item Amount")
        new = self._new.get(number, old)
        kind = KINDS[record.type]
        micr = record.type == "25" and record["MICR Valid Indicator"] == "1"
        change = (new or 0) - (old or 0)
        credit = kind == "credit"
        for level in self._levels.values():
            level.sums.add(kind, new, micr_valid=micr)
            level.change += 0 if credit else change
            level.credit_change += change if credit else 0
            level.micr_change += change if micr else 0
        if not credit:
            start = 18 if record.type == "25" else 2
            self._by_routing[record.text[start : start + 8].decode("latin-1")] += change
        if new is None or new == old:
            return record
        self.amounts += 1
        return record.with_number("Item Amount", new)

    def _control(self, record: Record) -> Record:
        level = self._levels[record.type]
        before = record
        stated = record.number_in(_AMOUNT[record.type])
        count = record.number_in(_COUNT[record.type])
        sums = level.sums
        with_credits = sums.items + sums.credits == count and sums.credits > 0
        if stated is not None and sums.unknown == 0:
            total = sums.amount + (sums.credit_amount if with_credits else 0)
            record = record.with_number(_AMOUNT[record.type], total)
        elif stated is not None:
            moved = level.change + (level.credit_change if with_credits else 0)
            record = self._moved(record, _AMOUNT[record.type], moved)
        if count is not None and not with_credits:
            record = record.with_number(_COUNT[record.type], sums.items)
        if record.type == "70":
            valid = record.number_in("MICR Valid Total Amount")
            if valid:
                record = self._moved(record, "MICR Valid Total Amount", level.micr_change)
            self._levels["70"] = _Level()
        elif record.type == "90":
            self._levels["90"] = _Level()
        self.controls += record.data != before.data
        return record

    def _moved(self, record: Record, name: str, change: int) -> Record:
        stated = record.number_in(name)
        if stated is None or change == 0:
            return record
        return record.with_number(name, max(stated + change, 0))
