"""Completes the OpenAPI document that FastAPI makes, for those who make a client from it."""

from typing import Any, Final

from service.api.examples import problem_response

SERVERS: Final = [{"url": "/", "description": "The service that serves this document"}]
INVALID: Final = problem_response(
    "A parameter is unknown or out of range",
    invalid_parameter="limit: Input should be a valid integer",
)


def polish(document: dict[str, Any]) -> None:
    """Say in the document itself what its readers would otherwise have to guess.

    Where the service is; which operations ask for no key; that a query parameter may be left out,
    but not be null, which has no form in a query; and that what is wrong with one is told in a
    problem, not as FastAPI would.
    """
    schemas = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    document["servers"] = SERVERS
    for path in document["paths"].values():
        for operation in path.values():
            operation.setdefault("security", [])
            invalid = operation["responses"].get("422", {})
            if "application/json" in invalid.get("content", ()):
                operation["responses"]["422"] = INVALID
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    _drop_null(parameter["schema"])


def _drop_null(schema: dict[str, Any]) -> None:
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        del schema["anyOf"]
        schema.update(choices[0])
