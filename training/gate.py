"""The gate before two swept networks: whether a strip is print or by hand.

One network reads hands and knows print; another went on from it with print alone, and reads print
better and hands worse. A small network tells which of them reads a strip (experts and a gate:
Jacobs, Jordan, Nowlan and Hinton, 1991, with a hard choice), so that either costs the same.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from service.pipeline.strip import LAYERS
from training.descent import descend
from training.strips import Kind, Strip, load_strips
from training.swept import INK, PAPER, PRINT_DISTORTION, block, collated, distort

SURE = 2.0
"""Log odds from which on a strip is read as print: a hand that is taken for print is read worse."""
PRINTED: tuple[Kind, ...] = ("print", "typed")
BY_HAND: tuple[Kind, ...] = ("hands", "strings")


class Gate(nn.Module):
    """Convolutions, and what they find on average and at most.

    Input: strips u8 [N, LAYERS, 36, W], 255 the darkest. Output: f32 [N], log odds of print.
    """

    def __init__(self, widths: tuple[int, int, int, int] = (8, 16, 24, 32)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.seen = nn.Sequential(
            *block(LAYERS, a, (3, 3), (1, 1), 2),
            *block(a, b, (3, 3), (1, 1), 2),
            *block(b, c, (3, 3), (1, 1)),
            *block(c, d, (3, 3), (1, 1), 2),
        )
        self.odds = nn.Linear(2 * d, 1)

    def forward(self, strips: Tensor) -> Tensor:
        x = self.seen(strips.float() * (INK / 255.0) + PAPER)
        odds: Tensor = self.odds(torch.cat([x.mean((2, 3)), x.amax((2, 3))], dim=1))
        return odds.squeeze(1)


@dataclass(frozen=True, slots=True)
class GateRecipe:
    """How to train: steps of so many strips, half of them in print; rate: of learning, at its peak;
    decay: of the weights."""

    steps: int = 2400
    batch: int = 64
    rate: float = 2e-3
    decay: float = 1e-2
    seed: int = 0


def train_gate(
    printed: Sequence[Strip],
    by_hand: Sequence[Strip],
    recipe: GateRecipe,
    progress: Callable[[float], None] = lambda _: None,
) -> Gate:
    """Train a gate on strips in print and by hand, both distorted as print is.

    progress: called after every step with its loss. Raises ValueError where there are none of
    either.
    """
    if not printed or not by_hand:
        raise ValueError("a gate learns from strips in print and from strips by hand")
    torch.manual_seed(recipe.seed)
    gate = Gate().train()
    rng = np.random.default_rng(recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    optimizer = torch.optim.AdamW(gate.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    pace = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, recipe.steps)
    batches = _drawn(printed, by_hand, recipe.batch, rng)
    for _ in range(recipe.steps):
        strips, is_print = next(batches)
        layers = distort(collated(strips)[0], PRINT_DISTORTION, generator)
        loss = functional.binary_cross_entropy_with_logits(gate(layers), is_print)
        descend(loss, optimizer, gate, steepest=math.inf)
        pace.step()
        progress(float(loss.detach()))
    return gate.eval()


def _drawn(
    printed: Sequence[Strip], by_hand: Sequence[Strip], size: int, rng: np.random.Generator
) -> Iterator[tuple[list[Strip], Tensor]]:
    """Batches without end, half print, and which are, f32 [N]; of like widths, as what they are
    padded with would tell otherwise."""
    while True:
        drawn = [
            (some[i], is_print)
            for some, is_print in ((printed, 1.0), (by_hand, 0.0))
            for i in rng.integers(len(some), size=32 * size)
        ]
        drawn.sort(key=lambda one: one[0].layers.shape[2])
        for k in rng.permutation(64):
            part = drawn[k * size : (k + 1) * size]
            yield [strip for strip, _ in part], torch.tensor([is_print for _, is_print in part])


def spoken(folder: Path, kinds: Sequence[Kind], shards: int | None = None) -> list[Strip]:
    """The strips of some kinds in a folder that say something."""
    return [one for kind in kinds for one in load_strips(folder, kind, shards) if len(one.symbols)]


def is_print(gate: Gate, layers: NDArray[np.uint8]) -> bool:
    """Whether a gate takes a strip, u8 [LAYERS, 36, W], for print."""
    strip, _, _ = collated([Strip(layers, np.zeros(0, np.uint8))])
    with torch.no_grad():
        return float(gate(strip)[0]) > SURE


def share_in_print(gate: Gate, strips: Sequence[Strip]) -> float:
    """The share of strips that a gate takes for print."""
    return float(np.mean([is_print(gate, one.layers) for one in strips])) if strips else 0.0
