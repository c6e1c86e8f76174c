"""The model card, the recognizer behind it and the penalties on the recognition graph."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from service.errors import ModelError
from service.pipeline.card import load_card
from service.pipeline.recognize import OnnxRecognizer, against_rubbish
from service.pipeline.segment import FEATURES

LABELS = ["0", "1", ""]


def write_model(folder: Path, **changes: Any) -> None:
    """A model whose penalty for label k is k times the mean ink of the crop."""
    weights = helper.make_tensor("weights", TensorProto.FLOAT, [1, 3], [0.0, 1.0, 2.0])
    axes = helper.make_tensor("axes", TensorProto.INT64, [2], [1, 2])
    shape = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 1])
    nodes = [
        helper.make_node("Cast", ["crops"], ["x"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["x", "axes"], ["mean"]),
        helper.make_node("Reshape", ["mean", "shape"], ["column"]),
        helper.make_node("MatMul", ["column", "weights"], ["penalties"]),
    ]
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("crops", TensorProto.UINT8, ["n", 32, 32])],
        [helper.make_tensor_value_info("penalties", TensorProto.FLOAT, ["n", 3])],
        [weights, axes, shape],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, str(folder / "model.onnx"))
    card = {
        "name": "test",
        "version": "1",
        "sha256": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest(),
        "labels": LABELS,
        "placement": {
            "normal": 20.0, "largest": 28.0, "size_damping": 0.5, "offset_damping": 0.35,
        },
        "weights": {
            "segment": dict.fromkeys(FEATURES, 0.0),
            "symbol": 0.0, "stray": 0.3, "stray_ink": 25.0, "null": 3.0,
        },
        "calibration": {"slope": 1.0, "shift": 0.0},
    }  # fmt: skip
    (folder / "card.json").write_text(json.dumps({**card, **changes}))


def test_penalties_of_a_batch_and_of_none(tmp_path: Path) -> None:
    write_model(tmp_path)
    recognizer = OnnxRecognizer(tmp_path, load_card(tmp_path))
    crops = np.zeros((2, 32, 32), np.uint8)
    crops[1] = 10
    assert recognizer.labels == ("0", "1", "")
    assert recognizer.penalties(crops).tolist() == [[0, 0, 0], [0, 10, 20]]
    assert recognizer.penalties(crops[:0]).shape == (0, 3)


def test_weights_that_are_not_the_cards_are_refused(tmp_path: Path) -> None:
    write_model(tmp_path)
    with (tmp_path / "model.onnx").open("ab") as file:
        file.write(b"x")
    with pytest.raises(ModelError, match="sha256"):
        load_card(tmp_path)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"labels": ["0", "", "1"]}, "rubbish last"),
        ({"labels": ["0", "0", ""]}, "once"),
        ({"placement": {}}, "malformed"),
        ({"calibration": None}, "malformed"),
    ],
)
def test_a_malformed_card_is_refused(tmp_path: Path, changes: dict[str, Any], said: str) -> None:
    write_model(tmp_path, **changes)
    with pytest.raises(ModelError, match=said):
        load_card(tmp_path)


def test_a_network_with_other_outputs_than_the_card_is_refused(tmp_path: Path) -> None:
    write_model(tmp_path, labels=["0", "1", "2", ""])
    with pytest.raises(ModelError, match="outputs"):
        OnnxRecognizer(tmp_path, load_card(tmp_path))


def test_no_model_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no usable model"):
        load_card(tmp_path)


def test_log_odds_compare_segmentations() -> None:
    """A path's penalty is that of its segments as characters and all others as rubbish."""
    rng = np.random.default_rng(1)
    probabilities = rng.dirichlet(np.ones(4), size=3)
    penalties = -np.log(probabilities).astype(np.float32)
    odds = against_rubbish(penalties, np.zeros(3, np.float32))
    # Segment 0 covers what segments 1 and 2 cover together.
    whole = odds[0, 2]
    parts = odds[1, 0] + odds[2, 1]
    joint_whole = penalties[0, 2] + penalties[1, 3] + penalties[2, 3]
    joint_parts = penalties[0, 3] + penalties[1, 0] + penalties[2, 1]
    assert whole - parts == pytest.approx(joint_whole - joint_parts, abs=1e-5)


def test_stray_ink_costs_what_the_card_says() -> None:
    penalties = np.zeros((2, 3), np.float32)
    odds = against_rubbish(penalties, np.array([0.3, 5.0], np.float32), symbol=0.1)
    assert odds[:, -1].tolist() == pytest.approx([0.3, 5.0])
    assert odds[:, :-1] == pytest.approx(0.1)
