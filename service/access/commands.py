"""The command line of keys and of the audit log: `keys add`, `list`, `revoke`, `audit verify`."""

from contextlib import closing
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from service.errors import ChequeReaderError

keys = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)
audit = typer.Typer(help="Check the audit log.", no_args_is_help=True)


@keys.command()
def add(
    name: Annotated[str, typer.Argument(help="What logs call it.", show_default=False)],
    scope: Annotated[
        list[str],
        typer.Option(
            help="read, batch, desk, metrics or admin (all of it); may be given repeatedly."
        ),
    ],
) -> None:
    """Make a key and print it, this once."""
    from service.access.stores import open_keys
    from service.audit import AuditLog, key_added
    from service.settings import load_settings

    try:
        settings = load_settings()
        log = AuditLog(settings.audit_file)
        with closing(open_keys(settings)) as known:
            key, secret = known.add(name, scope)
        log.append(key_added(key))
    except ChequeReaderError as error:
        _stop(error)
    typer.echo(f"The key {key.name} ({key.id}), shown this once:", err=True)
    typer.echo(secret)


@keys.command("list")
def list_keys() -> None:
    """List the keys, revoked ones too; none is shown itself."""
    from service.access.stores import open_keys
    from service.settings import load_settings

    try:
        with closing(open_keys(load_settings())) as kept:
            known = kept.all()
    except ChequeReaderError as error:
        _stop(error)
    rows = [("ID", "NAME", "SCOPES", "MADE", "REVOKED")] + [
        (
            key.id,
            key.name,
            ",".join(sorted(key.scopes)),
            f"{key.created:%Y-%m-%d %H:%M}",
            f"{key.revoked:%Y-%m-%d %H:%M}" if key.revoked else "-",
        )
        for key in known
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())


@keys.command()
def revoke(
    name: Annotated[str, typer.Argument(metavar="NAME|ID", show_default=False)],
) -> None:
    """Revoke a key, for good and at once."""
    from service.access.stores import open_keys
    from service.audit import AuditLog, Entry
    from service.settings import load_settings

    try:
        settings = load_settings()
        log = AuditLog(settings.audit_file)
        with closing(open_keys(settings)) as known:
            key = known.revoke(name)
        log.append(Entry("key.revoked", key_id=key.id, key=key.name))
    except ChequeReaderError as error:
        _stop(error)
    typer.echo(f"Revoked {key.name} ({key.id})")


@audit.command()
def verify(
    file: Annotated[Path, typer.Argument(help="An audit log.", show_default=False)],
    head: Annotated[
        str | None,
        typer.Option(help="Hash of a line, kept elsewhere, that must be in the log."),
    ] = None,
) -> None:
    """Check that no line was changed, dropped, added or moved; exit code 1 where one was."""
    from service.audit import verify as check

    try:
        verdict = check(file, head)
    except ChequeReaderError as error:
        _stop(error)
    if verdict.fault is not None:
        typer.echo(f"Broken: {verdict.fault}", err=True)
        typer.echo(f"The {verdict.lines} lines before are in order.", err=True)
        raise typer.Exit(1)
    typer.echo(f"{verdict.lines} lines in order; the last one's hash is {verdict.head}")


@audit.callback()
def _only_subcommands() -> None:
    """Check the audit log."""


def _stop(error: ChequeReaderError) -> NoReturn:
    typer.echo(f"cheque-reader: {error.message}", err=True)
    raise typer.Exit(2)
