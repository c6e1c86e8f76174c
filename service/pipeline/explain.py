"""Draws the evidence of a reading: the cheque, the amount with its cuts, the graph below it."""

import base64
import math
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.container import ImageLimits
from service.pipeline.cutlines import Polygon
from service.pipeline.decode import Page, decode_page
from service.pipeline.evidence import Evidence, RunnerUp, Step
from service.pipeline.picture import Colour, Label, Picture, Point, Raster, Stroke

WIDTH: Final = 1200
_MARGIN: Final = 24
_INNER: Final = WIDTH - 2 * _MARGIN
_CHEQUE: Final = (560, 270)
_FIELD_HEIGHT: Final = 190
_CROP: Final = 44
_GRAPH: Final = 250
_LONG_SIDE: Final = 2600
_HEIGHT: Final = 400

_INK: Final[Colour] = (27, 31, 36)
_QUIET: Final[Colour] = (105, 113, 122)
_FAINT: Final[Colour] = (196, 202, 208)
_CUT: Final[Colour] = (20, 110, 200)
_WON: Final[Colour] = (17, 120, 60)
_OTHER: Final[Colour] = (190, 84, 0)

_Part = Stroke | Label | Raster
_SHOWN: Final = {"": "stray", " ": "gap"}


def draw_evidence(
    evidence: Evidence, data: bytes, limits: ImageLimits, *, blind: bool = False
) -> Picture:
    """The picture of a reading; data: the image file that the evidence is of.

    blind: without what was decided and how sure the reader is. Raises InputError as load_cheque
    does.
    """
    reading = evidence.reading
    field_only = reading is not None and reading.field_only
    page = decode_page(data, limits, field_only=field_only, long_side=_LONG_SIDE, height=_HEIGHT)
    title = "What was read" if blind else _title(evidence)
    parts: list[_Part] = [*_heading(evidence, title)]
    top = 84.0
    cheque, low = _cheque(evidence, page, top)
    parts += [*cheque, *_runners_up(evidence, top, blind=blind)]
    chosen = next((field for field in evidence.fields if field.chosen), None)
    if chosen is None or evidence.path is None:
        parts.append(Label((_MARGIN, low + 24), "Nothing here spells an amount.", _INK, 15))
        return Picture(WIDTH, round(low + 48), title, tuple(parts))
    frame = _Frame(chosen.zones, low + 22)
    parts += _field(evidence, page, frame)
    crops = frame.bottom + 26
    nodes = _node_places(len(evidence.cuts))
    base = crops + _CROP + 64 + _GRAPH * 0.62
    parts += _crops(evidence.path, nodes, crops)
    parts += _connectors(evidence, frame, nodes, crops, base)
    parts += _graph(evidence, nodes, base)
    return Picture(WIDTH, round(base + _GRAPH * 0.38 + 12), title, tuple(parts))


def _title(evidence: Evidence) -> str:
    reading = evidence.reading
    if reading is None or reading.text is None:
        return "No amount was read"
    said = "accepted" if reading.decision == "accept" else f"rejected ({reading.reject_reason})"
    return f"{reading.text} read with {100 * reading.confidence:.1f} % confidence, {said}"


def _heading(evidence: Evidence, title: str) -> list[_Part]:
    seen = f"look {evidence.look} of {len(evidence.looks)}   " if evidence.looks else ""
    versions = (
        f"{seen}model {evidence.model_version}   grammar {evidence.grammar_version}   "
        f"calibration {evidence.calibration_version}   digest {evidence.digest[:16]}"
    )
    total = ""
    if evidence.penalty is not None:
        sums = evidence.penalty
        total = (
            f"penalty {sums.total:.2f} = field {sums.field:.2f} + segmentation "
            f"{sums.segmentation:.2f} + recognition {sums.recognition:.2f} + grammar "
            f"{sums.grammar:.2f};   no amount at all: {evidence.no_amount:.2f}"
        )
    doubts = ", ".join(name.replace("_", " ") for name, one in evidence.signs.items() if one > 0)
    total += f";   doubted for: {doubts}" if doubts else ""
    return [
        Label((_MARGIN, 32), title, _INK, 20),
        Label((_MARGIN, 53), total, _QUIET, 13),
        Label((_MARGIN, 70), versions, _QUIET, 12),
    ]


def _cheque(evidence: Evidence, page: Page, top: float) -> tuple[list[_Part], float]:
    """The whole page with the places looked at; and where it ends."""
    scale = min(_CHEQUE[0] / page.size[0], _CHEQUE[1] / page.size[1])
    width, height = page.size[0] * scale, page.size[1] * scale
    small = cv2.resize(
        page.grey, (max(1, round(width)), max(1, round(height))), interpolation=cv2.INTER_AREA
    )
    parts: list[_Part] = [Raster((_MARGIN, top, width, height), np.asarray(small, np.uint8))]
    for field in sorted(evidence.fields, key=lambda one: one.chosen):
        colour = _WON if field.chosen else _OTHER
        for zone in field.zones:
            corners = tuple((_MARGIN + x * scale, top + y * scale) for x, y in zone)
            parts.append(Stroke(corners, colour, 2 if field.chosen else 1, closed=True))
        x, y = min(x for x, _ in field.zones[0]), min(y for _, y in field.zones[0])
        at = (_MARGIN + x * scale, max(top + y * scale - 4, top + 10))
        parts.append(Label(at, f"{field.penalty:.2f}", colour, 12))
    return parts, top + max(height, 150.0)


def _runners_up(evidence: Evidence, top: float, *, blind: bool) -> list[_Part]:
    left = _MARGIN + _CHEQUE[0] + 28.0
    parts: list[_Part] = [Label((left, top + 12), "Runners-up", _INK, 14)]
    for row, one in enumerate(evidence.runners_up):
        y = top + 36 + 42 * row
        sure = "" if blind else f"{100 * one.confidence:.2f} %   "
        said = f"{one.text}   {sure}{one.behind:+.2f}"
        parts.append(Label((left, y), said, _OTHER, 14))
        parts.append(Label((left + 12, y + 17), _where(one), _QUIET, 12))
    if not evidence.runners_up:
        parts.append(Label((left, top + 36), "none", _QUIET, 13))
    return parts


def _where(one: RunnerUp) -> str:
    if not one.same_field:
        return "of another field"
    places = [
        f"between cuts {d.src} and {d.dst}: {d.symbols or 'stray'} for {d.instead_of or 'stray'}"
        for d in one.differences
    ]
    return "; ".join(places[:2]) + (" ..." if len(places) > 2 else "")


class _Frame:
    """The chosen field brought level and enlarged: original pixels to the picture's."""

    def __init__(self, zones: Sequence[Polygon], top: float) -> None:
        corners = np.array(zones, np.float64).reshape(-1, 4, 2)
        origin, along, down = corners[0, 0], corners[0, 1], corners[0, 3]
        across = (along - origin) / max(float(np.hypot(*(along - origin))), 1e-6)
        below = (down - origin) / max(float(np.hypot(*(down - origin))), 1e-6)
        axes = np.stack([across, below], axis=1)
        flat = (corners.reshape(-1, 2) - origin) @ np.linalg.inv(axes).T
        low, high = flat.min(axis=0), flat.max(axis=0)
        margin = 0.12 * (high[1] - low[1])
        low, high = low - margin, high + margin
        wide, tall = (high - low).tolist()
        self.scale = min(_INNER / wide, _FIELD_HEIGHT / tall)
        self.size = (max(1, round(wide * self.scale)), max(1, round(tall * self.scale)))
        self.left = _MARGIN + (_INNER - self.size[0]) / 2
        self.top = top
        self.bottom = top + self.size[1]
        # From the picture's pixels, counted from the field's corner, to original pixels.
        self.to_original = np.eye(3)
        self.to_original[:2, :2] = axes / self.scale
        self.to_original[:2, 2] = origin + axes @ low
        self._from_original = np.linalg.inv(self.to_original)

    def place(self, points: Sequence[Point]) -> tuple[Point, ...]:
        """Original pixels in the picture."""
        flat = np.array(points, np.float64) @ self._from_original[:2, :2].T
        flat += self._from_original[:2, 2]
        return tuple((self.left + x, self.top + y) for x, y in flat.tolist())

    def pixels(self, page: Page) -> NDArray[np.uint8]:
        """The field's own pixels, u8 [H, W]."""
        matrix = np.linalg.inv(page.to_page) @ self.to_original
        flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
        warped = cv2.warpPerspective(
            page.grey, matrix, self.size, flags=flags, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(warped, np.uint8)


def _field(evidence: Evidence, page: Page, frame: _Frame) -> list[_Part]:
    parts: list[_Part] = [Raster((frame.left, frame.top, *frame.size), frame.pixels(page))]
    on_path = {step.dst for step in evidence.path or ()}
    for cut in evidence.cuts:
        if cut.line:
            won = cut.number in on_path
            parts.append(Stroke(frame.place(cut.line), _CUT if won else _FAINT, 2 if won else 1))
    for step in evidence.path or ():
        if step.box is not None and step.symbol.strip():
            corners = frame.place(step.box)
            parts.append(Stroke(corners, _WON, 1, closed=True))
            x = sum(corner[0] for corner in corners) / 4
            parts.append(Label((x, frame.top - 5), step.symbol, _WON, 16, "middle"))
    return parts


def _node_places(count: int) -> list[float]:
    gap = (_INNER - 40) / max(count - 1, 1)
    return [_MARGIN + 20 + gap * number for number in range(count)]


def _crops(path: Sequence[Step], nodes: Sequence[float], top: float) -> list[_Part]:
    """What the recognizer saw of each step, what it said, and the penalties."""
    parts: list[_Part] = []
    for step in path:
        x = (nodes[step.src] + nodes[step.dst]) / 2
        if step.crop is None:
            continue
        data = np.frombuffer(base64.b64decode(step.crop), np.uint8)
        crop = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE)
        if crop is None:
            continue
        size = min(_CROP, (nodes[1] - nodes[0]) * (step.dst - step.src) - 2)
        box = (x - size / 2, top + (_CROP - size) / 2, size, size)
        parts.append(Raster(box, np.asarray(255 - crop, np.uint8)))
        parts.append(Label((x, top + _CROP + 15), f"{step.recognition:.1f}", _WON, 11, "middle"))
        parts.append(
            Label((x, top + _CROP + 28), f"{step.segmentation:+.1f}", _QUIET, 11, "middle")
        )
    return parts


def _connectors(
    evidence: Evidence, frame: _Frame, nodes: Sequence[float], crops: float, base: float
) -> list[_Part]:
    """Thin lines from the cuts of the winning path to their nodes."""
    parts: list[_Part] = []
    on_path = {step.dst for step in evidence.path or ()}
    for cut in evidence.cuts:
        if cut.line and cut.number in on_path:
            foot = frame.place(cut.line)[-1]
            x = nodes[cut.number]
            start = (foot[0], frame.bottom)
            parts.append(Stroke((start, (x, crops - 4), (x, base)), _FAINT, 1))
    return parts


def _graph(evidence: Evidence, nodes: Sequence[float], base: float) -> list[_Part]:
    parts: list[_Part] = []
    won = {(step.src, step.dst) for step in evidence.path or ()}
    for arc in evidence.arcs:
        if (arc.src, arc.dst) not in won:
            parts += _arch(nodes, arc.src, arc.dst, base, -1, _FAINT, 1, "")
    for step in evidence.path or ():
        name = _SHOWN.get(step.symbol, step.symbol)
        parts += _arch(nodes, step.src, step.dst, base, -1, _WON, 3, name)
    shown: set[tuple[int, int, str]] = set()
    for one in evidence.runners_up:
        for other in one.differences:
            what = (other.src, other.dst, other.symbols or "stray")
            if what not in shown:
                level = sum(place[:2] == what[:2] for place in shown)
                shown.add(what)
                said = f"{what[2]}  {other.segmentation + other.recognition:+.1f}"
                parts += _arch(nodes, *what[:2], base, 1 + 0.6 * level, _OTHER, 2, said)
    for number, x in enumerate(nodes):
        circle = tuple(
            (x + 4 * math.cos(a * math.pi / 6), base + 4 * math.sin(a * math.pi / 6))
            for a in range(12)
        )
        parts.append(Stroke(circle, _INK, 2, closed=True))
        parts.append(Label((x, base + 18), str(number), _QUIET, 10, "middle"))
    return parts


def _arch(
    nodes: Sequence[float],
    src: int,
    dst: int,
    base: float,
    side: float,
    colour: Colour,
    width: float,
    text: str,
) -> list[_Part]:
    """A bow from node to node, above the nodes (side -1) or below them, its text at its middle."""
    span = min(1.0, (dst - src) / 6)
    high = side * _GRAPH * (0.16 + 0.34 * span) * (1.0 if side < 0 else 0.42)
    start, end = nodes[src], nodes[dst]
    steps = [number / 16 for number in range(17)]
    points = tuple((start + (end - start) * t, base + 4 * t * (1 - t) * high) for t in steps)
    parts: list[_Part] = [Stroke(points, colour, width)]
    if text:
        below = 13.0 if side > 0 else -5.0
        parts.append(Label(((start + end) / 2, base + high + below), text, colour, 13, "middle"))
    return parts
