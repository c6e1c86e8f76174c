"""Trains the field map's network on synthetic cheques: which cells of a page are the amount's.

Pages go through the service's own ink stage. Shards are kept, so that an interrupted run goes on.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from service.errors import InputError
from service.pipeline.field_map import CELL, LAYERS, page_layers, page_places
from service.pipeline.image import load_cheque
from service.pipeline.ink import extract_ink
from service.pipeline.rules import SPACE
from training.data.glyphs import Split
from training.dataset import Sources
from training.descent import Descent, renormalised, rounded, train
from training.encode import OWN_LIMITS, png
from training.fields import digit_boxes, place
from training.shards import Job, build_shards, write_arrays
from training.synth.bank import GlyphBank
from training.synth.cheque import REFUSED, SyntheticCheque, make_cheque
from training.synth.hand import HandWriter

SHARD = 500
_FIRST = 120_000_000
# Of so many pages in turn one is to be refused, and one is a cheque in print.
_TURN = 5
_TO_REFUSE, _TYPED = 0, 1
_ON_ITS_HEAD = 0.2
# Of so many rounds of all kinds one has the parts of its pages anywhere.
_ANYWHERE = 2
# Of pages that are seen from farther off and a little askew: their share, how much smaller and
# larger they are, as natural logarithms, how much their sides differ, and lean, and how far they
# are from the middle, as shares.
_MOVED = 0.6
_SIZES = (-0.45, 0.08)
_SQUEEZED = 0.08
_LEANING = 0.03
_OFF = 0.12
# Of pages that lack something: their share, of how many parts at most, and how large these are, as
# shares of the page.
_LACKING = 0.3
_PARTS = 3
_PART = (0.05, 0.4)
# A network to begin with is measured on so many pages.
_MEASURED = 256
# Cents that end so much above the other digits, in heights of a digit, are raised.
_RAISED = 0.22
_RAISED_CENTS = re.compile(r".*\d.*\d\d")
_WIDTHS = (8, 16, 32)
_REACHES = (1, 2, 4, 2, 1)


@dataclass(frozen=True, slots=True)
class PageCells:
    """A page as the network sees it, u8 [LAYERS, h, w], and how much of each cell is the amount's,
    and that of cents apart, u8 [2, h / CELL, w / CELL], 255 all of it."""

    layers: NDArray[np.uint8]
    cells: NDArray[np.uint8]


class FieldMapNet(nn.Module):
    """Pages u8 [N, LAYERS, h, w] -> probabilities of cells, f32 [N, 2, h / CELL, w / CELL].

    Convolutions down to an eighth of the page, there with a reach that grows to half of it; what
    they find is brought back to a quarter and weighed beside what stands there.
    """

    def __init__(self, widths: tuple[int, int, int] = _WIDTHS) -> None:
        super().__init__()
        a, b, c = widths
        self.fine = nn.Sequential(_step(LAYERS, a, 5), _step(a, b, 3))
        self.coarse = nn.Sequential(_step(b, c, 3), *(_Reach(c, reach) for reach in _REACHES))
        self.back = nn.ConvTranspose2d(c, b, 2, stride=2)
        self.told = nn.Sequential(
            nn.Conv2d(2 * b, b, 3, padding=1, bias=False),
            nn.BatchNorm2d(b),
            nn.ReLU(),
            nn.Conv2d(b, 2, 3, padding=1),
        )

    def forward(self, pages: Tensor) -> Tensor:
        return torch.sigmoid(self.odds(pages))

    def odds(self, pages: Tensor) -> Tensor:
        """The log odds of the cells."""
        fine = self.fine(pages.float() / 255)
        found: Tensor = self.told(torch.cat([fine, self.back(self.coarse(fine))], dim=1))
        return found


def _step(inside: int, outside: int, size: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, size, stride=2, padding=size // 2, bias=False),
        nn.BatchNorm2d(outside),
        nn.ReLU(),
    )


class _Reach(nn.Module):
    """Adds what a convolution with a certain reach finds."""

    def __init__(self, width: int, reach: int) -> None:
        super().__init__()
        self.found = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=reach, dilation=reach, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
        )

    def forward(self, seen: Tensor) -> Tensor:
        result: Tensor = seen + self.found(seen)
        return result


def page_cells(cheque: SyntheticCheque) -> PageCells | None:
    """What is learned from a cheque as it lies; None where its amount cannot be seen."""
    image = load_cheque(png(cheque.image), limits=OWN_LIMITS)
    layers, (wide, high) = page_layers(extract_ink(image.grey))
    cells = np.zeros((2, layers.shape[1] // CELL, layers.shape[2] // CELL), np.uint8)
    characters = cheque.text.replace(SPACE, "")
    if not characters or cheque.amount_minor is None:
        return PageCells(layers, cells)
    sought = place(image, cheque.owner, cheque.text)
    if sought is None:
        return None
    if sought.image is not image:
        layers, (wide, high) = page_layers(extract_ink(sought.image.grey))
    apart = 2 if raised_cents(sought.owner, characters, sought.height) else 0
    if cheque.cents_box is not None:
        apart = len(cheque.text.rsplit(SPACE, 1)[-1])
    first = len(characters) - apart
    height, width = sought.owner.shape
    for number, (low, most) in enumerate(((1, first), (first + 1, len(characters)))):
        own = ((sought.owner >= low) & (sought.owner <= most)).astype(np.uint8)
        x, y, w, h = cv2.boundingRect(own)
        if w:
            full = np.zeros((height, width), np.uint8)
            full[y : y + h, x : x + w] = 255
            small = cv2.resize(full, (wide, high), interpolation=cv2.INTER_AREA)
            padded = np.zeros(layers.shape[1:], np.uint8)
            padded[:high, :wide] = small
            size = cells.shape[2], cells.shape[1]
            cells[number] = cv2.resize(padded, size, interpolation=cv2.INTER_AREA)
    return PageCells(layers, cells)


def raised_cents(owner: NDArray[np.uint8], text: str, height: float) -> bool:
    """Whether an amount's last two digits end well above the line of the others.

    owner: u8 [H, W], 1 + index of the character of a pixel; text: the characters, SPACE left out;
    height: of a digit, pixels. False where fewer than three digits are seen.
    """
    if not _RAISED_CENTS.fullmatch(text):
        return False
    ends = [y1 for _, _, _, y1 in digit_boxes(owner, text)]
    return len(ends) > 2 and bool(max(ends[-2:]) <= np.median(ends[:-2]) - _RAISED * height)


_hand: HandWriter | None = None  # one a worker process
_split: Split = "train"


def _start(sources: Sources, split: Split) -> None:
    global _hand, _split
    cv2.setNumThreads(1)
    _hand, _split = HandWriter(GlyphBank.load(sources.data, split)), split


def _build(first: int, job: Job) -> int:
    path, number = job
    assert _hand is not None
    # Each as often as the others, in place of how common they are: slips and letters look like
    # cheques, and are rare.
    kinds = list(REFUSED)
    made: list[PageCells] = []
    start = (first + number) * SHARD
    for seed in range(start, start + SHARD):
        turn, place_in_turn = divmod(seed, _TURN)
        kind = kinds[turn % len(kinds)] if place_in_turn == _TO_REFUSE else "cheque"
        machine = True if place_in_turn == _TYPED else None
        layout = "scattered" if turn // len(kinds) % _ANYWHERE else None
        with suppress(InputError):
            cheque = make_cheque(
                _FIRST + seed,
                hand=_hand.write,
                layout=layout,
                kind=kind,
                split=_split,
                machine=machine,
            )
            found = page_cells(cheque)
            made += [] if found is None else [found]
    pack(made, path)
    return number


def _shard(folder: Path, number: int) -> Path:
    return folder / f"pages-{number:04d}.npz"


def pack(pages: Sequence[PageCells], path: Path) -> None:
    """Write pages as one file; where on the page a pixel is is left out."""
    none = np.zeros(0, np.uint8)
    held = {
        "sizes": np.array([one.layers.shape[1:] for one in pages]).reshape(-1, 2),
        "layers": np.concatenate([none, *(one.layers[:2].ravel() for one in pages)]),
        "cells": np.concatenate([none, *(one.cells.ravel() for one in pages)]),
    }
    write_arrays(path, held, small=True)


def build_pages(
    sources: Sources, folder: Path, shards: int, split: Split, workers: int = 2, first: int = 0
) -> Iterator[int]:
    """Write the missing shards of SHARD pages each, `shards` of them from number `first` on; yields
    each one's number among these."""
    paths = [_shard(folder, number) for number in range(first, first + shards)]
    return build_shards(paths, _start, (sources, split), partial(_build, first), workers)


def load_pages(folder: Path) -> list[PageCells]:
    """The pages of a folder's shards."""
    found = []
    for path in sorted(folder.glob("pages-????.npz")):
        with np.load(path) as file:
            sizes, layers, cells = file["sizes"], file["layers"], file["cells"]
        at = of_cells = 0
        for height, width in sizes.tolist():
            rows, columns = height // CELL, width // CELL
            seen = layers[at : at + 2 * height * width].reshape(2, height, width)
            places = page_places(height, width)
            own = cells[of_cells : of_cells + 2 * rows * columns].reshape(2, rows, columns)
            found.append(PageCells(np.concatenate([seen, places]), own))
            at, of_cells = at + 2 * height * width, of_cells + 2 * rows * columns
    return found


@dataclass(frozen=True, slots=True)
class MapRecipe:
    """How to train: pages seen in all, of them a step, peak learning rate, and the like."""

    pages: int = 150_000
    batch: int = 16
    rate: float = 3e-3
    average: float = 0.998
    seed: int = 0
    every: int = 250


def train_map(
    network: FieldMapNet,
    pages: list[PageCells],
    recipe: MapRecipe,
    checkpoint: Path | None = None,
    progress: Callable[[int, float, FieldMapNet], None] | None = None,
) -> FieldMapNet:
    """Train a network on pages; returns the averaged network, see `descent.train`."""
    order = np.argsort([one.layers.shape[2] for one in pages], kind="stable")

    def losses(network: FieldMapNet, rng: np.random.Generator) -> Iterator[Tensor]:
        while True:
            start = int(rng.integers(max(len(order) - recipe.batch, 1)))
            batch = [_changed(pages[i], rng) for i in order[start : start + recipe.batch]]
            layers, cells, known = _collated(batch)
            with rounded():
                odds = network.odds(layers)
            yield (_losses(odds.float(), cells) * known).sum() / (2 * known.sum())

    how = Descent(
        recipe.pages // recipe.batch, recipe.batch, recipe.rate, warm=100, decay=1e-2,
        steepest=5.0, average=recipe.average, seed=recipe.seed, every=recipe.every,
    )  # fmt: skip
    return train(network, losses, how, checkpoint, progress)


def begun_with(network: FieldMapNet, pages: Sequence[PageCells]) -> FieldMapNet:
    """An exported network as training on pages goes on from it, see `renormalised`."""
    some = pages[:: max(len(pages) // _MEASURED, 1)]
    return renormalised(network, [_collated(some[n : n + 16])[0] for n in range(0, len(some), 16)])


def loss_of(network: FieldMapNet, pages: Sequence[PageCells], size: int = 20) -> float:
    """The mean loss of a cell of pages that are not changed."""
    network.eval()
    lost = cells = 0.0
    for start in range(0, len(pages), size):
        layers, true, known = _collated(pages[start : start + size])
        with torch.no_grad():
            losses = _losses(network.odds(layers), true)
        lost += float((losses * known).sum())
        cells += float(known.sum())
    return lost / max(2 * cells, 1.0)


def _losses(odds: Tensor, cells: Tensor) -> Tensor:
    return nn.functional.binary_cross_entropy_with_logits(odds, cells, reduction="none")


def _changed(page: PageCells, rng: np.random.Generator) -> PageCells:
    """A page with lighter or darker ink, and some of its ink or its darkness gone, from farther off
    and askew, and without some of what stands there; or on its head: then nothing on it is an
    amount's."""
    if rng.random() < _LACKING:
        page = lacking_page(page, rng)
    if rng.random() < _MOVED:
        page = moved_page(page, rng)
    layers = page.layers.copy()
    seen = layers[:2].astype(np.float32) * rng.uniform(0.6, 1.3, (2, 1, 1)).astype(np.float32)
    if rng.random() < 0.3:
        seen += rng.normal(0, rng.uniform(2, 12), seen.shape).astype(np.float32)
    layers[:2] = np.clip(seen, 0, 255)
    if rng.random() < 0.15:
        layers[int(rng.integers(2))] = 0
    if rng.random() < _ON_ITS_HEAD:
        layers[:2] = layers[:2, ::-1, ::-1].copy()
        return PageCells(layers, np.zeros_like(page.cells))
    return PageCells(layers, page.cells)


def lacking_page(page: PageCells, rng: np.random.Generator) -> PageCells:
    """A page with up to three parts wiped out; what is the amount's stays."""
    layers = page.layers.copy()
    height, width = layers.shape[1:]
    full = cv2.resize(page.cells.max(axis=0), (width, height), interpolation=cv2.INTER_NEAREST)
    for _ in range(int(rng.integers(1, _PARTS + 1))):
        high, wide = (int(side * rng.uniform(*_PART)) for side in (height, width))
        y, x = int(rng.integers(height - high)), int(rng.integers(width - wide))
        part = layers[:2, y : y + high, x : x + wide]
        part[:, full[y : y + high, x : x + wide] == 0] = 0
    return PageCells(layers, page.cells)


def moved_page(page: PageCells, rng: np.random.Generator) -> PageCells:
    """A page smaller or larger, not quite straight, and not quite in the middle."""
    _, height, width = page.layers.shape
    size, squeezed = rng.uniform(*_SIZES), rng.uniform(-_SQUEEZED, _SQUEEZED)
    lean = rng.uniform(-_LEANING, _LEANING, 2)
    change = np.exp(size) * np.array([[np.exp(squeezed), lean[0]], [lean[1], np.exp(-squeezed)]])
    middle = (np.array([width, height]) - 1) / 2
    to = middle + rng.uniform(-_OFF, _OFF, 2) * (width, height)
    shift = to - change @ middle
    layers, cells = page.layers.copy(), np.empty_like(page.cells)
    for number in range(2):
        layers[number] = cv2.warpAffine(
            page.layers[number], np.column_stack([change, shift]), (width, height)
        )
        # The middles of cells are half a cell less half a pixel from the first pixel's.
        off = (CELL - 1) / 2
        of_cells = (shift + change @ (off, off) - off) / CELL
        cells[number] = cv2.warpAffine(
            page.cells[number],
            np.column_stack([change, of_cells]),
            (page.cells.shape[2], page.cells.shape[1]),
        )
    return PageCells(layers, cells)


def _collated(batch: Sequence[PageCells]) -> tuple[Tensor, Tensor, Tensor]:
    """Pages side by side: u8 [N, LAYERS, h, w], cells f32 [N, 2, ...], and which of those count."""
    high = max(one.layers.shape[1] for one in batch)
    wide = max(one.layers.shape[2] for one in batch)
    layers = np.zeros((len(batch), LAYERS, high, wide), np.uint8)
    cells = np.zeros((len(batch), 2, high // CELL, wide // CELL), np.float32)
    known = np.zeros((len(batch), 1, high // CELL, wide // CELL), np.float32)
    for row, one in enumerate(batch):
        _, height, width = one.layers.shape
        layers[row, :, :height, :width] = one.layers
        cells[row, :, : height // CELL, : width // CELL] = one.cells / 255
        known[row, :, : height // CELL, : width // CELL] = 1
    return torch.from_numpy(layers), torch.from_numpy(cells), torch.from_numpy(known)
