"""Segmented images with nothing known but their amounts: what global training learns from.

Images go through the service's own stages up to the segmentation graph; what comes after is
trained. Shards of them are kept, so that an interrupted run goes on.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from service.errors import InputError
from service.pipeline.card import Placement
from service.pipeline.container import ImageLimits
from service.pipeline.field import locate_fields
from service.pipeline.field_features import field_penalties
from service.pipeline.image import load_cheque
from service.pipeline.ink import extract_ink
from service.pipeline.segment import SegmentationGraph, segment_fields
from service.pipeline.sight import enough_fields
from training.data.glyphs import Split
from training.dataset import PLACEMENT, Sources
from training.encode import OWN_LIMITS, png
from training.shards import Job, build_shards, write_arrays
from training.synth.bank import GlyphBank
from training.synth.cheque import make_cheque, make_refused
from training.synth.field import FieldMaker
from training.synth.hand import HandWriter

Kind = Literal["fields", "cheques", "strings", "refused"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SHARD = 250
_DEFAULT_LIMITS = ImageLimits()


@dataclass(frozen=True, slots=True)
class StringSample:
    """One image's segmentation graph, without the penalties that are trained, and its amount.

    graph: its penalty holds only what is fixed. field_features f32 [F, D] of each candidate, and
    field_fixed f32 [F]: a candidate's penalty is -log sigmoid(weights . features) + fixed.
    amounts i64 [n]: the true amount in minor units, below zero where it is written as negative;
    several where the truth leaves open which, none where there is no amount.
    """

    graph: SegmentationGraph
    field_features: NDArray[np.float32]
    field_fixed: NDArray[np.float32]
    amounts: NDArray[np.int64]


def cut_image(
    data: bytes,
    amounts: Sequence[int],
    *,
    field_only: bool,
    placement: Placement = PLACEMENT,
    limits: ImageLimits = _DEFAULT_LIMITS,
) -> StringSample | None:
    """An image file as the service would cut it; None where it holds no ink.

    Raises InputError for data that is no usable image.
    """
    image = load_cheque(data, field_only=field_only, limits=limits)
    ink = extract_ink(image.grey)
    candidates = locate_fields(image, ink, field_only=field_only)
    if not field_only:
        candidates = enough_fields(candidates)
    plain = [replace(candidate, penalty=0.0) for candidate in candidates]
    graph = segment_fields(ink, plain, placement)
    if len(graph.crops) == 0:
        return None
    features = np.stack([candidate.features for candidate in candidates])
    own = np.array([candidate.penalty for candidate in candidates], np.float32)
    return StringSample(
        graph, features, own - field_penalties(features), np.array(amounts, np.int64)
    )


def build_strings(
    sources: Sources, folder: Path, kind: Kind, shards: int, split: Split, workers: int = 2
) -> Iterator[int]:
    """Write the missing shards of a kind; yields each one's number."""
    paths = [_shard(folder, kind, number) for number in range(shards)]
    return build_shards(paths, _start, (sources, kind, split), _build, workers)


def load_strings(folder: Path, kind: Kind, shards: int | None = None) -> list[StringSample]:
    """The samples of a kind's first shards, or of all."""
    found: list[StringSample] = []
    for path in sorted(folder.glob(f"{kind}-????.npz"))[:shards]:
        found += unpack(path)
    return found


_GRAPH = tuple(field.name for field in fields(SegmentationGraph))
_OWN = ("field_features", "field_fixed", "amounts")


def pack(samples: Sequence[StringSample], path: Path) -> None:
    """Write samples as one file: every array end to end, and how much of it is whose."""
    held: dict[str, NDArray[np.generic]] = {}
    columns: dict[str, Iterable[NDArray[np.generic]]] = {
        name: [np.atleast_1d(getattr(sample.graph, name)) for sample in samples] for name in _GRAPH
    }
    for name in _OWN:
        columns[name] = [getattr(sample, name) for sample in samples]
    for name, parts in columns.items():
        held[name] = np.concatenate(list(parts))
        held[f"{name}.count"] = np.array([len(part) for part in parts])
    write_arrays(path, held)


def unpack(path: Path) -> list[StringSample]:
    """The samples of a file that pack wrote."""
    with np.load(path) as file:
        held = {name: file[name] for name in file.files}
    names = (*_GRAPH, *_OWN)
    parts = {name: np.split(held[name], np.cumsum(held[f"{name}.count"])[:-1]) for name in names}
    samples = []
    for index in range(len(parts["num_nodes"])):
        own: dict[str, Any] = {name: parts[name][index] for name in names}
        graph = {name: own[name] for name in _GRAPH} | {"num_nodes": int(own["num_nodes"][0])}
        samples.append(StringSample(SegmentationGraph(**graph), *(own[name] for name in _OWN)))
    return samples


_Maker = Callable[[int], StringSample | None]
_maker: _Maker | None = None  # one a worker process


def _start(sources: Sources, kind: Kind, split: Split) -> None:
    global _maker
    cv2.setNumThreads(1)
    _maker = _makers[kind](sources, split)


def _build(job: Job) -> int:
    path, number = job
    assert _maker is not None
    made: list[StringSample] = []
    for seed in range(number * SHARD, (number + 1) * SHARD):
        # The service refuses some pictures of odd shapes: there is nothing to learn from them.
        with suppress(InputError):
            sample = _maker(seed)
            made += [] if sample is None else [sample]
    pack(made, path)
    return number


def _fields(sources: Sources, split: Split) -> _Maker:
    maker = FieldMaker.load(sources.data, sources.fonts, split)

    def make(seed: int) -> StringSample | None:
        # Other fields than those that the characters were cut from.
        field = maker.make(10_000_000 + seed)
        return cut_image(png(field.image), [field.amount_minor], field_only=True)

    return make


def _cheques(sources: Sources, split: Split) -> _Maker:
    hand = HandWriter(GlyphBank.load(sources.data, split))

    def make(seed: int) -> StringSample | None:
        cheque = make_cheque(10_000_000 + seed, hand=hand.write, split=split)
        if cheque.amount_minor is None:
            return None
        data = png(cheque.image)
        return cut_image(data, [cheque.amount_minor], field_only=False, limits=OWN_LIMITS)

    return make


def _refused(sources: Sources, split: Split) -> _Maker:
    hand = HandWriter(GlyphBank.load(sources.data, split))

    def make(seed: int) -> StringSample | None:
        page = make_refused(30_000_000 + seed, hand=hand.write, split=split)
        amounts = [] if page.amount_minor is None else [page.amount_minor]
        return cut_image(png(page.image), amounts, field_only=False, limits=OWN_LIMITS)

    return make


def _strings(sources: Sources, split: Split) -> _Maker:
    from training.synth.strings import StringMaker

    maker = StringMaker.load(sources.data, split)

    def make(seed: int) -> StringSample | None:
        string = maker.make(seed)
        if string.amount_minor is None:
            return None
        return cut_image(png(string.image), [string.amount_minor], field_only=True)

    return make


_makers = {"fields": _fields, "cheques": _cheques, "strings": _strings, "refused": _refused}


def _shard(folder: Path, kind: Kind, number: int) -> Path:
    return folder / f"{kind}-{number:04d}.npz"
