"""`cheque-reader keys` and `cheque-reader audit`."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from service.access.keys import SqliteKeys
from service.audit import verify
from service.cli import app


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Result]:
    """Run the command line on the data in tmp_path."""

    def run_it(*arguments: str) -> Result:
        result = CliRunner(env={"CHEQUE_DATA_DIR": str(tmp_path)}).invoke(app, arguments)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run_it


def test_keys_are_made_listed_and_revoked(run: Callable[..., Result], tmp_path: Path) -> None:
    made = run("keys", "add", "till-7", "--scope", "read", "--scope", "batch")
    assert made.exit_code == 0
    secret = made.stdout.strip()
    assert re.fullmatch(r"chq_[0-9a-f]{8}_[\w-]{43}", secret)
    assert "shown this once" in made.stderr
    keys = SqliteKeys(tmp_path / "keys.sqlite3")
    key = keys.find(secret)
    assert key is not None
    assert (key.name, key.scopes) == ("till-7", {"read", "batch"})
    listed = run("keys", "list").stdout.splitlines()
    assert listed[0].split() == ["ID", "NAME", "SCOPES", "MADE", "REVOKED"]
    assert listed[1].split()[:3] == [key.id, "till-7", "batch,read"]
    assert listed[1].split()[-1] == "-"
    revoked = run("keys", "revoke", "till-7")
    assert revoked.stdout == f"Revoked till-7 ({key.id})\n"
    assert keys.find(secret) is None
    assert run("keys", "list").stdout.splitlines()[1].split()[-1] != "-"
    log = (tmp_path / "audit.jsonl").read_text()
    assert '"event":"key.added"' in log
    assert '"event":"key.revoked"' in log
    assert secret.split("_", 2)[2] not in log + "".join(listed)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["add", "a b", "--scope", "read"], "name"),
        (["add", "till", "--scope", "all"], "scopes read, batch, desk, metrics, admin"),
        (["add", "till"], "--scope"),
        (["revoke", "nobody"], "no key in use"),
    ],
)
def test_wrong_calls_are_explained(
    run: Callable[..., Result], arguments: list[str], message: str
) -> None:
    result = run("keys", *arguments)
    assert result.exit_code == 2
    assert message in result.stderr
    assert result.stdout == ""


def test_the_audit_log_is_verified(run: Callable[..., Result], tmp_path: Path) -> None:
    run("keys", "add", "a", "--scope", "read")
    run("keys", "add", "b", "--scope", "read")
    run("keys", "revoke", "a")
    log = tmp_path / "audit.jsonl"
    head = verify(log).head
    intact = run("audit", "verify", str(log))
    assert intact.exit_code == 0
    assert intact.stdout == f"3 lines in order; the last one's hash is {head}\n"
    assert run("audit", "verify", str(log), "--head", head).exit_code == 0
    assert run("audit", "verify", str(log), "--head", "0" * 64).exit_code == 1
    log.write_text(log.read_text().replace('"key":"b"', '"key":"c"'))
    broken = run("audit", "verify", str(log))
    assert broken.exit_code == 1
    assert broken.stderr.startswith("Broken: line 3: does not follow the line before it")
    assert "The 2 lines before are in order." in broken.stderr
    missing = run("audit", "verify", str(tmp_path / "none.jsonl"))
    assert missing.exit_code == 2
    assert "can't be read" in missing.stderr


def test_data_that_can_not_be_kept_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    runner = CliRunner(env={"CHEQUE_DATA_DIR": str(tmp_path / "file")})
    result = runner.invoke(app, ["keys", "list"])
    assert result.exit_code == 2
    assert "can't keep keys" in result.stderr
