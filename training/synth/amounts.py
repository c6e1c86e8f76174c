"""Amounts as people and machines write them: a wide, realistic distribution of written forms.

Nothing here is fitted to any evaluation set: whole units have one to seven digits, most often four
or five; digits of amounts that are not round are uniform, and the forms are those that cheques of
these currencies are known for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

Style = Literal["line", "superscript", "numerator", "denominator", "bar"]
Part = tuple[str, Style]

CURRENCIES = ("USD", "GBP", "EUR", "INR")

_CURRENCY_SHARES = (0.18, 0.08, 0.11, 0.16)
_CENTS = {"USD": 0.6, "GBP": 0.55, "EUR": 0.55, "INR": 0.2, "": 0.14}
_LENGTHS = (0.02, 0.05, 0.13, 0.24, 0.27, 0.18, 0.11)
_WHOLE_ENDINGS = (".-", "-", "=", ".=", ",-", ".--", "--", ".", ",", "#", "*", ".--")


@dataclass(frozen=True, slots=True)
class WrittenAmount:
    """One amount and the way it is written.

    parts: (symbols, style) in reading order. "line" stands on the line, "superscript" is raised,
        "numerator" and "denominator" belong to the "bar" between them: "/" is a slanted stroke
        and part of the text, "-" a horizontal one. A horizontal bar, what stands below it, and
        anything but digits above it are ink that is no part of the text. SPACE in a part is a
        wide gap.
    amount_minor: hundredths.
    currency: ISO 4217 code, or None where the writing does not say: a $ says none.
    text: the symbols in reading order, SPACE where parts or groups stand apart.
    """

    parts: tuple[Part, ...]
    amount_minor: int
    currency: str | None
    text: str


def sample_amount(rng: np.random.Generator, currency: str | None = None) -> WrittenAmount:
    """Draw an amount and a written form of it.

    currency: an ISO 4217 code of CURRENCIES, "" for a currency-free form, or None for any.
    Raises ValueError for a code that is not known.
    """
    if currency is None:
        currency = sample_currency(rng)
    forms: dict[str, Callable[[np.random.Generator, int, int], WrittenAmount]] = {
        "USD": _usd,
        "GBP": _gbp,
        "EUR": _eur,
        "INR": _inr,
        "": _free,
    }
    if currency not in forms:
        raise ValueError(f"no written forms for {currency}")
    major = _sample_major(rng)
    cents = _sample_cents(rng, _CENTS[currency])
    return forms[currency](rng, major, cents)


def sample_currency(rng: np.random.Generator) -> str:
    """Draw a code of CURRENCIES, or "" for a form in which no currency is written."""
    draw = rng.random()
    edges = np.cumsum(_CURRENCY_SHARES)
    return next((c for c, e in zip(CURRENCIES, edges, strict=True) if draw < e), "")


def typed_amount(rng: np.random.Generator, currency: str, amount_minor: int) -> WrittenAmount:
    """An amount in hundredths as machines print it: one line, stars or the like before the figures.

    Computers and typewriters set neither raised cents nor fractions over a bar, group as a rule,
    and seldom leave the cents out where a currency has them. currency: as in sample_amount, but
    not None. Raises ValueError for a code that is not known.
    """
    if currency not in (*CURRENCIES, ""):
        raise ValueError(f"no printed forms for {currency}")
    major, cents = divmod(amount_minor, 100)
    sign = _typed_sign(rng, currency)
    whole = _typed_whole(rng, currency, major)
    mark = "," if currency in ("EUR", "") and "," not in whole else "."
    body = whole + _typed_cents(rng, currency, cents, mark)
    front, back = _typed_fillers(rng, body)
    front = front + sign if _chance(rng, 0.5) else sign + front
    told: str | None = currency if sign and currency != "USD" else None
    if currency == "INR" and ("/-" in body or body.count(",") > 1):
        told = "INR"
    elif currency == "EUR" and not sign and not back and body[-1].isdigit() and _chance(rng, 0.1):
        told, back = "EUR", _pick(rng, "€", " €")
    return _written(front, ((body, "line"),), amount_minor, told or None, back)


def _typed_sign(rng: np.random.Generator, currency: str) -> str:
    signs = {
        "USD": ("$", "$", "$ "),
        "GBP": ("£", "£", "£ "),
        "EUR": ("€", "€ "),
        "INR": ("₹", "₹ ", "RS.", "RS. ", "RS "),
        "": ("$", "$ "),
    }
    return _pick(rng, *signs[currency]) if _chance(rng, 0.3) else ""


def _typed_whole(rng: np.random.Generator, currency: str, major: int) -> str:
    if currency == "INR":
        return _indian(major) if _chance(rng, 0.75) else str(major)
    if currency in ("USD", "GBP"):
        return _group(rng, major, ",", 0.88)
    separator = _pick(rng, ".", ".", ".", ".", ".", ".", " ", "")
    if currency == "" and _chance(rng, 0.15):
        separator = ","
    return _grouped(major, separator) if separator else str(major)


def _typed_cents(rng: np.random.Generator, currency: str, cents: int, mark: str) -> str:
    """Cents behind their mark, or what stands in place of none."""
    kind = rng.random()
    if currency == "INR" and cents == 0 and kind < 0.4:
        return "/-" if kind < 0.33 else ""
    if currency == "" and cents == 0 and kind < 0.65:
        return _pick(rng, "", "", "", ".-", "-", "=")
    if currency == "USD" and kind < 0.04:
        return f" {cents:02d}/100"
    if currency in ("GBP", "EUR") and kind < 0.05:
        return f"-{cents:02d}"
    if currency == "EUR" and cents == 0 and kind < 0.1:
        return _pick(rng, ",--", ",-", ".-")
    return f"{mark}{cents:02d}"


def _typed_fillers(rng: np.random.Generator, body: str) -> tuple[str, str]:
    """What protects printed figures: most often stars, before them or on both sides."""
    if not _chance(rng, 0.35):
        return "", ""
    kind = rng.random()
    # Programs that fill the box from the left print as many as there is room for.
    front = "*" * int(rng.integers(5, 11) if _chance(rng, 0.2) else rng.integers(1, 5))
    if kind > 0.9:
        front = "#"
    elif kind > 0.84:
        front = "="
    closed = front in ("#", "=") or _chance(rng, 0.6)
    return front, front if closed and body[-1].isdigit() and "/" not in body else ""


def _sample_major(rng: np.random.Generator) -> int:
    """Whole units from 1 to 9,999,999, round ones common."""
    length = 1 + int(rng.choice(len(_LENGTHS), p=_LENGTHS))
    digits = rng.integers(0, 10, length)
    digits[0] = rng.integers(1, 10)
    kind = rng.random()
    if kind < 0.33 and length > 1:
        digits[int(rng.integers(1, length)) :] = 0
    elif kind < 0.40 and length > 2:
        digits[int(rng.integers(1, length)) :] = rng.integers(0, 10)
    elif kind < 0.43 and length > 1:
        digits[-1] = 5
    return int("".join(str(int(d)) for d in digits))


def _sample_cents(rng: np.random.Generator, share: float) -> int:
    """Cents 0 to 99, other than 0 with about that share."""
    if rng.random() >= share:
        return 0
    if rng.random() < 0.25:
        return int(rng.choice([50, 25, 75, 10, 20, 90, 95, 99, 5]))
    return int(rng.integers(1, 100))


def _grouped(value: int, separator: str) -> str:
    return f"{value:,}".replace(",", separator)


def _indian(value: int) -> str:
    """1234567 as 12,34,567."""
    text = str(value)
    head, tail = text[:-3], text[-3:]
    groups = []
    while head:
        groups.append(head[-2:])
        head = head[:-2]
    return ",".join([*reversed(groups), tail])


def _pick(rng: np.random.Generator, *choices: str) -> str:
    return choices[int(rng.integers(len(choices)))]


def _chance(rng: np.random.Generator, share: float) -> bool:
    return bool(rng.random() < share)


def _group(rng: np.random.Generator, major: int, separator: str, share: float) -> str:
    """Grouped by threes with that share, else plain."""
    return _grouped(major, separator) if _chance(rng, share) else str(major)


def _cents_apart(rng: np.random.Generator, cents: int) -> tuple[Part, ...]:
    """Cents that stand apart: raised, or as a fraction of a hundred."""
    top = f"{cents:02d}"
    if cents == 0:
        top = _pick(rng, "00", "00", "xx", "NO", "N0", "00")
    if _chance(rng, 0.25) and top in ("00", f"{cents:02d}"):
        under: tuple[Part, ...] = (("-", "bar"),) if _chance(rng, 0.5) else ()
        return ((top, "superscript"), *under)
    below = _pick(rng, "100", "100", "100", "100", "xx")
    kind = rng.random()
    if kind < 0.45:
        return ((top, "numerator"), ("/", "bar"), ("100", "denominator"))
    if kind < 0.65:
        return ((f" {top}/100", "line"),)
    return ((top, "numerator"), ("-", "bar"), (below, "denominator"))


def _fillers(rng: np.random.Generator) -> tuple[str, str]:
    """Leading and trailing fillers against additions."""
    kind = rng.random()
    if kind < 0.45:
        stars = "*" * int(rng.integers(1, 4))
        return stars, stars if _chance(rng, 0.7) else ""
    if kind < 0.70:
        return "#", "#"
    if kind < 0.85:
        return "=", "="
    return "", _pick(rng, "-", "--", "=", "#", "*", "**")


def _written(
    sign: str, body: tuple[Part, ...], amount_minor: int, currency: str | None, behind: str = ""
) -> WrittenAmount:
    """Join sign, body and what stands behind; line parts that touch become one."""
    parts: list[Part] = []
    for symbols, style in ((sign, "line"), *body, (behind, "line")):
        if not symbols:
            continue
        if parts and style == "line" and parts[-1][1] == "line":
            parts[-1] = (parts[-1][0] + symbols, "line")
        else:
            parts.append((symbols, style))
    return WrittenAmount(tuple(parts), amount_minor, currency, text_of(tuple(parts)))


def text_of(parts: tuple[Part, ...]) -> str:
    """The symbols of parts that belong to the text, SPACE before cents that stand apart."""
    text, stacked = "", False
    for place, (symbols, style) in enumerate(parts):
        if style in ("numerator", "superscript"):
            stacked = parts[place + 1 : place + 2] == (("-", "bar"),)
            if stacked and not symbols.isdigit():
                continue
        if stacked and style in ("bar", "denominator"):
            continue
        if style in ("superscript", "numerator") and not text.endswith((".", ",")):
            text += " "
        text += symbols
    return " ".join(text.split())


def _usd(rng: np.random.Generator, major: int, cents: int) -> WrittenAmount:
    minor = 100 * major + cents
    sign = _pick(rng, "$", "$", "$", "$ ", "") if _chance(rng, 0.85) else ""
    whole = _group(rng, major, ",", 0.7)
    kind = rng.random()
    front, back = _fillers(rng) if _chance(rng, 0.16) else ("", "")
    if kind < 0.50:
        body: tuple[Part, ...] = ((f"{whole}.{cents:02d}", "line"),)
    elif kind < 0.62 and cents == 0:
        body = ((whole + _pick(rng, "", "", ".-", "-", ".", "="), "line"),)
        front, back = "", ""
    elif kind < 0.68:
        body = ((f"{whole}-{cents:02d}", "line"),)
    else:
        apart = _cents_apart(rng, cents)
        joint = "." if _chance(rng, 0.25) and apart[0][1] != "line" else ""
        body = ((whole + joint, "line"), *apart)
        front, back = "", ""
    lead = front + sign if front and _chance(rng, 0.5) else sign + front
    return _written(lead, body, minor, None, back)


def _gbp(rng: np.random.Generator, major: int, cents: int) -> WrittenAmount:
    minor = 100 * major + cents
    sign = "" if _chance(rng, 0.2) else _pick(rng, "£", "£", "£", "£ ")
    whole = _group(rng, major, ",", 0.65)
    kind = rng.random()
    if kind < 0.6:
        body = f"{whole}.{cents:02d}"
    elif kind < 0.8 or cents:
        body = f"{whole}-{cents:02d}"
    else:
        body = whole + _pick(rng, "", "-", ".-", "=", "--")
    front, back = _fillers(rng) if _chance(rng, 0.1) and body[-1].isdigit() else ("", "")
    return _written(front + sign, ((body, "line"),), minor, "GBP" if sign else None, back)


def _eur(rng: np.random.Generator, major: int, cents: int) -> WrittenAmount:
    minor = 100 * major + cents
    place = rng.random()
    separator = _pick(rng, ".", ".", " ", "")
    whole = _grouped(major, separator) if separator else str(major)
    if cents == 0 and _chance(rng, 0.5):
        body = whole + _pick(rng, "", ",-", ".-", ",--", "-", "=", ",")
    else:
        body = f"{whole}{_pick(rng, ',', ',', ',', '-')}{cents:02d}"
    front, back = _fillers(rng) if _chance(rng, 0.12) and body[-1].isdigit() else ("", "")
    if place < 0.35:
        return _written(_pick(rng, "€", "€ ") + front, ((body, "line"),), minor, "EUR", back)
    if place < 0.6 and not front and not back and body[-1].isdigit():
        return _written("", ((body, "line"),), minor, "EUR", _pick(rng, "€", " €"))
    return _written(front, ((body, "line"),), minor, None, back)


def _inr(rng: np.random.Generator, major: int, cents: int) -> WrittenAmount:
    minor = 100 * major + cents
    sign = "" if _chance(rng, 0.5) else _pick(rng, "₹", "₹", "₹ ", "RS", "RS ", "RS.", "RS. ")
    whole = _indian(major) if _chance(rng, 0.65) else str(major)
    if cents or _chance(rng, 0.15):
        body = f"{whole}.{cents:02d}" + _pick(rng, "", "", "", "/-")
    else:
        body = whole + _pick(rng, "/-", "/-", "/-", "/-", "", "-", "=", "/=", ".00", "/--")
    grouped = whole.count(",") > 1
    sure = bool(sign) or "/-" in body or "/=" in body or grouped
    front, back = ("", "")
    if _chance(rng, 0.08) and body[-1].isdigit():
        front, back = _fillers(rng)
    return _written(front + sign, ((body, "line"),), minor, "INR" if sure else None, back)


def _free(rng: np.random.Generator, major: int, cents: int) -> WrittenAmount:
    """South American and other forms in which no currency is written, or a "$" of any."""
    minor = 100 * major + cents
    sign = _pick(rng, "$", "$ ") if _chance(rng, 0.22) else ""
    separator = _pick(rng, ".", ".", ".", ".", ",", "", "", "", " ")
    whole = _grouped(major, separator) if separator else str(major)
    if cents == 0 and _chance(rng, 0.93):
        body: tuple[Part, ...] = ((whole + _ending(rng, separator), "line"),)
    elif _chance(rng, 0.3):
        body = ((whole, "line"), *_cents_apart(rng, cents))
    else:
        point = {".": ",", ",": "."}.get(separator, _pick(rng, ".", ",", "-"))
        body = ((f"{whole}{point}{cents:02d}", "line"),)
    front, back = "", ""
    if _chance(rng, 0.1) and len(body) == 1 and body[0][0][-1].isdigit():
        front, back = _fillers(rng)
    return _written(sign + front, body, minor, None, back)


def _ending(rng: np.random.Generator, separator: str) -> str:
    """What closes a whole amount against additions, most often nothing."""
    if _chance(rng, 0.36):
        return ""
    if separator == "," and _chance(rng, 0.5):
        return _pick(rng, ".-", "-", "=", ".", ".=")
    kind = rng.random()
    if kind < 0.7:
        return _pick(rng, ".-", "-", "=", ".", ".", ".-", "-", ".=")
    return _WHOLE_ENDINGS[int(rng.integers(len(_WHOLE_ENDINGS)))]
