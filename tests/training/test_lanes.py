"""Convolutions that find two columns at once, against those they are made of."""

import numpy as np
import onnx
import onnxruntime as ort
import pytest
import torch
from torch import nn

from training.lanes import fill_channels, pair_columns


def _graph(
    first: nn.Conv2d, second: nn.Conv2d, *, both_seen: bool = False, pooled: bool = False
) -> onnx.ModelProto:
    def conv(name: str, of: nn.Conv2d, x: str, y: str) -> onnx.NodeProto:
        pads = [*of.padding, *of.padding]  # type: ignore[misc]
        return onnx.helper.make_node(
            "Conv", [x, f"{name}.weight", f"{name}.bias"], [y], name=name,
            kernel_shape=of.kernel_size, strides=of.stride, pads=pads,
        )  # fmt: skip

    nodes = [
        conv("first", first, "x", "found"),
        onnx.helper.make_node("Relu", ["found"], ["above"]),
        conv("second", second, "largest" if pooled else "above", "y"),
    ]
    if pooled:
        pool = onnx.helper.make_node(
            "MaxPool", ["above"], ["largest"], kernel_shape=(2, 2), strides=(2, 2)
        )
        nodes.insert(2, pool)
    ends = ["y"]
    if both_seen:
        nodes.append(onnx.helper.make_node("Neg", ["above"], ["z"]))
        ends.append("z")
    weights = [
        onnx.numpy_helper.from_array(one.detach().numpy(), f"{name}.{part}")
        for name, of in (("first", first), ("second", second))
        for part, one in of.named_parameters()
    ]
    f32 = onnx.TensorProto.FLOAT
    graph = onnx.helper.make_graph(
        nodes, "two",
        [onnx.helper.make_tensor_value_info("x", f32, [1, first.in_channels, None, None])],
        [onnx.helper.make_tensor_value_info(one, f32, None) for one in ends], weights,
    )  # fmt: skip
    return onnx.helper.make_model(
        graph, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=9
    )


def _run(model: onnx.ModelProto, x: np.ndarray) -> np.ndarray:
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return np.asarray(session.run(["y"], {"x": x})[0])


@pytest.mark.parametrize("kernel", [3, 5, 7])
@pytest.mark.parametrize("step", [1, 2])
def test_pairs_of_columns_say_what_single_ones_say(kernel: int, step: int) -> None:
    torch.manual_seed(kernel)
    first = nn.Conv2d(4, 8, kernel, stride=(2, step), padding=kernel // 2)
    second = nn.Conv2d(8, 5, 3, stride=2, padding=1)
    before, after = _graph(first, second), _graph(first, second)
    pair_columns(after.graph)
    assert after.graph.initializer[0].dims[0] == 16
    x = np.random.default_rng(0).random((1, 4, 22, 24), np.float32)
    np.testing.assert_allclose(_run(after, x), _run(before, x), atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "step", "both_seen"), [(12, 2, False), (8, 1, False), (8, 2, True)]
)
def test_other_convolutions_stay_as_they_are(channels: int, step: int, both_seen: bool) -> None:
    first = nn.Conv2d(4, channels, 5, stride=2, padding=2)
    second = nn.Conv2d(channels, 5, 3, stride=step, padding=1)
    model = _graph(first, second, both_seen=both_seen)
    before = model.SerializeToString()
    pair_columns(model.graph)
    assert model.SerializeToString() == before


@pytest.mark.parametrize("channels", [24, 5])
def test_empty_channels_change_nothing(channels: int) -> None:
    torch.manual_seed(channels)
    first = nn.Conv2d(2, channels, 3, padding=1)
    second = nn.Conv2d(channels, 7, 3, padding=1)
    before, after = (_graph(first, second, pooled=True) for _ in range(2))
    fill_channels(after.graph)
    assert after.graph.initializer[0].dims[0] == -(-channels // 16) * 16
    x = np.random.default_rng(0).random((1, 2, 36, 40), np.float32)
    np.testing.assert_allclose(_run(after, x), _run(before, x), atol=1e-6)


@pytest.mark.parametrize(("channels", "pooled"), [(32, True), (24, False)])
def test_channels_that_are_whole_vectors_or_not_pooled_are_not_filled(
    channels: int, *, pooled: bool
) -> None:
    first = nn.Conv2d(2, channels, 3, padding=1)
    model = _graph(first, nn.Conv2d(channels, 7, 3, padding=1), pooled=pooled)
    before = model.SerializeToString()
    fill_channels(model.graph)
    assert model.SerializeToString() == before
