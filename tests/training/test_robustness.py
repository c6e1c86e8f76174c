"""Images changed, and how readings of a folder hold up."""

import shutil
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from service.calibration import load_sample
from service.errors import InputError
from training import changes, robustness
from training.__main__ import app
from training.changes import CHANGES, PAGE_CHANGES, on_a_table
from training.robustness import HeldUp, Spoilt, measure, measure_spoiled
from training.spoiled import SPOILED, SPOILED_PAGES, with_room

MODEL = Path("models/amounts/1")
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(autouse=True)
def _small_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(changes, "_WIDTHS", (1100,))


@pytest.fixture(scope="module")
def cheque() -> NDArray[np.uint8]:
    page = cv2.imread(str(SAMPLES / "us-personal-03.jpg"), cv2.IMREAD_GRAYSCALE)
    assert page is not None
    return np.asarray(page, np.uint8)


@pytest.mark.parametrize("name", [*CHANGES, *PAGE_CHANGES])
def test_every_change_gives_a_grey_image_and_the_same_one_again(
    name: str, cheque: NDArray[np.uint8]
) -> None:
    change = {**CHANGES, **PAGE_CHANGES}[name]
    one, other = (change(np.random.default_rng(3), cheque) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.dtype == np.uint8
    assert one.ndim == 2
    assert np.array_equal(one, cheque) == (name == "as they are")


@pytest.mark.parametrize("seed", range(6))
def test_a_photograph_shows_the_whole_cheque_on_a_table(
    seed: int, cheque: NDArray[np.uint8]
) -> None:
    light, dark = (
        on_a_table(np.random.default_rng(seed), np.full_like(cheque, level)).astype(int)
        for level in (255, 0)
    )
    assert min(light.shape) * 4 == max(light.shape) * 3
    paper = np.abs(light - dark) > 25
    assert 0.1 < paper.mean() < 0.9
    edges = np.concatenate([paper[:3].ravel(), paper[-3:].ravel(), paper[:, :3].ravel()])
    assert edges.mean() < 0.05
    other = on_a_table(np.random.default_rng(seed + 1), cheque)
    assert not np.array_equal(on_a_table(np.random.default_rng(seed), cheque), other)


def _folder(to: Path, *labels: tuple[str, str]) -> Path:
    for file, _ in labels:
        shutil.copy(SAMPLES / file, to)
    lines = ["file,amount_minor", *(f"{file},{label}" for file, label in labels)]
    (to / "truth.csv").write_text("\n".join(lines) + "\n")
    return to


def test_what_becomes_of_images_is_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _folder(
        tmp_path, ("us-personal-03.jpg", "7500"), ("us-negative-01.png", "104521"),
        ("us-blank-01.jpg", ""),
    )  # fmt: skip
    kept = {"as they are": CHANGES["as they are"], "gone": lambda _, image: image[:9, :9]}
    monkeypatch.setattr(robustness, "CHANGES", kept)
    named: list[str] = []
    found = list(measure(MODEL, load_sample(folder), pictures=2, progress=named.append))
    assert named == ["as they are", "gone", *PAGE_CHANGES]
    assert found[0] == HeldUp("as they are", 2, 1, 1, 0, Counter(negative_amount=1))
    assert found[1] == HeldUp("gone", 2, 0, 0, 0, Counter(too_small=2))
    for one in found[2:]:
        assert (one.images, one.wrong) == (4, 0)
        assert one.accepted + one.reasons.total() == 4
    cropped = measure(MODEL, load_sample(folder), field_only=True)
    assert [one.change for one in cropped] == ["as they are", "gone"]


def test_what_is_no_image_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"none")
    (tmp_path / "truth.csv").write_text("file,amount_minor\na.png,100\n")
    with pytest.raises(InputError, match=r"a\.png"):
        next(measure(MODEL, load_sample(tmp_path)))


def test_the_command_prints_a_row_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _folder(tmp_path, ("us-personal-03.jpg", "7500"))
    monkeypatch.setattr(robustness, "CHANGES", {"as they are": CHANGES["as they are"]})
    given = ["robustness", "--images", str(folder), "--pictures", "1", "--model", str(MODEL)]
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert "as they are" in result.output
    assert "table" in result.output
    assert "100.0" in result.output
    assert "crossed out" in result.output


@pytest.mark.parametrize("name", [*SPOILED, *SPOILED_PAGES])
def test_what_is_spoiled_is_changed_and_the_same_again(
    name: str, cheque: NDArray[np.uint8]
) -> None:
    box = (1030.0, 150.0, 1150.0, 190.0)
    spoil = {**SPOILED, **SPOILED_PAGES}[name]
    one, other = (spoil(np.random.default_rng(3), cheque, box) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.shape == cheque.shape
    assert one.dtype == np.uint8
    changed = one != cheque
    assert changed.any()
    if name in SPOILED:
        rows, columns = np.nonzero(changed)
        assert rows.min() >= 140
        assert rows.max() <= 200
        assert columns.min() >= 990
        assert columns.max() <= 1170


def test_no_spoiled_cheque_is_accepted(tmp_path: Path) -> None:
    folder = _folder(tmp_path, ("us-personal-03.jpg", "7500"), ("us-negative-01.png", "104521"))
    named: list[str] = []
    found = list(measure_spoiled(MODEL, load_sample(folder), progress=named.append))
    assert named == ["as they are", *SPOILED, *SPOILED_PAGES]
    assert [one.how for one in found] == named[1:]
    for one in found:
        assert one == Spoilt(one.how, 1, (), one.reasons)
        assert one.reasons.total() == 1


def test_a_cropped_amount_gets_room_at_its_sides(cheque: NDArray[np.uint8]) -> None:
    crop = cheque[150:190, 1030:1150]
    wide = with_room(crop)
    assert wide.shape == (40, 120 + 2 * 52)
    np.testing.assert_array_equal(wide[:, 56:-56], crop[:, 4:-4])
