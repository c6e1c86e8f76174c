"""The shipped model reads the shipped samples."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from service.cli import app

SAMPLES = Path(__file__).resolve().parent.parent / "samples"
TRUTH = list(csv.DictReader((SAMPLES / "truth.csv").read_text("utf-8").splitlines()))


@pytest.fixture(scope="module")
def readings() -> dict[str, dict[str, object]]:
    """What the command line says of every sample, by file name."""
    result = CliRunner().invoke(app, ["read", "--json", str(SAMPLES)])
    assert result.exit_code == 0, result.output
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    return {Path(line["file"]).name: line for line in lines}


@pytest.mark.parametrize("row", TRUTH, ids=[row["file"] for row in TRUTH])
def test_samples(readings: dict[str, dict[str, object]], row: dict[str, str]) -> None:
    reading = readings[row["file"]]
    if row["amount_minor"]:
        assert reading["amount_minor"] == int(row["amount_minor"])
    else:
        assert reading["decision"] == "reject"
        assert reading["reject_reason"]


def test_every_sample_has_its_truth(readings: dict[str, dict[str, object]]) -> None:
    assert set(readings) == {row["file"] for row in TRUTH}
