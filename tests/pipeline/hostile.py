"""Files that a fuzzer starts from and how it changes them, all made here and small.

Every input begins with one byte that says how to read what follows: whether it is a cropped amount,
and in which currency. What must hold of every input is `check`.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from random import Random
from time import process_time
from typing import Final, Protocol

import cv2
import numpy as np
from PIL import Image

from service.errors import InputError
from service.pipeline.reader import Reading

SECONDS: Final = 2.0
CURRENCIES: Final = (None, "USD", "INR", "EUR")
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_NUMBERS: Final = (
    0,
    1,
    2,
    3,
    7,
    8,
    60,
    127,
    128,
    200,
    255,
    256,
    32767,
    32768,
    65535,
    65536,
    89478485,
)
_NUMBERS_32: Final = (*_NUMBERS, 2**24, 2**31 - 1, 2**31, 2**32 - 1)


class Reader(Protocol):
    """What is fuzzed."""

    def read(
        self, data: bytes, *, currency: str | None = None, field_only: bool = False
    ) -> Reading:
        """See ChequeReader."""


def check(reader: Reader, data: bytes) -> float:
    """Read an input; the seconds of processor time that it took.

    Raises AssertionError where the answer is no Reading, the refusal can't be shown, or it took
    longer than SECONDS; and whatever a bug raises.
    """
    how = data[0] if data else 0
    refused = ("none", "none")
    started = process_time()
    try:
        reading = reader.read(data[1:], field_only=bool(how & 1), currency=CURRENCIES[how >> 1 & 3])
        assert 0 <= reading.confidence <= 1
        assert reading.decision in ("accept", "reject")
    except InputError as error:
        refused = error.code, error.message
    seconds = process_time() - started
    assert refused[0].isidentifier()
    assert 0 < len(refused[1]) < 200
    assert refused[1].isprintable()
    assert seconds <= SECONDS, f"{seconds:.1f} seconds"
    return seconds


def seeds() -> list[bytes]:
    """The inputs to start from."""
    return [*(b"\0" + file for file in _pages()), *(b"\1" + file for file in _fields())]


def _drawn(width: int, height: int, text: str, size: float) -> Image.Image:
    pixels = np.full((height, width), 240, np.uint8)
    cv2.putText(pixels, text, (width // 3, height // 2), cv2.FONT_HERSHEY_SIMPLEX, size, 20, 1)
    return Image.fromarray(pixels)


def _file(picture: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _pages() -> Iterator[bytes]:
    page = _drawn(200, 60, "$7.10", 0.4)
    for mode in ("1", "L", "LA", "P", "RGB", "RGBA"):
        yield _file(page.convert(mode), "PNG")
    yield _file(Image.fromarray(np.asarray(page).astype(np.uint16) * 257), "PNG")
    yield _file(page, "PNG", dpi=(100, 100), exif=_exif(6))
    for mode in ("L", "RGB", "CMYK"):
        for progressive in (False, True):
            yield _file(page.convert(mode), "JPEG", quality=60, progressive=progressive)
    yield _file(page, "JPEG", exif=_exif(8), dpi=(100, 100))
    for compression in ("group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw"):
        yield _file(page.convert("1"), "TIFF", compression=compression, dpi=(204, 98))
    for compression in ("raw", "tiff_adobe_deflate", "tiff_lzw", "jpeg"):
        yield _file(page.convert("RGB"), "TIFF", compression=compression)
    for mode in ("I;16", "F"):
        deep = np.asarray(page).astype(np.uint16 if mode == "I;16" else np.float32)
        yield _file(Image.fromarray(deep), "TIFF")
    yield _file(page, "TIFF", save_all=True, append_images=[page, page])
    yield tiff(big_endian=True)
    yield tiff(tiled=True)
    yield _file(Image.new("L", (200, 60), 255), "PNG")


def _fields() -> Iterator[bytes]:
    field = _drawn(48, 18, "9.30", 0.3)
    yield _file(field, "PNG")
    yield _file(field, "JPEG", quality=70)
    yield _file(field.convert("1"), "TIFF", compression="group4")
    yield _file(Image.effect_noise((40, 14), 90), "PNG")


def _exif(orientation: int) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def tiff(*, big_endian: bool = False, tiled: bool = False) -> bytes:
    """A grey TIFF of 208 x 64 pixels that Pillow would not write: of this byte order, or tiled."""
    order = ">" if big_endian else "<"
    width, height = 208, 64
    pixels = np.asarray(_drawn(width, height, "$7.10", 0.4))
    if tiled:
        blocks = pixels.reshape(height // 16, 16, width // 16, 16).swapaxes(1, 2)
        pieces = [block.tobytes() for row in blocks for block in row]
        layout = [(322, 3, [16]), (323, 3, [16])]
        places, sizes = 324, 325
    else:
        pieces, layout, places, sizes = [pixels.tobytes()], [(278, 3, [height])], 273, 279
    starts = [8 + sum(map(len, pieces[:i])) for i in range(len(pieces))]
    tags: list[tuple[int, int, list[int]]] = [
        (256, 3, [width]), (257, 3, [height]), (258, 3, [8]), (259, 3, [1]), (262, 3, [1]),
        (277, 3, [1]), *layout, (places, 4, starts), (sizes, 4, [len(piece) for piece in pieces]),
    ]  # fmt: skip
    data = b"".join(pieces)
    directory = b""
    for tag, kind, values in sorted(tags):
        packed = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            place = 8 + len(data)
            data += packed
            packed = struct.pack(f"{order}I", place)
        directory += struct.pack(f"{order}HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    head = (b"MM\0*" if big_endian else b"II*\0") + struct.pack(f"{order}I", 8 + len(data))
    return head + data + struct.pack(f"{order}H", len(tags)) + directory + bytes(4)


def mutated(data: bytes, others: list[bytes], random: Random) -> bytes:
    """An input with a few changes: of bits, numbers, places and lengths, or parts of others."""
    changed = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 3, 8))):
        if len(changed) < 12:
            changed += random.choice(others)
        random.choice(_CHANGES)(changed, random)
    if random.random() < 0.1:
        other = random.choice(others)
        at = random.randrange(len(changed) + 1)
        changed[at:] = other[random.randrange(len(other)) :]
    if random.random() < 0.8:
        changed[1:] = with_sums(bytes(changed[1:]))
    return bytes(changed)


def _flip(data: bytearray, random: Random) -> None:
    data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set(data: bytearray, random: Random) -> None:
    data[random.randrange(len(data))] = random.choice((0, 1, 127, 128, 255, random.randrange(256)))


def _number(data: bytearray, random: Random) -> None:
    letter = random.choice(("<H", ">H", "<I", ">I"))
    value = random.choice(_NUMBERS_32 if letter[1] == "I" else _NUMBERS[:-2])
    struct.pack_into(letter, data, random.randrange(len(data) - 4), value)


def _cut(data: bytearray, random: Random) -> None:
    start = random.randrange(1, len(data))
    del data[start : start + random.choice((1, 2, 12, 100, len(data)))]


def _repeat(data: bytearray, random: Random) -> None:
    start = random.randrange(1, len(data))
    piece = data[start : start + random.choice((1, 4, 12, 64, 600))]
    data[start:start] = piece * random.choice((1, 1, 2, 30))


def _entry(data: bytearray, random: Random) -> None:
    """Change a TIFF directory's entry; anything else in a file that has none."""
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[1:3]))
    if order is None or len(data) < 24:
        _number(data, random)
        return
    (offset,) = struct.unpack_from(f"{order}I", data, 5)
    if offset + 3 > len(data):
        return
    (count,) = struct.unpack_from(f"{order}H", data, 1 + offset)
    at = 1 + offset + 2 + 12 * random.randrange(max(1, min(count, 40)))
    if at + 12 > len(data):
        return
    part, letter = random.choice(((0, "H"), (2, "H"), (4, "I"), (8, "I"), (8, "H"), (8, "H")))
    high = 2**16 if letter == "H" else 2**32
    value = random.choice((*_NUMBERS_32, 259, 32773, len(data), random.randrange(40)))
    struct.pack_into(f"{order}{letter}", data, at + part, value % high)


_CHANGES: Final = (_flip, _set, _set, _number, _number, _cut, _repeat, _entry, _entry, _entry)


def with_sums(data: bytes) -> bytes:
    """A PNG with the sums of its chunks put right, so that a change gets past them."""
    if not data.startswith(_PNG):
        return data
    out, at = bytearray(data), len(_PNG)
    while at + 12 <= len(out):
        (length,) = struct.unpack_from(">I", out, at)
        end = at + 8 + length
        if end + 4 > len(out):
            break
        struct.pack_into(">I", out, end, zlib.crc32(out[at + 4 : end]))
        at = end + 4
    return bytes(out)
