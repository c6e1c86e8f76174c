"""The Kustomize overlay with batches: its objects fit the base, each other and the service."""

from pathlib import Path
from typing import Any

import pytest

from service import __version__
from service.cli import app
from service.settings import Settings

FOLDER = "deploy/kubernetes-batches/"


@pytest.fixture(scope="module")
def overlay(documents: dict[str, list[Any]]) -> dict[tuple[str, str], dict[str, Any]]:
    """Its objects and patches, by kind and name."""
    return {
        (one["kind"], one["metadata"]["name"]): one
        for path, found in documents.items()
        for one in found
        if path.startswith(FOLDER) and one["kind"] != "Kustomization"
    }


@pytest.fixture(scope="module")
def pods(overlay: dict[tuple[str, str], dict[str, Any]]) -> list[dict[str, Any]]:
    """What it says of pods: the workers, and the patch of those that serve."""
    kinds = ("Deployment", "StatefulSet")
    return [one["spec"]["template"]["spec"] for key, one in overlay.items() if key[0] in kinds]


def test_it_lists_its_files_and_no_secret(root: Path, documents: dict[str, list[Any]]) -> None:
    listed = documents[f"{FOLDER}kustomization.yaml"][0]
    patches = {one["path"] for one in listed["patches"]}
    files = {file.name for file in (root / FOLDER).iterdir()}
    own = files - {"kustomization.yaml", "secret.example.yaml"}
    assert {*listed["resources"], *patches} == {*own, "../kubernetes"}
    assert listed["images"] == [{"name": "cheque-reader", "newTag": __version__}]
    example = documents[f"{FOLDER}secret.example.yaml"][0]
    assert not any(example["stringData"].values())


def test_patches_are_of_objects_of_the_base(
    overlay: dict[tuple[str, str], dict[str, Any]], objects: list[dict[str, Any]]
) -> None:
    base = {(one["kind"], one["metadata"]["name"]): one for one in objects}
    patched = [key for key in overlay if key in base]
    assert sorted(patched) == [("ConfigMap", "cheque-reader"), ("StatefulSet", "cheque-reader")]
    names = [
        one["name"]
        for one in base["StatefulSet", "cheque-reader"]["spec"]["template"]["spec"]["containers"]
    ]
    patch = overlay["StatefulSet", "cheque-reader"]["spec"]["template"]["spec"]["containers"]
    assert [one["name"] for one in patch] == names


def test_commands_settings_and_secrets_exist(
    overlay: dict[tuple[str, str], dict[str, Any]], pods: list[dict[str, Any]]
) -> None:
    commands = {one.callback.__name__ for one in app.registered_commands if one.callback}
    secret = overlay["Secret", "cheque-reader-batches"]
    names = list(overlay["ConfigMap", "cheque-reader"]["data"])
    for pod in pods:
        for container in pod["containers"]:
            assert container.get("args", ["serve"])[0] in commands
            for variable in container["env"]:
                names.append(variable["name"])
                reference = variable.get("valueFrom", {}).get("secretKeyRef")
                if reference is not None:
                    assert reference["name"] == secret["metadata"]["name"]
                    assert reference["key"] in secret["stringData"]
                else:
                    assert "KEY" not in variable["name"]
                    assert "DATABASE_URL" not in variable["name"]
    own = {name.removeprefix("CHEQUE_").lower() for name in names if name.startswith("CHEQUE_")}
    assert own <= set(Settings.model_fields)


def test_workers_have_no_rights_and_time_to_finish(pods: list[dict[str, Any]]) -> None:
    (worker,) = [pod for pod in pods if "terminationGracePeriodSeconds" in pod]
    assert worker["terminationGracePeriodSeconds"] > 20
    assert worker["automountServiceAccountToken"] is False
    assert worker["securityContext"]["runAsNonRoot"] is True
    (container,) = worker["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    readers = int(container["resources"]["requests"]["cpu"])
    limit = int(container["resources"]["limits"]["memory"].removesuffix("Gi")) * 2**30
    assert limit > readers * Settings().reader_memory


def test_selectors_find_the_workers(overlay: dict[tuple[str, str], dict[str, Any]]) -> None:
    worker = overlay["Deployment", "cheque-reader-worker"]["spec"]
    labels = worker["template"]["metadata"]["labels"]
    assert worker["selector"]["matchLabels"] == labels
    for kind, path in (
        ("PodDisruptionBudget", "selector"),
        ("NetworkPolicy", "podSelector"),
    ):
        assert overlay[kind, "cheque-reader-worker"]["spec"][path]["matchLabels"] == labels
    target = overlay["HorizontalPodAutoscaler", "cheque-reader-worker"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == ("Deployment", "cheque-reader-worker")


def test_objects_keep_to_the_schemas_of_kubernetes(
    overlay: dict[tuple[str, str], dict[str, Any]],
) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    for (kind, name), one in overlay.items():
        if (kind, name) != ("StatefulSet", "cheque-reader"):  # a patch is no whole object
            validator.validate(one, "1.34", strict=True)
