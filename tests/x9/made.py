"""Cash letters that tests and the benchmark make: items, images, totals, all as it should be."""

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from PIL import Image

from service.x9.layout import LAYOUTS, Standard
from service.x9.record import Encoding
from service.x9.shapes import Framing
from service.x9.writer import Writer

ROUTING = "122000661"


@dataclass(frozen=True)
class Made:
    """An item to be written: its amount, its front, its back (none: empty)."""

    amount: int
    front: bytes
    back: bytes = b""
    sequence: int | None = None


def tiff(width: int = 1200, height: int = 550, ink: int = 0) -> bytes:
    """A bitonal TIFF, G4 at 200 dpi, with some lines on it."""
    image = Image.new("1", (width, height), 1)
    for row in range(20, height, 40):
        image.paste(0, (30 + ink % 50, row, width // 2, row + 3))
    out = io.BytesIO()
    image.save(out, "TIFF", compression="group4", dpi=(200, 200))
    return out.getvalue()


def padded(size: int) -> bytes:
    """Bytes that begin as a TIFF does, as many as an image may have."""
    return b"II*\0" + struct.pack("<I", 8) + bytes(size - 8)


def write(
    stream: BinaryIO,
    items: Sequence[Made],
    *,
    bundle: int = 200,
    framing: Framing = "big-endian",
    encoding: Encoding = "ebcdic",
    standard: Standard = "x9.100-187",
) -> None:
    """Write a file with one cash letter of these items."""
    writer = Writer(stream, framing=framing, encoding=encoding, standard=standard)
    writer.make("01", {
        "Standard Level": "35" if standard == "x9.100-187" else "03", "Test File Indicator": "T",
        "Immediate Destination Routing Number": ROUTING,
        "Immediate Origin Routing Number": ROUTING, "File Creation Date": "20240501",
        "File Creation Time": "1200", "Resend Indicator": "N",
        "Immediate Destination Name": "Bank", "Immediate Origin Name": "Made",
    })  # fmt: skip
    writer.make("10", {
        "Collection Type Indicator": "01", "Destination Routing Number": ROUTING,
        "ECE Institution Routing Number": ROUTING, "Cash Letter Business Date": "20240501",
        "Cash Letter Creation Date": "20240501", "Cash Letter Creation Time": "1200",
        "Cash Letter Record Type Indicator": "I", "Cash Letter Documentation Type Indicator": "G",
        "Cash Letter ID": "1",
    })  # fmt: skip
    images = 0
    bundles = range(0, len(items), bundle)
    for number, first in enumerate(bundles, 1):
        part = items[first : first + bundle]
        writer.make("20", {
            "Collection Type Indicator": "01", "Destination Routing Number": ROUTING,
            "ECE Institution Routing Number": ROUTING, "Bundle Business Date": "20240501",
            "Bundle Creation Date": "20240501", "Bundle ID": str(number),
            "Bundle Sequence Number": str(number),
        })  # fmt: skip
        seen = 0
        for place, item in enumerate(part, first):
            seen += _write_item(writer, item, item.sequence or place + 1)
        images += seen
        total = sum(item.amount for item in part)
        writer.make("70", {
            "Items Within Bundle Count": len(part), "Bundle Total Amount": total,
            "MICR Valid Total Amount": total, "Images Within Bundle Count": seen,
        })  # fmt: skip
    total = sum(item.amount for item in items)
    writer.make("90", {
        "Bundle Count": len(bundles), "Items Within Cash Letter Count": len(items),
        "Cash Letter Total Amount": total, "Images Within Cash Letter Count": images,
    })  # fmt: skip
    writer.make("99", {
        "Cash Letter Count": 1, "Total Record Count": writer.records + 1,
        "Total Item Count": len(items), "File Total Amount": total,
    })  # fmt: skip


def _write_item(writer: Writer, item: Made, sequence: int) -> int:
    writer.make("25", {
        "Payor Bank Routing Number": ROUTING[:8],
        "Payor Bank Routing Number Check Digit": ROUTING[8:], "On-Us": "1234/",
        "Item Amount": item.amount, "ECE Institution Item Sequence Number": f"{sequence:015d}",
        "Documentation Type Indicator": "G", "MICR Valid Indicator": "1", "BOFD Indicator": "Y",
        "Check Detail Record Addendum Count": 1,
    })  # fmt: skip
    writer.make("26", {
        "Check Detail Addendum A Record Number": "1",
        "Return Location Routing Number": ROUTING, "BOFD Endorsement Date": "20240501",
        "BOFD Item Sequence Number": f"{sequence:015d}",
    })  # fmt: skip
    images = 0
    for side, image in ((0, item.front), (1, item.back)):
        if not image:
            continue
        images += 1
        writer.make("50", {
            "Image Indicator": "1", "Image Creator Routing Number": ROUTING,
            "Image Creator Date": "20240501", "Image View Format Indicator": "00",
            "Image View Compression Algorithm Identifier": "00",
            "Image View Data Size": f"{len(image):07d}", "View Side Indicator": side,
            "View Descriptor": "00",
        })  # fmt: skip
        writer.make("52", {
            "ECE Institution Routing Number": ROUTING, "Bundle Business Date": "20240501",
            "Cycle Number": "1", "ECE Institution Item Sequence Number": f"{sequence:015d}",
            "Clipping Origin": "0", "Image Data": image,
        })  # fmt: skip
    return images


def made(items: Sequence[Made], **how: object) -> bytes:
    """The same as bytes."""
    out = io.BytesIO()
    write(out, items, **how)  # type: ignore[arg-type]
    return out.getvalue()


def every_record(
    *,
    framing: Framing = "big-endian",
    encoding: Encoding = "ebcdic",
    standard: Standard = "x9.100-187",
) -> bytes:
    """A file with a record of every type and layout that there is, most of their fields blank."""
    out = io.BytesIO()
    writer = Writer(out, framing=framing, encoding=encoding, standard=standard)
    for type_, variant in EVERY:
        values: dict[str, str | int | bytes] = {}
        for field in LAYOUTS[standard][type_, variant].fields:
            if field.name in _VALUES and field.type != "B":
                values[field.name] = _VALUES[field.name]
            elif field.type in _BY_TYPE and field.usage == "M" and field.name != "Record Type":
                values[field.name] = _BY_TYPE[field.type]
        if type_ == "01":
            values["Standard Level"] = "35" if standard == "x9.100-187" else "03"
        writer.make(type_, values, variant)
    return out.getvalue()


EVERY: tuple[tuple[str, str], ...] = (
    ("01", ""), ("10", ""), ("20", ""), ("61", "credit"), ("61", "reconciliation"),
    ("62", "80"), ("62", "100"), ("25", ""), ("26", ""), ("27", ""), ("28", ""), ("68", ""),
    ("50", ""), ("52", ""), ("54", ""), ("50", ""), ("52", ""), ("75", ""), ("70", ""),
    ("20", ""), ("31", ""), ("32", ""), ("33", ""), ("34", ""), ("35", ""), ("50", ""),
    ("52", ""), ("54", ""), ("40", ""), ("41", ""), ("42", ""), ("70", ""), ("85", ""),
    ("90", ""), ("99", ""),
)  # fmt: skip
_VALUES: dict[str, str | int | bytes] = {
    "Image Data": padded(40), "Image Reference Key": "KEY-1", "Digital Signature": b"\1\2\3",
    "User Data": b"what a vendor keeps", "Item Amount": 12345,
    "ECE Institution Item Sequence Number": "7", "On-Us": "1234/",
    "Check Detail Record Addendum Count": 3, "Return Record Addendum Count": 4,
}  # fmt: skip
_BY_TYPE: dict[str, str] = {"Routing": ROUTING, "Date": "20240501", "Time": "1200", "A": "T",
                            "AN": "1"}  # fmt: skip
