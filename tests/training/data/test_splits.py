"""Splits are fixed, by writer, and written down."""

import json
from collections import Counter
from pathlib import Path

import pytest

from training.data import splits
from training.data.unipen import writer_key


def test_every_writer_has_one_split() -> None:
    table = json.loads(Path(splits.__file__).with_name("splits.json").read_text(encoding="utf-8"))
    assert set(table) == {"kensanata", "pendigits", "unipen"}
    for people in table.values():
        counts = Counter(writer for some in people.values() for writer in some)
        assert set(counts.values()) == {1}
        assert all(len(people[split]) >= 2 for split in ("train", "valid", "test"))


def test_what_was_drawn_stays() -> None:
    assert splits.split_of("kensanata", "0002_CH5M") == splits.draw("kensanata", "0002_CH5M")
    assert splits.draw("unipen", "apa/x") == splits.draw("unipen", "apa/x")
    shares = Counter(splits.draw("unipen", str(i)) for i in range(4000))
    assert 0.17 < shares["test"] / 4000 < 0.23
    assert 0.08 < shares["valid"] / 4000 < 0.12


def test_an_unknown_writer_is_an_error() -> None:
    with pytest.raises(KeyError):
        splits.split_of("kensanata", "9999_XXXX")


def test_one_person_is_one_writer_whatever_the_contributor() -> None:
    assert writer_key("apb", "Mark_Crawford") == writer_key("apd", "Mark_Crawford")
    assert writer_key("aga", "x") != writer_key("val", "x")


def test_neighbours_without_writers_share_a_split() -> None:
    drawn = splits.by_blocks(200, 20, 1, 2, 10)
    assert [drawn[i] for i in (0, 19, 39, 40, 59, 60, 199)] == [
        "test", "test", "test", "valid", "valid", "train", "train",
    ]  # fmt: skip
