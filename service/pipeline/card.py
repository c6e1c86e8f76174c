"""The model card: everything about a model that the service must know, beside its weights."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from service.errors import ModelError

RUBBISH = ""
SPACE = " "


@dataclass(frozen=True, slots=True)
class Placement:
    """How a segment is placed in its crop (see `service.pipeline.segment.place`).

    normal: px that a character of the line's common size takes; largest: px that no segment
    exceeds; size_damping: exponent of the relative size; offset_damping: share of the offset from
    the line's middle that is kept.
    """

    normal: float
    largest: float
    size_damping: float
    offset_damping: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic map from the logit of the posterior to a probability: sigmoid(slope * x + shift)."""

    slope: float
    shift: float


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A recognizer's card.

    labels: K symbols in the order of the network's outputs, the last one RUBBISH. segment_weights:
    penalty per unit of each of `segment.FEATURES`. symbol_penalty: added to every symbol on a path;
    stray_penalty: to every segment left unread, and stray_ink_penalty for each square of the line's
    size that its ink covers. null_penalty: of the hypothesis that a field
    is no amount.
    """

    name: str
    version: str
    sha256: str
    labels: tuple[str, ...]
    placement: Placement
    segment_weights: tuple[float, ...]
    symbol_penalty: float
    stray_penalty: float
    stray_ink_penalty: float
    null_penalty: float
    calibration: Calibration

    @property
    def model_version(self) -> str:
        """Name and version as reported with every reading."""
        return f"{self.name}/{self.version}"


def load_card(folder: Path) -> ModelCard:
    """Read and check the card of the model in `folder`, and the weights' sha256 against it.

    Raises ModelError where a file is missing, the card is malformed or the weights are others.
    """
    try:
        raw = json.loads((folder / "card.json").read_text())
        digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    except (OSError, ValueError) as error:
        raise ModelError(f"no usable model in {folder}: {error}") from error
    try:
        card = _parse(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the card of the model in {folder} is malformed: {error!r}") from error
    if digest != card.sha256:
        raise ModelError(f"model.onnx in {folder} is not the file its card describes (sha256)")
    if card.labels[-1] != RUBBISH or len(set(card.labels)) != len(card.labels):
        raise ModelError(f"the card of the model in {folder} must list rubbish last, once")
    return card


def _parse(raw: dict[str, Any]) -> ModelCard:
    weights = raw["weights"]
    return ModelCard(
        name=str(raw["name"]),
        version=str(raw["version"]),
        sha256=str(raw["sha256"]),
        labels=tuple(str(label) for label in raw["labels"]),
        placement=Placement(**raw["placement"]),
        segment_weights=tuple(float(weight) for weight in weights["segment"].values()),
        symbol_penalty=float(weights["symbol"]),
        stray_penalty=float(weights["stray"]),
        stray_ink_penalty=float(weights["stray_ink"]),
        null_penalty=float(weights["null"]),
        calibration=Calibration(**raw["calibration"]),
    )
