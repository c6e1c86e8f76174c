"""The routes: thin, each one a line or two of plumbing between a document and the pool."""

import asyncio
import hashlib
import hmac
from collections.abc import Coroutine
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.requests import ClientDisconnect

from service import metrics
from service.api.body import FIELD, FORM_TYPE, IMAGE_TYPES, TYPES_WANTED, receive_image
from service.api.caller import refuse_repeated, settings_of
from service.api.examples import problem_response
from service.api.idempotency import Once, once_for
from service.api.pool import ReaderPool
from service.api.problems import INTERNAL_DETAIL, RefusalError
from service.api.schemas import Health, Reading, ReadingParameters
from service.settings import Settings

_T = TypeVar("_T")

_KEY_WANTED: Final = "Send the key as Authorization: Bearer."
_WARMING: Final = "The model is being warmed."
_NOT_READY: Final = problem_response("The model is not warm yet", not_ready=_WARMING)
_KEY: Final = HTTPBearer(
    auto_error=False, description="The key of CHEQUE_API_KEY, where the service asks for one"
)


def _pool(request: Request) -> ReaderPool:
    pool = request.app.state.pool
    assert isinstance(pool, ReaderPool)
    return pool


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


async def require_key(
    settings: Annotated[Settings, Depends(settings_of)],
    given: Annotated[HTTPAuthorizationCredentials | None, Depends(_KEY)],
) -> None:
    """Refuse a caller without the key, where the settings ask for one."""
    if not settings.asks_for_key:
        return
    assert settings.api_key is not None
    expected = _digest(settings.api_key.get_secret_value())
    # Digests, so that not even the key's length shows in the time that the comparison takes.
    if given is None or not hmac.compare_digest(_digest(given.credentials), expected):
        raise RefusalError("unauthorized", _KEY_WANTED, {"WWW-Authenticate": "Bearer"})


async def ready_pool(pool: Annotated[ReaderPool, Depends(_pool)]) -> ReaderPool:
    """The pool, refused until the model is warm."""
    if not pool.ready:
        raise RefusalError("not_ready", _WARMING, {"Retry-After": "1"})
    return pool


operations = APIRouter(tags=["operations"])
readings = APIRouter(
    prefix="/v1",
    tags=["readings"],
    dependencies=[Depends(require_key)],
)


@operations.get("/livez")
async def alive(pool: Annotated[ReaderPool, Depends(_pool)]) -> Health:
    """The process answers."""
    return Health(status="alive", model_version=pool.model_version)


@operations.get("/readyz", responses={503: _NOT_READY})
async def ready(pool: Annotated[ReaderPool, Depends(ready_pool)]) -> Health:
    """The model is loaded and warm: readings are answered."""
    return Health(status="ready", model_version=pool.model_version)


@operations.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def prometheus() -> Response:
    """Metrics for Prometheus."""
    return Response(generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})


_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_BODY: Final[dict[str, Any]] = {
    "required": True,
    "description": "One cheque, PNG, JPEG or TIFF, of at most 10 MB: raw, or the one field of a "
    "form. Of several pages the first is read.",
    "content": {
        FORM_TYPE: {
            "schema": {
                "type": "object",
                "required": [FIELD],
                "additionalProperties": False,
                "properties": {FIELD: {"type": "string", "format": "binary"}},
            }
        },
        **dict.fromkeys(IMAGE_TYPES, _BINARY),
    },
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: problem_response(
        "The request is malformed", malformed_request="The multipart body is malformed."
    ),
    401: problem_response("The key is missing or wrong", unauthorized=_KEY_WANTED),
    408: problem_response(
        "The body did not arrive in time",
        body_timeout="The body did not arrive within 20 seconds.",
    ),
    409: problem_response(
        "A call with this Idempotency-Key still runs",
        conflict="a call with this Idempotency-Key is still being worked on",
    ),
    413: problem_response(
        "The image has too many bytes",
        too_large_bytes="the image has more than 10485760 bytes",
    ),
    415: problem_response(
        "Neither the body nor the file is of a type that is read",
        unsupported_type="the file is not a PNG, JPEG or TIFF image",
        unsupported_media_type=TYPES_WANTED,
    ),
    422: problem_response(
        "The image or a parameter can't be used",
        empty="the image is empty",
        too_small="the image has 1x1 pixels, at least 200x60 are needed",
        invalid_parameter="max_error must be between 0 and 1, both excluded",
    ),
    429: {
        **problem_response(
            "All readers are busy",
            overloaded="all readers are busy, and so is the line before them",
        ),
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}},
    },
    500: problem_response("The service failed", internal_error=INTERNAL_DETAIL),
    503: _NOT_READY,
}


@readings.post(
    "/readings",
    response_model=Reading,
    responses=_RESPONSES,
    openapi_extra={"requestBody": _BODY},
)
async def read_cheque(
    request: Request,
    parameters: Annotated[ReadingParameters, Query()],
    settings: Annotated[Settings, Depends(settings_of)],
    pool: Annotated[ReaderPool, Depends(ready_pool)],
    once: Annotated[Once, Depends(once_for("/v1/readings"))],
) -> Response:
    """Read the amount of one cheque."""
    refuse_repeated(request)
    options = parameters.options()
    with pool.admitted():
        async with once:
            image = await receive_image(
                request, max_bytes=settings.max_bytes, seconds=settings.body_seconds
            )
            if replayed := await once.replay(image, parameters.model_dump()):
                return replayed
            reading = await _unless_gone(request, pool.read(image, options))
            metrics.count_reading(reading)
            answer = Reading.model_validate(reading)
            return await once.answer(answer)


async def _unless_gone(request: Request, work: Coroutine[Any, Any, _T]) -> _T:
    """The result of work; raises ClientDisconnect, giving it up, where the client leaves first."""
    task = asyncio.ensure_future(work)
    gone = asyncio.ensure_future(_disconnected(request))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            return task.result()
        raise ClientDisconnect
    finally:
        task.cancel()
        gone.cancel()


async def _disconnected(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        continue
