"""A span around every request, part of the trace that its caller named in `traceparent`."""

from typing import Final

from opentelemetry import context
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import tracing

_QUIET: Final = frozenset({"/livez", "/readyz", "/metrics"})
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "DELETE", "OPTIONS"})
_FAILED: Final = 500
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class Traced:
    """ASGI middleware; the span holds method, route, status, the request's id and the key's."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request; what probes and Prometheus ask is no trace worth keeping."""
        if scope["type"] != "http" or scope["path"] in _QUIET:
            await self._app(scope, receive, send)
            return
        parent = Headers(scope=scope).get("traceparent", "")
        if not (parent or tracing.are_on()):
            await self._app(scope, receive, send)
            return
        token = context.attach(_PROPAGATOR.extract({"traceparent": parent}))
        method = scope["method"] if scope["method"] in _METHODS else "_OTHER"
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            with tracing.span(method, {"http.request.method": method}, SpanKind.SERVER) as made:
                try:
                    await self._app(scope, receive, watched)
                finally:
                    route = getattr(scope.get("route"), "path", "unmatched")
                    state = scope.get("state", {})
                    made.update_name(f"{method} {route}")
                    made.set_attribute("http.route", route)
                    made.set_attribute("http.response.status_code", status)
                    made.set_attribute("cheque.request_id", state.get("request_id", ""))
                    if key := state.get("key"):
                        made.set_attribute("cheque.key", key.id)
                    if code := state.get("code"):
                        made.set_attribute("error.type", code)
                    if status >= _FAILED:
                        made.set_status(Status(StatusCode.ERROR))
        finally:
            context.detach(token)
