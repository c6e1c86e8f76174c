"""The routes of batches."""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any, BinaryIO, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, StreamingResponse

from service import metrics
from service.api import upload
from service.api.audited import UNWRITTEN, note
from service.api.auth import KEY_WANTED, STOPPING, TOO_OFTEN, caller, lacks
from service.api.body import FORM_TYPE
from service.api.caller import owner_of, refuse_closed_desk, refuse_repeated, settings_of
from service.api.desk import decision_of
from service.api.examples import problem_response
from service.api.idempotency import NO_KEY, REPLAYED, given_key, jobs_of
from service.api.problems import INTERNAL_DETAIL, RefusalError
from service.api.schemas import (
    After,
    Batch,
    BatchCounts,
    BatchItem,
    BatchPage,
    BatchParameters,
    DeskCounts,
    ItemError,
    ItemNumber,
    Reading,
    Text,
    evidence_of,
)
from service.audit import Outcome
from service.desk.review import Decision
from service.errors import OverloadError
from service.jobs import calls, intake, store
from service.jobs.export import csv_lines
from service.jobs.runtime import Jobs, chunk_of
from service.jobs.upkeep import purge
from service.settings import Settings

NO_BATCH: Final = "There is no such batch."
NO_ITEM: Final = "The batch has no such item."
ROUTE: Final = "/v1/batches"
_RETRY_SECONDS: Final = 10
_MARGIN_SECONDS: Final = 120.0
_MANY: Final = 1000
_LINES_AT_ONCE: Final = 100
_BINARY: Final = {"schema": {"type": "string", "format": "binary"}}
_JSONL: Final = "application/jsonl"


class Uploads:
    """How many batches may be received at the same time; belongs to one event loop."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._now: Counter[str] = Counter()

    @asynccontextmanager
    async def admitted(self, owner: str, most: int) -> AsyncIterator[None]:
        """Hold one of the places, of which this owner may hold `most`.

        Raises OverloadError at once where none is left.
        """
        if self._now.total() >= self._most or self._now[owner] >= most:
            raise OverloadError("too many batches are being received", _RETRY_SECONDS)
        self._now[owner] += 1
        try:
            yield
        finally:
            self._now[owner] -= 1


def _uploads(request: Request) -> Uploads:
    uploads = request.app.state.uploads
    assert isinstance(uploads, Uploads)
    return uploads


def _batch(
    id: Text, jobs: Annotated[Jobs, Depends(jobs_of)], owner: Annotated[str, Depends(owner_of)]
) -> store.Batch:
    """The batch in the path, if it is the caller's."""
    batch = jobs.store.batch(id, owner)
    if batch is None:
        raise RefusalError("not_found", NO_BATCH)
    return batch


_Batch = Annotated[store.Batch, Depends(_batch)]
_Jobs = Annotated[Jobs, Depends(jobs_of)]

_GONE: Final = problem_response("There is no such batch", not_found=NO_BATCH)
_UNAUTHORIZED: Final = problem_response(
    "The key is missing, unknown or revoked", unauthorized=KEY_WANTED
)
_FORBIDDEN: Final = problem_response("The key is not good for this", forbidden=lacks("batch"))
_NOT_NOW: Final = problem_response(
    "The service is stopping, or can't reach what it keeps batches in",
    stopping=STOPPING,
    storage_unavailable="the database can't be reached",
)
_FAILED: Final = problem_response("The service failed", internal_error=INTERNAL_DETAIL)
_INVALID: Final = problem_response(
    "A parameter can't be used",
    invalid_parameter="limit: Input should be greater than or equal to 1",
)
_COMMON: Final[dict[int | str, dict[str, Any]]] = {
    401: _UNAUTHORIZED,
    403: _FORBIDDEN,
    404: _GONE,
    422: _INVALID,
    429: problem_response("The key is used too often", rate_limited=TOO_OFTEN),
    500: _FAILED,
    503: _NOT_NOW,
    507: problem_response("The request can't be recorded", unrecorded=UNWRITTEN),
}

router = APIRouter(prefix=ROUTE, tags=["batches"], dependencies=[Depends(caller("batch"))])


@router.post(
    "",
    status_code=202,
    response_model=Batch,
    openapi_extra={
        "requestBody": {
            "required": True,
            "description": "Cheques, PNG, JPEG or TIFF, each of at most 10 MB: as the `image` "
            "parts of a form, a `reference` part naming the image after it; as a ZIP archive; or "
            "as the pages of a TIFF.",
            "content": {
                FORM_TYPE: {
                    "schema": {
                        "type": "object",
                        "required": [intake.IMAGE_FIELD],
                        "additionalProperties": False,
                        "properties": {
                            intake.IMAGE_FIELD: {
                                "type": "array",
                                "items": {"type": "string", "format": "binary"},
                            },
                            intake.REFERENCE_FIELD: {"type": "array", "items": {"type": "string"}},
                        },
                    }
                },
                **dict.fromkeys(upload.ARCHIVE_TYPES, _BINARY),
            },
        }
    },
    responses={
        202: {
            "headers": {
                "Location": {"schema": {"type": "string"}, "description": "Path of the batch"}
            }
        },
        400: problem_response(
            "The request is malformed",
            malformed_batch="the body ends before its last boundary",
            malformed_request=NO_KEY,
        ),
        401: _UNAUTHORIZED,
        403: _FORBIDDEN,
        408: problem_response(
            "The body did not arrive in time",
            body_timeout="The body did not arrive within 600 seconds.",
        ),
        409: problem_response(
            "A call with this Idempotency-Key still runs",
            conflict="a call with this Idempotency-Key is still being worked on",
        ),
        413: problem_response(
            "The batch is too large",
            batch_too_large="the batch has more than 2147483648 bytes",
            too_many_items="a batch may hold 10000 images, this has more",
        ),
        415: problem_response(
            "The body is of a type that is not taken", unsupported_media_type=upload.TYPES_WANTED
        ),
        422: problem_response(
            "The batch or a parameter can't be used",
            missing_image="the batch holds no part named 'image'",
            idempotency_mismatch="the Idempotency-Key was used with another request",
            invalid_parameter="webhook: this service sends no webhooks",
        ),
        429: problem_response(
            "Too many batches are being received, or the key is used too often",
            overloaded="too many batches are being received",
            rate_limited=TOO_OFTEN,
        ),
        500: _FAILED,
        503: _NOT_NOW,
        507: problem_response(
            "The disk is full, or the request can't be recorded",
            storage_full="there is no room for the batch on the disk",
            unrecorded=UNWRITTEN,
        ),
    },
)
async def accept_batch(
    request: Request,
    parameters: Annotated[BatchParameters, Query()],
    settings: Annotated[Settings, Depends(settings_of)],
    owner: Annotated[str, Depends(owner_of)],
    key: Annotated[str | None, Depends(given_key)],
    jobs: _Jobs,
    uploads: Annotated[Uploads, Depends(_uploads)],
) -> Response:
    """Accept a batch of cheques, to be read in the background."""
    refuse_repeated(request)
    parameters.options()
    refuse_closed_desk(settings, parameters.desk)
    parameters.desk_queue(usual=True)
    if parameters.webhook is not None:
        jobs.webhooks.check(parameters.webhook)
    boundary = upload.framing(request)
    async with uploads.admitted(owner, settings.of_one_key(settings.batch_uploads)):
        jobs.bodies.check_space(upload.announced(request, settings.batch_bytes))
        call: calls.Call | calls.Answered | None = None
        if key is not None:
            seconds = settings.batch_seconds + _MARGIN_SECONDS
            call = await asyncio.to_thread(
                calls.claim, jobs.store, jobs.process.name, owner, ROUTE, key, seconds
            )
        name, file = await asyncio.to_thread(jobs.bodies.create)
        accepting = _Accepting(jobs, (name, file), boundary, parameters, owner, call)
        try:
            await upload.receive(
                request,
                file,
                max_bytes=settings.batch_bytes,
                seconds=settings.batch_seconds,
                patience=settings.body_seconds,
            )
        except BaseException:
            await asyncio.to_thread(accepting.give_up)
            raise
        # From here on the file is the thread's, which nothing cancels.
        answer, kept = await asyncio.to_thread(accepting.accept)
    if kept:
        jobs.accepted()
        metrics.BATCHES.labels("accepted").inc()
    note(request, Outcome(batch=answer["id"], items=answer["items"]))
    headers = {"Location": f"{ROUTE}/{answer['id']}"}
    if not kept:
        headers |= REPLAYED
    return JSONResponse(answer, status_code=202, headers=headers)


class _Accepting:
    """What follows once a body is in its file; runs beside the event loop."""

    def __init__(
        self,
        jobs: Jobs,
        body: tuple[str, BinaryIO],
        boundary: bytes | None,
        parameters: BatchParameters,
        owner: str,
        call: calls.Call | calls.Answered | None,
    ) -> None:
        self._jobs = jobs
        self._name, self._file = body
        self._boundary = boundary
        self._parameters = parameters
        self._owner = owner
        self._call = call

    def accept(self) -> tuple[dict[str, Any], bool]:
        """The answer, and whether a batch was accepted; else it is an earlier call's answer."""
        kept = False
        try:
            answer, kept = self._accept()
        finally:
            if kept:
                self._file.close()
            else:
                self.give_up()
        return answer, kept

    def give_up(self) -> None:
        """Remove the file, and free the key of a call that comes to nothing."""
        self._file.close()
        self._jobs.bodies.remove(self._name)
        if isinstance(self._call, calls.Call):
            calls.give_up(self._jobs.store, self._call)

    def _accept(self) -> tuple[dict[str, Any], bool]:
        jobs, call, parameters = self._jobs, self._call, self._parameters
        items = intake.take_in(self._file, self._boundary, parameters.pages, jobs.limits)
        sent = ""
        if call is not None:
            sent = intake.fingerprint(self._file, items, parameters.model_dump_json())
        if isinstance(call, calls.Answered):
            call.check(sent)
            return dict(call.answer), False
        jobs.bodies.keep(self._name, self._file)
        new = store.NewBatch(
            id=secrets.token_hex(16),
            owner=self._owner,
            options=parameters.options(),
            body=self._name,
            webhook=parameters.webhook,
            chunk=chunk_of(len(items)),
        )
        with jobs.store.begin() as connection:
            batch, progress = jobs.store.accept(new, items, connection)
            queue = parameters.desk_queue(usual=True) if jobs.room.on else None
            if queue is not None:
                told = parameters.webhook is not None
                jobs.room.entrance.open(connection, new.id, queue, webhook=told)
            desk = None if queue is None else (0, 0)
            answer = _document(batch, progress, desk).model_dump(mode="json")
            if call is not None:
                calls.answer(jobs.store, connection, call, sent, answer)
        return answer, True


@router.get("/{id}", responses=_COMMON)
def see_batch(batch: _Batch, jobs: _Jobs) -> Batch:
    """How far a batch is."""
    return _document(batch, jobs.store.progress(batch), jobs.room.progress(batch.id))


@router.get("/{id}/items", responses=_COMMON)
def list_items(
    request: Request,
    batch: _Batch,
    jobs: _Jobs,
    after: After = -1,
    limit: Annotated[int, Query(ge=1, le=_MANY, description="Most items to return")] = 100,
) -> BatchPage:
    """The items of a batch, page by page, with what came of each so far."""
    refuse_repeated(request)
    page = jobs.store.page(batch, after=after, limit=limit)
    last = page[-1].number if page else batch.items - 1
    return BatchPage(
        items=[_item(*one) for one in jobs.room.decided(batch.id, page)],
        next=last if last < batch.items - 1 else None,
    )


@router.get("/{id}/items/{number}", responses=_COMMON)
def see_item(number: ItemNumber, batch: _Batch, jobs: _Jobs) -> BatchItem:
    """One item, with the evidence of its reading where that was kept."""
    page = jobs.store.page(batch, after=number - 1, limit=1) if number < batch.items else []
    if not page:
        raise RefusalError("not_found", NO_ITEM)
    item = _item(*next(iter(jobs.room.decided(batch.id, page))))
    kept = jobs.room.desk.evidence(batch.id, number)
    if item.reading is not None and kept is not None:
        item.reading.evidence = evidence_of(kept)
    return item


@router.get(
    "/{id}/results.jsonl",
    response_class=StreamingResponse,
    responses={
        **_COMMON,
        200: {
            "description": "A line of JSON for every item that has a result, in order",
            "content": {_JSONL: {"schema": {"$ref": "#/components/schemas/BatchItem"}}},
        },
    },
)
def results_jsonl(batch: _Batch, jobs: _Jobs) -> StreamingResponse:
    """The results so far, as JSON lines."""
    finished = jobs.room.decided(batch.id, jobs.store.finished(batch))
    lines = (_item(*one).model_dump_json() + "\n" for one in finished)
    return StreamingResponse(_joined(lines), media_type=_JSONL)


@router.get(
    "/{id}/results.csv",
    response_class=StreamingResponse,
    responses={
        **_COMMON,
        200: {
            "description": "A line for every item that has a result, in order",
            "content": {"text/csv": {"schema": {"type": "string"}}},
        },
    },
)
def results_csv(batch: _Batch, jobs: _Jobs) -> StreamingResponse:
    """The results so far, as CSV; cells that a spreadsheet would run are made harmless."""
    lines = csv_lines(jobs.room.decided(batch.id, jobs.store.finished(batch)))
    headers = {"Content-Disposition": f'attachment; filename="{batch.id}.csv"'}
    return StreamingResponse(_joined(lines), media_type="text/csv", headers=headers)


@router.post("/{id}/cancel", responses=_COMMON)
def cancel_batch(batch: _Batch, jobs: _Jobs) -> Batch:
    """Read no more of a batch; what has been read stays until it is purged."""
    jobs.store.cancel(batch.id)
    jobs.accepted()
    now = jobs.store.batch(batch.id)
    if now is None:
        raise RefusalError("not_found", NO_BATCH)
    return _document(now, jobs.store.progress(now), jobs.room.progress(now.id))


@router.delete("/{id}", status_code=204, responses=_COMMON)
def purge_batch(batch: _Batch, jobs: _Jobs) -> Response:
    """Remove a batch at once, running or not: its images, its items and its results."""
    purge(jobs.store, jobs.bodies, batch)
    jobs.room.sample.forget(batch.id)
    return Response(status_code=204)


def _document(batch: store.Batch, progress: store.Progress, desk: tuple[int, int] | None) -> Batch:
    return Batch(
        id=batch.id,
        state=batch.state,
        reference=batch.options.reference,
        items=batch.items,
        counts=BatchCounts.model_validate(progress),
        created_at=_moment(batch.created),
        ended_at=None if batch.ended is None else _moment(batch.ended),
        eta_seconds=_eta(batch, progress),
        desk=None if desk is None else DeskCounts(waiting=desk[0], decided=desk[1]),
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _eta(batch: store.Batch, progress: store.Progress) -> float | None:
    """Seconds that what waits will take at the pace of the last minute."""
    if batch.state != "running" or progress.pace is None:
        return None
    return round(progress.waiting / progress.pace, 1)


def _item(item: store.Item, decision: Decision | None) -> BatchItem:
    error = None if item.error is None else ItemError(code=item.error[0], message=item.error[1])
    reading = None if item.reading is None else Reading.model_validate(item.reading)
    return BatchItem(
        number=item.number,
        file=item.file,
        reference=item.reference,
        state=item.state,
        reading=reading,
        error=error,
        decision=decision_of(decision),
    )


def _joined(lines: Iterator[str]) -> Iterator[str]:
    """Lines in pieces that are worth sending."""
    while piece := "".join(islice(lines, _LINES_AT_ONCE)):
        yield piece
