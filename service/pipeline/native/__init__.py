"""The compiled inner loops of the pipeline: plain C behind ctypes, without the interpreter's lock.

A working tree whose sources have changed, or were never built, compiles them when it is imported;
an installed package brings its library.
"""

import ctypes
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from service.pipeline.native.compiler import build

__all__ = ["LIBRARY", "address", "checked"]

LIBRARY: Final = ctypes.CDLL(str(build()))
LIBRARY.keep_memory()


# An eighth of the time of an array's own address.
_beginning: Final = ctypes.c_char.from_buffer


def address(array: NDArray[Any], dtype: type[np.generic]) -> ctypes.c_void_p:
    """Where an array's numbers lie; it must be contiguous and of that type, and must stay alive.

    Raises ValueError for any other array: C would read other numbers, or beyond it.
    """
    buffer: Any = array
    if array.dtype == dtype:
        try:
            return ctypes.c_void_p(ctypes.addressof(_beginning(buffer)))
        except (TypeError, ValueError):  # read-only, empty, or not contiguous
            if array.flags.c_contiguous:
                return ctypes.c_void_p(array.ctypes.data)
    raise ValueError(f"native: an array must be contiguous {dtype.__name__}")


def checked(succeeded: int) -> None:
    """Raise MemoryError where a function of the library returned 0."""
    if not succeeded:
        raise MemoryError("native: out of memory")
