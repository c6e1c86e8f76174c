"""Serves in this process: loads the model, makes the application, runs it on sockets."""

import socket

from service import tracing
from service.api.app import create_app
from service.api.server import serve
from service.jobs.runtime import isolated
from service.pipeline.reader import ChequeReader
from service.settings import Settings


def run(settings: Settings, sock: socket.socket, operations: socket.socket | None) -> None:
    """Serve until SIGINT or SIGTERM; raises ModelError, ConfigurationError and AuditError."""
    tracing.configure(settings)
    reader = ChequeReader(settings.model_dir, settings.image_limits, settings.max_error)
    with isolated(settings) as for_batches:
        serve(create_app(settings, reader, None, for_batches), settings, sock, operations)
