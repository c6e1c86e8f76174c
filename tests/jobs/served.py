"""A service with a slow stand-in for the model, for tests that kill it."""

import time
from typing import Any

from service.api import create_app, listen, serve
from service.pipeline.image import load_cheque
from service.pipeline.reader import Reading
from service.settings import Settings


class SlowReader:
    """Decodes an image, takes its time, and finds an amount that follows from the reference."""

    model_version = "slow/1"

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds

    def read(self, data: bytes, **options: Any) -> Reading:
        """A reading whose amount is the number in its reference."""
        load_cheque(data, field_only=options["field_only"])
        time.sleep(self._seconds)
        amount = int(options["reference"] or 0)
        return Reading(
            amount_minor=amount,
            currency="USD",
            text=str(amount),
            digits=str(amount),
            confidence=0.99,
            decision="accept",
            reject_reason=None,
            alternatives=(),
            field_box=None,
            pages=1,
            model_version=self.model_version,
            segments=1,
            grammar_version="any/1",
            symbols=(),
            reference=options["reference"],
            stages={},
        )


def serve_slowly(folder: str, port: int, seconds: float, database: str | None) -> None:
    """Serve batches from a folder until the process ends."""
    settings = Settings.model_validate(
        {
            "data_dir": folder,
            "database_url": database,
            "auth": "off",
            "batch_readers": 2,
            "readers": 1,
        }
    )
    app = create_app(settings, SlowReader(seconds))
    serve(app, settings, listen("127.0.0.1", port))
