"""Machine print of amounts, and writing in hand-like fonts, as ink on no paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.fonts import DIGIT_HEIGHT, Glyph
from training.synth.amounts import WrittenAmount
from training.synth.ink import InkLayer, compose_ink

Mask = NDArray[np.uint8]
Plane = NDArray[np.float32]

# Most of what machines write on cheques is laser or ink jet print; pins strike it in places, and
# protectors emboss the amounts of drafts.
KIND_SHARES = {"machine": 0.57, "dots": 0.06, "protector": 0.05, "hand": 0.32}
# How zeros are told from the letter O by many machines, and how common that is.
_ZEROS = {"": 0.9, "stroke": 0.05, "dot": 0.025, "bar": 0.025}
# A mark takes up no more of the room within a zero; what is fainter than this is room.
_LEFT_OPEN = 0.5
_PAPER = 128
_VARIANTS = {"-": "-\u2013\u2014", "x": "xxX", "S": "Sss", "N": "NNn", "O": "OOo"}


class Face(Protocol):
    """A typeface, or the characters of a printer that has but one."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def kind(self) -> str:
        """One of KIND_SHARES."""

    def glyph(self, character: str) -> Glyph | None:
        """Return the glyph of a character, None where there is none."""

    def has(self, text: str) -> bool:
        """Tell whether there is a glyph for every character of a text but SPACE."""


@dataclass(frozen=True, slots=True)
class _Look:
    """How one amount is printed; lengths in fractions of the digit height unless pixels."""

    font: Face
    height: float
    stretch: float
    spacing: float
    slant: float
    jitter: float
    turn: float
    dots: float
    variants: dict[str, str]
    zero: str
    mark: float


class Printer:
    """Prints amounts with a set of fonts; keeps their glyphs, no other state.

    shares: how common each kind of font is, in any unit; kinds that it does not name are left out.
    """

    def __init__(self, fonts: Sequence[Face], shares: Mapping[str, float] = KIND_SHARES) -> None:
        self._by_kind = {
            kind: [font for font in fonts if font.kind == kind]
            for kind in shares
            if any(font.kind == kind for font in fonts)
        }
        self._shares = np.array([shares[kind] for kind in self._by_kind])
        if not self._by_kind:
            raise ValueError("a printer needs fonts")

    def write(
        self,
        rng: np.random.Generator,
        written: WrittenAmount,
        height: float,
        font: Face | None = None,
    ) -> InkLayer:
        """Print an amount with digits about ``height`` pixels tall, in a font or any.

        The same generator state gives the same ink. ValueError where no font has the symbols.
        """
        symbols = "".join(part for part, _ in written.parts)
        font = font or self.font(rng, symbols)
        return _print(rng, written, _look(rng, font, symbols, height))

    def machine(self, rng: np.random.Generator, symbols: str) -> Machine:
        """One machine that has these symbols. ValueError where no font has them."""
        look = _look(rng, self.font(rng, symbols), symbols, 1.0)
        return Machine(look, int(rng.integers(1 << 32)))

    def font(self, rng: np.random.Generator, symbols: str) -> Face:
        """A font that has these symbols. ValueError where none has."""
        kinds = list(self._by_kind)
        shares = self._shares
        for _ in range(20):
            fonts = self._by_kind[str(rng.choice(kinds, p=shares / shares.sum()))]
            font = fonts[int(rng.integers(len(fonts)))]
            if font.has(symbols):
                return font
        able = [font for fonts in self._by_kind.values() for font in fonts if font.has(symbols)]
        if not able:
            raise ValueError("no font has all the symbols of the amount")
        return able[int(rng.integers(len(able)))]


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine, all of whose print looks alike: one typeface, one ribbon."""

    look: _Look
    seed: int

    def write(self, _rng: np.random.Generator, written: WrittenAmount, height: float) -> InkLayer:
        """Print an amount with digits about ``height`` pixels tall."""
        return _print(np.random.default_rng(self.seed), written, replace(self.look, height=height))


def _print(rng: np.random.Generator, written: WrittenAmount, look: _Look) -> InkLayer:
    layer = _lay_out(rng, written, look)
    return replace(layer, coverage=_wear(rng, layer.coverage, look))


def _look(rng: np.random.Generator, font: Face, symbols: str, height: float) -> _Look:
    hand = font.kind == "hand"
    variants = {
        symbol: str(rng.choice(list(choices)))
        for symbol, choices in _VARIANTS.items()
        if symbol in symbols
    }
    variants = {s: v for s, v in variants.items() if font.has(v)}
    dots = 0.0
    if font.kind == "machine" and rng.random() < 0.08 and _is_wide(font):
        # Near letter quality: typefaces struck in two passes of 9 pins, or by 24 finer ones.
        dots = float(rng.choice([14, 17, 17, 20]))
    # Machines neither press letters together nor run them into each other.
    # Drawn apart, so that all else is as it is without.
    apart = rng.spawn(1)[0]
    zero = "" if hand else str(apart.choice(list(_ZEROS), p=list(_ZEROS.values())))
    spread = (rng.uniform(-0.06, 0.06), rng.uniform(0, 0.3)) if hand else (0.0, rng.uniform(0, 0.2))
    return _Look(
        font=font,
        height=height,
        stretch=float(np.exp(rng.normal(0, 0.16 if hand else 0.08))),
        spacing=float(rng.choice([0.0, *spread])),
        slant=float(rng.normal(0, 0.12 if hand else 0.02)),
        jitter=float(rng.uniform(0.01, 0.09) if hand else rng.choice([0, 0, 0.01, 0.03])),
        turn=float(rng.uniform(1, 7) if hand else rng.choice([0, 0, 0, 1.5])),
        dots=dots,
        variants=variants,
        zero=zero,
        mark=float(apart.uniform(0.06, 0.13)),
    )


def _is_wide(font: Face) -> bool:
    """Whether a typeface is as wide as a printer with pins sets it, ten or twelve to the inch."""
    zero = font.glyph("0")
    return zero is not None and zero.advance >= 0.75 * DIGIT_HEIGHT


def _glyph(look: _Look, symbol: str) -> Glyph:
    glyph = look.font.glyph(look.variants.get(symbol, symbol))
    if glyph is None:
        raise ValueError(f"{look.font.name} lacks {symbol!r}")
    return glyph


@dataclass(frozen=True, slots=True)
class _Patch:
    """One drawn character: its mask, where it stands and how far the pen went."""

    mask: Mask
    left: int
    top: int
    advance: float


def _place(
    rng: np.random.Generator, look: _Look, symbol: str, at: tuple[float, float], size: float
) -> _Patch:
    """Draw one symbol with its origin at (pen, baseline) and the digit height ``size``."""
    glyph = _glyph(look, symbol)
    scale_y = size / DIGIT_HEIGHT * float(np.exp(rng.normal(0, look.jitter)))
    scale_x = scale_y * look.stretch * float(np.exp(rng.normal(0, look.jitter)))
    height, width = glyph.mask.shape
    room = (max(2, round(width * scale_x)), max(2, round(height * scale_y)))
    mask = np.asarray(cv2.resize(glyph.mask, room, interpolation=cv2.INTER_AREA), np.uint8)
    if symbol == "0" and look.zero:
        mask = _marked(mask, look.zero, look.mark * size)
    if look.dots:
        mask = _dot_matrix(mask, size / look.dots)
    left, top = glyph.left * scale_x, -glyph.top * scale_y
    turn = np.deg2rad(rng.normal(0, look.turn)) if look.turn else 0.0
    if abs(look.slant) > 0.01 or turn:
        mask, left, top = _shear(mask, left, top, look.slant, float(turn))
    base = at[1] + rng.normal(0, look.jitter) * size
    return _Patch(mask, round(at[0] + left), round(base + top), glyph.advance * scale_x)


def _marked(mask: Mask, zero: str, wide: float) -> Mask:
    """A zero with a stroke, a dot or an upright bar in it, with paper on both sides of it.

    wide: of the mark at most, pixels.
    """
    height, width = mask.shape
    x, y = (width - 1) / 2, (height - 1) / 2
    wide = min(wide, _LEFT_OPEN * float((mask[height // 2] < _PAPER).sum()))
    if wide < 1:
        return mask
    if zero == "dot":
        ends = ((x, y - 0.01 * height), (x, y + 0.01 * height))
    elif zero == "bar":
        ends = ((x, y - 0.15 * height), (x, y + 0.15 * height))
    else:
        ends = ((x - 0.22 * width, y + 0.26 * height), (x + 0.22 * width, y - 0.26 * height))
    first, last = ((round(16 * a), round(16 * b)) for a, b in ends)
    drawn = mask.copy()
    cv2.line(drawn, first, last, 255, round(wide), cv2.LINE_AA, 4)
    return drawn


def _shear(
    mask: Mask, left: float, top: float, slant: float, turn: float
) -> tuple[Mask, float, float]:
    """Slant (rightwards above the baseline) and turn a patch about its origin (0, 0)."""
    height, width = mask.shape
    matrix = np.array(
        [[np.cos(turn), np.sin(turn) - slant], [-np.sin(turn), np.cos(turn)]], np.float64
    )
    x, y = np.array([left, left + width]), np.array([top, top + height])
    corners = matrix @ np.array([[x[0], x[1], x[0], x[1]], [y[0], y[0], y[1], y[1]]])
    low, high = np.floor(corners.min(axis=1)) - 1, np.ceil(corners.max(axis=1)) + 1
    shift = matrix @ np.array([left, top]) - low
    affine = np.concatenate([matrix, shift[:, None]], axis=1)
    room = (int(high[0] - low[0]), int(high[1] - low[1]))
    return np.asarray(cv2.warpAffine(mask, affine, room), np.uint8), float(low[0]), float(low[1])


def _dot_matrix(mask: Mask, cell: float) -> Mask:
    """Redraw a patch with round pins on a square grid of ``cell`` pixels; they overlap."""
    height, width = mask.shape
    grid = (max(1, round(width / cell)), max(1, round(height / cell)))
    pins = cv2.resize(mask, grid, interpolation=cv2.INTER_AREA) > 112
    large = np.zeros((8 * grid[1], 8 * grid[0]), np.uint8)
    large[4::8, 4::8] = 255 * pins.astype(np.uint8)
    pin = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))
    large = np.asarray(cv2.dilate(large, pin), np.uint8)
    return np.asarray(cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


class _Setter:
    """Sets the parts of one amount along a line; the baseline is at 0, y downward."""

    def __init__(self, rng: np.random.Generator, look: _Look) -> None:
        self.rng, self.look = rng, look
        self.small = float(rng.uniform(0.5, 0.68)) * look.height
        self.patches: list[tuple[Mask, int, int, int]] = []
        self.text = ""
        self.pen = 0.0
        self.span = (0.0, 0.0)

    def run(self, symbols: str, start: float, base: float, size: float, owned: bool = True) -> None:
        """Set symbols from a pen position on; they own their ink if ``owned``."""
        self.pen = start
        for symbol in symbols:
            if symbol == " ":
                self.pen += size * self.look.stretch * self.rng.uniform(0.3, 0.8)
                continue
            patch = _place(self.rng, self.look, symbol, (self.pen, base), size)
            self.text += symbol if owned else ""
            owner = len(self.text) if owned else 0
            self.patches.append((patch.mask, patch.left, patch.top, owner))
            self.pen += max(patch.advance, 0.1 * size) + self.look.spacing * size
        self.span = (start, self.pen)

    def part(self, symbols: str, style: str, above: str, owned: bool) -> None:
        """Set one part; ``above`` is the style of the part before a bar, or "/" after that bar."""
        height, small = self.look.height, self.small
        if style == "line":
            self.run(symbols, self.pen, 0.0, height)
        elif style == "superscript":
            lift = (height - small) * self.rng.uniform(0.8, 1.3)
            self.run(symbols, self.pen + 0.1 * small, -lift, small, owned)
        elif style == "numerator":
            self.run(symbols, self.pen + 0.1 * small, -0.55 * height, small * 0.9, owned)
        elif style == "bar" and symbols == "/":
            self.run("/", self.pen - 0.1 * small, 0.0, height)
        elif style == "bar":
            drop = 0.45 * height if above == "numerator" else height - small - 0.12 * height
            self.bar(-drop)
        elif above == "/":
            self.run(symbols, self.pen - 0.1 * small, 0.12 * height, small * 0.9)
        else:
            end = self.pen
            self.run(symbols, self.span[0], 0.3 * height, small * 0.8, owned=False)
            self.pen = max(end, self.pen)

    def bar(self, y: float) -> None:
        """Draw a horizontal bar under the last run, owned by no character."""
        height = self.look.height
        width = max(4, round(self.span[1] - self.span[0] + 0.1 * height))
        bar = np.full((max(1, round(self.rng.uniform(0.04, 0.08) * height)), width), 255, np.uint8)
        self.patches.append((bar, round(self.span[0] - 0.05 * height), round(y), 0))


def _lay_out(rng: np.random.Generator, written: WrittenAmount, look: _Look) -> InkLayer:
    setter = _Setter(rng, look)
    above = ""
    for place, (symbols, style) in enumerate(written.parts):
        barred = written.parts[place + 1 : place + 2] == (("-", "bar"),)
        setter.part(symbols, style, above, symbols.isdigit() or not barred)
        above = symbols if style == "bar" and symbols == "/" else style if style != "bar" else above
    return compose_ink(setter.patches, setter.text)


def _wear(rng: np.random.Generator, coverage: Mask, look: _Look) -> Mask:
    """Weight, blur, ribbon, hatch and uneven inking of a whole amount."""
    plane = coverage.astype(np.float32)
    size = look.height
    hand = look.font.kind == "hand"
    if look.font.kind == "protector":
        plane = _protect(rng, plane, size)
    elif look.font.kind in ("machine", "dots", "hand"):
        kind = rng.random()
        if kind < 0.15:
            plane = np.asarray(cv2.dilate(plane, np.ones((2, 2), np.uint8)), np.float32)
        elif kind < 0.35:
            sigma = rng.uniform(0.4, max(0.45, 0.045 * size))
            plane = np.asarray(cv2.GaussianBlur(plane, (0, 0), sigma), np.float32)
        elif kind < 0.42 and size > 26 and look.font.kind != "dots" and not look.dots:
            soft = cv2.GaussianBlur(plane, (0, 0), 0.05 * size)
            plane *= np.asarray((1.2 * soft / 255) ** 1.5, np.float32)
    # Print must be read by machines too: a ribbon is changed before it is as faint as a pen.
    if rng.random() < (0.35 if hand else 0.2):
        depth = rng.uniform(0.2, 0.9 if hand else 0.7)
        plane *= _inking(rng, coverage.shape[0], coverage.shape[1], size, depth)
    if rng.random() < (0.2 if hand else 0.1):
        plane *= np.float32(rng.uniform(0.35 if hand else 0.55, 0.9))
    return np.clip(plane, 0, 255).astype(np.uint8)


def _protect(rng: np.random.Generator, plane: Plane, size: float) -> Plane:
    """Strokes as a cheque protector leaves them: hatched, perforated or serrated."""
    height, width = plane.shape
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    period = np.float32(rng.uniform(0.08, 0.16) * size)
    depth = np.float32(rng.uniform(0.4, 0.95))
    kind = rng.random()
    turn = 2 * np.pi / period
    if kind < 0.45:
        wave = np.cos(y * np.float32(turn))
    elif kind < 0.6:
        wave = np.cos((x + y * np.float32(rng.choice([-1, 1]))) * np.float32(turn))
    elif kind < 0.75:
        wave = np.cos(x * np.float32(turn)) + np.cos(y * np.float32(turn)) - np.float32(0.4)
    elif kind < 0.88:
        shift = np.float32(0.05 * size) * np.sign(np.sin(y * np.float32(turn)))
        source = np.broadcast_to(x + shift, plane.shape).astype(np.float32)
        rows = np.broadcast_to(y, plane.shape).astype(np.float32)
        return np.asarray(cv2.remap(plane, source, rows, cv2.INTER_LINEAR), np.float32)
    else:
        return plane
    return np.asarray(plane * (1 - depth * np.clip(0.5 + 1.5 * wave, 0, 1)), np.float32)


def _inking(rng: np.random.Generator, height: int, width: int, size: float, depth: float) -> Plane:
    """Uneven ink: smooth patches, fine speckle or the weave of a ribbon; values in [0, 1]."""
    cell = float(rng.choice([0.06, 0.2, 0.7])) * size
    coarse = rng.random((int(height / cell) + 2, int(width / cell) + 2), dtype=np.float32)
    field = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR)
    return np.asarray(1 - np.float32(depth) * np.clip(field * 1.6 - 0.5, 0, 1), np.float32)
