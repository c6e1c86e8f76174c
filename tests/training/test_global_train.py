"""Global training: losses against enumeration, gradients against finite differences."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from service.pipeline import graph as plain
from service.pipeline.amount import amount_of
from service.pipeline.card import load_card
from service.pipeline.grammar import free_grammar, grammar_for
from service.pipeline.search import Lattice
from service.pipeline.segment import FEATURES, SegmentationGraph
from tests.pipeline import oracle
from training.dataset import LABELS
from training.global_train import Chain, GlobalRecipe, tune, workers
from training.lenet import ProductionNet
from training.string_loss import LOSSES, Batch, ChainWeights, Job, Loss, run_here, solve
from training.strings import StringSample, pack, unpack

MODEL = Path(__file__).parents[2] / "models" / "amounts" / "1"


def sample(seed: int, amount: int, fields: int = 1, others: tuple[int, ...] = ()) -> StringSample:
    """A small graph of each field: four pieces in a row, pairs of them, random crops."""
    rng = np.random.default_rng(seed)
    arcs: list[tuple[int, int, int]] = []
    inner, end = 1, 1 + 3 * fields
    for field in range(fields):
        nodes = [0, inner, inner + 1, inner + 2, end]
        inner += 3
        arcs += [(nodes[i], nodes[i + 1], field) for i in range(4)]
        arcs += [(nodes[i], nodes[i + 2], field) for i in range(3)]
    order = sorted(arcs)
    src, dst, field_of = (np.array(c, np.int32) for c in zip(*order, strict=True))
    segments = np.arange(len(order), dtype=np.int32)
    segments[rng.integers(0, len(order))] = -1
    graph = SegmentationGraph(
        num_nodes=end + 1, src=src, dst=dst, segment=segments,
        penalty=rng.normal(0, 0.3, len(order)).astype(np.float32), field=field_of,
        crops=rng.integers(0, 256, (len(order), 32, 32)).astype(np.uint8),
        boxes=np.zeros((len(order), 4), np.float32),
        features=rng.uniform(0, 1, (len(order), len(FEATURES))).astype(np.float32),
    )  # fmt: skip
    features = rng.normal(0, 1, (fields, len(ChainWeights(load_card(MODEL)).field)))
    fixed = rng.uniform(0.1, 0.5, fields)
    return StringSample(
        graph, features.astype(np.float32), fixed.astype(np.float32), np.array([amount, *others])
    )


def outputs(samples: list[StringSample], seed: int = 0) -> torch.Tensor:
    """Log probabilities as a recognizer might give them."""
    count = sum(len(one.graph.crops) for one in samples)
    rng = np.random.default_rng(seed)
    logits = torch.from_numpy(rng.normal(0, 1.5, (count, len(LABELS))))
    return torch.log_softmax(logits, dim=1)


def job(seed: int, amount: int) -> Job:
    one = sample(seed, amount, others=(12,))
    batch = Batch([one], grammar_for(None, None, LABELS))
    chain = ChainWeights(load_card(MODEL))
    with torch.no_grad():
        return batch.jobs(*batch.tensors(outputs([one]), chain), float(chain.null))[0]


def enumerated(job: Job, loss: Loss) -> float:
    """The loss by listing the paths of the graphs composed."""
    viterbi = loss.endswith("viterbi")
    merge = min if viterbi else oracle.log_sum
    grammar = grammar_for(None, None, LABELS)

    def paths(lattice: Lattice, of: str) -> list[tuple[float, int | None]]:
        rules = free_grammar(LABELS) if of == "free" else grammar
        both = plain.compose(oracle.recognition_graph(lattice, rules), rules.graph)
        found = []
        for way in oracle.all_paths(both):
            amount = None
            if of == "amounts":
                roles = rules.role[both.origin[list(way.arcs), 1]]
                final = int(both.final_origin[way.final, 1])
                symbols = [rules.labels[label] for label in way.labels]
                negative = bool(rules.negative[final])
                amount = amount_of(symbols, roles.tolist(), negative=negative).minor
            found.append((way.penalty, amount))
        return found

    penalty = job.lattice.penalty.copy()
    penalty[job.lattice.src == 0] += job.added[0]
    free = 0.0
    if loss.startswith("discriminative"):
        free = merge([p for p, _ in paths(job.lattice, "free")])
    amounts = paths(replace(job.lattice, penalty=penalty), "amounts")
    true = [p - free for p, amount in amounts if amount in job.amounts]
    true = true if job.amounts else [job.null]
    if not loss.startswith("discriminative"):
        return merge(true)
    return merge(true) - merge([*(p - free for p, _ in amounts), job.null])


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize(("seed", "amount"), [(1, 1200), (2, 300)])
def test_losses_equal_enumeration(loss: Loss, seed: int, amount: int) -> None:
    one = job(seed, amount)
    # Few labels a segment, so that all paths can be listed.
    for row in one.lattice.class_penalty:
        kept = [LABELS.index(s) for s in "123."] + [len(LABELS) - 1]
        row[np.setdiff1d(np.arange(len(LABELS)), kept)] = np.inf
    for truth in (one, replace(one, amounts=())):
        found = solve(truth, grammar_for(None, None, LABELS), loss)
        assert np.isfinite(found.loss)
        assert found.loss == pytest.approx(enumerated(truth, loss), abs=1e-5)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_equal_finite_differences(loss: Loss) -> None:
    refused = replace(sample(3, 0, fields=2), amounts=np.array([], np.int64))
    samples = [sample(1, 1200, fields=2), sample(2, 34500), refused, sample(4, -300)]
    chain = ChainWeights(load_card(MODEL))
    batch = Batch(samples, chain.grammar_now)
    found = outputs(samples).requires_grad_()
    with torch.no_grad():
        used = batch.losses(found, chain, loss)
    assert torch.isfinite(used).all()
    names = ("segment", "symbol", "stray", "stray_ink", "null", "field")

    def of(log_probabilities: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        moved = ChainWeights(load_card(MODEL))
        for name, value in zip(names, weights, strict=True):
            del moved._parameters[name]
            setattr(moved, name, value)
        return batch.losses(log_probabilities, moved, loss)

    leaves = [getattr(chain, name).detach().clone().requires_grad_() for name in names]
    assert torch.autograd.gradcheck(of, (found, *leaves), eps=1e-6, atol=1e-4, fast_mode=True)


@pytest.mark.parametrize("loss", LOSSES)
def test_gradients_of_grammar_weights_equal_finite_differences(loss: Loss) -> None:
    samples = [sample(1, 1200, fields=2)]
    chain = ChainWeights(load_card(MODEL))
    batch = Batch(samples, chain.grammar_now)
    batch.losses(outputs(samples), chain, loss).sum().backward()
    gradient = chain.grammar.grad
    assert gradient is not None
    most = gradient.abs().argsort(descending=True)[:5].tolist()
    assert float(gradient.abs().max()) > 1e-3
    for index in most:
        values = []
        for step in (-1e-5, 1e-5):
            with torch.no_grad():
                chain.grammar[index] += step
                values.append(float(batch.losses(outputs(samples), chain, loss).sum()))
                chain.grammar[index] -= step
        assert (values[1] - values[0]) / 2e-5 == pytest.approx(float(gradient[index]), abs=1e-4)


def test_an_impossible_truth_is_infinite_and_pulls_nothing() -> None:
    samples = [sample(1, 123456789), sample(1, 1200)]
    chain = ChainWeights(load_card(MODEL))
    found = outputs(samples).requires_grad_()
    losses = Batch(samples, chain.grammar_now).losses(found, chain, "discriminative_forward")
    assert torch.isinf(losses).tolist() == [True, False]
    losses[torch.isfinite(losses)].sum().backward()
    assert found.grad is not None
    count = len(samples[0].graph.crops)
    assert not found.grad[:count].any()
    assert found.grad[count:].any()


def test_workers_give_what_one_process_gives() -> None:
    samples = [sample(seed, 1200) for seed in range(3)]
    chain = ChainWeights(load_card(MODEL))
    with torch.no_grad():
        chain.grammar += 0.01
    batch = Batch(samples, chain.grammar_now)
    alone = batch.losses(outputs(samples), chain, "forward", run_here)
    with workers(2, LABELS) as runner:
        shared = batch.losses(outputs(samples), chain, "forward", runner)
    assert shared.tolist() == alone.tolist()


def test_samples_survive_their_file(tmp_path: Path) -> None:
    samples = [sample(1, 1200, fields=2), sample(2, 34500)]
    pack(samples, tmp_path / "some.npz")
    for before, after in zip(samples, unpack(tmp_path / "some.npz"), strict=True):
        assert np.array_equal(after.amounts, before.amounts)
        assert after.graph.num_nodes == before.graph.num_nodes
        assert np.array_equal(after.graph.crops, before.graph.crops)
        assert np.array_equal(after.graph.dst, before.graph.dst)
        assert np.array_equal(after.field_features, before.field_features)


def small_chain() -> Chain:
    torch.manual_seed(0)
    return Chain(ProductionNet(len(LABELS), (4, 6, 8, 16)), load_card(MODEL))


RECIPE = GlobalRecipe(fields=96, batch=4, rate=3e-3, chain_rate=3e-2, every=12, average=0.5)


def test_tuning_lowers_the_loss_of_strings() -> None:
    samples = [sample(seed, 100 * (12 + seed)) for seed in range(4)]
    chain = small_chain()
    batch = Batch(samples, chain.weights.grammar_now)
    with torch.no_grad():
        before = float(chain.losses(batch, "discriminative_forward").mean())
    tuned = tune(chain, [(samples, 1.0)], [], RECIPE)
    with torch.no_grad():
        after = float(tuned.losses(batch, "discriminative_forward").mean())
    assert after < before - 1.0


def test_tuning_goes_on_from_its_checkpoint(tmp_path: Path) -> None:
    samples = [sample(seed, 100 * (12 + seed)) for seed in range(4)]
    whole = tune(small_chain(), [(samples, 1.0)], [], RECIPE)
    kept = tmp_path / "checkpoint.pt"
    stopped = tune(
        small_chain(), [(samples, 1.0)], [], RECIPE, checkpoint=kept, watch=lambda *_: True
    )
    resumed = tune(small_chain(), [(samples, 1.0)], [], RECIPE, checkpoint=kept)
    assert not torch.equal(stopped.weights.segment, whole.weights.segment)
    for one, other in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_card_takes_the_tuned_weights() -> None:
    chain = ChainWeights(replace(load_card(MODEL), grammar_weights=()))
    assert chain.entries()["grammar"] == {}
    with torch.no_grad():
        chain.grammar[3] += 0.25
    held = chain.entries()
    name = chain.grammar_now.weight_names[3]
    assert list(held["grammar"]) == [name]
    assert list(held["segment"]) == list(FEATURES)
    tuned = replace(load_card(MODEL), grammar_weights=tuple(held["grammar"].items()))
    again = ChainWeights(tuned)
    assert again.grammar.tolist() == pytest.approx(chain.grammar.tolist(), abs=1e-4)


def test_what_is_never_seen_keeps_its_weights() -> None:
    usual = [sample(n, 100 * (12 + n)) for n in range(4)]
    refused = [replace(sample(9, 0), amounts=np.array([], np.int64)), sample(8, -1200)]

    def tuned(samples: list[StringSample]) -> ChainWeights:
        chain = Chain(ProductionNet(len(LABELS), (4, 4, 4, 8)), load_card(MODEL))
        return tune(chain, [(samples, 1.0)], [], RECIPE).weights

    before = ChainWeights(load_card(MODEL))
    minus = ["minus" in name for name in before.grammar_now.weight_names]
    for samples, changes in ((usual, False), ([*usual, *refused], True)):
        after = tuned(samples)
        assert bool(after.null != before.null) is changes
        assert bool((after.grammar != before.grammar)[minus].any()) is changes
