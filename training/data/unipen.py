"""UNIPEN train_r01_v07, repacked as one JSON object a line with its pen-down strokes."""

import gzip
import json
from pathlib import Path

import numpy as np

from training.data.folder import data_file
from training.data.glyphs import GlyphSet, Stroke
from training.data.splits import split_of


def load_unipen_digits(folder: Path) -> GlyphSet:
    """Category 1a: 15,380 isolated digits of about 205 writers."""
    return _load(folder, "unipen_digits", "1a_isolated_digits")


def load_unipen_symbols(folder: Path) -> GlyphSet:
    """Category 1d: 13,996 isolated punctuation marks and symbols."""
    return _load(folder, "unipen_symbols", "1d_isolated_symbols")


def load_unipen_strings(folder: Path) -> GlyphSet:
    """Category 7: number strings and number words; the label is the whole string."""
    return _load(folder, "unipen_strings", "7_number_strings_and_words")


def load_unipen_text(folder: Path) -> GlyphSet:
    """Category 8: text lines with digits or amounts; the label is the whole line."""
    return _load(folder, "unipen_text", "8_text_with_amounts")


def writer_key(contributor: str, writer: str) -> str:
    """One key a person: Apple's apa to ape share their people, so they share their keys."""
    return f"ap/{writer}" if contributor.startswith("ap") else f"{contributor}/{writer}"


def _load(folder: Path, name: str, file: str) -> GlyphSet:
    strokes, labels, writers = [], [], []
    with gzip.open(data_file(folder, f"unipen/{file}.jsonl.gz"), "rt", encoding="utf-8") as lines:
        for line in lines:
            held = json.loads(line)
            strokes.append(tuple(_upright(s) for s in held["strokes"] if s))
            labels.append(str(held["label"]))
            writers.append(writer_key(held["contrib"], held["writer"]))
    return GlyphSet(
        name=name,
        images=None,
        strokes=tuple(strokes),
        labels=tuple(labels),
        writers=tuple(writers),
        splits=tuple(split_of("unipen", w) for w in writers),
    )


def _upright(points: list[list[float]]) -> Stroke:
    """Points of the tablet (y upward) with y downward."""
    upright = np.asarray(points, np.float32)
    upright[:, 1] *= -1
    return upright
