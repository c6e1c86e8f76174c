"""The compose file: its shape, what it refers to, and what it must not hold."""

import importlib.resources
import json
import re
from pathlib import Path
from typing import Any

import pytest

from service import __version__
from service.cli import app
from service.settings import Settings

OURS = ("service", "worker")


def test_it_keeps_to_the_specification(compose: dict[str, Any]) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    pytest.importorskip("check_jsonschema")
    folder = importlib.resources.files("check_jsonschema") / "builtin_schemas" / "vendor"
    jsonschema.validate(compose, json.loads((folder / "compose-spec.json").read_text()))


def test_every_image_has_a_version(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert re.search(r":v?\d+(\.\d+)*(-\w+)?$", service["image"]), name
    for name in OURS:
        assert compose["services"][name]["image"] == f"cheque-reader:{__version__}"


def test_what_it_refers_to_is_there(compose: dict[str, Any], root: Path) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", ())) <= set(compose["services"])
        assert set(service["networks"]) <= set(compose["networks"])
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert (root / source).exists() if source[0] == "." else source in compose["volumes"]


def test_commands_and_settings_of_the_service_exist(compose: dict[str, Any]) -> None:
    commands = {
        command.callback.__name__ for command in app.registered_commands if command.callback
    }
    for name in OURS:
        service = compose["services"][name]
        assert service.get("command", ["serve"])[0] in commands
        settings = [x.removeprefix("CHEQUE_").lower() for x in service["environment"]]
        assert set(settings) <= set(Settings.model_fields)


def test_secrets_must_be_given(compose: dict[str, Any]) -> None:
    secrets = re.compile(r"KEY|PASSWORD|SECRET|DATABASE_URL")
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            if secrets.search(name):
                assert re.search(r"\$\{\w+:\?[^}]+\}", value), name


def test_nothing_has_more_rights_than_it_needs(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged", False)
        assert "mem_limit" in service, name
        for port in service.get("ports", ()):
            assert port.startswith("127.0.0.1:"), name
    for name in OURS:
        service = compose["services"][name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert "user" not in service  # the image's own, which is not root


def test_stopping_leaves_time_to_finish(compose: dict[str, Any]) -> None:
    for name in OURS:
        grace = int(compose["services"][name]["stop_grace_period"].removesuffix("s"))
        assert grace > Settings().shutdown_seconds
