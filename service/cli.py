"""The command line: `cheque-reader read`, `explain`, `submit`, `calibrate`, `serve`, `worker`,
`x9`, `keys`, `clerks`, `desk`, `audit` and `version`.

Exit codes: 0 all was read, 1 a file could not be read or an audit log is broken, 2 the call, a
setting or the model is wrong, 130 interrupted.
"""

import contextlib
import gc
import signal
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from service import __version__
from service.access import commands
from service.desk import commands as desk
from service.errors import ChequeReaderError, ParameterError
from service.x9.commands import x9

app = typer.Typer(
    name="cheque-reader",
    help="Reads the courtesy amount of bank cheques.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(commands.keys, name="keys")
app.add_typer(commands.audit, name="audit")
app.add_typer(x9, name="x9")
app.add_typer(desk.clerks, name="clerks")
app.add_typer(desk.learned, name="desk")


FieldOnly = Annotated[
    bool, typer.Option("--field-only", help="The images are cropped courtesy amounts.")
]
Currency = Annotated[str | None, typer.Option(help="ISO 4217 code; without it the reader decides.")]
Locale = Annotated[str | None, typer.Option(help="Such as en-IE; settles the decimal mark.")]
MaxError = Annotated[
    float | None, typer.Option(help="Largest share of wrong amounts among accepted ones.")
]


@app.command()
def read(
    paths: Annotated[
        list[Path],
        typer.Argument(metavar="PATH...", help="Images, or folders of images.", show_default=False),
    ],
    json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    field_only: FieldOnly = False,
    currency: Currency = None,
    locale: Locale = None,
    max_error: MaxError = None,
    reference: Annotated[
        str | None, typer.Option(help="Your own name for the cheques, returned with each.")
    ] = None,
) -> None:
    """Read the amounts of cheques, as a table or as JSON lines."""
    # Imported here so that --help and a mistyped call answer at once.
    from service import listing
    from service.options import ReadingOptions
    from service.pipeline.reader import ChequeReader
    from service.settings import load_settings

    if hasattr(signal, "SIGPIPE"):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as `head` expects of who feeds it
    with _explained():
        options = ReadingOptions(
            currency=currency,
            locale=locale,
            field_only=field_only,
            max_error=max_error,
            reference=reference,
        )
        settings = load_settings()
        reader = ChequeReader(settings.model_dir, settings.image_limits, settings.max_error)
    files = listing.expand(paths)
    rows = []
    show = sys.stderr.isatty() and not (json and sys.stdout.isatty())
    with _progress(show, len(files)) as bar:
        for file in files:
            bar.update(bar.task_ids[0], description=listing.printable(file.name))
            row = listing.read_file(reader, file, options, settings.max_bytes)
            bar.advance(bar.task_ids[0])
            if json:
                sys.stdout.write(row.to_json() + "\n")
                sys.stdout.flush()
            rows.append(row)
    if not json:
        listing.print_table(rows)
    if any(row.error for row in rows):
        raise typer.Exit(1)


@app.command()
def explain(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="An image.", show_default=False)],
    to: Annotated[
        Path,
        typer.Option("--output", "-o", help="A file that ends in .png, .html, .svg or .json."),
    ] = Path("explained.png"),
    field_only: FieldOnly = False,
    currency: Currency = None,
    locale: Locale = None,
    max_error: MaxError = None,
) -> None:
    """Show what the reading of a cheque rests on: fields, cuts, symbols, runners-up."""
    from service import explanation, listing
    from service.options import ReadingOptions, read_cheque
    from service.pipeline.reader import ChequeReader
    from service.settings import load_settings

    with _explained():
        options = ReadingOptions(
            currency=currency,
            locale=locale,
            field_only=field_only,
            max_error=max_error,
            evidence=True,
        )
        explanation.form_of(to)
        settings = load_settings()
        data = listing.load(image, settings.max_bytes)
        reader = ChequeReader(settings.model_dir, settings.image_limits, settings.max_error)
        evidence = read_cheque(reader, data, options).evidence
        assert evidence is not None
        explanation.write(evidence, data, settings.image_limits, to)
    typer.echo(f"Wrote {to}; digest {evidence.digest}")


@app.command()
def calibrate(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="[SAMPLE]",
            help="Folder with truth.csv (file, and amount_minor or digits), or that file.",
            show_default=False,
        ),
    ] = None,
    from_desk: Annotated[
        bool, typer.Option("--from-desk", help="Take what clerks keyed at the review desk.")
    ] = False,
    model: Annotated[
        Path | None, typer.Option(help="Folder of the model. [default: the one that is served]")
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(help="Folder of the new version. [default: beside the model, next number]"),
    ] = None,
    field_only: FieldOnly = False,
    currency: Currency = None,
    locale: Locale = None,
    max_error: Annotated[
        float | None,
        typer.Option(help="Share of wrong among accepted that the sample must support."),
    ] = None,
) -> None:
    """Fit the confidence to your own labelled cheques; writes a new version of the model."""
    from service import calibration
    from service.options import ReadingOptions
    from service.pipeline.reader import ChequeReader
    from service.settings import load_settings

    if (path is None) != from_desk:
        _stop("give a SAMPLE, or --from-desk")
    with _explained(), contextlib.ExitStack() as stack:
        if path is None:
            path = stack.enter_context(desk.exported(field_only=field_only))
        options = ReadingOptions(
            currency=currency, locale=locale, field_only=field_only, max_error=max_error
        )
        settings = load_settings()
        bound = settings.max_error if max_error is None else max_error
        source = model or settings.model_dir
        reader = ChequeReader(source, settings.image_limits)
        target = (to or calibration.next_version(source)).resolve()
        calibration.refuse_existing(target)
        sample = calibration.load_sample(path)
        calibration.refuse_too_few(len(sample.labels), "images", bound)
        judged = []
        with _progress(sys.stderr.isatty(), len(sample.labels)) as bar:
            for one in calibration.read_sample(
                reader,
                reader.calibration(field_only=field_only),
                sample,
                options,
                settings.max_bytes,
            ):
                judged.append(one)
                bar.advance(bar.task_ids[0])
        fitted = calibration.calibrate(judged, bound)
        calibration.write(source, target, fitted, sample, judged, options, reader.model_version)
    calibration.print_summary(judged, fitted, bound)
    typer.echo(f"Wrote {target}; serve it with CHEQUE_MODEL_DIR={target}")


@app.command()
def serve(
    host: Annotated[
        str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")
    ] = None,
    port: Annotated[
        int | None, typer.Option(help="Port, 0 for any free one. [default: 8080]")
    ] = None,
) -> None:
    """Serve readings over HTTP; settings come from the environment (CHEQUE_...)."""
    with _uncollected(), _explained():
        from service.processes import Processes
        from service.settings import is_loopback, load_settings

        settings = load_settings(host, port)
        family = Processes(settings) if settings.processes > 1 else None
        from service import logs, sockets
        from service.audit import AuditLog, key_added
        from service.pipeline.card import load_card

        logs.configure(settings.log_level, settings.log_format)
        sockets.tls_context(settings)
        keys = None
        if settings.asks_for_key:
            from service.access.stores import open_keys

            keys = open_keys(settings)
        if family is None:
            # Not where other processes serve: they import it all while this one listens.
            from service import api, tracing
            from service.jobs.runtime import isolated
            from service.pipeline.reader import ChequeReader

            tracing.configure(settings)
            reader = ChequeReader(settings.model_dir, settings.image_limits, settings.max_error)
            model_version = reader.model_version
            for_batches = isolated(settings)
            service = api.create_app(settings, reader, keys, for_batches)
        else:
            model_version = load_card(settings.model_dir).model_version
        sock = sockets.listen(settings.host, settings.port)
        operations = None
        if settings.metrics_port is not None:
            operations = sockets.listen(
                settings.metrics_host or settings.host, settings.metrics_port
            )
        first = keys.add_first() if keys is not None and settings.api_key is None else None
        if first is not None:
            AuditLog(settings.audit_file).append(key_added(first[0]))
    if first is not None:
        typer.echo(f"First start: the admin key, shown this once: {first[1]}", err=True)
    scheme = "https" if settings.tls_cert else "http"
    access = "for callers with a key" if settings.asks_for_key else "without authentication"
    typer.echo(f"Serving {model_version} on {scheme}://{_address(sock)} {access}", err=True)
    if settings.tls_cert is None and not is_loopback(settings.host):
        typer.echo(
            "Without CHEQUE_TLS_CERT keys and cheques pass the network in the clear", err=True
        )
    if operations is not None:
        typer.echo(f"Health and metrics on http://{_address(operations)}", err=True)
    if family is not None:
        raise typer.Exit(family.run(sock, operations))
    with contextlib.suppress(KeyboardInterrupt), for_batches:
        api.serve(service, settings, sock, operations)


@app.command()
def worker() -> None:
    """Read batches, without serving HTTP; settings come from the environment (CHEQUE_...)."""
    from service import logs, worker
    from service.settings import load_settings

    with _explained():
        settings = load_settings()
        logs.configure(settings.log_level, settings.log_format)
        worker.run(settings)


@app.command()
def submit(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="Folder of images.", show_default=False),
    ],
    url: Annotated[str, typer.Option(help="Where the service is.")] = "http://127.0.0.1:8080",
    key: Annotated[
        str | None, typer.Option(help="Key of the service.", envvar="CHEQUE_API_KEY")
    ] = None,
    to: Annotated[
        Path | None, typer.Option(help="File for the results. [default: DIR/results.csv]")
    ] = None,
    field_only: FieldOnly = False,
    currency: Currency = None,
    locale: Locale = None,
    max_error: MaxError = None,
    reference: Annotated[str | None, typer.Option(help="Your own name for the batch.")] = None,
) -> None:
    """Upload a folder as a batch, wait until it is read, and write the results as CSV."""
    from service import submit as submitting
    from service.listing import expand

    files = [file for file in expand([folder]) if file.is_file()]
    if not files:
        _stop("the folder holds no PNG, JPEG or TIFF file")
    options = {
        "field_only": "true" if field_only else None,
        "currency": currency,
        "locale": locale,
        "max_error": None if max_error is None else str(max_error),
        "reference": reference,
    }
    target = to or folder / "results.csv"
    with _explained():
        there = submitting.Service(url, key)
        parameters = {name: value for name, value in options.items() if value is not None}
        with _progress(sys.stderr.isatty(), sum(file.stat().st_size for file in files)) as bar:
            bar.update(bar.task_ids[0], description="bytes sent")
            batch = submitting.submit(
                there, files, parameters, lambda size: bar.advance(bar.task_ids[0], size)
            )
        with _progress(sys.stderr.isatty(), len(files)) as bar:
            for document in submitting.follow(there, batch):
                read = document["items"] - document["counts"]["waiting"]
                bar.update(bar.task_ids[0], completed=read, total=document["items"])
        submitting.save(there, batch, target)
    counts = document["counts"]
    typer.echo(
        f"{document['items']} items: {counts['accepted']} accepted, {counts['rejected']} rejected, "
        f"{counts['failed']} not read; results in {target}"
    )
    if counts["failed"]:
        raise typer.Exit(1)


@app.command()
def version() -> None:
    """Print the versions of the program and of its model."""
    from service.pipeline.card import load_card
    from service.settings import load_settings

    typer.echo(f"cheque-reader {__version__}")
    with _explained():
        typer.echo(f"model {load_card(load_settings().model_dir).model_version}")


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the collector from going over what is loaded, and stays, again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """End with a message and exit code 2 where what is inside can't start."""
    try:
        yield
    except ParameterError as error:
        _stop(f"--{error.parameter.replace('_', '-')}: {error.message}")
    except ChequeReaderError as error:
        _stop(error.message)


def _address(sock: socket.socket) -> str:
    address, port = sock.getsockname()[:2]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _stop(message: str) -> NoReturn:
    typer.echo(f"cheque-reader: {message}", err=True)
    raise typer.Exit(2)


def _progress(shown: bool, total: int) -> Progress:
    bar = Progress(
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.description}", markup=False),
        console=Console(stderr=True),
        transient=True,
        disable=not shown,
    )
    bar.add_task("", total=total)
    return bar


def main() -> None:
    """Run the command line; the entry point of the `cheque-reader` script."""
    app()


if __name__ == "__main__":
    main()
