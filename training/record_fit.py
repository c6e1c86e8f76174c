"""Fits when a record is taken to state a wrong amount, on synthetic items of cash letters.

Every item is judged under its right amount, every third under a wrong one of each kind too: of
right records many are needed, since few of them may be flagged.
"""

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import RecordRule
from service.pipeline.decision import uncalibrated
from service.pipeline.reader import ChequeReader
from service.pipeline.stated import judge
from service.x9.evidence import CURRENCY, is_number
from training.cash_letters import ERRORS, FIRST_SEED, handwriting, make_item, wrong_amount

# Of right records so many may be flagged in the sample. Asked for is 1 %; the rest is for what the
# sample does not show.
FALSE_SHARE: Final = 0.007
FEWEST: Final = 300
_WRONG_EVERY: Final = 3
# Weights of the likeliest amount's log odds that are tried, and the shares of right records flagged
# at which the wrong ones caught are compared: about the one wanted, since few items decide there.
_SURE: Final = (0.0, 0.2, 0.4, 0.6, 0.8)
_FALSE_SHARES: Final = (0.005, 0.0075, 0.01, 0.015)
_RIDGE: Final = 0.01
_NONE: Final = 1e6
_LARGEST_ODDS: Final = 40.0


@dataclass(frozen=True, slots=True)
class Stating:
    """An item under one amount that a record may state of it.

    error: the kind of error, "" for the right amount. odds: as in `Stated`, None where nothing was
    read; likeliest: posterior of the likeliest amount. taken: that is a number of the codeline, so
    that it flags nothing.
    """

    seed: int
    error: str
    odds: float | None
    likeliest: float
    taken: bool


def state_all(
    model: Path,
    data: Path | None,
    kept: Path,
    items: int,
    seed: int,
    progress: Callable[[int], None] = lambda _done: None,
) -> list[Stating]:
    """Read items and judge every amount that is stated of them.

    data: the folder of the handwriting sets, None writes by hand in fonts. kept: holds the outcomes
    so far, so that a run that was broken off goes on; it belongs to one state of the reader.
    """
    kept.parent.mkdir(parents=True, exist_ok=True)
    hand, reader = handwriting(data), ChequeReader(model)
    known = _load(kept)
    found: list[Stating] = []
    with kept.open("a") as lines:
        for number in range(FIRST_SEED + seed, FIRST_SEED + seed + items):
            rows = known.get(number, [])
            if not rows:
                cheque, image = make_item(number, hand)
                rows = _states(reader, number, cheque.amount_minor or 0, cheque.codeline, image)
                lines.write(json.dumps([asdict(one) for one in rows]) + "\n")
                lines.flush()
            found += rows
            progress(number + 1 - FIRST_SEED - seed)
    return found


def _states(
    reader: ChequeReader, seed: int, written: int, codeline: str, image: bytes
) -> list[Stating]:
    rng = np.random.default_rng([seed, 99])
    kinds = ("", *(ERRORS if seed % _WRONG_EVERY == 0 else ()))
    amounts = [wrong_amount(rng, written, kind) if kind else written for kind in kinds]
    calibration = reader.calibration(field_only=False)
    numbers = [one.lstrip("0") for one in re.findall(r"\d+", codeline)]
    rows = []
    seen = reader.looks_at(image, amounts, currency=CURRENCY)
    for kind, amount, looks in zip(kinds, amounts, seen, strict=True):
        said = judge(looks, amount, calibration, RecordRule())
        likeliest = uncalibrated(said.likeliest_confidence, calibration)
        taken = is_number(said.likeliest_minor, numbers)
        rows.append(Stating(seed, kind, said.odds, likeliest, taken))
    return rows


def fit_rule(rows: Sequence[Stating], prior: float = RecordRule().prior) -> RecordRule:
    """The rule that flags FALSE_SHARE of the right records, and says how probable wrong ones are.

    Raises ValueError where the sample has no wrong records, or less than FEWEST right ones.
    """
    right = [one for one in rows if not one.error]
    read = [one for one in rows if one.odds is not None]
    wrong = np.array([bool(one.error) for one in read])
    if len(right) < FEWEST or not wrong.any():
        raise ValueError(f"a rule needs wrong records, and {FEWEST} right ones at least")
    share = max(_SURE, key=lambda sure: _caught(rows, RecordRule(1.0, sure, 0.0, prior)))
    joined = [evidence_of(replace(one, taken=False), RecordRule(1.0, share, 0.0)) for one in read]
    slope, shift = (round(float(one), 3) for one in _logistic(np.array(joined), wrong))
    rule = RecordRule(slope, round(slope * share, 3), shift, prior)
    evidence = sorted(evidence_of(one, rule) for one in right)
    flags = evidence[-1 - int(FALSE_SHARE * len(right))]
    return replace(rule, flagged=round(flags + 0.0006, 3))


def _caught(rows: Sequence[Stating], rule: RecordRule) -> float:
    """The share of wrong records flagged, on average over some shares of right ones."""
    right, wrong = (
        np.array([evidence_of(one, rule) for one in rows if bool(one.error) == bad])
        for bad in (False, True)
    )
    limits = np.quantile(right, 1 - np.array(_FALSE_SHARES), method="higher")
    return float(np.mean(wrong[:, None] > limits))


def evidence_of(one: Stating, rule: RecordRule) -> float:
    """The evidence that the record is wrong, as far as it counts."""
    if one.odds is None or one.taken:
        return -_NONE
    return rule.evidence(one.odds, one.likeliest)


def flagged_shares(rows: Sequence[Stating], rule: RecordRule) -> dict[str, float]:
    """The share of records flagged, by the kind of error, "" for right ones."""
    kinds = {one.error for one in rows}
    return {
        kind: float(
            np.mean([evidence_of(one, rule) >= rule.flagged for one in rows if one.error == kind])
        )
        for kind in sorted(kinds)
    }


def _logistic(x: NDArray[np.float64], wrong: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Slope and shift of the log odds (Newton), wrong and right records weighing the same."""
    design = np.stack([np.clip(x, -_LARGEST_ODDS, _LARGEST_ODDS), np.ones_like(x)], axis=1)
    weights = np.where(wrong, 0.5 / wrong.sum(), 0.5 / (~wrong).sum()) * len(wrong)
    found, ridge = np.array([0.3, 0.0]), _RIDGE * np.eye(2)
    for _ in range(100):
        expected = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        gradient = design.T @ (weights * (expected - wrong)) + ridge @ found
        curvature = (design * (weights * expected * (1 - expected))[:, None]).T @ design
        found = found - np.clip(np.linalg.solve(curvature + ridge, gradient), -0.5, 0.5)
    return found


def _load(kept: Path) -> dict[int, list[Stating]]:
    found: dict[int, list[Stating]] = {}
    for line in kept.read_text().splitlines() if kept.exists() else ():
        try:
            rows = [Stating(**row) for row in json.loads(line)]
        except (ValueError, TypeError):
            continue  # cut short by an interruption; it is read again
        found[rows[0].seed] = rows
    return found
