"""Writes trained networks as ONNX, the recognizer with its card, and checks them against torch."""

import hashlib
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import onnx
import onnx.compose
import onnx.helper
import onnx.numpy_helper
import onnxruntime as ort
import torch
from torch import Tensor, nn

from service.pipeline.card import MODEL, SWEPT, card_text
from service.pipeline.centres import ROWS as LINE_ROWS
from service.pipeline.field_map import LAYERS as PAGE_LAYERS
from service.pipeline.strip import LAYERS, STRIP_HEIGHT
from training.centres import CentreNet
from training.field_map import FieldMapNet
from training.gate import SURE, Gate
from training.lenet import ProductionNet
from training.swept import SweptNet

PARITY = 1e-4
_CHOICE = "print_or_hand"
# The branch of that choice and what its names begin with: by hand, and in print.
_BRANCHES = (("else_branch", ""), ("then_branch", "printed."))
_Network = TypeVar("_Network", bound=nn.Module)


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
    card = {name: value for name, value in card.items() if name != "quantized"}
    (folder / "card.json").write_text(
        json.dumps({**card, "sha256": digest}, indent=1, ensure_ascii=False) + "\n"
    )
    return difference


def export_swept(network: nn.Module, folder: Path, *, of_print: bool = False) -> float:
    """Put a swept network into a model's folder; returns the largest difference to torch.

    of_print: where the folder's reads print with a network of its own, it takes that one's place;
    else that of the one for hands. Raises ValueError where ONNX and torch differ by more than 1e-4
    on random strips.
    """
    path = folder / SWEPT
    before = onnx.load(str(path)) if path.exists() else None
    difference = _write_swept(_Penalties(network), "penalties", path)
    if before is not None and choice_of(before) is not None:
        _put_branch(before, onnx.load(str(path)), of_print=of_print)
        onnx.save(before, str(path))
    _note_swept(folder)
    return difference


def export_printed(network: nn.Module, gate: Gate, folder: Path) -> float:
    """Have a model's swept network read print with one of its own; returns as export_swept does.

    gate: tells which strips are print. The file holds both networks and the gate, and runs one of
    the two for a strip. Raises ValueError where ONNX and torch differ, or the folder has none.
    """
    path = folder / SWEPT
    hands = load_swept(folder)
    with tempfile.TemporaryDirectory() as scratch:
        parts = {name: Path(scratch) / name for name in ("gate", "printed", "hands")}
        differences = (
            _write_swept(gate, "odds", parts["gate"]),
            _write_swept(_Penalties(network), "penalties", parts["printed"]),
            _write_swept(_Penalties(hands), "penalties", parts["hands"]),
        )
        model, printed, by_hand = (onnx.load(str(one)) for one in parts.values())
    graph = onnx.compose.add_prefix(model, "gate.", rename_inputs=False, inplace=True).graph
    sure = onnx.numpy_helper.from_array(np.array(SURE, np.float32), "gate.sure")
    graph.initializer.append(sure)
    chosen = onnx.helper.make_node("Greater", ["gate.odds", "gate.sure"], ["gate.is_print"])
    either = onnx.helper.make_node("If", ["gate.is_print"], ["penalties"], name=_CHOICE)
    graph.node.extend([chosen, either])
    graph.output.pop()
    graph.output.extend(by_hand.graph.output)
    for end in (*graph.input, *graph.output):
        end.type.tensor_type.shape.dim[0].dim_value = 1
    _put_branch(model, printed, of_print=True)
    _put_branch(model, by_hand, of_print=False)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    _note_swept(folder)
    return max(differences)


def _write_swept(module: nn.Module, says: str, path: Path) -> float:
    """Write what sees strips as ONNX; says: the name of what comes out. As `_write`."""
    sizes = ((2, 64), (1, 8), (1, 160), (5, 240))
    examples = [_noise(count, LAYERS, STRIP_HEIGHT, width) for count, width in sizes]
    free = {0: torch.export.Dim("strips"), 3: 8 * torch.export.Dim("eighths")}
    return _write(module, examples, free, ("strips", says), path)


def choice_of(model: onnx.ModelProto) -> onnx.NodeProto | None:
    """The node that has one of two networks read a strip, if there is one."""
    return next((node for node in model.graph.node if node.name == _CHOICE), None)


def _put_branch(model: onnx.ModelProto, network: onnx.ModelProto, *, of_print: bool) -> None:
    """Put a network that reads the same strips into one of the branches of a choice."""
    choice = choice_of(model)
    assert choice is not None
    branch, prefix = _BRANCHES[of_print]
    network = onnx.compose.add_prefix(network, prefix, rename_inputs=False)
    graph = onnx.helper.make_graph(
        network.graph.node, branch, [], network.graph.output, network.graph.initializer
    )
    kept = [one for one in choice.attribute if one.name != branch]
    del choice.attribute[:]
    choice.attribute.extend([*kept, onnx.helper.make_attribute(branch, graph)])


def _note_swept(folder: Path) -> None:
    """Have a model's card name its swept network."""
    path = folder / SWEPT
    card = json.loads((folder / "card.json").read_text())
    card.pop("quantized", None)
    card["swept"] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
    (folder / "card.json").write_text(card_text(card))


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


def export_centres(network: nn.Module, path: Path) -> float:
    """Write the network of characters' middles; returns the largest difference to torch.

    Raises ValueError where ONNX and torch differ by more than 1e-4 on random lines.
    """
    examples = [_noise(count, LINE_ROWS, wide) for count, wide in ((1, 200), (1, 8), (2, 440))]
    free = {0: torch.export.Dim("lines"), 2: 8 * torch.export.Dim("across")}
    return _write(network, examples, free, ("lines", "told"), path)


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

    Raises ValueError for a model of another network.
    """
    try:
        held = _weights(folder / MODEL)
        a, b, c = (len(held[f"features.{layer}.weight"]) for layer in (0, 4, 8))
        network = ProductionNet(len(held["head.6.bias"]), (a, b, c, len(held["head.2.bias"])))
        return _taken(network, held)
    except KeyError as error:
        raise ValueError(f"the model in {folder} is not the production network") from error


def load_swept(folder: Path, *, of_print: bool = False) -> SweptNet:
    """The swept network of an exported model, ready to be trained on.

    of_print: of two the one that reads print, else the one that reads hands. Raises ValueError for
    a model without one.
    """
    try:
        held = _weights(folder / SWEPT, of_print=of_print)
        if held["rows.0.weight"].shape[1] != LAYERS:
            raise ValueError(f"the swept network in {folder} is of another version")
        a, b, c, d, e = (len(held[f"rows.{layer}.weight"]) for layer in (0, 4, 8, 11, 15))
        return _taken(SweptNet((a, b, c, d, e)), held)
    except (OSError, KeyError) as error:
        raise ValueError(f"the model in {folder} has no swept network") from error


def load_gate(folder: Path) -> Gate | None:
    """What tells print from hands in an exported model; None where one network reads both.

    Raises ValueError for a gate of another version.
    """
    path = folder / SWEPT
    model = onnx.load(str(path)) if path.exists() else None
    if model is None or choice_of(model) is None:
        return None
    held = _tensors(model.graph, "gate.")
    try:
        a, b, c, d = (len(held[f"seen.{layer}.weight"]) for layer in (0, 3, 6, 9))
        return _taken(Gate((a, b, c, d)), held)
    except KeyError as error:
        raise ValueError(f"the gate in {folder} is of another version") from error


def load_field_map(path: Path) -> FieldMapNet:
    """The exported network of the field map, ready to be trained on; raises ValueError."""
    try:
        held = _weights(path)
        a, b, c = (len(held[f"{layer}.0.weight"]) for layer in ("fine.0", "fine.1", "coarse.0"))
        return _taken(FieldMapNet((a, b, c)), held)
    except (OSError, KeyError) as error:
        raise ValueError(f"{path} does not hold the field map's network") from error


def load_centres(path: Path) -> CentreNet:
    """The exported network of characters' middles, ready to be trained on; raises ValueError."""
    try:
        held = _tensors(onnx.load(str(path)).graph, "")
        a, b = (len(held[f"{layer}.weight"]) for layer in ("fine", "coarse"))
        return _taken(CentreNet((a, b)), held)
    except (OSError, KeyError) as error:
        raise ValueError(f"{path} does not hold the network of characters' middles") from error


def _weights(path: Path, *, of_print: bool = False) -> dict[str, Tensor]:
    """What a file's network knows, by the names of torch; of two that of one."""
    model = onnx.load(str(path))
    choice = choice_of(model)
    graph, prefix = model.graph, ""
    if choice is not None:
        branch, prefix = _BRANCHES[of_print]
        graph = next(one.g for one in choice.attribute if one.name == branch)
    return _tensors(graph, f"{prefix}network.")


def _tensors(graph: onnx.GraphProto, prefix: str) -> dict[str, Tensor]:
    """The constants of a graph by their names, without what these begin with."""
    return {
        one.name.removeprefix(prefix): torch.from_numpy(onnx.numpy_helper.to_array(one).copy())
        for one in graph.initializer
    }


def _taken(network: _Network, held: Mapping[str, Tensor]) -> _Network:
    """A network with the weights of an exported one; raises KeyError where one is missing.

    Export folds each batch norm into the layer before it. It stays there: the norm then adds the
    bias alone, and nothing where that layer adds its own.
    """
    norms = {
        name: one
        for name, one in network.named_modules()
        if isinstance(one, nn.BatchNorm1d | nn.BatchNorm2d)
    }
    state = network.state_dict()
    for name in state:
        if name.rpartition(".")[0] not in norms:
            state[name] = held[name]
    for name, norm in norms.items():
        parts, place = name.rsplit(".", 1)
        before = f"{parts}.{int(place) - 1}"
        for bias in (f"{before}.weight_bias", f"{before}.bias"):
            if bias in held and bias not in state:
                state[f"{name}.bias"] = held[bias]
        state[f"{name}.weight"] = torch.full_like(norm.weight, (1 + norm.eps) ** 0.5)
    network.load_state_dict(state)
    return network.eval()
