"""Character training: a recognizer on labelled crops, before the chain is trained as a whole."""

import copy
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.augment import Distortion, distort
from training.checkpoint import resume, save
from training.descent import rounded

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Pool:
    """Labelled crops of one kind: u8 [N, 32, 32] with labels u8 [N].

    share: how much of every batch is drawn from them, relative to the other pools' shares.
    """

    name: str
    crops: Bytes
    labels: Bytes
    share: float


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train: samples seen in all, batch, peak learning rate, smoothing, seed.

    average: decay of the moving average of the weights, which is what is kept. every: steps between
    two checkpoints. distortion: None where crops are taken as they are.
    """

    samples: int = 6_000_000
    batch: int = 256
    rate: float = 2e-3
    decay: float = 2e-2
    smoothing: float = 0.0
    average: float = 0.9995
    seed: int = 0
    every: int = 500
    distortion: Distortion | None = field(default_factory=Distortion)


def train(
    network: nn.Module,
    pools: Sequence[Pool],
    recipe: Recipe,
    *,
    checkpoint: Path | None = None,
    progress: Callable[[int, float], None] | None = None,
    watch: Callable[[int, nn.Module], None] | None = None,
) -> nn.Module:
    """Train on crops drawn from pools; returns the averaged network.

    checkpoint: a file written every `recipe.every` steps, from which an interrupted run goes on.
    progress: called with the samples seen and the mean loss since the last call. watch: called at
    the same times with the samples seen and the averaged network, on the training device.
    """
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(network).eval()
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    steps = max(recipe.samples // recipe.batch, 1)
    first = resume(checkpoint, network=network, averaged=averaged, optimizer=optimizer)
    running, seen = 0.0, 0
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * _schedule(step / steps)
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        crops, labels = draw(pools, recipe.batch, generator)
        batch = torch.from_numpy(crops)
        if recipe.distortion is not None:
            batch = distort(batch, recipe.distortion, generator)
        target = torch.from_numpy(labels.astype(np.int64)).to(device)
        loss = _step(network, optimizer, batch.to(device), target, recipe)
        _average(averaged, network, min(recipe.average, (step + 1) / (step + 10)))
        running, seen = running + loss, seen + 1
        if (step + 1) % recipe.every == 0 or step + 1 == steps:
            if progress is not None:
                progress((step + 1) * recipe.batch, running / seen)
            if watch is not None:
                watch((step + 1) * recipe.batch, averaged)
            running, seen = 0.0, 0
            save(checkpoint, step + 1, network=network, averaged=averaged, optimizer=optimizer)
    return averaged.cpu()


def draw(pools: Sequence[Pool], count: int, generator: torch.Generator) -> tuple[Bytes, Bytes]:
    """A batch: every sample's pool drawn by the shares, then the sample from it."""
    counts = [count]
    if len(pools) > 1:
        shares = torch.tensor([pool.share for pool in pools])
        drawn = torch.multinomial(shares, count, replacement=True, generator=generator)
        counts = torch.bincount(drawn, minlength=len(pools)).tolist()
    rows = [
        torch.randint(0, len(pool.crops), (n,), generator=generator).numpy()
        for pool, n in zip(pools, counts, strict=True)
    ]
    return (
        np.concatenate([pool.crops[own] for pool, own in zip(pools, rows, strict=True)]),
        np.concatenate([pool.labels[own] for pool, own in zip(pools, rows, strict=True)]),
    )


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: Tensor,
    target: Tensor,
    recipe: Recipe,
) -> float:
    network.train()
    with rounded(batch.device.type):
        output = network(batch)
    loss = functional.cross_entropy(output.float(), target, label_smoothing=recipe.smoothing)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), 2.0)
    optimizer.step()
    return float(loss.detach())


def _schedule(done: float) -> float:
    """Warm up over 3 %, then fall along a half cosine."""
    return min(done / 0.03, 0.5 * (1 + math.cos(math.pi * done))) if done < 1 else 0.0


def _average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for kept, new in zip(
            averaged.state_dict().values(), network.state_dict().values(), strict=True
        ):
            if kept.dtype.is_floating_point:
                kept.lerp_(new, 1 - decay)
            else:
                kept.copy_(new)


def predict(network: nn.Module, crops: Bytes) -> NDArray[np.float32]:
    """Log probabilities f32 [N, K] of crops u8 [N, 32, 32]."""
    network.eval()
    with torch.no_grad():
        parts = [
            network(torch.from_numpy(crops[start : start + 1024])).float().numpy()
            for start in range(0, len(crops), 1024)
        ]
    return np.concatenate(parts)
