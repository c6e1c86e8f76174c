"""How cost grows: with pixels, with segments in a field, with items."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import cv2
import numpy as np
from workloads import Workload

from service.pipeline.field import locate_fields
from service.pipeline.image import load_cheque
from service.pipeline.ink import extract_ink
from service.pipeline.reader import ChequeReader


def measure_growth(
    loads: list[Workload], reader: ChequeReader, runs: int, folder: Path
) -> dict[str, Any]:
    """CPU seconds over a 16-fold range, each with the power that fits; plots as PNG to a folder.

    Without matplotlib, which is no part of the service, there are no plots.
    """
    pages = next((load for load in loads if not load.field_only), None)
    fields = next(load for load in loads if load.field_only)
    found = {}
    if pages is not None:
        image = cv2.imdecode(np.frombuffer(pages.files[0], np.uint8), cv2.IMREAD_GRAYSCALE)
        found["pixels"] = _series("pixels", runs, [_sized(image, k) for k in range(5)])
    found["segments"] = _series("segments", runs, [_written(reader, 2**k) for k in range(5)])
    found["items"] = _series("items", runs, [_several(fields, reader, 4 * 2**k) for k in range(5)])
    folder.mkdir(parents=True, exist_ok=True)
    _plot(found, folder)
    return found


def _series(of: str, runs: int, points: list[tuple[float, Callable[[], object]]]) -> dict[str, Any]:
    seconds = []
    for _, work in points:
        work()
        times = []
        for _ in range(runs):
            started = time.thread_time()
            work()
            times.append(time.thread_time() - started)
        seconds.append(median(times))
    sizes = [size for size, _ in points]
    power = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
    return {"of": of, "sizes": sizes, "cpu_seconds": seconds, "power": round(float(power), 3)}


def _sized(page: np.ndarray, step: int) -> tuple[float, Callable[[], object]]:
    """A page of 350 to 1400 px, 1 to 16 times as many pixels: decoded, its ink and fields found.

    What follows depends on what is found, not on pixels.
    """
    width = round(350 * 2 ** (step / 2))
    height = round(page.shape[0] * width / page.shape[1])
    scaled = cv2.resize(page, (width, height), interpolation=cv2.INTER_AREA)
    data = cv2.imencode(".png", scaled)[1].tobytes()

    def work() -> object:
        image = load_cheque(data)
        return locate_fields(image, extract_ink(image.grey))

    return float(width * height), work


def _written(reader: ChequeReader, digits: int) -> tuple[float, Callable[[], object]]:
    """A field of 1 to 16 digits; of a longer one no more cuts are made."""
    field = np.full((60, 30 * digits + 30), 255, np.uint8)
    text = ("4072853619" * 2)[:digits]
    cv2.putText(field, text, (15, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.35, 0, 3, cv2.LINE_AA)
    data = cv2.imencode(".png", field)[1].tobytes()
    segments = reader.read(data, field_only=True).segments
    return float(max(segments, 1)), lambda: reader.read(data, field_only=True)


def _several(
    load: Workload, reader: ChequeReader, count: int
) -> tuple[float, Callable[[], object]]:
    files = [load.files[i % 4 % len(load.files)] for i in range(count)]
    return float(count), lambda: [reader.read(data, field_only=True) for data in files]


def _plot(found: dict[str, Any], folder: Path) -> None:
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    figure = Figure(figsize=(4 * len(found), 3.2), layout="constrained")
    for axes, one in zip(
        np.atleast_1d(figure.subplots(1, len(found))), found.values(), strict=True
    ):
        axes.loglog(one["sizes"], one["cpu_seconds"], "o-")
        axes.set_xlabel(one["of"])
        axes.set_ylabel("CPU seconds")
        axes.set_title(f"power {one['power']:.2f}")
    figure.savefig(folder / "growth.png", dpi=110)
