"""Cheque paper without ink: tints, guilloche, security print, grain, and the form printed on it.

Everything is a reflectance, f32 [H, W] with 1 = white, so that layers multiply as inks do. Lines
are about a pixel wide and a few pixels apart, as scanned at 100 to 300 dpi.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Plane = NDArray[np.float32]

_PRINTED_WORDS = """
    DOLLARS Dollars PESOS LA SUMA DE RUPEES POUNDS EUROS Bs US$ U.S. PAGUESE A LA ORDEN DATE
    FECHA No. SERIE CHEQUE BANCO VALOR AMOUNT A/C PAYEE Montant R$ CLP"""
_INTRUDING = tuple(_PRINTED_WORDS.split())


def background(rng: np.random.Generator, height: int, width: int) -> NDArray[np.uint8]:
    """Return a random piece of cheque paper as u8 [height, width], with its form but no writing."""
    plane = paper(rng, height, width)
    margin = max(2, height // 6)
    box = (margin, margin, width - margin, height - margin)
    plane *= form(rng, height, width, box)
    return np.asarray(np.clip(plane * 255.0, 0, 255), np.uint8)


def paper(rng: np.random.Generator, height: int, width: int, scale: float = 1.0) -> Plane:
    """Return paper with tint, security print and grain: reflectance f32 [height, width].

    scale is the number of pixels here for one pixel of the finished field; line widths and
    distances grow with it.
    """
    kind = rng.random()
    if kind < 0.08:
        plane = np.full((height, width), rng.uniform(0.78, 1.0), np.float32)
    else:
        plane = _tint(rng, height, width)
        plane *= _security_print(rng, height, width, scale)
    if rng.random() < 0.10:
        plane *= _fold(rng, height, width, scale)
    plane *= _grain(rng, height, width, scale)
    return plane


def _coordinates(height: int, width: int) -> tuple[Plane, Plane]:
    x = np.arange(width, dtype=np.float32)[None, :]
    y = np.arange(height, dtype=np.float32)[:, None]
    return x, y


def _smooth(rng: np.random.Generator, height: int, width: int, cell: float) -> Plane:
    """Smooth noise of unit variance whose bumps are about ``cell`` pixels wide."""
    rows, columns = int(height / cell) + 3, int(width / cell) + 3
    coarse = rng.standard_normal((rows, columns), dtype=np.float32)
    shift_x, shift_y = rng.random(2)
    matrix = np.array([[1 / cell, 0, shift_x + 0.5], [0, 1 / cell, shift_y + 0.5]], np.float64)
    flags = cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP
    smooth = cv2.warpAffine(coarse, matrix, (width, height), flags=flags)
    return np.asarray(smooth * np.float32(1.35), np.float32)


def _tint(rng: np.random.Generator, height: int, width: int) -> Plane:
    """A flat or gently graded tint, sometimes with a lighter or darker band along an edge."""
    level = rng.choice((rng.uniform(0.6, 0.75), rng.uniform(0.72, 0.88), rng.uniform(0.85, 1.0)))
    plane = np.full((height, width), level, np.float32)
    x, y = _coordinates(height, width)
    if rng.random() < 0.5:
        gain = rng.normal(0, 0.05, 2)
        plane += np.float32(gain[0]) * (x / width - 0.5) + np.float32(gain[1]) * (y / height - 0.5)
    if rng.random() < 0.2:
        plane += np.float32(rng.uniform(0.01, 0.04)) * _smooth(rng, height, width, height * 0.6)
    if rng.random() < 0.12:
        edge = int(rng.uniform(0.05, 0.45) * height)
        other = np.float32(np.clip(rng.uniform(0.75, 1.3), 0, 1 / level))
        if rng.random() < 0.6:
            plane[:edge] *= other
        else:
            plane[height - edge :] *= other
    return np.clip(plane, 0.3, 1.0)


@dataclass(frozen=True, slots=True)
class _Lines:
    """How the lines of a family are printed, in pixels."""

    period: float
    thickness: float
    depth: float


def _print_lines(phase: Plane, lines: _Lines) -> Plane:
    """Lines where the phase, counted in periods, is whole; reflectance of the same shape."""
    distance = np.abs(phase - np.rint(phase))
    distance *= np.float32(lines.period)
    distance -= np.float32(lines.thickness / 2 + 0.5)
    np.clip(distance, -1, 0, out=distance)
    distance *= np.float32(lines.depth)
    distance += np.float32(1)
    return distance


def _parallel(rng: np.random.Generator, x: Plane, y: Plane, angle: float, wave: float) -> Plane:
    """Wavy parallel lines at an angle; wave is the amplitude in pixels. Phase in pixels."""
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    across = y * cosine + x * sine
    if wave <= 0:
        return across
    along = x * cosine - y * sine
    for octave in range(rng.integers(1, 4)):
        length = rng.uniform(25, 160) / (1 + octave)
        swing = wave / (1 + 1.5 * octave)
        start = rng.uniform(0, 2 * np.pi)
        across = across + np.float32(swing) * np.sin(
            along * np.float32(2 * np.pi / length) + np.float32(start)
        )
    return across


def _concentric(rng: np.random.Generator, x: Plane, y: Plane) -> Plane:
    """Circles or ellipses around a point in or out of sight, sometimes scalloped into petals."""
    height, width = y.shape[0], x.shape[1]
    centre_x, centre_y = rng.uniform(-0.5, 1.5) * width, rng.uniform(-1.5, 2.5) * height
    squeeze = np.float32(rng.uniform(0.5, 1.5))
    dx, dy = x - np.float32(centre_x), (y - np.float32(centre_y)) * squeeze
    radius: Plane = np.hypot(dx, dy)
    if rng.random() < 0.5:
        petals, swing = rng.integers(5, 40), rng.uniform(1, 8)
        radius += np.float32(swing) * np.sin(
            np.arctan2(dy, dx) * np.float32(petals) + np.float32(rng.uniform(0, 6))
        )
    return radius


def _scales(rng: np.random.Generator, x: Plane, y: Plane, scale: float) -> Plane:
    """Rows of concentric arcs like fish scales, every second row shifted by half a scale."""
    pitch = np.float32(rng.uniform(16, 46) * scale)
    rise = np.float32(pitch * rng.uniform(0.35, 0.6))
    x, y = x + np.float32(rng.uniform(0, pitch)), y + np.float32(rng.uniform(0, rise))
    sign = rng.choice([-1.0, 1.0])
    radius = np.full(np.broadcast_shapes(x.shape, y.shape), np.float32(0))
    row = np.floor(y / rise)
    for lower in (2, 1, 0):
        level = row + np.float32(lower)
        dy = y - level * rise - rise
        offset = (x + pitch * np.float32(0.5) * np.mod(level, 2)) % pitch - pitch / 2
        distance = np.hypot(offset, dy)
        inside = distance < pitch * np.float32(0.72)
        radius = np.where(inside, distance, radius)
    return np.asarray(radius * sign, np.float32)


def _contours(rng: np.random.Generator, x: Plane, y: Plane, scale: float) -> Plane:
    """Lines bent by smooth noise, as in wood grain or a map."""
    height, width = y.shape[0], x.shape[1]
    across = _parallel(rng, x, y, rng.uniform(0, np.pi), 0)
    bend = rng.uniform(3, 14) * scale
    cell = rng.uniform(18, 70) * scale
    return np.asarray(across + np.float32(bend) * _smooth(rng, height, width, cell), np.float32)


def _family(rng: np.random.Generator, x: Plane, y: Plane, scale: float) -> Plane:
    """Phase in pixels of one random family of guilloche lines."""
    kind = rng.random()
    if kind < 0.40:
        spread = 0.12 if rng.random() < 0.55 else 1.57
        angle = rng.normal(0, spread) if spread < 1 else rng.uniform(-spread, spread)
        wave = rng.choice([0.0, rng.uniform(0.5, 3), rng.uniform(2, 12)]) * scale
        return _parallel(rng, x, y, angle, wave)
    if kind < 0.60:
        return _concentric(rng, x, y)
    if kind < 0.80:
        return _contours(rng, x, y, scale)
    return _scales(rng, x, y, scale)


def _security_print(rng: np.random.Generator, height: int, width: int, scale: float) -> Plane:
    """One to three families of lines, or a woven or dotted texture, or nothing."""
    kind = rng.random()
    x, y = _coordinates(height, width)
    if kind < 0.07:
        return np.ones((height, width), np.float32)
    if kind < 0.20:
        return _woven(rng, x, y, scale)
    if kind < 0.25:
        return _words(rng, height, width, scale)
    plane = np.ones((height, width), np.float32)
    strength = rng.choice((rng.uniform(0.05, 0.16), rng.uniform(0.14, 0.38)), p=(0.32, 0.68))
    families = int(rng.choice([1, 2, 3], p=[0.45, 0.42, 0.13]))
    period = rng.uniform(2.6, 8.0) * scale
    for _ in range(families):
        period_here = period * rng.uniform(0.85, 1.2)
        thickness = min(rng.uniform(0.5, 1.3) * scale, 0.45 * period_here)
        depth = float(np.clip(strength * rng.uniform(0.6, 1.3), 0.03, 0.5))
        phase = _family(rng, x, y, scale) / np.float32(period_here)
        plane *= _print_lines(phase, _Lines(period_here, thickness, depth))
    if rng.random() < 0.35:
        fade = 0.5 + 0.5 * np.clip(_smooth(rng, height, width, 30 * scale) + 0.4, 0, 1)
        plane = 1 - (1 - plane) * fade.astype(np.float32)
    return plane


def _woven(rng: np.random.Generator, x: Plane, y: Plane, scale: float) -> Plane:
    """Dots on a slanted lattice, light on dark or dark on light, or a two-way weave."""
    period = rng.uniform(2.2, 5.0) * scale
    angle = rng.choice([0.0, np.pi / 4, rng.uniform(0, np.pi)])
    cosine, sine = np.cos(angle) * 2 * np.pi / period, np.sin(angle) * 2 * np.pi / period
    u = x * np.float32(cosine) + y * np.float32(sine)
    v = y * np.float32(cosine * rng.uniform(0.7, 1.3)) - x * np.float32(sine)
    wave = np.sin(u) * np.sin(v) if rng.random() < 0.6 else np.sin(u) + np.sin(v)
    depth = np.float32(rng.uniform(0.05, 0.22))
    dots = 1 / (1 + np.exp(np.float32(rng.choice([-6.0, 6.0])) * (wave - np.float32(0.3))))
    lumps = _smooth(rng, y.shape[0], x.shape[1], rng.uniform(2.5, 6) * scale)
    return np.asarray(1 - depth * dots * (1 + np.float32(0.35) * lumps), np.float32)


def _words(rng: np.random.Generator, height: int, width: int, scale: float) -> Plane:
    """Rows of tiny pale words, as anti-copy print has them."""
    mask = np.zeros((height, width), np.uint8)
    word = str(rng.choice(["BANCO", "BANK", "ORIGINAL", "VOID", "CHEQUE", "SEGURIDAD"])) + " "
    size = rng.uniform(0.16, 0.5) * scale
    step = max(5, int(size * 32 * rng.uniform(0.9, 1.6)))
    depth = np.float32(rng.uniform(0.05, 0.25) / 255)
    for row, bottom in enumerate(range(int(rng.integers(0, step)), height + step, step)):
        start = -int(rng.integers(0, 30)) - (row % 2) * step
        text = word * (2 + int((width - start) / max(1.0, size * 16 * len(word))))
        cv2.putText(mask, text, (start, bottom), 0, size, 255, 1, cv2.LINE_AA)
    return 1 - mask * depth


def _fold(rng: np.random.Generator, height: int, width: int, scale: float) -> Plane:
    """A crease across the paper: a dark line beside a light one."""
    x, y = _coordinates(height, width)
    angle = rng.normal(np.pi / 2 if rng.random() < 0.7 else 0, 0.1)
    across = y * np.float32(np.cos(angle)) + x * np.float32(np.sin(angle))
    at = rng.uniform(across.min(), across.max())
    distance = (across - np.float32(at)) / np.float32(rng.uniform(0.8, 2.2) * scale)
    depth = np.float32(rng.uniform(0.04, 0.2))
    return np.asarray(1 - depth * distance * np.exp(0.5 - 0.5 * distance * distance), np.float32)


def _grain(rng: np.random.Generator, height: int, width: int, scale: float) -> Plane:
    """Paper fibre and photocopier speckle: noise of a random size, mostly faint."""
    strength = rng.choice((rng.uniform(0.003, 0.02), rng.uniform(0.015, 0.055)), p=(0.5, 0.5))
    noise = rng.standard_normal((height, width), dtype=np.float32)
    sigma = rng.uniform(0.4, 1.1) * scale
    noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), sigma), np.float32)
    noise *= np.float32(strength * 2 * np.sqrt(np.pi) * sigma)
    noise += 1
    return noise


def form(
    rng: np.random.Generator,
    height: int,
    width: int,
    box: tuple[int, int, int, int],
    scale: float = 1.0,
) -> Plane:
    """Return what is printed over the paper around the writing: reflectance f32 [height, width].

    box (x0, y0, x1, y1) holds the writing; frame lines and rules run along and through its edges,
    words and parts of letters, stamps and strokes intrude from outside it.
    """
    plane = np.ones((height, width), np.float32)
    if rng.random() < 0.66:
        _draw_rules(rng, plane, box, scale)
    if rng.random() < 0.20:
        _intrude(rng, plane, box, scale)
    if rng.random() < 0.05:
        _stamp(rng, plane, scale)
    if rng.random() < 0.10:
        _tail(rng, plane, scale)
    return plane


def _line(
    plane: Plane, ends: tuple[float, float, float, float], width: float, level: float
) -> None:
    """Draw a line with subpixel ends and width, multiplying the plane."""
    shape = plane.shape
    x0, y0, x1, y1 = (round(v * 16) for v in ends)
    mask = np.zeros(shape, np.uint8)
    thickness = max(1, round(width))
    cv2.line(mask, (x0, y0), (x1, y1), 255, thickness, cv2.LINE_AA, 4)
    strength = min(1.0, width) * (1 - level) / 255
    plane *= 1 - mask * np.float32(strength)


def _draw_rules(
    rng: np.random.Generator, plane: Plane, box: tuple[int, int, int, int], scale: float
) -> None:
    height, width = plane.shape
    x0, y0, x1, y1 = box
    level = rng.uniform(0.15, 0.8)
    thick = rng.choice((rng.uniform(0.6, 1.3), rng.uniform(1.1, 2.3))) * scale
    tilt = rng.normal(0, 0.006) * width
    reach = 0.15 * (y1 - y0)
    sides = rng.random(4) < ((0.5, 0.75, 0.25, 0.2) if rng.random() < 0.8 else (1, 1, 1, 1))
    if sides[0]:
        y = max(0.0, y0 - rng.uniform(-0.5, 1.5) * reach)
        _line(plane, (-2, y, width + 2, y + tilt), thick, level)
        if rng.random() < 0.12:
            _line(plane, (-2, y - 3 * thick, width + 2, y - 3 * thick + tilt), thick, level)
    if sides[1]:
        y = min(height - 1.0, y1 + rng.uniform(-1.8, 1.3) * reach)
        dotted = rng.random() < 0.08
        step = rng.uniform(4, 9) * scale if dotted else width + 4
        for start in np.arange(-2, width + 2, step):
            end = start + step * (0.5 if dotted else 1)
            slope = tilt / width
            _line(plane, (start, y + start * slope, end, y + end * slope), thick, level)
    if sides[2]:
        x = max(0.0, x0 - rng.uniform(-0.3, 2) * reach)
        _line(plane, (x - tilt / 4, -2, x + tilt / 4, height + 2), thick, level)
    if sides[3]:
        x = min(width - 1.0, x1 + rng.uniform(-0.3, 2) * reach)
        _line(plane, (x - tilt / 4, -2, x + tilt / 4, height + 2), thick, level)


def _intrude(
    rng: np.random.Generator, plane: Plane, box: tuple[int, int, int, int], scale: float
) -> None:
    """Words and parts of letters that stand at the edges, cut off by them or small beside them."""
    height, width = plane.shape
    _, y0, _, y1 = box
    mask = np.zeros(plane.shape, np.uint8)
    word = str(rng.choice(_INTRUDING))
    size = rng.uniform(0.3, 0.8) * scale
    face = int(rng.choice([0, 2, 3, 4]))
    (length, tall), _ = cv2.getTextSize(word, face, size, 1)
    place = rng.random()
    x = int(rng.uniform(-0.4 * length, width - 0.5 * length))
    # The amount may be lower than the word.
    low, most = y0 + tall, max(y0 + tall, y1) + 1
    if place < 0.35:
        at = (x, int(rng.uniform(0.15, 0.8) * tall))
    elif place < 0.7:
        at = (x, height + int(rng.uniform(0.2, 0.8) * tall))
    elif place < 0.85:
        at = (int(-length + rng.uniform(0.2, 0.5) * tall), int(rng.uniform(low, most)))
    else:
        at = (int(width - rng.uniform(0.2, 0.5) * tall), int(rng.uniform(low, most)))
    thick = int(rng.choice([1, 1, 2]))
    cv2.putText(mask, word, at, face, size, 255, thick, cv2.LINE_AA)
    plane *= 1 - mask * np.float32(rng.uniform(0.3, 0.85) / 255)


def _stamp(rng: np.random.Generator, plane: Plane, scale: float) -> None:
    """Part of a rubber stamp: a ring, a bar or a date, patchy and pale."""
    height, width = plane.shape
    mask = np.zeros(plane.shape, np.uint8)
    centre = (int(rng.uniform(-0.2, 1.2) * width), int(rng.uniform(-0.6, 1.6) * height))
    thick = max(1, round(rng.uniform(1, 3) * scale))
    if rng.random() < 0.6:
        axes = (int(rng.uniform(0.5, 1.2) * height), int(rng.uniform(0.4, 1.0) * height))
        cv2.ellipse(mask, centre, axes, rng.uniform(0, 180), 0, 360, 255, thick, cv2.LINE_AA)
    else:
        angle = rng.uniform(-0.4, 0.4)
        end = (int(centre[0] + 80 * np.cos(angle)), int(centre[1] + 80 * np.sin(angle)))
        cv2.line(mask, centre, end, 255, thick, cv2.LINE_AA)
    patches = np.clip(0.6 + 0.4 * _smooth(rng, height, width, 6 * scale), 0, 1)
    plane *= 1 - mask * patches * np.float32(rng.uniform(0.1, 0.4) / 255)


def _tail(rng: np.random.Generator, plane: Plane, scale: float) -> None:
    """A pen stroke of other writing that reaches in over the top, bottom or side."""
    height, width = plane.shape
    x = rng.uniform(0, width)
    top = rng.random() < 0.6
    y = -2.0 if top else height + 2.0
    reach = rng.uniform(0.05, 0.3) * height * (1 if top else -1)
    bend = rng.normal(0, 0.3, 2) * height
    steps = np.linspace(0, 1, 8)
    points = np.stack(
        [x + bend[0] * steps + bend[1] * steps * steps, y + reach * np.sin(steps * np.pi)], axis=1
    )
    mask = np.zeros(plane.shape, np.uint8)
    thick = max(1, round(rng.uniform(1.2, 3) * scale))
    path = np.rint(points * 16).astype(np.int32).reshape(-1, 1, 2)
    cv2.polylines(mask, [path], False, 255, thick, cv2.LINE_AA, 4)
    plane *= 1 - mask * np.float32(rng.uniform(0.4, 0.85) / 255)
