"""Runs the reader beside the event loop: a few threads, a bounded line before them."""

import asyncio
import logging
import math
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import cv2
import numpy as np

from service import metrics
from service.errors import OverloadError, without_values
from service.options import Reader, ReadingOptions, read_cheque
from service.pipeline.grammar import CURRENCIES
from service.pipeline.reader import Reading

logger = logging.getLogger(__name__)

_COURTESY_SECONDS = 1.0


class ReaderPool:
    """A reader shared by `readers` threads, for at most `max_in_flight` requests at a time.

    All methods belong to one event loop. What waits does so in the loop, not in the executor, so
    that a request that is given up leaves the line at once with its image.
    """

    def __init__(self, reader: Reader, *, readers: int, max_in_flight: int) -> None:
        # Threads go to cheques; within one cheque more of them would only get in each other's way.
        cv2.setNumThreads(1)
        self._reader = reader
        self._readers = readers
        self._max_in_flight = max_in_flight
        self._in_flight = 0
        self._seconds = 0.2
        self._free = asyncio.Semaphore(readers)
        self._executor = ThreadPoolExecutor(readers, thread_name_prefix="reader")
        self.ready = False

    @property
    def model_version(self) -> str:
        """Name and version of the model that reads."""
        return self._reader.model_version

    @contextmanager
    def admitted(self) -> Iterator[None]:
        """Hold one of the places in flight, from before the body is received to the answer.

        Raises OverloadError at once where none is left.
        """
        if self._in_flight >= self._max_in_flight:
            wait = math.ceil(self._in_flight * self._seconds / self._readers)
            raise OverloadError("all readers are busy, and so is the line before them", wait)
        self._in_flight += 1
        metrics.IN_FLIGHT.set(self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            metrics.IN_FLIGHT.set(self._in_flight)

    async def read(self, data: bytes, options: ReadingOptions) -> Reading:
        """Read a cheque on the next free thread; raises InputError. Cancelling leaves the line."""
        await self._free.acquire()
        loop = asyncio.get_running_loop()

        def free(_: Future[Reading]) -> None:
            # A thread can't be stopped: its place is free when it is, not when nobody waits.
            loop.call_soon_threadsafe(self._free.release)

        future = self._executor.submit(self._read, data, options)
        future.add_done_callback(free)
        return await asyncio.wrap_future(future)

    def _read(self, data: bytes, options: ReadingOptions) -> Reading:
        started = time.perf_counter()
        with metrics.READING.track_inprogress():
            reading = read_cheque(self._reader, data, options)
        self._seconds += 0.1 * (time.perf_counter() - started - self._seconds)
        return reading

    def let_through(self) -> None:
        """Wait, on a batch's thread, while single readings want every reader; not for long.

        A caller waits for a single reading, nobody for one item of a batch; but a batch goes on
        however many callers there are.
        """
        deadline = time.monotonic() + _COURTESY_SECONDS
        while self._in_flight >= self._readers and time.monotonic() < deadline:
            time.sleep(_COURTESY_SECONDS / 20)

    async def warm(self) -> None:
        """Read a drawn cheque in every currency, so that no caller pays for what is made once.

        The pool is ready afterwards, unless the reader failed, which is logged.
        """
        try:
            for currency in (None, *CURRENCIES):
                await self.read(_drawn_cheque(), ReadingOptions(currency=currency))
        except Exception as error:  # noqa: BLE001 - whatever it is, the service stays unready
            logger.critical("the model does not read:\n%s", without_values(error))
            return
        self.ready = True
        metrics.MODEL.info({"version": self.model_version})
        metrics.READY.set(1)
        logger.info("ready, model %s", self.model_version)

    async def close(self) -> None:
        """Let the reads that run finish; no others start."""
        self.ready = False
        metrics.READY.set(0)
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)


def _drawn_cheque() -> bytes:
    page = np.full((400, 900), 255, np.uint8)
    cv2.putText(page, "$ 1,234.56", (640, 150), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 2)
    _, png = cv2.imencode(".png", page)
    return png.tobytes()
