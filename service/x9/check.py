"""Makes records of pieces, and says where each departs from its layout."""

from typing import Final, Protocol

from service.x9.deviation import Code, Deviation
from service.x9.framing import Piece
from service.x9.layout import Field, Layout, Standard, checks, layout_of
from service.x9.record import Encoding, Record, translated
from service.x9.shapes import image_layout

_KEYED: Final = ("27", "34")


class _Report(Protocol):
    """What takes a fault that was found."""

    def __call__(self, code: Code, field: str | None = None) -> None: ...


def record_of(piece: Piece, number: int, standard: Standard, encoding: Encoding) -> Record:
    """The record that a piece is; encoding: that of the file."""
    if piece.type == "52":
        return _image_record(piece, number, standard, encoding)
    text = translated(piece.data, piece.encoding)
    layout = layout_of(piece.type, standard, text)
    if layout is None:
        codes = (*piece.codes, "unknown_record") if piece.type else piece.codes
        deviations = tuple(Deviation(code, number, piece.offset, piece.type) for code in codes)
        return _record(piece, number, text, None, (), deviations)
    if (
        len(text) == layout.size
        and layout.head.fullmatch(text)
        and piece.encoding == encoding
        and not piece.codes
    ):
        deviations = _routing_faults(layout, text, number, piece.offset)
        return _record(piece, number, text, layout, (), deviations)
    variable = _widths(piece.type, text)
    record = _record(piece, number, text, layout, variable, ())
    return _with_faults(record, piece.codes, encoding)


def _record(
    piece: Piece,
    number: int,
    text: bytes,
    layout: Layout | None,
    variable: tuple[int, ...],
    deviations: tuple[Deviation, ...],
) -> Record:
    return Record(
        number, piece.offset, piece.before, piece.data, piece.after, piece.type, piece.encoding,
        text, layout, variable, deviations,
    )  # fmt: skip


def _image_record(piece: Piece, number: int, standard: Standard, encoding: Encoding) -> Record:
    """An image view data record, its image left alone."""
    layout = layout_of("52", standard, b"")
    assert layout is not None
    inside = piece.inside or image_layout(piece.data, piece.encoding)
    head = translated(piece.data[: inside.head], piece.encoding)
    widths = (inside.key or 0, inside.signature or 0, inside.image or 0)
    record = _record(piece, number, head, layout, widths, ())
    clean = (
        inside.size == len(piece.data)
        and not piece.codes
        and piece.encoding == encoding
        and layout.head.match(head) is not None
        and not _routing_faults(layout, head, number, piece.offset)
    )
    return record if clean else _with_faults(record, piece.codes, encoding)


def _widths(type_: str, text: bytes) -> tuple[int, ...]:
    """The width of the variable field, never more than there is."""
    if type_ in _KEYED:
        stated, rest = text[18:22].strip(b" ") or b"0", len(text) - 46
    elif type_ == "68":
        stated, rest = text[38:45].strip(b" ") or b"0", len(text) - 45
    else:
        return ()
    return (min(int(stated) if stated.isdigit() else 0, max(rest, 0)),)


def _with_faults(record: Record, codes: tuple[Code, ...], encoding: Encoding) -> Record:
    """The record with all that is wrong in it, field by field."""
    layout = record.layout
    assert layout is not None
    found = [Deviation(code, record.number, record.offset, record.type) for code in codes]

    def report(code: Code, field: str | None = None) -> None:
        found.append(Deviation(code, record.number, record.offset, record.type, field))

    if record.encoding != encoding:
        report("mixed_encodings")
    if "truncated" not in codes:
        _check_size(record, layout, report)
    end = len(record.data)
    for field, start, stop in record.places():
        if start >= end and field.width:
            break
        if isinstance(field.width, int) and stop - start == field.width:
            fault = _fault(field, record.text[start:stop])
            if fault is not None:
                report(fault, field.name)
    found += _routing_faults(layout, record.text, record.number, record.offset)
    return _record(
        Piece(
            record.offset, record.before, record.data, record.after, record.type, record.encoding
        ),
        record.number,
        record.text,
        layout,
        record.variable,
        tuple(found),
    )


def _check_size(record: Record, layout: Layout, report: _Report) -> None:
    """A record's length against its layout, or against the lengths that it states itself."""
    size = len(record.data)
    if layout.size is not None:
        if size < layout.size and record.text.rstrip() and not record.after:
            report("short_record")
        elif size > layout.size:
            report("wrong_length")
        return
    widths = [one.width for one in layout.fields if isinstance(one.width, int)]
    least = sum(widths)
    if size < least:
        report("short_record")
        return
    names = [one.width for one in layout.fields if isinstance(one.width, str)]
    stated = [record.number_in(name) for name in names]
    fixed = sum(one or 0 for one in stated)
    if record.type == "52":
        if stated[-1] is None and record["Length of Image Data"]:
            report("lying_length", "Length of Image Data")
        elif least + fixed != size:
            report("lying_length", str(names[-1]))
    elif least + fixed > size:
        report("lying_length", str(names[0]))
    elif least + fixed < size:
        report("wrong_length")


def _fault(field: Field, value: bytes) -> Code | None:
    if field.pattern().fullmatch(value):
        return None
    if not value.strip(b" "):
        return "missing_field"
    return "reserved_not_blank" if field.type == "B" else "invalid_field"


def _routing_faults(layout: Layout, text: bytes, number: int, offset: int) -> tuple[Deviation, ...]:
    faults: tuple[Deviation, ...] = ()
    for name, start in layout.routings:
        routing = text[start : start + 9]
        if not checks(routing) and routing.isdigit() and len(routing) == 9:
            faults += (Deviation("bad_check_digit", number, offset, layout.type, name),)
    return faults
