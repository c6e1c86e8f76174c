"""Hand-designed strokes: they go through their control points and break at corners."""

import numpy as np
import pytest

from training.synth.templates import DIGITS, SYMBOLS, template_shares, templates


@pytest.mark.parametrize("symbol", [*DIGITS, *SYMBOLS])
def test_curves_pass_through_their_control_points(symbol: str) -> None:
    assert templates(symbol)
    for template in templates(symbol):
        glyph = template.glyph(template.controls)
        far = np.abs(glyph.points[:, None, :2] - template.controls[None]).max(axis=2)
        assert far.min(axis=0).max() < 1e-5
        np.testing.assert_allclose(template.basis.sum(axis=1), 1.0, atol=1e-5)
        assert template.starts[0] == 0
        assert list(template.starts) == sorted(set(template.starts))


def test_every_digit_has_several_hands_and_rare_ones_are_rare() -> None:
    for digit in "0123456789":
        shares = template_shares(digit)
        assert len(shares) >= 5
        assert shares.sum() == pytest.approx(1.0)
    assert template_shares("0").min() < 0.5 * template_shares("0").max()


def test_an_unknown_symbol_has_none() -> None:
    assert templates("@") == ()
