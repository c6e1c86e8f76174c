"""The Dockerfile, as far as it can be checked without building it."""

import fnmatch
import re
import shlex
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from service.settings import Settings


@pytest.fixture(scope="module")
def steps(root: Path) -> list[tuple[str, str]]:
    """Instructions and their arguments, continued lines joined."""
    text = re.sub(r"^#.*\n", "", (root / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\s*\\\n\s*", " ", text).splitlines()
    return [(word, rest.strip()) for word, _, rest in (x.partition(" ") for x in lines if x)]


def _arguments(steps: list[tuple[str, str]], instruction: str) -> list[str]:
    return [rest for word, rest in steps if word == instruction]


def test_the_linter_finds_nothing(root: Path) -> None:
    beside = str(Path(sys.executable).parent / "hadolint")
    linter = shutil.which("hadolint") or shutil.which(beside)
    if linter is None:
        pytest.skip("hadolint is not installed")
    done = subprocess.run(
        [linter, "Dockerfile"], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


def test_every_stage_starts_from_a_version(steps: list[tuple[str, str]]) -> None:
    base, lock = _arguments(steps, "ARG")
    assert lock == "LOCK=service"
    assert re.fullmatch(r"BASE=python:3\.\d+(\.\d+)?-slim-\w+(@sha256:[0-9a-f]{64})?", base)
    assert _arguments(steps, "FROM") == ["${BASE} AS build", "${BASE}"]


def test_packages_come_from_the_locks_alone(steps: list[tuple[str, str]]) -> None:
    commands = [
        shlex.split(command) for run in _arguments(steps, "RUN") for command in run.split("&&")
    ]
    installs = [words for words in commands if "install" in words and "pip" in words]
    assert len(installs) == 3
    for words in installs:
        assert "--require-hashes" in words or {"--no-deps", "--no-index"} <= set(words)
    locks = {word for words in installs for word in words if word.startswith("requirements/")}
    assert locks == {"requirements/build.txt", "requirements/${LOCK}.txt"}


def test_no_torch_in_what_is_installed(root: Path) -> None:
    for lock in ("build.txt", "service.txt", "traces.txt"):
        assert not re.search(r"^torch\b", (root / "requirements" / lock).read_text(), re.MULTILINE)


def test_what_is_copied_is_there_and_not_left_out(root: Path, steps: list[tuple[str, str]]) -> None:
    lines = (root / ".dockerignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    kept = {pattern[1:] for pattern in patterns if pattern.startswith("!")}
    sources = {
        source
        for rest in _arguments(steps, "COPY")
        if not rest.startswith("--from")
        for source in rest.split()[:-1]
    }
    assert sources == kept
    for source in sources:
        assert (root / source).exists(), source
    assert any(fnmatch.fnmatch("**/__pycache__", pattern) for pattern in patterns)


def test_it_runs_without_rights(steps: list[tuple[str, str]]) -> None:
    last_stage = steps[max(i for i, (word, _) in enumerate(steps) if word == "FROM") :]
    user = _arguments(last_stage, "USER")[-1]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)  # a number, so that Kubernetes can tell
    after = [word for word, _ in last_stage[last_stage.index(("USER", user)) :]]
    assert "COPY" not in after
    assert "RUN" not in after
    for word in ("ENTRYPOINT", "CMD"):
        assert _arguments(last_stage, word)[-1].startswith("[")
    assert _arguments(last_stage, "HEALTHCHECK")


def test_its_settings_exist(root: Path, steps: list[tuple[str, str]]) -> None:
    given = dict(re.findall(r"CHEQUE_(\w+)=(\S+)", " ".join(_arguments(steps, "ENV"))))
    assert {name.lower() for name in given} <= set(Settings.model_fields)
    shipped = Settings.model_fields["model_dir"].default
    assert given["MODEL_DIR"] == f"/opt/{shipped.relative_to(root)}"


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/livez" else 404)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def test_the_health_check_asks_the_service(root: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), _Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()

    def check() -> int:
        return subprocess.run(
            [sys.executable, root / "deploy" / "healthcheck.py"],
            env={"CHEQUE_METRICS_PORT": str(server.server_port)},
            check=False,
        ).returncode

    try:
        assert check() == 0
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
    assert check() == 1
