"""Every Prometheus metric of the service, declared once, with the few ways to count.

No label holds anything of a cheque or a caller: values come from closed sets, or from the routes.
Where several processes serve (`service.processes`), any of them answers for all: counts are added
up, and every gauge says how.
"""

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TypeVar

from prometheus_client import (
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
    start_http_server,
    values,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from service import __version__
from service.pipeline.reader import Reading

_Labelled = TypeVar("_Labelled", Counter, Histogram)

_FAST = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_SLOW = (0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS = Counter(
    "cheque_http_requests_total", "HTTP requests answered", ("method", "route", "status")
)
REQUEST_SECONDS = Histogram(
    "cheque_http_request_seconds",
    "From the head of a request to the end of its answer",
    ("route",),
    buckets=_SLOW,
)
PROBLEMS = Counter(
    "cheque_problems_total", "Requests refused or failed, by the code of the problem", ("code",)
)
STAGE_SECONDS = Histogram(
    "cheque_stage_seconds", "Time in each stage of the pipeline", ("stage",), buckets=_FAST
)
DECISIONS = Counter(
    "cheque_decisions_total", "Readings by decision and currency", ("decision", "currency")
)
REJECTS = Counter("cheque_rejects_total", "Rejected readings by reason", ("reason",))
CONFIDENCE = Histogram(
    "cheque_confidence",
    "Confidence of readings, whatever was decided",
    buckets=(0.01, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.98, 0.99, 0.995, 0.999, 1.0),
)
IN_FLIGHT = Gauge(
    "cheque_readings_in_flight",
    "Readings being received, waiting or read",
    multiprocess_mode="livesum",
)
IN_FLIGHT_LIMIT = Gauge(
    "cheque_readings_in_flight_limit",
    "Readings in flight above which requests get 429",
    multiprocess_mode="livesum",
)
WAITING = Gauge(
    "cheque_readings_waiting", "Cheques that wait for a reader", multiprocess_mode="livesum"
)
READING = Gauge("cheque_readers_busy", "Readers at work", multiprocess_mode="livesum")
READERS = Gauge("cheque_readers", "Readers there are", multiprocess_mode="livesum")
READY = Gauge(
    "cheque_ready",
    "1 when the model is loaded and warmed, in every process that serves",
    multiprocess_mode="livemin",
)
BUILD = Gauge(
    "cheque_build_info", "The program that runs", ("version",), multiprocess_mode="livemax"
)
MODEL = Gauge(
    "cheque_model_info", "The model that reads", ("version",), multiprocess_mode="livemax"
)
GRAMMAR = Gauge(
    "cheque_grammar_info",
    "1 for the grammar of each currency where no locale is stated; any: no currency either",
    ("currency", "version"),
    multiprocess_mode="livemax",
)
BUILD.labels(__version__).set(1)
BATCHES = Counter("cheque_batches_total", "Batches by what became of them", ("event",))
BATCH_ITEMS = Counter("cheque_batch_items_total", "Items of batches by result", ("state",))
# Every process counts what waits in the one database: the largest counts.
BATCH_WAITING = Gauge(
    "cheque_batch_items_waiting",
    "Items of running batches without a result",
    multiprocess_mode="livemax",
)
BATCH_AGE = Gauge(
    "cheque_batch_oldest_seconds", "Age of the oldest batch that runs", multiprocess_mode="livemax"
)
READERS_ENDED = Counter(
    "cheque_batch_readers_ended_total", "Processes that an image of a batch ended", ("reason",)
)
WEBHOOKS = Counter(
    "cheque_webhooks_total", "Webhooks sent, by outcome of the attempt", ("outcome",)
)
DESK_ITEMS = Counter(
    "cheque_desk_items_total", "Items that entered the desk, by what for", ("reason",)
)
DESK_DECISIONS = Counter("cheque_desk_decisions_total", "Decisions of clerks by kind", ("kind",))
DESK_WAITING = Gauge("cheque_desk_items_waiting", "Items at the desk that are not decided")
DESK_AGE = Gauge("cheque_desk_oldest_seconds", "Age of the oldest item that waits at the desk")


@cache
def _labelled(metric: _Labelled, *values: str) -> _Labelled:
    """The metric of some values of its labels, looked up once: looking up costs what counting does.

    Values come from closed sets, so that few are kept.
    """
    return metric.labels(*values)


def count_request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request that was answered; method and route: of those there are, or "other"."""
    _labelled(REQUESTS, method, route, str(status)).inc()
    _labelled(REQUEST_SECONDS, route).observe(seconds)


def count_reading(reading: Reading) -> None:
    """Count one reading, whichever way it was asked for."""
    _labelled(DECISIONS, reading.decision, reading.currency or "unknown").inc()
    CONFIDENCE.observe(reading.confidence)
    if reading.reject_reason is not None:
        _labelled(REJECTS, reading.reject_reason).inc()
    for stage, seconds in reading.stages.items():
        _labelled(STAGE_SECONDS, stage).observe(seconds)


def count_item(state: str) -> None:
    """Count an item of a batch that has its result."""
    _labelled(BATCH_ITEMS, state).inc()


def serve(host: str, port: int, model_version: str) -> None:
    """Serve the metrics of a process that reads and has no HTTP of its own, from a thread."""
    MODEL.labels(model_version).set(1)
    READY.set(1)
    start_http_server(port, host)


def exposition() -> bytes:
    """All metrics as Prometheus reads them, of every process that serves beside this one."""
    if not values.ValueClass._multiprocess:
        return generate_latest(REGISTRY)
    together = CollectorRegistry()
    MultiProcessCollector(together)  # type: ignore[no-untyped-call]
    together.register(_Memory())
    return generate_latest(together)


class _Memory(Collector):
    """What prometheus_client itself says of one process alone, for all that serve."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Resident memory of the parent and of its children; nothing where there is no /proc."""
        parent = os.getppid()
        children = Path(f"/proc/{parent}/task/{parent}/children")
        if not children.exists():
            return
        total = 0
        for process in [str(parent), *children.read_text().split()]:
            try:
                pages = int(Path(f"/proc/{process}/statm").read_text().split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += pages * os.sysconf("SC_PAGE_SIZE")
        yield GaugeMetricFamily(
            "process_resident_memory_bytes", "Resident memory of all processes", value=total
        )
