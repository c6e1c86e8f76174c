"""The OpenAPI document as those take it who make a client from it."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

# Run by the Python that the generator is installed for, beside the client that it made.
CALLS = """
import io, json, sys
from made import Client
from made.api.operations import ready
from made.api.readings import read_cheque
from made.models import Problem, ReadChequeFilesBody, Reading
from made.types import File

url, cheque = sys.argv[1:]
with Client(base_url=url) as client:
    assert ready.sync(client=client).model_version == "stand-in/1"
    with open(cheque, "rb") as image:
        body = ReadChequeFilesBody(image=File(image, "cheque.png", "image/png"))
        reading = read_cheque.sync(client=client, body=body, reference="0042")
    assert isinstance(reading, Reading), reading
    body = ReadChequeFilesBody(image=File(io.BytesIO(b"no image"), "cheque.png", "image/png"))
    problem = read_cheque.sync(client=client, body=body)
    assert isinstance(problem, Problem), problem
print(json.dumps([reading.amount_minor, reading.decision, reading.reference, problem.code]))
"""


@pytest.fixture(scope="module")
def document(client: httpx.Client) -> dict[str, Any]:
    """The document that the service serves."""
    return dict(client.get("/openapi.json").raise_for_status().json())


def _operations(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in document["paths"].values():
        yield from path.values()


def test_it_keeps_to_the_specification(document: dict[str, Any]) -> None:
    validator = pytest.importorskip("openapi_spec_validator")
    validator.validate(document)


def test_the_linter_finds_no_error(document: dict[str, Any], tmp_path: Path) -> None:
    linter = shutil.which("redocly")
    if linter is None:
        pytest.skip("redocly is not installed")
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    done = subprocess.run(
        [linter, "lint", file], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_operations_have_short_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in _operations(document)]
    assert len(names) == len(set(names))
    assert {"read_cheque", "alive", "ready"} <= set(names)


def test_every_operation_says_whether_it_asks_for_a_key(document: dict[str, Any]) -> None:
    assert document["servers"]
    schemes = set(document["components"]["securitySchemes"])
    for operation in _operations(document):
        assert {name for choice in operation["security"] for name in choice} <= schemes
    assert document["paths"]["/v1/readings"]["post"]["security"]
    assert document["paths"]["/livez"]["get"]["security"] == []


def test_a_method_that_is_not_taken_is_told_the_others(
    client: httpx.Client, document: dict[str, Any]
) -> None:
    for path, operations in document["paths"].items():
        answer = client.request("TRACE", re.sub(r"\{\w+\}", "0", path))
        assert answer.status_code == 405
        assert answer.headers["allow"] == ", ".join(sorted(map(str.upper, operations)))


def test_every_error_is_a_problem(document: dict[str, Any]) -> None:
    for operation in _operations(document):
        for status, response in operation["responses"].items():
            if not status.startswith("2"):
                assert set(response["content"]) == {"application/problem+json"}
    assert "HTTPValidationError" not in document["components"]["schemas"]


def test_no_query_parameter_is_null(document: dict[str, Any]) -> None:
    for operation in _operations(document):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                assert "null" not in json.dumps(parameter["schema"])
                assert "type" in parameter["schema"], parameter["name"]


def test_a_generated_client_reads_a_cheque(
    client: httpx.Client, document: dict[str, Any], cheque: bytes, tmp_path: Path
) -> None:
    generator = shutil.which("openapi-python-client")
    if generator is None:
        pytest.skip("openapi-python-client is not installed")
    for name, data in (
        ("openapi.json", json.dumps(document).encode()),
        ("cheque.png", cheque),
        ("calls.py", CALLS.encode()),
        ("config.yml", b"post_hooks: []\n"),
    ):
        (tmp_path / name).write_bytes(data)
    made = "generate --path openapi.json --output-path made --meta none --config config.yml"
    subprocess.run([generator, *made.split()], cwd=tmp_path, capture_output=True, check=True)
    python = Path(generator).parent / "python"
    done = subprocess.run(
        [python, "calls.py", str(client.base_url), "cheque.png"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [123456, "accept", "0042", "unsupported_type"]
