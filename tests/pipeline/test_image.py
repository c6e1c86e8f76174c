"""Loading a cheque: position, polarity, resolution and the way back to the original pixels."""

import functools
import io
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.pipeline.image import ChequeImage, load_cheque

Floats = NDArray[np.float64]
Bytes = NDArray[np.uint8]

WIDTH, HEIGHT = 1200, 540
MARKERS = np.array([(90, 60), (1110, 70), (600, 345), (80, 470), (1130, 485), (330, 120)], float)


def draw_cheque(paper: int = 235, frame: int = 0, inset: int = 3) -> Bytes:
    """A cheque with text, ruled lines, a codeline, and round markers at MARKERS."""
    image = np.full((HEIGHT, WIDTH), paper, np.uint8)
    if frame:
        corner = (WIDTH - 1 - inset, HEIGHT - 1 - inset)
        cv2.rectangle(image, (inset, inset), corner, 40, frame)
    for text, x, y, size in (
        ("PAY TO THE ORDER OF", 120, 200, 0.6),
        ("John Example", 400, 195, 1.1),
        ("$ 1,234.56", 950, 200, 1.1),
        ("One thousand two hundred thirty-four", 130, 275, 1.0),
        ("MEMO rent", 130, 420, 0.7),
        ("|:012345678|: 00012345678|| 1025", 150, 500, 1.0),
        ("1025", 1000, 60, 0.9),
    ):
        cv2.putText(image, text, (x, y), cv2.FONT_HERSHEY_SIMPLEX, size, 30, 2, cv2.LINE_AA)
    for x0, x1, y in ((380, 900, 207), (120, 1000, 285), (120, 500, 428), (700, 1080, 428)):
        cv2.line(image, (x0, y), (x1, y), 60, 2)
    for x, y in MARKERS:
        cv2.circle(image, (int(x), int(y)), 8, 0, -1)
    return image


def encode(image: Bytes, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(image).save(out, kind, **options)
    return out.getvalue()


def place(
    cheque: Bytes, angle: float, *, scale: float = 1.0, persp: float = 0.0, size: tuple[int, int]
) -> Floats:
    """Homography that lays the cheque, turned and foreshortened, in the middle of a picture."""
    height, width = cheque.shape
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float) - 0.5
    a = np.radians(angle)
    turn = scale * np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]])
    placed = (corners - (width / 2, height / 2)) @ turn + (size[0] / 2, size[1] / 2)
    placed += persp * height * scale * np.array([(0.5, 1), (-1, 0.6), (0.4, -0.3), (0, -0.8)])
    matrix = cv2.getPerspectiveTransform(corners.astype(np.float32), placed.astype(np.float32))
    return np.asarray(matrix, np.float64)


def lay(cheque: Bytes, matrix: Floats, table: Bytes) -> Bytes:
    size = (table.shape[1], table.shape[0])
    picture = cv2.warpPerspective(cheque, matrix, size, flags=cv2.INTER_AREA)
    cover = cv2.warpPerspective(np.full_like(cheque, 255), matrix, size)
    share = cover.astype(np.float32) / 255
    return np.asarray(picture * share + table * (1 - share), np.uint8)


@functools.cache
def wood(size: tuple[int, int], level: float = 95) -> Bytes:
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 1, (size[1] // 2, size[0] // 16))
    grain = cv2.resize(cv2.GaussianBlur(noise, (0, 0), 1), size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(level + 25 * grain, 0, 255), np.uint8)


def mapped(matrix: Floats, points: Floats) -> Floats:
    homogeneous = np.column_stack((points, np.ones(len(points)))) @ matrix.T
    return np.asarray(homogeneous[:, :2] / homogeneous[:, 2:])


def worst_marker(cheque: ChequeImage, true: Floats) -> float:
    """Largest distance in original px between markers as placed and as found and mapped back."""
    back = np.asarray(np.linalg.inv(cheque.to_original), np.float64)
    expected = mapped(back, true)
    found = []
    for x, y in expected:
        left, top = max(0, round(x) - 14), max(0, round(y) - 14)
        patch = cheque.grey[top : round(y) + 15, left : round(x) + 15].astype(float)
        ink = np.clip(0.5 * patch.max() - patch, 0, None)
        assert ink.sum() > 0, "no marker where to_original says it is"
        rows, columns = np.indices(patch.shape)
        found.append(
            (left + (ink * columns).sum() / ink.sum(), top + (ink * rows).sum() / ink.sum())
        )
    return float(
        np.linalg.norm(mapped(cheque.to_original, np.array(found, np.float64)) - true, axis=1).max()
    )


def corner_error(cheque: ChequeImage, matrix: Floats) -> float:
    """Largest distance in original px between the corners of the working image and the cheque."""
    height, width = cheque.grey.shape
    seen = np.array([(0, 0), (width, 0), (width, height), (0, height)], float) - 0.5
    true = np.array([(0, 0), (WIDTH, 0), (WIDTH, HEIGHT), (0, HEIGHT)], float) - 0.5
    return float(
        np.linalg.norm(mapped(cheque.to_original, seen) - mapped(matrix, true), axis=1).max()
    )


@pytest.mark.parametrize("frame", [0, 3, 12, 30])
@pytest.mark.parametrize("paper", [250, 200])
def test_a_straight_scan_is_not_touched(frame: int, paper: int) -> None:
    image = draw_cheque(paper, frame)
    cheque = load_cheque(encode(image))
    np.testing.assert_array_equal(cheque.grey, image)
    np.testing.assert_allclose(cheque.to_original, np.eye(3))
    assert cheque.original_size == (WIDTH, HEIGHT)
    assert cheque.pages == 1


def test_a_framed_scan_with_a_paper_margin_stays_whole() -> None:
    image = cv2.copyMakeBorder(draw_cheque(235, 10), 25, 25, 25, 25, cv2.BORDER_CONSTANT, value=235)
    assert load_cheque(encode(np.asarray(image, np.uint8))).grey.shape == image.shape


@pytest.mark.parametrize("thickness", [8, 30])
def test_a_solid_security_frame_at_the_edge_stays(thickness: int) -> None:
    image = draw_cheque(240)
    band = np.ones_like(image, bool)
    band[thickness:-thickness, thickness:-thickness] = False
    image[band] = 120
    np.testing.assert_array_equal(load_cheque(encode(image)).grey, image)


@pytest.mark.parametrize("angle", [-10.0, -4.0, -0.8, 0.8, 3.0, 10.0])
def test_skew_is_taken_out(angle: float) -> None:
    image = draw_cheque(250)
    matrix = place(image, -angle, size=(1300, 760))
    picture = lay(image, matrix, np.full((760, 1300), 250, np.uint8))
    cheque = load_cheque(encode(picture))
    left, right = mapped(
        np.linalg.inv(cheque.to_original) @ matrix, np.array([(120, 285), (1000, 285)], float)
    )
    slope = np.degrees(np.arctan2(right[1] - left[1], right[0] - left[0]))
    assert abs(slope) < 0.3
    assert worst_marker(cheque, mapped(matrix, MARKERS)) < 1.5


@pytest.mark.parametrize("angle", [-10.0, 0.0, 7.0, 90.0, 183.0])
@pytest.mark.parametrize("persp", [0.0, 0.08])
def test_a_cheque_on_a_table_is_cut_out_and_straightened(angle: float, persp: float) -> None:
    size = (1900, 1500) if angle != 90.0 else (1500, 1900)
    image = draw_cheque(235, 4, inset=14)
    matrix = place(image, angle, scale=1.1, persp=persp, size=size)
    light = np.linspace(1.0, 0.7, size[0], dtype=np.float32)
    picture = np.asarray(lay(image, matrix, wood(size)) * light, np.uint8)
    cheque = load_cheque(encode(picture, "JPEG", quality=85))
    shape = cheque.grey.shape
    assert shape[1] <= 1400
    assert shape[1] / shape[0] == pytest.approx(WIDTH / HEIGHT, rel=0.15)
    turned = abs(angle) > 45
    candidates = [cheque, cheque.turned()] if turned else [cheque]
    assert min(corner_error(each, matrix) for each in candidates) < 8
    assert worst_marker(cheque, mapped(matrix, MARKERS)) < 1.5


def test_a_tinted_cheque_on_a_white_scanner_bed_is_cut_out() -> None:
    image = draw_cheque(215, 4, inset=14)
    matrix = place(image, 3.0, size=(1700, 1400))
    picture = lay(image, matrix, np.full((1400, 1700), 254, np.uint8))
    cheque = load_cheque(encode(picture))
    assert corner_error(cheque, matrix) < 12
    assert worst_marker(cheque, mapped(matrix, MARKERS)) < 1.5


@pytest.mark.parametrize("angle", [-3.0, 0.0, 8.0])
def test_a_framed_cheque_on_something_as_bright_as_itself_is_cut_out(angle: float) -> None:
    size = (1900, 1425)
    image = draw_cheque(235, 4, inset=4)
    matrix = place(image, angle, scale=1.1, persp=0.05, size=size)
    light = np.linspace(1.0, 0.8, size[0], dtype=np.float32)
    table = np.full((size[1], size[0]), 235, np.uint8)
    cheque = load_cheque(encode(np.asarray(lay(image, matrix, table) * light, np.uint8)))
    assert corner_error(cheque, matrix) < 50
    assert worst_marker(cheque, mapped(matrix, MARKERS)) < 1.5


def test_a_frame_with_print_outside_is_not_taken_for_the_cheque() -> None:
    page = np.full((900, 1200), 235, np.uint8)
    cv2.rectangle(page, (150, 250), (1050, 650), 40, 4)
    for y in (100, 170, 330, 430, 530, 760, 830):
        cv2.putText(page, "One thousand two hundred", (200, y), 0, 1.5, 30, 3, cv2.LINE_AA)
    assert load_cheque(encode(page)).grey.shape == page.shape


def test_a_cheque_in_the_dark_is_cut_out() -> None:
    size = (1900, 1425)
    image = draw_cheque(150)
    matrix = place(image, 2.0, scale=1.1, size=size)
    picture = lay(image, matrix, wood(size, 90)) * 0.22
    cheque = load_cheque(encode(np.asarray(picture, np.uint8)))
    assert corner_error(cheque, matrix) < 20


@pytest.mark.parametrize("angle", [-6.0, 2.0])
def test_a_cheque_that_is_curved_and_half_in_the_shade_is_cut_out(angle: float) -> None:
    size = (1900, 1425)
    image = draw_cheque(220)
    matrix = place(image, angle, scale=1.2, persp=0.05, size=size)
    picture = lay(image, matrix, wood(size, 120)).astype(np.float32)
    picture[:, 700:] *= 0.65
    across, down = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in size))
    bend = np.float32(22)
    moved = np.asarray(down + bend * np.sin(across / 250), np.float32)
    picture = np.asarray(cv2.remap(picture, across, moved, cv2.INTER_LINEAR), np.float32)
    cheque = load_cheque(encode(np.asarray(picture, np.uint8)))
    assert corner_error(cheque, matrix) < 4 * bend


def test_a_large_blank_page_is_cut_down_to_its_print() -> None:
    page = np.full((2200, 1700), 255, np.uint8)
    page[300 : 300 + HEIGHT, 200 : 200 + WIDTH] = draw_cheque(255, 2)
    cheque = load_cheque(encode(page))
    assert cheque.grey.shape[0] < 700
    assert cheque.grey.shape[1] > cheque.grey.shape[0]
    assert worst_marker(cheque, MARKERS + np.array([200, 300])) < 1.5


@pytest.mark.parametrize("turns", [1, 3])
def test_a_portrait_scan_becomes_landscape(turns: int) -> None:
    image = np.rot90(draw_cheque(250), turns).copy()
    cheque = load_cheque(encode(image))
    upright = cheque.grey if turns == 1 else cheque.turned().grey
    np.testing.assert_array_equal(upright, draw_cheque(250))
    x, y = MARKERS[:, 0], MARKERS[:, 1]
    true = np.column_stack((y, WIDTH - 1 - x) if turns == 1 else (HEIGHT - 1 - y, x))
    assert worst_marker(cheque, true) < 0.5


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_orientation_tags_are_followed(orientation: int, kind: str) -> None:
    image = draw_cheque(250)
    undo = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation)
    stored = Image.fromarray(image)
    if undo is not None:
        stored = stored.transpose(
            {
                2: Image.Transpose.FLIP_LEFT_RIGHT,
                3: Image.Transpose.ROTATE_180,
                4: Image.Transpose.FLIP_TOP_BOTTOM,
                5: Image.Transpose.TRANSPOSE,
                6: Image.Transpose.ROTATE_270,
                7: Image.Transpose.TRANSVERSE,
                8: Image.Transpose.ROTATE_90,
            }[undo]
        )
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"tiffinfo": {274: orientation}} if kind == "TIFF" else {"exif": exif}
    out = io.BytesIO()
    stored.save(out, kind, **options)
    cheque = load_cheque(out.getvalue())
    assert cheque.original_size == (WIDTH, HEIGHT)
    assert np.abs(cheque.grey.astype(int) - image).mean() < 2
    assert worst_marker(cheque, MARKERS) < 0.5


@pytest.mark.parametrize(("kind", "size"), [("PNG", (3600, 1620)), ("JPEG", (4800, 2160))])
def test_large_images_are_reduced_and_map_back(kind: str, size: tuple[int, int]) -> None:
    large = np.asarray(cv2.resize(draw_cheque(250), size, interpolation=cv2.INTER_CUBIC), np.uint8)
    cheque = load_cheque(encode(large, kind, dpi=(600, 600)))
    assert cheque.grey.shape == (630, 1400)
    assert cheque.original_size == size
    scale = size[0] / WIDTH
    assert worst_marker(cheque, (MARKERS + 0.5) * scale - 0.5) < 1.5
    assert cheque.dpi == pytest.approx(600 * 1400 / size[0], rel=0.01)


def test_inverted_images_are_turned_dark_on_light() -> None:
    image = draw_cheque(250)
    np.testing.assert_array_equal(load_cheque(encode(255 - image)).grey, image)
    field = image[165:215, 930:1150]
    np.testing.assert_array_equal(load_cheque(encode(255 - field), field_only=True).grey, field)


def test_a_dark_photo_is_not_taken_for_an_inverted_one() -> None:
    image = (draw_cheque(250) * 0.3).astype(np.uint8)
    np.testing.assert_array_equal(load_cheque(encode(image)).grey, image)


@pytest.mark.parametrize(
    ("dpi", "expected"), [(200, 200.0), (72, 1200 / 6.5), (9999, 1200 / 6.5), (None, 1200 / 6.5)]
)
def test_dpi_is_believed_only_where_it_fits_a_cheque(dpi: int | None, expected: float) -> None:
    options: dict[str, Any] = {} if dpi is None else {"dpi": (dpi, dpi)}
    assert load_cheque(encode(draw_cheque(), **options)).dpi == pytest.approx(expected, rel=0.01)


def test_fax_pixels_become_square() -> None:
    squeezed = np.asarray(cv2.resize(draw_cheque(250), (WIDTH, HEIGHT // 2)), np.uint8)
    cheque = load_cheque(encode(squeezed, "TIFF", dpi=(204, 102)))
    assert cheque.grey.shape == (HEIGHT, WIDTH)
    assert cheque.original_size == (WIDTH, HEIGHT // 2)
    true = np.column_stack((MARKERS[:, 0], (MARKERS[:, 1] + 0.5) / 2 - 0.5))
    assert worst_marker(cheque, true) < 1.0


def test_a_field_is_only_scaled() -> None:
    rng = np.random.default_rng(0)
    small = rng.integers(0, 256, (35, 57), dtype=np.uint8)
    np.testing.assert_array_equal(load_cheque(encode(small), field_only=True).grey, small)
    large = np.full((900, 2000), 255, np.uint8)
    cv2.putText(large, "123.45", (200, 600), cv2.FONT_HERSHEY_SIMPLEX, 14, 0, 40)
    field = load_cheque(encode(large), field_only=True)
    assert field.grey.shape[0] <= 200
    height, width = field.grey.shape
    corner = mapped(field.to_original, np.array([(width - 0.5, height - 0.5)]))[0]
    np.testing.assert_allclose(corner, (1999.5, 899.5), atol=12)


def test_turned_twice_is_the_same() -> None:
    cheque = load_cheque(encode(draw_cheque()))
    again = cheque.turned().turned()
    np.testing.assert_array_equal(again.grey, cheque.grey)
    np.testing.assert_allclose(again.to_original, cheque.to_original, atol=1e-9)
    assert worst_marker(cheque.turned(), MARKERS) < 0.5


def test_blank_paper_loads() -> None:
    blank = np.full((HEIGHT, WIDTH), 240, np.uint8)
    np.testing.assert_array_equal(load_cheque(encode(blank)).grey, blank)
