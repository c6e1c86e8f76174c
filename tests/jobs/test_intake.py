"""Items found in forms, archives and TIFFs, whole, broken and hostile."""

import io
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import pytest
from PIL import Image

from service.errors import InputError, ParameterError
from service.jobs.intake import IntakeLimits, Pages, fingerprint, take_in
from service.jobs.store import NewItem
from service.jobs.tiff import Strips, split_tiff
from service.pipeline.image import load_cheque


@pytest.fixture
def file() -> Iterator[BinaryIO]:
    """An empty file that can be written and read."""
    with tempfile.TemporaryFile() as opened:
        yield opened  # type: ignore[misc]


def _take(
    file: BinaryIO,
    body: bytes,
    boundary: bytes | None = b"b",
    pages: Pages = "first",
    **limits: int,
) -> list[NewItem]:
    file.write(body)
    file.flush()
    given: dict[str, Any] = {"items": 10, "image_bytes": 1 << 20, "bytes": 4 << 20, **limits}
    return take_in(file, boundary, pages, IntakeLimits(**given))


def _content(file: BinaryIO, item: NewItem) -> bytes:
    file.seek(item.start)
    return file.read(item.size)


def _part(name: str, content: bytes, file: str | None = None) -> bytes:
    named = f'; filename="{file}"' if file else ""
    head = f'--b\r\nContent-Disposition: form-data; name="{name}"{named}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def test_the_parts_of_a_form_are_ranges_of_it(file: BinaryIO) -> None:
    contents = [b"one", b"", b"\r\n--", b"--", b"x" * 5000]
    body = b"".join(_part("image", content, f"{i}.png") for i, content in enumerate(contents))
    items = _take(file, b"preamble\r\n" + _part("reference", "é1".encode()) + body + b"--b--\r\n")
    assert [_content(file, item) for item in items] == contents
    assert [item.file for item in items] == [f"{i}.png" for i in range(5)]
    assert [item.reference for item in items] == ["é1", None, None, None, None]
    assert [item.error for item in items] == [None, ("empty", "the file is empty"), *[None] * 3]


@pytest.mark.parametrize(
    "body",
    [
        b"no boundary",
        _part("image", b"x"),
        _part("other", b"x") + b"--b--",
        _part("reference", b"x") + b"--b--",
        b"--b\r\nContent-Type: image/png\r\n\r\nx\r\n--b--",
        b"--b\r\n" + b"x" * 20_000,
    ],
)
def test_malformed_forms_are_refused(file: BinaryIO, body: bytes) -> None:
    with pytest.raises(InputError) as caught:
        _take(file, body)
    assert caught.value.code == "malformed_batch"


@pytest.mark.parametrize("reference", [b"", b"\xff", b"a\nb", b"x" * 500])
def test_references_must_be_references(file: BinaryIO, reference: bytes) -> None:
    with pytest.raises(ParameterError):
        _take(file, _part("reference", reference) + _part("image", b"x") + b"--b--")


def test_large_images_and_too_many(file: BinaryIO) -> None:
    body = _part("image", b"x" * 2000) + _part("image", b"y")
    items = _take(file, body + b"--b--", image_bytes=1024)
    assert items[0].error == ("too_large_bytes", "the image has more than 1024 bytes")
    assert items[1].error is None
    file.seek(0)
    with pytest.raises(InputError) as caught:
        _take(file, body + b"--b--", items=1)
    assert caught.value.code == "too_many_items"


def test_the_same_in_another_frame_has_the_same_fingerprint(file: BinaryIO) -> None:
    first = _take(file, _part("image", b"x", "a") + _part("image", b"yy", "b") + b"--b--")
    print_of_first = fingerprint(file, first, "said")
    assert fingerprint(file, first, "else") != print_of_first
    with tempfile.TemporaryFile() as other:
        body = _part("image", b"x", "a") + _part("image", b"yy", "b") + b"--b--"
        items = _take(other, b"\r\n" + body.replace(b"--b", b"--cc"), b"cc")  # type: ignore[arg-type]
        assert fingerprint(other, items, "said") == print_of_first  # type: ignore[arg-type]
        moved = [items[1], items[0]]
        assert fingerprint(other, moved, "said") != print_of_first  # type: ignore[arg-type]


def _zip(*entries: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in entries:
            archive.writestr(name, content)
    return packed.getvalue()


def test_an_archive_is_unpacked_behind_itself(file: BinaryIO) -> None:
    items = _take(file, _zip(("a.png", b"1" * 99), (".DS_Store", b"x"), ("d/", b"")), None)
    assert [(item.file, _content(file, item)) for item in items] == [("a.png", b"1" * 99)]


def test_broken_entries_are_items_with_errors(file: BinaryIO) -> None:
    whole = _zip(("a.png", bytes(range(256)) * 4), ("b.png", b"fine" * 9), ("c.png", b""))
    position = whole.index(b"a.png") + 5
    broken = whole[:position] + b"\xff\xff\xff" + whole[position + 3 :]
    items = _take(file, broken, None)
    codes = [item.error[0] if item.error else None for item in items]
    assert codes == ["corrupt_image", None, "empty"]


@pytest.mark.parametrize("cut", [1, 10, 30, 60])
def test_cut_archives_are_refused(file: BinaryIO, cut: int) -> None:
    with pytest.raises(InputError) as caught:
        _take(file, _zip(("a.png", b"1" * 99))[:-cut], None)
    assert caught.value.code == "malformed_batch"


def test_large_directories_are_refused_before_they_are_read(file: BinaryIO) -> None:
    packed = bytearray(_zip(("a.png", b"1")))
    struct.pack_into("<L", packed, len(packed) - 10, 1 << 30)
    with pytest.raises(InputError) as caught:
        _take(file, bytes(packed), None)
    assert caught.value.code == "too_many_items"


def test_an_archive_may_not_unpack_to_more_than_is_allowed(file: BinaryIO) -> None:
    packed = _zip(*((f"{number}.png", bytes(900_000)) for number in range(8)))
    with pytest.raises(InputError) as caught:
        _take(file, packed, None)
    assert caught.value.code == "batch_too_large"


@pytest.mark.parametrize("compression", ["raw", "group4", "tiff_lzw", "jpeg"])
def test_every_page_of_a_tiff_is_an_image_of_its_own(
    page: Image.Image, encode: Callable[..., bytes], compression: str
) -> None:
    pages = [page.rotate(angle) for angle in (0, 180, 0)]
    if compression == "group4":
        pages = [one.convert("1") for one in pages]
    data = encode(pages[0], "TIFF", save_all=True, append_images=pages[1:], compression=compression)
    for number, single in enumerate(split_tiff(data, 1 << 22, Strips())):
        assert isinstance(single, bytes)
        assert load_cheque(single).pages == 1
        with Image.open(io.BytesIO(single)) as read, Image.open(io.BytesIO(data)) as whole:
            whole.seek(number)
            assert read.tobytes() == whole.tobytes()


def test_fronts_are_every_second_page(
    file: BinaryIO, page: Image.Image, encode: Callable[..., bytes]
) -> None:
    two = encode(page, "TIFF", save_all=True, append_images=[page])
    assert len(_take(file, two, None, "front_back")) == 1
    file.seek(0)
    file.truncate()
    three = encode(page, "TIFF", save_all=True, append_images=[page, page])
    (item,) = _take(file, three, None, "front_back")
    assert item.error == ("corrupt_image", "the TIFF has 3 pages, no back for each front")


def test_circular_and_cut_tiffs_are_items_with_errors(
    file: BinaryIO, page: Image.Image, encode: Callable[..., bytes]
) -> None:
    data = bytearray(encode(page, "TIFF"))
    (offset,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, offset)
    struct.pack_into("<I", data, offset + 2 + 12 * count, offset)
    (item,) = _take(file, bytes(data), None, "items")
    assert item.error == ("corrupt_image", "the TIFF's directories do not end")
    file.seek(0)
    file.truncate()
    (item,) = _take(file, bytes(data[: offset + 4]), None, "items")
    assert item.error is not None
    assert item.error[0] == "truncated_image"


def _archive(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return packed.getvalue()


def test_an_entry_that_claims_too_much_is_not_unpacked(
    file: BinaryIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []
    real = zipfile.ZipFile.open

    def watched(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Any:
        opened.append(info.filename)
        return real(archive, info)

    body = _archive({"bomb": bytes((1 << 20) + 1), "image": b"x"})
    monkeypatch.setattr(zipfile.ZipFile, "open", watched)
    items = _take(file, body, boundary=None)
    assert [item.error and item.error[0] for item in items] == ["too_large_bytes", None]
    assert opened == ["image"]


def test_entries_that_turn_out_damaged_count_too(file: BinaryIO) -> None:
    body = bytearray(_archive({str(number): bytes(1 << 20) for number in range(5)}))
    at = body.find(b"PK\x01\x02")
    while at >= 0:
        body[at + 16] ^= 1  # the sum, which what is unpacked then does not have
        at = body.find(b"PK\x01\x02", at + 4)
    with pytest.raises(InputError) as caught:
        _take(file, bytes(body), boundary=None)
    assert caught.value.code == "batch_too_large"


def test_pages_can_not_share_strips_without_end() -> None:
    strips, pages = 1 << 18, 100
    body = bytearray(b"II*\0" + struct.pack("<I", 8 + 8 * strips))
    body += struct.pack("<I", 8) * strips + bytes(4 * strips)
    for number in range(pages):
        following = len(body) + 2 + 12 * 4 + 4 if number < pages - 1 else 0
        body += struct.pack("<H", 4)
        for tag, count, value in (
            (256, 1, 900),
            (257, 1, 400),
            (273, strips, 8),
            (279, strips, 8 + 4 * strips),
        ):
            body += struct.pack("<HHII", tag, 4, count, value)
        body += struct.pack("<I", following)
    strips_left = Strips(1 << 20)
    found = split_tiff(bytes(body), 1 << 24, strips_left)
    with pytest.raises(InputError, match="more strips than they can need"):
        list(found)


def test_one_reference_names_one_image(file: BinaryIO) -> None:
    with pytest.raises(InputError, match="two references"):
        _take(file, _part("reference", b"1") * 2 + _part("image", b"x") + b"--b--\r\n")


@pytest.mark.parametrize(
    "name",
    ["../../etc/passwd", "/etc/passwd", "..\\..\\boot.ini", "C:\\a", "a\0b", "\u202egpj", ""],
)
def test_names_lead_nowhere(file: BinaryIO, name: str) -> None:
    """They are kept as text for the caller, printable, and are never a path."""
    items = _take(file, _archive({f"x{name}": b"image"}), boundary=None)
    assert [_content(file, item) for item in items] == [b"image"]
    assert items[0].file is not None
    assert items[0].file.isprintable()
