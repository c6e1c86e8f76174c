"""What several opinions say together, on made-up posteriors."""

from typing import Any

import pytest

from service.pipeline.agreement import decided, pooled, read_as, said_of, together


class _Reading:
    def __init__(self, amount_minor: int) -> None:
        self.amount_minor = amount_minor


class _Seen:
    def __init__(self, shares: dict[int, float]) -> None:
        self.found = tuple(_Reading(amount) for amount in shares)
        self.posteriors = tuple(shares.values())


class _Opinion:
    said = None

    def __init__(self, *shares: dict[int, float]) -> None:
        self.seen = _Seen(shares[0])
        self.shares = shares


def test_one_opinion_stays_what_it_is() -> None:
    assert together([{100: 0.6, 200: 0.3}], [1.0]) == pytest.approx({100: 0.6, 200: 0.3})
    assert together([{}], [1.0]) == {}


def test_what_the_swept_network_says_of_an_amount_is_the_mean_of_its_looks() -> None:
    looks: list[Any] = [
        _Opinion({100: 0.9}, {100: 0.8}),
        _Opinion({100: 0.1}, {100: 0.2, 300: 0.7}),
    ]
    assert said_of(looks, 100) == pytest.approx(0.4)
    assert said_of(looks, 200) == pytest.approx(1e-4)
    assert said_of([_Opinion({100: 0.9})], 100) == 1.0  # type: ignore[list-item]


def test_opinions_are_multiplied() -> None:
    both = together([{100: 0.8, 200: 0.2}, {100: 0.5, 200: 0.5}], [1.0, 1.0])
    assert both[100] / both[200] == pytest.approx((0.8 * 0.5 / (0.2 * 0.5)) ** 0.5)
    assert sum(both.values()) == pytest.approx(1.0, abs=2e-3)


def test_who_errs_less_counts_for_more() -> None:
    both = together([{100: 0.8, 200: 0.2}, {100: 0.2, 200: 0.8}], [1.0, 3.0])
    assert both[100] / both[200] == pytest.approx((0.8 * 0.2**3 / (0.2 * 0.8**3)) ** 0.25)
    assert sum(both.values()) == pytest.approx(1.0, abs=2e-3)


def test_what_one_reader_excludes_is_doubtful() -> None:
    mean = (0.999 + 0.0) / 2
    assert together([{100: 0.999, 200: 0.0005}, {200: 0.9}], [1.0, 1.0])[100] < mean


def test_who_sees_no_amount_has_little_of_a_vote() -> None:
    blind = together([{100: 0.9, 200: 0.05}, {100: 0.001, 200: 0.03}], [1.0, 1.0])
    against = together([{100: 0.9, 200: 0.05}, {100: 0.02, 200: 0.9}], [1.0, 1.0])
    assert blind[100] > 0.8
    assert against[100] < 0.5


def test_what_is_no_amount_keeps_its_share() -> None:
    both = together([{100: 0.5}, {100: 0.5}], [1.0, 1.0])
    assert both == pytest.approx({100: 0.5})


@pytest.mark.parametrize(
    ("opinions", "enough"),
    [
        ([({100: 0.999}, {100: 0.995})], True),
        ([({100: 0.92}, {100: 0.93})], True),
        ([({100: 0.9}, {100: 0.5})], False),
        ([({100: 0.999}, {200: 0.999})], False),
        ([({},)], False),
        # A closer look leaves it nearly sure, or far from it.
        ([({100: 0.9}, {100: 0.7}), ({100: 0.9}, {100: 0.85})], False),
        ([({100: 0.9}, {100: 0.5}), ({100: 0.9}, {100: 0.5})], True),
        ([({100: 0.9}, {100: 0.5}), ({100: 0.999}, {100: 0.999})], True),
    ],
)
def test_when_looks_suffice(opinions: list[tuple[dict[int, float], ...]], enough: bool) -> None:
    made: list[Any] = [_Opinion(*shares) for shares in opinions]
    assert decided(made) is enough


def test_all_looks_count_alike_and_the_swept_network_more_than_segments() -> None:
    looks: list[Any] = [_Opinion({100: 0.9}, {100: 0.8}), _Opinion({100: 0.7}, {100: 0.6})]
    shares = [{100: 0.9}, {100: 0.8}, {100: 0.7}, {100: 0.6}]
    assert pooled(looks) == together(shares, [1.0, 1.3, 1.0, 1.3])
    alone: list[Any] = [_Opinion({100: 0.9, 200: 0.1})]
    assert pooled(alone) == pytest.approx({100: 0.9, 200: 0.1}, abs=1e-3)


def test_an_amount_is_read_by_the_look_that_is_surest_of_it() -> None:
    looks: list[Any] = [_Opinion({100: 0.6, 200: 0.3}), _Opinion({200: 0.9})]
    opinion, reading = read_as(looks, 200)
    assert opinion is looks[1]
    assert reading is looks[1].seen.found[0]
    assert read_as(looks, 300) == (looks[0], None)
