"""Calibrations in the card of a model, and what the reader makes of them."""

import json
import math
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from service.errors import ModelError
from service.pipeline.card import (
    Calibration,
    Doubts,
    Fitted,
    RecordRule,
    Tally,
    load_card,
    recalibrate,
    write_doubts,
    write_record_rule,
    write_version,
)
from service.pipeline.decision import uncalibrated
from service.pipeline.field_features import FEATURES, WEIGHTS
from service.pipeline.reader import ChequeReader
from service.settings import load_settings

MODEL = load_settings().model_dir
SAMPLES = Path(__file__).resolve().parents[2] / "samples"
CHEQUE = (SAMPLES / "us-personal-04.tif").read_bytes()


def _crop() -> bytes:
    """A cropped amount, printed."""
    page = np.full((60, 300), 255, np.uint8)
    cv2.putText(page, "1,234.56", (20, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 2)
    return bytes(cv2.imencode(".png", page)[1])


CROP = _crop()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A copy of the shipped model without any tally, as one that was just exported."""
    folder = Path(shutil.copytree(MODEL, tmp_path / "1"))
    card = json.loads((folder / "card.json").read_text())
    card.pop("field_calibration", None)
    card |= {"calibration": {"slope": 1.25, "shift": -0.5}, "calibrated_on": "an earlier sample"}
    (folder / "card.json").write_text(json.dumps(card))
    return folder


def test_a_card_without_a_tally_accepts_nothing(model: Path) -> None:
    card = load_card(model)
    assert card.calibration == card.field_calibration == Calibration(1.25, -0.5)
    for field_only in (False, True):
        image = CROP if field_only else CHEQUE
        reading = ChequeReader(model).read(image, max_error=0.5, field_only=field_only)
        assert (reading.decision, reading.reject_reason) == ("reject", "not_calibrated")


def test_the_reader_accepts_what_the_sample_supports(model: Path) -> None:
    before = ChequeReader(model).read(CHEQUE)
    posterior = uncalibrated(before.confidence, Calibration(1.25, -0.5))
    logit = math.log(posterior / (1 - posterior))
    counted = Tally(1000, (logit + 0.1, logit - 0.1), (400, 700), (0, 20))
    recalibrate(model, Fitted(Calibration(0.8, 0.3, counted), {"images": 1000}, field_only=False))
    reader = ChequeReader(model, max_error=0.05)
    decided = {
        bound: reader.read(CHEQUE, max_error=bound).reject_reason
        for bound in (None, 0.05, 0.01, 0.001)
    }
    assert decided == {
        None: None, 0.05: None, 0.01: "low_confidence", 0.001: "error_bound_unsupported",
    }  # fmt: skip
    assert reader.read(CHEQUE).decision == "accept"
    assert reader.read(CROP, field_only=True).reject_reason == "not_calibrated"
    card = load_card(model)
    assert card.calibration == Calibration(0.8, 0.3, counted)
    assert card.field_calibration == Calibration(1.25, -0.5)


@pytest.mark.parametrize("name", ["us-personal-04.tif", "us-photo-01.jpg", "us-blank-01.jpg"])
def test_another_calibration_changes_no_reading(model: Path, name: str) -> None:
    data = (SAMPLES / name).read_bytes()
    turned = ChequeReader(model).read(data)
    doubting = Calibration(0.4, -4.0)
    recalibrate(model, Fitted(doubting, {}, field_only=False))
    other = ChequeReader(model).read(data)
    assert (other.amount_minor, other.field_box) == (turned.amount_minor, turned.field_box)
    assert uncalibrated(other.confidence, doubting) == pytest.approx(
        uncalibrated(turned.confidence, Calibration(1.25, -0.5))
    )


def test_a_version_keeps_all_but_what_is_fitted(model: Path, tmp_path: Path) -> None:
    path = model / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "grammar": {"weights": [1, 2]}}))
    (model / "notes.txt").write_text("kept")
    counted = Calibration(1.1, 0.1, Tally(9, (2.0, 1.5), (5, 9), (0, 1)))
    write_version(model, tmp_path / "2", Fitted(counted, {"images": 9}, field_only=True))
    old, new = (json.loads((tmp_path / one / "card.json").read_text()) for one in ("1", "2"))
    changed = {"version", "field_calibration", "calibrated_on"}
    assert {name for name in new if new[name] != old.get(name)} == changed
    assert new["calibrated_on"] == {"field_calibration": {"images": 9}}
    assert load_card(tmp_path / "2").field_calibration == counted
    assert (tmp_path / "2" / "notes.txt").read_text() == "kept"
    with pytest.raises(FileExistsError):
        write_version(model, tmp_path / "2", Fitted(counted, {}, field_only=True))


@pytest.mark.parametrize(
    "calibration",
    [
        {"slope": 0.0, "shift": 0.0},
        {"slope": 1.0},
        {"slope": 1.0, "shift": math.nan},
        {"slope": 1.0, "shift": 0.0, "tally": {"candidates": 9}},
        {
            "slope": 1.0,
            "shift": 0.0,
            "tally": {"candidates": 9, "logits": [1.0], "accepted": [4], "wrong": [5]},
        },
    ],
)
def test_an_impossible_calibration_is_refused(model: Path, calibration: object) -> None:
    path = model / "card.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "calibration": calibration}))
    with pytest.raises(ModelError, match="malformed"):
        load_card(model)


def test_a_rule_for_records_is_kept_in_the_card(model: Path) -> None:
    rule = RecordRule(0.9, 0.3, 1.25, 0.01, 2.5)
    before = load_card(model)
    write_record_rule(model, rule, {"items": 700})
    after = load_card(model)
    assert after.record_rule == rule
    assert after.calibration == before.calibration
    raw = json.loads((model / "card.json").read_text())
    assert raw["calibrated_on"]["record_rule"] == {"items": 700}
    raw["record_rule"]["prior"] = 1.5
    (model / "card.json").write_text(json.dumps(raw))
    with pytest.raises(ModelError, match="malformed"):
        load_card(model)


def test_doubts_are_kept_in_the_card(model: Path) -> None:
    doubts = Doubts(1.4, 0.9, -6.5, (2.25, 2.0, 0.25, 2.5, 2.0, 0.0, 0.0, 0.0))
    write_doubts(model, doubts, {"images": 4000})
    assert load_card(model).doubts == doubts
    raw = json.loads((model / "card.json").read_text())
    assert raw["calibrated_on"]["doubts"] == {"images": 4000}
    for newer in ("unplaced", "zeros", "unsaid"):  # of cards that are older
        del raw["doubts"]["weights"][newer]
    (model / "card.json").write_text(json.dumps(raw))
    assert load_card(model).doubts == doubts
    del raw["doubts"]["weights"]["plain"]
    (model / "card.json").write_text(json.dumps(raw))
    with pytest.raises(ModelError, match="malformed"):
        load_card(model)


def test_a_card_without_weights_of_new_features_locates_without_them(model: Path) -> None:
    card = json.loads((model / "card.json").read_text())
    old = {name: weight for name, weight in WEIGHTS.items() if not name.startswith("map_")}
    card["weights"]["field"] = old
    (model / "card.json").write_text(json.dumps(card))
    held = dict(zip(FEATURES, load_card(model).field_weights, strict=True))
    assert held == WEIGHTS | {name: 0.0 for name in WEIGHTS if name not in old}
    assert ChequeReader(model).read(CHEQUE).amount_minor == 205000


def test_a_swept_network_that_is_not_the_cards_is_refused(model: Path) -> None:
    with (model / "swept.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelError, match=r"swept\.onnx in .* is not the file its card describes"):
        load_card(model)
    (model / "swept.onnx").unlink()
    with pytest.raises(ModelError, match="no usable model"):
        load_card(model)


def test_a_model_without_a_swept_network_reads_by_segments_alone(model: Path) -> None:
    card = json.loads((model / "card.json").read_text())
    del card["swept"]
    (model / "card.json").write_text(json.dumps(card))
    (model / "swept.onnx").unlink()
    reading = ChequeReader(model).read(CROP, field_only=True, evidence=True)
    assert reading.digits == "123456"
    assert reading.evidence is not None
    assert all(len(ways) == 1 for ways in reading.evidence.looks)
    both = ChequeReader(MODEL).read(CROP, field_only=True, evidence=True)
    assert both.digits == "123456"
    assert both.evidence is not None
    assert all(len(ways) == 2 for ways in both.evidence.looks)


def test_a_network_in_eight_bits_that_is_not_the_cards_is_refused(model: Path) -> None:
    card = json.loads((model / "card.json").read_text())
    with (model / "swept.int8.onnx").open("ab") as file:
        file.write(b" ")
    with pytest.raises(ModelError, match=r"swept\.int8\.onnx in .* is not the file"):
        load_card(model)
    del card["quantized"]["swept.int8.onnx"]
    (model / "card.json").write_text(json.dumps(card))
    assert [load_card(model).network(name) for name in ("model.onnx", "swept.onnx")] == [
        "model.int8.onnx", "swept.onnx",
    ]  # fmt: skip
    card["quantized"]["other.onnx"] = "0"
    (model / "card.json").write_text(json.dumps(card))
    with pytest.raises(ModelError, match="malformed"):
        load_card(model)
