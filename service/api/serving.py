"""Serves in this process: loads the model, makes the application, runs it on sockets."""

import socket

from service import tracing
from service.api.app import create_app
from service.api.server import serve
from service.jobs.runtime import isolated
from service.occupancy import Slot
from service.pipeline.reader import ChequeReader
from service.settings import Settings


def run(
    settings: Settings,
    sock: socket.socket,
    operations: socket.socket | None,
    slot: Slot | None = None,
) -> None:
    """Serve until SIGINT or SIGTERM; slot: of this process, where others serve as well.

    Raises ModelError, ConfigurationError and AuditError.
    """
    tracing.configure(settings)
    reader = ChequeReader(settings.model_dir, settings.image_limits, settings.max_error)
    with isolated(settings) as for_batches:
        app = create_app(settings, reader, None, for_batches)
        serve(app, settings, sock, operations, slot)
