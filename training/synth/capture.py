"""What a scanner or camera does: geometry, resolution, light, blur, noise, JPEG, bits."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

Image = NDArray[np.uint8]
Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Settings:
    """One way of capturing.

    scale: finished pixels for one pixel given. angle in degrees, shear as a fraction; blur is the
    sigma in finished pixels; noise the sigma in grey levels and noise_blur its correlation in
    pixels; low and high the grey levels that black and white come to; gamma above 1 darkens;
    slope the change of light from edge to edge, as fractions; jpeg the quality, 0 for none;
    binarizer a name or "" for grey.
    """

    scale: float
    angle: float
    shear: float
    blur: float
    sharpen: float
    noise: float
    noise_blur: float
    low: float
    high: float
    gamma: float
    slope: tuple[float, float]
    jpeg: int
    binarizer: str


# Pixels of a window of 4 mm at 200 dpi, and the least contrast with the paper that is ink.
_AROUND = 31
_LEAST_CONTRAST = 0.16


def sample_settings(rng: np.random.Generator, bitonal_share: float = 0.15) -> Settings:
    """Return a random way of capturing; about bitonal_share of them give bitonal images."""
    binarizer = ""
    if rng.random() < bitonal_share:
        names = ("otsu", "adaptive", "sauvola", "fixed", "diffusion")
        binarizer = str(rng.choice(names, p=(0.3, 0.25, 0.25, 0.17, 0.03)))
    tilted = rng.random() < 0.5
    return Settings(
        scale=float(rng.uniform(0.62, 1.0)),
        angle=float(np.clip(rng.normal(0, 1.3), -5, 5)) if tilted else 0.0,
        shear=float(rng.normal(0, 0.02)) if tilted else 0.0,
        blur=float(
            rng.choice((0.0, rng.uniform(0.25, 0.5), rng.uniform(0.5, 1)), p=(0.4, 0.4, 0.2))
        ),
        sharpen=float(rng.uniform(0.3, 1.2)) if rng.random() < 0.2 else 0.0,
        noise=float(rng.choice([0.0, rng.uniform(0.5, 3), rng.uniform(2, 9)], p=(0.3, 0.5, 0.2))),
        noise_blur=float(rng.choice([0.0, rng.uniform(0.4, 0.9)])),
        low=float(rng.uniform(0, 35)),
        high=float(rng.choice((rng.uniform(195, 230), rng.uniform(220, 255)), p=(0.3, 0.7))),
        gamma=float(np.exp(rng.normal(-0.1, 0.18))),
        slope=(float(rng.normal(0, 0.06)), float(rng.normal(0, 0.03)))
        if rng.random() < 0.4
        else (0.0, 0.0),
        jpeg=int(rng.integers(35, 96)) if rng.random() < 0.7 else 0,
        binarizer=binarizer,
    )


def capture(
    rng: np.random.Generator,
    image: Image,
    owner: NDArray[np.uint8],
    settings: Settings | None = None,
) -> tuple[Image, NDArray[np.uint8]]:
    """Return the image as captured, and the owner map moved along with it.

    image: u8 [H, W]; owner: u8 of the same height and width, of one map or [H, W, 2] of two. The
    result has both at the captured size; the owner map goes through the same geometry with nearest
    neighbours. Ink stays dark on light.
    """
    if image.shape != owner.shape[:2]:
        raise ValueError("image and owner map differ in shape")
    how = settings if settings is not None else sample_settings(rng)
    grey, owner = _move(image, owner, how)
    plane = grey.astype(np.float32)
    if how.blur > 0.2:
        plane = np.asarray(cv2.GaussianBlur(plane, (0, 0), how.blur), np.float32)
    plane = _light(plane, how)
    if how.sharpen > 0:
        soft = np.asarray(cv2.GaussianBlur(plane, (0, 0), 1.2), np.float32)
        plane = np.asarray(plane + how.sharpen * (plane - soft), np.float32)
    if how.noise > 0:
        plane = np.asarray(plane + _noise(rng, grey.shape, how), np.float32)
    grey = np.clip(plane + 0.5, 0, 255).astype(np.uint8)
    if how.jpeg:
        _, coded = cv2.imencode(".jpg", grey, [cv2.IMWRITE_JPEG_QUALITY, how.jpeg])
        grey = np.asarray(cv2.imdecode(coded, cv2.IMREAD_GRAYSCALE), np.uint8)
    if how.binarizer:
        grey = binarize(grey, how.binarizer, float(rng.random()))
    return grey, owner


def _move(image: Image, owner: NDArray[np.uint8], how: Settings) -> tuple[Image, Image]:
    """Rotate, shear and scale; the image by area, the owner map by nearest neighbours."""
    height, width = image.shape
    size = (max(8, round(width * how.scale)), max(8, round(height * how.scale)))
    if how.angle or how.shear:
        shear = np.array([[1, how.shear, -how.shear * height / 2], [0, 1, 0], [0, 0, 1]])
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), how.angle, 1.0)
        turn = np.asarray(turn @ shear, np.float64)
        image = np.asarray(
            cv2.warpAffine(image, turn, (width, height), borderMode=cv2.BORDER_REFLECT), np.uint8
        )
        owner = np.asarray(
            cv2.warpAffine(owner, turn, (width, height), flags=cv2.INTER_NEAREST), np.uint8
        )
    if size == (width, height):
        return image, owner
    flags = cv2.INTER_AREA if how.scale < 1 else cv2.INTER_CUBIC
    image = np.asarray(cv2.resize(image, size, interpolation=flags), np.uint8)
    owner = np.asarray(cv2.resize(owner, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
    return image, owner


def _light(plane: Plane, how: Settings) -> Plane:
    """Contrast curve and uneven light."""
    table = np.linspace(0, 1, 256, dtype=np.float32) ** np.float32(how.gamma)
    table = np.float32(how.low) + table * np.float32(how.high - how.low)
    lit = table[np.clip(plane + 0.5, 0, 255).astype(np.uint8)]
    if how.slope != (0.0, 0.0):
        height, width = plane.shape
        x = np.linspace(-1, 1, width, dtype=np.float32)[None, :] * np.float32(how.slope[0])
        y = np.linspace(-1, 1, height, dtype=np.float32)[:, None] * np.float32(how.slope[1])
        lit = lit * (1 + x + y)
    return np.asarray(lit, np.float32)


def _noise(rng: np.random.Generator, shape: tuple[int, ...], how: Settings) -> Plane:
    noise = rng.standard_normal(shape, dtype=np.float32)
    if how.noise_blur:
        noise = np.asarray(cv2.GaussianBlur(noise, (0, 0), how.noise_blur), np.float32)
        noise *= np.float32(2 * np.sqrt(np.pi) * how.noise_blur)
    return np.asarray(noise * np.float32(how.noise), np.float32)


def binarize(grey: Image, name: str, bias: float = 0.5) -> Image:
    """Return grey u8 [H, W] as 0 and 255 by one of the usual binarizers.

    name: "otsu", "adaptive" (mean of a window), "sauvola", "fixed" or "diffusion" (Floyd and
    Steinberg); and as cheque scanners do, at about 200 dpi, "dynamic" (contrast with the paper
    against that of the ink around) or "wolf" (Wolf and Jolion 2004). bias in [0, 1] shifts the
    threshold: more ink with a higher one. ValueError for another name.
    """
    if name == "otsu":
        level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        return np.where(grey > level + (bias - 0.5) * 16, 255, 0).astype(np.uint8)
    if name == "fixed":
        dark, light = (float(v) for v in np.percentile(grey, (1.5, 75)))
        return np.where(grey > dark + (0.45 + 0.3 * bias) * (light - dark), 255, 0).astype(np.uint8)
    if name == "adaptive":
        size = max(15, grey.shape[0] // 2) | 1
        offset = 26 - 16 * bias
        return np.asarray(
            cv2.adaptiveThreshold(
                grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, size, offset
            ),
            np.uint8,
        )
    if name == "sauvola":
        return _sauvola(grey, 0.42 - 0.26 * bias)
    if name == "diffusion":
        return _diffuse(grey)
    if name == "dynamic":
        return _dynamic(grey, 0.6 - 0.2 * bias)
    if name == "wolf":
        return _wolf(grey, 0.4 - 0.2 * bias)
    raise ValueError(f"no binarizer is called {name}")


def _sauvola(grey: Image, k: float) -> Image:
    size = max(15, grey.shape[0] // 2) | 1
    plane = grey.astype(np.float32)
    mean = cv2.blur(plane, (size, size))
    spread = np.sqrt(np.maximum(cv2.blur(plane * plane, (size, size)) - mean * mean, 0))
    threshold = mean * (1 + k * (spread / 128 - 1))
    return np.where(plane > threshold, 255, 0).astype(np.uint8)


def _dynamic(grey: Image, share: float) -> Image:
    """What is darker than its paper, by that share of what the darkest ink around is or more."""
    smooth = np.asarray(cv2.GaussianBlur(grey, (0, 0), 1.0), np.uint8)
    size = (2 * _AROUND, 2 * _AROUND)
    paper = cv2.blur(cv2.morphologyEx(smooth, cv2.MORPH_CLOSE, np.ones(size, np.uint8)), size)
    light = np.maximum(paper.astype(np.float32), 1.0)
    contrast = (light - cv2.GaussianBlur(grey, (0, 0), 0.6)) / light
    around = np.ones((_AROUND, _AROUND), np.uint8)
    most = cv2.dilate(cv2.GaussianBlur(contrast, (0, 0), 0.8), around)
    inked = contrast > np.maximum(share * cv2.blur(most, around.shape), _LEAST_CONTRAST)
    return np.where(inked, 0, 255).astype(np.uint8)


def _wolf(grey: Image, k: float) -> Image:
    plane, size = grey.astype(np.float32), (_AROUND, _AROUND)
    mean = cv2.blur(plane, size)
    spread = np.sqrt(np.maximum(cv2.blur(plane * plane, size) - mean * mean, 0))
    most = max(float(spread.max()), 1.0)
    threshold = mean - k * (1 - spread / most) * (mean - plane.min())
    return np.where(plane > threshold, 255, 0).astype(np.uint8)


def _diffuse(grey: Image) -> Image:
    """Error diffusion by rows: the error goes down and down-sideways, so that rows vectorise."""
    plane = grey.astype(np.float32)
    light = max(float(np.percentile(plane, 80)), 1.0)
    plane *= 245.0 / light
    out = np.empty_like(grey)
    error = np.zeros(grey.shape[1] + 2, np.float32)
    for row in range(grey.shape[0]):
        value = plane[row] + error[1:-1]
        out[row] = np.where(value > 127, 255, 0)
        left = value - out[row]
        error[:] = 0
        error[1:-1] += 0.5 * left
        error[:-2] += 0.25 * left
        error[2:] += 0.25 * left
    return out
