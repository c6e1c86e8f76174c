"""Runs an application on uvicorn, with bounds on what a slow or hostile client can hold."""

import asyncio
import json
import socket
from typing import Final

import h11
import uvicorn
from fastapi import FastAPI
from uvicorn.protocols.http.h11_impl import H11Protocol

from service.api import problems
from service.errors import ConfigurationError
from service.settings import Settings

HEAD_SECONDS: Final = 10.0
UNREAD_BYTES: Final = 32 * 1024 * 1024
MAX_CONNECTIONS: Final = 512
_KEEP_ALIVE_SECONDS: Final = 15
_SHUTDOWN_SECONDS: Final = 20


class BoundedProtocol(H11Protocol):
    """One HTTP/1.1 connection that can't be held open, or fed, without end.

    The head of a request has HEAD_SECONDS to arrive. Of a body that was answered without being
    read, UNREAD_BYTES are discarded within the same time, so that the client gets to see the
    answer, and no more. Connections above MAX_CONNECTIONS are closed as they come. What isn't HTTP
    gets a problem.
    """

    _timer: asyncio.TimerHandle | None = None
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Take a connection, or close it where there are too many."""
        super().connection_made(transport)
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
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timing()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer what isn't HTTP with a problem, where nothing has been answered yet."""
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = json.dumps(problems.document("malformed_request", msg)).encode()
            headers = [
                (b"content-type", problems.MEDIA_TYPE.encode()),
                (b"content-length", str(len(body)).encode()),
                (b"connection", b"close"),
            ]
            for event in (
                h11.Response(status_code=400, headers=headers, reason=b"Bad Request"),
                h11.Data(data=body),
                h11.EndOfMessage(),
            ):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _discards(self) -> bool:
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def _watch(self) -> None:
        if self.conn.their_state is not h11.IDLE and not self._discards():
            self._stop_timing()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.abort)

    def _stop_timing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on host and port; raises ConfigurationError where it can't."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        reason = error.strerror or "unknown address"
        raise ConfigurationError(f"can't listen on {host}:{port}: {reason}") from None


def make_server(app: FastAPI, settings: Settings) -> uvicorn.Server:
    """A server for the app, to be run on sockets of the caller's."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            http=BoundedProtocol,
            ws="none",
            lifespan="on",
            access_log=False,
            log_config=None,
            log_level=settings.log_level,
            proxy_headers=False,
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE_SECONDS,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
    )


def serve(app: FastAPI, settings: Settings, sock: socket.socket) -> None:
    """Serve the app on a listening socket until SIGINT or SIGTERM; requests in flight finish."""
    make_server(app, settings).run(sockets=[sock])
