"""From bytes to a level, landscape, grey cheque, with the way back to the original pixels."""

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.errors import InputError
from service.pipeline.border import find_border, find_print
from service.pipeline.container import ImageLimits
from service.pipeline.decode import Page, decode_page, scaling, shrink
from service.pipeline.levels import percentile
from service.pipeline.skew import estimate_skew
from service.pipeline.streaks import without_streaks

__all__ = ["ChequeImage", "ImageLimits", "load_cheque"]

WORKING_WIDTH: Final = 1400
FIELD_HEIGHT: Final = 200
FIELD_WIDTH: Final = 1600
_DECODED_SIDE: Final = 1800
_DECODED_HEIGHT: Final = 300
_MIN_WORKING_HEIGHT: Final = 48
_MIN_FIELD_SIDE: Final = 8
_MIN_WORKING_WIDTH: Final = 120
_PREVIEW_SIDE: Final = 700
_LEAST_SKEW: Final = 0.4
_PORTRAIT: Final = 1.2
_SURELY_PORTRAIT: Final = 1.6
_ALIASING: Final = 0.75
_DARK_PAPER: Final = 110.0
_LIGHT_STROKES: Final = 1.5

_CHEQUE_INCHES: Final = 6.5
_CHEQUE_WIDTHS: Final = (3.5, 11.0)
_FIELD_INCHES: Final = 0.4
_FIELD_HEIGHTS: Final = (0.12, 1.5)
_DEFAULT_LIMITS: Final = ImageLimits()

_Floats = NDArray[np.float64]
_Bytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ChequeImage:
    """One cheque, or one cropped courtesy amount, ready to be read.

    grey: u8 [H, W], ink dark on light, landscape, level, upright as far as can be guessed; at most
    1400 px wide (a field: 200 px high, 1600 px wide), never enlarged but to square pixels.
    dpi: dots per inch of grey, from the file where believable, else estimated from the size.
    to_original: f64 [3, 3], homography from (x, y, 1) in grey to the page as a viewer shows it,
    Exif orientation applied; centres of pixels at whole numbers in both frames.
    pages: images in the file, of which this is the first. original_size: width, height of the page.
    """

    grey: _Bytes
    dpi: float
    to_original: _Floats
    pages: int
    original_size: tuple[int, int]

    def turned(self) -> "ChequeImage":
        """The same cheque turned by 180 degrees, to_original with it.

        An upside-down cheque is no error of loading: nothing cheap tells the two apart for every
        layout, so the reader tries this one where the first reading finds nothing.
        """
        height, width = self.grey.shape
        half_turn = np.array([[-1, 0, width - 1], [0, -1, height - 1], [0, 0, 1]], np.float64)
        return ChequeImage(
            grey=np.ascontiguousarray(self.grey[::-1, ::-1]),
            dpi=self.dpi,
            to_original=self.to_original @ half_turn,
            pages=self.pages,
            original_size=self.original_size,
        )


@dataclass(frozen=True, slots=True)
class _View:
    """A rectangle of the decoded page, not yet resampled.

    source: u8 [h, w], a cut or a quarter turn of the decoded page. to_decoded: f64 [3, 3], pixels
    of source to pixels of the decoded page. size: width, height of the view. warp: f64 [3, 3],
    pixels of the view to pixels of source; None where they are the same, so that nothing need be
    resampled.
    """

    source: _Bytes
    to_decoded: _Floats
    size: tuple[int, int]
    warp: _Floats | None


def load_cheque(
    data: bytes, *, field_only: bool = False, limits: ImageLimits = _DEFAULT_LIMITS
) -> ChequeImage:
    """Decode an untrusted PNG, JPEG or TIFF and bring the cheque into reading position.

    data: the file. field_only: the picture is the cropped courtesy amount, which is only scaled
    (deskewing would take the writer's slant for skew) and turned dark on light. A whole cheque on
    a table or a larger page is cut out and its perspective undone, then turned to landscape and
    levelled, without a scanner's streaks. Raises InputError with a code: empty, too_large_bytes,
    unsupported_type, unsupported_image, truncated_image, corrupt_image, too_many_pixels, too_small.
    Uneven light is left to extract_ink.
    """
    page = decode_page(
        data, limits, field_only=field_only, long_side=_DECODED_SIDE, height=_DECODED_HEIGHT
    )
    view = _whole(page.grey if field_only else without_streaks(page.grey))
    if field_only:
        scale = min(1.0, FIELD_HEIGHT / view.size[1], FIELD_WIDTH / view.size[0])
        least = (_MIN_FIELD_SIDE, _MIN_FIELD_SIDE)
    else:
        view = _cheque_view(view)
        scale = min(1.0, WORKING_WIDTH / view.size[0])
        least = (_MIN_WORKING_WIDTH, _MIN_WORKING_HEIGHT)
    if view.size[0] * scale < least[0] or view.size[1] * scale < least[1]:
        raise InputError("too_small", "the image is too narrow for its length")
    grey, to_decoded = _render(view, scale)
    if _is_inverted(grey):
        grey = np.asarray(cv2.bitwise_not(grey), np.uint8)
    to_original = page.to_page @ to_decoded
    return ChequeImage(
        grey=grey,
        dpi=_dpi(page, grey, to_original, field_only),
        to_original=to_original / to_original[2, 2],
        pages=page.pages,
        original_size=page.size,
    )


def _whole(grey: _Bytes) -> _View:
    return _View(grey, np.eye(3), (grey.shape[1], grey.shape[0]), None)


def _cheque_view(view: _View) -> _View:
    """The cheque alone, landscape and level, out of the whole page."""
    corners = find_border(view.source)
    if corners is not None:
        view = _straightened(view, corners)
    else:
        box = find_print(view.source)
        if box is not None:
            view = _cut(view, *box)
    preview = _preview(view)
    skew = estimate_skew(preview)
    if view.warp is None and view.size[1] > _PORTRAIT * view.size[0]:
        side = _quarter_turned(view)
        side_preview = _preview(side)
        side_skew = estimate_skew(side_preview)
        if side_skew.sharpness > skew.sharpness or view.size[1] > _SURELY_PORTRAIT * view.size[0]:
            view, skew = side, side_skew
    if abs(skew.angle) < _LEAST_SKEW:
        return view
    return _rotated(view, skew.angle)


def _cut(view: _View, left: int, top: int, right: int, bottom: int) -> _View:
    shift = np.array([[1, 0, left], [0, 1, top], [0, 0, 1]], np.float64)
    source = view.source[top:bottom, left:right]
    return _View(source, view.to_decoded @ shift, (right - left, bottom - top), None)


def _quarter_turned(view: _View) -> _View:
    """An unwarped view turned clockwise; turned() makes the other way round of it."""
    height = view.source.shape[0]
    turn = np.array([[0, 1, 0], [-1, 0, height - 1], [0, 0, 1]], np.float64)
    source = np.ascontiguousarray(np.rot90(view.source, -1))
    return _View(source, view.to_decoded @ turn, (view.size[1], view.size[0]), None)


def _straightened(view: _View, corners: _Floats) -> _View:
    """The inside of a quadrilateral (upper left corner first, clockwise) as a rectangle."""
    lengths = np.linalg.norm(np.roll(corners, -1, axis=0) - corners, axis=1)
    width, height = round((lengths[0] + lengths[2]) / 2), round((lengths[1] + lengths[3]) / 2)
    right, bottom = width - 0.5, height - 0.5
    rectangle = np.array([(-0.5, -0.5), (right, -0.5), (right, bottom), (-0.5, bottom)])
    warp = cv2.getPerspectiveTransform(rectangle.astype(np.float32), corners.astype(np.float32))
    return replace(view, size=(width, height), warp=np.asarray(warp, np.float64))


def _rotated(view: _View, angle: float) -> _View:
    """The view turned about its centre so that lines falling by `angle` degrees come level."""
    x, y = (view.size[0] - 1) / 2, (view.size[1] - 1) / 2
    c, s = float(np.cos(np.radians(angle))), float(np.sin(np.radians(angle)))
    turn = np.array([[c, -s, x - c * x + s * y], [s, c, y - s * x - c * y], [0, 0, 1]], np.float64)
    return replace(view, warp=turn if view.warp is None else view.warp @ turn)


def _preview(view: _View) -> _Bytes:
    """The view at the size that skew is measured at, dark on light."""
    if view.warp is None:
        preview = shrink(view.source, -(-max(view.size) // _PREVIEW_SIDE))
    else:
        preview, _ = _render(view, min(1.0, _PREVIEW_SIDE / max(view.size)))
    return np.asarray(cv2.bitwise_not(preview), np.uint8) if _is_inverted(preview) else preview


def _render(view: _View, scale: float) -> tuple[_Bytes, _Floats]:
    """The pixels of a view at a scale of at most 1, and their homography to the decoded page."""
    size = (max(1, round(view.size[0] * scale)), max(1, round(view.size[1] * scale)))
    to_view = scaling(view.size[0] / size[0], view.size[1] / size[1])
    if view.warp is None:
        matrix = view.to_decoded @ to_view
        if size == view.size:
            return np.ascontiguousarray(view.source), matrix
        small = cv2.resize(view.source, size, interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.uint8), matrix
    warp = view.warp @ to_view
    source, matrix = view.source, view.to_decoded @ warp
    if scale < _ALIASING:
        rows, columns = source.shape
        less = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        source = np.asarray(cv2.resize(source, less, interpolation=cv2.INTER_AREA), np.uint8)
        warp = scaling(less[0] / columns, less[1] / rows) @ warp
    return _warp(source, warp, size), matrix


def _warp(source: _Bytes, warp: _Floats, size: tuple[int, int]) -> _Bytes:
    """Sample source at warp times each pixel of the result; paper where it has nothing."""
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    paper = percentile(source[::16, ::16], 75)
    border = cv2.BORDER_CONSTANT
    if np.array_equal(warp[2], (0.0, 0.0, 1.0)):
        flat = cv2.warpAffine(
            source, warp[:2], size, flags=flags, borderMode=border, borderValue=paper
        )
    else:
        flat = cv2.warpPerspective(
            source, warp, size, flags=flags, borderMode=border, borderValue=paper
        )
    return np.asarray(flat, np.uint8)


def _is_inverted(grey: _Bytes) -> bool:
    """Whether thin light strokes on dark paper prevail over dark strokes on light paper."""
    sample = grey[:: 1 + grey.shape[0] // 80, :: 1 + grey.shape[1] // 160]
    if percentile(sample, 50) > _DARK_PAPER:
        return False
    kernel = np.ones((9, 9), np.uint8)
    light = float(cv2.mean(cv2.morphologyEx(grey, cv2.MORPH_TOPHAT, kernel))[0])
    dark = float(cv2.mean(cv2.morphologyEx(grey, cv2.MORPH_BLACKHAT, kernel))[0])
    return light > _LIGHT_STROKES * dark


def _dpi(page: Page, grey: _Bytes, to_original: _Floats, field_only: bool) -> float:
    """Dots per inch of the working image: the file's where it fits a cheque, else estimated."""
    height, width = grey.shape
    middle = np.array(
        [((width - 1) / 2, (height - 1) / 2, 1), ((width + 1) / 2, (height - 1) / 2, 1)]
    )
    points = middle @ to_original.T
    step = points[1, :2] / points[1, 2] - points[0, :2] / points[0, 2]
    inches, sizes = (
        (_FIELD_INCHES, _FIELD_HEIGHTS) if field_only else (_CHEQUE_INCHES, _CHEQUE_WIDTHS)
    )
    length = height if field_only else width
    if page.dpi is not None:
        dpi = page.dpi / max(float(np.linalg.norm(step)), 1e-6)
        if sizes[0] <= length / dpi <= sizes[1]:
            return float(dpi)
    return float(length / inches)
