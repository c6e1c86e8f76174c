"""What training one network or another takes: steps, moving averages, norms to begin with."""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from training.checkpoint import Stateful, resume, save

_Network = TypeVar("_Network", bound=nn.Module)


def rounded(device: str = "cpu", *, wanted: bool = True) -> torch.autocast:
    """The context in which a network's products are rounded to bfloat16, if wanted and fast.

    A processor without wide vectors takes several times as long for it.
    """
    fast = device != "cpu" or torch.backends.cpu.get_cpu_capability().startswith("AVX512")
    return torch.autocast(device, torch.bfloat16, enabled=wanted and fast)


def descend(
    loss: Tensor, optimizer: torch.optim.Optimizer, network: nn.Module, steepest: float
) -> None:
    """One step of an optimizer down a loss; steepest: the norm that a gradient is cut to."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    nn.utils.clip_grad_norm_(network.parameters(), steepest)
    optimizer.step()


@dataclass(frozen=True, slots=True)
class Descent:
    """How to go down a loss: so many steps, of so many examples each.

    rate: the peak learning rate, reached after `warm` steps and then falling as a cosine; decay:
    of the weights; steepest: the norm that a gradient is cut to; average: how much of the averaged
    weights is kept in a step. every: steps from one checkpoint to the next.
    """

    steps: int
    batch: int
    rate: float
    warm: int
    decay: float
    steepest: float
    average: float
    seed: int
    every: int


def train(
    network: _Network,
    losses: Callable[[_Network, np.random.Generator], Iterator[Tensor]],
    how: Descent,
    checkpoint: Path | None = None,
    progress: Callable[[int, float, _Network], None] | None = None,
) -> _Network:
    """Train a convolutional network; returns the averaged network.

    losses: its loss on one batch after the other, without end. checkpoint: an interrupted run goes
    on from it. progress: called at the same times with the examples seen, the mean loss since, and
    the averaged network.
    """
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=how.rate, weight_decay=how.decay)
    kept: dict[str, Stateful] = {
        "network": network, "averaged": averaged, "optimizer": optimizer
    }  # fmt: skip
    first = resume(checkpoint, **kept)
    stream = losses(network, np.random.default_rng([how.seed, first]))
    told: list[float] = []
    network.train()
    for step in range(first, how.steps):
        cosine = 0.5 * (1 + math.cos(math.pi * step / how.steps))
        for group in optimizer.param_groups:
            group["lr"] = how.rate * min(1.0, (step + 1) / how.warm) * cosine + 1e-5
        loss = next(stream)
        descend(loss, optimizer, network, how.steepest)
        average(averaged, network, min(how.average, (step + 1) / (step + 10)))
        told.append(float(loss.detach()))
        if (step + 1) % how.every == 0 or step + 1 == how.steps:
            save(checkpoint, step + 1, **kept)
            if progress is not None:
                progress((step + 1) * how.batch, float(np.mean(told)), averaged)
            told = []
    return averaged.eval()


def average(averaged: nn.Module, network: nn.Module, decay: float) -> None:
    """Move averaged weights towards those of a network; decay: the share of theirs that is kept."""
    with torch.no_grad():
        for kept, new in zip(averaged.parameters(), network.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)
        for own, other in zip(averaged.buffers(), network.buffers(), strict=True):
            own.copy_(other)


def mean_network(networks: Sequence[_Network], shares: Sequence[float] | None = None) -> _Network:
    """The network whose every weight is the mean of those of several that went apart late.

    shares: of each in the mean, together 1; as large as each other if left out.
    """
    weights = torch.tensor(shares or [1 / len(networks)] * len(networks))
    mean = copy.deepcopy(networks[0])
    with torch.no_grad():
        for own, *others in zip(
            mean.state_dict().values(),
            *(one.state_dict().values() for one in networks),
            strict=True,
        ):
            if own.is_floating_point():
                own.copy_(torch.tensordot(weights.to(own.dtype), torch.stack(others), dims=1))
    return mean


def folded(network: _Network) -> _Network:
    """The same function, whose batch norms are part of the convolutions before them.

    A step takes two thirds of the time, and nothing hangs on what else is in a batch: for networks
    that are trained on.
    """
    network = copy.deepcopy(network).eval()
    for layers in [one for one in network.modules() if isinstance(one, nn.Sequential)]:
        for place, one in enumerate(layers):
            before = layers[place - 1] if place else None
            if isinstance(one, nn.BatchNorm2d) and isinstance(before, nn.Conv2d):
                layers[place - 1] = fuse_conv_bn_eval(before, one)
                layers[place] = nn.Identity()
    return network.requires_grad_()


def renormalised(network: _Network, given: Sequence[Tensor]) -> _Network:
    """The same function, whose batch norms know the mean and spread of what they are given.

    given: batches that the network is measured on. Export folds the norms into the convolutions:
    training would begin by normalising what came out of them anew, and so with another function.
    """
    network = copy.deepcopy(network).eval()
    norms = [one for one in network.modules() if isinstance(one, nn.BatchNorm2d)]
    values: dict[nn.Module, list[Tensor]] = {one: [] for one in norms}

    def note(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        values[norm].append(inputs[0].transpose(0, 1).flatten(1))

    hooks = [one.register_forward_pre_hook(note) for one in norms]
    with torch.no_grad():
        for batch in given:
            network(batch)
        for norm in norms:
            seen = torch.cat(values[norm], dim=1)
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight / (norm.running_var + norm.eps).sqrt()
            shift = norm.bias - norm.running_mean * scale
            mean, spread = seen.mean(dim=1), seen.var(dim=1)
            norm.weight.copy_(scale * (spread + norm.eps).sqrt())
            norm.bias.copy_(shift + mean * scale)
            norm.running_mean.copy_(mean)
            norm.running_var.copy_(spread)
    for hook in hooks:
        hook.remove()
    return network
