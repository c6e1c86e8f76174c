"""Damaged files: each kind of damage is named, with its place, and the rest of the file is read."""

import io
from collections.abc import Sequence

import pytest

from service.errors import InputError
from service.x9.deviation import PROFILES, Deviation
from service.x9.items import Item, Report
from service.x9.letter import CashLetterFile
from tests.x9.made import Made, made, padded

ITEMS = [Made(1000 + n, padded(700 + n), padded(500)) for n in range(6)]


def _read(data: bytes, profile: str = "lenient") -> tuple[list[Item], Report]:
    chosen = next(one for one in PROFILES.values() if one.name == profile)
    letter = CashLetterFile(io.BytesIO(data), chosen)
    items = list(letter.items())
    again = CashLetterFile(io.BytesIO(data))
    assert b"".join(record.raw for record in again.records()) == data
    return items, letter.report


def _codes(report: Report) -> set[str]:
    return set(report.by_code)


def _starts(data: bytes) -> list[tuple[str, int, int]]:
    """Type, offset of the prefix and end of every record."""
    found = []
    for record in CashLetterFile(io.BytesIO(data)).records():
        start = record.offset - len(record.before)
        found.append((record.type, start, start + len(record.raw)))
    return found


def _of_type(data: bytes, type_: str, which: int = 0) -> tuple[int, int]:
    return [(start, end) for kind, start, end in _starts(data) if kind == type_][which]


def _only(report: Report, code: str) -> Deviation:
    found = [one for one in report.deviations if one.code == code]
    assert len(found) == 1, report.deviations
    return found[0]


def _amounts(items: Sequence[Item]) -> list[int | None]:
    return [item.amount_minor for item in items]


def test_a_good_file_has_no_deviation() -> None:
    items, report = _read(made(ITEMS, bundle=4), "strict")
    assert _codes(report) == set()
    assert _amounts(items) == [1000, 1001, 1002, 1003, 1004, 1005]
    assert [item.bundle for item in items] == [1, 1, 1, 1, 2, 2]
    assert [len(item.views) for item in items] == [2] * 6
    assert [total.wrong for total in report.totals] == [False] * 8


def test_cut_short_inside_an_image() -> None:
    data = made(ITEMS)
    start, _ = _of_type(data, "52", 6)
    items, report = _read(data[: start + 400])
    assert _amounts(items) == [1000, 1001, 1002, 1003]
    assert _only(report, "truncated").item == 3
    assert [item.quarantined for item in items] == [False, False, False, True]
    assert [one.type for one in report.deviations if one.code == "missing_record"] == [
        "70", "90", "99",
    ]  # fmt: skip


@pytest.mark.parametrize("wrong", [79, 81, 84, 3000, 0x50000000, 2**31, 2**32 - 1])
def test_a_wrong_length_prefix_of_a_fixed_record(wrong: int) -> None:
    data = bytearray(made(ITEMS))
    start, _ = _of_type(bytes(data), "25", 2)
    data[start : start + 4] = wrong.to_bytes(4, "big")
    items, report = _read(bytes(data))
    assert _amounts(items) == [1000, 1001, 1002, 1003, 1004, 1005]
    code = "wrong_length_prefix" if wrong < 10_000_000 else "length_too_large"
    assert _only(report, code).item == 2


def test_a_length_of_two_gigabytes_before_an_image() -> None:
    data = bytearray(made(ITEMS))
    start, _ = _of_type(bytes(data), "52", 4)
    data[start : start + 4] = (2**31 - 1).to_bytes(4, "big")
    items, report = _read(bytes(data))
    assert _only(report, "length_too_large").item == 2
    assert [len(item.views) for item in items] == [2] * 6


def test_a_length_prefix_that_is_too_short_for_the_image() -> None:
    data = bytearray(made(ITEMS))
    start, _ = _of_type(bytes(data), "52", 0)
    data[start : start + 4] = (300).to_bytes(4, "big")
    items, report = _read(bytes(data))
    assert _only(report, "wrong_length_prefix").item == 0
    assert len(items) == 6


def test_an_image_length_that_lies() -> None:
    data = bytearray(made(ITEMS))
    start, _ = _of_type(bytes(data), "52", 2)
    at = start + 4 + 110
    assert data[at : at + 7] == b"0000701".translate(_EBCDIC)
    data[at : at + 7] = b"0009999".translate(_EBCDIC)
    items, report = _read(bytes(data))
    lie = _only(report, "lying_length")
    assert (lie.item, lie.field) == (1, "Length of Image Data")
    assert [item.quarantined for item in items] == [False, True, False, False, False, False]


def test_counts_and_amounts_that_lie() -> None:
    data = made(ITEMS)
    for type_, field in (("70", slice(6, 18)), ("90", slice(2, 8)), ("99", slice(8, 16))):
        start, _ = _of_type(data, type_)
        lied = bytearray(data)
        at = start + 4
        lied[at + field.start : at + field.stop] = b"9" * (field.stop - field.start)
        lied[at : at + 80] = bytes(lied[at : at + 80]).replace(b"9", b"\xf9")
        items, report = _read(bytes(lied))
        assert len(items) == 6
        assert _only(report, "wrong_total").type == type_
        assert [total.type for total in report.totals if total.wrong] == [type_]


def test_a_record_in_another_encoding() -> None:
    data = bytearray(made(ITEMS))
    start, end = _of_type(bytes(data), "25", 3)
    data[start + 4 : end] = bytes(data[start + 4 : end]).decode("cp037").encode("latin-1")
    items, report = _read(bytes(data))
    assert _only(report, "mixed_encodings").item == 3
    assert _amounts(items) == [1000, 1001, 1002, 1003, 1004, 1005]


@pytest.mark.parametrize(("type_", "missing"), [("70", "70"), ("90", "90"), ("99", "99")])
def test_missing_control_records(type_: str, missing: str) -> None:
    data = made(ITEMS)
    start, end = _of_type(data, type_)
    items, report = _read(data[:start] + data[end:])
    assert _only(report, "missing_record").type == missing
    assert len(items) == 6


@pytest.mark.parametrize("type_", ["01", "10", "20"])
def test_missing_header_records(type_: str) -> None:
    data = made(ITEMS)
    start, end = _of_type(data, type_)
    items, report = _read(data[:start] + data[end:])
    assert _only(report, "missing_record").type == type_
    assert _amounts(items) == [1000, 1001, 1002, 1003, 1004, 1005]


def test_a_sequence_number_twice() -> None:
    items = [*ITEMS[:2], Made(5, padded(600), sequence=1)]
    _, report = _read(made(items))
    assert _only(report, "duplicate_sequence_number").item == 2
    found, _ = _read(made(items), "exchange")
    assert [item.quarantined for item in found] == [False, False, True]


def test_an_image_that_is_none() -> None:
    items, report = _read(made([*ITEMS[:2], Made(7, b"this is no picture at all")]))
    assert _only(report, "image_unknown_format").item == 2
    assert [item.quarantined for item in items] == [False, False, True]


def test_blank_image_records() -> None:
    items, report = _read(made([*ITEMS[:2], Made(7, b" ")]))
    assert _only(report, "image_missing").item == 2
    assert items[2].views == ()


def test_an_amount_that_is_no_number() -> None:
    data = bytearray(made(ITEMS))
    start, _ = _of_type(bytes(data), "25", 1)
    data[start + 4 + 47 : start + 4 + 57] = b"12A4 67890".translate(_EBCDIC)
    items, report = _read(bytes(data))
    fault = _only(report, "invalid_field")
    assert (fault.item, fault.field, fault.record) == (1, "Item Amount", items[1].record)
    assert [item.quarantined for item in items] == [False, True, False, False, False, False]


def test_rubbish_between_records_and_a_vendor_record() -> None:
    data = made(ITEMS)
    start, _ = _of_type(data, "25", 2)
    vendor = b"\0\0\0\x0c" + b"93vendor own".translate(_EBCDIC)
    rubbish = b"\x07rubbish\xff" * 20
    end = _of_type(data, "10")[1]
    damaged = data[:end] + rubbish + data[end:start] + vendor + data[start:]
    items, report = _read(damaged)
    assert _amounts(items) == [1000, 1001, 1002, 1003, 1004, 1005]
    assert _only(report, "unknown_record").type == "93"
    assert report.by_code["unreadable_bytes"] == 1


def test_filling_after_the_end_and_records_after_it() -> None:
    data = made(ITEMS)
    start, end = _of_type(data, "25", 0)
    _, report = _read(data + bytes(1000))
    assert _codes(report) == {"padding"}
    items, report = _read(data + data[start:end])
    assert "after_file_control" in _codes(report)
    assert len(items) == 7


def test_a_second_front_and_a_wrong_addendum_count() -> None:
    data = made(ITEMS)
    detail, image = _of_type(data, "50", 0), _of_type(data, "52", 0)
    twice = data[: image[1]] + data[detail[0] : image[1]] + data[image[1] :]
    _, report = _read(twice)
    assert _only(report, "second_image_of_a_side").item == 0
    addendum = _of_type(data, "26", 1)
    _, report = _read(data[: addendum[0]] + data[addendum[1] :])
    assert _only(report, "addendum_count").item == 1


@pytest.mark.parametrize("data", [b"", b"x", b"no cash letter at all " * 50, bytes(5000)])
def test_what_is_no_cash_letter_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as refused:
        CashLetterFile(io.BytesIO(data))
    assert refused.value.code == "not_a_cash_letter"


_EBCDIC = bytes(range(256)).decode("latin-1").encode("cp037")
