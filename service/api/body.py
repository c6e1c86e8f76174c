"""Receives the image of a request: raw or in a form, in memory only, within bytes and seconds.

Images never touch the disk, as they would with a form parser that spools. No more of a body is
kept than may be read; what an early answer leaves unread is bounded by `service.api.server`.
"""

import asyncio
from typing import Final

from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from service.api.problems import RefusalError
from service.errors import InputError

IMAGE_TYPES: Final = ("image/png", "image/jpeg", "image/tiff")
FORM_TYPE: Final = "multipart/form-data"
FIELD: Final = "image"
TYPES_WANTED: Final = f"Content-Type must be {', '.join(IMAGE_TYPES)} or {FORM_TYPE}."
# Boundaries and part headers around the one image of a form.
_FORM_OVERHEAD: Final = 16 * 1024


async def receive_image(request: Request, *, max_bytes: int, seconds: float) -> bytes:
    """The image in a request's body, of 1 to max_bytes bytes, arrived within seconds.

    Raises InputError (empty, too_large_bytes) and RefusalError (unsupported_media_type,
    missing_image, malformed_request, body_timeout).
    """
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusalError("unsupported_media_type", "Content-Encoding is not supported.")
    try:
        async with asyncio.timeout(seconds):
            if media_type.decode("latin-1") in IMAGE_TYPES:
                image = await _receive_raw(request, max_bytes)
            elif media_type == FORM_TYPE.encode():
                image = await _receive_form(request, options.get(b"boundary", b""), max_bytes)
            else:
                raise RefusalError("unsupported_media_type", TYPES_WANTED)
    except TimeoutError:
        detail = f"The body did not arrive within {seconds:g} seconds."
        raise RefusalError("body_timeout", detail, {"Connection": "close"}) from None
    if not image:
        raise InputError("empty", "the image is empty")
    return image


async def _receive_raw(request: Request, max_bytes: int) -> bytes:
    _check_announced(request, max_bytes, max_bytes)
    image = bytearray()
    async for chunk in request.stream():
        image += chunk
        _check_received(len(image), max_bytes, max_bytes)
    return bytes(image)


async def _receive_form(request: Request, boundary: bytes, max_bytes: int) -> bytes:
    limit = max_bytes + _FORM_OVERHEAD
    _check_announced(request, limit, max_bytes)
    if not boundary:
        raise RefusalError("malformed_request", "Content-Type names no multipart boundary.")
    form = _Form(boundary, max_bytes)
    received = 0
    async for chunk in request.stream():
        received += len(chunk)
        _check_received(received, limit, max_bytes)
        form.feed(chunk)
    return form.image()


def _check_announced(request: Request, limit: int, max_bytes: int) -> None:
    announced = request.headers.get("content-length", "")
    if announced.isdecimal():
        _check_received(int(announced), limit, max_bytes)


def _check_received(size: int, limit: int, max_bytes: int) -> None:
    if size > limit:
        raise InputError("too_large_bytes", f"the image has more than {max_bytes} bytes")


class _Form:
    """A multipart/form-data body with one part, the image, parsed as it arrives (RFC 7578)."""

    def __init__(self, boundary: bytes, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._image: bytearray | None = None
        self._ended = False
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._disposition = b""
        try:
            self._parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin_part,
                    "on_header_begin": self._begin_header,
                    "on_header_field": self._take_header_name,
                    "on_header_value": self._take_header_value,
                    "on_header_end": self._end_header,
                    "on_headers_finished": self._end_headers,
                    "on_part_data": self._take_data,
                    "on_end": self._end,
                },
            )
        except FormParserError:
            raise RefusalError("malformed_request", "The multipart boundary is too long.") from None

    def feed(self, chunk: bytes) -> None:
        """Parse what follows; raises RefusalError (malformed_request, ...), InputError."""
        try:
            self._parser.write(chunk)
        except FormParserError:
            raise RefusalError("malformed_request", "The multipart body is malformed.") from None

    def image(self) -> bytes:
        """The image, all being fed; raises RefusalError (malformed_request, missing_image)."""
        if not self._ended:
            raise RefusalError(
                "malformed_request", "The multipart body ends before its last boundary."
            )
        if self._image is None:
            raise RefusalError("missing_image", f"The form needs one part named {FIELD!r}.")
        return bytes(self._image)

    def _begin_part(self) -> None:
        self._disposition = b""

    def _begin_header(self) -> None:
        self._header_name.clear()
        self._header_value.clear()

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _end_header(self) -> None:
        if self._header_name.lower() == b"content-disposition":
            self._disposition = bytes(self._header_value)

    def _end_headers(self) -> None:
        _, options = parse_options_header(self._disposition.decode("latin-1"))
        if options.get(b"name") != FIELD.encode():
            raise RefusalError(
                "missing_image",
                f"The form takes one part, named {FIELD!r}; parameters go into the query.",
            )
        if self._image is not None:
            raise RefusalError("missing_image", f"The form has more than one part named {FIELD!r}.")
        self._image = bytearray()

    def _take_data(self, data: bytes, start: int, end: int) -> None:
        assert self._image is not None
        self._image += data[start:end]
        _check_received(len(self._image), self._max_bytes, self._max_bytes)

    def _end(self) -> None:
        self._ended = True
