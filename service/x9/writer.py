"""Writes records: those that were read as they were, new ones as the standards have them."""

from collections.abc import Mapping
from typing import BinaryIO, Final

from service.errors import InputError
from service.x9.check import record_of
from service.x9.framing import Piece
from service.x9.layout import LAYOUTS, Field, Layout, Standard
from service.x9.record import TO_EBCDIC, Encoding, Record
from service.x9.shapes import Framing

_RIGHT: Final = frozenset({"NBSM", "NBSMOS"})
_DIGITS: Final = frozenset({"N", "Date", "Time", "Routing", "Amount", "Count"})


class Writer:
    """Writes a file; framing, encoding, standard: of the records that are made for it."""

    def __init__(
        self,
        stream: BinaryIO,
        *,
        framing: Framing = "big-endian",
        encoding: Encoding = "ebcdic",
        standard: Standard = "x9.100-187",
    ) -> None:
        self._stream = stream
        self._framing = framing
        self._encoding: Encoding = encoding
        self._standard: Standard = standard
        self.records = 0

    def copy(self, record: Record) -> None:
        """Write a record byte by byte as it was read."""
        self.records += bool(record.type)
        self._stream.write(record.raw)

    def make(self, type_: str, values: Mapping[str, str | int | bytes], variant: str = "") -> None:
        """Write a new record; values by the standard's names, the others blank or zero.

        Lengths of variable fields follow from their values. Raises KeyError for a name that the
        record does not have, InputError (invalid_field) for a value that does not fit.
        """
        layout = LAYOUTS[self._standard][type_, variant]
        data = encoded(layout, values, self._encoding)
        self.records += 1
        self._stream.write(_prefix(self._framing, len(data)) + data)


def encoded(layout: Layout, values: Mapping[str, str | int | bytes], encoding: Encoding) -> bytes:
    """A record's bytes; see `Writer.make`."""
    names = {field.name for field in layout.fields}
    for name in values:
        if name not in names:
            raise KeyError(name)
    given = {"Record Type": layout.type, **values}
    for field in layout.fields:
        if isinstance(field.width, str):
            given[field.width] = len(_bytes(given.get(field.name, b"")))
    data = b""
    for field in layout.fields:
        value = given.get(field.name, "")
        if field.type == "Binary":
            data += _bytes(value)
            continue
        text = _text(field, value).encode("latin-1")
        data += text if encoding == "ascii" else text.translate(TO_EBCDIC)
    return data


def read_back(layout: Layout, data: bytes, encoding: Encoding, standard: Standard) -> Record:
    """The record that some bytes are."""
    return record_of(Piece(0, b"", data, b"", layout.type, encoding), 1, standard, encoding)


def _bytes(value: str | int | bytes) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("latin-1")


def _text(field: Field, value: str | int | bytes) -> str:
    text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
    if isinstance(field.width, str):
        return text
    if field.type in _DIGITS or isinstance(value, int):
        blank = field.usage == "C" and text == ""
        filled = " " * field.width if blank else text.rjust(field.width, "0")
    elif field.type in _RIGHT:
        filled = text.rjust(field.width)
    else:
        filled = text.ljust(field.width)
    if len(filled) != field.width:
        raise InputError("invalid_field", f"a value does not fit into {field.name}")
    return filled


def _prefix(framing: Framing, size: int) -> bytes:
    if framing == "big-endian":
        return size.to_bytes(4, "big")
    if framing == "little-endian":
        return size.to_bytes(4, "little")
    if framing == "descriptor":
        if size + 4 > 0xFFFF:
            raise InputError("invalid_field", "a record descriptor word takes 65,531 bytes at most")
        return (size + 4).to_bytes(2, "big") + bytes(2)
    return b""
