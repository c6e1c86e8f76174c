"""Where the sets lie on this machine."""

import os
from pathlib import Path

VARIABLE = "CHEQUE_TRAINING_DATA"


class DataMissingError(Exception):
    """A set, or the folder of all sets, is not where it was looked for."""


def data_folder(given: Path | None = None) -> Path:
    """The folder of the training sets: the one given, else $CHEQUE_TRAINING_DATA.

    Raises DataMissingError where neither names a folder.
    """
    named = given or (Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None)
    if named is None:
        raise DataMissingError(f"no data folder: give one, or set {VARIABLE}")
    if not named.is_dir():
        raise DataMissingError(f"{named} is not a folder")
    return named


def data_file(folder: Path, name: str) -> Path:
    """One file of a set; raises DataMissingError where it is not there."""
    path = folder / name
    if not path.is_file():
        raise DataMissingError(f"{name} is not in {folder}: fetch it first")
    return path
