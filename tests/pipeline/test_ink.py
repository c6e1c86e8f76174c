"""Ink extraction: writing stays whole, paper and form go."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.ink import HORIZONTAL, VERTICAL, extract_ink

Bytes = NDArray[np.uint8]


def paper(height: int, width: int, level: int = 210) -> Bytes:
    return np.full((height, width), level, np.uint8)


def write(page: Bytes, darkness: int = 60) -> NDArray[np.bool_]:
    """Write four digits on the page; returns the pixels of the writing."""
    blank = np.full_like(page, 255)
    cv2.putText(blank, "2850", (14, 45), cv2.FONT_HERSHEY_SIMPLEX, 1.3, 0, 3, cv2.LINE_AA)
    page[blank < 128] = darkness
    return blank < 128


def kept(mask: NDArray[np.bool_], ink: NDArray[np.bool_]) -> float:
    return float(mask[ink].mean())


def noise(mask: NDArray[np.bool_], ink: NDArray[np.bool_]) -> float:
    near = cv2.dilate(ink.astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    return float(mask[~near].mean())


def waves(page: Bytes, level: int) -> None:
    x = np.arange(page.shape[1])
    for y in range(-20, page.shape[0] + 20, 6):
        rows = np.rint(y + 4 * np.sin(x / 9)).astype(int)
        good = (rows >= 0) & (rows < page.shape[0])
        page[rows[good], x[good]] = level


def test_writing_on_guilloche_is_kept_and_the_guilloche_is_not() -> None:
    page = paper(60, 160)
    waves(page, 165)
    ink = write(page)
    mask = extract_ink(page).mask
    assert kept(mask, ink) > 0.97
    assert noise(mask, ink) < 0.01


def test_uneven_light_does_not_matter() -> None:
    page = paper(60, 160)
    ink = write(page)
    light = np.linspace(0.5, 1.0, 160)[None, :]
    mask = extract_ink((page * light).astype(np.uint8)).mask
    assert kept(mask, ink) > 0.95
    assert noise(mask, ink) < 0.01


@pytest.mark.parametrize("level", [30, 110])
def test_a_frame_goes_whatever_its_darkness_and_crossing_strokes_stay(level: int) -> None:
    page = paper(64, 170)
    for y in (4, 50):
        cv2.line(page, (0, y), (169, y), level, 2)
    cv2.line(page, (5, 0), (5, 63), level, 2)
    ink = write(page)
    cv2.line(page, (150, 20), (146, 62), 60, 3)
    crossing = np.zeros_like(ink)
    crossing[22:60] = page[22:60] == 60
    crossing[:, :140] = False
    result = extract_ink(page)
    assert kept(result.mask, ink) > 0.9
    assert kept(result.mask, crossing) > 0.8
    lines = np.zeros_like(ink)
    lines[50:52, 20:140] = True
    lines &= cv2.dilate(ink.astype(np.uint8), np.ones((9, 9), np.uint8)) == 0
    assert kept(result.mask, lines) < 0.1
    assert {HORIZONTAL, VERTICAL} <= set(result.rules[:, 4].tolist())


def test_blank_paper_has_no_ink() -> None:
    assert not extract_ink(paper(80, 200)).mask.any()


def test_a_page_keeps_its_writing_and_reports_its_rules() -> None:
    page = paper(560, 1300)
    cv2.line(page, (100, 200), (900, 204), 90, 2)
    cv2.rectangle(page, (1000, 150), (1250, 210), 80, 2)
    cv2.putText(page, "1,234.56", (1020, 195), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 40, 3)
    result = extract_ink(page)
    written = page == 40
    assert kept(result.mask, written) > 0.9
    horizontal = result.rules[result.rules[:, 4] == HORIZONTAL]
    assert (horizontal[:, 2] - horizontal[:, 0]).max() > 700
    assert (result.rules[:, 4] == VERTICAL).sum() >= 2


@pytest.mark.parametrize("shape", [(1, 1), (3, 400), (400, 3), (8, 8)])
def test_odd_shapes_are_no_trouble(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    result = extract_ink(rng.integers(0, 256, shape, dtype=np.uint8))
    assert result.ink.shape == result.mask.shape == shape


def test_faint_print_of_a_page_is_kept_beside_what_is_darker() -> None:
    page = paper(560, 1300)
    for y in range(60, 500, 50):
        cv2.putText(page, "Words in black", (40, y), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 20, 3)
    cv2.putText(page, "7,250.00", (1000, 195), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 115, 3)
    result = extract_ink(page)
    assert kept(result.mask, page == 115) > 0.9
    assert kept(result.mask, page == 20) > 0.95
    assert result.ink[page == 115].mean() > 200


def test_a_texture_as_dark_as_faint_print_stays_paper() -> None:
    page = paper(560, 1300)
    for x in range(900, 1060, 8):
        cv2.line(page, (x, 100), (x + 30, 250), 115, 3)
    for y in range(60, 500, 50):
        cv2.putText(page, "Words in black ink", (40, y), cv2.FONT_HERSHEY_SIMPLEX, 1.8, 20, 4)
    mask = extract_ink(page).mask
    assert mask[120:230, 930:1050].mean() < 0.02


@pytest.mark.parametrize(("level", "thick"), [(40, 5), (150, 2)])
def test_heavy_and_light_frames_of_a_page_go(level: int, thick: int) -> None:
    page = paper(560, 1300)
    for y in range(60, 500, 50):
        cv2.putText(page, "Words in black", (40, y), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 20, 3)
    frame = np.zeros_like(page)
    cv2.rectangle(frame, (960, 140), (1250, 220), 1, thick)
    page[frame > 0] = level
    cv2.putText(page, "1,234.56", (1000, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 60, 3)
    result = extract_ink(page)
    assert kept(result.mask, frame > 0) < 0.02
    assert kept(result.mask, page == 60) > 0.9


def test_the_dark_edge_of_a_scan_hides_no_line() -> None:
    page = paper(560, 1300)
    cv2.rectangle(page, (960, 140), (1250, 220), 140, 2)
    cv2.putText(page, "1,234.56", (1000, 200), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 100, 3)
    page[:, 1285:] = 0
    result = extract_ink(page)
    assert (result.rules[:, 4] == HORIZONTAL).sum() >= 2
    assert not result.mask[138:142, 970:1240].any()


def test_a_hairline_beside_the_amount_of_a_page_goes_and_a_tall_one_stays() -> None:
    page = paper(560, 1300)
    cv2.line(page, (1000, 140), (1000, 200), 90, 2)
    cv2.line(page, (1036, 150), (1030, 196), 40, 4)
    cv2.putText(page, "250.00", (1060, 195), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 40, 3)
    mask = extract_ink(page).mask
    assert mask[145:195, 996:1005].mean() < 0.02
    assert kept(mask, page == 40) > 0.9


def test_a_slanting_1_across_its_box_stays_and_an_upright_side_goes() -> None:
    page = paper(560, 1300)
    cv2.rectangle(page, (960, 140), (1250, 200), 60, 3)
    cv2.line(page, (1190, 140), (1190, 200), 60, 3)
    one = np.zeros_like(page)
    cv2.line(one, (1040, 140), (1035, 200), 1, 3)
    page[one > 0] = 60
    cv2.putText(page, "250", (1060, 190), cv2.FONT_HERSHEY_SIMPLEX, 1.4, 40, 3)
    mask = extract_ink(page).mask
    assert kept(mask[145:195], one[145:195] > 0) > 0.9
    assert mask[150:190, 1186:1194].mean() < 0.02


def test_the_feet_of_zeros_in_a_row_are_no_line() -> None:
    page = paper(46, 170)
    for x in (70, 94, 118):
        cv2.ellipse(page, (x, 28), (14, 10), 0, 0, 360, 50, 5, cv2.LINE_AA)
    cv2.line(page, (60, 38), (128, 38), 50, 5)
    ink = page < 128
    assert kept(extract_ink(page).mask, ink) > 0.97
    cv2.line(page, (0, 44), (169, 44), 120, 2)
    found = extract_ink(page)
    assert kept(found.mask, ink) > 0.97
    assert len(found.rules) == 1
    assert not found.mask[43:, :50].any()


def test_darkness_holds_what_ink_leaves_out() -> None:
    page = paper(60, 160)
    ink = write(page)
    page[51:54, :] = 80
    page[4:8, 60:100] = 195
    found = extract_ink(page)
    assert len(found.rules) == 1
    assert not found.mask[51:54].any()
    assert not found.mask[4:8].any()
    assert found.darkness[51:54].min() > 40
    assert found.darkness[5:7, 62:98].min() > 8
    assert found.darkness[ink].min() > 60
    assert np.median(found.darkness[~ink]) < 3


def test_turned_ink_is_turned_as_a_whole() -> None:
    page = paper(60, 160)
    write(page)
    found = extract_ink(page)
    over = found.turned()
    for name in ("ink", "mask", "darkness"):
        assert (getattr(over, name) == getattr(found, name)[::-1, ::-1]).all()


@pytest.mark.parametrize(
    ("outer", "gap", "degrees"), [((5, 1), 4, 0.0), ((7, 4), 7, 0.4), ((5, 3), 7, 0.8)]
)
def test_the_rules_of_a_double_frame_are_no_larger_than_its_sides(
    outer: tuple[int, int], gap: int, degrees: float
) -> None:
    page = paper(274, 598)
    inset, thick = outer
    for at, wide, level in ((inset, thick, 40), (inset + gap, 1, 120)):
        cv2.rectangle(page, (at, at), (597 - at, 273 - at), level, wide)
    turn = cv2.getRotationMatrix2D((299, 137), degrees, 1.0)
    turned = cv2.warpAffine(page, turn, (598, 274), borderValue=(210,))
    rules = extract_ink(np.asarray(cv2.GaussianBlur(turned, (0, 0), 0.7), np.uint8)).rules
    assert len(rules) > 0
    sides = rules[:, 2:4] - rules[:, :2]
    assert sides.min(axis=1).max() <= 30
