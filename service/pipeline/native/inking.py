"""The compiled loops of ink extraction (``ink.c``), with numpy arrays; H, W: height and width."""

import ctypes
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native import LIBRARY, address, checked

_Bytes = NDArray[np.uint8]
_Int = ctypes.c_int64
_Double = ctypes.c_double
_Float = ctypes.c_float
_MOST_LINES = 4000
_MOST_RUNS = 1 << 16
_MOST_WINDOW = 255
_MOST_FACTOR = 256
_COMPONENT_PIXELS = 4


def greatest_around(image: _Bytes, reach: int) -> _Bytes:
    """The greatest of the pixels within `reach` px of each along both axes; u8 [H, W]."""
    return _around(image, reach, 0)


def least_around(image: _Bytes, reach: int) -> _Bytes:
    """The least of the pixels within `reach` px of each along both axes; u8 [H, W]."""
    return _around(image, reach, 255)


def _around(image: _Bytes, reach: int, flip: int) -> _Bytes:
    found = np.empty_like(image)
    checked(
        LIBRARY.greatest_around(
            address(image, np.uint8), _Int(image.shape[0]), _Int(image.shape[1]), _Int(reach),
            _Int(flip), address(found, np.uint8),
        )
    )  # fmt: skip
    return found


def shrink(image: _Bytes, factor: int) -> _Bytes:
    """The means of blocks of factor x factor pixels; what fills no block is left out.

    image: u8 [H, W], the pixels of a row next to each other -> u8 [H // factor, W // factor]; a
    half is rounded to the even.
    """
    rows, columns = image.shape[0] // factor, image.shape[1] // factor
    if image.dtype != np.uint8 or image.strides[1] != 1 or not 0 < factor <= _MOST_FACTOR:
        raise ValueError("shrink: rows of bytes are wanted, and a factor of 256 at most")
    found = np.empty((rows, columns), np.uint8)
    checked(
        LIBRARY.shrink(
            ctypes.c_void_p(image.ctypes.data), _Int(image.strides[0]), _Int(rows), _Int(columns),
            _Int(factor), address(found, np.uint8),
        )
    )  # fmt: skip
    return found


def darken(grey: _Bytes, paper: _Bytes | None) -> _Bytes:
    """How much darker than its paper an image, u8 [H, W], is, smoothed a little; u8 [H, W].

    paper: u8, as large as the image, or [H / 2, W / 2] where both are even; None where it is 255
    everywhere.
    """
    height, width = grey.shape
    half = paper is not None and paper.shape != grey.shape
    if paper is not None and half and (2 * paper.shape[0], 2 * paper.shape[1]) != grey.shape:
        raise ValueError("darken: the paper is of another image")
    found = np.empty_like(grey)
    checked(
        LIBRARY.darken(
            address(grey, np.uint8), _Int(height), _Int(width),
            None if paper is None else address(paper, np.uint8), _Int(half),
            address(found, np.uint8),
        )
    )  # fmt: skip
    return found


@dataclass(frozen=True, slots=True)
class Lines:
    """Straight thin lines of an image, x along them: of upright ones x and y are exchanged.

    stats: i32 [L, 6], left, top, width, height, area, runs; runs: i32 [R, 4], the runs of their
    pixels, y, x0, x1, line, line by line.
    """

    upright: bool
    stats: NDArray[np.int32]
    runs: NDArray[np.int32]

    @property
    def boxes(self) -> NDArray[np.int32]:
        """Their boxes, i32 [L, 4]: x0, y0, x1, y1."""
        boxes = self.stats[:, :4].copy()
        boxes[:, 2:] += boxes[:, :2]
        return boxes


class _Straight(ctypes.Structure):
    _fields_ = (
        *((name, _Double) for name in ("thickness", "slope", "off")),
        *((name, _Int) for name in ("room", "run_room")),
    )


@dataclass(frozen=True, slots=True)
class Length:
    """How long lines must be, and the stretches that they are made of, in pixels."""

    line: int
    run: int


def find_lines(
    darkness: _Bytes, threshold: float, level: Length, upright: Length, *,
    thickness: float, slope: float, off: float,
) -> tuple[Lines, Lines]:  # fmt: skip
    """Thin straight lines along x, and along y, of what is darker than a threshold, u8 [H, W].

    They are at most `thickness` px thick on average, and where they are more than 4 px high lean by
    less than `slope`, with nine tenths of their columns within `off` px of a straight line. Of very
    many not all are returned.
    """
    stats = np.empty((2, _MOST_LINES, 6), np.int32)
    runs = np.empty((2, _MOST_RUNS, 4), np.int32)
    lengths = (_Int * 4)(level.run, level.line, upright.run, upright.line)
    found = (_Int * 2)()
    rules = _Straight(thickness, slope, off, _MOST_LINES, _MOST_RUNS)
    checked(
        LIBRARY.find_lines(
            address(darkness, np.uint8), _Int(darkness.shape[0]), _Int(darkness.shape[1]),
            ctypes.c_int32(int(np.floor(threshold))), lengths, ctypes.byref(rules),
            address(stats, np.int32), address(runs, np.int32), found,
        )
    )  # fmt: skip
    return _lines(False, stats[0], runs[0], found[0]), _lines(True, stats[1], runs[1], found[1])


def _lines(upright: bool, stats: NDArray[np.int32], runs: NDArray[np.int32], count: int) -> Lines:
    stats = stats[:count].copy()
    return Lines(upright, stats, runs[: int(stats[:, 5].sum())].copy())


def count_under(darkness: _Bytes, lines: Lines, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
    """How often each darkness, u8 [H, W], occurs under the wanted lines, bool [L]; i64 [256]."""
    counts = np.zeros(256, np.int64)
    _fits(darkness, lines, wanted)
    LIBRARY.count_under(
        address(darkness, np.uint8), _Int(darkness.shape[1]), _Int(lines.upright),
        address(lines.runs, np.int32), _Int(len(lines.runs)), address(wanted, np.bool_),
        address(counts, np.int64),
    )  # fmt: skip
    return counts


def are_met(lines: Lines, boxes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Whether any line has a pixel in each box, i32 [B, 4] (x0, y0, x1, y1 of the lines' frame)."""
    met = np.zeros(len(boxes), np.bool_)
    LIBRARY.are_met(
        address(lines.runs, np.int32), _Int(len(lines.runs)), address(boxes, np.int32),
        _Int(len(boxes)), address(met, np.bool_),
    )  # fmt: skip
    return met


def erase_lines(
    darkness: _Bytes, lines: Lines, wanted: NDArray[np.bool_], counts: NDArray[np.int64], *,
    usual: float, reach: int,
) -> None:  # fmt: skip
    """Take the wanted lines, bool [L], and a pixel around them out of the darkness, u8 [H, W].

    What is darker than `usual` stays; what is dark within `reach` px both above and below goes
    through. counts: i64 [256], how often each darkness occurs, is kept right.
    """
    height, width = darkness.shape
    _fits(darkness, lines, wanted)
    checked(
        LIBRARY.erase_lines(
            address(darkness, np.uint8), _Int(height), _Int(width), _Int(lines.upright),
            address(lines.stats, np.int32), _Int(len(lines.stats)), address(lines.runs, np.int32),
            _Int(len(lines.runs)), address(wanted, np.bool_), _Double(usual), _Int(reach),
            address(counts, np.int64),
        )
    )  # fmt: skip


def _fits(darkness: _Bytes, lines: Lines, wanted: NDArray[np.bool_]) -> None:
    size = darkness.shape if lines.upright else darkness.shape[::-1]
    runs = lines.runs
    inside = not len(runs) or (
        runs.min() >= 0 and runs[:, 2].max() <= size[0] and runs[:, 0].max() < size[1]
    )
    if not inside or len(wanted) != len(lines.stats):
        raise ValueError("the lines are of another image")


@dataclass(frozen=True, slots=True)
class Grain:
    """What makes a texture: more than a share of a window, `window` px wide, is above `faintest`.

    window: odd, at most 255.
    """

    window: int
    share: float
    faintest: float


def find_strokes(
    darkness: _Bytes, near: _Bytes | None, grain: Grain | None = None, *, peaks: _Bytes,
    lowest: float, highest: float, weak: float, strong: float,
) -> tuple[_Bytes, NDArray[np.bool_]]:  # fmt: skip
    """The ink, u8 [H, W], and the mask, bool [H, W], of pixels that belong to a stroke.

    A stroke is a component of pixels whose share of the local level is above `weak` with at least
    one above `strong`. The level is within lowest .. highest: the peak, u8 [256], of the darkest
    near the pixel, near, u8 [H, W], or of 255 within a texture; near, grain: None where the level
    is the highest everywhere.
    """
    ink, mask = np.empty_like(darkness), np.empty_like(darkness)
    height, width = darkness.shape
    grain = grain or Grain(1, 1.0, 255.0)
    if near is not None and near.shape != darkness.shape:
        raise ValueError("find_strokes: the surroundings are of another size")
    if not 0 < grain.window <= _MOST_WINDOW:
        raise ValueError("find_strokes: the window is too large")
    checked(
        LIBRARY.find_strokes(
            address(darkness, np.uint8), None if near is None else address(near, np.uint8),
            address(peaks, np.uint8), _Int(grain.window // 2),
            _Int(int(grain.share * grain.window**2)), ctypes.c_int32(int(grain.faintest)),
            _Int(height), _Int(width), _Float(lowest), _Float(highest), _Float(weak),
            _Float(strong), address(ink, np.uint8), address(mask, np.uint8),
        )
    )  # fmt: skip
    return ink, mask.view(np.bool_)


def component_stats(
    pixels: NDArray[np.bool_], within: NDArray[np.bool_] | None = None
) -> NDArray[np.int32]:
    """Components of pixels, bool [H, W], in 8 directions; i32 [C, 6], as OpenCV orders them.

    Left, top, width, height, area in pixels, and how many of these are within a part, bool [H, W].
    """
    height, width = pixels.shape
    if within is not None and within.shape != pixels.shape:
        raise ValueError("component_stats: the part is of another image")
    room = height * width // _COMPONENT_PIXELS + height + width + 1
    stats = np.empty((room, 6), np.int32)
    function = LIBRARY.component_stats
    function.restype = _Int
    count = function(
        address(pixels, np.bool_), None if within is None else address(within, np.bool_),
        _Int(height), _Int(width), address(stats, np.int32), _Int(room),
    )  # fmt: skip
    checked(count >= 0)
    return stats[:count]


def thin_strokes(grey: _Bytes) -> _Bytes:
    """How much darker than what is 3 px above or below, on the mean of 9 px along x; u8 [H, W]."""
    found = np.empty_like(grey)
    height, width = grey.shape
    checked(
        LIBRARY.thin_strokes(
            address(grey, np.uint8), _Int(height), _Int(width), address(found, np.uint8)
        )
    )
    return found


@dataclass(frozen=True, slots=True)
class Points:
    """Pixels with a weight, row by row; x, y: f32 [N], weight: i32 [N], 255 at most."""

    x: NDArray[np.float32]
    y: NDArray[np.float32]
    weight: NDArray[np.int32]


def thin_points(strokes: _Bytes, level: float, most: int) -> Points:
    """Pixels of strokes, u8 [H, W], above a level, 3 px or more from the edges, row by row.

    Of n times as many as `most` every n-th.
    """
    x, y = np.empty((2, 2 * most), np.float32)
    weight = np.empty(2 * most, np.int32)
    function = LIBRARY.thin_points
    function.restype = _Int
    count = function(
        address(strokes, np.uint8), _Int(strokes.shape[0]), _Int(strokes.shape[1]),
        ctypes.c_int32(int(level)), _Int(most), address(x, np.float32), address(y, np.float32),
        address(weight, np.int32),
    )  # fmt: skip
    checked(count >= 0)
    return Points(x[:count], y[:count], weight[:count])


def energies(points: Points, degrees: NDArray[np.float64], bin_size: float) -> NDArray[np.float64]:
    """Sums of squares of the profiles of points, projected along lines of these slopes.

    degrees: f64 [A]; bin_size: px. f64 [A].
    """
    x, y, weight = points.x, points.y, points.weight
    if not len(x) == len(y) == len(weight):
        raise ValueError("energies: points need two coordinates and a weight")
    slopes = np.tan(np.radians(degrees)).astype(np.float32)
    found = np.empty(len(slopes))
    checked(
        LIBRARY.profile_energies(
            address(x, np.float32), address(y, np.float32), address(weight, np.int32),
            _Int(len(x)), address(slopes, np.float32), _Int(len(slopes)), _Float(1 / bin_size),
            address(found, np.float64),
        )
    )  # fmt: skip
    return found
