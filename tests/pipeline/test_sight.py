"""Which places for the amount are read, and what two readers make of them."""

import cv2
import numpy as np
import pytest

from service.pipeline.card import RUBBISH
from service.pipeline.field import Box, FieldCandidate, Zone
from service.pipeline.image import load_cheque
from service.pipeline.ink import InkImage, extract_ink
from service.pipeline.sight import (
    Clock,
    Eye,
    Opinion,
    Sight,
    _alone,
    _counting,
    _without_the_rest,
    enough_fields,
)
from service.settings import load_settings


def _field(box: Box, penalty: float) -> FieldCandidate:
    return FieldCandidate((Zone("amount", box),), penalty, np.zeros(1, np.float32))


@pytest.mark.parametrize(
    ("others", "alone"),
    [
        ([], 0),
        ([((60, 40, 200, 80), 0.4)], 0),  # another extent of the same place
        ([((30, 40, 200, 80), 2.5)], 1),  # with a digit more
        ([((50, 40, 220, 80), 2.5)], 1),
        ([((30, 40, 180, 80), 2.5)], None),  # with one more, and one less
        ([((60, 40, 200, 80), 0.4), ((30, 40, 200, 80), 0.5)], 2),
        ([((30, 40, 200, 80), 4.0)], 0),
        ([((400, 40, 500, 80), 4.0)], 0),
        ([((400, 40, 500, 80), 1.0)], None),
        ([((60, 40, 200, 80), 0.4), ((50, 90, 200, 130), 0.5)], None),  # lines of a table
    ],
)
def test_a_place_stands_alone_where_no_other_is_nearly_as_likely_or_goes_beyond_it(
    others: list[tuple[Box, float]], alone: int | None
) -> None:
    fields = [_field((50, 40, 200, 80), 0.3), *(_field(*one) for one in others)]
    assert _alone(fields) == alone


def test_fields_are_enough_once_they_are_surer_than_one_can_be() -> None:
    fields = [_field((0, 0, 9, 9), penalty) for penalty in (0.1, 0.2, 0.3, 3.0)]
    assert len(enough_fields(fields)) == 2
    assert len(enough_fields([_field((0, 0, 9, 9), 3.0)] * 4)) == 4


def test_a_field_that_goes_beyond_those_that_are_enough_is_read_as_well() -> None:
    fields = [_field((50, 40, right, 80), penalty) for right, penalty in ((170, 0.1), (120, 0.2))]
    wider, dearer = _field((50, 40, 250, 80), 0.3), _field((30, 40, 260, 80), 0.9)
    elsewhere = _field((50, 90, 250, 130), 0.3)
    assert enough_fields([*fields, elsewhere, wider, dearer]) == [*fields, wider]


def test_a_field_of_which_one_that_holds_the_amount_is_a_part_is_looked_at_too() -> None:
    page = np.zeros((200, 400), np.uint8)
    ink = InkImage(ink=page, mask=page > 0, rules=np.zeros((0, 5), np.int32), darkness=page)
    fields = [
        _field(box, 0.1) for box in ((50, 40, 200, 80), (20, 40, 200, 80), (50, 90, 200, 130))
    ]
    sight = Sight(ink, fields, np.eye(3), {0: -12.0, 1: 3.0, 2: 2.0}, read=(0, 1, 2))
    assert sight.holding() == [0, 1]
    sight.masses[1] = -30.0
    assert sight.holding() == [1]


def _opinion(text: str, cents: str = "") -> tuple[Eye, Opinion]:
    """One of print, and of raised cents that touch the bar below them."""
    page = np.full((70, 360), 255, np.uint8)
    cv2.putText(page, text, (20, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.3, 0, 3)
    if cents:
        cv2.putText(page, cents, (150, 33), cv2.FONT_HERSHEY_SIMPLEX, 0.65, 0, 2)
        cv2.line(page, (148, 35), (180, 35), 0, 2)
    image = load_cheque(cv2.imencode(".png", page)[1].tobytes(), field_only=True)
    eye = Eye(load_settings().model_dir)
    grammar, clock = eye.grammar(None, None), Clock({})
    seen = eye.look(image, extract_ink(image.grey), grammar, clock, field_only=True, number=5)
    return eye, eye.opinion(seen, grammar, clock, 5)


def test_segments_and_the_swept_network_read_the_same_print() -> None:
    _, one = _opinion("1,234.56")
    read, said = one.shares
    assert max(read, key=read.__getitem__) == max(said, key=said.__getitem__) == 123456
    assert read.keys() == said.keys()
    assert all(0 <= share <= 1 for shares in one.shares for share in shares.values())


def test_raised_cents_become_a_zone_of_their_own() -> None:
    eye, whole = _opinion("1,234", "56")
    fields = list(whole.seen.sight.fields)
    parted = eye.parted(whole, eye.grammar(None, None), Clock({}), 5)
    (found,) = parted.seen.sight.fields[len(fields) :]
    assert [zone.kind for zone in found.zones] == ["amount", "cents"]
    amount, cents = (zone.box for zone in found.zones)
    assert amount[2] == pytest.approx(148, abs=8)
    assert (cents[0], cents[2]) == (pytest.approx(150, abs=8), pytest.approx(176, abs=8))
    assert cents[3] <= 35
    assert parted.shares[1][123456] > max(0.5, whole.shares[1].get(123456, 0.0))


def test_cents_on_the_line_stay_there() -> None:
    eye, whole = _opinion("1,234.56")
    assert eye.parted(whole, eye.grammar(None, None), Clock({}), 5) is whole


@pytest.mark.parametrize(("figures", "most"), [(2, 6.0), (0, 0.0)])
def test_what_a_field_leaves_out_of_a_wider_one_is_held_against_it(
    figures: int, most: float
) -> None:
    eye, whole = _opinion("71,234.56")
    assert whole.said is not None
    sight, grammar, clock = whole.seen.sight, eye.grammar(None, None), Clock({})
    boxes, _ = whole.said.written(whole.said.found[0], eye.card.labels.index(RUBBISH))
    rest = _field((int(boxes[figures, 0]), 0, 360, 70), 0.0)
    sight.fields = [*sight.fields, rest]
    eye._read(sight, [0, len(sight.fields) - 1], grammar, clock)
    both = eye.opinion(eye._seen(sight, grammar, clock, 5), grammar, clock, 5)
    dearer = _without_the_rest(sight, [0, len(sight.fields) - 1])
    assert dearer[0] is sight.fields[0]
    assert dearer[-1].penalty == pytest.approx(most, abs=0.3)
    assert max(both.shares[1], key=both.shares[1].__getitem__) == 7123456


def test_symbols_that_were_said_stand_about_where_their_segments_are() -> None:
    eye, one = _opinion("40852")
    assert one.said is not None
    found = one.said.found[0]
    silent = len(eye.card.labels) - 1
    boxes, labels = one.said.written(found, silent)
    assert "".join(eye.card.labels[label] for label in labels) == found.text == "40852"
    path = one.seen.found[0]
    segments = one.seen.sight.graph.boxes[one.seen.sight.graph.segment[path.arcs]]
    assert len(segments) == len(boxes) == 5
    wide = segments[:, 2] - segments[:, 0]
    off = np.abs(boxes[:, ::2].mean(axis=1) - segments[:, ::2].mean(axis=1))
    assert (off < 0.6 * wide.max()).all()
    assert (np.diff(boxes[:, 0]) > 0).all()
    high = segments[:, 3] - segments[:, 1]
    assert (np.abs(boxes[:, 1::2].mean(axis=1) - segments[:, 1::2].mean(axis=1)) < high / 3).all()


def test_the_likeliest_amount_always_counts() -> None:
    assert _counting({100: 0.7, 200: 0.002, 300: 1e-5}) == {100: 0.7, 200: 0.002}
    assert _counting({100: 1e-5, 200: 1e-9}) == {100: 1e-5}
    assert _counting({}) == {}
