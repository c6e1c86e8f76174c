"""Parts that forms of several countries have: labels, borders, padlocks, crossings, dates."""

from __future__ import annotations

import numpy as np

from training.synth.layout import Art, Sketch
from training.synth.words import pick


def paper_width(rng: np.random.Generator, low: float, high: float) -> float:
    """Return a paper width between two."""
    return float(rng.uniform(low, high))


def padlock(sketch: Sketch, x: float, y: float) -> None:
    """A padlock, with or without its tiny print."""
    sketch.items.append(Art("lock", x, y - 2.6, x + 2.0, y, sketch.ink))
    if sketch.chance(0.6):
        tiny = ("Security Features", "Included. Details", "on Back.")
        for index, line in enumerate(tiny):
            sketch.print(x + 2.4, y - 1.7 + 0.85 * index, line, 2.2)


def border(sketch: Sketch, share: float) -> None:
    """A border around the form, on that share of them."""
    if sketch.chance(share):
        inset = sketch.between(0.8, 3.0)
        seed = int(sketch.rng.integers(1 << 30))
        box = (inset, inset, sketch.width - inset, sketch.height - inset)
        sketch.items.append(Art("border", *box, sketch.ink, seed))


def caption(
    sketch: Sketch, x: float, y: float, texts: tuple[str, ...], size: float | None = None
) -> float:
    """Print a label of one or two lines whose last one stands on y; return its right end."""
    size = size or sketch.label_size
    for index, text in enumerate(reversed(texts)):
        sketch.print(x, y - index * size * 0.37, text, size)
    return x + max(len(text) for text in texts) * size * 0.3528 * 0.62 + 1.0


def crossing(sketch: Sketch, text: tuple[str, ...]) -> None:
    """Two upright lines across the cheque with a text between them."""
    x = sketch.width * sketch.between(0.3, 0.55)
    gap = sketch.between(5, 8)
    top, bottom = sketch.height * 0.05, sketch.height * sketch.between(0.72, 0.8)
    sketch.rule(x, top, x, bottom, 0.25)
    sketch.rule(x + gap, top, x + gap, bottom, 0.25)
    sketch.print(x + gap * 0.65, bottom - 6, pick(sketch.rng, text), 7.5, turned=True)


def date_line(s: Sketch, label: str, x: float, y: float, right: float) -> None:
    """Add a date of any kind: boxes, a rule, or bare."""
    end = caption(s, x, y, (label,))
    right = min(right, end + s.between(30, 50))
    if s.chance(0.35) and right - end > 24:
        s.cells("date", end, y - 5.2, right, y, 8)
    else:
        s.line_slot("date", end, y, max(right, end + 22), 5.5, ruled=s.chance(0.8))
