"""Batches given to the jobs of a process directly, without HTTP."""

import secrets
import time
from collections.abc import Sequence

import cv2
import numpy as np

from service.jobs.runtime import Jobs, chunk_of
from service.jobs.store import Batch, Item, NewBatch, NewItem
from service.options import ReadingOptions


def picture() -> bytes:
    """A small PNG that decodes."""
    return bytes(cv2.imencode(".png", np.full((48, 160), 255, np.uint8))[1].tobytes())


def accept(jobs: Jobs, references: Sequence[str], data: bytes | None = None) -> str:
    """Accept a batch of the same picture under several references; its id."""
    data = picture() if data is None else data
    name, file = jobs.bodies.create()
    file.write(data)
    jobs.bodies.keep(name, file)
    file.close()
    id = secrets.token_hex(16)
    items = [NewItem(None, reference, 0, len(data)) for reference in references]
    options = ReadingOptions(field_only=True)
    with jobs.store.begin() as connection:
        new = NewBatch(id, "owner", options, name, None, chunk_of(len(items)))
        jobs.store.accept(new, items, connection)
    jobs.accepted()
    return id


def ended(jobs: Jobs, id: str, seconds: float = 120.0) -> tuple[Batch, list[Item]]:
    """A batch that has ended, and its items."""
    deadline = time.monotonic() + seconds
    while True:
        batch = jobs.store.batch(id)
        assert batch is not None
        if batch.state != "running":
            return batch, jobs.store.page(batch, after=-1, limit=10_000)
        assert time.monotonic() < deadline, jobs.store.progress(batch)
        time.sleep(0.05)
