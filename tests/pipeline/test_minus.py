"""A stray stroke before the amount: a minus, or a speck of the form's."""

import numpy as np
import pytest

from service.pipeline.ink import HORIZONTAL, InkImage
from service.pipeline.minus import (
    leads,
    leaves_out_minus,
    maybe_negative,
    stands_beside,
    trails,
)
from service.pipeline.search import Interpretation, Lattice
from service.pipeline.segment import FEATURES, SegmentationGraph

LABELS = ("0", "1", "-", "=", "")
STROKE = (10.0, 28.0, 24.0, 32.0)
DIGITS = ((30.0, 10.0, 50.0, 50.0), (55.0, 10.0, 75.0, 50.0))


DASHES = tuple((10 - 30 * n, 28, 24 - 30 * n, 32) for n in range(1, 4))
Mark = tuple[int, int, int, int]


def _seen(
    stroke: tuple[float, ...] = STROKE, marks: tuple[Mark, ...] = (), rules: tuple[Mark, ...] = ()
) -> tuple[SegmentationGraph, InkImage]:
    """A stroke and two digits, a segment each, and the ink they are in.

    marks: other ink, x0, y0, x1, y1; rules: level lines that were taken out of it. All lie 100
    pixels farther right, where there is room for them.
    """
    ink = np.zeros((100, 300), np.uint8)
    for x0, y0, x1, y1 in (*marks, *(tuple(map(int, box)) for box in (stroke, *DIGITS))):
        ink[y0:y1, 100 + x0 : 100 + x1] = 255
    lines = [(100 + x0, y0, 100 + x1, y1, HORIZONTAL) for x0, y0, x1, y1 in rules]
    boxes = np.array([stroke, *DIGITS], np.float32) + np.array([100, 0, 100, 0], np.float32)
    count = np.arange(3, dtype=np.int32)
    graph = SegmentationGraph(
        4, count, count + 1, count, np.zeros(3, np.float32), np.zeros(3, np.int32),
        np.zeros((3, 32, 32), np.uint8), boxes, np.zeros((3, len(FEATURES)), np.float32),
    )  # fmt: skip
    return graph, InkImage(ink, ink > 0, np.array(lines, np.int32).reshape(-1, 5), ink)


def _read(
    stroke: tuple[float, ...] = STROKE,
    odds: tuple[float, ...] = (9.0, 7.0, 1.6, 4.0, 0.0),
    labels: tuple[int, ...] = (4, 1, 0),
    marks: tuple[Mark, ...] = (),
    rules: tuple[Mark, ...] = (),
) -> bool:
    """Whether a reading of a stroke and two digits, these labels, leaves a minus out."""
    graph, image = _seen(stroke, marks, rules)
    count = np.arange(3, dtype=np.int32)
    lattice = Lattice(
        4, count, count + 1, count, np.zeros(3), np.zeros(3, np.int32),
        np.array([odds, (9, -5, 9, 9, 0), (-5, 9, 9, 9, 0)], np.float64),
    )  # fmt: skip
    return leaves_out_minus(_path(labels), lattice, graph, LABELS, image)


def _path(labels: tuple[int, ...], text: str = "10", *, negative: bool = False) -> Interpretation:
    """A reading of the three segments."""
    count = np.arange(3, dtype=np.int32)
    symbols = np.array(labels, np.int32)
    return Interpretation(
        count, symbols, np.zeros(3, np.uint8), 1000, None, negative, text, "10", 0.0
    )


def test_a_flat_stroke_that_adjoins_the_amount_may_be_its_minus() -> None:
    assert _read()


@pytest.mark.parametrize(
    "stroke",
    [(10, 20, 24, 40), (-40, 28, -26, 32), (10, 50, 24, 54), (10, 6, 24, 10)],
    ids=["not flat", "far", "below", "above"],
)
def test_other_strokes_are_none(stroke: tuple[float, ...]) -> None:
    assert not _read(stroke)


def test_nor_is_what_looks_less_like_a_minus_than_like_nothing_or_another_symbol() -> None:
    assert not _read(odds=(9.0, 7.0, 3.5, 4.0, 0.0))
    assert not _read(odds=(9.0, 7.0, 1.6, 1.0, 0.0))


def test_what_is_read_is_not_left_out() -> None:
    assert not _read(labels=(2, 1, 0))
    assert not _read(labels=(1, 1, 0))
    assert not _read(labels=(4, 4, 4))


def test_nor_is_the_end_of_a_line_that_leads_there() -> None:
    assert not _read(marks=DASHES)
    assert not _read(marks=DASHES[:1])
    assert _read(marks=DASHES[2:])  # too far off
    assert _read(marks=tuple((x0, y0 - 14, x1, y1 - 14) for x0, y0, x1, y1 in DASHES))
    assert not _read(rules=((-90, 28, 6, 31),))
    assert _read(rules=((-90, 48, 6, 51),))
    assert _read(rules=((-90, 28, -40, 31),))


@pytest.mark.parametrize(
    ("shares", "negative"),
    [((0.8, 0.15), True), ((0.9, 0.05), False)],
)
def test_a_negative_amount_that_has_a_share_may_be_meant(
    shares: tuple[float, float], negative: bool
) -> None:
    graph, ink = _seen()
    one, other = _path((4, 1, 0)), _path((2, 1, 0), "-10", negative=True)
    assert maybe_negative([one, other], shares, graph, LABELS, ink) == negative
    assert maybe_negative([other, one], shares, graph, LABELS, ink)
    assert not maybe_negative([one, one], shares, graph, LABELS, ink)
    assert not maybe_negative([], [], graph, LABELS, ink)


@pytest.mark.parametrize(
    ("top", "meant"), [(10, False), (14, True), (28, True), (42, True), (46, False)]
)
def test_nor_is_one_where_the_dash_is_at_the_top_or_the_feet_of_the_line(
    top: int, meant: bool
) -> None:
    graph, ink = _seen((10, top, 24, top + 4))
    one = _path((2, 1, 0), "-10", negative=True)
    assert maybe_negative([one], [1.0], graph, LABELS, ink) == meant


def test_none_is_where_its_dash_is_the_end_of_a_line_or_a_star() -> None:
    graph, ink = _seen(marks=DASHES)
    one, other = _path((4, 1, 0)), _path((2, 1, 0), "-10", negative=True)
    assert not maybe_negative([one, other], [0.6, 0.4], graph, LABELS, ink)
    assert not maybe_negative([other, one], [0.6, 0.4], graph, LABELS, ink)
    graph, ink = _seen()
    filled = _path((2, 1, 0), "*10")
    assert not maybe_negative([filled, other], [0.6, 0.4], graph, LABELS, ink)
    bracketed = _path((3, 1, 0), "(10)", negative=True)
    assert maybe_negative([bracketed], [1.0], graph, LABELS, ink)


READ = [(300 + 32 * n, 80, 24, 40) for n in range(5)]
END = 300 + 32 * 4 + 24
SIGN = (230, 80, 24, 40)
Boxes = list[tuple[int, int, int, int]]


def _reading(text: str) -> Interpretation:
    none = np.zeros(0, np.int32)
    return Interpretation(none, none, np.zeros(0, np.uint8), 50000, None, False, text, "50000", 0.0)


def _beside(
    marks: Boxes,
    text: str = "50000",
    read: Boxes = READ,
    pale: Boxes | None = None,
    rules: Boxes | None = None,
    gap: tuple[int, int, int, int] = (0, 0, 0, 0),
    darkness_of_pale: int = 128,
) -> bool:
    """Whether marks x, y, width, height beside the symbols read make the amount a negative one.

    gap: paper within a symbol. pale: marks that are no ink, with half of its darkness where nothing
    else is said. rules: level ones that were taken out of the ink.
    """
    ink = np.zeros((200, 900), np.uint8)
    for x, y, wide, high in [*read, *marks]:
        ink[y : y + high, x : x + wide] = 255
    x, y, wide, high = gap
    ink[y : y + high, x : x + wide] = 0
    darkness = ink.copy()
    for x, y, wide, high in pale or []:
        darkness[y : y + high, x : x + wide] = darkness_of_pale
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in read], np.float32)
    lines = [(x, y, x + w, y + h, HORIZONTAL) for x, y, w, h in rules or []]
    image = InkImage(ink, ink > 0, np.array(lines, np.int32).reshape(-1, 5), darkness)
    return stands_beside(_reading(text), boxes, list(text.replace(" ", ""))[: len(read)], image)


@pytest.mark.parametrize(
    "dash",
    [(250, 98, 24, 5), (215, 95, 24, 6), (240, 98, 50, 5), (250, 114, 24, 5), (250, 87, 24, 5)],
    ids=["near", "far", "long", "low", "high"],
)
def test_a_lone_dash_before_an_amount_is_a_minus(dash: tuple[int, int, int, int]) -> None:
    assert _beside([dash])


def test_so_is_one_between_a_currency_sign_and_the_figures() -> None:
    dash = (266, 98, 22, 5)
    assert _beside([SIGN, dash])
    assert _beside([dash], "$50000", [SIGN, *READ])
    # The sign's foot is no dash, wherever it is cut.
    foot = [(190, 80, 8, 34), (190, 114, 26, 6)]
    assert _beside([*foot, (250, 98, 24, 5)])


def test_and_one_that_was_read_as_the_point_of_a_sign() -> None:
    letters = [(200, 80, 24, 40), (226, 90, 20, 30)]
    dash, point, foot = (250, 98, 24, 5), (250, 112, 9, 8), (250, 114, 14, 6)
    assert _beside([], "RS.50000", [*letters, dash, *READ])
    assert _beside([], "RS.50000", [*letters, (250, 80, 20, 24), *READ])
    assert not _beside([], "RS.50000", [*letters, point, *READ])
    assert not _beside([], "RS.50000", [*letters, foot, *READ])


def test_and_one_that_was_read_as_an_equals_sign() -> None:
    dash, equals = (266, 98, 22, 5), (266, 92, 22, 14)
    assert _beside([], "$=50000", [SIGN, dash, *READ])
    assert _beside([], "=50000", [dash, *READ])
    assert not _beside([], "$=50000", [SIGN, equals, *READ])
    assert not _beside([], "=50000=", [dash, *READ, (470, 98, 22, 5)])
    assert _beside([], "$=50000", [SIGN, (262, 94, 26, 12), *READ])
    assert _beside([], "$=50000", [SIGN, (266, 96, 16, 10), *READ])
    near, far = (266, 96, 22, 7), (266, 96, 22, 18)
    assert not _beside([], "$=50000", [SIGN, (266, 92, 22, 15), *READ], gap=near)
    assert _beside([], "$=50000", [SIGN, (266, 92, 22, 27), *READ], gap=far)


def test_but_none_is_the_end_of_a_ruled_line_at_the_feet_of_the_figures() -> None:
    low, level, line = (250, 114, 24, 5), (250, 98, 24, 5), (20, 115, 225, 3)
    assert _beside([low])
    assert not _beside([low], rules=[line])
    assert not _beside([SIGN, (200, 114, 24, 5)], rules=[(20, 115, 160, 3)])
    assert _beside([low], rules=[(20, 140, 225, 3)])
    assert _beside([low], rules=[(20, 115, 100, 3)])
    assert _beside([level], rules=[(20, 99, 225, 3)])


def test_a_dotted_line_that_leads_to_a_dash_makes_it_no_filler() -> None:
    dots = [(80 + 18 * n, 90, 8, 4) for n in range(8)]
    assert _beside([(250, 98, 24, 5), *dots])
    fillers = [(80 + 24 * n, 98, 12, 5) for n in range(6)]
    assert not _beside([(250, 98, 24, 5), *fillers])


def test_a_dash_among_specks_above_and_below_is_one_of_them() -> None:
    dash = (250, 98, 24, 5)
    above = [(220 + 24 * n, 76 + 3 * (n % 2), 14, 5) for n in range(3)]
    assert not _beside([dash, *above])
    assert not _beside([dash, above[0], *[(x, y + 35, w, h) for x, y, w, h in above[1:]]])
    assert _beside([dash, *[(x, y + 50, w, h) for x, y, w, h in above]])  # a line at the feet
    assert _beside([dash, *above[:2]])
    assert _beside([dash, *[(x, y, 6, 5) for x, y, _, _ in above]])  # too small
    assert _beside([dash, *[(x - 120, y, w, h) for x, y, w, h in above]])  # too far


def test_a_dash_is_told_from_thousands_of_specks_that_are_smaller() -> None:
    dash = (250, 98, 24, 5)
    specks = [(x, y, 2, 1) for x in range(40, 860, 4) for y in range(64, 136, 3)]
    free = [one for one in specks if not (240 < one[0] < 560 and 76 < one[1] < 124)]
    assert len(free) > 3000
    assert _beside([dash, *free])
    assert not _beside([(250, 98, 3, 1), *free])


def test_and_one_right_before_a_currency_sign_but_not_the_end_of_a_line_there() -> None:
    near, line = (200, 98, 24, 5), (185, 98, 40, 5)
    assert _beside([near], "$50000", [SIGN, *READ])
    assert _beside([SIGN, near])
    assert not _beside([line], "$50000", [SIGN, *READ])
    assert not _beside([near, (160, 98, 24, 5)], "$50000", [SIGN, *READ])


@pytest.mark.parametrize(
    "marks",
    [
        [],
        [(250, 98, 24, 5), (215, 98, 24, 5)],  # a filled line
        [(250, 98, 24, 5), (470, 98, 24, 5)],
        [(250, 126, 24, 5)],  # below the line
        [(250, 116, 24, 2)],  # the rest of a ruled line
        [(250, 84, 24, 5)],
        [(250, 90, 12, 24)],
        [(100, 98, 24, 5)],
        [(190, 98, 24, 5), (225, 80, 24, 40), (260, 80, 24, 40)],  # letters between
    ],
)
def test_other_dashes_and_marks_are_none(marks: Boxes) -> None:
    assert not _beside(marks)


@pytest.mark.parametrize("text", ["*5000", "500.00-", "500.00*"])
def test_lines_of_filled_amounts_are_no_minus(text: str) -> None:
    assert not _beside([(250, 98, 24, 5)], text)


def test_a_dash_that_follows_cents_is_one_and_where_cents_are_missing_stands_for_them() -> None:
    dash = (END + 8, 98, 24, 5)
    assert _beside([dash], "500.00")
    assert not _beside([dash], "50000")
    assert not _beside([(END + 60, 98, 24, 5)], "500.00")
    assert not _beside([dash, (END + 40, 98, 24, 5)], "500.00")


def test_a_dash_after_small_cents_is_seen_in_their_size() -> None:
    cents = [(460, 66, 14, 20), (478, 66, 14, 20)]
    read = [*READ, *cents]
    assert _beside([(496, 76, 8, 3)], "50000 00", read)
    assert _beside([(496, 76, 8, 3), (560, 98, 10, 5)], "50000 00", read)  # beyond its box
    assert _beside([(560, 70, 10, 5), (496, 76, 8, 3)], "50000 00", read)
    assert not _beside([(496, 84, 8, 3)], "50000 00", read)


def test_a_pale_dash_right_before_the_figures_is_one_where_nothing_else_is() -> None:
    dash = (280, 98, 14, 5)
    assert _beside([], pale=[dash])
    assert _beside([], pale=[(244, 98, 14, 5)], darkness_of_pale=70)
    assert not _beside([], pale=[dash], darkness_of_pale=50)
    assert not _beside([], pale=[(200, 98, 14, 5)])
    assert not _beside([], pale=[dash, (284, 84, 4, 4), (290, 112, 4, 4)])
    assert _beside([], pale=[dash, (284, 84, 2, 2), (290, 112, 3, 3)])


def test_so_is_one_right_after_cents() -> None:
    point = (391, 112, 5, 8)
    read = [*READ[:3], point, *[(x + 4, y, w, h) for x, y, w, h in READ[3:]]]
    end = read[-1][0] + read[-1][2]
    dash = (end + 8, 98, 20, 5)
    assert _beside([], "500.00", read, pale=[dash])
    assert not _beside([], "50000", pale=[(END + 8, 98, 20, 5)])
    assert not _beside([], "500.00", read, pale=[(end + 90, 98, 20, 5)])
    assert not _beside([], "500.00", read, pale=[dash, (end + 44, 98, 20, 5)])


def test_a_dash_that_was_taken_for_a_part_of_the_first_figure_is_still_one() -> None:
    wide = [(280, 80, 44, 40), *READ[1:]]
    ink = [(284, 98, 10, 5), (300, 80, 24, 40)]
    image = np.zeros((200, 900), np.uint8)
    for x, y, w, h in [*ink, *READ[1:]]:
        image[y : y + h, x : x + w] = 255
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in wide], np.float32)
    page = InkImage(image, image > 0, np.zeros((0, 5), np.int32), image)
    assert stands_beside(_reading("50000"), boxes, list("50000"), page)


def test_fillers_may_stand_between_the_sign_of_a_currency_and_the_figures() -> None:
    star, dash = (266, 90, 16, 16), (190, 98, 20, 5)
    assert _beside([dash], "$*50000", [SIGN, star, *READ])
    assert not _beside([dash], "**50000", [SIGN, star, *READ])
    letters = [(150, 80, 24, 40), (190, 80, 24, 40)]
    dash = (END + 8, 98, 24, 5)
    assert _beside([dash], "#*$500.00", [*letters, SIGN, *READ])
    assert _beside([dash], "#RS500.00", [*letters, SIGN, *READ])


def test_a_letter_that_was_read_as_a_point_is_credit_or_debit() -> None:
    pair = [(END + 30, 80, 24, 40), (END + 60, 80, 24, 40)]
    point = [(END + 30, 112, 8, 8), (END + 60, 80, 24, 40)]
    figures = [*READ[:3], (404, 114, 6, 6), *READ[3:]]
    assert _beside([], "500.00.#", [*figures, *pair])
    assert not _beside([], "500.00.#", [*figures, *point])


def test_so_are_two_letters_that_were_read_as_one_filler() -> None:
    figures = [*READ[:3], (391, 112, 5, 8), *[(x + 4, y, w, h) for x, y, w, h in READ[3:]]]
    assert _beside([], "500.00#", [*figures, (END + 30, 80, 52, 40)])
    assert not _beside([], "500.00#", [*figures, (END + 30, 80, 40, 40)])
    filler = (SIGN[0], 80, 40, 40)
    assert not _beside([], "#500.00#", [filler, *figures, (END + 30, 80, 52, 40)])
    assert not _beside([], "500.00=", [*figures, (END + 30, 90, 52, 20)])


def test_two_letters_that_follow_cents_are_credit_or_debit() -> None:
    pair = [(END + 30, 80, 24, 40), (END + 60, 80, 24, 40)]
    assert _beside(pair, "500.00")
    assert _beside([*pair, (END + 90, 60, 4, 90)], "500.00")  # the side of a box
    assert not _beside(pair[:1], "500.00")
    assert not _beside([*pair, (END + 90, 80, 24, 40)], "500.00")
    assert not _beside([(x, 95, w, 25) for x, _, w, _ in pair], "500.00")


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("500.00-", True), ("$ 1,234.56-", True), ("50 00 -", True),
        ("500.00", False), ("500-", False), ("500.-", False), ("1.500-", False),
        ("-500.00-", False), ("*500.00-", False), ("500.00--", False), ("500.00=-", False),
        ("RS.|500.00-", True),
    ],
)  # fmt: skip
def test_a_dash_after_cents_is_read_as_a_minus_where_no_other_filler_is(
    text: str, negative: bool
) -> None:
    assert trails(_reading(text)) == negative


@pytest.mark.parametrize(
    ("text", "negative"),
    [
        ("-500.00", True), ("-8.200.*", True), ("$-*6066.02", True), ("$ - 500", True),
        ("500.00", False), ("-500.00-", False), ("-500-00", False), ("=500.00=", False),
        ("*-500.00", False), ("5-00", False), ("$500.00", False), ("-$500.00-", True),
        ("- £ 500-", True), ("$-500.00-", False), ("-$500.00--", False),
        ("+$300.00", True), ("--$500.00", True), ("-+ £ 500", True), ("+$300.00+", False),
        ("++*$300.00", False), ("*$300.00", False), ("---$300.00", False), ("+300.00", False),
    ],
)  # fmt: skip
def test_a_dash_before_an_amount_is_a_minus_where_it_is_no_filler(
    text: str, negative: bool
) -> None:
    assert leads(_reading(text)) == negative
