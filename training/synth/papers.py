"""Papers with amounts on them that are no cheques, as they come into a bank's scanners with them.

Letters and invoices, receipts, statements with tables, and deposit slips. Each is drawn by chance,
in print or by hand, with and without ruled lines, so that none is known by what all share.
"""

from __future__ import annotations

import numpy as np

from training.synth import words
from training.synth.codeline import codeline
from training.synth.layout import MONO, SANS, SERIFS
from training.synth.lettering import Hand, write_text
from training.synth.page import BLACK, Colour, Page, shelf, text_width
from training.synth.paint import blank_page

_LANGUAGES = ("en", "en-GB", "en-IN", "es", "fr", "de", "pt")
_WORDS = {
    "en": words.listed(
        """
        we the your of to and a in that is for it with as are this on be have from not our will or
        please thank account payment enclosed letter regarding order delivery further amount due
        within days following agreement service customer would which received should kindly
        """
    ),
    "es": words.listed(
        """
        de la que el en y a los se del las un por con no una su para es al lo como más pero sus
        cuenta pago adjunto carta pedido entrega importe plazo días siguiente acuerdo cliente
        """
    ),
    "fr": words.listed(
        """
        de la le et les des en un du une que est pour qui dans par plus pas au sur avec nous votre
        compte paiement lettre commande livraison montant délai jours suivant accord client
        """
    ),
    "de": words.listed(
        """
        der die und in den von zu das mit sich des auf für ist im dem nicht ein eine als auch wir
        Konto Zahlung Brief Bestellung Lieferung Betrag Frist Tage folgende Vertrag Kunde
        """
    ),
    "pt": words.listed(
        """
        de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele
        conta pagamento carta pedido entrega valor prazo dias seguinte acordo cliente
        """
    ),
}
_TOTALS = {
    "en": ("Total", "TOTAL", "Amount due", "Balance", "Total due"),
    "es": ("Total", "TOTAL", "Importe", "Saldo"),
    "fr": ("Total", "TOTAL", "Montant", "Solde", "Net à payer"),
    "de": ("Summe", "Gesamt", "Betrag", "Saldo"),
    "pt": ("Total", "TOTAL", "Valor", "Saldo"),
}
_SIGNS = {"en": "$", "en-GB": "£", "en-IN": "₹", "es": "$", "fr": "€", "de": "€", "pt": "€"}
_POINT_MM = 0.3528


class _Typist:
    """Sets lines on a page, in one typeface or one hand."""

    def __init__(
        self, rng: np.random.Generator, page: Page, font: str, size: float, hand: Hand, ink: Colour
    ) -> None:
        self.rng, self.page, self.hand = rng, page, hand
        self.font, self.size, self.ink = shelf()[font], size, ink

    def print(self, text: str, x: float, y: float, align: str = "left", scale: float = 1.0) -> None:
        """Print a text with its baseline at y; align is left, centre or right of x."""
        self.page.text(self.font, text, x, y, self.size * scale, BLACK, align)

    def write(self, text: str, x: float, y: float, digits: float, align: str = "left") -> None:
        """Write a text by hand; digits: height in mm."""
        page = self.page
        mask, left, top = write_text(self.rng, self.hand, text, page.px(digits), page.dpi)
        shift = mask.shape[1] if align == "right" else -left
        page.stain(mask, round(page.px(x)) - shift, round(page.px(y)) + top, self.ink, 0.9)

    def width(self, text: str) -> float:
        """The width of a printed text in mm."""
        return text_width(self.font, text, self.size * 10.0) * _POINT_MM / 10.0

    def rule(self, x0: float, x1: float, y: float) -> None:
        """Print a level line."""
        self.page.box(x0, y, x1, y + 0.25, BLACK)


def money(rng: np.random.Generator, language: str, signed: float = 0.3) -> str:
    """An amount as print has it; signed: how often with its currency's sign."""
    value = int(10 ** rng.uniform(2.5, 6.5))
    return shown(value, language, sign=bool(rng.random() < signed))


def shown(value: int, language: str, *, sign: bool) -> str:
    """Hundredths in figures, grouped as the language does."""
    text = f"{value // 100:,}.{value % 100:02d}"
    if language[:2] != "en":
        text = text.translate(str.maketrans(",.", ".,"))
    return f"{_SIGNS[language]}{text}" if sign else text


def _sentence(rng: np.random.Generator, language: str, count: int) -> list[str]:
    vocabulary = _WORDS[language[:2]]
    chosen = [words.pick(rng, vocabulary) for _ in range(count)]
    chosen[0] = chosen[0].capitalize()
    if rng.random() < 0.25:
        place = int(rng.integers(1, count))
        chosen[place] = money(rng, language, 0.5)
    return [*chosen[:-1], chosen[-1] + "."]


def letter(rng: np.random.Generator, dpi: float, hand: Hand, ink: Colour) -> Page:
    """Draw a letter or an invoice: paragraphs, often amounts in them or in a table, a signature."""
    width, height = (210.0, 297.0) if rng.random() < 0.5 else (210.0, float(rng.uniform(90, 150)))
    page = blank_page(rng, width, height, dpi, plain=True)
    language = words.pick(rng, _LANGUAGES)
    size = float(rng.uniform(8.5, 11.5))
    typist = _Typist(rng, page, words.pick(rng, SERIFS + SANS + MONO), size, hand, ink)
    by_hand = bool(rng.random() < 0.2)
    step = size * float(rng.uniform(0.42, 0.55)) * (1.6 if by_hand else 1.0)
    left, y = float(rng.uniform(15, 28)), float(rng.uniform(10, 22))
    right = width - left
    typist.print(words.firm(rng, language), left, y, scale=1.5)
    for line in words.address(rng, language):
        y += step
        typist.print(line, left, y)
    if rng.random() < 0.3:
        typist.rule(left, right, y + 2.0)
    y += 2 * step
    typist.print(words.written_date(rng, language), right, y, "right")
    bottom = height - 25.0
    while y < bottom:
        y += step
        kind = rng.random()
        if kind < 0.1:
            y = _table(rng, typist, language, (left + 5, right - 10), y, bottom)
        elif kind < 0.2:
            typist.print(words.pick(rng, _TOTALS[language[:2]]), left, y)
            amount = money(rng, language, 0.7)
            typist.print(amount, right if rng.random() < 0.5 else left + 35.0, y, "right")
        elif kind < 0.6:
            y = _paragraph(rng, typist, language, (left, right), y, (step, bottom), by_hand)
    typist.write(words.person(rng), left + 5.0, y + 10.0, 3.2)
    return page


def _paragraph(
    rng: np.random.Generator,
    typist: _Typist,
    language: str,
    across: tuple[float, float],
    y: float,
    down: tuple[float, float],
    by_hand: bool,
) -> float:
    """Set sentences within a column; down: the step of lines and the lowest; returns the last y."""
    (left, right), (step, bottom) = across, down
    text = [w for _ in range(int(rng.integers(1, 5))) for w in _sentence(rng, language, 12)]
    line = ""
    for word in [*text, ""]:
        longer = f"{line} {word}".strip()
        if word and typist.width(longer) * (1.25 if by_hand else 1.0) < right - left:
            line = longer
            continue
        if by_hand:
            typist.write(line, left, y, 2.6)
        else:
            typist.print(line, left, y)
        line, y = word, y + step
        if y > bottom:
            break
    return y


def _table(
    rng: np.random.Generator,
    typist: _Typist,
    language: str,
    across: tuple[float, float],
    y: float,
    bottom: float,
) -> float:
    """Print rows of an invoice with their sum, ruled or not; return where they end."""
    left, right = across
    values = (10 ** rng.uniform(2.5, 6.0, int(rng.integers(1, 7)))).astype(int)
    rows = [(words.firm(rng, language), int(value)) for value in values]
    rows.append((words.pick(rng, _TOTALS[language[:2]]), int(values.sum())))
    ruled, signed = rng.random() < 0.5, bool(rng.random() < 0.4)
    step = typist.size * float(rng.uniform(0.48, 0.7))
    for name, value in rows:
        y += step
        if y > bottom:
            return y
        typist.print(name, left, y)
        typist.print(shown(value, language, sign=signed), right, y, "right")
        if ruled:
            typist.rule(left - 2, right + 2, y + 0.3 * step)
    return y + step


def receipt(rng: np.random.Generator, dpi: float, hand: Hand, ink: Colour) -> Page:
    """Draw a till's receipt: a narrow strip of goods and prices, the sum larger at its end."""
    width, count = float(rng.uniform(55, 82)), int(rng.integers(1, 14))
    size = float(rng.uniform(7.0, 10.0))
    step = size * 0.46
    height = step * (count + 16)
    page = blank_page(rng, width, height, dpi, plain=True)
    language = words.pick(rng, _LANGUAGES)
    typist = _Typist(rng, page, words.pick(rng, MONO + SANS), size, hand, ink)
    left, right, middle = 4.0, width - 4.0, width / 2
    y = 6.0
    typist.print(words.firm(rng, language), middle, y, "centre", 1.2)
    for line in words.address(rng, language):
        y += step
        typist.print(line, middle, y, "centre")
    y += step
    typist.print(words.written_date(rng, language), left, y)
    typist.print(words.number(rng, 6), right, y, "right")
    total = 0
    for _ in range(count):
        y += step
        value = int(10 ** rng.uniform(2, 4.5))
        total += value
        typist.print(words.memo(rng, language), left, y)
        typist.print(shown(value, language, sign=False), right, y, "right")
    y += step
    if rng.random() < 0.5:
        typist.rule(left, right, y)
    elif rng.random() < 0.5:
        typist.print("-" * 30, left, y)
    y += 1.6 * step
    scale = float(rng.choice([1.0, 1.3, 1.8]))
    typist.print(words.pick(rng, _TOTALS[language[:2]]), left, y, scale=scale)
    typist.print(shown(total, language, sign=bool(rng.random() < 0.5)), right, y, "right", scale)
    for _ in range(int(rng.integers(1, 5))):
        y += 1.2 * step
        typist.print(f"{words.pick(rng, MONO)} {words.number(rng, 8)}", left, y)
    return page


def statement(rng: np.random.Generator, dpi: float, hand: Hand, ink: Colour) -> Page:
    """Draw a statement of an account: a table of dates, texts, amounts and balances."""
    width, height = 210.0, float(rng.choice([297.0, 148.0, 105.0, 99.0]))
    page = blank_page(rng, width, height, dpi, plain=True)
    language = words.pick(rng, _LANGUAGES)
    size = float(rng.uniform(7.5, 10.5))
    typist = _Typist(rng, page, words.pick(rng, SERIFS + SANS + MONO), size, hand, ink)
    left, right, y = 15.0, 195.0, 15.0
    typist.print(words.bank(rng, language), left, y, scale=1.6)
    typist.print(f"{words.number(rng, 4)} {words.number(rng, 6)}", right, y, "right")
    y += 12.0
    for line in (words.person(rng), *words.address(rng, language)):
        typist.print(line, left, y)
        y += size * 0.45
    step, columns = size * float(rng.uniform(0.45, 0.75)), (left, left + 25, 160.0, right)
    y += 2 * step
    top, ruled = y - step, rng.random() < 0.6
    balance, signed = int(10 ** rng.uniform(4, 6.5)), bool(rng.random() < 0.2)
    most = int(rng.integers(2, 40))
    while y < height - 15.0 and most > 0:
        value = int(10 ** rng.uniform(2.5, 5.5))
        balance, most = balance + value, most - 1
        typist.print(words.written_date(rng, language)[:10], columns[0], y)
        typist.print(words.firm(rng, language), columns[1], y)
        typist.print(shown(value, language, sign=signed), columns[2], y, "right")
        typist.print(shown(balance, language, sign=signed), columns[3], y, "right")
        if ruled:
            typist.rule(left - 2, right + 2, y + 0.3 * step)
        y += step
    if ruled and rng.random() < 0.6:
        for x in (left - 2, left + 23, 135.0, 164.0, right + 2):
            page.box(x, top, x + 0.25, y - 0.7 * step, BLACK)
    return page


def slip(rng: np.random.Generator, dpi: float, hand: Hand, ink: Colour) -> Page:
    """Draw a deposit slip: a column of boxes for cash and cheques with their sum, by hand."""
    width, height = float(rng.uniform(150, 190)), float(rng.uniform(68, 90))
    page = blank_page(rng, width, height, dpi, plain=bool(rng.random() < 0.5))
    language = words.pick(rng, _LANGUAGES)
    typist = _Typist(rng, page, words.pick(rng, SANS + SERIFS), 7.0, hand, ink)
    titles = {"en": "DEPOSIT TICKET", "es": "DEPÓSITO", "fr": "REMISE DE CHÈQUES"}
    titles |= {"de": "EINZAHLUNG", "pt": "DEPÓSITO"}
    typist.print(titles[language[:2]], 8.0, 9.0, scale=1.3)
    for number, line in enumerate((words.person(rng), *words.address(rng, language))):
        typist.print(line, 8.0, 16.0 + 3.5 * number)
    typist.write(words.written_date(rng, language), 22.0, 37.0, 3.0)
    typist.rule(20.0, 70.0, 38.0)
    typist.print(words.bank(rng, language), 8.0, 47.0, scale=1.3)
    rows = int(rng.integers(3, 8))
    tall = (height - 22.0) / (rows + 1)
    left, right = width - float(rng.uniform(50, 65)), width - 6.0
    total = 0
    for row in range(rows + 1):
        y = 6.0 + tall * (row + 1)
        names = ("CASH", "CHECKS") if language == "en" else ("1", "2")
        last = row == rows
        name = "TOTAL" if last else names[min(row, 1)]
        typist.print(name, left - 2.0, y - 0.3 * tall, "right", 0.9)
        page.box(left, y, right, y + (0.5 if last else 0.2), BLACK)
        if last or row == 0 or rng.random() < 0.5:
            value = total if last else int(10 ** rng.uniform(3, 5.5))
            total += value
            text = f"{value // 100:,} {value % 100:02d}" if rng.random() < 0.5 else ""
            text = text or shown(value, language, sign=False)
            typist.write(text, right - 2.0, y - 0.8, min(4.2, 0.55 * tall), "right")
    for x in (left, right) if rng.random() < 0.7 else (left, right - 12.0, right):
        page.box(x, 6.0, x + 0.25, 6.0 + tall * (rows + 1), BLACK)
    if rng.random() < 0.7:
        text = f"T{words.number(rng, 9)}T {words.number(rng, 10)}U"
        page.stain(codeline(text, dpi), round(page.px(12.0)), round(page.px(height - 9.0)), BLACK)
    return page
