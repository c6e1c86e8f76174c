"""Writes what is asked under /v1 into the audit log, before it is answered."""

import asyncio
import logging
from dataclasses import replace
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.keys import Key
from service.api import problems
from service.audit import AuditLog, Entry, Outcome
from service.errors import AuditError

logger = logging.getLogger(__name__)

_CLIENT_GONE: Final = 499
_BAD: Final = 400
_FAILED: Final = 500
_TOO_MANY: Final = 429
_PATH: Final = "/v1/"
UNWRITTEN: Final = "The audit log can't be written, and nothing is answered without it."


def note(request: Request, outcome: Outcome) -> None:
    """Have an outcome written with the request that it came of."""
    request.state.outcome = outcome


def mark_chore(request: Request) -> None:
    """Leave a request out of the log where it succeeds: a page repeats it every few seconds."""
    request.state.chore = True


class Audited:
    """ASGI middleware: no answer leaves before its entry is on the disk, or 507 goes out instead.

    Entries are of callers whose key is known. Who has none (401), and what is turned away for its
    number (429), is in the log and the metrics alone: else anybody could fill the disk.
    """

    def __init__(self, app: ASGIApp, log: AuditLog) -> None:
        self._app = app
        self._scribe = _Scribe(log)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_PATH):
            await self._app(scope, receive, send)
            return
        answered = failed = False

        async def audited(message: Message) -> None:
            nonlocal answered, failed
            if message["type"] == "http.response.start":
                answered = True
                failed = not await self._append(scope, message["status"])
            if not failed:
                await send(message)

        error: BaseException | None = None
        try:
            await self._app(scope, receive, audited)
        except BaseException as caught:
            error = caught
            raise
        finally:
            if not answered:
                bug = isinstance(error, Exception) and not isinstance(error, ClientDisconnect)
                await self._append(scope, _FAILED if bug else _CLIENT_GONE)
        if failed:
            state = scope["state"]
            state["code"] = AuditError.code
            response = problems.respond(state["request_id"], AuditError.code, UNWRITTEN)
            await response(scope, receive, send)

    async def _append(self, scope: Scope, status: int) -> bool:
        """Whether all is written that must be."""
        key = scope["state"].get("key")
        chore = scope["state"].get("chore", False)
        if not isinstance(key, Key) or status == _TOO_MANY or (chore and status < _BAD):
            return True
        try:
            await self._scribe.write(_entry(scope, key, status))
        except AuditError as error:
            logger.error("%s", error.message)
            return False
        return True


class _Scribe:
    """Writes entries on a thread; those that come meanwhile are brought to the disk together.

    A disk takes milliseconds however little it is given, and the log is one for all processes.
    """

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._writing = False

    async def write(self, entry: Entry) -> None:
        """Wait until an entry is written, which it is even where nobody waits any more.

        Raises AuditError.
        """
        loop = asyncio.get_running_loop()
        written: asyncio.Future[None] = loop.create_future()
        self._waiting.append((entry, written))
        if not self._writing:
            self._begin(loop)
        await written

    def _begin(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        self._writing = bool(waiting)
        if waiting:
            loop.run_in_executor(None, self._append, loop, waiting)

    def _append(
        self,
        loop: asyncio.AbstractEventLoop,
        waiting: list[tuple[Entry, asyncio.Future[None]]],
    ) -> None:
        error: Exception | None = None
        try:
            self._log.append(*(entry for entry, _ in waiting))
        except Exception as caught:  # noqa: BLE001 - raised where it is waited for
            error = caught
        loop.call_soon_threadsafe(self._end, loop, waiting, error)

    def _end(
        self,
        loop: asyncio.AbstractEventLoop,
        waiting: list[tuple[Entry, asyncio.Future[None]]],
        error: Exception | None,
    ) -> None:
        self._begin(loop)
        for _, written in waiting:
            if written.cancelled():
                continue
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(error)


def _entry(scope: Scope, key: Key, status: int) -> Entry:
    client = scope.get("client")
    state = scope["state"]
    return Entry(
        event="request",
        key_id=key.id,
        key=key.name,
        client=client[0] if client else None,
        request_id=state["request_id"],
        method=scope["method"],
        route=getattr(scope.get("route"), "path", "unmatched"),
        status=status,
        code=state.get("code"),
        outcome=_outcome(scope, status),
    )


def _outcome(scope: Scope, status: int) -> Outcome:
    outcome = scope["state"].get("outcome", Outcome())
    assert isinstance(outcome, Outcome)
    # An id that was answered for is the service's own; any other is the caller's text.
    batch = scope.get("path_params", {}).get("id")
    if batch is not None and status < _BAD and outcome.batch is None:
        return replace(outcome, batch=str(batch))
    return outcome
