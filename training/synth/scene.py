"""From a page to a picture of it: on a scanner, or on a table before a phone's camera."""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from training.synth.capture import Settings, capture, sample_settings
from training.synth.lettering import smooth_noise
from training.synth.page import Page

WAYS = ("cut", "bed", "photo")
WAY_SHARES = (0.62, 0.2, 0.18)


@dataclass(frozen=True, slots=True)
class Shot:
    """A page seen from somewhere: image u8[H,W] or [H,W,3] RGB, owner u8[H,W] moved along, and the
    homography f64[3,3] from pixels of the page to pixels of the image."""

    image: NDArray[np.uint8]
    owner: NDArray[np.uint8]
    from_page: NDArray[np.float64]


def lay_on_scanner(rng: np.random.Generator, sheet: Shot, way: str) -> Shot:
    """Scan a page: "cut" fills the image with it, "bed" shows the scanner's lid around it."""
    height, width = sheet.owner.shape
    skew = float(np.clip(rng.normal(0.0, 0.35 if way == "cut" else 2.2), -10.0, 10.0))
    if way == "cut" and rng.random() < 0.5:
        skew = 0.0
    matrix = np.vstack([cv2.getRotationMatrix2D((width / 2, height / 2), skew, 1.0), [0, 0, 1]])
    corners = cv2.perspectiveTransform(
        np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float64), matrix
    )[0]
    if way == "cut":
        margin = rng.normal(0.0, 0.006 * width, 4) * (rng.random() < 0.4)
        low, high = np.array([0.0, 0.0]) - margin[:2], np.array([width, height]) + margin[2:]
    else:
        margin = rng.uniform(0.01, 0.16, 4) * width
        low, high = corners.min(axis=0) - margin[:2], corners.max(axis=0) + margin[2:]
    shift = np.array([[1, 0, -low[0]], [0, 1, -low[1]], [0, 0, 1]], np.float64)
    size = (max(16, round(float(high[0] - low[0]))), max(16, round(float(high[1] - low[1]))))
    lid = float(rng.choice([255.0, 250.0, 225.0, 40.0, 8.0], p=[0.35, 0.25, 0.15, 0.15, 0.1]))
    moved = shift @ matrix
    if skew == 0.0:
        moved[:2, 2] = np.round(moved[:2, 2])
    image = cv2.warpAffine(sheet.image, moved[:2], size, borderValue=(lid, lid, lid))
    owner = cv2.warpAffine(sheet.owner, moved[:2], size, flags=cv2.INTER_NEAREST)
    return Shot(np.asarray(image, np.uint8), np.asarray(owner, np.uint8), moved)


def photograph(rng: np.random.Generator, sheet: Shot) -> Shot:
    """Photograph a page lying on a table: perspective, a turn, soft shadows and uneven light."""
    matrix, frame, corners = _viewpoint(rng, *sheet.owner.shape)
    colour = sheet.image.ndim == 3
    image = _table(rng, frame[1], frame[0], colour)
    _cast_shadow(rng, image, corners)
    cv2.warpPerspective(sheet.image, matrix, frame, dst=image, borderMode=cv2.BORDER_TRANSPARENT)
    light = _light(rng, frame[1], frame[0])
    warmth = rng.uniform([0.94, 0.95, 0.86], [1.0, 1.0, 1.0])
    if colour:
        light = np.asarray(cv2.merge([light * np.float32(gain) for gain in warmth]), np.float32)
    lit = cv2.multiply(image, light, dtype=cv2.CV_8U)
    owner = cv2.warpPerspective(sheet.owner, matrix, frame, flags=cv2.INTER_NEAREST)
    return Shot(np.asarray(lit, np.uint8), np.asarray(owner, np.uint8), matrix)


def _viewpoint(
    rng: np.random.Generator, height: int, width: int
) -> tuple[NDArray[np.float64], tuple[int, int], NDArray[np.float64]]:
    """Draw where the camera is: homography, size of the picture, the page's corners in it."""
    margin = rng.uniform(0.04, 0.16, 4) * width
    frame = (round(width + margin[0] + margin[2]), round(height + margin[1] + margin[3]))
    flat = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float64)
    turned = flat - flat.mean(axis=0)
    angle = np.deg2rad(float(np.clip(rng.normal(0.0, 2.5), -8, 8)))
    turned @= np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    tilt = np.clip(rng.normal(0.0, 0.06, 2), -0.15, 0.15)
    depth = 1.0 + tilt[0] * turned[:, 0] / width * 2 + tilt[1] * turned[:, 1] / height * 2
    turned = turned / depth[:, None]
    fit = min(1.0, 0.97 * frame[0] / np.ptp(turned[:, 0]), 0.97 * frame[1] / np.ptp(turned[:, 1]))
    turned = turned * fit
    low, high = turned.min(axis=0), turned.max(axis=0)
    turned = turned - low + (np.array(frame) - (high - low)) * rng.uniform(0.2, 0.8, 2)
    matrix = cv2.getPerspectiveTransform(flat.astype(np.float32), turned.astype(np.float32))
    return np.asarray(matrix, np.float64), frame, turned


def _table(rng: np.random.Generator, height: int, width: int, colour: bool) -> NDArray[np.uint8]:
    """A table's top: wood, cloth or plain, u8[height,width,3], or grey."""
    woods = (
        (120, 80, 50),
        (90, 60, 40),
        (160, 120, 80),
        (60, 60, 65),
        (30, 30, 32),
        (175, 170, 160),
        (70, 85, 110),
    )
    base = np.array(woods[int(rng.integers(len(woods)))], np.float32)
    grain = smooth_noise(rng, height, width, 60.0)
    if rng.random() < 0.6:
        small = smooth_noise(rng, max(4, height // 2), max(4, width // 40), 4.0)
        grain = grain * 0.6 + cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    cell = rng.standard_normal((128, 128), dtype=np.float32)
    speck = np.tile(cell, (height // 128 + 1, width // 128 + 1))[:height, :width]
    tone = np.clip(1.0 + 0.1 * grain + 0.04 * speck, 0.3, 1.3).astype(np.float32)
    if not colour:
        return np.asarray(cv2.convertScaleAbs(tone, alpha=float(base.mean())), np.uint8)
    planes = [cv2.convertScaleAbs(tone, alpha=float(level)) for level in base]
    return np.asarray(cv2.merge(planes), np.uint8)


def _cast_shadow(
    rng: np.random.Generator, table: NDArray[np.uint8], corners: NDArray[np.float64]
) -> None:
    height, width = table.shape[0], table.shape[1]
    mask = np.zeros((height, width), np.uint8)
    shift = rng.normal(0.0, 5.0, 2)
    cv2.fillPoly(mask, [np.round(corners + shift).astype(np.int32)], 255)
    small = cv2.resize(mask, None, fx=0.25, fy=0.25, interpolation=cv2.INTER_AREA)
    small = cv2.GaussianBlur(small, (0, 0), float(rng.uniform(0.8, 3.0)))
    soft = cv2.resize(small, (width, height)).astype(np.float32) / 255.0
    kept = (1.0 - np.float32(rng.uniform(0.3, 0.6)) * soft).astype(np.float32)
    shade = cv2.merge([kept] * 3) if table.ndim == 3 else kept
    cv2.multiply(table, shade, dst=table, dtype=cv2.CV_8U)


def _light(rng: np.random.Generator, height: int, width: int) -> NDArray[np.float32]:
    """Brightness over a photo: a slope, a lamp's spot, sometimes the shadow of hand or phone."""
    rows, columns = max(2, height // 8), max(2, width // 8)
    x = np.linspace(-1, 1, columns, dtype=np.float32)[None, :]
    y = np.linspace(-1, 1, rows, dtype=np.float32)[:, None]
    slope = rng.normal(0.0, 0.09, 2)
    centre = rng.uniform(-1.0, 1.0, 2)
    light = 0.9 + slope[0] * x + slope[1] * y
    light = light + 0.12 * np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / 0.8)
    if rng.random() < 0.35:
        angle = float(rng.uniform(0, 2 * np.pi))
        across = x * np.cos(angle) + y * np.sin(angle) - float(rng.uniform(-0.4, 0.8))
        edge = 1.0 / (1.0 + np.exp(-across / float(rng.uniform(0.03, 0.2))))
        light = light * (1.0 - float(rng.uniform(0.1, 0.4)) * edge)
    wide = cv2.resize(light.astype(np.float32), (width, height), interpolation=cv2.INTER_LINEAR)
    return np.clip(np.asarray(wide, np.float32), 0.25, 1.1)


def sheet_of(rng: np.random.Generator, page: Page, colour: bool) -> Shot:
    """Return the page itself as a picture, in colour or in the grey of one sensor or another."""
    image = page.image
    if not colour:
        usual = rng.random() < 0.8
        weights = np.array([0.299, 0.587, 0.114]) if usual else rng.dirichlet([2, 4, 1])
        image = np.asarray(cv2.transform(image, weights[None, :].astype(np.float32)), np.uint8)
    return Shot(image, page.owner, np.eye(3))


def shoot(rng: np.random.Generator, sheet: Shot, way: str) -> Shot:
    """Take a picture of a page by one of WAYS; ValueError for another."""
    if way == "photo":
        return photograph(rng, sheet)
    if way in ("cut", "bed"):
        return lay_on_scanner(rng, sheet, way)
    raise ValueError(f"no way of capture is called {way}")


def sample_development(rng: np.random.Generator, way: str) -> Settings:
    """Draw how a picture's grey levels come out; its geometry has been dealt with."""
    how = sample_settings(rng, 0.0 if way == "photo" else 0.22)
    how = replace(
        how, scale=1.0, angle=0.0, shear=0.0, slope=(0.0, 0.0) if way == "photo" else how.slope
    )
    if way == "photo":
        how = replace(how, blur=float(rng.uniform(0.3, 1.1)), low=min(how.low, 20.0))
    return how


def develop(rng: np.random.Generator, shot: Shot, how: Settings) -> Shot:
    """Turn a shot into what the file holds: noise, curve and JPEG, bits where it is grey."""
    if shot.image.ndim == 2:
        image, owner = capture(rng, shot.image, shot.owner, how)
        return Shot(image, owner, shot.from_page)
    how = replace(how, binarizer="")
    planes = [
        capture(rng, np.ascontiguousarray(plane), shot.owner, how)[0]
        for plane in np.moveaxis(shot.image, -1, 0)
    ]
    return Shot(np.stack(planes, axis=-1), shot.owner, shot.from_page)
