"""Segmentation measured by itself: are the true characters among the segments, and at what number?

A character is found where the ink of one segment matches the ink that is truly its own with an
overlap (intersection over union) of 0.9. Three figures are given. The plain one gives every pixel
of extracted ink to one character. It asks too much where strokes cross or a stroke joins two zeros:
the pixel has the ink of both, and of the segments of one path only one can have it. The shared one
therefore counts such a pixel as right for either, and misses it of none. Both ask too much of
small characters: the blurred rim of a stroke is given to whoever is nearer, so that one pixel
around a point is half of the point. The tolerant one also leaves a pixel out that lies within one
pixel of the image of the other ink; it still asks for a shared overlap of 0.5.
Ink that was lost before the cuts is no fault of theirs and is not counted as missing, but the
characters that lost most of it are told apart among the causes.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.components import connected_components
from service.pipeline.ink import extract_ink
from service.pipeline.segment import ZoneSegments, segment_zone
from training.crops import SegmentTruth, line_truth, match_segments
from training.pictures import sheet, write_png
from training.synth.field import FieldMaker, SyntheticField

WANTED = 0.9
NEARLY = 0.8
_TRIED = 0.5
_LOST = 0.5
_STRAY = 0.06
_SOLID = 60

Cause = Literal["ink lost", "stray ink", "left out", "not cut", "cut askew", "grouping"]
CAUSES: tuple[Cause, ...] = get_args(Cause)


@dataclass(frozen=True, slots=True)
class Miss:
    """A character that no segment matches, even within a pixel.

    cause: "ink lost" before the cuts; "stray ink" that touches it; "left out", its pieces follow
    one another but their grouping was dropped; "not cut" from a character that it touches, the
    overlap below 0.8, or "cut askew", above; "grouping", it touches nothing, but its pieces were
    mixed with those of another.
    """

    symbol: str
    best: float
    cause: Cause


@dataclass(frozen=True, slots=True)
class Found:
    """What the segments of one field hold.

    plain, shared, tolerant: f32 [C], the best overlap of each true character. segments: how many.
    picture: u8 [H, W, 3] RGB, where one was missed: the field, the truth and the pieces.
    """

    seed: int
    text: str
    plain: NDArray[np.float32]
    shared: NDArray[np.float32]
    tolerant: NDArray[np.float32]
    segments: int
    misses: tuple[Miss, ...]
    picture: NDArray[np.uint8] | None


def measure_field(placement: Placement, seed: int, field: SyntheticField) -> Found:
    """Segment one field and compare its segments with the truth."""
    ink = extract_ink(field.image).ink
    count = len(field.text)
    zone = segment_zone(ink, (0, 0, ink.shape[1], ink.shape[0]), placement)
    if zone is None:
        nothing = np.zeros(count, np.float32)
        lost = tuple(Miss(symbol, 0.0, "ink lost") for symbol in field.text)
        return Found(seed, field.text, nothing, nothing, nothing, 0, lost, None)
    plain = match_segments(zone, field.owner, count).best
    truth = match_segments(zone, field.owner, count, field.second)
    owned, second = line_truth(zone.line, field.owner, field.second)
    tolerant = truth.best.copy()
    for index in np.flatnonzero(truth.best < WANTED).tolist():
        own = (owned == index + 1) | (second == index + 1)
        tolerant[index] = max(tolerant[index], _tolerant(zone, own, truth, index, second > 0))
    misses = []
    for index in np.flatnonzero(tolerant < WANTED).tolist():
        own = field.owner == index + 1
        lost = (ink[own] > 0).sum() < _LOST * own.sum()
        cause: Cause = "ink lost" if lost else _cause(zone, owned, index, truth)
        misses.append(Miss(field.text[index], float(tolerant[index]), cause))
    picture = _picture(zone, owned, field) if misses else None
    return Found(
        seed, field.text, plain, truth.best, tolerant, len(zone.first), tuple(misses), picture
    )


def _tolerant(
    zone: ZoneSegments,
    owned: NDArray[np.bool_],
    truth: SegmentTruth,
    index: int,
    shared: NDArray[np.bool_],
) -> float:
    """The best overlap of a character where pixels within one of the image's do not count."""
    solid = zone.line.ink > _SOLID
    reach = max(1.0, 1.0 / float(np.hypot(*zone.line.to_working[:, 0]))) + 0.01
    own = owned & solid
    beyond = solid & (_distance(own) > reach)
    best = 0.0
    tried = (truth.character == index) & (truth.iou >= _TRIED)
    for segment in np.flatnonzero(tried).tolist():
        held = solid & zone.members()[segment][zone.pieces.piece]
        both = int((held & own).sum())
        wrong = int((held & beyond).sum()) + int((own & ~shared & (_distance(held) > reach)).sum())
        best = max(best, both / max(both + wrong, 1))
    return best


def _distance(mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """How far each pixel is from a mask; f32 [H, W]."""
    if not mask.any():
        return np.full(mask.shape, np.inf, np.float32)
    return np.asarray(cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5), np.float32)


def _cause(zone: ZoneSegments, owned: NDArray[np.uint8], index: int, truth: SegmentTruth) -> Cause:
    """Why no segment is the character: see Miss."""
    solid = zone.line.ink > _SOLID
    own = solid & (owned == index + 1)
    size = max(int(own.sum()), 1)
    labels, _, _ = connected_components(solid.astype(np.uint8))
    touching = solid & np.isin(labels, np.unique(labels[own]))
    if (touching & (owned == 0)).sum() > _STRAY * size:
        return "stray ink"
    if _exists(zone, own):
        return "left out"
    others = np.bincount(owned[touching & ~own], minlength=1)
    if others[1:].sum() <= _STRAY * size:
        return "grouping"
    return "not cut" if truth.best[index] < NEARLY else "cut askew"


def _exists(zone: ZoneSegments, own: NDArray[np.bool_]) -> bool:
    """Whether pieces that follow one another are the character, whatever was made of them."""
    solid = zone.line.ink > _SOLID
    count = len(zone.pieces.boxes)
    whole = np.bincount(zone.pieces.piece[solid], minlength=count)
    inside = np.bincount(zone.pieces.piece[own], minlength=count)
    before, gained = np.cumsum([0, *whole]), np.cumsum([0, *inside])
    held, size = gained[None, :] - gained[:, None], before[None, :] - before[:, None]
    return bool(((held > 0) & (held >= WANTED * (size + own.sum() - held))).any())


_COLOURS = np.array(
    [(230, 25, 75), (60, 180, 75), (0, 90, 230), (245, 130, 48), (145, 30, 180), (0, 160, 160),
     (240, 50, 230), (128, 128, 0), (120, 70, 20), (0, 0, 128)], np.uint8,
)  # fmt: skip


def _picture(
    zone: ZoneSegments, owned: NDArray[np.uint8], field: SyntheticField
) -> NDArray[np.uint8]:
    """The field, the truth (no character's ink black) and the pieces, one above the other."""
    height, width = zone.line.ink.shape
    solid = zone.line.ink > _SOLID
    grey = cv2.warpAffine(
        field.image, zone.line.to_working, (width, height),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
    )  # fmt: skip
    truth, pieces = (np.full((height, width, 3), 255, np.uint8) for _ in range(2))
    truth[solid] = np.where(
        (owned[solid] > 0)[:, None], _COLOURS[(owned[solid].astype(int) - 1) % len(_COLOURS)], 0
    )
    pieces[solid] = _COLOURS[zone.pieces.piece[solid] % len(_COLOURS)]
    return np.concatenate(
        [cv2.cvtColor(np.asarray(grey, np.uint8), cv2.COLOR_GRAY2RGB), truth, pieces]
    )


def measure(
    placement: Placement,
    maker: FieldMaker,
    seeds: range,
    progress: Callable[[int], None],
) -> list[Found]:
    """Measure the fields of consecutive seeds."""
    found = []
    for seed in seeds:
        found.append(measure_field(placement, seed, maker.make(seed)))
        progress(len(found))
    return found


def figures(found: Sequence[Found]) -> list[tuple[str, float]]:
    """Rows of (what, figure); shares are of one, "clean" fields those without stray ink on one."""
    rows = []
    for name in ("plain", "shared", "tolerant"):
        best: list[NDArray[np.float32]] = [getattr(one, name) for one in found]
        for wanted in (WANTED, NEARLY):
            whole = _share((one >= wanted).all() for one in best)
            rows.append((f"fields with all characters at {wanted}, {name}", whole))
        rows.append((f"characters at {WANTED}, {name}", _share(np.concatenate(best) >= WANTED)))
    foreign = {"ink lost", "stray ink"}
    clean = [one for one in found if not foreign & {miss.cause for miss in one.misses}]
    rows.append(
        (f"clean fields with all at {WANTED}, tolerant", _share(not c.misses for c in clean))
    )
    segments = sum(one.segments for one in found)
    rows.append(("segments a field", segments / max(len(found), 1)))
    rows.append(("segments a character", segments / max(sum(len(one.text) for one in found), 1)))
    return rows


def _share(held: Iterable[object]) -> float:
    """The share of what is true, 0 of nothing."""
    every = [bool(one) for one in held]
    return sum(every) / max(len(every), 1)


def causes(found: Sequence[Found]) -> list[tuple[str, int, int, str]]:
    """Rows of (cause, characters missed, fields that miss some by it alone, usual symbols)."""
    rows: list[tuple[str, int, int, str]] = []
    for cause in CAUSES:
        symbols = Counter(m.symbol for one in found for m in one.misses if m.cause == cause)
        alone = sum({m.cause for m in one.misses} == {cause} for one in found)
        common = " ".join(f"{symbol}:{n}" for symbol, n in symbols.most_common(10))
        rows.append((cause, symbols.total(), alone, common))
    return rows


def write_worst(found: Iterable[Found], path: Path, most: int = 60) -> int:
    """Write the fields whose characters were missed by most onto one PNG; returns how many."""
    missed = [one for one in found if one.picture is not None]
    missed.sort(key=lambda one: min(miss.best for miss in one.misses))
    pictures = []
    for one in missed[:most]:
        assert one.picture is not None
        named = " ".join(f"{m.symbol} {m.best:.2f} {m.cause}" for m in one.misses)
        title = np.full((16, max(one.picture.shape[1], 420), 3), 255, np.uint8)
        line = f"{one.seed}: {named}".encode("ascii", "replace").decode()
        cv2.putText(
            title, line, (2, 12), cv2.FONT_HERSHEY_SIMPLEX, 0.4, (200, 0, 0), 1, cv2.LINE_AA
        )
        right = title.shape[1] - one.picture.shape[1]
        body = np.pad(one.picture, ((0, 0), (0, right), (0, 0)), constant_values=255)
        pictures.append(np.concatenate([title, body]))
    if pictures:
        write_png(sheet(pictures, (260, 480), 4), path)
    return len(pictures)
