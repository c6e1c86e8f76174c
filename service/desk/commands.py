"""The command line of the desk: `clerks add`, `list`, `password`, `queues`, `remove`, and what is
learned from it: `desk export`, `desk replay`."""

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from service.errors import AccessError, ChequeReaderError

if TYPE_CHECKING:
    from service.audit import AuditLog
    from service.desk.members import Members
    from service.desk.sample import Sample
    from service.settings import Settings

clerks = typer.Typer(help="Make, list and remove the clerks of the review desk.")
learned = typer.Typer(help="Learn from what the clerks of the review desk keyed.")

Name = Annotated[str, typer.Argument(help="The clerk's name.", show_default=False)]
Queues = Annotated[
    list[str], typer.Option("--queue", help="A queue to see; may be given repeatedly.")
]


@clerks.command()
def add(
    name: Name,
    queue: Queues = ["default"],  # noqa: B006 - typer makes a list of its own
    lead: Annotated[bool, typer.Option("--lead", help="May see the dashboard.")] = False,
) -> None:
    """Make a clerk; the password is asked for, or read from standard input."""
    from service.audit import Entry

    with _members() as (members, log):
        clerk = members.add(name, _password(), queue, lead=lead)
        log.append(Entry("clerk.added", key_id=f"clerk:{clerk.id}", key=clerk.name))
    typer.echo(f"Made {clerk.name}, who sees {', '.join(clerk.queues)}")


@clerks.command("list")
def list_clerks() -> None:
    """List the clerks, removed ones too."""
    with _members() as (members, _):
        rows = [("NAME", "QUEUES", "LEAD", "MADE", "REMOVED")] + [
            (
                clerk.name,
                ",".join(clerk.queues),
                "yes" if clerk.lead else "-",
                _date(clerk.created),
                _date(clerk.removed),
            )
            for clerk in members.all()
        ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


@clerks.command()
def password(name: Name) -> None:
    """Give a clerk another password, which ends all sessions of that name."""
    from service.audit import Entry

    with _members() as (members, log):
        members.set_password(name, _password())
        log.append(Entry("clerk.password", key_id=members.clerk_id(name), key=name))
    typer.echo(f"{name} has another password")


@clerks.command()
def queues(
    name: Annotated[
        str,
        typer.Argument(help="A clerk, or key:NAME for a key.", show_default=False),
    ],
    queue: Annotated[list[str], typer.Option("--queue", help="May be given repeatedly.")],
) -> None:
    """Grant a clerk, or a key with the scope desk, these queues and no others."""
    from service.audit import Entry

    with _members() as (members, log):
        member = _key_member(name) if name.startswith("key:") else members.clerk_id(name)
        members.set_queues(member, queue)
        log.append(Entry("queues.granted", key_id=member, key=name))
    typer.echo(f"{name} sees {', '.join(queue)}")


@clerks.command()
def remove(name: Name) -> None:
    """Let a clerk in no more, at once; what was keyed stays."""
    from service.audit import Entry

    with _members() as (members, log):
        clerk = members.remove(name)
        log.append(Entry("clerk.removed", key_id=f"clerk:{clerk.id}", key=clerk.name))
    typer.echo(f"Removed {clerk.name}")


@learned.command()
def export(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder.", show_default=False)
    ],
    field_only: Annotated[
        bool, typer.Option("--field-only", help="Cropped amounts in place of whole cheques.")
    ] = False,
) -> None:
    """Write the keyed cheques and truth.csv, as `calibrate` and the training read them."""
    with desk_sample() as (sample, _):
        count = sample.export(folder, field_only=field_only)
    typer.echo(f"Wrote {count} cheques and truth.csv to {folder}")


@learned.command()
def replay(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="Folder of the new model.", show_default=False)
    ],
    against: Annotated[
        Path | None,
        typer.Option(help="Folder of the present model. [default: the one that is served]"),
    ] = None,
    promote: Annotated[
        Path | None,
        typer.Option(help="Symbolic link to point to the new model, if it is better."),
    ] = None,
    field_only: Annotated[
        bool, typer.Option("--field-only", help="Cropped amounts in place of whole cheques.")
    ] = False,
    max_error: Annotated[
        float | None, typer.Option(help="Largest share of wrong amounts among accepted ones.")
    ] = None,
) -> None:
    """Read what clerks keyed with a new model and the present one, and compare.

    The new one is better where it accepts more and the share of wrong amounts is no larger; exit
    code 1 where it is not, and then nothing is promoted.
    """
    from service.desk import replay as replaying
    from service.pipeline.reader import ChequeReader

    with desk_sample() as (sample, settings):
        old, new = (
            ChequeReader(folder, settings.image_limits, settings.max_error)
            for folder in (against or settings.model_dir, model)
        )
        comparison = replaying.replay(sample, old, new, field_only=field_only, max_error=max_error)
        replaying.print_comparison(comparison, (old.model_version, new.model_version))
        if promote is not None and comparison.better:
            replaying.promote(model, promote)
            typer.echo(f"{promote} is {model} now; restart what serves it")
    if not comparison.better:
        raise typer.Exit(1)


@contextmanager
def exported(*, field_only: bool) -> Iterator[Path]:
    """A folder of the keyed cheques with truth.csv, which is removed afterwards."""
    with TemporaryDirectory(prefix="cheque-desk-") as folder, desk_sample() as (sample, _):
        to = Path(folder) / "sample"
        sample.export(to, field_only=field_only)
        yield to


@contextmanager
def desk_sample() -> "Iterator[tuple[Sample, Settings]]":
    """The keyed cheques in the database of the settings."""
    from service.desk.sample import Sample
    from service.jobs.runtime import bodies_of, database_of
    from service.jobs.store import Store
    from service.jobs.tables import open_database
    from service.settings import load_settings

    try:
        settings = load_settings()
        bodies = bodies_of(settings)
        store = Store(open_database(database_of(settings)))
        try:
            yield Sample(store, bodies, days=settings.desk_sample_days), settings
        finally:
            store.engine.dispose()
    except ChequeReaderError as error:
        _stop(error)


def _key_member(name: str) -> str:
    from service.access.stores import open_keys
    from service.settings import load_settings

    wanted = name.removeprefix("key:")
    with closing(open_keys(load_settings())) as keys:
        for key in keys.all():
            if key.revoked is None and wanted in (key.name, key.id):
                return f"key:{key.id}"
    raise AccessError("no key in use has this name or id")


@contextmanager
def _members() -> "Iterator[tuple[Members, AuditLog]]":
    """The clerks in the database of the settings, and the audit log."""
    from service.audit import AuditLog
    from service.desk.members import Members
    from service.jobs.runtime import database_of
    from service.jobs.store import Store
    from service.jobs.tables import open_database
    from service.settings import load_settings

    try:
        settings = load_settings()
        log = AuditLog(settings.audit_file)
        store = Store(open_database(database_of(settings)))
        try:
            yield (
                Members(store, hours=settings.desk_session_hours, idle=settings.desk_idle_minutes),
                log,
            )
        finally:
            store.engine.dispose()
    except ChequeReaderError as error:
        _stop(error)


def _password() -> str:
    if sys.stdin.isatty():
        return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\n")


def _date(seconds: float | None) -> str:
    import time

    return "-" if seconds is None else time.strftime("%Y-%m-%d %H:%M", time.gmtime(seconds))


def _stop(error: ChequeReaderError) -> NoReturn:
    typer.echo(f"cheque-reader: {error.message}", err=True)
    raise typer.Exit(2)
