"""One record of a file: its bytes as they stood there, its fields under the standard's names."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final, Literal

from service.errors import InputError
from service.x9.deviation import Deviation
from service.x9.layout import NUMBERS, Field, Layout

Encoding = Literal["ascii", "ebcdic"]

# EBCDIC code page 37 (the one that the standard names) to ISO 8859-1 and back: 256 bytes each.
TO_ASCII: Final = bytes(range(256)).decode("cp037").encode("latin-1")
TO_EBCDIC: Final = bytes(range(256)).decode("latin-1").encode("cp037")


def translated(data: bytes, encoding: Encoding) -> bytes:
    """Bytes of a file as ASCII."""
    return data if encoding == "ascii" else data.translate(TO_ASCII)


# Not frozen: that would take as long as all else that is done with a record.
@dataclass(slots=True)
class Record:
    """A record, or bytes between records, exactly as the file has them.

    number: from 1; 0 for bytes that are no record. offset: of data in the file. before: what stands
    before it: length prefix, fillings; after: a line's end. before + data + after of all, in order,
    are the file. type: two digits, "" for no record. text: its fields in ASCII, up to the image of
    a 52. layout: None for types that are not known. variable: the widths of its variable fields,
    in order, as far as the record's own lengths can be believed. deviations: of this record alone.
    """

    number: int
    offset: int
    before: bytes
    data: bytes
    after: bytes
    type: str
    encoding: Encoding
    text: bytes
    layout: Layout | None
    variable: tuple[int, ...]
    deviations: tuple[Deviation, ...]

    @property
    def raw(self) -> bytes:
        """The record as the file has it, with what stands around it."""
        return self.before + self.data + self.after

    def places(self) -> Iterator[tuple[Field, int, int]]:
        """Every field with its first byte and the one after its last, as far as the record goes."""
        start = 0
        widths = iter(self.variable)
        for field in self.layout.fields if self.layout else ():
            width = field.width if isinstance(field.width, int) else next(widths, 0)
            yield field, min(start, len(self.data)), min(start + width, len(self.data))
            start += width

    def place(self, name: str) -> tuple[int, int]:
        """Where a field stands in data; raises KeyError for one that the layout does not have."""
        if self.layout is not None and name in self.layout.places:
            return self.layout.places[name]
        for field, start, end in self.places():
            if field.name == name:
                return start, end
        raise KeyError(name)

    def __getitem__(self, name: str) -> str:
        """A field's text without the blanks around it; raises KeyError."""
        start, end = self.place(name)
        return self.text[start:end].decode("latin-1").strip()

    def number_in(self, name: str) -> int | None:
        """A field's number, None where it holds none; raises KeyError."""
        start, end = self.place(name)
        return whole_number(self.text[start:end])

    def fields(self) -> dict[str, str | int | None]:
        """All fields but binary ones: amounts and counts as integers, the others as text."""
        found: dict[str, str | int | None] = {}
        for field, start, end in self.places():
            if field.type == "Binary":
                continue
            value = self.text[start:end]
            if field.type in NUMBERS:
                found[field.name] = whole_number(value)
            else:
                found[field.name] = value.decode("latin-1").strip()
        return found

    def with_number(self, name: str, value: int) -> "Record":
        """The record with another number in a field, filled up with zeros.

        Raises InputError (amount_too_large) where it does not fit.
        """
        start, end = self.place(name)
        digits = b"%0*d" % (end - start, value)
        if len(digits) != end - start or value < 0:
            raise InputError("amount_too_large", f"a total does not fit into {name}")
        return self.with_bytes(name, digits)

    def with_bytes(self, name: str, text: bytes) -> "Record":
        """The record with other text in a field, in ASCII and of the field's width."""
        start, end = self.place(name)
        if len(text) != end - start:
            raise InputError("invalid_field", f"a value does not fit into {name}")
        coded = text if self.encoding == "ascii" else text.translate(TO_EBCDIC)
        data = self.data[:start] + coded + self.data[end:]
        return replace(self, data=data, text=self.text[:start] + text + self.text[end:])


def whole_number(text: bytes) -> int | None:
    """The number in a field of digits, blanks around it allowed; None for anything else."""
    digits = text.strip(b" ")
    return int(digits) if digits.isdigit() else None
