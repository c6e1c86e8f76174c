"""Training crops: the segments that the service itself cuts out of synthetic fields, labelled.

A segment is a character where its ink matches the ink of one true character, rubbish where it
matches none or holds two, be the second but a point; what lies between is left out. So the
recognizer learns on just the pieces, pairs and bits of background that it will be asked about.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from service.pipeline.card import Placement
from service.pipeline.ink import InkImage
from service.pipeline.segment import Line, ZoneSegments, segment_zone

CHARACTER_IOU = 0.80
RUBBISH_IOU = 0.62
_SOLID = 60
_RIM = 4.0


@dataclass(frozen=True, slots=True)
class SegmentTruth:
    """What each segment of a zone holds.

    character: i32 [S], index of the true character that matches best, -1 where there is none.
    iou: f32 [S], overlap of the two inks (intersection over union). merged: bool [S], whether the
    segment holds most of a second character too, if only a point. best: f32 [C], for each true
    character the IoU of the segment that matches it best.
    """

    character: NDArray[np.int32]
    iou: NDArray[np.float32]
    merged: NDArray[np.bool_]
    best: NDArray[np.float32]


def match_segments(
    zone: ZoneSegments,
    owner: NDArray[np.uint8],
    count: int,
    second: NDArray[np.uint8] | None = None,
) -> SegmentTruth:
    """Match a zone's segments with the true characters.

    owner: u8 [H, W] in working pixels, 0 = none, i + 1 = character i; count: number of characters.
    second: another character whose ink the pixel also holds. A segment may leave a pixel of two to
    the other, for no two segments of one path can both have it, if it holds half of the rest.
    Only ink that was extracted counts: ink lost before the cuts is not the segmentation's fault.
    """
    solid = zone.line.ink > _SOLID
    pieces = zone.pieces.piece[solid].astype(np.int64)
    first, other = (one[solid].astype(np.int64) for one in line_truth(zone.line, owner, second))
    table, shared = np.zeros((2, len(zone.pieces.boxes), count + 1), np.int64)
    np.add.at(table, (pieces, first), 1)
    size = zone.members().astype(np.int64) @ table.sum(axis=1, keepdims=True)
    np.add.at(table, (pieces[other > 0], other[other > 0]), 1)
    for one in (first, other):
        np.add.at(shared, (pieces[other > 0], one[other > 0]), 1)
    inside, left = (zone.members().astype(np.int64) @ one for one in (table, shared))
    whole = table.sum(axis=0)[None, :]
    waived = np.where(2 * inside >= whole, shared.sum(axis=0)[None, :] - left, 0)
    union = size + whole - inside - waived
    overlap = (inside / np.maximum(union, 1))[:, 1:]
    if count == 0:
        none = len(size)
        return SegmentTruth(
            np.full(none, -1, np.int32),
            np.zeros(none, np.float32),
            np.zeros(none, bool),
            np.zeros(0, np.float32),
        )
    character = overlap.argmax(axis=1).astype(np.int32)
    iou = overlap.max(axis=1).astype(np.float32)
    held = inside[:, 1:] > 0.5 * np.maximum(table.sum(axis=0)[1:], 1)
    return SegmentTruth(
        np.where(iou > 0, character, -1).astype(np.int32),
        iou,
        held.sum(axis=1) > 1,
        overlap.max(axis=0),
    )


def line_truth(
    line: Line, owner: NDArray[np.uint8], second: NDArray[np.uint8] | None = None
) -> NDArray[np.uint8]:
    """Both owner maps (see match_segments) in the frame of a line, the rims given out.

    Returns u8 [2, H, W].
    """
    height, width = line.ink.shape
    truth = cv2.warpAffine(
        np.dstack([owner, np.zeros_like(owner) if second is None else second]),
        line.to_working,
        (width, height),
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )
    return _nearest(np.moveaxis(np.asarray(truth, np.uint8), -1, 0))


def _nearest(truth: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Give the blurred rim of a stroke to the nearest owners within reach; u8 [2, H, W]."""
    owned = truth.any(axis=0)
    if not owned.any():
        return truth
    distance, index = cv2.distanceTransformWithLabels(
        np.asarray(~owned, np.uint8), cv2.DIST_L2, 3, labelType=cv2.DIST_LABEL_PIXEL
    )
    of_pixel = np.zeros((2, int(index.max()) + 1), np.uint8)
    of_pixel[:, index[owned]] = truth[:, owned]
    return np.where(distance <= _RIM, of_pixel[:, index], 0).astype(np.uint8)


def field_crops(
    ink: InkImage,
    owner: NDArray[np.uint8],
    text: str,
    labels: tuple[str, ...],
    placement: Placement,
    second: NDArray[np.uint8] | None = None,
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Labelled crops of one field: u8 [N, 32, 32] and u8 [N], indices into labels.

    owner, second: as match_segments takes them.
    """
    height, width = ink.ink.shape
    zone = segment_zone(ink.ink, (0, 0, width, height), placement)
    if zone is None:
        return np.zeros((0, 32, 32), np.uint8), np.zeros(0, np.uint8)
    truth = match_segments(zone, owner, len(text), second)
    rubbish = len(labels) - 1
    of_character = np.array([labels.index(c) for c in text] + [rubbish], np.uint8)
    is_character = (truth.iou >= CHARACTER_IOU) & ~truth.merged
    kept = is_character | truth.merged | (truth.iou <= RUBBISH_IOU)
    target = np.where(is_character, of_character[truth.character], rubbish)
    return zone.crops[kept], target[kept].astype(np.uint8)
