"""The swept network: its loss against enumeration, its training, export and adaptation."""

import copy
import json
import shutil
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torch.nn import functional

from service.errors import ModelError
from service.pipeline.grammar import grammar_for
from service.pipeline.swept import SweptNetwork, constraint
from training.dataset import LABELS
from training.descent import folded, mean_network
from training.export import export_swept, load_swept
from training.strips import SYMBOLS, Strip, load_strips, pack, symbols_of
from training.swept import (
    NOTHING,
    StripDistortion,
    SweptNet,
    SweptProgress,
    SweptRecipe,
    bounded,
    collated,
    distort,
    divergence,
    forward_penalty,
    run_swept,
    said,
    train_swept,
)
from training.swept_adapt import AmountStrip, SweptAdaptation, _Spelled, _spelled, adapt_swept

MODEL = Path(__file__).parents[2] / "models" / "amounts" / "1"
SMALL = (4, 8, 8, 8, 16)


def _outputs(*shape: int, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    raw = torch.randn(*shape, NOTHING + 1, generator=generator, dtype=torch.float64)
    return torch.log_softmax(raw, dim=-1)


def test_the_loss_sums_over_all_ways_to_say_a_text() -> None:
    outputs = _outputs(3, 6)
    symbols, lengths = torch.tensor([[1, 1, 2], [3, 0, 0], [0, 0, 0]]), torch.tensor([3, 1, 0])
    for row, loss in enumerate(forward_penalty(outputs, symbols, lengths).tolist()):
        text = symbols[row, : int(lengths[row])].tolist()
        total = 0.0
        for places in combinations(range(6), len(text)):
            told = dict(zip(places, text, strict=True))
            total += float(
                torch.exp(sum(outputs[row, t, told.get(t, NOTHING)] for t in range(6)))  # type: ignore[arg-type]
            )
        assert loss == pytest.approx(-np.log(total), abs=1e-9)


def test_the_loss_has_the_gradient_of_its_differences() -> None:
    raw = torch.randn(2, 5, NOTHING + 1, dtype=torch.float64, requires_grad=True)
    symbols, lengths = torch.tensor([[1, 2], [3, 0]]), torch.tensor([2, 1])

    def loss(x: torch.Tensor) -> torch.Tensor:
        return forward_penalty(torch.log_softmax(x, dim=2), symbols, lengths)

    assert torch.autograd.gradcheck(loss, (raw,))


def test_a_text_longer_than_its_strip_cannot_be_said() -> None:
    loss = forward_penalty(_outputs(1, 2), torch.tensor([[1, 2, 3]]), torch.tensor([3]))
    assert float(loss) > 1e20


def test_bounded_losses_keep_their_order_and_pull_less() -> None:
    losses = torch.tensor([1.0, 11.9, 12.1, 100.0], requires_grad=True)
    bound = bounded(losses, 12.0)
    assert bound[:2].tolist() == pytest.approx([1.0, 11.9])
    assert (bound.diff() > 0).all()
    bound.sum().backward()  # type: ignore[no-untyped-call]
    assert losses.grad is not None
    assert losses.grad.tolist() == pytest.approx([1.0, 1.0, 12 / 12.1, 0.12])


def _strips(count: int) -> list[Strip]:
    """Bars for 1 and blocks for 0."""
    rng = np.random.default_rng(0)
    made = []
    for _ in range(count):
        text = "".join(rng.choice(list("10"), size=rng.integers(1, 5)))
        ink = np.zeros((36, 16 * len(text) + 8), np.uint8)
        for n, symbol in enumerate(text):
            x = 8 + 16 * n
            ink[8:28, x : x + (2 if symbol == "1" else 10)] = 255
        made.append(Strip(np.stack([ink, ink // 2]), symbols_of(text)))
    return made


_STILL = StripDistortion(
    shear=0, turn=0, stretch=0, size=0, shift=0, bend=0, wander=(0, 0), thick=0, contrast=0,
    found=0, noise=0,
)  # fmt: skip


def test_distorted_strips_keep_their_shape_and_ink() -> None:
    layers, _, _ = collated(_strips(16))
    layers = functional.pad(layers, (16, 16))  # strips have air at their ends
    how = StripDistortion(noise=0.0)
    changed = distort(layers, how, torch.Generator().manual_seed(0))
    assert changed.shape == layers.shape
    assert changed.dtype == torch.uint8
    assert not torch.equal(changed, layers)
    share = changed.float().sum((2, 3)) / layers.float().sum((2, 3))
    assert float(share.min()) > 0.4
    assert float(share.max()) < 3.0
    assert torch.equal(distort(layers, _STILL, torch.Generator()), layers)


def test_ink_is_found_anew_in_the_darkness() -> None:
    layers, _, _ = collated(_strips(16))
    layers[:, 0] = 0
    anew = replace(_STILL, found=1.0)
    ink, darkness = distort(layers, anew, torch.Generator().manual_seed(0)).unbind(1)
    assert torch.equal(darkness, layers[:, 1])
    assert not ink[darkness == 0].any()
    assert (ink[darkness > 100] > 0).float().mean() > 0.9


def test_characters_that_wander_differ_in_height() -> None:
    bars, _, _ = collated([Strip(one.layers, symbols_of("1")) for one in _strips(16)])
    moved = distort(bars, replace(_STILL, wander=(0.0, 8.0)), torch.Generator().manual_seed(0))
    heights = (moved[:, 0] > 127).sum(1)
    assert set((bars[:, 0] > 127).sum(1).ravel().tolist()) == {0, 20}
    tallest = heights.amax(1)
    assert int(tallest.max()) > 21
    assert int(tallest.min()) < 20


def test_noise_is_in_the_darkness_alone() -> None:
    layers, _, _ = collated(_strips(16))
    noisy = replace(_STILL, noise=0.2)
    ink, darkness = distort(layers, noisy, torch.Generator().manual_seed(0)).unbind(1)
    assert torch.equal(ink, layers[:, 0])
    assert not torch.equal(darkness, layers[:, 1])


def test_training_learns_to_say_strips_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    strips = _strips(200)
    recipe = SweptRecipe(strips=6400, batch=16, every=50, average=0.9, distortion=_MILD)
    told: list[SweptProgress] = []
    torch.manual_seed(0)
    network = train_swept(
        SweptNet(SMALL), [(strips, 1.0)], recipe,
        checkpoint=tmp_path / "checkpoint.pt", progress=lambda now, _: told.append(now),
    )  # fmt: skip
    assert told[-1].loss < told[0].loss / 3
    texts = ["".join(SYMBOLS[n] for n in one.symbols) for one in strips]
    assert np.mean([a == b for a, b in zip(said(network, strips), texts, strict=True)]) > 0.7
    again: list[SweptProgress] = []
    train_swept(
        SweptNet(SMALL), [(strips, 1.0)], replace(recipe, strips=7200),
        checkpoint=tmp_path / "checkpoint.pt", progress=lambda now, _: again.append(now),
    )  # fmt: skip
    assert [one.strips for one in again] == [7200]


def test_what_is_kept_is_said_as_before() -> None:
    strips = _strips(200)
    bars = [one for one in strips if one.symbols.tolist() == symbols_of("1").tolist()]
    others = [Strip(one.layers, symbols_of("7")) for one in bars]
    recipe = SweptRecipe(
        strips=3200, batch=16, every=1000, average=0.9, distortion=_MILD, kept_distortion=_MILD
    )
    torch.manual_seed(0)
    begun = train_swept(SweptNet(SMALL), [(strips, 1.0)], replace(recipe, strips=6400))
    blocks = [one for one in strips if one.symbols.tolist() == symbols_of("00").tolist()]
    assert set(said(begun, blocks)) == {"00"}
    lost = train_swept(copy.deepcopy(begun), [(others, 1.0)], recipe)
    kept = train_swept(
        copy.deepcopy(begun), [(others, 1.0)], recipe, kept=[(blocks, 1.0)], before=begun.eval()
    )
    for taught in (lost, kept):
        assert set(said(taught, bars)) == {"7"}
    assert set(said(kept, blocks)) == {"00"}
    layers, _, _ = collated(blocks)
    with torch.no_grad():
        far, near = (
            divergence(begun.eval()(layers), one.eval()(layers)).mean() for one in (lost, kept)
        )
        assert float(divergence(begun(layers), begun(layers)).abs().max()) == 0.0
    assert float(near) < float(far) / 4


def test_a_run_that_keeps_hands_wants_both_kinds(tmp_path: Path) -> None:
    recipe = SweptRecipe(strips=64, batch=32, every=2)
    begin, folder = SweptNet(SMALL).eval(), tmp_path / "train"
    folder.mkdir()
    told: list[SweptProgress] = []

    def run() -> SweptNet:
        return run_swept(tmp_path, recipe, lambda now, _: told.append(now), begin, begin)

    with pytest.raises(ValueError, match="print or typed"):
        run()
    pack(_strips(40), folder / "typed-0000.npz")
    with pytest.raises(ValueError, match="hands or strings or cheques"):
        run()
    pack(_strips(40), folder / "hands-0000.npz")
    run()
    assert told[-1].strips == 64
    assert json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])["strips"] == 64


def test_a_run_may_learn_print_alone(tmp_path: Path) -> None:
    recipe = SweptRecipe(strips=64, batch=32, every=2)
    begin, folder = SweptNet(SMALL).eval(), tmp_path / "train"
    folder.mkdir()
    pack(_strips(40), folder / "hands-0000.npz")

    def run() -> SweptNet:
        return run_swept(tmp_path, recipe, lambda *_: None, begin, print_alone=True)

    with pytest.raises(ValueError, match="print or typed"):
        run()
    pack(_strips(40), folder / "print-0000.npz")
    learned = run()
    assert any(
        not torch.equal(a, b)
        for a, b in zip(learned.parameters(), folded(begin).parameters(), strict=True)
    )


def test_blurred_strips_spread_their_ink_and_stay_as_dark() -> None:
    layers, _, _ = collated(_strips(16))
    layers = functional.pad(layers, (16, 16))
    hazy = replace(_STILL, blurred=(1.0, 2.0))
    ink, darkness = distort(layers, hazy, torch.Generator().manual_seed(0)).unbind(1)
    before = layers[:, 1]
    assert torch.equal(darkness.amax((1, 2)), before.amax((1, 2)))
    assert ((darkness > 0).sum((1, 2)) >= (before > 0).sum((1, 2))).all()
    assert float((darkness > 0).sum()) > 1.3 * float((before > 0).sum())
    assert not ink[darkness == 0].any()


_MILD = replace(_STILL, shear=0.05, turn=0.5, stretch=0.05, size=0.05, shift=0.5, bend=0.2)


def test_a_mean_is_of_all_weights() -> None:
    torch.manual_seed(0)
    one, other = SweptNet(SMALL), SweptNet(SMALL)
    mean = mean_network([one, other])
    for name, own in mean.state_dict().items():
        both = one.state_dict()[name], other.state_dict()[name]
        if own.is_floating_point():
            assert torch.allclose(own, (both[0] + both[1]) / 2)
    assert torch.equal(mean_network([one]).rows[0].weight, one.rows[0].weight)  # type: ignore[arg-type]
    near = mean_network([one, other], [0.75, 0.25])
    for whole, first, second in zip(*(n.parameters() for n in (near, one, other)), strict=True):
        assert torch.allclose(whole, 0.75 * first + 0.25 * second)


def test_a_network_trains_on_without_norms_as_the_same(tmp_path: Path) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    torch.manual_seed(0)
    strips = _strips(64)
    layers, _, _ = collated(strips)
    recipe = SweptRecipe(strips=3200, batch=16, every=1000, average=0.9, distortion=_MILD)
    trained = train_swept(SweptNet(SMALL), [(strips, 1.0)], recipe).eval()
    expected = trained(layers).detach()
    bare = folded(trained)
    assert not any(isinstance(one, nn.BatchNorm2d) for one in bare.modules())
    assert torch.allclose(bare(layers), expected, atol=1e-3)
    for one in bare.modules():
        if isinstance(one, nn.Dropout):
            one.p = 0.0
    assert torch.allclose(bare.train()(layers[:8]), expected[:8], atol=1e-3)
    export_swept(bare, tmp_path / "model")
    assert torch.allclose(load_swept(tmp_path / "model")(layers), expected, atol=1e-3)
    again = train_swept(bare, [(strips, 1.0)], replace(recipe, strips=320))
    assert all(one.requires_grad for one in again.parameters())
    with torch.no_grad():
        assert float(forward_penalty(again(layers), *collated(strips)[1:]).mean()) < 1.0


def test_strips_come_back_from_their_file(tmp_path: Path) -> None:
    strips = [*_strips(5), Strip(np.zeros((2, 36, 12), np.uint8), symbols_of(""))]
    pack(strips, tmp_path / "fields-0000.npz")
    back = load_strips(tmp_path, "fields")
    assert len(back) == 6
    for one, other in zip(strips, back, strict=True):
        assert (one.layers == other.layers).all()
        assert (one.symbols == other.symbols).all()


def test_an_exported_network_says_the_same_and_can_be_trained_on(tmp_path: Path) -> None:
    shutil.copytree(MODEL, tmp_path / "model")
    torch.manual_seed(1)
    network = SweptNet(SMALL).train()
    network(torch.randint(0, 256, (8, 2, 36, 64), dtype=torch.uint8))
    network.eval()
    assert export_swept(network, tmp_path / "model") < 1e-4
    strip = np.random.default_rng(0).integers(0, 256, (2, 36, 61)).astype(np.uint8)
    padded = torch.from_numpy(np.pad(strip, ((0, 0), (0, 0), (0, 3))))[None]
    outputs = SweptNetwork(tmp_path / "model").outputs(strip)
    with torch.no_grad():
        expected = -network(padded)[0].numpy()
        again = -load_swept(tmp_path / "model")(padded)[0].numpy()
    assert outputs == pytest.approx(expected, abs=1e-4)
    assert again == pytest.approx(expected, abs=1e-4)


def test_a_network_for_strips_of_another_version_is_refused(tmp_path: Path) -> None:
    kind = onnx.TensorProto.UINT8
    ends = [
        onnx.helper.make_tensor_value_info(name, kind, ["strips", 36, "width"])
        for name in ("strips", "penalties")
    ]
    node = onnx.helper.make_node("Identity", ["strips"], ["penalties"])
    graph = onnx.helper.make_graph([node], "swept", ends[:1], ends[1:])
    opset = onnx.helper.make_opsetid("", 18)
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=[opset], ir_version=9), tmp_path / "swept.onnx"
    )
    with pytest.raises(ModelError, match="another version"):
        SweptNetwork(tmp_path)


def test_the_penalty_of_amounts_has_the_gradient_of_its_differences() -> None:
    grammar = constraint(grammar_for(None, None, LABELS))
    penalties = -_outputs(9).numpy()
    value, slope = _spelled(penalties, (1234, 123400), grammar)
    step = 1e-5
    rng = np.random.default_rng(0)
    for _ in range(40):
        t, k = int(rng.integers(9)), int(rng.integers(NOTHING + 1))
        sides = []
        for sign in (step, -step):
            moved = penalties.copy()
            moved[t, k] += sign
            sides.append(_spelled(moved, (1234, 123400), grammar)[0])
        assert (sides[0] - sides[1]) / (2 * step) == pytest.approx(slope[t, k], abs=1e-6)
    tensor = torch.from_numpy(-penalties)[None].float().requires_grad_()
    found = _Spelled.apply(tensor, [9], [(1234, 123400)], grammar)  # type: ignore[no-untyped-call]
    found.sum().backward()
    assert found.tolist() == pytest.approx([value], abs=1e-4)
    assert tensor.grad is not None
    assert tensor.grad[0].numpy() == pytest.approx(-slope, abs=1e-4)


def test_adaptation_learns_amounts_without_their_symbols() -> None:
    torch.manual_seed(0)
    network = SweptNet(SMALL)
    known = _strips(100)
    recipe = SweptRecipe(strips=6400, batch=16, every=1000, average=0.9, distortion=_MILD)
    network = train_swept(network, [(known, 1.0)], recipe)
    # A seven never seen before: its amount alone says what it is.
    ink = np.zeros((36, 40), np.uint8)
    ink[8:28, 8:10] = ink[8:10, 24:34] = ink[8:28, 32:34] = 255
    layers = np.stack([ink, ink // 2])
    images = [[[AmountStrip(layers, (1700,))]]] * 20
    told: list[float] = []
    how = SweptAdaptation(passes=60, batch=16, rate=3e-3, average=0.9, hopeless=50.0)
    adapted = adapt_swept(
        network, images, known, LABELS, how, progress=lambda _, loss: told.append(loss)
    )
    assert told[-1] < told[0] / 2
    assert said(adapted, [Strip(layers, symbols_of("17"))]) == ["17"]
