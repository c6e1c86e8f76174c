"""Tells callers that their batch has ended: signed, repeated until it is received, durable.

Signed as Standard Webhooks has it (standardwebhooks.com): `webhook-signature` is v1, and the
base64 of the HMAC-SHA256 of `webhook-id`.`webhook-timestamp`.body. The body holds nothing of a
cheque.
"""

import base64
import hashlib
import hmac
import json
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
        if len(url) > _LONGEST or not url.isascii() or not url.isprintable() or parts.username:
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
            # What the receiver says is not read, beyond its status.
            with httpx.stream(
                "POST",
                batch.webhook,
                content=body,
                headers=headers,
                timeout=_TIMEOUT,
                follow_redirects=False,
                trust_env=False,
            ) as answer:
                received = answer.is_success
        except (httpx.HTTPError, httpx.InvalidURL, ParameterError):
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
