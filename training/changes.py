"""Images changed as scanners, cameras and programs change them, to see how readings hold up."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.lettering import smooth_noise

Grey = NDArray[np.uint8]
Change = Callable[[np.random.Generator, Grey], Grey]

_WIDTHS: Final = (1100, 1600, 2200, 3000)
_PAPER: Final = 255
_CELL: Final = 400
_INSIDE: Final = 0.97


def _turned(degrees: float) -> Change:
    def change(rng: np.random.Generator, image: Grey) -> Grey:
        height, width = image.shape
        angle = degrees * rng.choice((-1, 1))
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), angle, 1.0)
        cosine, sine = abs(matrix[0, 0]), abs(matrix[0, 1])
        size = int(height * sine + width * cosine), int(height * cosine + width * sine)
        matrix[:, 2] += np.array(size) / 2 - (width / 2, height / 2)
        return np.asarray(cv2.warpAffine(image, matrix, size, borderValue=(_PAPER,)), np.uint8)

    return change


def _scaled(scale: float) -> Change:
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return lambda _, image: np.asarray(
        cv2.resize(image, None, fx=scale, fy=scale, interpolation=how), np.uint8
    )


def _as_jpeg(image: Grey, quality: int) -> Grey:
    coded = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)


def _noisy(deviation: float) -> Change:
    return lambda rng, image: _grey(image + rng.normal(0, deviation, image.shape))


def _blurred(deviation: float) -> Change:
    return lambda _, image: np.asarray(cv2.GaussianBlur(image, (0, 0), deviation), np.uint8)


def _curved(gamma: float) -> Change:
    return lambda _, image: _grey(255 * (image / 255) ** gamma)


def _half_dark(_: np.random.Generator, image: Grey) -> Grey:
    return _grey(image * np.linspace(1, 0.5, image.shape[1]))


def _by_otsu(_: np.random.Generator, image: Grey) -> Grey:
    return np.asarray(cv2.threshold(image, 0, 255, cv2.THRESH_OTSU)[1], np.uint8)


def _by_means(_: np.random.Generator, image: Grey) -> Grey:
    binary = cv2.adaptiveThreshold(
        image, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, 31, 15
    )
    return np.asarray(binary, np.uint8)


def _grey(levels: NDArray[np.floating]) -> Grey:
    return np.asarray(np.clip(levels, 0, 255), np.uint8)


def on_a_table(rng: np.random.Generator, cheque: Grey) -> Grey:
    """A cheque photographed on a table: 3 : 4, at an angle, curved, under uneven light.

    The table is of any brightness, the paper's own too: wood, cloth, stone or plain. In half of the
    pictures a shadow with an edge lies across, one in five is turned by quarters.
    """
    width = int(rng.choice(_WIDTHS))
    height = width * 3 // 4
    matrix = _viewpoint(rng, cheque.shape, (width, height))
    size = (width, height)
    paper = np.ones(cheque.shape, np.float32)
    seen, cover = (
        np.asarray(cv2.warpPerspective(one, matrix, size), np.float32)
        for one in (cheque.astype(np.float32), paper)
    )
    across, down = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in size))
    phase, length = rng.uniform(0, 2 * np.pi), rng.uniform(0.7, 1.5) * width
    bend = 0.006 * width * rng.uniform() ** 2 * np.sin(2 * np.pi * across / length + phase)
    moved = np.asarray(down + bend, np.float32)
    seen, cover = (
        np.asarray(cv2.remap(one, across, moved, cv2.INTER_LINEAR), np.float32)
        for one in (seen, cover)
    )
    near = np.roll(cover, (round(0.006 * width), round(0.004 * width)), (0, 1))
    table = _table(rng, height, width) * (1 - 0.45 * cv2.GaussianBlur(near, (0, 0), 0.008 * width))
    light = _light(rng, across / width, down / width)
    scene = np.asarray((table * (1 - cover) + seen * cover) * light, np.float32)
    blur = max(0.3, rng.uniform(0.3, 1.0) * width / 1600)
    noise = rng.uniform(1, 12) * _grain(rng, height, width, 0.7)
    picture = _grey(cv2.GaussianBlur(scene, (0, 0), blur) + noise)
    if rng.random() < 0.2:
        picture = np.ascontiguousarray(np.rot90(picture, int(rng.integers(1, 4))))
    return _as_jpeg(picture, int(rng.integers(45, 92)))


def _grain(rng: np.random.Generator, height: int, width: int, blur: float) -> NDArray[np.float32]:
    """Blurred noise of unit variance, f32 [H, W], that repeats itself after some hundred pixels."""
    cell = cv2.GaussianBlur(rng.standard_normal((_CELL, _CELL), np.float32), (0, 0), blur)
    tiled = np.tile(cell, (height // _CELL + 1, width // _CELL + 1))
    return np.asarray(tiled[:height, :width], np.float32)


def _streaked(rng: np.random.Generator, cheque: Grey) -> Grey:
    """A cheque with the streak of a speck of dust on a scanner's sensor, along or down it."""
    turned = bool(rng.random() < 0.5)
    rows = (cheque.T if turned else cheque).copy()
    at, width = int(rng.uniform(0.08, 0.9) * len(rows)), int(rng.integers(1, 4))
    level = rng.uniform(0, 0.6) * np.median(rows)
    rows[at : at + width] = np.minimum(rows[at : at + width], level)
    return np.ascontiguousarray(rows.T if turned else rows)


def _viewpoint(
    rng: np.random.Generator, shape: tuple[int, ...], size: tuple[int, int]
) -> NDArray[np.float64]:
    """The homography, f64 [3, 3], from a cheque to a picture of a size."""
    rows, columns = shape[:2]
    scale = min(rng.uniform(0.6, 0.93) * size[0] / columns, 0.9 * size[1] / rows)
    flat = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)], np.float64)
    angle = np.deg2rad(rng.normal(0, 4))
    turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
    corners = scale * (flat - (columns / 2, rows / 2)) @ turn
    corners /= (1 + corners @ rng.normal(0, 0.2, 2) / size[0])[:, None]
    corners *= min(1.0, (_INSIDE * np.array(size) / np.ptp(corners, axis=0)).min())
    room = np.array(size) - np.ptp(corners, axis=0)
    corners += rng.uniform(0.1, 0.9, 2) * room - corners.min(axis=0)
    matrix = cv2.getPerspectiveTransform(flat.astype(np.float32), corners.astype(np.float32))
    return np.asarray(matrix, np.float64)


def _table(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    kind = rng.choice(("wood", "cloth", "stone", "plain"))
    level = rng.uniform(180, 235) if kind == "plain" else rng.uniform(30, 200)
    table = np.full((height, width), level, np.float32)
    if kind == "wood":
        small = rng.standard_normal((max(height // 6, 4), max(width // 150, 2)), np.float32)
        table += 13 * cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    elif kind == "cloth":
        table += 30 * _grain(rng, height, width, 1.2)
    elif kind == "stone":
        table += 10 * smooth_noise(rng, height, width, 8) + 6 * smooth_noise(rng, height, width, 40)
    return np.clip(table, 0, 255)


def _light(
    rng: np.random.Generator, across: NDArray[np.floating], down: NDArray[np.floating]
) -> NDArray[np.float32]:
    """Brightness of each pixel, f32 [H, W]; across, down: where it is, in widths."""
    slope = rng.uniform(-0.35, 0.35, 2)
    light = 1 + slope[0] * (across - 0.5) + slope[1] * (down - 0.4)
    if rng.random() < 0.5:
        angle, x, y = rng.uniform(0, 2 * np.pi), *rng.uniform(0.2, 0.7, 2)
        side = (across - x) * np.cos(angle) + (down - y) * np.sin(angle)
        light *= 1 - rng.uniform(0.2, 0.5) / (1 + np.exp(-side / rng.uniform(0.002, 0.03)))
    return np.asarray(light * rng.uniform(0.6, 1.0), np.float32)


CHANGES: Final[dict[str, Change]] = {
    "as they are": lambda _, image: image,
    "turned by 1 degree": _turned(1),
    "turned by 3 degrees": _turned(3),
    "turned by 6 degrees": _turned(6),
    "half as large": _scaled(0.5),
    "0.6 times as large": _scaled(0.6),
    "0.8 times as large": _scaled(0.8),
    "1.5 times as large": _scaled(1.5),
    "twice as large": _scaled(2),
    "JPEG of quality 15": lambda _, image: _as_jpeg(image, 15),
    "noise of 8 levels": _noisy(8),
    "noise of 20 levels": _noisy(20),
    "blurred by 1 px": _blurred(1),
    "blurred by 2 px": _blurred(2),
    "half as bright": lambda _, image: image // 2,
    "half as bright to one side": _half_dark,
    "gamma 0.5": _curved(0.5),
    "gamma 2": _curved(2),
    "black and white by Otsu": _by_otsu,
    "black and white by means": _by_means,
}
"""What is done to an image, by its name."""

PAGE_CHANGES: Final[dict[str, Change]] = {
    "with a scanner's streak": _streaked,
    "photographed on a table": on_a_table,
}
"""What is done to a whole cheque besides, as often as is asked."""
