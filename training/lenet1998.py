"""The networks of 1998 that the production recognizer is compared with (section II and III-C).

All take crops u8 [N, 32, 32], ink 255 on 0, and give log probabilities f32 [N, K]; the last of
LeNet-5's K labels is rubbish. Tests hold their numbers of parameters to those in print.
"""

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from service.pipeline.card import RUBBISH
from training.codes import code_of
from training.lenet import INK, PAPER

Layer = TypeVar("Layer", nn.Conv2d, nn.Linear)

RUBBISH_PENALTY = 1.0
"""The constant j of the maximum a posteriori criterion: the penalty of "none of these"."""

# C3 map <- S2 maps, the paper's table I.
_LENET5_TABLE = (
    (0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5),
    (0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5),
    (0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5), (0, 1, 2, 3, 4, 5),
)  # fmt: skip
# H3 map <- H2 maps of LeNet-1: two independent halves, 20 connections in all.
_LENET1_TABLE = (
    (0,), (0, 1), (0, 1), (1,), (0, 1), (0, 1),
    (2,), (2, 3), (2, 3), (3,), (2, 3), (2, 3),
)  # fmt: skip
# LeNet-4's table is not in print; three maps each give the 260,000 connections that are.
_LENET4_TABLE = tuple(
    tuple(sorted((m + step) % 8 for step in steps)) for steps in ((0, 1, 2), (0, 2, 5))
    for m in range(8)
)  # fmt: skip


class LeNet5(nn.Module):
    """LeNet-5 with trainable subsampling, the partial table and Euclidean RBF outputs.

    symbols: the K - 1 characters, each with a fixed 7x12 code (training.codes); rubbish comes last.
    The cross entropy of the output is the maximum a posteriori criterion, equation 9.
    """

    def __init__(self, symbols: str = "0123456789", rubbish: float = RUBBISH_PENALTY) -> None:
        super().__init__()
        self.labels = (*symbols, RUBBISH)
        self.c1 = _spread(nn.Conv2d(1, 6, 5))
        self.s2 = Subsampling(6)
        self.c3 = PartialConvolution(_LENET5_TABLE, 6)
        self.s4 = Subsampling(16)
        self.c5 = _spread(nn.Conv2d(16, 120, 5))
        self.f6 = _spread(nn.Linear(120, 84))
        self.output = EuclideanRbf(symbols, rubbish)

    def forward(self, crops: Tensor) -> Tensor:
        x = self.s2(squash(self.c1(scaled(crops))))
        x = self.s4(squash(self.c3(x)))
        x = squash(self.c5(x)).flatten(1)
        return torch.log_softmax(-self.output(squash(self.f6(x)).float()), dim=1)


class LeNet4(nn.Module):
    """LeNet-4: 4 C1 maps, each subsampled twice over, 16 C3 maps, 120 units, 10 outputs.

    Connections: 260,000, as in print. The paper's 17,000 free parameters cannot be: its last hidden
    layer alone, 120 units on 16 maps of 5x5, holds 48,120.
    """

    def __init__(self, labels: int = 10) -> None:
        super().__init__()
        self.c1 = _spread(nn.Conv2d(1, 4, 5))
        self.s2 = Subsampling(8)
        self.c3 = PartialConvolution(_LENET4_TABLE, 8)
        self.s4 = Subsampling(16)
        self.c5 = _spread(nn.Conv2d(16, 120, 5))
        self.output = _spread(nn.Linear(120, labels))

    def forward(self, crops: Tensor) -> Tensor:
        x = squash(self.c1(scaled(crops))).repeat_interleave(2, dim=1)
        x = self.s4(squash(self.c3(self.s2(x))))
        x = squash(self.c5(x)).flatten(1)
        return torch.log_softmax(self.output(x).float(), dim=1)


class LeNet1(nn.Module):
    """LeNet-1 of 1990: characters of 16x16 within 28x28, 2,578 parameters for ten outputs."""

    def __init__(self, labels: int = 10) -> None:
        super().__init__()
        self.h1 = _spread(nn.Conv2d(1, 4, 5))
        self.h2 = Subsampling(4)
        self.h3 = PartialConvolution(_LENET1_TABLE, 4)
        self.h4 = Subsampling(12)
        self.output = _spread(nn.Linear(12 * 4 * 4, labels))

    def forward(self, crops: Tensor) -> Tensor:
        # 32 px shrunk to 26: characters of 20 px become 16.25 px tall.
        small = functional.interpolate(
            scaled(crops), (26, 26), mode="bilinear", align_corners=False, antialias=False
        )
        x = functional.pad(small, (1, 1, 1, 1), value=PAPER)
        x = self.h2(squash(self.h1(x)))
        x = self.h4(squash(self.h3(x))).flatten(1)
        return torch.log_softmax(self.output(x).float(), dim=1)


class Subsampling(nn.Module):
    """Sum of each 2x2 square times a gain plus a bias, one of each a map, squashed (S2, S4)."""

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.gain = nn.Parameter(torch.full((maps, 1, 1), 0.25))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return squash(functional.avg_pool2d(x, 2) * (4 * self.gain) + self.bias)


class PartialConvolution(nn.Module):
    """5x5 convolution in which each map sees only the maps that the table lists (C3)."""

    sources: Tensor
    targets: Tensor

    def __init__(self, table: tuple[tuple[int, ...], ...], inputs: int) -> None:
        super().__init__()
        pairs = [(target, source) for target, seen in enumerate(table) for source in seen]
        self.shape = (len(table), inputs, 5, 5)
        spread = torch.tensor([math.sqrt(3 / (25 * len(table[target]))) for target, _ in pairs])
        self.weight = nn.Parameter((torch.rand(len(pairs), 5, 5) * 2 - 1) * spread[:, None, None])
        self.bias = nn.Parameter(torch.zeros(len(table)))
        self.register_buffer("targets", torch.tensor([t for t, _ in pairs]), persistent=False)
        self.register_buffer("sources", torch.tensor([s for _, s in pairs]), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = self.weight.new_zeros(self.shape)
        weight = weight.index_put((self.targets, self.sources), self.weight)
        return functional.conv2d(x, weight, self.bias)


class EuclideanRbf(nn.Module):
    """Squared distance of f32 [N, 84] to each symbol's code; rubbish's constant last; [N, K]."""

    codes: Tensor

    def __init__(self, symbols: str, rubbish: float) -> None:
        super().__init__()
        codes = torch.stack([torch.from_numpy(code_of(symbol)) for symbol in symbols])
        self.register_buffer("codes", codes, persistent=False)
        self.rubbish = rubbish

    def forward(self, x: Tensor) -> Tensor:
        distance = (x[:, None, :] - self.codes.to(x.dtype)).square().sum(dim=2)
        return functional.pad(distance, (0, 1), value=self.rubbish)


def squash(x: Tensor) -> Tensor:
    """1.7159 tanh(2a/3), which takes 1 to 1 and -1 to -1 (appendix A)."""
    return 1.7159 * torch.tanh(x * (2 / 3))


def scaled(crops: Tensor) -> Tensor:
    """Crops u8 [N, 32, 32] -> f32 [N, 1, 32, 32], paper -0.1 and ink 1.175 (section II-B)."""
    return crops.float().unsqueeze(1) * (INK / 255.0) + PAPER


def _spread(layer: Layer) -> Layer:
    """Weights of variance 1 / fan-in, so that squashed activities neither fade nor saturate."""
    bound = math.sqrt(3 / layer.weight[0].numel())
    nn.init.uniform_(layer.weight, -bound, bound)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
