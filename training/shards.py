"""Material that processes write in shards, so that an interrupted run goes on."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

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


def write_arrays(path: Path, arrays: Mapping[str, NDArray[Any]], *, small: bool = False) -> None:
    """Write named arrays as one .npz file, all or nothing; small: compressed."""
    part = path.with_suffix(".part.npz")
    (np.savez_compressed if small else np.savez)(part, **arrays)  # type: ignore[arg-type]
    part.replace(path)
