"""Cheque forms of several countries, each drawn anew at random, and a sampler of forms of none.

Positions follow what is common in a country (paper sizes, where date, payee, amount and codeline
stand); every one of them is jittered, and fonts, frames, labels and rules are chosen by chance.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.synth import words
from training.synth.anywhere import generic, scattered
from training.synth.layout import MONO, Form, Frame, Sketch, Slot, amount_area, header
from training.synth.parts import border, caption, crossing, padlock, paper_width
from training.synth.words import number, pick


def us_personal(rng: np.random.Generator) -> Form:
    """A personal cheque of the United States, 6 by 2.75 inches."""
    s = Sketch.start(rng, "en", "USD", 152.4, 69.9)
    w, h = s.width, s.height
    left, right = s.between(3.5, 7.5), w - s.between(3.5, 8.0)
    border(s, 0.2)
    header(
        s,
        left + 1,
        8.5 + s.jitter(0.8),
        words.person(rng).upper() if s.chance(0.6) else words.person(rng),
        words.address(rng, "en"),
        s.between(7.0, 9.0),
    )
    serial = number(rng, int(rng.integers(3, 5)))
    serial_y = 8.0 + s.jitter(0.8)
    s.print(
        right,
        serial_y,
        serial,
        s.between(9, 12),
        font=pick(rng, (*MONO, s.label_font)),
        align="right",
    )
    if s.chance(0.6):
        s.print(
            right,
            serial_y + s.between(2.8, 4.0),
            f"{number(rng, 2)}-{number(rng, 4)}/{number(rng, 4)}",
            5.5,
            align="right",
        )
    date_y = 17.0 + s.jitter(1.0)
    date_x = w * 0.6 + s.jitter(7.0)
    end = caption(s, date_x, date_y, (pick(rng, ("DATE", "Date", "")),))
    s.line_slot("date", end, date_y, min(right, end + s.between(28, 40)), 5.5, ruled=s.chance(0.9))
    pay_y = 27.5 + s.jitter(1.2)
    box_w, box_h = s.between(24, 34), s.between(6.0, 9.0)
    box_x = right - box_w - s.jitter(0.8)
    labels = (("PAY TO THE", "ORDER OF"), ("Pay to the", "Order of"), ("PAY TO THE ORDER OF",))
    end = caption(s, left, pay_y, labels[int(rng.integers(3))])
    s.line_slot("payee", end, pay_y, box_x - s.between(5, 9))
    sign = "$" if s.chance(0.9) else ""
    drop = s.between(-1.0, 1.6)
    amount_area(s, box_x, pay_y + drop - box_h, right, pay_y + drop, sign, boxed=0.6)
    legal_y = pay_y + s.between(7.5, 10.0)
    word_x = right - s.between(18, 26)
    s.line_slot("legal", left, legal_y, word_x - 1)
    s.print(word_x, legal_y, pick(rng, ("DOLLARS", "Dollars", "DOLLARS")))
    if s.chance(0.6):
        padlock(s, word_x + s.label_size * 2.3, legal_y)
    if s.chance(0.8):
        header(
            s,
            left + s.between(0, 6),
            legal_y + s.between(6, 9),
            words.bank(rng, "en"),
            words.address(rng, "en"),
            s.between(7, 10),
        )
    foot_y = min(h - 13.5, legal_y + s.between(17, 22))
    end = caption(s, left, foot_y, (pick(rng, ("MEMO", "FOR", "Memo", "For")),))
    s.line_slot("memo", end, foot_y, w * s.between(0.36, 0.48), 5.5)
    s.line_slot("signature", w * s.between(0.52, 0.58), foot_y, right, 8.0)
    if s.chance(0.15):
        s.print(right - 8, foot_y + 2.2, "AUTHORIZED SIGNATURE", 4.0, align="right")
    line = f"T{number(rng, 9)}T {number(rng, int(rng.integers(8, 13)))}U {serial}"
    return s.finish("us-personal", line, "e13b", (left + s.between(2, 14), h - s.between(7.5, 9.0)))


def us_business(rng: np.random.Generator) -> Form:
    """A business cheque of the United States, as laser printers fill them in."""
    s = Sketch.start(rng, "en", "USD", paper_width(rng, 209.6, 215.9), 88.9)
    w, h = s.width, s.height
    left, right = s.between(6, 12), w - s.between(6, 12)
    border(s, 0.35)
    header(
        s,
        left,
        10.5 + s.jitter(1.0),
        words.firm(rng, "en").upper(),
        words.address(rng, "en"),
        s.between(9, 12),
    )
    if s.chance(0.75):
        header(
            s,
            w * 0.52 + s.jitter(8),
            9.5 + s.jitter(1.0),
            words.bank(rng, "en").upper(),
            words.address(rng, "en"),
            s.between(6.5, 8.5),
            "centre",
        )
    serial = number(rng, int(rng.integers(4, 7)))
    s.print(
        right,
        11 + s.jitter(1.0),
        serial,
        s.between(12, 16),
        font=pick(rng, (*MONO, "arimo!")),
        align="right",
    )
    date_y = 25.0 + s.jitter(2.0)
    date_x = w * 0.68 + s.jitter(8.0)
    end = caption(s, date_x, date_y, (pick(rng, ("DATE", "Date", "CHECK DATE")),))
    s.line_slot("date", end, date_y, end + s.between(24, 32), 5.5, ruled=s.chance(0.6))
    sum_first = s.chance(0.55)
    pay_y = 40.0 + s.jitter(1.5)
    box_w, box_h = s.between(32, 46), s.between(7, 10)
    box_x = right - box_w
    stars = "$" if s.chance(0.7) else ""
    amount_area(s, box_x, pay_y - box_h + 1, right, pay_y + 1.0, stars, boxed=0.5, split=False)
    if s.chance(0.3):
        s.print((box_x + right) / 2, pay_y - box_h + 0.3, "AMOUNT", 5.0, align="centre")
    other_y = pay_y + s.between(8, 11)
    label = ("PAY",) if sum_first else ("PAY TO THE", "ORDER OF")
    end = caption(s, left, pay_y, label)
    first, second = ("legal", "payee") if sum_first else ("payee", "legal")
    s.line_slot(first, end, pay_y, box_x - 8, ruled=s.chance(0.7))
    end = caption(s, left, other_y, ("TO THE", "ORDER OF") if sum_first else ("",))
    s.line_slot(second, end, other_y, right - 30, ruled=not sum_first)
    if not sum_first:
        s.print(right - 29, other_y, "DOLLARS")
        if s.chance(0.5):
            padlock(s, right - 12, other_y)
    foot_y = h - s.between(17, 21)
    if s.chance(0.5):
        end = caption(s, left, foot_y, (pick(rng, ("MEMO", "FOR")),))
        s.line_slot("memo", end, foot_y, w * 0.42, 5.5)
    s.line_slot("signature", w * s.between(0.58, 0.66), foot_y, right, 9.0)
    s.print(
        (w * 0.63 + right) / 2,
        foot_y + 2.4,
        pick(rng, ("AUTHORIZED SIGNATURE", "Authorized Signature", "MP")),
        5.0,
        align="centre",
    )
    line = f"U{serial.zfill(6)}U T{number(rng, 9)}T {number(rng, 10)}U"
    return s.finish(
        "us-business", line, "e13b", (w * s.between(0.18, 0.3), h - s.between(7.5, 9.0))
    )


def british(rng: np.random.Generator, currency: str = "GBP") -> Form:
    """A cheque of the United Kingdom, or with EUR of Ireland."""
    sign = "£" if currency == "GBP" else "€"
    s = Sketch.start(rng, "en-GB", currency, paper_width(rng, 152, 205), 78.0)
    w, h = s.width, s.height
    left, right = s.between(4, 9), w - s.between(5, 10)
    header(
        s,
        left,
        9.5 + s.jitter(1),
        words.bank(rng, "en-GB"),
        words.address(rng, "en-GB"),
        s.between(10, 15),
    )
    code = "-".join(number(rng, 2) for _ in range(3))
    s.print(right, 7.0 + s.jitter(0.6), code, s.between(8, 11), font=pick(rng, MONO), align="right")
    date_y = 15.5 + s.jitter(1.2)
    date_x = w * 0.66 + s.jitter(4)
    end = caption(s, date_x, date_y, ("Date",))
    s.line_slot("date", end, date_y, right, 5.5)
    if s.chance(0.75):
        texts = (
            ("A/C payee", "Account payee", "A/C payee only")
            if currency == "GBP"
            else ("A/C payee", "Not negotiable")
        )
        crossing(s, texts)
    pay_y = 27.5 + s.jitter(1.2)
    end = caption(s, left, pay_y, ("Pay",), s.label_size + 2)
    s.line_slot("payee", end, pay_y, right if s.chance(0.7) else w * 0.7)
    box_w, box_h = s.between(33, 46), s.between(8, 12)
    box_y = pay_y + s.between(3.5, 6)
    legal_y = pay_y + s.between(8.5, 10.5)
    s.line_slot("legal", left, legal_y, right - box_w - s.between(6, 9))
    s.line_slot("legal2", left, legal_y + s.between(8.0, 9.5), right - box_w - s.between(6, 14))
    amount_area(s, right - box_w, box_y, right, box_y + box_h, sign, boxed=0.85)
    if s.chance(0.4):
        s.print(
            left, legal_y + 14, pick(rng, ("Cheque number", "Sort code    Account number")), 4.5
        )
    holder = words.person(rng).upper() if s.chance(0.6) else words.firm(rng, "en-GB").upper()
    name_y = box_y + box_h + 4.0
    s.print(right - box_w, name_y, holder, 6.5)
    s.line_slot(
        "signature",
        right - box_w - s.between(0, 15),
        h - s.between(17.5, 19.5),
        right,
        8.0,
        ruled=s.chance(0.5),
    )
    line = f"U{number(rng, 6)}U {code.replace('-', 'D')}T {number(rng, 8)}U"
    form_name = "uk" if currency == "GBP" else "ireland"
    return s.finish(form_name, line, "e13b", (left + s.between(2, 16), h - s.between(7.5, 9.5)))


def irish(rng: np.random.Generator) -> Form:
    """An Irish cheque, laid out as the British ones."""
    return british(rng, "EUR")


def french(rng: np.random.Generator) -> Form:
    """A French cheque, 175 by 80 mm: sum in words first, amount at the right, place and date."""
    s = Sketch.start(rng, "fr", "EUR", 175.0, 80.0)
    w, h = s.width, s.height
    left, right = s.between(4, 8), w - s.between(4, 8)
    header(s, left, 9.0 + s.jitter(0.8), words.bank(rng, "fr"), (), s.between(11, 15))
    first_y = 19.0 + s.jitter(1.0)
    if s.chance(0.5):
        s.print(right, 7.0, f"Chèque n° {number(rng, 7)}", 6.0, align="right")
    label = "Payez contre ce chèque non endossable" if s.chance(0.6) else "Payez contre ce chèque"
    box_w, box_h = s.between(36, 44), s.between(8, 11)
    end = caption(
        s,
        left,
        first_y,
        (label,) if s.chance(0.5) else ("sauf au profit d'une banque", label)[::-1],
    )
    s.line_slot("legal", end, first_y, right if s.chance(0.4) else right - box_w - 6)
    second_y = first_y + s.between(8.0, 9.5)
    s.line_slot("legal2", left, second_y, right - box_w - 8)
    box_y = first_y + s.between(3.0, 5.0)
    amount_area(
        s, right - box_w, box_y, right, box_y + box_h, "€" if s.chance(0.9) else "EUR", boxed=0.85
    )
    payee_y = second_y + s.between(8.0, 9.5)
    end = caption(s, left, payee_y, ("à",), s.label_size + 2)
    s.line_slot("payee", end, payee_y, right - box_w - 4)
    place_y = box_y + box_h + s.between(6, 9)
    end = caption(s, right - box_w - 2, place_y, ("A" if s.chance(0.5) else "Fait à",))
    s.line_slot("place", end, place_y, right, 5.0)
    end = caption(s, right - box_w - 2, place_y + 6.5, ("le",))
    s.line_slot("date", end, place_y + 6.5, right, 5.0)
    s.slots.append(Slot("signature", right - box_w - 12, place_y + 8, right, place_y + 17))
    s.print(right - box_w - 12, place_y + 9.5, "signature", 4.5)
    foot = h - 24
    s.lines(
        left, foot, ("Payable en France", *words.address(rng, "fr"), f"Tél. 0{number(rng, 9)}"), 5.0
    )
    s.lines(left + 45, foot, (words.person(rng).upper(), *words.address(rng, "fr")), 6.0)
    if s.chance(0.75):
        x = w * s.between(0.3, 0.45)
        slant = h * 0.45
        for shift in (0.0, 5.0):
            s.rule(x + shift, h * 0.9, x + shift + slant, h * 0.08, 0.3)
    line = f"{number(rng, 7)} A{number(rng, 12)}B {number(rng, 12)}D"
    return s.finish("france", line, "cmc7", (left + s.between(0, 6), h - s.between(7.5, 9.0)))


def german(rng: np.random.Generator) -> Form:
    """A German or Austrian cheque, with the sum in words over two lines and an OCR line."""
    s = Sketch.start(rng, "de", "EUR", 147.0 if rng.random() < 0.6 else 165.0, 72.0)
    w, h = s.width, s.height
    left, right = s.between(4, 8), w - s.between(4, 8)
    header(s, left, 9.0, words.bank(rng, "de"), (), s.between(10, 14))
    s.print(w * 0.5, 7.0, "Zahlen Sie gegen diesen Scheck", 6.0)
    if s.chance(0.5):
        s.print(right, 5.0, "Nur zur Verrechnung", 7.0, font="arimo!", align="right")
    box_w, box_h = s.between(34, 44), s.between(7.5, 10)
    box_y = 11.0 + s.jitter(1.0)
    sign = pick(rng, ("EUR", "€", "Euro", ""))
    s.print(
        right - box_w, box_y - 0.7, pick(rng, ("Betrag: Euro, Cent", "Betrag", "EUR     Cent")), 4.8
    )
    amount_area(
        s, right - box_w, box_y, right, box_y + box_h, sign, split=s.chance(0.25), boxed=0.85
    )
    legal_y = 18.5 + s.jitter(1.0)
    s.line_slot("legal", left, legal_y, right - box_w - 8)
    s.print(left, legal_y + 2.0, "Betrag in Buchstaben", 4.5)
    s.line_slot("legal2", left, legal_y + 8.5, right)
    payee_y = legal_y + 17.0
    end = caption(s, left, payee_y, ("an",))
    s.line_slot("payee", end, payee_y, right - 24)
    s.print(right - 22, payee_y, pick(rng, ("oder Überbringer", "oder Order")), 5.0)
    foot = payee_y + s.between(11, 13)
    s.line_slot("date", left, foot, w * 0.45, 5.5)
    s.print(left, foot + 2.2, "Ausstellungsort, Datum", 4.5)
    s.line_slot("signature", w * 0.52, foot, right, 8.0)
    s.print(w * 0.52, foot + 2.2, "Unterschrift des Ausstellers", 4.5)
    line = f"{number(rng, 13)} {number(rng, 10)} {number(rng, 8)} 01"
    return s.finish("germany", line, "print", (left + s.between(2, 8), h - s.between(4.5, 6.5)))


def indian(rng: np.random.Generator) -> Form:
    """An Indian cheque after the CTS-2010 standard, 202 by 92 mm, or an older one."""
    s = Sketch.start(rng, "en-IN", "INR", 202.0, 92.0)
    w, h = s.width, s.height
    left, right = s.between(6, 11), w - s.between(6, 10)
    crossed = s.chance(0.35)
    header(
        s,
        left + (s.between(10, 16) if crossed else s.between(0, 14)),
        9.5 + s.jitter(1),
        words.bank(rng, "en-IN"),
        (
            *words.address(rng, "en-IN"),
            f"IFS Code: {pick(rng, ('HBIN', 'MERB', 'PNRB'))}0{number(rng, 6)}",
        ),
        s.between(12, 17),
    )
    cells_w = s.between(40, 50)
    date_y = 6.0 + s.jitter(0.8)
    if s.chance(0.85):
        s.cells("date", right - cells_w, date_y, right, date_y + s.between(5.0, 6.0), 8)
        step = cells_w / 8
        for index, letter in enumerate("DDMMYYYY"):
            s.print(
                right - cells_w + (index + 0.5) * step, date_y + 7.6, letter, 4.2, align="centre"
            )
        s.print(
            right, date_y - 0.8, "VALID FOR THREE MONTHS FROM THE DATE OF ISSUE", 3.8, align="right"
        )
    else:
        s.line_slot("date", right - 40, date_y + 6, right, 5.5)
    pay_y = 27.0 + s.jitter(1.2)
    end = caption(s, left, pay_y, ("PAY" if s.chance(0.7) else "Pay",), s.label_size + 2)
    s.line_slot("payee", end, pay_y, right - 20, 7.0)
    s.print(
        right,
        pay_y + 2.5,
        pick(rng, ("OR BEARER", "OR ORDER", "OR BEARER")),
        5.5,
        align="right",
    )
    box_w, box_h = s.between(46, 56), s.between(9, 13)
    legal_y = pay_y + s.between(9.0, 10.5)
    end = caption(s, left, legal_y, ("RUPEES" if s.chance(0.7) else "Rupees",), s.label_size + 1)
    s.line_slot("legal", end, legal_y, right, 7.0)
    second_y = legal_y + s.between(9.0, 10.5)
    s.line_slot("legal2", left, second_y, right - box_w - 8, 7.0)
    box_y = legal_y + s.between(2.5, 5.0)
    sign = "₹" if s.chance(0.7) else pick(rng, ("Rs.", "Rs"))
    amount_area(
        s,
        right - box_w,
        box_y,
        right,
        box_y + box_h,
        sign,
        split=s.chance(0.08),
        boxed=0.92,
        place="inside" if s.chance(0.75) else "left",
    )
    account_y = second_y + s.between(5, 8)
    s.print(left, account_y + 4.5, pick(rng, ("A/c No.", "A/c No.", "A/C NO.")), 6.5)
    s.items.append(Frame(left + 13, account_y, left + 70, account_y + 7.5, 0.25, s.ink))
    s.print(
        left + 16, account_y + 5.3, number(rng, int(rng.integers(11, 16))), 10, font=pick(rng, MONO)
    )
    if s.chance(0.6):
        s.lines(
            left, account_y + 11.5, ("PREFIX: 0521", "PAYABLE AT PAR AT ALL BRANCHES IN INDIA"), 4.5
        )
    sign_y = h - s.between(20, 22)
    s.slots.append(Slot("signature", right - 50, sign_y - 9, right, sign_y))
    s.print(right - 12, sign_y - 12, words.person(rng).upper(), 6.0, align="right")
    s.print(
        right - 8,
        sign_y + 3.2,
        pick(rng, ("Please sign above", "AUTHORISED SIGNATORY")),
        5.5,
        align="right",
    )
    if crossed:
        for shift in (0.0, 4.5):
            s.rule(2.0, 14 + shift, 14 + shift, 2.0, 0.35)
    line = f"U{number(rng, 6)}U {number(rng, 9)}T {number(rng, 6)}U {number(rng, 2)}"
    return s.finish("india", line, "e13b", (w * s.between(0.2, 0.3), h - s.between(8.0, 10.0)))


_LATIN = {
    "CLP": ("$", "PESOS M/L", ("PÁGUESE A LA", "ORDEN DE"), "O AL PORTADOR"),
    "UYU": ("$", "PESOS URUGUAYOS", ("PÁGUESE A",), "O A SU ORDEN"),
    "ARS": ("$", "PESOS", ("PÁGUESE A",), ""),
    "COP": ("$", "PESOS M/CTE", ("PÁGUESE A", "LA ORDEN DE"), ""),
    "MXN": ("$", "MONEDA NACIONAL", ("PÁGUESE ESTE", "CHEQUE A"), ""),
    "PEN": ("S/", "SOLES", ("PÁGUESE A LA", "ORDEN DE"), ""),
    "BOB": ("Bs", "BOLIVIANOS", ("PÁGUESE A LA", "ORDEN DE"), ""),
}


def latin(rng: np.random.Generator, currency: str | None = None) -> Form:
    """A Spanish-American cheque: amount at the top right, place and date, payee, sum in words."""
    currency = currency or pick(
        rng, ("CLP", "CLP", "UYU", "ARS", "COP", "COP", "MXN", "PEN", "BOB")
    )
    sign, unit, order, bearer = _LATIN[currency]
    s = Sketch.start(rng, "es", currency, paper_width(rng, 160, 185), paper_width(rng, 70, 82))
    w, h = s.width, s.height
    left, right = s.between(4, 9), w - s.between(4, 9)
    border(s, 0.12)
    header(
        s,
        left,
        9.5 + s.jitter(1),
        words.bank(rng, "es"),
        words.address(rng, "es"),
        s.between(10, 15),
    )
    s.print(
        w * 0.4 + s.jitter(6),
        7.5,
        f"{pick(rng, ('SERIE', 'Serie', 'CHEQUE N°'))} {number(rng, 7)}",
        s.between(7, 10),
        font=pick(rng, MONO),
    )
    box_w, box_h = s.between(36, 52), s.between(7, 11)
    amount_y = s.between(4, 8)
    date_y = amount_y + box_h + s.between(6, 9)
    date_first = s.chance(0.25)
    if date_first:
        date_y, amount_y = amount_y + 6, amount_y + s.between(10, 13)
    amount_area(
        s,
        right - box_w,
        amount_y,
        right,
        amount_y + box_h,
        sign if s.chance(0.9) else "",
        boxed=0.6,
    )
    if s.chance(0.3):
        s.cells("date", right - 44, date_y - 5.5, right, date_y, 8)
        for label, at in (("DÍA", 0.12), ("MES", 0.37), ("AÑO", 0.75)):
            s.print(right - 44 + 44 * at, date_y + 2.0, label, 4.0, align="centre")
    else:
        s.line_slot("date", right - s.between(55, 75), date_y, right, 5.5, ruled=s.chance(0.8))
    pay_y = max(date_y, amount_y + box_h) + s.between(7.5, 9.5)
    end = caption(s, left, pay_y, order)
    s.line_slot("payee", end, pay_y, right - (24 if bearer else 0))
    if bearer:
        s.print(right, pay_y, bearer, 5.0, align="right")
    legal_y = pay_y + s.between(8, 9.5)
    end = caption(
        s, left, legal_y, (pick(rng, ("LA SUMA DE", "LA CANTIDAD DE", "IMPORTE CON LETRA")),)
    )
    s.line_slot("legal", end, legal_y, right)
    if legal_y + 22 < h - 8 or s.chance(0.5):
        second_y = legal_y + s.between(7.5, 9.0)
        s.line_slot("legal2", left, second_y, right - 34)
        s.print(right, second_y, unit, align="right")
    sign_y = h - s.between(14, 17)
    s.line_slot("signature", w * s.between(0.55, 0.65), sign_y, right, 9.0, ruled=s.chance(0.6))
    s.lines(
        left,
        sign_y - 3.5,
        (
            words.firm(rng, "es") if s.chance(0.5) else words.person(rng).upper(),
            f"Cta. Cte. {number(rng, 10)}",
        ),
        6.0,
    )
    if s.chance(0.3):
        crossing(s, ("NO NEGOCIABLE", "CRUZADO", "PARA DEPÓSITO"))
    kind = "cmc7" if s.chance(0.35) else "e13b"
    line = f"U{number(rng, 7)}U {number(rng, 9)}T {number(rng, 10)}U"
    if kind == "cmc7":
        line = f"A{number(rng, 8)}B {number(rng, 10)}D {number(rng, 12)}B"
    return s.finish(
        f"latin-{currency.lower()}", line, kind, (left + s.between(4, 18), h - s.between(7.0, 9.0))
    )


def brazilian(rng: np.random.Generator) -> Form:
    """A Brazilian cheque: a row of printed numbers at the top, with the amount at its right end."""
    s = Sketch.start(rng, "pt", "BRL", 175.0, 80.0)
    w, h = s.width, s.height
    left, right = s.between(4, 7), w - s.between(4, 7)
    box_w, box_h = s.between(38, 46), s.between(7, 9)
    top = s.between(3.5, 6)
    labels = (
        ("Comp", 3),
        ("Banco", 3),
        ("Agência", 4),
        ("C1", 1),
        ("Conta", 8),
        ("C2", 1),
        ("Série", 3),
        ("Cheque n°", 6),
    )
    x, room = left, right - box_w - left - 8
    share = room / sum(digits + 2 for _, digits in labels)
    for label, digits in labels:
        s.print(x, top + 2.0, label, 4.2)
        s.print(x, top + 6.5, number(rng, digits), 7.0, font=MONO[0])
        x += (digits + 2) * share
    amount_area(s, right - box_w, top, right, top + box_h, "R$", boxed=0.85)
    legal_y = top + box_h + s.between(8, 10)
    end = caption(s, left, legal_y, ("Pague por este", "cheque a quantia de"))
    s.line_slot("legal", end, legal_y, right)
    s.line_slot("legal2", left, legal_y + 8.5, right - 24)
    s.print(right, legal_y + 8.5, "e centavos acima", 5.0, align="right")
    pay_y = legal_y + 17.0
    end = caption(s, left, pay_y, ("a",))
    s.line_slot("payee", end, pay_y, right - 24)
    s.print(right, pay_y, "ou à sua ordem", 5.0, align="right")
    s.line_slot("date", w * 0.45, pay_y + 8, right, 5.5)
    header(s, left, pay_y + 8, words.bank(rng, "pt"), words.address(rng, "pt"), s.between(9, 12))
    sign_y = h - s.between(13, 15)
    s.line_slot("signature", w * 0.52, sign_y, right, 8.0)
    s.print(w * 0.52, sign_y + 2.3, words.person(rng).upper(), 5.5)
    line = f"A{number(rng, 8)}B {number(rng, 10)}D {number(rng, 12)}B"
    return s.finish("brazil", line, "cmc7", (left + s.between(2, 10), h - s.between(6.5, 8.5)))


def canadian(rng: np.random.Generator) -> Form:
    """A Canadian cheque, English, French or both, with boxed date digits."""
    s = Sketch.start(
        rng,
        "en",
        "CAD",
        158.0 if rng.random() < 0.6 else 206.0,
        70.0 if rng.random() < 0.6 else 82.0,
    )
    w, h = s.width, s.height
    left, right = s.between(5, 9), w - s.between(5, 9)
    french_words = s.chance(0.3)
    header(s, left, 8.5, words.person(rng).upper(), words.address(rng, "en"), s.between(7, 9))
    serial = number(rng, 3)
    s.print(right, 7.5, serial, 11, font=pick(rng, MONO), align="right")
    date_y = s.between(11, 13)
    end = right - s.between(40, 46)
    s.print(end - 1.0, date_y + 4.5, "DATE", align="right")
    if s.chance(0.8):
        s.cells("date", end, date_y, right, date_y + 5.2, 8)
        order = pick(rng, ("YYYYMMDD", "DDMMYYYY", "AAAAMMJJ"))
        for index, letter in enumerate(order):
            s.print(
                end + (index + 0.5) * (right - end) / 8, date_y + 7.2, letter, 3.8, align="centre"
            )
    else:
        s.line_slot("date", end, date_y + 5, right, 5.5)
    pay_y = h * 0.43 + s.jitter(1.2)
    box_w, box_h = s.between(28, 38), s.between(7, 9)
    labels = ("PAYEZ À", "L'ORDRE DE") if french_words else ("PAY TO THE", "ORDER OF")
    end = caption(s, left, pay_y, labels)
    s.line_slot("payee", end, pay_y, right - box_w - 8)
    amount_area(s, right - box_w, pay_y - box_h + 1, right, pay_y + 1, "$", boxed=0.7)
    legal_y = pay_y + s.between(8, 9.5)
    s.line_slot("legal", left, legal_y, right - 24)
    s.print(right - 22, legal_y, pick(rng, ("/100 DOLLARS", "DOLLARS", "100 DOLLARS")))
    header(
        s, left, legal_y + 5.5, words.bank(rng, "en"), words.address(rng, "en")[1:], s.between(7, 9)
    )
    foot = h - s.between(12.5, 14.5)
    end = caption(s, left, foot, ("POUR" if french_words else "MEMO",))
    s.line_slot("memo", end, foot, w * 0.42, 5.5)
    s.line_slot("signature", w * 0.55, foot, right, 8.0)
    if s.chance(0.4):
        s.print(right, foot - 0.8, "MP" if s.chance(0.5) else "PER", 5.0, align="right")
    line = f"U{serial}U T{number(rng, 5)}D{number(rng, 3)}T {number(rng, 3)}D{number(rng, 6)}U"
    return s.finish("canada", line, "e13b", (left + s.between(4, 20), h - s.between(7.5, 9.0)))


def australian(rng: np.random.Generator) -> Form:
    """An Australian or New Zealand cheque: pay, the sum of, amount at the right."""
    s = Sketch.start(
        rng, "en", "AUD" if rng.random() < 0.7 else "NZD", paper_width(rng, 165, 185), 80.0
    )
    w, h = s.width, s.height
    left, right = s.between(5, 9), w - s.between(5, 9)
    header(s, left, 10, words.bank(rng, "en-GB"), words.address(rng, "en"), s.between(10, 14))
    date_y = 13.0 + s.jitter(1.5)
    end = caption(s, w * 0.66, date_y, ("Date",))
    s.line_slot("date", end, date_y, right, 5.5)
    pay_y = 26.0 + s.jitter(1.2)
    end = caption(s, left, pay_y, ("Pay",), s.label_size + 1)
    s.line_slot("payee", end, pay_y, right - 22)
    s.print(right, pay_y, "or bearer", 6.0, align="right")
    box_w, box_h = s.between(36, 44), s.between(8, 12)
    legal_y = pay_y + 9.5
    end = caption(s, left, legal_y, ("The sum of",), s.label_size + 1)
    s.line_slot("legal", end, legal_y, right - box_w - 8)
    s.line_slot("legal2", left, legal_y + 9.0, right - box_w - 8)
    box_y = pay_y + s.between(4, 7)
    amount_area(s, right - box_w, box_y, right, box_y + box_h, "$", boxed=0.85)
    if s.chance(0.5):
        crossing(s, ("NOT NEGOTIABLE", "A/C PAYEE ONLY", "NOT NEGOTIABLE"))
    s.print(right - box_w, box_y + box_h + 5, words.person(rng).upper(), 6.5)
    s.line_slot("signature", right - box_w - 8, h - 18.5, right, 8.0, ruled=s.chance(0.6))
    line = (
        f"U{number(rng, 6)}U {number(rng, 3)}D{number(rng, 3)}T {number(rng, 4)}D{number(rng, 5)}U"
    )
    return s.finish("australia", line, "e13b", (left + s.between(3, 14), h - s.between(7.5, 9.0)))


FORMS: dict[str, tuple[Callable[[np.random.Generator], Form], float]] = {
    "us-personal": (us_personal, 0.16),
    "us-business": (us_business, 0.1),
    "uk": (british, 0.08),
    "ireland": (irish, 0.03),
    "france": (french, 0.07),
    "germany": (german, 0.04),
    "india": (indian, 0.14),
    "latin": (latin, 0.14),
    "brazil": (brazilian, 0.03),
    "canada": (canadian, 0.05),
    "australia": (australian, 0.04),
    "generic": (generic, 0.12),
    "scattered": (scattered, 0.0),
}
"""Every layout with the share of the cheques that have it; of 0: where it is asked for."""


def sample_form(rng: np.random.Generator, layout: str | None = None) -> Form:
    """Draw a form of the named layout, or of one drawn by its share; KeyError for another name."""
    if layout is None:
        names = list(FORMS)
        shares = np.array([FORMS[name][1] for name in names])
        layout = names[int(rng.choice(len(names), p=shares / shares.sum()))]
    return FORMS[layout][0](rng)
