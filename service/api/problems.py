"""What errors mean in HTTP: every failure is an application/problem+json document (RFC 9457)."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from service import metrics
from service.errors import (
    ChequeReaderError,
    ConflictError,
    InputError,
    OverloadError,
    ParameterError,
    StorageFullError,
    StorageUnavailableError,
)

logger = logging.getLogger(__name__)

MEDIA_TYPE: Final = "application/problem+json"
TYPE_PREFIX: Final = "urn:cheque-reader:problem:"

# code -> HTTP status, title. Codes of InputError that are missing here are 422.
KINDS: Final[dict[str, tuple[int, str]]] = {
    "malformed_request": (400, "The request is malformed"),
    "unauthorized": (401, "A valid key is needed"),
    "forbidden": (403, "The key is not good for this"),
    "not_found": (404, "There is nothing at this address"),
    "method_not_allowed": (405, "This address does not take that method"),
    "malformed_batch": (400, "The batch is malformed"),
    "body_timeout": (408, "The body did not arrive in time"),
    "conflict": (409, "The same call is still being worked on"),
    "lease_lost": (409, "The item is another's by now, or decided"),
    "batch_too_large": (413, "The batch has too many bytes"),
    "too_many_items": (413, "The batch has too many images"),
    "too_large_bytes": (413, "The image has too many bytes"),
    "unsupported_media_type": (415, "The body is of a type that is not read"),
    "unsupported_type": (415, "The file is not a PNG, JPEG or TIFF image"),
    "empty": (422, "The image is empty"),
    "missing_image": (422, "The form holds no image"),
    "corrupt_image": (422, "The image is damaged"),
    "truncated_image": (422, "The image is cut short"),
    "unsupported_image": (422, "The image is of a kind that is not read"),
    "too_many_pixels": (422, "The image has too many pixels"),
    "too_small": (422, "The image is too small to be a cheque"),
    "not_a_cash_letter": (422, "The file is no cash letter"),
    "unknown_item": (422, "The cash letter has no such item"),
    "amount_too_large": (422, "A total does not fit into its field"),
    "idempotency_mismatch": (422, "The Idempotency-Key was used with another request"),
    "invalid_parameter": (422, "A parameter is unknown or out of range"),
    "overloaded": (429, "The service is busy"),
    "rate_limited": (429, "The key is used too often"),
    "internal_error": (500, "The service failed"),
    "not_ready": (503, "The service is not ready yet"),
    "keys_away": (503, "Keys can't be checked"),
    "reading_timeout": (503, "The reading took too long"),
    "storage_unavailable": (503, "What keeps the batches can't be reached"),
    "stopping": (503, "The service is stopping"),
    "unrecorded": (507, "The request can't be recorded"),
    "storage_full": (507, "The disk is full"),
}
_BY_STATUS: Final = {
    400: "malformed_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large_bytes",
    415: "unsupported_media_type",
}
STORAGE_SECONDS: Final = 10
_UNREADABLE: Final = (422, "The image can't be read")


class RefusalError(Exception):
    """A request refused before the pipeline sees it; `code` is one of KINDS."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.headers = dict(headers or {})


def document(
    code: str, detail: str, *, status: int | None = None, **members: object
) -> dict[str, Any]:
    """The members of a problem: type, title, status, detail and code, and any others given."""
    usual, title = KINDS.get(code, _UNREADABLE)
    return {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status or usual,
        "detail": detail,
        "code": code,
        **members,
    }


def respond(
    request_id: str,
    code: str,
    detail: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> JSONResponse:
    """A problem as a response, counted; errors: parameter and message of each one at fault."""
    more: dict[str, object] = {"errors": list(errors)} if errors else {}
    body = document(code, detail, status=status, request_id=request_id, **more)
    metrics.PROBLEMS.labels(code).inc()
    return JSONResponse(
        body, status_code=body["status"], media_type=MEDIA_TYPE, headers=dict(headers or {})
    )


def install(app: FastAPI) -> None:
    """Turn every exception that the routes and the framework raise into a problem."""
    for kind, answer in _ANSWERS.items():
        app.add_exception_handler(kind, answer)


async def answer(request: Request, error: Exception) -> JSONResponse:
    """The problem of an exception that a route raised; raises it where it has none."""
    for kind, made in _ANSWERS.items():
        if isinstance(error, kind):
            return await made(request, error)
    raise error


async def _refusal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RefusalError)
    return _answer(request, error.code, error.detail, headers=error.headers)


async def _reader_error(request: Request, error: Exception) -> JSONResponse:
    match error:
        case ParameterError(parameter=parameter, message=message):
            errors = [{"parameter": parameter, "message": message}]
            return _answer(request, error.code, message, errors=errors)
        case InputError(code=code, message=message):
            return _answer(request, code, message)
        case OverloadError(retry_after=seconds, message=message):
            headers = {"Retry-After": str(seconds)}
            return _answer(request, error.code, message, headers=headers)
        case StorageUnavailableError(message=message):
            headers = {"Retry-After": str(STORAGE_SECONDS)}
            return _answer(request, error.code, message, headers=headers)
        case ConflictError(message=message) | StorageFullError(message=message):
            return _answer(request, error.code, message)
        case _:
            logger.error("request %s: %s", _id(request), error)
            return _answer(request, "internal_error", INTERNAL_DETAIL)


async def _invalid(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"parameter": str(item["loc"][-1]), "message": _message(item)} for item in error.errors()
    ]
    detail = "; ".join(f"{item['parameter']}: {item['message']}" for item in errors)
    return _answer(request, "invalid_parameter", detail, errors=errors)


def _message(item: Mapping[str, Any]) -> str:
    if item["type"] == "extra_forbidden":
        return "there is no such parameter"
    return str(item["msg"])


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    code = _BY_STATUS.get(error.status_code, "malformed_request")
    _, title = KINDS[code]
    headers = dict(error.headers or {})
    route = getattr(request.scope.get("route"), "path", "")
    methods = request.app.openapi()["paths"].get(route)
    if error.status_code == 405 and methods:  # the framework names those of one of its routes
        headers["Allow"] = ", ".join(sorted(method.upper() for method in methods))
    return _answer(request, code, f"{title}.", status=error.status_code, headers=headers)


_ANSWERS: Final[Mapping[type[Exception], Callable[..., Awaitable[JSONResponse]]]] = {
    RefusalError: _refusal,
    ChequeReaderError: _reader_error,
    RequestValidationError: _invalid,
    HTTPException: _http_exception,
}
INTERNAL_DETAIL: Final = "The failure has been logged under this request's id."


def _answer(
    request: Request,
    code: str,
    detail: str,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[Mapping[str, str]] = (),
) -> JSONResponse:
    request.state.code = code
    return respond(_id(request), code, detail, status=status, headers=headers, errors=errors)


def _id(request: Request) -> str:
    return str(request.state.request_id)
