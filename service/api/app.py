"""Makes the application: settings and a loaded reader in, an ASGI application out."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig

from service import __version__
from service.access.keys import Keys
from service.api import batches, desk, desk_page, examples, letters, problems, routes
from service.api.audited import Audited
from service.api.auth import Gate
from service.api.desk_access import Doorman
from service.api.observe import Observe
from service.api.openapi import polish
from service.api.pool import ReaderPool
from service.api.schemas import Adjustment, ParameterFault, Problem
from service.api.traced import Traced
from service.audit import AuditLog, Entry
from service.errors import AuditError
from service.jobs.runtime import Jobs
from service.options import Reader
from service.settings import Settings

logger = logging.getLogger(__name__)

# FastAPI's own holds queries, and so references; `Traced` makes the spans.
_NO_TELEMETRY: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}


def create_app(
    settings: Settings,
    reader: Reader,
    keys: Keys | None = None,
    batch_reader: Reader | None = None,
) -> FastAPI:
    """The service around a reader that is loaded; it is warmed while the first probes come in.

    keys: where keys are kept, a file in CHEQUE_DATA_DIR if left out. batch_reader: what reads
    batches, the same reader if left out. Raises ConfigurationError and AuditError where what must
    be kept can't be. The interactive pages of FastAPI are left out: they load scripts from
    elsewhere.
    """
    log = AuditLog(settings.audit_file)
    jobs = Jobs(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = ReaderPool(
            reader,
            readers=settings.readers,
            max_in_flight=settings.max_in_flight,
            max_of_one=settings.of_one_key(settings.max_in_flight),
            max_waiting=settings.line,
        )
        app.state.pool = pool
        await _note(log, "service.started")
        warming = asyncio.create_task(pool.warm())
        jobs.room.start()
        if settings.processes > 1:
            # The others serve meanwhile: what comes is not for this one until it can read.
            await warming
        if settings.batch_readers:
            await asyncio.to_thread(jobs.start, batch_reader or reader, pool.let_through)
        yield
        warming.cancel()
        await asyncio.to_thread(jobs.close)
        await pool.close()
        app.state.gate.close()
        await _note(log, "service.stopped")

    app = FastAPI(
        title="Cheque reader",
        version=__version__,
        summary="Reads the courtesy amount of bank cheques, with a probability and a decision.",
        license_info={"name": "MIT", "identifier": "MIT"},
        generate_unique_id_function=lambda route: route.name,
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
        telemetry=_NO_TELEMETRY,
    )
    app.state.settings = settings
    app.state.gate = Gate(settings, keys)
    app.state.draining = False
    app.state.jobs = jobs
    app.state.uploads = batches.Uploads(settings.batch_uploads)
    app.include_router(routes.operations)
    app.include_router(routes.readings)
    app.include_router(batches.router)
    app.include_router(letters.router)
    app.state.doorman = Doorman()
    app.include_router(desk.router)
    app.include_router(desk_page.router)
    app.add_middleware(routes.Direct)
    app.add_middleware(Audited, log=log)
    app.add_middleware(Observe)
    app.add_middleware(Traced)
    problems.install(app)
    _complete_openapi(app)
    return app


async def _note(log: AuditLog, event: str) -> None:
    try:
        head = await asyncio.to_thread(log.append, Entry(event))
    except AuditError as error:
        # Requests are refused for as long as this lasts, and answered again when it is over.
        logger.error("%s was not audited: %s", event, error.message)
        return
    logger.info("%s, the audit log's last line is %s", event, head)


def _complete_openapi(app: FastAPI) -> None:
    """Add to the OpenAPI document what FastAPI leaves out.

    That is the schemas of problems and of the desk's bodies, which routes only refer to, and the
    example of a reading, from which FastAPI would drop the members that are null.
    """
    made = app.openapi

    def openapi() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        document = made()
        if fresh:
            for model in (Problem, ParameterFault, Adjustment, *desk.BODIES):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schema.pop("$defs", None)
                document["components"]["schemas"][model.__name__] = schema
            responses = document["paths"]["/v1/readings"]["post"]["responses"]
            responses["200"]["content"]["application/json"]["example"] = examples.READING
            polish(document)
        return document

    app.openapi = openapi  # type: ignore[method-assign]
