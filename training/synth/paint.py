"""Painting a form and what is written on it: from layout to page."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.backgrounds import paper
from training.synth.codeline import codeline
from training.synth.layout import Art, Form, Frame, Print, Rule
from training.synth.lettering import smooth_noise
from training.synth.page import BLACK, Colour, Page, shelf, text_mask

_TINTS: tuple[Colour, ...] = (
    (0.55, 0.7, 0.85),
    (0.6, 0.8, 0.65),
    (0.85, 0.75, 0.55),
    (0.85, 0.65, 0.7),
    (0.65, 0.65, 0.8),
    (0.7, 0.8, 0.8),
    (0.85, 0.8, 0.6),
    (0.6, 0.6, 0.6),
    (0.8, 0.6, 0.5),
    (0.5, 0.7, 0.75),
)


def blank_page(
    rng: np.random.Generator, width: float, height: float, dpi: float, plain: bool = False
) -> Page:
    """Return paper of a size in mm with tint and security print in one or two colours."""
    rows, columns = round(height / 25.4 * dpi), round(width / 25.4 * dpi)
    owner = np.zeros((rows, columns), np.uint8)
    if plain:
        level = int(rng.integers(238, 256))
        return Page(np.full((rows, columns, 3), level, np.uint8), owner, dpi)
    tint = np.array(_TINTS[int(rng.integers(len(_TINTS)))], np.float32)
    print_ = np.array(_TINTS[int(rng.integers(len(_TINTS)))], np.float32)
    # Half the sheet and its mirror image, as guilloche often is: it is what takes the time.
    half = paper(rng, rows, (columns + 1) // 2, dpi / 200.0)
    whole = np.concatenate([half[:, ::-1], half], axis=1)[:, :columns]
    ink = 1.0 - np.clip(whole, 0.0, 1.0)
    # Cheques are paler than the tight crops that the paper is made for.
    ink *= np.float32(rng.uniform(0.25, 0.8) if rng.random() < 0.7 else rng.uniform(0.7, 1.4))
    image = np.empty((rows, columns, 3), np.uint8)
    blend = np.linspace(0.0, 1.0, columns, dtype=np.float32)[None, :]
    if rng.random() < 0.5:
        blend = np.linspace(0.0, 1.0, rows, dtype=np.float32)[:, None]
    for channel in range(3):
        absorbed = (1.0 - tint[channel]) * (1.0 - blend) + (1.0 - print_[channel]) * blend
        image[..., channel] = np.clip((1.0 - ink * absorbed * 1.7) * 252.0, 0, 255)
    return Page(image, owner, dpi)


def paint_form(page: Page, form: Form) -> None:
    """Print a form on a page: patches first, then its drawings, rules, texts and codeline."""
    for item in form.items:
        if isinstance(item, Frame) and item.keep < 1.0:
            page.erase(item.x0, item.y0, item.x1, item.y1, item.keep)
    for item in form.items:
        if isinstance(item, Art):
            _ART[item.name](page, item)
        elif isinstance(item, Rule):
            _paint_rule(page, item)
        elif isinstance(item, Frame):
            _paint_frame(page, item)
    for item in form.items:
        if isinstance(item, Print):
            font = shelf().get(item.font, shelf()["arimo"])
            page.text(
                font, item.text, item.x, item.y, item.size, item.colour, item.align, item.turned
            )
    _paint_codeline(page, form)


def _paint_codeline(page: Page, form: Form) -> None:
    x, y = form.codeline_at
    if form.codeline_kind == "print":
        page.text(
            shelf()["ocr-a"] if "ocr-a" in shelf() else shelf()["cousine"],
            form.codeline,
            x,
            y,
            11.0,
            BLACK,
        )
        return
    cutter = "roboto!" if form.codeline_kind == "cmc7" else ""
    page.stain(
        codeline(form.codeline, page.dpi, cutter), round(page.px(x)), round(page.px(y)), BLACK
    )


def _paint_rule(page: Page, rule: Rule) -> None:
    if rule.x0 != rule.x1 and rule.y0 != rule.y1:
        line = np.array([[rule.x0, rule.y0], [rule.x1, rule.y1]])
        page.lines([line], rule.width, rule.colour)
        return
    half = rule.width / 2.0
    if not rule.dash or rule.y0 != rule.y1:
        page.box(
            rule.x0 - half * (rule.x0 == rule.x1),
            rule.y0 - half * (rule.y0 == rule.y1),
            rule.x1 + half * (rule.x0 == rule.x1),
            rule.y1 + half * (rule.y0 == rule.y1),
            rule.colour,
        )
        return
    for start in np.arange(rule.x0, rule.x1, 2.0 * rule.dash):
        page.box(
            float(start),
            rule.y0 - half,
            min(rule.x1, float(start) + rule.dash),
            rule.y0 + half,
            rule.colour,
        )


def _paint_frame(page: Page, frame: Frame) -> None:
    x0, y0, x1, y1, half = frame.x0, frame.y0, frame.x1, frame.y1, frame.width / 2.0
    if frame.fill:
        page.box(x0, y0, x1, y1, frame.colour, frame.fill)
    if not frame.width:
        return
    page.box(x0 - half, y0 - half, x1 + half, y0 + half, frame.colour)
    page.box(x0 - half, y1 - half, x1 + half, y1 + half, frame.colour)
    page.box(x0 - half, y0 + half, x0 + half, y1 - half, frame.colour)
    page.box(x1 - half, y0 + half, x1 + half, y1 - half, frame.colour)


def _logo(page: Page, art: Art) -> None:
    """A made-up emblem of a few circles, bars or polygons."""
    rng = np.random.default_rng(art.seed)
    side = max(8, round(page.px(art.x1 - art.x0)))
    large = np.zeros((side * 4, side * 4), np.uint8)
    middle = side * 2
    kind = int(rng.integers(4))
    if kind == 0:
        for ring in range(int(rng.integers(1, 4))):
            cv2.circle(
                large, (middle, middle), int(middle * (0.9 - 0.28 * ring)), 255 * (1 - ring % 2), -1
            )
    elif kind == 1:
        sides = int(rng.integers(3, 9))
        angles = np.arange(sides) * 2 * np.pi / sides + float(rng.uniform(0, 6))
        points = np.stack([np.cos(angles), np.sin(angles)], axis=1) * middle * 0.9 + middle
        cv2.fillPoly(large, [points.astype(np.int32)], 255)
        cv2.circle(large, (middle, middle), int(middle * float(rng.uniform(0.2, 0.5))), 0, -1)
    elif kind == 2:
        for bar in range(int(rng.integers(2, 5))):
            left = int(side * 4 * (0.08 + 0.24 * bar))
            top = int(side * 4 * float(rng.uniform(0.05, 0.6)))
            cv2.rectangle(large, (left, top), (left + int(side * 0.6), int(side * 3.8)), 255, -1)
    else:
        angles = np.linspace(0, 2 * np.pi, int(rng.choice([10, 12, 16])), endpoint=False)
        radius = np.where(np.arange(len(angles)) % 2 == 0, 0.95, float(rng.uniform(0.35, 0.7)))
        points = (
            np.stack([np.cos(angles) * radius, np.sin(angles) * radius], axis=1) * middle + middle
        )
        cv2.fillPoly(large, [points.astype(np.int32)], 255)
    mask = np.asarray(cv2.resize(large, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
    page.stain(mask, round(page.px(art.x0)), round(page.px(art.y0)), art.colour, 0.85)


def _lock(page: Page, art: Art) -> None:
    x0, y0, x1, y1 = art.x0, art.y0, art.x1, art.y1
    body = y0 + 0.45 * (y1 - y0)
    _paint_frame(page, Frame(x0, body, x1, y1, 0.25, art.colour))
    page.box((x0 + x1) / 2 - 0.12, body + 0.5, (x0 + x1) / 2 + 0.12, y1 - 0.4, art.colour)
    angles = np.linspace(np.pi, 2 * np.pi, 16)
    radius = 0.32 * (x1 - x0)
    arc = np.stack(
        [(x0 + x1) / 2 + radius * np.cos(angles), body - 0.1 + 1.1 * radius * np.sin(angles)],
        axis=1,
    )
    page.lines([arc], 0.25, art.colour)


def _hatch(page: Page, art: Art) -> None:
    """A field of slanted hairlines."""
    rng = np.random.default_rng(art.seed)
    step, tall = float(rng.uniform(0.5, 1.2)), art.y1 - art.y0
    starts = np.arange(art.x0, art.x1 - tall * 0.5, step)
    lines = [np.array([[x, art.y1], [x + tall * 0.5, art.y0]]) for x in starts]
    page.lines(lines, 0.08, art.colour, 0.5)


def _border(page: Page, art: Art) -> None:
    """A frame round the cheque: plain, double, or of small ornaments."""
    rng = np.random.default_rng(art.seed)
    kind = int(rng.integers(3))
    width = float(rng.uniform(0.2, 0.9))
    if kind == 2:
        pitch = float(rng.uniform(0.8, 1.8))
        for y in (art.y0, art.y1):
            x = np.arange(art.x0, art.x1, pitch / 8)
            wave = 0.4 * pitch * np.sin(2 * np.pi * x / pitch)
            page.lines(
                [np.stack([x, y + wave], axis=1), np.stack([x, y - wave], axis=1)], 0.15, art.colour
            )
        for x_ in (art.x0, art.x1):
            y_ = np.arange(art.y0, art.y1, pitch / 8)
            wave = 0.4 * pitch * np.sin(2 * np.pi * y_ / pitch)
            page.lines(
                [np.stack([x_ + wave, y_], axis=1), np.stack([x_ - wave, y_], axis=1)],
                0.15,
                art.colour,
            )
        return
    _paint_frame(page, Frame(art.x0, art.y0, art.x1, art.y1, width, art.colour))
    if kind == 1:
        inset = float(rng.uniform(0.6, 1.6))
        _paint_frame(
            page,
            Frame(art.x0 + inset, art.y0 + inset, art.x1 - inset, art.y1 - inset, 0.15, art.colour),
        )


_ART: dict[str, Callable[[Page, Art], None]] = {
    "logo": _logo,
    "lock": _lock,
    "hatch": _hatch,
    "border": _border,
}


def stamp(
    rng: np.random.Generator,
    page: Page,
    text: str,
    x: float,
    y: float,
    colour: Colour,
    scale: float = 1.0,
) -> None:
    """Press a rubber stamp with a text on the page around a point, turned and patchy."""
    font = shelf()["arimo!"]
    size = page.points(float(rng.uniform(9, 15)) * scale)
    letters, _, _ = text_mask(font, text, size)
    pad = round(size * 0.5)
    mask = cv2.copyMakeBorder(letters, pad, pad, pad, pad, cv2.BORDER_CONSTANT, value=0)
    thick = max(1, round(size * 0.08))
    cv2.rectangle(mask, (thick, thick), (mask.shape[1] - thick, mask.shape[0] - thick), 255, thick)
    turned = _turn(np.asarray(mask, np.uint8), float(rng.normal(0.0, 14.0)))
    wear = np.clip(
        0.75 + 0.4 * smooth_noise(rng, turned.shape[0], turned.shape[1], size * 0.7), 0.0, 1.0
    )
    worn = (turned * wear).astype(np.uint8)
    left, top = round(page.px(x) - turned.shape[1] / 2), round(page.px(y) - turned.shape[0] / 2)
    page.stain(worn, left, top, colour, float(rng.uniform(0.35, 0.8)))


def _turn(mask: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    height, width = mask.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
    wide, high = int(height * sine + width * cosine), int(height * cosine + width * sine)
    matrix[0, 2] += (wide - width) / 2
    matrix[1, 2] += (high - height) / 2
    return np.asarray(cv2.warpAffine(mask, matrix, (wide, high)), np.uint8)
