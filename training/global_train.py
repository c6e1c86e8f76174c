"""Global training: the whole chain tuned on amount strings (sections VI, VII and X-E)."""

import copy
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from service.pipeline.automaton import Grammar, reweighted
from service.pipeline.card import ModelCard
from service.pipeline.grammar import grammar_for
from training.augment import Distortion, distort
from training.checkpoint import Stateful, resume, save
from training.descent import rounded
from training.pretrain import Pool, draw
from training.string_loss import (
    Batch,
    ChainWeights,
    Job,
    JobGradient,
    Loss,
    Runner,
    run_here,
    solve,
)
from training.strings import StringSample

_WHOLE_CROPS = 512
MILD = Distortion(rotate=0.05, shear=0.08, scale=0.08, shift=0.7, bend=0.5, thick=0.2)


@dataclass(frozen=True, slots=True)
class GlobalRecipe:
    """How to tune the chain.

    fields: samples seen in all; batch: of them a step; rate, chain_rate: peak learning rates of the
    network and of the chain's weights, the grammar's by grammar_rate, the field locator's by
    field_rate (0: left as it is; a few thousand pages moved it for the worse, see training.fields).
    characters: weight of the cross entropy on single crops beside the strings, of which
    single_crops a step, so that what was learned on them is not forgotten. hopeless: penalty beyond
    which a sample counts as beyond reading, and pulls less (the constant of equation 9). average:
    decay of the moving average of all weights, which is what is kept. distortion: of every segment
    by itself, None for none. bf16: the network's products are rounded to bfloat16 in training,
    twice as fast on processors that have it.
    """

    loss: Loss = "discriminative_forward"
    fields: int = 24_000
    batch: int = 32
    rate: float = 2e-4
    chain_rate: float = 1e-2
    grammar_rate: float = 3e-3
    field_rate: float = 0.0
    characters: float = 1.0
    single_crops: int = 512
    hopeless: float = 12.0
    average: float = 0.99
    seed: int = 0
    every: int = 50
    distortion: Distortion | None = MILD
    bf16: bool = False


class Chain(nn.Module):
    """A recognizer and all the other penalties of the chain, tuned together.

    The network predicts as it will in the service: batch norm by its running statistics, no
    dropout.
    """

    def __init__(self, network: nn.Module, card: ModelCard) -> None:
        super().__init__()
        self.network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.weights = ChainWeights(card)

    def losses(self, batch: Batch, loss: Loss, runner: Runner = run_here) -> Tensor:
        """The loss of every sample of a batch, f64 [B]."""
        self.network.eval()
        return batch.losses(self._predicted(batch.crops), self.weights, loss, runner)

    def _predicted(self, crops: Tensor) -> Tensor:
        """The network's output, of a number of crops that is rounded up on the way.

        For every shape torch keeps compiled kernels; a batch has another number of crops each time.
        """
        count = len(crops)
        padded = functional.pad(crops, (0, 0, 0, 0, 0, -count % _WHOLE_CROPS))
        found: Tensor = self.network(padded)[:count].float()
        return found

    def share_right(self, samples: Sequence[StringSample], size: int = 32) -> float:
        """The share of samples whose best amount is the true one."""
        right: list[bool] = []
        self.network.eval()
        for batch in self.batches(samples, size):
            with torch.no_grad():
                output = self._predicted(batch.crops)
            right += batch.right(output, self.weights)
        return float(np.mean(right))

    def batches(self, samples: Sequence[StringSample], size: int) -> Iterator[Batch]:
        """Samples in order, some at a time."""
        for start in range(0, len(samples), size):
            yield Batch(samples[start : start + size], self.weights.grammar_now)


@dataclass(frozen=True, slots=True)
class Progress:
    """Where training stands: samples seen, mean loss and share beyond reading since last told."""

    fields: int
    loss: float
    hopeless: float


def tune(
    chain: Chain,
    samples: Sequence[tuple[Sequence[StringSample], float]],
    pools: Sequence[Pool],
    recipe: GlobalRecipe,
    *,
    runner: Runner = run_here,
    checkpoint: Path | None = None,
    progress: Callable[[Progress], None] | None = None,
    watch: Callable[[int, Chain], bool] | None = None,
) -> Chain:
    """Tune a chain on samples; returns the averaged chain.

    samples: kinds of them, each with its share of every batch. pools: labelled crops, for the cross
    entropy beside. checkpoint: written every `recipe.every` steps; an interrupted run goes on from
    it. watch: called at the same times with the samples seen and the averaged chain; training stops
    where it says True.
    """
    averaged = copy.deepcopy(chain)
    refused = [one for some, _ in samples for one in some if (one.amounts <= 0).all()]
    optimizer = _optimizer(chain, recipe, null=any(len(one.amounts) == 0 for one in refused))
    steps = max(recipe.fields // recipe.batch, 1)
    # Where no sample is negative: what is never seen must not become ever rarer.
    names = chain.weights.grammar_now.weight_names
    taught = any(len(one.amounts) for one in refused)
    untaught = torch.tensor(["minus" in name and not taught for name in names])
    peaks = [float(group["lr"]) for group in optimizer.param_groups]
    told: list[tuple[float, float]] = []
    kept: dict[str, Stateful] = {"chain": chain, "averaged": averaged, "optimizer": optimizer}
    for step in range(resume(checkpoint, **kept), steps):
        for group, peak in zip(optimizer.param_groups, peaks, strict=True):
            group["lr"] = peak * min(1.0, (step + 1) / 20) * (1.0 - step / steps)
        generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + step)
        drawn = _draw_samples(samples, recipe.batch, generator)
        batch = Batch(drawn, chain.weights.grammar_now)
        if recipe.distortion is not None:
            batch.crops = distort(batch.crops, recipe.distortion, generator)
        with rounded(wanted=recipe.bf16):
            losses = chain.losses(batch, recipe.loss, runner)
        possible = torch.isfinite(losses)
        bounded = -torch.logaddexp(-losses[possible], losses.new_tensor(-recipe.hopeless))
        total = bounded.sum() / len(drawn)
        beyond = ~possible | (losses.detach() > recipe.hopeless)
        told.append((float(total.detach()), float(beyond.double().mean())))
        if pools and recipe.characters > 0:
            with rounded(wanted=recipe.bf16):
                single = _character_loss(chain.network, pools, recipe, generator)
            total = total + recipe.characters * single
        chain.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        if chain.weights.grammar.grad is not None:
            chain.weights.grammar.grad[untaught] = 0.0
        nn.utils.clip_grad_norm_(chain.network.parameters(), 1.0)
        nn.utils.clip_grad_norm_(chain.weights.parameters(), 1.0)
        optimizer.step()
        _average(averaged, chain, min(recipe.average, (step + 1) / (step + 10)))
        if (step + 1) % recipe.every == 0 or step + 1 == steps:
            save(checkpoint, step + 1, **kept)
            loss, hopeless = np.mean(told, axis=0).tolist()
            told = []
            if progress is not None:
                progress(Progress((step + 1) * recipe.batch, loss, hopeless))
            if watch is not None and watch((step + 1) * recipe.batch, averaged):
                break
    return averaged


def _optimizer(chain: Chain, recipe: GlobalRecipe, *, null: bool) -> torch.optim.Optimizer:
    """null: whether there are samples without an amount.

    Where there are none, the hypothesis of no amount would only ever grow dearer: it is left alone.
    """
    weights = chain.weights
    apart = ("grammar", "field") if null else ("grammar", "field", "null")
    others = [p for name, p in weights.named_parameters() if name not in apart]
    return torch.optim.AdamW(
        [
            {"params": list(chain.network.parameters()), "lr": recipe.rate, "weight_decay": 1e-2},
            {"params": others, "lr": recipe.chain_rate, "weight_decay": 0.0},
            {"params": [weights.grammar], "lr": recipe.grammar_rate, "weight_decay": 0.0},
            {"params": [weights.field], "lr": recipe.field_rate, "weight_decay": 0.0},
        ]
    )


def _draw_samples(
    kinds: Sequence[tuple[Sequence[StringSample], float]], count: int, generator: torch.Generator
) -> list[StringSample]:
    shares = torch.tensor([share for _, share in kinds])
    which = torch.multinomial(shares, count, replacement=True, generator=generator).tolist()
    return [
        kinds[kind][0][int(torch.randint(len(kinds[kind][0]), (1,), generator=generator))]
        for kind in which
    ]


def _character_loss(
    network: nn.Module, pools: Sequence[Pool], recipe: GlobalRecipe, generator: torch.Generator
) -> Tensor:
    crops, labels = draw(pools, recipe.single_crops, generator)
    distorted = distort(torch.from_numpy(crops), Distortion(), generator)
    return functional.nll_loss(
        network(distorted).float(), torch.from_numpy(labels.astype(np.int64))
    )


def _average(averaged: nn.Module, chain: nn.Module, decay: float) -> None:
    with torch.no_grad():
        for kept, new in zip(averaged.parameters(), chain.parameters(), strict=True):
            kept.lerp_(new, 1 - decay)


_grammar: Grammar | None = None  # one a worker process


@contextmanager
def workers(count: int, labels: tuple[str, ...]) -> Iterator[Runner]:
    """A runner that shares the searches of a batch between processes."""
    if count < 2:
        yield run_here
        return
    with get_context("spawn").Pool(count, _start, (labels,)) as pool:

        def run(jobs: Iterable[Job], grammar: Grammar, loss: Loss) -> list[JobGradient]:
            weights = grammar.weight_penalty
            return pool.map(_solve, [(job, weights, loss) for job in jobs], chunksize=2)

        yield run


def _start(labels: tuple[str, ...]) -> None:
    global _grammar
    _grammar = grammar_for(None, None, labels)


def _solve(task: tuple[Job, Any, Loss]) -> JobGradient:
    global _grammar
    job, weights, loss = task
    assert _grammar is not None
    if not np.array_equal(weights, _grammar.weight_penalty):
        _grammar = reweighted(_grammar, weights)
    return solve(job, _grammar, loss)
