"""The card of a trained recognizer: what the service must know, and where the weights come from."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from service.pipeline.card import Calibration, Placement
from service.pipeline.segment import FEATURES
from training.data.fonts import SOURCES

# Set: (licence at its origin, who made it).
DATA_SETS = {
    "mnist": ("CC BY-SA 3.0", "Y. LeCun, C. Cortes, C. Burges"),
    "kensanata": ("CC0 1.0", "kensanata/numbers and its writers"),
    "unipen": (
        "CC BY 4.0 (Zenodo 10.5281/zenodo.1195803); the CD of 1999 was for research use",
        "International Unipen Foundation",
    ),
    "pendigits": ("CC BY 4.0", "E. Alpaydin, F. Alimoglu (UCI)"),
    "optdigits": ("CC BY 4.0", "E. Alpaydin, C. Kaynak (UCI)"),
    "semeion": ("CC BY 4.0", "Semeion Research Center (UCI)"),
    "bhmsds": ("MIT", "wblachowski/bhmsds"),
    "hasyv2": ("ODbL 1.0", "M. Thoma"),
}

UNFITTED_WEIGHTS: dict[str, Any] = {
    "segment": dict.fromkeys(FEATURES, 0.0) | {"off_line": 2.0},
    "symbol": 0.0,
    "stray": 0.3,
    "stray_ink": 40.0,
    "null": 0.0,
}
"""Penalties of the chain set by hand, before any is fitted."""

UNFITTED_CALIBRATION = Calibration(1.0, 0.0)


def build_card(
    name: str,
    version: str,
    labels: tuple[str, ...],
    placement: Placement,
    *,
    training: dict[str, Any],
    weights: dict[str, Any],
    calibration: Calibration,
    only_mnist: bool = False,
) -> dict[str, Any]:
    """The whole card but the sha256, which the export adds.

    training: how the network was trained (recipe, seed, numbers of crops). Raises ValueError where
    the segment weights are not in the order of segment.FEATURES, by which the service reads them.
    only_mnist: no other set and no font was used.
    """
    if tuple(weights["segment"]) != FEATURES:
        raise ValueError("the segment weights are not those of the segmentation's features")
    return {
        "name": name,
        "version": version,
        "labels": list(labels),
        "input": "crops u8 [N, 32, 32], ink 255 on 0",
        "output": "penalties f32 [N, K], -log P(label | crop), rubbish last",
        "placement": asdict(placement),
        "weights": weights,
        "calibration": asdict(calibration),
        "training": training,
        "data": [
            {"set": one, "licence": licence, "by": by}
            for one, (licence, by) in DATA_SETS.items()
            if one == "mnist" or not only_mnist
        ],
        "fonts": {} if only_mnist else _fonts(),
        "scores": {},
    }


def chain_of(path: Path | None) -> tuple[dict[str, Any], Calibration]:
    """Weights and calibration of the chain from a card or a file like it; None: unfitted ones.

    The calibration comes without its tally, which counts the errors of one network and no other.
    """
    if path is None:
        return UNFITTED_WEIGHTS, UNFITTED_CALIBRATION
    held = json.loads(path.read_text())
    calibration = held.get("calibration")
    return (
        dict(held.get("weights", UNFITTED_WEIGHTS)),
        Calibration(calibration["slope"], calibration["shift"])
        if calibration
        else UNFITTED_CALIBRATION,
    )


def _fonts() -> dict[str, list[str]]:
    """Fonts that machine print and hand-like writing were drawn with, by licence."""
    held: dict[str, list[str]] = {}
    for source in SOURCES:
        if source.split == "train":
            held.setdefault(source.licence, []).append(source.name)
    return {licence: sorted(names) for licence, names in sorted(held.items())}
