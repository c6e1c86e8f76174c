"""Calibration on synthetic fields and cheques of held-out writers and fonts."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Calibration
from service.pipeline.decision import fit_calibration
from service.pipeline.reader import ChequeReader, Reading
from training.dataset import Sources
from training.synth.bank import GlyphBank
from training.synth.cheque import make_cheque
from training.synth.field import FieldMaker
from training.synth.hand import HandWriter

FIRST_SEED = 5_000_000


@dataclass(frozen=True, slots=True)
class Outcome:
    """One synthetic image, read: its true amount (None: must not be accepted), and the reading.

    kind: "field" or "cheque"; hand: whether it was written by hand.
    """

    kind: str
    hand: bool
    amount_minor: int | None
    reading: Reading

    @property
    def right(self) -> bool:
        """Whether the amount read is the true one."""
        return self.amount_minor is not None and self.reading.amount_minor == self.amount_minor


def read_synthetic(
    reader: ChequeReader,
    sources: Sources,
    fields: int,
    cheques: int,
    progress: Callable[[int], None] | None = None,
) -> list[Outcome]:
    """Read that many fields and whole cheques of the writers and fonts kept for validation."""
    bank = GlyphBank.load(sources.data, "valid")
    maker = FieldMaker.load(sources.data, sources.fonts, "valid")
    outcomes: list[Outcome] = []
    both = chain(_fields(reader, maker, fields), _cheques(reader, HandWriter(bank), cheques))
    for outcome in both:
        outcomes.append(outcome)
        if progress is not None:
            progress(len(outcomes))
    return outcomes


def calibration_of(outcomes: list[Outcome], current: Calibration) -> Calibration:
    """The calibration that fits outcomes whose readings were calibrated with `current`.

    Readings of images that hold no amount count as wrong.
    """
    read = [o for o in outcomes if o.reading.amount_minor is not None]
    shown = np.clip([o.reading.confidence for o in read], 1e-13, 1 - 1e-13)
    logits = (np.log(shown) - np.log1p(-shown) - current.shift) / current.slope
    right: NDArray[np.bool_] = np.array([o.right for o in read], bool)
    return fit_calibration(1 / (1 + np.exp(-logits)), right)


def _fields(reader: ChequeReader, maker: FieldMaker, count: int) -> Iterator[Outcome]:
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        field = maker.make(seed)
        reading = reader.read(_png(field.image), field_only=True)
        yield Outcome("field", field.hand, field.amount_minor, reading)


def _cheques(reader: ChequeReader, hand: HandWriter, count: int) -> Iterator[Outcome]:
    for seed in range(FIRST_SEED, FIRST_SEED + count):
        cheque = make_cheque(seed, hand=hand.write, split="valid")
        reading = reader.read(_png(cheque.image))
        yield Outcome("cheque", not cheque.machine, cheque.amount_minor, reading)


def _png(image: NDArray[np.uint8]) -> bytes:
    """The image as a file; colour is in the order red, green, blue."""
    bgr = image if image.ndim == 2 else np.ascontiguousarray(image[:, :, ::-1])
    done, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not done:
        raise ValueError("the image could not be written as PNG")
    return data.tobytes()
