"""A service that is killed at random loses nothing that it accepted, and reads nothing twice."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
from killing import kill_and_count


def test_killed_services_lose_and_double_nothing(tmp_path: Path) -> None:
    kill_and_count(tmp_path / "data", kills=4, batches=3, items=20, seed=1)
