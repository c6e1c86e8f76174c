"""The compiled search for the best strings of a plain graph (``nbest.c``)."""

import ctypes
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.pipeline.graph import Floats, Graph, Path
from service.pipeline.native import LIBRARY, address, checked

_Int = ctypes.c_int64


class _Graph(ctypes.Structure):
    _fields_ = (
        *((name, _Int) for name in ("nodes", "arcs", "finals", "labels")),
        *((name, ctypes.c_void_p) for name in ("src", "dst", "label", "final", "penalty",
                                               "final_penalty", "rest", "silent")),
    )  # fmt: skip


def best_completions(graph: Graph) -> Floats:
    """As `graph.best_completions`."""
    rest = np.empty(graph.num_nodes)
    given, _alive = _native(graph, rest, ())
    checked(LIBRARY.best_completions(ctypes.byref(given), address(rest, np.float64)))
    return rest


def n_best(graph: Graph, n: int, *, silent: Collection[int], rest: Floats) -> list[Path]:
    """As `graph.n_best`, whose ``best_completions`` are known."""
    given, _alive = _native(graph, rest, silent)
    penalty = np.empty(n)
    final, length = np.empty(n, np.int32), np.empty(n, np.int32)
    arcs = np.empty((n, graph.num_nodes), np.int32)
    function = LIBRARY.n_best
    function.restype = _Int
    found = function(
        ctypes.byref(given), _Int(graph.start), _Int(n), ctypes.c_double(np.inf),
        address(penalty, np.float64),
        address(final, np.int32), address(length, np.int32), address(arcs, np.int32),
    )  # fmt: skip
    checked(found >= 0)
    paths = []
    for row in range(found):
        own = arcs[row, : length[row]].copy()
        labels = tuple(graph.label[own].tolist())
        paths.append(Path(own, labels, float(penalty[row]), int(final[row])))
    return paths


def _native(
    graph: Graph, rest: Floats, silent: Collection[int]
) -> tuple[_Graph, tuple[NDArray[Any], ...]]:
    """The graph as the library takes it, and the arrays that must outlive it."""
    if not graph.is_topological:
        raise ValueError("graph: arcs must lead to higher nodes (topological order)")
    labels = max(int(graph.label.max(initial=0)), *silent, 0) + 1
    quiet = np.zeros(labels, np.uint8)
    quiet[list(silent)] = 1
    ints = (graph.src, graph.dst, graph.label, graph.finals)
    if len(graph.label) and graph.label.min() < 0:
        raise ValueError("graph: a label is out of range")
    arrays: tuple[NDArray[Any], ...] = (
        *(np.ascontiguousarray(one, np.int32) for one in ints),
        *(np.ascontiguousarray(one, np.float64)
          for one in (graph.penalty, graph.final_penalty, rest)),
        quiet,
    )  # fmt: skip
    given = _Graph(
        graph.num_nodes, len(graph.src), len(graph.finals), labels,
        *(one.ctypes.data for one in arrays),
    )  # fmt: skip
    return given, arrays
