"""Lets callers in: who they are, what their key is good for, how often they may ask."""

import asyncio
import hmac
import logging
import math
from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import urlsplit

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from starlette.datastructures import Headers

from service.access.keys import ANYBODY, ENVIRONMENT, Key, Keys, Scope, digest
from service.access.rate import RateLimit
from service.access.stores import open_keys
from service.api.problems import RefusalError
from service.errors import ConfigurationError, KeysAwayError
from service.settings import Settings, is_loopback

logger = logging.getLogger(__name__)

KEY_WANTED: Final = "Send a key as Authorization: Bearer, or as X-API-Key."
KEY_UNKNOWN: Final = "The key is unknown or has been revoked."
UNKNOWN_NOW: Final = "Whether the key is good can't be told at the moment."
TOO_OFTEN: Final = "The key has sent more requests than it may."
UNCOUNTED: Final = "What the key's rate needs can't be written."
STOPPING: Final = "The service is stopping."
ELSEWHERE: Final = (
    "Without keys the service answers to names of this machine alone, and to its own pages."
)
CHALLENGE: Final = 'Bearer realm="cheque-reader"'
BEARER: Final = HTTPBearer(auto_error=False, description="A key made by `cheque-reader keys add`")
HEADER: Final = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key")


class Gate:
    """The keys and their rate, for the routes; made once for an application.

    With CHEQUE_AUTH=off every caller of this machine is ANYBODY, and none is limited in rate.
    """

    def __init__(self, settings: Settings, keys: Keys | None = None) -> None:
        """keys: where keys are kept, what the settings say if left out.

        Raises ConfigurationError where that or the rates can't be kept.
        """
        self._open = not settings.asks_for_key
        self._environment = settings.api_key and digest(settings.api_key.get_secret_value())
        if not self._open:
            self._keys = keys or open_keys(settings)
            try:
                self._rate = RateLimit(
                    settings.rates_dir, per_second=settings.rate, burst=settings.rate_burst
                )
            except OSError as error:
                reason = error.strerror or "unknown reason"
                raise ConfigurationError(f"can't use {settings.rates_dir}: {reason}") from None

    @property
    def is_open(self) -> bool:
        """Whether nobody is asked for a key."""
        return self._open

    def identify(self, secret: str | None) -> Key:
        """The key that a caller sent; raises RefusalError (unauthorized, keys_away). May block."""
        if self._open:
            return ANYBODY
        if secret is None:
            raise _unauthorized(KEY_WANTED, "")
        if self._environment and hmac.compare_digest(self._environment, digest(secret)):
            return ENVIRONMENT
        try:
            key = self._keys.find(secret)
        except KeysAwayError as error:
            logger.error("%s", error.message)
            raise RefusalError(error.code, UNKNOWN_NOW, {"Retry-After": "2"}) from None
        if key is None:
            raise _unauthorized(KEY_UNKNOWN, ', error="invalid_token"')
        return key

    def close(self) -> None:
        """Let go of what the keys hold open."""
        if not self._open:
            self._keys.close()

    def admit(self, secret: str | None, scope: Scope) -> tuple[Key, float]:
        """The caller's key, and the seconds that it has to wait, 0 for none. May block.

        Raises RefusalError (unauthorized, keys_away, unrecorded).
        """
        key = self.identify(secret)
        if self._open or not key.allows(scope):
            return key, 0.0
        try:
            return key, self._rate.take(key.id)
        except OSError:
            raise RefusalError("unrecorded", UNCOUNTED) from None


def caller(scope: Scope, *, limited: bool = True) -> Callable[..., Awaitable[Key]]:
    """A dependency: the caller's key, refused where it is not good for scope.

    It is in `request.state.key` from then on, for the log and the audit log. limited: the request
    counts against the key's rate. Raises RefusalError (stopping, unauthorized, keys_away,
    forbidden, rate_limited, unrecorded).
    """

    async def admitted(
        request: Request,
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
        header: Annotated[str | None, Depends(HEADER)],
    ) -> Key:
        if request.app.state.draining:
            raise stopping()
        gate = request.app.state.gate
        assert isinstance(gate, Gate)
        if gate.is_open and not _from_here(request.headers):
            raise RefusalError("forbidden", ELSEWHERE)
        secret = bearer.credentials if bearer is not None else header
        if gate.is_open:
            key, wait = ANYBODY, 0.0
        elif limited:
            key, wait = await asyncio.to_thread(gate.admit, secret or None, scope)
        else:
            key, wait = await asyncio.to_thread(gate.identify, secret or None), 0.0
        request.state.key = key
        if not key.allows(scope):
            challenge = f'{CHALLENGE}, error="insufficient_scope", scope="{scope}"'
            raise RefusalError("forbidden", lacks(scope), {"WWW-Authenticate": challenge})
        if wait:
            raise RefusalError("rate_limited", TOO_OFTEN, {"Retry-After": str(math.ceil(wait))})
        return key

    return admitted


def _from_here(headers: Headers) -> bool:
    """Whether a call names this machine in Host, and in Origin where a browser sent one.

    Without keys a loopback address is all the protection there is, and any web page that a browser
    on this machine shows could call it, or have its own name lead here.
    """
    origin = headers.get("origin")
    return _is_here("//" + headers.get("host", "")) and (origin is None or _is_here(origin))


def _is_here(url: str) -> bool:
    try:
        return is_loopback(urlsplit(url).hostname or "")
    except ValueError:
        return False


def lacks(scope: Scope) -> str:
    """What a caller without a scope is told."""
    return f"The key lacks the scope {scope}."


def stopping() -> RefusalError:
    """The refusal of what comes while the service finishes its last requests."""
    return RefusalError("stopping", STOPPING, {"Retry-After": "1", "Connection": "close"})


def _unauthorized(detail: str, why: str) -> RefusalError:
    return RefusalError("unauthorized", detail, {"WWW-Authenticate": CHALLENGE + why})
