"""What records look like from outside: lengths, types, encodings, the shape of first fields."""

import re
import struct
from bisect import bisect_left
from collections.abc import Callable
from typing import Final, Literal, NamedTuple

from service.errors import InputError
from service.x9.layout import LAYOUTS, MAX_RECORD, TYPES
from service.x9.record import TO_EBCDIC, Encoding, translated

Framing = Literal["big-endian", "little-endian", "descriptor", "none"]

LETTER_HEAD: Final = 128
"""Bytes of a file that tell whether it is a cash letter."""

PREFIX: Final = 4
FIXED: Final = {
    layout.type: layout.size
    for layout in LAYOUTS["x9.37"].values()
    if layout.size and layout.type not in ("42", "62")
}
_KEYED: Final = ("27", "34")
_KEYED_REST: Final = 24
LONGEST_HEAD: Final = MAX_RECORD - 9_999_999


def _codes(type_: str) -> tuple[tuple[bytes, Encoding], tuple[bytes, Encoding]]:
    ascii_ = type_.encode()
    return (ascii_, "ascii"), (ascii_.translate(TO_EBCDIC), "ebcdic")


# The first two bytes of a record: its type and encoding.
STARTS: Final[dict[bytes, tuple[str, Encoding]]] = {
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


SHAPE: Final = re.compile(
    rb"(?=[0-9]{2}|[\xf0-\xf9]{2})(?:" + _either("|".join(_SHAPES)) + b")", re.DOTALL
)
_TYPED: Final = b"(?:" + _either("|".join(sorted(TYPES))) + b")"
LONGEST_SHAPE: Final = 64


def _big(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "big")


def _little(data: bytes, at: int) -> int:
    return int.from_bytes(data[at : at + 4], "little")


def _descriptor(data: bytes, at: int) -> int:
    size, rest = struct.unpack_from(">HH", data, at)
    return int(size) - PREFIX if rest == 0 else MAX_RECORD + 1


# How a prefix is read, and what a prefix and the type after it look like.
PREFIXES: Final[dict[Framing, tuple[Callable[[bytes, int], int], re.Pattern[bytes]]]] = {
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


def own_size(type_: str, encoding: Encoding, data: bytes, at: int) -> int | None:
    """A record's size by its layout and the lengths inside it; None where they say none."""
    if type_ in FIXED:
        return FIXED[type_]
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
        part[:2] in (b"01", b"\xf0\xf1") and SHAPE.match(part) is not None
        for part in (bare, bare[PREFIX:])
    )


def framing_of(head: bytes) -> Framing:
    """How the records at the beginning of a file are told apart; raises InputError.

    By prefixes where at least half of all that looks like a record has one that says the record's
    length. What looks like one within such a record is none: numbers in its fields, its image.
    """
    shapes = [found.start() for found in SHAPE.finditer(head)]
    records, framing = max(
        ((_prefixed(head, *PREFIXES[name]), name) for name in PREFIXES),
        key=lambda one: len(one[0]),
    )
    if not records and not shapes:
        raise InputError("not_a_cash_letter", "the file holds no record of X9.37 or X9.100-187")
    begins = [begin for begin, _ in records]
    ends = [0, *(end for _, end in records)]
    outside = sum(at >= ends[bisect_left(begins, at)] for at in shapes)
    return framing if 2 * len(records) >= outside else "none"


def _prefixed(
    head: bytes, length: Callable[[bytes, int], int], pattern: re.Pattern[bytes]
) -> list[tuple[int, int]]:
    """Where the records begin and end whose prefix says the length they have, in order."""
    found = []
    for prefix in pattern.finditer(head):
        at, size = prefix.end(), length(head, prefix.start())
        if own_size(*STARTS[head[at : at + 2]], head, at) == size:
            found.append((at, at + size))
    return found


def encoding_of(head: bytes) -> Encoding:
    found = SHAPE.search(head)
    place = found.start() if found else 4
    start = STARTS.get(head[place : place + 2])
    return start[1] if start else "ascii"
