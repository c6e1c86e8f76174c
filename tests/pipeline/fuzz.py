"""Reads a great many hostile images: `make fuzz COUNT=200000`.

With atheris, coverage guides what is tried next; where it is not installed, the same changes are
made without it. It ends with exit code 1 at the first input that crashes, takes longer than two
seconds of processor time, or where memory grows; that input, and all that led to something new,
stay in the folder it is started in.
"""

import argparse
import hashlib
import importlib
import os
import resource
import sys
from collections.abc import Callable
from pathlib import Path
from random import Random
from time import monotonic
from types import ModuleType
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from tests.pipeline import hostile  # noqa: E402 - run as a script, from any folder

MOST_BYTES = 32 * 1024
GROWTH = 64 * 1024 * 1024
HANG_SECONDS = 60


class Trial:
    """Checks inputs, one after another, and watches time and memory."""

    def __init__(self, reader: hostile.Reader, count: int) -> None:
        self._reader = reader
        self._count = count
        self.done = 0
        self._read = 0
        self._slowest = (0.0, b"")
        self._started = monotonic()
        self._first = 0
        self._last = 0

    def __call__(self, data: bytes) -> None:
        """Check one input; ends the process after the last."""
        try:
            seconds = hostile.check(self._reader, data)
        except BaseException:
            Path(f"hostile-{_name(data)}").write_bytes(data)
            _say(f"input {self.done + 1} is kept as hostile-{_name(data)}")
            raise
        self.done += 1
        self._read += seconds > 0.002
        self._slowest = max(self._slowest, (seconds, data))
        if self.done % max(1, self._count // 10) == 0:
            self._last = _resident()
            self._first = self._first or self._last
            _say(
                f"{self.done} inputs, {monotonic() - self._started:.0f} s, "
                f"{self._last >> 20} MB, at most {_peak() >> 20} MB; "
                f"slowest {self._slowest[0]:.2f} s"
            )
        if self.done == self._count:
            self._end()

    def _end(self) -> None:
        slow = self._slowest[1]
        _say(
            f"{self.done} inputs, none crashed or hung; {self._read} took over 2 ms; slowest "
            f"{self._slowest[0]:.2f} s ({len(slow)} bytes, begins {slow[1:9].hex()}); memory "
            f"{self._first >> 20} MB after a tenth, {self._last >> 20} MB at the end, "
            f"at most {_peak() >> 20} MB"
        )
        grown = self._last - self._first > GROWTH
        if grown:
            _say("memory grew")
        os._exit(int(grown))  # libFuzzer has no other way to be ended from inside


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _name(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def _atheris() -> ModuleType | None:
    """The fuzzer, the parsers being imported as it wants them, or None where it is not installed.

    The parsers alone: what it puts into code leaks a little memory each time that this runs.
    """
    try:
        import atheris
    except ImportError:
        return None
    for name in [name for name in sys.modules if name.startswith("service.pipeline")]:
        del sys.modules[name]
    for name in ("service.pipeline.container", "service.pipeline.decode"):
        with atheris.instrument_imports(include=[name]):
            importlib.import_module(name)
    return atheris


def _guided(
    atheris: Any, trial: Callable[[bytes], None], seeds: list[bytes], seed: int, folder: Path
) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for data in seeds:
        (folder / _name(data)).write_bytes(data)

    def change(data: bytes, most: int, number: int) -> bytes:
        random = Random(number)
        if random.random() < 0.3:
            changed = atheris.Mutate(data, most)
            return changed[:1] + hostile.with_sums(changed[1:])[: most - 1]
        # Half of them from what can be read: most of what led to something new can't be.
        start = data if random.random() < 0.5 else random.choice(seeds)
        return hostile.mutated(start, seeds, random)[:most]

    options = [
        f"-seed={seed}", f"-max_len={MOST_BYTES}", f"-timeout={HANG_SECONDS}", "-rss_limit_mb=2048",
        "-print_final_stats=0", "-verbosity=0", "-len_control=0", str(folder),
    ]  # fmt: skip
    atheris.Setup([sys.argv[0], *options], trial, custom_mutator=change)
    atheris.Fuzz()


def _unguided(trial: Trial, seeds: list[bytes], seed: int) -> None:
    random = Random(seed)
    for data in seeds:
        trial(data)
    while True:
        trial(hostile.mutated(random.choice(seeds), seeds, random)[:MOST_BYTES])


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, default=Path("corpus"))
    parser.add_argument("--plain", action="store_true", help="without atheris")
    given = parser.parse_args()
    atheris = None if given.plain else _atheris()
    from service.pipeline.reader import ChequeReader
    from service.settings import load_settings

    trial = Trial(ChequeReader(load_settings().model_dir), given.count)
    if atheris is None:
        _say("without atheris: nothing guides the changes")
        _unguided(trial, hostile.seeds(), given.seed)
    else:
        _guided(atheris, trial, hostile.seeds(), given.seed, given.corpus)


if __name__ == "__main__":
    main()
