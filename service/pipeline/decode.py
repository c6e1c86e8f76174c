"""Untrusted decoding: an image file becomes one grey page, or an InputError."""

import contextlib
import ctypes
import ctypes.util
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import PIL
from numpy.typing import NDArray
from PIL import Image, ImageFile, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from service.errors import InputError
from service.pipeline.container import Container, ImageLimits, open_container
from service.pipeline.native import inking

_OPENERS: Final[dict[str, Callable[[io.BytesIO], ImageFile.ImageFile]]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
}
_BELIEVABLE_DPI: Final = (60.0, 1300.0)
_SQUARE_PIXELS: Final = 1.1
_BAND: Final = 256

# Grey is luminance (ITU-R BT.601), for every format alike. It is the first channel of a JPEG, which
# therefore decodes 2.5 times faster and at full resolution, while chroma is subsampled and blocky.
# Blue pen ink stays as dark as black (about 50 of 255), red about 85. The darkest channel would
# keep red darker still, but it darkens pink and yellow tints and chroma noise just as much.


@dataclass(frozen=True, slots=True)
class Page:
    """One decoded page as a viewer shows it, whatever its polarity.

    grey: u8 [H, W], Exif orientation applied, an integer factor smaller than the page where that
    is much larger than needed. to_page: f64 [3, 3], pixels of grey to pixels of the full page
    (centres of pixels at whole numbers). size: width, height of the full page. dpi: of the full
    page, None where the file does not say or cannot be believed. pages: images in the file.
    """

    grey: NDArray[np.uint8]
    to_page: NDArray[np.float64]
    size: tuple[int, int]
    dpi: float | None
    pages: int


def decode_page(
    data: bytes, limits: ImageLimits, *, field_only: bool, long_side: int, height: int
) -> Page:
    """Decode page 1 of a PNG, JPEG or TIFF to grey, at a reduced size where it is very large.

    long_side: a whole cheque keeps at least that many pixels along its longer side, height: a
    cropped field at least that many vertically; neither is ever enlarged. Raises InputError as
    open_container does; whatever else the codecs raise becomes one.
    """
    container = open_container(data, limits, field_only=field_only)
    turned = container.orientation >= 5
    width, tall = container.width, container.height
    needed = (width if turned else tall) / height if field_only else max(width, tall) / long_side
    factor = max(1, int(needed))
    try:
        grey, factor = _decode_grey(container, factor)
    except InputError:
        raise
    except Exception as error:  # noqa: BLE001 - codecs raise nearly anything on hostile files
        raise _refusal(error) from None
    grey = _orient(grey, container.orientation)
    to_page = scaling(factor, factor)
    dpi = container.dpi
    if dpi is not None and turned:
        dpi = (dpi[1], dpi[0])
    if dpi is not None and container.kind == "TIFF":
        grey, square = _square_pixels(grey, dpi)
        to_page = to_page @ square
    size = (tall, width) if turned else (width, tall)
    believable = dpi is not None and _BELIEVABLE_DPI[0] <= dpi[0] <= _BELIEVABLE_DPI[1]
    return Page(grey, to_page, size, dpi[0] if dpi and believable else None, container.pages)


def _silence_libtiff() -> None:
    """Keep libtiff from printing what it dislikes about a hostile file to standard error.

    Pillow leaves libtiff's default handlers in place. Where its copy of the library is not found,
    nothing but those lines is lost.
    """
    bundled = Path(PIL.__file__).parent.parent.glob("pillow.libs/libtiff*")
    for name in (*map(str, bundled), ctypes.util.find_library("tiff")):
        if name is not None:
            with contextlib.suppress(OSError, AttributeError):
                library = ctypes.CDLL(name)
                library.TIFFSetErrorHandler(None)
                library.TIFFSetWarningHandler(None)


_silence_libtiff()


def scaling(x: float, y: float) -> NDArray[np.float64]:
    """Homography f64 [3, 3] that enlarges by x and y about the image's corner.

    Frame: centres of pixels at whole numbers, so that the corner is at (-0.5, -0.5).
    """
    return np.array([[x, 0, (x - 1) / 2], [0, y, (y - 1) / 2], [0, 0, 1]], np.float64)


def shrink(grey: NDArray[np.uint8], factor: int) -> NDArray[np.uint8]:
    """Average blocks of factor x factor pixels; what does not fill a block is left out.

    grey: u8 [H, W] -> u8 [H // factor, W // factor]; scaling(factor, factor) leads back.
    """
    if factor == 1:
        return grey
    if factor != 2:
        return inking.shrink(grey, factor)
    rows, columns = grey.shape[0] // 2, grey.shape[1] // 2
    whole = grey[: rows * 2, : columns * 2]
    return np.asarray(cv2.resize(whole, (columns, rows), interpolation=cv2.INTER_AREA), np.uint8)


def _refusal(error: Exception) -> InputError:
    if isinstance(error, EOFError) or "truncated" in str(error):
        return InputError("truncated_image", "the image data ends early")
    if "unknown pixel mode" in str(error):
        return InputError("unsupported_image", "the image's pixel format is not read")
    return InputError("corrupt_image", "the image data is broken")


def _decode_grey(container: Container, factor: int) -> tuple[NDArray[np.uint8], int]:
    """Grey u8 [H, W] as stored, reduced by the returned integer factor of about `factor`."""
    with _OPENERS[container.kind](io.BytesIO(container.data)) as image:
        if image.size != (container.width, container.height):
            raise InputError("corrupt_image", "the image's size is not what its header says")
        done = 1
        if isinstance(image, JpegImagePlugin.JpegImageFile):
            wanted = (container.width // factor, container.height // factor)
            image.draft("L", (max(1, wanted[0]), max(1, wanted[1])))
            done = round(container.width / image.width)
        grey = _to_grey(image)
    left = max(1, factor // done)
    return shrink(grey, left), done * left


def _to_grey(image: Image.Image) -> NDArray[np.uint8]:
    """Luminance of an image of any mode, transparency over white; u8 [H, W]."""
    mode = image.mode
    if mode == "1" and "transparency" not in image.info:
        whole = np.frombuffer(image.tobytes("raw", "L"), np.uint8)
        return whole.reshape(image.height, image.width)
    if mode in ("I", "F") or mode.startswith("I;16"):
        return _stretch(np.asarray(image))
    if mode == "LAB":
        return np.asarray(image.getchannel(0))
    if mode == "La":
        image = image.convert("LA")
    elif mode in ("PA", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("LA", "RGBA"):
        paper = Image.new("L", image.size, 255)
        paper.paste(image.convert("L"), mask=image.getchannel("A"))
        return np.asarray(paper)
    if image.mode == "CMYK":
        image = image.convert("RGB")
    return np.asarray(image.convert("L"))


def _stretch(values: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Deep integer or float pixels to u8, by the smallest usual range that holds them all."""
    bands = [values[top : top + _BAND] for top in range(0, len(values), _BAND)]
    low = min(float(np.min(_finite(band))) for band in bands)
    high = max(float(np.max(_finite(band))) for band in bands)
    if low < 0:
        high -= low
    tops = (1.0,) if values.dtype.kind == "f" else ()
    top = next((t for t in (*tops, 255.0, 1023.0, 4095.0, 65535.0) if high <= t), high)
    grey = np.empty(values.shape, np.uint8)
    for band, into in zip(bands, range(0, len(values), _BAND), strict=True):
        scaled = (_finite(band) - min(low, 0.0)) * (255.0 / top) + 0.5
        grey[into : into + len(band)] = np.clip(scaled, 0, 255).astype(np.uint8)
    return grey


def _finite(values: NDArray[np.generic]) -> NDArray[np.float64]:
    return np.nan_to_num(values.astype(np.float64), nan=0.0, posinf=0.0, neginf=0.0)


def _orient(grey: NDArray[np.uint8], orientation: int) -> NDArray[np.uint8]:
    """Apply an Exif orientation 1 to 8."""
    if orientation >= 5:
        grey = grey.T
    if orientation in (3, 4, 7, 8):
        grey = grey[::-1]
    if orientation in (2, 3, 6, 7):
        grey = grey[:, ::-1]
    return np.ascontiguousarray(grey)


def _square_pixels(
    grey: NDArray[np.uint8], dpi: tuple[float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Stretch fax-like pixels (204x98 dpi) to square ones; also returns new to old pixels."""
    ratio = dpi[0] / dpi[1]
    if not all(_BELIEVABLE_DPI[0] <= value <= _BELIEVABLE_DPI[1] for value in dpi):
        return grey, np.eye(3)
    if 1 / _SQUARE_PIXELS < ratio < _SQUARE_PIXELS:
        return grey, np.eye(3)
    rows, columns = grey.shape
    size = (columns, round(rows * ratio)) if ratio > 1 else (round(columns / ratio), rows)
    if max(size) > 4 * max(grey.shape):
        return grey, np.eye(3)
    square = cv2.resize(grey, size, interpolation=cv2.INTER_LINEAR)
    return np.asarray(square, np.uint8), scaling(columns / size[0], rows / size[1])
