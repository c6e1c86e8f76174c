"""The training command line, run as its users do, on tiny data and few steps."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from typer.testing import CliRunner

from service.pipeline.card import load_card
from service.pipeline.recognize import OnnxRecognizer
from training import dataset, recipes
from training.__main__ import app
from training.data.glyphs import Split

pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning"
)  # of torch.onnx itself


def run(*arguments: object) -> str:
    """Run a command that must succeed; what it printed."""
    torch.set_num_threads(1)
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def fail(*arguments: object) -> tuple[int, str]:
    """Run a command that must fail; its exit code and what it printed."""
    result = CliRunner().invoke(app, [str(one) for one in arguments])
    assert result.exit_code != 0
    return result.exit_code, result.output


def stand_in_fields(
    _sources: object, folder: Path, shards: int, split: Split, _workers: int
) -> Iterator[int]:
    """Noise in place of crops of synthetic fields, which need fonts."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(shards):
        rng = np.random.default_rng([number, len(split)])
        path = folder / f"fields-{number:04d}.npz"
        if not path.exists():
            labels = (np.arange(40) % len(dataset.LABELS)).astype(np.uint8)
            crops = rng.integers(0, 256, (40, 32, 32)).astype(np.uint8)
            np.savez(path, crops=crops, labels=labels)
            yield number


@pytest.fixture(scope="module")
def runs(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runs folder after a pretraining of a few steps, run twice."""
    folder = tmp_path_factory.mktemp("runs")
    arguments = [
        "--data",
        data_folder,
        "--runs",
        folder,
        "--shards",
        2,
        "--samples",
        512,
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(recipes, "build_field_crops", stand_in_fields)
        run("pretrain", *arguments)
        before = (folder / "amounts/train/single-mnist.npz").stat().st_mtime_ns
        first = torch.load(folder / "amounts/network.pt", weights_only=True)["state"]
        run("pretrain", *arguments)
    after = torch.load(folder / "amounts/network.pt", weights_only=True)["state"]
    assert all(torch.equal(first[key], after[key]) for key in first)
    assert (folder / "amounts/train/single-mnist.npz").stat().st_mtime_ns == before
    return folder


@pytest.fixture(scope="module")
def model(runs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model exported from that run."""
    folder = tmp_path_factory.mktemp("models") / "amounts" / "3"
    printed = run("export", "--network", runs / "amounts/network.pt", "--to", folder)
    assert "differ by at most" in printed
    return folder


def test_pretraining_writes_its_curve(runs: Path) -> None:
    log = [json.loads(line) for line in (runs / "amounts/log.jsonl").read_text().splitlines()]
    assert log[-1]["samples"] == 512
    assert set(log[-1]) == {"samples", "loss", "valid"}


def test_the_service_loads_what_was_exported(model: Path) -> None:
    card = load_card(model)
    assert card.model_version == "amounts/3"
    assert card.labels == dataset.LABELS
    raw = json.loads((model / "card.json").read_text())
    assert raw["training"]["recipe"]["samples"] == 512
    assert raw["training"]["fields"] == 2000
    penalties = OnnxRecognizer(model, card).penalties(np.zeros((3, 32, 32), np.uint8))
    assert np.allclose(np.exp(-penalties).sum(axis=1), 1, atol=1e-4)


def test_single_characters_are_evaluated(
    model: Path, runs: Path, data_folder: Path, tmp_path: Path
) -> None:
    printed = run(
        "evaluate", "--model", model, "--data", data_folder, "--fields", 0, "--card",
        "--out", tmp_path, "--log", runs / "amounts/log.jsonl",
    )  # fmt: skip
    scores = json.loads((model / "card.json").read_text())["scores"]["errors_percent"]
    for title in ("mnist test", "kensanata test", "kensanata all", "unipen_symbols test"):
        assert title in printed
        assert 0 <= scores[title]["error"] <= 100
    assert (tmp_path / "confusion.png").exists()
    assert (tmp_path / "curve.png").exists()
    load_card(model)


def test_a_folder_of_images_is_read(model: Path, tmp_path: Path, cheque: bytes) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "good.png").write_bytes(cheque)
    (images / "none.png").write_bytes(cheque[:100])
    (images / "truth.csv").write_text("file,amount_minor\ngood.png,123456\nnone.png,\n")
    printed = run("evaluate", "--model", model, "--images", images, "--out", tmp_path / "out")
    assert "correct_all" in printed
    lines = (tmp_path / "out/readings.jsonl").read_text().splitlines()
    assert [json.loads(line)["file"] for line in lines] == ["good.png", "none.png"]
    assert json.loads((tmp_path / "out/scores.json").read_text())["n"] == 1
    assert list(tmp_path.glob("out/wrong-*.png"))
    for picture in ("reliability", "risk_coverage"):
        assert (tmp_path / f"out/{picture}.png").exists()


def test_mnist_prints_the_table(mnist_folder: Path, tmp_path: Path) -> None:
    arguments = ["mnist", "lenet1", "--seeds", 1, "--no-distorted", "--samples", 128]
    printed = run(*arguments, "--data", mnist_folder, "--runs", tmp_path / "runs", "--threads", 1)
    assert "lenet1" in printed
    assert "1.70" in printed
    assert (tmp_path / "runs/mnist/lenet1-plain-0/outcome.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["mnist", "--data", "nowhere"], 2, "nowhere is not a folder"),
        (["mnist", "lenet9", "--data", "."], 2, "lenet9"),
        (["mnist", "lenet1", "--data", "."], 2, "fetch it first"),
        (["pretrain"], 2, "CHEQUE_TRAINING_DATA"),
        (["export", "--network", "none.pt"], 2, "none.pt"),
        (["evaluate", "--model", "none", "--data", "."], 2, "no usable model"),
        (["synth", "--data", ".", "--split", "best"], 2, "best is no split"),
        (["synth", "banknotes"], 2, "banknotes"),
        (["fetch", "nist", "--data", "."], 2, "nist"),
    ],
)
def test_what_is_wrong_is_said_in_one_line(
    arguments: list[str], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CHEQUE_TRAINING_DATA", raising=False)
    got, printed = fail(*arguments)
    assert got == code
    assert says in printed
    assert "Traceback" not in printed


def test_help_names_every_command() -> None:
    printed = run("--help")
    for command in (
        "fetch",
        "fonts",
        "pretrain",
        "export",
        "calibrate",
        "evaluate",
        "synth",
        "mnist",
    ):
        assert command in printed


def test_samples_land_on_sheets_and_in_a_truth_file(tmp_path: Path) -> None:
    from training.sheets import Sample, write_sheets

    made = [
        Sample(n, np.full((40, 30 + n, 3) if n % 2 else (40, 30 + n), n, np.uint8), "1.5", 150,
               None if n else "EUR")
        for n in range(61)
    ]  # fmt: skip
    assert write_sheets(made, tmp_path, "fields", (50, 60), 6, single=True) == 2
    with Image.open(tmp_path / "fields-000.png") as sheet:
        assert sheet.size == (360, 500)
    with (tmp_path / "fields/truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 61
    assert rows[0] == {
        "file": "000000.png", "amount_minor": "150", "currency": "EUR", "text": "1.5",
    }  # fmt: skip
    with Image.open(tmp_path / "fields" / rows[4]["file"]) as picture:
        assert picture.size == (34, 40)
