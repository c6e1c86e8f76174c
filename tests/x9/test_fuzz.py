"""A short run of the fuzzer; `make fuzz-x9` is the long one."""

from tests.x9 import fuzz


def test_a_few_hundred_inputs() -> None:
    fuzz.run(400)
