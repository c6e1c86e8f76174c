"""The examples of the OpenAPI document: answers that the service has really given."""

from typing import Any, Final

from service.api import problems

READING: Final[dict[str, Any]] = {
    "amount_minor": 123456,
    "currency": "USD",
    "text": "$1,234.56",
    "digits": "123456",
    "confidence": 0.9987,
    "decision": "accept",
    "reject_reason": None,
    "alternatives": [],
    "field_box": None,
    "symbols": [],
    "pages": 1,
    "segments": 40,
    "model_version": "amounts/1",
    "grammar_version": "any",
    "stages": {},
    "reference": None,
}


def problem_response(description: str, **details: str) -> dict[str, Any]:
    """Problems among the responses of a route: details by code, the first one the example."""
    request_id = "7c9e6679f3424d0e8f0b3a6c51d2e4aa"
    documents = {
        code: problems.document(code, detail, request_id=request_id)
        for code, detail in details.items()
    }
    return {
        "description": description,
        "content": {
            problems.MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {code: {"value": value} for code, value in documents.items()},
            }
        },
    }
