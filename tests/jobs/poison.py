"""A reader that images can crash, hang and starve, for tests of what that leads to."""

import ctypes
import os
import signal
import time
from typing import Any

import numpy as np
from served import SlowReader

from service.pipeline.reader import Reading

MEGABYTE = 1 << 20


class PoisonReader(SlowReader):
    """Does what the reference says, if it says such a thing, instead of reading."""

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(seconds)

    def read(self, data: bytes, **options: Any) -> Reading:
        """A reading, where there is an end to it."""
        match options["reference"]:
            case "crash":
                ctypes.string_at(0)
            case "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            case "kill slowly":
                time.sleep(0.1)
                os.kill(os.getpid(), signal.SIGKILL)
            case "hang":
                time.sleep(3600)
            case "starve":
                held = []
                while True:
                    held.append(np.ones(16 * MEGABYTE, np.uint8))
            case "fail":
                raise KeyError(f"{1234:,}.56")
            case "slow":
                time.sleep(1.0)
                return super().read(data, **{**options, "reference": "7"})
        return super().read(data, **options)
