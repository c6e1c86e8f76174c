"""Runs the reader beside the event loop: a few threads, a bounded line before them."""

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from typing import Final

import cv2
import numpy as np

from service import metrics, tracing
from service.errors import OverloadError, without_values
from service.options import Reader, ReadingOptions, read_cheque
from service.pipeline.grammar import CURRENCIES
from service.pipeline.reader import Reading

logger = logging.getLogger(__name__)

BUSY: Final = "all readers are busy, and so is the line before them"
_COURTESY_SECONDS = 1.0


class ReaderPool:
    """A reader shared by `readers` threads, for at most `max_in_flight` requests at a time.

    Of those at most `max_of_one` are one caller's: bodies that come slowly take no reader, but
    they do take places, and nobody shall have all of them.

    Of those at most `max_waiting` wait for a thread with their image; the others are received, or
    read. So the line stays short however many callers there are: who finds it full is refused at
    once, and who is let in waits for about `max_waiting / readers` readings.

    All methods belong to one event loop. What waits does so in the loop, not in the executor, so
    that a request that is given up leaves the line at once with its image.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        readers: int,
        max_in_flight: int,
        max_of_one: int,
        max_waiting: int,
    ) -> None:
        # Threads go to cheques; within one cheque more of them would only get in each other's way.
        cv2.setNumThreads(1)
        self._reader = reader
        self._readers = readers
        self._max_in_flight = max_in_flight
        self._max_of_one = max_of_one
        self._in_flight = 0
        self._of: Counter[str] = Counter()
        self._max_line = readers + max_waiting
        self._line = 0  # waiting or being read
        self._waiting = 0
        self._seconds = 0.2
        self._free = asyncio.Semaphore(readers)
        self._executor = ThreadPoolExecutor(readers, thread_name_prefix="reader")
        self.ready = False
        metrics.READERS.set(readers)
        metrics.IN_FLIGHT_LIMIT.set(max_in_flight)

    @property
    def model_version(self) -> str:
        """Name and version of the model that reads."""
        return self._reader.model_version

    @contextmanager
    def admitted(self, caller: str) -> Iterator[None]:
        """Hold one of the places in flight, from before the body is received to the answer.

        Raises OverloadError at once where none is left, for this caller, or the line is full.
        """
        if self._in_flight >= self._max_in_flight or self._of[caller] >= self._max_of_one:
            raise self._overload()
        self._refuse_full_line()
        self._in_flight += 1
        self._of[caller] += 1
        metrics.IN_FLIGHT.set(self._in_flight)
        try:
            yield
        finally:
            self._in_flight -= 1
            self._of[caller] -= 1
            metrics.IN_FLIGHT.set(self._in_flight)

    async def read(self, data: bytes, options: ReadingOptions) -> Reading:
        """Read a cheque on the next free thread. Cancelling leaves the line.

        Raises InputError, and OverloadError where the line has filled since the request came.
        """
        self._refuse_full_line()
        self._count_line(1)
        try:
            with tracing.span("wait"):
                await self._free.acquire()
        except asyncio.CancelledError:
            self._count_line(-1)
            raise
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Reading] = loop.create_future()

        def work() -> None:
            try:
                reading = self._read(data, options)
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                loop.call_soon_threadsafe(self._settle, done, None, error)
            else:
                loop.call_soon_threadsafe(self._settle, done, reading, None)

        self._executor.submit(copy_context().run, work)
        return await done

    def _refuse_full_line(self) -> None:
        if self._line >= self._max_line:
            raise self._overload()

    def _overload(self) -> OverloadError:
        return OverloadError(BUSY, math.ceil(self._line * self._seconds / self._readers) or 1)

    def _settle(
        self, done: asyncio.Future[Reading], reading: Reading | None, error: BaseException | None
    ) -> None:
        # A thread can't be stopped: its place is free when it is, not when nobody waits.
        self._count_line(-1)
        self._free.release()
        if done.cancelled():
            return
        if reading is not None:
            done.set_result(reading)
        else:
            assert error is not None
            done.set_exception(error)

    def _count_line(self, more: int) -> None:
        self._line += more
        waiting = max(0, self._line - self._readers)
        if waiting != self._waiting:
            self._waiting = waiting
            metrics.WAITING.set(waiting)

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
                reading = await self.read(_drawn_cheque(), ReadingOptions(currency=currency))
                metrics.GRAMMAR.labels(currency or "any", reading.grammar_version).set(1)
        except Exception as error:  # noqa: BLE001 - whatever it is, the service stays unready
            logger.critical("the model does not read:\n%s", without_values(error))
            return
        self.ready = True
        metrics.MODEL.labels(self.model_version).set(1)
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
