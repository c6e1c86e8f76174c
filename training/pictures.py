"""Pictures for people: confusion matrices, learning curves, wrong readings, sheets of samples."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image, ImageOps

Polygon = tuple[tuple[float, float], ...]
Bytes = NDArray[np.uint8]

_RUBBISH_NAME = "none"


@dataclass(frozen=True, slots=True)
class Wrong:
    """One wrong reading to be shown: the file's bytes, what to write above it, boxes in it.

    boxes: polygons in the pixels of the picture as a viewer shows it.
    """

    data: bytes
    title: str
    boxes: tuple[Polygon, ...]


def confusion_picture(
    confusion: NDArray[np.int64], labels: Sequence[str], title: str, path: Path
) -> None:
    """Write a confusion matrix i64 [K, K], rows the truth, as a picture; counts where they err."""
    rows = np.flatnonzero(confusion.sum(axis=1))
    columns = np.flatnonzero(confusion.sum(axis=0) + confusion.sum(axis=1))
    shown = confusion[np.ix_(rows, columns)]
    share = shown / np.maximum(shown.sum(axis=1, keepdims=True), 1)
    names = [label or _RUBBISH_NAME for label in labels]
    figure = Figure(figsize=(2 + 0.36 * len(columns), 1.5 + 0.3 * len(rows)), layout="constrained")
    axes = figure.subplots()
    axes.imshow(np.sqrt(share), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(range(len(columns)), [names[i] for i in columns])
    axes.set_yticks(range(len(rows)), [names[i] for i in rows])
    axes.set_xlabel("read")
    axes.set_ylabel("true")
    axes.set_title(title)
    for y, x in zip(*np.nonzero(shown), strict=True):
        colour = "white" if share[y, x] > 0.4 else "black"
        text = {"ha": "center", "va": "center", "fontsize": 6}
        axes.text(x, y, str(shown[y, x]), color=colour, fontdict=text)
    _save(figure, path)


def curve_picture(log: Path, path: Path) -> None:
    """Write the learning curves of a training run's log.jsonl: loss, and error where it has one."""
    rows = [json.loads(line) for line in log.read_text().splitlines() if line]
    samples = [row["samples"] / 1e6 for row in rows]
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(samples, [row["loss"] for row in rows], color="tab:blue", label="training loss")
    axes.set_xlabel("samples seen, millions")
    axes.set_ylabel("training loss")
    axes.set_yscale("log")
    if rows and "valid" in rows[0]:
        beside = axes.twinx()
        beside.plot(samples, [row["valid"] for row in rows], color="tab:red")
        beside.set_ylabel("error on held-out characters, %", color="tab:red")
        beside.set_yscale("log")
    _save(figure, path)


def montage(wrong: Sequence[Wrong], path: Path, columns: int = 5, most: int = 60) -> None:
    """Write the first wrong readings on one picture, each with its boxes and title."""
    shown = wrong[:most]
    rows = max(1, -(-len(shown) // columns))
    figure = Figure(figsize=(columns * 3.0, rows * 1.5), layout="constrained")
    for index, one in enumerate(shown):
        axes = figure.add_subplot(rows, columns, index + 1)
        picture = ImageOps.exif_transpose(Image.open(io.BytesIO(one.data))).convert("RGB")
        axes.imshow(np.asarray(picture))
        for box in one.boxes:
            corners = np.array([*box, box[0]])
            axes.plot(corners[:, 0], corners[:, 1], color="red", linewidth=0.6)
        axes.set_title(one.title, fontsize=7, parse_math=False)
        axes.set_axis_off()
    _save(figure, path)


def sheet(images: Sequence[Bytes], cell: tuple[int, int], columns: int) -> Bytes:
    """Images u8 [H, W] or [H, W, 3] RGB on one sheet, made smaller where a cell (h, w) is."""
    height, width = cell
    rows = max(1, -(-len(images) // columns))
    page = np.full((rows * height, columns * width, 3), 128, np.uint8)
    for index, image in enumerate(images):
        picture = cv2.cvtColor(image, cv2.COLOR_GRAY2RGB) if image.ndim == 2 else image
        share = min(1.0, (height - 4) / picture.shape[0], (width - 4) / picture.shape[1])
        size = (max(1, int(picture.shape[1] * share)), max(1, int(picture.shape[0] * share)))
        small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
        top, left = index // columns * height + 2, index % columns * width + 2
        page[top : top + size[1], left : left + size[0]] = small
    return page


def write_png(image: Bytes, path: Path) -> None:
    """Write u8 [H, W] or [H, W, 3] RGB as a PNG file, its folder made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path)


def _save(figure: Figure, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150)
