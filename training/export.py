"""Writes trained networks as ONNX, the recognizer with its card, and checks them against torch."""

import hashlib
import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime as ort
import torch
from torch import Tensor, nn

from service.pipeline.card import MODEL, SWEPT, card_text
from service.pipeline.field_map import LAYERS as PAGE_LAYERS
from service.pipeline.strip import LAYERS, STRIP_HEIGHT
from training.lenet import ProductionNet
from training.swept import SweptNet

PARITY = 1e-4


class _Penalties(nn.Module):
    """The exported function: what a network sees -> penalties -log P, where it gives log P."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, seen: Tensor) -> Tensor:
        logs: Tensor = self.network(seen)
        return -logs


def export(network: nn.Module, card: dict[str, Any], folder: Path) -> float:
    """Write model.onnx and card.json into `folder`; returns the largest difference to torch.

    card: everything but the sha256, which is added here. Raises ValueError where ONNX and torch
    differ by more than 1e-4 on random crops; penalties above 10, which squared distances
    reach on such crops, by more than 1e-5 of their size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / MODEL
    examples = [_noise(count, 32, 32) for count in (2, 1, 7, 100)]
    for crops in examples:
        crops[len(crops) // 2 :] = 0
    difference = _write(
        _Penalties(network), examples, {0: torch.export.Dim("segments")}, ("crops", "penalties"),
        path,
    )  # fmt: skip
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "card.json").write_text(
        json.dumps({**card, "sha256": digest}, indent=1, ensure_ascii=False) + "\n"
    )
    return difference


def export_swept(network: nn.Module, folder: Path) -> float:
    """Put a swept network into a model's folder; returns the largest difference to torch.

    Raises ValueError where ONNX and torch differ by more than 1e-4 on random strips.
    """
    path = folder / SWEPT
    sizes = ((2, 64), (1, 8), (1, 160), (5, 240))
    examples = [_noise(count, LAYERS, STRIP_HEIGHT, width) for count, width in sizes]
    free = {0: torch.export.Dim("strips"), 3: 8 * torch.export.Dim("eighths")}
    difference = _write(_Penalties(network), examples, free, ("strips", "penalties"), path)
    card = json.loads((folder / "card.json").read_text())
    card["swept"] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "card.json").write_text(card_text(card))
    return difference


def export_field_map(network: nn.Module, path: Path) -> float:
    """Write the field map's network; returns the largest difference to torch.

    Raises ValueError where ONNX and torch differ by more than 1e-4 on random pages.
    """
    sizes = ((1, 176, 400), (1, 64, 88), (2, 240, 304))
    examples = [_noise(count, PAGE_LAYERS, high, wide) for count, high, wide in sizes]
    free = {
        0: torch.export.Dim("pages"), 2: 8 * torch.export.Dim("down"),
        3: 8 * torch.export.Dim("across"),
    }  # fmt: skip
    return _write(network, examples, free, ("pages", "cells"), path)


def _write(
    module: nn.Module,
    examples: Sequence[Tensor],
    free: Mapping[int, Any],
    names: tuple[str, str],
    path: Path,
) -> float:
    """Write a module as ONNX, once it does what torch does; returns the largest difference.

    examples: what both are tried on; free: the dimensions of it that may differ; names: of what
    goes in and what comes out. Raises ValueError where they differ by more than PARITY; values
    above 10 by a tenth of that of their size.
    """
    module = module.float().eval()
    part = path.with_suffix(".part")
    with warnings.catch_warnings():
        # The exporter warns of what torch itself will change.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            (torch.cat([examples[0], examples[0]]),),
            str(part),
            input_names=names[:1],
            output_names=names[1:],
            dynamic_shapes=(dict(free),),
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    _strip(part)
    onnx.checker.check_model(str(part))
    session = ort.InferenceSession(part.read_bytes(), providers=["CPUExecutionProvider"])
    worst = 0.0
    for seen in examples:
        with torch.no_grad():
            expected = module(seen).numpy()
        (got,) = session.run(None, {names[0]: seen.numpy()})
        scale = np.maximum(np.abs(expected) / 10, 1)
        worst = max(worst, float((np.abs(np.asarray(got) - expected) / scale).max()))
    if worst > PARITY:
        raise ValueError(f"ONNX and torch differ by {worst:.2g}")
    part.replace(path)
    return worst


def _strip(path: Path) -> None:
    """Leave out of a file where the exporter's sources lie, which it writes beside every node."""
    model = onnx.load(str(path))
    for held in (model, model.graph, *model.graph.node, *model.graph.value_info):
        held.ClearField("metadata_props")
        held.ClearField("doc_string")
    onnx.save(model, str(path))


def _noise(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    return torch.randint(0, 256, shape, generator=generator, dtype=torch.uint8)


def load_exported(folder: Path) -> ProductionNet:
    """The production network of an exported model, ready to be trained on.

    What was folded into the convolutions at export stays there; batch norm then adds their bias
    alone. Raises ValueError for a model of another network.
    """
    held = {
        one.name.removeprefix("network."): torch.from_numpy(onnx.numpy_helper.to_array(one).copy())
        for one in onnx.load(str(folder / "model.onnx")).graph.initializer
    }
    try:
        a, b, c = (len(held[f"features.{layer}.weight"]) for layer in (0, 4, 8))
        network = ProductionNet(len(held["head.6.bias"]), (a, b, c, len(held["head.2.bias"])))
        state = network.state_dict()
        for layer in ("features.0", "features.4", "features.8", "head.2", "head.6"):
            state[f"{layer}.weight"] = held[f"{layer}.weight"]
        for convolution, norm in ((0, 1), (4, 5), (8, 9)):
            state[f"features.{norm}.bias"] = held[f"features.{convolution}.weight_bias"]
        for layer in ("head.2", "head.6"):
            state[f"{layer}.bias"] = held[f"{layer}.bias"]
    except KeyError as error:
        raise ValueError(f"the model in {folder} is not the production network") from error
    for layer in ("features.1", "features.5", "features.9", "head.3"):
        state[f"{layer}.weight"] = torch.full_like(state[f"{layer}.weight"], (1 + 1e-5) ** 0.5)
    network.load_state_dict(state)
    return network.eval()


def load_swept(folder: Path) -> SweptNet:
    """The swept network of an exported model, ready to be trained on, as `load_exported` does.

    Raises ValueError for a model without one.
    """
    try:
        held = {
            one.name.removeprefix("network."): torch.from_numpy(
                onnx.numpy_helper.to_array(one).copy()
            )
            for one in onnx.load(str(folder / SWEPT)).graph.initializer
        }
        if held["rows.0.weight"].shape[1] != LAYERS:
            raise ValueError(f"the swept network in {folder} is of another version")
        a, b, c, d, e = (len(held[f"rows.{layer}.weight"]) for layer in (0, 4, 8, 11, 15))
        network = SweptNet((a, b, c, d, e))
        state = network.state_dict()
        for name in state:
            if name in held:
                state[name] = held[name]
        for part, convolution in (
            *(("rows", n) for n in (0, 4, 8, 11, 15)), ("near", 1), ("far", 1),
        ):  # fmt: skip
            norm = f"{part}.{convolution + 1}"
            state[f"{norm}.bias"] = held[f"{part}.{convolution}.weight_bias"]
            state[f"{norm}.weight"] = torch.full_like(state[f"{norm}.weight"], (1 + 1e-5) ** 0.5)
    except (OSError, KeyError) as error:
        raise ValueError(f"the model in {folder} has no swept network") from error
    network.load_state_dict(state)
    return network.eval()
