"""Where the time of a reading goes, function by function, in CPU seconds.

python tests/bench/profiling.py [FOLDER] [--kind bitonal|jpeg|fields] [--by tottime|cumtime]
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import time
from pathlib import Path

import cv2
from workloads import workloads

from service.pipeline.reader import ChequeReader


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("samples"))
    parser.add_argument("--kind", default="bitonal", choices=("bitonal", "jpeg", "fields"))
    parser.add_argument("--by", default="tottime", choices=("tottime", "cumtime"))
    parser.add_argument("--lines", type=int, default=40)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    reader = ChequeReader(Path("models/amounts/1"))
    load = next(one for one in workloads(given.folder, reader) if one.name == given.kind)
    profile = cProfile.Profile(time.thread_time)
    profile.enable()
    for data in load.files:
        reader.read(data, field_only=load.field_only)
    profile.disable()
    pstats.Stats(profile).strip_dirs().sort_stats(given.by).print_stats(given.lines)


if __name__ == "__main__":
    main()
