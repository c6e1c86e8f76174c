"""How far a network that is trained on begins from what it said before."""

import torch
from torch import Tensor, nn


def drift_in_training(network: nn.Module, given: Tensor, expected: Tensor) -> float:
    """The mean distance from what is expected, where batch norms take what they are given."""
    for part in network.modules():
        part.train(isinstance(part, nn.BatchNorm2d))
    with torch.no_grad():
        return float((network(given) - expected).abs().mean())
