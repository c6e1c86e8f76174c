"""The same on a real PostgreSQL, and what several workers share there."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import killing
import killing_workers
import postgres

pytestmark = postgres.needed


def test_killed_services_lose_and_double_nothing_on_postgresql(tmp_path: Path) -> None:
    killing.kill_and_count(
        tmp_path / "data", kills=4, batches=3, items=20, seed=2, database=postgres.emptied()
    )


def test_killed_workers_lose_and_double_nothing(tmp_path: Path) -> None:
    killing_workers.kill_and_count(tmp_path, postgres.emptied(), items=300, seed=1)
