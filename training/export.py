"""Writes a trained recognizer as ONNX with its card, and checks it against torch."""

import hashlib
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx.numpy_helper
import onnxruntime as ort
import torch
from torch import Tensor, nn

from service.pipeline.card import SWEPT, card_text
from service.pipeline.strip import LAYERS, STRIP_HEIGHT
from training.lenet import ProductionNet
from training.swept import SweptNet

PARITY = 1e-4


class _Penalties(nn.Module):
    """The exported function: crops u8 [N, 32, 32] -> penalties -log P(label | crop), f32 [N, K]."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, crops: Tensor) -> Tensor:
        logs: Tensor = self.network(crops)
        return -logs


def export(network: nn.Module, card: dict[str, Any], folder: Path) -> float:
    """Write model.onnx and card.json into `folder`; returns the largest difference to torch.

    card: everything but the sha256, which is added here. Raises ValueError where ONNX and torch
    differ by more than 1e-4 on random crops; penalties above 10, which squared distances
    reach on such crops, by more than 1e-5 of their size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "model.onnx"
    wrapped = _Penalties(network).eval()
    example = torch.zeros(2, 32, 32, dtype=torch.uint8)
    with warnings.catch_warnings():
        # The exporter warns of what torch itself will change.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            wrapped,
            (example,),
            str(path),
            input_names=["crops"],
            output_names=["penalties"],
            dynamic_shapes={"crops": {0: torch.export.Dim("segments")}},
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    onnx.checker.check_model(str(path))
    difference = _difference(wrapped, path)
    if difference > PARITY:
        raise ValueError(f"ONNX and torch differ by {difference:.2g}")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "card.json").write_text(
        json.dumps({**card, "sha256": digest}, indent=1, ensure_ascii=False) + "\n"
    )
    return difference


class _SweptPenalties(nn.Module):
    """The exported function: strips u8 [N, LAYERS, 36, W] -> penalties -log P.

    f32 [N, W / 4, K + 1].
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, strips: Tensor) -> Tensor:
        logs: Tensor = self.network(strips)
        return -logs


def export_swept(network: nn.Module, folder: Path) -> float:
    """Put a swept network into a model's folder; returns the largest difference to torch.

    Raises ValueError where ONNX and torch differ by more than 1e-4 on random strips.
    """
    path = folder / SWEPT
    part = path.with_suffix(".part")
    wrapped = _SweptPenalties(network.float()).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            wrapped,
            (torch.zeros(2, LAYERS, STRIP_HEIGHT, 64, dtype=torch.uint8),),
            str(part),
            input_names=["strips"],
            output_names=["penalties"],
            dynamic_shapes={
                "strips": {0: torch.export.Dim("strips"), 3: 8 * torch.export.Dim("eighths")}
            },
            dynamo=True,
            external_data=False,
            verbose=False,
        )
    onnx.checker.check_model(str(part))
    generator = torch.Generator().manual_seed(0)
    examples = [
        torch.randint(
            0, 256, (count, LAYERS, STRIP_HEIGHT, width), generator=generator, dtype=torch.uint8
        )
        for count, width in ((1, 8), (1, 160), (5, 240))
    ]
    session = ort.InferenceSession(part.read_bytes(), providers=["CPUExecutionProvider"])
    worst = 0.0
    for strips in examples:
        with torch.no_grad():
            expected = wrapped(strips).numpy()
        (got,) = session.run(None, {"strips": strips.numpy()})
        scale = np.maximum(np.abs(expected) / 10, 1)
        worst = max(worst, float((np.abs(np.asarray(got) - expected) / scale).max()))
    if worst > PARITY:
        raise ValueError(f"ONNX and torch differ by {worst:.2g}")
    part.replace(path)
    card = json.loads((folder / "card.json").read_text())
    card["swept"] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "card.json").write_text(card_text(card))
    return worst


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


def _difference(module: nn.Module, path: Path) -> float:
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for count in (1, 7, 100):
        crops = torch.randint(0, 256, (count, 32, 32), generator=generator, dtype=torch.uint8)
        crops[count // 2 :] = 0
        with torch.no_grad():
            expected = module(crops).numpy()
        (got,) = session.run(None, {"crops": crops.numpy()})
        difference = np.abs(np.asarray(got) - expected) / np.maximum(np.abs(expected) / 10, 1)
        worst = max(worst, float(difference.max()))
    return worst
