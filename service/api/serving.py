"""Serves in this process: loads the model, makes the application, runs it on sockets."""

import socket

from service import tracing
from service.api.app import create_app
from service.api.server import serve
from service.pipeline.reader import ChequeReader
from service.settings import Settings


def run(settings: Settings, sock: socket.socket, operations: socket.socket | None) -> None:
    """Serve until SIGINT or SIGTERM; raises ModelError, ConfigurationError and AuditError."""
    tracing.configure(settings)
    reader = ChequeReader(settings.model_dir, settings.image_limits, settings.max_error)
    service = create_app(settings, reader)
    serve(service, settings, sock, operations)
