"""Takes a TIFF of many pages apart, each page a small TIFF of its own (TIFF 6.0 section 2).

Only the structure is read, never a pixel: a page keeps its tags, and its strips or tiles are
copied as they are. What decoding makes of it is decided when it is read.
"""

import struct
from collections.abc import Iterator
from typing import Final

from service.errors import InputError

TIFF_SIGNATURES: Final = {b"II*\0": "<", b"MM\0*": ">"}

_MAX_PAGES: Final = 20_000
_MAX_TAGS: Final = 512
_MAX_VALUES: Final = 1 << 20
_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SHORT, _LONG = 3, 4
_NEW_SUBFILE_TYPE: Final = 254
# Offsets and byte counts of strips, of tiles.
_DATA_TAGS: Final = ((273, 279), (324, 325))
# Tags that point elsewhere in the file, which a page of its own does not have: sub-directories,
# Exif, GPS, and JPEG tables of the old kind.
_DROPPED: Final = frozenset({330, 34665, 34853, 513, 514, 519, 520, 521})

_Entry = tuple[int, int, int]  # type, number of values, where they are


class Strips:
    """How many strips or tiles all pages of a batch may name together.

    Pages may share theirs, so that a small file could name billions.
    """

    def __init__(self, most: int = 1 << 24) -> None:
        self._left = most

    def take(self, count: int) -> None:
        """Count some; raises InputError (corrupt_image)."""
        self._left -= count
        if self._left < 0:
            raise InputError("corrupt_image", "the pages have more strips than they can need")


def split_tiff(
    data: bytes | memoryview, max_bytes: int, strips: Strips, *, every: int = 1
) -> Iterator[bytes | InputError]:
    """The pages of a TIFF, thumbnails left out; with every=2 the first of each two, the fronts.

    A page that is broken or too large comes as the error that says so. Raises InputError
    (truncated_image, corrupt_image) where the pages after it can't be found or name too many
    strips, or where the fronts have no back for each.
    """
    order = TIFF_SIGNATURES[bytes(data[:4])]
    offsets = list(_directories(data, order))
    if len(offsets) % every:
        raise InputError(
            "corrupt_image", f"the TIFF has {len(offsets)} pages, no back for each front"
        )
    for offset in offsets[::every]:
        strips.take(_strips(data, offset, order))
        try:
            page = _page(data, offset, order, max_bytes)
        except InputError as error:
            yield error
            continue
        yield page


def _directories(data: bytes | memoryview, order: str) -> Iterator[int]:
    """Offsets of the directories of pages."""
    if len(data) < 8:
        raise InputError("truncated_image", "the file ends inside the TIFF header")
    (offset,) = struct.unpack_from(f"{order}I", data, 4)
    seen: set[int] = set()
    while offset:
        if offset in seen or len(seen) >= _MAX_PAGES:
            raise InputError("corrupt_image", "the TIFF's directories do not end")
        seen.add(offset)
        entries, following = _directory(data, offset, order)
        kind = entries.get(_NEW_SUBFILE_TYPE)
        if kind is None or not sum(_numbers(data, kind, order)[:1]) & 1:
            yield offset
        offset = following


def _directory(data: bytes | memoryview, offset: int, order: str) -> tuple[dict[int, _Entry], int]:
    """The entries of a directory by tag, and the offset of the next one."""
    if offset + 2 > len(data):
        raise InputError("truncated_image", "the file ends inside the TIFF directory")
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    end = offset + 2 + 12 * count
    if not 0 < count <= _MAX_TAGS:
        raise InputError("corrupt_image", f"a TIFF directory has {count} tags")
    if end + 4 > len(data):
        raise InputError("truncated_image", "the file ends inside the TIFF directory")
    entries: dict[int, _Entry] = {}
    for place in range(offset + 2, end, 12):
        tag, kind, values, start = struct.unpack_from(f"{order}HHII", data, place)
        size = _SIZES.get(kind, 0) * values
        start = place + 8 if size <= 4 else start
        if size and values <= _MAX_VALUES and start + size <= len(data) and tag not in entries:
            entries[tag] = kind, values, start
    (following,) = struct.unpack_from(f"{order}I", data, end)
    return entries, following


def _strips(data: bytes | memoryview, offset: int, order: str) -> int:
    """Strips or tiles that a directory names."""
    entries, _ = _directory(data, offset, order)
    return sum(entries[tag][1] for tag, _ in _DATA_TAGS if tag in entries)


def _numbers(data: bytes | memoryview, entry: _Entry, order: str) -> tuple[int, ...]:
    kind, values, start = entry
    if kind not in (_SHORT, _LONG):
        return ()
    return struct.unpack_from(f"{order}{values}{'H' if kind == _SHORT else 'I'}", data, start)


def _page(data: bytes | memoryview, offset: int, order: str, max_bytes: int) -> bytes:
    """One page as a file: header, its strips or tiles, long values, its directory."""
    entries, _ = _directory(data, offset, order)
    out = _Growing(bytes(data[:4]) + bytes(4), max_bytes)
    moved: dict[int, tuple[int, int, bytes]] = {}
    for offset_tag, size_tag in _DATA_TAGS:
        if offset_tag not in entries:
            continue
        starts = _numbers(data, entries[offset_tag], order)
        sizes = _numbers(data, entries.get(size_tag, (_LONG, 0, 0)), order)
        if len(starts) != len(sizes):
            raise InputError("corrupt_image", "the TIFF's strip offsets and sizes do not match")
        places = []
        for start, size in zip(starts, sizes, strict=True):
            if start + size > len(data):
                raise InputError("truncated_image", "the file ends inside the TIFF's pixel data")
            places.append(out.add(data[start : start + size]))
        moved[offset_tag] = _LONG, len(places), struct.pack(f"{order}{len(places)}I", *places)
    if not moved:
        raise InputError("corrupt_image", "the TIFF page has no pixel data")
    rows = b""
    for tag in sorted(entries.keys() - _DROPPED):
        kind, values, start = entries[tag]
        raw = bytes(data[start : start + _SIZES[kind] * values])
        kind, values, raw = moved.get(tag, (kind, values, raw))
        place = raw.ljust(4, b"\0") if len(raw) <= 4 else struct.pack(f"{order}I", out.add(raw))
        rows += struct.pack(f"{order}HHI", tag, kind, values) + place
    count = struct.pack(f"{order}H", len(entries.keys() - _DROPPED))
    place = struct.pack(f"{order}I", out.add(count + rows + bytes(4)))
    return out.finished(place)


class _Growing:
    """A file in memory that refuses to grow beyond max_bytes."""

    def __init__(self, head: bytes, max_bytes: int) -> None:
        self._data = bytearray(head)
        self._max_bytes = max_bytes

    def add(self, data: bytes | memoryview) -> int:
        """Append data at an even offset, which is returned; raises InputError."""
        start = len(self._data)
        if start + len(data) > self._max_bytes:
            raise InputError("too_large_bytes", f"the page has more than {self._max_bytes} bytes")
        self._data += data
        self._data += bytes(len(self._data) % 2)
        return start

    def finished(self, first_directory: bytes) -> bytes:
        """The file, its header pointing to its directory."""
        self._data[4:8] = first_directory
        return bytes(self._data)
