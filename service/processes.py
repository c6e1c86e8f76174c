"""Serves with several processes on the same sockets: starts them, replaces the dead, ends them.

The parent holds the sockets and reads nothing itself. The children are forked from a process that
has imported what they need (``forked``), so that this is done once. Every child is a service of its
own with a share of the readers and of what waits for them, so that the limits hold for all of them
together; keys, rates, the audit log and the batches are in files that they share, and so are the
metrics.
"""

import logging
import multiprocessing
import multiprocessing.forkserver
import os
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import MutableSequence
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from types import FrameType
from typing import Final

from service.errors import ChequeReaderError
from service.occupancy import Slot, make_occupancy
from service.settings import Settings, keep_metrics_in

logger = logging.getLogger(__name__)

_FORKS: Final = multiprocessing.get_context("forkserver")
_LIVED_SECONDS: Final = 20.0
_LONGEST_PAUSE: Final = 30.0
_MARGIN_SECONDS: Final = 15.0
CANNOT_START: Final = 2


def share(settings: Settings, slot: int) -> Settings:
    """The settings of one of the processes: its part of what all of them may do at once.

    slot: 0 to processes - 1. No part of what must be at least one is less than that.
    """
    count = settings.processes

    def part(whole: int) -> int:
        return whole // count + (slot < whole % count)

    return settings.model_copy(
        update={
            "readers": part(settings.readers),
            "max_waiting": part(settings.line),
            "max_in_flight": max(1, part(settings.max_in_flight)),
            "batch_readers": part(settings.batch_readers),
            "batch_uploads": max(1, part(settings.batch_uploads)),
        }
    )


class Processes:
    """The children, each in a slot of its own; a child that dies is replaced in its slot."""

    def __init__(self, settings: Settings) -> None:
        """Begin to import what the children need, in a process of its own; this one goes on."""
        self._settings = settings
        self._occupancy = make_occupancy(settings.processes)
        self._running: dict[int, tuple[ForkServerProcess, float]] = {}
        self._pauses = dict.fromkeys(range(settings.processes), 0.0)
        self._stopping = False
        # What the process that they come from says of itself is nobody's: it is kept apart.
        self._folder = tempfile.TemporaryDirectory(prefix="cheque-metrics-")
        keep_metrics_in(self._folder.name)
        _FORKS.set_forkserver_preload(["__main__", "service.forked"])
        multiprocessing.forkserver.ensure_running()

    def run(self, sock: socket.socket, operations: socket.socket | None) -> int:
        """Serve until SIGTERM or SIGINT; the exit code, CANNOT_START where no child can.

        sock: listens; operations: listens for health and metrics alone.
        """
        self._sockets = sock, operations
        with self._folder as apart:
            folder = str(Path(apart, "served"))
            Path(folder).mkdir()
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, self._stop)
            for slot in self._pauses:
                self._start(slot, folder)
            code = self._watch(folder)
            self._end()
        return code

    def _stop(self, _: int, __: FrameType | None) -> None:
        self._stopping = True

    def _start(self, slot: int, folder: str) -> None:
        _forget_gauges(folder, slot)
        child = _FORKS.Process(
            target=_child,
            args=(share(self._settings, slot), slot, folder, *self._sockets, self._occupancy),
            name=f"cheque-reader-{slot}",
        )
        child.start()
        self._running[slot] = child, time.monotonic()

    def _watch(self, folder: str) -> int:
        due: dict[int, float] = {}
        while not self._stopping:
            wait([child.sentinel for child, _ in self._running.values()], timeout=0.2)
            now = time.monotonic()
            for slot, (child, started) in list(self._running.items()):
                if child.exitcode is None or self._stopping:
                    continue
                if child.exitcode == CANNOT_START:
                    return CANNOT_START
                logger.error("process %d ended with %d, starting another", slot, child.exitcode)
                del self._running[slot]
                Slot(self._occupancy, slot).leave()
                _forget_gauges(folder, slot)
                pause = 0.0 if now - started > _LIVED_SECONDS else 2 * self._pauses[slot] or 1.0
                self._pauses[slot] = min(pause, _LONGEST_PAUSE)
                due[slot] = now + self._pauses[slot]
            for slot in [slot for slot, moment in due.items() if moment <= now]:
                del due[slot]
                self._start(slot, folder)
        return 0

    def _end(self) -> None:
        for child, _ in self._running.values():
            child.terminate()
        deadline = time.monotonic() + self._settings.shutdown_seconds + _MARGIN_SECONDS
        for child, _ in self._running.values():
            child.join(max(0.0, deadline - time.monotonic()))
            if child.exitcode is None:
                logger.error("a process did not end in time and is killed")
                child.kill()
                child.join()


def _forget_gauges(folder: str, slot: int) -> None:
    """Remove what a process that is gone said of itself; what it counted stays."""
    for file in Path(folder).glob(f"gauge_live*_{slot}.db"):
        file.unlink(missing_ok=True)


def _child(
    settings: Settings,
    slot: int,
    folder: str,
    sock: socket.socket,
    operations: socket.socket | None,
    occupancy: MutableSequence[int],
) -> None:
    from service import forked

    forked.take_slot(slot, folder)
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    from service import logs
    from service.api.serving import run

    logs.configure(settings.log_level, settings.log_format)
    try:
        run(settings, sock, operations, Slot(occupancy, slot))
    except ChequeReaderError as error:
        logger.critical("%s", error.message)
        sys.exit(CANNOT_START)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.kill(os.getpid(), signal.SIGTERM)
