"""Completes the OpenAPI document that FastAPI makes, for those who make a client from it."""

from typing import Any, Final

SERVERS: Final = [{"url": "/", "description": "The service that serves this document"}]


def polish(document: dict[str, Any]) -> None:
    """Say in the document itself what its readers would otherwise have to guess.

    Where the service is; which operations ask for no key; and that a query parameter may be left
    out, but not be null, which has no form in a query.
    """
    document["servers"] = SERVERS
    for path in document["paths"].values():
        for operation in path.values():
            operation.setdefault("security", [])
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "query":
                    _drop_null(parameter["schema"])


def _drop_null(schema: dict[str, Any]) -> None:
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:
        del schema["anyOf"]
        schema.update(choices[0])
