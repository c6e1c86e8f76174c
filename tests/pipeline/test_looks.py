"""Further looks at a page."""

import cv2
import numpy as np

from service.pipeline.field import FieldCandidate, Zone
from service.pipeline.image import ChequeImage
from service.pipeline.ink import InkImage, extract_ink
from service.pipeline.looks import CLOSER, LOOKS, closer_looks, further_looks


def _page(spot: tuple[int, int]) -> ChequeImage:
    grey = np.full((300, 700), 255, np.uint8)
    cv2.circle(grey, spot, 6, 0, -1)
    away = np.array([[2.0, 0, 10], [0, 2.0, 20], [0, 0, 1]])
    return ChequeImage(grey, 200.0, away, 1, (1420, 640))


def test_every_look_leads_back_to_the_original() -> None:
    spot = (560, 120)
    page = _page(spot)
    seen = [page, *further_looks(page)]
    assert len(seen) == LOOKS
    for one in seen:
        rows, columns = np.nonzero(one.grey < 128)
        middle = np.array([columns.mean(), rows.mean(), 1.0])
        x, y, w = one.to_original @ middle
        assert np.hypot(x / w - (2 * spot[0] + 10), y / w - (2 * spot[1] + 20)) < 1.0


def test_looks_differ_and_keep_the_paper() -> None:
    page = _page((350, 150))
    seen = [page, *further_looks(page)]
    assert len({one.grey.tobytes() for one in seen}) == LOOKS
    assert all(one.grey[0, 0] == 255 == one.grey[-1, -1] for one in seen)
    assert all(one.grey.flags["C_CONTIGUOUS"] for one in seen)


def test_closer_looks_are_at_the_same_place() -> None:
    page = _page((560, 120))
    ink = np.asarray(255 - page.grey, np.uint8)
    near_by = FieldCandidate((Zone("amount", (553, 113, 567, 127)),), 0.5, np.zeros(1, np.float32))
    far = FieldCandidate((Zone("amount", (10, 250, 60, 280)),), 2.5, np.zeros(1, np.float32))
    found = InkImage(ink, ink > 0, np.array([[100, 200, 300, 202, 0]], np.int32), ink)
    seen = list(closer_looks(page, found, [near_by, far], [0]))
    assert len(seen) == CLOSER
    assert len({one.ink.ink.tobytes() for one in seen}) == CLOSER
    for near in seen:
        assert [one.penalty for one in near.fields] == [0.5, 2.5]
        x0, y0, x1, y1 = near.fields[0].zones[0].box
        outside = near.ink.ink.copy()
        outside[y0:y1, x0:x1] = 0
        assert near.ink.ink[y0:y1, x0:x1].any()
        assert not outside.any()
        for (left, top, right, bottom), number in (
            ((553, 113, 567, 127), 0),
            ((10, 250, 60, 280), 1),
        ):
            a, b, c, d = near.fields[number].zones[0].box
            x, y, _ = near.to_original @ np.array([(a + c - 1) / 2, (b + d - 1) / 2, 1.0])
            assert abs(x - (left + right - 1 + 10)) < 3
            assert abs(y - (top + bottom - 1 + 20)) < 3
    assert (ink == 255 - page.grey).all()


def test_a_closer_look_parts_what_is_out_of_focus() -> None:
    """Two strokes are one component of the ink, and two of what is sharpened."""
    grey = np.full((300, 700), 235, np.uint8)
    grey[130:160, 350:354] = grey[130:160, 358:362] = 40
    grey = np.asarray(cv2.GaussianBlur(grey, (0, 0), 2.2), np.uint8)
    page = ChequeImage(grey, 200.0, np.eye(3), 1, (700, 300))
    ink = extract_ink(grey)
    field = FieldCandidate((Zone("amount", (335, 120, 377, 170)),), 0.0, np.zeros(1, np.float32))
    larger, _ = closer_looks(page, ink, [field], [0])
    assert cv2.connectedComponents(ink.mask.astype(np.uint8))[0] - 1 == 1
    assert cv2.connectedComponents(larger.ink.mask.astype(np.uint8))[0] - 1 == 2
