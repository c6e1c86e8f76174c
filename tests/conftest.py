"""What tests of the command line and of the HTTP service share: images and a stand-in reader."""

import io
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from service.pipeline.image import load_cheque
from service.pipeline.reader import Reading, SymbolBox

cv2.setNumThreads(1)

READING = Reading(
    amount_minor=123456,
    currency="USD",
    text="$1,234.56",
    digits="123456",
    confidence=0.9987,
    decision="accept",
    reject_reason=None,
    alternatives=(),
    field_box=((640.0, 110.0), (860.0, 110.0), (860.0, 160.0), (640.0, 160.0)),
    pages=1,
    model_version="stand-in/1",
    segments=40,
    grammar_version="any/1",
    symbols=(SymbolBox("$", ((640.0, 110.0), (660.0, 110.0), (660.0, 160.0), (640.0, 160.0))),),
    reference=None,
    stages={"image": 0.004, "recognize": 0.02},
)


@pytest.fixture(scope="session", autouse=True)
def _no_settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Settings of the machine that runs the tests must not change them; nothing is kept there."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [
            name
            for name in os.environ
            if name.startswith("CHEQUE_")
            and not name.startswith(("CHEQUE_TRAINING_", "CHEQUE_TEST_"))
        ]:
            patch.delenv(name)
        patch.setenv("CHEQUE_DATA_DIR", str(tmp_path_factory.mktemp("data")))
        yield


@dataclass
class StandInReader:
    """Decodes images as the real reader does, then finds the same amount on all of them.

    gate: reads wait until it is set. failure: raised instead of an answer. calls: the arguments
    of every read, without the image.
    """

    model_version: str = "stand-in/1"
    gate: threading.Event = field(default_factory=threading.Event)
    failure: Exception | None = None
    calls: list[dict[str, Any]] = field(default_factory=list)
    reading: Reading = READING

    def read(self, data: bytes, **options: Any) -> Reading:
        """The stand-in's answer."""
        self.calls.append(options)
        assert self.gate.wait(20)
        if self.failure is not None:
            raise self.failure
        image = load_cheque(data, field_only=options["field_only"])
        return replace(self.reading, pages=image.pages, reference=options["reference"])


def _stand_in() -> StandInReader:
    stand_in = StandInReader()
    stand_in.gate.set()
    return stand_in


@pytest.fixture
def reader() -> StandInReader:
    """A stand-in reader of the test's own that answers at once."""
    return _stand_in()


@pytest.fixture(scope="session")
def shared_reader() -> StandInReader:
    """The stand-in reader of the server that tests share."""
    return _stand_in()


@pytest.fixture(scope="session")
def page() -> Image.Image:
    """A drawn cheque, 900 x 400, grey."""
    pixels = np.full((400, 900), 245, np.uint8)
    for y in (120, 200, 280):
        cv2.line(pixels, (60, y), (600, y), 90, 2)
    cv2.putText(pixels, "$1,234.56", (640, 150), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 0, 2)
    return Image.fromarray(pixels)


@pytest.fixture(scope="session")
def encode() -> Callable[..., bytes]:
    """Encode a picture: encode(page, "PNG", ...)."""

    def encoded(picture: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
        buffer = io.BytesIO()
        picture.save(buffer, kind, **options)
        return buffer.getvalue()

    return encoded


@pytest.fixture(scope="session")
def cheque(page: Image.Image, encode: Callable[..., bytes]) -> bytes:
    """The drawn cheque as a PNG file."""
    return encode(page)
