"""Measures the parser: `python -m tests.x9.bench [ITEMS]` (images are left alone).

Writes a file of 5,000 items, reads it back and compares, then parses it and one ten times as long:
MB a second of CPU time, and how much more memory the longer one takes.
"""

import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

from service.x9.letter import CashLetterFile
from tests.x9.made import Made, padded, write


def _written(path: Path, items: int) -> None:
    with path.open("wb") as file:
        write(file, [Made(1000 + n, padded(12_000), padded(6_000)) for n in range(items)])


def _identical(path: Path, items: int) -> None:
    with path.open("rb") as file, path.open("rb") as again:
        for record in CashLetterFile(file).records():
            assert again.read(len(record.raw)) == record.raw
        assert again.read(1) == b""
    with path.open("rb") as file:
        letter = CashLetterFile(file)
        amounts = [item.amount_minor for item in letter.items()]
    assert amounts == [1000 + n for n in range(items)]
    assert letter.report.by_code == {}


def _parsed(path: Path) -> tuple[float, int]:
    """MB a second of CPU time, and the most memory so far in MiB."""
    started = time.process_time()
    with path.open("rb") as file:
        count = sum(1 for _ in CashLetterFile(file).items())
    seconds = time.process_time() - started
    assert count
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return path.stat().st_size / 1e6 / seconds, memory


def main() -> None:
    """Run from the command line."""
    items = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
    with tempfile.TemporaryDirectory() as folder:
        short, long = Path(folder, "short.x937"), Path(folder, "long.x937")
        _written(short, items)
        _identical(short, items)
        sys.stdout.write(f"{items} items written and read back: identical\n")
        for path, count in ((short, items), (long, 10 * items)):
            if path == long:
                with path.open("wb") as file:
                    for _ in range(10):
                        with short.open("rb") as one:
                            shutil.copyfileobj(one, file)
            best = max(_parsed(path) for _ in range(3))
            sys.stdout.write(f"{count} items: {best[0]:.0f} MB/s, {best[1]} MiB at most\n")


if __name__ == "__main__":
    main()
