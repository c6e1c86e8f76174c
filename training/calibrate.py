"""Calibration on synthetic fields and cheques of held-out writers, fonts and layouts."""

import hashlib
import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

import service.pipeline
from service.pipeline.card import (
    Calibration,
    Fitted,
    ModelCard,
    load_card,
    recalibrate,
    write_version,
)
from service.pipeline.decision import (
    DEFAULT_MAX_ERROR,
    Acceptance,
    calibrated,
    error_bound,
    fit_calibration,
    hangs_on_confidence,
    largest_acceptance,
    sample_needed,
)
from service.pipeline.reader import ChequeReader
from training.curves import (
    Judged,
    calibration_error,
    reliability_picture,
    risk_coverage_picture,
)
from training.dataset import Sources
from training.encode import OWN_LIMITS, png
from training.synth.bank import GlyphBank
from training.synth.cheque import make_cheque, make_refused
from training.synth.field import FieldMaker
from training.synth.hand import HandWriter

FIRST_SEED = 5_000_000
# Every so manieth page holds no amount that may be accepted.
REFUSED_EVERY = 50
MARGIN: Final = 1.25
"""How often an error on synthetic material counts."""
BOUNDS = (0.001, 0.005, 0.01, 0.02, 0.05)

Kind = Literal["field", "cheque", "scattered"]
"""A cropped amount, a whole cheque, or one whose parts stand anywhere."""
KINDS: Final[tuple[Kind, ...]] = ("field", "cheque")
"""What is calibrated: all whole cheques alike."""
Job = tuple[Kind, int]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One synthetic image, read.

    hand: written by hand. expected: its true amount, None where nothing may be accepted. said: the
    amount read. posterior: that of the amount, uncalibrated. hangs: whether its confidence alone
    decides if it is accepted. signs: as in `Reading`.
    """

    kind: Kind
    seed: int
    hand: bool
    expected: int | None
    said: int | None
    posterior: float
    hangs: bool
    signs: tuple[float, ...] = ()

    @property
    def right(self) -> bool:
        """Whether the amount read is the true one."""
        return (self.expected or 0) > 0 and self.said == self.expected


class Desk:
    """Makes synthetic images of the writers and fonts held out as valid, and reads them."""

    def __init__(self, model: Path, sources: Sources) -> None:
        self._reader = ChequeReader(model, OWN_LIMITS)
        self._fields = FieldMaker.load(sources.data, sources.fonts, "valid")
        self._hand = HandWriter(GlyphBank.load(sources.data, "valid"))

    def read(self, job: Job) -> Outcome:
        """The outcome of one image, the same whenever it is asked for."""
        kind, seed = job
        if kind == "field":
            field = self._fields.make(seed)
            return self._outcome(job, field.hand, field.amount_minor, field.image)
        hand = self._hand.write
        if kind == "cheque" and seed % REFUSED_EVERY == 0:
            cheque = make_refused(seed, hand=hand, split="valid")
        else:
            layout = None if kind == "cheque" else kind
            cheque = make_cheque(seed, hand=hand, layout=layout, split="valid")
        return self._outcome(job, not cheque.machine, cheque.amount_minor, cheque.image)

    def _outcome(
        self, job: Job, hand: bool, expected: int | None, image: NDArray[np.uint8]
    ) -> Outcome:
        reading = self._reader.read(png(image), field_only=job[0] == "field")
        return Outcome(
            *job, hand, expected, reading.amount_minor, reading.posterior,
            hangs_on_confidence(reading.reject_reason), reading.signs,
        )  # fmt: skip


def jobs(fields: int, cheques: int, seed: int, scattered: int = 0) -> list[Job]:
    """So many of each, the seeds of all from FIRST_SEED + seed on."""
    counts: dict[Kind, int] = {"field": fields, "cheque": cheques, "scattered": scattered}
    start = FIRST_SEED + seed
    return [(kind, start + n) for kind, count in counts.items() for n in range(count)]


def read_synthetic(
    model: Path,
    sources: Sources,
    wanted: Sequence[Job],
    kept: Path,
    workers: int = 1,
    progress: Callable[[int], None] = lambda _done: None,
) -> list[Outcome]:
    """Outcomes in the order of `wanted`; what the file `kept` holds is not read again.

    The file grows by a line an outcome. It belongs to one state of the reader (see `state_of`).
    """
    found = _load(kept)
    missing = [job for job in wanted if job not in found]
    done = len(wanted) - len(missing)
    progress(done)
    kept.parent.mkdir(parents=True, exist_ok=True)
    with kept.open("a", encoding="utf-8") as lines:
        lines.write("\n" * (lines.tell() > 0))  # ends a line that an interruption cut short
        for outcome in _read(model, sources, missing, workers):
            lines.write(json.dumps(asdict(outcome)) + "\n")
            lines.flush()
            found[outcome.kind, outcome.seed] = outcome
            done += 1
            progress(done)
    return [found[job] for job in wanted]


def state_of(model: Path) -> str:
    """A short digest of all that readings depend on: the model, its card and the pipeline's code.

    Calibrations, doubts, the rule for records and scores are left out: what is read does not depend
    on them.
    """
    card = json.loads((model / "card.json").read_text())
    apart = (
        "calibration", "field_calibration", "doubts", "record_rule", "calibrated_on", "scores",
        "version",
    )  # fmt: skip
    for name in apart:
        card.pop(name, None)
    digest = hashlib.sha256(json.dumps(card, sort_keys=True).encode())
    pipeline = Path(service.pipeline.__path__[0])
    for file in sorted([*pipeline.rglob("*.py"), *pipeline.rglob("*.[ch]")]):
        digest.update(file.read_bytes())
    return digest.hexdigest()[:12]


def believed(outcome: Outcome, card: ModelCard) -> Outcome:
    """An outcome with the share of its posterior that the card's doubts leave."""
    if card.doubts is None or outcome.kind == "field" or not outcome.signs:
        return outcome
    return replace(outcome, posterior=card.doubts.believed(outcome.posterior, outcome.signs))


def calibration_of(outcomes: Sequence[Outcome]) -> Calibration:
    """The calibration that fits; readings of images without an amount count as wrong."""
    read = [one for one in outcomes if one.hangs]
    return fit_calibration(
        np.array([one.posterior for one in read]), np.array([one.right for one in read], bool)
    )


def cautious(calibration: Calibration) -> Calibration:
    """The calibration with every error counted MARGIN times, rounded up.

    The tests of thresholds hold for cheques like the sample's. Real ones are not like synthetic
    ones in ways that nobody has counted, so that a bound must be kept with something to spare.
    """
    counted = calibration.tally
    if counted is None:
        return calibration
    wrong = tuple(
        min(math.ceil(MARGIN * one), many)
        for one, many in zip(counted.wrong, counted.accepted, strict=True)
    )
    return replace(calibration, tally=replace(counted, wrong=wrong))


def crosswise(outcomes: Sequence[Outcome], name: str) -> Judged:
    """Confidences of what hangs on them, each half calibrated on the other.

    So none is judged by a fit that has seen it.
    """
    read = [one for one in outcomes if one.hangs]
    halves = [read[0::2], read[1::2]]
    fits = [calibration_of(half) for half in reversed(halves)]
    shown = [
        (calibrated(one.posterior, fit), one.right)
        for half, fit in zip(halves, fits, strict=True)
        for one in half
    ]
    return Judged(
        name,
        np.array([one[0] for one in shown]),
        np.array([one[1] for one in shown], bool),
        len(outcomes),
    )


def source_of(outcomes: Sequence[Outcome], state: str) -> dict[str, Any]:
    """What the card says of the sample."""
    return {
        "sample": "synthetic images of the writers, fonts and layouts held out as valid",
        "images": len(outcomes),
        "by_hand": sum(one.hand for one in outcomes),
        "first_seed": min(one.seed for one in outcomes),
        "reader": state,
        "margin": MARGIN,
        "date": datetime.now(UTC).date().isoformat(),
    }


def summary(outcomes: Sequence[Outcome], calibration: Calibration) -> dict[str, Any]:
    """Shares read rightly, by hand and printed, and what is accepted at each of BOUNDS."""
    parts: dict[str, list[Outcome]] = {}
    for one in outcomes:
        name = "to refuse" if (one.expected or 0) <= 0 else "by hand" if one.hand else "printed"
        parts.setdefault(name, []).append(one)
    return {
        "images": len(outcomes),
        "calibration": asdict(calibration),
        "read_rightly": {
            name: {"images": len(part), "share": sum(one.right for one in part) / len(part)}
            for name, part in sorted(parts.items())
        },
        "accepted_at": {
            str(bound): found
            and {
                "least_confidence": found.confidence,
                "accepted": found.accepted,
                "share": found.accepted / len(outcomes),
                "wrong": wrong,
                "error_bound": error_bound(wrong, found.accepted),
            }
            for bound in BOUNDS
            for found in [largest_acceptance(calibration, bound)]
            for wrong in [_wrong_of(outcomes, calibration, found) if found else 0]
        },
    }


@dataclass(frozen=True, slots=True)
class Accepted:
    """What a calibration accepts of fresh images of one kind, and how much of it is wrong."""

    name: str
    images: int
    right: int
    accepted: int
    wrong: int


def accepted_of(outcomes: Sequence[Outcome], card: ModelCard, max_error: float) -> list[Accepted]:
    """The same for images by hand, printed ones and those to be refused, of each kind."""
    parts: dict[str, list[Outcome]] = {}
    for one in outcomes:
        how = "to refuse" if (one.expected or 0) <= 0 else "by hand" if one.hand else "printed"
        what = "scattered cheques" if one.kind == "scattered" else f"{one.kind}s"
        parts.setdefault(f"{what} {how}", []).append(believed(one, card))
    return [
        Accepted(
            name, len(part), sum(one.right for one in part), len(taken),
            sum(not one.right for one in taken),
        )
        for name, part in sorted(parts.items())
        for taken in [[one for one in part if _is_accepted(one, card, max_error)]]
    ]  # fmt: skip


def _is_accepted(outcome: Outcome, card: ModelCard, max_error: float) -> bool:
    calibration = card.calibration_of(field_only=outcome.kind == "field")
    found = largest_acceptance(calibration, max_error)
    sure = calibrated(outcome.posterior, calibration)
    return outcome.hangs and found is not None and sure >= found.confidence


def _wrong_of(outcomes: Sequence[Outcome], calibration: Calibration, found: Acceptance) -> int:
    """How many of the accepted outcomes are wrong, each counted once."""
    return sum(
        one.hangs and not one.right and calibrated(one.posterior, calibration) >= found.confidence
        for one in outcomes
    )


def calibrate_model(
    model: Path,
    sources: Sources,
    wanted: Sequence[Job],
    runs: Path,
    *,
    workers: int = 1,
    to: Path | None = None,
    progress: Callable[[int], None] = lambda _done: None,
) -> tuple[dict[str, Any], Path]:
    """Read synthetic images, fit, write the calibrations into the model's card, draw them.

    Cropped amounts and whole cheques are calibrated apart; a kind of which none is wanted keeps
    what it has. runs: gets, in a folder of this state of the reader, the outcomes and then
    calibration.json, reliability.png and risk_coverage.png. to: a new version is written there and
    the model left as it is. Returns what calibration.json holds, by kind, and its folder. Raises
    ValueError where a kind's images are too few for the default bound, or `to` is there.
    """
    if to is not None and to.exists():
        raise ValueError(f"{to} is there already")
    kinds: list[Kind] = [kind for kind in KINDS if any(kind == job[0] for job in wanted)]
    needed = sample_needed(DEFAULT_MAX_ERROR)
    for kind in kinds:
        if (count := sum(kind == job[0] for job in wanted)) < needed:
            raise ValueError(f"{count} images are too few for a {kind}: {needed} are needed")
    state = state_of(model)
    folder = runs / state
    every = read_synthetic(model, sources, wanted, folder / "outcomes.jsonl", workers, progress)
    card = load_card(model)
    parts = {kind: [believed(one, card) for one in every if one.kind == kind] for kind in kinds}
    fits = {kind: cautious(calibration_of(part)) for kind, part in parts.items()}
    fitted = [
        Fitted(fits[kind], source_of(parts[kind], state), field_only=kind == "field")
        for kind in kinds
    ]
    if to is None:
        recalibrate(model, *fitted)
    else:
        write_version(model, to, *fitted)
    held: dict[str, Any] = {kind: summary(parts[kind], fits[kind]) for kind in kinds}
    shown = [crosswise(part, f"{kind}s") for kind, part in parts.items()]
    for kind, judged in zip(kinds, shown, strict=True):
        held[kind]["expected_calibration_error"] = calibration_error(judged)
    (folder / "calibration.json").write_text(json.dumps(held, indent=1) + "\n")
    reliability_picture(shown, "Synthetic, held out", folder / "reliability.png")
    risk_coverage_picture(shown, "Synthetic, held out", folder / "risk_coverage.png")
    return held, folder


def _load(kept: Path) -> dict[Job, Outcome]:
    if not kept.exists():
        return {}
    found: dict[Job, Outcome] = {}
    for line in kept.read_text(encoding="utf-8").splitlines():
        try:
            raw = json.loads(line)
            one = Outcome(**{**raw, "signs": tuple(raw.get("signs", ()))})
        except (ValueError, TypeError):
            continue  # cut short by an interruption; it is read again
        found[one.kind, one.seed] = one
    return found


def _read(model: Path, sources: Sources, wanted: Sequence[Job], workers: int) -> Iterator[Outcome]:
    if not wanted:
        return
    if workers == 1:
        yield from map(Desk(model, sources).read, wanted)
        return
    with get_context("spawn").Pool(workers, partial(_start, model, sources)) as pool:
        yield from pool.imap_unordered(_work, wanted, chunksize=4)


_desk: Desk | None = None  # one a worker process


def _start(model: Path, sources: Sources) -> None:
    global _desk
    cv2.setNumThreads(1)
    _desk = Desk(model, sources)


def _work(job: Job) -> Outcome:
    assert _desk is not None
    return _desk.read(job)
