"""Makes the application: settings and a loaded reader in, an ASGI application out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI

from service import __version__
from service.api import batches, examples, problems, routes
from service.api.observe import Observe
from service.api.pool import ReaderPool
from service.api.schemas import ParameterFault, Problem
from service.jobs.runtime import Jobs
from service.options import Reader
from service.settings import Settings


def create_app(settings: Settings, reader: Reader) -> FastAPI:
    """The service around a reader that is loaded; it is warmed while the first probes come in.

    The interactive pages of FastAPI are left out: they load scripts from elsewhere. Raises
    ConfigurationError where batches can't be kept as the settings say.
    """
    jobs = Jobs(settings)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        pool = ReaderPool(reader, readers=settings.readers, max_in_flight=settings.max_in_flight)
        app.state.pool = pool
        warming = asyncio.create_task(pool.warm())
        if settings.batch_readers:
            await asyncio.to_thread(jobs.start, reader, pool.let_through)
        yield
        warming.cancel()
        await asyncio.to_thread(jobs.close)
        await pool.close()

    app = FastAPI(
        title="Cheque reader",
        version=__version__,
        summary="Reads the courtesy amount of bank cheques, with a probability and a decision.",
        license_info={"name": "MIT", "identifier": "MIT"},
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.settings = settings
    app.state.jobs = jobs
    app.state.uploads = batches.Uploads(settings.batch_uploads)
    app.include_router(routes.operations)
    app.include_router(routes.readings)
    app.include_router(batches.router)
    app.add_middleware(Observe)
    problems.install(app)
    _complete_openapi(app)
    return app


def _complete_openapi(app: FastAPI) -> None:
    """Add to the OpenAPI document what FastAPI leaves out.

    That is the schema of problems, which the routes only refer to, and the example of a reading,
    from which FastAPI would drop the members that are null.
    """
    made = app.openapi

    def openapi() -> dict[str, Any]:
        fresh = app.openapi_schema is None
        document = made()
        if fresh:
            for model in (Problem, ParameterFault):
                schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
                schema.pop("$defs", None)
                document["components"]["schemas"][model.__name__] = schema
            responses = document["paths"]["/v1/readings"]["post"]["responses"]
            responses["200"]["content"]["application/json"]["example"] = examples.READING
        return document

    app.openapi = openapi  # type: ignore[method-assign]
