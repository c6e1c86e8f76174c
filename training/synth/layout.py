"""The parts of a cheque form and the pen that draws a random form from them.

A form says what is printed where and which slots the drawer fills in; nothing here paints.
Lengths are millimetres from the form's top left corner, type sizes points.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from training.synth.page import BLACK, Colour
from training.synth.words import listed, pick

SERIFS = listed(
    """
    tinos merriweather lora old-standard-tt crimson-text eb-garamond libre-baskerville gelasio
    vollkorn playfair-display bitter roboto-slab
    """
)
SANS = listed(
    """
    roboto arimo open-sans lato montserrat barlow roboto-condensed archivo-narrow inter
    titillium-web pt-sans-narrow barlow-condensed varela-round rajdhani
    """
)
TITLES = listed(
    """
    playfair-display abril-fatface oswald montserrat arimo! tinos! anton libre-baskerville
    lato rozha-one roboto! bebas-neue old-standard-tt michroma josefin-slab
    """
)
# Fonts that have every currency sign, the Indian one among them.
_SIGN_FONTS = listed(
    """
    arimo arimo! tinos tinos! roboto! roboto-condensed! merriweather bitter montserrat inter
    playfair-display gelasio archivo-narrow
    """
)
MONO = listed("courier-prime cousine ocr-b roboto-mono source-code-pro ibm-plex-mono")


@dataclass(frozen=True, slots=True)
class Print:
    """A printed text: baseline start, text, size in points, font name, colour, alignment."""

    x: float
    y: float
    text: str
    size: float
    font: str
    colour: Colour = BLACK
    align: str = "left"
    turned: bool = False


@dataclass(frozen=True, slots=True)
class Rule:
    """A printed line; dash is the length of dash and gap, 0 for none."""

    x0: float
    y0: float
    x1: float
    y1: float
    width: float = 0.2
    colour: Colour = BLACK
    dash: float = 0.0


@dataclass(frozen=True, slots=True)
class Frame:
    """A rectangle: outline width (0 none), how much of the tint shows inside (1 all of it), and
    the strength of a fill in the colour."""

    x0: float
    y0: float
    x1: float
    y1: float
    width: float = 0.2
    colour: Colour = BLACK
    keep: float = 1.0
    fill: float = 0.0


@dataclass(frozen=True, slots=True)
class Art:
    """A drawing by name (logo, lock, rosette, hatch, border) within a box."""

    name: str
    x0: float
    y0: float
    x1: float
    y1: float
    colour: Colour = BLACK
    seed: int = 0


Item = Print | Rule | Frame | Art


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to be filled in: for lines y1 is the rule that the writing stands on, for boxes the
    lower side. cells above 0: that many boxes for one character each."""

    name: str
    x0: float
    y0: float
    x1: float
    y1: float
    cells: int = 0


@dataclass(frozen=True, slots=True)
class Form:
    """A cheque form: name of the layout, language of the words, ISO 4217 code, size, printed items,
    slots by name, the currency sign printed by the amount ("" none), the codeline's text and kind
    ("e13b", "cmc7" or "print") and its left and top."""

    name: str
    language: str
    currency: str
    width: float
    height: float
    items: tuple[Item, ...]
    slots: tuple[Slot, ...]
    sign: str
    codeline: str
    codeline_kind: str
    codeline_at: tuple[float, float]
    ink: Colour

    def slot(self, name: str) -> Slot | None:
        """Return the slot of that name, None where the form lacks it."""
        return next((slot for slot in self.slots if slot.name == name), None)


@dataclass(slots=True)
class Sketch:
    """A form being drawn: what it is to become, and the choices that run through all of it."""

    rng: np.random.Generator
    language: str
    currency: str
    width: float
    height: float
    ink: Colour = BLACK
    label_font: str = "arimo"
    title_font: str = "tinos!"
    label_size: float = 6.0
    rule_width: float = 0.2
    dash: float = 0.0
    items: list[Item] = field(default_factory=list)
    slots: list[Slot] = field(default_factory=list)
    sign: str = ""

    @classmethod
    def start(
        cls, rng: np.random.Generator, language: str, currency: str, width: float, height: float
    ) -> Sketch:
        """Begin a form of about that size, in a random style."""
        grow = float(np.clip(rng.normal(1.0, 0.02), 0.94, 1.06))
        ink = BLACK if rng.random() < 0.55 else _dark_colour(rng)
        return cls(
            rng,
            language,
            currency,
            width * grow,
            height * grow,
            ink,
            label_font=pick(rng, SERIFS if rng.random() < 0.4 else SANS),
            title_font=pick(rng, TITLES),
            label_size=float(rng.uniform(4.8, 7.2)),
            rule_width=float(rng.uniform(0.12, 0.35)),
            dash=float(rng.choice([0.0, 0.0, 0.0, 0.0, 0.0, rng.uniform(0.4, 1.6)])),
        )

    def jitter(self, spread: float = 1.0) -> float:
        """Return a random displacement in millimetres, rarely beyond twice the spread."""
        return float(np.clip(self.rng.normal(0.0, spread), -2 * spread, 2 * spread))

    def chance(self, share: float) -> bool:
        """Return True that share of the times."""
        return bool(self.rng.random() < share)

    def between(self, low: float, high: float) -> float:
        """Return a random number between two."""
        return float(self.rng.uniform(low, high))

    def print(
        self,
        x: float,
        y: float,
        text: str,
        size: float | None = None,
        *,
        font: str = "",
        align: str = "left",
        turned: bool = False,
        colour: Colour | None = None,
    ) -> None:
        """Print a text, in the style of the form's labels where nothing else is said."""
        self.items.append(
            Print(
                x,
                y,
                text,
                size or self.label_size,
                font or self.label_font,
                colour or self.ink,
                align,
                turned,
            )
        )

    def rule(self, x0: float, y0: float, x1: float, y1: float, width: float | None = None) -> None:
        """Print a line in the form's style."""
        self.items.append(Rule(x0, y0, x1, y1, width or self.rule_width, self.ink, self.dash))

    def line_slot(
        self, name: str, x0: float, y: float, x1: float, tall: float = 6.0, ruled: bool = True
    ) -> None:
        """Add a slot to be written on, with its rule."""
        if ruled:
            self.rule(x0, y, x1, y)
        self.slots.append(Slot(name, x0, y - tall, x1, y))

    def lines(
        self, x: float, y: float, texts: tuple[str, ...], size: float, align: str = "left"
    ) -> float:
        """Print lines of small type below each other; return the next baseline."""
        for text in texts:
            self.print(x, y, text, size, align=align)
            y += size * 0.42
        return y

    def cells(self, name: str, x0: float, y0: float, x1: float, y1: float, count: int) -> None:
        """Add boxes for single characters, with or without their upper side."""
        open_top = self.chance(0.25)
        step = (x1 - x0) / count
        for index in range(count + 1):
            top = y0 + (0.5 * (y1 - y0) if open_top else 0.0)
            self.rule(x0 + index * step, top, x0 + index * step, y1)
        if not open_top:
            self.rule(x0, y0, x1, y0)
        self.rule(x0, y1, x1, y1)
        self.slots.append(Slot(name, x0, y0, x1, y1, count))

    def finish(self, name: str, codeline: str, kind: str, at: tuple[float, float]) -> Form:
        """Return the finished form."""
        return Form(
            name,
            self.language,
            self.currency,
            self.width,
            self.height,
            tuple(self.items),
            tuple(self.slots),
            self.sign,
            codeline,
            kind,
            at,
            self.ink,
        )


def _dark_colour(rng: np.random.Generator) -> Colour:
    hues = (
        (0.1, 0.2, 0.5),
        (0.1, 0.35, 0.25),
        (0.45, 0.12, 0.15),
        (0.3, 0.3, 0.35),
        (0.3, 0.2, 0.1),
    )
    hue = hues[int(rng.integers(len(hues)))]
    return tuple(float(np.clip(c + rng.normal(0, 0.05), 0, 0.7)) for c in hue)  # type: ignore[return-value]


def amount_area(
    sketch: Sketch,
    x0: float,
    y0: float,
    x1: float,
    y1: float,
    sign: str,
    split: bool | None = None,
    boxed: float = 0.7,
    place: str | None = None,
) -> None:
    """Draw the courtesy amount's area within a box, with the currency sign, and add its slots.

    The area may be framed, a white or tinted patch, ruled below or open; the sign, where there is
    one, stands inside it, left of it, or above its left end. With ``split`` (default: rarely) the
    cents have a part of their own.
    """
    rng = sketch.rng
    split = sketch.chance(0.07) if split is None else split
    tall = y1 - y0
    place = place or str(rng.choice(["inside", "left", "above"], p=[0.35, 0.6, 0.05]))
    size = min(tall, 9.0) * sketch.between(0.42, 0.72) / 0.3528 / 0.72
    bold = pick(rng, _SIGN_FONTS)
    inner = x0 + tall * 0.15
    letters = 0.62 * len(sign) + 0.1
    # A sign of several letters is set smaller, so that it leaves the box to the amount.
    size = min(size, (x1 - x0) * 0.22 / (0.3528 * letters))
    width_of_sign = size * 0.3528 * letters
    if sign and place == "inside":
        sketch.print(x0 + tall * 0.12, y1 - tall * 0.22, sign, size, font=bold)
        inner = x0 + width_of_sign + tall * 0.2
        if sketch.chance(0.15):
            sketch.rule(inner, y0, inner, y1)
    elif sign and place == "left":
        gap = sketch.between(0.2, 1.6)
        sketch.print(
            x0 - gap, y1 - tall * sketch.between(0.1, 0.3), sign, size, font=bold, align="right"
        )
    elif sign:
        sketch.print(x0, y0 - 0.6, sign, sketch.label_size + 1.0, font=bold)
    sketch.sign = sign
    style = rng.random()
    keep = 1.0 if sketch.chance(0.5) else sketch.between(0.0, 0.6)
    width = sketch.between(0.15, 0.55)
    if style < boxed:
        fill = sketch.between(0.05, 0.2) if keep == 1.0 and sketch.chance(0.25) else 0.0
        sketch.items.append(Frame(x0, y0, x1, y1, width, sketch.ink, keep, fill))
        if sketch.chance(0.08):
            sketch.items.append(Frame(x0 - 0.8, y0 - 0.8, x1 + 0.8, y1 + 0.8, 0.15, sketch.ink))
    elif style < boxed + 0.12:
        sketch.items.append(Frame(x0, y0, x1, y1, 0.0, sketch.ink, keep * 0.6, 0.0))
    elif style < boxed + 0.22:
        sketch.rule(x0, y1, x1, y1)
    elif style < boxed + 0.26:
        sketch.items.append(Art("hatch", x0, y0, x1, y1, sketch.ink, int(rng.integers(1 << 30))))
    if split:
        at = x1 - (x1 - x0) * sketch.between(0.2, 0.3)
        sketch.rule(at, y0, at, y1)
        sketch.slots.append(Slot("amount", inner, y0, at, y1))
        sketch.slots.append(Slot("cents", at, y0, x1, y1))
    else:
        sketch.slots.append(Slot("amount", inner, y0, x1, y1))


def header(
    sketch: Sketch,
    x: float,
    y: float,
    name: str,
    lines: tuple[str, ...],
    size: float,
    align: str = "left",
) -> None:
    """Print a name in large type with a few lines below it, sometimes beside a logo."""
    logo = sketch.chance(0.45) and align == "left"
    if logo:
        side = size * 0.3528 * sketch.between(1.2, 2.4)
        seed = int(sketch.rng.integers(1 << 30))
        sketch.items.append(
            Art("logo", x, y - side * 0.75, x + side, y + side * 0.25, sketch.ink, seed)
        )
        x += side + 1.5
    sketch.print(x, y, name, size, font=sketch.title_font, align=align)
    small = max(4.5, min(7.5, size * 0.6))
    sketch.lines(x, y + small * 0.48, lines, small, align)
