"""The files in a ZIP archive that may be hostile: none larger than allowed, none trusted.

An archive that is larger inside than outside is bounded by what may be appended to a batch; its
directory, which would be held in memory, by the number of items.
"""

import io
import lzma
import mmap
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from service.errors import InputError

_SIGNATURES: Final = (b"PK\x03\x04", b"PK\x05\x06")
_END: Final = struct.Struct("<4s4H2LH")
_END_SIGNATURE: Final = b"PK\x05\x06"
_LONGEST_END: Final = _END.size + 0xFFFF
_LOCATOR: Final = b"PK\x06\x07"
_LOCATOR_SIZE: Final = 20
_ENTRY_BYTES: Final = 1024
_METHODS: Final = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED: Final = 0x1


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive: its content, or the code and message of what is wrong with it."""

    name: str
    data: bytes
    error: tuple[str, str] | None = None


def is_archive(head: bytes) -> bool:
    """Whether a file begins as a ZIP archive does."""
    return head[:4] in _SIGNATURES


def entries(
    body: mmap.mmap, start: int, end: int, most: int, max_bytes: int, in_all: int
) -> Iterator[Entry]:
    """The files of the archive at body[start:end], folders and what systems hide left out.

    max_bytes: of one file; in_all: of all, those that turn out damaged counted too. Raises
    InputError (malformed_batch, too_many_items, batch_too_large).
    """
    _check_directory(body, start, end, most)
    # A reader of its own, so that nothing of the body is copied.
    stream = _Window(memoryview(body)[start:end])
    try:
        archive = zipfile.ZipFile(stream)
    except (zipfile.BadZipFile, ValueError, struct.error, OSError):
        raise InputError("malformed_batch", "the ZIP archive is damaged") from None
    shown = [info for info in archive.infolist() if not _is_hidden(info)]
    if len(shown) > most:
        raise InputError("too_many_items", f"the archive has more than {most} files")
    for info in shown:
        # No more is unpacked of a file than it claims to hold.
        in_all -= info.file_size if info.file_size <= max_bytes else 0
        if in_all < 0:
            raise InputError("batch_too_large", "what the batch unpacks to is too large")
        yield _read(archive, info, max_bytes)


def _check_directory(body: mmap.mmap, start: int, end: int, most: int) -> None:
    """Refuse an archive whose directory is too large, before any of it is parsed."""
    place = body.rfind(_END_SIGNATURE, max(start, end - _LONGEST_END), end)
    if place < 0 or place + _END.size > end:
        raise InputError("malformed_batch", "the ZIP archive is cut short")
    if body[max(start, place - _LOCATOR_SIZE) : place].startswith(_LOCATOR):
        raise InputError("malformed_batch", "ZIP64 archives are not taken, plain ZIP is")
    size = _END.unpack(body[place : place + _END.size])[5]
    if size > most * _ENTRY_BYTES:
        raise InputError("too_many_items", f"the archive has more than {most} files")


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, max_bytes: int) -> Entry:
    name = info.filename
    if info.flag_bits & _ENCRYPTED:
        return Entry(name, b"", ("corrupt_image", "the archive's entry is encrypted"))
    if info.file_size > max_bytes:
        return Entry(name, b"", ("too_large_bytes", f"the image has more than {max_bytes} bytes"))
    if info.compress_type not in _METHODS:
        return Entry(name, b"", ("corrupt_image", "the archive's entry is not stored or deflated"))
    try:
        with archive.open(info) as stream:
            data = stream.read(max_bytes)
            data += stream.read(1)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, ValueError):
        return Entry(name, b"", ("corrupt_image", "the archive's entry is damaged"))
    except (NotImplementedError, RuntimeError, struct.error):
        return Entry(name, b"", ("corrupt_image", "the archive's entry can't be read"))
    if not data:
        return Entry(name, b"", ("empty", "the file is empty"))
    return Entry(name, data)


def _is_hidden(info: zipfile.ZipInfo) -> bool:
    parts = info.filename.split("/")
    return info.is_dir() or parts[0] == "__MACOSX" or parts[-1].startswith(".")


class _Window(io.RawIOBase):
    """A part of a buffer as a file."""

    def __init__(self, view: memoryview) -> None:
        self._view = view
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: len(self._view)}[whence]
        if base + offset < 0:
            raise ValueError("before the start")
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        return self._position

    def read(self, size: int | None = -1) -> bytes:
        end = len(self._view) if size is None or size < 0 else self._position + size
        data = bytes(self._view[self._position : end])
        self._position += len(data)
        return data
