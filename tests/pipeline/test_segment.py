"""Over-segmentation: every character has an arc, and the graph is what its docstring says."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.field import FieldCandidate, Zone
from service.pipeline.ink import InkImage, extract_ink
from service.pipeline.segment import (
    FEATURES,
    SegmentationGraph,
    normalise_line,
    place,
    segment_fields,
    segment_zone,
    whole_crop,
)
from tests.pipeline import plain_segments

PLACEMENT = Placement(normal=20.0, largest=28.0, size_damping=0.5, offset_damping=0.35)
Bytes = NDArray[np.uint8]


def ring(page: Bytes, x: int, y: int, size: tuple[int, int] = (12, 18)) -> None:
    cv2.ellipse(page, (x, y), size, 0, 0, 360, 255, 4, cv2.LINE_AA)


def candidate(width: int, height: int, penalty: float = 0.0) -> FieldCandidate:
    zone = Zone("amount", (0, 0, width, height))
    return FieldCandidate((zone,), penalty, np.zeros(1, np.float32))


def graph_of(page: Bytes, penalty: float = 0.0) -> SegmentationGraph:
    rules = np.zeros((0, 5), np.int32)
    ink = InkImage(ink=page, mask=page > 0, rules=rules, darkness=page)
    height, width = page.shape
    return segment_fields(ink, [candidate(width, height, penalty)], PLACEMENT)


def closest(boxes: NDArray[np.float32], wanted: tuple[int, int, int, int]) -> float:
    """Best overlap (intersection over union) of any box with the wanted one."""
    x0 = np.maximum(boxes[:, 0], wanted[0])
    y0 = np.maximum(boxes[:, 1], wanted[1])
    x1 = np.minimum(boxes[:, 2], wanted[2])
    y1 = np.minimum(boxes[:, 3], wanted[3])
    inside = np.clip(x1 - x0, 0, None) * np.clip(y1 - y0, 0, None)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    own = (wanted[2] - wanted[0]) * (wanted[3] - wanted[1])
    return float((inside / (area + own - inside)).max())


@pytest.mark.parametrize("distance", [40, 30, 27, 25])
def test_apart_and_touching_characters_each_have_an_arc(distance: int) -> None:
    page = np.zeros((60, 60 + 3 * distance), np.uint8)
    centres = [30 + i * distance for i in range(4)]
    for x in centres:
        ring(page, x, 30)
    graph = graph_of(page)
    for x in centres:
        assert closest(graph.boxes, (x - 14, 10, x + 14, 50)) > 0.75


def test_arcs_lead_from_start_to_end_over_every_node() -> None:
    page = np.zeros((60, 220), np.uint8)
    for x in (30, 57, 120, 160):
        ring(page, x, 30)
    graph = graph_of(page)
    assert (graph.src < graph.dst).all()
    reached, leads = {0}, {graph.num_nodes - 1}
    for s, d in zip(graph.src.tolist(), graph.dst.tolist(), strict=True):
        if s in reached:
            reached.add(d)
    pairs = sorted(zip(graph.src.tolist(), graph.dst.tolist(), strict=True), reverse=True)
    for s, d in pairs:
        if d in leads:
            leads.add(s)
    assert reached == leads == set(range(graph.num_nodes))


def test_a_wide_gap_may_be_read_as_a_space_or_not() -> None:
    page = np.zeros((60, 200), np.uint8)
    ring(page, 30, 30)
    ring(page, 150, 30)
    graph = graph_of(page)
    spaces = np.flatnonzero(graph.segment == -1)
    assert len(spaces) == 1
    before, after = int(graph.src[spaces[0]]), int(graph.dst[spaces[0]])
    from_before = set(graph.segment[(graph.src == before) & (graph.segment >= 0)].tolist())
    from_after = set(graph.segment[graph.src == after].tolist())
    assert from_before == from_after != set()


def test_the_penalty_of_the_field_is_paid_once() -> None:
    page = np.zeros((60, 110), np.uint8)
    ring(page, 30, 30)
    ring(page, 75, 30)
    free, paid = graph_of(page), graph_of(page, penalty=2.5)
    extra = paid.penalty - free.penalty
    assert np.allclose(extra[free.src == 0], 2.5)
    assert np.allclose(extra[free.src != 0], 0.0)


def test_cents_apart_follow_the_amount_over_a_space() -> None:
    page = np.zeros((60, 220), np.uint8)
    ring(page, 30, 30)
    ring(page, 180, 22, (6, 9))
    ink = InkImage(ink=page, mask=page > 0, rules=np.zeros((0, 5), np.int32), darkness=page)
    zones = (Zone("amount", (0, 0, 100, 60)), Zone("cents", (150, 0, 220, 60)))
    field = FieldCandidate(zones, 1.0, np.zeros(1, np.float32))
    graph = segment_fields(ink, [field], PLACEMENT)
    space = np.flatnonzero(graph.segment == -1)
    assert len(space) == 1
    ends = graph.dst == graph.num_nodes - 1
    assert (graph.boxes[graph.segment[ends], 0] > 150).all()
    # Each zone is brought to its own size: raised small cents are as large as the amount.
    assert graph.crops[graph.segment[ends]].max(axis=2).astype(bool).sum(axis=1).max() >= 18


def test_no_ink_gives_no_arcs() -> None:
    graph = graph_of(np.zeros((40, 100), np.uint8))
    assert len(graph.src) == 0
    assert graph.crops.shape == (0, 32, 32)
    assert graph.features.shape == (0, len(FEATURES))


def test_a_comma_stays_small_and_low() -> None:
    page = np.zeros((70, 160), np.uint8)
    for x in (30, 70, 125):
        ring(page, x, 30)
    cv2.line(page, (98, 46), (95, 54), 255, 4)
    zone = segment_zone(page, (0, 0, 160, 70), PLACEMENT)
    assert zone is not None
    inked = zone.crops > 60
    heights = inked.any(axis=2).sum(axis=1)
    comma = int(np.argmin(np.abs(zone.boxes[:, 2] - zone.boxes[:, 0] - 8)))
    rows = np.flatnonzero(inked[comma].any(axis=1))
    assert heights[comma] < 15
    assert rows.mean() > 17


def test_size_and_offset_are_damped() -> None:
    ink = np.full((42, 22), 255, np.uint8)
    large = place(ink, 1.0, 0.0, PLACEMENT) > 60
    small = place(ink[:12, :7], 0.25, 0.0, PLACEMENT) > 60
    assert large.any(axis=1).sum() == pytest.approx(20, abs=2)
    assert small.any(axis=1).sum() == pytest.approx(10, abs=2)
    low = np.flatnonzero((place(ink, 1.0, 0.5, PLACEMENT) > 60).any(axis=1)).mean()
    assert low == pytest.approx(np.flatnonzero(large.any(axis=1)).mean() + 3.5, abs=0.6)


def test_a_rising_line_is_levelled_and_maps_back() -> None:
    page = np.zeros((120, 400), np.uint8)
    for i in range(9):
        ring(page, 30 + 42 * i, 80 - 5 * i)
    line = normalise_line(page, (0, 0, 400, 120))
    assert line is not None
    rows = [np.flatnonzero(line.ink[:, c : c + 30].any(axis=1)).mean() for c in (20, 350)]
    assert abs(rows[0] - rows[1]) < 4
    zone = segment_zone(page, (0, 0, 400, 120), PLACEMENT)
    assert zone is not None
    assert closest(zone.boxes, (30 + 42 * 8 - 14, 20, 30 + 42 * 8 + 14, 60)) > 0.75


def test_neighbouring_writing_at_the_edge_is_left_out() -> None:
    page = np.zeros((80, 200), np.uint8)
    for x in (40, 90, 140):
        ring(page, x, 40)
    for x in (30, 80, 130):
        cv2.rectangle(page, (x, 74), (x + 25, 79), 255, -1)
    zone = segment_zone(page, (0, 0, 200, 80), PLACEMENT)
    assert zone is not None
    assert zone.boxes[:, 3].max() < 66


def test_a_bar_and_what_stands_below_it_are_left_out() -> None:
    page = np.zeros((90, 260), np.uint8)
    for x in (40, 90):
        ring(page, x, 40)
    for x in (140, 170):
        ring(page, x, 28, (10, 12))
    cv2.line(page, (200, 40), (245, 40), 255, 4)
    cv2.line(page, (126, 49), (184, 47), 255, 3)
    for x in (135, 155, 175):
        ring(page, x, 67, (6, 8))
    zone = segment_zone(page, (0, 0, 260, 90), PLACEMENT)
    assert zone is not None
    raised = (zone.boxes[:, 0] > 120) & (zone.boxes[:, 2] < 190)
    assert zone.boxes[raised, 3].max() < 48
    assert (zone.boxes[:, 0] > 190).any()


def test_writing_at_the_edge_of_a_leaning_zone_is_left_out() -> None:
    page = np.zeros((130, 420), np.uint8)
    for n in range(8):
        ring(page, 40 + 45 * n, 70 - 3 * n)
    for n in range(7):
        cv2.rectangle(page, (52 + 45 * n, 118 - n), (74 + 45 * n, 129), 255, -1)
    zone = segment_zone(page, (0, 0, 420, 130), PLACEMENT)
    assert zone is not None
    assert zone.boxes[:, 3].max() < 100


def test_the_middle_of_a_component_for_two_is_no_segment() -> None:
    page = np.zeros((60, 150), np.uint8)
    for x in (40, 58):
        ring(page, x, 30, (8, 18))
    ring(page, 120, 30)
    boxes = graph_of(page).boxes
    assert closest(boxes, (30, 10, 50, 50)) > 0.75
    inner = (boxes[:, 0] > 33) & (boxes[:, 2] < 65)
    assert not inner.any()


def test_hostile_ink_stays_bounded() -> None:
    rng = np.random.default_rng(0)
    page = (rng.random((200, 1200)) < 0.5).astype(np.uint8) * 255
    ink = extract_ink(255 - page)
    graph = segment_fields(ink, [candidate(1200, 200)], PLACEMENT)
    assert len(graph.crops) < 600


def test_a_wide_character_in_many_pieces_is_a_segment() -> None:
    page = np.zeros((60, 260), np.uint8)
    ring(page, 30, 30)
    wave = np.array([(60 + x, 30 + round(14 * np.sin(x / 7))) for x in range(90)], np.int32)
    cv2.polylines(page, [wave.reshape(-1, 1, 2)], False, 255, 4, cv2.LINE_AA)
    ring(page, 190, 30)
    assert closest(graph_of(page).boxes, (58, 14, 152, 46)) > 0.85


def test_two_whole_characters_are_no_segment() -> None:
    page = np.zeros((60, 110), np.uint8)
    for x in (30, 59):
        cv2.line(page, (x, 12), (x, 48), 255, 4)
    boxes = graph_of(page).boxes
    assert (boxes[:, 2] - boxes[:, 0] < 20).all()


def test_members_are_the_pieces_between_first_and_last() -> None:
    page = np.zeros((60, 150), np.uint8)
    for x in (30, 57, 110):
        ring(page, x, 30)
    zone = segment_zone(page, (0, 0, 150, 60), PLACEMENT)
    assert zone is not None
    members = zone.members()
    assert members.shape == (len(zone.first), len(zone.pieces.boxes))
    assert (members.sum(axis=1) == zone.last - zone.first).all()


@pytest.mark.parametrize(("every", "pins"), [(7, False), (8, True)], ids=["stripes", "pins"])
def test_parts_of_strokes_are_joined_to_characters(every: int, pins: bool) -> None:
    page = np.zeros((90, 400), np.uint8)
    cv2.putText(page, "8,100.19", (20, 68), cv2.FONT_HERSHEY_SIMPLEX, 2.0, 255, 9)
    parts = page.copy()
    for step in range(0, 400, every):
        parts[step : step + 3] = 0
        parts[:, step : step + 3] *= np.uint8(not pins)
    box = (0, 0, 400, 90)
    plain, found = normalise_line(page, box), normalise_line(parts, box)
    assert plain is not None
    assert found is not None
    scale = plain.to_working[0, 0]
    assert found.to_working[0, 0] == pytest.approx(scale, rel=0.2 if pins else 0.15)
    assert found.centre == pytest.approx(plain.centre, abs=5)
    assert components(found.ink) == components(plain.ink)


def test_stars_do_not_tell_the_size_of_figures() -> None:
    page = np.zeros((70, 700), np.uint8)
    cv2.putText(page, "825.30", (300, 60), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 255, 4)
    plain = normalise_line(page, (0, 0, 700, 70))
    for number in range(12):
        cv2.circle(page, (12 + 22 * number, 40), 9, 255, -1)
    found = normalise_line(page, (0, 0, 700, 70))
    assert plain is not None
    assert found is not None
    assert found.to_working[0, 0] == pytest.approx(plain.to_working[0, 0], rel=0.02)
    assert found.centre == pytest.approx(plain.centre, abs=1)


@pytest.mark.parametrize("side", ["before", "behind", "sign", "both"])
def test_neither_a_side_of_a_box_nor_a_tall_sign_tells_the_size_of_figures(side: str) -> None:
    page = np.zeros((140, 500), np.uint8)
    cv2.putText(page, "1825.30", (170, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 3)
    plain = normalise_line(page, (150, 60, 350, 110))
    if side in ("before", "both"):
        page[5:135, 150:154] = 255
    if side in ("behind", "both"):
        page[5:135, 350:356] = 255
    if side in ("sign", "both"):
        cv2.putText(page, "R$", (30, 100), cv2.FONT_HERSHEY_SIMPLEX, 2.6, 255, 4)
    found = normalise_line(page, (0, 0, 500, 140))
    assert plain is not None
    assert found is not None
    assert found.to_working[0, 0] == pytest.approx(plain.to_working[0, 0], rel=0.02)
    other = plain_segments.normalise_line(page, (0, 0, 500, 140))
    assert other is not None
    np.testing.assert_allclose(found.to_working, other.to_working)


@pytest.mark.parametrize("text", ["1000", "#5", "825"])
def test_a_tall_stroke_among_few_or_behind_other_figures_is_one_of_them(text: str) -> None:
    page = np.zeros((140, 400), np.uint8)
    cv2.putText(page, text[:2], (20, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 3)
    short = normalise_line(page, (0, 0, 400, 140))
    cv2.putText(page, "8", (100, 110), cv2.FONT_HERSHEY_SIMPLEX, 3.0, 255, 5)
    cv2.putText(page, text[2:], (180, 100), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 3)
    found = normalise_line(page, (0, 0, 400, 140))
    assert short is not None
    assert found is not None
    assert found.to_working[0, 0] > 1.2 * short.to_working[0, 0]


def test_whole_characters_are_not_joined() -> None:
    page = np.zeros((60, 500), np.uint8)
    cv2.putText(page, "1111111111111111", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 0.7, 255, 2)
    line = normalise_line(page, (0, 0, 500, 60))
    assert line is not None
    assert components(line.ink) == 16


def components(ink: Bytes) -> int:
    return cv2.connectedComponents((ink > 60).astype(np.uint8))[0] - 1


def test_a_whole_zone_is_cropped_as_the_segment_of_all_its_pieces_is() -> None:
    page = np.zeros((60, 260), np.uint8)
    wave = np.array([(60 + x, 30 + round(14 * np.sin(x / 7))) for x in range(90)], np.int32)
    cv2.polylines(page, [wave.reshape(-1, 1, 2)], False, 255, 4, cv2.LINE_AA)
    zone = segment_zone(page, (0, 0, 260, 60), PLACEMENT)
    assert zone is not None
    whole = (zone.first == 0) & (zone.last == len(zone.pieces.boxes))
    found = whole_crop(page, (0, 0, 260, 60), PLACEMENT)
    assert found is not None
    assert np.array_equal(zone.crops[whole], [found])


def test_a_zone_of_more_pieces_than_a_segment_may_have_is_cropped_whole() -> None:
    page = np.zeros((80, 460), np.uint8)
    for x in range(30, 440, 40):
        ring(page, x, 40)
    found = whole_crop(page, (0, 0, 460, 80), PLACEMENT)
    assert found is not None
    inked = np.flatnonzero(found.any(axis=0))
    assert inked[-1] - inked[0] > 24
    assert whole_crop(np.zeros_like(page), (0, 0, 460, 80), PLACEMENT) is None
