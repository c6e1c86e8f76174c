"""The card that the export writes is one that the service reads."""

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

import pytest

from service.pipeline.card import Calibration, Tally, load_card
from service.pipeline.segment import FEATURES
from training.card import UNFITTED_CALIBRATION, UNFITTED_WEIGHTS, build_card, chain_of
from training.data.fonts import SOURCES
from training.dataset import LABELS, PLACEMENT


def test_the_service_reads_it(tmp_path: Path) -> None:
    card = build_card(
        "amounts", "7", LABELS, PLACEMENT,
        training={"seed": 0}, weights=UNFITTED_WEIGHTS, calibration=Calibration(0.9, -0.1),
    )  # fmt: skip
    (tmp_path / "model.onnx").write_bytes(b"weights")
    digest = hashlib.sha256(b"weights").hexdigest()
    (tmp_path / "card.json").write_text(json.dumps({**card, "sha256": digest}))
    held = load_card(tmp_path)
    assert held.model_version == "amounts/7"
    assert held.labels == LABELS
    assert held.placement == PLACEMENT
    assert held.calibration == Calibration(0.9, -0.1)
    assert len(held.segment_weights) == len(FEATURES)


def test_it_names_every_set_and_font_with_its_licence() -> None:
    card = build_card(
        "amounts", "7", LABELS, PLACEMENT,
        training={}, weights=UNFITTED_WEIGHTS, calibration=UNFITTED_CALIBRATION,
    )  # fmt: skip
    assert {one["set"] for one in card["data"]} >= {"mnist", "unipen", "hasyv2", "kensanata"}
    assert all(one["licence"] for one in card["data"])
    named = {name for names in card["fonts"].values() for name in names}
    assert named == {source.name for source in SOURCES if source.split == "train"}


def test_it_names_only_what_was_used() -> None:
    card = build_card(
        "lenet5", "1", ("0", ""), PLACEMENT, training={}, weights=UNFITTED_WEIGHTS,
        calibration=UNFITTED_CALIBRATION, only_mnist=True,
    )  # fmt: skip
    assert [one["set"] for one in card["data"]] == ["mnist"]
    assert card["fonts"] == {}


def test_segment_weights_in_another_order_are_refused() -> None:
    weights = {**UNFITTED_WEIGHTS, "segment": dict.fromkeys(reversed(FEATURES), 0.0)}
    with pytest.raises(ValueError, match="features"):
        build_card(
            "amounts", "7", LABELS, PLACEMENT,
            training={}, weights=weights, calibration=UNFITTED_CALIBRATION,
        )  # fmt: skip


def test_the_chain_of_an_earlier_card_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    weights = {**UNFITTED_WEIGHTS, "null": 9.0}
    counted = Calibration(2.0, 1.0, Tally(9, (3.0,), (8,), (1,)))
    path.write_text(json.dumps({"weights": weights, "calibration": asdict(counted), "x": 1}))
    assert chain_of(path) == (weights, Calibration(2.0, 1.0))
    assert chain_of(None) == (UNFITTED_WEIGHTS, UNFITTED_CALIBRATION)
