"""How well a recognizer knows single characters, and keeps out what is none."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.ink import extract_ink
from service.pipeline.recognize import Recognizer
from training.crops import field_crops
from training.data.bitmaps import load_hasyv2, load_kensanata, load_optdigits, load_semeion
from training.data.glyphs import GlyphSet, Split
from training.data.mnist import load_mnist
from training.data.pendigits import load_pendigits
from training.data.unipen import load_unipen_digits, load_unipen_symbols
from training.isolated import plain_crop
from training.synth.field import FieldMaker

Bytes = NDArray[np.uint8]
Penalties = NDArray[np.float32]

DIGITS = "0123456789"


@dataclass(frozen=True, slots=True)
class CharacterTest:
    """One set to test on; split None: all of it, writers of the training among them."""

    name: str
    load: Callable[[Path], GlyphSet]
    split: Split | None = "test"

    @property
    def title(self) -> str:
        """Name and part."""
        return f"{self.name} {self.split or 'all'}"


TESTS = (
    CharacterTest("mnist", load_mnist),
    CharacterTest("kensanata", load_kensanata),
    CharacterTest("kensanata", load_kensanata, None),
    CharacterTest("unipen_digits", load_unipen_digits),
    CharacterTest("unipen_symbols", load_unipen_symbols),
    CharacterTest("pendigits", load_pendigits),
    CharacterTest("optdigits", load_optdigits),
    CharacterTest("semeion", load_semeion),
    CharacterTest("hasyv2", load_hasyv2),
)


@dataclass(frozen=True, slots=True)
class SetResult:
    """Errors on one set, as shares.

    error: the best label among those of its kind is wrong: digits where the set holds only digits,
    the others where it holds none, else all characters. error_free: the best of all labels,
    rubbish among them, is wrong. confusion: i64 [K, K], rows the truth, columns the best of all.
    """

    title: str
    count: int
    error: float
    error_free: float
    confusion: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RubbishResult:
    """How well crops from synthetic fields are told from non-characters, as shares.

    accepted: of the non-characters, at the threshold that rejects 1 % of the characters. error: of
    the characters, the best label but rubbish is wrong.
    """

    characters: int
    others: int
    accepted: float
    error: float


def placed_crops(
    held: GlyphSet, labels: tuple[str, ...], placement: Placement
) -> tuple[Bytes, NDArray[np.int64]]:
    """All samples of a set that the labels cover, placed as the service places single characters.

    Crops u8 [N, 32, 32] and i64 [N], indices into labels.
    """
    rows = [row for row, label in enumerate(held.labels) if label and label in labels]
    crops = [plain_crop(held, row, placement) for row in rows]
    truth = np.array([labels.index(held.labels[row]) for row in rows], np.int64)
    return np.stack(crops) if crops else np.zeros((0, 32, 32), np.uint8), truth


def evaluate_set(
    recognizer: Recognizer, title: str, crops: Bytes, truth: NDArray[np.int64]
) -> SetResult:
    """Errors of a recognizer on labelled crops; raises ValueError where there are none."""
    if len(crops) == 0:
        raise ValueError(f"{title} holds no character that the model knows")
    penalties = penalties_of(recognizer, crops)
    labels = recognizer.labels
    kinds = {labels[i] in DIGITS for i in np.unique(truth)}
    kind = [i for i, label in enumerate(labels) if label and (label in DIGITS) in kinds]
    best = np.array(kind)[penalties[:, kind].argmin(axis=1)]
    free = penalties.argmin(axis=1)
    confusion = np.zeros((len(labels), len(labels)), np.int64)
    np.add.at(confusion, (truth, free), 1)
    return SetResult(
        title, len(truth), float((best != truth).mean()), float((free != truth).mean()), confusion
    )


def evaluate_sets(recognizer: Recognizer, placement: Placement, data: Path) -> Iterator[SetResult]:
    """Errors on every set of TESTS that holds characters which the recognizer knows."""
    for one in TESTS:
        held = one.load(data)
        part = held if one.split is None else held.part(one.split)
        crops, truth = placed_crops(part, recognizer.labels, placement)
        if len(truth):
            yield evaluate_set(recognizer, one.title, crops, truth)


def evaluate_rubbish(
    recognizer: Recognizer, placement: Placement, maker: FieldMaker, seeds: range
) -> RubbishResult:
    """Cut synthetic fields as the service does and see what passes for a character."""
    crops, truth = [], []
    for seed in seeds:
        field = maker.make(seed)
        own, own_truth = field_crops(
            extract_ink(field.image),
            field.owner,
            field.text,
            recognizer.labels,
            placement,
            field.second,
        )
        crops.append(own)
        truth.append(own_truth)
    return judge_rubbish(recognizer, np.concatenate(crops), np.concatenate(truth).astype(np.int64))


def judge_rubbish(recognizer: Recognizer, crops: Bytes, truth: NDArray[np.int64]) -> RubbishResult:
    """Rejection of labelled crops u8 [N, 32, 32], characters and non-characters among them."""
    penalties = penalties_of(recognizer, crops)
    character = truth != len(recognizer.labels) - 1
    likeness = penalties[:, -1] - penalties[:, :-1].min(axis=1)
    threshold = float(np.quantile(likeness[character], 0.01))
    return RubbishResult(
        characters=int(character.sum()),
        others=int((~character).sum()),
        accepted=float((likeness[~character] >= threshold).mean()),
        error=float((penalties[character, :-1].argmin(axis=1) != truth[character]).mean()),
    )


def penalties_of(recognizer: Recognizer, crops: Bytes) -> Penalties:
    """Penalties of any number of crops, some at a time; f32 [N, K]."""
    parts = [recognizer.penalties(crops[i : i + 1000]) for i in range(0, len(crops), 1000)]
    return np.concatenate(parts)


def milliseconds(recognizer: Recognizer, crops: int = 100, calls: int = 50) -> float:
    """Median time of one call with so many crops, in milliseconds."""
    given = np.random.default_rng(0).integers(0, 256, (crops, 32, 32)).astype(np.uint8)
    taken = []
    for _ in range(calls):
        started = perf_counter()
        recognizer.penalties(given)
        taken.append(perf_counter() - started)
    return 1e3 * float(np.median(taken))
