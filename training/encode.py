"""Pictures as the files that the service is given."""

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.container import ImageLimits

# A page of noise hardly gets smaller as a PNG.
OWN_LIMITS = ImageLimits(max_bytes=64 << 20)
"""What may be read of images that are made here."""


def png(image: NDArray[np.uint8]) -> bytes:
    """A picture u8 [H, W] or [H, W, 3] (red, green, blue) as a PNG file, not made small."""
    bgr = image if image.ndim == 2 else np.ascontiguousarray(image[:, :, ::-1])
    done, data = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 0])
    if not done:
        raise ValueError("the image could not be written as PNG")
    return data.tobytes()
