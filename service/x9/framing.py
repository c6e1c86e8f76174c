"""Finds where records begin and end: by length prefixes, or by what records hold.

The standards have a length of 4 bytes, big-endian, before every record. Files also come without, or
with line ends instead, with little-endian lengths or a mainframe's record descriptor words. Where
a length is wrong, the record's own content and what follows decide; where nothing helps, the next
thing that looks like a record is looked for.
"""

from collections.abc import Iterator
from typing import Final, NamedTuple

from service.x9.deviation import Code
from service.x9.layout import MAX_RECORD, TYPES
from service.x9.record import Encoding
from service.x9.shapes import (
    FIXED,
    LONGEST_HEAD,
    LONGEST_SHAPE,
    PREFIX,
    PREFIXES,
    SHAPE,
    STARTS,
    ImageLayout,
    encoding_of,
    framing_of,
    image_layout,
    own_size,
)
from service.x9.window import SupportsRead, Window

_LOOK: Final = 1 << 16
_SHORT_CREDIT: Final = 80
_LONG_CREDIT: Final = 100
_FILLERS: Final = (0x00, 0x20, 0x40, 0x0A, 0x0D, 0x15, 0x25, 0x1A)
_LINE_ENDS: Final = (b"\r\n", b"\r\x25", b"\r\x15", b"\n", b"\x15", b"\x25", b"\r")


class Piece(NamedTuple):
    """A record's bytes, or bytes that are none (type ""); see `record.Record`.

    inside: the lengths in a 52.
    """

    offset: int
    before: bytes
    data: bytes
    after: bytes
    type: str
    encoding: Encoding
    codes: tuple[Code, ...] = ()
    inside: ImageLayout | None = None


class Pieces:
    """The pieces of a stream, in order; together they are the stream.

    framing and encoding: those of the file, known from the start. Raises InputError
    (not_a_cash_letter) where the beginning of the stream shows no record.
    """

    def __init__(self, stream: SupportsRead) -> None:
        self._window = Window(stream)
        available = self._window.ensure(_LOOK)
        head = self._window.data[:available]
        self.framing = framing_of(head)
        self.encoding: Encoding = encoding_of(head)
        if self.framing in PREFIXES:
            self._length, self._pattern = PREFIXES[self.framing]
        self._ended = False

    def __iter__(self) -> Iterator[Piece]:
        window = self._window
        step = self._bare if self.framing == "none" else self._prefixed
        while window.ensure(PREFIX + 2):
            yield step()

    def _prefixed(self) -> Piece:
        """The record at the window's place, measured by its prefix if that can be."""
        window = self._window
        data, at = window.data, window.at
        start = STARTS.get(data[at + PREFIX : at + PREFIX + 2])
        if start is None or len(data) - at < PREFIX + 2:
            return self._filling() or self._unreadable()
        type_, encoding = start
        size = self._length(data, at)
        if size == FIXED.get(type_) and len(data) - at - PREFIX >= size:
            window.at = at + PREFIX + size
            return Piece(
                window.offset - size,
                data[at : at + PREFIX],
                data[at + PREFIX : at + PREFIX + size],
                b"",
                type_,
                encoding,
            )
        return self._measured(type_, encoding, size)

    def _measured(self, type_: str, encoding: Encoding, size: int) -> Piece:
        """The same, where the prefix is not what the layout says."""
        window = self._window
        credible = 2 <= size <= MAX_RECORD
        if type_ == "52":
            window.ensure(PREFIX + (size if credible else LONGEST_HEAD))
        else:
            window.ensure(PREFIX + 256)
        if type_ == "52":
            inside = image_layout(window.data, encoding, window.at + PREFIX)
            own = inside.size
            if own == size and credible:
                return self._piece(type_, encoding, size, inside=inside)
        else:
            own = own_size(type_, encoding, window.data, window.at + PREFIX)
        if credible and (own == size or self._follows(PREFIX + size)):
            return self._piece(type_, encoding, size)
        if type_ in TYPES and own is not None and self._follows(PREFIX + own, filled=True):
            code: Code = "wrong_length_prefix" if credible else "length_too_large"
            return self._piece(type_, encoding, own, code)
        return self._lost(type_, encoding, size, credible)

    def _lost(self, type_: str, encoding: Encoding, size: int, credible: bool) -> Piece:
        """A record with a wrong length, as far as the next that is found."""
        code: Code = "wrong_length_prefix" if credible else "length_too_large"
        found = self._search(PREFIX + 2)
        if found is None and credible:
            # Nothing follows: what is there is all there is of it.
            rest = self._window.ensure(PREFIX + size) - PREFIX
            if rest < size:
                return self._piece(type_, encoding, rest, "truncated")
        if type_ not in TYPES or found is None:
            return self._unreadable(found)
        return self._piece(type_, encoding, found - PREFIX, code)

    def _piece(
        self,
        type_: str,
        encoding: Encoding,
        size: int,
        *codes: Code,
        inside: ImageLayout | None = None,
    ) -> Piece:
        window = self._window
        if window.ensure(PREFIX + size) < PREFIX + size:
            codes = ("truncated", *(code for code in codes if code != "truncated"))
        before = window.take(PREFIX)
        offset = window.offset
        data = window.take(size)
        return Piece(offset, before, data, b"", type_, encoding, codes, inside)

    def _follows(self, ahead: int, *, filled: bool = False) -> bool:
        """Whether a record begins so many bytes ahead, or the stream ends there.

        filled: bytes that only fill up will do, of which images have some too.
        """
        window = self._window
        here = window.ensure(ahead + PREFIX + 2)
        if here <= ahead:
            return here == ahead
        place = window.at + ahead
        rest = window.data[place : place + PREFIX + 2]
        if len(rest) < PREFIX + 2 or rest[:4] in (bytes(4), b"    ", b"@@@@"):
            return filled and all(byte in _FILLERS for byte in rest[:4])
        return self._begins(window.data, place)

    def _begins(self, data: bytes, place: int) -> bool:
        start = STARTS.get(data[place + PREFIX : place + PREFIX + 2])
        size = self._length(data, place)
        if start is None or not 2 <= size <= MAX_RECORD:
            return False
        fixed = FIXED.get(start[0])
        return size == fixed if fixed else start[0] in TYPES or size <= 4096

    def _search(self, ahead: int) -> int | None:
        """How far ahead the next record begins, within what a record can span; None: nowhere."""
        window = self._window
        while ahead <= PREFIX + MAX_RECORD:
            here = window.ensure(ahead + _LOOK)
            if here < ahead + PREFIX + 2:
                return None
            end = min(window.at + here, window.at + ahead + _LOOK)
            for found in self._pattern.finditer(window.data, window.at + ahead, end):
                if self._begins(window.data, found.start()):
                    return found.start() - window.at
            ahead = end - window.at - (PREFIX + 1)
            if here < ahead + _LOOK:
                return None
        return None

    def _filling(self) -> Piece | None:
        """Bytes that fill up, as a piece of its own."""
        window = self._window
        here = min(window.ensure(_LOOK), _LOOK)
        run = window.data[window.at : window.at + here]
        size = len(run) - len(run.lstrip(bytes(_FILLERS)))
        # The first bytes of a length may look like filling.
        if size < here and self.framing != "none":
            size = max(0, size - 3)
            while size and not self._begins(run, size) and size < here - PREFIX - 2:
                step = run[size]
                if step not in _FILLERS:
                    break
                size += 1
        if size == 0:
            return None
        offset = window.offset
        return Piece(offset, b"", window.take(size), b"", "", self.encoding, ("padding",))

    def _unreadable(self, found: int | None = None) -> Piece:
        """Bytes as far as the next record, or a window of them."""
        window = self._window
        if found is None:
            here = window.ensure(_LOOK + LONGEST_SHAPE)
            found = self._next(here) or min(here, _LOOK)
        offset = window.offset
        data = window.take(min(found, MAX_RECORD))
        return Piece(offset, b"", data, b"", "", self.encoding, ("unreadable_bytes",))

    def _next(self, here: int) -> int | None:
        window = self._window
        end = window.at + min(here, _LOOK + LONGEST_SHAPE)
        if self.framing == "none":
            found = SHAPE.search(window.data, window.at + 1, end)
            return found.start() - window.at if found else None
        for match in self._pattern.finditer(window.data, window.at + 1, end):
            if self._begins(window.data, match.start()):
                return match.start() - window.at
        return None

    def _bare(self) -> Piece:
        """The record at the window's place in a file without length prefixes."""
        window = self._window
        window.ensure(256)
        if window.data[window.at] in _FILLERS:
            filling = self._filling()
            if filling is not None:
                return filling
        start = STARTS.get(window.data[window.at : window.at + 2])
        if start is None or start[0] not in TYPES:
            return self._unreadable()
        type_, encoding = start
        if type_ == "52":
            window.ensure(LONGEST_HEAD)
        own = own_size(type_, encoding, window.data, window.at)
        if type_ == "62" and self._is_short_credit():
            own = _SHORT_CREDIT
        line = None if type_ == "52" else self._line()
        if line is not None and line <= (own or line):
            return self._bare_piece(type_, encoding, line)
        if own is not None and self._shape_follows(own):
            return self._bare_piece(type_, encoding, own)
        if type_ == "62" and self._shape_follows(_SHORT_CREDIT):
            return self._bare_piece(type_, encoding, _SHORT_CREDIT)
        if SHAPE.match(window.data, window.at) is None:
            return self._unreadable()
        here = window.ensure(MAX_RECORD + _LOOK if type_ == "52" else _LOOK)
        if own is not None and own >= here:
            return self._bare_piece(type_, encoding, here, "truncated")
        found = self._shape_after(here)
        if found is None:
            return self._bare_piece(type_, encoding, min(own or here, here))
        return self._bare_piece(type_, encoding, found)

    def _shape_after(self, here: int) -> int | None:
        window = self._window
        found = SHAPE.search(window.data, window.at + 2, window.at + here)
        return found.start() - window.at if found else None

    def _bare_piece(self, type_: str, encoding: Encoding, size: int, *codes: Code) -> Piece:
        window = self._window
        if window.ensure(size + 2) < size:
            codes = ("truncated",)
        offset = window.offset
        data = window.take(size)
        after = b""
        for end in _LINE_ENDS:
            if window.data.startswith(end, window.at):
                after = window.take(len(end))
                break
        return Piece(offset, b"", data, after, type_, encoding, codes)

    def _line(self) -> int | None:
        """Bytes before a line's end, if one comes soon."""
        window = self._window
        text = window.data[window.at : window.at + 256]
        ends = [place for end in _LINE_ENDS if (place := text.find(end)) > 2]
        return min(ends) if ends and self._shape_follows(min(ends)) else None

    def _is_short_credit(self) -> bool:
        """Whether a 62 is of the shorter layout, by what looks like a record after each."""
        window = self._window
        window.ensure(_LONG_CREDIT + LONGEST_SHAPE)
        short, long = (
            SHAPE.match(window.data, window.at + size) is not None
            for size in (_SHORT_CREDIT, _LONG_CREDIT)
        )
        return short and not long

    def _shape_follows(self, ahead: int) -> bool:
        window = self._window
        here = window.ensure(ahead + LONGEST_SHAPE + 2)
        if here <= ahead:
            return here == ahead
        place = window.at + ahead
        for end in _LINE_ENDS:
            if window.data.startswith(end, place):
                place += len(end)
                break
        rest = window.data[place : place + 2]
        start = STARTS.get(rest)
        if start is not None and start[0] in TYPES:
            return True
        return not rest.strip(bytes(_FILLERS))
