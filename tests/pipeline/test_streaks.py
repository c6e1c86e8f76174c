"""Streaks of a scanner's sensor, and what is none."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from service.pipeline.image import load_cheque
from service.pipeline.streaks import without_streaks

Grey = NDArray[np.uint8]


@pytest.fixture
def scan() -> Grey:
    rng = np.random.default_rng(1)
    page = np.clip(rng.normal(225, 3, (420, 1000)), 0, 255).astype(np.uint8)
    for y in range(60, 400, 60):
        at = (int(rng.integers(10, 300)), y)
        page = cv2.putText(page, "One hundred 170.00", at, cv2.FONT_HERSHEY_SIMPLEX, 1.6, 40, 4)
    return page


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("width", "level"), [(1, 0), (2, 120), (4, 60)])
def test_a_streak_is_taken_out_and_strokes_go_on(
    scan: Grey, width: int, level: int, turned: bool
) -> None:
    assert without_streaks(scan) is scan
    streaked = scan.copy()
    rows = streaked.T if turned else streaked
    rows[:, 205 : 205 + width] = np.minimum(rows[:, 205 : 205 + width], level)
    before = streaked.copy()
    mended = without_streaks(streaked)
    np.testing.assert_array_equal(streaked, before)
    assert mended.shape == scan.shape
    assert mended.flags.c_contiguous
    off = np.abs(mended.astype(int) - scan)
    own = off.T if turned else off
    assert not np.delete(own, np.s_[204 : 206 + width], axis=1).any()
    # Where a stroke ends within the streak it cannot be known.
    assert np.median(own[:, 204 : 206 + width]) <= 8
    assert (own[:, 204 : 206 + width] > 60).mean() < 0.15


def test_a_bitonal_scan_stays_bitonal_but_for_the_streak(scan: Grey) -> None:
    bitonal = np.asarray(cv2.threshold(scan, 128, 255, cv2.THRESH_BINARY)[1], np.uint8)
    assert without_streaks(bitonal) is bitonal
    streaked = bitonal.copy()
    streaked[:, 500] = 0
    mended = without_streaks(streaked)
    assert (mended != bitonal).mean() < 0.001


def test_lines_that_end_frames_bands_and_patterns_stay(scan: Grey) -> None:
    part, band, pattern = scan.copy(), scan.copy(), scan.copy()
    part[40:360, 300] = 0
    band[:, 300:312] = 0
    pattern[:, 100:900:8] = 0
    framed = cv2.rectangle(scan.copy(), (12, 8), (987, 411), 0, 2)
    for page in (part, band, pattern, framed):
        assert without_streaks(page) is page
    for shape in ((1, 1), (3, 500), (500, 3)):
        tiny = np.full(shape, 255, np.uint8)
        assert without_streaks(tiny) is tiny


def test_a_cheque_is_loaded_without_them_a_cropped_amount_as_it_is(scan: Grey) -> None:
    streaked = scan.copy()
    streaked[:, 500] = 0
    data = cv2.imencode(".png", streaked)[1].tobytes()
    clean = load_cheque(cv2.imencode(".png", scan)[1].tobytes()).grey
    whole = load_cheque(data).grey
    assert whole.shape == clean.shape
    assert np.abs(whole.astype(int) - clean).mean() < 0.3
    crop = load_cheque(data, field_only=True).grey
    assert (crop < 128).mean(axis=0).max() > 0.9
