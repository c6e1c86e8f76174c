"""The model card: everything about a model that the service must know, beside its weights."""

import hashlib
import json
import math
import os
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from service.errors import ModelError
from service.pipeline.field_features import FEATURES

_NUMBERS = re.compile(r"\[([\s\d.,eE+-]+)\]")
RUBBISH = ""
SPACE = " "
MODEL = "model.onnx"
SWEPT = "swept.onnx"
EIGHT_BITS = {MODEL: "model.int8.onnx", SWEPT: "swept.int8.onnx"}
"""The files that hold the same networks in integers of eight bits."""


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
class Tally:
    """A labelled sample, counted at thresholds that were fixed beforehand, from high to low.

    candidates: its readings that hung on their confidence alone. logits: thresholds, logits of
    uncalibrated posteriors. accepted, wrong: how many readings reach each, and how many of those
    are in error.
    """

    candidates: int
    logits: tuple[float, ...]
    accepted: tuple[int, ...]
    wrong: tuple[int, ...]

    def __post_init__(self) -> None:
        if not len(self.logits) == len(self.accepted) == len(self.wrong):
            raise ValueError("a tally counts accepted and wrong at every threshold")
        steps = list(zip(self.logits, self.accepted, self.wrong, strict=True))
        for (above, few, fewer), (below, many, more) in pairwise([(math.inf, 0, 0), *steps]):
            if not (below < above and few < many <= self.candidates and fewer <= more <= many):
                raise ValueError("a tally's counts rise as its thresholds fall")


KNEE = 2.0
"""Logit of the posterior at which a calibration may bend."""


@dataclass(frozen=True, slots=True)
class Calibration:
    """Logistic map from the logit of the posterior to a probability: sigmoid(slope * x + shift).

    bend: what the slope is more by where x is above KNEE: readings that two readers agree on at
    once are right more often than those in between tell. tally: what thresholds of acceptance are
    tested with. None: nothing may be accepted, since nobody has counted how often this model is
    wrong.
    """

    slope: float
    shift: float
    tally: Tally | None = None
    bend: float = 0.0

    def __post_init__(self) -> None:
        if not (0 < self.slope < math.inf and math.isfinite(self.shift)):
            raise ValueError("a calibration needs a positive slope and a finite shift")
        if not 0 < self.slope + self.bend < math.inf:
            raise ValueError("a calibration needs a positive slope above its knee as well")

    def mapped(self, logit: float) -> float:
        """The logit of the confidence for that of a posterior."""
        return self.slope * logit + self.shift + self.bend * max(logit - KNEE, 0.0)

    def unmapped(self, logit: float) -> float:
        """The logit of the posterior for that of a confidence."""
        x = (logit - self.shift) / self.slope
        if x <= KNEE:
            return x
        return KNEE + (logit - self.slope * KNEE - self.shift) / (self.slope + self.bend)


@dataclass(frozen=True, slots=True)
class RecordRule:
    """When a record is taken to state a wrong amount, see `service.pipeline.stated`.

    The evidence of a wrong record is slope * odds + sure * log odds of the likeliest amount +
    shift: the log odds that it is wrong, were half of all records so. prior: the share that is.
    flagged: the evidence from which on a record is flagged. The values here are of a small sample,
    for cards without their own.
    """

    slope: float = 1.0
    sure: float = 0.4
    shift: float = 1.1
    prior: float = 0.02
    flagged: float = 2.0

    def __post_init__(self) -> None:
        weights = self.slope, self.sure, self.shift, self.flagged
        if not (self.slope > 0 and 0 < self.prior < 1 and all(map(math.isfinite, weights))):
            raise ValueError("a rule for records needs a positive slope and a prior within (0, 1)")

    def evidence(self, odds: float, likeliest: float) -> float:
        """The evidence; likeliest: posterior of the likeliest amount."""
        return self.slope * odds + self.sure * log_odds(likeliest) + self.shift

    def wrong(self, evidence: float) -> float:
        """The probability that a record is wrong."""
        x = evidence + math.log(self.prior / (1 - self.prior))
        return 1 / (1 + math.exp(-min(max(x, -40.0), 40.0)))


SIGNS = (
    "text_before", "text_after", "within", "no_cents", "plain", "unplaced", "zeros", "unsaid",
)  # fmt: skip
"""Signs that a reading leaves something out, see `service.pipeline.doubts`."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """How far a posterior is believed where a reading may leave something out.

    That it does not has the probability 1 - sigmoid(bias + weights . signs), that it is then right
    sigmoid(slope * log odds of the posterior + shift). weights: one for each of SIGNS.
    """

    slope: float
    shift: float
    bias: float
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.weights) != len(SIGNS):
            raise ValueError(f"doubts have a weight for each of {', '.join(SIGNS)}")
        if not all(map(math.isfinite, (self.slope, self.shift, self.bias, *self.weights))):
            raise ValueError("doubts need finite weights")
        if self.slope <= 0:
            raise ValueError("doubts need a positive slope")

    def believed(self, posterior: float, signs: Sequence[float]) -> float:
        """The share of a posterior in [0, 1] that is left with these signs, in [0, 1)."""
        odds = math.log(max(posterior, 1e-13)) - math.log(max(1 - posterior, 1e-13))
        out = self.bias + sum(w * one for w, one in zip(self.weights, signs, strict=True))
        return _sigmoid(self.slope * odds + self.shift) * _sigmoid(-out)


def _sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-min(max(x, -30.0), 30.0)))


_SUREST = 0.999
_LEAST_SURE = 1e-4


def log_odds(probability: float) -> float:
    """The log odds of a probability, of what is nearly 0 or 1 those of a little less."""
    held = min(max(probability, _LEAST_SURE), _SUREST)
    return math.log(held) - math.log1p(-held)


@dataclass(frozen=True, slots=True)
class SweptCard:
    """The swept network beside the recognizer, see `service.pipeline.swept`.

    sha256: of swept.onnx.
    """

    sha256: str


@dataclass(frozen=True, slots=True)
class Fitted:
    """A calibration to be written into a card; source: what the card says of its sample.

    field_only: it is of readings of cropped amounts.
    """

    calibration: Calibration
    source: dict[str, Any]
    field_only: bool


@dataclass(frozen=True, slots=True)
class ModelCard:
    """A recognizer's card.

    labels: K symbols in the order of the network's outputs, the last one RUBBISH. segment_weights:
    penalty per unit of each of `segment.FEATURES`. symbol_penalty: added to every symbol on a path;
    stray_penalty: to every segment left unread, and stray_ink_penalty for each square of the line's
    size that its ink covers. null_penalty: of the hypothesis that a field is no amount.
    calibration: of readings of whole images, where the place of the amount can be mistaken too;
    field_calibration: of those of cropped amounts. field_weights: in place of
    `field_features.WEIGHTS`, empty for those. grammar_weights: penalties in place of the grammar's
    own, by name. record_rule: when a stated amount is taken to be wrong. doubts: of whole images,
    how far a posterior is believed; None: as it is. swept: the swept network's; None: it has none.
    quantized: the sha256 of files in eight bits, by name; those networks are run from them.
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
    field_calibration: Calibration
    field_weights: tuple[float, ...] = ()
    grammar_weights: tuple[tuple[str, float], ...] = ()
    record_rule: RecordRule = RecordRule()
    doubts: Doubts | None = None
    swept: SweptCard | None = None
    quantized: tuple[tuple[str, str], ...] = ()

    @property
    def model_version(self) -> str:
        """Name and version as reported with every reading."""
        return f"{self.name}/{self.version}"

    def network(self, name: str) -> str:
        """The file that is run for a network, MODEL or SWEPT: in eight bits, if there is one."""
        return EIGHT_BITS[name] if EIGHT_BITS[name] in dict(self.quantized) else name

    def calibration_of(self, *, field_only: bool) -> Calibration:
        """The calibration of readings of cropped amounts, or of whole images."""
        return self.field_calibration if field_only else self.calibration


def load_card(folder: Path) -> ModelCard:
    """Read and check the card of the model in `folder`, and the weights' sha256 against it.

    Raises ModelError where a file is missing, the card is malformed or the weights are others.
    """
    try:
        raw = json.loads((folder / "card.json").read_text())
    except (OSError, ValueError) as error:
        raise ModelError(f"no usable model in {folder}: {error}") from error
    try:
        card = _parse(raw)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ModelError(f"the card of the model in {folder} is malformed: {error!r}") from error
    _check(folder, MODEL, card.sha256)
    if card.swept is not None:
        _check(folder, SWEPT, card.swept.sha256)
    for name, sha256 in card.quantized:
        _check(folder, name, sha256)
    if card.labels[-1] != RUBBISH or len(set(card.labels)) != len(card.labels):
        raise ModelError(f"the card of the model in {folder} must list rubbish last, once")
    return card


def _check(folder: Path, name: str, sha256: str) -> None:
    try:
        digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
    except OSError as error:
        raise ModelError(f"no usable model in {folder}: {error}") from error
    if digest != sha256:
        raise ModelError(f"{name} in {folder} is not the file its card describes (sha256)")


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
        calibration=parse_calibration(raw["calibration"]),
        field_calibration=_field_calibration(raw),
        field_weights=_field_weights(weights.get("field", {})),
        grammar_weights=tuple(
            (str(name), float(one)) for name, one in sorted(weights.get("grammar", {}).items())
        ),
        record_rule=RecordRule(
            **{str(name): float(one) for name, one in raw.get("record_rule", {}).items()}
        ),
        doubts=_doubts(raw.get("doubts")),
        swept=_swept(raw.get("swept")),
        quantized=_quantized(raw.get("quantized", {})),
    )


def _field_weights(raw: dict[str, Any]) -> tuple[float, ...]:
    """Those of the locator's features; one that is newer than the card has none."""
    return tuple(float(raw.get(name, 0.0)) for name in FEATURES) if raw else ()


def _swept(raw: dict[str, Any] | None) -> SweptCard | None:
    if raw is None:
        return None
    return SweptCard(str(raw["sha256"]))


def _quantized(raw: dict[str, Any]) -> tuple[tuple[str, str], ...]:
    if not set(raw) <= set(EIGHT_BITS.values()):
        raise ValueError("quantized names files that no network has")
    return tuple(sorted((str(name), str(sha256)) for name, sha256 in raw.items()))


def _doubts(raw: dict[str, Any] | None) -> Doubts | None:
    if raw is None:
        return None
    slope, shift, bias = (float(raw[name]) for name in ("slope", "shift", "bias"))
    # There are cards that are older than these signs.
    weights = {"unplaced": 0.0, "zeros": 0.0, "unsaid": 0.0, **raw["weights"]}
    return Doubts(slope, shift, bias, tuple(float(weights[name]) for name in SIGNS))


def _field_calibration(raw: dict[str, Any]) -> Calibration:
    """That of whole images, without its tally, where the card has none for cropped amounts."""
    own = raw.get("field_calibration")
    if own is not None:
        return parse_calibration(own)
    return replace(parse_calibration(raw["calibration"]), tally=None)


def parse_calibration(raw: dict[str, Any]) -> Calibration:
    """A calibration as a card holds it; raises KeyError, TypeError or ValueError for any other."""
    held = raw.get("tally")
    counts = None
    if held is not None:
        counts = Tally(
            int(held["candidates"]),
            tuple(float(one) for one in held["logits"]),
            tuple(int(one) for one in held["accepted"]),
            tuple(int(one) for one in held["wrong"]),
        )
    bend = float(raw.get("bend", 0.0))
    return Calibration(float(raw["slope"]), float(raw["shift"]), counts, bend)


def recalibrate(folder: Path, *fitted: Fitted) -> None:
    """Put other calibrations, and what samples they come from, into the card of a model."""
    write_card(folder, _with(json.loads((folder / "card.json").read_text()), fitted))


def write_record_rule(folder: Path, rule: RecordRule, source: dict[str, Any]) -> None:
    """Put a rule for records, and what sample it comes from, into the card of a model."""
    _write_fit(folder, "record_rule", {n: round(one, 4) for n, one in asdict(rule).items()}, source)


def write_doubts(folder: Path, doubts: Doubts, source: dict[str, Any]) -> None:
    """Put fitted doubts, and what sample they come from, into the card of a model."""
    fit: dict[str, Any] = {n: round(getattr(doubts, n), 4) for n in ("slope", "shift", "bias")}
    fit["weights"] = {n: round(one, 4) for n, one in zip(SIGNS, doubts.weights, strict=True)}
    _write_fit(folder, "doubts", fit, source)


def _write_fit(folder: Path, name: str, fit: dict[str, Any], source: dict[str, Any]) -> None:
    card = json.loads((folder / "card.json").read_text())
    card[name] = fit
    sources = card.get("calibrated_on")
    kept = sources if isinstance(sources, dict) else {}
    card["calibrated_on"] = {**kept, name: source}
    write_card(folder, card)


def write_card(folder: Path, card: dict[str, Any]) -> None:
    """Put a card, as JSON has it, in place of a model's: all of it or nothing is written."""
    part = folder / "card.part"
    part.write_text(card_text(card))
    part.replace(folder / "card.json")


def write_version(model: Path, to: Path, *fitted: Fitted) -> None:
    """Write a copy of the model as the version `to`.name, with other calibrations.

    What is not fitted anew stays as it was. All or nothing is written, and nothing over a folder
    that is there: raises FileExistsError.
    """
    if to.exists():
        raise FileExistsError(f"{to} is there already")
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.parent / f".{to.name}.{os.getpid()}.part"
    part.mkdir()
    try:
        for file in sorted(model.iterdir()):
            if file.is_file() and file.name != "card.json":
                shutil.copyfile(file, part / file.name)
        card = _with(json.loads((model / "card.json").read_text()), fitted)
        (part / "card.json").write_text(card_text(card | {"version": to.name}))
        part.rename(to)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _with(card: dict[str, Any], fitted: tuple[Fitted, ...]) -> dict[str, Any]:
    sources = card.get("calibrated_on")
    card = {
        **card,
        "field_calibration": asdict(_field_calibration(card)),
        "calibrated_on": dict(sources) if isinstance(sources, dict) else {},
    }
    for one in fitted:
        name = "field_calibration" if one.field_only else "calibration"
        card[name] = asdict(one.calibration)
        card["calibrated_on"][name] = one.source
    return card


def card_text(card: dict[str, Any]) -> str:
    """A card as JSON to be read by people too: a list of numbers takes one line."""
    text = json.dumps(card, indent=1, ensure_ascii=False)
    return _NUMBERS.sub(lambda found: f"[{' '.join(found[1].split())}]", text) + "\n"
