"""Defects of images, each made on purpose and found alone."""

import io

import numpy as np
import pytest
from PIL import Image, ImageDraw

from service.pipeline.container import ImageLimits
from service.pipeline.usability import UsabilityLimits, exchanged, legibility, measure_image

LIMITS = ImageLimits()
THRESHOLDS = UsabilityLimits()


def _page() -> Image.Image:
    """Lines of print all over a page of 6 by 2.75 inches at 200 dpi."""
    page = Image.new("L", (1200, 550), 255)
    draw = ImageDraw.Draw(page)
    rng = np.random.default_rng(1)
    for y in range(30, 540, 40):
        x = 30
        while x < 1150:
            wide = int(rng.integers(8, 30))
            draw.rectangle((x, y, x + wide, y + 14), fill=0)
            x += wide + int(rng.integers(10, 60))
    return page


def _present(page: Image.Image, dpi: int | None = 200) -> dict[str, float | None]:
    out = io.BytesIO()
    resolution = {} if dpi is None else {"dpi": (dpi, dpi)}
    page.convert("1", dither=Image.Dither.NONE).save(
        out, "TIFF", compression="group4", **resolution
    )
    measured = measure_image(out.getvalue(), LIMITS, THRESHOLDS)
    return {one.defect: one.value for one in measured if one.present}


def test_a_good_page_has_no_defect() -> None:
    assert _present(_page()) == {}


def test_half_a_page_is_partial() -> None:
    page = _page()
    page.paste(255, (560, 0, 1200, 550))
    assert _present(page) == {"partial_image": pytest.approx(0.53, abs=0.02)}


def test_a_page_askew() -> None:
    page = _page().rotate(7, fillcolor=255)
    assert _present(page) == {"excessive_skew": pytest.approx(7, abs=0.4)}


def test_too_light_and_too_dark() -> None:
    faint = Image.new("L", (1200, 550), 255)
    draw = ImageDraw.Draw(faint)
    for y in (20, 270, 530):
        draw.rectangle((150, y, 950, y + 1), fill=0)
    assert _present(faint).keys() == {"too_light"}
    assert "too_dark" in _present(Image.eval(_page(), lambda value: 255 - value))


def test_sizes_and_resolution() -> None:
    page = _page()
    assert _present(page.crop((0, 0, 500, 250))).keys() == {"undersize"}
    assert _present(page, 110).keys() == {"oversize", "below_minimum_resolution"}
    assert _present(page, None) == {}


def test_a_streak_from_edge_to_edge() -> None:
    page = _page()
    page.paste(0, (0, 300, 1200, 305))
    assert _present(page) == {"streaks_or_bands": pytest.approx(5 / 550, abs=1e-3)}


def test_limits_are_those_given() -> None:
    out = io.BytesIO()
    _page().convert("1").save(out, "TIFF", compression="group4", dpi=(200, 200))
    strict = UsabilityLimits(ink=(0.5, 0.9), dpi=300.0)
    present = {o.defect for o in measure_image(out.getvalue(), LIMITS, strict) if o.present}
    assert present == {"too_light", "below_minimum_resolution"}


def test_sides_exchanged_and_illegible() -> None:
    assert exchanged(0.01, 0.97).present
    assert not exchanged(0.6, 0.97).present
    assert not exchanged(0.01, 0.2).present
    assert exchanged(0.01, None).value is None
    assert legibility(0.01, THRESHOLDS).present
    assert not legibility(0.9, THRESHOLDS).present
