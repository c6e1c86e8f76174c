"""The examples of the OpenAPI document: answers that the service has really given."""

from typing import Any, Final

from service.api import problems

READING: Final[dict[str, Any]] = {
    "amount_minor": 205000,
    "currency": "USD",
    "text": "$2,050.00",
    "digits": "205000",
    "confidence": 0.9967,
    "decision": "accept",
    "reject_reason": None,
    "alternatives": [
        {
            "amount_minor": 205000,
            "currency": "USD",
            "text": "$2,050.00",
            "digits": "205000",
            "confidence": 0.9967,
        },
        {
            "amount_minor": 5205000,
            "currency": None,
            "text": "52,050.00",
            "digits": "5205000",
            "confidence": 0.0001071,
        },
    ],
    "field_box": [[916.4, 140.4], [1153.0, 140.4], [1153.0, 196.9], [916.4, 196.9]],
    "symbols": [
        {"symbol": "$", "box": [[916.4, 140.4], [940.9, 140.4], [940.9, 196.9], [916.4, 196.9]]}
    ],
    "pages": 1,
    "segments": 245,
    "model_version": "amounts/1",
    "grammar_version": "0bcb5e8a38c4",
    "stages": {
        "image": 0.0047,
        "ink": 0.0268,
        "field": 0.0041,
        "segment": 0.0408,
        "recognize": 0.0191,
        "search": 0.0564,
    },
    "reference": "0042",
    "stated": None,
    "usability": [],
    "evidence": None,
    "desk_item": None,
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
