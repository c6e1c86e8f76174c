"""The examples of README.md, run as they stand there."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
SAMPLE = "samples/us-personal-04.tif"


@pytest.fixture
def run(client: httpx.Client) -> Callable[..., str]:
    """Run a command with the settings of the examples; what it prints."""
    settings = {"CHEQUE_URL": str(client.base_url).rstrip("/"), "CHEQUE_KEY": "any, none is asked"}

    def run(*command: str | Path) -> str:
        done = subprocess.run(
            command,
            cwd=ROOT,
            env={**os.environ, **settings, "no_proxy": "127.0.0.1"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def _example(language: str) -> str:
    section = (ROOT / "README.md").read_text().split("\n## Clients\n")[1].split("\n## ")[0]
    return re.findall(rf"```{language}\n(.*?)```", section, re.DOTALL)[0]


def test_curl(run: Callable[..., str]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    answer = run("sh", "-c", _example("sh"))
    assert '"amount_minor":123456' in answer
    assert '"reference":"0042"' in answer


def test_python(run: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "example.py"
    file.write_text(_example("python"))
    first, second = run(sys.executable, file, SAMPLE, "README.md").splitlines()
    assert first == f"{SAMPLE} accept 123456 USD"
    assert second.startswith("README.md unsupported_type ")


def test_java(run: Callable[..., str], tmp_path: Path) -> None:
    if shutil.which("java") is None:
        pytest.skip("Java is not installed")
    file = tmp_path / "ReadCheque.java"
    file.write_text(_example("java"))
    answer = run("java", file, SAMPLE)
    assert '"amount_minor":123456' in answer
    assert '"reference":"0042"' in answer
