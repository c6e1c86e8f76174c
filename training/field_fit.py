"""Fits the weights of the field locator to synthetic cheques.

The runs of words of a page compete with one another and with there being no field:
P(run) = exp(w . f) / (1 + sum over the page's runs of exp(w . f)), and a page's loss is -log of the
sum over the runs that are its field. Scale and bias are then fitted once more on the candidates
that are really chosen, so that sigmoid(w . f) is the probability that one is the field.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from service.pipeline.field import find_places, locate_fields
from service.pipeline.field_features import FEATURES, WEIGHTS
from service.pipeline.ink import InkImage, extract_ink
from training.fields import Sought, is_field, rank_of, seek
from training.synth.cheque import SyntheticCheque

Floats = NDArray[np.float32]

_HARDEST = 120
_RIDGE = 0.1
_STEPS = 150
_MOST = 4
_SCALED = 300


@dataclass(frozen=True, slots=True)
class Seen:
    """One page ready to be located again and again: its truth, text and ink."""

    sought: Sought
    text: str
    ink: InkImage


@dataclass(frozen=True, slots=True)
class Choice:
    """The runs of one page: features f32 [R, F] and which of them are the field, bool [R]."""

    features: Floats
    true: NDArray[np.bool_]


def look(made: Iterable[tuple[int, str, SyntheticCheque]]) -> Iterator[Seen]:
    """The pages of cheques whose amount is to be read."""
    for _, _, cheque in made:
        sought = None if cheque.amount_minor is None else seek(cheque)[0]
        if sought is not None:
            yield Seen(sought, cheque.text, extract_ink(sought.image.grey))


def choice_of(seen: Seen) -> Choice | None:
    """All runs of a page, labelled; None where the page has none."""
    places = find_places(seen.ink)
    if places is None:
        return None
    x0, y0, x1, y1 = seen.sought.box
    boxes = places.boxes
    near = (boxes[:, 0] < x1) & (boxes[:, 2] > x0) & (boxes[:, 1] < y1) & (boxes[:, 3] > y0)
    near &= boxes[:, 2] - boxes[:, 0] > 0.5 * (x1 - x0)
    true = np.zeros(len(boxes), bool)
    for run in np.flatnonzero(near).tolist():
        true[run] = is_field((places.zone(run),), seen.sought, seen.text)
    return Choice(places.features, true)


def present_weights() -> Floats:
    """The weights that the service has; f32 [F]."""
    return np.array(list(WEIGHTS.values()), np.float32)


def fit(choices: list[Choice], ridge: float = _RIDGE) -> Floats:
    """Weights f32 [F] under which the fields of the pages are most probable.

    Of each page only the runs that the present weights find likeliest compete. Raises ValueError
    where no page has its field among its runs.
    """
    if not any(one.true.any() for one in choices):
        raise ValueError("no page has its field among its runs of words")
    start = present_weights()
    features, true, page = [], [], []
    for number, one in enumerate(choices):
        kept = one.true.copy()
        kept[np.argsort(-(one.features @ start), kind="stable")[:_HARDEST]] = True
        features.append(one.features[kept])
        true.append(one.true[kept])
        page.append(np.full(int(kept.sum()), number))
    x = torch.from_numpy(np.concatenate(features).astype(np.float64))
    wanted = torch.from_numpy(np.concatenate(true))
    of_page = torch.from_numpy(np.concatenate(page))
    weights = torch.from_numpy(start.astype(np.float64)).requires_grad_()
    optimizer = torch.optim.LBFGS([weights], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = _loss(x @ weights, wanted, of_page, len(choices)) + ridge / 2 * (weights**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    return weights.detach().numpy().astype(np.float32)


def _loss(z: torch.Tensor, wanted: torch.Tensor, of_page: torch.Tensor, pages: int) -> torch.Tensor:
    """-log P of the field, or of none on pages whose runs do not hold it, summed over pages."""
    most = z.new_zeros(pages).scatter_reduce(0, of_page, z.detach(), "amax")
    odds = torch.exp(z - most[of_page])
    every = z.new_zeros(pages).index_add(0, of_page, odds) + torch.exp(-most)
    right = z.new_zeros(pages).index_add(0, of_page, odds * wanted)
    none = z.new_zeros(pages).index_add(0, of_page, wanted.to(z.dtype)) == 0
    right = torch.where(none, torch.exp(-most), right)
    return (torch.log(every) - torch.log(right + 1e-300)).sum()


def scaled(weights: Floats, seen: Iterable[Seen]) -> Floats:
    """The weights with scale and bias under which the probabilities of the runs chosen hold.

    The field map's places have none of these weights, and are left out.
    """
    odds, right = [], []
    for one in seen:
        for candidate in locate_fields(one.sought.image, one.ink, weights=weights, most=_MOST):
            if not candidate.features.any():
                continue
            odds.append(float(candidate.features @ weights))
            right.append(is_field(candidate.zones, one.sought, one.text))
    z = torch.tensor(odds, dtype=torch.float64)
    target = torch.tensor(right, dtype=torch.float64)
    line = torch.tensor([1.0, 0.0], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([line], max_iter=_STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = torch.nn.functional.binary_cross_entropy_with_logits(line[0] * z + line[1], target)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    scale, bias = line.detach().tolist()
    fitted = weights * np.float32(scale)
    fitted[FEATURES.index("one")] += bias
    return fitted


def recall(weights: Floats, seen: Iterable[Seen]) -> tuple[float, ...]:
    """Share of pages whose field is among the first 1, 2, 3 and 4 candidates."""
    ranks = []
    for one in seen:
        candidates = locate_fields(one.sought.image, one.ink, weights=weights, most=_MOST)
        rank = rank_of(candidates, one.sought, one.text)
        ranks.append(_MOST if rank is None else rank)
    return tuple(float(np.mean([rank < most for rank in ranks])) for most in range(1, _MOST + 1))


@dataclass(frozen=True, slots=True)
class Refit:
    """Fitted weights f32 [F], with recall at 1, 2, 3 and 4 before and after on held-out pages."""

    weights: Floats
    before: tuple[float, ...]
    after: tuple[float, ...]


def refit(
    train: Iterable[tuple[int, str, SyntheticCheque]],
    valid: Iterable[tuple[int, str, SyntheticCheque]],
    progress: Callable[[], None] = lambda: None,
) -> Refit:
    """Fit to one split's cheques and compare on another's; progress is called after each cheque."""
    choices: list[Choice] = []
    chosen: list[Seen] = []
    for one in look(train):
        choice = choice_of(one)
        choices += [] if choice is None else [choice]
        if len(chosen) < _SCALED:
            chosen.append(one)
        progress()
    held_out = []
    for one in look(valid):
        held_out.append(one)
        progress()
    weights = scaled(fit(choices), chosen)
    return Refit(weights, recall(present_weights(), held_out), recall(weights, held_out))


def as_table(weights: Floats) -> str:
    """The weights as the lines of WEIGHTS in service/pipeline/field_features.py."""
    lines = zip(FEATURES, weights.tolist(), strict=True)
    return "\n".join(f'    "{name}": {weight:.2f},' for name, weight in lines)
