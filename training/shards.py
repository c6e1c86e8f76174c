"""Material that processes write in shards, so that an interrupted run goes on."""

from collections.abc import Callable, Iterator, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

Job = tuple[Path, int]
"""A shard's file, and its number."""


def build_shards(
    paths: Sequence[Path],
    start: Callable[..., None],
    given: tuple[Any, ...],
    build: Callable[[Job], int],
    workers: int,
) -> Iterator[int]:
    """Have processes write the shards that are missing; yields each one's number.

    start: called once in each process, with `given`; build: writes one shard, all or nothing, and
    returns its number.
    """
    missing = [(path, number) for number, path in enumerate(paths) if not path.exists()]
    if not missing:
        return
    paths[0].parent.mkdir(parents=True, exist_ok=True)
    with get_context("spawn").Pool(workers, start, given) as pool:
        yield from pool.imap_unordered(build, missing)
