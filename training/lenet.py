"""Networks of LeNet's class: convolution, subsampling, convolution, ..., one output a symbol."""

import torch
from torch import Tensor, nn

INK = 1.275
PAPER = -0.1


class ProductionNet(nn.Module):
    """The production recognizer: LeNet-5's plan with today's units.

    Input: crops u8 [N, 32, 32], ink 255 on 0, scaled inside to paper -0.1 and ink 1.175 (section
    II-B). Output: f32 [N, K] log probabilities. ReLU, max pooling, batch norm (folded at export).
    """

    def __init__(self, labels: int, widths: tuple[int, int, int, int] = (12, 32, 64, 128)) -> None:
        super().__init__()
        a, b, c, d = widths
        self.features = nn.Sequential(
            *_block(1, a, 5),
            nn.MaxPool2d(2),
            *_block(a, b, 3),
            nn.MaxPool2d(2),
            *_block(b, c, 3),
        )
        self.head = nn.Sequential(
            nn.Flatten(),
            nn.Dropout(0.2),
            nn.Linear(c * 16, d),
            nn.BatchNorm1d(d),
            nn.ReLU(),
            nn.Dropout(0.2),
            nn.Linear(d, labels),
        )

    def forward(self, crops: Tensor) -> Tensor:
        x = crops.float().unsqueeze(1) * (INK / 255.0) + PAPER
        return torch.log_softmax(self.head(self.features(x)).float(), dim=1)


def _block(inputs: int, outputs: int, kernel: int) -> list[nn.Module]:
    return [nn.Conv2d(inputs, outputs, kernel, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()]
