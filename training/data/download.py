"""Resumable downloads with checksums, and a record of what came where none is known."""

import hashlib
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import asdict, dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path

_CHUNK = 1 << 16
_TIMEOUT = 60.0
_ATTEMPTS = 4
_RECEIPTS = "receipts.json"

# Told after every chunk: bytes held so far, bytes expected or None.
Report = Callable[[int, int | None], None]


class DownloadError(Exception):
    """A file could not be had, or is not what its checksum says."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was downloaded: url, size in bytes, md5 and sha256; known: md5 was checked."""

    url: str
    size: int
    md5: str
    sha256: str
    known: bool


def download(
    url: str,
    target: Path,
    md5: str | None = None,
    report: Report | None = None,
    pause: float = 1.0,
) -> Receipt:
    """Download url to target, going on where an earlier attempt stopped.

    What is not complete lies beside it as .part. md5: refused where the file differs; where it is
    None the receipt, kept in receipts.json beside the file, says what came, and the same file
    must come again. pause: seconds before the second attempt, doubled for each further one.
    Raises DownloadError.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    expected = md5 or _recorded(target)
    if target.is_file() and expected is not None:
        receipt = _receipt(url, target, md5 is not None)
        if receipt.md5 == expected:
            return receipt
    part = target.with_name(target.name + ".part")
    for attempt in range(_ATTEMPTS):
        try:
            _continue(url, part, report or _silent)
            break
        except urllib.error.HTTPError as error:
            if error.code < 500 or attempt == _ATTEMPTS - 1:
                raise DownloadError(f"{url}: HTTP {error.code}") from error
        except (OSError, HTTPException) as error:
            if attempt == _ATTEMPTS - 1:
                raise DownloadError(f"{url}: {error}") from error
        time.sleep(pause * 2.0**attempt)
    receipt = _receipt(url, part, md5 is not None)
    if expected is not None and receipt.md5 != expected:
        _discard(part)
        raise DownloadError(f"{url}: md5 is {receipt.md5}, not {expected}")
    part.replace(target)
    _validator(part).unlink(missing_ok=True)
    _record(target, receipt)
    return receipt


def _silent(_held: int, _expected: int | None) -> None:
    """No report."""


def _continue(url: str, part: Path, report: Report) -> None:
    """Append what is missing to part; starts anew where the server has another file."""
    held = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": "cheque-training"}
    validator = _validator(part)
    if held and validator.is_file():
        headers |= {"Range": f"bytes={held}-", "If-Range": validator.read_text(encoding="utf-8")}
    request = urllib.request.Request(url, headers=headers)
    try:
        opened = urllib.request.urlopen(request, timeout=_TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code == 416:
            # The part may hold more than the file now has: only a fresh start is sure.
            _discard(part)
            raise ConnectionError("the range could not be satisfied") from error
        raise
    with opened as response:
        _append(response, part, held if response.status == 206 else 0, report)


def _append(response: HTTPResponse, part: Path, held: int, report: Report) -> None:
    """Write a response behind the first held bytes; raises ConnectionError if it ends early."""
    length = response.headers.get("Content-Length")
    expected = None if length is None else held + int(length)
    tag = response.headers.get("ETag") or response.headers.get("Last-Modified")
    if tag and not tag.startswith("W/"):
        _validator(part).write_text(tag, encoding="utf-8")
    else:
        _validator(part).unlink(missing_ok=True)
    with part.open("ab" if held else "wb") as file:
        while chunk := response.read(_CHUNK):
            file.write(chunk)
            held += len(chunk)
            report(held, expected)
    if expected is not None and held < expected:
        raise ConnectionError(f"{expected - held} bytes are missing")


def _validator(part: Path) -> Path:
    return part.with_name(part.name + ".tag")


def _discard(part: Path) -> None:
    part.unlink(missing_ok=True)
    _validator(part).unlink(missing_ok=True)


def _receipt(url: str, path: Path, known: bool) -> Receipt:
    md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            md5.update(chunk)
            sha256.update(chunk)
    return Receipt(url, path.stat().st_size, md5.hexdigest(), sha256.hexdigest(), known)


def _recorded(target: Path) -> str | None:
    """The md5 that an earlier download of this file had."""
    receipts = target.with_name(_RECEIPTS)
    if not receipts.is_file():
        return None
    held = json.loads(receipts.read_text(encoding="utf-8")).get(target.name)
    return None if held is None else str(held["md5"])


def _record(target: Path, receipt: Receipt) -> None:
    receipts = target.with_name(_RECEIPTS)
    held = json.loads(receipts.read_text(encoding="utf-8")) if receipts.is_file() else {}
    held[target.name] = asdict(receipt)
    text = json.dumps(held, indent=1, sort_keys=True) + "\n"
    part = receipts.with_name(receipts.name + ".part")
    part.write_text(text, encoding="utf-8")
    part.replace(receipts)
