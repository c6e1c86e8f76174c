"""The files that deploy the service, parsed once."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.api import routes

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def paths() -> set[str]:
    """The paths of health, metrics and readings."""
    return {str(vars(one)["path"]) for one in (*routes.operations.routes, *routes.readings.routes)}


@pytest.fixture(scope="session")
def documents() -> dict[str, list[Any]]:
    """The documents of every YAML and JSON file of the deployment, by path."""
    yaml = pytest.importorskip("yaml")
    files = [ROOT / "docker-compose.yml", *(ROOT / "deploy").rglob("*.*")]
    return {
        str(file.relative_to(ROOT)): [json.loads(file.read_text())]
        if file.suffix == ".json"
        else list(yaml.safe_load_all(file.read_text()))
        for file in files
        if file.suffix in {".json", ".yml", ".yaml"}
    }


@pytest.fixture(scope="session")
def compose(documents: dict[str, list[Any]]) -> dict[str, Any]:
    """The compose file."""
    return dict(documents["docker-compose.yml"][0])


@pytest.fixture(scope="session")
def objects(documents: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The objects of the Kustomize base, without the Kustomization and the example."""
    return [
        document
        for path, found in documents.items()
        for document in found
        if path.startswith("deploy/kubernetes/")
        and document["kind"] != "Kustomization"
        and "example" not in path
    ]
