"""The token bucket: bursts, the long run, and many processes at one bucket."""

import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.access.rate import RateLimit


class _Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_then_one_at_a_time(tmp_path: Path) -> None:
    clock = _Clock()
    rate = RateLimit(tmp_path, per_second=2, burst=3, clock=clock)
    assert [rate.take("a") for _ in range(3)] == [0, 0, 0]
    assert rate.take("a") == pytest.approx(0.5)
    assert rate.take("b") == 0
    clock.now += 0.25
    assert rate.take("a") == pytest.approx(0.25)
    clock.now += 0.25
    assert rate.take("a") == 0
    assert rate.take("a") > 0
    clock.now += 100
    assert [rate.take("a") > 0 for _ in range(4)] == [False, False, False, True]


@settings(max_examples=60, deadline=None)
@given(
    steps=st.lists(st.floats(0, 3), min_size=1, max_size=40),
    per_second=st.sampled_from([0.5, 1.0, 4.0]),
    burst=st.integers(1, 5),
)
def test_it_is_a_token_bucket(
    tmp_path_factory: pytest.TempPathFactory,
    steps: list[float],
    per_second: float,
    burst: int,
) -> None:
    clock = _Clock()
    rate = RateLimit(
        tmp_path_factory.mktemp("rates"), per_second=per_second, burst=burst, clock=clock
    )
    tokens, at = float(burst), clock.now
    for step in steps:
        clock.now += step
        tokens = min(burst, tokens + (clock.now - at) * per_second)
        at = clock.now
        if abs(tokens - 1) < 1e-6:
            return  # too near to tell
        wait = rate.take("a")
        if tokens >= 1:
            assert wait == 0
            tokens -= 1
        else:
            assert wait == pytest.approx((1 - tokens) / per_second, abs=1e-6)


@pytest.mark.parametrize(
    "kept", [b"", b"1234", struct.pack("<d", float("nan")), struct.pack("<d", 1e300)]
)
def test_what_makes_no_sense_is_a_full_bucket(tmp_path: Path, kept: bytes) -> None:
    (tmp_path / "a").write_bytes(kept)
    rate = RateLimit(tmp_path, per_second=1, burst=2, clock=_Clock())
    assert [rate.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_a_clock_that_is_set_back_locks_nobody_out(tmp_path: Path) -> None:
    clock = _Clock()
    rate = RateLimit(tmp_path, per_second=1, burst=2, clock=clock)
    rate.take("a")
    clock.now -= 3600
    assert [rate.take("a") > 0 for _ in range(3)] == [False, False, True]


def test_processes_share_a_bucket(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from service.access.rate import RateLimit; "
        "rate = RateLimit(Path(sys.argv[1]), per_second=1e-6, burst=100); "
        "print(sum(rate.take('a') == 0 for _ in range(60)))"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
        )
        for _ in range(3)
    ]
    taken = [int(process.communicate()[0]) for process in started]
    assert sum(taken) == 100
