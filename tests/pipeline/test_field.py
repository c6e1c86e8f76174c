"""Candidate fields on drawn pages: recall of a known zone, apart cents, bounded work."""

import math
import time
from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.cents import split_raised_cents
from service.pipeline.field import (
    FieldCandidate,
    Places,
    Zone,
    choose,
    fields_of,
    find_places,
    locate_fields,
)
from service.pipeline.field_features import FEATURES, WEIGHTS, field_penalties
from service.pipeline.field_map import SeenPlace, Sides
from service.pipeline.image import ChequeImage
from service.pipeline.ink import InkImage
from service.pipeline.textline import Marks
from tests.pipeline.plain_ruling import Ruling

Page = NDArray[np.uint8]
Box = tuple[int, int, int, int]
NO_RULES = np.zeros((0, 5), np.int32)


def _image(page: Page) -> ChequeImage:
    height, width = page.shape
    return ChequeImage(page, 200.0, np.eye(3), 1, (width, height))


def _locate(
    page: Page, rules: NDArray[np.int32] = NO_RULES, **options: bool
) -> list[FieldCandidate]:
    ink = InkImage((255 - page).astype(np.uint8), page < 128, rules, 255 - page)
    return locate_fields(_image(page), ink, **options)


def _of_whole(page: Page, rules: NDArray[np.int32] = NO_RULES) -> list[FieldCandidate]:
    """The candidates of a crop that are the whole of it, not its line alone."""
    found = _locate(page, rules, field_only=True)
    return [one for one in found if one.zones[0].box[:2] == (0, 0)]


def _put(page: Page, text: str, x: int, y: int, scale: float = 1.0, thick: int = 2) -> Box:
    """Write text with its baseline's left end at x, y; returns the box of its ink."""
    before = page.copy()
    cv2.putText(page, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, 0, thick)
    ys, xs = np.nonzero(page != before)
    return int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1


def _us_cheque(amount: str = "$ 1,234.56") -> tuple[Page, Box]:
    page = np.full((570, 1300), 255, np.uint8)
    _put(page, "Pat Example", 40, 50, 0.8)
    _put(page, "12 Some Street, Town", 40, 80, 0.6)
    _put(page, "1025", 1150, 55, 1.1)
    _put(page, "DATE", 780, 115, 0.5)
    _put(page, "12/25/2018", 860, 115)
    _put(page, "PAY TO THE", 40, 190, 0.5)
    _put(page, "Some Person", 200, 195, 1.1)
    box = _put(page, amount, 990, 200, 1.2)
    _put(page, "One thousand two hundred and thirty four", 60, 265)
    _put(page, "DOLLARS", 1050, 268, 0.6)
    _put(page, "Memo", 60, 440, 0.6)
    _put(page, "Signature", 800, 440, 1.3)
    _put(page, "123456789  987654321  1025", 60, 540, 1.1)
    return page, box


def _covers(zone: Box, truth: Box, slack: float = 1.6) -> bool:
    """Whether a zone holds the whole truth box (but for two pixels) and is not much larger."""
    holds = zone[0] <= truth[0] + 2 and zone[1] <= truth[1] + 2
    holds = holds and zone[2] >= truth[2] - 2 and zone[3] >= truth[3] - 2
    wide = (zone[2] - zone[0]) / (truth[2] - truth[0])
    high = (zone[3] - zone[1]) / (truth[3] - truth[1])
    return holds and wide <= slack and high <= slack


def _found(candidates: list[FieldCandidate], truth: Box) -> bool:
    return any(_covers(candidate.zones[0].box, truth) for candidate in candidates)


@pytest.mark.parametrize("amount", ["$ 1,234.56", "$800.00", "**1,234.56**", "12,345.00", "$ 75.-"])
def test_amount_right_of_the_payee_is_a_candidate(amount: str) -> None:
    page, box = _us_cheque(amount)
    assert _found(_locate(page), box)


def _places_of(*runs: Box) -> Places:
    """Runs of a page without ink."""
    boxes = np.array(runs, np.int32)
    nobody = Marks(np.zeros((0, 4), np.int32), np.zeros(0, np.int32), np.zeros(0, np.int32))
    blank = np.zeros((300, 800), np.uint8)
    ink = InkImage(blank, blank > 0, NO_RULES, blank)
    features = np.zeros((len(runs), len(FEATURES)), np.float32)
    return Places(boxes, features, nobody, ink, boxes[:0])


def test_extents_that_differ_by_a_digit_are_both_candidates() -> None:
    short, long, hardly = (511, 27, 611, 47), (479, 27, 611, 47), (509, 27, 613, 47)
    places = _places_of(short, long, hardly)
    penalties = np.array([0.4, 0.6, 0.5], np.float32)
    chosen = [one.zones[0].box for one in choose(places, penalties, 4)]
    assert chosen == [(510, 26, 612, 48), (478, 26, 612, 48)]


def test_a_row_of_dashes_within_a_place_is_no_candidate() -> None:
    figures, dashes = (540, 105, 700, 130), (500, 148, 680, 154)
    places = _places_of(dashes, figures)
    penalties = np.array([0.4, 0.6], np.float32)
    place = (498, 100, 750, 157)
    chosen = [one.zones[0].box[1] for one in choose(places, penalties, 4, [place])]
    assert chosen == [104]
    assert len(choose(places, penalties, 4)) == 2


def test_candidates_are_cheapest_first_few_and_inside_the_page() -> None:
    page, _ = _us_cheque()
    candidates = _locate(page)
    penalties = [candidate.penalty for candidate in candidates]
    assert 1 <= len(candidates) <= 4
    assert penalties == sorted(penalties)
    assert min(penalties) >= 0
    for candidate in candidates:
        assert candidate.features.shape == (len(FEATURES),)
        assert candidate.features.dtype == np.float32
        for zone in candidate.zones:
            x0, y0, x1, y1 = zone.box
            assert 0 <= x0 < x1 <= 1300
            assert 0 <= y0 < y1 <= 570


def test_amount_in_a_box_in_the_middle_right() -> None:
    page = np.full((520, 1200), 255, np.uint8)
    _put(page, "Pay", 40, 150)
    _put(page, "Some Person And Company", 140, 150)
    _put(page, "Rupees  One lakh twenty thousand only", 40, 220, 0.9)
    box = _put(page, "1,20,000/-", 920, 275, 1.2)
    _put(page, "2 5 1 2 2 0 1 8", 900, 60, 0.9)
    _put(page, "A/c No. 00112233445566", 60, 330, 0.8)
    _put(page, "000123 110002000 001234 29", 300, 500)
    rules = [(890, 230, 1160, 233, 0), (890, 290, 1160, 293, 0), (890, 230, 893, 293, 1)]
    rules.extend((x, 35, x + 2, 70, 1) for x in range(890, 1130, 28))
    rules.extend([(890, 33, 1130, 35, 0), (890, 70, 1130, 72, 0)])
    assert _found(_locate(page, np.array(rules, np.int32)), box)


def test_what_is_left_of_a_frame_is_no_part_of_the_amount_in_it() -> None:
    page, (x0, y0, x1, y1) = _us_cheque()
    page[y0:y1, x0:x1] = 255
    box = _put(page, "1,234.56", 1000, 200, 1.2)
    cv2.line(page, (975, 155), (975, 222), 0, 3)
    cv2.line(page, (975, 222), (1240, 222), 0, 3)
    best = next(c for c in _locate(page) if _covers(c.zones[0].box, box, slack=1.7))
    assert best.zones[0].box[0] > 978


def test_more_stars_than_a_run_of_text_has_words_come_with_the_amount() -> None:
    page, (x0, y0, x1, y1) = _us_cheque()
    page[y0:y1, x0:x1] = 255
    for place in range(9):
        for x in (900 + 22 * place, 1190 + 22 * (place % 3)):
            cv2.circle(page, (x, 187), 4, 0, -1)
    box = _put(page, "26.15", 1100, 200, 0.8)
    ink = InkImage((255 - page).astype(np.uint8), page < 128, NO_RULES, 255 - page)
    places = find_places(ink)
    assert places is not None
    assert any(
        run[0] <= 900 and run[2] >= 1234 and run[1] <= box[1] and run[3] >= box[3] - 1
        for run in places.boxes.tolist()
    )


def test_the_word_below_the_amount_is_not_in_its_zone() -> None:
    page, box = _us_cheque()
    best = next(c for c in _locate(page) if _covers(c.zones[0].box, box))
    assert best.zones[0].box[3] < 250


def test_cents_that_stand_apart_make_a_second_zone() -> None:
    page = np.full((110, 420), 255, np.uint8)
    main = _put(page, "1250", 30, 80, 1.8, 3)
    cents = _put(page, "56", main[2] + 25, 45, 0.9)
    cv2.line(page, (cents[0] - 4, 56), (cents[2] + 4, 54), 0, 2)
    _put(page, "100", cents[0] - 6, 84, 0.8)
    whole, apart = _of_whole(page)
    assert whole.zones == (Zone("amount", (0, 0, 420, 110)),)
    assert whole.penalty == 0
    assert [zone.kind for zone in apart.zones] == ["amount", "cents"]
    assert apart.zones[0].box[2] >= main[2]
    assert _covers(apart.zones[1].box, cents)
    assert apart.zones[0].box[2] <= apart.zones[1].box[0] + 2


def _fraction(lean: float = 0.0, below: int = 0) -> tuple[NDArray[np.bool_], Box]:
    """Ink of three digits and two raised ones over a bar that leans, and their box; below: how
    much higher than the feet of the digits what stands under the bar begins, 0 for none."""
    ink = np.zeros((80, 200), np.uint8)
    for x in (20, 50, 80):
        cv2.rectangle(ink, (x, 20), (x + 18, 60), 1, 4)
    for x in (112, 130):
        cv2.rectangle(ink, (x, 22), (x + 10, 38), 1, 3)
    ends = [round(43 + lean * (x - 127)) for x in (108, 146)]
    cv2.line(ink, (108, ends[0]), (146, ends[1]), 1, 2)
    if below:
        cv2.rectangle(ink, (114, 60 - below), (140, 60), 1, 3)
    return ink > 0, (16, 16, 150, 66)


@pytest.mark.parametrize("lean", [0.0, 0.12, -0.12])
@pytest.mark.parametrize("below", [0, 14])
def test_raised_cents_are_parted_from_the_bar_below(lean: float, below: int) -> None:
    ink, box = _fraction(lean, below)
    found = split_raised_cents(box, 105, ink)
    assert found is not None
    amount, cents = found
    assert amount == (16, 16, 105, 66)
    assert cents[0] == pytest.approx(110, abs=6)
    assert cents[2] == pytest.approx(142, abs=8)
    assert cents[1] == pytest.approx(20, abs=5)
    assert 36 <= cents[3] <= 46


def test_digits_on_the_line_and_strokes_above_others_are_no_raised_cents() -> None:
    ink, box = _fraction()
    assert split_raised_cents(box, 46, ink) is None
    assert split_raised_cents(box, 16, ink) is None
    assert split_raised_cents(box, 150, ink) is None
    assert split_raised_cents(box, -3, ink) is None
    ink, box = _fraction(below=10)
    ink[41:46] = False
    assert split_raised_cents(box, 105, ink) is None


def test_cents_in_a_cell_of_their_own_come_first() -> None:
    page = np.full((90, 400), 255, np.uint8)
    main_end = 180
    main, cents = _put(page, "5,335", 30, 60), _put(page, "80", main_end, 60)
    rules = np.array([[main_end - 12, 5, main_end - 10, 85, 1], [380, 5, 382, 85, 1]], np.int32)
    whole, apart = _of_whole(page, rules)
    assert [zone.kind for zone in apart.zones] == ["amount", "cents"]
    assert apart.penalty < whole.penalty
    assert main[2] <= apart.zones[0].box[2] <= main_end - 12
    assert _covers(apart.zones[1].box, cents)


def test_a_rule_no_higher_than_the_digits_parts_no_cents() -> None:
    page = np.full((40, 400), 255, np.uint8)
    _put(page, "5335", 30, 30)
    _, top, _, bottom = _put(page, "80", 180, 30)
    for rule, found in ((bottom, 1), (bottom + 6, 2)):
        rules = np.array([[168, top, 170, rule, 1]], np.int32)
        assert len(_of_whole(page, rules)) == found


def test_a_cell_ends_where_the_frame_does() -> None:
    page = np.full((90, 400), 255, np.uint8)
    _put(page, "5", 100, 60)
    cents = _put(page, "67", 160, 60)
    _put(page, "PAY TO", cents[2] + 18, 60)
    sides = [[148, 5, 150, 85, 1], [cents[2] + 8, 5, cents[2] + 11, 85, 1]]
    for rules, found in ((sides, [True]), (sides[:1], [])):
        parted = _of_whole(page, np.array(rules, np.int32))
        cells = [one.zones[1].box for one in parted if len(one.zones) == 2]
        assert [_covers(cell, cents) for cell in cells] == found


@pytest.mark.parametrize(
    ("before", "size", "is_cell"), [("$", 1.6, False), ("5", 1.0, True), ("$5", 1.6, True)]
)
def test_a_sign_before_the_frame_has_no_cents_behind_it(
    before: str, size: float, is_cell: bool
) -> None:
    page = np.full((90, 400), 255, np.uint8)
    end = _put(page, before, 30, 65, size)[2]
    cents = _put(page, "62", end + 24, 68)
    rules = np.array([[end + 10, 5, end + 12, 85, 1]], np.int32)
    apart = [one for one in _of_whole(page, rules) if len(one.zones) == 2]
    assert [_covers(one.zones[1].box, cents) for one in apart] == [True] * is_cell


def test_single_digits_in_cells_are_no_cents() -> None:
    page = np.full((90, 400), 255, np.uint8)
    for n in range(8):
        _put(page, "4", 20 + 30 * n, 60)
    rules = np.array([[12 + 30 * n, 5, 14 + 30 * n, 85, 1] for n in range(9)], np.int32)
    assert [len(one.zones) for one in _locate(page, rules, field_only=True)] == [1, 1]


@pytest.mark.parametrize("cents", ["00", "56", "xx"])
def test_raised_cents_on_a_cheque_are_offered_both_ways(cents: str) -> None:
    page, main = _us_cheque("$ 1250")
    raised = _put(page, cents, main[2] + 12, 182, 0.7)
    union = (main[0], main[1], raised[2], main[3])
    candidates = _locate(page)
    assert _found([c for c in candidates if len(c.zones) == 1], union)
    assert any(len(c.zones) == 2 and _covers(c.zones[1].box, raised, 2.0) for c in candidates)


@pytest.mark.parametrize("text", ["1250.00", "1,234-", "1234 56/100", "12.500.-", "1,20,000/-"])
def test_an_amount_on_one_line_has_no_cents_apart(text: str) -> None:
    page = np.full((110, 520), 255, np.uint8)
    _put(page, text, 20, 75, 1.6, 3)
    assert len(_of_whole(page)) == 1
    assert all(len(one.zones) == 1 for one in _locate(page, field_only=True))


def test_blank_images_have_no_candidates() -> None:
    blank = np.full((570, 1300), 255, np.uint8)
    assert _locate(blank) == []
    assert _locate(blank[:60, :200], field_only=True) == []


def test_a_page_of_prose_is_dearer_than_a_cheque() -> None:
    page = np.full((570, 1300), 255, np.uint8)
    prose_line = "the quick brown fox jumps over the lazy dog and runs off"
    for line in range(14):
        _put(page, prose_line, 30, 50 + 38 * line, 0.9)
    cheque, _ = _us_cheque()
    prose = _locate(page)
    assert not prose or prose[0].penalty > _locate(cheque)[0].penalty + 1


@pytest.mark.parametrize("scale", [0.4, 0.7, 1.0])
def test_scale_of_the_page_does_not_matter(scale: float) -> None:
    page, box = _us_cheque()
    small = np.asarray(cv2.resize(page, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))
    scaled = tuple(round(side * scale) for side in box)
    assert _found(
        _locate(np.where(small < 170, 0, 255).astype(np.uint8)),
        (scaled[0], scaled[1], scaled[2], scaled[3]),
    )


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_noise_is_bounded_in_time_and_number(share: float) -> None:
    noise = np.random.default_rng(5).random((700, 1400)) < share
    page = np.where(noise, 0, 255).astype(np.uint8)
    started = time.process_time()
    candidates = _locate(page)
    assert time.process_time() - started < 2.0
    assert len(candidates) <= 4


@pytest.mark.parametrize("shape", [(1, 1), (1, 1400), (900, 1), (7, 9), (1400, 1400)])
@pytest.mark.parametrize("grey", [0, 255])
def test_odd_shapes_are_read_without_error(shape: tuple[int, int], grey: int) -> None:
    page = np.full(shape, grey, np.uint8)
    assert len(_locate(page)) <= 4
    assert len(_locate(page, field_only=True)) <= 4


def test_a_full_stop_alone_does_not_fail() -> None:
    page = np.full((400, 900), 255, np.uint8)
    page[200:212, 500:508] = 0
    assert len(_locate(page)) <= 1


def _runs_of_a_cheque() -> Places:
    page, _ = _us_cheque()
    ink = InkImage((255 - page).astype(np.uint8), page < 128, NO_RULES, 255 - page)
    places = find_places(ink)
    assert places is not None
    return replace(places, seen=())


def test_most_is_the_most() -> None:
    places = _runs_of_a_cheque()
    unsure = np.array(list(WEIGHTS.values()), np.float32) * np.float32(0.1)
    assert len(fields_of(places, NO_RULES, weights=unsure)) >= 2
    assert len(fields_of(places, NO_RULES, most=1, weights=unsure)) == 1


def _seen(box: Sides, probability: float, cents: bool) -> SeenPlace:
    apart = (box[2] + 20, box[1], box[2] + 60, box[3]) if cents else None
    return SeenPlace(box, probability, apart, 0.9 if cents else 0.0)


def test_what_the_field_map_sees_comes_first_and_once() -> None:
    places = _runs_of_a_cheque()
    best = fields_of(places, NO_RULES)[0].zones[0].box
    x0, y0, x1, y1 = (float(side) for side in best)
    found = fields_of(replace(places, seen=(_seen((x0, y0, x1, y1), 0.9, cents=False),)), NO_RULES)
    assert found[0].penalty == pytest.approx(-math.log(0.9))
    assert np.abs(np.array(found[0].zones[0].box) - best).max() <= 4
    assert not any(
        np.abs(np.array(one.zones[0].box) - best).max() <= 4
        for one in found[1:]
        if len(one.zones) == 1
    )


def test_ends_of_a_seen_place_go_to_its_marks() -> None:
    places = _runs_of_a_cheque()
    x0, y0, x1, y1 = fields_of(places, NO_RULES)[0].zones[0].box
    rough = (x0 + 6.0, y0 - 3.0, x1 - 7.0, y1 + 3.0)
    found = fields_of(replace(places, seen=(_seen(rough, 0.9, cents=False),)), NO_RULES)
    left, _, right, _ = found[0].zones[0].box
    assert abs(left - x0) <= 3
    assert abs(right - x1) <= 3


def test_cents_that_are_seen_apart_are_a_zone() -> None:
    places = _runs_of_a_cheque()
    box = (300.0, 300.0, 400.0, 330.0)
    found = fields_of(replace(places, seen=(_seen(box, 0.95, cents=True),)), NO_RULES)
    both = [one for one in found if [zone.kind for zone in one.zones] == ["amount", "cents"]]
    assert both[0].penalty == pytest.approx(-math.log(0.95 * 0.9))
    assert both[0].zones[1].box[0] > both[0].zones[0].box[2]


def test_a_place_with_cents_is_parted_at_the_side_of_their_cell_too() -> None:
    places = _runs_of_a_cheque()
    x0, y0, x1, y1 = fields_of(places, NO_RULES)[0].zones[0].box
    marks = [box for box in places.marks.boxes.tolist() if x0 <= box[0] and box[2] <= x1]
    own = [box for box in marks if box[1] >= y0 and box[3] <= y1]
    x0, end, side = own[1][0], own[-3][2], own[-2][0] - 3
    rules = np.array([[side, y0 - 9, side + 2, y1 + 9, 1]], np.int32)
    cents = (float(own[-2][0]), float(y0), float(x1), float(y1))
    seen = SeenPlace((float(x0), float(y0), float(end), float(y1)), 0.95, cents, 0.97)
    apart = [one for one in fields_of(replace(places, seen=(seen,)), rules) if len(one.zones) == 2]
    assert any(
        abs(one.zones[0].box[0] - x0) <= 3 and one.zones[0].box[2] == side
        and one.penalty < -math.log(0.95)
        for one in apart
    )  # fmt: skip


@pytest.mark.parametrize("cents", [(300.0, 300.0, 400.0, 330.0), (300.0, 380.0, 480.0, 410.0)])
def test_cents_are_seen_only_behind_the_amount_on_its_line(cents: Sides) -> None:
    places = _runs_of_a_cheque()
    seen = SeenPlace((300.0, 300.0, 400.0, 330.0), 0.95, cents, 0.9)
    found = fields_of(replace(places, seen=(seen,)), NO_RULES)
    assert found[0].penalty == pytest.approx(-math.log(0.95))
    assert [zone.kind for zone in found[0].zones] == ["amount"]


def test_cents_that_adjoin_are_beside_the_amount_or_part_of_it() -> None:
    places = _runs_of_a_cheque()
    cents = (395.0, 295.0, 425.0, 312.0)
    seen = SeenPlace((300.0, 300.0, 400.0, 330.0), 0.95, cents, 0.9)
    found = fields_of(replace(places, seen=(seen,)), NO_RULES)
    apart, whole = (one for one in found if not one.features.any())
    assert apart.zones[0].box[2] <= apart.zones[1].box[0]
    (own,) = whole.zones
    assert own.box[0] == apart.zones[0].box[0]
    assert own.box[1:3] == apart.zones[1].box[1:3]


def test_penalties_follow_the_weights() -> None:
    features = np.eye(len(FEATURES), dtype=np.float32)
    expected = np.log1p(np.exp(-np.array(list(WEIGHTS.values()))))
    np.testing.assert_allclose(field_penalties(features), expected, rtol=1e-5)


def test_other_weights_give_other_penalties_of_the_same_features() -> None:
    weights = np.array(list(WEIGHTS.values()), np.float32) * np.float32(0.5)
    for candidate in fields_of(_runs_of_a_cheque(), NO_RULES, weights=weights):
        expected = np.logaddexp(0.0, -float(candidate.features @ weights))
        assert candidate.penalty == pytest.approx(expected, abs=1e-5)


def test_a_cell_for_the_cents_is_told_from_cells_of_a_date() -> None:
    def ruling(*sides: int) -> Ruling:
        upright = np.array([(x, 90, x + 2, 150) for x in sides], np.int32).reshape(-1, 4)
        nothing = np.zeros((0, 4), np.int32)
        return Ruling(nothing, upright, nothing)

    runs = np.array([(100, 100, 300, 130), (100, 100, 235, 130)], np.int32)
    core = np.full(2, 30.0, np.float32)
    _, cents, follows = ruling(240).dividers(runs, core)
    assert cents.tolist() == [1.0, 0.0]
    assert follows.tolist() == [0.0, 1.0]
    share, cents, _ = ruling(120, 150, 180, 210, 240, 270).dividers(runs, core)
    assert share[0] > 0.8
    assert not cents.any()
    assert not any(part.any() for part in ruling().dividers(runs, core))


def test_an_amount_with_a_sign_of_its_own_leaves_the_printed_one_alone() -> None:
    page = np.full((570, 1300), 255, np.uint8)
    _put(page, "Some Person", 200, 195, 1.1)
    _put(page, "$", 940, 200, 1.2)
    box = _put(page, "$800.00", 1000, 200, 1.2)
    assert _found(_locate(page), box)
