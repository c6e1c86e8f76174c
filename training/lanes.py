"""Convolutions made to fill a processor's vectors, which hold sixteen numbers in single precision.

onnxruntime makes up what a convolution's channels lack to sixteen. One of eight that sees a page
finds two neighbouring columns, as two groups of channels, in two thirds of the time of one after
the other; the one behind it takes them from there. What comes out is the same.
"""

from typing import Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

_LANES: Final = 16


def pair_columns(graph: onnx.GraphProto) -> None:
    """Have the first convolution of a graph find two columns at once, where it pays.

    It must have at most eight channels, and nothing but a ReLU between it and the one other
    convolution that sees it, which takes every second column. What goes in must be as wide as a
    multiple of two of the first one's steps.
    """
    first, *rest = (node for node in graph.node if node.op_type == "Conv")
    second = rest[0]
    between = [node for node in graph.node if first.output[0] in node.input]
    seen = [node for one in between for node in graph.node if one.output[0] in node.input]
    held = {one.name: one for one in graph.initializer}
    weights = numpy_helper.to_array(held[first.input[1]])
    if (
        2 * len(weights) > _LANES
        or [node.op_type for node in between] != ["Relu"]
        or seen != [second]
        or _of(second, "strides")[1] % 2
    ):
        return
    wide, behind = (
        _both(first, weights),
        _behind(second, numpy_helper.to_array(held[second.input[1]])),
    )
    bias = np.tile(numpy_helper.to_array(held[first.input[2]]), 2)
    for name, numbers in (
        (first.input[1], wide), (first.input[2], bias), (second.input[1], behind),
    ):  # fmt: skip
        held[name].CopyFrom(numpy_helper.from_array(numbers, name))
    del graph.value_info[:]  # shapes of before


def fill_channels(graph: onnx.GraphProto) -> None:
    """Give the first convolution of a graph empty channels up to a multiple of sixteen, until it
    was pooled: what stands in whole vectors is pooled as it stands."""
    first = next(node for node in graph.node if node.op_type == "Conv")
    pooled = first
    for kind in ("Relu", "MaxPool"):
        behind = [node for node in graph.node if pooled.output[0] in node.input]
        if [node.op_type for node in behind] != [kind]:
            return
        pooled = behind[0]
    held = {one.name: one for one in graph.initializer}
    own = {name: numpy_helper.to_array(held[name]) for name in first.input[1:]}
    channels = len(own[first.input[1]])
    lacking = -channels % _LANES
    if not lacking:
        return
    for name, numbers in own.items():
        full = np.concatenate([numbers, np.zeros((lacking, *numbers.shape[1:]), np.float32)])
        held[name].CopyFrom(numpy_helper.from_array(full, name))
    ends = [f"{first.output[0]}.{end}" for end in ("begin", "end", "axis")]
    for name, number in zip(ends, (0, channels, 1), strict=True):
        graph.initializer.append(numpy_helper.from_array(np.array([number], np.int64), name))
    all_of_them = f"{pooled.output[0]}.filled"
    own_ones = helper.make_node(
        "Slice", [all_of_them, *ends], [pooled.output[0]], f"{pooled.output[0]}.own"
    )
    pooled.output[0] = all_of_them
    graph.node.insert(list(graph.node).index(pooled) + 1, own_ones)
    del graph.value_info[:]  # shapes of before


def _both(conv: onnx.NodeProto, weights: np.ndarray) -> np.ndarray:
    """A convolution's weights, f32 [O, I, H, W], as those of two columns, [2 O, I, H, W + step]."""
    channels, inputs, high, wide = weights.shape
    (down, step), (top, left, bottom, _) = _of(conv, "strides"), _of(conv, "pads")
    both = np.zeros((2 * channels, inputs, high, wide + step), np.float32)
    both[:channels, ..., :wide] = weights
    both[channels:, ..., step:] = weights
    _put(conv, kernel_shape=(high, wide + step), strides=(down, 2 * step))
    _put(conv, pads=(top, left, bottom, max(0, wide - step - left)))
    return both


def _behind(conv: onnx.NodeProto, weights: np.ndarray) -> np.ndarray:
    """A convolution's weights, f32 [O, I, H, W], as those of one that sees pairs of columns."""
    channels, inputs, high, wide = weights.shape
    (down, step), (top, left, bottom, _) = _of(conv, "strides"), _of(conv, "pads")
    columns = np.arange(wide) - left
    pair, before = columns // 2, -(-left // 2)
    pairs = np.zeros((channels, 2 * inputs, high, int(pair[-1]) + before + 1), np.float32)
    for column in range(wide):
        group = int(columns[column] % 2) * inputs
        pairs[:, group : group + inputs, :, pair[column] + before] = weights[..., column]
    _put(conv, kernel_shape=(high, pairs.shape[-1]), strides=(down, step // 2))
    _put(conv, pads=(top, before, bottom, max(0, int(pair[-1]))))
    return pairs


def _of(conv: onnx.NodeProto, name: str) -> list[int]:
    return list(next(helper.get_attribute_value(one) for one in conv.attribute if one.name == name))


def _put(conv: onnx.NodeProto, **values: tuple[int, ...]) -> None:
    for one in conv.attribute:
        if one.name in values:
            one.ints[:] = values[one.name]
