"""Signs that a reading leaves something out."""

from dataclasses import replace

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.card import SIGNS, Doubts
from service.pipeline.doubts import line_of, measure_signs
from service.pipeline.field import place_of
from service.pipeline.field_map import SeenPlace
from service.pipeline.ink import InkImage
from service.pipeline.levels import median_of_few, percentile_of_few
from service.pipeline.search import Interpretation

_NONE = np.zeros(0, np.int32)
READ = Interpretation(
    _NONE, _NONE, np.zeros(0, np.uint8), 50000, None, False, "500.00", "50000", 0.0
)
LEFT, WIDE, HIGH = 300, 24, 40


def _page(extra: list[tuple[int, int, int, int]]) -> tuple[InkImage, NDArray[np.float32]]:
    """Five marks that were read, and others (x, y, width, height); with the boxes of the five."""
    ink = np.zeros((200, 900), np.uint8)
    read = [(LEFT + 32 * n, 80, WIDE, HIGH) for n in range(5)]
    for x, y, wide, high in [*read, *extra]:
        cv2.rectangle(ink, (x, y), (x + wide - 1, y + high - 1), 255, -1)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in read], np.float32)
    return InkImage(ink, ink > 0, np.zeros((0, 5), np.int32), ink), boxes


def _signs(extra: list[tuple[int, int, int, int]], read: Interpretation = READ) -> dict[str, float]:
    ink, boxes = _page(extra)
    return dict(zip(SIGNS, measure_signs(read, boxes, ink), strict=True))


def test_nothing_is_left_out_of_an_amount_alone() -> None:
    assert set(_signs([]).values()) == {0.0}


def test_letters_before_an_amount_are_counted_as_far_as_they_follow() -> None:
    near = [(LEFT - 32 * n, 82, WIDE, HIGH - 4) for n in (1, 2)]
    assert _signs(near)["text_before"] == 2
    assert _signs([*near, (LEFT - 150, 82, WIDE, HIGH)])["text_before"] == 2
    assert _signs([(LEFT - 32 * n, 82, WIDE, HIGH) for n in (1, 2, 3, 4)])["text_before"] == 3
    assert _signs([(LEFT - 80, 82, WIDE, HIGH)])["text_before"] == 0


def test_writing_after_and_within_is_counted() -> None:
    end = LEFT + 32 * 5
    found = _signs([(end, 84, WIDE, HIGH - 8), (LEFT + 26, 90, 5, 20)])
    assert (found["text_after"], found["within"]) == (1, 1)


def test_rules_specks_and_other_lines_are_no_writing() -> None:
    end = LEFT + 32 * 5
    others = [(end, 119, 200, 3), (end + 4, 100, 4, 4), (end, 10, WIDE, HIGH), (end, 20, 3, 160)]
    assert _signs(others)["text_after"] == 0


@pytest.mark.parametrize(
    ("text", "digits", "amount", "no_cents", "plain"),
    [
        ("500.00", "50000", 50000, 0, 0),
        ("500", "500", 50000, 1, 0),
        ("50000", "50000", 5000000, 1, 1),
        ("50.000", "50000", 5000000, 1, 0),
        ("1234/-", "1234", 123400, 1, 1),
        ("123456", "123456", 12345600, 1, 1),
        ("1234567", "1234567", 123456700, 1, 2),
        ("958509597", "958509597", 95850959700, 1, 4),
        ("958.509.597", "958509597", 95850959700, 1, 0),
    ],
)
def test_cents_and_separators_are_told_from_the_text(
    text: str, digits: str, amount: int, no_cents: float, plain: float
) -> None:
    found = _signs([], replace(READ, text=text, digits=digits, amount_minor=amount))
    assert (found["no_cents"], found["plain"]) == (no_cents, plain)


@pytest.mark.parametrize(
    ("text", "zeros"),
    [("0.50", 0), ("500.00", 0), ("$ 0,50", 0), ("000,51€", 1), ("£ 04,000.18", 1), ("00.93", 1)],
)
def test_an_amount_that_begins_with_zeros_may_have_lost_a_digit(text: str, zeros: float) -> None:
    assert _signs([], replace(READ, text=text))["zeros"] == zeros


def test_an_amount_that_the_swept_network_hardly_says_is_doubted() -> None:
    ink, boxes = _page([])
    at = SIGNS.index("unsaid")
    told = [measure_signs(READ, boxes, ink, 1.0, said)[at] for said in (1.0, 0.5, 0.4, 0.1, 0.0)]
    assert told == sorted(told)
    assert told[:2] == [0.0, 0.0]
    assert told[-1] == 1.0


def test_no_symbols_have_nothing_beside_them() -> None:
    ink, _ = _page([])
    assert measure_signs(READ, np.zeros((0, 4), np.float32), ink)[:3] == (0.0, 0.0, 0.0)


def test_an_amount_where_the_map_sees_no_likely_place_is_doubted() -> None:
    ink, boxes = _page([])
    at = SIGNS.index("unplaced")
    told = [measure_signs(READ, boxes, ink, place)[at] for place in (1.0, 0.9, 0.6, 0.2, 0.0)]
    assert told == sorted(told)
    assert told[:2] == [0.0, 0.0]
    assert told[-1] == 1.0


def test_the_place_of_an_amount_is_the_one_that_it_shares() -> None:
    _, boxes = _page([])
    here = SeenPlace((LEFT - 10, 75, LEFT + 165, 125), 0.7, None, 0.0)
    part = replace(here, box=(LEFT + 100, 75, LEFT + 400, 125), probability=0.9)
    away = replace(here, box=(LEFT, 20, LEFT + 160, 60), probability=0.95)
    assert place_of(boxes, [away, here]) == 0.7
    assert place_of(boxes, [away, part]) == 0.0
    assert place_of(boxes, [away]) == 0.0
    assert place_of(boxes[:0], [here]) == 0.0


def test_what_is_left_of_a_posterior_falls_with_signs() -> None:
    doubts = Doubts(1.2, 0.5, -6.0, (2.0, 1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 1.0))
    clean = [doubts.believed(p, (0.0,) * 8) for p in (0.0, 0.5, 0.9, 0.999, 1.0)]
    assert clean == sorted(clean)
    assert clean[-1] < 1
    less, more = (doubts.believed(0.999, (one, *(0.0,) * 7)) for one in (1.0, 2.0))
    assert more < less


@pytest.mark.parametrize("weights", [(1.0,), (float("nan"), *(0,) * 7)])
def test_doubts_need_a_finite_weight_for_each_sign(weights: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="doubts"):
        Doubts(1.0, 0.0, -4.0, weights)


@pytest.mark.parametrize("seed", range(60))
def test_the_size_of_a_line_is_that_of_its_characters_to_the_last_bit(seed: int) -> None:
    rng = np.random.default_rng(seed)
    corners = rng.uniform(0, 900, (int(rng.integers(1, 20)), 2))
    sides = rng.uniform(1, 60, corners.shape)
    boxes = np.concatenate([corners, corners + sides], axis=1)
    for own in (boxes, boxes.astype(np.float32), np.rint(boxes).astype(np.float32)):
        heights = own[:, 3] - own[:, 1]
        size = percentile_of_few(heights, 80)
        tall = own[heights > 0.6 * size]
        assert line_of(own) == (size, median_of_few(tall[:, 1]), median_of_few(tall[:, 3]))
