"""The commands `x9 inspect`, `x9 extract` and `x9 check`."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app
from service.x9.letter import CashLetterFile
from tests.x9.made import Made, made, tiff

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    """A cash letter: an amount that is right, one that is wrong, an image that is none."""
    image = (SAMPLES / "us-personal-04.tif").read_bytes()
    items = [Made(205000, image, tiff()), Made(731942, image), Made(5, b"no picture")]
    path = tmp_path / "day.x937"
    path.write_bytes(made(items))
    return path


def _run(*arguments: object, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["x9", *map(str, arguments)])
    assert result.exit_code == code, result.output
    return result.output


def test_inspect_prints_every_field(letter: Path) -> None:
    text = _run("inspect", letter)
    assert "25 Check Detail Record, 80 bytes" in text
    assert "Item Amount: 205000" in text
    assert "the image data is no TIFF, JPEG or PNG" in text
    lines = [json.loads(line) for line in _run("inspect", letter, "--json").splitlines()]
    assert lines[0]["name"] == "File Header Record"
    assert lines[-1]["report"]["items"] == 3


def test_extract_writes_the_images(letter: Path, tmp_path: Path) -> None:
    _run("extract", letter, "--to", tmp_path / "images")
    names = sorted(path.name for path in (tmp_path / "images").iterdir())
    assert names == [
        "000000-back.tif", "000000-front.tif", "000001-front.tif", "000002-front.bin",
        "items.jsonl",
    ]  # fmt: skip
    front = (tmp_path / "images" / "000000-front.tif").read_bytes()
    assert front == (SAMPLES / "us-personal-04.tif").read_bytes()


def test_check_reads_and_reconciles(letter: Path, tmp_path: Path) -> None:
    exceptions, copy = tmp_path / "exceptions.csv", tmp_path / "adjusted.x937"
    text = _run("check", letter, "--exceptions", exceptions, "--adjusted", copy, code=1)
    assert "3 items: 1 agrees, 1 disagrees, 1 unread" in text
    with exceptions.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["verdict"] for row in rows] == ["disagrees", "unread"]
    assert rows[0]["amount_read_minor"] == "205000"
    with copy.open("rb") as stream:
        adjusted = CashLetterFile(stream)
        assert [item.amount_minor for item in adjusted.items()] == [205000, 205000, 5]
    assert not adjusted.report.by_code["wrong_total"]


def test_what_is_no_cash_letter_is_told(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_text("nothing of the kind")
    assert "holds no record" in _run("check", path, code=2)
    assert "--profile must be" in _run("inspect", path, "--profile", "kind", code=2)
    _run("inspect", tmp_path / "missing", code=2)
