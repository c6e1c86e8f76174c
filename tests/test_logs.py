"""Log lines: one JSON object each, without what exceptions say."""

import json
import logging
import sys

import pytest

from service import logs


def _record(message: str, *arguments: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("service.x").makeRecord(
        "service.x", logging.INFO, "x.py", 1, message, arguments, None, extra=extra
    )


def test_a_line_is_one_object() -> None:
    token = logs.request_id.set("abc")
    try:
        record = _record("a\nb %s", "ü\x1b", status=200, key="till", other="left out")
        line = logs.JsonFormatter().format(record)
    finally:
        logs.request_id.reset(token)
    assert "\n" not in line
    assert line.isascii()
    read = json.loads(line)
    assert read.pop("time").endswith("Z")
    assert read == {
        "level": "info",
        "logger": "service.x",
        "message": "a\nb ü\x1b",
        "request_id": "abc",
        "status": 200,
        "key": "till",
    }
    assert "request_id" not in json.loads(logs.JsonFormatter().format(_record("a")))


@pytest.mark.parametrize("formatter", [logs.JsonFormatter(), logs.TextFormatter()])
def test_what_an_exception_says_stays_unsaid(formatter: logging.Formatter) -> None:
    amount = "98,765"
    try:
        raise ValueError(f"can't make sense of {amount}.43")
    except ValueError:
        record = _record("failed")
        record.exc_info = sys.exc_info()
    line = formatter.format(record)
    assert "ValueError" in line
    assert amount not in line


@pytest.mark.parametrize(
    ("form", "terminal", "formatter"),
    [
        (None, True, logs.TextFormatter),
        (None, False, logs.JsonFormatter),
        ("json", True, logs.JsonFormatter),
        ("text", False, logs.TextFormatter),
    ],
)
def test_text_is_for_terminals(
    monkeypatch: pytest.MonkeyPatch, form: str | None, terminal: bool, formatter: type
) -> None:
    root = logging.Logger("root")
    monkeypatch.setattr(logging, "root", root)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    logs.configure("warning", form)  # type: ignore[arg-type]
    assert root.level == logging.WARNING
    assert [type(handler.formatter) for handler in root.handlers] == [formatter]
