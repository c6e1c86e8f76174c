"""Forms of no country in particular: where things stand is drawn at random, by rows or anywhere."""

from __future__ import annotations

import numpy as np

from training.synth import words
from training.synth.layout import MONO, Form, Frame, Sketch, amount_area, header
from training.synth.parts import border, caption, date_line, paper_width
from training.synth.words import number, pick

_CURRENCIES = (
    ("USD", "$", "en"),
    ("USD", "US$", "en"),
    ("GBP", "£", "en-GB"),
    ("EUR", "€", "fr"),
    ("EUR", "€", "de"),
    ("INR", "₹", "en-IN"),
    ("INR", "Rs.", "en-IN"),
    ("MXN", "$", "es"),
    ("COP", "$", "es"),
    ("CLP", "$", "es"),
    ("ZAR", "R", "en-GB"),
    ("PKR", "Rs.", "en-IN"),
    ("AED", "Dhs", "en"),
    ("CHF", "CHF", "de"),
    ("SGD", "S$", "en"),
    ("HKD", "HK$", "en"),
    ("MYR", "RM", "en"),
    ("KES", "KShs", "en-GB"),
)
_WORDS = {
    "en": ("Date", "Pay to", "The sum of", "Signature"),
    "en-GB": ("Date", "Pay", "Amount in words", "Signature"),
    "en-IN": ("Date", "Pay", "Rupees", "Signature"),
    "es": ("Fecha", "Páguese a", "La suma de", "Firma"),
    "fr": ("Date", "A l'ordre de", "La somme de", "Signature"),
    "de": ("Datum", "an", "Betrag in Worten", "Unterschrift"),
}


def generic(rng: np.random.Generator) -> Form:
    """A form of no country in particular: where things stand is drawn at random."""
    currency, sign, language = _CURRENCIES[int(rng.integers(len(_CURRENCIES)))]
    s = Sketch.start(rng, language, currency, paper_width(rng, 145, 215), paper_width(rng, 66, 95))
    w, h = s.width, s.height
    left, right = s.between(4, 11), w - s.between(4, 11)
    date, pay, total, signature = _WORDS[language]
    border(s, 0.25)
    at = s.between(0.0, 0.35) * w if s.chance(0.8) else left
    header(
        s,
        max(left, at),
        9.5 + s.jitter(1.0),
        words.bank(rng, language),
        words.address(rng, language),
        s.between(8, 16),
    )
    rows = [h * 0.34 + s.jitter(1.5)]
    gap = min(s.between(8.5, 11.5), (h * 0.66 - rows[0]) / 2)
    rows += [rows[0] + gap, rows[0] + 2 * gap]
    box_w, box_h = s.between(26, 54), s.between(6.5, 12.5)
    row = int(rng.choice([-1, 0, 1, 2], p=[0.25, 0.3, 0.2, 0.25]))
    bottom = s.between(13, 16) if row < 0 else rows[row] + s.between(-0.5, 2.0)
    box_x = right - box_w if s.chance(0.85) else w * s.between(0.45, 0.6)
    date_y = s.between(8, 14) if row >= 0 else bottom + s.between(6, 8)
    date_y = min(date_y, rows[0] - 7.5)
    date_x = w * (0.42 if row < 0 and date_y < bottom + 6 else 0.62)
    date_line(
        s,
        date,
        date_x + s.jitter(3),
        date_y,
        box_x - 6 if row < 0 and date_y < bottom + 6 else right,
    )
    order = (
        (("payee", pay), ("legal", total)) if s.chance(0.65) else (("legal", total), ("payee", pay))
    )
    stop = [right if index != row else box_x - 4 - 4 * len(sign) for index in range(3)]
    for index, (name, label) in enumerate(order):
        end = caption(s, left, rows[index], (label.upper() if s.chance(0.3) else label,))
        s.line_slot(name, end, rows[index], max(end + 30, stop[index]), min(gap, 7.5))
    if s.chance(0.7):
        s.line_slot(
            "legal2", left, rows[2], max(left + 40, min(stop[2], right - 30)), min(gap, 7.0)
        )
    amount_area(
        s, box_x, bottom - box_h, box_x + box_w, bottom, sign if s.chance(0.85) else "", boxed=0.6
    )
    foot = h - s.between(14, 19)
    s.line_slot(
        "signature",
        w * s.between(0.5, 0.62),
        foot,
        right,
        min(8.0, foot - rows[2] - 2),
        ruled=s.chance(0.7),
    )
    s.print(w * 0.7, foot + 2.4, signature, 5.0)
    s.lines(left, foot - 3, (words.firm(rng, language), f"No. {number(rng, 10)}"), 6.0)
    line, kind = _codeline(rng)
    return s.finish("generic", line, kind, (left + s.between(0, 25), h - s.between(7, 9.5)))


def _codeline(rng: np.random.Generator) -> tuple[str, str]:
    """Its text and its kind, as in ``Form``."""
    kind = pick(rng, ("e13b", "e13b", "cmc7", "print"))
    line = f"U{number(rng, 6)}U T{number(rng, 9)}T {number(rng, int(rng.integers(7, 13)))}U"
    if kind != "e13b":
        line = f"{number(rng, 8)} {number(rng, 10)} {number(rng, 11)}"
    return line, kind


_AMOUNT = {
    "en": "AMOUNT",
    "en-GB": "Amount",
    "en-IN": "AMOUNT",
    "es": "IMPORTE",
    "fr": "Montant",
    "de": "Betrag",
}
_NOTES = (
    "NOT VALID OVER {}1,000.00",
    "VOID AFTER 90 DAYS",
    "Tel. 555 0199",
    "Not negotiable",
    "A/C payee only",
)
# Tries to find a free place; mm between two parts at least, and that the codeline takes.
_TRIES = 60
_AIR = 1.2
_CODELINE = 11.0


class _Room:
    """What of a form is free, lengths in mm; and what is printed on it: the language, the sign of
    the currency."""

    def __init__(self, sketch: Sketch, sign: str) -> None:
        self.sketch = sketch
        self.language = sketch.language
        self.sign = sign
        self.taken: list[tuple[float, float, float, float]] = []

    def place(self, wide: float, high: float) -> tuple[float, float] | None:
        """The left top of a free part so large, at random; None where none was found."""
        s = self.sketch
        margin = s.between(2.5, 8.0)
        right, bottom = s.width - margin - wide, s.height - _CODELINE - high
        if right < margin or bottom < margin:
            return None
        for _ in range(_TRIES):
            x0, y0 = s.between(margin, right), s.between(margin, bottom)
            x1, y1 = x0 + wide + _AIR, y0 + high + _AIR
            if all(x1 < a or x0 > c or y1 < b or y0 > d for a, b, c, d in self.taken):
                self.taken.append((x0, y0, x1, y1))
                return x0, y0
        return None


def scattered(rng: np.random.Generator) -> Form:
    """A form whose parts stand wherever there is room: nothing of it can be learned by heart."""
    currency, sign, language = _CURRENCIES[int(rng.integers(len(_CURRENCIES)))]
    s = Sketch.start(rng, language, currency, paper_width(rng, 125, 220), paper_width(rng, 58, 100))
    border(s, 0.2)
    room = _Room(s, sign)
    _amount(s, room)
    parts = [_written, _header, _signature, _small_print, _number, _memo, _date]
    order = [parts[index] for index in rng.permutation(len(parts)).tolist()]
    for draw in [*order, _small_print, _header]:
        draw(s, room)
    line, kind = _codeline(rng)
    at = (s.between(4, 0.3 * s.width), s.height - s.between(7, 9.5))
    return s.finish("scattered", line, kind, at)


def _amount(s: Sketch, room: _Room) -> None:
    sign = room.sign if s.chance(0.85) else ""
    wide, high = s.between(24, 60), s.between(6.0, 13.0)
    before = 2.0 + 3.0 * len(sign)
    at = room.place(before + wide, high + 3.0)
    x0, y0 = at or (s.width - wide - 8.0, 12.0)
    x0, y0 = x0 + before, y0 + 3.0
    amount_area(s, x0, y0, x0 + wide, y0 + high, sign, boxed=0.5)
    if s.chance(0.2):
        s.print(x0 + 1.0, y0 - 0.7, _AMOUNT[room.language], 5.0)


def _written(s: Sketch, room: _Room) -> None:
    """Who is paid and the sum in words, in either order, on lines of any length."""
    _, pay, total, _ = _WORDS[room.language]
    for name, label in (("payee", pay), ("legal", total), ("legal2", "")):
        wide = s.between(0.35, 0.85) * s.width
        at = room.place(wide, 7.5)
        if at is not None:
            x, y = at[0], at[1] + 7.0
            end = caption(s, x, y, (label,)) if label else x
            s.line_slot(name, end, y, max(x + wide, end + 20), 6.5, ruled=s.chance(0.8))


def _header(s: Sketch, room: _Room) -> None:
    at = room.place(s.between(40, 65), 12.0)
    if at is not None:
        name = words.bank(s.rng, room.language) if s.chance(0.6) else words.person(s.rng).upper()
        header(s, at[0], at[1] + 5.5, name, words.address(s.rng, room.language), s.between(7, 14))


def _signature(s: Sketch, room: _Room) -> None:
    wide = s.between(35, 60)
    at = room.place(wide, 12.0)
    if at is not None:
        foot = at[1] + 9.0
        s.line_slot("signature", at[0], foot, at[0] + wide, 8.0, ruled=s.chance(0.7))
        s.print(at[0] + wide / 3, foot + 2.4, _WORDS[room.language][3], 5.0)


def _small_print(s: Sketch, room: _Room) -> None:
    at = room.place(s.between(30, 50), 8.0)
    if at is not None:
        notes = (
            words.firm(s.rng, room.language),
            f"No. {number(s.rng, 10)}",
            pick(s.rng, _NOTES).format(room.sign),
        )
        s.lines(at[0], at[1] + 2.5, notes, s.between(4.5, 7.0))


def _number(s: Sketch, room: _Room) -> None:
    """A cheque's or an account's number, in a frame or bare."""
    digits = int(s.rng.integers(4, 15))
    size = s.between(7, 13)
    wide, high = 0.3528 * size * 0.62 * digits + 4.0, 0.5 * size
    at = room.place(wide, high)
    if at is None:
        return
    x, y = at
    if s.chance(0.4):
        s.items.append(Frame(x, y, x + wide, y + high, 0.25, s.ink))
    font = pick(s.rng, (*MONO, s.label_font))
    s.print(x + 1.5, y + 0.75 * high, number(s.rng, digits), size, font=font)


def _memo(s: Sketch, room: _Room) -> None:
    at = room.place(50.0, 7.0)
    if at is not None:
        end = caption(s, at[0], at[1] + 6.0, (pick(s.rng, ("MEMO", "FOR", "Ref.")),))
        s.line_slot("memo", end, at[1] + 6.0, at[0] + 50.0, 5.5)


def _date(s: Sketch, room: _Room) -> None:
    at = room.place(60.0, 8.0)
    if at is not None:
        date_line(s, _WORDS[room.language][0], at[0], at[1] + 6.5, at[0] + 60.0)
