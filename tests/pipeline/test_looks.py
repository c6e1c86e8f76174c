"""Further looks at a page."""

import cv2
import numpy as np

from service.pipeline.field import FieldCandidate, Zone
from service.pipeline.image import ChequeImage
from service.pipeline.ink import InkImage
from service.pipeline.looks import LOOKS, closer, further_looks


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


def test_what_is_seen_closer_lies_where_it_lay() -> None:
    page = _page((560, 120))
    ink = np.asarray(255 - page.grey, np.uint8)
    fields = [
        FieldCandidate((Zone("amount", box),), 0.5, np.zeros(1, np.float32))
        for box in ((553, 113, 568, 128), (500, 113, 600, 153), (10, 10, 50, 30))
    ]
    near, larger, found = closer(
        page, InkImage(ink, ink > 0, np.zeros((0, 5), np.int32)), fields, [0, 1]
    )
    assert larger.ink.shape == (50, 125)
    x0, y0, x1, y1 = found[0].zones[0].box
    outside = larger.ink.copy()
    outside[y0:y1, x0:x1] = 0
    assert larger.ink[y0:y1, x0:x1].any()
    assert not outside.any()
    x, y, _ = near.to_original @ np.array([(x0 + x1 - 1) / 2, (y0 + y1 - 1) / 2, 1.0])
    assert np.hypot(x - (2 * 560 + 10), y - (2 * 120 + 20)) < 1.5
    assert found[1].zones[0].box == (0, 0, 125, 50)
    assert [one.penalty for one in found] == [0.5] * 3
    assert found[2].zones[0].box[2] < 0
