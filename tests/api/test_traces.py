"""Traces: a span for each step, in one trace, without anything of the cheque."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from opentelemetry import trace

from service import tracing
from service.errors import ConfigurationError, InputError
from service.logs import JsonFormatter
from service.settings import Settings

sdk = pytest.importorskip("opentelemetry.sdk.trace")
export = pytest.importorskip("opentelemetry.sdk.trace.export")
memory = pytest.importorskip("opentelemetry.sdk.trace.export.in_memory_span_exporter")


@pytest.fixture(scope="module")
def exporter() -> Any:
    """Where the spans of this process go from now on: there can be one provider only."""
    kept = memory.InMemorySpanExporter()
    provider = sdk.TracerProvider()
    provider.add_span_processor(export.SimpleSpanProcessor(kept))
    trace.set_tracer_provider(provider)
    return kept


@pytest.fixture
def spans(exporter: Any) -> Iterator[Callable[[], dict[str, Any]]]:
    """The spans made in a test so far, by name."""
    exporter.clear()
    yield lambda: {span.name: span for span in exporter.get_finished_spans()}
    exporter.clear()


def _once_there(spans: Callable[[], dict[str, Any]], name: str) -> dict[str, Any]:
    """The spans once this one has ended, which is after what it tells of has been answered."""
    deadline = time.monotonic() + 20
    while name not in (made := spans()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return made


def test_a_reading_is_one_trace(
    client: httpx.Client,
    cheque: bytes,
    spans: Callable[[], dict[str, Any]],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    answer = client.post(
        "/v1/readings",
        params={"reference": "acct-johnson"},
        headers={"traceparent": parent},
        files={"image": ("acct-johnson.png", cheque)},
    )
    assert answer.status_code == 200
    client.get("/livez")
    made = _once_there(spans, "POST /v1/readings")
    assert set(made) == {"POST /v1/readings", "wait", "read", "read.image", "read.recognize"}
    request, read = made["POST /v1/readings"], made["read"]
    ids = {f"{span.context.trace_id:032x}" for span in made.values()}
    assert ids == {"0af7651916cd43dd8448eb211c80319c"}
    assert f"{request.parent.span_id:016x}" == "b7ad6b7169203331"
    assert {made[name].parent.span_id for name in ("wait", "read")} == {request.context.span_id}
    assert made["read.image"].parent.span_id == read.context.span_id
    assert request.kind is trace.SpanKind.SERVER
    assert request.attributes["http.response.status_code"] == 200
    assert request.attributes["cheque.request_id"] == answer.headers["x-request-id"]
    assert read.attributes["cheque.decision"] == "accept"
    assert read.attributes["cheque.model_version"] == "stand-in/1"
    stages = [made[f"read.{stage}"] for stage in ("image", "recognize")]
    assert [span.end_time - span.start_time for span in stages] == [4_000_000, 20_000_000]
    assert stages[0].end_time == stages[1].start_time
    everything = json.dumps([json.loads(span.to_json()) for span in made.values()])
    for sensitive in ("johnson", "123456", "1,234.56", "127.0.0.1"):
        assert sensitive not in everything


def test_logs_name_the_trace(spans: Callable[[], dict[str, Any]]) -> None:
    record = logging.LogRecord("service", logging.INFO, "", 0, "said", None, None)
    assert "trace_id" not in json.loads(JsonFormatter().format(record))
    with tracing.span("step"):
        line = json.loads(JsonFormatter().format(record))
    assert line["trace_id"] == f"{spans()['step'].context.trace_id:032x}"


def test_failures_are_told_without_their_messages(spans: Callable[[], dict[str, Any]]) -> None:
    for name, error in (("bug", ValueError("$1,234.56")), ("bad", InputError("empty", "johnson"))):
        with pytest.raises(type(error)), tracing.span(name):
            raise error
    assert spans()["bug"].attributes["error.type"] == "ValueError"
    assert spans()["bad"].attributes["error.type"] == "empty"
    for span in spans().values():
        assert not span.status.is_ok
        assert not span.events
        assert "1,234" not in span.to_json()
        assert "johnson" not in span.to_json()


def test_items_of_batches_are_traces_of_their_own(
    start: Callable[..., httpx.Client],
    reader: Any,
    cheque: bytes,
    spans: Callable[[], dict[str, Any]],
) -> None:
    service = start(reader, batch_readers=1)
    location = service.post("/v1/batches", files={"image": cheque}).headers["location"]
    while service.get(location).json()["state"] == "running":
        continue
    item = _once_there(spans, "item")["item"]
    assert item.parent is None
    assert item.attributes["cheque.batch"] == location.rpartition("/")[2]
    assert (item.attributes["cheque.item"], item.attributes["cheque.state"]) == (0, "accepted")


def test_asking_for_traces_without_their_packages_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(tracing, "import_module", missing)
    tracing.configure(Settings())
    with pytest.raises(ConfigurationError, match=r"cheque-reader\[traces\]"):
        tracing.configure(Settings(traces="on"))


def test_they_go_where_the_standard_variables_say() -> None:
    """In a process of its own, to a receiver of its own."""
    pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    code = """
import os, threading
from http.server import BaseHTTPRequestHandler, HTTPServer
bodies = []
class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        bodies.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()
    def log_message(self, *_):
        pass
server = HTTPServer(("127.0.0.1", 0), Receiver)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{server.server_port}"
os.environ["OTEL_EXPORTER_OTLP_COMPRESSION"] = "none"
os.environ["OTEL_SERVICE_NAME"] = "cheques-north"
from opentelemetry import trace
from service import tracing
from service.settings import Settings
tracing.configure(Settings(traces="on"))
with tracing.span("step"):
    pass
trace.get_tracer_provider().shutdown()
(path, body), = bodies
assert path == "/v1/traces", path
assert b"step" in body and b"cheques-north" in body and b"service.version" in body
"""
    subprocess.run([sys.executable, "-c", code], check=True)
