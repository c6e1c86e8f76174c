"""The HTTP surface: `create_app` makes the application, `serve` runs it on a socket."""

from service.api.app import create_app
from service.api.server import listen, serve, tls_context

__all__ = ["create_app", "listen", "serve", "tls_context"]
