"""The report on a model's recognizer: measured, written down, drawn, put into its card."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from service.pipeline.card import card_text, load_card
from service.pipeline.recognize import OnnxRecognizer
from training.evaluate import (
    TESTS,
    RubbishResult,
    SetResult,
    evaluate_rubbish,
    evaluate_sets,
    milliseconds,
)
from training.pictures import confusion_picture, curve_picture
from training.synth.field import FieldMaker


@dataclass(frozen=True, slots=True)
class Report:
    """What a recognizer can do; milliseconds: of one call with 100 crops on one core."""

    model_version: str
    labels: tuple[str, ...]
    sets: tuple[SetResult, ...]
    rubbish: RubbishResult | None
    milliseconds: float


def characters(
    model: Path,
    data: Path,
    fonts: Path | None,
    fields: int,
    progress: Callable[[int, int, str], None],
) -> Report:
    """Measure a model on every set and on synthetic fields of writers held out as valid.

    fields: how many, 0 for none. progress: called with steps done, steps in all, the next one.
    """
    card = load_card(model)
    recognizer = OnnxRecognizer(model, card)
    steps = [one.title for one in TESTS] + ["synthetic fields"] * (fields > 0)
    progress(0, len(steps), steps[0])
    results = []
    for done, result in enumerate(evaluate_sets(recognizer, card.placement, data), 1):
        results.append(result)
        progress(done, len(steps), steps[done] if done < len(steps) else "")
    rubbish = None
    if fields:
        maker = FieldMaker.load(data, fonts, "valid")
        rubbish = evaluate_rubbish(recognizer, card.placement, maker, range(fields))
        progress(len(steps), len(steps), "")
    return Report(
        card.model_version, card.labels, tuple(results), rubbish, milliseconds(recognizer)
    )


def as_scores(report: Report) -> dict[str, Any]:
    """The report's numbers for the card: errors in per cent, by set."""
    scores: dict[str, Any] = {
        "errors_percent": {
            one.title: {
                "characters": one.count,
                "error": _percent(one.error),
                "error_of_all_labels": _percent(one.error_free),
            }
            for one in report.sets
        },
        "milliseconds_100_crops": round(report.milliseconds, 2),
    }
    if report.rubbish is not None:
        scores["rubbish"] = {
            "characters": report.rubbish.characters,
            "non_characters": report.rubbish.others,
            "accepted_percent_at_1_percent_rejected": _percent(report.rubbish.accepted),
            "error_percent": _percent(report.rubbish.error),
        }
    return scores


def write(report: Report, folder: Path, log: Path | None) -> None:
    """Write scores.json, scores.md, a confusion matrix a set and the learning curve to a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    scores = {"model": report.model_version, **as_scores(report)}
    (folder / "scores.json").write_text(json.dumps(scores, indent=1) + "\n")
    (folder / "scores.md").write_text(as_markdown(report))
    every = np.zeros((len(report.labels), len(report.labels)), np.int64)
    for one in report.sets:
        if not one.title.endswith(" all"):
            every += one.confusion
        name = one.title.replace(" ", "-")
        confusion_picture(
            one.confusion, report.labels, f"{report.model_version}: {one.title}",
            folder / f"confusion-{name}.png",
        )  # fmt: skip
    confusion_picture(
        every, report.labels, f"{report.model_version}: all test sets", folder / "confusion.png"
    )
    if log is not None:
        curve_picture(log, folder / "curve.png")


def as_markdown(report: Report) -> str:
    """The report as a table, one row a set."""
    lines = [
        f"Model {report.model_version}.",
        "",
        "| set | characters | error % | error % of all labels, rubbish among them |",
        "| --- | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {one.title} | {one.count:,} | {_percent(one.error):.2f} "
        f"| {_percent(one.error_free):.2f} |"
        for one in report.sets
    ]
    lines.append("")
    if report.rubbish is not None:
        lines.append(
            f"Non-characters accepted where 1 % of characters is rejected: "
            f"{_percent(report.rubbish.accepted):.2f} % of {report.rubbish.others:,}, beside "
            f"{report.rubbish.characters:,} characters, of which "
            f"{_percent(report.rubbish.error):.2f} % are wrong."
        )
    lines.append(f"100 crops in one call: {report.milliseconds:.2f} ms.")
    return "\n".join(lines) + "\n"


def into_card(report: Report, model: Path) -> None:
    """Put the report's scores into the model's card, beside those of other kinds."""
    path = model / "card.json"
    card = json.loads(path.read_text())
    card["scores"] = {**card.get("scores", {}), **as_scores(report)}
    part = path.with_suffix(".part")
    part.write_text(card_text(card))
    part.replace(path)


def _percent(share: float) -> float:
    return round(100 * share, 3)
