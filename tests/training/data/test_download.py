"""Downloads against a server on loopback: resuming, checksums, receipts."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from training.data.download import DownloadError, download

CONTENT = bytes(range(256)) * 2000
MD5 = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


@dataclass
class Origin:
    """A server and what it should do next."""

    url: str = ""
    content: bytes = CONTENT
    tag: str | None = '"one"'
    break_after: list[int] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    ranges: list[str | None] = field(default_factory=list)


@pytest.fixture
def origin() -> Iterator[Origin]:
    state = Origin()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            if state.errors:
                self.send_response(state.errors.pop(0))
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            start = 0
            if wanted and self.headers.get("If-Range") == state.tag:
                start = int(wanted.removeprefix("bytes=").rstrip("-"))
            body = state.content[start:]
            self.send_response(206 if start else 200)
            self.send_header("Content-Length", str(len(body)))
            if state.tag:
                self.send_header("ETag", state.tag)
            self.end_headers()
            if state.break_after:
                body = body[: state.break_after.pop(0)]
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/file.bin"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def test_downloads_and_reports_progress(origin: Origin, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    target = tmp_path / "set" / "file.bin"
    receipt = download(origin.url, target, MD5, lambda held, total: seen.append((held, total)))
    assert target.read_bytes() == CONTENT
    assert receipt.md5 == MD5
    assert receipt.known
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert sorted(p.name for p in target.parent.iterdir()) == ["file.bin", "receipts.json"]


def test_resumes_where_the_connection_broke(origin: Origin, tmp_path: Path) -> None:
    origin.break_after = [100_000, 150_000]
    target = tmp_path / "file.bin"
    download(origin.url, target, MD5, pause=0.0)
    assert target.read_bytes() == CONTENT
    assert origin.ranges[0] is None
    starts = [int(r.removeprefix("bytes=").rstrip("-")) for r in origin.ranges[1:] if r]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1] < len(CONTENT)


def test_starts_anew_where_the_file_has_changed(origin: Origin, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    part = tmp_path / "file.bin.part"
    part.write_bytes(b"of another version")
    (tmp_path / "file.bin.part.tag").write_text('"zero"', encoding="utf-8")
    download(origin.url, target, MD5, pause=0.0)
    assert target.read_bytes() == CONTENT
    assert not part.exists()


def test_a_part_of_unknown_origin_is_not_continued(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(b"rubbish")
    origin.tag = None
    download(origin.url, tmp_path / "file.bin", MD5, pause=0.0)
    assert origin.ranges == [None]


def test_refuses_a_wrong_checksum(origin: Origin, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    with pytest.raises(DownloadError, match="md5"):
        download(origin.url, target, "0" * 32, pause=0.0)
    assert list(tmp_path.iterdir()) == []


def test_records_what_it_got_and_holds_the_origin_to_it(origin: Origin, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    assert not download(origin.url, target).known
    held = json.loads((tmp_path / "receipts.json").read_text(encoding="utf-8"))["file.bin"]
    assert held["md5"] == MD5
    assert held["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert held["size"] == len(CONTENT)
    assert not held["known"]
    target.unlink()
    origin.content, origin.tag = CONTENT[::-1], '"two"'
    with pytest.raises(DownloadError, match="md5"):
        download(origin.url, target, pause=0.0)


def test_what_is_there_already_is_not_asked_for_again(origin: Origin, tmp_path: Path) -> None:
    target = tmp_path / "file.bin"
    download(origin.url, target, MD5)
    download(origin.url, target, MD5)
    assert len(origin.ranges) == 1


def test_tries_again_after_a_server_error_but_not_after_a_refusal(
    origin: Origin, tmp_path: Path
) -> None:
    origin.errors = [503, 500]
    download(origin.url, tmp_path / "file.bin", MD5, pause=0.0)
    assert len(origin.ranges) == 3
    origin.errors = [404]
    with pytest.raises(DownloadError, match="404"):
        download(origin.url, tmp_path / "other.bin", MD5, pause=0.0)
    assert len(origin.ranges) == 4
