"""What came of synthetic cash letters: verdicts, what other thresholds give, the rule that fits."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.table import Table

from service.pipeline.card import RecordRule
from service.pipeline.stated import verdict_of
from service.x9.evidence import is_number

# Of right records so many may be flagged in the sample of the fit. Asked for is 1 %; the rest is
# for what the sample does not show.
FALSE_SHARE: Final = 0.006
_RIDGE: Final = 0.01


@dataclass(frozen=True, slots=True)
class Judged:
    """One item, read: what its record states, what is written, what was found.

    error: the kind of error in the record, "" for none. read: the likeliest amount over all looks.
    found, penalty, odds, looks: as in `Stated`. numbers: of the codeline.
    """

    seed: int
    hand: bool
    error: str
    written: int
    stated: int
    read: int | None
    confidence: float
    found: float
    penalty: float
    odds: float | None
    looks: int
    defects: tuple[str, ...]
    numbers: tuple[str, ...]
    verdict: str

    @property
    def evidence(self) -> float:
        """The odds that the record is wrong, as far as they may count; -infinity for none."""
        if self.odds is None or is_number(self.read, self.numbers):
            return -math.inf
        return self.odds


def load(kept: Path) -> dict[int, Judged]:
    """The outcomes in a file, by seed; none where it is not there."""
    found: dict[int, Judged] = {}
    for line in kept.read_text().splitlines() if kept.exists() else ():
        try:
            row = json.loads(line)
            lists = {name: tuple(row[name]) for name in ("defects", "numbers")}
            one = Judged(**{**row, **lists})
        except (ValueError, TypeError, KeyError):
            continue  # cut short by an interruption; it is read again
        found[one.seed] = one
    return found


def judged_again(outcomes: Sequence[Judged], rule: RecordRule) -> list[Judged]:
    """The same readings under another rule."""
    found = []
    for one in outcomes:
        verdict = verdict_of(one.odds, one.found, rule)
        taken = verdict == "disagrees" and is_number(one.read, one.numbers)
        found.append(replace(one, verdict="unread" if taken else verdict))
    return found


def flagged(outcomes: Sequence[Judged]) -> tuple[int, int, int, int]:
    """Wrong records flagged, of how many; right ones flagged, of how many."""
    wrong, right = _parted(outcomes)
    count = [sum(one.verdict == "disagrees" for one in part) for part in (wrong, right)]
    return count[0], len(wrong), count[1], len(right)


def fit_rule(outcomes: Sequence[Judged], prior: float = RecordRule().prior) -> RecordRule:
    """The rule that flags FALSE_SHARE of the right records, and says how probable wrong ones are.

    Raises ValueError where the sample has no wrong records, or too few right ones.
    """
    wrong, right = _parted(outcomes)
    if not wrong or len(right) * FALSE_SHARE < 1:
        raise ValueError("the sample is too small: it needs wrong records, and 200 right ones")
    odds = np.sort([one.evidence for one in right])
    flags = float(odds[-1 - int(FALSE_SHARE * len(right))])
    both = [(one.odds, bool(one.error)) for one in outcomes if one.odds is not None]
    slope, shift = _logistic(
        np.array([x for x, _ in both], float), np.array([bad for _, bad in both])
    )
    return RecordRule(slope, shift, prior, round(math.nextafter(flags, math.inf) + 0.0005, 3))


def _logistic(x: NDArray[np.float64], wrong: NDArray[np.bool_]) -> tuple[float, float]:
    """Slope and shift of the log odds, wrong and right records weighing the same in sum."""
    weights = np.where(wrong, 0.5 / max(wrong.sum(), 1), 0.5 / max((~wrong).sum(), 1)) * len(x)
    design = np.stack([np.clip(x, -20, 40), np.ones_like(x)], axis=1)
    found = np.array([0.3, 0.0])
    for _ in range(100):
        expected = 1 / (1 + np.exp(-np.clip(design @ found, -30, 30)))
        gradient = design.T @ (weights * (expected - wrong)) + _RIDGE * found
        curvature = (design * (weights * expected * (1 - expected))[:, None]).T @ design
        step = np.linalg.solve(curvature + _RIDGE * np.eye(2), gradient)
        found = found - np.clip(step, -0.5, 0.5)
    return float(found[0]), float(found[1])


def table(outcomes: Sequence[Judged]) -> Table:
    """Verdicts by what is wrong with the record, and by hand and machine."""
    made = Table()
    for name in ("Records", "Items", "Agrees", "Disagrees", "Unread", "Read rightly", "Looks"):
        made.add_column(name, justify="left" if name == "Records" else "right")
    parts: dict[str, list[Judged]] = {}
    for one in outcomes:
        how = "by hand" if one.hand else "printed"
        parts.setdefault(f"wrong: {one.error}" if one.error else f"right, {how}", []).append(one)
    for name, part in sorted(parts.items()):
        said = Counter(one.verdict for one in part)
        right = sum(one.read == one.written for one in part)
        made.add_row(
            name, str(len(part)), str(said["agrees"]), str(said["disagrees"]),
            str(said["unread"]), f"{100 * right / len(part):.1f} %",
            f"{sum(one.looks for one in part) / len(part):.1f}",
        )  # fmt: skip
    return made


def trade_off(outcomes: Sequence[Judged]) -> Table:
    """What other thresholds of the rule would flag."""
    made = Table(title="Flagged from other odds on")
    for name in ("Odds", "Wrong records", "Right records"):
        made.add_column(name, justify="right")
    parts = _parted(outcomes)
    for least in (-4.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0):
        shares = (sum(one.evidence >= least for one in part) / max(len(part), 1) for part in parts)
        made.add_row(f"{least:g}", *(f"{100 * share:.1f} %" for share in shares))
    return made


def _parted(outcomes: Sequence[Judged]) -> tuple[list[Judged], list[Judged]]:
    return [one for one in outcomes if one.error], [one for one in outcomes if not one.error]
