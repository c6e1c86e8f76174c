"""Which stage spoiled a reading: the ink, the segmentation, the recognition, or the search."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np

from service.pipeline.card import Placement, load_card
from service.pipeline.ink import extract_ink
from service.pipeline.reader import ChequeReader
from service.pipeline.recognize import OnnxRecognizer, Recognizer
from service.pipeline.segment import segment_zone
from training.crops import CHARACTER_IOU, match_segments
from training.synth.field import FieldMaker, SyntheticField

Stage = Literal["ink", "segmentation", "recognition", "interpretation"]
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True, slots=True)
class Blame:
    """Why one field was read wrong.

    stage: the first that failed a digit, else the first that failed any other symbol: "ink" lost
    it, "segmentation" has no segment that is it, "recognition" takes that segment for something
    else; "interpretation" where no symbol was failed and another path was chosen all the same.
    symbol: the first one failed, "" for none.
    """

    stage: Stage
    symbol: str


def blame_field(recognizer: Recognizer, placement: Placement, field: SyntheticField) -> Blame:
    """The stage to blame for a field that was read wrong."""
    ink = extract_ink(field.image)
    height, width = ink.ink.shape
    zone = segment_zone(ink.ink, (0, 0, width, height), placement)
    if zone is None:
        return Blame("ink", field.text[:1])
    truth = match_segments(zone, field.owner, len(field.text), field.second)
    read = recognizer.penalties(zone.crops).argmin(axis=1)
    failed: dict[tuple[bool, Stage], str] = {}
    for index, symbol in enumerate(field.text):
        own = np.flatnonzero(truth.character == index)
        stage: Stage | None = None
        if truth.best[index] == 0:
            stage = "ink"
        elif truth.best[index] < CHARACTER_IOU or len(own) == 0:
            stage = "segmentation"
        elif recognizer.labels[read[own[truth.iou[own].argmax()]]] != symbol:
            stage = "recognition"
        if stage is not None:
            failed.setdefault((symbol.isdigit(), stage), symbol)
    for digit in (True, False):
        for stage in STAGES:
            if (digit, stage) in failed:
                return Blame(stage, failed[digit, stage])
    return Blame("interpretation", "")


def blame_fields(
    model: Path, maker: FieldMaker, seeds: range, progress: Callable[[int], None]
) -> list[Blame | None]:
    """Read synthetic fields with the whole chain; None for those read right."""
    card = load_card(model)
    reader, recognizer = ChequeReader(model), OnnxRecognizer(model, card)
    found: list[Blame | None] = []
    for seed in seeds:
        field = maker.make(seed)
        picture = cv2.imencode(".png", field.image)[1].tobytes()
        right = reader.read(picture, field_only=True).amount_minor == field.amount_minor
        found.append(None if right else blame_field(recognizer, card.placement, field))
        progress(len(found))
    return found


def shares(found: Iterable[Blame | None]) -> list[tuple[str, float, str]]:
    """Rows of (stage, share of all fields, most frequent symbols), "right" first."""
    every = list(found)
    rows = [("right", every.count(None) / max(len(every), 1), "")]
    for stage in STAGES:
        symbols = Counter(one.symbol for one in every if one is not None and one.stage == stage)
        common = " ".join(f"{symbol}:{n}" for symbol, n in symbols.most_common(8) if symbol)
        rows.append((stage, symbols.total() / max(len(every), 1), common))
    return rows
