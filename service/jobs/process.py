"""What a process is called, so that what it leaves behind when killed is found again."""

import fcntl
import os
import re
import secrets
import socket
from pathlib import Path
from typing import Final

from service.errors import ConfigurationError

_SLOTS: Final = 1024
_DRAWN_BYTES: Final = 4
_LONGEST_HOST: Final = 100


class ProcessName:
    """The name of this process, held by a lock that the process's end releases.

    A process that is started again on the same machine and folder gets the name of the one before
    it, and with it that one's work and claims. Part of it was drawn by chance when the folder was
    first used, so that two machines of one name are told apart.
    """

    def __init__(self, folder: Path) -> None:
        """Raises ConfigurationError where the folder can't be used."""
        host = (socket.gethostname() or "host")[:_LONGEST_HOST]
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for slot in range(_SLOTS):
                path = folder / f"process-{slot}.lock"
                file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(file)
                    continue
                self._file = file
                self.name = f"{host}-{slot}-{_drawn(file)}"
                return
        except OSError as error:
            raise ConfigurationError(f"CHEQUE_DATA_DIR can't be used: {error.strerror}") from None
        raise ConfigurationError("too many processes share CHEQUE_DATA_DIR")

    def release(self) -> None:
        """Let another process have the name."""
        os.close(self._file)


def _drawn(file: int) -> str:
    """What was drawn by chance for a locked file, once."""
    said = os.pread(file, 2 * _DRAWN_BYTES, 0).decode("ascii", "replace")
    if not re.fullmatch(f"[0-9a-f]{{{2 * _DRAWN_BYTES}}}", said):
        said = secrets.token_hex(_DRAWN_BYTES)
        os.pwrite(file, said.encode(), 0)
    return said
