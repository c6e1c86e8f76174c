"""Finds where records begin and end: by length prefixes, or by what records hold.

The standards have a length of 4 bytes, big-endian, before every record. Files also come without, or
with line ends instead, with little-endian lengths or a mainframe's record descriptor words. Where
a length is wrong, the record's own content and what follows decide; where nothing helps, the next
thing that looks like a record is looked for.
"""

import re
import struct
from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple

from service.errors import InputError
from service.x9.deviation import Code
from service.x9.layout import LAYOUTS, MAX_RECORD, TYPES
from service.x9.record import TO_EBCDIC, Encoding, translated
from service.x9.window import SupportsRead, Window

Framing = Literal["big-endian", "little-endian", "descriptor", "none"]

LETTER_HEAD: Final = 128
"""Bytes of a file that tell whether it is a cash letter."""

_LOOK: Final = 1 << 16
_HEAD: Final = 4
_FILLERS: Final = (0x00, 0x20, 0x40, 0x0A, 0x0D, 0x15, 0x25, 0x1A)
_LINE_ENDS: Final = (b"\r\n", b"\r\x25", b"\r\x15", b"\n", b"\x15", b"\x25", b"\r")
_FIXED: Final = {
    layout.type: layout.size
    for layout in LAYOUTS["x9.37"].values()
    if layout.size and layout.type not in ("42", "62")
}
_KEYED: Final = ("27", "34")
_KEYED_REST: Final = 24
_LONGEST_HEAD: Final = MAX_RECORD - 9_999_999


def _codes(type_: str) -> tuple[tuple[bytes, Encoding], tuple[bytes, Encoding]]:
    ascii_ = type_.encode()
    return (ascii_, "ascii"), (ascii_.translate(TO_EBCDIC), "ebcdic")


# The first two bytes of a record: its type and encoding.
_STARTS: Final[dict[bytes, tuple[str, Encoding]]] = {
    code: (f"{number:02d}", encoding)
    for number in range(100)
    for code, encoding in _codes(f"{number:02d}")
}

_SHAPES: Final = (
    r"01[0-9]{2}[TP][0-9 ]{9}[0-9 ]{9}[0-9]{8}", r"[12]0[0-9]{2}[0-9]{18}[0-9]{8}",
    r"25[0-9 *\-]{15}[0-9* ][0-9]{8}", r"26[0-9][0-9 ]{9}[0-9 ]{8}", r"27[0-9][0-9 ]{15}[0-9]{4}",
    r"28[0-9]{2}[0-9 ]{9}[0-9 ]{8}", r"31[0-9]{8}[0-9 *\-][0-9 *\-/]{20}[0-9]{10}",
    r"32[0-9][0-9 ]{9}[0-9 ]{8}", r"34[0-9][0-9 ]{15}[0-9]{4}", r"35[0-9]{2}[0-9 ]{9}[0-9 ]{8}",
    r"50[0-9][0-9]{9}[0-9]{8}", r"52[0-9]{9}[0-9]{8}[A-Za-z0-9 ]{2}[0-9 ]{15}",
    r"54[0-9]{3}[0-9 ]{7}", r"61[0-9 *\-]{15}", r"62[0-9 *\-]{15}", r"70[0-9]{4}[0-9]{12}",
    r"85[0-9]{9}[0-9]{14}", r"90[0-9]{6}[0-9]{8}[0-9]{14}", r"99[0-9]{6}[0-9]{8}[0-9]{8}[0-9]{16}",
)  # fmt: skip


def _either(expression: str) -> bytes:
    """An expression in ASCII or in EBCDIC; of ranges it holds those of digits and letters alone."""
    coded = b""
    ranges = {"0-9": b"\xf0-\xf9", "A-Z": b"\xc1-\xc9\xd1-\xd9\xe2-\xe9"}
    ranges["a-z"] = b"\x81-\x89\x91-\x99\xa2-\xa9"
    for part in re.findall(r"0-9|A-Z|a-z|\{[0-9,]+\}|\\.|.", expression):
        if part in ranges:
            coded += ranges[part]
        elif part[0] in "{[]()|":
            coded += part.encode()
        else:
            coded += re.escape(part[-1].encode().translate(TO_EBCDIC))
    return b"(?:" + expression.encode() + b")|(?:" + coded + b")"


_SHAPE: Final = re.compile(_either("|".join(_SHAPES)), re.DOTALL)
_TYPED: Final = b"(?:" + _either("|".join(sorted(TYPES))) + b")"
_LONGEST_SHAPE: Final = 64


def _big(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _little(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _descriptor(data: bytes, at: int) -> int:
    size, rest = struct.unpack_from(">HH", data, at)
    return int(size) - _HEAD if rest == 0 else MAX_RECORD + 1


# How a prefix is read, and what a prefix and the type after it look like.
_PREFIXES: Final[dict[Framing, tuple[Callable[[bytes, int], int], re.Pattern[bytes]]]] = {
    "big-endian": (_big, re.compile(rb"\x00[\x00-\x9a][\x00-\xff]{2}(?=" + _TYPED + b")")),
    "little-endian": (_little, re.compile(rb"[\x00-\xff]{2}[\x00-\x9a]\x00(?=" + _TYPED + b")")),
    "descriptor": (_descriptor, re.compile(rb"[\x00-\xff]{2}\x00\x00(?=" + _TYPED + b")")),
}


class ImageLayout(NamedTuple):
    """Where the variable fields of a 52 stand: widths of key, signature and image, as stated.

    size: of the whole record, None where a length can't be read. head: bytes before the image.
    """

    key: int | None
    signature: int | None
    image: int | None

    @property
    def head(self) -> int:
        """Bytes before the image data."""
        return 117 + (self.key or 0) + (self.signature or 0)

    @property
    def size(self) -> int | None:
        """Bytes of the whole record."""
        return None if self.image is None else self.head + self.image


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
        self.framing = _framing_of(head)
        self.encoding: Encoding = _encoding_of(head)
        if self.framing in _PREFIXES:
            self._length, self._pattern = _PREFIXES[self.framing]
        self._ended = False

    def __iter__(self) -> Iterator[Piece]:
        window = self._window
        step = self._bare if self.framing == "none" else self._prefixed
        while window.ensure(_HEAD + 2):
            yield step()

    def _prefixed(self) -> Piece:
        """The record at the window's place, measured by its prefix if that can be."""
        window = self._window
        data, at = window.data, window.at
        start = _STARTS.get(data[at + _HEAD : at + _HEAD + 2])
        if start is None or len(data) - at < _HEAD + 2:
            return self._filling() or self._unreadable()
        type_, encoding = start
        size = self._length(data, at)
        if size == _FIXED.get(type_) and len(data) - at - _HEAD >= size:
            window.at = at + _HEAD + size
            return Piece(
                window.offset - size,
                data[at : at + _HEAD],
                data[at + _HEAD : at + _HEAD + size],
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
            window.ensure(_HEAD + (size if credible else _LONGEST_HEAD))
        else:
            window.ensure(_HEAD + 256)
        if type_ == "52":
            inside = image_layout(window.data, encoding, window.at + _HEAD)
            own = inside.size
            if own == size and credible:
                return self._piece(type_, encoding, size, inside=inside)
        else:
            own = _own_size(type_, encoding, window.data, window.at + _HEAD)
        if credible and (own == size or self._follows(_HEAD + size)):
            return self._piece(type_, encoding, size)
        if type_ in TYPES and own is not None and self._follows(_HEAD + own, filled=True):
            code: Code = "wrong_length_prefix" if credible else "length_too_large"
            return self._piece(type_, encoding, own, code)
        return self._lost(type_, encoding, size, credible)

    def _lost(self, type_: str, encoding: Encoding, size: int, credible: bool) -> Piece:
        """A record with a wrong length, as far as the next that is found."""
        code: Code = "wrong_length_prefix" if credible else "length_too_large"
        found = self._search(_HEAD + 2)
        if found is None and credible:
            # Nothing follows: what is there is all there is of it.
            rest = self._window.ensure(_HEAD + size) - _HEAD
            if rest < size:
                return self._piece(type_, encoding, rest, "truncated")
        if type_ not in TYPES or found is None:
            return self._unreadable(found)
        return self._piece(type_, encoding, found - _HEAD, code)

    def _piece(
        self,
        type_: str,
        encoding: Encoding,
        size: int,
        *codes: Code,
        inside: ImageLayout | None = None,
    ) -> Piece:
        window = self._window
        if window.ensure(_HEAD + size) < _HEAD + size:
            codes = ("truncated", *(code for code in codes if code != "truncated"))
        before = window.take(_HEAD)
        offset = window.offset
        data = window.take(size)
        return Piece(offset, before, data, b"", type_, encoding, codes, inside)

    def _follows(self, ahead: int, *, filled: bool = False) -> bool:
        """Whether a record begins so many bytes ahead, or the stream ends there.

        filled: bytes that only fill up will do, of which images have some too.
        """
        window = self._window
        here = window.ensure(ahead + _HEAD + 2)
        if here <= ahead:
            return here == ahead
        place = window.at + ahead
        rest = window.data[place : place + _HEAD + 2]
        if len(rest) < _HEAD + 2 or rest[:4] in (bytes(4), b"    ", b"@@@@"):
            return filled and all(byte in _FILLERS for byte in rest[:4])
        return self._begins(window.data, place)

    def _begins(self, data: bytes, place: int) -> bool:
        start = _STARTS.get(data[place + _HEAD : place + _HEAD + 2])
        size = self._length(data, place)
        if start is None or not 2 <= size <= MAX_RECORD:
            return False
        fixed = _FIXED.get(start[0])
        return size == fixed if fixed else start[0] in TYPES or size <= 4096

    def _search(self, ahead: int) -> int | None:
        """How far ahead the next record begins, within what a record can span; None: nowhere."""
        window = self._window
        while ahead <= _HEAD + MAX_RECORD:
            here = window.ensure(ahead + _LOOK)
            if here < ahead + _HEAD + 2:
                return None
            end = min(window.at + here, window.at + ahead + _LOOK)
            for found in self._pattern.finditer(window.data, window.at + ahead, end):
                if self._begins(window.data, found.start()):
                    return found.start() - window.at
            ahead = end - window.at - (_HEAD + 1)
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
            while size and not self._begins(run, size) and size < here - _HEAD - 2:
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
            here = window.ensure(_LOOK + _LONGEST_SHAPE)
            found = self._next(here) or min(here, _LOOK)
        offset = window.offset
        data = window.take(min(found, MAX_RECORD))
        return Piece(offset, b"", data, b"", "", self.encoding, ("unreadable_bytes",))

    def _next(self, here: int) -> int | None:
        window = self._window
        end = window.at + min(here, _LOOK + _LONGEST_SHAPE)
        if self.framing == "none":
            found = _SHAPE.search(window.data, window.at + 1, end)
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
        start = _STARTS.get(window.data[window.at : window.at + 2])
        if start is None or start[0] not in TYPES:
            return self._unreadable()
        type_, encoding = start
        if type_ == "52":
            window.ensure(_LONGEST_HEAD)
        own = _own_size(type_, encoding, window.data, window.at)
        line = None if type_ == "52" else self._line()
        if line is not None and line <= (own or line):
            return self._bare_piece(type_, encoding, line)
        if own is not None and self._shape_follows(own):
            return self._bare_piece(type_, encoding, own)
        if type_ == "62" and self._shape_follows(80):
            return self._bare_piece(type_, encoding, 80)
        if _SHAPE.match(window.data, window.at) is None:
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
        found = _SHAPE.search(window.data, window.at + 2, window.at + here)
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

    def _shape_follows(self, ahead: int) -> bool:
        window = self._window
        here = window.ensure(ahead + _LONGEST_SHAPE + 2)
        if here <= ahead:
            return here == ahead
        place = window.at + ahead
        for end in _LINE_ENDS:
            if window.data.startswith(end, place):
                place += len(end)
                break
        rest = window.data[place : place + 2]
        start = _STARTS.get(rest)
        if start is not None and start[0] in TYPES:
            return True
        return not rest.strip(bytes(_FILLERS))


def _own_size(type_: str, encoding: Encoding, data: bytes, at: int) -> int | None:
    """A record's size by its layout and the lengths inside it; None where they say none."""
    if type_ in _FIXED:
        return _FIXED[type_]
    if type_ == "52":
        return image_layout(data, encoding, at).size
    if type_ in _KEYED:
        key = _number(translated(data[at + 18 : at + 22], encoding))
        return None if key is None else 22 + key + _KEYED_REST
    if type_ == "68":
        size = _number(translated(data[at + 38 : at + 45], encoding))
        return None if size is None else 45 + size
    return {"62": 100, "42": 80}.get(type_)


def image_layout(data: bytes, encoding: Encoding, at: int = 0) -> ImageLayout:
    """The lengths inside the 52 that begins at data[at]; its image need not be there."""
    place = at + 101
    key = _number(translated(data[place : place + 4], encoding))
    if key is None:
        return ImageLayout(None, None, None)
    place += 4 + key
    signature = _number(translated(data[place : place + 5], encoding))
    if signature is None:
        return ImageLayout(key, None, None)
    place += 5 + signature
    image = _number(translated(data[place : place + 7], encoding), blank=None)
    return ImageLayout(key, signature, image)


def _number(text: bytes, blank: int | None = 0) -> int | None:
    digits = text.strip(b" ")
    if not digits:
        return blank
    return int(digits) if digits.isdigit() else None


def is_cash_letter(head: bytes) -> bool:
    """Whether a file is a cash letter, by its first LETTER_HEAD bytes."""
    bare = head.lstrip(b"\r\n")
    return any(
        part[:2] in (b"01", b"\xf0\xf1") and _SHAPE.match(part) is not None
        for part in (bare, bare[_HEAD:])
    )


def _framing_of(head: bytes) -> Framing:
    """How the records at the beginning of a file are told apart; raises InputError."""
    best: tuple[int, Framing] = (0, "none")
    for framing, (length, pattern) in _PREFIXES.items():
        good = 0
        for found in pattern.finditer(head):
            type_, _ = _STARTS[head[found.end() : found.end() + 2]]
            good += length(head, found.start()) == _FIXED.get(type_, -1)
        best = max(best, (good, framing), key=lambda one: one[0])
    shapes = sum(1 for _ in _SHAPE.finditer(head))
    if best[0] == 0 and shapes == 0:
        raise InputError("not_a_cash_letter", "the file holds no record of X9.37 or X9.100-187")
    return best[1] if 2 * best[0] >= shapes else "none"


def _encoding_of(head: bytes) -> Encoding:
    found = _SHAPE.search(head)
    place = found.start() if found else 4
    start = _STARTS.get(head[place : place + 2])
    return start[1] if start else "ascii"
