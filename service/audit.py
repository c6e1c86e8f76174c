"""The audit log: who asked what, when, with what outcome, in a chain that shows what was changed.

One JSON object a line; `prev` is the SHA-256 of the line before, without its line end. Whoever
changes, drops, adds or moves a line breaks the chain there. What a chain alone can't show is that
its last lines are missing, or that somebody wrote all of it anew: for that, keep the hash of a
last line elsewhere (the service logs it when it starts and stops) and verify against it.

The members are a closed set, so that no amount, reference, account number or image can get in. The
SHA-256 of an image tells nothing of it to who doesn't hold the image.
"""

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from service.access.keys import Key
from service.errors import AuditError

logger = logging.getLogger(__name__)

START: Final = "0" * 64
_MAX_LINE: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a request, as far as a log may know it.

    items: cheques that a batch took. batch: its id; item: the number of one of its items.
    image_sha256: of the file as received.
    """

    decision: str | None = None
    reject_reason: str | None = None
    model_version: str | None = None
    image_sha256: str | None = None
    batch: str | None = None
    items: int | None = None
    item: int | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """One event: a request under /v1, a key made or revoked, a service started or stopped.

    key_id, key: of the key that asked, or that was made or revoked; key is its name. client: the
    address that asked. status: of HTTP, 499 where the caller had left. code: of the problem.
    """

    event: str
    key_id: str | None = None
    key: str | None = None
    client: str | None = None
    request_id: str | None = None
    method: str | None = None
    route: str | None = None
    status: int | None = None
    code: str | None = None
    scopes: tuple[str, ...] | None = None
    outcome: Outcome = Outcome()

    def members(self) -> dict[str, Any]:
        """Its members for JSON, those of the outcome among them, without those unset."""
        pairs = [
            *((name, getattr(self, name)) for name in _OF_ENTRY),
            *((name, getattr(self.outcome, name)) for name in _OF_OUTCOME),
        ]
        return {name: value for name, value in pairs if value is not None}


_OF_ENTRY: Final = tuple(one.name for one in fields(Entry) if one.name != "outcome")
_OF_OUTCOME: Final = tuple(one.name for one in fields(Outcome))


def key_added(key: Key) -> Entry:
    """The entry of a key that was made."""
    return Entry("key.added", key_id=key.id, key=key.name, scopes=tuple(sorted(key.scopes)))


@dataclass(frozen=True, slots=True)
class _Tail:
    """The end of a log: how many whole lines, their bytes, the hash of the last, what is torn."""

    lines: int
    size: int
    head: str
    torn: bytes


class AuditLog:
    """Appends to a log that any number of processes and threads append to at the same time.

    A line is on the disk when `append` returns. A process that is killed while it writes leaves a
    torn line at worst, after whole ones that nobody was answered for either; whoever appends next
    takes the torn one out, and says so in the log.
    """

    def __init__(self, path: Path) -> None:
        """Open the log, made and repaired where needed; raises AuditError."""
        self.path = path
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(error) from None
        with self._opened() as file:
            _repair(file)

    def append(self, *entries: Entry) -> str:
        """Append entries, one or more; returns the last line's hash.

        They are brought to the disk together, which takes as long as it does for one. May block;
        raises AuditError, all or nothing: what could not be written whole is taken back, so that
        the log stays in order.
        """
        with self._opened() as file:
            tail = _repair(file)
            lines, number, head = [], tail.lines, tail.head
            for entry in entries:
                line = _line(number, head, entry.members())
                lines.append(line)
                number, head = number + 1, _hash(line[:-1])
            _write(file, tail.size, b"".join(lines))
            return head

    def head(self) -> str:
        """The hash of the last line."""
        with self._opened() as file:
            return _tail(file).head

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                fcntl.flock(file, fcntl.LOCK_EX)
                yield file
            finally:
                os.close(file)
        except OSError as error:
            raise _unwritable(error) from None


def _repair(file: int) -> _Tail:
    tail = _tail(file)
    if not tail.torn:
        return tail
    logger.warning(
        "the audit log ended in a torn line of %d bytes, which is taken out", len(tail.torn)
    )
    os.ftruncate(file, tail.size)
    event = {
        "event": "audit.repaired",
        "torn_bytes": len(tail.torn),
        "torn_sha256": _hash(tail.torn),
    }
    _write(file, tail.size, _line(tail.lines, tail.head, event))
    return _tail(file)


def _tail(file: int) -> _Tail:
    size = os.fstat(file).st_size
    end = os.pread(file, 2 * _MAX_LINE, max(0, size - 2 * _MAX_LINE))
    whole, newline, torn = end.rpartition(b"\n")
    if not newline:
        if size > len(end):
            raise AuditError("the audit log does not end in lines")
        return _Tail(0, 0, START, end)
    last = whole.rpartition(b"\n")[2]
    try:
        lines = int(json.loads(last)["seq"])
    except (ValueError, TypeError, KeyError):
        raise AuditError("the last line of the audit log is none of its own") from None
    return _Tail(lines, size - len(torn), _hash(last), torn)


def _line(lines: int, head: str, members: Mapping[str, Any]) -> bytes:
    """The line after so many, the last of which has the hash head."""
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {"seq": lines + 1, "time": now, "prev": head, **members}
    line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
    if len(line) > _MAX_LINE:
        raise AuditError("an entry is too long for the audit log")
    return line


def _write(file: int, at: int, lines: bytes) -> None:
    try:
        written = 0
        while written < len(lines):
            written += os.pwrite(file, lines[written:], at + written)
        os.fsync(file)
    except OSError:
        os.ftruncate(file, at)
        raise


def _hash(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()


def _unwritable(error: OSError) -> AuditError:
    return AuditError(f"the audit log can't be written: {error.strerror or 'unknown reason'}")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a log found: its whole lines in order, the last one's hash, what is wrong.

    fault: where the chain breaks and how, None where it does not. Lines from there on are not
    counted.
    """

    lines: int
    head: str
    fault: str | None = None


def verify(path: Path, known: str | None = None) -> Verdict:
    """Check the chain of a log from its first line.

    known: hash of a line, kept elsewhere, that must be among its lines. Raises AuditError where the
    file can't be read.
    """
    try:
        with path.open("rb") as file:
            return _follow(iter(lambda: file.readline(_MAX_LINE + 1), b""), known)
    except OSError as error:
        reason = error.strerror or "unknown reason"
        raise AuditError(f"the audit log can't be read: {reason}") from None


def _follow(lines: Iterator[bytes], known: str | None) -> Verdict:
    count, head, seen = 0, START, known is None
    for line in lines:
        fault = _fault(line, count + 1, head)
        if fault is not None:
            return Verdict(count, head, f"line {count + 1}: {fault}")
        count, head = count + 1, _hash(line[:-1])
        seen = seen or head == known
    if not seen:
        return Verdict(count, head, "the known line is missing: lines were cut off or rewritten")
    return Verdict(count, head)


def _fault(line: bytes, number: int, head: str) -> str | None:
    if not line.endswith(b"\n"):
        return "too long" if len(line) > _MAX_LINE else "torn, it has no end"
    try:
        record = json.loads(line)
        seq, prev = record["seq"], record["prev"]
    except (ValueError, TypeError, KeyError):
        return "not a line of an audit log"
    if seq != number:
        return f"numbered {seq}" if isinstance(seq, int) else "not numbered"
    if prev != head:
        return (
            "does not start a log"
            if number == 1
            else "does not follow the line before it; one of the two was changed"
        )
    return None
