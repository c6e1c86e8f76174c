"""Files as they come: every pixel format is read, and hostile ones are refused cheaply."""

import io
import struct
import subprocess
import sys
import textwrap
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin

from service.errors import InputError
from service.pipeline.image import ChequeImage, ImageLimits, load_cheque

WIDTH, HEIGHT = 480, 216


def picture() -> NDArray[np.uint8]:
    """White paper with black bars whose place tells which way is up."""
    image = np.full((HEIGHT, WIDTH), 255, np.uint8)
    image[40:48, 60:400] = 0
    image[150:158, 60:200] = 0
    image[100:130, 300:330] = 0
    return image


def encode(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def grey_image() -> Image.Image:
    return Image.fromarray(picture())


def code_of(data: bytes, limits: ImageLimits | None = None, *, field_only: bool = False) -> str:
    """The code that a file is refused with; the message must be presentable."""
    with pytest.raises(InputError) as caught:
        load_cheque(data, field_only=field_only, limits=limits or ImageLimits())
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert 0 < len(caught.value.message) < 120
    assert caught.value.message.isprintable()
    assert "Traceback" not in caught.value.message
    return caught.value.code


def assert_read(cheque: ChequeImage, tolerance: float = 3) -> None:
    assert cheque.grey.dtype == np.uint8
    assert cheque.grey.shape == (HEIGHT, WIDTH)
    assert np.abs(cheque.grey.astype(int) - picture()).mean() < tolerance


# Pixel formats

MODES = ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"]


@pytest.mark.parametrize("mode", MODES)
def test_png_modes(mode: str) -> None:
    image = grey_image()
    if mode == "I;16":
        converted = Image.fromarray(picture().astype(np.uint16) * 257)
    else:
        converted = image.convert(mode)
    assert_read(load_cheque(encode(converted, "PNG")))


@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_modes(mode: str, progressive: bool) -> None:
    data = encode(grey_image().convert(mode), "JPEG", quality=90, progressive=progressive)
    assert_read(load_cheque(data))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt", "packbits", "tiff_lzw"])
def test_bitonal_tiff(compression: str) -> None:
    data = encode(grey_image().convert("1"), "TIFF", compression=compression, dpi=(200, 200))
    cheque = load_cheque(data)
    assert_read(cheque, 0.1)


@pytest.mark.parametrize(
    "mode", ["L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "I;16", "I", "F"]
)
@pytest.mark.parametrize("compression", [None, "tiff_lzw", "tiff_adobe_deflate"])
def test_tiff_modes(mode: str, compression: str | None) -> None:
    if mode == "LAB":
        neutral = Image.new("L", (WIDTH, HEIGHT), 0)
        image = Image.merge("LAB", (grey_image(), neutral, neutral))
    elif mode in ("I;16", "I", "F"):
        deep = {"I;16": (np.uint16, 257), "I": (np.int32, 257), "F": (np.float32, 1 / 255)}[mode]
        image = Image.fromarray((picture().astype(np.float64) * deep[1]).astype(deep[0]))
    else:
        image = grey_image().convert("RGB" if mode == "PA" else mode)
        image = image.convert("P").convert("PA") if mode == "PA" else image
    options = {} if compression is None else {"compression": compression}
    assert_read(load_cheque(encode(image, "TIFF", **options)))


def test_jpeg_inside_tiff() -> None:
    data = encode(grey_image().convert("RGB"), "TIFF", compression="jpeg")
    assert_read(load_cheque(data))


def test_big_endian_tiff() -> None:
    assert_read(load_cheque(big_endian_tiff()), 0.1)


def test_transparency_lies_over_white() -> None:
    pixels = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    pixels[..., 3] = 255 - picture()
    image = Image.fromarray(pixels)
    assert_read(load_cheque(encode(image, "PNG")), 0.1)
    palette = grey_image().convert("P")
    clear = palette.getpixel((0, 0))
    assert_read(load_cheque(encode(palette, "PNG", transparency=clear)), 0.1)


@pytest.mark.parametrize("ink", [(30, 60, 170), (200, 30, 40), (20, 20, 20)])
def test_pen_ink_of_any_colour_is_dark(ink: tuple[int, int, int]) -> None:
    pixels = np.full((HEIGHT, WIDTH, 3), (250, 245, 225), np.uint8)
    pixels[picture() == 0] = ink
    for kind in ("PNG", "JPEG", "TIFF"):
        grey = load_cheque(encode(Image.fromarray(pixels), kind)).grey
        assert np.median(grey[picture() == 0]) < 100
        assert np.median(grey[picture() == 255]) > 235


def test_only_the_first_page_is_read_and_all_are_counted() -> None:
    others = [Image.new("L", (900, 300), 30)] * 3
    data = encode(grey_image(), "TIFF", save_all=True, append_images=others)
    cheque = load_cheque(data)
    assert cheque.pages == 4
    assert_read(cheque, 0.1)


def test_counting_pages_is_bounded() -> None:
    pages = tiff_chain(5000)
    began = time.process_time()
    assert load_cheque(pages).pages == 1000
    assert time.process_time() - began < 1


def test_the_name_does_not_matter() -> None:
    assert code_of(b"<html>not an image</html>") == "unsupported_type"
    assert code_of(b"amount,123.45\n" * 50) == "unsupported_type"


@pytest.mark.parametrize("kind", ["GIF", "BMP", "WEBP", "PPM"])
def test_other_formats_are_refused(kind: str) -> None:
    assert code_of(encode(grey_image(), kind)) == "unsupported_type"


def test_animated_png_is_refused() -> None:
    frames = [Image.new("L", (WIDTH, HEIGHT), shade) for shade in (0, 255)]
    data = encode(frames[0], "PNG", save_all=True, append_images=frames[1:])
    assert code_of(data) == "unsupported_image"


# Limits


def test_limits() -> None:
    data = encode(grey_image(), "PNG")
    assert code_of(b"") == "empty"
    assert code_of(data, ImageLimits(max_bytes=len(data) - 1)) == "too_large_bytes"
    assert code_of(b"\0" * (10 * 1024 * 1024 + 1)) == "too_large_bytes"
    assert code_of(data, ImageLimits(max_pixels=WIDTH * HEIGHT - 1)) == "too_many_pixels"
    load_cheque(data, limits=ImageLimits(max_bytes=len(data), max_pixels=WIDTH * HEIGHT))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
@pytest.mark.parametrize("size", [(1, 1), (199, 100), (300, 59), (59, 300)])
def test_small_images_say_so(kind: str, size: tuple[int, int]) -> None:
    assert code_of(encode(Image.new("L", size, 255), kind)) == "too_small"


def test_small_fields_say_so() -> None:
    assert code_of(encode(Image.new("L", (57, 11), 255), "PNG"), field_only=True) == "too_small"
    load_cheque(encode(Image.new("L", (57, 12), 255), "PNG"), field_only=True)


def test_limits_beyond_the_decoder_are_refused() -> None:
    with pytest.raises(ValueError, match="max_pixels"):
        ImageLimits(max_pixels=200_000_000)


@pytest.mark.parametrize("size", [(65535, 70), (70, 65535), (20000, 61)])
def test_ribbons_are_refused(size: tuple[int, int]) -> None:
    data = encode(Image.new("L", size, 255), "PNG")
    assert code_of(data) == "too_small"
    assert code_of(data, field_only=True) == "too_small"


# Truncated and broken files


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "G4"])
def test_every_truncation_is_refused(kind: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    image = Image.fromarray(noise)
    if kind == "G4":
        data = encode(grey_image().convert("1"), "TIFF", compression="group4")
    else:
        data = encode(image, kind)
    sizes = {1, 3, 4, 7, 8, 11, 20, 33, 50, len(data) // 2}
    if kind in ("PNG", "JPEG"):  # a TIFF's last bytes may be no more than its resolution
        sizes |= {len(data) - 20, len(data) - 3}
    for size in sizes:
        assert code_of(data[:size]) in ("truncated_image", "corrupt_image", "unsupported_type")
    assert code_of(data[: len(data) // 2]) == "truncated_image"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "LZW", "G4"])
def test_damage_never_escapes_as_anything_but_an_input_error(kind: str) -> None:
    options: dict[str, dict[str, str]] = {
        "LZW": {"compression": "tiff_lzw"},
        "G4": {"compression": "group4"},
    }
    image = grey_image().convert("1") if kind == "G4" else grey_image()
    name = kind if kind in ("PNG", "JPEG") else "TIFF"
    data = encode(image, name, **options.get(kind, {}))
    rng = np.random.default_rng(5)
    for _ in range(120):
        broken = bytearray(data)
        for _ in range(int(rng.integers(1, 6))):
            broken[int(rng.integers(0, len(broken)))] = int(rng.integers(0, 256))
        try:
            load_cheque(bytes(broken))
        except InputError as error:
            assert error.code  # noqa: PT017 - many damaged files still load


def png_chunk(name: bytes, body: bytes) -> bytes:
    check = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", check)


def png_with(*extra: bytes, size: tuple[int, int] = (WIDTH, HEIGHT)) -> bytes:
    """A grey PNG of an all-white picture with other chunks after its header."""
    rows = (b"\0" + b"\xff" * size[0]) * min(size[1], 1000)
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            png_chunk(b"IHDR", struct.pack(">IIBBBBB", *size, 8, 0, 0, 0, 0)),
            *extra,
            png_chunk(b"IDAT", zlib.compress(rows)),
            png_chunk(b"IEND", b""),
        )
    )


def tiff(entries: dict[int, tuple[int, int, int]], tail: bytes = b"", following: int = 0) -> bytes:
    """A little-endian TIFF: directory at 8 with (type, count, value) by tag, then the tail."""
    rows = b"".join(struct.pack("<HHII", tag, *entries[tag]) for tag in sorted(entries))
    directory = struct.pack("<H", len(entries)) + rows + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8) + directory + tail


def plain_tiff(
    change: dict[int, tuple[int, int, int]] | None = None, following: int = 0, tail: bytes = b""
) -> bytes:
    """An uncompressed grey TIFF of zeros, with some tags changed."""
    entries = {
        256: (4, 1, WIDTH),
        257: (4, 1, HEIGHT),
        258: (3, 1, 8),
        259: (3, 1, 1),
        262: (3, 1, 1),
        273: (4, 1, 0),
        277: (3, 1, 1),
        278: (4, 1, HEIGHT),
        279: (4, 1, WIDTH * HEIGHT),
    } | (change or {})
    start = 8 + 2 + 12 * len(entries) + 4
    if 273 not in (change or {}):
        entries[273] = (4, 1, start)
    return tiff(entries, bytes(WIDTH * HEIGHT) + tail, following)


def tiff_chain(pages: int) -> bytes:
    first = plain_tiff()
    place = len(first) + len(first) % 2
    first = plain_tiff(following=place, tail=bytes(len(first) % 2))
    more = b""
    for page in range(1, pages):
        following = place + 18 if page + 1 < pages else 0
        more += struct.pack("<HHHIII", 1, 256, 4, 1, WIDTH, following)
        place += 18
    return first + more


def big_endian_tiff() -> bytes:
    entries = [
        (256, 4, 1, WIDTH), (257, 4, 1, HEIGHT), (258, 3, 1, 8 << 16), (259, 3, 1, 1 << 16),
        (262, 3, 1, 1 << 16), (273, 4, 1, 8 + 2 + 12 * 9 + 4), (277, 3, 1, 1 << 16),
        (278, 4, 1, HEIGHT), (279, 4, 1, WIDTH * HEIGHT),
    ]  # fmt: skip
    rows = b"".join(struct.pack(">HHII", *entry) for entry in entries)
    head = b"MM\0*" + struct.pack(">IH", 8, len(entries)) + rows + bytes(4)
    return head + picture().tobytes()


def jpeg_claiming(width: int, height: int) -> bytes:
    data = bytearray(encode(grey_image(), "JPEG"))
    place = data.index(b"\xff\xc0")
    struct.pack_into(">HH", data, place + 5, height, width)
    return bytes(data)


HUGE = (30000, 30000)
BOMB = zlib.compress(bytes(64 << 20), 9)

HOSTILE: dict[str, tuple[bytes, str]] = {
    "png 30000x30000": (png_with(size=HUGE), "too_many_pixels"),
    "png header only, 30000x30000": (png_with(size=HUGE)[:33], "too_many_pixels"),
    "jpeg 65500x65500": (jpeg_claiming(65500, 65500), "too_many_pixels"),
    "jpeg with no height": (jpeg_claiming(WIDTH, 0), "corrupt_image"),
    "tiff 30000x30000": (
        plain_tiff({256: (4, 1, 30000), 257: (4, 1, 30000)}),
        "too_many_pixels",
    ),
    "png of many chunks": (png_with(png_chunk(b"teXt", b"") * 30_000), "corrupt_image"),
    "png chunk longer than the file": (
        png_with()[:33] + struct.pack(">I", 1 << 30) + b"tEXt",
        "truncated_image",
    ),
    "png signature alone": (b"\x89PNG\r\n\x1a\n", "truncated_image"),
    "png without a header": (
        b"\x89PNG\r\n\x1a\n" + png_chunk(b"IDAT", b"") + png_chunk(b"IEND", b""),
        "corrupt_image",
    ),
    "png with a wrong checksum": (
        png_with()[:29] + b"\0\0\0\0" + png_with()[33:],
        "corrupt_image",
    ),
    "jpeg of many segments": (
        b"\xff\xd8" + b"\xff\xfe\x00\x02" * 10_000,
        "corrupt_image",
    ),
    "jpeg of many scans": (
        encode(grey_image(), "JPEG", progressive=True)[:-2] + b"\xff\xda\x00\x08" * 300,
        "unsupported_image",
    ),
    "large jpeg of thirty scans": (
        jpeg_claiming(6300, 6300) + b"\xff\xda\x00\x08" * 30,
        "unsupported_image",
    ),
    "tiff directory in a circle": (plain_tiff(following=8), "corrupt_image"),
    "tiff directory outside": (plain_tiff(following=1 << 30), "truncated_image"),
    "tiff first directory outside": (b"II*\0" + struct.pack("<I", 1 << 31), "truncated_image"),
    "tiff directory in the header": (b"II*\0" + bytes(40), "corrupt_image"),
    "tiff of 60000 tags": (
        b"II*\0" + struct.pack("<IH", 8, 60000) + bytes(12 * 60000 + 4),
        "corrupt_image",
    ),
    "tiff strip outside": (plain_tiff({273: (4, 1, 1 << 30)}), "truncated_image"),
    "tiff strip too long": (plain_tiff({279: (4, 1, 1 << 31)}), "truncated_image"),
    "tiff of a million strips": (plain_tiff({273: (4, 1_000_000, 8)}), "corrupt_image"),
    "tiff without pixel data": (plain_tiff({273: (4, 0, 0)}), "corrupt_image"),
    "tiff with enormous tiles": (
        plain_tiff({322: (4, 1, 65536), 323: (4, 1, 65536), 324: (4, 1, 200), 325: (4, 1, 64)}),
        "corrupt_image",
    ),
    "tiff of unknown compression": (plain_tiff({259: (3, 1, 34925)}), "unsupported_image"),
    "tiff of unknown pixels": (plain_tiff({258: (3, 1, 7)}), "unsupported_image"),
    "tiff of many samples": (plain_tiff({277: (4, 1, 1 << 31)}), "corrupt_image"),
    "tiff with text for a width": (plain_tiff({256: (2, 4, 0x41414141)}), "corrupt_image"),
    "big tiff": (b"II+\0\x08\0\0\0" + bytes(64), "unsupported_image"),
}

# The codecs fill up what such files leave out; that must stay cheap, whatever comes of it.
LYING = {"PNG": png_with(size=(6000, 6000)), "JPEG": jpeg_claiming(6000, 6000)}

HARMLESS: dict[str, bytes] = {
    "png with a text bomb": png_with(png_chunk(b"zTXt", b"a\0\0" + BOMB)),
    "png with a profile bomb": png_with(png_chunk(b"iCCP", b"a\0\0" + BOMB)),
    "png with an exif bomb": png_with(
        png_chunk(b"eXIf", b"II*\0" + struct.pack("<IH", 8, 60000) + bytes(1 << 20))
    ),
    "png with many texts": png_with(png_chunk(b"zTXt", b"a\0\0" + BOMB[:1000]) * 5000),
    "tiff with a bad hint": plain_tiff({282: (5, 1, 1 << 30), 274: (3, 1, 99)}),
    "tiff with a huge unknown tag": plain_tiff({700: (1, 1 << 31, 8), 34665: (4, 1, 8)}),
    "tiff whose rows per strip overflow": plain_tiff({278: (4, 1, 0xFFFFFFFF)}),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_their_code(name: str) -> None:
    data, code = HOSTILE[name]
    began = time.process_time()
    assert code_of(data) == code
    assert time.process_time() - began < 1


@pytest.mark.parametrize("kind", LYING)
def test_less_data_than_the_header_claims_is_cheap(kind: str) -> None:
    began = time.process_time()
    try:
        assert load_cheque(LYING[kind]).grey.shape[1] <= 1400
    except InputError as error:
        assert error.code in ("truncated_image", "corrupt_image")  # noqa: PT017
    assert time.process_time() - began < 2


@pytest.mark.parametrize("name", HARMLESS)
def test_hostile_baggage_is_left_behind(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    began = time.process_time()
    assert load_cheque(HARMLESS[name]).grey.shape == (HEIGHT, WIDTH)
    assert time.process_time() - began < 1
    assert capfd.readouterr() == ("", "")


def test_codecs_write_nothing_to_the_terminal(capfd: pytest.CaptureFixture[str]) -> None:
    data = bytearray(encode(grey_image().convert("1"), "TIFF", compression="group4"))
    for place in range(8, len(data) // 2):
        data[place] ^= 0x5A
        try:
            load_cheque(bytes(data))
        except InputError as error:
            assert error.code  # noqa: PT017 - some damage still decodes
    assert capfd.readouterr() == ("", "")


def test_comments_do_not_reach_the_result() -> None:
    info = PngImagePlugin.PngInfo()
    info.add_text("Comment", "x" * 2_000_000, zip=True)
    assert_read(load_cheque(encode(grey_image(), "PNG", pnginfo=info)), 0.1)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_is_bounded(tmp_path: Path) -> None:
    """Twelve million pixels of the widest kinds stay under half a gigabyte, libraries included."""
    size = (4000, 3000)
    deep = Image.new("F", size, 1.0)
    (tmp_path / "1").write_bytes(encode(deep, "TIFF", compression="tiff_adobe_deflate"))
    wide = Image.new("RGBA", size, (255, 255, 255, 0))
    (tmp_path / "2").write_bytes(encode(wide, "PNG", compress_level=1))
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from service.pipeline.image import load_cheque
        for path in sorted(Path(sys.argv[1]).iterdir()):
            load_cheque(path.read_bytes())
        # Not ru_maxrss, which counts the process that this one was started from as well.
        status = Path("/proc/self/status").read_text()
        print(status.split("VmHWM:")[1].split()[0])
        """
    )
    command = [sys.executable, "-c", program, str(tmp_path)]
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root, check=True)
    assert int(done.stdout) < 500_000
