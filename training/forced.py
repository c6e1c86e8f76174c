"""Which stage spoiled a reading of which only the amount is known: the truth is forced on it.

Stage after stage is given the truth: the field, then the segments, then their symbols. The first
that would not have come to it by itself is to blame.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from service.pipeline.card import load_card
from service.pipeline.chain import recognition_graph
from service.pipeline.field import locate_fields
from service.pipeline.grammar import free_grammar, grammar_for
from service.pipeline.image import load_cheque
from service.pipeline.ink import extract_ink
from service.pipeline.recognize import OnnxRecognizer
from service.pipeline.search import Lattice, best, gradient
from service.pipeline.segment import segment_fields
from service.pipeline.sight import enough_fields

Stage = Literal["field", "segmentation", "recognition", "grammar"]
STAGES: tuple[Stage, ...] = get_args(Stage)


@dataclass(frozen=True, slots=True)
class Fault:
    """The stage to blame; symbol: the first true one that it failed, "" where it is none."""

    stage: Stage
    symbol: str = ""


class Examiner:
    """Forces true amounts on images, with one model's chain."""

    def __init__(self, model: Path) -> None:
        self._card = load_card(model)
        self._recognizer = OnnxRecognizer(model, self._card)
        self._free = free_grammar(self._card.labels)
        self._grammar = grammar_for(None, None, self._card.labels, self._card.grammar_weights)
        own = self._card.field_weights
        self._field_weights = np.array(own, np.float32) if own else None

    def fault(self, data: bytes, amounts: Sequence[int], *, field_only: bool) -> Fault:
        """The stage that spoiled the reading of an image file that holds one of these amounts.

        "field": another field won, though the true one reads as the truth by itself, or no
        candidate can be read as it; "segmentation": no cuts give the truth a segment that looks
        like any character where one of its symbols should be; "recognition": that segment is taken
        for another character; "grammar": every symbol of the truth is the best one of its segment,
        and another string won all the same. Raises InputError for data that is no usable image.
        """
        image = load_cheque(data, field_only=field_only)
        ink = extract_ink(image.grey)
        fields = locate_fields(image, ink, field_only=field_only, weights=self._field_weights)
        fields = fields if field_only else enough_fields(fields)
        weights = np.array(self._card.segment_weights, np.float32)
        graph = segment_fields(ink, fields, self._card.placement, weights)
        penalties = self._recognizer.penalties(graph.crops)
        if len(graph.crops) == 0:
            return Fault("field")
        return self._of_lattice(
            recognition_graph(graph, fields, penalties, self._card, self._free), tuple(amounts)
        )

    def _of_lattice(self, lattice: Lattice, amounts: tuple[int, ...]) -> Fault:
        forced = min(
            (gradient(lattice, self._grammar, amount, viterbi=True) for amount in amounts),
            key=lambda one: one.penalty,
        )
        fields = np.unique(lattice.field)
        if forced.penalty == np.inf:
            return Fault("field" if len(fields) > 1 else "segmentation")
        true_field = int(lattice.field[np.flatnonzero(forced.arcs > 0.5)[0]])
        if len(fields) > 1 and self._reads(lattice.of_field(true_field), amounts):
            return Fault("field")
        odds = lattice.class_penalty
        for arc in np.flatnonzero(forced.arcs > 0.5):
            segment = int(lattice.segment[arc])
            label = int(forced.labels[segment].argmax()) if segment >= 0 else -1
            if label in (-1, self._grammar.rubbish):
                continue
            likeliest = int(odds[segment, : self._grammar.rubbish].argmin())
            if odds[segment, likeliest] > 0:
                return Fault("segmentation", self._grammar.labels[label])
            if likeliest != label:
                return Fault("recognition", self._grammar.labels[label])
        return Fault("grammar")

    def _reads(self, lattice: Lattice, amounts: tuple[int, ...]) -> bool:
        found = best(lattice, self._grammar, 1)
        return bool(found) and found[0].amount_minor in amounts
