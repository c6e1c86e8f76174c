"""What the benchmark reads: the cheques of a folder in the forms that banks send them in."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from service.pipeline.reader import ChequeReader

SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}
_BITONAL = (1200, 550)
_JPEG = (1300, 570)
_FIELD_WIDTH = 600
# What is more than so much longer or shorter than a cheque of these sizes is left out.
_OFF_SHAPE = 1.2


@dataclass(frozen=True, slots=True)
class Workload:
    """Image files of one kind; goal: readings a second over HTTP on two cores."""

    name: str
    files: list[bytes]
    media_type: str
    field_only: bool
    goal: float


def workloads(folder: Path, reader: ChequeReader) -> list[Workload]:
    """The cheques of a folder as 200 dpi bitonal TIFF of 1200x550 pixels, as grey JPEG of 1300x570,
    and their amounts cropped.

    They are brought to just these sizes; photos and pages of another shape are left out. A folder
    of cropped amounts (narrower than 600 px) gives only those, as they are.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not files:
        raise SystemExit(f"{folder} holds no image")
    pages = [np.asarray(Image.open(path).convert("L")) for path in files]
    if np.median([page.shape[1] for page in pages]) < _FIELD_WIDTH:
        return [Workload("fields", [path.read_bytes() for path in files], "image/jpeg", True, 400)]
    pages = [page for page in pages if _is_shaped(page)]
    if not pages:
        raise SystemExit(f"{folder} holds no image of a cheque's shape")
    return [
        Workload("bitonal", [_bitonal(page) for page in pages], "image/tiff", False, 116),
        Workload("jpeg", [_jpeg(page) for page in pages], "image/jpeg", False, 70),
        Workload("fields", _fields(pages, reader), "image/png", True, 400),
    ]


def _is_shaped(page: np.ndarray) -> bool:
    """Whether a page has the shape of a cheque."""
    off = page.shape[1] / page.shape[0] * _BITONAL[1] / _BITONAL[0]
    return 1 / _OFF_SHAPE < off < _OFF_SHAPE


def _bitonal(page: np.ndarray) -> bytes:
    small = cv2.resize(page, _BITONAL, interpolation=cv2.INTER_AREA)
    binary = cv2.adaptiveThreshold(
        small, 255, cv2.ADAPTIVE_THRESH_GAUSSIAN_C, cv2.THRESH_BINARY, 41, 15
    )
    out = io.BytesIO()
    image = Image.fromarray(binary).convert("1", dither=Image.Dither.NONE)
    image.save(out, "TIFF", compression="group4", dpi=(200, 200))
    return out.getvalue()


def _jpeg(page: np.ndarray) -> bytes:
    small = cv2.resize(page, _JPEG, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def _fields(pages: list[np.ndarray], reader: ChequeReader) -> list[bytes]:
    """The amount of each cheque as the reader finds it, cut out with a little around it."""
    found = []
    for page in pages:
        reading = reader.read(cv2.imencode(".png", page)[1].tobytes())
        if reading.field_box is None:
            continue
        corners = np.array(reading.field_box)
        low, high = corners.min(axis=0), corners.max(axis=0)
        air = 0.25 * (high[1] - low[1])
        x0, y0 = np.maximum(low - air, 0).astype(int)
        x1, y1 = np.ceil(high + air).astype(int)
        cut = page[y0:y1, x0:x1]
        if min(cut.shape) >= 16 and cut.shape[1] < 20 * cut.shape[0]:
            found.append(cv2.imencode(".png", cut)[1].tobytes())
    return found
