"""Fuzzes the parser of cash letters: damaged files, spliced files, rubbish.

    python -m tests.x9.fuzz [INPUTS] [FIRST]

Every input is read to its end, record by record, which must give its bytes back, and item by item;
of some a copy is made too. Nothing but a refusal may come of it, in bounded time and memory. The
inputs follow from their numbers, so that a failure can be repeated.
"""

import contextlib
import io
import random
import resource
import sys
import time

from service.errors import InputError
from service.x9.adjust import adjust
from service.x9.layout import Standard
from service.x9.letter import CashLetterFile
from service.x9.record import Encoding
from service.x9.shapes import Framing
from tests.x9.made import Made, every_record, made, padded

_FRAMINGS: tuple[Framing, ...] = ("big-endian", "little-endian", "descriptor", "none")
_ENCODINGS: tuple[Encoding, ...] = ("ebcdic", "ascii")
_STANDARDS: tuple[Standard, ...] = ("x9.37", "x9.100-187")
_SLOWEST = 30.0


def bases() -> list[bytes]:
    """Small good files of every framing, encoding and standard, and of every record in them."""
    items = [Made(100 + n, padded(30 + n)) for n in range(2)]
    ways = [
        (framing, encoding, standard)
        for framing in _FRAMINGS
        for encoding in _ENCODINGS
        for standard in _STANDARDS
    ]
    return [
        found
        for framing, encoding, standard in ways
        for found in (
            made(items, framing=framing, encoding=encoding, standard=standard),
            every_record(framing=framing, encoding=encoding, standard=standard),
        )
    ]


def mutated(number: int, sources: list[bytes]) -> bytes:
    """The input of a number."""
    rng = random.Random(number)
    data = bytearray(rng.choice(sources))
    for _ in range(rng.randint(1, 6)):
        at = rng.randrange(len(data)) if data else 0
        match rng.randrange(8):
            case 0:
                data[at : at + 1] = rng.randbytes(1)
            case 1:
                del data[at : at + rng.randint(1, 120)]
            case 2:
                data[at:at] = rng.randbytes(rng.randint(1, 60))
            case 3:
                other = rng.choice(sources)
                start = rng.randrange(len(other))
                data[at:at] = other[start : start + rng.randint(1, 200)]
            case 4:
                size = rng.choice((0, 1, 2, 79, 81, 0xFFFF, 2**31 - 1, 2**31, 2**32 - 1))
                data[at : at + 4] = size.to_bytes(4, rng.choice(("big", "little")))
            case 5:
                data[at : at + 7] = rng.choice((b"9999999", b"\xf9" * 7, b"-000001", b"       "))
            case 6:
                data[at:] = b""
            case _:
                data[at : at + 80] = bytes(data[at : at + 80]).translate(_SWAP)
    return bytes(data)


def read(data: bytes, *, thorough: bool = True) -> None:
    """Read one input record by record and item by item.

    thorough: its fields too, and copy it with an amount changed.
    Raises AssertionError where its bytes do not come back, or an image is not inside it.
    """
    whole = []
    try:
        for record in CashLetterFile(io.BytesIO(data)).records():
            whole.append(record.raw)
            if thorough:
                record.fields()
    except InputError:
        return
    assert b"".join(whole) == data
    for item in CashLetterFile(io.BytesIO(data)).items():
        for view in item.views:
            assert 0 <= view.start <= view.start + view.size <= len(data)
    if thorough:
        with contextlib.suppress(InputError):
            adjust(io.BytesIO(data), None, {0: 7})


def run(inputs: int, first: int = 0) -> float:
    """Read so many inputs; the CPU seconds that the slowest took."""
    sources = bases()
    slowest = 0.0
    for number in range(first, first + inputs):
        started = time.process_time()
        try:
            read(mutated(number, sources), thorough=number % 8 == 0)
        except Exception:
            sys.stderr.write(f"input {number} failed\n")
            raise
        slowest = max(slowest, time.process_time() - started)
    return slowest


def main() -> None:
    """Run from the command line."""
    inputs = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    done = 0
    slowest = 0.0
    before = 0
    while done < inputs:
        part = min(10_000, inputs - done)
        slowest = max(slowest, run(part, first + done))
        done += part
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
        before = before or memory
        sys.stdout.write(f"{done} inputs, slowest {slowest * 1000:.0f} ms, {memory} MiB at most\n")
        sys.stdout.flush()
    assert slowest < _SLOWEST, "an input took too long"
    assert memory < before + 64, "memory grew"


_SWAP = bytes(range(256)).decode("cp037").encode("latin-1")

if __name__ == "__main__":
    main()
