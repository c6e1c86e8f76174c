"""The compiled loops of ink extraction (``ink.c``), with numpy arrays; H, W: height and width."""

import ctypes

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native import LIBRARY, address, checked

_Bytes = NDArray[np.uint8]
_Int = ctypes.c_int64
_Double = ctypes.c_double
_Float = ctypes.c_float
_MOST_LINES = 4000
_COMPONENT_PIXELS = 4


def find_lines(
    darkness: _Bytes, threshold: float, *,
    run: int, length: int, thickness: float, slope: float, off: float,
) -> tuple[NDArray[np.uint16], NDArray[np.int32]]:  # fmt: skip
    """Thin straight lines along x of what is darker than a threshold, u8 [H, W].

    They hold no stretch shorter than `run` px, are `length` px long or more, at most `thickness`
    px thick on average, and where they are more than 4 px high lean by less than `slope`, with nine
    tenths of their columns within `off` px of a straight line. Returns their pixels numbered from
    1, u16 [H, W], and i32 [L, 4]: left, top, width, height of each.
    """
    height, width = darkness.shape
    labels = np.empty(darkness.shape, np.uint16)
    stats = np.empty((_MOST_LINES, 4), np.int32)
    function = LIBRARY.find_lines
    function.restype = _Int
    count = function(
        address(darkness, np.uint8), _Int(height), _Int(width),
        ctypes.c_int32(int(np.floor(threshold))), _Int(run), _Int(length), _Double(thickness),
        _Double(slope), _Double(off), address(labels, np.uint16), address(stats, np.int32),
        _Int(_MOST_LINES),
    )  # fmt: skip
    checked(count >= 0)
    if not count:
        labels = np.broadcast_to(np.uint16(0), darkness.shape)
    return labels, stats[:count]


def paint_lines(
    darkness: _Bytes, labels: NDArray[np.uint16], stats: NDArray[np.int32],
    wanted: NDArray[np.bool_],
) -> tuple[_Bytes, NDArray[np.int64]]:  # fmt: skip
    """The pixels of the wanted lines, bool [L], u8 [H, W] 0/1, and how often each darkness occurs
    under them, i64 [256]; labels, stats: of `find_lines`."""
    pixels, counts = np.zeros(darkness.shape, np.uint8), np.empty(256, np.int64)
    if labels.shape != darkness.shape or len(wanted) != len(stats):
        raise ValueError("paint_lines: the lines are of another image")
    LIBRARY.paint_lines(
        address(darkness, np.uint8), address(labels, np.uint16), _Int(darkness.shape[1]),
        address(stats, np.int32), _Int(len(stats)), address(wanted, np.bool_),
        address(pixels, np.uint8), address(counts, np.int64),
    )  # fmt: skip
    return pixels, counts


def erase_lines(
    darkness: _Bytes, lines: _Bytes, boxes: NDArray[np.int32], *, usual: float, reach: int
) -> _Bytes:
    """The darkness, u8 [H, W], without lines and the pixels around them that are at most `usual`.

    What is dark within `reach` px both above and below goes through. lines: u8 [H, W] 0/1, inside
    of boxes i32 [L, 4] (x0, y0, x1, y1).
    """
    height, width = darkness.shape
    boxes = np.ascontiguousarray(boxes, np.int32)
    low, high = boxes[:, :2], boxes[:, 2:]
    if lines.shape != darkness.shape or not ((low >= 0) & (high <= (width, height))).all():
        raise ValueError("erase_lines: a line is outside of the image")
    result = darkness.copy()
    checked(
        LIBRARY.erase_lines(
            address(darkness, np.uint8), address(lines, np.uint8), _Int(height), _Int(width),
            address(boxes, np.int32), _Int(len(boxes)), _Double(usual), _Int(reach),
            address(result, np.uint8),
        )
    )  # fmt: skip
    return result


def histogram(values: _Bytes) -> NDArray[np.int64]:
    """How often each value occurs, i64 [256]."""
    found = np.empty(256, np.int64)
    LIBRARY.histogram(address(values, np.uint8), _Int(values.size), address(found, np.int64))
    return found


def find_strokes(
    darkness: _Bytes, around: tuple[_Bytes, _Bytes] | None, *, peaks: _Bytes, texture: float,
    lowest: float, highest: float, weak: float, strong: float,
) -> tuple[_Bytes, NDArray[np.bool_]]:  # fmt: skip
    """The ink, u8 [H, W], and the mask, bool [H, W], of pixels that belong to a stroke.

    A stroke is a component of pixels whose share of the local level is above `weak` with at least
    one above `strong`. The level is within lowest .. highest: the peak, u8 [256], of the darkest
    near the pixel, or of 255 where more than `texture` of what is around is faintly dark; around:
    both, u8 [H, W], None where the level is the highest everywhere.
    """
    ink, mask = np.empty_like(darkness), np.empty_like(darkness)
    height, width = darkness.shape
    if around is not None and any(one.shape != darkness.shape for one in around):
        raise ValueError("find_strokes: the surroundings are of another size")
    near, faint = around or (None, None)
    checked(
        LIBRARY.find_strokes(
            address(darkness, np.uint8), *(None if one is None else address(one, np.uint8)
                                           for one in (near, faint)),
            address(peaks, np.uint8), ctypes.c_int(int(texture)), _Int(height), _Int(width),
            _Float(lowest), _Float(highest), _Float(weak), _Float(strong), address(ink, np.uint8),
            address(mask, np.uint8),
        )
    )  # fmt: skip
    return ink, mask.view(np.bool_)


def component_stats(pixels: _Bytes) -> NDArray[np.int32]:
    """Components of pixels, u8 [H, W] 0/1, in 8 directions; i32 [C, 5], as OpenCV orders them.

    Left, top, width, height, area in pixels.
    """
    height, width = pixels.shape
    room = height * width // _COMPONENT_PIXELS + height + width + 1
    stats = np.empty((room, 5), np.int32)
    function = LIBRARY.component_stats
    function.restype = _Int
    count = function(
        address(pixels, np.uint8), _Int(height), _Int(width), address(stats, np.int32), _Int(room)
    )
    checked(count >= 0)
    return stats[:count]


def energies(
    x: NDArray[np.float32], y: NDArray[np.float32], weight: NDArray[np.float32],
    degrees: NDArray[np.float64], bin_size: float,
) -> NDArray[np.float64]:  # fmt: skip
    """Sums of squares of the profiles of points, f32 [N], projected along lines of these slopes.

    degrees: f64 [A]; bin_size: px. f64 [A].
    """
    if not len(x) == len(y) == len(weight):
        raise ValueError("energies: points need two coordinates and a weight")
    slopes = np.tan(np.radians(degrees)).astype(np.float32)
    found = np.empty(len(slopes))
    checked(
        LIBRARY.profile_energies(
            *(address(one, np.float32) for one in (x, y, weight)), _Int(len(x)),
            address(slopes, np.float32), _Int(len(slopes)), _Float(1 / bin_size),
            address(found, np.float64),
        )
    )  # fmt: skip
    return found
