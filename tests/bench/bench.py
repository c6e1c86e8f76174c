"""The benchmark: readings a second, what they cost, and the least they could cost.

    python tests/bench/bench.py [FOLDER] [--runs 5] [--http 400] [--to FILE] [--growth FOLDER]

Reads the cheques of a folder as bitonal TIFF, as grey JPEG and as cropped amounts: stage by stage
in this process, in CPU seconds; beside them the floor, decoding the same files and one bare
onnxruntime call on the same crops; then over HTTP, one by one and as a batch, from a service of its
own with a process for every core. The clients run on the same cores: what they cost is told beside
what the service costs.
Prints tables and writes JSON. Every figure is the median of the runs.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import platform
import statistics
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import cv2
import load as http
import numpy as np
from growth import measure_growth
from PIL import Image
from rich.console import Console
from rich.table import Table
from workloads import Workload, workloads

from service.pipeline import reader as pipeline
from service.pipeline import sight
from service.pipeline.card import MODEL as RECOGNIZER
from service.pipeline.card import load_card
from service.pipeline.grammar import grammar_for
from service.pipeline.reader import ChequeReader
from service.pipeline.recognize import session_of

MODEL = Path("models/amounts/1")
_STAGES = ("image", "ink", "field", "segment", "recognize", "sweep", "search")


class _Recording:
    """A recognizer that keeps the crops it is given."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.labels = inner.labels
        self.crops: list[np.ndarray] = []

    def penalties(self, crops: np.ndarray) -> np.ndarray:
        self.crops.append(crops)
        return self._inner.penalties(crops)


def in_process(load: Workload, reader: ChequeReader, runs: int) -> dict[str, Any]:
    """Milliseconds of CPU an image: the whole, its stages, and the floor."""
    eye = reader._eye
    recording = _Recording(eye._recognizer)
    eye._recognizer = recording
    found: list[dict[str, float]] = []
    for _ in range(runs + 1):
        recording.crops.clear()
        stages: Counter[str] = Counter()
        started = time.thread_time()
        for data in load.files:
            stages.update(reader.read(data, field_only=load.field_only).stages)
        whole = time.thread_time() - started
        floor = _floor(load, recording.crops)
        found.append({"whole": whole, **floor, **{name: stages[name] for name in _STAGES}})
    eye._recognizer = recording._inner
    each = {
        name: 1000 / len(load.files) * statistics.median(run[name] for run in found[1:])
        for name in found[0]
    }
    return {
        "images": len(load.files),
        "segments": sum(map(len, recording.crops)) / len(load.files),
        "cpu_ms": {name: round(value, 3) for name, value in each.items()},
        "times_the_floor": round(each["whole"] / (each["decoding"] + each["network"]), 2),
    }


def _floor(load: Workload, crops: list[np.ndarray]) -> dict[str, float]:
    session = session_of(MODEL, load_card(MODEL).network(RECOGNIZER))
    started = time.thread_time()
    for data in load.files:
        np.asarray(Image.open(io.BytesIO(data)).convert("L"))
    decoded = time.thread_time()
    for one in crops:
        if len(one):
            session.run(None, {"crops": one})
    return {"decoding": decoded - started, "network": time.thread_time() - decoded}


def over_http(
    load: Workload, service: http.Service, runs: int, count: int, items: int
) -> dict[str, Any]:
    """Readings a second with every core busy, and of a batch of so many items from its upload to
    its last result; latencies idle, at half and at full load."""
    clients = 3 * (os.cpu_count() or 1)
    http.busy(service, load, clients, min(count, 100))
    http.queued(service, load, min(count, 20))  # starts the processes that read batches
    found = []
    for _ in range(runs):
        before, own = service.cpu_seconds(), time.process_time()
        full = http.busy(service, load, clients, count)
        done = max(1, len(full.seconds))
        cpu, own = (service.cpu_seconds() - before) / done, (time.process_time() - own) / done
        batch = http.queued(service, load, items)
        half = http.paced(service, load, full.rate / 2, count // 2)
        idle = http.busy(service, load, 1, min(count, 100))
        found.append(
            {
                "per_second": full.rate,
                "batch_per_second": batch,
                "batch_to_http": batch / full.rate,
                "cpu_ms": 1000 * cpu,
                "client_cpu_ms": 1000 * own,
                **{
                    f"{name}_p{percent}_ms": outcome.percentile(percent)
                    for name, outcome in (("idle", idle), ("half", half), ("full", full))
                    for percent in (50, 99)
                },
                "refused": full.refused + half.refused + idle.refused,
            }
        )
    middle = {name: round(statistics.median(run[name] for run in found), 2) for name in found[0]}
    return middle | {"goal_per_second": load.goal}


def grammar_size() -> dict[str, int]:
    """States and transitions of the grammar of readings whose currency is not told."""
    card = load_card(MODEL)
    automaton = grammar_for(None, None, card.labels, card.grammar_weights).automaton
    return {"states": len(automaton.state_class), "transitions": len(automaton.src)}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("folder", nargs="?", type=Path, default=Path("samples"))
    parser.add_argument("--runs", type=int, default=5, help="runs that medians are taken of")
    parser.add_argument("--http", type=int, default=400, help="requests a run; 0: no HTTP")
    parser.add_argument("--batch", type=int, default=1500, help="items of a batch")
    parser.add_argument("--port", type=int, default=8971)
    parser.add_argument("--to", type=Path, default=Path("build/bench.json"))
    parser.add_argument("--growth", type=Path, help="also measure how cost grows, plots go here")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    # Stages in CPU time: the machine may be busy.
    pipeline.perf_counter = sight.perf_counter = time.thread_time
    reader = ChequeReader(MODEL)
    loads = workloads(given.folder, reader)
    result: dict[str, Any] = {
        "folder": given.folder.name, "runs": given.runs, "cpus": os.cpu_count(),
        "python": platform.python_version(), "model": reader.model_version,
        "load_average": os.getloadavg(), "grammar": grammar_size(), "in_process": {}, "http": {},
    }  # fmt: skip
    for load in loads:
        result["in_process"][load.name] = in_process(load, reader, given.runs)
    if given.http:
        with http.serving(given.port, {"CHEQUE_PROCESSES": str(os.cpu_count() or 1)}) as service:
            for load in loads:
                result["http"][load.name] = over_http(
                    load, service, given.runs, given.http, given.batch
                )
            result["peak_megabytes"] = [round(one) for one in service.peak_megabytes()]
            result["ready_seconds"] = round(service.ready_seconds, 2)
    if given.growth:
        result["growth"] = measure_growth(loads, reader, given.runs, given.growth)
    given.to.parent.mkdir(parents=True, exist_ok=True)
    given.to.write_text(json.dumps(result, indent=1) + "\n")
    show(result)


def show(result: dict[str, Any]) -> None:
    """Print the tables."""
    console = Console(width=None if sys.stdout.isatty() else 130)
    names = ("whole", *_STAGES, "decoding", "network")
    table = Table("CPU ms an image", *names, "times the floor", "crops", box=None)
    for name, one in result["in_process"].items():
        values = [f"{one['cpu_ms'][column]:.2f}" for column in names]
        table.add_row(name, *values, f"{one['times_the_floor']:.2f}", f"{one['segments']:.0f}")
    console.print(table)
    if result["http"]:
        table = Table("HTTP", *result["http"], box=None)
        for name in next(iter(result["http"].values())):
            table.add_row(name, *(f"{one[name]:g}" for one in result["http"].values()))
        console.print(table)
        console.print(
            f"ready after {result['ready_seconds']} s; peak MiB of each process: "
            f"{result['peak_megabytes']}"
        )
    size = result["grammar"]
    console.print(f"grammar: {size['states']} states, {size['transitions']} transitions")
    for name, one in result.get("growth", {}).items():
        console.print(f"{name}: cost grows with the power {one['power']:.2f} of {one['of']}")


if __name__ == "__main__":
    main()
