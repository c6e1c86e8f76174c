"""What surrounds every request: an id, headers, metrics, one line of log, a problem for a bug."""

import logging
import re
import time
import uuid
from collections.abc import Mapping
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import logs, metrics
from service.access.keys import Key
from service.api import problems
from service.errors import without_values

logger = logging.getLogger(__name__)

_REQUEST_ID: Final = b"x-request-id"
# The service answers with data alone: nothing of it is to be run, framed, sniffed or kept.
SECURITY: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_PLAIN: Final = [(name.lower().encode(), value.encode()) for name, value in SECURITY.items()]
_WITH_TLS: Final = [*_PLAIN, (b"strict-transport-security", b"max-age=31536000")]
_ACCEPTABLE_ID: Final = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_CLIENT_GONE: Final = 499


class Observe:
    """ASGI middleware; the request's id is in `request.state.request_id`.

    A caller's own X-Request-ID is kept where it is 1 to 64 letters, digits, dots, dashes or
    underscores. The log line holds the route, never the query: references are the caller's. Of the
    key it holds the name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request; an exception of a bug becomes a problem, and never leaves."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        request_id = _request_id(scope)
        scope.setdefault("state", {})["request_id"] = request_id
        token = logs.request_id.set(request_id)
        secure = _WITH_TLS if scope["scheme"] == "https" else _PLAIN
        status = _CLIENT_GONE

        async def observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = message["headers"]
                given = {name for name, _ in headers}
                message["headers"] = [
                    *headers,
                    (_REQUEST_ID, request_id.encode()),
                    *(header for header in secure if header[0] not in given),
                ]
            await send(message)

        try:
            await self._app(scope, receive, observed)
        except ClientDisconnect:
            logger.debug("request %s: the client left", request_id)
        except Exception as error:  # noqa: BLE001 - the last resort, logged and counted
            logger.error("request %s failed:\n%s", request_id, without_values(error))
            if status == _CLIENT_GONE:
                response = problems.respond(request_id, "internal_error", problems.INTERNAL_DETAIL)
                await response(scope, receive, observed)
        finally:
            _record(scope, status, time.perf_counter() - started, request_id)
            logs.request_id.reset(token)


def _request_id(scope: Scope) -> str:
    given = next((value for name, value in scope["headers"] if name == _REQUEST_ID), b"")
    return given.decode() if _ACCEPTABLE_ID.fullmatch(given) else uuid.uuid4().hex


def _record(scope: Scope, status: int, seconds: float, request_id: str) -> None:
    route = getattr(scope.get("route"), "path", "unmatched")
    method = scope["method"] if scope["method"] in _METHODS else "other"
    metrics.count_request(method, route, status, seconds)
    if not logger.isEnabledFor(logging.INFO):
        return
    state = scope["state"]
    key = state.get("key")
    fields = {
        "method": method,
        "route": route,
        "status": status,
        "ms": round(seconds * 1000, 1),
        "key": key.name if isinstance(key, Key) else None,
        "code": state.get("code"),
    }
    logger.info(
        "%s %s %d %.0f ms %s",
        method,
        route,
        status,
        seconds * 1000,
        request_id,
        extra={name: value for name, value in fields.items() if value is not None},
    )
