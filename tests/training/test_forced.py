"""Blame by forcing the truth: each stage spoiled on purpose."""

from pathlib import Path

import numpy as np
import pytest

from service.pipeline.search import Lattice
from tests.pipeline import oracle
from training.dataset import LABELS
from training.forced import Examiner, Fault

MODEL = Path(__file__).parents[2] / "models" / "amounts" / "1"
SAMPLES = Path(__file__).parents[2] / "samples"


@pytest.fixture(scope="module")
def examiner() -> Examiner:
    return Examiner(MODEL)


def written(text: str) -> Lattice:
    """A text with log odds in its favour, everything else far less likely than rubbish."""
    lattice = oracle.written(text, LABELS)
    sure = np.isfinite(lattice.class_penalty)
    lattice.class_penalty[:] = np.where(sure, -6.0, 6.0)
    lattice.class_penalty[:, -1] = 1.0
    return lattice


def test_a_symbol_taken_for_another_is_the_recognizer(examiner: Examiner) -> None:
    lattice = written("125.00")
    lattice.class_penalty[1, LABELS.index("7")] = -8.0
    assert examiner._of_lattice(lattice, (12500,)) == Fault("recognition", "2")


def test_a_segment_that_looks_like_nothing_is_the_segmentation(examiner: Examiner) -> None:
    lattice = written("125.00")
    lattice.class_penalty[1, :-1] = 5.0
    assert examiner._of_lattice(lattice, (12500,)) == Fault("segmentation", "2")


def test_a_truth_with_more_digits_than_segments_is_the_segmentation(examiner: Examiner) -> None:
    assert examiner._of_lattice(written("125"), (12345600,)) == Fault("segmentation")


def test_another_string_of_likely_symbols_is_the_grammar(examiner: Examiner) -> None:
    assert examiner._of_lattice(written("1,234,5"), (1234500,)).stage == "grammar"


def test_another_field_is_the_field(examiner: Examiner) -> None:
    first, second = written("77.00"), written("125.00")
    second.class_penalty[:] += 0.5
    end = first.num_nodes + second.num_nodes - 3
    joined = [
        np.where(nodes == last, end, np.where(nodes == 0, 0, nodes + shift))
        for lattice, shift in ((first, 0), (second, first.num_nodes - 2))
        for last in [lattice.num_nodes - 1]
        for nodes in (lattice.src, lattice.dst)
    ]
    lattice = Lattice(
        end + 1,
        np.concatenate([joined[0], joined[2]]).astype(np.int32),
        np.concatenate([joined[1], joined[3]]).astype(np.int32),
        np.concatenate([first.segment, second.segment + len(first.class_penalty)]).astype(np.int32),
        np.concatenate([first.penalty, second.penalty]),
        np.repeat(np.array([0, 1], np.int32), [len(first.src), len(second.src)]),
        np.concatenate([first.class_penalty, second.class_penalty]),
    )
    assert examiner._of_lattice(lattice, (12500,)) == Fault("field")


def test_an_image_without_the_amount_anywhere_is_blamed_too(examiner: Examiner) -> None:
    image = (SAMPLES / "us-blank-01.jpg").read_bytes()
    assert examiner.fault(image, [123456789], field_only=False).stage != "grammar"
