"""Tells callers that their batch has ended: signed, repeated until it is received, durable.

Signed as Standard Webhooks has it (standardwebhooks.com): `webhook-signature` is v1, and the
base64 of the HMAC-SHA256 of `webhook-id`.`webhook-timestamp`.body. The body holds nothing of a
cheque.
"""

import base64
import hashlib
import hmac
import ipaddress
import json
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from service import metrics
from service.errors import ParameterError
from service.jobs.store import Batch, Store

# Between one attempt and the next; about a day in all.
PAUSES: Final[Sequence[float]] = (2, 15, 60, 300, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600)
_TIMEOUT: Final = 10.0
_LONGEST: Final = 2000
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_PREFIX: Final = "whsec_"

# What is said of a batch, as JSON; its type begins with "batch.".
News = Callable[[Batch, Store], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Webhooks:
    """Where webhooks may go and what signs them; no hosts, no webhooks."""

    hosts: frozenset[str] = frozenset()
    secret: str | None = None
    pauses: Sequence[float] = PAUSES

    def check(self, url: str) -> None:
        """Raise ParameterError where this service does not send webhooks to a URL."""
        if not self.hosts or self.secret is None:
            raise ParameterError("webhook", "this service sends no webhooks")
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname or "", parts.port
        except ValueError:
            host, parts = "", urlsplit("")
        odd = len(url) > _LONGEST or not url.isascii() or not url.isprintable()
        if odd or "@" in parts.netloc or _host_called(url) != host:
            raise ParameterError("webhook", "webhook is no URL that can be called")
        if host not in self.hosts:
            raise ParameterError("webhook", "webhook names a host that this service does not call")
        if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
            raise ParameterError("webhook", "webhook must begin with https:")

    def attempt(self, store: Store, id: str, news: News | None = None) -> bool:
        """Send a batch's end, or other news of it, once.

        Returns whether it was received, or nobody waits for it any more.
        """
        batch = store.batch(id)
        if batch is None or batch.webhook is None:
            return True
        said = (news or message)(batch, store)
        body = json.dumps(said).encode()
        name = str(said["type"]).removeprefix("batch.")
        headers = self.sign(f"{id}.{name}", int(time.time()), body)
        headers["Content-Type"] = "application/json"
        try:
            self.check(batch.webhook)
            received = _post(httpx.URL(batch.webhook), body, headers)
        except (httpx.HTTPError, httpx.InvalidURL, ParameterError, OSError):
            received = False
        metrics.WEBHOOKS.labels("received" if received else "failed").inc()
        return received

    def sign(self, id: str, timestamp: int, body: bytes) -> dict[str, str]:
        """The headers that let a receiver check who sent a body, and when."""
        assert self.secret is not None
        if self.secret.startswith(_PREFIX):
            key = base64.b64decode(self.secret.removeprefix(_PREFIX))
        else:
            key = self.secret.encode()
        signed = b".".join((id.encode(), str(timestamp).encode(), body))
        digest = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        return {
            "webhook-id": id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": f"v1,{digest}",
        }


def _post(url: httpx.URL, body: bytes, headers: Mapping[str, str]) -> bool:
    """Whether a URL received a body; of what it says, the status alone is read.

    It is called at the address that its name was found to have, which is one that names may lead
    to; by its name it is known to TLS and in the Host header. Raises OSError and httpx.HTTPError.
    """
    with (
        httpx.Client(timeout=_TIMEOUT, follow_redirects=False, trust_env=False) as client,
        client.stream(
            "POST",
            url.copy_with(host=address_of(url.host)),
            content=body,
            headers={**headers, "Host": url.netloc.decode()},
            extensions={"sni_hostname": url.host},
        ) as answer,
    ):
        return answer.is_success


def address_of(host: str) -> str:
    """An address of a host; raises OSError.

    A name must not lead to this machine, to its link (where clouds keep credentials) or to what is
    no host: whoever runs a name that is allowed would reach there. An address that is allowed
    itself is what was meant.
    """
    if host in _LOOPBACK or _is_address(host):
        return host
    found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    for _, _, _, _, place in found:
        address = ipaddress.ip_address(str(place[0]).partition("%")[0])
        inner = getattr(address, "ipv4_mapped", None) or address
        if (
            inner.is_loopback
            or inner.is_link_local
            or inner.is_multicast
            or inner.is_unspecified
            or inner.is_reserved
        ):
            raise PermissionError("the name of a webhook's host leads where none may go")
    return str(found[0][4][0])


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _host_called(url: str) -> str:
    """The host that would be called, which must be the one that is checked."""
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return ""


def message(batch: Batch, store: Store) -> dict[str, Any]:
    """What a webhook says of a batch."""
    progress = store.progress(batch)
    return {
        "type": f"batch.{batch.state}",
        "batch": batch.id,
        "reference": batch.options.reference,
        "items": batch.items,
        "counts": {
            "accepted": progress.accepted,
            "rejected": progress.rejected,
            "failed": progress.failed,
            "cancelled": progress.cancelled,
        },
    }
