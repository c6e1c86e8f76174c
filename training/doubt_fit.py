"""Fits how far a posterior is believed where signs say that a reading leaves something out."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch

from service.pipeline.card import SIGNS, Doubts, write_doubts
from training.calibrate import FIRST_SEED, Job, Outcome, read_synthetic, state_of
from training.dataset import Sources

# Cheques of their own: what is calibrated afterwards must not have been fitted to.
APART: Final = 10_000_000
FEWEST: Final = 300
# Of the squared weights of signs in units of their deviation, so that a rare sign stays in bounds.
_RIDGE: Final = 0.3
_STEPS: Final = 200
_LEAST: Final = 1e-9


def fit_doubts(outcomes: Sequence[Outcome]) -> Doubts:
    """The doubts under which the outcomes are most probable, of those that hang on confidence.

    That a reading is right is the product of two probabilities, see `Doubts`. No sign makes one
    surer: of few outcomes some would seem to. Raises ValueError where there are too few outcomes,
    or none of them is wrong or right.
    """
    read = [one for one in outcomes if one.hangs]
    right = torch.tensor([one.right for one in read], dtype=torch.float64)
    if len(read) < FEWEST or not 0 < right.sum() < len(read):
        raise ValueError(f"doubts need {FEWEST} cheques, right and wrong ones; these are too few")
    posteriors = torch.tensor([one.posterior for one in read], dtype=torch.float64)
    odds = torch.logit(posteriors, eps=1e-6)
    signs = torch.tensor([one.signs for one in read], dtype=torch.float64)
    spread = signs.std(dim=0)
    unit = torch.where(spread > 0, spread, torch.inf)
    line = torch.tensor([1.0, 0.0, -4.0], dtype=torch.float64, requires_grad=True)
    roots = torch.full((len(SIGNS),), 0.5, dtype=torch.float64, requires_grad=True)
    search = torch.optim.LBFGS(
        [line, roots], max_iter=_STEPS, history_size=20, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        search.zero_grad()
        weights = roots.square()
        alone = torch.sigmoid(line[0] * odds + line[1])
        share = alone * torch.sigmoid(-(line[2] + signs / unit @ weights))
        likely = torch.where(right > 0, share, 1 - share).clamp(min=_LEAST)
        total = -likely.log().sum() + _RIDGE * weights.square().sum() + 1e-3 * line.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    search.step(loss)  # type: ignore[no-untyped-call]
    slope, shift, bias = line.detach().tolist()
    return Doubts(slope, shift, bias, tuple((roots.detach().square() / unit).tolist()))


def fit_model(
    model: Path,
    sources: Sources,
    cheques: int,
    seed: int,
    runs: Path,
    *,
    workers: int = 1,
    progress: Callable[[int], None] = lambda _done: None,
) -> Doubts:
    """Read synthetic cheques of held-out writers and put what is fitted to them into the card."""
    first = FIRST_SEED + APART + seed
    wanted: list[Job] = [("cheque", first + number) for number in range(cheques)]
    state = state_of(model)
    kept = runs / state / "doubted.jsonl"
    outcomes = read_synthetic(model, sources, wanted, kept, workers, progress)
    doubts = fit_doubts(outcomes)
    source: dict[str, Any] = {
        "sample": "synthetic cheques of the writers, fonts and layouts held out as valid",
        "images": len(outcomes),
        "signed": {
            name: int(np.sum([one.signs[n] > 0 for one in outcomes if one.signs]))
            for n, name in enumerate(SIGNS)
        },
        "first_seed": first,
        "reader": state,
        "date": datetime.now(UTC).date().isoformat(),
    }
    write_doubts(model, doubts, source)
    return doubts
