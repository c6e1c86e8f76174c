"""Pages that must not be accepted, with drawn ones in place of synthetic cheques."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from service.settings import load_settings
from training import refusal
from training.__main__ import app
from training.dataset import Sources
from training.synth.cheque import REFUSED

AMOUNT = "negative"


def _page(_seed: int, *, kind: str, **_: Any) -> SimpleNamespace:
    page = np.full((300, 700), 255, np.uint8)
    if kind == AMOUNT:
        cv2.putText(page, "$ -123.45", (400, 120), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 2)
    return SimpleNamespace(image=page)


@pytest.fixture(autouse=True)
def drawn(monkeypatch: pytest.MonkeyPatch, data_folder: Path) -> Path:
    """Drawn pages, and a folder of small sets."""
    monkeypatch.setattr(refusal, "make_cheque", _page)
    return data_folder


def test_every_kind_is_read_as_often(drawn: Path) -> None:
    model = load_settings().model_dir
    found = refusal.measure(model, Sources(drawn, None), 2 * len(REFUSED))
    assert sorted(one.kind for one in found) == sorted([*REFUSED, *REFUSED])
    assert not any(one.accepted for one in found)
    blank = [one for one in found if one.kind != AMOUNT]
    assert {(one.confidence, one.reason) for one in blank} == {(0.0, "unreadable_image")}


def test_a_page_that_is_no_image_to_read_is_not_accepted(
    drawn: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    strip = SimpleNamespace(image=np.full((900, 30), 255, np.uint8))
    monkeypatch.setattr(refusal, "make_cheque", lambda _seed, **_: strip)
    (one,) = refusal.measure(load_settings().model_dir, Sources(drawn, None), 1)
    assert not one.accepted
    assert one.reason == "too_small"


def test_the_command_counts_what_was_accepted(drawn: Path) -> None:
    count = len(REFUSED)
    ran = CliRunner().invoke(app, ["refuse", "--pages", str(count), "--data", str(drawn)])
    assert ran.exit_code == 0, ran.output
    assert f"accepted: 0 of {count}" in ran.output
