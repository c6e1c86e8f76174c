"""The compiled loops against plain ones."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline import graph as plain
from service.pipeline.card import Placement
from service.pipeline.centres import CELL, ROWS, STEP, Centres
from service.pipeline.field import FieldCandidate, Zone, find_places
from service.pipeline.ink import InkImage, _darkness
from service.pipeline.levels import (
    histogram,
    median_of_few,
    otsu,
    percentile,
    percentile_of_counts,
    percentile_of_few,
)
from service.pipeline.native import address, compiler, cutting, inking, places, strokes
from service.pipeline.segment import gathered, segment_fields
from service.pipeline.signs import SIGN_INK
from tests.pipeline import compiled_paths as paths
from tests.pipeline import (
    oracle,
    plain_ink,
    plain_pieces,
    plain_places,
    plain_segments,
    plain_skew,
    plain_strokes,
)


def scribble(rng: np.random.Generator, height: int = 60, width: int = 150) -> NDArray[np.uint8]:
    """Grey strokes, specks and lines on paper of 0."""
    page = np.zeros((height, width), np.uint8)
    for _ in range(int(rng.integers(1, 14))):
        ends = rng.integers(0, (width, height), (2, 2))
        shade = int(rng.integers(60, 256))
        cv2.line(page, ends[0].tolist(), ends[1].tolist(), shade, int(rng.integers(1, 5)))
    page[rng.random(page.shape) < 0.02] = 200
    return page


@pytest.mark.parametrize("seed", range(60))
def test_the_best_strings_are_those_of_the_plain_search(seed: int) -> None:
    rng = np.random.default_rng(seed)
    graph = oracle.random_graph(rng, most_nodes=8)
    rest = plain.best_completions(graph)
    np.testing.assert_array_equal(paths.best_completions(graph), rest)
    for silent in ((), (0,), (0, 2)):
        expected = plain.n_best(graph, 5, silent=silent)
        found = paths.n_best(graph, 5, silent=silent, rest=rest)
        assert [one.penalty for one in found] == [one.penalty for one in expected]
        assert [one.labels for one in found] == [one.labels for one in expected]
        assert [one.arcs.tolist() for one in found] == [one.arcs.tolist() for one in expected]
        assert [one.final for one in found] == [one.final for one in expected]


@pytest.mark.parametrize("seed", range(20))
def test_pieces_are_those_of_numpy_whatever_the_network_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    ink = scribble(rng, int(rng.integers(3, 110)), int(rng.integers(5, 130)))
    # Middles near to each pixel, anywhere, or far off the line.
    spread = (0.3, 2.0, 50.0)[seed % 3]
    told = rng.normal(0, spread, (3, ROWS // CELL, -(-ink.shape[1] // STEP) * STEP // CELL))
    found = Centres(told.astype(np.float32), int(rng.integers(-60, 20)))
    expected, count = plain_pieces.gathered(ink, found)
    pieces = gathered(ink, found)
    if not (ink > 60).any():
        assert pieces is None
        return
    assert pieces is not None
    assert len(pieces.boxes) == count
    np.testing.assert_array_equal(pieces.piece, expected)


@pytest.mark.parametrize("seed", range(30))
def test_segments_are_those_of_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = scribble(rng, int(rng.integers(20, 120)), int(rng.integers(40, 400)))
    page[:, : int(rng.integers(0, 40))] = 0
    if seed % 5 == 0:  # as a protector prints
        page[:: int(rng.integers(4, 7))] = page[1 :: int(rng.integers(4, 7))] = 0
    height, width = page.shape
    ink = InkImage(page, page > 0, np.zeros((0, 5), np.int32), page)
    zones = (Zone("amount", (0, 0, width * 2 // 3, height)), Zone("cents", (width // 2, 0, width,
             height // 2)))  # fmt: skip
    fields = [
        FieldCandidate((Zone("amount", (0, 0, width, height)),), 0.5, np.zeros(1, np.float32)),
        FieldCandidate(zones, 1.5, np.zeros(1, np.float32)),
    ]
    weights = rng.random(8).astype(np.float32)
    given = (ink, fields, Placement(20.0, 28.0, 0.5, 0.35), weights)
    found, expected = segment_fields(*given), plain_segments.segment_fields(*given)
    assert found.num_nodes == expected.num_nodes
    for name in ("src", "dst", "segment", "penalty", "field", "crops", "features"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    np.testing.assert_allclose(found.boxes, expected.boxes, atol=1e-3)


@pytest.mark.parametrize("seed", [*range(20), 137])
def test_segments_lead_through_every_zone(seed: int) -> None:
    """On page 137 two components that only fit apart leave the middle of one of them alone."""
    rng = np.random.default_rng(seed)
    page = scribble(rng, int(rng.integers(20, 120)), int(rng.integers(40, 400)))
    ink = InkImage(page, page > 0, np.zeros((0, 5), np.int32), page)
    zone = Zone("amount", (0, 0, page.shape[1], page.shape[0]))
    fields = [FieldCandidate((zone,), 0.0, np.zeros(1, np.float32))]
    given = ink, fields, Placement(20.0, 28.0, 0.5, 0.35)
    graph, expected = segment_fields(*given), plain_segments.segment_fields(*given)
    np.testing.assert_array_equal(graph.segment, expected.segment)
    np.testing.assert_array_equal(graph.crops, expected.crops)
    assert plain_segments.lead_through(graph.src, graph.dst, graph.num_nodes - 1)


@pytest.mark.parametrize("seed", range(20))
def test_runs_of_words_are_those_of_numpy(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = np.zeros((int(rng.integers(200, 420)), int(rng.integers(500, 1000))), np.uint8)
    height, width = page.shape
    for _ in range(int(rng.integers(0, 25))):
        at = (int(rng.integers(0, width - 60)), int(rng.integers(20, height)))
        text = "".join(rng.choice(list("$0123456789.,/ abcdef"), int(rng.integers(1, 9))))
        cv2.putText(page, text, at, cv2.FONT_HERSHEY_SIMPLEX, float(rng.uniform(0.4, 1.3)), 255, 2)
    rules = []
    for _ in range(int(rng.integers(0, 9))):
        x, y, wide = (int(rng.integers(1, side)) for side in (width // 2, height - 60, width // 2))
        high = int(rng.integers(15, 60))
        rules += [(x, y, x + wide, y + 2, 0), (x, y + high, x + wide, y + high + 2, 0)]
        rules += [(x, y, x + 2, y + high, 1)]
    ink = InkImage(page, page > 0, np.array(rules, np.int32).reshape(-1, 5), page)
    found, expected = find_places(ink), plain_places.find_places(ink)
    assert (found is None) == (expected is None)
    if found is not None and expected is not None:
        np.testing.assert_array_equal(found.boxes, expected[0])
        np.testing.assert_array_equal(found.marks.boxes, expected[2].boxes)
        np.testing.assert_array_equal(found.marks.word, expected[2].word)
        own = found.features[:, : expected[1].shape[1]]
        np.testing.assert_allclose(own, expected[1], rtol=1e-5, atol=1e-5)
        for run in found.boxes[::7]:
            widened = places.widened(run, found.marks.boxes, found.marks.word)
            np.testing.assert_array_equal(widened, plain_places.widened(run, expected[2]))
            zone = (int(run[0]), int(run[1]), int(run[2]), int(run[3]))
            near = places.near_zone(zone, found.marks.boxes)
            np.testing.assert_array_equal(near, plain_places.near_zone(zone, found.marks.boxes))


@pytest.mark.parametrize("seed", range(30))
def test_ink_is_compared_with_a_pattern_whatever_its_size(seed: int) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((60, 80)) < rng.uniform(0.2, 0.9)
    x, y, wide, high = (int(rng.integers(*span)) for span in ((0, 30), (0, 30), (1, 30), (1, 30)))
    box = np.array([[x, y, x + wide, y + high]], np.int32)
    shape = cv2.resize(
        mask[y : y + high, x : x + wide] * np.uint8(255), (7, 9), interpolation=cv2.INTER_AREA
    )
    possible = places.Possible(high=(2, 25), wide=(0.1, 3), bias=-9.0)
    found = places.compare_ink(mask, np.concatenate([box, box]), SIGN_INK, possible)
    expected = 1 / (1 + np.exp(-(float((shape * SIGN_INK).sum()) / 255 - 9) / 10))
    fits = 2 <= high <= 25 and 0.1 * high <= wide <= 3 * high
    np.testing.assert_allclose(found, expected if fits else 0, rtol=1e-4)


@pytest.mark.parametrize("seed", range(20))
def test_components_and_strokes_are_those_of_opencv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = scribble(rng, int(rng.integers(1, 70)), int(rng.integers(1, 90)))
    _, labels, stats, _ = cv2.connectedComponentsWithStats(
        (page > 0).astype(np.uint8), connectivity=8
    )
    part = rng.random(page.shape) < 0.5
    within = np.bincount(labels[part], minlength=len(stats))
    found = inking.component_stats(page > 0, part)
    np.testing.assert_array_equal(found, np.column_stack([stats, within])[1:])
    np.testing.assert_array_equal(inking.component_stats(page > 0)[:, :5], stats[1:])
    peaks = np.arange(256, dtype=np.uint8)
    ink, mask = inking.find_strokes(
        page, None, peaks=peaks, lowest=80, highest=180, weak=0.5, strong=0.68
    )
    expected = plain_ink.strokes(page, np.float32(180), 0.5, 0.68)
    np.testing.assert_array_equal(ink, expected[0])
    np.testing.assert_array_equal(mask, expected[1])


@pytest.mark.parametrize("seed", range(10))
def test_the_level_of_ink_follows_what_is_around(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = scribble(rng, int(rng.integers(20, 90)), int(rng.integers(20, 160)))
    near = cv2.dilate(page, np.ones((9, 9), np.uint8))
    held = cv2.boxFilter((page > 40).astype(np.uint8), cv2.CV_32S, (15, 15), normalize=False)
    share = float(rng.choice([0.1, 0.3, 0.9]))
    peaks = (np.arange(256) * 17 // 20).astype(np.uint8)
    ink, mask = inking.find_strokes(
        page, near, inking.Grain(15, share, 40.5),
        peaks=peaks, lowest=70, highest=170, weak=0.5, strong=0.68,
    )  # fmt: skip
    top = np.where(held > int(share * 225), 255, near)
    level = np.clip(peaks[top].astype(np.float32), 70, 170)
    expected = plain_ink.strokes(page, level, 0.5, 0.68)
    np.testing.assert_array_equal(ink, expected[0])
    np.testing.assert_array_equal(mask, expected[1])


@pytest.mark.parametrize("seed", range(30))
def test_greatest_and_least_around_are_those_of_opencv(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = rng.integers(0, 256, rng.integers(1, 90, 2), np.uint8)
    reach = int(rng.integers(0, 26))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    np.testing.assert_array_equal(inking.greatest_around(page, reach), cv2.dilate(page, kernel))
    np.testing.assert_array_equal(inking.least_around(page, reach), cv2.erode(page, kernel))


@pytest.mark.parametrize("factor", [1, 3, 4, 5, 6, 8, 11])
def test_blocks_are_averaged_as_opencv_does(factor: int) -> None:
    rng = np.random.default_rng(factor)
    page = rng.integers(0, 256, (70, 101), np.uint8)[:, 3:]
    rows, columns = (side // factor for side in page.shape)
    whole = page[: rows * factor, : columns * factor]
    expected = cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA)
    np.testing.assert_array_equal(inking.shrink(page, factor), expected)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("shape", [(60, 150), (240, 310), (241, 309), (230, 305), (9, 3), (1, 1)])
def test_darkness_is_that_of_opencv(shape: tuple[int, int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = 255 - scribble(rng, *shape)
    if seed % 2:
        page = page - rng.integers(0, 30, shape, np.uint8)
    np.testing.assert_array_equal(_darkness(page), plain_ink.darkness(page))


@pytest.mark.parametrize("upright", [False, True])
@pytest.mark.parametrize("seed", range(40))
def test_lines_are_those_of_the_opened_image(seed: int, upright: bool) -> None:
    rng = np.random.default_rng(seed)
    page = scribble(rng)
    own = np.ascontiguousarray(page.T) if upright else page
    run, length = int(rng.integers(6, 20)), int(rng.integers(8, 60))
    stats, pixels = plain_ink.find_lines(page, 100.0, run=run, length=length, thickness=6)
    lengths = [inking.Length(length, run), inking.Length(*rng.integers(6, 40, 2).tolist())]
    both = inking.find_lines(
        own, 100.0, *(lengths[::-1] if upright else lengths),
        thickness=6, slope=np.inf, off=np.inf,
    )  # fmt: skip
    lines = both[upright]
    assert lines.upright is upright
    np.testing.assert_array_equal(lines.stats[:, :5], stats)
    np.testing.assert_array_equal(lines.boxes[:, 2:], stats[:, :2] + stats[:, 2:4])
    found = np.zeros((len(stats), *page.shape), np.bool_)
    for y, x0, x1, line in lines.runs.tolist():
        found[line, y, x0:x1] = True
    np.testing.assert_array_equal(found, np.array(pixels).reshape(found.shape))
    wanted = rng.random(len(stats)) < 0.7
    under = found[wanted].any(axis=0)
    counts = inking.count_under(own, lines, wanted)
    np.testing.assert_array_equal(counts, np.bincount(page[under], minlength=256))
    boxes = rng.integers(-5, 120, (20, 4)).astype(np.int32)
    boxes[:, 2:] = boxes[:, :2] + rng.integers(1, 30, (20, 2))
    met = [found[:, max(b, 0) : max(d, 0), max(a, 0) : max(c, 0)].any() for a, b, c, d in boxes]
    np.testing.assert_array_equal(inking.are_met(lines, boxes), met)
    erased, counts = own.copy(), histogram(own)
    usual, reach = float(rng.integers(60, 256)), int(rng.integers(1, 12))
    inking.erase_lines(erased, lines, wanted, counts, usual=usual, reach=reach)
    expected = plain_ink.erase(page, under, usual, reach)
    np.testing.assert_array_equal(erased.T if upright else erased, expected)
    np.testing.assert_array_equal(counts, histogram(expected))


@pytest.mark.parametrize("seed", range(20))
def test_skew_is_told_from_the_same_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = 255 - scribble(rng, int(rng.integers(8, 90)), int(rng.integers(9, 160)))
    page = page - rng.integers(0, 20, page.shape, np.uint8)
    strokes = inking.thin_strokes(page)
    np.testing.assert_array_equal(strokes, plain_skew.thin_strokes(page))
    most = int(rng.integers(20, 400))
    points = inking.thin_points(strokes, 12.5, most)
    expected = plain_skew.thin_points(strokes, 12.5, most)
    np.testing.assert_array_equal(np.stack([points.x, points.y, points.weight]), expected)
    if not expected.size:
        return
    degrees = rng.uniform(-12, 12, 9)
    found = inking.energies(points, degrees, 1.5)
    np.testing.assert_array_equal(found, plain_skew.energies(expected, degrees, 1.5))


@pytest.mark.parametrize("seed", range(40))
def test_the_longest_stroke_is_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    page = rng.random(rng.integers(1, 60, 2)) < rng.uniform(0, 0.9)
    for rows in (page, page[::-1], page.T, page[::-1].T):
        solid = rows.view(np.uint8)
        np.testing.assert_array_equal(
            strokes.longest_path(solid), plain_strokes.longest_path(solid)
        )


@pytest.mark.parametrize("seed", range(60))
def test_the_same_lines_run_through_a_zone(seed: int) -> None:
    rng = np.random.default_rng(seed)
    zone = np.zeros((int(rng.integers(8, 40)), int(rng.integers(1, 160))), np.uint8)
    ends = (0, int(rng.integers(0, len(zone)))), (zone.shape[1], int(rng.integers(0, len(zone))))
    zone = np.asarray(cv2.line(zone, *ends, 255, int(rng.integers(1, 3))), np.uint8)
    zone[rng.random(zone.shape) < rng.uniform(0, 0.25)] = 0
    rows = int(rng.integers(0, 8)), int(rng.integers(8, 30))
    expected = plain_strokes.is_run_through(zone, 60, rows)
    assert strokes.is_run_through(zone, 60, rows) == expected


@pytest.mark.parametrize("seed", range(20))
def test_levels_are_those_of_numpy_and_opencv(seed: int) -> None:
    page = scribble(np.random.default_rng(seed))
    counts = histogram(page)
    np.testing.assert_array_equal(counts, np.bincount(page.ravel(), minlength=256))
    for percent in (0, 2, 50, 70, 92, 100):
        expected = np.percentile(page, percent)
        assert percentile_of_counts(counts, percent) == pytest.approx(expected)
        expected = np.percentile(page[::2, ::3], percent)
        assert percentile(page[::2, ::3], percent) == pytest.approx(expected)
    assert percentile_of_counts(counts, 70, 90) == pytest.approx(
        np.percentile(page[page >= 90], 70)
    )
    threshold, _ = cv2.threshold(page, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    assert otsu(counts) == threshold
    assert percentile_of_counts(np.zeros(256, np.int64), 50) == 255


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.int32])
def test_percentiles_of_few_are_those_of_numpy(kind: type[np.number]) -> None:
    rng = np.random.default_rng(0)
    for count in range(1, 40):
        values = (rng.random(count) * 300).astype(kind)
        assert median_of_few(values) == np.median(values)
        for percent in (2, 50, 70, 80, 98):
            assert percentile_of_few(values, percent) == np.percentile(values, percent)
        whole = values.astype(int).tolist()
        assert percentile_of_few(whole, 70) == np.percentile(whole, 70)


def test_crops_are_opencvs_but_for_rounding() -> None:
    rng = np.random.default_rng(1)
    page = scribble(rng)
    piece = np.zeros(page.shape, np.int16)
    boxes = np.array([[10, 5, 50, 55], [0, 0, 150, 60], [70, 20, 73, 24]], np.int32)
    ends = (np.zeros(3, np.int32), np.ones(3, np.int32))
    found = cutting.crops(
        page, piece, *ends, boxes, size=40, centre=30.0, placement=(20.0, 28.0, 0.5, 0.5)
    )
    for crop, (x0, y0, x1, y1) in zip(found, boxes.tolist(), strict=True):
        own = page[max(y0 - 1, 0) : y1 + 1, max(x0 - 1, 0) : x1 + 1]
        extent = max(x1 - x0, y1 - y0) / 40
        scale = min(20.0 * extent**0.5, 28.0) / (extent * 40)
        shift = float(np.clip(((y0 + y1) / 2 - 30) / 40 * 0.5, -0.25, 0.25)) * 20
        down, right = (15.5 - scale * (side - 1) / 2 for side in own.shape)
        matrix = np.array([[scale, 0, right], [0, scale, down + shift]])
        expected = cv2.warpAffine(own, matrix, (32, 32), flags=cv2.INTER_LINEAR)
        off = np.abs(crop.astype(int) - expected)
        assert off.max() <= 1
        assert (off > 0).mean() < 0.005


def test_arrays_of_another_kind_are_refused() -> None:
    with pytest.raises(ValueError, match="contiguous"):
        address(np.zeros((4, 4))[:, 1], np.float64)
    with pytest.raises(ValueError, match="contiguous"):
        address(np.zeros(4, np.float32), np.float64)
    with pytest.raises(ValueError, match="another line"):
        gathered(np.zeros((9, 40), np.uint8), Centres(np.zeros((3, 40, 16), np.float32), 0))


def test_the_library_is_named_after_its_sources() -> None:
    assert compiler.library().exists()
    assert compiler.build() == compiler.library()
