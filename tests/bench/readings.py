"""Writes down what the reader reads, or compares two such files: nothing may be lost to speed.

    python tests/bench/readings.py dump [--field-only] [--model FOLDER] --to FILE PATH...
    python tests/bench/readings.py compare BEFORE AFTER

Run ``dump`` with PYTHONPATH at either version. Confidences may differ by 1e-6, boxes by a tenth of
a pixel; everything else must be the same. Exit code 1 where anything differs.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.errors import InputError
from service.pipeline.reader import ChequeReader

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
_CONFIDENCE = 1e-6
_BOX = 0.11
_NOT_COMPARED = ("stages", "model_version", "grammar_version")


def images(paths: list[Path]) -> list[Path]:
    """The images among the paths and in the folders among them, in order of their names."""
    found: list[Path] = []
    for path in paths:
        found += sorted(path.iterdir()) if path.is_dir() else [path]
    return [path for path in found if path.suffix.lower() in SUFFIXES]


def dump(paths: list[Path], to: Path, model: Path, *, field_only: bool) -> None:
    """Write one JSON object a line for each image: its reading, or the code of its error."""
    reader = ChequeReader(model)
    with to.open("w") as file:
        for path in images(paths):
            entry: dict[str, Any] = {"file": f"{path.parent.name}/{path.name}"}
            try:
                entry |= asdict(reader.read(path.read_bytes(), field_only=field_only))
            except InputError as error:
                entry["error"] = error.code
            file.write(json.dumps(entry) + "\n")


def compare(before: Path, after: Path) -> int:
    """Print every difference of two files of readings; how many images differ."""
    old, new = (_load(path) for path in (before, after))
    different = sorted(old.keys() ^ new.keys())
    for name in different:
        _say(f"{name}: read only once")
    for name in sorted(old.keys() & new.keys()):
        found = [
            f"{key}: {old[name].get(key)!r} -> {new[name].get(key)!r}"
            for key in sorted(old[name].keys() | new[name].keys())
            if key not in _NOT_COMPARED and not _same(old[name].get(key), new[name].get(key), key)
        ]
        if found:
            different.append(name)
            _say(f"{name}:\n  " + "\n  ".join(found))
    _say(f"{len(old)} images before, {len(new)} after, {len(different)} differ")
    return len(different)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")


def _load(path: Path) -> dict[str, dict[str, Any]]:
    entries = [json.loads(line) for line in path.read_text().splitlines()]
    return {entry["file"]: entry for entry in entries}


def _same(a: Any, b: Any, key: str) -> bool:
    if isinstance(a, dict) and isinstance(b, dict):
        return a.keys() == b.keys() and all(_same(a[k], b[k], k) for k in a)
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(_same(x, y, key) for x, y in zip(a, b, strict=True))
    if isinstance(a, float) and isinstance(b, float):
        return abs(a - b) <= (_CONFIDENCE if key == "confidence" else _BOX)
    return bool(a == b)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    commands = parser.add_subparsers(dest="command", required=True)
    dumping = commands.add_parser("dump", help="read images and write the readings down")
    dumping.add_argument("paths", nargs="+", type=Path)
    dumping.add_argument("--to", type=Path, required=True)
    dumping.add_argument("--model", type=Path, default=Path("models/amounts/1"))
    dumping.add_argument("--field-only", action="store_true")
    comparing = commands.add_parser("compare", help="compare two files of readings")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    given = parser.parse_args()
    if given.command == "compare":
        return int(compare(given.before, given.after) > 0)
    dump(given.paths, given.to, given.model, field_only=given.field_only)
    return 0


if __name__ == "__main__":
    sys.exit(main())
