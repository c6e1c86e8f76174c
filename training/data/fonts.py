"""Openly licensed fonts for machine print and hand-like writing, fetched through npm and apt.

The table below names every font with its licence, pinned version and weights; ``fonts.json``
holds the sha256 of every file. Fonts are split into train, valid and test by name, fixed once.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

KINDS = ("machine", "dots", "protector", "hand")
SYMBOLS = "0123456789.,-/=*#$£€₹x()%+|NORSs"
DIGIT_HEIGHT = 64
"""Height of the digit 0 in pixels, in every cached glyph."""

_OFL, _APACHE, _UFL, _PUBLIC = "OFL-1.1", "Apache-2.0", "UFL-1.0", "public domain"
_GUST = "GUST-Font-License"

# name@version[:weight,weight]; version 5.3.0 and weight 400 where nothing is said.
_TABLE: dict[tuple[str, str], str] = {
    ("machine", _OFL): """
        courier-prime:400,700 cutive-mono share-tech-mono roboto-mono:400,600 ibm-plex-mono:400,600
        inconsolata:400,700 anonymous-pro nova-mono overpass-mono space-mono source-code-pro:400,700
        dm-mono b612-mono oxygen-mono pt-mono cousine:400,700 fira-mono roboto:400,700 arimo:400,700
        open-sans lato montserrat barlow barlow-condensed:400,600 roboto-condensed archivo-narrow
        oswald pt-sans-narrow fjalla-one bebas-neue saira-extra-condensed:400,600 michroma orbitron
        inter titillium-web varela-round quicksand:500 quantico rajdhani:500 tinos:400,700
        merriweather lora playfair-display old-standard-tt crimson-text eb-garamond
        libre-baskerville bitter josefin-slab:600 gelasio vollkorn cutive share-tech
        comic-neue:400,700
        jetbrains-mono:400,700 noto-sans-mono:400,700 fira-code azeret-mono red-hat-mono:400,600
        martian-mono spline-sans-mono geist-mono chivo-mono m-plus-1-code commit-mono sometype-mono
        cascadia-code:400,600 noto-sans:400,700 noto-serif:400,700 source-sans-3:400,600
        source-serif-4 work-sans public-sans:400,600 pt-sans:400,700 pt-serif carlito:400,700
        caladea fira-sans:400,600 ibm-plex-sans ibm-plex-serif libre-franklin:400,700 nunito-sans
        fira-sans-condensed:400,600 fira-sans-extra-condensed:400,600 asap-condensed:400,600
        encode-sans-condensed saira-condensed antonio pathway-gothic-one league-gothic
        ibm-plex-sans-condensed sofia-sans-extra-condensed:400,600
        prata oranienbaum vidaloka graduate iceland@5.2.8 fugaz-one yeseva-one""",
    ("machine", _APACHE): "special-elite roboto-slab",
    ("machine", _UFL): "ubuntu-mono:400,700",
    ("dots", _OFL): """
        codystar@5.2.8 doto:600,900 dotgothic16 vt323 jersey-10 pixelify-sans silkscreen
        press-start-2p sixtyfour micro-5 handjet:400,600""",
    ("protector", _OFL): """
        black-ops-one stardos-stencil:700 saira-stencil-one allerta-stencil sirin-stencil
        wallpoet@5.2.7 monoton bungee-inline ewert emblema-one@5.2.8 abril-fatface rozha-one
        holtwood-one-sc anton
        gravitas-one bodoni-moda:700 libre-bodoni:700 limelight chonburi gloock dm-serif-display
        bigshot-one@5.0.12 kumar-one@5.2.8 keania-one@5.1.0 kenia big-shoulders-stencil-text:700
        stick-no-bills plaster@5.0.13 train-one vast-shadow londrina-shadow@5.2.7 diplomata
        alfa-slab-one poller-one racing-sans-one bowlby-one chango""",
    ("protector", _APACHE): "ultra",
    ("hand", _OFL): """
        caveat:400,600 patrick-hand kalam:300,400 indie-flower shadows-into-light reenie-beanie
        nothing-you-could-do cedarville-cursive la-belle-aurore covered-by-your-grace
        gloria-hallelujah permanent-marker dancing-script kristi over-the-rainbow
        just-me-again-down-here sue-ellen-francisco waiting-for-the-sunrise zeyada
        swanky-and-moo-moo dawning-of-a-new-day gaegu nanum-pen-script short-stack
        annie-use-your-telescope give-you-glory loved-by-the-king architects-daughter handlee
        sriracha mali gochi-hand neucha bad-script marck-script delius the-girl-next-door
        sedgwick-ave nanum-brush-script hi-melody gamja-flower poor-story east-sea-dokdo yomogi
        square-peg mansalva mynerve grape-nuts delicious-handrawn vibur beth-ellen oooh-baby
        fuzzy-bubbles caveat-brush mr-de-haviland meddon playpen-sans edu-sa-beginner
        shantell-sans licorice bilbo kavivanar klee-one zhi-mang-xing long-cang
        liu-jian-mao-cao rouge-script""",
    ("hand", _APACHE): """
        homemade-apple rock-salt@5.3.0 coming-soon schoolbell crafty-girls walter-turncoat rancho
        just-another-hand""",
}

# Debian package, pinned version, licence, file within it ("{}" is the weight's name) and weights.
_TEX_GYRE = "usr/share/texmf/fonts/opentype/public/tex-gyre/texgyre"
_DEBIAN = (
    ("ocr-a", "fonts-ocr-a", "1.0-10", _PUBLIC, "usr/share/fonts/truetype/ocr-a/OCRA.ttf", (400,)),
    (
        "ocr-b", "fonts-ocr-b", "0.3~dfsg1-1", _PUBLIC,
        "usr/share/fonts/opentype/ocr-b/OCRB.otf", (400,),
    ),
    *(
        (
            f"tex-gyre-{name}", "fonts-texgyre", "20180621-6", _GUST,
            f"{_TEX_GYRE}{name}-{{}}.otf", weights,
        )
        for name, weights in (
            ("heros", (400, 700)), ("termes", (400, 700)), ("cursor", (400, 700)),
            ("heroscn", (400,)),
        )
    ),
)  # fmt: skip
_WEIGHT_NAMES = {400: "regular", 700: "bold"}

_VALID_NAMES = """
    inconsolata barlow-condensed quantico crimson-text b612-mono saira-extra-condensed handjet
    tex-gyre-heros tex-gyre-termes tex-gyre-cursor tex-gyre-heroscn pt-sans source-serif-4
    cascadia-code rozha-one allerta-stencil kalam zeyada nanum-pen-script handlee
    the-girl-next-door meddon grape-nuts walter-turncoat"""
_TEST_NAMES = """
    cousine pt-mono titillium-web gelasio open-sans fjalla-one special-elite silkscreen ewert
    sometype-mono nunito-sans fira-sans-condensed noto-serif
    anton caveat reenie-beanie homemade-apple over-the-rainbow gochi-hand schoolbell
    sedgwick-ave mynerve liu-jian-mao-cao bilbo"""
_VALID = frozenset(_VALID_NAMES.split())
_TEST = frozenset(_TEST_NAMES.split())


@dataclass(frozen=True, slots=True)
class FontSource:
    """Where one font comes from: package, pinned version, licence and the weights used."""

    name: str
    kind: str
    package: str
    version: str
    licence: str
    weights: tuple[int, ...]
    member: str = ""

    @property
    def split(self) -> str:
        """Return "train", "valid" or "test"; a font with all its weights is in one of them."""
        return "valid" if self.name in _VALID else "test" if self.name in _TEST else "train"

    @property
    def debian(self) -> bool:
        """Tell whether the font is a Debian package (else an npm one)."""
        return bool(self.member)

    def file_name(self, weight: int, *, extended: bool = False) -> str:
        """Return the name of one of the font's files in the cache folder."""
        if self.debian:
            return Path(self._member(weight)).name
        return f"{self.name}-latin{'-ext' if extended else ''}-{weight}-normal.woff"

    def _member(self, weight: int) -> str:
        return self.member.format(_WEIGHT_NAMES[weight])

    def members(self) -> dict[str, str]:
        """Return the wanted files of a Debian package, by their names in the cache folder."""
        return {self.file_name(weight): self._member(weight) for weight in self.weights}


def _parse(kind: str, licence: str, entry: str) -> FontSource:
    rest, _, weights = entry.partition(":")
    name, _, version = rest.partition("@")
    numbers = tuple(int(w) for w in weights.split(",")) if weights else (400,)
    return FontSource(name, kind, f"@fontsource/{name}", version or "5.3.0", licence, numbers)


SOURCES: tuple[FontSource, ...] = tuple(
    _parse(kind, licence, entry)
    for (kind, licence), entries in _TABLE.items()
    for entry in entries.split()
) + tuple(
    FontSource(name, "machine", package, version, licence, weights, member)
    for name, package, version, licence, member, weights in _DEBIAN
)


def font_folder(folder: Path | None = None) -> Path:
    """Return the cache folder: the one given, $CHEQUE_TRAINING_CACHE/fonts, or the user's cache."""
    if folder is not None:
        return folder
    cache = os.environ.get("CHEQUE_TRAINING_CACHE", "")
    return (Path(cache) if cache else Path.home() / ".cache" / "cheque-reader") / "fonts"


def recorded_sha256() -> dict[str, str]:
    """Return the recorded sha256 of every font file, by file name."""
    text = Path(__file__).with_suffix(".json").read_text(encoding="utf-8")
    return {str(name): str(digest) for name, digest in json.loads(text).items()}


class FontError(Exception):
    """A font could not be fetched, or a file is not the recorded one."""


def _run(command: list[str], folder: Path) -> None:
    if shutil.which(command[0]) is None:
        raise FontError(f"{command[0]} is needed to fetch the fonts and is not installed")
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise FontError(f"{' '.join(command[:3])} failed: {done.stderr.strip()[-400:]}")


def _unpack_npm(source: FontSource, work: Path) -> dict[str, bytes]:
    """Fetch an npm package and return the font files wanted from it, by file name."""
    _run(["npm", "pack", f"{source.package}@{source.version}"], work)
    files: dict[str, bytes] = {}
    with tarfile.open(next(work.glob("*.tgz"))) as package:
        members = set(package.getnames())
        for weight in source.weights:
            for extended in (False, True):
                name = source.file_name(weight, extended=extended)
                if f"package/files/{name}" in members:
                    stream = package.extractfile(f"package/files/{name}")
                    assert stream is not None
                    files[name] = stream.read()
    return files


def _unpack_debian(source: FontSource, work: Path) -> dict[str, bytes]:
    """Fetch a Debian package and return the font files wanted from it, by file name."""
    _run(["apt-get", "download", f"{source.package}={source.version}"], work)
    _run(["dpkg-deb", "-x", str(next(work.glob("*.deb"))), str(work / "x")], work)
    return {name: (work / "x" / path).read_bytes() for name, path in source.members().items()}


def _complete(source: FontSource, folder: Path, known: dict[str, str]) -> bool:
    wanted = [source.file_name(weight) for weight in source.weights]
    extended = [source.file_name(weight, extended=True) for weight in source.weights]
    return all((folder / name).exists() for name in wanted + [n for n in extended if n in known])


def fetch_fonts(
    folder: Path | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    *,
    record: bool = False,
) -> list[str]:
    """Fetch every font that the cache folder lacks; return the names of those not to be had.

    A file whose sha256 is not the recorded one raises FontError. Fonts of Debian packages are left
    out, and named in the result, where apt cannot give the pinned version. With ``record`` the
    digests of the files in the folder are written to ``fonts.json`` instead of being checked.
    """
    cache = font_folder(folder)
    cache.mkdir(parents=True, exist_ok=True)
    known = recorded_sha256() if not record else {}
    missing: list[str] = []
    got: dict[str, str] = {}
    for number, source in enumerate(SOURCES):
        if progress is not None:
            progress(number, len(SOURCES), source.name)
        if not record and _complete(source, cache, known):
            continue
        with tempfile.TemporaryDirectory() as work:
            unpack = _unpack_debian if source.debian else _unpack_npm
            try:
                files = unpack(source, Path(work))
            except FontError:
                if not source.debian:
                    raise
                missing.append(source.name)
                continue
        for name, content in files.items():
            digest = hashlib.sha256(content).hexdigest()
            if not record and known.get(name) != digest:
                raise FontError(f"{name} of {source.package}@{source.version} has changed")
            got[name] = digest
            partial = cache / f"{name}.part"
            partial.write_bytes(content)
            partial.replace(cache / name)
    if record:
        text = json.dumps(dict(sorted(got.items())), indent=0)
        Path(__file__).with_suffix(".json").write_text(text + "\n", encoding="utf-8")
    return missing


@dataclass(frozen=True, slots=True)
class Glyph:
    """One character: mask u8[h,w] (255 ink), its left edge from the pen, its top edge above the
    baseline, and the advance of the pen; pixels at DIGIT_HEIGHT."""

    mask: NDArray[np.uint8]
    left: int
    top: int
    advance: float


@dataclass(slots=True)
class Font:
    """One weight of one font, with its glyphs rendered once and kept."""

    name: str
    kind: str
    split: str
    path: Path
    extended: Path | None
    _faces: list[ImageFont.FreeTypeFont] = field(default_factory=list, repr=False)
    _glyphs: dict[str, Glyph | None] = field(default_factory=dict, repr=False)

    def glyph(self, character: str) -> Glyph | None:
        """Return the glyph of a character, None where the font has none."""
        if character not in self._glyphs:
            if not self._faces:
                self._open()
            drawn = (_draw(face, character) for face in self._faces)
            self._glyphs[character] = next((glyph for glyph in drawn if glyph is not None), None)
        return self._glyphs[character]

    def has(self, text: str) -> bool:
        """Tell whether the font draws every character of a text."""
        return all(self.glyph(character) is not None for character in text if character != " ")

    def _open(self) -> None:
        paths = [self.path] + ([self.extended] if self.extended is not None else [])
        probe = ImageFont.truetype(str(self.path), 100)
        _, top, _, bottom = probe.getbbox("0", anchor="ls")
        size = 100.0 * DIGIT_HEIGHT / max(1.0, bottom - top)
        self._faces.extend(ImageFont.truetype(str(path), size) for path in paths)


def _draw(face: ImageFont.FreeTypeFont, character: str) -> Glyph | None:
    left, top, right, bottom = (int(v) for v in face.getbbox(character, anchor="ls"))
    if right - left < 2 or bottom - top < 2:
        return None
    mask = _raster(face, character, left, top, right, bottom)
    # Characters that a font lacks come out as its .notdef box, the same for every one of them.
    absent = _raster(face, "\U000ffffd", left, top, right, bottom)
    if not mask.any() or np.array_equal(mask, absent):
        return None
    return Glyph(mask, left, -top, float(face.getlength(character)))


def _raster(
    face: ImageFont.FreeTypeFont, character: str, left: int, top: int, right: int, bottom: int
) -> NDArray[np.uint8]:
    image = Image.new("L", (right - left, bottom - top), 0)
    ImageDraw.Draw(image).text((-left, -top), character, fill=255, font=face, anchor="ls")
    return np.asarray(image, dtype=np.uint8)


def load_fonts(
    folder: Path | None = None, split: str | None = None, kinds: tuple[str, ...] = KINDS
) -> list[Font]:
    """Return the cached fonts of a split (None: all) and of some kinds, in the table's order.

    Fonts that the folder lacks are left out; FontError if none of those asked for is there.
    """
    cache = font_folder(folder)
    fonts: list[Font] = []
    for source in SOURCES:
        if source.kind not in kinds or split not in (None, source.split):
            continue
        for weight in source.weights:
            path = cache / source.file_name(weight)
            extended = cache / source.file_name(weight, extended=True)
            if path.exists():
                more = extended if not source.debian and extended.exists() else None
                fonts.append(Font(source.name, source.kind, source.split, path, more))
    if not fonts:
        raise FontError(f"no fonts in {cache}: fetch them first")
    return fonts
