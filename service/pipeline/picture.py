"""Pictures of lines, texts and rasters: described once, written as SVG or as PNG."""

import base64
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

Point = tuple[float, float]
# Red, green, blue.
Colour = tuple[int, int, int]

_SUBPIXEL: Final = 4
# Signs that Pillow's own font lacks.
_SPELLED: Final = {"€": "EUR", "£": "GBP", "₹": "INR", "−": "-"}
_FONT: Final = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif"


@dataclass(frozen=True, slots=True)
class Stroke:
    """A line through points, in pixels of the picture; closed joins the last to the first."""

    points: tuple[Point, ...]
    colour: Colour
    width: float = 1.0
    closed: bool = False


@dataclass(frozen=True, slots=True)
class Label:
    """Text at a point: its left end, middle or right end, on the base line."""

    at: Point
    text: str
    colour: Colour
    size: float = 13.0
    anchor: Literal["start", "middle", "end"] = "start"


@dataclass(frozen=True, slots=True)
class Raster:
    """Grey pixels u8 [H, W], stretched over a rectangle x, y, width, height."""

    box: tuple[float, float, float, float]
    pixels: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """Things in the order they are painted, on white; title: what it shows, in words."""

    width: int
    height: int
    title: str
    parts: tuple[Stroke | Label | Raster, ...]

    def to_svg(self) -> str:
        """As a document that needs nothing beside it."""
        size = f'width="{self.width}" height="{self.height}"'
        view = f'viewBox="0 0 {self.width} {self.height}"'
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" {size} {view} role="img">',
                f"<title>{escape(self.title)}</title>",
                f'<rect width="{self.width}" height="{self.height}" fill="#fff"/>',
                f'<g font-family="{_FONT}" fill="none">',
                *map(_element, self.parts),
                "</g>",
                "</svg>",
            ]
        )

    def to_png(self) -> bytes:
        """As an image file."""
        canvas = np.full((self.height, self.width, 3), 255, np.uint8)
        labels = []
        for part in self.parts:
            match part:
                case Raster():
                    _paste(canvas, part)
                case Stroke():
                    points = np.array(part.points) * (1 << _SUBPIXEL)
                    cv2.polylines(
                        canvas,
                        [np.rint(points).astype(np.int32)],
                        part.closed,
                        part.colour,
                        max(1, round(part.width)),
                        cv2.LINE_AA,
                        _SUBPIXEL,
                    )
                case Label():
                    labels.append(part)
        page = Image.fromarray(canvas)
        pen = ImageDraw.Draw(page)
        anchors = {"start": "ls", "middle": "ms", "end": "rs"}
        for label in labels:
            pen.text(
                label.at,
                _spelled(label.text),
                label.colour,
                ImageFont.load_default(label.size),
                anchors[label.anchor],
            )
        done, data = cv2.imencode(".png", np.asarray(page)[:, :, ::-1])
        assert done
        return data.tobytes()


def _paste(canvas: NDArray[np.uint8], raster: Raster) -> None:
    x, y, width, height = (round(value) for value in raster.box)
    scaled = cv2.resize(raster.pixels, (width, height), interpolation=cv2.INTER_AREA)
    canvas[y : y + height, x : x + width] = scaled[:, :, None]


def _spelled(text: str) -> str:
    return "".join(_SPELLED.get(one, one if one.isascii() else "?") for one in text)


def _element(part: Stroke | Label | Raster) -> str:
    match part:
        case Stroke(points=points, colour=colour, width=width, closed=closed):
            name = "polygon" if closed else "polyline"
            through = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            return f'<{name} points="{through}" stroke="{_hex(colour)}" stroke-width="{width:g}"/>'
        case Label(at=(x, y), text=text, colour=colour, size=size, anchor=anchor):
            return (
                f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" text-anchor="{anchor}" '
                f'fill="{_hex(colour)}">{escape(text)}</text>'
            )
        case Raster(box=(x, y, width, height), pixels=pixels):
            done, data = cv2.imencode(".png", pixels)
            assert done
            source = base64.b64encode(data.tobytes()).decode()
            return (
                f'<image x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
                f'preserveAspectRatio="none" href="data:image/png;base64,{source}"/>'
            )


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
