"""Pen-Based Recognition of Handwritten Digits (UCI): UNIPEN text, 30 + 14 Turkish writers."""

import gzip
import re
from pathlib import Path

import numpy as np

from training.data.folder import data_file
from training.data.glyphs import GlyphSet, Stroke
from training.data.splits import split_of

_SEGMENT = re.compile(r"\.SEGMENT\s+DIGIT\s+\S+\s+\S+\s+\"(\d)\"")


def load_pendigits(folder: Path) -> GlyphSet:
    """7,494 + 3,498 digits as strokes; the official test writers are test."""
    strokes: list[tuple[Stroke, ...]] = []
    labels: list[str] = []
    writers: list[str] = []
    for part in ("tra", "tes"):
        raw = data_file(folder, f"pendigits/pendigits-orig.{part}.gz").read_bytes()
        for label, writer, pen in parse(gzip.decompress(raw).decode("latin-1")):
            labels.append(label)
            writers.append(f"{part}-{writer}")
            strokes.append(pen)
    return GlyphSet(
        name="pendigits",
        images=None,
        strokes=tuple(strokes),
        labels=tuple(labels),
        writers=tuple(writers),
        splits=tuple(split_of("pendigits", w) for w in writers),
    )


def parse(text: str) -> list[tuple[str, str, tuple[Stroke, ...]]]:
    """(label, writer, strokes) of every segment of a UNIPEN text with inline pen data.

    The comment after a segment is its label, writer and place, as this set has it. Strokes are
    f32 [points, 2], y downward.
    """
    found: list[tuple[str, str, tuple[Stroke, ...]]] = []
    label, writer = "", ""
    pen: list[list[tuple[float, float]]] = []
    down = False
    for line in [*text.splitlines(), '.SEGMENT DIGIT - ? "0"']:
        if line.startswith(".SEGMENT"):
            if label and pen:
                found.append((label, writer, tuple(np.asarray(p, np.float32) for p in pen if p)))
            match = _SEGMENT.match(line)
            label, writer, pen = (match.group(1) if match else ""), "", []
        elif line.startswith(".COMMENT"):
            writer = line.split()[2]
        elif line.startswith(".PEN_DOWN"):
            down = True
            pen.append([])
        elif line.startswith("."):
            down = False
        elif down and line.strip():
            x, y = line.split()[:2]
            pen[-1].append((float(x), -float(y)))
    return found
