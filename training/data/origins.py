"""Where each set comes from, and how its origin's files become the files that the loaders read.

Loaders need nothing from here: a folder that holds their files already is as good. UNIPEN alone
is not converted: its CD image is downloaded with the checksum that its record gives, and the
repacked unipen/*.jsonl.gz have to be put into the folder by hand.
"""

import csv
import gzip
import hashlib
import io
import json
import re
import tarfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from training.data import lzw
from training.data.download import DownloadError, Receipt, download

_MNIST = "https://ossci-datasets.s3.amazonaws.com/mnist/"
_UCI = "https://archive.ics.uci.edu/static/public/"
_ZENODO = "https://zenodo.org/api/records/"

# Of the uncompressed files, since mirrors compress them differently.
_MNIST_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
_HASY_LABELS = {
    r"\#": "#", r"\$": "$", r"\%": "%", r"\ast": "*", "+": "+", "-": "-", r"\bullet": ".",
    r"\cdot": ".", "/": "/", r"\times": "x", "|": "|", r"\pounds": "£",
    **{digit: digit for digit in "0123456789"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """One file of an origin: its address, the name it is kept under, its md5 where known."""

    url: str
    name: str
    md5: str | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """One set: its sources, and what makes the loaders' files of them.

    sources: the files, or the number of the Zenodo record that lists them.
    convert: called with the folder of the downloaded sources and the data folder; raises
    ValueError where a file is not what it should be. None: kept as it came.
    """

    sources: tuple[Source, ...] | str
    convert: Callable[[Path, Path], None] | None


def fetch(names: list[str], folder: Path, origins: dict[str, Origin] | None = None) -> None:
    """Download sets from their origins into folder and convert them, showing the progress.

    Downloads are kept in folder/origin/<set>/, with receipts.json; a run that was broken off goes
    on where it stopped. origins: in place of ORIGINS. Raises DownloadError, and ValueError for a
    set that is not known or a file that is not what it should be.
    """
    known = ORIGINS if origins is None else origins
    if unknown := [name for name in names if name not in known]:
        raise ValueError(f"no origin for {', '.join(unknown)}")
    folder.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, TimeRemainingColumn()) as progress:
        for name in names:
            held = folder / "origin" / name
            listed = known[name].sources
            for source in record_sources(listed) if isinstance(listed, str) else listed:
                _fetch_one(source, held, progress)
            convert = known[name].convert
            if convert is None:
                progress.console.print(f"{name}: kept in {held} as it came, not converted")
            else:
                convert(held, folder)


def _fetch_one(source: Source, held: Path, progress: Progress) -> Receipt:
    task = progress.add_task(source.name, total=None)

    def report(done: int, expected: int | None) -> None:
        progress.update(task, completed=done, total=expected)

    receipt = download(source.url, held / source.name, source.md5, report)
    progress.update(task, completed=receipt.size, total=receipt.size)
    return receipt


def record_sources(record: str, api: str = _ZENODO) -> tuple[Source, ...]:
    """The files of a Zenodo record with the checksums that the record gives."""
    try:
        with urllib.request.urlopen(f"{api}{record}", timeout=60.0) as response:
            files = json.load(response)["files"]
    except (OSError, ValueError, KeyError) as error:
        raise DownloadError(f"record {record} could not be read") from error
    return tuple(
        Source(f["links"]["self"], f["key"], str(f["checksum"]).removeprefix("md5:")) for f in files
    )


def convert_mnist(held: Path, folder: Path) -> None:
    """The four IDX files, refused where their content is not the original's."""
    for name, md5 in _MNIST_MD5.items():
        raw = gzip.decompress((held / f"{name}.gz").read_bytes())
        if hashlib.md5(raw, usedforsecurity=False).hexdigest() != md5:
            raise ValueError(f"{name} is not the original file")
        _write(folder / "mnist" / f"{name}.gz", (held / f"{name}.gz").read_bytes())


def convert_pendigits(held: Path, folder: Path) -> None:
    """pendigits-orig.{tra,tes}.Z of the archive, compressed with gzip instead."""
    with zipfile.ZipFile(held / "pendigits.zip") as archive:
        for part in ("tra", "tes"):
            text = lzw.decompress(_member(archive, f"pendigits-orig.{part}.Z"))
            _write(folder / f"pendigits/pendigits-orig.{part}.gz", gzip.compress(text, mtime=0))


def convert_optdigits(held: Path, folder: Path) -> None:
    """32x32 bitmaps of optdigits-orig.tra.Z (train) and optdigits-orig.cv.Z (test)."""
    arrays: dict[str, NDArray[np.uint8]] = {}
    with zipfile.ZipFile(held / "optdigits.zip") as archive:
        for part, file in (("train", "optdigits-orig.tra.Z"), ("test", "optdigits-orig.cv.Z")):
            images, labels = parse_bitmaps(lzw.decompress(_member(archive, file)).decode("ascii"))
            arrays |= {f"{part}_images": images, f"{part}_labels": labels}
    _write_arrays(folder / "optdigits.npz", arrays)


def parse_bitmaps(text: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images u8 [N, 32, 32] (ink 255) and labels u8 [N] of 32 lines of 0 and 1, then a label."""
    images, labels, rows = [], [], []
    for line in text.splitlines():
        line = line.strip()
        if re.fullmatch("[01]{32}", line):
            rows.append([255 * int(c) for c in line])
        elif rows:
            if len(rows) != 32 or not re.fullmatch("[0-9]", line):
                raise ValueError("a bitmap is not 32 lines and a label")
            images.append(rows)
            labels.append(int(line))
            rows = []
    return np.array(images, np.uint8), np.array(labels, np.uint8)


def convert_semeion(held: Path, folder: Path) -> None:
    """16x16 bitmaps of semeion.data: 256 pixels, then the label one in ten."""
    with zipfile.ZipFile(held / "semeion.zip") as archive:
        table = np.loadtxt(io.BytesIO(_member(archive, "semeion.data")), ndmin=2)
    if table.shape[1] != 266:
        raise ValueError("a line of semeion.data has not 266 numbers")
    images = (table[:, :256].reshape(-1, 16, 16) > 0.5).astype(np.uint8) * 255
    labels = table[:, 256:].argmax(axis=1).astype(np.uint8)
    _write_arrays(folder / "semeion.npz", {"images": images, "labels": labels})


def convert_kensanata(held: Path, folder: Path) -> None:
    """Pictures <writer>/<digit>/*.png, dark on light, centred on 64x64."""
    found = re.compile(r"[^/]+/(\d{4}_[A-Z]{2}\w{2})/(\d)/[^/]+\.png")
    images, labels, writers = [], [], []
    with zipfile.ZipFile(held / "numbers.zip") as archive:
        for name in sorted(archive.namelist()):
            if match := found.fullmatch(name):
                images.append(_centred(_grey(archive.read(name)), 64))
                writers.append(match.group(1))
                labels.append(int(match.group(2)))
    names = sorted(set(writers))
    arrays = {
        "images": np.array(images, np.uint8),
        "labels": np.array(labels, np.uint8),
        "writers": np.array([names.index(w) for w in writers], np.uint8),
        "writer_names": np.array(names),
    }
    _write_arrays(folder / "kensanata_digits.npz", arrays)


def convert_bhmsds(held: Path, folder: Path) -> None:
    """Pictures symbols/<symbol>-<number>.png, 28x28, dark on light."""
    found = re.compile(r"[^/]+/symbols/(\w+)-(\d+)\.png")
    with zipfile.ZipFile(held / "bhmsds.zip") as archive:
        rows = sorted(
            (match.group(1), int(match.group(2)), name)
            for name in archive.namelist()
            if (match := found.fullmatch(name))
        )
        images = [_centred(_grey(archive.read(name)), 28) for _, _, name in rows]
    labels = np.array([label for label, _, _ in rows])
    arrays = {"images": np.array(images, np.uint8), "labels": labels}
    _write_arrays(folder / "bhmsds_symbols.npz", arrays)


def convert_hasyv2(held: Path, folder: Path) -> None:
    """The digits and symbols of HASYv2 that amounts are written with, 32x32, dark on light."""
    pictures: dict[str, bytes] = {}
    table = ""
    with tarfile.open(held / "HASYv2.tar.bz2", "r:bz2") as archive:
        for member in archive:
            file = archive.extractfile(member) if member.isfile() else None
            path = PurePosixPath(member.name)
            if file is not None and path.name == "hasy-data-labels.csv":
                table = file.read().decode("utf-8")
            elif file is not None and path.parent.name == "hasy-data" and path.suffix == ".png":
                pictures[path.name] = file.read()
    rows = [
        (_HASY_LABELS[row["latex"]], row["latex"], PurePosixPath(row["path"]).name)
        for row in csv.DictReader(io.StringIO(table))
        if row["latex"] in _HASY_LABELS
    ]
    rows.sort(key=lambda row: row[1])
    arrays = {
        "images": np.array([_centred(_grey(pictures[name]), 32) for _, _, name in rows], np.uint8),
        "labels": np.array([label for label, _, _ in rows]),
        "latex": np.array([latex for _, latex, _ in rows]),
    }
    _write_arrays(folder / "hasyv2_symbols.npz", arrays)


def _member(archive: zipfile.ZipFile, name: str) -> bytes:
    for held in archive.namelist():
        if PurePosixPath(held).name == name:
            return archive.read(held)
    raise ValueError(f"{name} is not in the archive")


def _grey(raw: bytes) -> NDArray[np.uint8]:
    image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_GRAYSCALE)
    if image is None:
        raise ValueError("a picture cannot be read")
    return np.asarray(image, np.uint8)


def _centred(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The image on a white square, made smaller only where it does not fit."""
    scale = min(1.0, size / max(image.shape))
    if scale < 1.0:
        wanted = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
        image = np.asarray(cv2.resize(image, wanted, interpolation=cv2.INTER_AREA), np.uint8)
    square = np.full((size, size), 255, np.uint8)
    top, left = (size - image.shape[0]) // 2, (size - image.shape[1]) // 2
    square[top : top + image.shape[0], left : left + image.shape[1]] = image
    return square


def _write(path: Path, raw: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_bytes(raw)
    part.replace(path)


def _write_arrays(path: Path, arrays: dict[str, NDArray[np.uint8]]) -> None:
    held = io.BytesIO()
    np.savez_compressed(held, **arrays)  # type: ignore[arg-type]
    _write(path, held.getvalue())


ORIGINS: dict[str, Origin] = {
    "mnist": Origin(
        tuple(Source(f"{_MNIST}{name}.gz", f"{name}.gz") for name in _MNIST_MD5), convert_mnist
    ),
    "pendigits": Origin(
        (Source(f"{_UCI}81/pen+based+recognition+of+handwritten+digits.zip", "pendigits.zip"),),
        convert_pendigits,
    ),
    "optdigits": Origin(
        (Source(f"{_UCI}80/optical+recognition+of+handwritten+digits.zip", "optdigits.zip"),),
        convert_optdigits,
    ),
    "semeion": Origin(
        (Source(f"{_UCI}178/semeion+handwritten+digit.zip", "semeion.zip"),), convert_semeion
    ),
    "kensanata": Origin(
        (Source("https://github.com/kensanata/numbers/archive/HEAD.zip", "numbers.zip"),),
        convert_kensanata,
    ),
    "bhmsds": Origin(
        (Source("https://github.com/wblachowski/bhmsds/archive/HEAD.zip", "bhmsds.zip"),),
        convert_bhmsds,
    ),
    "hasyv2": Origin(
        (
            Source(
                "https://zenodo.org/records/259444/files/HASYv2.tar.bz2",
                "HASYv2.tar.bz2",
                "fddf23f36e24b5236f6b3a0880c778e3",
            ),
        ),
        convert_hasyv2,
    ),
    "unipen": Origin("1195803", None),
}
