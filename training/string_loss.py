"""Losses on amount strings, and their gradients through the whole chain (sections VI and VII).

The graphs are the service's own. What enters them are torch tensors: the recognizer's outputs and
the penalties of segments, fields and the grammar.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from service.pipeline.automaton import Grammar, reweighted
from service.pipeline.card import ModelCard
from service.pipeline.chain import INK, SUREST_FIELD, Entrances, normalised
from service.pipeline.field_features import WEIGHTS as FIELD_WEIGHTS
from service.pipeline.grammar import free_grammar, grammar_for
from service.pipeline.recognize import LARGEST_ODDS
from service.pipeline.search import Gradient, Lattice, best, gradient
from service.pipeline.segment import FEATURES
from training.strings import StringSample

Floats = NDArray[np.float64]
Loss = Literal["viterbi", "discriminative_viterbi", "forward", "discriminative_forward"]
LOSSES: tuple[Loss, ...] = get_args(Loss)


class ChainWeights(nn.Module):
    """Every penalty of the chain but the recognizer's, as float64 parameters."""

    def __init__(self, card: ModelCard) -> None:
        super().__init__()
        self.grammar_now = grammar_for(None, None, card.labels, card.grammar_weights)
        field = card.field_weights or tuple(FIELD_WEIGHTS.values())
        self.segment = _parameter(card.segment_weights)
        self.symbol = _parameter(card.symbol_penalty)
        self.stray = _parameter(card.stray_penalty)
        self.stray_ink = _parameter(card.stray_ink_penalty)
        self.null = _parameter(card.null_penalty)
        self.field = _parameter(field)
        self.grammar = _parameter(self.grammar_now.weight_penalty.tolist())

    def entries(self) -> dict[str, Any]:
        """The weights as a card holds them, rounded."""
        first = grammar_for(None, None, self.grammar_now.labels[:-1])
        weights = self.grammar.detach().tolist()
        table = zip(first.weight_names, first.weight_penalty.tolist(), weights, strict=True)
        return {
            "segment": _named(FEATURES, self.segment),
            "symbol": round(self.symbol.item(), 4),
            "stray": round(self.stray.item(), 4),
            "stray_ink": round(self.stray_ink.item(), 4),
            "null": round(self.null.item(), 4),
            "field": _named(tuple(FIELD_WEIGHTS), self.field),
            "grammar": {name: round(new, 4) for name, old, new in table if abs(new - old) >= 5e-4},
        }


def _parameter(value: float | Sequence[float]) -> nn.Parameter:
    return nn.Parameter(torch.tensor(value, dtype=torch.float64))


def _named(names: Sequence[str], values: Tensor) -> dict[str, float]:
    return {n: round(v, 4) for n, v in zip(names, values.detach().tolist(), strict=True)}


@dataclass(frozen=True, slots=True)
class Job:
    """One sample's numbers, ready for the search.

    lattice: its penalties are those of arcs with the fields' own, and of labels against rubbish.
    added f64 [F]: what else enters each field; null: the penalty of the hypothesis of no amount;
    amounts: what the truth may be, nothing where that hypothesis is true.
    """

    lattice: Lattice
    added: Floats
    null: float
    amounts: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class JobGradient:
    """A loss, and its gradients; +infinity and zeros where the truth has no path at all."""

    loss: float
    labels: Floats
    arcs: Floats
    added: Floats
    null: float
    weights: Floats


Runner = Callable[[Iterable[Job], Grammar, Loss], list[JobGradient]]


def run_here(jobs: Iterable[Job], grammar: Grammar, loss: Loss) -> list[JobGradient]:
    """One job after the other, in this process."""
    return [solve(job, grammar, loss) for job in jobs]


def solve(job: Job, grammar: Grammar, loss: Loss) -> JobGradient:
    """The loss of one sample and its gradients.

    "viterbi": penalty of the best path that spells the truth; "forward": of all such paths
    (equations 11, 18). The discriminative ones subtract that of everything, the hypothesis of no
    amount among it, and measure every field against its free reading as the service does
    (equations 13, 20). Where there is no amount, that hypothesis is what spells the truth.
    """
    viterbi = loss.endswith("viterbi")
    lattice, entrances = job.lattice, Entrances.of(job.lattice)
    if not loss.startswith("discriminative"):
        free: list[Gradient] = []
        lattice = normalised(lattice, entrances, job.added)
    else:
        free = [_free(lattice, field, grammar, viterbi) for field in entrances.fields.tolist()]
        totals = np.array([one.penalty for one in free])
        lattice = normalised(lattice, entrances, job.added - totals)
    none = not job.amounts
    true = _nothing(job, grammar)
    if not none:
        spelled = [gradient(lattice, grammar, a, viterbi=viterbi) for a in job.amounts]
        true = _either(spelled, viterbi)
    if true.penalty == np.inf:
        zeros = np.zeros_like(job.lattice.class_penalty), np.zeros(len(lattice.src))
        return JobGradient(np.inf, *zeros, np.zeros_like(job.added), 0.0, 0 * true.weights)
    value, labels, arcs, weights, null = (
        true.penalty, true.labels, true.arcs, true.weights, float(none)
    )  # fmt: skip
    if free:
        every = gradient(lattice, grammar, viterbi=viterbi)
        whole = min if viterbi else _merged
        total = whole(every.penalty, job.null)
        share = float(every.penalty <= job.null) if viterbi else np.exp(total - every.penalty)
        value -= total
        labels, arcs = labels - share * every.labels, arcs - share * every.arcs
        weights, null = weights - share * every.weights, null - (1.0 - share)
    added = np.array([arcs[own].sum() for own in entrances.arcs])
    for one, through in zip(free, added.tolist(), strict=bool(free)):
        labels, arcs = labels - through * one.labels, arcs - through * one.arcs
    return JobGradient(value, labels, arcs, added, null, weights)


def _nothing(job: Job, grammar: Grammar) -> Gradient:
    """The penalty of no amount at all, as the gradient of a composition."""
    labels, arcs = np.zeros_like(job.lattice.class_penalty), np.zeros(len(job.lattice.src))
    return Gradient(job.null, labels, arcs, np.zeros(len(grammar.weight_names)))


def _either(found: Sequence[Gradient], viterbi: bool) -> Gradient:
    """One of several penalties or another: the least, or all together."""
    best_one = min(found, key=lambda one: one.penalty)
    if viterbi or len(found) == 1 or best_one.penalty == np.inf:
        return best_one
    total = best_one.penalty
    total -= float(np.log(sum(np.exp(best_one.penalty - one.penalty) for one in found)))
    shares = [float(np.exp(total - one.penalty)) for one in found]

    def mixed(name: str) -> Floats:
        parts = [share * getattr(one, name) for share, one in zip(shares, found, strict=True)]
        both: Floats = np.sum(parts, axis=0)
        return both

    return Gradient(total, mixed("labels"), mixed("arcs"), mixed("weights"))


def _merged(a: float, b: float) -> float:
    return float(-np.logaddexp(-a, -b))


def _free(lattice: Lattice, field: int, grammar: Grammar, viterbi: bool) -> Gradient:
    """A field's penalty under the free grammar; its arcs' gradient in the lattice's arcs."""
    free = free_grammar(grammar.labels[:-1])
    found = gradient(lattice.of_field(field), free, viterbi=viterbi)
    arcs = np.zeros(len(lattice.src))
    arcs[lattice.field == field] = found.arcs
    return replace(found, arcs=arcs)


class _Search(torch.autograd.Function):
    """The losses f64 [B] of a batch, from its tensors end to end."""

    @staticmethod
    def forward(
        ctx: Any, odds: Tensor, arcs: Tensor, added: Tensor, null: Tensor, weights: Tensor,
        batch: "Batch", loss: Loss, runner: Runner,
    ) -> Tensor:  # fmt: skip
        jobs = batch.jobs(odds.detach(), arcs.detach(), added.detach(), null.item())
        grammar = reweighted(batch.grammar, weights.detach().numpy().astype(np.float64))
        found = runner(jobs, grammar, loss)
        ctx.found = found
        return torch.tensor([one.loss for one in found], dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        found: list[JobGradient] = ctx.found
        scale = outer[0].tolist()

        def joined(name: str) -> Tensor:
            parts = [g * getattr(one, name) for g, one in zip(scale, found, strict=True)]
            return torch.from_numpy(np.concatenate(parts))

        null = sum(g * one.null for g, one in zip(scale, found, strict=True))
        weights = sum(
            (g * one.weights for g, one in zip(scale, found, strict=True)),
            np.zeros_like(found[0].weights),
        )
        return (
            joined("labels"), joined("arcs"), joined("added"),
            torch.tensor(null, dtype=torch.float64), torch.from_numpy(weights), None, None, None,
        )  # fmt: skip


class Batch:
    """Samples end to end, so that the recognizer is called once for all their segments."""

    def __init__(self, samples: Sequence[StringSample], grammar: Grammar) -> None:
        self.samples, self.grammar = samples, grammar
        graphs = [sample.graph for sample in samples]
        self.entrances = [Entrances.of(graph) for graph in graphs]
        first = np.cumsum([0, *(len(graph.crops) for graph in graphs)])
        rows = [
            np.where(graph.segment >= 0, graph.segment + start, first[-1])
            for graph, start in zip(graphs, first.tolist(), strict=False)
        ]
        self.crops = torch.from_numpy(np.concatenate([graph.crops for graph in graphs]))
        self._features = _tensor([graph.features for graph in graphs])
        self._fixed = _tensor([graph.penalty for graph in graphs])
        self._row = torch.from_numpy(np.concatenate(rows))
        self._field_features = _tensor([s.field_features[e.fields] for s, e in self._pairs()])
        self._field_fixed = _tensor([s.field_fixed[e.fields] for s, e in self._pairs()])
        self._entered = torch.from_numpy(np.concatenate(list(self._entered_fields())))

    def losses(
        self, log_probabilities: Tensor, chain: ChainWeights, loss: Loss, runner: Runner = run_here
    ) -> Tensor:
        """The loss of every sample, f64 [B]; log_probabilities [N, K]: of all crops in order.

        +infinity, without a gradient, where no path spells the truth.
        """
        return _Search.apply(  # type: ignore[no-any-return, no-untyped-call]
            *self.tensors(log_probabilities, chain), chain.null, chain.grammar, self, loss, runner
        )

    def tensors(self, log_probabilities: Tensor, chain: ChainWeights) -> tuple[Tensor, ...]:
        """Log odds of labels [N, K], penalties of arcs [A], and what enters each field [F]."""
        p = -log_probabilities.double()
        odds = (p - p[:, -1:]).clamp(-LARGEST_ODDS, LARGEST_ODDS)[:, :-1] + chain.symbol
        stray = chain.stray + chain.stray_ink * self._features[:, INK]
        odds = torch.cat([odds, stray[:, None]], dim=1)
        own = nn.functional.softplus(-(self._field_features @ chain.field)) + self._field_fixed
        of_segment = torch.cat([self._features @ chain.segment, odds.new_zeros(1)])
        of_field = torch.cat([own, odds.new_zeros(1)])
        arcs = self._fixed + of_segment[self._row] + of_field[self._entered]
        probability = torch.exp(-own.clamp(min=0)).clamp(max=SUREST_FIELD)
        return odds, arcs, own + torch.log1p(-probability)

    def jobs(self, odds: Tensor, arcs: Tensor, added: Tensor, null: float) -> list[Job]:
        """The numbers of every sample apart."""
        found = []
        segment, arc, field = 0, 0, 0
        for sample, entrances in self._pairs():
            graph = sample.graph
            n, a, f = len(graph.crops), len(graph.src), len(entrances.fields)
            lattice = Lattice(
                graph.num_nodes, graph.src, graph.dst, graph.segment,
                arcs[arc : arc + a].numpy(), graph.field, odds[segment : segment + n].numpy(),
            )  # fmt: skip
            own = added[field : field + f].numpy()
            found.append(Job(lattice, own, null, tuple(sample.amounts.tolist())))
            segment, arc, field = segment + n, arc + a, field + f
        return found

    def right(self, log_probabilities: Tensor, chain: ChainWeights) -> list[bool]:
        """Whether the best amount of each sample is the true one, as the service reads it."""
        with torch.no_grad():
            odds, arcs, added = self.tensors(log_probabilities, chain)
            jobs = self.jobs(odds, arcs, added, chain.null.item())
            grammar = reweighted(self.grammar, chain.grammar.numpy().astype(np.float64))
        return [_reads_right(job, grammar) for job in jobs]

    def _pairs(self) -> Iterable[tuple[StringSample, Entrances]]:
        return zip(self.samples, self.entrances, strict=True)

    def _entered_fields(self) -> Iterable[NDArray[np.int64]]:
        """For every arc the row of the field that it enters, the row past the last for none."""
        total = sum(len(one.fields) for one in self.entrances)
        before = 0
        for sample, entrances in self._pairs():
            rows = np.full(len(sample.graph.src), total)
            for number, own in enumerate(entrances.arcs):
                rows[own] = before + number
            before += len(entrances.fields)
            yield rows


def _reads_right(job: Job, grammar: Grammar) -> bool:
    entrances = Entrances.of(job.lattice)
    free = [_free(job.lattice, field, grammar, False) for field in entrances.fields.tolist()]
    totals = np.array([one.penalty for one in free])
    found = best(normalised(job.lattice, entrances, job.added - totals), grammar, 1)
    if not found or found[0].penalty > job.null:
        return not job.amounts
    return found[0].amount_minor in job.amounts


def _tensor(parts: Sequence[NDArray[np.float32]]) -> Tensor:
    return torch.from_numpy(np.concatenate(parts).astype(np.float64))
