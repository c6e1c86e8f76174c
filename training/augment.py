"""Random distortions of crops, on whole batches (section III-C's planar affine, and more)."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Distortion:
    """Ranges of the distortions: each is drawn uniformly from [-range, range].

    rotate, shear: radians and ratio; scale: natural logarithm; shift: px; bend: px of a smooth
    random displacement field; thick: share of crops whose strokes are thinned or thickened;
    contrast: natural logarithm of the exponent of the ink.
    """

    rotate: float = 0.11
    shear: float = 0.15
    scale: float = 0.13
    shift: float = 1.3
    bend: float = 0.8
    thick: float = 0.2
    contrast: float = math.log(1.4)


PLANAR = Distortion(0.14, 0.22, 0.16, 1.6, bend=0.0, thick=0.0, contrast=0.0)
"""Nothing but the planar affine distortions of section III-C."""


def distort(crops: Tensor, how: Distortion, generator: torch.Generator) -> Tensor:
    """Crops u8 [N, 32, 32] -> distorted crops u8 of the same shape."""
    count, height, width = crops.shape
    x = crops.float().unsqueeze(1) / 255.0

    def uniform(span: float, *shape: int) -> Tensor:
        return (torch.rand(count, *shape, generator=generator) * 2 - 1) * span

    angle, shear = uniform(how.rotate), uniform(how.shear)
    sx, sy = torch.exp(uniform(how.scale)), torch.exp(uniform(how.scale))
    theta = torch.stack(
        [
            torch.stack([sx * torch.cos(angle), shear - torch.sin(angle)], 1),
            torch.stack([torch.sin(angle), sy * torch.cos(angle)], 1),
        ],
        1,
    )
    shift = uniform(how.shift * 2 / width, 2, 1)
    grid = functional.affine_grid(
        torch.cat([theta, shift], 2), [count, 1, height, width], align_corners=False
    )
    coarse = uniform(how.bend * 2 / width, 2, 5, 5)
    field = functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=True)
    x = functional.grid_sample(x, grid + field.permute(0, 2, 3, 1), align_corners=False)
    x = _change_stroke(x, how.thick, generator)
    gain = torch.exp((torch.rand(count, 1, 1, 1, generator=generator) * 2 - 1) * how.contrast)
    return (x.clamp(0, 1) ** gain * 255).squeeze(1).to(torch.uint8)


def _change_stroke(x: Tensor, share: float, generator: torch.Generator) -> Tensor:
    draw = torch.rand(x.shape[0], 1, 1, 1, generator=generator)
    blurred = functional.avg_pool2d(x, 3, 1, 1)
    thick = torch.maximum(x, (blurred * 1.6).clamp(0, 1))
    thin = torch.minimum(x, ((blurred - 0.25) * 2).clamp(0, 1))
    return torch.where(draw < share / 3, thick, torch.where(draw > 1 - share / 3, thin, x))
