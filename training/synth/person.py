"""Who writes an amount by hand: a writer of the bank or none, a pen, habits and a mood."""

from dataclasses import dataclass, field

import numpy as np

from training.synth.bank import GlyphBank, Writer
from training.synth.strokes import Floats, Glyph, Pen, sample_pen
from training.synth.templates import Template
from training.synth.zeros import Chain, sample_chain

# Shares of where a hand's digits come from.
SOURCES: dict[str, float] = {
    "unipen_digits": 0.34,
    "pendigits": 0.07,
    "kensanata": 0.14,
    "mnist": 0.07,
    "optdigits": 0.015,
    "semeion": 0.01,
    "bhmsds": 0.015,
    "templates": 0.34,
}


@dataclass(slots=True)
class Hand:
    """What stays the same while one person writes one amount; lengths in digit heights.

    first_size: height of the first digit, as some begin an amount with a large one. trend: how much
    larger each digit is than the one before it, as a natural logarithm.
    """

    pen: Pen
    writer: Writer | None
    slant: float
    stretch: float
    unrest: float
    size_spread: float
    zero_size: float
    zero_width: float
    one_size: float
    descent: float
    slope: float
    drift: float
    gap: float
    gap_spread: float
    tuck: float
    point_gap: float
    touch: float
    ligature: float
    low_dash: float
    high_point: float
    template_share: float
    slashed: bool
    chain: Chain | None
    zero_shrink: float
    small_cents: bool
    first_size: float
    trend: float
    shapes: dict[str, tuple[Template, Floats] | Glyph | None] = field(default_factory=dict)


def sample_hand(rng: np.random.Generator, bank: GlyphBank, height: float) -> Hand:
    """Draw a person, a pen and a mood for digits of that height, px."""
    writer = _sample_writer(rng, bank)
    drawn = writer is None
    slant = rng.normal(0.14, 0.2) if drawn else rng.normal(0.02, 0.1)
    if rng.random() < 0.25:
        slant += rng.uniform(0.1, 0.35)
    gap = float(rng.choice([0.02, 0.08, 0.16, 0.32], p=[0.25, 0.4, 0.25, 0.1]))
    return Hand(
        pen=sample_pen(rng, height),
        writer=writer,
        slant=float(np.clip(slant, -0.3, 0.75)),
        stretch=float(np.exp(rng.normal(0.2 if drawn else 0.1, 0.2 if drawn else 0.15))),
        unrest=float(rng.uniform(0.01, 0.045)),
        size_spread=float(rng.uniform(0.02, 0.11)),
        zero_size=float(rng.choice([1.0, rng.uniform(0.5, 0.95)], p=[0.6, 0.4])),
        zero_width=float(np.exp(rng.normal(0.08, 0.14))),
        one_size=float(rng.choice([1.0, rng.uniform(1.0, 1.4)], p=[0.65, 0.35])),
        descent=float(rng.choice([0.0, rng.uniform(0.05, 0.3)], p=[0.65, 0.35])),
        slope=float(rng.normal(0.0, 0.025)),
        drift=float(rng.uniform(0.005, 0.05)),
        gap=gap + float(rng.uniform(0.0, 0.05)),
        gap_spread=float(rng.uniform(0.01, 0.09)),
        tuck=float(rng.uniform(0.35, 0.95)),
        point_gap=float(rng.choice([0.03, 0.12, 0.3], p=[0.42, 0.36, 0.22])),
        touch=float(rng.choice([0.0, 0.06, 0.3], p=[0.45, 0.4, 0.15])),
        ligature=float(rng.choice([0.0, 0.7], p=[0.92, 0.08])),
        low_dash=float(rng.choice([0.05, 0.9], p=[0.75, 0.25])),
        high_point=float(rng.choice([0.0, 0.7], p=[0.92, 0.08])),
        template_share=1.0 if drawn else float(rng.choice([0.0, 0.12, 0.3], p=[0.45, 0.35, 0.2])),
        slashed=bool(rng.random() < 0.02),
        chain=sample_chain(rng) if rng.random() < 0.25 else None,
        zero_shrink=float(rng.choice([1.0, rng.uniform(0.72, 0.95)], p=[0.6, 0.4])),
        small_cents=bool(rng.random() < 0.15),
        first_size=float(rng.choice([1.0, rng.uniform(1.15, 1.9)], p=[0.96, 0.04])),
        trend=float(rng.choice([rng.normal(0.0, 0.01), rng.normal(-0.03, 0.03)], p=[0.75, 0.25])),
    )


def _sample_writer(rng: np.random.Generator, bank: GlyphBank) -> Writer | None:
    """A writer of the bank, or None for hand-designed strokes."""
    names = [name for name in SOURCES if name == "templates" or name in bank.writers]
    shares = np.array([SOURCES[name] for name in names])
    name = names[int(rng.choice(len(names), p=shares / shares.sum()))]
    if name == "templates":
        return None
    people = bank.writers[name]
    return people[int(rng.integers(len(people)))]
