"""TLS, and clients that must show a certificate; the certificates are made here."""

import contextlib
import shutil
import socket
import ssl
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.api import server
from service.errors import ConfigurationError
from service.settings import Settings
from service.sockets import tls_context

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="makes certificates with it")

_CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
subjectAltName = IP:127.0.0.1
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
"""


def _make(folder: Path, name: str, *signed_by: str) -> None:
    (folder / f"{name}.cnf").write_text(_CONFIG.format(name=name))
    signer = (
        [] if not signed_by else ["-CA", f"{signed_by[0]}.pem", "-CAkey", f"{signed_by[0]}.key"]
    )
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-config", f"{name}.cnf"),
            *("-extensions", "leaf" if signed_by else "ca"),
            *("-keyout", f"{name}.key", "-out", f"{name}.pem", *signer),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two authorities, ca and other, and certificates of server, client, stranger."""
    folder = tmp_path_factory.mktemp("certificates")
    _make(folder, "ca")
    _make(folder, "other")
    _make(folder, "server", "ca")
    _make(folder, "client", "ca")
    _make(folder, "stranger", "other")
    return folder


def _trusting(folder: Path, certificate: str | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=str(folder / "ca.pem"))
    if certificate is not None:
        context.load_cert_chain(folder / f"{certificate}.pem", folder / f"{certificate}.key")
    return context


@pytest.fixture
def serving(
    start: Callable[..., httpx.Client], reader: Any, certificates: Path
) -> Callable[..., Callable[..., AbstractContextManager[httpx.Client]]]:
    """serving(**settings) -> connect(certificate) -> a client of it over TLS."""

    def served(**settings: Any) -> Callable[..., AbstractContextManager[httpx.Client]]:
        service = start(
            reader,
            wait=False,
            tls_cert=certificates / "server.pem",
            tls_key=certificates / "server.key",
            **settings,
        )
        url = str(service.base_url).replace("http://", "https://")

        def connect(certificate: str | None = None) -> httpx.Client:
            verify = _trusting(certificates, certificate)
            return httpx.Client(
                base_url=url, verify=verify, trust_env=False, headers=service.headers
            )

        return connect

    return served


def test_tls(
    serving: Callable[..., Callable[..., AbstractContextManager[httpx.Client]]], cheque: bytes
) -> None:
    with serving()() as client:
        while client.get("/readyz").status_code != 200:
            continue
        answer = client.post("/v1/readings", files={"image": cheque})
        assert answer.status_code == 200
        assert answer.headers["strict-transport-security"] == "max-age=31536000"
        plain = str(client.base_url).replace("https://", "http://")
        with pytest.raises(httpx.RemoteProtocolError):
            httpx.get(f"{plain}/livez", trust_env=False)


def test_a_handshake_that_does_not_come_is_cut_off(
    serving: Callable[..., Callable[..., AbstractContextManager[httpx.Client]]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(server, "HEAD_SECONDS", 0.1)
    with (
        serving()() as client,
        socket.create_connection((client.base_url.host, client.base_url.port or 0), 20) as raw,
        contextlib.suppress(ConnectionResetError),
    ):
        assert raw.recv(1) == b""


def test_old_protocols_are_refused(certificates: Path) -> None:
    context = tls_context(
        Settings(tls_cert=certificates / "server.pem", tls_key=certificates / "server.key")
    )
    assert context is not None
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_NONE


def test_clients_need_a_certificate_where_it_is_asked_for(
    serving: Callable[..., Callable[..., AbstractContextManager[httpx.Client]]],
    certificates: Path,
) -> None:
    connect = serving(tls_client_ca=certificates / "ca.pem", metrics_port=0)
    with connect("client") as client:
        assert client.get("/livez").status_code == 200
        own = f"http://127.0.0.1:{client.headers['x-operations-port']}"
    for certificate in (None, "stranger"):
        with connect(certificate) as client, pytest.raises(httpx.TransportError):
            client.get("/livez")
    # Probes have no certificate.
    assert httpx.get(f"{own}/livez", trust_env=False).status_code == 200


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"tls_cert": "none.pem"}, "CHEQUE_TLS_CERT can't be used: No such file"),
        ({"tls_cert": "server.pem"}, "CHEQUE_TLS_CERT can't be used"),
        ({"tls_cert": "server.pem", "tls_key": "client.key"}, "CHEQUE_TLS_CERT can't be used"),
        ({"tls_cert": "server.pem", "tls_key": "locked.key"}, "CHEQUE_TLS_CERT can't be used"),
        (
            {"tls_cert": "server.pem", "tls_key": "server.key", "tls_client_ca": "empty.pem"},
            "CHEQUE_TLS_CLIENT_CA can't be used",
        ),
        (
            {"tls_cert": "server.pem", "tls_key": "server.key", "tls_client_ca": "none.pem"},
            "CHEQUE_TLS_CLIENT_CA can't be used: No such file",
        ),
    ],
)
def test_what_can_not_be_used_is_told_at_the_start(
    certificates: Path, settings: dict[str, str], message: str
) -> None:
    (certificates / "empty.pem").write_text("")
    if not (certificates / "locked.key").exists():
        subprocess.run(
            [
                *("openssl", "pkey", "-in", "server.key", "-aes128"),
                *("-passout", "pass:secret", "-out", "locked.key"),
            ],
            cwd=certificates,
            check=True,
            capture_output=True,
        )
    paths = {name: certificates / file for name, file in settings.items()}
    with pytest.raises(ConfigurationError, match=message):
        tls_context(Settings(**paths))
