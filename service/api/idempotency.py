"""The Idempotency-Key header: a call that is sent again is answered again, and done once."""

import asyncio
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Annotated, Any, Final, Self

from fastapi import Depends, Header, Request, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from service.api.caller import owner_of
from service.api.problems import RefusalError
from service.jobs import calls
from service.jobs.runtime import Jobs

NO_KEY: Final = "Idempotency-Key must be 1 to 255 printable ASCII characters."
REPLAYED: Final = {"Idempotent-Replayed": "true"}
_LONGEST: Final = 255
_CLAIM_SECONDS: Final = 300.0


def jobs_of(request: Request) -> Jobs:
    """The batches of this process."""
    jobs = request.app.state.jobs
    assert isinstance(jobs, Jobs)
    return jobs


async def given_key(
    idempotency_key: Annotated[
        str | None,
        Header(
            description="A name of the caller's own for this call: sent again with the same body, "
            "it is answered as before and nothing is done twice"
        ),
    ] = None,
) -> str | None:
    """The key of a call, None where it has none; raises RefusalError (malformed_request)."""
    key = idempotency_key
    if key is not None and not (0 < len(key) <= _LONGEST and key.isascii() and key.isprintable()):
        raise RefusalError("malformed_request", NO_KEY)
    return key


class Once:
    """One call, claimed on entry where it has a key, freed on exit where it was not answered."""

    def __init__(self, jobs: Jobs, owner: str, route: str, key: str | None) -> None:
        self._jobs = jobs
        self._owner = owner
        self._route = route
        self._key = key
        self._call: calls.Call | calls.Answered | None = None
        self._sent = ""

    async def __aenter__(self) -> Self:
        """Raises ConflictError while another call holds the key, and StorageFullError."""
        if self._key is not None:
            # What is answered is kept: without room for it keys are not taken.
            await asyncio.to_thread(self._jobs.bodies.check_space, 0)
            self._call = await asyncio.to_thread(
                calls.claim,
                self._jobs.store,
                self._jobs.process.name,
                self._owner,
                self._route,
                self._key,
                _CLAIM_SECONDS,
            )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        if isinstance(self._call, calls.Call) and error is not None:
            await asyncio.to_thread(calls.give_up, self._jobs.store, self._call)

    async def replay(self, body: bytes, said: BaseModel) -> JSONResponse | None:
        """The answer of an earlier call; raises InputError (idempotency_mismatch)."""
        if self._call is None:
            return None
        self._sent = await asyncio.to_thread(calls.digest, body, said.model_dump())
        if isinstance(self._call, calls.Call):
            return None
        self._call.check(self._sent)
        return JSONResponse(dict(self._call.answer), headers=REPLAYED)

    async def answer(self, document: BaseModel) -> Response:
        """A document as the answer, kept where the call has a key."""
        if isinstance(self._call, calls.Call):
            said = document.model_dump(mode="json")
            await asyncio.to_thread(self._keep, self._call, said)
            return JSONResponse(said)
        return Response(document.model_dump_json(), media_type="application/json")

    def _keep(self, call: calls.Call, said: Mapping[str, Any]) -> None:
        with self._jobs.store.begin() as connection:
            calls.answer(self._jobs.store, connection, call, self._sent, said)


def once_for(route: str) -> Callable[..., Once]:
    """A dependency that makes a call to a route happen once."""

    def once(
        jobs: Annotated[Jobs, Depends(jobs_of)],
        owner: Annotated[str, Depends(owner_of)],
        key: Annotated[str | None, Depends(given_key)],
    ) -> Once:
        return Once(jobs, owner, route, key)

    return once
