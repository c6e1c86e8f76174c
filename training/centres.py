"""Trains the network that says where the middle of each pixel's character is.

Lines of fields and of whole cheques go through the service's own ink, field and line stages. Shards
are kept, so that an interrupted run goes on.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from service.errors import InputError
from service.pipeline.centres import CELL, ROWS, STEP, UNIT, line_rows
from service.pipeline.ink import extract_ink
from service.pipeline.segment import normalise_line
from training.crops import line_truth
from training.data.glyphs import Split
from training.dataset import Sources
from training.descent import Descent, rounded, train
from training.encode import OWN_LIMITS, png
from training.fields import place
from training.shards import Job, build_shards, write_arrays
from training.strips import cut_strips
from training.synth.bank import GlyphBank
from training.synth.cheque import make_cheque
from training.synth.field import FieldMaker
from training.synth.hand import HandWriter

Kind = Literal["fields", "cheques"]
SHARDS: dict[Kind, int] = {"fields": 1000, "cheques": 500}
"""Fields, and cheques, of one shard."""
_FIRST: dict[Kind, int] = {"fields": 500_000_000, "cheques": 510_000_000}
_HAND = 0.85
# Of the zones of a cheque that hold nothing of the amount so many are kept.
_OTHERS = 1
_SOLID = 60
_WIDTHS = (12, 32)
_REACHES = (1, 2, 4, 8, 4, 2, 1)
_WIDEST = 440
# Lines of this many batches are sorted by width together, so that little is padded.
_TOGETHER = 16


@dataclass(frozen=True, slots=True)
class TrueLine:
    """A line as the network sees it, u8 [ROWS, W], and the characters, from 1, that each pixel is
    of, u8 [2, ROWS, W]; 0: none, or no second one."""

    ink: NDArray[np.uint8]
    owner: NDArray[np.uint8]


class CentreNet(nn.Module):
    """Lines u8 [N, ROWS, W] -> f32 [N, 3, ROWS / CELL, W / CELL], see `centres.Centres`.

    Convolutions down to a quarter of the line, there with a reach that grows to a character on
    either side; what they find is brought back to its half and weighed beside what stands there.
    """

    def __init__(self, widths: tuple[int, int] = _WIDTHS) -> None:
        super().__init__()
        a, b = widths
        self.fine = nn.Conv2d(1, a, 5, stride=2, padding=2)
        self.coarse = nn.Conv2d(a, b, 3, stride=2, padding=1)
        self.reach = nn.ModuleList(
            nn.Conv2d(b, b, 3, padding=reach, dilation=reach) for reach in _REACHES
        )
        self.back = nn.Conv2d(b, 4 * a, 1)
        self.both = nn.Conv2d(2 * a, 2 * a, 3, padding=1)
        self.told = nn.Conv2d(2 * a, 3, 1)

    def forward(self, lines: Tensor) -> Tensor:
        fine = torch.relu(self.fine(lines.float()[:, None] / 255))
        coarse = torch.relu(self.coarse(fine))
        for reach in self.reach:
            coarse = coarse + torch.relu(reach(coarse))
        back = nn.functional.pixel_shuffle(self.back(coarse), 2)
        found: Tensor = self.told(torch.relu(self.both(torch.cat([fine, back], dim=1))))
        return found


_Maker = Callable[[int], list[TrueLine]]
_maker: _Maker | None = None  # one a worker process


def _start(sources: Sources, kind: Kind, split: Split) -> None:
    global _maker
    cv2.setNumThreads(1)
    _maker = (_of_fields if kind == "fields" else _of_cheques)(sources, split)


def _of_fields(sources: Sources, split: Split) -> _Maker:
    maker = FieldMaker.load(sources.data, sources.fonts, split, _HAND)

    def make(seed: int) -> list[TrueLine]:
        field = maker.make(seed)
        ink = extract_ink(field.image).ink
        box = 0, 0, ink.shape[1], ink.shape[0]
        return _true_lines(ink, [box], field.owner, field.second)

    return make


def _of_cheques(sources: Sources, split: Split) -> _Maker:
    hand = HandWriter(GlyphBank.load(sources.data, split))

    def make(seed: int) -> list[TrueLine]:
        cheque = make_cheque(seed, hand=hand.write, split=split)
        image, ink, found = cut_strips(png(cheque.image), field_only=False, limits=OWN_LIMITS)
        sought = place(image, cheque.owner, cheque.text)
        if sought is None or sought.image is not image:
            return []
        boxes = dict.fromkeys(zone.box for one in found for zone in one.zones)
        holding = [box for box in boxes if sought.owner[box[1] : box[3], box[0] : box[2]].any()]
        others = [box for box in boxes if box not in holding]
        return _true_lines(ink.ink, holding + others[:_OTHERS], sought.owner)

    return make


def _true_lines(
    ink: NDArray[np.uint8],
    boxes: Sequence[tuple[int, int, int, int]],
    owner: NDArray[np.uint8],
    second: NDArray[np.uint8] | None = None,
) -> list[TrueLine]:
    """The lines of zones that hold ink; owner, second as in `crops.match_segments`."""
    found = []
    for box in boxes:
        line = normalise_line(ink, box)
        if line is not None:
            truth = [line_rows(one, line.centre)[0] for one in line_truth(line, owner, second)]
            found.append(TrueLine(line_rows(line.ink, line.centre)[0], np.stack(truth)))
    return found


def _build(kind: Kind, first: int, job: Job) -> int:
    path, number = job
    assert _maker is not None
    made: list[TrueLine] = []
    start = _FIRST[kind] + (first + number) * SHARDS[kind]
    for seed in range(start, start + SHARDS[kind]):
        # The service refuses some pictures of odd shapes: there is nothing to learn from them.
        with suppress(InputError):
            made += _maker(seed)
    pack(made, path)
    return number


def pack(lines: Sequence[TrueLine], path: Path) -> None:
    """Write lines as one file: all of them side by side, and how wide each is."""
    none = np.zeros((3, ROWS, 0), np.uint8)
    layers = (np.concatenate([one.ink[None], one.owner]) for one in lines)
    held = {
        "layers": np.concatenate([none, *layers], axis=2),
        "widths": np.array([one.ink.shape[1] for one in lines], np.int64),
    }
    write_arrays(path, held, small=True)


def build_lines(
    sources: Sources,
    folder: Path,
    kind: Kind,
    shards: int,
    split: Split,
    workers: int = 2,
    first: int = 0,
) -> Iterator[int]:
    """Write the missing shards of a kind, `shards` of them from number `first` on; yields each
    one's number among these."""
    paths = [folder / f"{kind}-{number:04d}.npz" for number in range(first, first + shards)]
    given = sources, kind, split
    return build_shards(paths, _start, given, partial(_build, kind, first), workers)


def load_lines(folder: Path) -> list[TrueLine]:
    """The lines of a folder's shards."""
    found = []
    for path in sorted(folder.glob("*-????.npz")):
        with np.load(path) as file:
            layers, widths = file["layers"], file["widths"]
        for end, width in zip(np.cumsum(widths).tolist(), widths.tolist(), strict=True):
            own = layers[:, :, end - width : end]
            found.append(TrueLine(own[0], own[1:]))
    return found


@dataclass(frozen=True, slots=True)
class CentreRecipe:
    """How to train: lines seen in all, of them a step, peak learning rate, and the like."""

    lines: int = 250_000
    batch: int = 16
    rate: float = 3e-3
    average: float = 0.998
    seed: int = 0
    every: int = 250


def train_centres(
    network: CentreNet,
    lines: Sequence[TrueLine],
    recipe: CentreRecipe,
    checkpoint: Path | None = None,
    progress: Callable[[int, float, CentreNet], None] | None = None,
) -> CentreNet:
    """Train a network on lines; returns the averaged network, see `descent.train`."""

    def losses(network: CentreNet, rng: np.random.Generator) -> Iterator[Tensor]:
        for batch in _batches(lines, recipe.batch, rng):
            seen, wanted, known = _collated([_changed(one, rng) for one in batch])
            with rounded():
                found = network(seen)
            yield _loss(found.float(), wanted, known)

    how = Descent(
        recipe.lines // recipe.batch, recipe.batch, recipe.rate, warm=200, decay=1e-4,
        steepest=1.0, average=recipe.average, seed=recipe.seed, every=recipe.every,
    )  # fmt: skip
    return train(network, losses, how, checkpoint, progress)


def loss_of(network: CentreNet, lines: Sequence[TrueLine], size: int = 16) -> float:
    """The mean loss of batches of lines that are not changed."""
    ordered = sorted(lines, key=lambda one: one.ink.shape[1])
    lost = []
    for start in range(0, len(ordered), size):
        seen, wanted, known = _collated(ordered[start : start + size])
        with torch.no_grad():
            lost.append(float(_loss(network(seen), wanted, known)))
    return float(np.mean(lost)) if lost else 0.0


def _batches(
    lines: Sequence[TrueLine], size: int, rng: np.random.Generator
) -> Iterator[list[TrueLine]]:
    """Batches of lines about as wide as each other, without end."""
    while True:
        drawn = rng.integers(len(lines), size=size * _TOGETHER).tolist()
        drawn.sort(key=lambda i: lines[i].ink.shape[1])
        for start in rng.permutation(_TOGETHER).tolist():
            yield [lines[i] for i in drawn[size * start : size * (start + 1)]]


def _changed(line: TrueLine, rng: np.random.Generator) -> TrueLine:
    """A part of a line, no wider than the widest, a little higher or lower, of other darkness."""
    width = line.ink.shape[1]
    left = int(rng.integers(max(width - _WIDEST, 0) + 1))
    down = int(rng.integers(-3, 4))
    ink, *owner = (
        np.roll(one[:, left : left + _WIDEST], down, axis=0) for one in (line.ink, *line.owner)
    )
    darker = np.clip(ink * rng.uniform(0.7, 1.2), 0, 255).astype(np.uint8)
    return TrueLine(np.where(ink > _SOLID, np.maximum(darker, _SOLID + 1), darker), np.stack(owner))


def _collated(batch: Sequence[TrueLine]) -> tuple[Tensor, Tensor, Tensor]:
    """Lines side by side, u8 [N, ROWS, W]; what is wanted of their cells, f32 [N, 3, h, w]; and
    what is known, f32 [N, 2, h, w]: whether ink is of a character, and where its middle is."""
    width = -(-max(one.ink.shape[1] for one in batch) // STEP) * STEP
    seen = np.zeros((len(batch), ROWS, width), np.uint8)
    wanted = np.zeros((len(batch), 3, ROWS // CELL, width // CELL), np.float32)
    known = np.zeros((len(batch), 2, ROWS // CELL, width // CELL), np.float32)
    for row, one in enumerate(batch):
        seen[row, :, : one.ink.shape[1]] = one.ink
        own = np.zeros((2, ROWS, width), np.uint8)
        own[:, :, : one.ink.shape[1]] = one.owner
        wanted[row], known[row] = _wanted(seen[row], own)
    return torch.from_numpy(seen), torch.from_numpy(wanted), torch.from_numpy(known)


def _wanted(
    ink: NDArray[np.uint8], owner: NDArray[np.uint8]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What is wanted of one line's cells, and what is known, as the darkest pixel of each tells."""
    cells = _by_cell(ink)
    darkest = cells.argmax(axis=-1)[..., None]
    dark = np.take_along_axis(cells, darkest, axis=-1)[..., 0]
    first, second = (np.take_along_axis(_by_cell(one), darkest, axis=-1)[..., 0] for one in owner)
    middles = _middles(owner)
    rows, columns = first.shape
    right = (middles[first, 0] - CELL * np.arange(columns) - (CELL - 1) / 2) / UNIT
    below = (middles[first, 1] - CELL * np.arange(rows)[:, None] - (CELL - 1) / 2) / UNIT
    known = (dark > _SOLID) & (second == 0)
    return (
        np.stack([first == 0, right, below]).astype(np.float32),
        np.stack([known, known & (first > 0)]).astype(np.float32),
    )


def _by_cell(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pixels of each cell of an image; u8 [h, w, CELL * CELL]."""
    height, width = image.shape
    apart = image.reshape(height // CELL, CELL, width // CELL, CELL)
    return apart.transpose(0, 2, 1, 3).reshape(height // CELL, width // CELL, -1)


def _middles(owner: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The middle of the box of each character's ink, x and y; f32 [1 + most, 2], from row 1."""
    found = np.zeros((int(owner.max()) + 1, 2), np.float32)
    for number in np.unique(owner[owner > 0]).tolist():
        x, y, w, h = cv2.boundingRect((owner == number).any(axis=0).astype(np.uint8))
        found[number] = x + (w - 1) / 2, y + (h - 1) / 2
    return found


def _loss(found: Tensor, wanted: Tensor, known: Tensor) -> Tensor:
    """How surely ink was told from that of no character, and how far off the middles are."""
    told = nn.functional.binary_cross_entropy_with_logits(
        found[:, 0], wanted[:, 0], reduction="none"
    )
    off = torch.sqrt((found[:, 1:] - wanted[:, 1:]) ** 2 + 1e-4) - 1e-2
    ink, owned = known[:, 0], known[:, 1]
    return (told * ink).sum() / ink.sum().clamp(min=1) + (
        off * owned[:, None]
    ).sum() / owned.sum().clamp(min=1)
