"""How readings of a folder of images hold up where these are changed."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from service.calibration import Sample
from service.errors import InputError
from service.pipeline.reader import ChequeReader
from training.changes import CHANGES, Change, on_a_table
from training.encode import OWN_LIMITS, png
from training.readings import judge

PHOTOGRAPHED = "photographed on a table"


@dataclass(frozen=True, slots=True)
class HeldUp:
    """What became of all images with one change.

    images: how many; right: read rightly; accepted, wrong: accepted, and wrongly; reasons: why how
    many were rejected, or the code of the error where one could not be read as an image.
    """

    change: str
    images: int
    right: int
    accepted: int
    wrong: int
    reasons: Counter[str]


def measure(
    model: Path,
    sample: Sample,
    *,
    field_only: bool = False,
    photographs: int = 10,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[HeldUp]:
    """Read the images of a sample with every change, and whole ones so often as photographed.

    Those whose label is empty must not be accepted and are left out. Raises InputError for an image
    that OpenCV cannot decode.
    """
    reader = ChequeReader(model, OWN_LIMITS)
    changes: dict[str, list[Change]] = {name: [one] for name, one in CHANGES.items()}
    if not field_only:
        changes[PHOTOGRAPHED] = [on_a_table] * photographs
    labelled = {file: label for file, label in sample.labels.items() if label}
    for name, variants in changes.items():
        progress(name)
        judged, reasons = [], Counter[str]()
        for number, (file, label) in enumerate(labelled.items()):
            image = cv2.imread(str(sample.folder / file), cv2.IMREAD_GRAYSCALE)
            if image is None:
                raise InputError("corrupt_image", f"{file} is no image that can be changed")
            for variant, change in enumerate(variants):
                rng = np.random.default_rng([seed, number, variant])
                try:
                    data = png(change(rng, np.asarray(image, np.uint8)))
                    reading = reader.read(data, field_only=field_only)
                    reason = reading.reject_reason
                except InputError as error:
                    reading, reason = None, error.code
                if reason:
                    reasons[reason] += 1
                judged.append(judge(file, label, sample.key, reading))
        accepted = [one for one in judged if one.accepted]
        wrong = sum(not one.correct for one in accepted)
        right = sum(one.correct for one in judged)
        yield HeldUp(name, len(judged), right, len(accepted), wrong, reasons)
