"""What importing the service brings in."""

import subprocess
import sys
from pathlib import Path

import pytest

SERVICE = Path(__file__).resolve().parent.parent / "service"


@pytest.mark.parametrize(
    "module",
    [
        "service",
        "service.api",
        "service.calibration",
        "service.cli",
        "service.jobs.runtime",
        "service.listing",
        "service.pipeline.reader",
    ],
)
def test_no_torch_and_no_training(module: str) -> None:
    code = (
        f"import sys, {module}; "
        "sys.exit(' '.join(m for m in sys.modules if m.split('.')[0] in ('torch', 'training')) "
        "or None)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=SERVICE.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_the_pipeline_knows_nothing_of_its_surroundings() -> None:
    for file in (SERVICE / "pipeline").glob("*.py"):
        source = file.read_text()
        for word in ("fastapi", "pydantic", "prometheus", "os.environ", "torch"):
            assert f"import {word}" not in source, file
            assert f"from {word}" not in source, file
        assert "os.environ" not in source, file


def test_settings_alone_read_the_environment() -> None:
    for file in SERVICE.rglob("*.py"):
        if file.name != "settings.py":
            assert "environ" not in file.read_text().replace("environment", ""), file
