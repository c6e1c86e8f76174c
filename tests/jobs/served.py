"""A service and a worker with a slow stand-in for the model, for tests that kill them."""

import os
import signal
import time
from collections.abc import Mapping
from typing import Any

from service.api import create_app, serve
from service.jobs.runtime import Jobs, isolated
from service.pipeline.image import load_cheque
from service.pipeline.reader import ChequeReader, Reading
from service.settings import Settings
from service.sockets import listen


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


def serve_slowly(
    folder: str,
    port: int,
    seconds: float,
    more: Mapping[str, str | None],
    environment: Mapping[str, str],
) -> None:
    """Serve batches from a folder until the process ends."""
    os.environ.update(environment)
    settings = Settings.model_validate(
        {
            "data_dir": folder,
            "auth": "off",
            "batch_readers": 2,
            "readers": 1,
            **more,
        }
    )
    app = create_app(settings, SlowReader(seconds))
    serve(app, settings, listen("127.0.0.1", port))


def serve_really(
    folder: str, port: int, _: float, more: Mapping[str, str | None], environment: Mapping[str, str]
) -> None:
    """The same with the shipped model, batches in processes of their own."""
    os.environ.update(environment)
    settings = Settings.model_validate(
        {"data_dir": folder, "auth": "off", "batch_readers": 2, "readers": 2, **more}
    )
    reader = ChequeReader(settings.model_dir, settings.image_limits, settings.max_error)
    with isolated(settings) as for_batches:
        app = create_app(settings, reader, batch_reader=for_batches)
        serve(app, settings, listen("127.0.0.1", port))


class LoggedReader(SlowReader):
    """Notes every reading in a file, a line each."""

    def __init__(self, seconds: float, log: str) -> None:
        super().__init__(seconds)
        self._log = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def read(self, data: bytes, **options: Any) -> Reading:
        """A reading, noted when it is done."""
        reading = super().read(data, **options)
        os.write(self._log, f"{reading.amount_minor}\n".encode())
        return reading


def work(
    folder: str,
    seconds: float | None,
    more: Mapping[str, Any],
    log: str,
    environment: Mapping[str, str],
) -> None:
    """Read batches until SIGTERM; seconds None: with the real reader."""
    os.environ.update(environment)
    stopping: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, _: stopping.append(number))
    settings = Settings.model_validate({"data_dir": folder, **more})
    jobs = Jobs(settings)
    reader = LoggedReader(seconds, log) if seconds is not None else isolated(settings)
    jobs.start(reader)
    while not stopping:
        time.sleep(0.1)
    jobs.close()
