"""Adaptation to labelled images, and the runs of global training, on tiny material."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

from service.calibration import load_sample
from service.pipeline.card import load_card
from service.pipeline.image import load_cheque
from service.pipeline.ink import extract_ink
from service.pipeline.reader import ChequeReader
from service.pipeline.sight import Eye
from tests.training.test_global_train import MODEL, RECIPE, sample
from training.__main__ import app
from training.adapt import (
    AdaptPlan,
    adapt,
    amounts_of,
    cut_sample,
    parted,
    what_it_accepts,
)
from training.export import load_exported
from training.global_train import Chain
from training.strings import cut_image
from training.tuning import write_tuned

SAMPLES = Path(__file__).parents[2] / "samples"


def test_digits_leave_open_whether_there_are_cents() -> None:
    assert amounts_of("123456", "digits") == (12345600, 123456)
    assert amounts_of("50", "digits") == (5000,)
    assert amounts_of("123456", "amount_minor") == (123456,)


def test_neighbours_are_in_different_parts_and_every_image_in_one() -> None:
    names = [f"{n:03}" for n in range(101)]
    parts = parted(names, 4)
    assert sorted(name for part in parts for name in part) == names
    assert [np.diff([int(name) for name in part]).tolist() for part in parts] == [
        [4] * 25, [4] * 24, [4] * 24, [4] * 24
    ]  # fmt: skip


def test_an_image_is_cut_as_the_service_cuts_it() -> None:
    image = next(iter(sorted(SAMPLES.glob("*.png"))))
    cut = cut_image(image.read_bytes(), [1], field_only=False)
    eye, page = Eye(MODEL), load_cheque(image.read_bytes())
    seen = eye.look_at_all(page, extract_ink(page.grey), eye.grammar(None, None), 1)
    assert cut is not None
    np.testing.assert_array_equal(cut.graph.crops, seen.sight.graph.crops)


def test_images_without_an_amount_are_left_out(tmp_path: Path) -> None:
    good = next(iter(sorted(SAMPLES.glob("*.png"))))
    (tmp_path / "good.png").write_bytes(good.read_bytes())
    (tmp_path / "void.png").write_bytes(good.read_bytes())
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "truth.csv").write_text(
        "file,amount_minor\ngood.png,100\nvoid.png,\nbroken.png,5\n"
    )
    cut = dict(cut_sample(load_sample(tmp_path), field_only=False))
    assert [name for name, own in cut.items() if own] == ["good.png"]


def test_adaptation_reads_what_is_held_back_better() -> None:
    # The same few graphs in all parts, so that there is something to learn.
    images = {f"{n:02}": (sample(n % 4, 100 * (12 + n % 4)),) for n in range(20)}
    # Random crops are far from being read: nothing is beyond hope here.
    recipe = replace(RECIPE, hopeless=100.0)
    plan = AdaptPlan(MODEL, passes=8, parts=3, workers=1, recipe=recipe)
    seen: list[int] = []
    adapted = adapt(plan, images, [], [], progress=lambda part, *_: seen.append(part))
    assert set(seen) == {0, 1, 2}
    assert adapted.images == 20
    assert adapted.loss_after < adapted.loss_before
    assert len(adapted.kept) == 3
    assert min(adapted.kept) > 0
    whole = adapt(replace(plan, share=1.0), images, [], []).chain
    before = Chain(load_exported(MODEL), load_card(MODEL))
    for own, was, other in zip(
        adapted.chain.parameters(), before.parameters(), whole.parameters(), strict=True
    ):
        assert torch.allclose(own, 0.75 * was + 0.25 * other, atol=1e-4)
    assert not torch.equal(whole.weights.symbol, before.weights.symbol)
    assert "ranks only" in what_it_accepts(adapted, Path("models/amounts/2"))
    with pytest.raises(ValueError, match="too few"):
        adapt(AdaptPlan(MODEL), dict(list(images.items())[:9]), [], [])


def test_a_tuned_chain_is_a_version_that_accepts_nothing_yet(tmp_path: Path) -> None:
    chain = Chain(load_exported(MODEL), load_card(MODEL))
    chain.weights.symbol.data += 0.5
    write_tuned(chain, MODEL, tmp_path / "amounts" / "9", {"note": 1})
    card = load_card(tmp_path / "amounts" / "9")
    assert card.model_version == "amounts/9"
    assert card.symbol_penalty == load_card(MODEL).symbol_penalty + 0.5
    assert card.calibration.tally is None
    image = next(iter(sorted(SAMPLES.glob("*.png"))))
    reading = ChequeReader(tmp_path / "amounts" / "9").read(image.read_bytes())
    assert reading.decision == "reject"
    assert reading.amount_minor is not None


def test_the_command_adapts_to_a_folder(tmp_path: Path) -> None:
    names = sorted(SAMPLES.glob("*.png"))
    truth = ["file,amount_minor"]
    for n in range(12):
        image = names[n % len(names)]
        (tmp_path / f"{n:02}.png").write_bytes(image.read_bytes())
        amount = ChequeReader(MODEL).read(image.read_bytes()).amount_minor
        truth.append(f"{n:02}.png,{amount or ''}")
    (tmp_path / "truth.csv").write_text("\n".join(truth) + "\n")
    to = tmp_path / "models" / "2"
    result = CliRunner().invoke(
        app,
        ["adapt", "--images", str(tmp_path), "--to", str(to), "--synthetic", "0", "--passes", "1",
         "--workers", "1", "--variants", "1"],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "ranks only" in result.output
    training = json.loads((to / "card.json").read_text())["training"]
    assert training["adapted"]["from"] == "amounts/1"
    assert load_card(to).network("swept.onnx") == "swept.int8.onnx"
    again = CliRunner().invoke(app, ["adapt", "--images", str(tmp_path), "--to", str(to)])
    assert again.exit_code == 2
