"""One writer's hand: a written amount as pen ink.

Digits come from one writer of the public sets where possible, or from hand-designed strokes that
the writer bends in one way of their own; everything is drawn with one pen.
"""

import re
from dataclasses import dataclass, field, replace

import cv2
import numpy as np

from training.synth.amounts import WrittenAmount
from training.synth.bank import DIGITS, SLASHED, GlyphBank
from training.synth.ink import InkLayer, compose_ink
from training.synth.person import Hand, sample_hand
from training.synth.places import Front, digit_place, gap_before, marks, symbol_place
from training.synth.strokes import (
    Coverage,
    Floats,
    Glyph,
    MaskGlyph,
    Pen,
    PenGlyph,
    draw_mask,
    draw_strokes,
)
from training.synth.templates import Template, template_shares, templates
from training.synth.zeros import chain_points

# Written in many ways: from templates more often than the others.
_VARIED = frozenset("14579")
# Share of digits written over another one; how far marks go into the hollows of neighbours.
_CORRECTED = 0.001
_MARK_TUCK = 0.4
_CENTS = re.compile(r"(.*\d[.,-])(\d\d)")


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
                x = page.line(split[2], page.apart(x), *_raised(rng))
                if rng.random() < 0.4:
                    page.underline()
            else:
                raised = style == "superscript"
                scale, base = _raised(rng) if raised else (1.0, 0.0)
                x = page.line(symbols, page.apart(x) if raised else x, scale, base)
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
        front = Front(self.height, start)
        walk, wide, follows = 0.0, 0.0, ""
        before: _Box | None = None
        place, row = 0, 0
        while place < len(symbols):
            symbol = symbols[place]
            place += 1
            if symbol == " ":
                cents = len(symbols) - place == 2 and symbols[place:].isdigit()
                wide = float(rng.uniform(0.5, 0.9) if cents else rng.uniform(0.3, 0.7))
                continue
            walk += float(rng.normal(0.0, hand.drift)) - 0.25 * walk
            y = (base + walk) * self.height + hand.slope * front.right
            gap = gap_before(rng, hand, follows, symbol, wide)
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
            size = max(size, 0.4)
            if symbol in DIGITS and owned:
                larger = self._larger()
                size *= larger
                y += max(larger - 1.0, 0.0) * float(rng.choice([0.0, 0.3])) * unit
            coverage, _, top = self._draw(symbol, size * unit, y, follows)
            tuck = hand.tuck * (_MARK_TUCK if marks(follows, symbol) else 1.0)
            if "-" in (follows, symbol):
                tuck, gap = 0.0, max(gap, 0.05)
            x, left, right = front.place(coverage, top, gap * unit, unit, tuck)
            if owned:
                self.text.append(symbol)
            box = _Box(symbol, left, right, top, len(self.text) if owned else 0)
            self.patches.append((coverage, x, top, box.owner))
            self._after(box, before, unit)
            before, follows, wide = box, symbol, 0.0
        return front.right

    def _larger(self) -> float:
        """How many times as large as usual the next digit of the amount is."""
        written = sum(symbol in DIGITS for symbol in self.text)
        return self.hand.first_size if not written else float(np.exp(self.hand.trend * written))

    def apart(self, end: int) -> int:
        """Where raised cents begin behind what ends there, px."""
        return end + int(self.rng.uniform(0.02, 0.3) * self.height)

    def _chain(self, front: Front, count: int, unit: float, y: float, gap: float) -> _Box:
        """Write zeros in a row without lifting the pen; returns the last one's box."""
        rng, hand = self.rng, self.hand
        assert hand.chain is not None
        size = hand.zero_size * float(np.exp(rng.normal(0, hand.size_spread)))
        stretch = size * float(np.clip(hand.stretch, 0.8, 1.5)) * hand.zero_width
        before = len(self.text)
        self.text.extend("0" * count)
        pen = replace(hand.pen, taper=0.0)
        drawn: list[tuple[Coverage, int, int, int]] = []
        for points, zeros in chain_points(rng, hand.chain, count):
            points[:, 0] = unit * (stretch * points[:, 0] - size * hand.slant * points[:, 1])
            points[:, 1] = unit * size * points[:, 1] + y
            patch = draw_strokes(rng, points, (0,), pen)
            drawn.extend((*patch, before + 1 + zero) for zero in zeros)
        whole = compose_ink(drawn, "", margin=0)
        least, top = min(left for _, left, _, _ in drawn), min(top for _, _, top, _ in drawn)
        x, left, right = front.place(whole.coverage, top, gap * unit, unit, hand.tuck)
        for coverage, beside, high, owner in drawn:
            self.patches.append((coverage, beside - least + x, high, owner))
        return _Box("0", max(left, right - int(unit)), right, top, len(self.text))

    def _after(self, box: _Box, before: _Box | None, unit: float) -> None:
        """What a hand adds to a character: the ligature of zeros, rarely a correction."""
        rng, hand = self.rng, self.hand
        zeros = before is not None and before.symbol == box.symbol == "0"
        if zeros and before is not None and rng.random() < hand.ligature:
            self._join(before, box, unit)
        if box.symbol in DIGITS and rng.random() < _CORRECTED:
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
        stroke = draw_strokes(rng, points, (0,), self.hand.pen)
        self.patches.extend((*stroke, owner) for owner in (before.owner, box.owner))

    def _draw(self, symbol: str, unit: float, y: float, follows: str) -> tuple[Coverage, int, int]:
        """Draw one symbol about x = 0 with its baseline at y, px."""
        rng, hand = self.rng, self.hand
        glyph = self._glyph(symbol)
        if symbol in DIGITS:
            high, drop = digit_place(rng, hand, symbol)
            stretch = hand.stretch * (hand.zero_width if symbol == "0" else 1.0)
        else:
            high, drop = symbol_place(rng, hand, symbol, glyph, follows)
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


def _zeros(symbols: str, place: int) -> int:
    """How many zeros stand in a row from a place on."""
    return len(symbols[place:]) - len(symbols[place:].lstrip("0"))


def _ends_in_zeros(symbols: str, place: int) -> bool:
    """Whether no other digit follows."""
    return not any(symbol in "123456789" for symbol in symbols[place:])


def _raised(rng: np.random.Generator) -> tuple[float, float]:
    """Size of raised cents and their baseline: whoever leaves the mark out raises them visibly."""
    smaller = float(rng.uniform(0.28, 0.55))
    return 1.0 - smaller, -float(rng.uniform(0.75, 1.15)) * smaller - float(rng.uniform(0.0, 0.15))


def faded(rng: np.random.Generator, layer: InkLayer, pen: Pen, height: float) -> InkLayer:
    """The layer with the pen's ink: paler, and uneven along the line."""
    if pen.fade < 0.02 and pen.ink > 0.98:
        return layer
    high, wide = layer.coverage.shape
    knots = rng.random((int(3 * high / height) + 2, int(3 * wide / height) + 2), np.float32)
    ink = cv2.resize(pen.ink * (1.0 - pen.fade * knots), (wide, high))
    coverage = cv2.multiply(layer.coverage, ink, dtype=cv2.CV_8U)
    return replace(layer, coverage=np.asarray(coverage, np.uint8))
