"""The command `submit`: uploads a folder as a batch, waits for it, writes its results."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NoReturn
from uuid import uuid4

import httpx

from service.errors import ChequeReaderError

_TIMEOUT: Final = httpx.Timeout(60.0, read=600.0)
_ATTEMPTS: Final = 5
_PIECE: Final = 1 << 18
_POLL_SECONDS: Final = 1.0


class SubmitError(ChequeReaderError):
    """The service did not take a batch, or can't be reached."""

    code = "not_submitted"


@dataclass(frozen=True, slots=True)
class Service:
    """A service to submit to: its URL, and the key for it where it asks for one."""

    url: str
    key: str | None

    def client(self) -> httpx.Client:
        """A client of the service."""
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        try:
            return httpx.Client(base_url=self.url, headers=headers, timeout=_TIMEOUT)
        except (httpx.InvalidURL, ValueError):
            raise SubmitError("--url is no URL") from None


def submit(
    service: Service, files: list[Path], parameters: dict[str, str], sent: Callable[[int], None]
) -> str:
    """Upload files as one batch and return its id; sent: told the bytes of each piece.

    Sent again under the same Idempotency-Key where the connection breaks. Raises SubmitError.
    """
    boundary = uuid4().hex
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}",
        "Content-Length": str(_length(files, boundary)),
        "Idempotency-Key": uuid4().hex,
    }
    with service.client() as client:
        for attempt in range(_ATTEMPTS):
            try:
                answer = client.post(
                    "/v1/batches",
                    params=parameters,
                    headers=headers,
                    content=_body(files, boundary, sent),
                )
            except httpx.HTTPError as error:
                if attempt == _ATTEMPTS - 1:
                    _unreachable(error)
            else:
                if answer.status_code not in (409, 429, 502, 503, 504):
                    return str(_document(answer)["id"])
                if attempt == _ATTEMPTS - 1:
                    _document(answer)
            time.sleep(2.0**attempt)
    raise SubmitError("the service did not take the batch")


def follow(service: Service, batch: str) -> Iterator[dict[str, Any]]:
    """The state of a batch, again and again until it has ended; raises SubmitError."""
    failures = 0
    with service.client() as client:
        while True:
            try:
                document = _document(client.get(f"/v1/batches/{batch}"))
            except httpx.HTTPError as error:
                failures += 1
                if failures == _ATTEMPTS:
                    _unreachable(error)
            else:
                failures = 0
                yield document
                if document["state"] != "running":
                    return
            time.sleep(_POLL_SECONDS)


def save(service: Service, batch: str, target: Path) -> None:
    """Write the results of a batch as CSV; raises SubmitError."""
    try:
        with (
            service.client() as client,
            client.stream("GET", f"/v1/batches/{batch}/results.csv") as answer,
        ):
            if answer.status_code != 200:
                answer.read()
                _document(answer)
            with target.open("wb") as file:
                for piece in answer.iter_bytes():
                    file.write(piece)
    except httpx.HTTPError as error:
        _unreachable(error)
    except OSError as error:
        raise SubmitError(f"{target} can't be written: {error.strerror}") from None


def _document(answer: httpx.Response) -> dict[str, Any]:
    """The JSON of an answer; raises SubmitError with what a problem says."""
    try:
        document = answer.json()
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise SubmitError(f"the service answered {answer.status_code}, and no JSON")
    if not answer.is_success:
        detail = document.get("detail", "")
        raise SubmitError(f"the service answered {answer.status_code}: {detail}")
    return document


def _unreachable(error: httpx.HTTPError) -> NoReturn:
    raise SubmitError(f"the service can't be reached: {type(error).__name__}") from None


def _body(files: list[Path], boundary: str, sent: Callable[[int], None]) -> Iterator[bytes]:
    for file in files:
        yield _head(file, boundary)
        with file.open("rb") as stream:
            while piece := stream.read(_PIECE):
                yield piece
                sent(len(piece))
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode()


def _head(file: Path, boundary: str) -> bytes:
    name = file.name.translate({ord('"'): '\\"', ord("\\"): "\\\\", 13: "_", 10: "_"})
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="image"; filename="{name}"'
    return f"{head}\r\nContent-Type: application/octet-stream\r\n\r\n".encode(
        errors="surrogateescape"
    )


def _length(files: list[Path], boundary: str) -> int:
    around = sum(len(_head(file, boundary)) + 2 for file in files)
    return around + sum(file.stat().st_size for file in files) + len(boundary) + 6
