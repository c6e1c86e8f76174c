"""Labels of training crops: what matches one character is it, what matches none is rubbish."""

import cv2
import numpy as np

from service.pipeline.ink import extract_ink
from service.pipeline.segment import segment_zone
from training.crops import field_crops, match_segments
from training.dataset import LABELS, PLACEMENT


def two_digits() -> tuple[np.ndarray, np.ndarray]:
    """ "10" on white paper, and who owns which pixel."""
    page = np.full((60, 110), 230, np.uint8)
    owner = np.zeros_like(page)
    for target, ink in ((page, (40, 40)), (owner, (1, 2))):
        cv2.line(target, (30, 10), (30, 50), ink[0], 4)
        cv2.ellipse(target, (75, 30), (12, 19), 0, 0, 360, ink[1], 4)
    return page, owner


def test_every_character_is_matched_by_a_segment() -> None:
    page, owner = two_digits()
    zone = segment_zone(extract_ink(page).ink, (0, 0, 110, 60), PLACEMENT)
    assert zone is not None
    truth = match_segments(zone, owner, 2)
    assert (truth.best > 0.9).all()
    matched = {int(c) for c, iou in zip(truth.character, truth.iou, strict=True) if iou > 0.9}
    assert matched == {0, 1}


def test_ink_of_two_characters_counts_for_either() -> None:
    page, owner = two_digits()
    second = np.zeros_like(owner)
    cv2.line(page, (30, 12), (75, 12), 40, 8)
    cv2.line(owner, (30, 12), (75, 12), 1, 8)
    cv2.line(second, (30, 12), (75, 12), 2, 8)
    second[owner == 2] = 0
    zone = segment_zone(extract_ink(page).ink, (0, 0, 110, 60), PLACEMENT)
    assert zone is not None
    plain, shared = (match_segments(zone, owner, 2, other).best for other in (None, second))
    assert (plain < 0.9).any()
    assert (shared > 0.9).all()


def test_labels_are_the_characters_and_rubbish() -> None:
    page, owner = two_digits()
    crops, labels = field_crops(extract_ink(page), owner, "10", LABELS, PLACEMENT)
    assert crops.shape == (len(labels), 32, 32)
    assert set(labels.tolist()) <= {LABELS.index("1"), LABELS.index("0"), LABELS.index("")}
    assert {LABELS.index("1"), LABELS.index("0")} <= set(labels.tolist())


def test_ink_that_nobody_owns_is_rubbish() -> None:
    page, owner = two_digits()
    _, labels = field_crops(extract_ink(page), np.zeros_like(owner), "", LABELS, PLACEMENT)
    assert set(labels.tolist()) == {LABELS.index("")}


def test_a_digit_with_a_point_is_no_digit() -> None:
    page, owner = two_digits()
    cv2.circle(page, (94, 48), 2, 40, -1)
    cv2.circle(owner, (94, 48), 2, 3, -1)
    zone = segment_zone(extract_ink(page).ink, (0, 0, 110, 60), PLACEMENT)
    assert zone is not None
    truth = match_segments(zone, owner, 3)
    both = (zone.boxes[:, 2] > 92) & (zone.boxes[:, 0] > 55) & (zone.boxes[:, 0] < 70)
    assert both.any()
    assert truth.merged[both].all()
