"""Receives the body of a batch into a file, within bytes, seconds and the room on the disk."""

import asyncio
from typing import BinaryIO, Final

from fastapi import Request
from python_multipart.multipart import parse_options_header

from service.api.body import FORM_TYPE
from service.api.problems import RefusalError
from service.errors import InputError
from service.jobs.bodies import full_disk

ARCHIVE_TYPES: Final = ("application/zip", "image/tiff", "application/octet-stream")
TYPES_WANTED: Final = f"Content-Type must be one of {', '.join((FORM_TYPE, *ARCHIVE_TYPES))}."
_PACE: Final = 64 * 1024  # bytes a second
_WRITE_AT_ONCE: Final = 1 << 20


def announced(request: Request, max_bytes: int) -> int:
    """The size that the head of a request names, 0 where it names none; raises InputError."""
    size = request.headers.get("content-length", "")
    if not size.isdecimal():
        return 0
    _check(int(size), max_bytes)
    return int(size)


def framing(request: Request) -> bytes | None:
    """The boundary of a form, or None for a raw body; raises RefusalError."""
    media_type, options = parse_options_header(request.headers.get("content-type", ""))
    if request.headers.get("content-encoding", "identity") != "identity":
        raise RefusalError("unsupported_media_type", "Content-Encoding is not supported.")
    if media_type.decode("latin-1") in ARCHIVE_TYPES:
        return None
    if media_type != FORM_TYPE.encode():
        raise RefusalError("unsupported_media_type", TYPES_WANTED)
    boundary = options.get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:
        raise RefusalError("malformed_request", "Content-Type names no usable multipart boundary.")
    return boundary


async def receive(
    request: Request, file: BinaryIO, *, max_bytes: int, seconds: float, patience: float
) -> None:
    """Write a request's body to a file.

    It has `seconds` to arrive; who is slower than _PACE is given up earlier, after `patience` and
    as long as what came would take at that pace, so that slow clients hold no place for others.
    Raises InputError (batch_too_large), StorageFullError and RefusalError (body_timeout).
    """
    received = 0
    buffer = bytearray()
    try:
        started = asyncio.get_running_loop().time()
        async with asyncio.timeout(min(seconds, patience)) as limit:
            async for chunk in request.stream():
                received += len(chunk)
                _check(received, max_bytes)
                limit.reschedule(started + min(seconds, patience + received / _PACE))
                buffer += chunk
                if len(buffer) >= _WRITE_AT_ONCE:
                    await asyncio.to_thread(_write, file, bytes(buffer))
                    buffer.clear()
    except TimeoutError:
        detail = f"The body did not arrive within {seconds:g} seconds, or came too slowly."
        raise RefusalError("body_timeout", detail, {"Connection": "close"}) from None
    await asyncio.to_thread(_write, file, bytes(buffer))


def _write(file: BinaryIO, data: bytes) -> None:
    with full_disk():
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]


def _check(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise InputError("batch_too_large", f"the batch has more than {max_bytes} bytes")
