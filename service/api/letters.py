"""The routes of cash letters in batches: reports, items against their records, adjusted copies."""

import asyncio
from collections.abc import Iterator
from itertools import islice
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from service.api.auth import KEY_WANTED, STOPPING, caller, lacks
from service.api.caller import owner_of, refuse_repeated
from service.api.document import described, document, refused
from service.api.examples import problem_response
from service.api.idempotency import jobs_of
from service.api.problems import RefusalError
from service.api.schemas import (
    Adjustment,
    After,
    CashLetter,
    CashLetterItem,
    CashLetterPage,
    ItemError,
    Reading,
    Text,
)
from service.jobs import letters, store
from service.jobs.runtime import Jobs
from service.x9.adjust import adjust, adjusted
from service.x9.documents import Row, exception_lines

ROUTE: Final = "/v1/batches/{id}/cash-letters"
NO_LETTER: Final = "There is no such cash letter."
_GONE: Final = "The batch's images are no longer stored."
_MANY: Final = 1000
_LINES_AT_ONCE: Final = 100
_MOST_BYTES: Final = 512 * 1024  # an amount for each of as many items as a batch can have
_CSV: Final = "text/csv"
_RAW: Final = "application/octet-stream"
_COMMON: Final[dict[int | str, dict[str, Any]]] = {
    401: problem_response("The key is missing, unknown or revoked", unauthorized=KEY_WANTED),
    403: problem_response("The key is not good for this", forbidden=lacks("batch")),
    404: problem_response("There is no such cash letter", not_found=NO_LETTER),
    422: problem_response(
        "A parameter can't be used",
        invalid_parameter="limit: Input should be greater than or equal to 1",
        unknown_item="the file has no item 7",
        amount_too_large="a total does not fit into Item Amount",
    ),
    503: problem_response("The service is stopping", stopping=STOPPING),
}

_Jobs = Annotated[Jobs, Depends(jobs_of)]


def _batch(id: Text, jobs: _Jobs, owner: Annotated[str, Depends(owner_of)]) -> store.Batch:
    """The batch in the path, if it is the caller's."""
    batch = jobs.store.batch(id, owner)
    if batch is None:
        raise RefusalError("not_found", NO_LETTER)
    return batch


_Batch = Annotated[store.Batch, Depends(_batch)]


def _letter(letter: int, batch: _Batch, jobs: _Jobs) -> letters.Letter:
    """The cash letter in the path."""
    for one in letters.letters_of(jobs.store, batch.id):
        if one.number == letter:
            return one
    raise RefusalError("not_found", NO_LETTER)


_Letter = Annotated[letters.Letter, Depends(_letter)]

router = APIRouter(prefix=ROUTE, tags=["cash letters"], dependencies=[Depends(caller("batch"))])


@router.get("", responses=_COMMON)
def list_cash_letters(batch: _Batch, jobs: _Jobs) -> list[CashLetter]:
    """The cash letters of a batch: what each is, what deviates from the standard, its totals."""
    found = []
    for letter in letters.letters_of(jobs.store, batch.id):
        verdicts = {"agrees": 0, "disagrees": 0, "unread": 0}
        waiting = 0
        for row, done in letters.rows_of(jobs.store, batch.id, letter.number):
            if done:
                verdicts[row.verdict] += 1
            else:
                waiting += 1
        found.append(
            CashLetter.model_validate(
                {
                    **letter.report,
                    "letter": letter.number,
                    "file": letter.file,
                    "reference": letter.reference,
                    "verdicts": verdicts,
                    "waiting": waiting,
                }
            )
        )
    return found


@router.get("/{letter}/items", responses=_COMMON)
def list_cash_letter_items(
    request: Request,
    batch: _Batch,
    letter: _Letter,
    jobs: _Jobs,
    after: After = -1,
    limit: Annotated[int, Query(ge=1, le=_MANY, description="Most items to return")] = 100,
) -> CashLetterPage:
    """The items of a cash letter, page by page, each against its record."""
    refuse_repeated(request)
    rows = list(letters.rows_of(jobs.store, batch.id, letter.number, after=after, limit=limit + 1))
    page = [_item(row, done) for row, done in rows[:limit]]
    return CashLetterPage(items=page, next=page[-1].number if len(rows) > limit else None)


@router.get(
    "/{letter}/exceptions.csv",
    response_class=StreamingResponse,
    responses={
        **_COMMON,
        200: {
            "description": "A line for every item whose image was read and does not agree, or "
            "could not be read",
            "content": {_CSV: {"schema": {"type": "string"}}},
        },
    },
)
def exceptions_csv(batch: _Batch, letter: _Letter, jobs: _Jobs) -> StreamingResponse:
    """The exceptions among what has been read, as CSV."""
    rows = letters.rows_of(jobs.store, batch.id, letter.number)
    lines = exception_lines(row for row, done in rows if done)
    headers = {"Content-Disposition": f'attachment; filename="{batch.id}-{letter.number}.csv"'}
    return StreamingResponse(_joined(lines), media_type=_CSV, headers=headers)


@router.post(
    "/{letter}/adjusted",
    response_class=StreamingResponse,
    responses={
        **_COMMON,
        **refused(_MOST_BYTES),
        200: {
            "description": "The file with other amounts, and totals that are right for them",
            "content": {_RAW: {"schema": {"type": "string", "format": "binary"}}},
        },
    },
    openapi_extra=described(Adjustment),
)
async def adjusted_copy(
    batch: _Batch,
    letter: _Letter,
    jobs: _Jobs,
    wanted: Annotated[Adjustment, Depends(document(Adjustment, _MOST_BYTES))],
) -> StreamingResponse:
    """A copy of the file with corrected amounts and totals, everything else byte by byte."""
    amounts = {number - letter.first: minor for number, minor in wanted.amounts.items()}
    if wanted.as_read:
        read = await asyncio.to_thread(_as_read, jobs, batch, letter)
        amounts = {**read, **amounts}

    def copy() -> letters.Part:
        return letters.open_letter(jobs.bodies, batch.body, letter)

    try:
        # Once for nothing: what can't be done must be known before the answer begins.
        await asyncio.to_thread(adjust, copy(), None, amounts)
    except FileNotFoundError:
        raise RefusalError("not_found", _GONE) from None
    name = f"{batch.id}-{letter.number}.x937"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return StreamingResponse(adjusted(copy(), amounts), media_type=_RAW, headers=headers)


def _as_read(jobs: Jobs, batch: store.Batch, letter: letters.Letter) -> dict[int, int]:
    """The amounts read of items that disagree, by their number in the file."""
    return {
        row.number - letter.first: amount
        for row, done in letters.rows_of(jobs.store, batch.id, letter.number)
        if done and row.verdict == "disagrees" and (amount := row.read[0]) is not None
    }


def _item(row: Row, done: bool) -> CashLetterItem:
    error = None if row.error is None else ItemError(code=row.error[0], message=row.error[1])
    reading = None if row.evidence is None else Reading.model_validate(row.evidence)
    verdict: Literal["agrees", "disagrees", "unread"] | None = row.verdict if done else None
    return CashLetterItem.model_validate(
        {**row.item, "number": row.number, "verdict": verdict, "reading": reading, "error": error}
    )


def _joined(lines: Iterator[str]) -> Iterator[str]:
    """Lines in pieces that are worth sending."""
    while piece := "".join(islice(lines, _LINES_AT_ONCE)):
        yield piece
