"""Whole synthetic courtesy amounts, as tight crops of captured cheques, with complete truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.fonts import load_fonts
from training.data.glyphs import Split
from training.synth.amounts import (
    Part,
    WrittenAmount,
    sample_amount,
    sample_currency,
    text_of,
    typed_amount,
)
from training.synth.backgrounds import form, paper
from training.synth.capture import Settings, capture, sample_settings
from training.synth.ink import InkLayer
from training.synth.pins import pin_fonts
from training.synth.printed import Face, Printer

_SIGNS = ("$", "£", "€", "₹", "RS.", "RS")
_PRINTED_SIGNS = 0.45
_ATTEMPTS = 12
_LEAST_PIXELS = 3
_LEAST_SHARE = 0.72
_SLACK_PIXELS = 4
_LEAST_CONTRAST = 26.0
_LEAST_DARKER = 4.0


@dataclass(frozen=True, slots=True)
class SyntheticField:
    """One field and its truth.

    image: u8 [H, W], ink dark on light. owner: u8 [H, W] in the same frame, 0 = no character,
    i + 1 = character i of text. text: one recognizer symbol a character, SPACE left out.
    amount_minor: hundredths. currency: ISO 4217 code, None where the writing does not say.
    hand: whether it was written by hand, or in a font that looks so. second: as in InkLayer, in the
    frame of the image; None where no pixel is of two characters. written: text with SPACE where
    parts stand apart.
    """

    image: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    text: str
    amount_minor: int
    currency: str | None
    hand: bool
    second: NDArray[np.uint8] | None = None
    written: str = ""

    def boxes(self) -> NDArray[np.int32]:
        """Return the box of every character: i32 [len(text), 4], x0, y0, x1, y1, half open."""
        boxes = np.zeros((len(self.text), 4), np.int32)
        for index in range(len(self.text)):
            x, y, w, h = cv2.boundingRect((self.owner == index + 1).view(np.uint8))
            boxes[index] = (x, y, x + w, y + h)
        return boxes


class Writer(Protocol):
    """Whatever turns a written amount into ink."""

    def write(self, rng: np.random.Generator, written: WrittenAmount, height: float) -> InkLayer:
        """Write an amount with digits about ``height`` pixels tall."""


class FieldMaker:
    """Makes synthetic fields of one split; every field depends on its seed alone."""

    def __init__(self, hand: Writer, printer: Printer, hand_share: float = 0.75) -> None:
        self._hand, self._printer, self._hand_share = hand, printer, hand_share

    @classmethod
    def load(
        cls,
        data: Path,
        fonts: Path | None = None,
        split: Split = "train",
        hand_share: float = 0.75,
    ) -> FieldMaker:
        """Make one from the data folder's handwriting and the cached fonts of a split."""
        from training.synth.bank import GlyphBank
        from training.synth.hand import HandWriter

        bank = GlyphBank.load(data, split)
        printer = Printer([*load_fonts(fonts, split), *pin_fonts(split)])
        return cls(HandWriter(bank), printer, hand_share)

    def make(self, seed: int, holding: str = "") -> SyntheticField:
        """Make the field of a seed; with `holding`, of an amount that has one of those symbols."""
        for attempt in range(_ATTEMPTS):
            rng = np.random.default_rng([seed, attempt])
            field = self._attempt(rng, holding)
            if field is not None:
                return field
        raise RuntimeError(f"no field with all its characters visible from seed {seed}")

    def _attempt(self, rng: np.random.Generator, holding: str) -> SyntheticField | None:
        """One field; None where a character would be hidden, cut away or too small to see."""
        written = _amount(rng, holding)
        hand = bool(rng.random() < self._hand_share)
        how = sample_settings(rng)
        height = digit_height(rng) / how.scale
        if hand:
            ink = self._by_hand(rng, written, height)
        else:
            font = self._printer.font(rng, "".join(symbols for symbols, _ in written.parts))
            hand = font.kind == "hand"
            written = written if hand else _typed(rng, written, font, holding)
            ink = self._printer.write(rng, written, height, font)
        taken = photograph(rng, ink, height, how, hand)
        if taken is None:
            return None
        image, owner, second = taken
        return SyntheticField(
            image, owner, ink.text, written.amount_minor, written.currency, hand, second,
            written.text,
        )  # fmt: skip

    def _by_hand(self, rng: np.random.Generator, written: WrittenAmount, height: float) -> InkLayer:
        """Write the amount; the currency sign before it is often a printed one."""
        sign, rest = _split_sign(written)
        if not (sign and rng.random() < _PRINTED_SIGNS):
            return self._hand.write(rng, written, height)
        size = height * rng.uniform(0.55, 1.15)
        printed = self._printer.write(rng, _part(((sign, "line"),), written), size)
        return _beside(rng, printed, self._hand.write(rng, rest, height), height)


def photograph(
    rng: np.random.Generator, ink: InkLayer, height: float, how: Settings, hand: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8], NDArray[np.uint8]] | None:
    """Lay ink with digits ``height`` pixels tall on a cheque's paper, crop and capture it.

    Returns the image u8 [H, W] with the first and the second owner of each pixel in its frame; None
    where some owner's ink came to be hidden, cut away or too pale to be seen.
    """
    owners = max(len(ink.text), int(ink.owner.max()))
    drawn = _pixels(ink.owner, owners)
    image, truth = _compose(rng, ink, height, how, hand)
    image, truth = capture(rng, image, truth, how)
    owner, second = (np.ascontiguousarray(plane) for plane in np.moveaxis(truth, -1, 0))
    seen = _pixels(owner, owners)
    if _visible(drawn, seen, how.scale) and _legible(image, owner, bool(how.binarizer)):
        return image, owner, second
    return None


def _part(parts: tuple[Part, ...], whole: WrittenAmount) -> WrittenAmount:
    return WrittenAmount(parts, whole.amount_minor, whole.currency, text_of(parts))


def _split_sign(written: WrittenAmount) -> tuple[str, WrittenAmount]:
    """Return the currency sign that the amount begins with ("" if none) and what follows it."""
    first, style = written.parts[0]
    for sign in _SIGNS:
        rest = first.removeprefix(sign).strip()
        if style == "line" and first.startswith(sign) and rest:
            return sign, _part(((rest, style), *written.parts[1:]), written)
    return "", written


def _beside(rng: np.random.Generator, left: InkLayer, right: InkLayer, height: float) -> InkLayer:
    """Put two layers side by side, about level with each other, as one text."""
    shift = len(left.text)
    gap = left.coverage.shape[1] + round(rng.uniform(-0.05, 0.9) * height)
    drop = round((left.coverage.shape[0] - right.coverage.shape[0]) / 2)
    drop += round(rng.normal(0, 0.12) * height)
    text = left.text + right.text
    top = min(0, drop)
    rows = max(left.coverage.shape[0], drop + right.coverage.shape[0]) - top
    shape = (rows, max(left.coverage.shape[1], gap + right.coverage.shape[1]))
    coverage, *truth = (np.zeros(shape, np.uint8) for _ in range(3))
    for ink, x, y, first in ((left, 0, 0, 0), (right, gap, drop, shift)):
        place = np.s_[y - top : y - top + ink.coverage.shape[0], x : x + ink.coverage.shape[1]]
        darker = ink.coverage > coverage[place]
        coverage[place][darker] = ink.coverage[darker]
        for whole, own in zip(truth, _truth(ink), strict=True):
            whole[place][darker] = np.where(own > 0, own + first, 0)[darker]
    return InkLayer(coverage, truth[0], text, truth[1])


def _truth(ink: InkLayer) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    return ink.owner, np.zeros_like(ink.owner) if ink.second is None else ink.second


def _typed(
    rng: np.random.Generator, written: WrittenAmount, font: Face, holding: str
) -> WrittenAmount:
    """The amount as machines print it, where the font can and it still has a symbol asked for."""
    typed = typed_amount(rng, sample_currency(rng), written.amount_minor)
    wanted = not holding or any(symbol in typed.text for symbol in holding)
    return typed if wanted and font.has(typed.text.replace(" ", "")) else written


def _amount(rng: np.random.Generator, holding: str) -> WrittenAmount:
    """An amount, drawn anew until it has one of the symbols asked for."""
    while True:
        written = sample_amount(rng)
        if not holding or any(symbol in written.text for symbol in holding):
            return written


def digit_height(rng: np.random.Generator) -> float:
    """Digit height in finished pixels: 16 to 48, most about 28."""
    return float(np.clip(np.exp(rng.normal(np.log(28.5), 0.24)), 16, 48))


def _pixels(owner: NDArray[np.uint8], characters: int) -> NDArray[np.int64]:
    return np.bincount(owner.ravel(), minlength=characters + 1)[1 : characters + 1]


def _visible(before: NDArray[np.int64], after: NDArray[np.int64], scale: float) -> bool:
    """Whether every character kept most of its pixels, through cuts, turns and scaling."""
    kept = after + _SLACK_PIXELS >= _LEAST_SHARE * scale * scale * before
    return bool((kept & (after >= _LEAST_PIXELS)).all())


def _legible(image: NDArray[np.uint8], owner: NDArray[np.uint8], bitonal: bool) -> bool:
    """Whether a person could read it: ink darker than paper, or few bits lost and few added."""
    inked = owner > 0
    paper_level = float(np.median(image[~inked])) if not inked.all() else 255.0
    levels = np.bincount(owner.ravel(), image.ravel()) / np.maximum(1, np.bincount(owner.ravel()))
    if (levels[1:] > paper_level - _LEAST_DARKER).any():
        return False
    if bitonal:
        return bool((image[inked] == 0).mean() > 0.45 and (image[~inked] == 0).mean() < 0.18)
    return paper_level - float(np.percentile(image[inked], 30)) > _LEAST_CONTRAST


def _margins(rng: np.random.Generator, height: float) -> tuple[int, int, int, int]:
    """Left, top, right and bottom margins around the ink; negative ones cut it off."""
    if rng.random() < 0.75:
        shares = rng.uniform(0.0, (0.45, 0.35, 0.45, 0.35))
    else:
        shares = rng.uniform(0.0, (1.5, 0.8, 2.5, 0.8))
    cut = rng.random(4) < (0.06, 0.05, 0.06, 0.05)
    shares = np.where(cut, -rng.uniform(0.0, 0.06, 4), shares)
    left, top, right, bottom = (round(float(v) * height) for v in shares)
    return left, top, right, bottom


def _compose(
    rng: np.random.Generator, ink: InkLayer, height: float, how: Settings, hand: bool
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Lay ink on paper: the ink darkens what is under it. The owners are u8 [H, W, 2]."""
    left, top, right, bottom = _margins(rng, height)
    rows, columns = ink.coverage.shape
    shape = (max(8, rows + top + bottom), max(8, columns + left + right))
    coverage = _canvas(ink.coverage, shape, left, top)
    truth = np.stack([_canvas(plane, shape, left, top) for plane in _truth(ink)], axis=-1)
    plane = paper(rng, *shape, 1 / how.scale)
    box = (max(0, left), max(0, top), min(shape[1], left + columns), min(shape[0], top + rows))
    plane *= form(rng, *shape, box, 1 / how.scale)
    density = min(1.0, rng.normal(0.84, 0.14)) if hand else rng.uniform(0.5, 1.0)
    density = max(0.4, density)
    depth = coverage.astype(np.float32)
    depth *= np.float32(density / 255)
    plane *= 1 - depth
    plane *= 255
    return np.clip(plane, 0, 255).astype(np.uint8), truth


def _canvas(
    plane: NDArray[np.uint8], shape: tuple[int, int], left: int, top: int
) -> NDArray[np.uint8]:
    """Place a plane on an empty canvas at (left, top), cut off where it does not fit."""
    canvas = np.zeros(shape, np.uint8)
    source = plane[max(0, -top) :, max(0, -left) :]
    x, y = max(0, left), max(0, top)
    source = source[: shape[0] - y, : shape[1] - x]
    canvas[y : y + source.shape[0], x : x + source.shape[1]] = source
    return canvas


def write_sheet(
    path: Path, maker: FieldMaker, seed: int = 0, columns: int = 6, rows: int = 12
) -> None:
    """Write a PNG sheet of columns x rows fields from consecutive seeds, each with its text."""
    cell_w, cell_h, scale = 300, 100, 1.5
    sheet = np.full((rows * cell_h, columns * cell_w), 255, np.uint8)
    for index in range(rows * columns):
        field = maker.make(seed + index)
        image = cv2.resize(field.image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        fit = min(1.0, (cell_w - 4) / image.shape[1], (cell_h - 18) / image.shape[0])
        image = cv2.resize(image, None, fx=fit, fy=fit, interpolation=cv2.INTER_AREA)
        y, x = index // columns * cell_h, index % columns * cell_w
        sheet[y : y + image.shape[0], x : x + image.shape[1]] = image
        truth = f"{field.text} {field.currency or ''}".encode("ascii", "replace").decode()
        cv2.putText(sheet, truth, (x, y + cell_h - 4), 0, 0.35, 90, 1, cv2.LINE_AA)
    if not cv2.imwrite(str(path), sheet):
        raise OSError(f"cannot write {path}")
