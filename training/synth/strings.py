"""Real strings of digits on synthetic paper: for training that needs the string, not its cuts.

UNIPEN's number strings and the amounts in its lines of text hold what glyphs put side by side do
not: digits joined as one person joined them. They are drawn with random pens, on the papers and
with the captures of the synthetic fields.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.pipeline.grammar import MOST_DIGITS, grammar_for
from service.pipeline.rules import RUBBISH
from service.pipeline.search import Lattice, best
from training.data.glyphs import GlyphSet, Split, Stroke
from training.data.unipen import load_unipen_strings, load_unipen_text
from training.synth.capture import sample_settings
from training.synth.field import digit_height, photograph
from training.synth.hand import bent, faded, restless
from training.synth.ink import InkLayer
from training.synth.strokes import Floats, Pen, PenGlyph, draw_strokes, pen_line, sample_pen
from training.synth.templates import templates

SYMBOLS = "0123456789.,-/=*#$£€₹x()%+|NORS"
_LABELS = (*SYMBOLS, RUBBISH)
_UNREAD = 500.0
_WHOLE = re.compile(r"\d+")
_DASHED = re.compile(r"\d+(-\d+)+")
_ENDINGS = ("", ".-", "-", "=", ".", ".=", "/-")
_ENDING_SHARES = (0.62, 0.09, 0.1, 0.07, 0.06, 0.02, 0.04)
_ATTEMPTS = 30
_SLICE = 0.45
# A gap between words is that much wider than any gap within one, and that wide, digit heights.
_SAFELY, _WIDE = 1.6, 0.4
# Widths of a character, digit heights, beyond which label and ink hardly agree.
_NARROWEST, _WIDEST = 0.16, 1.7


@dataclass(frozen=True, slots=True)
class RealString:
    """One real string as a captured crop.

    image: u8 [H, W], ink dark on light. text: one recognizer symbol a character, SPACE left out.
    amount_minor: hundredths, None where the text is no amount. currency: ISO 4217 code, None where
    the writing does not say.
    """

    image: NDArray[np.uint8]
    text: str
    amount_minor: int | None
    currency: str | None


@dataclass(frozen=True, slots=True)
class Piece:
    """A string as one person wrote it: its strokes in digit heights, baseline 0, y downward."""

    text: str
    writer: str
    strokes: PenGlyph


class StringMaker:
    """Makes real strings of one split; every one depends on its seed alone."""

    def __init__(self, pieces: list[Piece]) -> None:
        """Take pieces whose texts are amounts; ValueError where there is none."""
        if not pieces:
            raise ValueError("no string to draw")
        self.pieces = tuple(pieces)
        groups: dict[str, list[Piece]] = defaultdict(list)
        for piece in pieces:
            if _WHOLE.fullmatch(piece.text):
                groups[piece.writer].append(piece)
        self._groups = {writer: tuple(some) for writer, some in groups.items()}
        # Many people wrote the same few short numbers: others shall not drown among them.
        counts: dict[str, int] = defaultdict(int)
        for piece in pieces:
            counts[piece.text] += 1
        weights = np.array([min(len(p.text), 5) * counts[p.text] ** -0.5 for p in pieces])
        self._shares = weights / weights.sum()

    @classmethod
    def load(cls, data: Path, split: Split = "train") -> StringMaker:
        """Make one from the data folder's UNIPEN files; raises DataMissingError without them."""
        held = [load(data).part(split) for load in (load_unipen_strings, load_unipen_text)]
        return cls([piece for some in held for piece in pieces_of(some)])

    def make(self, seed: int) -> RealString:
        """Make the string of a seed."""
        for attempt in range(_ATTEMPTS):
            made = self._attempt(np.random.default_rng([seed, attempt, 7]))
            if made is not None:
                return made
        raise RuntimeError(f"no string visible from seed {seed}")

    def _attempt(self, rng: np.random.Generator) -> RealString | None:
        chosen = self._longer(rng, self.pieces[int(rng.choice(len(self.pieces), p=self._shares))])
        text = "".join(piece.text for piece in chosen)
        meaning = amount_of(text)
        if meaning is None:
            return None
        how = sample_settings(rng)
        height = digit_height(rng) / how.scale
        ink = _draw(rng, chosen, height)
        taken = photograph(rng, ink, height, how, True)
        return None if taken is None else RealString(taken[0], text, *meaning)

    def _longer(self, rng: np.random.Generator, first: Piece) -> list[Piece]:
        """A string, sometimes with another by the same person behind it, or an ending."""
        chosen = [first]
        if not _WHOLE.fullmatch(first.text):
            return chosen
        others = [p for p in self._groups[first.writer] if len(p.text) + len(first.text) <= 7]
        if others and len(first.text) <= 4 and rng.random() < 0.6:
            other = others[int(rng.integers(len(others)))]
            grouped = len(other.text) == 3 and len(first.text) <= 3 and first.text[0] != "0"
            if grouped and rng.random() < 0.6:
                chosen.append(_mark(rng, "," if rng.random() < 0.3 else "."))
            chosen.append(other)
        ending = _ENDINGS[int(rng.choice(len(_ENDINGS), p=_ENDING_SHARES))]
        return [*chosen, *(_mark(rng, symbol) for symbol in ending)]


def pieces_of(held: GlyphSet) -> list[Piece]:
    """The strings of a set that are amounts of at least two symbols and have plausible ink.

    Of a line with spaces only those words are taken that its gaps set apart beyond doubt.
    """
    found = []
    assert held.strokes is not None
    for label, writer, strokes in zip(held.labels, held.writers, held.strokes, strict=True):
        drawn = tuple(s for s in strokes if len(s))
        if not drawn:
            continue
        for text, part in _words(label, drawn):
            size = _digit_size(part)
            wide = float(np.ptp(np.concatenate(part)[:, 0])) / size / max(1, len(text))
            if _NARROWEST <= wide <= _WIDEST and amount_of(text) is not None:
                found.append(Piece(text, writer, pen_line(part, size)))
    return found


def _words(label: str, strokes: tuple[Stroke, ...]) -> list[tuple[str, tuple[Stroke, ...]]]:
    """(text, strokes) of every piece of a line that may be an amount."""
    words = label.split()
    joined = "".join(words)
    if len(words) == 1 and _DASHED.fullmatch(joined):
        numbers = joined.split("-")
        parts = cut_at_dashes(strokes, len(numbers))
        return [(n, part) for n, part in zip(numbers, parts, strict=False) if _likely(n)]
    if len(words) == 1 or all(len(w) == 1 for w in words) or words[:-1] in (["$"], ["#"]):
        return [(joined, strokes)] if _likely(joined) else []
    if not any(_likely(word) for word in words):
        return []
    parts = cut_at_gaps(strokes, len(words))
    return [(word, part) for word, part in zip(words, parts, strict=False) if _likely(word)]


def _likely(text: str) -> bool:
    """Whether it is worth asking the grammar."""
    digits = sum(symbol.isdigit() for symbol in text)
    return digits > 1 and not set(text) - set(SYMBOLS)


def cut_at_gaps(strokes: tuple[Stroke, ...], count: int) -> list[tuple[Stroke, ...]]:
    """Part a line's strokes at its widest gaps into ``count`` words, left to right.

    Empty where that is not safe: where a gap left whole is nearly as wide as one parted at, or
    the line is no line.
    """
    order = sorted(strokes, key=lambda s: float(s[:, 0].min()))
    size = _digit_size(strokes)
    if float(np.ptp(np.concatenate(strokes)[:, 1])) > 3.0 * size:
        return []
    reach = np.maximum.accumulate([float(s[:, 0].max()) for s in order])
    gaps = np.array([float(s[:, 0].min()) for s in order[1:]]) - reach[:-1]
    if count < 2 or len(gaps) < count - 1:
        return []
    widest = np.argsort(-gaps, kind="stable")
    parted, whole = gaps[widest[: count - 1]], gaps[widest[count - 1 :]]
    if parted[-1] < max(_WIDE * size, _SAFELY * max(0.0, *whole, 0.0)):
        return []
    ends = [0, *(int(i) + 1 for i in np.sort(widest[: count - 1])), len(order)]
    return [tuple(order[a:b]) for a, b in pairwise(ends)]


def cut_at_dashes(strokes: tuple[Stroke, ...], count: int) -> list[tuple[Stroke, ...]]:
    """Part the strokes of ``count`` numbers with dashes between them, which are left out.

    Empty where that is not safe: where other strokes than that many look like dashes, or one
    reaches from number to number.
    """
    size, whole = _digit_size(strokes), np.concatenate(strokes)
    middle = float(whole[:, 1].min() + whole[:, 1].max()) / 2
    dashes = [i for i, s in enumerate(strokes) if _is_dash(s, size, middle)]
    if len(dashes) != count - 1:
        return []
    edges = np.sort([float(strokes[i][:, 0].mean()) for i in dashes])
    parts: list[list[Stroke]] = [[] for _ in range(count)]
    for index, stroke in enumerate(strokes):
        if index not in dashes:
            sides = np.searchsorted(edges, [stroke[:, 0].min(), stroke[:, 0].max()])
            if sides[0] != sides[1]:
                return []
            parts[sides[0]].append(stroke)
    return [tuple(part) for part in parts] if all(parts) else []


def _is_dash(stroke: Stroke, size: float, middle: float) -> bool:
    """Whether a stroke is short, flat and at half the height of a line."""
    wide, high = np.ptp(stroke, axis=0)
    aside = abs(float(stroke[:, 1].mean()) - middle)
    return bool(0.12 * size < wide < 1.5 * size and high < 0.35 * wide and aside < 0.35 * size)


def _digit_size(strokes: tuple[Stroke, ...]) -> float:
    """The height of a digit: the median of the taller half of the strokes."""
    heights = np.sort([float(np.ptp(s[:, 1])) for s in strokes])
    size = float(np.median(heights[len(heights) // 2 :]))
    return max(size, 0.04 * float(np.ptp(np.concatenate(strokes)[:, 0])), 1e-3)


@cache
def amount_of(text: str) -> tuple[int, str | None] | None:
    """(hundredths, currency) that the service's grammar takes a text for; None for none.

    text: symbols without SPACE. Amounts of nothing, below zero or of more than MOST_DIGITS digits
    are none.
    """
    places = np.arange(len(text), dtype=np.int32)
    classes = np.full((len(text), len(_LABELS)), 2 * _UNREAD)
    classes[places, [_LABELS.index(symbol) for symbol in text]] = 0.0
    lattice = Lattice(
        num_nodes=len(text) + 1,
        src=places,
        dst=places + 1,
        segment=places,
        penalty=np.zeros(len(text)),
        field=np.zeros(len(text), np.int32),
        class_penalty=classes,
    )
    found = best(lattice, grammar_for(None, None, _LABELS))
    if not found or found[0].penalty > _UNREAD or found[0].negative or found[0].amount_minor <= 0:
        return None
    if _WHOLE.fullmatch(text) and len(text) > MOST_DIGITS:
        return None
    return found[0].amount_minor, found[0].currency


def _mark(rng: np.random.Generator, symbol: str) -> Piece:
    """A symbol in hand-designed strokes."""
    some = templates(symbol)
    template = some[int(rng.integers(len(some)))]
    strokes = template.glyph(bent(rng, template.controls))
    points = strokes.points.copy()
    points[:, 0] -= points[:, 0].min()
    return Piece(symbol, "", PenGlyph(points, strokes.starts))


def _draw(rng: np.random.Generator, pieces: list[Piece], height: float) -> InkLayer:
    """Draw pieces side by side with one pen; owners number slices of the ink."""
    pen = sample_pen(rng, height)
    slant, stretch = float(rng.normal(0.05, 0.16)), float(np.exp(rng.normal(0.02, 0.13)))
    turn, unrest = float(rng.normal(0, 0.03)), float(rng.uniform(0.004, 0.02))
    points: list[Floats] = []
    starts: list[int] = []
    right, drawn = 0.0, 0
    for piece in pieces:
        own = restless(rng, piece.strokes.points, unrest)
        own[:, 0] += right - own[:, 0].min()
        right = float(own[:, 0].max()) + float(rng.uniform(0.02, 0.22))
        starts.extend(drawn + start for start in piece.strokes.starts)
        points.append(own)
        drawn += len(own)
    whole = np.concatenate(points)
    x, y = whole[:, 0].copy(), whole[:, 1].copy()
    whole[:, 0] = height * (stretch * x - slant * y)
    whole[:, 1] = height * (y + turn * x)
    return _inked(rng, whole, tuple(starts), pen, height)


def _inked(
    rng: np.random.Generator, points: Floats, starts: tuple[int, ...], pen: Pen, height: float
) -> InkLayer:
    coverage, _, _ = draw_strokes(rng, points, starts, pen)
    slices = np.arange(coverage.shape[1]) // max(1, int(_SLICE * height))
    inked = coverage > 40
    amounts = np.bincount(slices, inked.sum(axis=0))
    kept = amounts >= 0.25 * pen.width * pen.width
    number = np.where(kept, np.cumsum(kept), 0).astype(np.uint8)
    owner = np.where(inked, number[slices][None, :], 0).astype(np.uint8)
    return faded(rng, InkLayer(coverage, owner, ""), pen, height)
