"""A reader in processes of its own, for images that may end the process that reads them.

What decodes an image is C and C++ that has met every image but the next one. One that crashes it,
hangs it or makes it take too much memory ends a process that holds nothing else: the reader gets
another one, and whoever asked learns what became of the first. Each process reads one image at a
time, so that they share no interpreter either.
"""

import gc
import logging
import multiprocessing
import queue
import resource
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import TracebackType
from typing import Any, Final, Self

import cv2

from service.errors import (
    InputError,
    ModelError,
    ReaderEndedError,
    ReaderFailedError,
    origin,
    without_values,
)
from service.options import Reader
from service.pipeline.reader import Reading

logger = logging.getLogger(__name__)

# The processes come from one that has imported everything and has no threads of its own: neither
# locks of this process nor a second for each start.
_processes = multiprocessing.get_context("forkserver")
_PRELOAD: Final = ["__main__", "service.jobs.isolated", "service.pipeline.reader"]
_START_SECONDS: Final = 120.0
_STOP_SECONDS: Final = 5.0
_GRACE_SECONDS: Final = 5.0
# Ended by somebody, not by the image: a service manager signals all processes at once.
_FROM_OUTSIDE: Final = (-signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP)
_NO_MEMORY: Final = 70
_NO_MEMORY_IN_OPENCV: Final = -4


class IsolatedReader:
    """A reader whose images are read in other processes; safe to share between threads.

    They are started when they are first needed, one for each image that is read at the same time.
    """

    def __init__(
        self,
        load: Callable[[], Reader],
        *,
        model_version: str,
        processes: int,
        seconds: float,
        memory: int,
    ) -> None:
        """load: makes the reader, in a process of its own, which needs it to be picklable.

        seconds, memory: time and bytes that one reading may take.
        """
        self._load = load
        self._seconds = seconds
        self._memory = memory
        self._model_version = model_version
        # The last one used comes first, so that no more are started than are needed.
        self._idle: queue.LifoQueue[_Process | None] = queue.LifoQueue()
        self._processes = processes
        _processes.set_forkserver_preload(_PRELOAD)
        for _ in range(processes):
            self._idle.put(None)

    @property
    def model_version(self) -> str:
        """Name and version of the model that reads."""
        return self._model_version

    def read(self, data: bytes, **options: Any) -> Reading:
        """Read an image in another process.

        Raises InputError as the reader does, ReaderEndedError where the process ended or had to be
        ended, ReaderFailedError where the reader failed.
        """
        process = self._idle.get()
        try:
            while True:
                if process is None:
                    process = _Process(self._load, self._seconds, self._memory)
                answer = process.read(data, options)
                if answer is not None:
                    break
                process = None  # ended from outside, which is nothing against the image
        except ReaderEndedError:
            process = None
            raise
        except BaseException:
            if process is not None:
                process.end()
                process = None
            raise
        finally:
            self._idle.put(process)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        """End the processes; nothing is being read any more."""
        for _ in range(self._processes):
            process = self._idle.get()
            if process is not None:
                process.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()


class _Process:
    """One process that reads, seen from the one that asks."""

    def __init__(self, load: Callable[[], Reader], seconds: float, memory: int) -> None:
        """Raises ModelError where it does not come up."""
        self._seconds = seconds
        self._memory = memory
        self._pipe, other = _processes.Pipe()
        self._process = _processes.Process(
            target=_serve, args=(other, load, seconds, memory), name="reader", daemon=True
        )
        self._process.start()
        other.close()
        try:
            ready = self._pipe.poll(_START_SECONDS) and self._pipe.recv()
        except (EOFError, OSError):
            ready = False
        if ready is not True:
            self.end()
            raise ModelError("a process that reads did not come up")

    def read(self, data: bytes, options: dict[str, Any]) -> Reading | Exception | None:
        """The reading or what the reader raised; None where the process was ended from outside.

        Raises ReaderEndedError.
        """
        try:
            self._pipe.send((data, options))
            if not self._pipe.poll(self._seconds + _GRACE_SECONDS):
                self.end()
                raise self._too_long()
            answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(_STOP_SECONDS)
            code = self._process.exitcode
            self.end()
            if code in _FROM_OUTSIDE:
                return None
            raise self._ended(code) from None
        if isinstance(answer, tuple):
            where, trace = answer
            logger.error("the reader failed on an image:\n%s", trace)
            return ReaderFailedError(f"the reader failed with {where}")
        assert isinstance(answer, Reading | InputError)
        return answer

    def end(self) -> None:
        """End the process, at once where it does not end by itself."""
        self._pipe.close()
        self._process.join(0.2 if self._process.is_alive() else None)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(_STOP_SECONDS)
        if not self._process.is_alive():
            self._process.close()

    def _too_long(self) -> ReaderEndedError:
        return ReaderEndedError(
            "reading_timeout", f"reading the image took more than {self._seconds:g} seconds"
        )

    def _ended(self, code: int | None) -> ReaderEndedError:
        if code == -signal.SIGALRM:
            return self._too_long()
        if code == _NO_MEMORY:
            return ReaderEndedError(
                "out_of_memory",
                f"reading the image took more than {self._memory // 2**20} MB of memory",
            )
        how = signal.Signals(-code).name if code is not None and code < 0 else f"exit code {code}"
        return ReaderEndedError("reader_crashed", f"reading the image ended the reader ({how})")


def _serve(pipe: Connection, load: Callable[[], Reader], seconds: float, memory: int) -> None:
    """What a process that reads does: one image after the other, until nobody asks any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a core dump would hold a cheque
    cv2.setNumThreads(1)
    reader = load()
    # What is loaded by now stays: the collector need not go over it again and again.
    gc.collect()
    gc.freeze()
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    pipe.send(True)
    while True:
        try:
            data, options = pipe.recv()
        except (EOFError, OSError):
            return
        # Ends the process even where it hangs outside of Python and nobody is left to end it.
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            answer: Any = reader.read(data, **options)
        except InputError as refused:
            answer = refused
        except Exception as bug:  # noqa: BLE001 - the next image still has to be read
            if isinstance(bug, MemoryError) or getattr(bug, "code", None) == _NO_MEMORY_IN_OPENCV:
                raise SystemExit(_NO_MEMORY) from None
            answer = (origin(bug), without_values(bug))
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            pipe.send(answer)
        except OSError:
            return
