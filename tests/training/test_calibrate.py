"""The calibration on synthetic material, with a stand-in for what makes and reads it."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from service.pipeline.card import Calibration, Tally, load_card
from service.pipeline.decision import largest_acceptance
from service.settings import load_settings
from training import calibrate
from training.__main__ import app
from training.calibrate import (
    FIRST_SEED,
    Accepted,
    Job,
    Kind,
    Outcome,
    accepted_of,
    cautious,
    jobs,
    read_synthetic,
    state_of,
)
from training.dataset import Sources

SOURCES = Sources(Path(), None)


class StandIn:
    """Draws outcomes whose posteriors tell the truth; every tenth cheque holds no amount."""

    read_so_far: list[Job]

    def __init__(self, *_: object) -> None:
        pass

    def read(self, job: Job) -> Outcome:
        """The outcome of a seed."""
        self.read_so_far.append(job)
        kind, seed = job
        rng = np.random.default_rng([seed, len(kind)])
        posterior = float(1 / (1 + np.exp(-rng.normal(5, 2.5))))
        said = 500 if rng.random() < posterior else 501
        expected = None if kind == "cheque" and seed % 10 == 0 else 500
        return Outcome(
            kind, seed, bool(seed % 2), expected, said if expected else None,
            posterior if expected else 0.0, expected is not None,
        )  # fmt: skip


@pytest.fixture(autouse=True)
def desk(monkeypatch: pytest.MonkeyPatch) -> type[StandIn]:
    """The stand-in, in place of images made and read."""
    StandIn.read_so_far = []
    monkeypatch.setattr(calibrate, "Desk", StandIn)
    return StandIn


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped model."""
    return Path(shutil.copytree(load_settings().model_dir, tmp_path / "models" / "amounts" / "1"))


def test_what_was_read_is_not_read_again(desk: type[StandIn], tmp_path: Path) -> None:
    kept = tmp_path / "runs" / "outcomes.jsonl"
    first = read_synthetic(tmp_path, SOURCES, jobs(4, 3, 0), kept)
    assert [(one.kind, one.seed) for one in first] == jobs(4, 3, 0)
    assert jobs(1, 1, 7) == [("field", FIRST_SEED + 7), ("cheque", FIRST_SEED + 7)]
    assert jobs(0, 0, 7, 2) == [("scattered", FIRST_SEED + 7), ("scattered", FIRST_SEED + 8)]
    whole = kept.read_text()
    kept.write_text(whole[:-30])  # the last line is cut short
    desk.read_so_far = []
    seen: list[int] = []
    again = read_synthetic(tmp_path, SOURCES, jobs(5, 3, 0), kept, progress=seen.append)
    assert desk.read_so_far == [("field", FIRST_SEED + 4), ("cheque", FIRST_SEED + 2)]
    assert again[:4] + again[5:] == first
    assert seen == [6, 7, 8]
    desk.read_so_far = []
    assert read_synthetic(tmp_path, SOURCES, jobs(5, 3, 0), kept) == again
    assert desk.read_so_far == []


def test_readings_of_another_reader_are_not_kept(model: Path) -> None:
    before = state_of(model)
    path = model / "card.json"
    card = json.loads(path.read_text())
    path.write_text(json.dumps({**card, "scores": {"new": 1}, "calibrated_on": "other"}))
    assert state_of(model) == before
    path.write_text(json.dumps({**card, "weights": {**card["weights"], "null": 3.0}}))
    assert state_of(model) != before


def test_the_command_calibrates_the_model_in_place_or_a_new_version(
    model: Path, tmp_path: Path
) -> None:
    given = [
        "calibrate", "--model", model, "--fields", 700, "--cheques", 500, "--workers", 1,
        "--data", tmp_path, "--runs", tmp_path / "runs", "--seed", 3,
    ]  # fmt: skip
    old = json.loads((model / "card.json").read_text())
    to = model.parent / "2"
    first = CliRunner().invoke(app, [str(one) for one in [*given, "--to", to]])
    assert first.exit_code == 0, first.output
    assert json.loads((model / "card.json").read_text()) == old
    assert load_card(to).model_version == "amounts/2"
    second = CliRunner().invoke(app, [str(one) for one in given])
    assert second.exit_code == 0, second.output
    card, new = load_card(model), json.loads((model / "card.json").read_text())
    assert card.calibration == load_card(to).calibration
    assert card.field_calibration == load_card(to).field_calibration
    for fit, candidates in ((card.calibration, 450), (card.field_calibration, 700)):
        assert fit.slope == pytest.approx(1, abs=0.25)
        assert fit.shift == pytest.approx(0, abs=0.8)
        assert fit.tally is not None
        assert fit.tally.candidates == candidates
    sources = new["calibrated_on"]
    read = {name: sources[name]["images"] for name in ("calibration", "field_calibration")}
    assert read == {"calibration": 500, "field_calibration": 700}
    assert sources["calibration"]["by_hand"] == 250
    assert new["weights"] == old["weights"]
    (folder,) = (tmp_path / "runs" / "calibration").iterdir()
    held = json.loads((folder / "calibration.json").read_text())
    assert folder.name == sources["calibration"]["reader"]
    at_5 = largest_acceptance(card.calibration, 0.05)
    assert at_5 is not None
    accepted = held["cheque"]["accepted_at"]
    assert accepted["0.05"]["accepted"] == at_5.accepted
    assert accepted["0.05"]["share"] == pytest.approx(at_5.accepted / 500)
    assert accepted["0.001"] is None
    for picture in ("reliability.png", "risk_coverage.png"):
        assert (folder / picture).stat().st_size > 10_000
    third = CliRunner().invoke(app, [str(one) for one in [*given, "--to", to]])
    assert third.exit_code == 2
    assert "is there already" in third.output


def test_too_few_images_are_refused_before_any_is_read(
    desk: type[StandIn], model: Path, tmp_path: Path
) -> None:
    result = CliRunner().invoke(
        app,
        ["calibrate", "--model", str(model), "--fields", "400", "--cheques", "298", "--data",
         str(tmp_path), "--runs", str(tmp_path)],
    )  # fmt: skip
    assert result.exit_code == 2
    assert "299 are needed" in " ".join(result.output.split())
    assert desk.read_so_far == []


def test_confidences_are_fitted_on_the_other_half() -> None:
    def outcome(posterior: float, right: bool) -> Outcome:
        return Outcome("field", 0, True, 1, 1 if right else 2, posterior, True)

    # Of one half 90 % are right, of the other 60 %.
    both = [[outcome(0.9, n % 10 != 0), outcome(0.9, n % 5 > 1)] for n in range(300)]
    halves = [one for pair in both for one in pair]
    shown = calibrate.crosswise(halves, "fields")
    assert (shown.right[:300].mean(), shown.right[300:].mean()) == (0.9, 0.6)
    assert shown.confidences[:300] == pytest.approx(0.6, abs=0.01)
    assert shown.confidences[300:] == pytest.approx(0.9, abs=0.01)


def test_what_is_accepted_of_fresh_images_is_counted_by_kind(model: Path) -> None:
    counted = Tally(1000, (4.0, 2.0), (400, 700), (0, 20))
    card = replace(load_card(model), calibration=Calibration(1.0, 0.0, counted), doubts=None)

    def one(
        hand: bool,
        expected: int | None,
        said: int,
        logit: float,
        hangs: bool,
        kind: Kind = "cheque",
    ) -> Outcome:
        return Outcome(kind, 0, hand, expected, said, 1 / (1 + math.exp(-logit)), hangs)

    outcomes = [
        one(True, 100, 100, 5.0, True),  # accepted
        one(True, 100, 200, 4.5, True),  # accepted and wrong
        one(True, 100, 100, 3.0, True),  # below the threshold
        one(True, 100, 100, 9.0, False),  # rejected for another reason
        one(False, 100, 100, 6.0, True),  # accepted
        one(True, None, 100, 7.0, True),  # holds no amount: wrong
        one(False, 100, 100, 6.0, True, "scattered"),  # calibrated as all cheques are
        one(False, 100, 100, 3.0, True, "scattered"),
    ]
    assert accepted_of(outcomes, card, 0.01) == [
        Accepted("cheques by hand", 4, 3, 2, 1),
        Accepted("cheques printed", 1, 1, 1, 0),
        Accepted("cheques to refuse", 1, 0, 1, 1),
        Accepted("scattered cheques printed", 2, 2, 1, 0),
    ]
    assert sum(each.accepted for each in accepted_of(outcomes, card, 0.0001)) == 0


def test_errors_on_synthetic_material_count_for_more() -> None:
    counted = Tally(1000, (4.0, 2.0, 1.0), (400, 700, 701), (0, 21, 22))
    held = cautious(Calibration(0.8, 0.3, counted, 0.2))
    assert held.tally == Tally(1000, (4.0, 2.0, 1.0), (400, 700, 701), (0, 27, 28))
    assert (held.slope, held.shift, held.bend) == (0.8, 0.3, 0.2)
    assert cautious(Calibration(1.0, 0.0)) == Calibration(1.0, 0.0)
    all_wrong = Calibration(1.0, 0.0, Tally(9, (1.0,), (3,), (3,)))
    assert cautious(all_wrong) == all_wrong
