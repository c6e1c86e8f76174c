"""The command line of the desk: `clerks add`, `list`, `password`, `queues`, `remove`."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from service.errors import AccessError, ChequeReaderError

if TYPE_CHECKING:
    from service.audit import AuditLog
    from service.desk.members import Members

clerks = typer.Typer(help="Make, list and remove the clerks of the review desk.")

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


def _key_member(name: str) -> str:
    from service.access.keys import SqliteKeys
    from service.settings import load_settings

    wanted = name.removeprefix("key:")
    for key in SqliteKeys(load_settings().keys_file).all():
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
