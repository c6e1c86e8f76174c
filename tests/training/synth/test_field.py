from pathlib import Path

import cv2
import numpy as np
import pytest

from training.data.fonts import Font
from training.synth.field import FieldMaker, write_sheet
from training.synth.printed import Printer


@pytest.fixture(scope="module")
def maker(font: Font) -> FieldMaker:
    printer = Printer([font])
    return FieldMaker(hand=printer, printer=printer, hand_share=0.5)


def test_a_seed_gives_one_field_whatever_was_made_before(maker: FieldMaker) -> None:
    first = maker.make(7)
    maker.make(8)
    again = maker.make(7)
    assert np.array_equal(first.image, again.image)
    assert np.array_equal(first.owner, again.owner)
    assert first.text == again.text


def test_every_truth_box_holds_its_character_s_ink(maker: FieldMaker) -> None:
    for seed in range(80):
        field = maker.make(seed)
        boxes = field.boxes()
        assert boxes.shape == (len(field.text), 4)
        paper = float(np.median(field.image[field.owner == 0]))
        darker = 0
        for index, (x0, y0, x1, y1) in enumerate(boxes):
            own = field.owner == index + 1
            assert own.any()
            assert own.sum() == own[y0:y1, x0:x1].sum()
            darker += bool(field.image[own].min() < paper)
        assert darker >= 0.9 * len(field.text)


def test_fields_look_like_tight_crops(maker: FieldMaker) -> None:
    shapes = np.array([maker.make(seed).image.shape for seed in range(80)])
    assert 40 < np.median(shapes[:, 0]) < 80
    assert 90 < np.median(shapes[:, 1]) < 280
    assert shapes.min() >= 14


def test_amounts_and_texts_agree(maker: FieldMaker) -> None:
    for seed in range(60):
        field = maker.make(seed)
        digits = "".join(c for c in field.text.split("/")[0] if c.isdigit())
        assert str(field.amount_minor)[0] in digits
        assert " " not in field.text
        assert field.amount_minor > 0


def test_both_writers_and_bitonal_images_occur(maker: FieldMaker) -> None:
    fields = [maker.make(seed) for seed in range(80)]
    assert 20 < sum(field.hand for field in fields) < 60
    bitonal = sum(set(np.unique(field.image)) <= {0, 255} for field in fields)
    assert 2 <= bitonal <= 30


def test_a_sheet_shows_the_fields(maker: FieldMaker, tmp_path: Path) -> None:
    write_sheet(tmp_path / "sheet.png", maker, columns=2, rows=2)
    sheet = cv2.imread(str(tmp_path / "sheet.png"), cv2.IMREAD_GRAYSCALE)
    assert sheet is not None
    assert sheet.shape == (200, 600)
    assert sheet.min() < 120
