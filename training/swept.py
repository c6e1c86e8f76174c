"""The space displacement network (section VII): one network swept over a whole strip.

It has an output for every four columns: a symbol, or none. Which columns say the symbols of a
text is not labelled: the loss sums over all ways (forward training, section VI-E). Outputs of a
column are normalised together, so that every other text is pushed away at once.
"""

import copy
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from service.pipeline.strip import LAYERS, STRIP_HEIGHT
from training.checkpoint import Stateful, resume, save
from training.dataset import Sources
from training.descent import average, descend, folded, rounded
from training.strips import KINDS, SYMBOLS, Kind, Strip, build_strips, load_strips

COLUMNS = 4
"""Columns of a strip to one output."""
NOTHING = len(SYMBOLS)
"""The output for no symbol, the last one."""
INK, PAPER = 1.275, -0.1
SHARES: dict[Kind, float] = {"fields": 0.44, "print": 0.2, "cheques": 0.18, "strings": 0.1}
SILENT_SHARE = 0.08
"""Of a batch: strips that say something, by kind, and strips of no amount."""
PRINT_SHARES: dict[Kind, float] = {"print": 0.46, "typed": 0.46}
"""The same where print alone is learned."""
KEPT_SHARES: dict[Kind, float] = {"hands": 0.7, "strings": 0.1, "cheques": 0.2}
"""Of what is said as before meanwhile, by kind."""


class SweptNet(nn.Module):
    """Convolutions down to one row, and along it.

    Input: strips u8 [N, LAYERS, 36, W], 255 the darkest, W a multiple of 4. Output:
    f32 [N, W / 4, K + 1] log probabilities of SYMBOLS and of none.
    """

    def __init__(self, widths: tuple[int, int, int, int, int] = (24, 48, 64, 80, 160)) -> None:
        super().__init__()
        a, b, c, d, e = widths
        self.rows = nn.Sequential(
            *block(LAYERS, a, (3, 3), (1, 1)),
            nn.MaxPool2d(2),
            *block(a, b, (3, 3), (1, 1)),
            nn.MaxPool2d(2),
            *block(b, c, (3, 3), (1, 1)),
            *block(c, d, (3, 3), (1, 1)),
            nn.MaxPool2d((2, 1)),
            *block(d, e, (STRIP_HEIGHT // 8, 3), (0, 1)),
        )
        self.near = nn.Sequential(nn.Dropout(0.1), *block(e, e, (1, 5), (0, 2)))
        self.far = nn.Sequential(
            nn.Dropout(0.1),
            nn.Conv2d(e, e, (1, 5), padding=(0, 4), dilation=(1, 2), bias=False),
            nn.BatchNorm2d(e),
            nn.ReLU(),
        )
        self.symbols = nn.Sequential(nn.Dropout(0.1), nn.Conv2d(e, NOTHING + 1, 1))

    def forward(self, strips: Tensor) -> Tensor:
        x = self.rows(strips.float() * (INK / 255.0) + PAPER)
        x = x + self.near(x)
        x = x + self.far(x)
        return torch.log_softmax(self.symbols(x).squeeze(2).transpose(1, 2).float(), dim=2)


def block(
    inputs: int, outputs: int, kernel: tuple[int, int], padding: tuple[int, int], stride: int = 1
) -> list[nn.Module]:
    """A convolution over [N, inputs, H, W], its norm and what is above 0 of it; sizes in pixels."""
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, padding, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(),
    ]


def forward_penalty(outputs: Tensor, symbols: Tensor, lengths: Tensor) -> Tensor:
    """-log of the summed probability of all ways to say a text, f32 [N] (section VI-E).

    outputs [N, T, K + 1]: log probabilities; symbols i64 [N, U], padded; lengths i64 [N]. Each
    symbol is said by one column, all other columns say none. +infinity where U > T.
    """
    count, steps, _ = outputs.shape
    places = symbols.shape[1] + 1
    said = outputs.gather(2, symbols.unsqueeze(1).expand(-1, steps, -1))
    silent = outputs[:, :, NOTHING:]
    ahead = outputs.new_full((count, places), -1e30)
    ahead[:, 0] = 0.0
    for step in range(steps):
        stayed = ahead + silent[:, step]
        moved = ahead[:, :-1] + said[:, step]
        ahead = torch.cat([stayed[:, :1], torch.logaddexp(stayed[:, 1:], moved)], dim=1)
    return -ahead.gather(1, lengths.unsqueeze(1)).squeeze(1)


@dataclass(frozen=True, slots=True)
class StripDistortion:
    """Ranges of the distortions of whole strips, each drawn uniformly from [-range, range].

    shear: ratio; turn: rise of the line over its length, px; stretch, size: natural logarithms of
    the width's and of the height's factor; shift: px up or down; bend: px of a smooth random
    displacement within a character; wander: px across and down of one from character to character,
    so that neighbours differ in width, height and where they stand; thick: share of strips whose
    strokes are thinned or thickened; contrast: natural logarithm of the exponent of each layer;
    found: share of strips whose ink is found anew, in the darkness; noise: the most of its standard
    deviation in the darkness, of 1; blurred: share of strips that are out of focus, and the most of
    the blur's standard deviation, px.
    """

    shear: float = 0.3
    turn: float = 2.0
    stretch: float = 0.15
    size: float = 0.15
    shift: float = 2.0
    bend: float = 1.2
    wander: tuple[float, float] = (9.0, 6.0)
    thick: float = 0.3
    contrast: float = 0.4
    found: float = 0.15
    noise: float = 0.06
    blurred: tuple[float, float] = (0.0, 2.0)


PRINT_DISTORTION = StripDistortion(
    shear=0.12, bend=0.6, wander=(1.5, 1.0), found=0.3, blurred=(0.35, 2.2)
)
"""What happens to print: its characters keep their places, many images are out of focus."""

# Darkness from which on strokes are found anew, and how steeply they come out of it.
_FOUND_FROM = (0.2, 0.5)
_FOUND_SLOPE = 6.0


def distort(strips: Tensor, how: StripDistortion, generator: torch.Generator) -> Tensor:
    """Strips u8 [N, LAYERS, 36, W] -> distorted strips of the same shape."""
    count, _, height, width = strips.shape

    def within(span: float) -> Tensor:
        return (torch.rand(count, 1, 1, generator=generator) * 2 - 1) * span

    def chance() -> Tensor:
        return torch.rand(count, 1, 1, 1, generator=generator)

    y = torch.arange(height).view(1, -1, 1) - (height - 1) / 2
    x = torch.arange(width).view(1, 1, -1) - (width - 1) / 2
    across = torch.exp(within(how.stretch).clamp(min=-how.stretch / 3))
    source_x = x * across + within(how.shear) * y
    source_y = y * torch.exp(within(how.size)) + within(how.turn) * x / width + within(how.shift)

    def smooth(rows: int, every: int, across: float, down: float) -> Tensor:
        drawn = torch.rand(count, 2, rows, max(width // every, 2), generator=generator) * 2 - 1
        drawn *= torch.tensor([across, down]).view(1, 2, 1, 1)
        return functional.interpolate(drawn, (height, width), mode="bilinear", align_corners=True)

    moved = smooth(3, 16, how.bend, how.bend) + smooth(2, 32, *how.wander) * chance()
    grid = torch.stack(
        [
            (source_x + moved[:, 0]) * (2 / width),
            (source_y + moved[:, 1]) * (2 / height),
        ],
        dim=3,
    )
    seen = functional.grid_sample(strips.float() / 255, grid, align_corners=False)
    draw = chance()
    blurred = functional.avg_pool2d(seen, 3, 1, 1)
    thick = torch.maximum(seen, (blurred * 1.6).clamp(0, 1))
    thin = torch.minimum(seen, ((blurred - 0.2) * 2).clamp(0, 1))
    seen = torch.where(
        draw < how.thick / 2, thick, torch.where(draw > 1 - how.thick / 2, thin, seen)
    ).clamp(0, 1)
    ink, darkness = seen[:, :1], seen[:, 1:]
    low, high = _FOUND_FROM
    out_of_focus = torch.zeros(count, 1, 1, 1, dtype=torch.bool)
    if how.blurred[0]:
        out_of_focus = chance() < how.blurred[0]
        hazy = _hazy(darkness, how.blurred[1] * torch.rand(count, generator=generator))
        darkness = torch.where(out_of_focus, hazy, darkness)
    anew = ((darkness - (low + (high - low) * chance())) * _FOUND_SLOPE).clamp(0, 1)
    ink = torch.where((chance() < how.found) | out_of_focus, anew, ink)
    noise = torch.randn(darkness.shape, generator=generator) * (chance() * how.noise)
    darkness = (darkness + noise).clamp(0, 1)
    exponents = torch.exp(torch.stack([within(how.contrast), within(how.contrast)], dim=1))
    distorted = torch.cat([ink, darkness], dim=1) ** exponents
    return (distorted * 255).round().to(torch.uint8)


def _hazy(darkness: Tensor, sigma: Tensor) -> Tensor:
    """Darkness f32 [N, 1, 36, W] out of focus, its darkest as dark as before.

    sigma: f32 [N], standard deviation of the blur, px.
    """
    reach = torch.arange(-5, 6)
    weights = torch.exp(-0.5 * (reach / sigma.clamp(min=0.1)[:, None]) ** 2)
    weights = weights / weights.sum(dim=1, keepdim=True)
    count = len(darkness)
    row = functional.conv2d(
        darkness.transpose(0, 1), weights.view(count, 1, 1, -1), padding=(0, 5), groups=count
    )
    both = functional.conv2d(row, weights.view(count, 1, -1, 1), padding=(5, 0), groups=count)
    hazy = both.transpose(0, 1)
    dark, left = (one.flatten(1).amax(dim=1).view(-1, 1, 1, 1) for one in (darkness, hazy))
    return hazy * (dark / left.clamp(min=1e-3))


def batched(
    strips: Sequence[Strip], order: NDArray[np.int64], size: int
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Strips in an order, batches of like widths: layers, symbols and their numbers."""
    for start in range(0, len(order), 64 * size):
        part = order[start : start + 64 * size]
        part = part[np.argsort([strips[i].layers.shape[2] for i in part], kind="stable")]
        groups = [part[k : k + size] for k in range(0, len(part), size)]
        for group in sorted(groups, key=lambda g: int(g[0])):
            yield collated([strips[i] for i in group])


def collated(strips: Sequence[Strip]) -> tuple[Tensor, Tensor, Tensor]:
    """Strips side by side: u8 [N, LAYERS, 36, W], symbols i64 [N, U], lengths i64 [N]."""
    width = max(strip.layers.shape[2] for strip in strips)
    width += -width % (2 * COLUMNS)
    length = max(len(strip.symbols) for strip in strips)
    layers = np.zeros((len(strips), LAYERS, STRIP_HEIGHT, width), np.uint8)
    symbols = np.zeros((len(strips), max(length, 1)), np.int64)
    for row, strip in enumerate(strips):
        layers[row, :, :, : strip.layers.shape[2]] = strip.layers
        symbols[row, : len(strip.symbols)] = strip.symbols
    lengths = np.array([len(strip.symbols) for strip in strips])
    return torch.from_numpy(layers), torch.from_numpy(symbols), torch.from_numpy(lengths)


@dataclass(frozen=True, slots=True)
class SweptRecipe:
    """How to train: strips seen in all, of them a step, peak learning rate, and the like.

    hopeless: penalty beyond which a strip pulls less (the constant of equation 9). keep: weight of
    what is to be said as before, a nat of it against a nat of penalty. average: decay of the moving
    average of the weights, which is what is returned. every: steps from one checkpoint to the next.
    distortion, kept_distortion: of what is learned, and of what is said as before.
    """

    strips: int = 1_500_000
    batch: int = 64
    rate: float = 2e-3
    decay: float = 1e-2
    hopeless: float = 12.0
    keep: float = 1.0
    average: float = 0.999
    seed: int = 0
    every: int = 500
    distortion: StripDistortion = StripDistortion()
    kept_distortion: StripDistortion = StripDistortion()


@dataclass(frozen=True, slots=True)
class SweptProgress:
    """Strips seen, and the mean loss since last told."""

    strips: int
    loss: float


def train_swept(
    network: SweptNet,
    kinds: Sequence[tuple[Sequence[Strip], float]],
    recipe: SweptRecipe,
    *,
    kept: Sequence[tuple[Sequence[Strip], float]] = (),
    before: SweptNet | None = None,
    checkpoint: Path | None = None,
    progress: Callable[[SweptProgress, SweptNet], None] | None = None,
) -> SweptNet:
    """Train a network on kinds of strips, each with its share; returns the averaged network.

    kept, before: both or neither; of these kinds the network learns to say what that one says,
    column by column, whatever is written there (learning without forgetting: Li and Hoiem, 2016).
    checkpoint: an interrupted run goes on from it. progress: called at the same times with the
    averaged network. Raises ValueError where one of the two is missing.
    """
    if bool(kept) != (before is not None):
        raise ValueError("what is kept, and the network that says it, belong together")
    network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    averaged = copy.deepcopy(network)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.decay)
    steps = recipe.strips // recipe.batch
    restored: dict[str, Stateful] = {
        "network": network, "averaged": averaged, "optimizer": optimizer
    }  # fmt: skip
    first = resume(checkpoint, **restored)
    rng = np.random.default_rng([recipe.seed, first])
    generator = torch.Generator().manual_seed(recipe.seed * 1_000_003 + first)
    learned, known = (_drawn(some, recipe.batch, rng) for some in (kinds, kept))
    told: list[float] = []
    network.train()
    for step in range(first, steps):
        for group in optimizer.param_groups:
            group["lr"] = recipe.rate * _pace(step, steps)
        layers, symbols, lengths = next(learned)
        layers = distort(layers, recipe.distortion, generator)
        with rounded():
            outputs = network(layers)
        losses = forward_penalty(outputs.float(), symbols, lengths)
        loss = bounded(losses, recipe.hopeless).mean()
        if before is not None:
            layers = distort(next(known)[0], recipe.kept_distortion, generator)
            with rounded(), torch.no_grad():
                said_before = before(layers).float()
            with rounded():
                outputs = network(layers)
            far = divergence(said_before, outputs.float())
            loss = loss + recipe.keep * far.mean()
        descend(loss, optimizer, network, steepest=5.0)
        average(averaged, network, min(recipe.average, (step + 1) / (step + 10)))
        told.append(float(loss.detach()))
        if (step + 1) % recipe.every == 0 or step + 1 == steps:
            save(checkpoint, step + 1, **restored)
            if progress is not None:
                progress(SweptProgress((step + 1) * recipe.batch, float(np.mean(told))), averaged)
            told = []
    return averaged


def _drawn(
    kinds: Sequence[tuple[Sequence[Strip], float]], size: int, rng: np.random.Generator
) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Batches of kinds of strips without end, drawn by the kinds' shares."""
    pool = [strip for some, _ in kinds for strip in some]
    shares = np.concatenate([np.full(len(some), share / len(some)) for some, share in kinds])
    while True:
        order = rng.choice(len(pool), 64 * size, p=shares / shares.sum())
        batches = list(batched(pool, order, size))
        yield from (batches[i] for i in rng.permutation(len(batches)))


def divergence(before: Tensor, after: Tensor) -> Tensor:
    """How far what is said of strips went from what was, f32 [N], in nats summed over columns.

    before, after: f32 [N, T, K + 1], log probabilities (Kullback and Leibler).
    """
    return (before.exp() * (before - after)).sum(dim=(1, 2))


def bounded(losses: Tensor, hopeless: float) -> Tensor:
    """Losses that grow as their logarithm from `hopeless` on: in the beginning all are larger."""
    return torch.where(
        losses < hopeless, losses, hopeless * (1 + torch.log(losses.clamp(min=hopeless) / hopeless))
    )


def _pace(step: int, steps: int) -> float:
    """The learning rate's share of its peak: up within a thirtieth, then down as a cosine."""
    warm = max(steps // 30, 1)
    if step < warm:
        return (step + 1) / warm
    return float(0.5 * (1 + np.cos(np.pi * (step - warm) / max(steps - warm, 1)))) + 1e-3


def said(network: nn.Module, strips: Sequence[Strip], size: int = 128) -> list[str]:
    """The likeliest symbols of each strip, column by column."""
    network.eval()
    found = [""] * len(strips)
    order = np.argsort([strip.layers.shape[2] for strip in strips], kind="stable")
    for start in range(0, len(order), size):
        group = order[start : start + size]
        layers, _, _ = collated([strips[i] for i in group])
        with torch.no_grad():
            best = network(layers).argmax(dim=2)
        for row, index in enumerate(group.tolist()):
            found[index] = "".join(SYMBOLS[k] for k in best[row].tolist() if k != NOTHING)
    return found


def build_swept_material(
    sources: Sources,
    folder: Path,
    shards: Mapping[Kind, int],
    held_out: int,
    workers: int,
    first: int = 0,
) -> Iterator[str]:
    """Make the strips that are missing; yields what has been made.

    shards: thousands of images of each kind, from thousand `first` on; held_out: of other writers,
    of each kind of which there are any.
    """
    for kind in KINDS:
        for number in build_strips(
            sources, folder / "train", kind, shards.get(kind, 0), "train", workers, first
        ):
            yield f"{kind} {number + 1} of {shards[kind]}"
        if held_out and shards.get(kind):
            for _ in build_strips(sources, folder / "valid", kind, held_out, "valid", workers):
                yield f"{kind} held out"


def run_swept(
    folder: Path,
    recipe: SweptRecipe,
    progress: Callable[[SweptProgress, float], None],
    begin: SweptNet | None = None,
    before: SweptNet | None = None,
    *,
    print_alone: bool = False,
) -> SweptNet:
    """Train a network on a folder's material, with a checkpoint and a log there.

    begin: the network to begin with, a new one if left out. print_alone: nothing else is learned.
    before: one that reads hands; then too, and of strips by hand to say what that one says.
    progress: called with where training stands and the share of held-out strips said rightly.
    Raises ValueError where there is nothing to learn, or with `before` nothing to keep.
    """
    loaded = {kind: load_strips(folder / "train", kind) for kind in KINDS}
    keeping = before is not None
    print_alone = print_alone or keeping
    shares = PRINT_SHARES if print_alone else SHARES
    kept_shares = KEPT_SHARES if keeping else {}
    silent = [one for kind in shares for one in loaded[kind] if not len(one.symbols)]
    kinds = [([one for one in loaded[kind] if len(one.symbols)], shares[kind]) for kind in shares]
    kinds.append((silent, SILENT_SHARE))
    kinds = [(some, share) for some, share in kinds if some]
    kept = [(loaded[kind], share) for kind, share in kept_shares.items() if loaded[kind]]
    if not kinds or (keeping and not kept):
        raise ValueError(f"no strips of {' or '.join(kept_shares if kinds else shares)} were made")
    held_out = {kind: load_strips(folder / "valid", kind, 1)[:500] for kind in KINDS}
    truth = {kind: [spelled(strip) for strip in held_out[kind]] for kind in KINDS}

    def tell(now: SweptProgress, averaged: SweptNet) -> None:
        right = {
            kind: [a == b for a, b in zip(said(averaged, held_out[kind]), truth[kind], strict=True)]
            for kind in KINDS
            if held_out[kind]
        }
        every = [one for some in right.values() for one in some]
        whole = float(np.mean(every)) if every else 0.0
        own = {kind: round(float(np.mean(some)), 4) for kind, some in right.items()}
        with (folder / "log.jsonl").open("a") as log:
            log.write(json.dumps({**asdict(now), "valid_right": round(whole, 4), **own}) + "\n")
        progress(now, whole)

    return train_swept(
        folded(begin) if begin else SweptNet(),
        kinds,
        _learning(recipe, print_alone=print_alone, keeping=keeping),
        kept=kept,
        before=before.eval() if before else None,
        checkpoint=folder / "checkpoint.pt",
        progress=tell,
    )


def _learning(recipe: SweptRecipe, *, print_alone: bool, keeping: bool) -> SweptRecipe:
    """The same for print alone; keeping: half of what a step sees is kept."""
    distortion = PRINT_DISTORTION if print_alone else recipe.distortion
    batch = max(1, recipe.batch // 2) if keeping else recipe.batch
    return replace(recipe, batch=batch, distortion=distortion)


def spelled(strip: Strip) -> str:
    """The text of a strip."""
    return "".join(SYMBOLS[symbol] for symbol in strip.symbols.tolist())
