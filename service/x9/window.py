"""A stream seen through a window: bounded memory, however large or wrong its lengths are."""

from typing import Final, Protocol

# Larger pieces of memory cost more to get from the system than they save.
_AT_ONCE: Final = 1 << 16


class SupportsRead(Protocol):
    """A stream that can be read."""

    def read(self, size: int, /) -> bytes | None:
        """At most `size` bytes; none at the end."""
        ...


class Window:
    """What of a stream is in memory: `data`, all before `at` dealt with already."""

    def __init__(self, stream: SupportsRead) -> None:
        self._stream = stream
        self._base = 0
        self._ended = False
        self.data = b""
        self.at = 0

    @property
    def offset(self) -> int:
        """Where in the stream `at` is."""
        return self._base + self.at

    def ensure(self, size: int) -> int:
        """Read until `size` bytes follow `at`, or the stream has ended; how many there are."""
        here = len(self.data) - self.at
        if here >= size or self._ended:
            return here
        pieces = [self.data[self.at :]]
        while here < size:
            piece = self._stream.read(max(_AT_ONCE, size - here))
            if not piece:
                self._ended = True
                break
            pieces.append(piece)
            here += len(piece)
        self._base += self.at
        self.at = 0
        self.data = b"".join(pieces)
        return here

    def take(self, size: int) -> bytes:
        """The next bytes, which are then dealt with."""
        taken = self.data[self.at : self.at + size]
        self.at += len(taken)
        return taken
