"""One writer's hand: a written amount as pen ink.

Digits come from one writer of the public sets where possible, or from hand-designed strokes that
the writer bends in one way of their own; everything is drawn with one pen.
"""

import re
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.amounts import WrittenAmount
from training.synth.bank import DIGITS, SLASHED, GlyphBank, Writer
from training.synth.ink import InkLayer, compose_ink
from training.synth.strokes import (
    SDF_HEIGHT,
    SDF_PAD,
    Coverage,
    Floats,
    Glyph,
    MaskGlyph,
    Pen,
    PenGlyph,
    draw_mask,
    draw_strokes,
    sample_pen,
)
from training.synth.templates import Template, template_shares, templates
from training.synth.zeros import Chain, chain_points, sample_chain

# Shares of where a hand's digits come from.
SOURCES: dict[str, float] = {
    "unipen_digits": 0.34,
    "pendigits": 0.07,
    "kensanata": 0.14,
    "mnist": 0.07,
    "optdigits": 0.015,
    "semeion": 0.01,
    "bhmsds": 0.015,
    "templates": 0.34,
}
_DESCENDING = frozenset("1479")
# Written in many ways: from templates more often than the others.
_VARIED = frozenset("14579")
_CENTS = re.compile(r"(.*\d[.,-])(\d\d)")
_FAR = 1 << 20


@dataclass(frozen=True, slots=True)
class Extent:
    """How a symbol that is no digit is scaled and placed, in digit heights.

    size: smallest and largest height (or width, where by_width). middle: lowest and highest
    centre, y downward from the baseline.
    """

    size: tuple[float, float]
    middle: tuple[float, float]
    by_width: bool = False


EXTENTS: dict[str, Extent] = {
    ".": Extent((0.0, 0.11), (-0.06, 0.03)),
    ",": Extent((0.16, 0.42), (-0.04, 0.14)),
    "-": Extent((0.22, 0.85), (-0.62, -0.34), by_width=True),
    "=": Extent((0.3, 0.75), (-0.55, -0.25), by_width=True),
    "/": Extent((0.95, 1.5), (-0.56, -0.4)),
    "*": Extent((0.3, 0.85), (-0.7, -0.4)),
    "#": Extent((0.6, 1.1), (-0.6, -0.42)),
    "+": Extent((0.4, 0.7), (-0.55, -0.35)),
    "x": Extent((0.4, 0.85), (-0.45, -0.25)),
    "|": Extent((1.0, 1.45), (-0.55, -0.4)),
    "(": Extent((1.0, 1.4), (-0.55, -0.4)),
    ")": Extent((1.0, 1.4), (-0.55, -0.4)),
    "$": Extent((1.0, 1.45), (-0.56, -0.44)),
    "£": Extent((0.85, 1.25), (-0.56, -0.46)),
    "€": Extent((0.8, 1.2), (-0.56, -0.44)),
    "₹": Extent((0.8, 1.2), (-0.54, -0.44)),
    "%": Extent((0.7, 1.1), (-0.56, -0.44)),
}
_LETTER = Extent((0.75, 1.1), (-0.54, -0.42))


@dataclass(slots=True)
class Hand:
    """What stays the same while one person writes one amount; lengths in digit heights."""

    pen: Pen
    writer: Writer | None
    slant: float
    stretch: float
    unrest: float
    size_spread: float
    zero_size: float
    zero_width: float
    one_size: float
    descent: float
    slope: float
    drift: float
    gap: float
    gap_spread: float
    tuck: float
    point_gap: float
    touch: float
    ligature: float
    low_dash: float
    high_point: float
    template_share: float
    slashed: bool
    chain: Chain | None
    zero_shrink: float
    small_cents: bool
    shapes: dict[str, tuple[Template, Floats] | Glyph | None] = field(default_factory=dict)


def sample_hand(rng: np.random.Generator, bank: GlyphBank, height: float) -> Hand:
    """Draw a person, a pen and a mood for digits of that height, px."""
    writer = _sample_writer(rng, bank)
    drawn = writer is None
    slant = rng.normal(0.14, 0.2) if drawn else rng.normal(0.02, 0.1)
    if rng.random() < 0.25:
        slant += rng.uniform(0.1, 0.35)
    gap = float(rng.choice([0.02, 0.08, 0.16, 0.32], p=[0.25, 0.4, 0.25, 0.1]))
    return Hand(
        pen=sample_pen(rng, height),
        writer=writer,
        slant=float(np.clip(slant, -0.3, 0.75)),
        stretch=float(np.exp(rng.normal(0.2 if drawn else 0.1, 0.2 if drawn else 0.15))),
        unrest=float(rng.uniform(0.01, 0.045)),
        size_spread=float(rng.uniform(0.02, 0.11)),
        zero_size=float(rng.choice([1.0, rng.uniform(0.5, 0.95)], p=[0.6, 0.4])),
        zero_width=float(np.exp(rng.normal(0.08, 0.14))),
        one_size=float(rng.choice([1.0, rng.uniform(1.0, 1.4)], p=[0.65, 0.35])),
        descent=float(rng.choice([0.0, rng.uniform(0.05, 0.3)], p=[0.65, 0.35])),
        slope=float(rng.normal(0.0, 0.025)),
        drift=float(rng.uniform(0.005, 0.05)),
        gap=gap + float(rng.uniform(0.0, 0.05)),
        gap_spread=float(rng.uniform(0.01, 0.09)),
        tuck=float(rng.uniform(0.35, 0.95)),
        point_gap=float(rng.choice([0.03, 0.12, 0.3], p=[0.42, 0.36, 0.22])),
        touch=float(rng.choice([0.0, 0.06, 0.3], p=[0.45, 0.4, 0.15])),
        ligature=float(rng.choice([0.0, 0.7], p=[0.92, 0.08])),
        low_dash=float(rng.choice([0.05, 0.9], p=[0.75, 0.25])),
        high_point=float(rng.choice([0.0, 0.7], p=[0.92, 0.08])),
        template_share=1.0 if drawn else float(rng.choice([0.0, 0.12, 0.3], p=[0.45, 0.35, 0.2])),
        slashed=bool(rng.random() < 0.02),
        chain=sample_chain(rng) if rng.random() < 0.25 else None,
        zero_shrink=float(rng.choice([1.0, rng.uniform(0.72, 0.95)], p=[0.6, 0.4])),
        small_cents=bool(rng.random() < 0.15),
    )


def _sample_writer(rng: np.random.Generator, bank: GlyphBank) -> Writer | None:
    """A writer of the bank, or None for hand-designed strokes."""
    names = [name for name in SOURCES if name == "templates" or name in bank.writers]
    shares = np.array([SOURCES[name] for name in names])
    name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
    if name == "templates":
        return None
    people = bank.writers[name]
    return people[int(rng.integers(len(people)))]


class HandWriter:
    """Writes amounts in the hands of a bank's writers."""

    def __init__(self, bank: GlyphBank) -> None:
        self._bank = bank

    def write(self, rng: np.random.Generator, written: WrittenAmount, height: float) -> InkLayer:
        """Write an amount with digits of about that height, px.

        Returns an InkLayer just large enough; its text is written.text without SPACE. Raises
        ValueError for a symbol with no glyph and no template.
        """
        hand = sample_hand(rng, self._bank, height)
        page = _Page(rng, self._bank, hand, height)
        x, parts = 0, list(written.parts)
        while parts:
            symbols, style = parts.pop(0)
            if style == "numerator" and [s for _, s in parts[:2]] == ["bar", "denominator"]:
                (bar, _), (below, _) = parts.pop(0), parts.pop(0)
                x = (
                    page.slanted(symbols, below, x)
                    if bar == "/"
                    else page.stacked(symbols, below, x)
                )
            elif style == "bar":
                page.underline()
            elif style == "line" and hand.small_cents and (split := _CENTS.fullmatch(symbols)):
                x = page.line(split[1], x, 1.0, 0.0)
                x = page.line(split[2], x, *_raised(rng))
                if rng.random() < 0.4:
                    page.underline()
            else:
                scale, base = _raised(rng) if style == "superscript" else (1.0, 0.0)
                x = page.line(symbols, x, scale, base)
        layer = compose_ink(page.patches, "".join(page.text))
        return faded(rng, layer, hand.pen, height)


@dataclass(frozen=True, slots=True)
class _Box:
    """Where a written character lies, px."""

    symbol: str
    left: int
    right: int
    top: int
    owner: int


@dataclass(slots=True)
class _Page:
    """One amount being written: baseline at y = 0, patches as compose_ink takes them."""

    rng: np.random.Generator
    bank: GlyphBank
    hand: Hand
    height: float
    patches: list[tuple[Coverage, int, int, int]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)

    def line(self, symbols: str, start: int, scale: float, base: float, owned: bool = True) -> int:
        """Write symbols from x = start on; returns where the ink ends, px.

        scale: digit height in the amount's digit heights. base: baseline, in the same, downward.
        owned: whether they are characters of the text.
        """
        rng, hand, unit = self.rng, self.hand, self.height * scale
        front = _Front(self.height, start)
        walk, wide, follows = 0.0, 0.0, ""
        before: _Box | None = None
        place, row = 0, 0
        while place < len(symbols):
            symbol = symbols[place]
            place += 1
            if symbol == " ":
                wide = float(rng.uniform(0.3, 0.7))
                continue
            walk += float(rng.normal(0.0, hand.drift)) - 0.25 * walk
            y = (base + walk) * self.height + hand.slope * front.right
            gap = _gap(rng, hand, follows, symbol, wide)
            if before is None and start == 0:
                gap = 0.0
            zeros = _zeros(symbols, place - 1)
            if hand.chain and owned and zeros > 1 and rng.random() < 0.85:
                before = self._chain(front, zeros, unit, y, gap)
                place += zeros - 1
                follows, wide = "0", 0.0
                continue
            row = row + 1 if symbol == "0" and follows in "0.," else 0
            size = hand.zero_shrink**row if _ends_in_zeros(symbols, place - 1) else 1.0
            coverage, _, top = self._draw(symbol, max(size, 0.4) * unit, y, follows)
            x, left, right = front.place(coverage, top, gap * unit, unit, hand.tuck)
            if owned:
                self.text.append(symbol)
            box = _Box(symbol, left, right, top, len(self.text) if owned else 0)
            self.patches.append((coverage, x, top, box.owner))
            self._after(box, before, unit)
            before, follows, wide = box, symbol, 0.0
        return front.right

    def _chain(self, front: "_Front", count: int, unit: float, y: float, gap: float) -> _Box:
        """Write zeros in a row without lifting the pen; returns the last one's box."""
        rng, hand = self.rng, self.hand
        assert hand.chain is not None
        size = hand.zero_size * float(np.exp(rng.normal(0, hand.size_spread)))
        stretch = size * float(np.clip(hand.stretch, 0.8, 1.5)) * hand.zero_width
        drawn = []
        for points in chain_points(rng, hand.chain, count):
            points[:, 0] = unit * (stretch * points[:, 0] - size * hand.slant * points[:, 1])
            points[:, 1] = unit * size * points[:, 1] + y
            drawn.append(draw_strokes(rng, points, (0,), hand.pen))
        whole = compose_ink([(*patch, 0) for patch in drawn], "", margin=0)
        least, top = min(left for _, left, _ in drawn), min(top for _, _, top in drawn)
        x, left, right = front.place(whole.coverage, top, gap * unit, unit, hand.tuck)
        for coverage, beside, high in drawn:
            self.text.append("0")
            self.patches.append((coverage, beside - least + x, high, len(self.text)))
        return _Box("0", max(left, right - int(unit)), right, top, len(self.text))

    def _after(self, box: _Box, before: _Box | None, unit: float) -> None:
        """What a hand adds to a character: the ligature of zeros, rarely a correction."""
        rng, hand = self.rng, self.hand
        zeros = before is not None and before.symbol == box.symbol == "0"
        if zeros and before is not None and rng.random() < hand.ligature:
            self._join(before, box, unit)
        if box.symbol in DIGITS and rng.random() < 0.004:
            wrong = DIGITS[int(rng.integers(10))]
            coverage, _, top = self._draw(wrong, unit, box.top + unit, "")
            at = round((box.left + box.right - coverage.shape[1]) / 2)
            self.patches.append((coverage, at, top, 0))

    def slanted(self, above: str, below: str, start: int) -> int:
        """Cents, a slanted stroke, a hundred; returns where the ink ends, px."""
        rng = self.rng
        size = float(rng.uniform(0.45, 0.75))
        start += int(rng.uniform(0.12, 0.4) * self.height)
        end = self.line(above, start, size, -float(rng.uniform(0.3, 0.6)))
        end = self.line("/", end, 0.9, 0.08)
        return self.line(below, end, size, float(rng.uniform(0.0, 0.25)))

    def stacked(self, above: str, below: str, start: int) -> int:
        """Cents over a horizontal stroke over a hundred; returns where the ink ends, px."""
        rng, height = self.rng, self.height
        size, rise = float(rng.uniform(0.42, 0.65)), float(rng.uniform(0.42, 0.62))
        start += int(rng.uniform(0.12, 0.4) * height)
        end = self.line(above, start, size, -rise, owned=above.isdigit())
        first = len(self.patches)
        stop = self.line(
            below, start, size, size - rise + float(rng.uniform(0.2, 0.35)), owned=False
        )
        shift = int((end - stop) / 2 + rng.normal(0, 0.08) * height)
        self.patches[first:] = [(c, x + shift, y, o) for c, x, y, o in self.patches[first:]]
        end = max(end, stop + shift)
        self._bar(min(start, start + shift), end, (0.1 - rise + rng.normal(0, 0.02)) * height)
        return end

    def underline(self) -> None:
        """One or two lines under the last two characters."""
        last = self.patches[-2:]
        left, right = min(p[1] for p in last), max(p[1] + p[0].shape[1] for p in last)
        y = max(p[2] + p[0].shape[0] for p in last) + self.rng.uniform(0.03, 0.12) * self.height
        for _ in range(1 + int(self.rng.random() < 0.3)):
            self._bar(left, right, y)
            y += self.rng.uniform(0.1, 0.2) * self.height

    def _bar(self, left: float, right: float, y: float) -> None:
        """A horizontal stroke that belongs to no character."""
        rng, height = self.rng, self.height
        along = np.linspace(0, 1, 9)
        x = left + (right - left) * along + (along - 0.5) * 0.16 * height
        sag = np.sin(np.pi * along) * rng.normal(0, 0.03) * height
        tilt = along * rng.normal(-0.02, 0.05) * height
        points = np.stack([x, y + sag + tilt, np.full(9, 0.6)], axis=1).astype(np.float32)
        self.patches.append((*draw_strokes(rng, points, (0,), self.hand.pen), 0))

    def _join(self, before: _Box, box: _Box, unit: float) -> None:
        """The stroke that carries the pen from the top of one zero to the next."""
        rng = self.rng
        begin = [before.left + 0.6 * (before.right - before.left), before.top + 0.05 * unit]
        end = [box.left + 0.45 * (box.right - box.left), box.top + 0.04 * unit]
        t = np.linspace(0, 1, 9)[:, None]
        way = np.array(begin) * (1 - t) + np.array(end) * t
        way[:, 1:] += 4 * t * (1 - t) * rng.uniform(0.0, 0.18) * unit
        points = np.concatenate([way, np.full((9, 1), 0.6)], axis=1).astype(np.float32)
        for part, owner in ((points[:5], before.owner), (points[4:], box.owner)):
            self.patches.append((*draw_strokes(rng, part, (0,), self.hand.pen), owner))

    def _draw(self, symbol: str, unit: float, y: float, follows: str) -> tuple[Coverage, int, int]:
        """Draw one symbol about x = 0 with its baseline at y, px."""
        rng, hand = self.rng, self.hand
        glyph = self._glyph(symbol)
        if symbol in DIGITS:
            high, drop = _digit_place(rng, hand, symbol)
            stretch = hand.stretch * (hand.zero_width if symbol == "0" else 1.0)
        else:
            high, drop = _symbol_place(rng, hand, symbol, glyph, follows)
            stretch = float(np.exp(rng.normal(0, 0.1)))
        scale, turn = unit * high, float(rng.normal(0, 0.035))
        shear = 0.0 if symbol in "-=." else hand.slant + float(rng.normal(0, 0.03))
        across = [scale * stretch, -scale * (shear + turn), 0.0]
        down = [scale * stretch * turn, scale, y + drop * unit]
        matrix = np.array([across, down], np.float32)
        pen = hand.pen
        if symbol == ".":
            pen = replace(pen, width=pen.width * float(rng.uniform(0.95, 1.5)))
        if isinstance(glyph, MaskGlyph):
            return draw_mask(glyph, matrix, pen)
        points = restless(rng, glyph.points, hand.unrest)
        points[:, :2] = points[:, :2] @ matrix[:, :2].T + matrix[:, 2]
        return draw_strokes(rng, points, glyph.starts, pen)

    def _glyph(self, symbol: str) -> Glyph:
        """This writer's way of that symbol, once more."""
        if symbol not in self.hand.shapes:
            self.hand.shapes[symbol] = self._shape(symbol)
        shape = self.hand.shapes[symbol]
        if shape is None:
            return self._recorded(symbol)
        if isinstance(shape, PenGlyph | MaskGlyph):
            return shape
        template, controls = shape
        moved = controls + self.rng.normal(0, self.hand.unrest * 0.7, controls.shape).astype(
            np.float32
        )
        return template.glyph(moved)

    def _shape(self, symbol: str) -> tuple[Template, Floats] | Glyph | None:
        """What the writer's symbol is: bent template strokes, one glyph, or None for several."""
        known = self._has(symbol)
        share = self.hand.template_share * (1.6 if symbol in _VARIED else 1.0)
        share = share if symbol in DIGITS else 0.4
        if templates(symbol) and (not known or self.rng.random() < share):
            drawn = self.rng.random()
            chosen = int(np.searchsorted(np.cumsum(template_shares(symbol))[:-1], drawn))
            template = templates(symbol)[chosen]
            return template, bent(self.rng, template.controls)
        if not known:
            raise ValueError(f"no glyph and no template for {symbol!r}")
        return self._recorded(symbol) if self.rng.random() < 0.4 else None

    def _has(self, symbol: str) -> bool:
        if symbol in DIGITS:
            return self.hand.writer is not None and symbol in self.hand.writer.glyphs
        return symbol in self.bank.symbols

    def _recorded(self, symbol: str) -> Glyph:
        held = self.bank.symbols if symbol not in DIGITS else None
        if held is None:
            assert self.hand.writer is not None
            held = self.hand.writer.glyphs
        slashed = held.get(SLASHED) if symbol == "0" and self.hand.slashed else None
        some = slashed or held[symbol]
        return some[int(self.rng.integers(len(some)))]


class _Front:
    """How far right the ink of a line reaches, row by row; places the next character."""

    __slots__ = ("_reach", "_span", "_start", "right")

    def __init__(self, height: float, start: int) -> None:
        self._span = int(3.2 * height)
        self._reach = np.full(2 * self._span, start - _FAR, np.int32)
        self._start = start
        self.right = start

    def place(
        self, coverage: Coverage, top: int, gap: float, unit: float, tuck: float
    ) -> tuple[int, int, int]:
        """Place a patch with a gap (px, below 0 they overlap) behind what is written.

        tuck: 1 moves characters into each other's hollows, 0 keeps their boxes apart.
        Returns (x of the patch, first ink column, column after the last).
        """
        ink = coverage > min(60, int(coverage.max()) // 2)
        has = ink.any(axis=1)
        begins = np.where(has, ink.argmax(axis=1), _FAR)
        ends = np.where(has, coverage.shape[1] - ink[:, ::-1].argmax(axis=1), -_FAR)
        rows = np.clip(np.arange(len(coverage)) + top + self._span, 0, 2 * self._span - 1)
        first = int(begins.min())
        boxed = self.right - first
        reach = cv2.dilate(self._reach.astype(np.float32).reshape(-1, 1), _near(unit)).ravel()
        kerned = float((reach[rows] - begins).max())
        tuck = 1.0 if gap < 0 else tuck
        x = round(max(tuck * kerned + (1 - tuck) * boxed, boxed - 0.45 * unit) + gap)
        np.maximum.at(self._reach, rows, (ends + x).astype(np.int32))
        self.right = max(self.right, int(ends.max()) + x)
        return x, x + first, int(ends.max()) + x


def bent(rng: np.random.Generator, controls: Floats) -> Floats:
    """Control points of a template as one person would have them."""
    moved = controls + rng.normal(0, rng.uniform(0.005, 0.03), controls.shape).astype(np.float32)
    # A smooth bend of the whole figure keeps its curves round.
    x, y = moved[:, 0].copy(), moved[:, 1].copy()
    strength = float(rng.uniform(0.01, 0.06))
    for target in (0, 1):
        p, q = rng.normal(0, 3.0, 2)
        moved[:, target] += strength * np.sin(p * x + q * y + rng.uniform(0, 6.3))
    moved[:, 0] *= 1.0 + float(rng.normal(0, 0.1)) * (-2.0 * y - 1.0)
    moved[:, 0] *= float(np.exp(rng.normal(0.05, 0.12)))
    waist = float(np.exp(rng.normal(0, 0.12)))
    moved[:, 1] = -np.sign(-moved[:, 1]) * np.abs(moved[:, 1]) ** waist
    return moved


def restless(rng: np.random.Generator, points: Floats, unrest: float) -> Floats:
    """A copy of the points moved by a slow wave, as no one writes the same twice."""
    moved = points.copy()
    a, b, c, d = rng.uniform(0, 2 * np.pi, 4)
    p, q = rng.uniform(3.0, 7.0, 2)
    moved[:, 0] += unrest * np.sin(q * points[:, 1] + a + p * points[:, 0])
    moved[:, 1] += unrest * np.sin(p * points[:, 0] + b + c - q * 0.5 * points[:, 1] + d)
    return moved


def _digit_place(rng: np.random.Generator, hand: Hand, symbol: str) -> tuple[float, float]:
    """Height of a digit and how far it goes below the baseline, in digit heights."""
    size = float(np.exp(rng.normal(0, hand.size_spread)))
    drop = hand.descent * float(rng.uniform(0.4, 1.2)) if symbol in _DESCENDING else 0.0
    if symbol == "0":
        size *= hand.zero_size
        drop += float(rng.choice([0.0, -0.5])) * max(0.0, 1.0 - hand.zero_size) * 0.6
    elif symbol == "1":
        size *= hand.one_size
        drop += 0.5 * (hand.one_size - 1.0)
    return size * (1.0 + 0.5 * max(0.0, drop)), drop


def _symbol_place(
    rng: np.random.Generator, hand: Hand, symbol: str, glyph: Glyph, follows: str
) -> tuple[float, float]:
    """Scale of the glyph and where its bottom stands, in digit heights below the baseline."""
    extent = EXTENTS.get(symbol, _LETTER)
    if isinstance(glyph, MaskGlyph):
        rows, columns = glyph.distance.shape
        high, wide = (rows - 2 * SDF_PAD) / SDF_HEIGHT, (columns - 2 * SDF_PAD) / SDF_HEIGHT
        bottom = 0.0
    else:
        low, top = glyph.points[:, 1].max(), glyph.points[:, 1].min()
        high = max(float(low - top), 1e-3)
        wide = float(np.ptp(glyph.points[:, 0]))
        bottom = float(low)
    size = float(rng.uniform(*extent.size))
    if symbol == ".":
        scale = size / max(high, wide)
    else:
        scale = size / max(wide if extent.by_width else high, 0.3)
    if symbol in "NORS" and high < 0.7:
        scale = float(rng.uniform(0.8, 1.2))
    middle = float(rng.uniform(*extent.middle))
    if symbol == "-" and rng.random() < hand.low_dash * (1.0 if follows in ".,-" else 0.5):
        middle = float(rng.uniform(-0.12, 0.05))
    if symbol == "." and hand.high_point and rng.random() < hand.high_point:
        middle = float(rng.uniform(-0.5, -0.2))
    return scale, middle + scale * high / 2.0 - scale * bottom


def _gap(rng: np.random.Generator, hand: Hand, follows: str, symbol: str, wide: float) -> float:
    """Room between two symbols, digit heights; below 0 they touch."""
    if wide:
        return wide + hand.gap
    if follows in ".," or symbol in ".,":
        return max(0.0, hand.point_gap * float(rng.uniform(0.3, 1.3)))
    if follows and rng.random() < hand.touch:
        return -float(rng.uniform(0.0, 0.09))
    return max(0.0, hand.gap + float(rng.normal(0, hand.gap_spread)))


def _zeros(symbols: str, place: int) -> int:
    """How many zeros stand in a row from a place on."""
    return len(symbols[place:]) - len(symbols[place:].lstrip("0"))


def _ends_in_zeros(symbols: str, place: int) -> bool:
    """Whether no other digit follows."""
    return not any(symbol in "123456789" for symbol in symbols[place:])


def _near(unit: float) -> NDArray[np.uint8]:
    return np.ones((2 * max(1, int(0.06 * unit)) + 1, 1), np.uint8)


def _raised(rng: np.random.Generator) -> tuple[float, float]:
    """Size of raised cents and their baseline."""
    smaller = float(rng.uniform(0.2, 0.5))
    return 1.0 - smaller, -float(rng.uniform(0.6, 1.15)) * smaller - float(rng.uniform(0.0, 0.15))


def faded(rng: np.random.Generator, layer: InkLayer, pen: Pen, height: float) -> InkLayer:
    """The layer with the pen's ink: paler, and uneven along the line."""
    if pen.fade < 0.02 and pen.ink > 0.98:
        return layer
    high, wide = layer.coverage.shape
    knots = rng.random((int(3 * high / height) + 2, int(3 * wide / height) + 2), np.float32)
    ink = cv2.resize(pen.ink * (1.0 - pen.fade * knots), (wide, high))
    coverage = cv2.multiply(layer.coverage, ink, dtype=cv2.CV_8U)
    return InkLayer(coverage=np.asarray(coverage, np.uint8), owner=layer.owner, text=layer.text)
