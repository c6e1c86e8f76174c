"""Writing set in hand-like fonts, loosened so that no two letters of a line are the same.

Used for everything on a synthetic cheque that no data set of handwriting holds: names, sums in
words, dates. It also writes the courtesy amount where only fonts may be used (the samples).
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.fonts import DIGIT_HEIGHT, Font
from training.synth.amounts import WrittenAmount
from training.synth.ink import InkLayer, compose_ink
from training.synth.page import shelf, text_mask, text_width
from training.synth.words import listed

HANDS = listed(
    """
    la-belle-aurore cedarville-cursive nothing-you-could-do over-the-rainbow give-you-glory
    homemade-apple waiting-for-the-sunrise zeyada dawning-of-a-new-day reenie-beanie kalam
    caveat bad-script liu-jian-mao-cao long-cang indie-flower grape-nuts marck-script bilbo
    gaegu architects-daughter annie-use-your-telescope sue-ellen-francisco just-me-again-down-
    here shadows-into-light handlee nanum-pen-script the-girl-next-door coming-soon schoolbell
    mynerve square-peg edu-sa-beginner klee-one covered-by-your-grace loved-by-the-king
    licorice neucha sriracha patrick-hand crafty-girls swanky-and-moo-moo yomogi poor-story
    hi-melody
    """
)
_JOINED = listed(
    """
    la-belle-aurore cedarville-cursive homemade-apple dawning-of-a-new-day bad-script marck-script
    bilbo licorice square-peg zeyada over-the-rainbow grape-nuts
    """
)
_SUPER = 2
_SUPERSCRIPT, _FRACTION = 0.62, 0.55


@dataclass(frozen=True, slots=True)
class Hand:
    """One writer's way with a pen: a font, its slant (shear), width, size of the baseline's
    wandering (fraction of the digit height), width of the gap between words, pen width in mm,
    unevenness of pressure, and whether all is written in capitals."""

    font: Font
    slant: float
    stretch: float
    wander: float
    gap: float
    pen: float
    pressure: float
    capitals: bool


def sample_hand(rng: np.random.Generator, names: tuple[str, ...] = HANDS) -> Hand:
    """Draw a writer."""
    known = [shelf()[name] for name in names if name in shelf()]
    font = known[int(rng.integers(len(known)))]
    return Hand(
        font=font,
        slant=float(rng.normal(0.02, 0.07)),
        stretch=float(np.exp(rng.normal(0.0, 0.08))),
        wander=float(abs(rng.normal(0.02, 0.02))),
        gap=float(rng.uniform(0.9, 1.9)),
        pen=float(np.clip(rng.normal(0.42, 0.1), 0.25, 0.8)),
        pressure=float(rng.uniform(0.05, 0.3)),
        capitals=bool(rng.random() < 0.15) and font.name not in _JOINED,
    )


def smooth_noise(
    rng: np.random.Generator, height: int, width: int, cell: float
) -> NDArray[np.float32]:
    """Return noise f32[height,width] of unit variance that changes over about ``cell`` pixels."""
    rows, columns = int(height / cell) + 3, int(width / cell) + 3
    coarse = rng.standard_normal((rows, columns)).astype(np.float32)
    wide = cv2.resize(
        coarse, (int(columns * cell) + 1, int(rows * cell) + 1), interpolation=cv2.INTER_CUBIC
    )
    return np.asarray(wide[:height, :width], dtype=np.float32)


def _stroke_width(mask: NDArray[np.uint8]) -> float:
    """Return the mean width of a mask's strokes, in its pixels."""
    binary = (mask > 127).astype(np.uint8)
    edge = cv2.morphologyEx(binary, cv2.MORPH_GRADIENT, np.ones((2, 2), np.uint8))
    return 2.0 * float(binary.sum()) / max(1.0, float(edge.sum()))


def _pen(
    rng: np.random.Generator, mask: NDArray[np.uint8], width: float, pressure: float
) -> NDArray[np.uint8]:
    """Redraw a mask's strokes about ``width`` pixels wide, with uneven pressure."""
    native = _stroke_width(mask)
    # Beyond these bounds narrow letters would fill up and thin ones fall apart.
    change = float(np.clip(width - native, -0.45 * native, 0.5 * native))
    soft = max(0.8, abs(change) * 0.6)
    blurred = cv2.GaussianBlur(mask, (0, 0), soft).astype(np.float32) / 255.0
    # Half the change is gained or lost on either side; 0.38 is the slope of the normal integral.
    level = float(np.clip(0.5 - 0.38 * change / (2.0 * soft), 0.18, 0.8))
    gain = max(2.6 * soft, 0.75 / level)
    noise = smooth_noise(rng, mask.shape[0], mask.shape[1], max(8.0, 6.0 * width))
    edge = np.clip((blurred - level * (1.0 + 0.3 * pressure * noise)) * gain + 0.5, 0.0, 1.0)
    dark = np.clip(1.0 - pressure * (0.25 + 0.35 * noise), 0.45, 1.0)
    return np.asarray(edge * dark * 255.0 + 0.5, np.float32).astype(np.uint8)


def _shear(
    mask: NDArray[np.uint8], top: int, slant: float, stretch: float
) -> tuple[NDArray[np.uint8], float]:
    """Slant and stretch a mask about its baseline (row -top); return it and its shift in x."""
    height, width = mask.shape
    left_most = min(slant * -top, slant * (-top - height))
    extent = int(width * stretch + abs(slant) * height) + 2
    matrix = np.array([[stretch, -slant, slant * -top - left_most], [0.0, 1.0, 0.0]], np.float64)
    return np.asarray(cv2.warpAffine(mask, matrix, (extent, height)), np.uint8), left_most


def digit_size(font: Font, height: float) -> float:
    """Return the type size in pixels at which the font's digit 0 is so many pixels high."""
    return height * 100.0 / max(1.0, _zero_height(font))


def _zero_height(font: Font) -> float:
    mask, _, _ = text_mask(font, "0", 100.0)
    return float(np.count_nonzero(mask.max(axis=1) > 60))


def write_text(
    rng: np.random.Generator, hand: Hand, text: str, height: float, dpi: float
) -> tuple[NDArray[np.uint8], int, int]:
    """Write a line of text with digits about ``height`` pixels high.

    Returns a mask u8[h,w] (255 ink) with its left and top from the pen's start on the baseline.
    """
    font = hand.font
    if not font.has(text):
        text = unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode("ascii")
    words = (text.upper() if hand.capitals else text).split()
    size = digit_size(font, height * _SUPER)
    space = max(0.35 * height * _SUPER, text_width(font, " ", size)) * hand.gap
    patches: list[tuple[NDArray[np.uint8], int, int, int]] = []
    pen_x, drift = 0.0, float(rng.normal(0.0, 0.012))
    for word in words:
        here = size * float(np.exp(rng.normal(0.0, 0.03)))
        mask, left, top = text_mask(font, word, here)
        mask, shift = _shear(mask, top, hand.slant + float(rng.normal(0.0, 0.02)), hand.stretch)
        lift = drift * pen_x + float(rng.normal(0.0, hand.wander)) * height * _SUPER
        patches.append((mask, round(pen_x + left + shift), round(top + lift), 0))
        pen_x += text_width(font, word, here) * hand.stretch + space * float(rng.uniform(0.8, 1.25))
    if not patches:
        return np.zeros((0, 0), np.uint8), 0, 0
    margin = 6
    left = min(p[1] for p in patches) - margin
    top = min(p[2] for p in patches) - margin
    layer = compose_ink(patches, "", margin=margin).coverage
    layer = _wobble(rng, layer, 0.035 * height * _SUPER, height * _SUPER)
    layer = _pen(rng, layer, hand.pen / 25.4 * dpi * _SUPER, hand.pressure)
    small = _halve(layer)
    return small, left // _SUPER, top // _SUPER


def _halve(mask: NDArray[np.uint8]) -> NDArray[np.uint8]:
    height, width = mask.shape
    shape = (max(1, width // _SUPER), max(1, height // _SUPER))
    return np.asarray(cv2.resize(mask, shape, interpolation=cv2.INTER_AREA), np.uint8)


def _wobble(
    rng: np.random.Generator, mask: NDArray[np.uint8], reach: float, cell: float
) -> NDArray[np.uint8]:
    """Displace a mask smoothly by about ``reach`` pixels: equal letters come out unequal."""
    height, width = mask.shape
    x = np.arange(width, dtype=np.float32)[None, :] + reach * smooth_noise(rng, height, width, cell)
    y = np.arange(height, dtype=np.float32)[:, None] + reach * smooth_noise(
        rng, height, width, cell
    )
    return np.asarray(cv2.remap(mask, x, y, cv2.INTER_LINEAR), np.uint8)


def _character(
    rng: np.random.Generator, hand: Hand, character: str, height: float
) -> tuple[NDArray[np.uint8], float, float, float]:
    """Draw one character: mask, left and top from the pen, and the pen's advance, in pixels."""
    glyph = hand.font.glyph(character)
    if glyph is None:
        glyph = shelf()["kalam"].glyph(character)
    if glyph is None:
        raise ValueError("no hand-like font draws this character")
    scale = height / DIGIT_HEIGHT * float(np.exp(rng.normal(0.0, 0.035)))
    wide = scale * hand.stretch * float(np.exp(rng.normal(0.0, 0.03)))
    slant = hand.slant + float(rng.normal(0.0, 0.03))
    turn = float(rng.normal(0.0, 0.02))
    rows, columns = glyph.mask.shape
    pad = 4.0
    matrix = np.array([[wide, -slant * scale, 0.0], [turn * scale, scale, 0.0]], np.float64)
    corners = matrix[:, :2] @ np.array([[0, columns, 0, columns], [0, 0, rows, rows]], np.float64)
    low = corners.min(axis=1) - pad
    matrix[:, 2] = -low
    extent = np.ceil(corners.max(axis=1) - low + pad).astype(int)
    mask = cv2.warpAffine(
        glyph.mask, matrix, (int(extent[0]), int(extent[1])), flags=cv2.INTER_AREA
    )
    # Top left of the glyph from the pen, then that of the warped patch.
    top = low[1] - glyph.top * scale
    left = low[0] + glyph.left * wide + slant * glyph.top * scale
    return np.asarray(mask, np.uint8), left, top, glyph.advance * wide


@dataclass(slots=True)
class _Line:
    """An amount being written: patches as compose_ink takes them, the text so far, and the pen."""

    rng: np.random.Generator
    hand: Hand
    tall: float
    pen_width: float
    pen: float = 0.0
    text: str = ""
    patches: list[tuple[NDArray[np.uint8], int, int, int]] = field(default_factory=list)

    def write(self, symbols: str, scale: float, rise: float, owned: bool, tight: float) -> None:
        """Write symbols at a share of the full height, lifted by ``rise`` pixels."""
        for character in symbols:
            if character == " ":
                self.pen += 0.45 * self.tall * scale
                continue
            drawn, left, top, advance = _character(
                self.rng, self.hand, character, self.tall * scale
            )
            mask = cv2.copyMakeBorder(drawn, 4, 4, 4, 4, cv2.BORDER_CONSTANT, value=0)
            mask = _pen(self.rng, np.asarray(mask, np.uint8), self.pen_width, self.hand.pressure)
            lift = -rise + float(self.rng.normal(0.0, self.hand.wander)) * self.tall * scale
            owner = 0
            if owned:
                self.text += character
                owner = len(self.text)
            self.patches.append((mask, round(self.pen + left) - 4, round(top + lift) - 4, owner))
            self.pen += advance + tight

    def bar(self, x0: float, x1: float, rise: float) -> None:
        """Draw a nearly level stroke that belongs to no character."""
        slope = float(self.rng.normal(-0.02, 0.04))
        reach = abs(slope) * (x1 - x0) + self.pen_width + 6.0
        mask = np.zeros((int(2 * reach), int(x1 - x0) + 12), np.uint8)
        ends = [
            (6, int(reach - slope * (x1 - x0) / 2)),
            (int(x1 - x0) + 6, int(reach + slope * (x1 - x0) / 2)),
        ]
        cv2.line(mask, ends[0], ends[1], 255, max(1, round(self.pen_width)), cv2.LINE_AA)
        self.patches.append((mask, round(x0) - 6, round(-rise - reach), 0))


def write_amount(
    rng: np.random.Generator, written: WrittenAmount, height: float, hand: Hand, dpi: float
) -> InkLayer:
    """Write a courtesy amount in a hand-like font, its digits about ``height`` pixels high.

    Same contract as the writers of the sister modules; the hand also says the pen.
    """
    tall = height * _SUPER
    line = _Line(rng, hand, tall, hand.pen / 25.4 * dpi * _SUPER)
    tight = float(rng.uniform(0.0, 0.08)) * tall
    start, slanted = 0.0, False
    for symbols, style in written.parts:
        if style == "line":
            line.write(symbols, 1.0, 0.0, True, tight)
        elif style == "superscript":
            line.pen += 0.12 * tall
            start = line.pen
            line.write(symbols, _SUPERSCRIPT, 0.42 * tall, True, tight * 0.5)
        elif style == "numerator":
            line.pen += 0.12 * tall
            start = line.pen
            line.write(symbols, _FRACTION, 0.55 * tall, True, tight * 0.5)
        elif style == "bar" and symbols == "/":
            slanted = True
            line.pen -= 0.05 * tall
            line.write(symbols, 0.95, -0.05 * tall, True, 0.0)
        elif style == "bar":
            slanted = False
            line.bar(start - 0.05 * tall, line.pen + 0.1 * tall, 0.4 * tall if start else 0.0)
        elif style == "denominator":
            end = line.pen
            line.pen = end - 0.05 * tall if slanted else start
            line.write(symbols, _FRACTION * 0.9, -0.18 * tall, slanted, tight * 0.5)
            line.pen = max(line.pen, end)
    layer = compose_ink(line.patches, line.text, margin=4)
    small = _halve(layer.coverage)
    size = (small.shape[1], small.shape[0])
    owner = cv2.resize(layer.owner, size, interpolation=cv2.INTER_NEAREST)
    return InkLayer(small, np.asarray(owner, np.uint8), line.text)


def signature(rng: np.random.Generator, length: float, height: float) -> list[NDArray[np.float64]]:
    """Scribble a signature: strokes f64[N,2] in millimetres, y downward, starting near (0, 0).

    length and height are about its extent in mm. Either loops along a drifting baseline or a smooth
    line through uneven ups and downs, the first of them large, and often a flourish.
    """
    strokes = [_loops(rng, length, height) if rng.random() < 0.35 else _zigzag(rng, length, height)]
    slant, drift = float(rng.uniform(0.0, 0.6)), float(rng.normal(-0.06, 0.06))
    kind = rng.random()
    if kind < 0.3:
        t = np.linspace(0.0, 1.0, 40)
        start = length * float(rng.uniform(0.5, 1.0))
        sweep = start - (start + 0.1 * length) * np.sin(np.pi * t * float(rng.uniform(0.5, 0.95)))
        drop = height * (0.1 + 0.35 * t) + 0.1 * height * np.sin(6.0 * t)
        strokes.append(np.stack([sweep, drop], axis=1))
    elif kind < 0.5:
        x = np.linspace(
            length * float(rng.uniform(-0.05, 0.3)), length * float(rng.uniform(0.7, 1.1)), 12
        )
        y = -height * float(rng.uniform(0.3, 0.8)) * np.ones(12) + rng.normal(0.0, 0.1, 12).cumsum()
        strokes.append(np.stack([x, y], axis=1))
    bent = []
    for line in strokes:
        x, y = line[:, 0], line[:, 1]
        bent.append(np.stack([x - slant * y, y + drift * x], axis=1))
    return bent


def _loops(rng: np.random.Generator, length: float, height: float) -> NDArray[np.float64]:
    count = int(rng.integers(4, 11))
    turns = np.linspace(0.0, count, int(count * 24))
    knots = np.arange(count + 2)
    tall = np.interp(turns, knots, np.concatenate([[1.0], rng.uniform(0.12, 0.6, count + 1)]))
    wide = np.interp(turns, knots, rng.uniform(0.2, 1.4, count + 2))
    phase = np.interp(turns, knots, rng.uniform(-0.7, 0.7, count + 2))
    pace = np.cumsum(np.interp(turns, knots, rng.uniform(0.3, 1.6, count + 2)))
    along = pace / pace[-1] * length
    x = along + wide * length / count * 0.45 * np.cos(2 * np.pi * turns + phase)
    y = -0.5 * height * tall * (1.0 + np.sin(2 * np.pi * turns))
    return np.stack([x, y], axis=1)


def _zigzag(rng: np.random.Generator, length: float, height: float) -> NDArray[np.float64]:
    """A smooth line through points that go up and down and now and then back."""
    count = int(rng.integers(8, 26))
    step = rng.gamma(2.0, 1.0, count) * np.where(rng.random(count) < 0.18, -0.7, 1.0)
    x = np.cumsum(step)
    x = (x - x.min()) / max(1e-6, np.ptp(x)) * length
    tall = rng.gamma(1.3, 0.2, count)
    tall[: int(rng.integers(1, 4))] += float(rng.uniform(0.5, 0.9))
    if rng.random() < 0.5:
        tall[int(count * 0.5) + int(rng.integers(0, 3))] += float(rng.uniform(0.3, 0.7))
    y = (
        np.where(np.arange(count) % 2 == 0, -np.minimum(tall, 1.0), rng.normal(0.02, 0.08, count))
        * height
    )
    points = np.stack([x, y], axis=1).astype(np.float32)
    smooth = cv2.resize(points, (2, count * 12), interpolation=cv2.INTER_CUBIC)
    return np.asarray(smooth, np.float64)
