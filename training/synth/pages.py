"""Pages that are not the front of a cheque and must not be read as one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.synth import words
from training.synth.layout import SANS
from training.synth.lettering import Hand, signature, smooth_noise, write_text
from training.synth.page import BLACK, Colour, Page, shelf
from training.synth.paint import blank_page, stamp

Floats = NDArray[np.float64]


def cheque_back(rng: np.random.Generator, dpi: float, hand: Hand, ink: Colour) -> Page:
    """Draw the back of a cheque: ruled lines for endorsements at one end, a signature, stamps."""
    width, height = float(rng.uniform(150, 205)), float(rng.uniform(68, 92))
    page = blank_page(rng, width, height, dpi, plain=bool(rng.random() < 0.4))
    font = shelf()[words.pick(rng, SANS)]
    x = float(rng.choice([5.0, width - 62.0]))
    page.text(font, words.pick(rng, ("ENDORSE HERE", "ENDOSO", "Au dos")), x, 7.0, 7.0, BLACK)
    for row in range(int(rng.integers(2, 5))):
        y = 16.0 + 9.0 * row
        page.box(x, y, x + 55.0, y + 0.2, BLACK)
        if row == 1 and rng.random() < 0.6:
            _write(rng, page, hand, f"acct {words.number(rng, 9)}", x + 3.0, y - 0.5, ink)
    strokes = signature(rng, float(rng.uniform(25, 45)), 8.0)
    page.lines([line + np.array([x + 4.0, 15.0]) for line in strokes], hand.pen, ink, 0.9)
    small = "DO NOT WRITE, STAMP OR SIGN BELOW THIS LINE"
    page.text(font, small, x, 16.0 + 9.0 * 3 + 3.0, 4.5, BLACK)
    if rng.random() < 0.5:
        x, y = width * float(rng.uniform(0.3, 0.7)), height * float(rng.uniform(0.3, 0.8))
        stamp(
            rng,
            page,
            words.pick(rng, ("PAID", "DEPOSIT ONLY", "BANK 0712")),
            x,
            y,
            (0.2, 0.2, 0.5),
        )
    return page


def noise(rng: np.random.Generator, dpi: float) -> Page:
    """Draw a page of nothing in particular: empty paper, blotches, or a scanner's dirt."""
    page = blank_page(rng, float(rng.uniform(120, 210)), float(rng.uniform(60, 120)), dpi)
    rows, columns = page.owner.shape
    if rng.random() < 0.6:
        blotches = smooth_noise(rng, rows, columns, float(rng.uniform(20, 200)))
        mask = np.clip((blotches - float(rng.uniform(-0.5, 1.0))) * 200.0, 0, 255).astype(np.uint8)
        page.stain(mask, 0, 0, BLACK, float(rng.uniform(0.2, 0.9)))
    for _ in range(int(rng.integers(0, 40))):
        start = rng.uniform([0, 0], [columns, rows]) / page.px(1.0)
        path = start + np.cumsum(rng.normal(0.0, 0.5, (12, 2)), axis=0)
        page.lines([path], float(rng.uniform(0.1, 1.0)), BLACK, 0.8)
    return page


def photograph(rng: np.random.Generator, dpi: float) -> Page:
    """Draw a street as a camera sees it: sky, hills, houses with windows and numbers."""
    page = blank_page(rng, float(rng.uniform(120, 210)), float(rng.uniform(80, 160)), dpi)
    rows, columns = page.owner.shape
    sky, ground = rng.uniform(0.3, 1.0, 3), rng.uniform(0.1, 0.6, 3)
    shade = np.linspace(0, 1, rows)[:, None, None] ** 0.7
    page.image[:] = (255 * ((1 - shade) * sky + shade * ground)).astype(np.uint8)
    for depth in np.sort(rng.uniform(0.3, 0.8, int(rng.integers(1, 4)))):
        ridge = rows * (depth + 0.1 * smooth_noise(rng, 1, columns, columns / 4)[0])
        below = np.arange(rows)[:, None] > ridge[None]
        page.image[below] = (255 * rng.uniform(0.1, 0.7, 3)).astype(np.uint8)
    numbers = shelf()[words.pick(rng, SANS)]
    for _ in range(int(rng.integers(2, 8))):
        wide, high = rng.uniform(0.08, 0.3) * columns, rng.uniform(0.2, 0.6) * rows
        left, top = rng.uniform(0, columns - wide), rng.uniform(0.3, 0.6) * rows
        _wall(page, left, top, wide, high, rng.uniform(0.2, 0.95, 3))
        for window in rng.uniform(0.05, 0.7, (int(rng.integers(0, 7)), 2)):
            x, y = left + window[0] * wide, top + window[1] * high
            _wall(page, x, y, 0.2 * wide, 0.15 * high, rng.uniform(0.0, 0.5, 3))
        if rng.random() < 0.6:
            x, y = (left + 0.3 * wide) / page.px(1.0), (top + 0.2 * high) / page.px(1.0)
            size = float(rng.uniform(8, 24))
            page.text(numbers, words.number(rng, int(rng.integers(1, 6))), x, y, size, BLACK)
    return page


def _wall(page: Page, left: float, top: float, wide: float, high: float, colour: Floats) -> None:
    rows, columns = slice(round(top), round(top + high)), slice(round(left), round(left + wide))
    page.image[rows, columns] = (255 * colour).astype(np.uint8)


def _write(
    rng: np.random.Generator, page: Page, hand: Hand, text: str, x: float, y: float, ink: Colour
) -> None:
    mask, left, top = write_text(rng, hand, text, page.px(3.2), page.dpi)
    page.stain(mask, round(page.px(x)) + left, round(page.px(y)) + top, ink, 0.9)
