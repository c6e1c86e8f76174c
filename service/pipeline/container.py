"""Image containers: what an untrusted PNG, JPEG or TIFF says about itself, before any pixel.

Each reader walks its container's structure, refuses what is broken, hostile or out of limits, and
hands on a copy that holds only what decoding needs: no text, profiles, thumbnails, second pages or
unknown tags. The codecs never see the rest, so it can neither inflate nor loop in them.

Sources: PNG (ISO/IEC 15948) section 5, JPEG (ITU-T T.81) annex B, TIFF 6.0 section 2, Exif 2.32.
"""

import struct
from dataclasses import dataclass
from typing import Final, Literal, NoReturn

from service.errors import InputError

_PNG_SIGNATURE: Final = b"\x89PNG\r\n\x1a\n"
_JPEG_SIGNATURE: Final = b"\xff\xd8\xff"
_TIFF_SIGNATURES: Final = {b"II*\0": "<", b"MM\0*": ">"}
_BIG_TIFF_SIGNATURES: Final = (b"II+\0", b"MM\0+")

_MAX_CHUNKS: Final = 20_000
_MAX_SEGMENTS: Final = 2_000
_MAX_SCANS: Final = 100
# Every scan of a JPEG goes over all of its pixels, however little it says: 20 scans of the largest
# image, 18 being what is usual for four colours.
_MAX_SCANNED: Final = 800_000_000
_MAX_TAGS: Final = 512
_MAX_PAGES: Final = 1_000
_MAX_STRIPS: Final = 1 << 17
_MAX_TILE_PIXELS: Final = 1 << 24
_PILLOW_MAX_PIXELS: Final = 89_478_485


@dataclass(frozen=True, slots=True)
class ImageLimits:
    """What an image may claim before it is decoded.

    max_bytes: size of the file. max_pixels: width times height. min_long_side, min_short_side:
    smallest sides in pixels of a whole cheque. min_field_side: smallest side of a cropped field.
    max_aspect: longer over shorter side.
    Raises ValueError where max_pixels is more than Pillow itself agrees to decode.
    """

    max_bytes: int = 10 * 1024 * 1024
    max_pixels: int = 40_000_000
    min_long_side: int = 200
    min_short_side: int = 60
    min_field_side: int = 12
    max_aspect: float = 20.0

    def __post_init__(self) -> None:
        if not 0 < self.max_pixels <= _PILLOW_MAX_PIXELS:
            raise ValueError(f"max_pixels must be between 1 and {_PILLOW_MAX_PIXELS}")

    def check_bytes(self, size: int) -> None:
        """Raise InputError (empty, too_large_bytes) for a file of `size` bytes out of limits."""
        if size == 0:
            raise InputError("empty", "the file is empty")
        if size > self.max_bytes:
            raise InputError(
                "too_large_bytes", f"the file has {size} bytes, at most {self.max_bytes} are read"
            )

    def check_pixels(self, width: int, height: int, *, field_only: bool) -> None:
        """Raise InputError (corrupt_image, too_many_pixels, too_small) for a size out of limits."""
        if width <= 0 or height <= 0:
            raise InputError("corrupt_image", "the image has no width or no height")
        if width * height > self.max_pixels:
            raise InputError(
                "too_many_pixels",
                f"the image has {width}x{height} pixels, at most {self.max_pixels} are read",
            )
        long, short = max(width, height), min(width, height)
        if field_only:
            small = short < self.min_field_side
            needed = f"{self.min_field_side}x{self.min_field_side}"
        else:
            small = long < self.min_long_side or short < self.min_short_side
            needed = f"{self.min_long_side}x{self.min_short_side}"
        if small:
            raise InputError(
                "too_small", f"the image has {width}x{height} pixels, at least {needed} are needed"
            )
        if long > self.max_aspect * short:
            raise InputError("too_small", f"a strip of {width}x{height} pixels is no cheque")


@dataclass(frozen=True, slots=True)
class Container:
    """One image file, checked and stripped to what decoding needs.

    width, height: pixels as stored. orientation: Exif / TIFF orientation 1 to 8. dpi: dots per
    inch along the stored x and y axes as the file claims them, or None. pages: images in the file,
    counted up to 1000. data: the file, stripped.
    """

    kind: Literal["PNG", "JPEG", "TIFF"]
    width: int
    height: int
    orientation: int
    dpi: tuple[float, float] | None
    pages: int
    data: bytes


def open_container(data: bytes, limits: ImageLimits, *, field_only: bool) -> Container:
    """Recognise an image by its content and check its structure; no pixel is decoded.

    Raises InputError with the codes empty, too_large_bytes, unsupported_type, unsupported_image,
    truncated_image, corrupt_image, too_many_pixels, too_small. Time and memory are bounded by the
    size of the file.
    """
    limits.check_bytes(len(data))
    if data.startswith(_PNG_SIGNATURE):
        return _open_png(data, limits, field_only)
    if data.startswith(_JPEG_SIGNATURE):
        return _open_jpeg(data, limits, field_only)
    if data[:4] in _TIFF_SIGNATURES:
        return _open_tiff(data, limits, field_only)
    if data[:4] in _BIG_TIFF_SIGNATURES:
        raise InputError("unsupported_image", "BigTIFF is not read, classic TIFF is")
    raise InputError("unsupported_type", "the file is not a PNG, JPEG or TIFF image")


def _truncated(what: str) -> NoReturn:
    raise InputError("truncated_image", f"the file ends inside {what}")


def _corrupt(what: str) -> NoReturn:
    raise InputError("corrupt_image", what)


# PNG


def _open_png(data: bytes, limits: ImageLimits, field_only: bool) -> Container:
    kept = [_PNG_SIGNATURE]
    position, chunks = len(_PNG_SIGNATURE), 0
    width = height = 0
    dpi: tuple[float, float] | None = None
    orientation, name = 1, b""
    while name != b"IEND":
        if position + 12 > len(data):
            _truncated("the PNG chunks")
        (length,) = struct.unpack_from(">I", data, position)
        name = data[position + 4 : position + 8]
        body = position + 8
        end = body + length + 4
        chunks += 1
        if end > len(data):
            _truncated("the PNG chunks")
        if chunks == 1:
            if name != b"IHDR" or length != 13:
                _corrupt("the PNG does not begin with its header")
            width, height = struct.unpack_from(">II", data, body)
            limits.check_pixels(width, height, field_only=field_only)
        if chunks > _MAX_CHUNKS:
            _corrupt("the PNG has too many chunks")
        if name == b"acTL":
            raise InputError("unsupported_image", "the PNG is animated")
        if name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"):
            kept.append(data[position:end])
        elif name == b"pHYs" and length == 9:
            dpi = _png_dpi(data[body : body + 9])
        elif name == b"eXIf":
            orientation, _ = _read_exif(data[body : body + length])
        position = end
    return Container("PNG", width, height, orientation, dpi, 1, b"".join(kept))


def _png_dpi(body: bytes) -> tuple[float, float] | None:
    x, y, unit = struct.unpack(">IIB", body)
    return (x * 0.0254, y * 0.0254) if unit == 1 else None


# JPEG

_JPEG_FRAMES: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})
_JPEG_OTHER_FRAMES: Final = frozenset({0xC3, 0xC5, 0xC6, 0xC7, 0xC8, 0xCB, 0xCD, 0xCE, 0xCF})
_JPEG_TABLES: Final = frozenset({0xC4, 0xCC, 0xDB, 0xDD})


def _open_jpeg(data: bytes, limits: ImageLimits, field_only: bool) -> Container:
    kept = [data[:2]]
    size: tuple[int, int] | None = None
    density: tuple[float, float] | None = None
    exif: tuple[int, tuple[float, float] | None] = (1, None)
    position = 2
    for _ in range(_MAX_SEGMENTS):
        marker, body, end = _jpeg_segment(data, position)
        if marker == 0xDA:
            break
        if marker in _JPEG_FRAMES:
            if size is not None:
                _corrupt("the JPEG has two frame headers")
            size = _jpeg_frame(data[body:end], limits, field_only)
        elif marker in _JPEG_OTHER_FRAMES:
            raise InputError("unsupported_image", "the JPEG's coding process is not read")
        elif marker == 0xD9:
            _corrupt("the JPEG has no image data")
        elif marker == 0xE0 and data[body : body + 5] == b"JFIF\0" and density is None:
            density = _jfif_dpi(data[body:end])
        elif marker == 0xE1 and data[body : body + 6] == b"Exif\0\0":
            exif = _read_exif(data[body + 6 : end])
        if marker in _JPEG_FRAMES or marker in _JPEG_TABLES or marker in (0xE0, 0xEE):
            kept.append(data[body - 4 : end])
        position = end
    else:
        _corrupt("the JPEG has too many segments")
    if size is None:
        _corrupt("the JPEG has no frame header")
    scans = data.count(b"\xff\xda", position)
    if scans > _MAX_SCANS or scans * size[0] * size[1] > _MAX_SCANNED:
        raise InputError("unsupported_image", "the JPEG has too many scans")
    kept.append(data[body - 4 :])
    return Container("JPEG", *size, exif[0], exif[1] or density, 1, b"".join(kept))


def _jpeg_segment(data: bytes, position: int) -> tuple[int, int, int]:
    """Marker code, start of the body and end of the segment at `position`, fill bytes skipped."""
    if position + 1 < len(data) and data[position] != 0xFF:
        _corrupt("the JPEG's segments do not follow each other")
    while position + 1 < len(data) and data[position + 1] == 0xFF:
        position += 1
    if position + 4 > len(data):
        _truncated("the JPEG header")
    (length,) = struct.unpack_from(">H", data, position + 2)
    end = position + 2 + length
    if length < 2:
        _corrupt("a JPEG segment has no length")
    if end > len(data):
        _truncated("the JPEG header")
    return data[position + 1], position + 4, end


def _jpeg_frame(body: bytes, limits: ImageLimits, field_only: bool) -> tuple[int, int]:
    if len(body) < 6:
        _corrupt("the JPEG's frame header is too short")
    precision, height, width, components = struct.unpack_from(">BHHB", body)
    if precision != 8 or components not in (1, 3, 4):
        raise InputError("unsupported_image", "only 8-bit grey, colour and CMYK JPEGs are read")
    limits.check_pixels(width, height, field_only=field_only)
    return width, height


def _jfif_dpi(body: bytes) -> tuple[float, float] | None:
    if len(body) < 12:
        return None
    unit, x, y = struct.unpack_from(">BHH", body, 7)
    factor = {1: 1.0, 2: 2.54}.get(unit)
    return None if factor is None else (x * factor, y * factor)


# TIFF and the TIFF structure inside Exif

_TYPE_SIZES: Final = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}
_SHORT, _LONG, _RATIONAL, _UNDEFINED = 3, 4, 5, 7
_WIDTH, _LENGTH, _COMPRESSION, _ORIENTATION = 256, 257, 259, 274
_STRIP_OFFSETS, _STRIP_SIZES, _TILE_WIDTH, _TILE_LENGTH = 273, 279, 322, 323
_TILE_OFFSETS, _TILE_SIZES = 324, 325
_X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 282, 283, 296
_NEW_SUBFILE_TYPE = 254

# none, CCITT RLE / G3 / G4, LZW, JPEG, deflate, RLE with word alignment, PackBits, old deflate
_TIFF_COMPRESSIONS: Final = frozenset({1, 2, 3, 4, 5, 7, 8, 32771, 32773, 32946})

_NUMBER: Final = (_SHORT, _LONG)
# The tags that decoding needs: accepted types and most values.
_TIFF_TAGS: Final[dict[int, tuple[tuple[int, ...], int]]] = {
    _WIDTH: (_NUMBER, 1),
    _LENGTH: (_NUMBER, 1),
    258: (_NUMBER, 8),  # BitsPerSample
    _COMPRESSION: (_NUMBER, 1),
    262: (_NUMBER, 1),  # PhotometricInterpretation
    266: (_NUMBER, 1),  # FillOrder
    _STRIP_OFFSETS: (_NUMBER, _MAX_STRIPS),
    277: (_NUMBER, 1),  # SamplesPerPixel
    278: (_NUMBER, 1),  # RowsPerStrip
    _STRIP_SIZES: (_NUMBER, _MAX_STRIPS),
    284: (_NUMBER, 1),  # PlanarConfiguration
    292: (_NUMBER, 1),  # T4Options
    293: (_NUMBER, 1),  # T6Options
    317: (_NUMBER, 1),  # Predictor
    320: (_NUMBER, 3 << 16),  # ColorMap
    _TILE_WIDTH: (_NUMBER, 1),
    _TILE_LENGTH: (_NUMBER, 1),
    _TILE_OFFSETS: (_NUMBER, _MAX_STRIPS),
    _TILE_SIZES: (_NUMBER, _MAX_STRIPS),
    338: (_NUMBER, 8),  # ExtraSamples
    339: (_NUMBER, 8),  # SampleFormat
    347: ((_UNDEFINED,), 1 << 16),  # JPEGTables
    530: (_NUMBER, 2),  # YCbCrSubSampling
    531: (_NUMBER, 1),  # YCbCrPositioning
    532: ((_RATIONAL,), 6),  # ReferenceBlackWhite
}
# Tags that this module alone reads; a wrong one is as good as none.
_HINTS: Final[dict[int, tuple[tuple[int, ...], int]]] = {
    _NEW_SUBFILE_TYPE: (_NUMBER, 1),
    _ORIENTATION: (_NUMBER, 1),
    _X_RESOLUTION: ((_RATIONAL,), 1),
    _Y_RESOLUTION: ((_RATIONAL,), 1),
    _RESOLUTION_UNIT: (_NUMBER, 1),
}


@dataclass(frozen=True, slots=True)
class _Entry:
    """One directory entry: type, number of values, where they are, and the 12 bytes as stored."""

    type: int
    count: int
    start: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class _Directory:
    """One image file directory: its known entries by tag, and the offset of the next one."""

    data: bytes
    order: str
    entries: dict[int, _Entry]
    following: int

    def numbers(self, tag: int) -> tuple[int, ...]:
        entry = self.entries.get(tag)
        if entry is None:
            return ()
        letter = "H" if entry.type == _SHORT else "I"
        return struct.unpack_from(f"{self.order}{entry.count}{letter}", self.data, entry.start)

    def number(self, tag: int, default: int) -> int:
        return next(iter(self.numbers(tag)), default)

    def ratio(self, tag: int) -> float:
        entry = self.entries.get(tag)
        if entry is None or entry.count == 0:
            return 0.0
        top, bottom = struct.unpack_from(f"{self.order}II", self.data, entry.start)
        return top / bottom if bottom else 0.0

    def dpi(self) -> tuple[float, float] | None:
        factor = {2: 1.0, 3: 2.54}.get(self.number(_RESOLUTION_UNIT, 2))
        x, y = self.ratio(_X_RESOLUTION), self.ratio(_Y_RESOLUTION)
        return None if factor is None or x <= 0 or y <= 0 else (x * factor, y * factor)


def _read_directory(data: bytes, offset: int, order: str) -> _Directory:
    if offset < 8:
        _corrupt("a TIFF directory lies inside the header")
    if offset + 2 > len(data):
        _truncated("the TIFF directory")
    (count,) = struct.unpack_from(f"{order}H", data, offset)
    end = offset + 2 + 12 * count
    if not 0 < count <= _MAX_TAGS:
        _corrupt(f"a TIFF directory has {count} tags")
    if end > len(data):
        _truncated("the TIFF directory")
    entries: dict[int, _Entry] = {}
    for place in range(offset + 2, end, 12):
        tag, kind, values, start = struct.unpack_from(f"{order}HHII", data, place)
        types, most = _TIFF_TAGS.get(tag) or _HINTS.get(tag) or ((), 0)
        if not types or tag in entries:
            continue
        size = _TYPE_SIZES.get(kind, 0) * values
        start = place + 8 if size <= 4 else start
        if kind in types and values <= most and start + size <= len(data):
            entries[tag] = _Entry(kind, values, start, data[place : place + 12])
        elif tag in _TIFF_TAGS:
            _corrupt(f"the TIFF tag {tag} has an impossible type, number or place of its values")
    following = struct.unpack_from(f"{order}I", data, end)[0] if end + 4 <= len(data) else 0
    return _Directory(data, order, entries, following)


def _open_tiff(data: bytes, limits: ImageLimits, field_only: bool) -> Container:
    order = _TIFF_SIGNATURES[data[:4]]
    if len(data) < 8:
        _truncated("the TIFF header")
    (offset,) = struct.unpack_from(f"{order}I", data, 4)
    page = _read_directory(data, offset, order)
    width, height = page.number(_WIDTH, 0), page.number(_LENGTH, 0)
    limits.check_pixels(width, height, field_only=field_only)
    if page.number(_COMPRESSION, 1) not in _TIFF_COMPRESSIONS:
        raise InputError("unsupported_image", "the TIFF's compression is not read")
    if page.number(_TILE_WIDTH, 1) * page.number(_TILE_LENGTH, 1) > _MAX_TILE_PIXELS:
        _corrupt("the TIFF's tiles are larger than any image needs")
    _check_strips(page)
    orientation = page.number(_ORIENTATION, 1)
    return Container(
        "TIFF",
        width,
        height,
        orientation if 1 <= orientation <= 8 else 1,
        page.dpi(),
        _count_pages(page, offset),
        _one_page_tiff(page),
    )


def _check_strips(page: _Directory) -> None:
    """Refuse a page without pixel data, or whose strips or tiles lie outside the file."""
    tiled = _TILE_OFFSETS in page.entries
    offsets = page.numbers(_TILE_OFFSETS if tiled else _STRIP_OFFSETS)
    sizes = page.numbers(_TILE_SIZES if tiled else _STRIP_SIZES)
    if not offsets:
        _corrupt("the TIFF page has no pixel data")
    if sizes and len(sizes) != len(offsets):
        _corrupt("the TIFF's strip offsets and sizes do not match")
    for start, size in zip(offsets, sizes or (0,) * len(offsets), strict=True):
        if start >= len(page.data) or start + size > len(page.data):
            _truncated("the TIFF's pixel data")


def _count_pages(first: _Directory, offset: int) -> int:
    """Images in the chain of directories, thumbnails left out, counted up to _MAX_PAGES."""
    seen, directory, pages = {offset}, first, 1
    while directory.following and len(seen) < _MAX_PAGES:
        if directory.following in seen:
            _corrupt("the TIFF's directories run in a circle")
        seen.add(directory.following)
        directory = _read_directory(first.data, directory.following, first.order)
        pages += not directory.number(_NEW_SUBFILE_TYPE, 0) & 1
    return pages


def _one_page_tiff(page: _Directory) -> bytes:
    """The file with a new, last directory that holds only this page's decoding tags.

    Values and pixel data stay where they are, so that no offset changes.
    """
    rows = [page.entries[tag].raw for tag in sorted(page.entries) if tag in _TIFF_TAGS]
    padding = b"\0" * (len(page.data) % 2)
    return b"".join(
        (
            page.data[:4],
            struct.pack(f"{page.order}I", len(page.data) + len(padding)),
            page.data[8:],
            padding,
            struct.pack(f"{page.order}H", len(rows)),
            *rows,
            bytes(4),
        )
    )


def _read_exif(data: bytes) -> tuple[int, tuple[float, float] | None]:
    """Orientation 1 to 8 and dpi of an Exif block; a broken block says nothing: (1, None)."""
    order = _TIFF_SIGNATURES.get(data[:4])
    if order is None or len(data) < 8:
        return 1, None
    try:
        directory = _read_directory(data, struct.unpack_from(f"{order}I", data, 4)[0], order)
    except InputError:
        return 1, None
    orientation = directory.number(_ORIENTATION, 1)
    return (orientation if 1 <= orientation <= 8 else 1), directory.dpi()
