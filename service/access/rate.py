"""How often a key may ask: a token bucket that all processes of a machine share."""

import fcntl
import math
import os
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

_DUE: Final = struct.Struct("<d")


class RateLimit:
    """Lets `burst` requests through at once and `per_second` a second in the long run.

    Each name has a file of eight bytes: the time when its bucket is full again, which is all that
    there is to know of a token bucket (the generic cell rate algorithm, ITU-T I.371). A lock on
    the file makes one step of reading and writing it, and goes with the process that dies.
    """

    def __init__(
        self,
        folder: Path,
        *,
        per_second: float,
        burst: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Files go into folder; raises OSError where it can't be made."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._interval = 1 / per_second
        self._capacity = burst * self._interval
        self._clock = clock

    def take(self, name: str) -> float:
        """Take a token: 0 where there was one, else the seconds until there is.

        name must do as a file's name. Raises OSError where its file can't be used.
        """
        file = os.open(self._folder / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            now = self._clock()
            due = self._due(os.pread(file, _DUE.size, 0), now) + self._interval
            wait = due - now - self._capacity
            # A nanosecond for what adding fractions loses.
            if wait > 1e-9:
                return wait
            os.pwrite(file, _DUE.pack(due), 0)
            return 0.0
        finally:
            os.close(file)

    def _due(self, stored: bytes, now: float) -> float:
        if len(stored) < _DUE.size:
            return now
        (due,) = _DUE.unpack(stored)
        # No bucket is emptier than empty: the clock was set back, or the limits were changed.
        if not math.isfinite(due) or due - now > self._capacity + 1e-6:
            return now
        return max(float(due), now)
