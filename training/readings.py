"""Reads a folder of images with a model and judges the readings against their truth."""

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np

from service.errors import InputError
from service.pipeline.reader import ChequeReader, Reading
from training import curves
from training.adapt import amounts_of
from training.forced import STAGES, Examiner, Stage
from training.pictures import Wrong, montage
from training.scoring import Judged, Scores, load_truth, score


def read_folder(
    reader: ChequeReader, images: Path, truth: dict[str, str], *, field_only: bool
) -> Iterator[tuple[str, Reading | None]]:
    """Each file of the truth with its reading, None where the image was refused."""
    for file in truth:
        try:
            yield file, reader.read((images / file).read_bytes(), field_only=field_only)
        except InputError:
            yield file, None


def judge(file: str, expected: str, key: str, reading: Reading | None) -> Judged:
    """A reading beside its truth; key: the attribute compared, digits or amount_minor."""
    if reading is None:
        return Judged(file, expected, "", 0.0, accepted=False)
    said = getattr(reading, key)
    return Judged(
        file,
        expected,
        "" if said is None else str(said),
        reading.confidence,
        accepted=reading.decision == "accept",
    )


def to_json(file: str, reading: Reading | None) -> str:
    """One line of JSON with all that a reading holds, without its end."""
    held = {} if reading is None else asdict(reading)
    return json.dumps({"file": file, **held}, ensure_ascii=False)


def wrong_reading(images: Path, one: Judged, reading: Reading | None) -> Wrong:
    """What the montage shows of a wrong reading."""
    read = "nothing" if reading is None else reading.text or "nothing"
    boxes = () if reading is None else tuple(symbol.box for symbol in reading.symbols)
    title = f"{one.expected or 'no amount'} : {read}  {one.confidence:.2f}"
    return Wrong((images / one.file).read_bytes(), title, boxes)


def evaluate_folder(
    model: Path,
    images: Path,
    truth: Path,
    out: Path,
    *,
    field_only: bool = False,
    progress: Callable[[int, int], None] = lambda _done, _total: None,
) -> tuple[Scores, dict[str, int]]:
    """Read the files of a truth.csv; returns the scores and the number of errors of each stage.

    They are readings.jsonl, scores.json, wrong-STAGE.png with the wrong readings that each stage is
    to blame for and, of the images that hold an amount, reliability.png and risk_coverage.png.
    Raises ValueError for an unusable truth, FileNotFoundError where one of its images is missing.
    """
    expected, key = load_truth(truth)
    reader = ChequeReader(model)
    judged: list[Judged] = []
    wrong: dict[str, list[Wrong]] = {stage: [] for stage in ("accepted", *STAGES)}
    examiner = Examiner(model)
    out.mkdir(parents=True, exist_ok=True)
    with (out / "readings.jsonl").open("w", encoding="utf-8") as lines:
        for file, reading in read_folder(reader, images, expected, field_only=field_only):
            lines.write(to_json(file, reading) + "\n")
            one = judge(file, expected[file], key, reading)
            judged.append(one)
            if one.expected == "" and one.accepted:
                wrong["accepted"].append(wrong_reading(images, one, reading))
            elif one.expected != "" and not one.correct:
                fault = _fault(examiner, images / file, one.expected, key, field_only=field_only)
                wrong[fault].append(wrong_reading(images, one, reading))
            progress(len(judged), len(expected))
    scores = score(judged)
    blamed = {stage: len(some) for stage, some in wrong.items()}
    told = asdict(scores) | {"blamed": blamed}
    (out / "scores.json").write_text(json.dumps(told, indent=1) + "\n")
    for stage, some in wrong.items():
        picture = out / f"wrong-{stage}.png"
        picture.unlink(missing_ok=True)
        if some:
            montage(some, picture)
    rows = [one for one in judged if one.expected != ""]
    shown = curves.Judged(
        "readings",
        np.array([one.confidence for one in rows]),
        np.array([one.correct for one in rows], bool),
        len(rows),
    )
    curves.reliability_picture([shown], images.name, out / "reliability.png")
    curves.risk_coverage_picture([shown], images.name, out / "risk_coverage.png")
    return scores, blamed


def _fault(examiner: Examiner, image: Path, label: str, key: str, *, field_only: bool) -> Stage:
    """The stage to blame for a wrong reading; an image that cannot be used has no field."""
    try:
        amounts = amounts_of(label, key)
        return examiner.fault(image.read_bytes(), amounts, field_only=field_only).stage
    except InputError:
        return "field"
