"""How well the courtesy amount's place is found on whole synthetic cheques, and its ink taken out.

A candidate is the field where its zones hold all but a little of every digit's ink and reach
little beyond the amount: a printed currency sign on the left may come along, no other words.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.field import FieldCandidate, Zone, locate_fields
from service.pipeline.image import ChequeImage, load_cheque
from service.pipeline.ink import InkImage, extract_ink
from service.pipeline.reader import ChequeReader, Reading
from training.encode import OWN_LIMITS, png
from training.pictures import sheet, write_png
from training.synth.cheque import SyntheticCheque, Writer, make_cheque
from training.synth.scene import WAY_SHARES, WAYS

Box = tuple[int, int, int, int]
Bytes = NDArray[np.uint8]
Outcome = Literal["right", "no field", "another field", "misread"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

_LEAST_OF_DIGIT = 0.85
_LEAST_OF_ALL = 0.93
_BEFORE = 4.5
_AFTER = 1.8
_ABOVE = 0.8
_RIM = 2
_RANKS = 4
_SHOWN = 60
_CELL = (420, 800)

COLUMNS = ("%", "n", "at 1", "2", "3", "all", "kept", "alien", "right", "none", "other", "misread")
"""Heads of `table`: recall of the field at 1, 2, 3 and all candidates; characters' ink kept; ink
that is no character's; cheques read right, without their field, from another one, and misread."""


@dataclass(frozen=True, slots=True)
class Sought:
    """A cheque in reading position and where its amount really stands.

    image: upright. owner: u8 [H, W] in working pixels, 1 + index of the character of a pixel.
    box: around all characters; height: of the digits, working pixels.
    """

    image: ChequeImage
    owner: Bytes
    box: Box
    height: float


@dataclass(frozen=True, slots=True)
class Found:
    """What became of one cheque.

    rank: place of the true field among the candidates, 0 the cheapest, None where it is missing.
    kept: share of the characters' pixels that were taken for ink. foreign: share of the ink
    around them that is no character's. outcome: what the whole chain made of it; "" if not read.
    """

    seed: int
    way: str
    layout: str
    machine: bool
    rank: int | None
    kept: float
    foreign: float
    outcome: Outcome | Literal[""]


def way_of(seed: int) -> str:
    """The way a measured cheque is captured, drawn in the shares of the training pages."""
    rng = np.random.default_rng([seed, 7])
    return WAYS[int(rng.choice(len(WAYS), p=WAY_SHARES))]


def cheques(
    hand: Writer, split: str, seeds: Iterable[int]
) -> Iterator[tuple[int, str, SyntheticCheque]]:
    """Cheques to be read, each with its seed and its way."""
    for seed in seeds:
        way = way_of(seed)
        yield seed, way, make_cheque(seed, hand=hand, split=split, way=way)


def seek(cheque: SyntheticCheque) -> tuple[Sought | None, bytes]:
    """The truth in the working frame, None where no digit is left in it; and the file's bytes."""
    data = png(cheque.image)
    return place(load_cheque(data, limits=OWN_LIMITS), cheque.owner, cheque.text), data


def place(image: ChequeImage, owner: Bytes, text: str) -> Sought | None:
    """The truth in the working frame of a loaded cheque, turned upright where it lies on its head.

    owner: u8 [H, W] in pixels of the file; text: the amount's symbols, SPACE among them.
    """
    height, width = image.grey.shape
    warped = cv2.warpPerspective(
        owner, image.to_original, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    here = np.asarray(warped, np.uint8)
    rows, columns = np.nonzero(here)
    digits = digit_boxes(here, text)
    if not digits:
        return None
    order = [(box[0] + box[2]) / 2 for box in digits]
    if len(order) > 1 and np.polyfit(np.arange(len(order)), order, 1)[0] < 0:
        return place(image.turned(), owner, text)
    box = (int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1)
    return Sought(image, here, box, float(np.median([b[3] - b[1] for b in digits])))


def digit_boxes(owner: Bytes, text: str) -> list[Box]:
    """Boxes x0, y0, x1, y1, half open, of a text's digits in reading order, those that are seen.

    owner: u8 [H, W], 1 + index of the character of a pixel; text: its symbols, SPACE among them.
    """
    boxes = []
    for index, symbol in enumerate(text.replace(" ", "")):
        if symbol.isdigit():
            x, y, w, h = cv2.boundingRect((owner == index + 1).view(np.uint8))
            if w and h:
                boxes.append((x, y, x + w, y + h))
    return boxes


def is_field(zones: tuple[Zone, ...], sought: Sought, text: str) -> bool:
    """Whether zones hold the amount and little else."""
    inside = np.zeros(sought.owner.shape, bool)
    for zone in zones:
        x0, y0, x1, y1 = zone.box
        inside[y0:y1, x0:x1] = True
    x0, y0, x1, y1 = sought.box
    before, after, above = (share * sought.height for share in (_BEFORE, _AFTER, _ABOVE))
    low = np.min([zone.box[:2] for zone in zones], axis=0)
    high = np.max([zone.box[2:] for zone in zones], axis=0)
    beyond = low[0] < x0 - before or high[0] > x1 + after
    if beyond or low[1] < y0 - above or high[1] > y1 + above:
        return False
    count = np.bincount(sought.owner[sought.owner > 0], minlength=256)
    held = np.bincount(sought.owner[inside & (sought.owner > 0)], minlength=256)
    of_digits = [i + 1 for i, s in enumerate(text.replace(" ", "")) if s.isdigit() and count[i + 1]]
    share = held[of_digits] / count[of_digits]
    return bool(share.min() >= _LEAST_OF_DIGIT and held.sum() >= _LEAST_OF_ALL * count.sum())


def rank_of(candidates: list[FieldCandidate], sought: Sought, text: str) -> int | None:
    """Place of the true field among the candidates, the cheapest 0; None where it is missing."""
    for rank, candidate in enumerate(candidates):
        if is_field(candidate.zones, sought, text):
            return rank
    return None


def ink_shares(ink: InkImage, sought: Sought) -> tuple[float, float]:
    """Found.kept and Found.foreign."""
    x0, y0, x1, y1 = sought.box
    owner, mask = sought.owner[y0:y1, x0:x1], ink.mask[y0:y1, x0:x1]
    kernel = np.ones((2 * _RIM + 1, 2 * _RIM + 1), np.uint8)
    near = cv2.dilate((owner > 0).astype(np.uint8), kernel) > 0
    return float(mask[owner > 0].mean()), float((mask & ~near).sum() / max(mask.sum(), 1))


def outcome_of(reading: Reading, sought: Sought, rank: int | None, amount: int) -> Outcome:
    """What a reading of the whole chain made of a cheque."""
    if reading.amount_minor == amount:
        return "right"
    if rank is None:
        return "no field"
    to_working = np.linalg.inv(sought.image.to_original)
    centres = [np.mean(symbol.box, axis=0) for symbol in reading.symbols]
    points = np.array([(x, y, 1.0) for x, y in centres]).reshape(-1, 3) @ to_working.T
    x, y = points[:, 0] / points[:, 2], points[:, 1] / points[:, 2]
    x0, y0, x1, y1 = sought.box
    inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
    return "misread" if len(inside) and inside.mean() > 0.5 else "another field"


def measure(
    made: Iterable[tuple[int, str, SyntheticCheque]],
    reader: ChequeReader | None,
    missed: Callable[[Sought, list[FieldCandidate], str], None] = lambda *_: None,
) -> Iterator[Found]:
    """Find the field of each cheque, and read it where there is a reader.

    missed: called with what the cheapest candidate is not, for pictures.
    """
    for seed, way, cheque in made:
        if cheque.amount_minor is None:
            continue
        sought, data = seek(cheque)
        if sought is None:
            yield Found(seed, way, cheque.layout, cheque.machine, None, 0.0, 0.0, "no field")
            continue
        ink = extract_ink(sought.image.grey)
        candidates = locate_fields(sought.image, ink)
        rank = rank_of(candidates, sought, cheque.text)
        if rank != 0:
            missed(sought, candidates, f"{seed} {cheque.layout} {cheque.text}")
        outcome: Outcome | Literal[""] = ""
        if reader is not None:
            outcome = outcome_of(reader.read(data), sought, rank, cheque.amount_minor)
        kept, foreign = ink_shares(ink, sought)
        yield Found(seed, way, cheque.layout, cheque.machine, rank, kept, foreign, outcome)


def table(found: list[Found]) -> list[tuple[str, ...]]:
    """Rows of (group, cheques, recall at 1, 2, 3, all, ink kept, foreign ink, outcomes), in %."""
    groups: dict[str, list[Found]] = {"all": found}
    for one in found:
        groups.setdefault("print" if one.machine else "hand", []).append(one)
    for one in sorted(found, key=lambda f: f.way):
        groups.setdefault(one.way, []).append(one)
    for one in sorted(found, key=lambda f: f.layout):
        groups.setdefault(one.layout, []).append(one)
    return [(name, *_row(members)) for name, members in groups.items()]


def _row(found: list[Found]) -> tuple[str, ...]:
    def percent(share: float) -> str:
        return f"{100 * share:.1f}"

    ranks = [_RANKS if one.rank is None else one.rank for one in found]
    recalls = [float(np.mean([rank < most for rank in ranks])) for most in (1, 2, 3, _RANKS)]
    outcomes = Counter(one.outcome for one in found)
    read = len(found) - outcomes[""]
    ends = [percent(outcomes[end] / read) if read else "" for end in OUTCOMES]
    return (
        str(len(found)),
        *(percent(recall) for recall in recalls),
        percent(float(np.mean([one.kept for one in found]))),
        percent(float(np.mean([one.foreign for one in found]))),
        *ends,
    )


def miss_picture(sought: Sought, candidates: list[FieldCandidate], title: str) -> Bytes:
    """A cheque with its true field in green and its candidates from red to yellow; RGB."""
    picture = cv2.cvtColor(sought.image.grey, cv2.COLOR_GRAY2RGB)
    for rank, candidate in reversed(list(enumerate(candidates))):
        for zone in candidate.zones:
            x0, y0, x1, y1 = zone.box
            cv2.rectangle(picture, (x0, y0), (x1, y1), (255, 60 * rank, 0), 2)
            label = f"{rank + 1}: {candidate.penalty:.1f}"
            cv2.putText(picture, label, (x0, max(y0 - 4, 10)), 0, 0.6, (255, 60 * rank, 0), 2)
    x0, y0, x1, y1 = sought.box
    cv2.rectangle(picture, (x0 - 3, y0 - 3), (x1 + 3, y1 + 3), (0, 160, 0), 2)
    cv2.putText(picture, title, (10, 24), 0, 0.7, (0, 0, 255), 2)
    return np.asarray(picture, np.uint8)


def write_misses(misses: list[Bytes], path: Path) -> None:
    """Write pictures of missed fields, two abreast, as one sheet."""
    write_png(sheet(misses[:_SHOWN], _CELL, 2), path)
