"""Readings counted for the dashboard: by day, source, model, result and confidence.

Counts gather in memory and are written every few seconds, so that no reading waits for them; a
process that is killed loses those of its last seconds.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from service.desk.tables import desk_counts
from service.jobs.store import Store

# Width of a bin in the logit of the confidence; bin b holds logits from b * WIDTH on.
WIDTH: Final = 0.25
_LARGEST_BIN: Final = 60
_KEY: Final = ("day", "source", "model", "field_only", "result", "bin")
FAILED: Final = "failed"
# Members of a reading that are counted.
COUNTED: Final = ("model_version", "reject_reason", "confidence")

_Key = tuple[str, str, str, bool, str, int]


def bin_of(confidence: float) -> int:
    """The bin of a confidence in [0, 1]."""
    clipped = min(max(confidence, 1e-9), 1 - 1e-9)
    logit = math.log(clipped) - math.log1p(-clipped)
    return max(-_LARGEST_BIN, min(_LARGEST_BIN, math.floor(logit / WIDTH)))


class Counts:
    """Counts of one process on their way to the database."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._new: Counter[_Key] = Counter()

    def add(self, source: str, reading: Mapping[str, Any], *, field_only: bool) -> None:
        """Count a reading, as JSON has it, of which COUNTED are needed; never blocks."""
        key = (
            time.strftime("%Y-%m-%d", time.gmtime()),
            source,
            str(reading["model_version"]),
            field_only,
            str(reading["reject_reason"] or "accept"),
            bin_of(reading["confidence"]),
        )
        with self._lock:
            self._new[key] += 1

    def flush(self) -> None:
        """Write what was counted; what can't be written is kept for the next time."""
        with self._lock:
            new, self._new = self._new, Counter()
        if not new:
            return
        make = (
            postgresql.insert if self._store.engine.dialect.name == "postgresql" else sqlite.insert
        )
        try:
            with self._store.begin() as connection:
                for key, count in sorted(new.items()):
                    row = make(desk_counts).values(**dict(zip(_KEY, key, strict=True)), count=count)
                    total = desk_counts.c.count + row.excluded.count
                    connection.execute(
                        row.on_conflict_do_update(index_elements=list(_KEY), set_={"count": total})
                    )
        except BaseException:
            with self._lock:
                self._new.update(new)
            raise

    def expire(self, day: str) -> None:
        """Forget what was counted before a day."""
        with self._store.begin() as connection:
            connection.execute(sa.delete(desk_counts).where(desk_counts.c.day < day))
