"""Strips with the symbols written on them: what the swept network learns from.

Zones go through the service's own ink, field and line stages. What is no amount's zone has no
symbols, so that the network learns to keep silent on it. Shards are kept, so that an interrupted
run goes on.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from service.errors import InputError
from service.pipeline.container import ImageLimits
from service.pipeline.field import FieldCandidate, locate_fields
from service.pipeline.image import ChequeImage, load_cheque
from service.pipeline.ink import InkImage, extract_ink
from service.pipeline.rules import SPACE
from service.pipeline.segment import normalise_line
from service.pipeline.strip import LAYERS, STRIP_HEIGHT, strip_of
from training.data.fonts import load_fonts
from training.data.glyphs import Split
from training.dataset import LABELS, Sources
from training.encode import OWN_LIMITS, png
from training.fields import is_field, place
from training.shards import Job, build_shards, write_arrays
from training.synth.bank import GlyphBank
from training.synth.cheque import make_cheque
from training.synth.field import FieldMaker
from training.synth.hand import HandWriter
from training.synth.pins import pin_fonts
from training.synth.printed import Printer
from training.synth.strings import StringMaker

Kind = Literal["fields", "print", "cheques", "strings", "hands", "typed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SHARD = 1000
SYMBOLS = (*LABELS[:-1], SPACE)
"""What a strip may say, in the order of the swept network's outputs."""

_DEFAULT_LIMITS = ImageLimits()
# Fields in print, by the kind of their font: protectors are rare on cheques, and read worst.
_PRINT_SHARES = {"machine": 0.6, "dots": 0.1, "protector": 0.3}
# Of a page: how many zones that hold nothing of the amount are kept, and how many that cut it off.
_OTHERS = 2
# Of the ink of a digit that is cut off no more than this is within the zone.
_CUT_OFF = 0.3


@dataclass(frozen=True, slots=True)
class Strip:
    """One strip, u8 [LAYERS, 36, W], and its symbols as indices into SYMBOLS, u8 [L].

    No symbols: no amount.
    """

    layers: NDArray[np.uint8]
    symbols: NDArray[np.uint8]


def symbols_of(text: str) -> NDArray[np.uint8]:
    """The indices of a text's symbols; raises ValueError for one that strips do not have."""
    return np.array([SYMBOLS.index(symbol) for symbol in text], np.uint8)


def zone_strip(ink: InkImage, candidate: FieldCandidate) -> NDArray[np.uint8]:
    """The strip of a candidate's zones in sequence, of no width where they hold no ink."""
    lines = [normalise_line(ink.ink, zone.box) for zone in candidate.zones]
    return strip_of([line for line in lines if line is not None], ink.darkness).layers


def cut_strips(
    data: bytes, *, field_only: bool, limits: ImageLimits = _DEFAULT_LIMITS
) -> tuple[ChequeImage, InkImage, list[FieldCandidate]]:
    """An image file as the service would see it, with its candidate fields."""
    image = load_cheque(data, field_only=field_only, limits=limits)
    ink = extract_ink(image.grey)
    return image, ink, locate_fields(image, ink, field_only=field_only)


def build_strips(
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
    paths = [_shard(folder, kind, number) for number in range(first, first + shards)]
    return build_shards(paths, _start, (sources, kind, split), partial(_build, first), workers)


def load_strips(folder: Path, kind: Kind, shards: int | None = None) -> list[Strip]:
    """The strips of a kind's first shards, or of all."""
    found: list[Strip] = []
    for path in sorted(folder.glob(f"{kind}-????.npz"))[:shards]:
        with np.load(path) as file:
            held = {name: file[name] for name in file.files}
        layers = np.split(held["layers"], np.cumsum(held["widths"])[:-1], axis=2)
        texts = np.split(held["symbols"], np.cumsum(held["lengths"])[:-1])
        found += [Strip(own, text) for own, text in zip(layers, texts, strict=True)]
    return found


def pack(strips: Sequence[Strip], path: Path) -> None:
    """Write strips as one file: all of them side by side, and how wide each is."""
    none = np.zeros((LAYERS, STRIP_HEIGHT, 0), np.uint8)
    held = {
        "layers": np.concatenate([none, *(s.layers for s in strips)], axis=2),
        "widths": np.array([s.layers.shape[2] for s in strips]),
        "symbols": np.concatenate([np.zeros(0, np.uint8), *(s.symbols for s in strips)]),
        "lengths": np.array([len(s.symbols) for s in strips]),
    }
    write_arrays(path, held)


_Maker = Callable[[int], list[Strip]]
_maker: _Maker | None = None  # one a worker process


def _start(sources: Sources, kind: Kind, split: Split) -> None:
    global _maker
    cv2.setNumThreads(1)
    _maker = _makers[kind](sources, split)


def _build(first: int, job: Job) -> int:
    path, number = job
    assert _maker is not None
    made: list[Strip] = []
    start = (first + number) * SHARD
    for seed in range(start, start + SHARD):
        # The service refuses some pictures of odd shapes: there is nothing to learn from them.
        with suppress(InputError):
            made += _maker(seed)
    pack([one for one in made if one.layers.shape[2]], path)
    return number


def _fields(sources: Sources, split: Split) -> _Maker:
    return _of_fields(FieldMaker.load(sources.data, sources.fonts, split), 40_000_000)


def _print(sources: Sources, split: Split) -> _Maker:
    fonts = load_fonts(sources.fonts, split, tuple(_PRINT_SHARES))
    printer = Printer([*fonts, *pin_fonts(split)], _PRINT_SHARES)
    return _of_fields(FieldMaker(printer, printer, 0.0), 45_000_000)


def _hands(sources: Sources, split: Split) -> _Maker:
    return _of_fields(FieldMaker.load(sources.data, sources.fonts, split, 1.0), 50_000_000)


def _of_fields(maker: FieldMaker, first: int) -> _Maker:
    def make(seed: int) -> list[Strip]:
        field = maker.make(first + seed)
        _, ink, found = cut_strips(png(field.image), field_only=True)
        right = [one for one in found if _parts_well(one, field.owner, field.written)]
        return [Strip(zone_strip(ink, one), symbols_of(field.written)) for one in right]

    return make


def _cheques(sources: Sources, split: Split) -> _Maker:
    return _of_cheques(HandWriter(GlyphBank.load(sources.data, split)), split, 40_000_000)


def _typed(sources: Sources, split: Split) -> _Maker:
    writer = HandWriter(GlyphBank.load(sources.data, split))
    return _of_cheques(writer, split, 45_000_000, machine=True)


def _of_cheques(
    hand: HandWriter, split: Split, first: int, *, machine: bool | None = None
) -> _Maker:
    def make(seed: int) -> list[Strip]:
        cheque = make_cheque(first + seed, hand=hand.write, split=split, machine=machine)
        image, ink, found = cut_strips(png(cheque.image), field_only=False, limits=OWN_LIMITS)
        sought = place(image, cheque.owner, cheque.text)
        if sought is None or sought.image is not image:
            return []
        right = [
            one
            for one in found
            if is_field(one.zones, sought, cheque.text)
            and _parts_well(one, sought.owner, cheque.text)
        ]
        strips = [Strip(zone_strip(ink, one), symbols_of(cheque.text)) for one in right]
        others = [one for one in found if not _holds(one, sought.owner)][:_OTHERS]
        others += [one for one in found if _cuts(one, sought.owner, cheque.text)][:_OTHERS]
        return strips + [Strip(zone_strip(ink, one), symbols_of("")) for one in others]

    return make


def _parts_well(candidate: FieldCandidate, owner: NDArray[np.uint8], text: str) -> bool:
    """Whether a candidate has one zone, or its cents zone holds just what is written apart."""
    if len(candidate.zones) == 1:
        return True
    x0, y0, x1, y1 = candidate.zones[1].box
    held = np.unique(owner[y0:y1, x0:x1])
    apart = len(text.rsplit(SPACE, 1)[-1])
    characters = len(text.replace(SPACE, ""))
    if apart in (0, characters):
        return False
    return set(held.tolist()) - {0} == set(range(characters - apart + 1, characters + 1))


def _holds(candidate: FieldCandidate, owner: NDArray[np.uint8]) -> bool:
    """Whether any of a candidate's zones holds ink of the amount."""
    boxes = [zone.box for zone in candidate.zones]
    return any(bool(owner[y0:y1, x0:x1].any()) for x0, y0, x1, y1 in boxes)


def _cuts(candidate: FieldCandidate, owner: NDArray[np.uint8], text: str) -> bool:
    """Whether some of the amount's digits are in a candidate's zones, and others are not."""
    inside = np.zeros(owner.shape, np.bool_)
    for x0, y0, x1, y1 in (zone.box for zone in candidate.zones):
        inside[y0:y1, x0:x1] = True
    characters = text.replace(SPACE, "")
    drawn = np.bincount(owner.ravel(), minlength=len(characters) + 1)
    held = np.bincount(owner[inside], minlength=len(characters) + 1)
    numerals = enumerate(characters.partition("/")[0], 1)
    shares = [held[n] / drawn[n] for n, one in numerals if one.isdigit() and drawn[n]]
    return bool(min(shares, default=1.0) < _CUT_OFF and max(shares, default=0.0) > 1 - _CUT_OFF)


def _strings(sources: Sources, split: Split) -> _Maker:
    maker = StringMaker.load(sources.data, split)

    def make(seed: int) -> list[Strip]:
        string = maker.make(seed)
        _, ink, found = cut_strips(png(string.image), field_only=True)
        return [Strip(zone_strip(ink, one), symbols_of(string.text)) for one in found[:1]]

    return make


_makers = {
    "fields": _fields, "print": _print, "cheques": _cheques, "strings": _strings,
    "hands": _hands, "typed": _typed,
}  # fmt: skip


def _shard(folder: Path, kind: Kind, number: int) -> Path:
    return folder / f"{kind}-{number:04d}.npz"
