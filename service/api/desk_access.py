"""Lets members into the desk: clerks with a session of the page, callers with a key."""

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import Depends, Request, Response
from fastapi.security import HTTPAuthorizationCredentials

from service.access.keys import Key
from service.api.auth import BEARER, HEADER, caller, stopping
from service.api.idempotency import jobs_of
from service.api.problems import RefusalError
from service.desk.members import Member, Session
from service.desk.room import Room
from service.errors import OverloadError
from service.settings import is_loopback

COOKIE: Final = "cheque-desk"
CSRF: Final = "X-CSRF-Token"
NO_DESK: Final = "This service has no review desk."
SIGN_IN: Final = "Sign in again."
WRONG: Final = "Name or password is wrong, or there were too many wrong ones just now."
FORGED: Final = f"{CSRF} is missing or wrong."
NOT_LEAD: Final = "This is for leading clerks."
_WAITING: Final = 8
_WORK: Final = ("/decision", "/skip", "/undo")
_SAFE: Final = frozenset({"GET", "HEAD"})
_LONG_AGO: Final = datetime.fromtimestamp(0, UTC)
_BY_KEY: Final = caller("desk")


class Doorman:
    """Checks few passwords at the same time, for that takes memory; belongs to one event loop."""

    def __init__(self) -> None:
        self._one = asyncio.Semaphore(1)
        self._now = 0

    @asynccontextmanager
    async def checking(self) -> AsyncIterator[None]:
        """Hold the place of one check; raises OverloadError where too many wait."""
        if self._now >= _WAITING:
            raise OverloadError("too many sign in at the same time", 2)
        self._now += 1
        try:
            async with self._one:
                yield
        finally:
            self._now -= 1


def room_of(request: Request) -> Room:
    """The desk of this process; raises RefusalError (not_found) where there is none."""
    room = jobs_of(request).room
    if not room.on:
        raise RefusalError("not_found", NO_DESK)
    if request.app.state.draining:
        raise stopping()
    return room


RoomHere = Annotated[Room, Depends(room_of)]


async def session_of(request: Request, room: RoomHere) -> Session:
    """The session of a clerk's page; raises RefusalError (unauthorized, forbidden)."""
    token = request.cookies.get(COOKIE, "")
    # A page asks for items and renews leases by itself; a clerk who is there keys.
    working = request.url.path.endswith(_WORK)
    session = await asyncio.to_thread(room.members.session, token, working=working)
    if session is None:
        raise RefusalError("unauthorized", SIGN_IN)
    member = session.member
    request.state.key = Key(member.id, member.name, frozenset({"desk"}), _LONG_AGO)
    given = request.headers.get(CSRF, "")
    if request.method not in _SAFE and not hmac.compare_digest(
        given.encode(), session.csrf.encode()
    ):
        raise RefusalError("forbidden", FORGED)
    return session


async def member_of(
    request: Request,
    room: RoomHere,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    header: Annotated[str | None, Depends(HEADER)],
) -> Member:
    """Who asks: a clerk by the session, or a key with the scope desk; raises RefusalError."""
    if bearer is None and header is None and COOKIE in request.cookies:
        return (await session_of(request, room)).member
    key = await _BY_KEY(request, bearer, header)
    return await asyncio.to_thread(room.members.of_key, key)


MemberHere = Annotated[Member, Depends(member_of)]


async def lead_of(member: MemberHere) -> Member:
    """A member who may see the dashboard; raises RefusalError (forbidden)."""
    if not member.lead:
        raise RefusalError("forbidden", NOT_LEAD)
    return member


def set_cookie(request: Request, response: Response, token: str) -> None:
    """Hand a session to the browser; over plain HTTP to this machine alone."""
    secure = request.url.scheme == "https" or not is_loopback(request.url.hostname or "")
    response.set_cookie(COOKIE, token, path="/", secure=secure, httponly=True, samesite="strict")


def drop_cookie(response: Response) -> None:
    """Take the session back."""
    response.delete_cookie(COOKIE, path="/", httponly=True, samesite="strict")
