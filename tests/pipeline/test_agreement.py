"""What several looks say together, on made-up looks."""

from typing import Any

import pytest

from service.pipeline.agreement import added, decided


class _Look:
    def __init__(self, shares: dict[int, float]) -> None:
        self._shares = shares

    def of_amounts(self) -> dict[int, float]:
        return self._shares


def _looks(*each: dict[int, float]) -> list[Any]:
    return [_Look(shares) for shares in each]


def test_posteriors_are_added_by_amount() -> None:
    assert added(_looks({100: 0.5, 200: 0.25}, {100: 0.25})) == {100: 0.75, 200: 0.25}


@pytest.mark.parametrize(
    ("looks", "enough"),
    [
        ([{100: 0.98}, {100: 0.999}], True),  # sure together
        ([{100: 0.98}, {100: 0.95}], False),  # the other two may make it sure
        ([{100: 0.9}, {100: 0.9}], False),  # the other two may change it
        ([{100: 0.6}, {100: 0.7, 200: 0.1}, {100: 0.6}], True),  # one more changes nothing
        ([{100: 0.6}, {100: 0.4, 200: 0.4}, {100: 0.3, 200: 0.3}], False),  # one more may
        ([{100: 0.98}, {100: 0.99}, {100: 0.9}], False),  # it may be sure yet
        ([{}, {}, {}], False),
    ],
)
def test_when_looks_suffice(looks: list[dict[int, float]], enough: bool) -> None:
    assert decided(_looks(*looks)) is enough
