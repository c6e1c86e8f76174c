"""Calibrating on labelled images from the command line, with a reader that is told its answers."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from service.cli import app
from service.errors import InputError
from service.pipeline import reader as pipeline
from service.pipeline.card import Calibration, load_card
from service.pipeline.decision import calibrated, decide, uncalibrated
from service.pipeline.reader import Reading
from service.settings import load_settings

PLAIN = Calibration(1.3, -0.4)
MODEL = load_settings().model_dir


@dataclass
class Told:
    """Reads files of the form "amount posterior": "15000 0.997", "-" for no amount."""

    reading: Reading
    model_version: str = "amounts/1"

    def calibration(self, *, field_only: bool) -> Calibration:  # noqa: ARG002
        """The same of both."""
        return PLAIN

    def read(self, data: bytes, *, max_error: float | None, **_: Any) -> Reading:
        """What the file says."""
        if data == b"bad":
            raise InputError("corrupt_image", "the image can't be decoded")
        said, posterior = data.decode().split()
        amount = None if said == "-" else int(said)
        confidence = calibrated(float(posterior), PLAIN)
        decision, reason = decide(
            amount, confidence, max_error or 0.01, PLAIN,
            negative=amount is not None and amount < 0, blank=False,
        )  # fmt: skip
        return replace(
            self.reading, amount_minor=amount, digits=said.strip("-"), confidence=confidence,
            decision=decision, reject_reason=reason,
        )  # fmt: skip


@pytest.fixture
def calibrate(
    monkeypatch: pytest.MonkeyPatch, reader: Any, tmp_path: Path
) -> Callable[..., Result]:
    """Run `cheque-reader calibrate` with that reader: calibrate(sample, ...)."""
    monkeypatch.setattr(pipeline, "ChequeReader", lambda *_: Told(reader.reading))

    def run(*arguments: object) -> Result:
        runner = CliRunner(env={"COLUMNS": "200"})
        given = [str(one) for one in arguments]
        if "--to" not in given:
            given += ["--to", str(tmp_path / "amounts" / "7")]
        result = runner.invoke(app, ["calibrate", *given])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


def made(folder: Path, rows: list[tuple[str, str]], column: str = "amount_minor") -> Path:
    """A sample: what each file says, and its label."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [f"file,{column}"]
    for number, (content, label) in enumerate(rows):
        (folder / f"{number:04d}.png").write_text(content)
        lines.append(f"{number:04d}.png,{label}")
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    return folder


def right(count: int, posterior: float = 0.999) -> list[tuple[str, str]]:
    return [(f"15000 {posterior}", "15000")] * count


def test_a_new_version_is_written_and_served(
    calibrate: Callable[..., Result], tmp_path: Path
) -> None:
    rows = right(400) + right(60, 0.9) + [("15000 0.5", "14000")] * 60
    rows += [("15000 0.3", ""), ("- 0.0", ""), ("-900 0.999", ""), ("0 0.999", "200")]
    sample = made(tmp_path / "sample", rows)
    (sample / "9999.png").write_bytes(b"bad")
    with (sample / "truth.csv").open("a") as file:
        file.write("9999.png,100\n")
    result = calibrate(sample)
    assert result.exit_code == 0, result.output
    text = " ".join(result.stdout.split())
    assert "525 images, 521 could be accepted, 460 of them right" in text
    assert "not read: 1 corrupt_image" in text
    assert "0.5 % nothing - - -" in text
    assert f"1 % {100 * 460 / 525:.1f} % 0 of 460 0.65 %" in text
    folder = tmp_path / "amounts" / "7"
    assert [one.name for one in folder.parent.iterdir()] == ["7"]
    card = load_card(folder)
    assert card.model_version == "amounts/7"
    counts = card.calibration.tally
    assert counts is not None
    assert (counts.candidates, counts.accepted[-1], counts.wrong[-1]) == (521, 521, 61)
    raw, old = (json.loads((one / "card.json").read_text()) for one in (folder, MODEL))
    changed = {"calibration", "field_calibration", "calibrated_on", "version"}
    assert {k: v for k, v in raw.items() if k not in changed} == {
        k: v for k, v in old.items() if k not in changed
    }
    source = raw["calibrated_on"]["calibration"]
    assert (source["images"], source["candidates"], source["wrong_candidates"]) == (525, 521, 61)
    assert source["unreadable"] == 1
    assert len(source["sha256"]) == 64
    assert card.field_calibration == load_card(MODEL).field_calibration
    digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
    assert digest == card.sha256


def test_the_real_reader_serves_the_version_that_was_written(
    calibrate: Callable[..., Result],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    cheque: bytes,
) -> None:
    assert calibrate(made(tmp_path / "sample", right(400))).exit_code == 0
    monkeypatch.undo()
    monkeypatch.setenv("CHEQUE_MODEL_DIR", str(tmp_path / "amounts" / "7"))
    settings = load_settings()
    served = pipeline.ChequeReader(settings.model_dir, settings.image_limits, settings.max_error)
    assert served.model_version == "amounts/7"
    shipped = pipeline.ChequeReader(MODEL)
    one, other = served.read(cheque), shipped.read(cheque)
    assert one.amount_minor == other.amount_minor == 123456
    new, old = (one.calibration(field_only=False) for one in (served, shipped))
    assert uncalibrated(one.confidence, new) == pytest.approx(uncalibrated(other.confidence, old))


def test_nothing_there_is_overwritten(calibrate: Callable[..., Result], tmp_path: Path) -> None:
    sample = made(tmp_path / "sample", right(300))
    assert calibrate(sample).exit_code == 0
    before = (tmp_path / "amounts" / "7" / "card.json").read_bytes()
    again = calibrate(sample)
    assert again.exit_code == 2
    assert "is there already" in again.stderr
    assert (tmp_path / "amounts" / "7" / "card.json").read_bytes() == before


def test_the_digits_are_compared_where_they_are_given(
    calibrate: Callable[..., Result], tmp_path: Path
) -> None:
    sample = made(tmp_path / "s", [*right(310), ("15000 0.9", "015000")], "digits")
    result = calibrate(sample / "truth.csv", "--field-only")
    assert result.exit_code == 0, result.output
    assert "310 of them right" in result.stdout
    card = load_card(tmp_path / "amounts" / "7")
    assert card.calibration == load_card(MODEL).calibration
    assert card.field_calibration.tally is not None
    assert card.field_calibration.tally.candidates == 311


def test_too_small_a_sample_is_refused_with_the_size_needed(
    calibrate: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    few = calibrate(made(tmp_path / "few", right(298)))
    assert few.exit_code == 2
    assert "an error of 1 % needs 299 accepted without an error" in few.stderr
    assert "the sample has 298 images" in few.stderr
    blank = calibrate(made(tmp_path / "blank", right(290) + [("- 0.0", "100")] * 100))
    assert blank.exit_code == 2
    assert "the sample has 290 images with an amount that could be accepted" in blank.stderr
    assert not (tmp_path / "amounts").exists()
    assert "needs 598 accepted" in calibrate(tmp_path / "few", "--max-error", "0.005").stderr
    monkeypatch.setenv("CHEQUE_MAX_ERROR", "0.002")
    assert "needs 1497 accepted" in calibrate(tmp_path / "few").stderr
    assert calibrate(tmp_path / "few", "--max-error", "0.03").exit_code == 0


def test_a_sample_with_too_many_errors_is_told_so(
    calibrate: Callable[..., Result], tmp_path: Path
) -> None:
    rows = right(300) + [("15000 0.9995", "1")] * 30 + [("15000 0.2", "1")] * 200
    result = calibrate(made(tmp_path / "sample", rows))
    assert result.exit_code == 0
    assert "At 1 % nothing will be accepted" in result.stdout
    misleading = [("15000 0.999", "1")] * 200 + right(200, 0.2)
    result = calibrate(made(tmp_path / "other", misleading), "--to", tmp_path / "8")
    assert result.exit_code == 2
    assert "do not get rarer" in result.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "lists no images"),
        ("file,amount_minor\n", "lists no images"),
        ("name,amount_minor\n0000.png,1\n", "must have the columns file"),
        ("file,amount\n0000.png,1\n", "must have the columns file"),
        ("file,amount_minor\n0000.png,12.50\n", "line 2: amount_minor must be an amount in minor"),
        ("file,digits\n0000.png,-1250\n", "line 2: digits must be digits"),
        ("file,amount_minor\n0000.png\n", "line 2: fields are missing"),
        ("file,amount_minor\n0000.png,1,2\n", "line 2: fields are missing or too many"),
        ("file,amount_minor\n0000.png,1\n0000.png,1\n", "line 3: 0000.png is listed twice"),
        ("file,amount_minor\n0000.png,1\nnone.png,1\n", "line 3: there is no file"),
        ('file,amount_minor\n"0000.png,1\n', "is no UTF-8 csv file"),
        ("file,amount_minor\n0000.png,\xff\n", "is no UTF-8 csv file"),
    ],
)
def test_what_is_wrong_with_a_sample_is_said(
    calibrate: Callable[..., Result], tmp_path: Path, text: str, message: str
) -> None:
    sample = made(tmp_path / "sample", right(1))
    (sample / "truth.csv").write_bytes(text.encode("latin-1"))
    result = calibrate(sample)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not (tmp_path / "amounts").exists()


def test_other_things_that_are_wrong(calibrate: Callable[..., Result], tmp_path: Path) -> None:
    assert "there is no file" in calibrate(tmp_path / "nowhere").stderr
    assert "truth.csv" in calibrate(tmp_path).stderr
    assert "--currency" in calibrate(tmp_path, "--currency", "XXX").stderr
    assert "--max-error" in calibrate(tmp_path, "--max-error", "2").stderr


def test_a_version_that_could_not_be_written_leaves_nothing(
    calibrate: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.pipeline.card.shutil.copyfile", full)
    result = calibrate(made(tmp_path / "sample", right(300)))
    assert result.exit_code == 2
    assert "No space left on device" in result.stderr
    assert list((tmp_path / "amounts").iterdir()) == []


def test_the_next_version_has_the_next_number(tmp_path: Path) -> None:
    from service.calibration import next_version

    for name in ("1", "9", "10", "draft"):
        (tmp_path / name).mkdir()
    assert next_version(tmp_path / "9") == tmp_path / "11"
