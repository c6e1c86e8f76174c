"""Keys are made once, kept as hashes, found by secret, and revoked for good."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from service.access.keys import SCOPES, SqliteKeys, digest
from service.errors import AccessError, ConfigurationError


@pytest.fixture
def keys(tmp_path: Path) -> SqliteKeys:
    """Keys in a new file."""
    return SqliteKeys(tmp_path / "new" / "keys.sqlite3")


def test_a_key_is_found_by_its_secret_alone(keys: SqliteKeys) -> None:
    key, secret = keys.add("till", ["read"])
    other, other_secret = keys.add("desk", ["batch", "metrics"])
    assert keys.find(secret) == key
    assert keys.find(other_secret) == other
    assert key.scopes == {"read"}
    prefix, key_id, rest = secret.split("_", 2)
    for wrong in (
        "",
        "_",
        "chq",
        "chq__",
        prefix,
        key_id,
        rest,
        secret[:-1],
        secret + "x",
        secret.upper(),
        f"{prefix}_{other.id}_{rest}",
        f"xyz_{key_id}_{rest}",
        f" {secret}",
        "chq_%_%",
        "\x00",
        "ключ",
    ):
        assert keys.find(wrong) is None, wrong


def test_what_is_kept_does_not_hold_the_secret(keys: SqliteKeys, tmp_path: Path) -> None:
    _, secret = keys.add("till", ["read"])
    files = [file for file in tmp_path.rglob("*") if file.is_file()]
    assert files
    for file in files:
        kept = file.read_bytes()
        assert secret.encode() not in kept
        assert secret.split("_", 2)[2].encode() not in kept
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert digest(secret) in b"".join(file.read_bytes() for file in files)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_secrets_differ_and_have_256_bits(keys: SqliteKeys) -> None:
    secrets = {keys.add(f"k{i}", ["read"])[1] for i in range(50)}
    assert len(secrets) == 50
    assert {len(secret.split("_", 2)[2]) for secret in secrets} == {43}


def test_scopes() -> None:
    assert set(SCOPES) == {"read", "batch", "desk", "metrics", "admin"}


def test_admin_is_good_for_everything_and_others_for_their_own(keys: SqliteKeys) -> None:
    admin, _ = keys.add("admin", ["admin"])
    assert all(admin.allows(scope) for scope in SCOPES)
    for scope in ("read", "batch", "desk", "metrics"):
        key, _ = keys.add(scope, [scope])
        assert [wanted for wanted in SCOPES if key.allows(wanted)] == [scope]


def test_a_revoked_key_is_refused_by_every_process_at_once(
    keys: SqliteKeys, tmp_path: Path
) -> None:
    key, secret = keys.add("till", ["read"])
    elsewhere = SqliteKeys(tmp_path / "new" / "keys.sqlite3")
    assert elsewhere.find(secret) == key
    revoked = keys.revoke("till")
    assert revoked.id == key.id
    assert revoked.revoked is not None
    assert elsewhere.find(secret) is None
    assert [k.revoked is not None for k in elsewhere.all()] == [True]
    with pytest.raises(AccessError, match="no key in use"):
        keys.revoke("till")
    again, new_secret = keys.add("till", ["read"])
    assert keys.find(secret) is None
    assert keys.revoke(again.id).name == "till"
    assert keys.find(new_secret) is None


@pytest.mark.parametrize(
    "name",
    ["", " ", "a b", "-a", ".a", "a" * 65, "a\nb", "é", "a/b", "a\x1b[2J", "0123abcd", "anybody"],
)
def test_names_are_harmless_in_logs(keys: SqliteKeys, name: str) -> None:
    with pytest.raises(AccessError, match="name"):
        keys.add(name, ["read"])


@pytest.mark.parametrize("scopes", [[], ["all"], ["read", "write"], ["READ"]])
def test_unknown_scopes_are_refused(keys: SqliteKeys, scopes: list[str]) -> None:
    with pytest.raises(AccessError, match="scopes read, batch, desk, metrics, admin"):
        keys.add("till", scopes)


def test_two_keys_in_use_never_share_a_name(keys: SqliteKeys) -> None:
    keys.add("till", ["read"])
    with pytest.raises(AccessError, match="name"):
        keys.add("till", ["batch"])
    assert len(keys.all()) == 1


def test_the_first_key_is_made_once(keys: SqliteKeys, tmp_path: Path) -> None:
    first = keys.add_first()
    assert first is not None
    assert first[0].allows("admin")
    assert keys.find(first[1]) == first[0]
    assert keys.add_first() is None
    keys.revoke(first[0].id)
    assert SqliteKeys(tmp_path / "new" / "keys.sqlite3").add_first() is None


def test_of_many_processes_one_makes_the_first_key(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from service.access.keys import SqliteKeys; "
        "sys.stdin.read(); print(SqliteKeys(Path(sys.argv[1])).add_first() is not None)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "keys.sqlite3")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdin is not None
        process.stdin.close()
        process.stdin = None
    assert sorted(process.communicate()[0].strip() for process in started) == [
        *["False"] * 3,
        "True",
    ]


def test_a_file_that_holds_something_else_is_named(tmp_path: Path) -> None:
    file = tmp_path / "keys.sqlite3"
    file.write_bytes(b"not a database, " * 100)
    with pytest.raises(ConfigurationError, match=r"keys\.sqlite3"):
        SqliteKeys(file)
    with pytest.raises(ConfigurationError, match="can't keep keys"):
        SqliteKeys(file / "below")


def test_a_file_that_is_locked_for_long_is_told(
    keys: SqliteKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("service.access.keys._BUSY_SECONDS", 0.01)
    impatient = SqliteKeys(tmp_path / "new" / "keys.sqlite3")
    holder = sqlite3.connect(tmp_path / "new" / "keys.sqlite3", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(AccessError, match="locked"):
        impatient.add("till", ["read"])
    holder.execute("ROLLBACK")
    holder.close()
    impatient.add("till", ["read"])
    assert len(keys.all()) == 1
