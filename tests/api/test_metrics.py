"""What the metrics say of the process: how much it can do, and what reads."""

from collections.abc import Callable
from typing import Any

import httpx
from prometheus_client.parser import text_string_to_metric_families

from service import __version__
from service.pipeline.grammar import CURRENCIES


def _samples(text: str, name: str) -> list[tuple[dict[str, str], float]]:
    return [
        (sample.labels, sample.value)
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name
    ]


def test_what_the_process_can_do(start: Callable[..., httpx.Client], reader: Any) -> None:
    text = start(reader, readers=3, max_in_flight=5).get("/metrics").text
    assert _samples(text, "cheque_readers") == [({}, 3)]
    assert _samples(text, "cheque_readings_in_flight_limit") == [({}, 5)]
    assert _samples(text, "cheque_ready") == [({}, 1)]


def test_the_versions_of_what_reads(start: Callable[..., httpx.Client], reader: Any) -> None:
    text = start(reader).get("/metrics").text
    assert _samples(text, "cheque_build_info") == [({"version": __version__}, 1)]
    grammars = [labels for labels, _ in _samples(text, "cheque_grammar_info")]
    for currency in ("any", *CURRENCIES):
        assert {"currency": currency, "version": "any/1"} in grammars
