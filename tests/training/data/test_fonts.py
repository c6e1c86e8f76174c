import hashlib
import io
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import ImageFont

from training.data import fonts
from training.data.fonts import SOURCES, Font, FontError, fetch_fonts, load_fonts, recorded_sha256

_FREE = {"OFL-1.1", "Apache-2.0", "UFL-1.0", "public domain", "GUST-Font-License"}


def test_every_font_is_free_pinned_and_has_recorded_digests() -> None:
    digests = recorded_sha256()
    for source in SOURCES:
        assert source.licence in _FREE
        assert source.version[0].isdigit()
        for weight in source.weights:
            assert len(digests[source.file_name(weight)]) == 64


def test_the_splits_share_no_font_and_hold_print_and_hands() -> None:
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for split in ("train", "valid", "test"):
        kinds = {source.kind for source in SOURCES if source.split == split}
        assert {"machine", "hand", "dots", "protector"} <= kinds


def test_the_names_of_a_split_are_names_of_fonts() -> None:
    assert {source.name for source in SOURCES} >= fonts._VALID | fonts._TEST
    assert not fonts._VALID & fonts._TEST


def _packed(name: str, content: bytes) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as package:
        member = tarfile.TarInfo(f"package/files/{name}")
        member.size = len(content)
        package.addfile(member, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def one_font(monkeypatch: pytest.MonkeyPatch) -> fonts.FontSource:
    source = next(s for s in SOURCES if not s.debian and s.weights == (400,))
    monkeypatch.setattr(fonts, "SOURCES", (source,))

    def client(command: list[str], folder: Path) -> None:
        assert command == ["npm", "pack", f"{source.package}@{source.version}"]
        (folder / "p.tgz").write_bytes(_packed(source.file_name(400), b"a font"))

    monkeypatch.setattr(fonts, "_run", client)
    return source


def test_a_font_that_is_not_the_recorded_one_is_refused(
    one_font: fonts.FontSource, tmp_path: Path
) -> None:
    with pytest.raises(FontError, match="has changed"):
        fetch_fonts(tmp_path)
    assert not (tmp_path / one_font.file_name(400)).exists()


def test_a_font_is_fetched_once(
    one_font: fonts.FontSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = one_font.file_name(400)
    digests = {name: hashlib.sha256(b"a font").hexdigest()}
    monkeypatch.setattr(fonts, "recorded_sha256", lambda: digests)
    seen: list[str] = []
    assert fetch_fonts(tmp_path, lambda _i, _n, name: seen.append(name)) == []
    assert (tmp_path / name).read_bytes() == b"a font"
    assert seen == [one_font.name]

    def unwanted(_command: list[str], _folder: Path) -> None:
        raise AssertionError("fetched again")

    monkeypatch.setattr(fonts, "_run", unwanted)
    assert fetch_fonts(tmp_path) == []


def test_an_empty_folder_says_that_fonts_must_be_fetched(tmp_path: Path) -> None:
    with pytest.raises(FontError, match="fetch"):
        load_fonts(tmp_path)


def test_glyphs_are_as_tall_as_said_and_missing_ones_are_none(tmp_path: Path) -> None:
    face = ImageFont.load_default(40)
    assert isinstance(face, ImageFont.FreeTypeFont)
    path = tmp_path / "font.ttf"
    path.write_bytes(face.font_bytes)
    font = Font("inside", "machine", "train", path, None)
    zero, point = font.glyph("0"), font.glyph(".")
    assert zero is not None
    assert point is not None
    assert abs(zero.mask.shape[0] - fonts.DIGIT_HEIGHT) <= 3
    assert point.mask.shape[0] < 20
    assert zero.mask.dtype == np.uint8
    assert zero.advance >= zero.mask.shape[1] * 0.8
    assert font.glyph("\u4e00") is None
    assert not font.has("1\u4e00")
    assert font.has("1 2")
