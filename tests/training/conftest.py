"""A tiny data folder with a set of every kind, for what trains and evaluates on all of them."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from training.data import splits


def idx(array: np.ndarray) -> bytes:
    head = b"\x00\x00\x08" + bytes([array.ndim]) + np.array(array.shape, ">u4").tobytes()
    return gzip.compress(head + array.tobytes(), mtime=0)


def drawn(label: int, size: int) -> np.ndarray:
    """A picture that tells its label: two bars whose places depend on it; ink 255 on 0."""
    picture = np.zeros((size, size), np.uint8)
    low, high = size // 5, size - size // 5
    column = low + label % 5 * (high - low) // 5
    row = low + label // 5 * (high - low) // 2
    picture[low:high, column : column + 2] = 255
    picture[row : row + 2, low:high] = 255
    return picture


def write_mnist(folder: Path, train: int, test: int) -> None:
    (folder / "mnist").mkdir(parents=True)
    for part, count in (("train", train), ("t10k", test)):
        labels = (np.arange(count) % 10).astype(np.uint8)
        images = np.stack([drawn(int(label), 28) for label in labels])
        (folder / f"mnist/{part}-images-idx3-ubyte.gz").write_bytes(idx(images))
        (folder / f"mnist/{part}-labels-idx1-ubyte.gz").write_bytes(idx(labels))


@pytest.fixture
def mnist_folder(tmp_path: Path) -> Path:
    """A data folder with nothing but 240 + 30 digits as MNIST."""
    folder = tmp_path / "data"
    write_mnist(folder, 240, 30)
    return folder


@pytest.fixture(scope="session")
def data_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder in which every set has a few characters of every split."""
    folder = tmp_path_factory.mktemp("sets")
    write_mnist(folder, 120, 20)
    labels = np.arange(200) % 10
    light = np.stack([drawn(int(label), 32) for label in labels])
    table = json.loads((Path(splits.__file__).with_name("splits.json")).read_text())
    _kensanata(folder, table["kensanata"], labels)
    np.savez(
        folder / "optdigits.npz", train_images=light, test_images=light[:20],
        train_labels=labels, test_labels=labels[:20],
    )  # fmt: skip
    np.savez(folder / "semeion.npz", images=light[:, ::2, ::2], labels=labels)
    names = np.array([str(label) for label in labels])
    np.savez(folder / "hasyv2_symbols.npz", images=255 - light, labels=names)
    np.savez(folder / "bhmsds_symbols.npz", images=255 - light[:, 2:30, 2:30], labels=names)
    _unipen(folder, table["unipen"])
    _pendigits(folder, table["pendigits"])
    return folder


def _kensanata(folder: Path, people: dict[str, list[str]], labels: np.ndarray) -> None:
    names = [people[split][0] for split in ("train", "valid", "test")]
    np.savez(
        folder / "kensanata_digits.npz",
        images=np.stack([235 - drawn(int(label), 64) // 2 for label in labels]),
        labels=labels, writers=np.arange(len(labels)) // 10 % 3, writer_names=np.array(names),
    )  # fmt: skip


def _strokes(label: int) -> list[list[list[float]]]:
    turn = label * 0.6
    return [[[0, 0], [100 * np.cos(turn), 100 * np.sin(turn)]], [[0, 0], [0, 60]]]


def _unipen(folder: Path, people: dict[str, list[str]]) -> None:
    (folder / "unipen").mkdir()
    for file, marks in (("1a_isolated_digits", "0123456789"), ("1d_isolated_symbols", "$.,-/()")):
        lines = []
        for split in ("train", "valid", "test"):
            contributor, _, writer = people[split][0].partition("/")
            contributor = "apa" if contributor == "ap" else contributor
            lines += [
                json.dumps(
                    {
                        "label": mark, "contrib": contributor, "writer": writer,
                        "strokes": _strokes(place),
                    }
                )
                for place, mark in enumerate(marks)
            ]  # fmt: skip
        path = folder / f"unipen/{file}.jsonl.gz"
        path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))


def _pendigits(folder: Path, people: dict[str, list[str]]) -> None:
    (folder / "pendigits").mkdir()
    for part in ("tra", "tes"):
        lines = []
        for split in ("train", "valid", "test"):
            for name in people[split]:
                if not name.startswith(part):
                    continue
                for label in range(10):
                    lines += [
                        f'.SEGMENT DIGIT 0-1 ? "{label}"',
                        f".COMMENT {label} {name.removeprefix(part + '-')} 1",
                    ]
                    for stroke in _strokes(label):
                        lines += [".PEN_DOWN", *(f"{x:.0f} {y:.0f}" for x, y in stroke), ".PEN_UP"]
        path = folder / f"pendigits/pendigits-orig.{part}.gz"
        path.write_bytes(gzip.compress("\n".join(lines).encode(), mtime=0))
