"""Puts a file together from its records: items with their images, totals, deviations.

A file is read once, from the beginning; an item is complete where the next one or a control record
begins. What is kept grows with the deviations that are reported, which are bounded, and with the
sequence numbers of one cash letter.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from service.x9.check import record_of
from service.x9.deviation import PROFILES, Code, Deviation, Profile
from service.x9.framing import Pieces
from service.x9.items import MOST_DEVIATIONS, Item, Report, Side, View
from service.x9.layout import layout_of, standard_of
from service.x9.record import Record
from service.x9.totals import Kind, Totals
from service.x9.window import SupportsRead

_MOST_NUMBERS: Final = 1_000_000
KINDS: Final[dict[str, Kind]] = {
    "25": "check", "31": "return", "61": "credit", "62": "credit",
}  # fmt: skip
_ADDENDA: Final = {
    "26": "25", "27": "25", "28": "25", "32": "31", "33": "31", "34": "31", "35": "31",
}  # fmt: skip
_COUNTS: Final = {
    "25": "Check Detail Record Addendum Count", "31": "Return Record Addendum Count",
}  # fmt: skip
_SEQUENCE: Final = "ECE Institution Item Sequence Number"
_FORMATS: Final = (
    (b"II*\0", "tiff"), (b"MM\0*", "tiff"), (b"\xff\xd8\xff", "jpeg"), (b"\x89PNG", "png"),
)  # fmt: skip
# Image data of blanks alone, up to so many, is what records without an image hold.
_BLANK: Final = 64


class CashLetterFile:
    """A file, read record by record; raises InputError (not_a_cash_letter) where it is none."""

    def __init__(self, stream: SupportsRead, profile: Profile = PROFILES["lenient"]) -> None:
        self._pieces = Pieces(stream)
        self._profile = profile
        self.report = Report(self._pieces.framing, self._pieces.encoding, "x9.37")

    def records(self) -> Iterator[Record]:
        """Every record, and bytes between them as records of type ""."""
        number = 0
        for piece in self._pieces:
            if piece.type:
                number += 1
            if piece.type == "01":
                head = record_of(piece, number, "x9.37", self._pieces.encoding)
                self.report.standard = standard_of(head.text[2:4])
            yield record_of(
                piece, number if piece.type else 0, self.report.standard, self._pieces.encoding
            )

    def items(self) -> Iterator[Item]:
        """Every item; the report is complete after the last."""
        assembly = Assembly(self.report, self._profile)
        for record in self.records():
            item = assembly.add(record)
            if item is not None:
                yield item
        item = assembly.finish()
        if item is not None:
            yield item


@dataclass(slots=True)
class _Open:
    """An item whose records are still coming."""

    item: Item
    stated_addenda: int | None
    addenda: int = 0
    views: list[View] = field(default_factory=list)
    deviations: list[Deviation] = field(default_factory=list)
    details: int = 0


class Assembly:
    """Items out of records, one after the other."""

    def __init__(self, report: Report, profile: Profile) -> None:
        self._report = report
        self._profile = profile
        self._totals = Totals()
        self._open: _Open | None = None
        self._detail: Record | None = None
        self._bundle_open = False
        self._letter_open = False
        self._file_open = False
        self._ended = False
        self._sequences: set[int] = set()
        self._last: Record | None = None

    def add(self, record: Record) -> Item | None:
        """Take the next record; the item that it ends, if it ends one."""
        report = self._report
        if not record.type:
            for deviation in record.deviations:
                self._note(deviation, to_item=False)
            return None
        report.records = record.number
        type_ = record.type
        report.counts[type_] += 1
        if self._ended:
            self._deviation("after_file_control", record)
        done = None
        if type_ in KINDS:
            done = self._close()
            self._begin(record)
        elif type_ in ("50", "52", "54") or type_ in _ADDENDA:
            self._part(record)
        elif type_ in ("01", "10", "20", "70", "90", "99"):
            done = self._close()
            self._structure(record)
        for deviation in record.deviations:
            self._note(deviation, to_item=True)
        self._last = record
        return done

    def finish(self) -> Item | None:
        """The last item; what is missing at the end is reported."""
        done = self._close()
        last = self._last
        if last is not None and not self._ended:
            for open_, type_ in (
                (self._bundle_open, "70"), (self._letter_open, "90"), (True, "99"),
            ):  # fmt: skip
                if open_:
                    self._missing(type_, last)
        return done

    def _structure(self, record: Record) -> None:
        type_ = record.type
        if type_ == "01":
            if self._file_open:
                self._deviation("out_of_order", record)
            self._file_open = True
        elif type_ == "10":
            self._end_bundle(record)
            self._end_letter(record)
            self._need_file(record)
            self._begin_letter()
        elif type_ == "20":
            self._end_bundle(record)
            self._need_letter(record)
            self._begin_bundle()
        elif type_ == "70":
            if not self._bundle_open:
                self._missing("20", record)
            self._check(record)
            self._totals.end_bundle()
            self._bundle_open = False
        elif type_ == "90":
            self._end_bundle(record)
            if not self._letter_open:
                self._missing("10", record)
            self._check(record)
            self._totals.end_letter()
            self._letter_open = False
        else:
            self._end_bundle(record)
            self._end_letter(record)
            self._check(record)
            self._ended = True

    def _need_file(self, record: Record) -> None:
        if not self._file_open:
            self._missing("01", record)
            self._file_open = True

    def _need_letter(self, record: Record) -> None:
        self._need_file(record)
        if not self._letter_open:
            self._missing("10", record)
            self._begin_letter()

    def _begin_letter(self) -> None:
        self._letter_open = True
        self._report.cash_letters += 1
        self._totals.begin_letter()
        self._sequences.clear()

    def _begin_bundle(self) -> None:
        self._bundle_open = True
        self._report.bundles += 1
        self._totals.begin_bundle()

    def _end_bundle(self, record: Record) -> None:
        if self._bundle_open:
            self._missing("70", record)
            self._totals.end_bundle()
            self._bundle_open = False

    def _end_letter(self, record: Record) -> None:
        if self._letter_open:
            self._missing("90", record)
            self._totals.end_letter()
            self._letter_open = False

    def _begin(self, record: Record) -> None:
        kind = KINDS[record.type]
        if kind == "credit":
            self._need_letter(record)
        elif not self._bundle_open:
            self._need_letter(record)
            self._missing("20", record)
            self._begin_bundle()
        report = self._report
        text = record.text
        amount = record.number_in("Item Amount")
        if record.type == "25":
            routing, sequence, micr = text[18:27], text[57:72], text[74:75]
        elif record.type == "31":
            routing, sequence, micr = text[2:11], text[53:68], b""
        else:
            routing, sequence, micr = text[18:27], b"", b""
        item = Item(
            report.items, record.number, record.offset, record.type, kind, amount,
            sequence.decode("latin-1").strip(), routing.decode("latin-1").strip(),
            report.cash_letters if self._letter_open else 0,
            report.bundles if self._bundle_open else 0,
            micr == b"1", (), (), None,
        )  # fmt: skip
        report.items += 1
        stated = record.number_in(_COUNTS[record.type]) if record.type in _COUNTS else None
        self._open = _Open(item, stated)
        self._detail = None
        if item.sequence and kind != "credit":
            number = hash(item.sequence)
            if number in self._sequences:
                self._deviation("duplicate_sequence_number", record, _SEQUENCE)
            elif len(self._sequences) < _MOST_NUMBERS:
                self._sequences.add(number)

    def _part(self, record: Record) -> None:
        open_ = self._open
        if open_ is None:
            self._deviation("out_of_order", record)
            return
        type_ = record.type
        if type_ == "50":
            self._detail = record
            open_.details += 1
        elif type_ == "52":
            self._image(open_, record)
        elif type_ != "54":
            open_.addenda += 1
            if _ADDENDA[type_] != open_.item.type:
                self._deviation("out_of_order", record)

    def _image(self, open_: _Open, record: Record) -> None:
        detail, self._detail = self._detail, None
        side: Side = "front" if not any(v.side == "front" for v in open_.views) else "back"
        if detail is None:
            self._deviation("no_detail_for_image", record)
        else:
            indicator = detail.text[31:32]
            side = "back" if indicator == b"1" else "front" if indicator == b"0" else side
        start = len(record.text)
        size = min(record.variable[-1], len(record.data) - start) if record.variable else 0
        if size <= _BLANK and not record.data[start : start + size].strip(b"\0 @"):
            self._report.images += 1
            self._totals.image()
            open_.views.append(View(side, record.number, record.offset + start, 0, None))
            return
        if any(view.side == side and view.size for view in open_.views):
            self._deviation("second_image_of_a_side", record)
            return
        head = record.data[start : start + 4]
        kind = next((name for mark, name in _FORMATS if head.startswith(mark)), None)
        if kind is None:
            self._deviation("image_unknown_format", record, "Image Data")
        if detail is not None:
            stated = detail.text[24:31].strip(b" 0")
            if stated.isdigit() and int(detail.text[24:31].strip(b" ")) not in (
                size, len(record.data), len(record.data) + 4,
            ):  # fmt: skip
                self._deviation("image_size", record, "Image View Data Size")
        self._report.images += 1
        self._totals.image()
        open_.views.append(View(side, record.number, record.offset + start, size, kind))

    def _close(self) -> Item | None:
        open_, self._open = self._open, None
        if open_ is None:
            return None
        item = open_.item
        self._open = open_
        if open_.stated_addenda is not None and open_.stated_addenda != open_.addenda:
            self._about("addendum_count", item, _COUNTS[item.type])
        front = next((v for v in open_.views if v.side == "front" and v.size), None)
        if front is None and (open_.views or open_.details):
            self._about("image_missing", item, None)
        self._open = None
        views = tuple(view for view in open_.views if view.size)
        deviations = tuple(open_.deviations)
        cause = next((one for one in deviations if self._profile.sets_aside(one)), None)
        self._report.quarantined += cause is not None
        self._totals.item(item.kind, item.amount_minor, micr_valid=item.micr_valid)
        return Item(
            item.number, item.record, item.offset, item.type, item.kind, item.amount_minor,
            item.sequence, item.routing, item.cash_letter, item.bundle, item.micr_valid, views,
            deviations, cause,
        )  # fmt: skip

    def _check(self, record: Record) -> None:
        for total in self._totals.stated(record):
            if total.wrong:
                self._deviation("wrong_total", record, total.field)
            kept = total.wrong or record.type != "70"
            if kept and len(self._report.totals) < MOST_DEVIATIONS:
                self._report.totals.append(total)

    def _missing(self, type_: str, record: Record) -> None:
        layout = layout_of(type_, self._report.standard, b"")
        name = layout.name if layout else None
        self._note(
            Deviation("missing_record", record.number, record.offset, type_, name), to_item=False
        )

    def _about(self, code: Code, item: Item, field_: str | None) -> None:
        self._note(Deviation(code, item.record, item.offset, item.type, field_), to_item=True)

    def _deviation(self, code: Code, record: Record, field_: str | None = None) -> None:
        deviation = Deviation(code, record.number, record.offset, record.type, field_)
        self._note(deviation, to_item=True)

    def _note(self, deviation: Deviation, *, to_item: bool) -> None:
        open_ = self._open
        if to_item and open_ is not None and deviation.record >= open_.item.record:
            deviation = replace(deviation, item=open_.item.number)
            if len(open_.deviations) < MOST_DEVIATIONS:
                open_.deviations.append(deviation)
        self._report.add(deviation)
