"""Finds the items in what a caller sent: images, an archive, a TIFF of many pages, a cash letter.

What was sent lies in a file already, and stays as it is: items are ranges of its bytes. What an
archive holds, and the pages of a TIFF, are appended to it.
"""

import hashlib
import mmap
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import BinaryIO, Final, Literal

from python_multipart.multipart import parse_options_header

from service.errors import InputError, ParameterError
from service.jobs.archive import entries, is_archive
from service.jobs.bodies import full_disk
from service.jobs.letters import take_in_letter
from service.jobs.store import NewItem
from service.jobs.tiff import TIFF_SIGNATURES, Strips, split_tiff
from service.options import ReadingOptions
from service.x9.shapes import LETTER_HEAD, is_cash_letter

Pages = Literal["first", "items", "front_back"]

IMAGE_FIELD: Final = "image"
REFERENCE_FIELD: Final = "reference"
_MAX_HEAD: Final = 8 * 1024
_MAX_NAME: Final = 255
_MAX_REFERENCE_BYTES: Final = 1024
_DIGEST_AT_ONCE: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """items: most items of a batch. image_bytes: largest image. bytes: all that is appended."""

    items: int
    image_bytes: int
    bytes: int


@dataclass(frozen=True, slots=True)
class _Part:
    """A file among what was sent: its bytes from start to end, or what is wrong with it."""

    file: str | None
    reference: str | None
    start: int
    end: int
    error: tuple[str, str] | None = None


def take_in(
    file: BinaryIO, boundary: bytes | None, pages: Pages, limits: IntakeLimits
) -> list[NewItem]:
    """The items in a file that holds a request's body, in the order they were sent.

    boundary: of a multipart form; None for a raw image or archive. An image that is larger than
    allowed, or a page or entry that is broken, is an item with an error. Raises InputError
    (empty, missing_image, malformed_batch, too_many_items, batch_too_large) and StorageFullError.
    """
    size = file.seek(0, 2)
    if size == 0:
        raise InputError("empty", "the body is empty")
    # Closed by the last reference to it: what is unpacked from it holds views on it.
    body = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    parts = _form(body, boundary) if boundary is not None else iter([_Part(None, None, 0, size)])
    found: list[NewItem] = []
    appended = _Appended(file, size, limits)
    for part in parts:
        for item in _items(body, part, pages, appended, limits):
            found.append(item)
            if len(found) > limits.items:
                raise InputError(
                    "too_many_items", f"a batch may hold {limits.items} images, this has more"
                )
    if not found:
        raise InputError("missing_image", f"the batch holds no part named {IMAGE_FIELD!r}")
    return found


def fingerprint(file: BinaryIO, items: list[NewItem], *said: str | None) -> str:
    """A digest of the images, their names and references, and of what was said beside them.

    Two bodies that differ only in how they were framed have the same.
    """
    digest = hashlib.sha256()

    def add(text: str | None) -> None:
        digest.update(b"\0" if text is None else b"\1%d:" % len(text.encode()) + text.encode())

    for text in said:
        add(text)
    for item in items:
        add(item.file)
        add(item.reference)
        add(item.error[0] if item.error else None)
        digest.update(b"%d:" % item.size)
        file.seek(item.start)
        left = item.size
        while left and (data := file.read(min(left, _DIGEST_AT_ONCE))):
            digest.update(data)
            left -= len(data)
    return digest.hexdigest()


class _Appended:
    """The end of a batch's file, where what is unpacked goes."""

    def __init__(self, file: BinaryIO, end: int, limits: IntakeLimits) -> None:
        self._file = file
        self._end = end
        self._left = limits.bytes
        self.strips = Strips()

    def add(self, data: bytes) -> int:
        """Append data; the offset it lies at. Raises InputError (batch_too_large)."""
        self._left -= len(data)
        if self._left < 0:
            raise InputError("batch_too_large", "what the batch unpacks to is too large")
        start = self._end
        with full_disk():
            self._file.seek(start)
            view = memoryview(data)
            while view:
                view = view[self._file.write(view) :]
        self._end += len(data)
        return start


def _items(
    body: mmap.mmap, part: _Part, pages: Pages, appended: _Appended, limits: IntakeLimits
) -> Iterator[NewItem]:
    head = body[part.start : part.start + 4]
    if part.error is not None or part.end == part.start:
        error = part.error or ("empty", "the file is empty")
        yield NewItem(part.file, part.reference, part.start, 0, error)
    elif is_archive(head):
        for entry in entries(
            body, part.start, part.end, limits.items, limits.image_bytes, limits.bytes
        ):
            if entry.error is not None:
                yield NewItem(_name(entry.name), part.reference, part.start, 0, entry.error)
                continue
            start = appended.add(entry.data)
            inside = _Part(_name(entry.name), part.reference, start, start + len(entry.data))
            yield from _pages_of(entry.data, inside, pages, appended, limits)
    elif pages != "first" and head in TIFF_SIGNATURES:
        with memoryview(body) as view, view[part.start : part.end] as data:
            yield from _pages_of(data, part, pages, appended, limits)
    elif is_cash_letter(body[part.start : min(part.end, part.start + LETTER_HEAD)]):
        for item in take_in_letter(body, part.start, part.end, part.file, part.reference):
            yield _checked(item, limits)
    else:
        yield _whole(part, limits)


def _checked(item: NewItem, limits: IntakeLimits) -> NewItem:
    """An item of a cash letter, refused where its image is too large."""
    if item.error is None and item.size > limits.image_bytes:
        error = ("too_large_bytes", f"the image has more than {limits.image_bytes} bytes")
        return replace(item, size=0, error=error)
    return item


def _pages_of(
    data: bytes | memoryview, part: _Part, pages: Pages, appended: _Appended, limits: IntakeLimits
) -> Iterator[NewItem]:
    """The pages of a TIFF as items of their own, where they are asked for; else the whole file."""
    if pages == "first" or bytes(data[:4]) not in TIFF_SIGNATURES:
        yield _whole(part, limits)
        return
    try:
        every = 2 if pages == "front_back" else 1
        split = split_tiff(data, limits.image_bytes, appended.strips, every=every)
        for page in split:
            if isinstance(page, InputError):
                error = (page.code, page.message)
                yield NewItem(part.file, part.reference, part.start, 0, error)
            else:
                start = appended.add(page)
                yield NewItem(part.file, part.reference, start, len(page))
    except InputError as error:
        if error.code == "batch_too_large":
            raise
        yield NewItem(part.file, part.reference, part.start, 0, (error.code, error.message))


def _whole(part: _Part, limits: IntakeLimits) -> NewItem:
    size = part.end - part.start
    if size > limits.image_bytes:
        error = ("too_large_bytes", f"the image has more than {limits.image_bytes} bytes")
        return NewItem(part.file, part.reference, part.start, 0, error)
    return NewItem(part.file, part.reference, part.start, size)


def _form(body: mmap.mmap, boundary: bytes) -> Iterator[_Part]:
    """The images of a multipart/form-data body (RFC 7578); a reference names the image after it."""
    delimiter = b"\r\n--" + boundary
    if body[: len(delimiter) - 2] == delimiter[2:]:
        position = len(delimiter) - 2
    elif (found := body.find(delimiter)) >= 0:
        position = found + len(delimiter)
    else:
        raise InputError("malformed_batch", "the body does not hold the multipart boundary")
    reference: str | None = None
    while body[position : position + 2] != b"--":
        start, name, file = _part_head(body, position)
        end = body.find(delimiter, start - 2)
        if end < 0:
            raise InputError("malformed_batch", "the body ends before its last boundary")
        end = max(end, start)
        if name == REFERENCE_FIELD:
            if reference is not None:
                raise InputError("malformed_batch", "two references stand before one image")
            reference = _reference(body[start : min(end, start + _MAX_REFERENCE_BYTES)])
        elif name == IMAGE_FIELD:
            yield _Part(file, reference, start, end)
            reference = None
        else:
            raise InputError(
                "malformed_batch",
                f"the form takes parts named {IMAGE_FIELD!r} and {REFERENCE_FIELD!r}; "
                "parameters go into the query",
            )
        position = body.find(delimiter, start - 2) + len(delimiter)
    if reference is not None:
        raise InputError("malformed_batch", "a reference stands before no image")


def _part_head(body: mmap.mmap, position: int) -> tuple[int, str, str | None]:
    """Where the content of a part begins whose delimiter ends at position; its name and file."""
    end = body.find(b"\r\n\r\n", position, position + _MAX_HEAD)
    line = body.find(b"\r\n", position, position + _MAX_HEAD)
    if end < 0 or line < 0 or body[position:line].strip(b" \t"):
        raise InputError("malformed_batch", "the head of a part is malformed")
    for header in body[line + 2 : end].split(b"\r\n"):
        key, _, value = header.partition(b":")
        if key.strip().lower() == b"content-disposition":
            _, options = parse_options_header(value.strip().decode("latin-1"))
            name = options.get(b"name", b"").decode("utf-8", "replace")
            file = options.get(b"filename")
            return end + 4, name, _name(file.decode("utf-8", "replace")) if file else None
    raise InputError("malformed_batch", "a part has no Content-Disposition")


def _name(text: str) -> str:
    """A caller's name for a file, in printable characters, its end where it is too long."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[-_MAX_NAME:]


def _reference(data: bytes) -> str:
    try:
        reference = data.decode()
        ReadingOptions(reference=reference)
    except UnicodeDecodeError:
        raise ParameterError("reference", "a reference is not UTF-8") from None
    return reference
