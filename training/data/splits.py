"""Which writer is in which split, fixed once.

splits.json was made by `draw` and is the only authority afterwards: a writer who is not in it is
an error, so that a changed set cannot move a writer from test to train unseen.
"""

import hashlib
import json
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from training.data.glyphs import SPLITS, Split

_FILE = Path(__file__).with_name("splits.json")


def split_of(name: str, writer: str) -> Split:
    """The split of one writer of one set; raises KeyError for a writer not written down."""
    return _table()[name][writer]


def draw(name: str, writer: str, valid: float = 0.1, test: float = 0.2) -> Split:
    """The split that a stable hash of set and writer gives; valid and test are shares."""
    digest = hashlib.sha256(f"{name}/{writer}".encode()).digest()
    place = int.from_bytes(digest[:8], "big") / 2.0**64
    return "test" if place < test else "valid" if place < test + valid else "train"


def by_blocks(count: int, block: int, valid: int, test: int, out_of: int) -> tuple[Split, ...]:
    """Splits where writers are unknown: neighbouring samples share one.

    Of every out_of blocks of `block` samples, the first `test` are test, the next `valid` valid.
    """
    places = [(i // block) % out_of for i in range(count)]
    return tuple("test" if p < test else "valid" if p < test + valid else "train" for p in places)


def write_down(writers: dict[str, Iterable[str]]) -> None:
    """Draw every writer's split and write splits.json; writers already there keep theirs."""
    table = _table() if _FILE.exists() else {}
    for name, people in writers.items():
        known = table.setdefault(name, {})
        for writer in people:
            known.setdefault(writer, draw(name, writer))
    grouped = {
        name: {s: sorted(w for w, is_in in people.items() if is_in == s) for s in SPLITS}
        for name, people in sorted(table.items())
    }
    _FILE.write_text(json.dumps(grouped, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    _table.cache_clear()


@cache
def _table() -> dict[str, dict[str, Split]]:
    grouped: dict[str, dict[Split, list[str]]] = json.loads(_FILE.read_text(encoding="utf-8"))
    return {
        name: {writer: split for split in SPLITS for writer in people[split]}
        for name, people in grouped.items()
    }
