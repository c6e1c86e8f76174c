"""Alert rules and dashboard: every metric, label and value they name is one the service has."""

import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.metrics import MetricWrapperBase

from service import metrics
from service.api import problems

# What Prometheus adds to every sample, or makes itself.
ADDED = {"job", "instance", "le"}
FOREIGN: dict[str, set[str]] = {"up": set(), "process_resident_memory_bytes": set()}
SUFFIXES = {
    "counter": ("_total",),
    "gauge": ("",),
    "histogram": ("_bucket", "_sum", "_count"),
    "info": ("_info",),
}
FUNCTIONS = re.compile(r"\b(by|without|on|ignoring)\s*\(([^)]*)\)")
METRIC = re.compile(r"\b(cheque_\w+|process_\w+|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')


@pytest.fixture(scope="module")
def known() -> dict[str, set[str]]:
    """Names of samples, and their labels."""
    samples = dict(FOREIGN)
    for metric in vars(metrics).values():
        if isinstance(metric, MetricWrapperBase):
            (family,) = metric.describe()
            labels = {"version"} if family.type == "info" else set(metric._labelnames)
            samples |= {family.name + suffix: labels for suffix in SUFFIXES[family.type]}
    assert "cheque_http_request_seconds_bucket" in samples
    return samples


def _panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in dashboard["panels"]:
        yield panel
        yield from panel.get("panels", ())


@pytest.fixture(scope="module")
def dashboard(documents: dict[str, list[Any]]) -> dict[str, Any]:
    """The dashboard."""
    return dict(documents["deploy/grafana/dashboard.json"][0])


@pytest.fixture(scope="module")
def rules(documents: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The alert rules."""
    groups = documents["deploy/prometheus/alerts.yml"][0]["groups"]
    return [rule for group in groups for rule in group["rules"]]


@pytest.fixture(scope="module")
def queries(dashboard: dict[str, Any], rules: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Each query of the rules and of the dashboard, with the text that shows its labels."""
    found = [(rule["expr"], " ".join(rule["annotations"].values())) for rule in rules]
    for panel in _panels(dashboard):
        found += [(one["expr"], one["legendFormat"]) for one in panel.get("targets", ())]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            assert variable["definition"] == variable["query"]["query"]
            found.append((variable["definition"], ""))
    return found


def test_every_metric_and_label_exists(
    queries: list[tuple[str, str]], known: dict[str, set[str]]
) -> None:
    for query, shown in queries:
        used = METRIC.findall(query)
        assert used, query
        labels = set(ADDED)
        for name, matchers in used:
            assert name in known, f"{name} in {query}"
            labels |= known[name]
            for label, _, _ in MATCHER.findall(matchers):
                assert label in known[name] | ADDED, f"{label} in {query}"
        for _, grouped in FUNCTIONS.findall(query):
            assert {label.strip() for label in grouped.split(",")} <= labels, query
        for label in re.findall(r"\{\{\s*(?:\$labels\.)?(\w+)\s*\}\}", shown):
            assert label in labels, shown


def test_every_metric_has_a_place(
    queries: list[tuple[str, str]], known: dict[str, set[str]]
) -> None:
    """What is measured and looked at nowhere is a mistake here or there."""
    used = {name for query, _ in queries for name, _ in METRIC.findall(query)}
    families = {re.sub(r"_(bucket|sum|count)$", "", name) for name in known}
    assert families == {re.sub(r"_(bucket|sum|count)$", "", name) for name in used}


def test_routes_and_codes_exist(queries: list[tuple[str, str]], paths: set[str]) -> None:
    for query, _ in queries:
        for _, matchers in METRIC.findall(query):
            for label, _, value in MATCHER.findall(matchers):
                if label == "route":
                    assert value in paths
                if label == "code":
                    assert value in problems.KINDS


def test_rules_say_what_they_must(rules: list[dict[str, Any]]) -> None:
    names = [rule["alert"] for rule in rules]
    assert len(names) == len(set(names))
    for rule in rules:
        assert rule["labels"]["severity"] in {"warning", "critical"}
        assert rule["annotations"].keys() == {"summary", "description"}
        assert re.fullmatch(r"\d+[mh]", rule.get("for", "0m"))


def test_the_dashboard_can_be_provisioned(
    dashboard: dict[str, Any], documents: dict[str, list[Any]], compose: dict[str, Any]
) -> None:
    panels = list(_panels(dashboard))
    assert dashboard["uid"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        grid = panel["gridPos"]
        cells = {(grid["x"] + x, grid["y"] + y) for x in range(grid["w"]) for y in range(grid["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
        if panel["type"] != "row":
            assert panel["targets"]
            assert panel["description"]
    (provider,) = documents["deploy/grafana/provisioning/dashboards/dashboards.yml"][0]["providers"]
    mounted = [volume.split(":")[1] for volume in compose["services"]["grafana"]["volumes"]]
    assert f"{provider['options']['path']}/cheque-reader.json" in mounted
    source = documents["deploy/grafana/provisioning/datasources/prometheus.yml"][0]["datasources"][
        0
    ]
    assert source["url"] == "http://prometheus:9090"


def test_prometheus_asks_a_service_of_the_compose_file(
    documents: dict[str, list[Any]], compose: dict[str, Any]
) -> None:
    config = documents["deploy/prometheus/prometheus.yml"][0]
    for job in config["scrape_configs"]:
        for found in job["dns_sd_configs"]:
            assert set(found["names"]) <= set(compose["services"])


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "config", "deploy/prometheus/prometheus.yml"),
        ("check", "rules", "deploy/prometheus/alerts.yml"),
        ("test", "rules", "tests/deploy/alerts_test.yml"),
    ],
    ids=["config", "rules", "alerts"],
)
def test_prometheus_takes_them(root: Path, arguments: tuple[str, ...]) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(
        ["promtool", *arguments], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
