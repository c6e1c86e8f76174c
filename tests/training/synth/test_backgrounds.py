import numpy as np
import pytest

from training.synth.backgrounds import background, form, paper


@pytest.mark.parametrize("shape", [(35, 57), (60, 180), (110, 300), (8, 8)])
def test_paper_of_any_size_is_light_and_within_range(shape: tuple[int, int]) -> None:
    for seed in range(25):
        image = background(np.random.default_rng(seed), *shape)
        assert image.shape == shape
        assert image.dtype == np.uint8
        if min(shape) > 30:
            assert np.percentile(image, 80) > 110


def test_a_seed_gives_one_background() -> None:
    first = background(np.random.default_rng(9), 50, 150)
    assert np.array_equal(first, background(np.random.default_rng(9), 50, 150))
    assert not np.array_equal(first, background(np.random.default_rng(10), 50, 150))


def test_papers_range_from_plain_to_strong_print() -> None:
    spread = [float(paper(np.random.default_rng(s), 60, 160).std()) for s in range(80)]
    assert min(spread) < 0.02
    assert max(spread) > 0.07


def test_the_form_only_darkens_and_leaves_some_fields_bare() -> None:
    box = (10, 10, 150, 50)
    forms = [form(np.random.default_rng(s), 60, 160, box) for s in range(60)]
    assert all(plane.max() <= 1 and plane.min() >= 0 for plane in forms)
    bare = sum(bool((plane == 1).all()) for plane in forms)
    assert 5 < bare < 50


def test_most_of_a_form_s_ink_stays_out_of_the_writing() -> None:
    box = (10, 14, 150, 46)
    forms = [form(np.random.default_rng(s), 60, 160, box) for s in range(60)]
    inner = np.mean([1 - plane[22:38, 30:130].mean() for plane in forms])
    outer = np.mean([1 - plane.mean() for plane in forms])
    assert inner < 0.5 * outer


def test_words_intrude_on_amounts_that_are_lower_than_they_are() -> None:
    forms = [form(np.random.default_rng(s), 12, 160, (10, 3, 150, 8)) for s in range(200)]
    assert all(plane.max() <= 1 and plane.min() >= 0 for plane in forms)
