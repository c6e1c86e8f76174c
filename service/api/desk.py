"""The routes of the review desk, for its page and for callers with the scope desk."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from service import metrics
from service.access.keys import Key
from service.api import schemas
from service.api.audited import UNWRITTEN, mark_chore, note
from service.api.auth import KEY_WANTED, STOPPING, TOO_OFTEN, lacks
from service.api.desk_access import (
    WRONG,
    Doorman,
    MemberHere,
    RoomHere,
    drop_cookie,
    lead_of,
    session_of,
    set_cookie,
)
from service.api.document import described, document, refused
from service.api.examples import problem_response
from service.api.idempotency import jobs_of
from service.api.problems import INTERNAL_DETAIL, RefusalError
from service.api.schemas import ItemNumber, Text
from service.audit import Outcome
from service.desk import review
from service.desk.members import Member, Session
from service.desk.room import Room
from service.desk.stats import figures
from service.desk.views import page_jpeg
from service.jobs.runtime import Jobs
from service.pipeline.card import Calibration, load_card
from service.pipeline.explain import draw_evidence

NO_ITEM: Final = "There is no such item in your queues."
_GUESSES: Final = 5

router = APIRouter(prefix="/v1/desk", tags=["desk"])

_COMMON: Final[dict[int | str, dict[str, Any]]] = {
    401: problem_response("Who asks is not known", unauthorized=KEY_WANTED),
    403: problem_response("The caller may not do this", forbidden=lacks("desk")),
    404: problem_response("There is no such thing", not_found=NO_ITEM),
    422: problem_response(
        "The document or a parameter can't be used",
        invalid_parameter="kind: Input should be 'amount', 'not_a_cheque', ...",
    ),
    429: problem_response("Too much is asked", rate_limited=TOO_OFTEN),
    500: problem_response("The service failed", internal_error=INTERNAL_DETAIL),
    503: problem_response("The service is stopping", stopping=STOPPING),
    507: problem_response("The request can't be recorded", unrecorded=UNWRITTEN),
}
_WITH_BODY: Final[dict[int | str, dict[str, Any]]] = {
    **_COMMON,
    **refused(),
}
_LEASED: Final[dict[int | str, dict[str, Any]]] = {
    **_WITH_BODY,
    409: problem_response(
        "The item is another's by now, or decided",
        lease_lost="the item is no longer leased to you",
    ),
}
# What the routes receive, for the OpenAPI document.
BODIES = (
    schemas.SignIn, schemas.Take, schemas.Leases, schemas.OneLease, schemas.Keying, schemas.Undo,
)  # fmt: skip


@router.post(
    "/session", responses=_WITH_BODY, openapi_extra=described(schemas.SignIn), name="sign_in"
)
async def sign_in(
    request: Request,
    response: Response,
    room: RoomHere,
    said: Annotated[schemas.SignIn, Depends(document(schemas.SignIn))],
) -> schemas.DeskSession:
    """Sign a clerk in: the session is in a cookie from then on."""
    doorman = request.app.state.doorman
    assert isinstance(doorman, Doorman)
    async with doorman.checking():
        made = await asyncio.to_thread(room.members.sign_in, said.name, said.password)
    if made is None:
        raise RefusalError("unauthorized", WRONG)
    token, session = made
    member = session.member
    request.state.key = Key(
        member.id, member.name, frozenset({"desk"}), datetime.fromtimestamp(0, UTC)
    )
    set_cookie(request, response, token)
    return await asyncio.to_thread(_session, request, room, session)


@router.get("/session", responses=_COMMON, name="see_session")
def see_session(
    request: Request, room: RoomHere, session: Annotated[Session, Depends(session_of)]
) -> schemas.DeskSession:
    """Who is signed in."""
    return _session(request, room, session)


@router.delete("/session", status_code=204, responses=_COMMON, name="sign_out")
def sign_out(
    request: Request, room: RoomHere, session: Annotated[Session, Depends(session_of)]
) -> Response:
    """Sign out, and give back what was leased."""
    room.desk.release_all(session.member)
    room.members.sign_out(request.cookies.get("cheque-desk", ""))
    response = Response(status_code=204)
    drop_cookie(response)
    return response


@router.get("/queues", responses=_COMMON, name="list_queues")
def list_queues(room: RoomHere, member: MemberHere) -> list[schemas.DeskQueue]:
    """The queues that the caller sees, with what waits in them."""
    return _queues(room, member)


@router.post(
    "/items/take", responses=_WITH_BODY, openapi_extra=described(schemas.Take), name="take_items"
)
def take_items(
    request: Request,
    room: RoomHere,
    member: MemberHere,
    said: Annotated[schemas.Take, Depends(document(schemas.Take))],
) -> schemas.DeskItems:
    """Lease the next items to the caller."""
    leased = room.desk.take(member, queue=said.queue, order=said.order, most=said.most)
    if not leased:
        mark_chore(request)
    return schemas.DeskItems(items=[_item(one) for one in leased], queues=_queues(room, member))


@router.post(
    "/leases", responses=_WITH_BODY, openapi_extra=described(schemas.Leases), name="renew_leases"
)
def renew_leases(
    request: Request,
    room: RoomHere,
    member: MemberHere,
    said: Annotated[schemas.Leases, Depends(document(schemas.Leases))],
) -> schemas.Leases:
    """Keep items for longer; the leases that the caller still has."""
    mark_chore(request)
    return schemas.Leases(leases=room.desk.renew(member, said.leases))


@router.post(
    "/leases/release",
    status_code=204,
    responses=_WITH_BODY,
    openapi_extra=described(schemas.Leases),
    name="release_leases",
)
def release_leases(
    room: RoomHere,
    member: MemberHere,
    said: Annotated[schemas.Leases, Depends(document(schemas.Leases))],
) -> Response:
    """Give items back."""
    room.desk.release(member, said.leases)
    return Response(status_code=204)


def _seen(
    request: Request, room: RoomHere, member: MemberHere, batch: Text, number: ItemNumber
) -> review.Leased:
    """The item that is asked for, as far as the member may see it; raises RefusalError."""
    item = room.desk.look(member, batch, number)
    if item is None:
        raise RefusalError("not_found", NO_ITEM)
    note(request, Outcome(batch=batch, item=number))
    return item


ItemSeen = Annotated[review.Leased, Depends(_seen)]


def _image(item: ItemSeen, jobs: Annotated[Jobs, Depends(jobs_of)]) -> bytes:
    """The image file of the item that is asked for; raises RefusalError."""
    data = jobs.bodies.read(item.body, item.start, item.size)
    if data is None:
        raise RefusalError("not_found", NO_ITEM)
    return data


ImageSeen = Annotated[bytes, Depends(_image)]


@router.get(
    "/items/{batch}/{number}/image",
    response_class=Response,
    responses={**_COMMON, 200: {"content": {"image/jpeg": {}}, "description": "The page"}},
    name="see_image",
)
def see_image(request: Request, item: ItemSeen, image: ImageSeen) -> Response:
    """The page of an item, grey; X-Original-Size is its own width and height in pixels."""
    limits = request.app.state.settings.image_limits
    jpeg, width, height = page_jpeg(image, limits, field_only=bool(item.options["field_only"]))
    headers = {"X-Original-Size": f"{width}x{height}"}
    return Response(jpeg, media_type="image/jpeg", headers=headers)


@router.get(
    "/items/{batch}/{number}/evidence.svg",
    response_class=Response,
    responses={**_COMMON, 200: {"content": {"image/svg+xml": {}}, "description": "A picture"}},
    name="see_evidence",
)
def see_evidence(request: Request, room: RoomHere, item: ItemSeen, image: ImageSeen) -> Response:
    """What the reading of an item rests on, as a picture that does not say how sure it is."""
    kept = room.desk.evidence(item.batch, item.number)
    if kept is None:
        raise RefusalError("not_found", NO_ITEM)
    evidence = schemas.evidence_of(kept)
    limits = request.app.state.settings.image_limits
    picture = draw_evidence(evidence, image, limits, blind=True)
    return Response(picture.to_svg(), media_type="image/svg+xml")


@router.post(
    "/items/{batch}/{number}/decision",
    responses=_LEASED,
    openapi_extra=described(schemas.Keying),
    name="decide_item",
)
def decide_item(
    request: Request,
    batch: Text,
    number: ItemNumber,
    room: RoomHere,
    member: MemberHere,
    said: Annotated[schemas.Keying, Depends(document(schemas.Keying))],
) -> schemas.Keyed:
    """Say what a leased item is; sent again under the same lease it is answered again."""
    keyed = room.desk.key(
        member,
        batch,
        number,
        said.lease,
        review.Said(said.kind, said.amount_minor, said.currency),
    )
    note(request, Outcome(decision=f"desk:{said.kind}", batch=batch, item=number))
    if keyed.decision is not None:
        metrics.DESK_DECISIONS.labels(keyed.decision.said.kind).inc()
    return schemas.Keyed(keying=keyed.id, decision=decision_of(keyed.decision))


@router.post(
    "/items/{batch}/{number}/skip",
    status_code=204,
    responses=_LEASED,
    openapi_extra=described(schemas.OneLease),
    name="skip_item",
)
def skip_item(
    request: Request,
    batch: Text,
    number: ItemNumber,
    room: RoomHere,
    member: MemberHere,
    said: Annotated[schemas.OneLease, Depends(document(schemas.OneLease))],
) -> Response:
    """Put a leased item behind all others, for the caller."""
    room.desk.skip(member, batch, number, said.lease)
    note(request, Outcome(decision="desk:skip", batch=batch, item=number))
    return Response(status_code=204)


@router.post("/undo", responses=_LEASED, openapi_extra=described(schemas.Undo), name="undo_keying")
def undo_keying(
    request: Request,
    room: RoomHere,
    member: MemberHere,
    said: Annotated[schemas.Undo, Depends(document(schemas.Undo))],
) -> schemas.DeskItem:
    """Take a keying back; its item is leased to the caller again."""
    item = room.desk.undo(member, said.keying)
    note(request, Outcome(decision="desk:undo", batch=item.batch, item=item.number))
    return _item(item)


@router.get("/stats", responses=_COMMON, name="see_figures", dependencies=[Depends(lead_of)])
def see_figures(
    request: Request,
    jobs: Annotated[Jobs, Depends(jobs_of)],
    days: Annotated[int, Query(ge=1, le=366)] = 30,
    source: Annotated[Text | None, Query(max_length=200)] = None,
) -> schemas.DeskFigures:
    """How readings fare: for leading clerks, and keys that are good for everything."""
    found = figures(
        jobs.store,
        days=days,
        source=source,
        model=request.app.state.pool.model_version,
        calibration=_calibration(request.app.state.settings.model_dir),
    )
    return schemas.DeskFigures.model_validate(found)


def decision_of(decision: review.Decision | None) -> schemas.Decision | None:
    """A decision as a document."""
    if decision is None:
        return None
    return schemas.Decision(
        id=decision.id,
        kind=decision.said.kind,
        amount_minor=decision.said.amount_minor,
        currency=decision.said.currency,
        clerks=list(decision.clerks),
        reading_sha256=decision.reading_sha256,
        at=datetime.fromtimestamp(decision.at, UTC),
    )


@lru_cache(maxsize=4)
def _calibration(model: Path) -> Calibration:
    return load_card(model).calibration_of(field_only=False)


def _session(request: Request, room: Room, session: Session) -> schemas.DeskSession:
    settings = request.app.state.settings
    return schemas.DeskSession(
        name=session.member.name,
        lead=session.member.lead,
        csrf=session.csrf,
        queues=_queues(room, session.member),
        undo_seconds=settings.desk_undo_seconds,
        lease_seconds=settings.desk_lease_seconds,
    )


def _queues(room: Room, member: Member) -> list[schemas.DeskQueue]:
    waiting = room.desk.waiting(member)
    return [schemas.DeskQueue(name=name, waiting=count) for name, count in waiting.items()]


def _item(one: review.Leased) -> schemas.DeskItem:
    reading: Mapping[str, Any] = one.reading
    guesses: dict[int, schemas.Guess] = {}
    for other in (reading, *reading["alternatives"]):
        amount = other["amount_minor"]
        if amount is not None and amount > 0:
            guess = schemas.Guess(
                amount_minor=amount, currency=other["currency"], text=other["text"]
            )
            guesses.setdefault(amount, guess)
    return schemas.DeskItem(
        batch=one.batch,
        number=one.number,
        queue=one.queue,
        lease=one.lease,
        until=datetime.fromtimestamp(one.until, UTC),
        reference=reading["reference"],
        locale=one.options["locale"],
        currency=reading["currency"] or one.options["currency"],
        field_only=one.options["field_only"],
        field_box=reading["field_box"],
        guesses=list(guesses.values())[:_GUESSES],
    )
