"""The service as a process of its own: its first key, and how it stops when told to."""

import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from service.audit import verify

_ROOT = Path(__file__).resolve().parents[2]
# The command line as it is, with the stand-in for the reader.
_PROGRAM = """
import sys
from importlib.util import module_from_spec, spec_from_file_location
from service.cli import app
from service.pipeline import reader
spec = spec_from_file_location("stand_in", sys.argv[1])
stand_in = sys.modules["stand_in"] = module_from_spec(spec)
spec.loader.exec_module(stand_in)
one = stand_in.StandInReader()
one.gate.set()
reader.ChequeReader = lambda *_: one
app(["serve", "--port", "0"])
"""


@contextmanager
def _serving(folder: Path, **settings: str) -> Iterator[tuple["subprocess.Popen[str]", str, str]]:
    """The process, its address, and what it printed before it served."""
    process = subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, str(_ROOT / "tests" / "conftest.py")],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "CHEQUE_DATA_DIR": str(folder), "CHEQUE_READERS": "1", **settings},
        cwd=_ROOT,
    )
    assert process.stderr is not None
    try:
        printed = ""
        for line in process.stderr:
            printed += line
            if found := re.search(r"on (https?://\S+)", line):
                yield process, found.group(1), printed
                break
        else:
            raise AssertionError(printed)
    finally:
        process.kill()
        process.wait()
        process.stderr.close()


def _wait_until(client: httpx.Client, status: int) -> httpx.Response:
    while (answer := client.get("/readyz")).status_code != status:
        continue
    return answer


def test_the_first_key_is_shown_once(tmp_path: Path, cheque: bytes) -> None:
    with _serving(tmp_path) as (process, url, printed):
        found = re.search(r"shown this once: (chq_\S+)\n", printed)
        assert found is not None
        assert "for callers with a key" in printed
        headers = {"Authorization": f"Bearer {found.group(1)}"}
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            _wait_until(client, 200)
            assert client.post("/v1/readings", files={"image": cheque}).status_code == 401
            answer = client.post("/v1/readings", headers=headers, files={"image": cheque})
            assert answer.status_code == 200
        process.kill()
        assert process.stderr is not None
        assert found.group(1) not in process.stderr.read()
    with _serving(tmp_path) as (_, url, printed):
        assert "chq_" not in printed
        with httpx.Client(base_url=url, trust_env=False, timeout=30) as client:
            _wait_until(client, 200)
            answer = client.post("/v1/readings", headers=headers, files={"image": cheque})
            assert answer.status_code == 200
    verdict = verify(tmp_path / "audit.jsonl")
    assert verdict.fault is None
    assert verdict.lines == 5  # made, started, asked, started, asked


def test_sigterm_finishes_what_is_in_flight_and_refuses_the_rest(
    tmp_path: Path, cheque: bytes
) -> None:
    with (
        _serving(tmp_path, CHEQUE_AUTH="off", CHEQUE_LOG_LEVEL="warning") as (process, url, _),
        httpx.Client(base_url=url, trust_env=False, timeout=30) as client,
        socket.create_connection((client.base_url.host, client.base_url.port or 0), 30) as raw,
    ):
        _wait_until(client, 200)
        raw.sendall(
            b"POST /v1/readings HTTP/1.1\r\nHost: localhost\r\nContent-Type: image/png\r\n"
            b"Content-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(cheque)
        )
        # From here on the request is in flight: its body is being received.
        assert raw.recv(4096).startswith(b"HTTP/1.1 100 ")
        process.send_signal(signal.SIGTERM)
        answer = _wait_until(client, 503)
        assert answer.json()["code"] == "stopping"
        refused = client.post("/v1/readings", files={"image": cheque})
        assert (refused.status_code, refused.json()["code"]) == (503, "stopping")
        assert refused.headers["retry-after"] == "1"
        assert client.get("/livez").status_code == 200
        raw.sendall(cheque)
        finished = b"".join(iter(lambda: raw.recv(65536), b""))
        assert finished.startswith(b"HTTP/1.1 200 ")
        assert b'"amount_minor":123456' in finished
        assert process.wait(60) in (0, -signal.SIGTERM)
    assert verify(tmp_path / "audit.jsonl").fault is None
    assert '"event":"service.stopped"' in (tmp_path / "audit.jsonl").read_text()
