"""What a server listens with: its socket, and TLS. Without the server, so that what only holds the
sockets for others starts at once."""

import socket
import ssl

from service.errors import ConfigurationError
from service.settings import Settings


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on host and port; raises ConfigurationError where it can't."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        sock = socket.create_server(address[:2], family=family, backlog=1024)
    except OSError as error:
        reason = error.strerror or "unknown address"
        raise ConfigurationError(f"can't listen on {host}:{port}: {reason}") from None
    # What it accepts inherits this. asyncio leaves it out where the socket names no protocol, and
    # the body of an answer then waits 40 ms for the client to acknowledge the head.
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return sock


def tls_context(settings: Settings) -> ssl.SSLContext | None:
    """What TLS needs, None without CHEQUE_TLS_CERT; raises ConfigurationError.

    TLS 1.2 or newer. With CHEQUE_TLS_CLIENT_CA no client gets in without a certificate.
    """
    if settings.tls_cert is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        # A password would be asked for on the terminal, where nobody sits.
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=lambda: "")
    except OSError as error:
        reason = error.strerror or "it is none, or its key is another one"
        raise ConfigurationError(f"CHEQUE_TLS_CERT can't be used: {reason}") from None
    if settings.tls_client_ca is not None:
        try:
            context.load_verify_locations(settings.tls_client_ca)
        except OSError as error:
            reason = error.strerror or "it holds no certificate"
            raise ConfigurationError(f"CHEQUE_TLS_CLIENT_CA can't be used: {reason}") from None
        context.verify_mode = ssl.CERT_REQUIRED
    return context
