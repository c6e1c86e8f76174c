"""What came of synthetic cash letters: verdicts, and what other thresholds give."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich.table import Table

from service.pipeline.card import RecordRule
from service.pipeline.stated import verdict_of
from service.x9.evidence import is_number


@dataclass(frozen=True, slots=True)
class Judged:
    """One item, read: what its record states, what is written, what was found.

    error: the kind of error in the record, "" for none. read: the likeliest amount over all looks.
    likeliest: its posterior, uncalibrated. found, penalty, odds, looks: as in `Stated`. numbers: of
    the codeline.
    """

    seed: int
    hand: bool
    error: str
    written: int
    stated: int
    read: int | None
    confidence: float
    likeliest: float
    found: float
    penalty: float
    odds: float | None
    looks: int
    defects: tuple[str, ...]
    numbers: tuple[str, ...]
    verdict: str

    def evidence(self, rule: RecordRule) -> float:
        """The evidence that the record is wrong, as far as it counts; -infinity for none."""
        if self.odds is None or is_number(self.read, self.numbers):
            return -math.inf
        return rule.evidence(self.odds, self.likeliest)


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
        verdict = verdict_of(one.odds, one.likeliest, one.found, rule)
        taken = verdict == "disagrees" and is_number(one.read, one.numbers)
        found.append(replace(one, verdict="unread" if taken else verdict))
    return found


def flagged(outcomes: Sequence[Judged]) -> tuple[int, int, int, int]:
    """Wrong records flagged, of how many; right ones flagged, of how many."""
    wrong, right = _parted(outcomes)
    count = [sum(one.verdict == "disagrees" for one in part) for part in (wrong, right)]
    return count[0], len(wrong), count[1], len(right)


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


def trade_off(outcomes: Sequence[Judged], rule: RecordRule) -> Table:
    """What other thresholds of the rule would flag."""
    made = Table(title="Flagged from other evidence on")
    for name in ("Evidence", "Wrong records", "Right records"):
        made.add_column(name, justify="right")
    parts = _parted(outcomes)
    for more in (-2.0, -1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0):
        least = rule.flagged + more
        shares = (
            sum(one.evidence(rule) >= least for one in part) / max(len(part), 1) for part in parts
        )
        made.add_row(f"{least:.2f}", *(f"{100 * share:.1f} %" for share in shares))
    return made


def _parted(outcomes: Sequence[Judged]) -> tuple[list[Judged], list[Judged]]:
    return [one for one in outcomes if one.error], [one for one in outcomes if not one.error]
