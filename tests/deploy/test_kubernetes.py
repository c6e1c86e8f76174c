"""The Kustomize base: the shape of its objects, and that they fit each other and the service."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from service import __version__
from service.settings import Settings

VERSIONS = {
    "ConfigMap": "v1",
    "HorizontalPodAutoscaler": "autoscaling/v2",
    "NetworkPolicy": "networking.k8s.io/v1",
    "PodDisruptionBudget": "policy/v1",
    "Service": "v1",
    "ServiceAccount": "v1",
    "StatefulSet": "apps/v1",
}


def _of_kind(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    found = [one for one in objects if one["kind"] == kind]
    assert found, kind
    return found


@pytest.fixture(scope="module")
def workloads(objects: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What runs pods."""
    return _of_kind(objects, "StatefulSet")


def _containers(workloads: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [x for one in workloads for x in one["spec"]["template"]["spec"]["containers"]]


def _labels(workload: dict[str, Any]) -> dict[str, str]:
    return dict(workload["spec"]["template"]["metadata"]["labels"])


def test_objects_are_of_the_expected_kinds(objects: list[dict[str, Any]]) -> None:
    assert {one["kind"]: one["apiVersion"] for one in objects} == VERSIONS
    for one in objects:
        assert one["metadata"]["name"].startswith("cheque-reader")
        assert "namespace" not in one["metadata"]
    names = [(one["kind"], one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))


def test_objects_keep_to_the_schemas_of_kubernetes(objects: list[dict[str, Any]]) -> None:
    validator = pytest.importorskip("kubernetes_validate")
    for one in objects:
        validator.validate(one, "1.34", strict=True)


def test_the_base_lists_its_files_and_no_secret(
    root: Path, documents: dict[str, list[Any]], objects: list[dict[str, Any]]
) -> None:
    folder = root / "deploy" / "kubernetes"
    base = documents["deploy/kubernetes/kustomization.yaml"][0]
    files = {file.name for file in folder.iterdir()}
    assert set(base["resources"]) == files - {"kustomization.yaml", "secret.example.yaml"}
    assert base["images"] == [{"name": "cheque-reader", "newTag": __version__}]
    assert not any(one["kind"] == "Secret" for one in objects)
    example = documents["deploy/kubernetes/secret.example.yaml"][0]
    assert not any(example["stringData"].values())


def test_kustomize_builds_it(root: Path, objects: list[dict[str, Any]]) -> None:
    yaml = pytest.importorskip("yaml")
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    built = subprocess.run(
        ["kubectl", "kustomize", root / "deploy" / "kubernetes"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    made = list(yaml.safe_load_all(built))
    assert sorted(one["kind"] for one in made) == sorted(one["kind"] for one in objects)
    assert f"image: cheque-reader:{__version__}" in built


def test_selectors_find_their_pods(
    objects: list[dict[str, Any]], workloads: list[dict[str, Any]]
) -> None:
    def selected(labels: dict[str, str]) -> list[str]:
        return [
            one["metadata"]["name"] for one in workloads if labels.items() <= _labels(one).items()
        ]

    for one in workloads:
        assert selected(one["spec"]["selector"]["matchLabels"]) == [one["metadata"]["name"]]
    for kind, path in (
        ("PodDisruptionBudget", ("selector", "matchLabels")),
        ("NetworkPolicy", ("podSelector", "matchLabels")),
        ("Service", ("selector",)),
    ):
        for one in _of_kind(objects, kind):
            labels = one["spec"]
            for step in path:
                labels = labels[step]
            assert len(selected(labels)) == 1, one["metadata"]["name"]
    for one in _of_kind(objects, "HorizontalPodAutoscaler"):
        assert one["spec"]["minReplicas"] >= 2
        target = one["spec"]["scaleTargetRef"]
        assert (target["kind"], target["name"]) in [
            (each["kind"], each["metadata"]["name"]) for each in workloads
        ]
    for one in workloads:
        services = [each["metadata"]["name"] for each in _of_kind(objects, "Service")]
        assert one["spec"]["serviceName"] in services


def test_ports_and_probes_are_those_of_the_service(
    objects: list[dict[str, Any]], workloads: list[dict[str, Any]], paths: set[str]
) -> None:
    ports = {
        port["name"]: port["containerPort"]
        for container in _containers(workloads)
        for port in container.get("ports", ())
    }
    assert ports == {"http": Settings().port, "operations": 8081}
    for container in _containers(workloads):
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            if "httpGet" in container.get(probe, {}):
                assert container[probe]["httpGet"]["path"] in paths
                assert container[probe]["httpGet"]["port"] in ports
    for service in _of_kind(objects, "Service"):
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= set(ports)
    for policy in _of_kind(objects, "NetworkPolicy"):
        assert set(policy["spec"]["policyTypes"]) == {"Ingress", "Egress"}
        for rule in policy["spec"].get("ingress", ()):
            assert rule["from"]
            assert {port["port"] for port in rule["ports"]} <= set(ports)


def test_pods_have_no_rights(workloads: list[dict[str, Any]]) -> None:
    for one in workloads:
        pod = one["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in _containers(workloads):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert "memory" in container["resources"]["limits"]


def test_settings_exist_and_secrets_come_from_the_secret(
    objects: list[dict[str, Any]],
    workloads: list[dict[str, Any]],
    documents: dict[str, list[Any]],
) -> None:
    names = [name for one in _of_kind(objects, "ConfigMap") for name in one["data"]]
    secret = documents["deploy/kubernetes/secret.example.yaml"][0]
    for container in _containers(workloads):
        for variable in container["env"]:
            names.append(variable["name"])
            if any(word in variable["name"] for word in ("KEY", "SECRET", "DATABASE_URL")):
                reference = variable["valueFrom"]["secretKeyRef"]
                assert reference["name"] == secret["metadata"]["name"]
                assert reference["key"] in secret["stringData"]
    assert {name.removeprefix("CHEQUE_").lower() for name in names} <= set(Settings.model_fields)


def test_stopping_leaves_time_to_finish(workloads: list[dict[str, Any]]) -> None:
    for one in workloads:
        pod = one["spec"]["template"]["spec"]
        before = max(
            int(container["lifecycle"]["preStop"]["exec"]["command"][1])
            for container in pod["containers"]
        )
        assert pod["terminationGracePeriodSeconds"] > before + Settings().shutdown_seconds
