"""Files of every kind: framings, encodings, standards, layouts; written and read back."""

import io
from pathlib import Path

import pytest

from service.errors import InputError
from service.x9.layout import LAYOUTS, Standard, checks, layout_of
from service.x9.letter import CashLetterFile
from service.x9.record import TO_EBCDIC, Encoding, Record
from service.x9.shapes import Framing, is_cash_letter
from service.x9.writer import Writer, encoded, read_back
from tests.x9.made import EVERY, Made, every_record, made, padded, tiff

ITEMS = [Made(123456 + n, padded(900), padded(800)) for n in range(5)]
EVAL = Path(__file__).resolve().parents[3] / "shared" / "eval" / "x9_dev"


def _amounts(data: bytes) -> list[int | None]:
    return [item.amount_minor for item in CashLetterFile(io.BytesIO(data)).items()]


def test_every_layout_has_the_size_of_its_standard() -> None:
    for standard, layouts in LAYOUTS.items():
        for (type_, variant), layout in layouts.items():
            if type_ in ("27", "34", "52", "68"):
                assert layout.size is None
            else:
                wanted = 100 if (type_, variant) == ("62", "100") else 80
                assert layout.size == wanted, (standard, type_)


@pytest.mark.parametrize("framing", ["big-endian", "little-endian", "descriptor", "none"])
@pytest.mark.parametrize("encoding", ["ebcdic", "ascii"])
@pytest.mark.parametrize("standard", ["x9.37", "x9.100-187"])
def test_files_are_read_as_they_were_written(
    framing: Framing, encoding: Encoding, standard: Standard
) -> None:
    data = made(ITEMS, framing=framing, encoding=encoding, standard=standard)
    letter = CashLetterFile(io.BytesIO(data))
    items = list(letter.items())
    report = letter.report
    assert (report.framing, report.encoding, report.standard) == (framing, encoding, standard)
    assert report.by_code == {}
    assert [item.amount_minor for item in items] == [item.amount for item in ITEMS]
    for item in items:
        for view, image in zip(item.views, (ITEMS[0].front, ITEMS[0].back), strict=True):
            assert data[view.start : view.start + view.size] == image
    copied = io.BytesIO()
    writer = Writer(copied)
    for record in CashLetterFile(io.BytesIO(data)).records():
        writer.copy(record)
    assert copied.getvalue() == data
    assert is_cash_letter(data[:128])


@pytest.mark.parametrize("framing", ["big-endian", "little-endian", "descriptor"])
@pytest.mark.parametrize("encoding", ["ebcdic", "ascii"])
def test_what_looks_like_records_within_a_record_is_none(
    framing: Framing, encoding: Encoding
) -> None:
    like = ("25" + 15 * "0" + " " + "12345678").encode()
    like = like.translate(TO_EBCDIC) if encoding == "ebcdic" else like
    items = [Made(100 + n, padded(200) + 40 * like, padded(300)) for n in range(5)]
    data = made(items, framing=framing, encoding=encoding)
    letter = CashLetterFile(io.BytesIO(data))
    found = list(letter.items())
    assert letter.report.framing == framing
    assert [item.amount_minor for item in found] == [item.amount for item in items]
    for item, wanted in zip(found, items, strict=True):
        view = item.view("front")
        assert view is not None
        assert data[view.start : view.start + view.size] == wanted.front


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("trimmed", [False, True])
def test_lines_without_length_prefixes(end: bytes, trimmed: bool) -> None:
    lines = []
    for record in CashLetterFile(io.BytesIO(made(ITEMS, encoding="ascii"))).records():
        text = record.data.rstrip(b" ") if trimmed and record.type != "52" else record.data
        lines.append(text + end)
    data = b"".join(lines)
    assert _amounts(data) == [item.amount for item in ITEMS]
    letter = CashLetterFile(io.BytesIO(data))
    assert b"".join(record.raw for record in letter.records()) == data
    assert letter.report.framing == "none"


def test_fields_under_their_standard_names() -> None:
    records = list(CashLetterFile(io.BytesIO(made(ITEMS))).records())
    check = next(record for record in records if record.type == "25")
    fields = check.fields()
    assert fields["Item Amount"] == 123456
    assert fields["Payor Bank Routing Number"] == "12200066"
    assert fields["On-Us"] == "1234/"
    assert check["MICR Valid Indicator"] == "1"
    with pytest.raises(KeyError):
        check["Amount of the Item"]
    image = next(record for record in records if record.type == "52")
    assert "Image Data" not in image.fields()
    assert image.fields()["Clipping Origin"] == "0"


def _one(type_: str, values: dict[str, str | int | bytes], variant: str = "") -> Record:
    layout = LAYOUTS["x9.100-187"][type_, variant]
    data = encoded(layout, values, "ebcdic")
    return read_back(layout, data, "ebcdic", "x9.100-187")


@pytest.mark.parametrize("framing", ["big-endian", "little-endian", "descriptor", "none"])
@pytest.mark.parametrize("encoding", ["ebcdic", "ascii"])
def test_every_type_is_found_in_files_of_every_framing(
    framing: Framing, encoding: Encoding
) -> None:
    data = every_record(framing=framing, encoding=encoding)
    records = list(CashLetterFile(io.BytesIO(data)).records())
    assert b"".join(record.raw for record in records) == data
    found = [(record.type, record.layout.variant) for record in records if record.layout]
    assert found == list(EVERY)


@pytest.mark.parametrize("variant", ["80", "100"])
def test_both_layouts_of_62(variant: str) -> None:
    record = _one(
        "62",
        {"Posting Bank Routing Number": "122000661", "Item Amount": 1234567,
         "Credit Item Sequence Number": "12"},
        variant,
    )  # fmt: skip
    assert record.layout is not None
    assert record.layout.variant == variant
    assert record.fields()["Item Amount"] == 1234567
    assert record.deviations == ()


@pytest.mark.parametrize("variant", ["credit", "reconciliation"])
def test_both_layouts_of_61(variant: str) -> None:
    routing = "Payor Bank" if variant == "credit" else "Posting Account"
    record = _one(
        "61",
        {f"{routing} Routing Number": "122000661", "Item Amount": 1234567,
         "Auxiliary On-Us": "123456789012345", "ECE Institution Item Sequence Number": "7",
         "Documentation Type Indicator": "G"},
        variant,
    )  # fmt: skip
    assert record.layout is not None
    assert record.layout.variant == variant
    assert record.fields()["Item Amount"] == 1234567


def test_variable_fields_move_those_after_them() -> None:
    record = _one("52", {
        "ECE Institution Routing Number": "122000661", "Bundle Business Date": "20240501",
        "Image Reference Key": "a key", "Digital Signature": b"\x01\x02\x03",
        "Image Data": tiff(),
    })  # fmt: skip
    start, end = record.place("Image Data")
    assert record.data[start:end] == tiff()
    assert record["Image Reference Key"] == "a key"
    addendum = _one("27", {"Image Reference Key Indicator": "0", "Image Reference Key": "k" * 40,
                           "Description": "text"})  # fmt: skip
    assert addendum["Description"] == "text"
    assert addendum["Length of Image Reference Key"] == "0040"
    assert addendum.deviations == ()


def test_values_that_do_not_fit_are_refused() -> None:
    with pytest.raises(InputError) as refused:
        _one("25", {"Item Amount": 10**10})
    assert refused.value.code == "invalid_field"
    with pytest.raises(KeyError):
        _one("25", {"No Such Field": 1})


def test_check_digits_of_routing_numbers() -> None:
    assert checks(b"122000661")
    assert not checks(b"122000662")
    assert not checks(b"12200066")


def test_a_type_that_is_not_known_has_no_layout() -> None:
    assert layout_of("93", "x9.37", b"93") is None


def test_deviations_name_record_and_field() -> None:
    values: dict[str, str | int | bytes] = {
        "Image Indicator": "1", "Image Creator Routing Number": "122000661",
        "Image Creator Date": "20241399", "View Side Indicator": 0, "View Descriptor": "00",
        "Reserved 1": "x",
    }  # fmt: skip
    record = _one("50", values)
    assert [(one.code, one.field, one.record) for one in record.deviations] == [
        ("invalid_field", "Image Creator Date", 1),
        ("reserved_not_blank", "Reserved 1", 1),
    ]


@pytest.mark.skipif(not EVAL.is_dir(), reason="the evaluation files are not there")
@pytest.mark.parametrize("file", sorted(EVAL.glob("*")), ids=lambda path: path.name)
def test_files_of_others(file: Path) -> None:
    data = file.read_bytes()
    letter = CashLetterFile(io.BytesIO(data))
    assert b"".join(record.raw for record in letter.records()) == data
    letter = CashLetterFile(io.BytesIO(data))
    items = list(letter.items())
    assert items
    assert not letter.report.by_code["unreadable_bytes"]
    if "valid" in file.name.casefold():
        assert [item.amount_minor for item in items] == [10000]
        assert [view.side for view in items[0].views] == ["front", "back"]
    else:
        assert letter.report.by_code["image_missing"] == sum(
            item.kind != "credit" for item in items
        )
