"""What the service writes to standard error: a JSON object a line, or text for a terminal."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Final, Literal

from service import tracing
from service.errors import without_values

request_id: ContextVar[str | None] = ContextVar("request_id", default=None)
"""The id of the request that is being answered, which every line then carries."""

FIELDS: Final = ("method", "route", "status", "ms", "key", "code")
"""What a record may carry beside its message: `logger.info(..., extra={"status": 200})`."""

_TEXT: Final = "%(asctime)s %(levelname)s %(name)s %(message)s"


class JsonFormatter(logging.Formatter):
    """One object: time, level, logger, message, request_id within a request, and FIELDS if set.

    Within a trace it has trace_id.

    Of an exception it tells type and place, never its message, which may hold an amount.
    """

    def format(self, record: logging.LogRecord) -> str:
        """The record as one line."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, object] = {
            "time": time.replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (current := request_id.get()) is not None:
            line["request_id"] = current
        if (trace := tracing.trace_id()) is not None:
            line["trace_id"] = trace
        line |= {name: getattr(record, name) for name in FIELDS if hasattr(record, name)}
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = without_values(record.exc_info[1])
        return json.dumps(line)


class TextFormatter(logging.Formatter):
    """A line for people; of an exception only type and place, as in JsonFormatter."""

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        """Where it came from, without what it says."""
        error = ei[1] if isinstance(ei, tuple) else None
        return without_values(error) if isinstance(error, BaseException) else ""


def configure(level: str, form: Literal["json", "text"] | None) -> None:
    """Send what is logged to standard error; without a form, text to a terminal, else JSON."""
    handler = logging.StreamHandler()
    text = sys.stderr.isatty() if form is None else form == "text"
    handler.setFormatter(TextFormatter(_TEXT) if text else JsonFormatter())
    logging.basicConfig(level=level.upper(), handlers=[handler])
