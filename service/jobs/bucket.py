"""Batches' images in an S3-compatible bucket: one object a batch, read by ranges of its bytes.

A batch is received into a local file, where its items are found, and uploaded before it is
accepted; the local file is gone by then. Credentials and region come from the variables that every
S3 client takes (AWS_ACCESS_KEY_ID, AWS_REGION, ...), or from the machine's role.
"""

import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from typing import Any, BinaryIO, Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from service.errors import ConfigurationError, StorageUnavailableError
from service.jobs.bodies import Folder

logger = logging.getLogger(__name__)

SCHEME: Final = "s3://"
_PART_BYTES: Final = 8 << 20
_PARTS_AT_ONCE: Final = 2
_LONGEST_LOGGED: Final = 300
_CLIENT: Final[Any] = {"connect_timeout": "5s", "timeout": "60s"}
_RETRY: Final[Any] = {
    "max_retries": 5,
    "retry_timeout": timedelta(seconds=60),
    "backoff": {"init_backoff": timedelta(seconds=0.1), "max_backoff": timedelta(seconds=5)},
}
_AT_START: Final[Any] = {**_RETRY, "max_retries": 2, "retry_timeout": timedelta(seconds=10)}


class Bucket:
    """Bodies as objects of a bucket.

    An upload holds at most 16 MB in memory. What a killed process leaves of one is a matter for the
    bucket's rule on incomplete uploads.
    """

    def __init__(self, url: str, spool: Folder, *, endpoint: str | None, orphan: float) -> None:
        """url: s3://bucket or s3://bucket/prefix. spool: where batches are received.

        endpoint: of a server other than Amazon's, https, or http where it says so.
        orphan: seconds after which a file in the spool belongs to no upload that still runs.
        Raises ConfigurationError where the bucket can't be written to, read and emptied.
        """
        parts = urlsplit(url)
        if not parts.netloc or parts.query or parts.fragment or "@" in parts.netloc:
            raise ConfigurationError("CHEQUE_IMAGES must be a folder, or s3://bucket/prefix")
        self._bucket = parts.netloc
        self._prefix = parts.path.strip("/") or None
        self._spool = spool
        self._endpoint = endpoint
        try:
            self._try_out()
            self._store = self._connect(_RETRY)
        except (BaseError, OSError) as error:
            logger.error("the bucket can't be used: %s", _reason(error))
            raise ConfigurationError(
                f"the bucket of CHEQUE_IMAGES can't be used ({type(error).__name__}); the AWS_ "
                "variables say where it is and who asks"
            ) from None
        for name in spool.older_than(orphan):
            spool.remove(name)

    def check_space(self, size: int) -> None:
        """Raise StorageFullError where the spool has no room."""
        self._spool.check_space(size)

    def create(self) -> tuple[str, BinaryIO]:
        """A file in the spool, and its name, which is the object's; raises StorageFullError."""
        return self._spool.create()

    def keep(self, name: str, file: BinaryIO) -> None:
        """Upload a file, and take it out of the spool; raises StorageUnavailableError."""
        file.seek(0)
        with _translated():
            obstore.put(
                self._store,
                name,
                file,
                chunk_size=_PART_BYTES,
                max_concurrency=_PARTS_AT_ONCE,
            )
        self._spool.remove(name)

    def read(self, name: str, start: int, size: int) -> bytes | None:
        """A part of an object; raises StorageUnavailableError."""
        if size == 0:
            return b""
        with _translated():
            try:
                data = bytes(obstore.get_range(self._store, name, start=start, length=size))
            except FileNotFoundError:
                return None
            except BaseError:
                # To ask for what lies behind the end is an error of no class of its own.
                if obstore.head(self._store, name)["size"] <= start:
                    return None
                raise
        return data if len(data) == size else None

    def remove(self, name: str) -> None:
        """Remove an object, which may be gone already; raises StorageUnavailableError."""
        self._spool.remove(name)
        with _translated(), suppress(FileNotFoundError):
            obstore.delete(self._store, name)

    def older_than(self, seconds: float) -> list[str]:
        """Names of objects, and of what is left in the spool; raises StorageUnavailableError."""
        limit = datetime.now(UTC) - timedelta(seconds=seconds)
        names = self._spool.older_than(seconds)
        with _translated():
            for page in obstore.list(self._store):
                names += [one["path"] for one in page if one["last_modified"] < limit]
        return names

    def _connect(self, retry: Any) -> S3Store:
        there: Any = {"endpoint": self._endpoint} if self._endpoint else {}
        in_clear = self._endpoint is not None and self._endpoint.startswith("http:")
        client: Any = {**_CLIENT, "allow_http": in_clear}
        return S3Store(
            self._bucket,
            prefix=self._prefix,
            config=there,
            client_options=client,
            retry_config=retry,
        )

    def _try_out(self) -> None:
        """Write, read, list and remove an object, as the service will do."""
        store = self._connect(_AT_START)
        name = f"probe-{secrets.token_hex(8)}"
        obstore.put(store, name, b"cheque-reader")
        obstore.get_range(store, name, start=0, length=1)
        next(iter(obstore.list(store)), None)
        obstore.delete(store, name)


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except (BaseError, OSError) as error:
        logger.error("the bucket can't be used: %s", _reason(error))
        raise StorageUnavailableError("the bucket of the images can't be reached") from None


def _reason(error: BaseException) -> str:
    """What the bucket says, in one line; it knows nothing of cheques."""
    return " ".join(str(error).split())[:_LONGEST_LOGGED] or type(error).__name__
