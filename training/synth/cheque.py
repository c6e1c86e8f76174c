"""Whole synthetic cheques with complete truth: a form, filled in by one drawer, and captured."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from training.data.fonts import load_fonts
from training.synth import words
from training.synth.amounts import Part, WrittenAmount, sample_amount, text_of, typed_amount
from training.synth.forms import sample_form
from training.synth.ink import InkLayer
from training.synth.layout import Form, Slot
from training.synth.legible import LEAST_INK, fewest_ink, is_black_on_white, shows_all
from training.synth.lettering import (
    Hand,
    digit_size,
    sample_hand,
    signature,
    write_amount,
    write_text,
)
from training.synth.page import BLACK, Colour, Page, shelf, text_mask, text_width
from training.synth.pages import cheque_back, noise, photograph
from training.synth.paint import blank_page, paint_form, stamp
from training.synth.papers import letter, receipt, slip, statement
from training.synth.pins import pin_fonts
from training.synth.printed import Printer
from training.synth.scene import (
    WAY_SHARES,
    WAYS,
    Shot,
    develop,
    sample_development,
    sheet_of,
    shoot,
)

Box = tuple[int, int, int, int]
Writer = Callable[[np.random.Generator, WrittenAmount, float], InkLayer]

_PAPERS = {"letter": letter, "receipt": receipt, "slip": slip, "statement": statement}
# What a person has to be able to read all of.
_READ = ("cheque", "negative")
_OTHER_PAGES = ("back", *_PAPERS, "photo", "noise")
KINDS = ("cheque", "blank", "void", "negative", "struck", *_OTHER_PAGES)
"""What make_cheque can make: a cheque to be read, and things that must not be accepted."""

_INKS: tuple[Colour, ...] = (
    (0.08, 0.08, 0.1),
    (0.12, 0.12, 0.14),
    (0.1, 0.16, 0.5),
    (0.06, 0.1, 0.36),
    (0.15, 0.2, 0.42),
    (0.2, 0.22, 0.25),
    (0.1, 0.25, 0.6),
    (0.25, 0.1, 0.35),
    (0.55, 0.1, 0.12),
    (0.1, 0.35, 0.25),
)
_SIGNATURES = words.listed(
    """
    mr-de-haviland meddon rouge-script bilbo licorice la-belle-aurore homemade-apple square-
    peg over-the-rainbow cedarville-cursive nothing-you-could-do zeyada dawning-of-a-new-day
    kristi oooh-baby reenie-beanie liu-jian-mao-cao
    """
)
_INK_SHARES = (0.27, 0.13, 0.2, 0.13, 0.1, 0.06, 0.06, 0.02, 0.02, 0.01)

# How amounts are struck out: along, upwards, downwards, both, to and fro.
_STRUCK = (0.6, 0.16, 0.04, 0.12, 0.08)
_ATTEMPTS = 8
_SCANS = 8
_SCANNERS = ("dynamic", "dynamic", "wolf")
_DPI_SHARES = (0.45, 0.15, 0.15, 0.12, 0.13)


@dataclass(frozen=True, slots=True)
class Filling:
    """What is written on a form, and with what: the courtesy amount (None: left blank), the other
    slots' texts by name, the drawer's hand, whether a machine fills the form in (the signature is
    always by hand), its font, the ink, the height of the amount's digits in mm, what is written
    before and after the amount to make it a negative one, what is struck out."""

    amount: WrittenAmount | None
    texts: dict[str, str]
    hand: Hand
    machine: bool
    font: str
    ink: Colour
    digits: float
    signed: bool = True
    struck: Literal["", "amount", "cheque"] = ""
    around: tuple[str, str] = ("", "")


@dataclass(frozen=True, slots=True)
class SyntheticCheque:
    """One picture of a cheque with its truth; boxes are (x0, y0, x1, y1) in the picture's pixels.

    image: u8 [H, W], or [H, W, 3] RGB; turned by 180 degrees where ``turned``.
    text: the courtesy amount's symbols as written, SPACE where parts stand apart; "" if none.
    amount_minor: hundredths, below zero where a minus or brackets say so, None where none may be
        accepted but for that. currency: ISO 4217, the form's.
    amount_box: tight around the courtesy amount's ink without cents that have a field of their
        own, None if there is none; cents_box: those cents; area_box: the form's place for them.
    character_boxes: i32 [N, 4], one for each symbol of text but SPACE.
    owner: u8 [H, W], 1 + index of the character that a pixel belongs to, 0 for none.
    kind: one of KINDS; layout: the form's name; machine: whether the amount is machine print.
    codeline: its text, as in ``Form``.
    """

    image: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    text: str
    amount_minor: int | None
    currency: str | None
    amount_box: Box | None
    cents_box: Box | None
    area_box: Box | None
    character_boxes: NDArray[np.int32]
    layout: str
    kind: str
    machine: bool
    turned: bool
    codeline: str = ""


@dataclass(frozen=True, slots=True)
class Filled:
    """A page that has been filled in: the text of the amount, how many of its characters stand in
    the amount's own slot (the others are cents apart), and the characters' boxes on the page."""

    page: Page
    text: str
    in_amount: int
    boxes: NDArray[np.int32]


@lru_cache(maxsize=4)
def _printer(split: str) -> Printer:
    fonts = load_fonts(split=split, kinds=("machine", "dots", "protector"))
    return Printer([*fonts, *pin_fonts(split)])


def without_sign(written: WrittenAmount) -> WrittenAmount:
    """Return the amount without the currency signs that its form prints already."""
    parts = []
    for index, (symbols, style) in enumerate(written.parts):
        bare = re.sub(r"[$£€₹]\s*", "", symbols)
        bare = re.sub(r"^RS\.? ?", "", bare) if index == 0 else bare
        bare = bare.rstrip() if style == "line" else bare
        if bare:
            parts.append((bare, style))
    return WrittenAmount(
        tuple(parts), written.amount_minor, written.currency, text_of(tuple(parts))
    )


def split_cents(written: WrittenAmount) -> tuple[WrittenAmount, WrittenAmount]:
    """Return the amount's units and its cents, for a form that has a field for each.

    The units keep their separators, without fillers; the cents are two digits.
    """
    line = "".join(symbols for symbols, style in written.parts if style == "line")
    line = re.sub(r" \d\d/100.*", "", line)
    found = re.search(r"\d[\d., ]*", line)
    units = found.group() if found else str(written.amount_minor // 100)
    apart = any(style in ("superscript", "numerator") for _, style in written.parts)
    shown = re.search(r"[.,]\d\d$", units.strip())
    if shown and not apart:
        units = units.strip()[:-3]
    units = units.strip(" .,")
    cents = f"{written.amount_minor % 100:02d}"
    head = WrittenAmount(((units, "line"),), written.amount_minor, written.currency, units)
    return head, WrittenAmount(((cents, "line"),), written.amount_minor, written.currency, cents)


def enclosed(written: WrittenAmount, front: str, back: str) -> WrittenAmount:
    """Return the amount with symbols before and after it, on its line."""
    (symbols, style), *others = written.parts
    parts: tuple[Part, ...] = ((front + symbols, style), *others)
    if back:
        (symbols, style), *others = reversed(parts)
        parts = (*reversed(others), (symbols + back, style))
    return replace(written, parts=parts, text=text_of(parts))


_STYLES = {
    "USD": ("USD",),
    "GBP": ("GBP",),
    "EUR": ("EUR",),
    "INR": ("INR",),
    "CAD": ("USD",),
    "AUD": ("USD",),
    "NZD": ("USD",),
    "SGD": ("USD",),
    "HKD": ("USD",),
    "MYR": ("GBP",),
    "MXN": ("USD", "USD", ""),
    "PEN": ("USD", ""),
    "BOB": ("USD", ""),
    "BRL": ("EUR",),
    "UYU": ("EUR", "", ""),
    "ARS": ("EUR", "", ""),
    "COP": ("", "", "EUR"),
    "CLP": ("",),
    "ZAR": ("USD", "GBP"),
    "KES": ("GBP", "INR"),
    "PKR": ("INR",),
    "AED": ("USD",),
    "CHF": ("GBP",),
}


_UNITS = {
    "PEN": "soles",
    "BOB": "bolivianos",
    "CHF": "Franken",
    "ZAR": "rand",
    "KES": "shillings",
    "MYR": "ringgit",
    "IEP": "pounds",
}


def sample_filling(rng: np.random.Generator, form: Form, machine: bool | None = None) -> Filling:
    """Draw a drawer and what they write on a form; machine: whether one fills it in, None draws."""
    # Ireland writes its euros with a decimal point.
    styles = ("GBP",) if form.name == "ireland" else _STYLES[form.currency]
    style = styles[int(rng.integers(len(styles)))]
    written = sample_amount(rng, style)
    foreign = style in ("USD", "GBP", "EUR", "INR") and style != form.currency
    bare = (form.sign or foreign) and (foreign or rng.random() < 0.96)
    drawn = bool(rng.random() < (0.75 if form.name == "us-business" else 0.14))
    machine = drawn if machine is None else machine
    major, minor = divmod(written.amount_minor, 100)
    language = form.language
    unit = "" if language in ("en", "en-IN") or rng.random() < 0.2 else _UNITS.get(form.currency)
    legal = words.legal_amount(
        rng,
        major,
        minor,
        language,
        "euros" if language == "en-GB" and form.currency == "EUR" else unit,
    )
    legal = legal[0].upper() + legal[1:]
    if machine and rng.random() < 0.6:
        legal = f"*** {legal} ***" if rng.random() < 0.6 else legal.upper()
    day, month, year = words.date_digits(rng)
    texts = {
        "payee": words.payee(rng, language),
        "legal": legal,
        "date": words.written_date(rng, language),
        "date digits": f"{day:02d}{month:02d}{year}",
        "memo": words.memo(rng, language) if rng.random() < 0.7 else "",
        "place": words.address(rng, language)[1].split(",")[0].lstrip("0123456789 "),
    }
    fonts = (
        "courier-prime",
        "cousine",
        "arimo",
        "tinos",
        "roboto-mono",
        "ocr-b",
        "roboto-condensed",
    )
    ink = _INKS[int(rng.choice(len(_INKS), p=_INK_SHARES))]
    if machine:
        written = typed_amount(rng, style, written.amount_minor)
    return Filling(
        without_sign(written) if bare else written,
        texts,
        sample_hand(rng),
        machine,
        words.pick(rng, fonts),
        BLACK if machine else ink,
        float(np.clip(rng.normal(4.3, 0.7), 2.8, 7.0)),
    )


@dataclass(slots=True)
class _Filler:
    """Writes a filling on a printed page."""

    rng: np.random.Generator
    page: Page
    form: Form
    filling: Filling
    writer: Writer

    def write(self, text: str, x: float, y: float, room: float, digits: float) -> None:
        """Write a line at (x, y) mm, made smaller if it takes more than ``room`` mm."""
        mask, left, top = self._set(text, digits)
        wide = mask.shape[1] / self.page.px(1.0)
        if wide > room > 0:
            mask, left, top = self._set(text, max(1.6, digits * max(0.55, room / wide)))
        at = (round(self.page.px(x)) + left, round(self.page.px(y)) + top)
        self.page.stain(mask, at[0], at[1], self.filling.ink, self._darkness())

    def _darkness(self) -> float:
        return 0.95 if self.filling.machine else 0.9

    def _set(self, text: str, digits: float) -> tuple[NDArray[np.uint8], int, int]:
        if self.filling.machine:
            return text_mask(shelf()[self.filling.font], text, self.page.px(digits * 1.25))
        return write_text(self.rng, self.filling.hand, text, self.page.px(digits), self.page.dpi)

    def _width(self, text: str, digits: float) -> float:
        """Return about how long a line of text comes out, in mm."""
        filling = self.filling
        if filling.machine:
            return text_width(shelf()[filling.font], text, digits * 12.5) / 10.0
        size = digit_size(filling.hand.font, digits * 10.0)
        text = text.upper() if filling.hand.capitals else text
        gaps = text.count(" ") * (filling.hand.gap - 1.0) * digits * 0.35
        return text_width(filling.hand.font, text, size) * filling.hand.stretch / 10.0 + gaps

    def lines(self) -> None:
        """Fill in payee, sum in words, date, memo and place, and sign."""
        small = self.filling.digits * float(self.rng.uniform(0.68, 0.9))
        small = min(small, 2.6 if self.filling.machine else 4.4)
        for slot in self.form.slots:
            if slot.name in ("amount", "cents", "legal2"):
                continue
            if slot.name == "signature":
                self._sign(slot)
            elif slot.name == "legal":
                self._legal(slot, small)
            elif slot.cells:
                self._cells(slot)
            elif self.filling.texts.get(slot.name):
                self._line(slot, self.filling.texts[slot.name], small)

    def _line(self, slot: Slot, text: str, digits: float) -> float:
        """Write on a line; return where the writing starts, in mm from the slot's left end."""
        tall = min(digits, 0.75 * (slot.y1 - slot.y0))
        room = slot.x1 - slot.x0
        indent = float(self.rng.uniform(0.5, max(0.6, min(12.0, 0.25 * room))))
        lift = float(self.rng.uniform(0.1, 0.9))
        self.write(text, slot.x0 + indent, slot.y1 - lift, room - indent, tall)
        return indent

    def _legal(self, slot: Slot, digits: float) -> None:
        text = self.filling.texts.get("legal", "")
        if not text:
            return
        second = self.form.slot("legal2")
        room = (slot.x1 - slot.x0) * 0.95
        first, rest = text, ""
        while second is not None and " " in first and self._width(first, digits) > room:
            first, _, last = first.rpartition(" ")
            rest = f"{last} {rest}".strip()
        indent = self._line(slot, first, digits)
        if rest and second is not None:
            self._line(second, rest, digits)
            return
        if not self.filling.machine and self.rng.random() < 0.5 and second is None:
            self._close(slot, indent + self._width(first, digits))

    def _close(self, slot: Slot, used: float) -> None:
        """Draw the stroke that fills a line's empty end against additions."""
        start = slot.x0 + used + 4.0
        if start > slot.x1 - 8:
            return
        x = np.linspace(start, slot.x1 - float(self.rng.uniform(0, 4)), 30)
        y = slot.y1 - 1.6 + 0.25 * np.sin(np.linspace(0, float(self.rng.uniform(2, 30)), 30))
        self.page.lines([np.stack([x, y], axis=1)], self.filling.hand.pen, self.filling.ink, 0.85)

    def _cells(self, slot: Slot) -> None:
        digits = self.filling.texts.get("date digits", "")
        if not digits:
            return
        step = (slot.x1 - slot.x0) / slot.cells
        tall = min(self.filling.digits * 0.8, 0.65 * (slot.y1 - slot.y0))
        for index, digit in enumerate(digits[: slot.cells]):
            x = slot.x0 + (index + float(self.rng.uniform(0.2, 0.4))) * step
            self.write(digit, x, slot.y1 - 0.18 * (slot.y1 - slot.y0), step, tall)

    def _sign(self, slot: Slot) -> None:
        if not self.filling.signed:
            return
        room = slot.x1 - slot.x0
        length = min(room * 0.95, float(self.rng.uniform(22, 48)))
        height = float(np.clip(self.rng.normal(8.0, 2.0), 4.0, 12.0))
        if self.rng.random() < 0.3:
            self.write_signature(slot, room)
            return
        x = slot.x0 + float(self.rng.uniform(0, max(0.5, room - length)))
        strokes = [
            line + np.array([x, slot.y1 - 1.2]) for line in signature(self.rng, length, height)
        ]
        ink = BLACK if self.filling.machine and self.rng.random() < 0.5 else self.filling.ink
        self.page.lines(strokes, self.filling.hand.pen * 0.85, ink, 0.9)

    def write_signature(self, slot: Slot, room: float) -> None:
        """Sign with a name in a script font, slanted, drawn out and run together."""
        fonts = [shelf()[name] for name in _SIGNATURES if name in shelf()]
        hand = replace(
            self.filling.hand,
            font=fonts[int(self.rng.integers(len(fonts)))],
            capitals=False,
            slant=float(self.rng.uniform(0.0, 0.4)),
            stretch=float(self.rng.uniform(0.9, 1.4)),
            wander=0.05,
            gap=0.6,
        )
        digits = float(self.rng.uniform(3.5, 5.5))
        name = words.person(self.rng)
        mask, left, top = write_text(self.rng, hand, name, self.page.px(digits), self.page.dpi)
        spare = room - mask.shape[1] / self.page.px(1.0)
        x = slot.x0 + float(self.rng.uniform(0.0, max(0.5, spare)))
        lift = float(self.rng.uniform(0.3, 1.5))
        at = (round(self.page.px(x)) + left, round(self.page.px(slot.y1 - lift)) + top)
        self.page.stain(mask, at[0], at[1], self.filling.ink, 0.9)

    def amount(self) -> tuple[str, int]:
        """Write the courtesy amount; return its text and how many characters its own slot holds."""
        slot, cents = self.form.slot("amount"), self.form.slot("cents")
        if self.filling.amount is None or slot is None:
            return "", 0
        front, back = self.filling.around
        if cents is None:
            written = enclosed(self.filling.amount, front, back)
            layer = self._fit(written, slot)
            return written.text, len(layer.text)
        head, tail = split_cents(self.filling.amount)
        head, tail = enclosed(head, front, ""), enclosed(tail, "", back)
        first = self._fit(head, slot)
        tall = (
            self.filling.digits
            if not first.text
            else float(first.owner.shape[0]) / self.page.px(1.3)
        )
        self._fit(tail, cents, len(first.text), tall)
        return f"{head.text} {tail.text}", len(first.text)

    def _fit(
        self, written: WrittenAmount, slot: Slot, before: int = 0, digits: float | None = None
    ) -> InkLayer:
        """Write an amount into a box, smaller if it does not fit; rarely it runs over the edge."""
        room, tall = self.page.px(slot.x1 - slot.x0), self.page.px(slot.y1 - slot.y0)
        apart = any(style == "denominator" for _, style in written.parts)
        most = tall * float(self.rng.uniform(0.55, 0.95)) * (0.75 if apart else 1.0)
        # People write larger in larger boxes, but not in proportion.
        digits = (
            digits
            or self.filling.digits * float(np.clip((slot.y1 - slot.y0) / 8.0, 0.6, 2.0)) ** 0.6
        )
        height = min(self.page.px(digits), most)
        layer = self.writer(self.rng, written, height)
        allowed = room * (float(self.rng.uniform(1.0, 1.12)) if self.rng.random() < 0.2 else 0.96)
        for _ in range(2):
            if layer.coverage.shape[1] > allowed:
                height *= max(0.6, allowed / layer.coverage.shape[1])
                layer = self.writer(self.rng, written, height)
        if layer.coverage.shape[1] > allowed:
            layer = _narrowed(layer, allowed)
        rows, columns = layer.coverage.shape
        spare = room - columns
        share = float(self.rng.beta(1.2, 2.5))
        if self.filling.machine:
            share = float(self.rng.choice([0.05, 0.5, 0.95], p=[0.35, 0.25, 0.4]))
        left = round(self.page.px(slot.x0) + (share * spare if spare > 0 else 0.5 * spare))
        lift = float(self.rng.uniform(0.06, 0.3)) * max(0.0, tall - height)
        below = rows - baseline_row(layer)
        top = round(self.page.px(slot.y1) - lift - (rows - below))
        if apart:
            top = round(self.page.px(slot.y1) - 0.5 * (tall + rows))
        owner = np.where(layer.owner > 0, layer.owner + np.uint8(before), 0).astype(np.uint8)
        self.page.stain(layer.coverage, left, top, self.filling.ink, self._darkness(), owner)
        if self.filling.struck == "amount":
            self._strike(left, top, columns, rows)
        return layer

    def _strike(self, left: int, top: int, columns: int, rows: int) -> None:
        """Cross the amount out: along it, from corner to corner or to and fro."""
        rng = self.rng
        how = str(rng.choice(("along", "up", "down", "both", "zigzag"), p=_STRUCK))
        up, down = ((ends + rng.uniform(-0.05, 0.1, 2)) for ends in ((0.9, 0.05), (0.05, 0.9)))
        if how == "along":
            # Further down it would be a line under the amount: tails reach below the digits' feet.
            turns = [rng.uniform(0.25, 0.6, 2) for _ in range(int(rng.integers(1, 4)))]
        elif how == "zigzag":
            turns = [np.tile((0.1, 0.85), max(2, round(1.2 * columns / rows)))]
        else:
            turns = [line for line, other in ((up, "down"), (down, "up")) if how != other]
        corner, size = np.array((left - 4.0, top)), np.array((columns + 8.0, rows))
        self._cross_out([(corner, size, turn) for turn in turns])

    def strike_all(self) -> None:
        """Cross the whole cheque out: from corner to corner, once or twice."""
        rng, size = self.rng, np.array((self.form.width, self.form.height)) * self.page.px(1.0)
        turns = [np.array((1.0, 0.0)), np.array((0.0, 1.0))][: int(rng.integers(1, 3))]
        lines = [
            (size * rng.uniform(0.03, 0.1, 2), size * rng.uniform(0.8, 0.88, 2), turn)
            for turn in turns
        ]
        self._cross_out(lines)

    def _cross_out(self, lines: Sequence[tuple[NDArray[np.float64], ...]]) -> None:
        """Draw lines from left to right, each with its corner, size and where it turns, of 1."""
        strokes = []
        for corner, size, turns in lines:
            along = np.linspace(0, 1, 20 * (len(turns) - 1))
            wave = 0.03 * np.sin(9 * along + self.rng.uniform(0, 6))
            y = np.interp(along, np.linspace(0, 1, len(turns)), turns) + wave
            strokes.append((corner + np.stack([along, y], axis=1) * size) / self.page.px(1.0))
        self.page.lines(strokes, self.filling.hand.pen * 1.2, self.filling.ink, 0.95)


def _narrowed(layer: InkLayer, width: float) -> InkLayer:
    """Return the ink pressed together to a width in pixels."""
    size = (max(8, int(width)), layer.coverage.shape[0])
    coverage = cv2.resize(layer.coverage, size, interpolation=cv2.INTER_AREA)
    owner = cv2.resize(layer.owner, size, interpolation=cv2.INTER_NEAREST)
    return InkLayer(np.asarray(coverage, np.uint8), np.asarray(owner, np.uint8), layer.text)


def baseline_row(layer: InkLayer) -> int:
    """Return the row on which the digits of a written amount stand, at the median."""
    feet = []
    for index, symbol in enumerate(layer.text):
        rows = np.flatnonzero((layer.owner == index + 1).any(axis=1))
        if symbol.isdigit() and len(rows):
            feet.append(int(rows[-1]) + 1)
    return int(np.median(feet)) if feet else layer.coverage.shape[0]


def draw(
    rng: np.random.Generator,
    form: Form,
    filling: Filling,
    dpi: float,
    writer: Writer,
    plain: bool = False,
) -> Filled:
    """Print a form, fill it in and return the page with its truth."""
    page = blank_page(rng, form.width, form.height, dpi, plain)
    paint_form(page, form)
    filler = _Filler(rng, page, form, filling, writer)
    filler.lines()
    text, in_amount = filler.amount()
    if filling.struck == "cheque":
        filler.strike_all()
    count = len(text.replace(" ", ""))
    return Filled(page, text, in_amount, owner_boxes(page.owner, count))


def owner_boxes(owner: NDArray[np.uint8], count: int) -> NDArray[np.int32]:
    """Return the tight box i32[count,4] of every character in an owner map, zeros for none."""
    boxes = np.zeros((count, 4), np.int32)
    x, y, w, h = cv2.boundingRect((owner > 0).astype(np.uint8))
    part = owner[y : y + h, x : x + w]
    for index in range(count):
        left, top, wide, high = cv2.boundingRect((part == index + 1).astype(np.uint8))
        if wide and high:
            boxes[index] = (x + left, y + top, x + left + wide, y + top + high)
    return boxes


def _seen_boxes(filled: Filled, shot: Shot) -> NDArray[np.int32]:
    """Return the characters' boxes in the picture; small ones lost to it keep their place."""
    boxes = owner_boxes(shot.owner, len(filled.boxes))
    for index in np.flatnonzero(boxes[:, 2] == 0):
        boxes[index] = _moved_box(shot, tuple(int(v) for v in filled.boxes[index]))
    return boxes


def _moved_box(shot: Shot, box: tuple[float, ...]) -> Box:
    """Return a box of the page in the picture: axis-aligned around its moved corners."""
    x0, y0, x1, y1 = box
    corners = np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], np.float64)
    moved = cv2.perspectiveTransform(corners, shot.from_page)[0]
    low, high = np.floor(moved.min(axis=0)), np.ceil(moved.max(axis=0))
    height, width = shot.owner.shape
    return (
        int(np.clip(low[0], 0, width - 1)),
        int(np.clip(low[1], 0, height - 1)),
        int(np.clip(high[0], 1, width)),
        int(np.clip(high[1], 1, height)),
    )


def _around(boxes: NDArray[np.int32]) -> Box | None:
    if not len(boxes):
        return None
    low, high = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    return int(low[0]), int(low[1]), int(high[0]), int(high[1])


def truth(filled: Filled, shot: Shot, form: Form, filling: Filling, kind: str) -> SyntheticCheque:
    """Put a captured cheque and its truth together."""
    boxes = _seen_boxes(filled, shot)
    slot, cents = form.slot("amount"), form.slot("cents")
    area = None
    if slot is not None:
        right = cents.x1 if cents is not None else slot.x1
        area = _moved_box(
            shot, tuple(filled.page.px(v) for v in (slot.x0, slot.y0, right, slot.y1))
        )
    sign = {"cheque": 1, "negative": -1}.get(kind)
    if kind == "negative" and filling.around[1] not in ("", ")"):
        sign = None  # what follows an amount may as well fill its line
    amount = None if filling.amount is None or sign is None else sign * filling.amount.amount_minor
    return SyntheticCheque(
        shot.image,
        shot.owner,
        filled.text,
        amount or None,
        form.currency,
        _around(boxes[: filled.in_amount]),
        _around(boxes[filled.in_amount :]),
        area,
        boxes,
        form.name,
        kind,
        filling.machine,
        False,
        form.codeline,
    )


def turn_over(cheque: SyntheticCheque) -> SyntheticCheque:
    """Return the cheque upside down, with its truth."""
    height, width = cheque.owner.shape

    def turned(box: Box | None) -> Box | None:
        return (
            None
            if box is None
            else (width - box[2], height - box[3], width - box[0], height - box[1])
        )

    boxes = (
        np.array([width, height, width, height], np.int32) - cheque.character_boxes[:, [2, 3, 0, 1]]
    )
    return replace(
        cheque,
        image=np.ascontiguousarray(cheque.image[::-1, ::-1]),
        owner=np.ascontiguousarray(cheque.owner[::-1, ::-1]),
        amount_box=turned(cheque.amount_box),
        cents_box=turned(cheque.cents_box),
        area_box=turned(cheque.area_box),
        character_boxes=boxes.astype(np.int32),
        turned=not cheque.turned,
    )


def make_cheque(
    seed: int,
    *,
    hand: Writer | None = None,
    layout: str | None = None,
    kind: str = "cheque",
    way: str | None = None,
    dpi: float | None = None,
    split: str = "train",
    bitonal: bool = False,
    machine: bool | None = None,
) -> SyntheticCheque:
    """Make one synthetic cheque; the same arguments give the same cheque.

    One whose amount is to be read, or to be seen as a negative one, is made anew where a person
    could not read all of it.
    hand: writes the amounts that are by hand, at a digit height in pixels; None: hand-like fonts.
    layout: a name of FORMS, way: one of WAYS, dpi: the page's resolution; None draws them.
    kind: one of KINDS. split: the part of the machine fonts to print amounts with. bitonal: the
    picture is black and white, by the local thresholds of cheque scanners. machine: whether a
    machine fills it in; None draws it.
    Raises ValueError for an unknown kind or way, KeyError for an unknown layout, and FontError
    where the fonts have not been fetched.
    """
    if kind not in KINDS:
        raise ValueError(f"no kind of page is called {kind}")
    for attempt in range(_ATTEMPTS):
        # The first attempt is drawn by the seed alone, the others by their number as well.
        rng = np.random.default_rng([seed, attempt] if attempt else seed)
        cheque = _attempt(rng, hand, layout, kind, way, dpi, split, bitonal, machine)
        # A black and white picture is scanned again instead.
        shown = bitonal or shows_all(cheque.image, cheque.owner, len(cheque.character_boxes))
        if kind not in _READ or shown:
            break
    return cheque


def _attempt(
    rng: np.random.Generator,
    hand: Writer | None,
    layout: str | None,
    kind: str,
    way: str | None,
    dpi: float | None,
    split: str,
    bitonal: bool,
    machine: bool | None,
) -> SyntheticCheque:
    """One cheque, whether it can be read or not; arguments as in make_cheque."""
    way = way or WAYS[int(rng.choice(len(WAYS), p=WAY_SHARES))]
    dpi = dpi or float(rng.choice([200.0, 150.0, 240.0, 100.0, 300.0], p=_DPI_SHARES))
    if kind in _OTHER_PAGES:
        return _other_page(rng, kind, way, dpi)
    form = sample_form(rng, layout)
    filling = _for_kind(rng, sample_filling(rng, form, machine), kind, form)

    def by_hand(generator: np.random.Generator, written: WrittenAmount, height: float) -> InkLayer:
        return write_amount(generator, written, height, filling.hand, dpi)

    writer = hand or by_hand
    if filling.machine and filling.amount is not None:
        # One machine prints the amount and the cents that stand apart.
        symbols = "".join([*(part for part, _ in filling.amount.parts), *filling.around])
        writer = _printer(split).machine(rng, symbols + "0123456789").write
    filled = draw(rng, form, filling, dpi, writer, plain=rng.random() < 0.1)
    _mark(rng, filled.page, form, kind)
    cheque = truth(filled, _picture(rng, filled.page, way, bitonal), form, filling, kind)
    return turn_over(cheque) if rng.random() < 0.03 else cheque


# Pages of which no amount may be accepted, and how common each is among them.
REFUSED = {
    "negative": 0.4,
    "blank": 0.28,
    "struck": 0.1,
    "back": 0.1,
    "letter": 0.03,
    "receipt": 0.02,
    "statement": 0.02,
    "slip": 0.02,
    "photo": 0.02,
    "noise": 0.01,
}


def make_refused(seed: int, *, hand: Writer | None = None, split: str = "train") -> SyntheticCheque:
    """Make one page of which no amount may be accepted; arguments as in make_cheque."""
    kind = str(np.random.default_rng(seed).choice(list(REFUSED), p=list(REFUSED.values())))
    return make_cheque(seed, hand=hand, kind=kind, split=split)


def _picture(rng: np.random.Generator, page: Page, way: str, bitonal: bool = False) -> Shot:
    """Capture a page and develop the picture: bitonal, grey or, one in five, in colour."""
    if bitonal:
        return _bits(rng, page, way)
    how = sample_development(rng, way)
    shot = shoot(rng, sheet_of(rng, page, not how.binarizer and rng.random() < 0.2), way)
    seen = develop(rng, shot, how)
    if how.binarizer and not is_black_on_white(seen.image, seen.owner):
        seen = develop(rng, shot, replace(how, binarizer=""))
    return seen


def _bits(rng: np.random.Generator, page: Page, way: str) -> Shot:
    """Scan a page in black and white as banks do; what came out illegible is scanned again."""
    for _ in range(_SCANS):
        how = sample_development(rng, way)
        name = str(rng.choice(_SCANNERS))
        seen = develop(
            rng, shoot(rng, sheet_of(rng, page, False), way), replace(how, binarizer=name)
        )
        black = is_black_on_white(seen.image, seen.owner)
        if black and fewest_ink(seen.image, seen.owner) >= LEAST_INK:
            break
    return seen


def is_legible(cheque: SyntheticCheque) -> bool:
    """Tell whether a person can read the amount of a black and white picture, by its ink."""
    image, owner = cheque.image, cheque.owner
    return is_black_on_white(image, owner) and fewest_ink(image, owner) >= LEAST_INK


def _other_page(rng: np.random.Generator, kind: str, way: str, dpi: float) -> SyntheticCheque:
    """Make a page that is no cheque's front."""
    hand, ink = sample_hand(rng), _INKS[int(rng.choice(len(_INKS), p=_INK_SHARES))]
    if kind in ("noise", "photo"):
        page = noise(rng, dpi) if kind == "noise" else photograph(rng, dpi)
    elif kind == "back":
        page = cheque_back(rng, dpi, hand, ink)
    else:
        page = _PAPERS[kind](rng, dpi, hand, ink)
    shot = _picture(rng, page, way)
    none = np.zeros((0, 4), np.int32)
    return SyntheticCheque(
        shot.image, shot.owner, "", None, None, None, None, None, none, kind, kind, False, False
    )


def _for_kind(rng: np.random.Generator, filling: Filling, kind: str, form: Form) -> Filling:
    """Change a filling into that of a cheque which must not be accepted."""
    if kind == "blank":
        kept = {"payee": filling.texts["payee"]} if rng.random() < 0.3 else {}
        return replace(filling, amount=None, texts=kept, signed=bool(rng.random() < 0.3))
    if kind == "negative" and filling.amount is not None:
        return _negative(rng, filling, filling.amount, form)
    if kind == "struck":
        return replace(filling, struck="cheque" if rng.random() < 0.2 else "amount")
    return filling


_SIGNED = {
    ("-", ""): 0.42,
    ("- ", ""): 0.24,
    ("(", ")"): 0.14,
    ("-(", ")"): 0.02,
    ("", "-"): 0.1,
    ("", " CR"): 0.08,
}


def _negative(
    rng: np.random.Generator, filling: Filling, written: WrittenAmount, form: Form
) -> Filling:
    """The filling with a minus, brackets or the like around its amount.

    It has no fillers, of which a dash might be one; machines alone write CR.
    """
    signs = [sign for sign in _SIGNED if filling.machine or "CR" not in sign[1]]
    shares = np.array([_SIGNED[sign] for sign in signs])
    front, back = signs[int(rng.choice(len(signs), p=shares / shares.sum()))]
    body = written.parts[0][0]
    if back or body[0] in "*#=-" or written.text[-1] in "*#=-":
        major, cents = divmod(written.amount_minor, 100)
        parts: tuple[Part, ...] = ((f"{major:,}.{cents:02d}", "line"),)
    elif (
        (sign := re.match(r"[$£€₹] ?|RS\.? ?", body))
        and rng.random() < 0.5
        and form.slot("cents") is None
    ):
        # Between the currency's sign and the figures, of which the latter alone are written beside
        # cents that stand apart.
        parts = ((f"{sign.group()}{front}{body[sign.end() :]}", "line"), *written.parts[1:])
        front = ""
    else:
        parts = written.parts
    written = replace(written, parts=parts, text=text_of(parts))
    return replace(filling, amount=written, around=(front, back))


_STAMPS = (
    "PAID",
    "DEPOSITED",
    "RECEIVED",
    "COPY",
    "BANK USE ONLY",
    "12 MAR 2021",
    "CERTIFIED",
    "CLEARED",
)


def _mark(rng: np.random.Generator, page: Page, form: Form, kind: str) -> None:
    """Stamp a page now and then; a void one is marked so across its middle."""
    colour = _INKS[int(rng.integers(2, 10))]
    if kind == "void":
        for _ in range(int(rng.integers(1, 3))):
            x, y = form.width * rng.uniform(0.3, 0.7), form.height * rng.uniform(0.35, 0.65)
            stamp(
                rng,
                page,
                words.pick(rng, ("VOID", "CANCELLED", "ANULADO", "VOID")),
                float(x),
                float(y),
                colour,
                2.5,
            )
    elif rng.random() < 0.08:
        x, y = form.width * rng.uniform(0.15, 0.85), form.height * rng.uniform(0.2, 0.8)
        stamp(rng, page, words.pick(rng, _STAMPS), float(x), float(y), colour)
