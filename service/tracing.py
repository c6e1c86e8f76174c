"""OpenTelemetry traces, off by default: a request, what it waited for, each stage of its reading.

The rest of the service speaks to OpenTelemetry's API alone, which does nothing until `configure`
gives it somewhere to send spans. Spans hold no amounts, references, images or addresses.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from typing import TYPE_CHECKING, Final

from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode

from service import __version__
from service.errors import ChequeReaderError, ConfigurationError

if TYPE_CHECKING:
    from service.pipeline.reader import Reading
    from service.settings import Settings

Value = str | int | bool

NAME: Final = "cheque-reader"
MISSING: Final = "CHEQUE_TRACES=on needs the packages of cheque-reader[traces]"
_tracer: Final = trace.get_tracer(NAME, __version__)
_NO_SPAN: Final = nullcontext(INVALID_SPAN)


def configure(settings: "Settings") -> None:
    """Send spans where the standard variables say (OTEL_EXPORTER_OTLP_ENDPOINT, ...), if asked to.

    They are sent in batches from a thread of its own; those that can't be sent are dropped. Raises
    ConfigurationError where the packages that send are not installed.
    """
    if settings.traces == "off":
        return
    try:
        sdk = import_module("opentelemetry.sdk.trace")
        exporting = import_module("opentelemetry.sdk.trace.export")
        resources = import_module("opentelemetry.sdk.resources")
        otlp = import_module("opentelemetry.exporter.otlp.proto.http.trace_exporter")
    except ImportError:
        raise ConfigurationError(MISSING) from None
    # What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say comes before this.
    usual = resources.Resource({"service.name": NAME, "service.version": __version__})
    said = resources.OTELResourceDetector().detect()
    provider = sdk.TracerProvider(resource=resources.Resource.create().merge(usual).merge(said))
    provider.add_span_processor(exporting.BatchSpanProcessor(otlp.OTLPSpanExporter()))
    trace.set_tracer_provider(provider)


def are_on() -> bool:
    """Whether spans go anywhere."""
    return not isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)


def span(
    name: str, attributes: Mapping[str, Value] | None = None, kind: SpanKind = SpanKind.INTERNAL
) -> AbstractContextManager[Span]:
    """A span around what is done inside, a child of the one around it.

    Of an exception it holds the code, or the type: messages may say what is on a cheque.
    """
    return _span(name, attributes, kind) if are_on() else _NO_SPAN


@contextmanager
def _span(name: str, attributes: Mapping[str, Value] | None, kind: SpanKind) -> Iterator[Span]:
    with _tracer.start_as_current_span(
        name,
        kind=kind,
        attributes=attributes,
        record_exception=False,
        set_status_on_exception=False,
    ) as made:
        try:
            yield made
        except Exception as error:
            name = error.code if isinstance(error, ChequeReaderError) else type(error).__qualname__
            made.set_attribute("error.type", name)
            made.set_status(Status(StatusCode.ERROR))
            raise


def tell_reading(made: Span, reading: "Reading", started: int) -> None:
    """Say what came of a reading, and make a child span for each of its stages.

    started: when it began, in nanoseconds since 1970. Stages are laid end to end in their order;
    a page that was read both ways up has one span a stage, as long as the two together.
    """
    if not made.is_recording():
        return
    made.set_attributes(
        {
            "cheque.decision": reading.decision,
            "cheque.reject_reason": reading.reject_reason or "",
            "cheque.model_version": reading.model_version,
            "cheque.grammar_version": reading.grammar_version,
            "cheque.pages": reading.pages,
            "cheque.segments": reading.segments,
        }
    )
    at = started
    for stage, seconds in reading.stages.items():
        child = _tracer.start_span(f"read.{stage}", start_time=at)
        at += int(seconds * 1e9)
        child.end(end_time=at)


def now() -> int:
    """Nanoseconds since 1970, the clock of spans."""
    return time.time_ns()


def trace_id() -> str | None:
    """The id of the trace that is being made, in hexadecimal, None where there is none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None
