"""What people write on cheques besides the amount in figures: sums in words, dates and names."""

from __future__ import annotations

import numpy as np


def listed(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


_EN = listed(
    """
    zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen
    fifteen sixteen seventeen eighteen nineteen
    """
)
_EN_TENS = listed(
    """
    _ _ twenty thirty forty fifty sixty seventy eighty ninety
    """
)
_ES = listed(
    """
    cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince
    dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés
    veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve
    """
)
_ES_TENS = listed(
    """
    _ _ _ treinta cuarenta cincuenta sesenta setenta ochenta noventa
    """
)
_ES_HUNDREDS = listed(
    """
    _ ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos
    ochocientos novecientos
    """
)
_FR = listed(
    """
    zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze
    seize dix-sept dix-huit dix-neuf
    """
)
_FR_TENS = ["_", "_", "vingt", "trente", "quarante", "cinquante", "soixante"]
_DE = listed(
    """
    null ein zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn
    fünfzehn sechzehn siebzehn achtzehn neunzehn
    """
)
_DE_TENS = listed(
    """
    _ _ zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig
    """
)
_PT = listed(
    """
    zero um dois três quatro cinco seis sete oito nove dez onze doze treze quatorze quinze
    dezesseis dezessete dezoito dezenove
    """
)
_PT_TENS = listed(
    """
    _ _ vinte trinta quarenta cinquenta sessenta setenta oitenta noventa
    """
)
_PT_HUNDREDS = listed(
    """
    _ cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos
    novecentos
    """
)


def _english(number: int, joined: str) -> str:
    if number < 20:
        return _EN[number]
    if number < 100:
        unit = f"-{_EN[number % 10]}" if number % 10 else ""
        return _EN_TENS[number // 10] + unit
    rest = f" {joined}{_english(number % 100, joined)}" if number % 100 else ""
    return f"{_EN[number // 100]} hundred{rest}"


def _groups(number: int, sizes: tuple[tuple[int, str], ...], joined: str) -> str:
    words: list[str] = []
    for size, name in sizes:
        if number >= size:
            words.append(f"{_groups(number // size, sizes, joined)} {name}")
            number %= size
    if number or not words:
        words.append(_english(number, joined))
    return " ".join(words)


def _spanish(number: int) -> str:
    if number >= 1_000_000:
        head = number // 1_000_000
        rest = f" {_spanish(number % 1_000_000)}" if number % 1_000_000 else ""
        return ("un millón" if head == 1 else f"{_spanish(head)} millones") + rest
    if number >= 1000:
        head = number // 1000
        rest = f" {_spanish(number % 1000)}" if number % 1000 else ""
        return ("mil" if head == 1 else f"{_spanish(head)} mil") + rest
    if number == 100:
        return "cien"
    if number > 100:
        rest = f" {_spanish(number % 100)}" if number % 100 else ""
        return _ES_HUNDREDS[number // 100] + rest
    if number < 30:
        return _ES[number]
    return _ES_TENS[number // 10] + (f" y {_ES[number % 10]}" if number % 10 else "")


def _french(number: int) -> str:
    if number >= 1_000_000:
        head = number // 1_000_000
        rest = f" {_french(number % 1_000_000)}" if number % 1_000_000 else ""
        return f"{_french(head)} million{'s' if head > 1 else ''}{rest}"
    if number >= 1000:
        head = number // 1000
        rest = f" {_french(number % 1000)}" if number % 1000 else ""
        return ("mille" if head == 1 else f"{_french(head)} mille") + rest
    if number >= 100:
        hundreds = "cent" if number < 200 else f"{_FR[number // 100]} cent"
        return hundreds + (f" {_french(number % 100)}" if number % 100 else "")
    if number < 20:
        return _FR[number]
    if number < 70:
        unit = number % 10
        tail = "" if not unit else " et un" if unit == 1 else f"-{_FR[unit]}"
        return _FR_TENS[number // 10] + tail
    base, name = (60, "soixante") if number < 80 else (80, "quatre-vingt")
    return f"{name}-{_FR[number - base]}" if number > base else name


def _german(number: int) -> str:
    if number >= 1000:
        rest = _german(number % 1000) if number % 1000 else ""
        return f"{_german(number // 1000)}tausend{rest}"
    if number >= 100:
        rest = _german(number % 100) if number % 100 else ""
        return f"{_DE[number // 100]}hundert{rest}"
    if number < 20:
        return _DE[number]
    unit = f"{_DE[number % 10]}und" if number % 10 else ""
    return unit + _DE_TENS[number // 10]


def _portuguese(number: int) -> str:
    if number >= 1_000_000:
        head = number // 1_000_000
        rest = f" {_portuguese(number % 1_000_000)}" if number % 1_000_000 else ""
        return ("um milhão" if head == 1 else f"{_portuguese(head)} milhões") + rest
    if number >= 1000:
        head = number // 1000
        rest = f" {_portuguese(number % 1000)}" if number % 1000 else ""
        return ("mil" if head == 1 else f"{_portuguese(head)} mil") + rest
    if number == 100:
        return "cem"
    if number > 100:
        rest = f" e {_portuguese(number % 100)}" if number % 100 else ""
        return _PT_HUNDREDS[number // 100] + rest
    if number < 20:
        return _PT[number]
    return _PT_TENS[number // 10] + (f" e {_PT[number % 10]}" if number % 10 else "")


def number_in_words(number: int, language: str) -> str:
    """Spell a whole number of at least 0 in en, en-GB, en-IN, es, fr, de or pt, in lower case."""
    if language == "es":
        return _spanish(number)
    if language == "fr":
        return _french(number)
    if language == "de":
        return _german(number)
    if language == "pt":
        return _portuguese(number)
    if language == "en-IN":
        indian = ((10_000_000, "crore"), (100_000, "lakh"), (1000, "thousand"))
        return _groups(number, indian, "").replace("-", " ")
    western = ((1_000_000, "million"), (1000, "thousand"))
    return _groups(number, western, "and " if language == "en-GB" else "")


_UNITS = {
    "en": ("dollars", "cents"),
    "en-GB": ("pounds", "pence"),
    "en-IN": ("rupees", "paise"),
    "es": ("pesos", "centavos"),
    "fr": ("euros", "centimes"),
    "de": ("Euro", "Cent"),
    "pt": ("reais", "centavos"),
}


def legal_amount(
    rng: np.random.Generator, major: int, minor: int, language: str, unit: str | None = None
) -> str:
    """Write a sum in words as a drawer of that language would, as one line.

    ``unit`` replaces the language's usual name of the currency; "" leaves it to the form.
    """
    words = number_in_words(major, language)
    name, small = _UNITS[language]
    name = name if unit is None else unit
    if language == "en":
        cents = ["no", "00", "xx"][int(rng.integers(3))] if not minor else f"{minor:02d}"
        text = f"{words} and {cents}/100"
        text = words if not minor and rng.random() < 0.2 else text
        return f"{text} {name}".strip()
    if language in ("es", "pt", "fr", "de"):
        joint = {"es": "con", "pt": "e", "fr": "et", "de": "und"}[language]
        if language == "es" and rng.random() < 0.5:
            return f"{words} {name} {minor:02d}/100".strip()
        tail = f" {joint} {number_in_words(minor, language)} {small}" if minor else ""
        return f"{words} {name}{tail}".strip()
    small = "cent" if name == "euros" else small
    tail = f" and {number_in_words(minor, language)} {small}" if minor else ""
    if language == "en-GB" and name == "pounds" and minor and rng.random() < 0.5:
        tail = f" {minor:02d}p"
    return " ".join(f"{words} {name}{tail} only".split())


_FIRST = listed(
    """
    Anna James Maria Robert Linda Carlos Priya Rahul Sophie Pierre Hans Ingrid Sean Aoife
    Lucia Diego Valentina Emma Oliver Noah Grace Amit Sunita Mehmet Chen Olga Peter Laura
    Martin Julia Thomas Claire Antoine Miguel Camila Andres Fatima David Sarah Kenji Ruth
    Walter Nadia
    """
)
_LAST = listed(
    """
    Smith Johnson Brown Garcia Miller Davis Wilson Taylor Murphy Kelly Byrne Patel Sharma
    Gupta Iyer Singh Dubois Laurent Moreau Schmidt Weber Becker Silva Rojas Gonzalez Fernandez
    Perez Castro Nguyen Kim Cohen Novak Rossi Anderson Clarke Evans Hughes Walker Wright Moore
    Rivera
    """
)
_FIRMS = listed(
    """
    Plumbing Electric Motors Bakery Pharmacy Hardware Dental School Garden Centre Supplies
    Insurance Books Transport Foods Textiles Water Energy Telecom Travel Clinic Roofing
    Cleaners
    """
)
_SUFFIX = {
    "en": ("Inc.", "LLC", "Co.", "& Sons"),
    "en-GB": ("Ltd", "& Sons", "plc"),
    "en-IN": ("Pvt. Ltd.", "Traders", "& Co."),
    "es": ("S.A.", "Ltda.", "y Cía.", "SpA"),
    "fr": ("SARL", "S.A.S.", "et Fils"),
    "de": ("GmbH", "KG", "AG"),
    "pt": ("Ltda.", "S.A."),
}
_BANK_WORDS = listed(
    """
    First Harbour Northern Meridian Summit Valley Cedar Atlantic Pioneer Granite Coastal
    Liberty Union Premier Central Heritage Riverside Southern Evergreen Beacon Keystone
    """
)
_BANKS = {
    "en": ("{w} Bank", "{w} National Bank", "{w} Credit Union", "Bank of {w}", "{w} Savings"),
    "en-GB": ("{w} Bank plc", "{w} & County Bank", "Bank of {w}", "{w} Building Society"),
    "en-IN": ("{w} Bank of India", "{w} Bank Ltd.", "The {w} Co-operative Bank", "Bank of {w}"),
    "es": ("Banco {w}", "Banco del {w}", "Caja {w}", "Banco {w} S.A."),
    "fr": ("Banque {w}", "Crédit {w}", "Caisse {w}", "Société {w}"),
    "de": ("{w} Bank AG", "Sparkasse {w}", "Volksbank {w}"),
    "pt": ("Banco {w}", "Banco do {w} S.A.", "Caixa {w}"),
}
_CITIES = {
    "en": ("Springfield, OH 45501", "Madison, WI 53703", "Austin, TX 78701", "Salem, OR 97301"),
    "en-GB": ("Leeds LS1 4AP", "Bristol BS1 5TR", "York YO1 7HH", "Dublin 2", "Cork"),
    "en-IN": ("Pune 411001", "Chennai 600002", "New Delhi 110001", "Mumbai 400023", "Kochi 682011"),
    "es": ("Santiago", "Montevideo", "Bogotá D.C.", "Lima", "Guadalajara", "Valparaíso"),
    "fr": ("75009 Paris", "69002 Lyon", "31000 Toulouse", "44000 Nantes"),
    "de": ("20095 Hamburg", "50667 Köln", "80331 München", "04109 Leipzig"),
    "pt": ("São Paulo SP", "Curitiba PR", "Porto", "Recife PE"),
}
_STREETS = {
    "en": "Maple Street",
    "en-GB": "High Street",
    "en-IN": "M.G. Road",
    "es": "Av. Libertad",
    "fr": "rue de la Paix",
    "de": "Bahnhofstraße",
    "pt": "Rua das Flores",
}
_MEMOS = {
    "en": ("rent", "invoice 4471", "dues", "piano lessons", "May rent", "gift", "acct 33-201"),
    "en-GB": ("inv 2207", "deposit", "subs", "repairs"),
    "es": ("arriendo", "factura 1180", "cuota 3", "honorarios"),
    "fr": ("loyer", "facture 221", "cotisation"),
}
_MONTHS = {
    "en": "January February March April May June July August September October November December",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre "
    "diciembre",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro "
    "dezembro",
}


def pick(rng: np.random.Generator, choices: tuple[str, ...] | list[str]) -> str:
    """Return one of some texts, all equally likely."""
    return choices[int(rng.integers(len(choices)))]


def person(rng: np.random.Generator) -> str:
    """Return a person's made-up name."""
    middle = f" {'ABCDEGHJKLMPRST'[int(rng.integers(15))]}." if rng.random() < 0.25 else ""
    return f"{pick(rng, _FIRST)}{middle} {pick(rng, _LAST)}"


def firm(rng: np.random.Generator, language: str) -> str:
    """Return a made-up company's name."""
    head = pick(rng, _LAST) if rng.random() < 0.5 else pick(rng, _BANK_WORDS)
    return f"{head} {pick(rng, _FIRMS)} {pick(rng, _SUFFIX[language])}"


def payee(rng: np.random.Generator, language: str) -> str:
    """Return whom a cheque is made out to."""
    return firm(rng, language) if rng.random() < 0.35 else person(rng)


def bank(rng: np.random.Generator, language: str) -> str:
    """Return a made-up bank's name."""
    return pick(rng, _BANKS[language]).format(w=pick(rng, _BANK_WORDS))


def address(rng: np.random.Generator, language: str) -> tuple[str, str]:
    """Return two lines of a made-up address."""
    number, street = int(rng.integers(1, 999)), _STREETS[language]
    last = language in ("es", "de", "pt")
    first = f"{street} {number}" if last else f"{number} {street}"
    return first, pick(rng, _CITIES[language])


def memo(rng: np.random.Generator, language: str) -> str:
    """Return what a cheque is for."""
    return pick(rng, _MEMOS.get(language, _MEMOS["en"]))


def date_digits(rng: np.random.Generator) -> tuple[int, int, int]:
    """Return a day, month and year."""
    return int(rng.integers(1, 29)), int(rng.integers(1, 13)), int(rng.integers(1998, 2027))


def written_date(rng: np.random.Generator, language: str) -> str:
    """Return a date as written by hand on a line."""
    day, month, year = date_digits(rng)
    name = _MONTHS[language.split("-")[0]].split()[month - 1]
    short = f"{year % 100:02d}" if rng.random() < 0.4 else str(year)
    if language == "en":
        forms = [f"{month}/{day}/{short}", f"{month}-{day}-{short}", f"{name} {day}, {year}"]
        forms.append(f"{name[:3]} {day}, {short}")
    else:
        joint = " de " if language in ("es", "pt") else " "
        forms = [
            f"{day}/{month}/{short}",
            f"{day:02d}.{month:02d}.{short}",
            f"{day}-{month}-{short}",
        ]
        forms.append(f"{day}{joint}{name}{joint}{year}")
    return pick(rng, forms)


def number(rng: np.random.Generator, digits: int) -> str:
    """Return a random number of so many digits."""
    return "".join(str(int(d)) for d in rng.integers(0, 10, digits))
