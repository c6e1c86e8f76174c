"""The audit log: its chain, torn lines, killed processes, full disks."""

import hashlib
import json
import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from service import audit
from service.audit import AuditLog, Entry, Outcome, verify
from service.errors import AuditError

_APPEND = """
import sys
from pathlib import Path
from service.audit import AuditLog, Entry
log = AuditLog(Path(sys.argv[1]))
print("open", flush=True)
for number in range(int(sys.argv[2])):
    log.append(Entry("request", request_id=f"{sys.argv[3]}-{number}"))
    print(number, flush=True)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the log is."""
    return tmp_path / "new" / "audit.jsonl"


def _filled(path: Path, lines: int = 6) -> AuditLog:
    log = AuditLog(path)
    for number in range(lines):
        log.append(Entry("request", status=200 + number))
    return log


def _records(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_line_holds_the_hash_of_the_one_before(path: Path) -> None:
    log = AuditLog(path)
    heads = [
        log.append(Entry("key.added", key_id="0a1b", key="till", scopes=("read",))),
        log.append(
            Entry(
                "request",
                key="till",
                status=200,
                outcome=Outcome(decision="accept", model_version="m/1"),
            )
        ),
    ]
    first, second = path.read_bytes().splitlines()
    assert [hashlib.sha256(line).hexdigest() for line in (first, second)] == heads
    record = json.loads(second)
    assert record.pop("time").endswith("Z")
    assert record == {
        "seq": 2,
        "prev": heads[0],
        "event": "request",
        "key": "till",
        "status": 200,
        "decision": "accept",
        "model_version": "m/1",
    }
    assert json.loads(first)["prev"] == audit.START
    assert log.head() == heads[1]
    assert verify(path) == audit.Verdict(2, heads[1])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def _changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b"202", b"403"), *lines[3:]]


@pytest.mark.parametrize(
    ("tamper", "fault"),
    [
        (_changed, "line 4: does not follow the line before it"),
        (lambda lines: [*lines[:2], *lines[3:]], "line 3: numbered 4"),
        (lambda lines: [*lines[:2], lines[1], *lines[2:]], "line 3: numbered 2"),
        (lambda lines: [lines[1], lines[0], *lines[2:]], "line 1: numbered 2"),
        (lambda lines: lines[1:], "line 1: numbered 2"),
        (lambda lines: [*lines[:3], b"not JSON\n", *lines[3:]], "line 4: not a line"),
        (lambda lines: [*lines[:3], b"[1]\n", *lines[3:]], "line 4: not a line"),
        (lambda lines: [*lines[:3], b'{"seq":true}\n', *lines[3:]], "line 4: not a line"),
        (lambda lines: [*lines[:-1], lines[-1][:-5]], "line 6: torn"),
        (lambda lines: [*lines, b"x" * 20_000 + b"\n"], "line 7: too long"),
        (lambda lines: [*lines, b'{"seq":7,"prev":"' + b"0" * 64 + b'"}\n'], "line 7: does not"),
        (lambda lines: [lines[0].replace(b"000", b"111"), *lines[1:]], "line 1: does not start"),
    ],
)
def test_tampering_is_found_where_it_was_done(
    path: Path, tamper: Callable[[list[bytes]], list[bytes]], fault: str
) -> None:
    _filled(path)
    lines = path.read_bytes().splitlines(keepends=True)
    assert verify(path).fault is None
    path.write_bytes(b"".join(tamper(lines)))
    found = verify(path).fault
    assert found is not None
    assert found.startswith(fault)


def test_lines_cut_off_or_rewritten_are_found_by_a_hash_kept_elsewhere(path: Path) -> None:
    head = _filled(path).head()
    assert verify(path, head).fault is None
    AuditLog(path).append(Entry("request"))
    assert verify(path, head).fault is None
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:4]))
    assert verify(path).fault is None
    assert "known line is missing" in (verify(path, head).fault or "")


def test_a_torn_line_is_taken_out_and_told(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _filled(path, 3)
    torn = b'{"seq":4,"time":"2026-'
    with path.open("ab") as file:
        file.write(torn)
    assert verify(path) == audit.Verdict(3, verify(path).head, "line 4: torn, it has no end")
    log = AuditLog(path)
    assert "torn line of 22 bytes" in caplog.text
    log.append(Entry("request"))
    assert verify(path).fault is None
    repaired = _records(path)[3]
    assert repaired["event"] == "audit.repaired"
    assert repaired["torn_bytes"] == len(torn)
    assert repaired["torn_sha256"] == hashlib.sha256(torn).hexdigest()


@pytest.mark.parametrize("torn", [b"{", b"x" * 10_000])
def test_a_log_that_is_one_torn_line(path: Path, torn: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(torn)
    AuditLog(path)
    assert [record["event"] for record in _records(path)] == ["audit.repaired"]
    assert verify(path).fault is None


@pytest.mark.parametrize("content", [b"text\n", b"x" * 100_000, b'{"event":"request"}\n'])
def test_another_file_is_left_alone(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    with pytest.raises(AuditError):
        AuditLog(path)
    assert path.read_bytes() == content


def test_threads_and_logs_of_one_file_take_turns(path: Path) -> None:
    logs = [AuditLog(path) for _ in range(3)]
    with ThreadPoolExecutor(6) as threads:
        list(threads.map(lambda n: logs[n % 3].append(Entry("request", status=n)), range(60)))
    assert verify(path).lines == 60
    assert verify(path).fault is None
    assert {record["status"] for record in _records(path)} == set(range(60))


def _writer(path: Path, lines: int, name: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _APPEND, str(path), str(lines), name],
        stdout=subprocess.PIPE,
        text=True,
    )


def test_what_was_appended_outlives_kills_at_any_moment(path: Path) -> None:
    told: set[str] = set()
    for turn in range(4):
        writers = {f"{turn}{name}": _writer(path, 10_000, f"{turn}{name}") for name in "ab"}
        printed: dict[str, list[str]] = {name: [] for name in writers}
        for stop, (name, process) in enumerate(writers.items()):
            assert process.stdout is not None
            for _ in range(10 + 7 * stop + turn):
                printed[name].append(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
        for name, process in writers.items():
            printed[name] += process.communicate()[0].splitlines(keepends=True)
            whole = [line.strip() for line in printed[name] if line.endswith("\n")]
            told |= {f"{name}-{number}" for number in whole if number != "open"}
    log = AuditLog(path)
    log.append(Entry("request", request_id="after"))
    verdict = verify(path)
    assert verdict.fault is None
    kept = [record.get("request_id") for record in _records(path)]
    assert told <= set(kept)
    assert kept[-1] == "after"
    assert len([name for name in kept if name]) == len({name for name in kept if name})


def test_a_full_disk_leaves_whole_lines_alone(path: Path) -> None:
    _filled(path, 3)
    whole = path.read_bytes()
    code = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from service.audit import AuditLog, Entry\nfrom service.errors import AuditError\n"
        "log = AuditLog(Path(sys.argv[1]))\nlimit = int(sys.argv[2])\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "try:\n    log.append(Entry('request'))\n"
        "except AuditError as error:\n    print(error.message)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(path), str(len(whole) + 40)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("the audit log can't be written: ")
    assert path.read_bytes() == whole
    AuditLog(path).append(Entry("request"))
    assert verify(path).lines == 4


def test_an_error_after_writing_takes_the_line_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = _filled(path, 2)
    whole = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(AuditError, match="No space left"):
            log.append(Entry("request"))
    assert path.read_bytes() == whole
    log.append(Entry("request"))
    assert verify(path).fault is None


def test_what_can_not_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(AuditError, match="can't be written"):
        AuditLog(tmp_path / "file" / "audit.jsonl")
    with pytest.raises(AuditError, match="can't be read"):
        verify(tmp_path / "none.jsonl")


def test_no_member_can_hold_an_amount_or_a_reference() -> None:
    names = {*Entry.__slots__, *Outcome.__slots__}
    assert names == {
        *("event", "key_id", "key", "client", "request_id", "method", "route", "status", "code"),
        *("scopes", "outcome", "decision", "reject_reason", "model_version", "image_sha256"),
        *("batch", "items", "item"),
    }
