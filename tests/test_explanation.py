"""The command `explain`, with the shipped model."""

import json
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from service.cli import app
from service.pipeline.evidence import digest

SAMPLE = Path(__file__).resolve().parent.parent / "samples" / "uk-02.tif"


def _explain(image: Path, to: Path) -> Result:
    return CliRunner().invoke(app, ["explain", str(image), "-o", str(to)])


@pytest.mark.parametrize(
    ("suffix", "begins"),
    [(".png", b"\x89PNG"), (".html", b"<!doctype html>"), (".svg", b"<svg"), (".json", b"{")],
)
def test_what_a_reading_rests_on_is_written(tmp_path: Path, suffix: str, begins: bytes) -> None:
    to = tmp_path / f"out{suffix}"
    result = _explain(SAMPLE, to)
    assert result.exit_code == 0, result.stderr
    assert to.read_bytes().startswith(begins)
    if suffix == ".json":
        members = json.loads(to.read_text())
        assert digest(members) == members["digest"]
        assert members["digest"] in result.stdout


def test_what_it_refuses(tmp_path: Path) -> None:
    other = _explain(SAMPLE, tmp_path / "out.gif")
    assert other.exit_code == 2
    assert ".png, .html, .svg, .json" in other.stderr
    assert _explain(tmp_path / "nowhere.png", tmp_path / "out.png").exit_code == 2
    unwritable = _explain(SAMPLE, tmp_path / "no folder" / "out.png")
    assert unwritable.exit_code == 2
    assert "can't be written" in unwritable.stderr
