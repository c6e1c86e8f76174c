"""Render the sample cheques: ``python -m training.synth.samples OUT``.

Everything in them is drawn from openly licensed fonts and made-up names; no glyph comes from a data
set of handwriting. The same fonts give the same files.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.data.fonts import SOURCES, Font
from training.synth import words
from training.synth.amounts import Part, WrittenAmount, text_of
from training.synth.capture import Settings, binarize
from training.synth.cheque import Filling, draw
from training.synth.forms import FORMS, latin
from training.synth.ink import InkLayer, compose_ink
from training.synth.layout import Form
from training.synth.lettering import Hand, digit_size, write_amount
from training.synth.page import BLACK, Colour, Page, shelf, text_mask, text_width
from training.synth.paint import blank_page
from training.synth.scene import develop, photograph, sheet_of

BLUE: Colour = (0.08, 0.14, 0.5)
DARK_BLUE: Colour = (0.06, 0.09, 0.34)
DARK: Colour = (0.1, 0.1, 0.12)

_CLEAN = Settings(
    scale=1.0,
    angle=0.0,
    shear=0.0,
    blur=0.45,
    sharpen=0.0,
    noise=1.2,
    noise_blur=0.6,
    low=14.0,
    high=250.0,
    gamma=1.0,
    slope=(0.0, 0.0),
    jpeg=0,
    binarizer="",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample: file name, layout, seed of its form and paper, the amount's parts and value, its
    hand or machine font, ink, what else is written, resolution, and whether it may be accepted."""

    file: str
    layout: str
    seed: int
    parts: tuple[Part, ...]
    minor: int
    font: str
    description: str
    ink: Colour = DARK
    machine: bool = False
    dpi: float = 300.0
    plain: bool = False
    photo: bool = False
    payee: str = ""
    date: str = ""
    digits: float = 4.6
    pen: float = 0.42
    accepted: bool = True
    quality: int = 72
    capitals: bool = False
    legal: str = ""
    texts: dict[str, str] = field(default_factory=dict)


def _line(text: str) -> tuple[Part, ...]:
    return ((text, "line"),)


SAMPLES = (
    Sample(
        "us-personal-01.png",
        "us-personal",
        102,
        _line("1,234.56"),
        123456,
        "homemade-apple",
        "US personal cheque, blue ballpoint, 300 dpi colour",
        BLUE,
        plain=True,
        payee="Cedar Garden Centre",
        date="April 9, 2024",
    ),
    Sample(
        "us-personal-02.jpg",
        "us-personal",
        12,
        _line("186.40"),
        18640,
        "over-the-rainbow",
        "US personal cheque on tinted paper, 300 dpi colour",
        DARK,
        payee="Julia Rivera",
        date="7/14/2023",
    ),
    Sample(
        "us-personal-03.jpg",
        "us-personal",
        13,
        (("75", "line"), ("no", "numerator"), ("/", "bar"), ("100", "denominator")),
        7500,
        "la-belle-aurore",
        "US personal cheque, cents as a fraction: no/100",
        DARK_BLUE,
        payee="Walker Dental",
        date="10/2/24",
        digits=4.9,
    ),
    Sample(
        "us-personal-04.tif",
        "us-personal",
        14,
        _line("2,050.00"),
        205000,
        "architects-daughter",
        "US personal cheque, 200 dpi bitonal TIFF G4",
        DARK,
        dpi=200.0,
        payee="Thomas Moore",
        date="3-28-2025",
    ),
    Sample(
        "us-business-01.png",
        "us-business",
        21,
        _line("**12,480.00**"),
        1248000,
        "courier-prime",
        "US business cheque, laser printed, asterisk fill",
        machine=True,
        plain=True,
        payee="HARBOUR TRANSPORT LLC",
        date="06/30/2024",
    ),
    Sample(
        "us-business-02.tif",
        "us-business",
        22,
        _line("$3,150.75"),
        315075,
        "arimo",
        "US business cheque, machine print, 200 dpi bitonal TIFF G4",
        machine=True,
        dpi=200.0,
        payee="Meridian Supplies Inc.",
        date="11/08/2023",
    ),
    Sample(
        "uk-01.jpg",
        "uk",
        31,
        _line("250.00"),
        25000,
        "nothing-you-could-do",
        "UK cheque, account payee crossing",
        DARK,
        payee="Hughes & Sons",
        date="12 May 2024",
    ),
    Sample(
        "uk-02.tif",
        "uk",
        32,
        _line("1,875-50"),
        187550,
        "waiting-for-the-sunrise",
        "UK cheque, pence after a dash, 200 dpi bitonal TIFF G4",
        DARK,
        dpi=200.0,
        payee="Sarah Clarke",
        date="3/11/23",
        digits=5.0,
    ),
    Sample(
        "ireland-01.jpg",
        "ireland",
        33,
        _line("640.25"),
        64025,
        "cedarville-cursive",
        "Irish euro cheque",
        BLUE,
        payee="Aoife Murphy",
        date="21/6/2024",
    ),
    Sample(
        "india-01.jpg",
        "india",
        104,
        _line("1,20,000/-"),
        12000000,
        "kalam",
        "Indian CTS-2010 cheque, lakh grouping and /-",
        BLUE,
        payee="Sunita Sharma",
        digits=5.0,
        quality=66,
    ),
    Sample(
        "india-02.tif",
        "india",
        42,
        _line("45,500/-"),
        4550000,
        "give-you-glory",
        "Indian cheque, 200 dpi bitonal TIFF G4",
        DARK,
        dpi=200.0,
        payee="Patel Textiles & Co.",
        digits=5.2,
    ),
    Sample(
        "india-03.jpg",
        "india",
        107,
        _line("7,25,310.00"),
        72531000,
        "roboto-mono",
        "Indian cheque, machine print",
        machine=True,
        payee="Gupta Transport Pvt. Ltd.",
        plain=True,
    ),
    Sample(
        "france-01.jpg",
        "france",
        53,
        _line("1 234,56"),
        123456,
        "marck-script",
        "French cheque, space between thousands, decimal comma",
        DARK_BLUE,
        payee="Claire Moreau",
        quality=64,
        date="8 mars 2024",
    ),
    Sample(
        "germany-01.jpg",
        "germany",
        52,
        _line("1.234,56"),
        123456,
        "handlee",
        "German cheque, point between thousands, decimal comma",
        BLUE,
        payee="Weber Elektro GmbH",
        date="Hamburg, 14.02.2024",
    ),
    Sample(
        "chile-01.jpg",
        "latin:CLP",
        61,
        _line("385.000.-"),
        38500000,
        "just-me-again-down-here",
        "Chilean cheque, whole pesos closed with .-",
        DARK,
        payee="Andrés Castro Rojas",
        date="5 de agosto de 2023",
        digits=5.2,
    ),
    Sample(
        "mexico-01.png",
        "latin:MXN",
        62,
        _line("12,500.00"),
        1250000,
        "indie-flower",
        "Mexican cheque",
        BLUE,
        plain=True,
        payee="Valentina Pérez",
        date="17 de enero de 2025",
    ),
    Sample(
        "uruguay-01.tif",
        "latin:UYU",
        63,
        _line("28.750="),
        2875000,
        "sue-ellen-francisco",
        "Uruguayan cheque, whole pesos closed with =, 200 dpi bitonal TIFF G4",
        DARK,
        dpi=200.0,
        payee="Diego Silva",
        date="2/9/2024",
        digits=5.2,
    ),
    Sample(
        "brazil-01.jpg",
        "brazil",
        71,
        _line("2.310,90"),
        231090,
        "coming-soon",
        "Brazilian cheque, R$ with decimal comma",
        DARK_BLUE,
        payee="Camila Silva",
        date="Recife, 12 de abril de 2024",
    ),
    Sample(
        "canada-01.jpg",
        "canada",
        72,
        _line("415.80"),
        41580,
        "shadows-into-light",
        "Canadian cheque, boxed date",
        DARK,
        payee="Olga Novak",
        quality=60,
    ),
    Sample(
        "us-photo-01.jpg",
        "us-personal",
        81,
        _line("362.18"),
        36218,
        "mynerve",
        "US personal cheque photographed on a table",
        DARK_BLUE,
        dpi=220.0,
        photo=True,
        payee="Union Motors",
        date="9/3/2024",
        quality=80,
    ),
    Sample(
        "us-front-and-back-01.tif",
        "us-personal",
        82,
        _line("540.00"),
        54000,
        "annie-use-your-telescope",
        "US personal cheque, front and endorsed back as two TIFF pages, 200 dpi bitonal G4",
        DARK,
        dpi=200.0,
        payee="Ruth Anderson",
        date="5/19/2024",
    ),
    Sample(
        "us-blank-01.jpg",
        "us-personal",
        91,
        (),
        0,
        "homemade-apple",
        "blank US personal cheque: nothing to read",
        DARK,
        accepted=False,
    ),
    Sample(
        "us-negative-01.png",
        "us-business",
        92,
        _line("-1,045.20"),
        104520,
        "cousine",
        "US business cheque with a negative amount: must not be accepted",
        machine=True,
        plain=True,
        payee="ATLANTIC FOODS CO.",
        date="02/12/2024",
        accepted=False,
    ),
)


def _form(sample: Sample, rng: np.random.Generator) -> Form:
    name, _, currency = sample.layout.partition(":")
    return latin(rng, currency) if currency else FORMS[name][0](rng)


def _filling(sample: Sample, form: Form, rng: np.random.Generator) -> Filling:
    legal = words.legal_amount(
        rng,
        sample.minor // 100,
        sample.minor % 100,
        form.language,
        "" if form.language in ("en", "en-IN") else _UNIT.get((form.language, form.currency)),
    )
    legal = sample.legal or legal[0].upper() + legal[1:]
    hand = Hand(
        shelf()["homemade-apple" if sample.machine else sample.font],
        0.02,
        1.0,
        0.02,
        1.1,
        sample.pen,
        0.12,
        sample.capitals,
    )
    amount = (
        WrittenAmount(sample.parts, sample.minor, form.currency, text_of(sample.parts))
        if sample.parts
        else None
    )
    texts = {
        "payee": sample.payee,
        "legal": legal,
        "date": sample.date,
        "date digits": "14082024",
        "memo": words.memo(rng, form.language),
        "place": "Paris",
        **sample.texts,
    }
    if amount is None:
        texts = {}
    return Filling(
        amount,
        texts,
        hand,
        sample.machine,
        sample.font,
        BLACK if sample.machine else sample.ink,
        sample.digits,
        signed=amount is not None,
    )


_UNIT = {("en-GB", "EUR"): "euros"}


def _page(sample: Sample) -> tuple[Page, Form]:
    rng = np.random.default_rng(sample.seed)
    form = _form(sample, rng)
    filling = _filling(sample, form, rng)

    def write(generator: np.random.Generator, written: WrittenAmount, height: float) -> InkLayer:
        return write_amount(generator, written, height, filling.hand, sample.dpi)

    def set_type(_: np.random.Generator, written: WrittenAmount, height: float) -> InkLayer:
        return _typed(shelf()[sample.font], written.text, height)

    writer = set_type if sample.machine else write
    return draw(rng, form, filling, sample.dpi, writer, sample.plain).page, form


def _typed(font: Font, text: str, height: float) -> InkLayer:
    """Set an amount in clean type, its digits ``height`` pixels high."""
    size = digit_size(font, height)
    patches = []
    pen = 0.0
    for index, character in enumerate(text):
        mask, left, top = text_mask(font, character, size)
        patches.append((mask, round(pen + left), top, index + 1))
        pen += text_width(font, character, size)
    return compose_ink(patches, text)


def _back(rng: np.random.Generator, sample: Sample, form: Form) -> Page:
    """The back of a cheque: an endorsement at one end."""
    page = blank_page(rng, form.width, form.height, sample.dpi, True)
    font = shelf()["arimo"]
    page.text(font, "ENDORSE HERE", 5.0, 6.0, 7.0, BLACK)
    for y in (14.0, 23.0, 32.0):
        page.box(5.0, y, 55.0, y + 0.2, BLACK)
    page.text(shelf()[sample.font], sample.payee, 9.0, 12.6, 17.0, sample.ink)
    page.text(font, "DO NOT WRITE, STAMP OR SIGN BELOW THIS LINE", 5.0, 38.0, 5.0, BLACK)
    return page


def _bitonal(image: NDArray[np.uint8]) -> Image.Image:
    grey = np.asarray(Image.fromarray(image).convert("L"), np.uint8)
    return Image.fromarray(binarize(grey, "fixed", 0.35)).convert("1")


def _save(sample: Sample, folder: Path) -> None:
    rng = np.random.default_rng(sample.seed + 1000)
    page, form = _page(sample)
    path = folder / sample.file
    dpi = (sample.dpi, sample.dpi)
    if path.suffix == ".tif":
        pages = [_bitonal(page.image)]
        if "back" in sample.file:
            pages.append(_bitonal(_back(rng, sample, form).image))
        pages[0].save(
            path, compression="group4", dpi=dpi, save_all=len(pages) > 1, append_images=pages[1:]
        )
        return
    if path.suffix == ".png":
        # Few colours keep the file small: paper, form and ink are all there is.
        Image.fromarray(page.image).quantize(48, dither=Image.Dither.NONE).save(
            path, dpi=dpi, optimize=True
        )
        return
    shot = sheet_of(rng, page, colour=True)
    if sample.photo:
        shot = photograph(rng, shot)
    shot = develop(rng, shot, replace(_CLEAN, blur=0.8 if sample.photo else _CLEAN.blur))
    Image.fromarray(shot.image).save(path, quality=sample.quality, dpi=dpi, optimize=True)


def render(folder: Path, samples: tuple[Sample, ...] = SAMPLES) -> None:
    """Write the samples with their truth.csv and README.md into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = []
    for sample in samples:
        _save(sample, folder)
        form = _form(sample, np.random.default_rng(sample.seed))
        rows.append(
            [
                sample.file,
                sample.minor if sample.accepted else "",
                form.currency,
                sample.description,
            ]
        )
    with (folder / "truth.csv").open("w", newline="", encoding="utf-8") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(["file", "amount_minor", "currency", "description"])
        writer.writerows(rows)
    (folder / "README.md").write_text(_readme(), encoding="utf-8")


def _readme() -> str:
    fonts = sorted({sample.font for sample in SAMPLES})
    licences = {source.name: source.licence for source in SOURCES}
    listed = "\n".join(f"| {name} | {licences[name]} |" for name in fonts)
    return f"""# Sample cheques

Made-up cheques of several countries, rendered by `python -m training.synth.samples samples` from
openly licensed fonts. Names, banks and account numbers are invented; nothing is taken from a real
cheque or from a data set of handwriting.

`truth.csv` has one row a file: `amount_minor` is the amount in hundredths (empty where no amount
must be accepted: the blank cheque and the negative amount), `currency` the ISO 4217 code of the
cheque.

Writing and amounts are set in these fonts, all by way of the npm packages `@fontsource/*`:

| font | licence |
|---|---|
{listed}

The printed forms use further fonts of the table in `training/data/fonts.py`, every one under the
SIL Open Font License 1.1, the Apache License 2.0, the Ubuntu Font Licence 1.0 or in the public
domain. The codeline's shapes are drawn by `training/synth/codeline.py`.
"""


def main() -> None:
    """Render the samples from the command line."""
    parser = argparse.ArgumentParser(description="Render the sample cheques.")
    parser.add_argument("out", type=Path, help="folder to write them to")
    render(parser.parse_args().out)


if __name__ == "__main__":
    main()
