"""Papers with an amount on them that are no cheques, drawn."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.card import SIGNS
from service.pipeline.field import find_places
from service.pipeline.field_map import FieldMap
from service.pipeline.ink import HORIZONTAL, VERTICAL, extract_ink
from service.pipeline.paper import cells_with, entries_above, is_other_paper
from service.pipeline.reader import ChequeReader, Reading
from service.settings import load_settings

AMOUNT = "$1,234.56"
FONT = cv2.FONT_HERSHEY_SIMPLEX
Grey = NDArray[np.uint8]


def _sheet(width: int, height: int) -> Grey:
    return np.full((height, width), 255, np.uint8)


def _print(page: Grey, text: str, x: int, y: int, scale: float, right: bool = False) -> None:
    """Print a text on its baseline; right: it ends at x."""
    wide = cv2.getTextSize(text, FONT, scale, 2)[0][0]
    cv2.putText(page, text, (x - wide if right else x, y), FONT, scale, 0, 2, cv2.LINE_AA)


def _cheque() -> Grey:
    page = _sheet(1200, 540)
    for y, text in ((50, "Evergreen Pharmacy"), (80, "17 Maple Street"), (110, "Salem OR 97301")):
        _print(page, text, 40, y, 0.6)
    _print(page, "12 May 2021", 850, 110, 0.8)
    for y, label in ((200, "PAY TO THE ORDER OF"), (290, "DOLLARS"), (430, "MEMO")):
        _print(page, label, 40, y, 0.5)
        cv2.line(page, (230, y), (840, y), 0, 2)
    _print(page, "Daniela Evans", 260, 192, 1.0)
    _print(page, "One thousand two hundred thirty four 56/100", 230, 282, 0.8)
    cv2.rectangle(page, (880, 150), (1160, 215), 0, 2)
    _print(page, AMOUNT, 905, 200, 1.3)
    _print(page, "123456789 0012345678 0101", 100, 510, 0.8)
    return page


def _letter() -> Grey:
    page = _sheet(1200, 700)
    for row in range(14):
        _print(page, "thank you for your order of last week which we have", 60, 60 + 45 * row, 1.0)
    page[400:470] = 255
    _print(page, "Amount due", 60, 445, 1.0)
    _print(page, AMOUNT, 1100, 445, 1.0, right=True)
    return page


def _list() -> Grey:
    page = _sheet(1200, 540)
    for row in range(40):
        _print(page, "small print", 40 + 130 * (row % 4), 40 + 22 * (row // 4), 0.4)
    for row, value in enumerate(("18.00", "640.50", "276.08", AMOUNT)):
        _print(page, value, 1150, 150 + 90 * row, 1.3, right=True)
    return page


def _slip() -> Grey:
    page = _sheet(1200, 540)
    for row in range(40):
        _print(page, "deposit ticket", 40 + 130 * (row % 4), 40 + 22 * (row // 4), 0.4)
    for row in range(6):
        cv2.line(page, (820, 60 + 70 * row), (1170, 60 + 70 * row), 0, 2)
    for x in (820, 1170):
        cv2.line(page, (x, 60), (x, 60 + 350), 0, 2)
    _print(page, AMOUNT, 850, 395, 1.3)
    return page


def _receipt() -> Grey:
    page = _sheet(500, 700)
    for row, name in enumerate(("bread", "milk", "coffee")):
        _print(page, name, 40, 80 + 40 * row, 0.6)
        _print(page, f"{row + 1}.50", 440, 80 + 40 * row, 0.6, right=True)
    _print(page, "Total", 40, 330, 1.2)
    _print(page, AMOUNT, 440, 330, 1.2, right=True)
    return page


def _box(x: int, baseline: int, scale: float) -> tuple[int, int, int, int]:
    """The box of the amount printed there."""
    wide, high = cv2.getTextSize(AMOUNT, FONT, scale, 2)[0]
    return x, baseline - high, x + wide, baseline


def _is_other(page: Grey, box: tuple[int, int, int, int], *, filled: bool = False) -> bool:
    """Whether a page with an amount in a box, and no ruled lines, is taken for another paper."""
    places = find_places(extract_ink(page))
    assert places is not None
    amount, none = np.array([box], np.float32), np.zeros((0, 5), np.int32)
    return is_other_paper(amount, places, none, filled=filled)


PAPERS = {"letter": _letter, "list": _list, "slip": _slip, "receipt": _receipt}


@pytest.fixture(scope="module")
def reader() -> ChequeReader:
    return ChequeReader(load_settings().model_dir)


def _read(reader: ChequeReader, page: Grey, field_only: bool = False) -> tuple[int | None, str]:
    found = reader.read(cv2.imencode(".png", page)[1].tobytes(), field_only=field_only)
    return found.amount_minor, found.reject_reason or "accepted"


@pytest.mark.parametrize("name", sorted(PAPERS))
def test_an_amount_on_another_paper_is_not_accepted(reader: ChequeReader, name: str) -> None:
    assert _read(reader, PAPERS[name]())[1] == "no_cheque"


def test_the_same_amount_on_a_cheque_is_judged_by_its_confidence(reader: ChequeReader) -> None:
    amount, reason = _read(reader, _cheque())
    assert amount == 123456
    assert reason in ("accepted", "low_confidence")


def test_an_amount_with_hardly_anything_beside_it_is_no_cheque() -> None:
    page = _sheet(1200, 540)
    _print(page, "MAIN STREET", 100, 400, 1.5)
    _print(page, AMOUNT, 700, 275, 2.5)
    assert _is_other(page, _box(700, 275, 2.5))
    for row in range(4):
        _print(page, "pay to the order of", 100, 50 + 30 * row, 0.6)
    assert not _is_other(page, _box(700, 275, 2.5))


def test_what_a_table_shows_around_a_cheque_makes_it_no_narrower() -> None:
    page = _sheet(1200, 900)
    page[180:720] = _cheque()
    for n in range(60):
        x, y = 20 + 97 * n % 1160, (20 if n % 2 else 750) + 31 * n % 120
        cv2.circle(page, (x, y), 4, 0, -1)
    assert not _is_other(page, _box(905, 380, 1.3))


@pytest.mark.parametrize(("height", "other"), [(600, False), (900, True)])
def test_a_page_that_is_no_wider_than_high_has_to_be_written_wider(
    height: int, other: bool
) -> None:
    page = _sheet(800, height)
    for row in range(6):
        _print(page, "pay to the order of", 60, 80 + 80 * row, 0.6)
        _print(page, "one of these", 520, 80 + 80 * row, 0.6)
    _print(page, AMOUNT, 300, 330, 1.3)
    assert _is_other(page, _box(300, 330, 1.3)) == other


def test_an_amount_as_high_as_the_words_is_a_text_s_only_on_a_page_of_text() -> None:
    page = _sheet(1200, 540)
    for row in range(5):
        _print(page, "one thousand two hundred", 60, 60 + 100 * row, 1.3)
    _print(page, AMOUNT, 800, 260, 1.3)
    left, _, right, bottom = _box(800, 260, 1.3)
    figures = (left, bottom - 28, right, bottom)
    assert _is_other(page, figures)
    # Small print, as it is left in a picture of few pixels.
    for n in range(40):
        x, y = 700 + 10 * (n % 8), 330 + 30 * (n // 8)
        cv2.line(page, (x, y), (x + 4, y), 0, 3)
    assert not _is_other(page, figures)


@pytest.mark.parametrize(
    ("rows", "entries"),
    [
        ((190, 220, 250), 3),
        ((160, 190, 220, 250), 4),
        ((250,), 1),
        ((40, 70, 250), 1),  # a number and a code at the top of a cheque
        ((100, 130, 160), 0),
        ((350, 380, 410), 0),  # below it
    ],
)
def test_a_total_has_smaller_figures_right_above_it(rows: tuple[int, ...], entries: int) -> None:
    page = _sheet(1200, 540)
    for row in range(8):
        _print(page, "book, two copies", 100, 60 + 60 * row, 0.6)
    for row in rows:
        _print(page, "81,07", 1000, row, 0.75, right=True)
    _print(page, AMOUNT, 1000, 300, 1.3, right=True)
    wide, high = cv2.getTextSize(AMOUNT, FONT, 1.3, 2)[0]
    amount = np.array([[1000 - wide, 300 - high, 1000, 300]], np.float32)
    places = find_places(extract_ink(page))
    assert places is not None
    assert entries_above(amount, places) == entries
    none = np.zeros((0, 5), np.int32)
    assert is_other_paper(amount, places, none) is (entries >= 3)


def test_a_line_that_is_filled_with_stars_may_be_as_small_as_other_print() -> None:
    page = _sheet(1200, 540)
    for row in range(14):
        _print(
            page,
            "one thousand two hundred and thirty four dollars and 56 cents",
            60,
            60 + 35 * row,
            1.0,
        )
    page[230:300] = 255
    _print(page, AMOUNT, 700, 275, 0.6)
    left, _, right, _ = _box(700, 275, 0.6)
    assert _is_other(page, (left, 260, right, 276))
    assert not _is_other(page, (left, 260, right, 276), filled=True)


def test_a_cropped_amount_has_no_page_to_judge(reader: ChequeReader) -> None:
    crop = _cheque()[145:220, 875:1165]
    assert _read(reader, crop, field_only=True)[1] != "no_cheque"


@pytest.mark.parametrize(
    ("levels", "cells"),
    [
        ((130, 190), 1),
        ((70, 130, 190, 250, 310), 4),
        ((10, 40, 130, 190), 1),  # a date's box above the amount's
        ((10, 70, 130, 190), 3),
        ((190, 250, 310, 370), 3),  # the uppermost, open above
        ((190,), 0),
        ((), 0),
    ],
)
def test_cells_are_counted_where_they_lie_on_one_another(
    levels: tuple[int, ...], cells: int
) -> None:
    amount = np.array([(320 + 30 * n, 140, 344 + 30 * n, 180) for n in range(6)], np.float32)
    others = [(40, 260, 900, 262, HORIZONTAL), (420, 0, 422, 400, VERTICAL)]
    rules = [*((300, y, 560, y + 2, HORIZONTAL) for y in levels), *others]
    side = (300, min(levels, default=0), 302, max(levels, default=0), VERTICAL)
    assert cells_with(amount, np.array([*rules, side], np.int32)) == cells
    # Lines without sides are those of a place and a date.
    assert cells_with(amount, np.array(rules, np.int32)) == min(cells, 1)


def test_parts_of_lines_between_two_sides_make_cells() -> None:
    amount = np.array([(420 + 30 * n, 140, 444 + 30 * n, 180) for n in range(6)], np.float32)
    sides = [(300, 60, 302, 320, VERTICAL), (640, 60, 642, 320, VERTICAL)]
    parts = [(340, 610, 186), (350, 530, 246), (480, 641, 306)]
    rules = [(x0, y, x1, y + 2, HORIZONTAL) for x0, x1, y in parts]
    assert cells_with(amount, np.array([*rules, *sides], np.int32)) == 2
    assert cells_with(amount, np.array(rules, np.int32)) <= 1
    # What runs on beyond a side is no cell's.
    wide = [(200, y, 700, y + 2, HORIZONTAL) for _, _, y in parts]
    near = [(300, 120, 302, 200, VERTICAL), (640, 120, 642, 200, VERTICAL)]
    assert cells_with(amount, np.array([*wide, *near], np.int32)) <= 1


def test_where_the_map_sees_no_amount_none_is_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    reader = ChequeReader(load_settings().model_dir)
    page = (Path(__file__).parents[2] / "samples" / "us-personal-04.tif").read_bytes()
    assert reader.read(page).decision == "accept"
    monkeypatch.setattr(FieldMap, "places", lambda _: [])
    reading = reader.read(page)
    assert (reading.decision, reading.reject_reason) == ("reject", "no_amount_found")
    assert reading.amount_minor == 205000
    assert reading.signs[SIGNS.index("unplaced")] == 1.0


def test_none_is_accepted_at_an_unlikely_place_and_others_hang_on_their_confidence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    places = FieldMap.places
    reader = ChequeReader(load_settings().model_dir)
    page = (Path(__file__).parents[2] / "samples" / "us-personal-04.tif").read_bytes()

    def read_at(probability: float) -> Reading:
        monkeypatch.setattr(
            FieldMap,
            "places",
            lambda seen: [replace(one, probability=probability) for one in places(seen)],
        )
        return reader.read(page)

    unlikely, doubted, likely = map(read_at, (0.3, 0.4, 0.95))
    assert (unlikely.decision, unlikely.reject_reason) == ("reject", "no_amount_found")
    assert doubted.reject_reason in (None, "low_confidence")
    unplaced = SIGNS.index("unplaced")
    assert doubted.signs[unplaced] > likely.signs[unplaced] == 0
    assert doubted.confidence <= likely.confidence
    assert likely.decision == "accept"
