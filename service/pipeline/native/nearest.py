"""What lies near the best path of an interpretation graph, and its best strings (``near.c``)."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native import LIBRARY, address, checked

_Int = ctypes.c_int64
_Pointer = ctypes.c_void_p

LIBRARY.near_make.restype = _Pointer
LIBRARY.near_make.argtypes = (_Pointer,)
LIBRARY.near_free.argtypes = (_Pointer,)
LIBRARY.near_best.restype = ctypes.c_double
LIBRARY.near_best.argtypes = (_Pointer,)
LIBRARY.near_within.argtypes = (_Pointer, ctypes.c_double)
LIBRARY.near_strings.restype = _Int


@dataclass(frozen=True, slots=True)
class String:
    """The best path of one string.

    arcs i32[L]: of the lattice; moves i32[L]: transitions of the automaton, -1 for stray ink;
    labels i32[L]; final: of the automaton.
    """

    penalty: float
    final: int
    arcs: NDArray[np.int32]
    moves: NDArray[np.int32]
    labels: NDArray[np.int32]


class Nearest:
    """A composition swept once, of which ever more can be looked at; made by `nearest`."""

    def __init__(self, handle: int, nodes: int) -> None:
        self._handle = handle
        self._longest = nodes

    @property
    def penalty(self) -> float:
        """Of the best path, +infinity where there is none."""
        return float(LIBRARY.near_best(self._handle))

    def look(self, bound: float) -> None:
        """Keep for `strings` what lies on paths of at most this penalty."""
        checked(LIBRARY.near_within(self._handle, bound))

    def strings(
        self,
        n: int,
        bound: float,
        *,
        kind: NDArray[np.bool_] | None = None,
        own: bool = False,
        counts: NDArray[np.uint8] | None = None,
    ) -> list[String]:
        """The best path of each of the n best strings, best first; fewer where there are fewer.

        bound: of their penalties, at most what was looked at: beyond it are better paths.
        kind: bool per final, only those that are `own` end a string; None: all do. counts: u8 per
        state, whether the label read on the way into it counts: 0 it does not, 1 it does, 2 it does
        and differs from the same label elsewhere; None: all labels count. Stray ink never does.
        """
        longest = self._longest
        penalty, final, length = np.empty(n), np.empty(n, np.int32), np.empty(n, np.int32)
        arcs, moves, labels = np.empty((3, n, longest), np.int32)
        found = LIBRARY.near_strings(
            _Pointer(self._handle),
            None if kind is None else address(kind, np.bool_),
            _Int(-1 if kind is None else own),
            None if counts is None else address(counts, np.uint8),
            _Int(n), ctypes.c_double(bound), _Int(longest), address(penalty, np.float64),
            address(final, np.int32), address(length, np.int32),
            *(address(one, np.int32) for one in (arcs, moves, labels)),
        )  # fmt: skip
        checked(found >= 0)
        return [
            String(
                float(penalty[row]), int(final[row]), arcs[row, :end], moves[row, :end],
                labels[row, :end],
            )
            for row, end in enumerate(length[:found].tolist())
        ]  # fmt: skip


@contextmanager
def nearest(problem: ctypes.Structure, nodes: int) -> Iterator[Nearest]:
    """Sweep a composition's problem (see `sweep.Composition`); nodes: of its lattice."""
    handle = LIBRARY.near_make(ctypes.byref(problem))
    checked(handle is not None)
    try:
        yield Nearest(handle, nodes)
    finally:
        LIBRARY.near_free(handle)
