"""Networks in eight bits: what they are made of, and that they say what those trained say."""

import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import onnx
import pytest
from typer.testing import CliRunner

from service.pipeline import centres, field_map
from service.pipeline.card import EIGHT_BITS, MODEL, SWEPT, load_card
from service.pipeline.reader import ChequeReader
from service.pipeline.recognize import session_of
from training.__main__ import app
from training.export import choice_of, load_exported
from training.quantize import Examples, examples_of, images_in, quantize_model, quantized, trained
from training.tuning import Chain, write_tuned

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "models" / "amounts" / "1"
SAMPLES = ROOT / "samples"


@pytest.fixture(scope="module")
def examples() -> Examples:
    """What the networks see of two pages and of a page taken for a cropped amount."""
    names = ("us-personal-01.png", "uk-02.tif")
    return examples_of(SHIPPED, ((SAMPLES / name).read_bytes() for name in names))


def _said(path: Path, seen: str, one: np.ndarray) -> np.ndarray:
    return np.asarray(session_of(path.parent, path.name).run(None, {seen: one})[0])


@pytest.mark.parametrize("name", [MODEL, SWEPT])
def test_a_shipped_network_in_eight_bits_says_what_was_trained(
    examples: Examples, name: str
) -> None:
    seen, own = ("crops", examples.crops) if name == MODEL else ("strips", examples.strips)
    assert own
    for one in own:
        before, after = (_said(SHIPPED / n, seen, one) for n in (name, EIGHT_BITS[name]))
        likely = before < 1.0
        assert np.abs(after - before)[likely].mean() < 0.1
        assert (before.argmin(-1) == after.argmin(-1)).mean() > 0.95


@pytest.mark.parametrize("module", [centres, field_map])
def test_the_services_own_networks_say_what_was_trained(examples: Examples, module: object) -> None:
    network = module.NETWORK  # type: ignore[attr-defined]
    seen, own = ("lines", examples.lines) if module is centres else ("pages", examples.pages)
    assert own
    for one in own:
        before, after = (_said(path, seen, one) for path in (trained(network), network))
        assert before.shape == after.shape
        assert np.abs(after - before).mean() < 0.05 * max(1.0, np.abs(before).mean())


def test_both_networks_of_a_choice_are_brought_to_eight_bits_and_what_chooses_is_not(
    examples: Examples,
) -> None:
    before = onnx.load(str(SHIPPED / SWEPT))
    after = quantized(onnx.load(str(SHIPPED / SWEPT)), "strips", examples.strips)
    chooses, chose = choice_of(before), choice_of(after)
    assert chooses is not None
    assert chose is not None
    for branch in chose.attribute:
        kinds = [node.op_type for node in branch.g.node if node.op_type.endswith("Conv")]
        assert kinds[0] == kinds[-1] == "Conv"
        assert set(kinds[1:-1]) == {"QLinearConv"}
    assert [n.op_type for n in after.graph.node] == [n.op_type for n in before.graph.node]


def test_weights_keep_to_seven_bits(examples: Examples) -> None:
    done = quantized(onnx.load(str(SHIPPED / MODEL)), "crops", examples.crops)
    held = {one.name: onnx.numpy_helper.to_array(one) for one in done.graph.initializer}
    weights = [held[n.input[3]] for n in done.graph.node if n.op_type == "QLinearConv"]
    assert weights
    for one in weights:
        assert one.dtype == np.int8
        assert np.abs(one.astype(int)).max() <= 64


def test_without_examples_there_are_no_scales() -> None:
    with pytest.raises(ValueError, match="no example of crops"):
        quantized(onnx.load(str(SHIPPED / MODEL)), "crops", [])
    with pytest.raises(ValueError, match="no ink"):
        examples_of(SHIPPED, [b"no image"])


def test_a_folder_s_images_are_those_that_end_as_images_do(tmp_path: Path) -> None:
    for name in ("b.TIF", "a.png", "truth.csv", "c.jpeg"):
        (tmp_path / name).write_bytes(name.encode())
    assert list(images_in(tmp_path)) == [b"a.png", b"b.TIF", b"c.jpeg"]


def test_a_tuned_model_is_not_run_from_another_s_eight_bits(tmp_path: Path) -> None:
    card = load_card(SHIPPED)
    assert card.network(MODEL) == "model.int8.onnx"
    write_tuned(Chain(load_exported(SHIPPED), card), SHIPPED, tmp_path / "amounts" / "9", {})
    tuned = load_card(tmp_path / "amounts" / "9")
    assert tuned.quantized == ()
    assert [tuned.network(name) for name in (MODEL, SWEPT)] == [MODEL, SWEPT]


def test_a_model_is_brought_to_eight_bits_anew(examples: Examples, tmp_path: Path) -> None:
    model = Path(shutil.copytree(SHIPPED, tmp_path / "1"))
    card = json.loads((model / "card.json").read_text())
    del card["quantized"], card["swept"]
    (model / "card.json").write_text(json.dumps(card))
    changed = quantize_model(model, examples)
    assert set(changed) == {MODEL}
    assert 0 < changed[MODEL] < 0.2
    digest = hashlib.sha256((model / EIGHT_BITS[MODEL]).read_bytes()).hexdigest()
    assert load_card(model).quantized == ((EIGHT_BITS[MODEL], digest),)


def test_the_command_chooses_scales_by_a_folder_of_images(tmp_path: Path) -> None:
    model = Path(shutil.copytree(SHIPPED, tmp_path / "1"))
    image = (SAMPLES / "us-personal-01.png").read_bytes()
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "1.png").write_bytes(image)
    given = ["quantize", "--model", str(model), "--images", str(tmp_path / "own")]
    done = CliRunner().invoke(app, given)
    assert done.exit_code == 0, done.output
    assert load_card(model).quantized != load_card(SHIPPED).quantized
    read, before = (ChequeReader(one).read(image).amount_minor for one in (model, SHIPPED))
    assert read == before
    refused = CliRunner().invoke(app, [*given, "--shared"])
    assert refused.exit_code == 2
    assert "--shared takes no images" in refused.output
