"""What a clerk sees of an item: the whole page, grey, at a size for the screen."""

from typing import Final

import cv2

from service.errors import InputError
from service.pipeline.container import ImageLimits
from service.pipeline.decode import decode_page

_SIDE: Final = 1600
_HEIGHT: Final = 400
_QUALITY: Final = 82


def page_jpeg(data: bytes, limits: ImageLimits, *, field_only: bool) -> tuple[bytes, int, int]:
    """The first page of an image file as JPEG; and the page's own width and height in pixels.

    Raises InputError as load_cheque does.
    """
    page = decode_page(data, limits, field_only=field_only, long_side=_SIDE, height=_HEIGHT)
    width, height = page.size
    scale = min(1.0, _SIDE / max(width, height))
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    shown = page.grey
    if shown.shape != size[::-1]:
        shown = cv2.resize(shown, size, interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    done, jpeg = cv2.imencode(".jpg", shown, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise InputError("unsupported_image", "the image can't be shown")
    return jpeg.tobytes(), width, height
