"""Recognizer reports on stand-in recognizers whose errors are known."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from service.pipeline.card import Placement
from training import reports
from training.data.glyphs import GlyphSet
from training.evaluate import (
    RubbishResult,
    SetResult,
    evaluate_set,
    judge_rubbish,
    milliseconds,
    placed_crops,
)

LABELS = ("0", "1", ".", "")


class Told:
    """Reads the label off the crop's first pixel, and how sure it is off the second."""

    labels = LABELS

    def penalties(self, crops: np.ndarray) -> np.ndarray:
        likelihood = np.full((len(crops), len(LABELS)), 0.01, np.float32)
        likelihood[np.arange(len(crops)), crops[:, 0, 0] % len(LABELS)] = 0.5
        likelihood[:, -1] += crops[:, 0, 1] / 255
        return -np.log(likelihood / likelihood.sum(axis=1, keepdims=True)).astype(np.float32)


def crops_of(*said: tuple[int, int]) -> np.ndarray:
    crops = np.zeros((len(said), 32, 32), np.uint8)
    crops[:, 0, :2] = said
    return crops


def test_errors_among_the_sets_kind_and_among_all_labels() -> None:
    crops = crops_of((0, 0), (2, 0), (1, 255), (1, 0))
    got = evaluate_set(Told(), "digits test", crops, np.array([0, 0, 1, 0]))
    assert got.count == 4
    assert got.error == 0.25  # a point is no digit, so "0" is taken for the second crop
    assert got.error_free == 0.75
    assert got.confusion.sum() == 4
    assert got.confusion[0].tolist() == [1, 1, 1, 0]


def test_sets_of_symbols_are_judged_among_symbols_and_mixed_ones_among_all_characters() -> None:
    crops = crops_of((2, 0), (0, 0), (2, 255))
    symbols = evaluate_set(Told(), "symbols", crops, np.array([2, 2, 2]))
    assert (symbols.error, symbols.error_free) == (0, pytest.approx(2 / 3))
    mixed = evaluate_set(Told(), "mixed", crops, np.array([2, 1, 2]))
    assert (mixed.error, mixed.error_free) == (pytest.approx(1 / 3), pytest.approx(2 / 3))


def test_an_empty_set_is_refused() -> None:
    with pytest.raises(ValueError, match="letters"):
        evaluate_set(Told(), "letters", np.zeros((0, 32, 32), np.uint8), np.zeros(0, np.int64))


def test_rubbish_at_one_per_cent_of_characters_rejected() -> None:
    # 200 sure characters but two; of ten non-characters three look like sure characters.
    said = [(1, 0)] * 198 + [(1, 255)] * 2 + [(1, 0)] * 3 + [(3, 255)] * 7
    truth = np.array([1] * 200 + [3] * 10)
    got = judge_rubbish(Told(), crops_of(*said), truth)
    assert (got.characters, got.others) == (200, 10)
    assert got.accepted == pytest.approx(0.3)
    assert got.error == 0


def test_crops_of_a_set_leave_out_what_has_no_label() -> None:
    images = np.zeros((3, 16, 16), np.uint8)
    images[:, 3:13, 7:9] = 255
    held = GlyphSet("some", images, None, ("1", "w", "1"), ("",) * 3, ("test",) * 3)
    crops, truth = placed_crops(held, LABELS, Placement(20.0, 28.0, 0.5, 0.35))
    assert crops.shape == (2, 32, 32)
    assert truth.tolist() == [1, 1]
    assert crops.max() > 200


def test_time_of_a_call() -> None:
    assert 0 < milliseconds(Told(), 10, 3) < 1000


@pytest.fixture
def report() -> reports.Report:
    confusion = np.zeros((4, 4), np.int64)
    confusion[0, 0], confusion[1, 3] = 99, 1
    return reports.Report(
        "amounts/1",
        LABELS,
        (SetResult("mnist test", 100, 0.0, 0.01, confusion),),
        RubbishResult(1000, 500, 0.034, 0.002),
        3.2,
    )


def test_report_is_written_down_and_drawn(tmp_path: Path, report: reports.Report) -> None:
    log = tmp_path / "log.jsonl"
    rows = [{"samples": n * 1000, "loss": 1 / n, "valid": 5 / n} for n in (1, 2, 3)]
    log.write_text("".join(json.dumps(row) + "\n" for row in rows))
    reports.write(report, tmp_path / "out", log)
    assert "| mnist test | 100 | 0.00 | 1.00 |" in (tmp_path / "out/scores.md").read_text()
    scores = json.loads((tmp_path / "out/scores.json").read_text())
    assert scores["rubbish"]["accepted_percent_at_1_percent_rejected"] == 3.4
    for name in ("confusion", "confusion-mnist-test", "curve"):
        with Image.open(tmp_path / "out" / f"{name}.png") as picture:
            assert min(picture.size) > 100


def test_scores_join_those_in_the_card(tmp_path: Path, report: reports.Report) -> None:
    (tmp_path / "card.json").write_text('{"labels": ["€", ""], "scores": {"chain": 1}}')
    reports.into_card(report, tmp_path)
    card = json.loads((tmp_path / "card.json").read_text())
    assert card["labels"] == ["€", ""]
    assert card["scores"]["chain"] == 1
    assert card["scores"]["errors_percent"]["mnist test"]["error_of_all_labels"] == 1.0
