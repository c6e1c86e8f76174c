"""Takes connections from a socket that several processes listen on, so that each gets its share.

The kernel gives a connection to whichever process asks for it first. Clients keep theirs, so that
one process may have all of them while another idles.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sized
from typing import Final

from service.occupancy import Slot

logger = logging.getLogger(__name__)

# How long a connection is left to the processes that hold fewer, and how long none is taken where
# the system has no more.
_COURTESY_SECONDS: Final = 0.01
_EXHAUSTED_SECONDS: Final = 1.0


class Door:
    """Takes what comes unless another process holds fewer connections, and then a little later."""

    def __init__(
        self,
        sock: socket.socket,
        protocol: Callable[[], asyncio.Protocol],
        held: Sized,
        slot: Slot,
        *,
        tls: ssl.SSLContext | None,
        handshake_seconds: float,
    ) -> None:
        """sock: listens, and is closed by the caller; held: the connections of this process."""
        self._loop = asyncio.get_running_loop()
        self._sock = sock
        self._protocol = protocol
        self._held = held
        self._slot = slot
        self._tls = tls
        self._handshake_seconds = handshake_seconds if tls else None
        self._arriving: set[asyncio.Task[None]] = set()
        self._pause: asyncio.TimerHandle | None = None
        self._closed = False
        sock.setblocking(False)
        self._open()

    def count(self) -> None:
        """Tell the others how many connections there are; called where one has come or gone."""
        if not self._closed:
            self._slot.hold(len(self._held) + len(self._arriving))

    def close(self) -> None:
        """Take no more."""
        if self._closed:
            return
        self._closed = True
        self._slot.leave()
        self._loop.remove_reader(self._sock)
        if self._pause is not None:
            self._pause.cancel()

    async def wait_closed(self) -> None:
        """Wait for those that were arriving."""
        if self._arriving:
            await asyncio.wait(self._arriving)

    def _open(self) -> None:
        self._pause = None
        self.count()
        self._loop.add_reader(self._sock, self._knocked)

    def _rest(self, seconds: float, then: Callable[[], None]) -> None:
        self._loop.remove_reader(self._sock)
        self._pause = self._loop.call_later(seconds, then)

    def _knocked(self) -> None:
        if self._slot.is_fullest():
            self._rest(_COURTESY_SECONDS, self._take_what_waits)
        else:
            self._take()

    def _take_what_waits(self) -> None:
        self._open()
        self._take()

    def _take(self) -> None:
        try:
            arrived, _ = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return  # another process took it, or its client left
        except OSError as error:
            logger.error("no connection can be taken: %s", error.strerror)
            self._rest(_EXHAUSTED_SECONDS, self._open)
            return
        arrived.setblocking(False)
        task = self._loop.create_task(self._welcome(arrived))
        self._arriving.add(task)
        task.add_done_callback(self._arriving.discard)
        self.count()

    async def _welcome(self, arrived: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                self._protocol, arrived, ssl=self._tls,
                ssl_handshake_timeout=self._handshake_seconds,
            )  # fmt: skip
        except OSError:  # a handshake that failed, or took too long
            arrived.close()
