"""What every process that serves has in common: imported once, by the process they are forked from.

That one has no threads, reads nothing and serves nobody; what it has loaded its children share.
"""

import gc
import signal

from prometheus_client import values

from service.settings import keep_metrics_in

# What is loaded stays: the collector would go over it again and again, a quarter of the time.
gc.disable()

_NOBODY = -1
_slot = _NOBODY

# Before any metric is made: files are named by the slot of a process, not by its process id. So a
# process goes on with what the one before it in its slot had counted, and however many die, there
# are no more files than slots.
values.ValueClass = values.MultiProcessValue(lambda: _slot)  # type: ignore[no-untyped-call]

import service.api.serving  # noqa: E402, F401

# A service manager may signal all processes at once; this one ends with its parent.
signal.signal(signal.SIGTERM, signal.SIG_IGN)
gc.freeze()


def take_slot(slot: int, folder: str) -> None:
    """Begin as the process of a slot, which keeps its metrics in a folder."""
    global _slot
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says when to end
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    keep_metrics_in(folder)
    _slot = slot
