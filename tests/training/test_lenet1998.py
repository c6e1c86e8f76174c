"""The networks of 1998: topology in numbers, codes, criterion, gradients, export."""

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime as ort
import pytest
import torch
from torch import nn

from training.codes import code_of
from training.dataset import LABELS
from training.export import export
from training.lenet1998 import (
    EuclideanRbf,
    LeNet1,
    LeNet4,
    LeNet5,
    PartialConvolution,
    Subsampling,
    squash,
)

NETWORKS = [LeNet1, LeNet4, LeNet5]


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)


def parameters(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def test_lenet5_has_the_parameters_of_the_paper() -> None:
    network = LeNet5()
    counted = [parameters(layer) for layer in network.children()]
    assert counted == [156, 12, 1516, 32, 48_120, 10_164, 0]
    assert parameters(network) == 60_000


def test_lenet1_has_the_parameters_of_its_paper() -> None:
    assert parameters(LeNet1()) == 2578


def test_lenet4_has_the_connections_of_the_paper() -> None:
    network = LeNet4()
    connections = (
        28 * 28 * parameters(network.c1)
        + 14 * 14 * 8 * 5
        + 10 * 10 * parameters(network.c3)
        + 5 * 5 * 16 * 5
        + parameters(network.c5)
        + parameters(network.output)
    )
    assert round(connections, -4) == 260_000


@pytest.mark.parametrize("make", NETWORKS)
def test_outputs_are_log_probabilities(make: Callable[[], nn.Module]) -> None:
    crops = torch.randint(0, 256, (5, 32, 32), dtype=torch.uint8)
    got = make()(crops)
    assert got.shape == (5, 11 if make is LeNet5 else 10)
    assert got.dtype == torch.float32
    assert torch.allclose(got.exp().sum(dim=1), torch.ones(5), atol=1e-5)


def test_every_symbol_of_the_alphabet_has_a_code_of_its_own() -> None:
    codes = np.stack([code_of(symbol) for symbol in LABELS[:-1]])
    assert codes.shape == (len(LABELS) - 1, 84)
    assert set(np.unique(codes).tolist()) == {-1.0, 1.0}
    nearest = min(int((a != b).sum()) for a, b in itertools.combinations(codes, 2))
    assert nearest >= 4


def test_look_alikes_have_near_codes() -> None:
    def apart(a: str, b: str) -> int:
        return int((code_of(a) != code_of(b)).sum())

    for pair, other in (("0O", "1"), ("8", "3"), (".,", "8"), ("()", "8"), ("5S", "7")):
        a, b = (pair[0], pair[-1]) if len(pair) == 2 else (pair, other)
        assert apart(a, b) < apart(a, "%")


def test_rbf_gives_squared_distances_and_the_constant_of_rubbish() -> None:
    output = EuclideanRbf("07", 2.5)
    x = torch.from_numpy(code_of("0"))[None]
    got = output(x)[0].tolist()
    assert got == [0.0, 4.0 * float((code_of("0") != code_of("7")).sum()), 2.5]


def test_cross_entropy_is_the_maximum_a_posteriori_criterion() -> None:
    network = LeNet5("012", rubbish=3.0)
    crops = torch.randint(0, 256, (4, 32, 32), dtype=torch.uint8)
    seen: list[torch.Tensor] = []
    network.output.register_forward_hook(lambda _m, _i, out: seen.append(out))
    target = torch.tensor([0, 1, 2, 1])
    loss = nn.functional.nll_loss(network(crops), target, reduction="sum")
    y = seen[0].double()[:, :3]
    right = y[torch.arange(4), target]
    expected = right + torch.log(np.exp(-3.0) + torch.exp(-y).sum(dim=1))
    assert loss.item() == pytest.approx(expected.sum().item(), rel=1e-5)


def test_squashing_keeps_plus_and_minus_one() -> None:
    x = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)
    assert torch.allclose(squash(x), x, atol=1e-4)


def test_partial_convolution_sees_only_what_the_table_lists() -> None:
    layer = PartialConvolution(((0,), (1, 2)), 3)
    x = torch.randn(1, 3, 7, 7)
    changed = x.clone()
    changed[:, 0] += 1.0
    before, after = layer(x), layer(changed)
    assert not torch.allclose(before[:, 0], after[:, 0])
    assert torch.equal(before[:, 1], after[:, 1])


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (lambda: Subsampling(2), (2, 2, 4, 4)),
        (lambda: PartialConvolution(((0, 1), (1,)), 2), (1, 2, 6, 6)),
        (lambda: EuclideanRbf("0123", 1.0), (2, 84)),
    ],
)
def test_gradients_against_differences(
    layer: Callable[[], nn.Module], shape: tuple[int, ...]
) -> None:
    module = layer().double()
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    names = [name for name, _ in module.named_parameters()]

    def called(value: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        given = dict(zip(names, values, strict=True))
        result = torch.func.functional_call(module, given, (value,))
        assert isinstance(result, torch.Tensor)
        return result

    assert torch.autograd.gradcheck(called, (x, *module.parameters()))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_lenet5_exports_with_parity(tmp_path: Path) -> None:
    network = LeNet5("".join(LABELS[:-1])).eval()
    difference = export(network, {"labels": list(network.labels)}, tmp_path)
    assert difference <= 1e-4
    session = ort.InferenceSession(str(tmp_path / "model.onnx"))
    crops = np.random.default_rng(0).integers(0, 256, (3, 32, 32)).astype(np.uint8)
    (penalties,) = session.run(None, {"crops": crops})
    assert np.asarray(penalties).shape == (3, len(LABELS))
    assert (np.asarray(penalties) >= -1e-4).all()
