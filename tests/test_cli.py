"""The command line, with a stand-in reader."""

import json
import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from service import __version__, listing
from service.cli import app
from service.errors import ModelError
from service.pipeline import reader as pipeline


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, reader: Any) -> Callable[..., Result]:
    """Run the command line with the stand-in reader: run("read", path, ...)."""
    monkeypatch.setattr(pipeline, "ChequeReader", lambda *_: reader)

    def run_it(*arguments: str | Path) -> Result:
        runner = CliRunner(env={"COLUMNS": "300"})
        result = runner.invoke(app, [str(argument) for argument in arguments])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run_it


@pytest.fixture
def file(tmp_path: Path, cheque: bytes) -> Path:
    """A cheque in a file."""
    path = tmp_path / "a cheque.png"
    path.write_bytes(cheque)
    return path


def _lines(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_json_lines(run: Callable[..., Result], reader: Any, file: Path) -> None:
    result = run("read", "--json", "--reference", "r1", "--locale", "en-US", file, file)
    assert result.exit_code == 0
    assert result.stderr == ""
    first, second = _lines(result)
    assert first["file"] == str(file)
    assert first["amount_minor"] == 123456
    assert first["currency"] == "USD"
    assert first["text"] == "$1,234.56"
    assert first["digits"] == "123456"
    assert first["confidence"] == 0.9987
    assert first["decision"] == "accept"
    assert first["reject_reason"] is None
    assert first["reference"] == "r1"
    assert "error" not in first
    assert second["amount_minor"] == 123456
    assert reader.calls[0] == {
        "currency": None,
        "locale": "en-US",
        "field_only": False,
        "max_error": None,
        "reference": "r1",
        "evidence": False,
        "stated": None,
    }


def test_bad_files_get_their_line_and_the_others_go_on(
    run: Callable[..., Result], file: Path, tmp_path: Path
) -> None:
    bad = {
        "text.png": (b"Pay to the order of\n" * 30, "unsupported_type"),
        "empty.png": (b"", "empty"),
        "half.png": (file.read_bytes()[:700], "truncated_image"),
        "large.png": (file.read_bytes() + bytes(10 * 1024 * 1024), "too_large_bytes"),
    }
    for name, (data, _) in bad.items():
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "folder").mkdir()
    paths = [tmp_path / name for name in (*bad, "pipe.png", "folder", "missing.png", "a\nb\x1b[2J")]
    result = run("read", "--json", *paths, file)
    assert result.exit_code == 1
    *errors, last = _lines(result)
    codes = [code for _, code in bad.values()]
    codes += ["unreadable_file", "no_images", "not_found", "not_found"]
    assert [line["error"]["code"] for line in errors] == codes
    assert all(line["error"]["message"] for line in errors)
    assert all(set(line) == {"file", "error"} for line in errors)
    assert last["decision"] == "accept"
    table = run("read", *paths, file)
    assert table.exit_code == 1
    assert "\x1b" not in table.stdout
    assert "not_found: there is no such file" in " ".join(table.stdout.split())
    assert "8 not read" in table.stdout


def test_a_bug_in_one_file_stays_there(run: Callable[..., Result], reader: Any, file: Path) -> None:
    reader.failure = ValueError("no sense in $98,765.43")
    result = run("read", "--json", file, file)
    assert result.exit_code == 1
    assert [line["error"]["code"] for line in _lines(result)] == ["internal_error"] * 2
    assert "98,765" not in result.output
    assert "ValueError" in result.stdout
    assert "Traceback" not in result.output


def test_folders_are_expanded_by_name(
    run: Callable[..., Result], tmp_path: Path, cheque: bytes
) -> None:
    folder = tmp_path / "cheques"
    folder.mkdir()
    for name in ("b.png", "a.JPG", "c.tiff", "notes.txt", "truth.csv"):
        (folder / name).write_bytes(cheque)
    names = [Path(line["file"]).name for line in _lines(run("read", "--json", folder))]
    assert names == ["a.JPG", "b.png", "c.tiff"]


def test_the_table(run: Callable[..., Result], reader: Any, file: Path) -> None:
    accepted = run("read", file)
    assert accepted.exit_code == 0
    text = " ".join(accepted.stdout.split())
    assert "File Amount Confidence Decision ms" in text
    assert "USD 1,234.56 99.8 % accept" in text
    assert re.search(r"1 files?: 1 accepted, 0 rejected", text)
    reader.reading = replace(
        reader.reading,
        amount_minor=None,
        currency=None,
        confidence=0.0,
        decision="reject",
        reject_reason="no_amount_found",
    )
    rejected = " ".join(run("read", file).stdout.split())
    assert "- 0.0 % reject (no_amount_found)" in rejected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--currency", "XXX"], "--currency: currency must be one of USD"),
        (["--locale", "xx"], "--locale"),
        (["--max-error", "1.5"], "--max-error: max_error must be between"),
        (["--max-error", "few"], "--max-error"),
        (["--reference", ""], "--reference"),
        (["--colour"], "--colour"),
    ],
)
def test_wrong_options(
    run: Callable[..., Result], file: Path, arguments: list[str], message: str
) -> None:
    result = run("read", *arguments, file)
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stdout == ""


def test_no_model(monkeypatch: pytest.MonkeyPatch, file: Path, tmp_path: Path) -> None:
    monkeypatch.setenv("CHEQUE_MODEL_DIR", str(tmp_path / "nowhere"))
    for arguments in (["read", str(file)], ["serve", "--port", "0"], ["version"]):
        result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 2
        assert "nowhere" in result.stderr
        assert "Traceback" not in result.output


def test_serve_explains_what_keeps_it_from_starting(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CHEQUE_AUTH", "off")
    unsafe = run("serve", "--host", "0.0.0.0")
    assert unsafe.exit_code == 2
    assert "loopback" in unsafe.stderr
    nowhere = run("serve", "--host", "127.0.0.1", "--port", "99999")
    assert nowhere.exit_code == 2
    assert "CHEQUE_PORT" in nowhere.stderr

    def damaged(*_: object) -> None:
        raise ModelError("model.onnx is not the file its card describes (sha256)")

    monkeypatch.setattr(pipeline, "ChequeReader", damaged)
    result = run("serve", "--port", "0")
    assert result.exit_code == 2
    assert "sha256" in result.stderr


def test_a_port_that_is_taken(run: Callable[..., Result]) -> None:
    from service.sockets import listen

    with listen("127.0.0.1", 0) as sock:
        result = run("serve", "--port", str(sock.getsockname()[1]))
    assert result.exit_code == 2
    assert "can't listen" in result.stderr
    assert "in use" in result.stderr


def test_version_and_help() -> None:
    assert f"cheque-reader {__version__}" in CliRunner().invoke(app, ["version"]).stdout
    assert "read" in CliRunner().invoke(app, ["--help"]).stdout


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (None, None, "-"),
        (0, None, "0.00"),
        (5, "GBP", "GBP 0.05"),
        (100, "EUR", "EUR 1.00"),
        (123456, None, "1,234.56"),
        (-123456, "USD", "USD -1,234.56"),
        (99_999, "INR", "INR 999.99"),
        (100_000, "INR", "INR 1,000.00"),
        (12_345_678_900, "INR", "INR 12,34,56,789.00"),
        (10**17 + 1, "USD", "USD 1,000,000,000,000,000.01"),
    ],
)
def test_amounts_are_written_without_floats(
    amount_minor: int | None, currency: str | None, text: str
) -> None:
    assert listing.format_amount(amount_minor, currency) == text
