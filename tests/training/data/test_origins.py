"""Origin files, made here in the origins' forms, become what the loaders read."""

import gzip
import http.server
import io
import json
import tarfile
import threading
import zipfile
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.data.test_lzw import compress
from training.data import origins
from training.data.bitmaps import (
    load_bhmsds,
    load_hasyv2,
    load_kensanata,
    load_optdigits,
    load_semeion,
)
from training.data.download import DownloadError
from training.data.pendigits import load_pendigits


def png(size: int, value: int = 0) -> bytes:
    image = np.full((size, size), 255, np.uint8)
    image[size // 4 : size // 2, size // 3 : size // 2] = value
    return bytes(cv2.imencode(".png", image)[1])


def zipped(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)


def test_mnist_must_be_the_original(tmp_path: Path) -> None:
    for part in ("train", "t10k"):
        for kind in ("images-idx3", "labels-idx1"):
            path = tmp_path / f"{part}-{kind}-ubyte.gz"
            path.write_bytes(gzip.compress(b"\x00\x00\x08\x01\x00\x00\x00\x00"))
    with pytest.raises(ValueError, match="original"):
        origins.convert_mnist(tmp_path, tmp_path)


def test_pendigits(tmp_path: Path) -> None:
    pen = ".PEN_DOWN\n 1 2\n 3 5\n.PEN_UP\n.DT 100\n"
    text = f'.SEGMENT DIGIT 0 ? "8"\n.COMMENT 8 12 224\n{pen}.SEGMENT DIGIT 1 ? "3"\n'
    text += f".COMMENT 3 2 7\n{pen}{pen}"
    raw = compress(text.encode())
    files = {"pendigits-orig.tra.Z": raw, "pendigits-orig.tes.Z": raw}
    zipped(tmp_path / "pendigits.zip", files)
    origins.convert_pendigits(tmp_path, tmp_path / "data")
    glyphs = load_pendigits(tmp_path / "data")
    assert glyphs.labels == ("8", "3", "8", "3")
    assert glyphs.writers == ("tra-12", "tra-2", "tes-12", "tes-2")
    assert glyphs.splits[2:] == ("test", "test")
    assert glyphs.strokes is not None
    assert [len(s) for s in glyphs.strokes] == [1, 2, 1, 2]
    np.testing.assert_array_equal(glyphs.strokes[0][0], [[1, -2], [3, -5]])


def test_optdigits(tmp_path: Path) -> None:
    bitmap = "\n".join(["0" * 10 + "1" * 22] * 32)
    text = f"entwidth = 32\n\n{bitmap}\n 7\n{bitmap}\n 0\n"
    raw = compress(text.encode())
    files = {"a/optdigits-orig.tra.Z": raw, "a/optdigits-orig.cv.Z": raw}
    zipped(tmp_path / "optdigits.zip", files)
    origins.convert_optdigits(tmp_path, tmp_path / "data")
    glyphs = load_optdigits(tmp_path / "data")
    assert glyphs.labels == ("7", "0", "7", "0")
    assert glyphs.splits[2:] == ("test", "test")
    assert glyphs.images is not None
    assert glyphs.images.shape == (4, 32, 32)
    assert glyphs.images[0, 0].tolist() == [0] * 10 + [255] * 22


def test_semeion(tmp_path: Path) -> None:
    line = "1.0000 " + "0.0000 " * 255 + "0 0 0 0 1 0 0 0 0 0 \n"
    zipped(tmp_path / "semeion.zip", {"semeion.data": (line * 3).encode()})
    origins.convert_semeion(tmp_path, tmp_path / "data")
    glyphs = load_semeion(tmp_path / "data")
    assert glyphs.labels == ("4", "4", "4")
    assert glyphs.images is not None
    assert glyphs.images.sum() == 3 * 255


def test_kensanata(tmp_path: Path) -> None:
    files = {
        "numbers-x/0002_CH5M/3/number-1.png": png(50, 40),
        "numbers-x/0001_CH4M/7/number-9.png": png(90),
        "numbers-x/UNCATEGORIZED/7/9.png": png(20),
        "numbers-x/README.md": b"words",
    }
    zipped(tmp_path / "numbers.zip", files)
    origins.convert_kensanata(tmp_path, tmp_path / "data")
    glyphs = load_kensanata(tmp_path / "data")
    assert glyphs.labels == ("7", "3")
    assert glyphs.writers == ("0001_CH4M", "0002_CH5M")
    assert glyphs.images is not None
    assert glyphs.images.shape == (2, 64, 64)
    assert glyphs.images[1].max() == 255


def test_bhmsds(tmp_path: Path) -> None:
    files = {f"b/symbols/{name}.png": png(28) for name in ("slash-10", "dot-2", "4-1", "x-3")}
    zipped(tmp_path / "bhmsds.zip", files)
    origins.convert_bhmsds(tmp_path, tmp_path / "data")
    assert load_bhmsds(tmp_path / "data").labels == ("4", ".", "/", "x")


def test_hasyv2(tmp_path: Path) -> None:
    table = "path,symbol_id,latex,user_id\n"
    table += "hasy-data/v2-1.png,1,\\pounds,9\nhasy-data/v2-2.png,2,\\alpha,9\n"
    files = {"hasy-data-labels.csv": table.encode(), "hasy-data/v2-1.png": png(32)}
    files["hasy-data/v2-2.png"] = png(32)
    with tarfile.open(tmp_path / "HASYv2.tar.bz2", "w:bz2") as archive:
        for name, raw in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(raw)
            archive.addfile(info, io.BytesIO(raw))
    origins.convert_hasyv2(tmp_path, tmp_path / "data")
    assert load_hasyv2(tmp_path / "data").labels == ("£",)


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def test_fetch_downloads_and_converts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    served = tmp_path / "served"
    served.mkdir()
    line = "0 " * 256 + "1 0 0 0 0 0 0 0 0 0\n"
    zipped(served / "semeion.zip", {"semeion.data": line.encode()})
    handler = partial(_Quiet, directory=str(served))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    base = f"http://127.0.0.1:{server.server_port}/"
    files = [{"key": "semeion.zip", "checksum": "md5:" + "0" * 32}]
    files[0] |= {"links": {"self": f"{base}semeion.zip"}}  # type: ignore[dict-item]
    (served / "7").write_text(json.dumps({"files": files}), encoding="utf-8")
    here = origins.Source(f"{base}semeion.zip", "semeion.zip")
    known = {"semeion": origins.Origin((here,), origins.convert_semeion)}
    try:
        origins.fetch(["semeion"], tmp_path / "data", known)
        listed = origins.record_sources("7", base)
        with pytest.raises(DownloadError):
            origins.record_sources("8", base)
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert load_semeion(tmp_path / "data").labels == ("0",)
    assert (tmp_path / "data/origin/semeion/receipts.json").is_file()
    assert listed == (origins.Source(here.url, here.name, "0" * 32),)
    assert "semeion.zip" in capsys.readouterr().out
    with pytest.raises(ValueError, match="mnist"):
        origins.fetch(["mnist"], tmp_path / "data", known)
