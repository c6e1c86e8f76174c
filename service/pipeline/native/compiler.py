"""Compiles the C of this package into one shared library; the installation calls it, see setup.py.

A compiler comes with the package ``ziglang``, so that none need be installed on the machine; where
the system has one, that is taken. The library's name holds a digest of what it was made from, so
that an older one is never loaded.
"""

import hashlib
import importlib.util
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
# No contraction: a fused multiply-add rounds otherwise than numpy does. Nobody looks at the flags
# that arithmetic raises; with that known, loops with comparisons of floats become vectors.
_FLAGS: Final = (
    "-O3",
    "-std=c11",
    "-fPIC",
    "-shared",
    "-ffp-contract=off",
    "-fno-math-errno",
    "-fno-trapping-math",
)


def sources() -> list[Path]:
    """The C files, in order of their names."""
    return sorted(FOLDER.glob("*.c"))


def library(folder: Path = FOLDER) -> Path:
    """Where the library of the present sources lies in a folder, or will."""
    digest = hashlib.sha256(" ".join(_FLAGS).encode())
    for file in sorted(FOLDER.glob("*.[ch]")):
        digest.update(file.read_bytes())
    return folder / f"kernels-{digest.hexdigest()[:12]}.so"


def build(folder: Path = FOLDER) -> Path:
    """Compile the library into a folder, unless it is there; returns its path.

    Raises RuntimeError where there is no compiler, or it fails.
    """
    target = library(folder)
    if target.exists():
        return target
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        part = Path(scratch) / target.name
        command = [*_compiler(), *_FLAGS, "-o", str(part), *map(str, sources()), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"the C compiler fails:\n{done.stderr}")
        part.replace(target)
    for old in folder.glob("kernels-*.so"):
        if old != target:
            old.unlink(missing_ok=True)
    return target


def _compiler() -> list[str]:
    for name in ("cc", "gcc", "clang"):
        if shutil.which(name):
            return [name]
    if importlib.util.find_spec("ziglang") is not None:
        # Of itself it would compile for this machine's processor alone.
        return [sys.executable, "-m", "ziglang", "cc", "-mcpu=baseline"]
    raise RuntimeError("no C compiler: install the package ziglang, which brings one")
