"""Where the images of batches lie: one file a batch, under a random name, written once.

One file instead of one an image: a batch of ten thousand is as durable after one fsync, is removed
by one unlink, and what a form brings in needs no copying. An item is a range of bytes in it.
"""

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from service.errors import ConfigurationError, StorageFullError

_FULL: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Bodies(Protocol):
    """Files of images that every process of the service sees once they are kept.

    Methods raise StorageFullError where there is no room, StorageUnavailableError where what keeps
    the files can't be reached.
    """

    def check_space(self, size: int) -> None:
        """Raise StorageFullError where `size` more bytes would not leave the reserve free."""
        ...

    def create(self) -> tuple[str, BinaryIO]:
        """A new file, open for writing and reading, and its name."""
        ...

    def keep(self, name: str, file: BinaryIO) -> None:
        """Make a file that was created here as durable as it gets, and seen by all."""
        ...

    def read(self, name: str, start: int, size: int) -> bytes | None:
        """A part of a file that was kept; None where the file, or the end of the part, is gone."""
        ...

    def remove(self, name: str) -> None:
        """Remove a file, which may be gone already, or never have been kept."""
        ...

    def older_than(self, seconds: float) -> list[str]:
        """Names of the files that nothing has been written to for some time."""
        ...


class Folder:
    """Bodies as files of a folder. reserve: bytes that are left free on its disk, for results."""

    def __init__(self, folder: Path, *, reserve: int, setting: str = "CHEQUE_DATA_DIR") -> None:
        """Raises ConfigurationError, which names the setting, where the folder can't be used."""
        self._folder = folder
        self._reserve = reserve
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise ConfigurationError(f"{setting} can't be used: {error.strerror}") from None
        if not os.access(folder, os.W_OK):
            raise ConfigurationError(f"{setting} can't be written to")

    def check_space(self, size: int) -> None:
        """Raise StorageFullError where `size` more bytes would not leave the reserve free."""
        if shutil.disk_usage(self._folder).free < size + self._reserve:
            raise StorageFullError("there is no room for the batch on the disk")

    def create(self) -> tuple[str, BinaryIO]:
        """A new file and its name; raises StorageFullError."""
        name = secrets.token_hex(16)
        with full_disk():
            descriptor = os.open(self.path(name), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        return name, os.fdopen(descriptor, "w+b", buffering=0)

    def keep(self, name: str, file: BinaryIO) -> None:  # noqa: ARG002 - it lies where it is kept
        """Bring a file and its name to the disk itself; raises StorageFullError."""
        with full_disk():
            os.fsync(file.fileno())
            descriptor = os.open(self._folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)

    def read(self, name: str, start: int, size: int) -> bytes | None:
        """A part of a file."""
        try:
            with self.path(name).open("rb") as file:
                file.seek(start)
                data = file.read(size)
        except FileNotFoundError:
            return None
        return data if len(data) == size else None

    def remove(self, name: str) -> None:
        """Remove a file, which may be gone already."""
        self.path(name).unlink(missing_ok=True)

    def older_than(self, seconds: float) -> list[str]:
        """Names of the files that nothing has been written to for some time."""
        limit = time.time() - seconds
        names = []
        for path in self._folder.iterdir():
            try:
                if path.stat().st_mtime < limit:
                    names.append(path.name)
            except FileNotFoundError:
                continue
        return names

    def path(self, name: str) -> Path:
        """Where a file lies."""
        return self._folder / name


@contextmanager
def full_disk() -> Iterator[None]:
    """Turn an OSError for want of space into StorageFullError."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFullError("the disk is full") from None
        raise
