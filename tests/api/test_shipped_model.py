"""The service with the model and the samples that are shipped."""

from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from service.pipeline.reader import ChequeReader
from service.settings import load_settings

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


@pytest.fixture(scope="module")
def shipped() -> ChequeReader:
    """The reader with the shipped model."""
    settings = load_settings()
    return ChequeReader(settings.model_dir, settings.image_limits)


@pytest.mark.parametrize("name", ["us-front-and-back-01.tif", "uk-01.jpg", "us-blank-01.jpg"])
def test_http_says_what_the_reader_says(
    start: Callable[..., httpx.Client], shipped: ChequeReader, name: str
) -> None:
    data = (SAMPLES / name).read_bytes()
    answer = start(shipped).post("/v1/readings", files={"image": data})
    assert answer.status_code == 200
    said, reading = answer.json(), shipped.read(data)
    for member in ("amount_minor", "currency", "text", "digits", "decision", "reject_reason"):
        assert said[member] == getattr(reading, member)
    assert said["confidence"] == pytest.approx(reading.confidence)
    assert said["pages"] == (2 if "front-and-back" in name else 1)
    assert len(said["symbols"]) == len(reading.symbols)
    assert said["model_version"] == shipped.model_version


def test_locales_and_currencies_are_read(
    start: Callable[..., httpx.Client], shipped: ChequeReader
) -> None:
    service = start(shipped)
    data = (SAMPLES / "germany-01.jpg").read_bytes()
    for parameters in ({"locale": "de-DE"}, {"currency": "EUR", "locale": "en-IE"}):
        answer = service.post("/v1/readings", params=parameters, files={"image": data})
        assert answer.status_code == 200
