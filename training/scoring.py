"""Readings against true amounts, as banks count them: correct, error and reject rates."""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Judged:
    """One reading beside its truth.

    file: the image's name. expected: what truth.csv says, digits or minor units; "" where no amount
    must be accepted. said: what was read, "" for nothing. confidence: in [0, 1].
    """

    file: str
    expected: str
    said: str
    confidence: float
    accepted: bool

    @property
    def correct(self) -> bool:
        """Whether the amount is right; a cheque without one is never correct."""
        return self.expected != "" and self.said == self.expected


@dataclass(frozen=True, slots=True)
class Scores:
    """Shares of the cheques that hold an amount, but the last two, which are counts of the others.

    correct_all: read correctly when nothing is rejected. correct, error, reject: at the reader's
    own decisions. read_at_1pct, read_at_01pct: the largest share that can be accepted, most
    confident first, with at most 1 % or 0.1 % of the accepted ones wrong. aurc: area under the
    risk-coverage curve, lower is better.
    """

    n: int
    correct_all: float
    correct: float
    error: float
    reject: float
    read_at_1pct: float
    read_at_01pct: float
    aurc: float
    must_reject: int
    false_accept: int


def load_truth(path: Path) -> tuple[dict[str, str], str]:
    """True amounts by file name, "" for none, and what they are: "digits" or "amount_minor".

    Digits are compared where the file has that column. Raises ValueError where it has neither
    column or no rows.
    """
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    if not rows:
        raise ValueError(f"{path.name} holds no rows")
    key = "digits" if "digits" in rows[0] else "amount_minor"
    if key not in rows[0] or "file" not in rows[0]:
        raise ValueError(f"{path.name} lacks a column file, or digits or amount_minor")
    return {row["file"]: row[key] for row in rows}, key


def score(judged: Iterable[Judged]) -> Scores:
    """Scores of the readings of a set; raises ValueError where none has an amount."""
    every = list(judged)
    rows = [one for one in every if one.expected != ""]
    traps = [one for one in every if one.expected == ""]
    if not rows:
        raise ValueError("no cheque of the set has an amount")
    n = len(rows)
    return Scores(
        n=n,
        correct_all=sum(one.correct for one in rows) / n,
        correct=sum(one.correct and one.accepted for one in rows) / n,
        error=sum(one.accepted and not one.correct for one in rows) / n,
        reject=sum(not one.accepted for one in rows) / n,
        read_at_1pct=read_rate(rows, 0.01),
        read_at_01pct=read_rate(rows, 0.001),
        aurc=area_under_risk(rows),
        must_reject=len(traps),
        false_accept=sum(one.accepted for one in traps),
    )


def read_rate(rows: Sequence[Judged], max_error: float) -> float:
    """Largest share that can be accepted with at most max_error of it wrong.

    Readings of equal confidence are accepted or left together; confidence 0 is never accepted.
    """
    ordered = sorted(rows, key=lambda one: -one.confidence)
    best = wrong = 0
    for count, one in enumerate(ordered, 1):
        wrong += not one.correct
        tied = count < len(ordered) and ordered[count].confidence == one.confidence
        if not tied and one.confidence > 0 and wrong <= max_error * count:
            best = count
    return best / len(rows)


def area_under_risk(rows: Sequence[Judged]) -> float:
    """Mean over all coverages of the share of wrong ones among the most confident."""
    total = wrong = 0.0
    for count, one in enumerate(sorted(rows, key=lambda one: -one.confidence), 1):
        wrong += not one.correct
        total += wrong / count
    return total / len(rows)
