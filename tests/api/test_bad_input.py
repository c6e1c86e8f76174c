"""POST /v1/readings with what is no cheque: a 4xx problem says so, and the service lives on."""

import io
import struct
import zlib
from collections.abc import Callable, Iterator

import httpx
import pytest
from PIL import Image


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def _png(width: int, height: int, pixels: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + _chunk(b"IHDR", header)
        + _chunk(b"IDAT", zlib.compress(pixels))
        + _chunk(b"IEND", b"")
    )


def _tiff_that_loops() -> bytes:
    """A directory that names itself as the next one."""
    entries = [(256, 4, 1, 900), (257, 4, 1, 400)]
    packed = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    return b"II*\0" + struct.pack("<IH", 8, len(entries)) + packed + struct.pack("<I", 8)


def _animated(kind: str) -> bytes:
    frames = [Image.new("L", (900, 400), shade) for shade in (250, 100)]
    buffer = io.BytesIO()
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


BAD = {
    "empty": (b"", 422, "empty"),
    "text": (b"Pay to the order of\n" * 50, 415, "unsupported_type"),
    "gif": (_animated("GIF"), 415, "unsupported_type"),
    "animated": (_animated("PNG"), 422, "unsupported_image"),
    "one_pixel": (_png(1, 1, b"\0\0"), 422, "too_small"),
    "bomb": (_png(30_000, 30_000, bytes(1 << 20)), 422, "too_many_pixels"),
    "looping_tiff": (_tiff_that_loops(), 422, "corrupt_image"),
    "tiff_without_directory": (b"II*\0\xff\xff\xff\x7f", 422, "truncated_image"),
}


@pytest.mark.parametrize(("data", "status", "code"), BAD.values(), ids=BAD.keys())
def test_bad_images(client: httpx.Client, data: bytes, status: int, code: str) -> None:
    for answer in (
        client.post("/v1/readings", files={"image": ("cheque.png", data, "image/png")}),
        client.post("/v1/readings", content=data, headers={"Content-Type": "image/png"}),
    ):
        problem = answer.json()
        assert (answer.status_code, problem["code"]) == (status, code)
        assert answer.headers["content-type"] == "application/problem+json"
        assert problem["type"] == f"urn:cheque-reader:problem:{code}"
        assert problem["status"] == status
        assert problem["title"]
        assert problem["detail"]
        assert problem["request_id"] == answer.headers["x-request-id"]
    assert client.get("/readyz").status_code == 200


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF"])
def test_truncated_images(
    client: httpx.Client, page: Image.Image, encode: Callable[..., bytes], kind: str
) -> None:
    data = encode(page, kind)
    for share in (0.02, 0.5, 0.9):
        cut = data[: max(int(len(data) * share), 12)]
        answer = client.post("/v1/readings", files={"image": cut})
        assert answer.status_code == 422
        assert answer.json()["code"] in {"truncated_image", "corrupt_image"}


@pytest.mark.parametrize(
    ("mode", "kind"),
    [("CMYK", "JPEG"), ("CMYK", "TIFF"), ("I;16", "PNG"), ("P", "PNG"), ("RGBA", "PNG")],
)
def test_unusual_pixels_are_read(
    client: httpx.Client,
    page: Image.Image,
    encode: Callable[..., bytes],
    mode: str,
    kind: str,
) -> None:
    picture = page.convert("I").point(lambda v: v * 257).convert(mode) if mode == "I;16" else page
    data = encode(picture.convert(mode), kind)
    assert client.post("/v1/readings", files={"image": data}).status_code == 200


def test_more_than_ten_megabytes_are_refused(client: httpx.Client, cheque: bytes) -> None:
    data = cheque + bytes(10 * 1024 * 1024)

    def in_pieces() -> Iterator[bytes]:
        for start in range(0, len(data), 1 << 16):
            yield data[start : start + (1 << 16)]

    headers = {"Content-Type": "image/png"}
    for answer in (
        client.post("/v1/readings", content=data, headers=headers),
        client.post("/v1/readings", content=in_pieces(), headers=headers),
        client.post("/v1/readings", files={"image": data}),
    ):
        assert answer.status_code == 413
        assert answer.json()["code"] == "too_large_bytes"


@pytest.mark.parametrize(
    "media_type",
    ["application/json", "application/x-www-form-urlencoded", "image/gif", "text/plain", "", None],
)
def test_other_bodies_are_refused(
    client: httpx.Client, cheque: bytes, media_type: str | None
) -> None:
    headers = {} if media_type is None else {"Content-Type": media_type}
    answer = client.post("/v1/readings", content=cheque, headers=headers)
    assert answer.status_code == 415
    assert answer.json()["code"] == "unsupported_media_type"
    assert "image/tiff" in answer.json()["detail"]


def test_compressed_bodies_are_refused(client: httpx.Client, cheque: bytes) -> None:
    answer = client.post(
        "/v1/readings",
        content=zlib.compress(cheque),
        headers={"Content-Type": "image/png", "Content-Encoding": "deflate"},
    )
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([("cheque", b"x")], "missing_image"),
        ([("image", b"x"), ("image", b"y")], "missing_image"),
        ([("image", b"x"), ("currency", b"USD")], "missing_image"),
    ],
)
def test_forms_hold_one_image(
    client: httpx.Client, fields: list[tuple[str, bytes]], code: str
) -> None:
    answer = client.post("/v1/readings", files=fields)
    assert answer.status_code == 422
    assert answer.json()["code"] == code
    assert "'image'" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("multipart/form-data", b"--x\r\n\r\n--x--\r\n"),
        ("multipart/form-data; boundary=x", b"not a form"),
        ("multipart/form-data; boundary=x", b'--x\r\nContent-Disposition: form-data; name="image"'),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="image"\r\n\r\ncut short',
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n" + b"A: b\r\n" * 500 + b"\r\n--x--\r\n"),
        (f"multipart/form-data; boundary={'x' * 300}", b""),
    ],
)
def test_malformed_forms(client: httpx.Client, media_type: str, body: bytes) -> None:
    answer = client.post("/v1/readings", content=body, headers={"Content-Type": media_type})
    assert answer.status_code == 400
    assert answer.json()["code"] == "malformed_request"
