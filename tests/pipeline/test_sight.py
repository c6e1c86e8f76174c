"""Which places for the amount are read."""

import numpy as np
import pytest

from service.pipeline.field import Box, FieldCandidate, Zone
from service.pipeline.sight import _stands_alone, enough_fields


def _field(box: Box, penalty: float) -> FieldCandidate:
    return FieldCandidate((Zone("amount", box),), penalty, np.zeros(1, np.float32))


@pytest.mark.parametrize(
    ("others", "alone"),
    [
        ([], True),
        ([((60, 40, 200, 80), 0.4)], True),  # another extent of the same place
        ([((400, 40, 500, 80), 4.0)], True),
        ([((400, 40, 500, 80), 1.0)], False),
        ([((60, 40, 200, 80), 0.4), ((50, 90, 200, 130), 0.5)], False),  # lines of a table
    ],
)
def test_a_place_stands_alone_where_no_other_is_nearly_as_likely(
    others: list[tuple[Box, float]], alone: bool
) -> None:
    fields = [_field((50, 40, 200, 80), 0.3), *(_field(*one) for one in others)]
    assert _stands_alone(fields) is alone


def test_fields_are_enough_once_they_are_surer_than_one_can_be() -> None:
    fields = [_field((0, 0, 9, 9), penalty) for penalty in (0.1, 0.2, 0.3, 3.0)]
    assert len(enough_fields(fields)) == 2
    assert len(enough_fields([_field((0, 0, 9, 9), 3.0)] * 4)) == 4
