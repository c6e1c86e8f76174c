"""The command `worker`: reads batches without serving HTTP, until it is told to stop."""

import signal
import threading
from types import FrameType

from service import metrics, tracing
from service.jobs.runtime import Jobs, isolated, need_workers
from service.settings import Settings


def run(settings: Settings) -> None:
    """Read batches until SIGINT or SIGTERM; what is being read then is finished first.

    Raises ConfigurationError and ModelError.
    """
    need_workers(settings)
    tracing.configure(settings)
    reader = isolated(settings)
    jobs = Jobs(settings)
    stop = threading.Event()

    def end(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    jobs.start(reader)
    if settings.metrics_port is not None:
        host = settings.metrics_host or settings.host
        metrics.serve(host, settings.metrics_port, reader.model_version)
    # Not without a limit: a signal is handled between two waits where the system restarts them.
    while not stop.wait(1.0):
        continue
    jobs.close()
    reader.close()
