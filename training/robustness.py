"""How readings of a folder of images hold up where these are changed."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from service.calibration import Sample
from service.errors import InputError
from service.pipeline.reader import ChequeReader, Reading
from training.changes import CHANGES, PAGE_CHANGES, Change, Grey
from training.encode import OWN_LIMITS, png
from training.readings import judge
from training.spoiled import MINUS, SPOILED, SPOILED_PAGES, Box, with_room

_FILLERS = frozenset("-=*#x+")


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
    pictures: int = 10,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[HeldUp]:
    """Read the images of a sample with every change, whole ones in so many pictures of some.

    Those whose label is empty must not be accepted and are left out. Raises InputError for an image
    that OpenCV cannot decode.
    """
    reader = ChequeReader(model, OWN_LIMITS)
    images = _labelled(sample)
    changes: dict[str, list[Change]] = {name: [one] for name, one in CHANGES.items()}
    if not field_only:
        changes |= {name: [one] * pictures for name, one in PAGE_CHANGES.items()}
    for name, variants in changes.items():
        progress(name)
        judged, reasons = [], Counter[str]()
        for number, (file, label) in enumerate(images.items()):
            image = _image(sample.folder / file)
            for variant, change in enumerate(variants):
                rng = np.random.default_rng([seed, number, variant])
                reading, reason = _read(reader, change(rng, image), field_only=field_only)
                if reason:
                    reasons[reason] += 1
                judged.append(judge(file, label, sample.key, reading))
        accepted = [one for one in judged if one.accepted]
        wrong = sum(not one.correct for one in accepted)
        right = sum(one.correct for one in judged)
        yield HeldUp(name, len(judged), right, len(accepted), wrong, reasons)


@dataclass(frozen=True, slots=True)
class Spoilt:
    """What became of the images that are accepted as they are, spoiled in one way.

    images: how many; accepted: the files that still are; reasons: as in HeldUp.
    """

    how: str
    images: int
    accepted: tuple[str, ...]
    reasons: Counter[str]


def measure_spoiled(
    model: Path,
    sample: Sample,
    *,
    field_only: bool = False,
    seed: int = 0,
    progress: Callable[[str], None] = lambda _: None,
) -> Iterator[Spoilt]:
    """Read the images of a sample that are accepted, spoiled in every way: none may be any more.

    A cropped amount gets room at its sides first. One with fillers gets no minus, as that would be
    one of them. Raises as measure does.
    """
    reader = ChequeReader(model, OWN_LIMITS)
    progress("as they are")
    accepted = list(_accepted(reader, sample, field_only=field_only))
    kinds = SPOILED if field_only else {**SPOILED, **SPOILED_PAGES}
    for name, spoil in kinds.items():
        progress(name)
        still, reasons, count = [], Counter[str](), 0
        for number, (file, image, box, text) in enumerate(accepted):
            if name == MINUS and _FILLERS.intersection(text):
                continue
            count += 1
            rng = np.random.default_rng([seed, number])
            _, reason = _read(reader, spoil(rng, image, box), field_only=field_only)
            if reason:
                reasons[reason] += 1
            else:
                still.append(file)
        yield Spoilt(name, count, tuple(still), reasons)


def _accepted(
    reader: ChequeReader, sample: Sample, *, field_only: bool
) -> Iterator[tuple[str, Grey, Box, str]]:
    """The images that are accepted: file, image, the amount's box and text."""
    for file in _labelled(sample):
        image = _image(sample.folder / file)
        if field_only:
            image = with_room(image)
        reading, reason = _read(reader, image, field_only=field_only)
        if reading is not None and reason is None and reading.field_box is not None:
            yield file, image, _box_of(reading), reading.text or ""


def _read(
    reader: ChequeReader, image: Grey, *, field_only: bool
) -> tuple[Reading | None, str | None]:
    """What is read, and why it is rejected, or the code of the error where it is no image."""
    try:
        reading = reader.read(png(image), field_only=field_only)
    except InputError as error:
        return None, error.code
    return reading, reading.reject_reason


def _box_of(reading: Reading) -> Box:
    x, y = np.reshape(np.array(reading.field_box, np.float64), (-1, 2)).T
    return float(x.min()), float(y.min()), float(x.max()), float(y.max())


def _labelled(sample: Sample) -> dict[str, str]:
    return {file: label for file, label in sample.labels.items() if label}


def _image(path: Path) -> Grey:
    image = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise InputError("corrupt_image", f"{path.name} is no image that can be changed")
    return np.asarray(image, np.uint8)
