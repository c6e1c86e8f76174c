"""The routes: thin, each one a line or two of plumbing between a document and the pool."""

import asyncio
import hashlib
from collections.abc import Awaitable
from dataclasses import replace
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.security import HTTPAuthorizationCredentials
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ValidationError
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Receive, Scope, Send

from service import metrics
from service.api import problems
from service.api.audited import UNWRITTEN, note
from service.api.auth import (
    BEARER,
    HEADER,
    KEY_WANTED,
    STOPPING,
    TOO_OFTEN,
    caller,
    lacks,
    stopping,
)
from service.api.body import FIELD, FORM_TYPE, IMAGE_TYPES, TYPES_WANTED, receive_image
from service.api.caller import owner_of, refuse_closed_desk, refuse_repeated, settings_of
from service.api.desk import decision_of
from service.api.examples import problem_response
from service.api.idempotency import Once, given_key, jobs_of, once_for
from service.api.pool import BUSY, ReaderPool
from service.api.problems import INTERNAL_DETAIL, RefusalError
from service.api.schemas import (
    Health,
    Reading,
    ReviewedReading,
    StatedParameters,
    Text,
    evidence_of,
)
from service.audit import Outcome
from service.desk.counts import COUNTED
from service.desk.entrance import outcome_of
from service.settings import Settings

_T = TypeVar("_T")

_WARMING: Final = "The model is being warmed."
_NOT_READY: Final = problem_response(
    "The model is not warm yet, or the service is stopping", not_ready=_WARMING, stopping=STOPPING
)
NO_READING: Final = "There is no such reading."
METRICS_ELSEWHERE: Final = "Metrics are served on a port of their own."
_UNAUTHORIZED: Final = problem_response(
    "The key is missing, unknown or revoked", unauthorized=KEY_WANTED
)
_FORBIDDEN: Final = problem_response("The key is not good for this", forbidden=lacks("read"))
_METRICS_CALLER: Final = caller("metrics", limited=False)
_READ_CALLER: Final = caller("read")
# Bytes whose digest takes less time than handing them to a thread.
_AT_ONCE: Final = 256 * 1024


def _pool(request: Request) -> ReaderPool:
    pool = request.app.state.pool
    assert isinstance(pool, ReaderPool)
    return pool


async def ready_pool(request: Request, pool: Annotated[ReaderPool, Depends(_pool)]) -> ReaderPool:
    """The pool, refused until the model is warm, and again while the service stops."""
    if request.app.state.draining:
        raise stopping()
    if not pool.ready:
        raise RefusalError("not_ready", _WARMING, {"Retry-After": "1"})
    return pool


async def _may_see_metrics(
    request: Request,
    settings: Annotated[Settings, Depends(settings_of)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    header: Annotated[str | None, Depends(HEADER)],
) -> None:
    """Let metrics out of the port of their own to anybody, else to keys with the scope metrics."""
    if getattr(request.state, "own_port", False):
        return
    if settings.metrics_port is not None:
        raise RefusalError("not_found", METRICS_ELSEWHERE)
    await _METRICS_CALLER(request, bearer, header)


operations = APIRouter(tags=["operations"])
readings = APIRouter(
    prefix="/v1",
    tags=["readings"],
    dependencies=[Depends(_READ_CALLER)],
)


@operations.get("/livez")
async def alive(pool: Annotated[ReaderPool, Depends(_pool)]) -> Health:
    """The process answers."""
    return Health(status="alive", model_version=pool.model_version)


@operations.get("/readyz", responses={503: _NOT_READY})
async def ready(pool: Annotated[ReaderPool, Depends(ready_pool)]) -> Health:
    """The model is loaded and warm, and the service not stopping: readings are answered."""
    return Health(status="ready", model_version=pool.model_version)


@operations.get(
    "/metrics",
    response_class=Response,
    dependencies=[Depends(_may_see_metrics)],
    responses={
        200: {"content": {"text/plain": {"schema": {"type": "string"}}}},
        401: _UNAUTHORIZED,
        403: _FORBIDDEN,
        404: problem_response("Metrics have a port of their own", not_found=METRICS_ELSEWHERE),
    },
)
def prometheus() -> Response:
    """Metrics for Prometheus, to keys with the scope metrics."""
    return Response(metrics.exposition(), headers={"Content-Type": CONTENT_TYPE_LATEST})


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
            },
            "encoding": {FIELD: {"contentType": ", ".join(IMAGE_TYPES)}},
        },
        **dict.fromkeys(IMAGE_TYPES, _BINARY),
    },
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    400: problem_response(
        "The request is malformed", malformed_request="The multipart body is malformed."
    ),
    401: _UNAUTHORIZED,
    403: _FORBIDDEN,
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
            "All readers are busy, or the key is used too often",
            overloaded=BUSY,
            rate_limited=TOO_OFTEN,
        ),
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}},
    },
    500: problem_response("The service failed", internal_error=INTERNAL_DETAIL),
    503: problem_response(
        "The model is not warm yet, the service is stopping, the reading took too long, or what "
        "answers are kept in can't be reached",
        not_ready=_WARMING,
        stopping=STOPPING,
        reading_timeout="The reading was not done within 60 seconds.",
        storage_unavailable="the database can't be reached",
    ),
    507: problem_response("The request can't be recorded", unrecorded=UNWRITTEN),
}


class Direct:
    """ASGI middleware: answers what is asked hundreds of times a second, POST /v1/readings, itself.

    FastAPI documents that route like any other, but its finding of routes and its resolving of
    dependencies cost several times what they do. The order, and what is raised, are the same.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http" or (scope["method"], scope["path"]) != _READ:
            await self._app(scope, receive, send)
            return
        scope["route"] = _READ_ROUTE
        request = Request(scope, receive)
        try:
            response = await _read_cheque(request)
        except Exception as error:  # noqa: BLE001 - raised again where it is no problem's
            response = await problems.answer(request, error)
        await response(scope, receive, send)


async def _read_cheque(request: Request) -> Response:
    await _READ_CALLER(request, await BEARER(request), await HEADER(request))
    pool = await ready_pool(request, _pool(request))
    owner, jobs = owner_of(request), jobs_of(request)
    key = await given_key(request.headers.get("idempotency-key"))
    once = Once(jobs, owner, "/v1/readings", key)
    try:
        parameters = StatedParameters.model_validate(dict(request.query_params))
    except ValidationError as error:
        found = [{**one, "loc": ("query", *one["loc"])} for one in error.errors()]
        raise RequestValidationError(found) from None
    return await read_cheque(request, parameters, settings_of(request), pool, owner, once)


async def read_cheque(
    request: Request,
    parameters: Annotated[StatedParameters, Query()],
    settings: Annotated[Settings, Depends(settings_of)],
    pool: Annotated[ReaderPool, Depends(ready_pool)],
    owner: Annotated[str, Depends(owner_of)],
    once: Annotated[Once, Depends(once_for("/v1/readings"))],
) -> Response:
    """Read the amount of one cheque."""
    refuse_repeated(request)
    refuse_closed_desk(settings, parameters.desk)
    queue = parameters.desk_queue(usual=False)
    options = parameters.options()
    entrance = jobs_of(request).room.entrance
    drawn = queue is not None and entrance.draws()
    asked = options
    if queue is not None and not options.evidence:
        asked = replace(options, evidence=drawn or "rejected")
    with pool.admitted(owner):
        async with once:
            image = await receive_image(
                request, max_bytes=settings.max_bytes, seconds=settings.body_seconds
            )
            sha256 = await _sha256(image)
            note(request, Outcome(image_sha256=sha256))
            if replayed := await once.replay(image, parameters):
                return replayed
            reading = await _while_wanted(
                request, settings.request_seconds, pool.read(image, asked)
            )
            metrics.count_reading(reading)
            note(
                request,
                Outcome(reading.decision, reading.reject_reason, reading.model_version, sha256),
            )
            counted = {name: getattr(reading, name) for name in COUNTED}
            entrance.count(owner, counted, field_only=options.field_only)
            item = None
            if queue is not None:
                item = await asyncio.to_thread(
                    entrance.single, image, outcome_of(reading), options, owner=owner, queue=queue,
                    drawn=drawn,
                )  # fmt: skip
            if not options.evidence:
                reading = replace(reading, evidence=None)
            answer = Reading.model_validate(reading)
            answer.desk_item = item
            return await once.answer(answer)


readings.add_api_route(
    "/readings",
    read_cheque,
    methods=["POST"],
    response_model=Reading,
    responses=_RESPONSES,
    openapi_extra={"requestBody": _BODY},
)
_READ: Final = ("POST", "/v1/readings")
_READ_ROUTE: Final = readings.routes[-1]


@readings.get(
    "/readings/{id}",
    responses={
        **{status: _RESPONSES[status] for status in (401, 403, 429, 500, 503, 507)},
        404: problem_response("There is no such reading", not_found=NO_READING),
        422: problem_response(
            "The id can't be one", invalid_parameter="id: String should match pattern '^[^\\x00]*$'"
        ),
    },
)
def see_reading(request: Request, id: Text) -> ReviewedReading:
    """A single reading that went to the review desk, and what was decided there."""
    jobs = jobs_of(request)
    batch = jobs.store.batch(id, owner_of(request))
    page = jobs.store.page(batch, after=-1, limit=1, finished=True) if batch is not None else []
    if batch is None or batch.items != 1 or not page or page[0].reading is None:
        raise RefusalError("not_found", NO_READING)
    reading = Reading.model_validate(page[0].reading)
    kept = jobs.room.desk.evidence(id, 0)
    if kept is not None and batch.options.evidence:
        reading.evidence = evidence_of(kept)
    return ReviewedReading(
        reading=reading, decision=decision_of(jobs.room.desk.decisions(id, [0]).get(0))
    )


async def _sha256(image: bytes) -> str:
    """The digest of an image, of a large one on a thread."""
    digest = hashlib.sha256
    if len(image) <= _AT_ONCE:
        return digest(image).hexdigest()
    return (await asyncio.to_thread(digest, image)).hexdigest()


async def _while_wanted(request: Request, seconds: float, work: Awaitable[_T]) -> _T:
    """The result of work, which is given up where nobody waits for it any more.

    Raises RefusalError (reading_timeout) after seconds, and ClientDisconnect where the client
    leaves.
    """
    left = False

    async def watch(limit: asyncio.Timeout) -> None:
        nonlocal left
        while (await request.receive())["type"] != "http.disconnect":
            continue
        left = True
        limit.reschedule(0.0)

    try:
        async with asyncio.timeout(seconds) as limit:
            watching = asyncio.create_task(watch(limit))
            try:
                return await work
            finally:
                watching.cancel()
    except TimeoutError:
        if left:
            raise ClientDisconnect from None
        detail = f"The reading was not done within {seconds:g} seconds."
        raise RefusalError("reading_timeout", detail, {"Retry-After": "1"}) from None
