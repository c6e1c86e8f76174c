"""Whole cheques, with the font inside Pillow standing in for every font of the table."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image, ImageFont, ImageSequence

from training.data.fonts import SOURCES, FontError
from training.synth import cheque as cheque_module
from training.synth.amounts import WrittenAmount
from training.synth.cheque import (
    KINDS,
    _for_kind,
    _negative,
    draw,
    enclosed,
    make_cheque,
    sample_filling,
    split_cents,
    turn_over,
    without_sign,
)
from training.synth.forms import FORMS, sample_form
from training.synth.ink import InkLayer
from training.synth.page import shelf
from training.synth.samples import SAMPLES, render


def forget() -> None:
    shelf.cache_clear()
    cheque_module._printer.cache_clear()


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    face = ImageFont.load_default(40)
    assert isinstance(face, ImageFont.FreeTypeFont)
    folder: Path = tmp_path_factory.mktemp("cache")
    fonts = folder / "fonts"
    fonts.mkdir()
    inside = folder / "inside.ttf"
    inside.write_bytes(face.font_bytes)
    for source in SOURCES:
        for weight in source.weights:
            (fonts / source.file_name(weight)).symlink_to(inside)
    return folder


@pytest.fixture(autouse=True)
def stand_in_fonts(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CHEQUE_TRAINING_CACHE", str(cache))
    forget()
    yield
    forget()


def written(text: str, minor: int = 12345) -> WrittenAmount:
    return WrittenAmount(((text, "line"),), minor, None, text)


def test_same_seed_same_cheque() -> None:
    first, second, other = make_cheque(5), make_cheque(5), make_cheque(6)
    assert np.array_equal(first.image, second.image)
    assert first.text == second.text
    assert np.array_equal(first.character_boxes, second.character_boxes)
    assert first.image.shape != other.image.shape or not np.array_equal(first.image, other.image)


@pytest.mark.parametrize("layout", [name for name in FORMS if name not in ("india", "generic")])
def test_every_layout_gives_a_cheque_with_its_truth(layout: str) -> None:
    made = make_cheque(3, layout=layout, dpi=100.0, way="cut")
    assert made.image.dtype == np.uint8
    assert made.image.shape[:2] == made.owner.shape
    assert made.text
    assert made.amount_minor is not None
    assert made.amount_minor > 0
    assert len(made.character_boxes) == len(made.text.replace(" ", ""))
    assert made.amount_box is not None
    assert made.area_box is not None


def test_parts_of_a_scattered_form_stand_anywhere_and_apart() -> None:
    forms = [sample_form(np.random.default_rng(seed), "scattered") for seed in range(30)]
    middles = []
    for form in forms:
        amount = form.slot("amount")
        assert amount is not None
        middles.append(((amount.x0 + amount.x1) / form.width / 2, amount.y1 / form.height))
        assert 0 < amount.x0 < amount.x1 < form.width
        assert 0 < amount.y0 < amount.y1 < form.height
        for slot in form.slots:
            if slot.name not in ("amount", "cents"):
                beside = slot.x1 <= amount.x0 or slot.x0 >= amount.x1
                assert beside or slot.y1 <= amount.y0 or slot.y0 >= amount.y1, slot
    across, down = np.array(middles).T
    assert across.min() < 0.35 < 0.65 < across.max()
    assert down.min() < 0.4 < 0.6 < down.max()


@pytest.mark.parametrize("way", ["cut", "bed", "photo"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_character_boxes_hold_their_ink(way: str, seed: int) -> None:
    made = make_cheque(seed, layout="us-personal", way=way, dpi=150.0)
    for index, (x0, y0, x1, y1) in enumerate(made.character_boxes):
        assert 0 <= x0 < x1 <= made.owner.shape[1]
        assert 0 <= y0 < y1 <= made.owner.shape[0]
        total = np.count_nonzero(made.owner == index + 1)
        assert np.count_nonzero(made.owner[y0:y1, x0:x1] == index + 1) == total


def test_the_amount_is_darker_than_the_paper_around_it() -> None:
    made = make_cheque(11, layout="us-personal", way="cut", dpi=150.0)
    grey = made.image if made.image.ndim == 2 else made.image.mean(axis=2)
    assert made.amount_box is not None
    x0, y0, x1, y1 = made.amount_box
    ink = grey[made.owner > 0]
    paper = grey[y0:y1, x0:x1][made.owner[y0:y1, x0:x1] == 0]
    assert np.median(ink) < np.median(paper) - 40


def test_a_cheque_turned_over_twice_is_itself() -> None:
    made = make_cheque(4, layout="canada", dpi=100.0)
    twice = turn_over(turn_over(made))
    assert np.array_equal(twice.image, made.image)
    assert twice.amount_box == made.amount_box
    assert np.array_equal(twice.character_boxes, made.character_boxes)
    turned = turn_over(made)
    for index, (x0, y0, x1, y1) in enumerate(turned.character_boxes):
        here = turned.owner == index + 1
        assert np.count_nonzero(here[y0:y1, x0:x1]) == np.count_nonzero(here)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "cheque"])
def test_what_must_not_be_accepted_has_no_positive_amount(kind: str) -> None:
    made = make_cheque(2, kind=kind, layout="us-personal", dpi=100.0)
    assert made.kind == kind
    if kind != "negative":
        assert made.amount_minor is None
    if kind not in ("negative", "struck", "void"):
        assert made.text == ""
        assert made.amount_box is None


def test_a_struck_out_cheque_is_crossed_over_its_amount_or_from_side_to_side() -> None:
    whole = 0
    write = cheque_module._printer("train").machine(np.random.default_rng(0), "$0123456789.,").write
    for seed in range(12):
        rng = np.random.default_rng(seed)
        form = sample_form(rng, "us-personal")
        filling = sample_filling(rng, form)
        struck = _for_kind(np.random.default_rng(seed), filling, "struck", form)
        pages = [
            draw(np.random.default_rng(7), form, one, 80.0, write).page.image.astype(int)
            for one in (replace(filling, struck=""), struck)
        ]
        rows, columns = np.nonzero(np.abs(pages[0] - pages[1]).max(axis=2) > 60)
        share = np.ptp(columns) / pages[0].shape[1]
        if struck.struck == "cheque":
            whole += 1
            assert share > 0.7
            assert np.ptp(rows) > 0.6 * pages[0].shape[0]
        else:
            assert struck.struck == "amount"
            assert 0.02 < share < 0.6
    assert 0 < whole < 12


@pytest.mark.parametrize("layout", ["us-personal", "latin"])
def test_a_negative_amount_shows_it_in_one_of_the_customary_ways(layout: str) -> None:
    ways = {"-": 0, "(": 0, "": 0}
    for seed in range(48):
        made = make_cheque(seed, kind="negative", layout=layout, dpi=60.0, way="cut")
        first = re.sub(r"^[$£€₹RS.]* ?", "", made.text)[0]
        if first in "-(":
            assert made.amount_minor is not None
            assert made.amount_minor < 0
            ways[first] += 1
        else:
            assert made.amount_minor is None
            assert re.search(r"\d(-| CR)$", made.text)
            ways[""] += 1
    assert all(ways.values())


def test_a_minus_before_cents_that_stand_apart_is_not_lost_with_the_sign_of_the_currency() -> None:
    signed = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        form = sample_form(rng, "germany")
        apart = form.slot("cents") is not None
        filling = replace(sample_filling(rng, form), amount=written("€ 123,45"))
        assert filling.amount is not None
        made = _negative(rng, filling, filling.amount, form)
        assert made.amount is not None
        assert any(made.around) or (not apart and re.match("€ [-(]", made.amount.text))
        signed += apart and "-" in made.around[0]
    assert signed > 0


def test_what_encloses_an_amount_stands_on_its_line() -> None:
    fraction = WrittenAmount((("12 ", "line"), ("50", "numerator")), 1250, None, "12 50")
    around = enclosed(fraction, "(", ")")
    assert around.parts == (("(12 ", "line"), ("50)", "numerator"))
    assert enclosed(written("123.45"), "- ", "").text == "- 123.45"


def test_a_cheque_in_fonts_needs_no_writer_but_takes_one() -> None:
    asked: list[str] = []

    def refuse(rng: np.random.Generator, amount: WrittenAmount, height: float) -> InkLayer:
        asked.append(amount.text)
        raise LookupError(f"{height:.0f} {rng.random()}")

    with pytest.raises(LookupError):
        make_cheque(2, layout="uk", dpi=100.0, hand=refuse)
    assert len(asked) == 1


def test_unknown_names_are_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        make_cheque(0, kind="poem")
    with pytest.raises(KeyError):
        make_cheque(0, layout="atlantis")
    with pytest.raises(ValueError, match="way"):
        make_cheque(0, layout="uk", way="fax")


def test_missing_fonts_are_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHEQUE_TRAINING_CACHE", str(tmp_path))
    forget()
    with pytest.raises(FontError):
        make_cheque(0)


def test_signs_that_the_form_prints_are_left_out() -> None:
    assert without_sign(written("$ 1,234.56")).text == "1,234.56"
    assert without_sign(written("RS. 500/-")).text == "500/-"
    assert without_sign(written("1 234,56 €")).text == "1 234,56"
    assert without_sign(written("**$12.00**")).text == "**12.00**"


@pytest.mark.parametrize(
    ("text", "units"),
    [("**1,234.56**", "1,234"), ("$120-50", "120"), ("1.234,56", "1.234"), ("7500/-", "7500")],
)
def test_cents_apart_are_two_digits(text: str, units: str) -> None:
    head, cents = split_cents(written(text, 7506))
    assert (head.text, cents.text) == (units, "06")


def test_forms_keep_their_parts_on_the_paper() -> None:
    rng = np.random.default_rng(8)
    for _ in range(150):
        form = sample_form(rng)
        assert form.slot("amount") is not None
        for slot in form.slots:
            assert slot.x0 < slot.x1, (form.name, slot)
            assert slot.x0 > -3.0, (form.name, slot)
            assert slot.x1 < form.width + 3.0, (form.name, slot)
            assert slot.y1 < form.height, (form.name, slot)


def test_layouts_differ_from_seed_to_seed() -> None:
    places = set()
    for seed in range(12):
        form = FORMS["us-personal"][0](np.random.default_rng(seed))
        slot = form.slot("amount")
        assert slot is not None
        places.add((round(slot.x0, 1), round(slot.y0, 1), len(form.items)))
    assert len(places) == 12


def test_samples_are_complete_small_and_the_same_each_time(tmp_path: Path) -> None:
    chosen = [sample for sample in SAMPLES if sample.file in CHOSEN]
    render(tmp_path / "a", tuple(chosen))
    render(tmp_path / "b", tuple(chosen))
    for sample in chosen:
        first = (tmp_path / "a" / sample.file).read_bytes()
        assert first == (tmp_path / "b" / sample.file).read_bytes()
        assert len(first) < 250_000
    with Image.open(tmp_path / "a" / "us-front-and-back-01.tif") as pages:
        assert sum(1 for _ in ImageSequence.Iterator(pages)) == 2
        assert pages.mode == "1"
    lines = (tmp_path / "a" / "truth.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "file,amount_minor,currency,description"
    assert any(line.startswith("us-blank-01.jpg,,") for line in lines)


CHOSEN = ("us-personal-01.png", "us-front-and-back-01.tif", "us-photo-01.jpg", "us-blank-01.jpg")


def test_committed_samples_match_their_truth() -> None:
    folder = Path(__file__).parents[3] / "samples"
    listed = (folder / "truth.csv").read_text(encoding="utf-8").splitlines()[1:]
    assert [line.split(",")[0] for line in listed] == [sample.file for sample in SAMPLES]
    assert len(listed) >= 16
    sizes = [(folder / sample.file).stat().st_size for sample in SAMPLES]
    assert max(sizes) <= 250_000
    assert sum(sizes) <= 2_500_000
    for sample in SAMPLES:
        with Image.open(folder / sample.file) as image:
            image.load()
        if sample.file.endswith(".jpg"):
            assert cv2.imread(str(folder / sample.file)) is not None
