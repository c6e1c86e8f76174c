"""Calibrating, exporting and replaying from what clerks keyed; clerks on the command line."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import Result
from rich.console import Console
from typer.testing import CliRunner

from service.calibration import load_sample
from service.cli import app
from service.desk.members import Members
from service.desk.replay import Comparison, Once, print_comparison, promote, replay
from service.desk.sample import Sample
from service.desk.tables import desk_sample
from service.errors import InputError
from service.jobs.bodies import Folder
from service.jobs.store import Store
from service.jobs.tables import open_database, sqlite_url
from service.pipeline import reader as pipeline


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The data folder of a service."""
    monkeypatch.setenv("CHEQUE_DATA_DIR", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def run(data: Path) -> Callable[..., Result]:
    """Run the command line: run("clerks", "add", ..., input=...)."""

    def run_it(*arguments: str | Path, **given: Any) -> Result:
        assert os.environ["CHEQUE_DATA_DIR"] == str(data)
        return CliRunner().invoke(app, [str(argument) for argument in arguments], **given)

    return run_it


@pytest.fixture
def sample(data: Path, cheque: bytes) -> Any:
    """A sample of three keyed cheques, one of them no cheque at all."""
    bodies = Folder(data / "images", reserve=0)
    store = Store(open_database(sqlite_url(data)))
    for number, amount in enumerate((123456, 200, None)):
        name, file = bodies.create()
        file.write(cheque)
        file.close()
        with store.begin() as connection:
            connection.execute(
                desk_sample.insert(),
                {
                    "id": f"d{number}",
                    "batch": "b",
                    "body": name,
                    "size": len(cheque),
                    "suffix": ".png",
                    "amount_minor": amount,
                    "currency": "USD",
                    "field_only": False,
                    "asked_currency": None,
                    "locale": "en-US",
                    "reason": "rejected",
                    "at": float(number),
                },
            )
    yield Sample(store, bodies, days=30)
    store.engine.dispose()


@pytest.mark.usefixtures("sample")
def test_the_export_is_a_sample_that_calibration_reads(
    run: Callable[..., Result], tmp_path: Path
) -> None:
    done = run("desk", "export", tmp_path / "out")
    assert done.exit_code == 0, done.stderr
    found = load_sample(tmp_path / "out")
    assert found.key == "amount_minor"
    assert sorted(found.labels.values()) == ["", "123456", "200"]
    again = run("desk", "export", tmp_path / "out")
    assert again.exit_code == 2
    assert "is there already" in again.stderr


@pytest.mark.usefixtures("sample")
def test_calibrating_from_the_desk_wants_enough_of_it(
    run: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, reader: Any
) -> None:
    monkeypatch.setattr(pipeline, "ChequeReader", lambda *_: reader)
    few = run("calibrate", "--from-desk")
    assert few.exit_code == 2
    assert "299" in few.stderr
    assert run("calibrate").exit_code == 2
    assert run("calibrate", "folder", "--from-desk").exit_code == 2


def test_a_model_is_replayed_on_what_was_keyed(sample: Sample, reader: Any) -> None:
    """The stand-in reads 1,234.56 on all three and accepts them, which is right for one."""
    cautious = type(reader)()
    cautious.gate.set()
    cautious.reading = replace(cautious.reading, decision="reject", reject_reason="low_confidence")
    found = replay(sample, cautious, reader, field_only=False, max_error=0.01)
    assert found.new == (Once(True, True), Once(True, False), Once(True, False))
    assert found.old == (Once(False, True), Once(False, False), Once(False, False))
    assert not found.better, "it reads more, but two of three are wrong"
    assert reader.calls[0]["locale"] == "en-US"
    assert reader.calls[0]["max_error"] == 0.01
    with pytest.raises(InputError):
        replay(sample, cautious, reader, field_only=True, max_error=None)


@pytest.mark.parametrize(
    ("old", "new", "better"),
    [
        ("RRr", "RRR", True),
        ("RRr", "RRW", False),
        ("RRR", "RRR", False),
        ("RRRW", "RRRR", False),
        ("RWrr", "RWRR", True),
        ("rrr", "rrR", True),
    ],
)
def test_better_is_more_at_no_more_error(old: str, new: str, better: bool) -> None:
    """R: accepted and right, W: accepted and wrong; small letters: rejected."""
    comparison = Comparison(
        *(tuple(Once(one.isupper(), one in "Rr") for one in which) for which in (old, new))
    )
    assert comparison.better == better
    screen = Console(record=True, width=120, highlight=False)
    print_comparison(comparison, ("a/1", "a/2"), screen)
    assert ("is not better" in screen.export_text()) != better


def test_the_command_promotes_only_what_is_better(
    run: Callable[..., Result],
    sample: Sample,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    reader: Any,
) -> None:
    rejecting = type(reader)()
    rejecting.gate.set()
    rejecting.reading = replace(
        rejecting.reading, amount_minor=200, decision="reject", reject_reason="low_confidence"
    )
    with sample._store.begin() as connection:
        connection.execute(sa.delete(desk_sample).where(desk_sample.c.id != "d0"))
    models = {"old": rejecting, "new": reader}
    monkeypatch.setattr(pipeline, "ChequeReader", lambda folder, *_: models[folder.name])
    link = tmp_path / "current"
    (tmp_path / "new").mkdir()
    ways = ("--against", tmp_path / "old", "--promote", link)
    done = run("desk", "replay", tmp_path / "new", *ways)
    assert done.exit_code == 0, done.stderr
    assert link.readlink() == tmp_path / "new"
    assert re.search(r"reads more at no more error", done.stdout)
    models["old"] = reader
    same = run("desk", "replay", tmp_path / "new", *ways)
    assert same.exit_code == 1
    assert "is not better" in same.stdout


def test_a_link_is_repointed_and_nothing_else_is_touched(tmp_path: Path) -> None:
    first, second = tmp_path / "1", tmp_path / "2"
    first.mkdir()
    second.mkdir()
    link = tmp_path / "current"
    promote(first, link)
    promote(second, link)
    assert link.resolve() == second
    with pytest.raises(InputError):
        promote(second, first)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1", "2", "current"]


def test_clerks_on_the_command_line(run: Callable[..., Result], data: Path) -> None:
    made = run("clerks", "add", "anna", "--queue", "large", "--lead", input="a long password\n")
    assert made.exit_code == 0, made.stderr
    assert "a long password" not in made.output
    short = run("clerks", "add", "ben", input="short\n")
    assert short.exit_code == 2
    assert "10 to 200" in short.stderr
    twice = run("clerks", "add", "anna", input="a long password\n")
    assert twice.exit_code == 2
    assert run("clerks", "add", "no name", input="a long password\n").exit_code == 2
    assert run("clerks", "queues", "anna", "--queue", "small").exit_code == 0
    assert run("clerks", "queues", "key:none", "--queue", "small").exit_code == 2
    assert run("clerks", "queues", "anna", "--queue", "NO").exit_code == 2
    listed = run("clerks", "list").stdout
    assert re.search(r"anna +small +yes +\d{4}-\d\d-\d\d \d\d:\d\d +-", listed)
    assert run("clerks", "password", "anna", input="another password\n").exit_code == 0
    store = Store(open_database(sqlite_url(data)))
    members = Members(store, hours=1, idle=60)
    assert members.sign_in("anna", "a long password") is None
    found = members.sign_in("anna", "another password")
    assert found is not None
    token, session = found
    assert session.member.queues == frozenset({"small"})
    assert members.session(token, working=True) is not None
    assert run("clerks", "remove", "anna").exit_code == 0
    assert members.session(token, working=True) is None
    assert members.sign_in("anna", "another password") is None
    with store.engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT password FROM cheque_desk_clerks")).scalars()
        assert not any("password" in one for one in kept)
    store.engine.dispose()
    log = (data / "audit.jsonl").read_text()
    assert [event in log for event in ("clerk.added", "queues.granted", "clerk.removed")] == [
        True
    ] * 3
