"""How many connections each of several processes holds, in memory that all of them share."""

import multiprocessing
from collections.abc import MutableSequence
from typing import Final

_AWAY: Final = 2**31 - 1


def make_occupancy(processes: int) -> MutableSequence[int]:
    """One number a process, handed to each as it is started; none takes connections yet."""
    array: MutableSequence[int] = multiprocessing.get_context("spawn").RawArray(
        "i", [_AWAY] * processes
    )
    return array


class Slot:
    """What one process says of itself, and sees of the others."""

    def __init__(self, occupancy: MutableSequence[int], number: int) -> None:
        self._occupancy = occupancy
        self._number = number

    def hold(self, connections: int) -> None:
        """Say that this process takes connections and holds so many."""
        self._occupancy[self._number] = connections

    def leave(self) -> None:
        """Say that this process takes no more, or is gone."""
        self._occupancy[self._number] = _AWAY

    def is_fullest(self) -> bool:
        """Whether a process that takes connections holds fewer than this one."""
        return min(self._occupancy) < self._occupancy[self._number]
