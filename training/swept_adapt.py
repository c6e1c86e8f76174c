"""The swept network tuned to images of which only the amounts are known (sections VI-E and VII).

Its outputs become the graph that the service searches; what spells the amount in it is summed by
the service's own search, whose expectations are the gradient.
"""

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from service.calibration import Sample
from service.errors import InputError
from service.pipeline.automaton import Grammar
from service.pipeline.grammar import grammar_for
from service.pipeline.image import load_cheque
from service.pipeline.search import gradient
from service.pipeline.swept import constraint, swept_lattice
from training.descent import average, descend, rounded
from training.encode import png
from training.gate import Gate, is_print
from training.strips import Strip, cut_strips, zone_strip
from training.swept import (
    COLUMNS,
    StripDistortion,
    SweptNet,
    bounded,
    collated,
    distort,
    forward_penalty,
)
from training.variants import CROPPED, PAGE, varied


@dataclass(frozen=True, slots=True)
class AmountStrip:
    """A strip, u8 [LAYERS, 36, W], and the amounts that it may say, in minor units."""

    layers: NDArray[np.uint8]
    amounts: tuple[int, ...]


def amount_strips(
    sample: Sample,
    amounts_of: Callable[[str, str], tuple[int, ...]],
    *,
    field_only: bool,
    variants: int,
    seed: int = 0,
) -> Iterator[tuple[str, list[list[AmountStrip]]]]:
    """Of every image of a labelled sample, and of so many variants of it, the candidates' strips.

    Nothing where there is nothing to be learned, see `adapt.cut_sample`.
    """
    for number, (name, label) in enumerate(sample.labels.items()):
        found: list[list[AmountStrip]] = []
        try:
            if label != "":
                amounts = amounts_of(label, sample.key)
                rng = np.random.default_rng((seed, number))
                data = (sample.folder / name).read_bytes()
                grey = load_cheque(data, field_only=field_only).grey
                how = CROPPED if field_only else PAGE
                for file in [data, *(png(varied(rng, grey, how)) for _ in range(variants))]:
                    _, ink, fields = cut_strips(file, field_only=field_only)
                    strips = [zone_strip(ink, field) for field in fields]
                    held = [AmountStrip(one, amounts) for one in strips if one.shape[2]]
                    found += [held] if held else []
        except InputError:
            found = []
        yield name, found


class _Spelled(torch.autograd.Function):
    """-log P of the amounts of strips, f64 [N], from a swept network's outputs."""

    @staticmethod
    def forward(
        ctx: Any,
        outputs: Tensor,
        widths: list[int],
        amounts: list[tuple[int, ...]],
        grammar: Grammar,
    ) -> Tensor:
        slopes = torch.zeros_like(outputs, dtype=torch.float64)
        values = []
        for row, (width, some) in enumerate(zip(widths, amounts, strict=True)):
            penalties = -outputs[row, :width].numpy().astype(np.float64)
            value, slope = _spelled(penalties, some, grammar)
            values.append(value)
            slopes[row, :width] = torch.from_numpy(-slope)
        ctx.save_for_backward(slopes)
        return torch.tensor(values, dtype=torch.float64)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        (slopes,) = ctx.saved_tensors
        return (outer[0][:, None, None] * slopes).float(), None, None, None


def _spelled(
    penalties: NDArray[np.float64], amounts: Sequence[int], grammar: Grammar
) -> tuple[float, NDArray[np.float64]]:
    """The penalty of one of several amounts or another, and its gradient, f64 [T, K + 1]."""
    graph = swept_lattice([penalties], [0], silent=-1.0)
    lattice = graph.lattice
    found = [gradient(lattice, grammar, amount) for amount in amounts]
    total = -np.logaddexp.reduce([-one.penalty for one in found])
    slope = np.zeros_like(penalties)
    if total == np.inf:
        return 1e3, slope
    is_space = lattice.segment < 0
    column = graph.columns[lattice.segment[~is_space], 1]
    of_node = dict(zip(lattice.src[~is_space].tolist(), column.tolist(), strict=True))
    spaces = [of_node[node] for node in lattice.src[is_space].tolist()]
    for one in found:
        share = np.exp(total - one.penalty)
        slope[graph.columns[:, 1], :-2] += share * one.labels[:, :-1]
        slope[graph.columns[:, 1], -1] += share * one.labels[:, -1]
        slope[spaces, -2] += share * one.arcs[is_space]
    return float(total), slope


LEAST = 10
"""Fewer images in print, or by hand, teach a network of their own nothing."""
MILD = StripDistortion(shear=0.12, stretch=0.08, size=0.08, bend=0.9, wander=(0.0, 0.0))


@dataclass(frozen=True, slots=True)
class SweptAdaptation:
    """How to tune: passes over the images, the share of a batch that is theirs, and the like."""

    passes: int = 24
    own: float = 0.5
    batch: int = 32
    rate: float = 5e-4
    hopeless: float = 12.0
    average: float = 0.98
    seed: int = 0
    distortion: StripDistortion = MILD


def parted(
    network: SweptNet,
    gate: Gate,
    images: Sequence[Sequence[Sequence[AmountStrip]]],
    synthetic: Sequence[Strip],
    labels: tuple[str, ...],
) -> dict[bool, tuple[list[Sequence[Sequence[AmountStrip]]], list[Strip]]]:
    """Images by what a gate takes them for, True in print, and the synthetic strips for each.

    Of an image the strip that says its amount the likeliest tells. A kind of which there are fewer
    than LEAST images is left out. What reads hands sees print as well, as the gate is not sure of
    all. network: one that reads both kinds; the rest is as in `adapt_swept`.
    """
    grammar = constraint(grammar_for(None, None, labels))
    told = [is_print(gate, _likeliest(network, image[0], grammar).layers) for image in images]
    mixed = {
        False: list(synthetic), True: [one for one in synthetic if is_print(gate, one.layers)]
    }  # fmt: skip
    found = {
        kind: ([image for image, own in zip(images, told, strict=True) if own is kind], strips)
        for kind, strips in mixed.items()
    }
    return {kind: part for kind, part in found.items() if len(part[0]) >= LEAST}


def adapt_swept(
    network: SweptNet,
    images: Sequence[Sequence[Sequence[AmountStrip]]],
    synthetic: Sequence[Strip],
    labels: tuple[str, ...],
    how: SweptAdaptation,
    progress: Callable[[float, float], None] | None = None,
) -> SweptNet:
    """Tune a network to images; returns the averaged network.

    images: of each its renderings, the image itself first; of each rendering the strips of its
    candidates: the one that says the amount likeliest is learned from. synthetic: mixed in, so that
    nothing is forgotten. progress: called with the share done and the mean loss since last told.
    """
    grammar = constraint(grammar_for(None, None, labels))
    averaged = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=how.rate, weight_decay=1e-2)
    rng = np.random.default_rng(how.seed)
    generator = torch.Generator().manual_seed(how.seed)
    own = max(round(how.batch * how.own), 1) if synthetic else how.batch
    steps = max(how.passes * len(images) // own, 1)
    order: list[int] = []
    told: list[float] = []
    network.eval()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = how.rate * min(1.0, (step + 1) / 20) * (1 - step / steps)
        while len(order) < own:
            order += rng.permutation(len(images)).tolist()
        drawn, order = order[:own], order[own:]
        strips = []
        for index in drawn:
            rendering = images[index][int(rng.integers(len(images[index])))]
            strips.append(_likeliest(network, rendering, grammar))
        others = [synthetic[i] for i in rng.integers(len(synthetic), size=how.batch - own)]
        empty = np.zeros(0, np.uint8)
        own_strips = [Strip(one.layers, empty) for one in strips]
        layers, symbols, lengths = collated([*own_strips, *others])
        with rounded():
            outputs = network(distort(layers, how.distortion, generator)).float()
        widths = [-(-one.layers.shape[2] // COLUMNS) for one in strips]
        amounts = [one.amounts for one in strips]
        losses = _Spelled.apply(outputs[:own], widths, amounts, grammar)  # type: ignore[no-untyped-call]
        parts = [bounded(losses.float(), how.hopeless)]
        if others:
            known = forward_penalty(outputs[own:], symbols[own:], lengths[own:])
            parts.append(bounded(known, how.hopeless))
        loss = torch.cat(parts).mean()
        descend(loss, optimizer, network, steepest=2.0)
        average(averaged, network, min(how.average, (step + 1) / (step + 10)))
        told.append(float(parts[0].detach().mean()))
        if progress is not None and ((step + 1) % 20 == 0 or step + 1 == steps):
            progress((step + 1) / steps, float(np.mean(told)))
            told = []
    return averaged


def _likeliest(
    network: SweptNet, candidates: Sequence[AmountStrip], grammar: Grammar
) -> AmountStrip:
    """The strip that says its amount the likeliest."""
    if len(candidates) == 1:
        return candidates[0]
    layers, _, _ = collated([Strip(one.layers, np.zeros(0, np.uint8)) for one in candidates])
    with torch.no_grad():
        outputs = -network(layers).numpy().astype(np.float64)
    values = [
        _spelled(own[: -(-one.layers.shape[2] // COLUMNS)], one.amounts, grammar)[0]
        for own, one in zip(outputs, candidates, strict=True)
    ]
    return candidates[int(np.argmin(values))]
