"""Runs an application on uvicorn, with bounds on what a slow or hostile client can hold."""

import asyncio
import gc
import json
import re
import socket
import ssl
from collections.abc import Callable
from typing import Final, Literal

import uvicorn
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from service import metrics
from service.api import problems
from service.api.door import Door
from service.api.observe import SECURITY
from service.occupancy import Slot
from service.settings import Settings
from service.sockets import tls_context

HEAD_SECONDS: Final = 10.0
HEAD_BYTES: Final = 64 * 1024
UNREAD_BYTES: Final = 32 * 1024 * 1024
UNWRITTEN_SECONDS: Final = 30.0
MAX_CONNECTIONS: Final = 512
_KEEP_ALIVE_SECONDS: Final = 15
_CLOSING_SECONDS: Final = 5
_TICK_SECONDS: Final = 0.05
_OPERATIONS: Final = frozenset({"/livez", "/readyz", "/metrics"})
_KNOWN_METHODS: Final = (
    b"POST ", b"GET ", b"DELETE ", b"HEAD ", b"PUT ", b"PATCH ", b"OPTIONS ", b"TRACE ",
)  # fmt: skip
_METHOD: Final = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) [^ ]+ HTTP/1\.[01]\r\n")
_OFFER: Final = re.compile(rb"\n(upgrade):", re.IGNORECASE)


class BoundedProtocol(HttpToolsProtocol):
    """One HTTP/1.1 connection that can't be held open, or fed, without end.

    The head of a request has HEAD_SECONDS to arrive, and HEAD_BYTES, as has what surrounds the
    chunks of a body. Of a body that was answered without being read, UNREAD_BYTES are discarded
    within the same time, so that the client gets to see the answer, and no more. An answer that the
    client does not take for UNWRITTEN_SECONDS is given up. Connections above MAX_CONNECTIONS are
    closed as they come. What isn't HTTP gets a problem.
    """

    changed: Callable[[], None] | None = None
    """Called where the connection has come or gone."""

    _timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _unread = 0
    _between = 0  # bytes since the head, or a piece of the body, was whole
    _in_head = True
    _in_body = False
    _method: str | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or close it where there are too many."""
        super().connection_made(transport)
        self.access_log = False  # uvicorn's lines would hold queries, and so references
        if len(self.connections) > MAX_CONNECTIONS:
            transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Parse bytes as they come."""
        if self._discards():
            self._unread += len(data)
            if self._unread > UNREAD_BYTES:
                self.transport.abort()
                return
        else:
            self._unread = 0
        self._between += len(data)
        super().data_received(self._plain(data))
        if self._between > HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response("The head of the request is too large.")
        self._watch()

    def on_message_begin(self) -> None:
        """Begin with a request."""
        super().on_message_begin()
        self._in_head = True

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header; what follows a body says nothing."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Begin to answer; raises ValueError where the request names no host, or several."""
        hosts = [name for name, _ in self.headers].count(b"host")
        if hosts > 1 or (hosts == 0 and self.parser.get_http_version() == "1.1"):
            raise ValueError("a request names one host")
        self._between = 0
        self._in_head, self._in_body = False, True
        super().on_headers_complete()
        if self._method is not None:
            self.scope["method"], self._method = self._method, None

    def on_body(self, body: bytes) -> None:
        """Take a piece of the body."""
        self._between = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End with a request."""
        self._between = 0
        self._in_body = False
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timing()
        self._stop_timing_writes()
        super().connection_lost(exc)
        if self.changed is not None:
            self.changed()

    def pause_writing(self) -> None:
        """Wait for the client to take what it asked for, but not for ever."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(UNWRITTEN_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on writing."""
        self._stop_timing_writes()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Answer what isn't HTTP with a problem, where nothing has been answered yet."""
        if self.cycle is None or not self.cycle.response_started or self._is_idle():
            body = json.dumps(problems.document("malformed_request", msg)).encode()
            headers = {
                "content-type": problems.MEDIA_TYPE,
                "content-length": len(body),
                "connection": "close",
                **SECURITY,
            }
            head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            self.transport.write(f"HTTP/1.1 400 Bad Request\r\n{head}\r\n".encode() + body)
        self.transport.close()

    def _unsupported_upgrade_warning(self) -> None:
        """Go no further: what follows would be taken for another request."""
        self.send_400_response("No other protocol is spoken.")

    def _plain(self, data: bytes) -> bytes:
        """The bytes without what the parser fails at, where they are of the head of a request.

        A method that it does not know is no bad request, but one that the address does not take;
        and who offers another protocol, as clients of HTTP/2 do, is answered in this one.
        """
        if self._in_body:
            return data
        begins = not self._in_head or self._between == len(data)
        if begins and not data.startswith(_KNOWN_METHODS) and (unknown := _METHOD.match(data)):
            self._method = unknown[1].decode()
            data = b"TRACE" + data[unknown.end(1) :]
        end = data.find(b"\r\n\r\n")
        if offer := _OFFER.search(data, 0, len(data) if end < 0 else end):
            data = data[: offer.start(1)] + b"X-Offer" + data[offer.end(1) :]
        return data

    def _is_idle(self) -> bool:
        """Whether the last request was answered, and all of it was received."""
        return self.cycle.response_complete and not self._in_body

    def _discards(self) -> bool:
        return self._in_body and self.cycle.response_complete

    def _watch(self) -> None:
        head_is_due = self._in_head and (self.cycle is None or self.cycle.response_complete)
        if not head_is_due and not self._discards():
            self._stop_timing()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_timing_writes(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _stop_timing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


class OperationsOnly:
    """ASGI: the application's health and metrics and nothing else, for a port of their own."""

    def __init__(self, app: FastAPI) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run one request; any other address holds nothing."""
        if scope["path"] not in _OPERATIONS:
            scope = {**scope, "path": "/", "raw_path": b"/"}
        state = {**scope.get("state", {}), "own_port": True}
        await self._app({**scope, "state": state}, receive, send)


class Server(uvicorn.Server):
    """A server that drains: told to stop, it first finishes what is in flight.

    Until then it goes on listening, so that probes see that it is not ready, and refuses what is
    asked under /v1; afterwards it closes. SIGINT after that ends it at once.
    """

    def __init__(
        self,
        app: FastAPI,
        settings: Settings,
        operations: socket.socket | None = None,
        slot: Slot | None = None,
    ) -> None:
        """operations: a socket for health and metrics alone. slot: where others serve as well."""
        super().__init__(_configure(app, settings, "on"))
        self._slot = slot
        self._doors: list[Door] = []
        self._app = app
        self._settings = settings
        self._tls = tls_context(settings)
        self._operations = operations
        self._operations_state = ServerState()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, then listen; a TLS handshake has HEAD_SECONDS."""
        await super().startup(sockets=[])
        for sock in sockets or []:
            await self._listen(sock, self.config, self.server_state, self._tls, self._slot)
        if self._operations is not None:
            config = _configure(OperationsOnly(self._app), self._settings, "off")
            config.load()
            await self._listen(self._operations, config, self._operations_state, None, None)

    async def main_loop(self) -> None:
        """Serve until a signal, then drain."""
        await super().main_loop()
        self._app.state.draining = True
        metrics.READY.set(0)
        deadline = self._loop.time() + self._settings.shutdown_seconds
        while self.server_state.tasks and not self.force_exit and self._loop.time() < deadline:
            await asyncio.sleep(_TICK_SECONDS)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Close what is left."""
        for door in self._doors:
            door.close()
        for connection in list(self._operations_state.connections):
            connection.shutdown()
        own = [self._operations] if self._operations is not None else []
        await super().shutdown([*(sockets or []), *own])
        for door in self._doors:
            await door.wait_closed()

    async def _listen(
        self,
        sock: socket.socket,
        config: uvicorn.Config,
        state: ServerState,
        tls: ssl.SSLContext | None,
        slot: Slot | None,
    ) -> None:
        self._loop = asyncio.get_running_loop()

        def protocol() -> BoundedProtocol:
            made = BoundedProtocol(config, state, self.lifespan.state, self._loop)
            made.changed = changed
            return made

        changed: Callable[[], None] | None = None
        sock.listen(config.backlog)
        if slot is not None:
            door = Door(
                sock, protocol, state.connections, slot, tls=tls, handshake_seconds=HEAD_SECONDS
            )
            changed = door.count
            self._doors.append(door)
            return
        self.servers.append(
            await self._loop.create_server(
                protocol,
                sock=sock,
                backlog=config.backlog,
                ssl=tls,
                ssl_handshake_timeout=HEAD_SECONDS if tls else None,
            )
        )


def _configure(
    app: FastAPI | OperationsOnly, settings: Settings, lifespan: Literal["on", "off"]
) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedProtocol,
        ws="none",
        lifespan=lifespan,
        access_log=False,
        log_config=None,
        log_level=settings.log_level,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=_CLOSING_SECONDS,
    )


def make_server(
    app: FastAPI,
    settings: Settings,
    operations: socket.socket | None = None,
    slot: Slot | None = None,
) -> Server:
    """A server for the app, to be run on sockets of the caller's; raises ConfigurationError."""
    return Server(app, settings, operations, slot)


def serve(
    app: FastAPI,
    settings: Settings,
    sock: socket.socket,
    operations: socket.socket | None = None,
    slot: Slot | None = None,
) -> None:
    """Serve the app on a listening socket until SIGINT or SIGTERM; requests in flight finish.

    operations: a socket for health and metrics alone. slot: of this process, where others listen
    on the same socket. Raises ConfigurationError where TLS can't be had as it is set.
    """
    # What is loaded by now stays: the collector need not go over it again and again.
    gc.collect()
    gc.freeze()
    gc.enable()
    make_server(app, settings, operations, slot).run(sockets=[sock])
