"""Checks of the truth of synthetic fields: every character has ink of its own where it is said."""

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from training.synth.field import SyntheticField

_LEAST_PIXELS = 3


@dataclass(frozen=True, slots=True)
class Check:
    """fields: how many were made. fields_a_second: made in a second of processor time.
    violations: how often each kind of untruth occurred."""

    fields: int
    fields_a_second: float
    violations: Counter[str]


def violations(field: SyntheticField) -> list[str]:
    """What is untrue of a field: empty where image, owner map, text and amount agree.

    "shape": the owner map has another shape than the image. "owner": ink of a character that the
    text does not have. "hidden": a character with hardly any pixel. "pale": a character nowhere
    darker than the paper. "box": a box that leaves out ink of its character. "amount": the text's
    digits do not begin with those of the amount.
    """
    if field.image.shape != field.owner.shape:
        return ["shape"]
    found = []
    pixels = np.bincount(field.owner.ravel(), minlength=len(field.text) + 1)
    if len(pixels) > len(field.text) + 1:
        found.append("owner")
    others = field.image[field.owner == 0]
    paper = float(np.median(others)) if len(others) else 255.0
    for index, (x0, y0, x1, y1) in enumerate(field.boxes()):
        own = field.owner == index + 1
        if pixels[index + 1] < _LEAST_PIXELS:
            found.append("hidden")
        elif float(field.image[own].min()) >= paper:
            found.append("pale")
        if own[y0:y1, x0:x1].sum() != own.sum():
            found.append("box")
    digits = "".join(symbol for symbol in field.text if symbol.isdigit())
    major, cents = divmod(field.amount_minor, 100)
    if not digits.startswith(f"{major}{cents:02d}" if cents else str(major)):
        found.append("amount")
    return found


def check(fields: Iterable[SyntheticField]) -> Check:
    """Make fields, time their making and count what is untrue of them."""
    made, busy, wrong = 0, 0.0, Counter[str]()
    source = iter(fields)
    while True:
        start = time.process_time()
        field = next(source, None)
        busy += time.process_time() - start
        if field is None:
            return Check(made, made / max(busy, 1e-9), wrong)
        made += 1
        wrong.update(violations(field))
