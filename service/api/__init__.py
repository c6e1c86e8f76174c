"""The HTTP surface: `create_app` makes the application, `serve` runs it on a socket."""

from service.api.app import create_app
from service.api.server import serve

__all__ = ["create_app", "serve"]
