"""The fuzzer's short form: hostile images through the whole reader; `make fuzz` tries many more."""

from collections import Counter
from random import Random
from typing import Any

import pytest

from service.errors import InputError
from service.pipeline.image import load_cheque
from service.pipeline.reader import ChequeReader
from service.settings import Settings
from tests.pipeline import hostile


@pytest.fixture(scope="module")
def reader() -> ChequeReader:
    """The reader with the shipped model."""
    return ChequeReader(Settings().model_dir)


def _changed(count: int, number: int) -> list[bytes]:
    random, seeds = Random(number), hostile.seeds()
    return [hostile.mutated(random.choice(seeds), seeds, random) for _ in range(count)]


def test_what_the_fuzzer_starts_from_is_read(reader: ChequeReader) -> None:
    for data in hostile.seeds():
        reader.read(data[1:], field_only=bool(data[0]))


def test_hostile_images_are_read_or_refused(reader: ChequeReader) -> None:
    for data in _changed(200, 1):
        hostile.check(reader, data)


def test_what_can_not_be_opened_is_refused_in_many_ways() -> None:
    """Otherwise the changes would be of one kind, and find little."""
    said: Counter[str] = Counter()
    for data in _changed(1500, 2):
        try:
            load_cheque(data[1:], field_only=bool(data[0] & 1))
            said["loaded"] += 1
        except InputError as error:
            said[error.code] += 1
    assert said["loaded"] > 150
    assert set(said) >= {
        "corrupt_image",
        "too_many_pixels",
        "too_small",
        "truncated_image",
        "unsupported_image",
        "unsupported_type",
    }


def test_a_crash_and_a_slow_reader_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing:
        def read(self, *_: object, **__: object) -> Any:
            raise ValueError("a bug")

    with pytest.raises(ValueError, match="a bug"):
        hostile.check(Failing(), b"\0")

    class Refusing:
        def read(self, *_: object, **__: object) -> Any:
            raise InputError("empty", "the file is empty")

    hostile.check(Refusing(), b"\0")
    monkeypatch.setattr(hostile, "SECONDS", -1.0)
    with pytest.raises(AssertionError, match="seconds"):
        hostile.check(Refusing(), b"\0")
