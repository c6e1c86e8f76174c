"""Webhooks go where they may, by address too, and nowhere that a name of somebody else's leads."""

import socket
from typing import Any

import httpx
import pytest

from service.errors import ParameterError
from service.jobs import webhook
from service.jobs.webhook import Webhooks, address_of

HOOKS = Webhooks(frozenset({"hooks.example", "127.0.0.1", "10.0.0.7"}), "a secret of 24 characters")


def _resolving(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    def found(*_: object, **__: object) -> list[tuple[Any, ...]]:
        return [(0, 0, 0, "", (address, 0)) for address in addresses]

    monkeypatch.setattr(socket, "getaddrinfo", found)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example@evil.example/",
        "https://:secret@hooks.example/",
        "https://evil.example\\@hooks.example/",
        "https://hooks.example.evil.example/",
        "https://hooks.example%2eevil.example/",
        "https://hooks.example:port/",
        "https://evil.example#@hooks.example/",
        "https:hooks.example",
        "//hooks.example/",
        "http://hooks.example/",
        "ftp://hooks.example/",
        "gopher://127.0.0.1:6379/_x",
        "https://hooks.example/\r\nX: y",
        "https://hooks.example/ü",
        "https://0x7f000001/",
        "https://2130706433/",
        "https://[::1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://",
        "",
    ],
)
def test_urls_that_only_look_allowed_are_refused(url: str) -> None:
    with pytest.raises(ParameterError):
        HOOKS.check(url)


def test_what_is_allowed_is_allowed() -> None:
    for url in (
        "https://hooks.example/a?b=c",
        "https://HOOKS.example:8443/",
        "http://127.0.0.1:1/",
    ):
        HOOKS.check(url)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1",
        "127.8.9.1",
        "169.254.169.254",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "::1",
        "::",
        "fe80::1%eth0",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "ff02::1",
    ],
)
def test_names_must_not_lead_inside(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    _resolving(monkeypatch, "93.184.216.34", address)
    with pytest.raises(OSError, match="where none may go"):
        address_of("hooks.example")


def test_addresses_that_are_allowed_themselves_are_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    _resolving(monkeypatch)
    assert [address_of(host) for host in ("127.0.0.1", "localhost", "10.0.0.7")] == [
        "127.0.0.1",
        "localhost",
        "10.0.0.7",
    ]


def test_it_is_called_at_the_address_that_was_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its name is looked up once, so that nobody can change the answer in between."""
    _resolving(monkeypatch, "10.1.2.3", "10.1.2.4")
    seen: list[httpx.Request] = []

    def answered(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(302, headers={"Location": "http://127.0.0.1/"})

    client = httpx.Client
    monkeypatch.setattr(
        webhook.httpx,
        "Client",
        lambda **options: client(transport=httpx.MockTransport(answered), **options),
    )
    assert not webhook._post(httpx.URL("https://hooks.example:8443/a"), b"{}", {})
    (request,) = seen
    assert request.url == "https://10.1.2.3:8443/a"
    assert request.headers["host"] == "hooks.example:8443"
    assert request.extensions["sni_hostname"] == "hooks.example"
