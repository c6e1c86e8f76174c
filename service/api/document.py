"""Receives small JSON documents, within bytes and seconds, checked against a schema."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from python_multipart.multipart import parse_options_header

from service.api.examples import problem_response
from service.api.problems import RefusalError
from service.errors import InputError

_Model = TypeVar("_Model", bound=BaseModel)

MOST_BYTES: Final = 16 * 1024
SECONDS: Final = 10.0
JSON_WANTED: Final = "Content-Type must be application/json."


def document(
    model: type[_Model], most_bytes: int = MOST_BYTES
) -> Callable[[Request], Awaitable[_Model]]:
    """A dependency: the document in a request's body.

    Raises RefusalError (unsupported_media_type, body_timeout), InputError (too_large_bytes) and
    RequestValidationError.
    """

    async def received(request: Request) -> _Model:
        media_type, _ = parse_options_header(request.headers.get("content-type", ""))
        if media_type != b"application/json":
            raise RefusalError("unsupported_media_type", JSON_WANTED)
        body = bytearray()
        try:
            async with asyncio.timeout(SECONDS):
                async for chunk in request.stream():
                    body += chunk
                    if len(body) > most_bytes:
                        raise InputError("too_large_bytes", _too_large(most_bytes))
        except TimeoutError:
            detail = f"The body did not arrive within {SECONDS:g} seconds."
            raise RefusalError("body_timeout", detail, {"Connection": "close"}) from None
        try:
            return model.model_validate_json(bytes(body))
        except ValidationError as error:
            errors = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
            raise RequestValidationError(errors) from None

    return received


def _too_large(most_bytes: int) -> str:
    return f"the body has more than {most_bytes} bytes"


def refused(most_bytes: int = MOST_BYTES) -> dict[int | str, dict[str, Any]]:
    """What the OpenAPI document says of bodies that are not received."""
    return {
        408: problem_response(
            "The body did not arrive in time",
            body_timeout=f"The body did not arrive within {SECONDS:g} seconds.",
        ),
        413: problem_response("The body is too large", too_large_bytes=_too_large(most_bytes)),
        415: problem_response("The body is no JSON", unsupported_media_type=JSON_WANTED),
    }


def described(model: type[BaseModel]) -> dict[str, Any]:
    """What the OpenAPI document says of the body."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}
