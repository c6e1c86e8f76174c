"""Nothing leaves the machine by itself."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def test_onnxruntime_does_not_report(tmp_path: Path) -> None:
    """What it reports with are a database and an identifier of the machine, below HOME."""
    code = (
        "from service.pipeline.reader import ChequeReader; "
        "from service.settings import load_settings; ChequeReader(load_settings().model_dir)"
    )
    # None of the variables by which it would take this for a test, and be silent anyhow.
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={"HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        check=True,
    )
    assert list(tmp_path.iterdir()) == []
