"""Takes the Dockerfile's steps by hand, where there is no Docker, and runs what comes of them.

`make image`: copies what .dockerignore lets through, runs the steps of the first stage with their
folders below a scratch one, then serves from there with the image's own settings and no other, runs
its health check, and says how large it is. What it can't show: the base, the user, the mounts.
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEY = "a key of this trial alone"
MOVED = ("/opt/", "/wheels", "/data", "/src")


def _steps() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(word, rest.strip()) for word, _, rest in (x.partition(" ") for x in lines if x)]


def _context(folder: Path) -> None:
    """What a build gets to see: what .dockerignore takes back from leaving everything out."""
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            source, target = ROOT / line[1:], folder / line[1:]
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, target)


def _moved(text: str, work: Path) -> str:
    """A step with the image's folders below the scratch one."""
    for folder in MOVED:
        text = re.sub(rf"(?<![\w.$}}]){folder}", f"{work}{folder}", text)
    return text


def _copy(rest: str, context: Path, folder: Path, work: Path) -> None:
    *sources, target = rest.split()
    into = Path(_moved(target, work)) if target.startswith("/") else folder / target
    for source in sources:
        there = context / source
        whole = len(sources) == 1 and not target.endswith("/") and target != "."
        place = into if whole or there.is_dir() else into / there.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if there.is_dir():
            shutil.copytree(there, place, dirs_exist_ok=True)
        else:
            shutil.copy2(there, place if whole else into / there.name)


def build(work: Path) -> dict[str, str]:
    """Take the steps; the environment of what they make."""
    context, folder = work / "context", work / "src"
    _context(context)
    folder.mkdir()
    # The base's Python, which the steps may install into.
    subprocess.run([sys.executable, "-m", "venv", work / "base"], check=True)
    environment = {"PATH": f"{work}/base/bin:/usr/bin:/bin", "HOME": str(work), "LOCK": "service"}
    # Where packages come from is the machine's affair.
    environment |= {k: v for k, v in os.environ.items() if k.startswith(("PIP_", "SSL_"))}
    made: dict[str, str] = {}
    stage = 0
    for word, rest in _steps():
        if word == "FROM":
            stage += 1
        elif word == "RUN" and stage == 1:
            subprocess.run(
                ["sh", "-ec", _moved(rest, work)], cwd=folder, env=environment, check=True
            )
        elif word == "COPY" and not rest.startswith("--from"):
            _copy(rest, context, folder, work)
        elif word == "ENV":
            made |= dict(re.findall(r"(\w+)=(\S+)", _moved(rest, work)))
    made["PATH"] = made["PATH"].replace("$PATH", "/usr/bin:/bin")
    return made


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def try_out(work: Path, environment: dict[str, str]) -> None:
    """Serve as the image would, from its files alone, and ask it."""
    port, operations = _free_port(), _free_port()
    environment |= {
        "CHEQUE_HOST": "127.0.0.1",
        "CHEQUE_PORT": str(port),
        "CHEQUE_METRICS_PORT": str(operations),
        "CHEQUE_API_KEY": KEY,
    }
    programs = work / "opt" / "cheque-reader" / "bin"
    (work / "data").mkdir()
    for module in ("torch", "pip", "pytest"):
        absent = subprocess.run(
            [programs / "python", "-c", f"import {module}"], env=environment, capture_output=True
        )
        assert absent.returncode != 0, f"{module} is in the image"
    service = subprocess.Popen([programs / "cheque-reader", "serve"], cwd=work, env=environment)
    try:
        check = [programs / "python", work / "opt" / "healthcheck.py"]
        deadline = time.monotonic() + 120
        while subprocess.run(check, env=environment).returncode != 0:
            assert service.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.5)
        while not _ready(operations):
            assert time.monotonic() < deadline
            time.sleep(0.5)
        image = (ROOT / "samples" / "us-personal-04.tif").read_bytes()
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/readings", image)
        request.add_header("Content-Type", "image/tiff")
        request.add_header("X-API-Key", KEY)
        with urllib.request.urlopen(request) as answer:
            assert b'"amount_minor":205000' in answer.read()
    finally:
        service.terminate()
        service.wait(60)
    assert not list(work.glob("opt/**/__pycache__/*-wal")), "something was written beside the code"


def _ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def _megabytes(folder: Path) -> int:
    sizes = (f.stat().st_blocks * 512 for f in folder.rglob("*") if f.is_file())
    return round(sum(sizes) / 1e6)


def main() -> None:
    """Build, try and measure."""
    with tempfile.TemporaryDirectory(prefix="image-") as name:
        work = Path(name)
        environment = build(work)
        # Before it runs: the image's files can't be added to.
        packages, models = (_megabytes(work / "opt" / x) for x in ("cheque-reader", "models"))
        try_out(work, environment)
        sys.stdout.write(
            f"The image works; it is its base and {packages + models} MB: "
            f"{packages} MB of packages, {models} MB of models\n"
        )


if __name__ == "__main__":
    main()
