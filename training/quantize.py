"""The networks in integers of eight bits, as the service runs them (Jacob et al., CVPR 2018).

Weights have a scale of their own for every channel, what flows from layer to layer one for each
layer, found on examples. Weights keep to seven bits: a processor without instructions for such
products adds two of them in sixteen bits, and would cut the sum short. The first convolution sees
few channels and is no faster so, the last layer says the odds: both stay in single precision.
"""

import hashlib
import json
import logging
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from service.errors import InputError
from service.pipeline import centres, field_map
from service.pipeline.card import EIGHT_BITS, MODEL, SWEPT, load_card, write_card
from service.pipeline.centres import seen_lines
from service.pipeline.field_map import page_layers
from service.pipeline.recognize import padded, session_of
from service.pipeline.segment import normalise_line, segment_fields
from service.pipeline.swept import STEP as SWEPT_STEP
from training.encode import OWN_LIMITS, png
from training.export import choice_of
from training.lanes import fill_channels, pair_columns
from training.strips import cut_strips, zone_strip
from training.synth.bank import GlyphBank
from training.synth.cheque import make_cheque
from training.synth.hand import HandWriter

# Candidate fields of a page that examples are taken from, the likeliest ones.
_FIELDS = 2
_COUNTED = {"Conv", "Gemm"}
_SINGLE = {"ConvTranspose"}
_FIRST = 140_000_000
_SUFFIXES = {".png", ".jpg", ".jpeg", ".tif", ".tiff"}

Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Examples:
    """What the networks see of some images, as they are called with it, all u8.

    crops: [N, 32, 32] of an image's segments; strips: [1, LAYERS, 36, W] of a field; lines: [1,
    ROWS, W] of a zone; pages: [1, LAYERS, H, W].
    """

    crops: list[Bytes] = field(default_factory=list)
    strips: list[Bytes] = field(default_factory=list)
    lines: list[Bytes] = field(default_factory=list)
    pages: list[Bytes] = field(default_factory=list)


def examples_of(model: Path, images: Iterable[bytes], *, field_only: bool = False) -> Examples:
    """What the networks see of image files; those that the service refuses are left out.

    Raises ValueError where they hold no ink at all.
    """
    placement = load_card(model).placement
    found = Examples()
    for data in images:
        try:
            _, ink, fields = cut_strips(data, field_only=field_only, limits=OWN_LIMITS)
        except InputError:
            continue
        fields = fields[:_FIELDS]
        graph = segment_fields(ink, fields, placement)
        if not len(graph.crops):
            continue
        found.crops.append(graph.crops)
        for box in dict.fromkeys(zone.box for one in fields for zone in one.zones):
            line = normalise_line(ink.ink, box)
            if line is not None:
                found.lines.append(seen_lines(line.ink, line.centre)[0])
        strips = [zone_strip(ink, one) for one in fields]
        found.strips.extend(padded(one, SWEPT_STEP) for one in strips if one.shape[2])
        if not field_only:
            found.pages.append(page_layers(ink)[0][None])
    if not found.crops:
        raise ValueError("there is no ink in the images to choose scales by")
    return found


def drawn_cheques(data: Path, count: int, seed: int) -> Iterator[bytes]:
    """Synthetic cheques of the writers that networks learn from, as files."""
    hand = HandWriter(GlyphBank.load(data, "train"))
    for number in range(count):
        yield png(make_cheque(_FIRST + seed + number, hand=hand.write, split="train").image)


def images_in(folder: Path) -> Iterator[bytes]:
    """The image files of a folder, by name."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in _SUFFIXES:
            yield path.read_bytes()


def quantize_model(folder: Path, examples: Examples) -> dict[str, float]:
    """Put a model's networks in eight bits beside those that were trained, and into its card.

    Returns the root mean square of what that changes of each network's penalties below 3 nats, on
    the examples, by the network's file. Raises ValueError where they lack what a network sees.
    """
    before = {MODEL: ("crops", examples.crops), SWEPT: ("strips", examples.strips)}
    card = json.loads((folder / "card.json").read_text())
    held, changed = {}, {}
    for name, (seen, own) in before.items():
        if name == SWEPT and "swept" not in card:
            continue
        onnx.save(quantized(onnx.load(str(folder / name)), seen, own), folder / EIGHT_BITS[name])
        held[EIGHT_BITS[name]] = _digest(folder / EIGHT_BITS[name])
        changed[name] = _difference(folder / name, folder / EIGHT_BITS[name], seen, own)
    card["quantized"] = held
    write_card(folder, card)
    return changed


def quantize_shared(examples: Examples) -> dict[str, str]:
    """Write the two networks of the service's code in eight bits; their sha256 by name.

    Raises ValueError without an example of a line and of a page.
    """
    seen = {
        centres.NETWORK: ("lines", examples.lines),
        field_map.NETWORK: ("pages", examples.pages),
    }
    for path, (name, own) in seen.items():
        onnx.save(quantized(onnx.load(str(trained(path))), name, own), path)
    return {path.name: _digest(path) for path in seen}


def trained(path: Path) -> Path:
    """Where a network of the service's code lies as it was trained."""
    return Path(__file__).parent / path.name


def quantized(model: onnx.ModelProto, seen: str, examples: Sequence[Bytes]) -> onnx.ModelProto:
    """A network in eight bits; of a choice between two each of them, what chooses stays.

    seen: the name of what goes in. examples: as it is called with. Raises ValueError for none.
    """
    if not examples:
        raise ValueError(f"no example of {seen} to choose scales by")
    choice = choice_of(model)
    if choice is None:
        return _quantized(model, seen, examples)
    branches = []
    for attribute in choice.attribute:
        inner = onnx.helper.make_model(
            attribute.g, opset_imports=model.opset_import, ir_version=model.ir_version
        )
        inner.graph.input.extend(model.graph.input)
        done = _quantized(inner, seen, examples)
        done.graph.ClearField("input")
        branches.append(onnx.helper.make_attribute(attribute.name, done.graph))
        imported = done.opset_import
    del choice.attribute[:], model.opset_import[:]
    choice.attribute.extend(branches)
    model.opset_import.extend(imported)
    return model


class _Examples(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, seen: str, examples: Sequence[Bytes]) -> None:
        self._left: Iterator[dict[str, Bytes]] = iter([{seen: one} for one in examples])

    def get_next(self) -> Any:
        return next(self._left, None)


def _quantized(model: onnx.ModelProto, seen: str, examples: Sequence[Bytes]) -> onnx.ModelProto:
    with tempfile.TemporaryDirectory() as scratch, _quiet():
        before, after = Path(scratch) / "before.onnx", Path(scratch) / "after.onnx"
        _take_quotient_in(model.graph)
        pair_columns(model.graph)
        fill_channels(model.graph)
        onnx.save(model, str(before))
        quantize_static(
            str(before), str(after), _Examples(seen, examples),
            quant_format=QuantFormat.QOperator, per_channel=True, reduce_range=True,
            activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            nodes_to_exclude=_single(model.graph.node), calibrate_method=CalibrationMethod.MinMax,
        )  # fmt: skip
        done = onnx.load(str(after))
        _shuffle_bytes(done.graph)
        return done


def _shuffle_bytes(graph: onnx.GraphProto) -> None:
    """Have pixels shuffled as the bytes that they are, before and behind."""
    made = {name: node for node in graph.node for name in node.output}
    for shuffled in [node for node in graph.node if node.op_type == "DepthToSpace"]:
        before = made[shuffled.input[0]]
        behind = [node for node in graph.node if shuffled.output[0] in node.input]
        kinds = [node.op_type for node in (before, *behind)]
        if kinds == ["DequantizeLinear", "QuantizeLinear"] and _scale(graph, before) == _scale(
            graph, behind[0]
        ):
            shuffled.input[0] = before.input[0]
            shuffled.output[0] = behind[0].output[0]
            graph.node.remove(before)
            graph.node.remove(behind[0])


def _scale(graph: onnx.GraphProto, node: onnx.NodeProto) -> list[float]:
    """Scale and zero point of a node that brings numbers to bytes, or back."""
    held = {one.name: one for one in graph.initializer}
    return [float(onnx.numpy_helper.to_array(held[name])) for name in node.input[1:]]


def _take_quotient_in(graph: onnx.GraphProto) -> None:
    """Divide the weights of a convolution in place of all that it sees."""
    held = {one.name: one for one in graph.initializer}
    conv = next(node for node in graph.node if node.op_type in _COUNTED)
    divided = next((node for node in graph.node if conv.input[0] in node.output), None)
    if divided is None or divided.op_type != "Div" or divided.input[1] not in held:
        return
    weights, quotient = (
        onnx.numpy_helper.to_array(held[name]) for name in (conv.input[1], divided.input[1])
    )
    held[conv.input[1]].CopyFrom(onnx.numpy_helper.from_array(weights / quotient, conv.input[1]))
    conv.input[0] = divided.input[0]
    graph.node.remove(divided)
    if not any(divided.input[1] in node.input for node in graph.node):
        graph.initializer.remove(held[divided.input[1]])


def _single(nodes: Sequence[onnx.NodeProto]) -> list[str]:
    """The nodes that stay in single precision: all up to what the first convolution finds, the
    last layer and all behind it, and what eight bits make no faster."""
    counted = [number for number, node in enumerate(nodes) if node.op_type in _COUNTED]
    first = counted[0] + 1
    while nodes[first].op_type in ("Relu", "MaxPool", "Slice"):
        first += 1
    return [
        node.name
        for number, node in enumerate(nodes)
        if number < first or number >= counted[-1] or node.op_type in _SINGLE
    ]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the advice to prepare a network that the exporter has prepared."""
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.ERROR)
    try:
        yield
    finally:
        logging.getLogger().setLevel(level)


def _difference(before: Path, after: Path, seen: str, examples: Sequence[Bytes]) -> float:
    sessions = [session_of(path.parent, path.name) for path in (before, after)]
    off = []
    for one in examples:
        said, again = (np.asarray(session.run(None, {seen: one})[0]) for session in sessions)
        off.append((again - said)[said < 3.0] ** 2)
    return float(np.sqrt(np.concatenate(off).mean()))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
