"""The training command line: `python -m training fetch | fonts | pretrain | export | ...`.

Exit codes: 0 done, 1 a download or a file was not what it should be, 2 the call is wrong or
material is missing, 130 interrupted (the same command goes on where it stopped).
"""

from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from training import (
    centre_commands,
    chain_commands,
    field_commands,
    letter_commands,
    swept_commands,
)
from training.console import (
    MODEL,
    RUNS,
    Data,
    FieldOnly,
    Fonts,
    Model,
    Runs,
    Samples,
    Seed,
    Threads,
    Truth,
    console,
    explained,
    progress_bars,
    say,
    use_threads,
)

app = typer.Typer(
    name="training",
    help="Trains and evaluates the recognizers of the cheque reader.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


# Files that are named in a table's cell.
_NAMED = 3
Readers = Annotated[int, typer.Option(help="Processes that read.", min=1)]


class Material(StrEnum):
    """What `synth` makes."""

    fields = "fields"
    cheques = "cheques"
    check = "check"


@app.command()
def fetch(
    sets: Annotated[
        list[str] | None,
        typer.Argument(metavar="[SET]...", help="Sets to fetch; all of them if none is named."),
    ] = None,
    data: Data = None,
) -> None:
    """Download the sets of handwriting from their origins, checked and resumable."""
    from training.data.folder import data_folder
    from training.data.origins import ORIGINS
    from training.data.origins import fetch as fetch_sets

    with explained():
        if data is not None:
            data.mkdir(parents=True, exist_ok=True)
        fetch_sets(sets or list(ORIGINS), data_folder(data))


@app.command()
def fonts(folder: Fonts = None) -> None:
    """Download the openly licensed fonts that machine print is drawn with."""
    from training.data.fonts import fetch_fonts

    with explained(), progress_bars() as bar:
        task = bar.add_task("fonts", total=None)

        def show(number: int, total: int, name: str) -> None:
            bar.update(task, completed=number, total=total, description=name)

        missing = fetch_fonts(folder, show)
    if missing:
        say(f"not to be had here, left out: {', '.join(missing)}")


@app.command()
def pretrain(
    data: Data = None,
    fonts: Fonts = None,
    runs: Runs = RUNS,
    name: Annotated[str, typer.Option(help="Name of the run, a folder in --runs.")] = "amounts",
    shards: Annotated[int, typer.Option(help="Thousands of synthetic fields.", min=1)] = 80,
    samples: Samples = None,
    seed: Seed = 0,
    workers: Annotated[int, typer.Option(help="Processes that cut fields.", min=1)] = 2,
    threads: Threads = None,
) -> None:
    """Train the production recognizer on characters and on what is none."""
    from dataclasses import replace

    from training import recipes
    from training.data.folder import data_folder
    from training.dataset import Sources
    from training.pretrain import Recipe

    with explained():
        use_threads(threads)
        recipe = Recipe(seed=seed)
        recipe = recipe if samples is None else replace(recipe, samples=samples)
        sources = Sources(data_folder(data), fonts)
        plan = recipes.Plan(runs / name, sources, shards, workers, recipe)
        with progress_bars() as bar:
            task = bar.add_task("fields, thousands", total=shards + 1)
            for done in recipes.build_fields(plan):
                bar.update(task, completed=done)
            task = bar.add_task("sets of single characters", total=None)
            for done in recipes.build_single(plan):
                bar.update(task, completed=done)
            task = bar.add_task("training", total=recipe.samples)

            def show(seen: int, loss: float, error: float) -> None:
                text = f"training, loss {loss:.3f}, held out {error:.2f} % wrong"
                bar.update(task, completed=seen, description=text)

            recipes.train_production(plan, show)
    say(f"wrote {plan.network_file}")


@app.command()
def export(
    network: Annotated[Path, typer.Option(help="The network file that pretrain wrote.")] = RUNS
    / "amounts"
    / "network.pt",
    to: Annotated[Path, typer.Option(help="Folder of the model to write.")] = MODEL,
    chain: Annotated[
        Path | None,
        typer.Option(
            help="JSON with the fitted weights and calibration of the chain; a card will do. "
            "[default: the card already there, else unfitted ones]"
        ),
    ] = None,
) -> None:
    """Write a trained recognizer as ONNX with its card, checked against torch."""
    from training.card import build_card, chain_of
    from training.dataset import LABELS, PLACEMENT
    from training.export import export as write
    from training.mnist import load_trial
    from training.recipes import load_network

    with explained():
        held: Any
        if network.is_dir():
            held, outcome = load_trial(network)
            labels, training = held.labels, asdict(outcome)
        else:
            held, training = load_network(network)
            labels = LABELS
        card = to / "card.json"
        weights, calibration = chain_of(chain or (card if card.exists() else None))
        made = build_card(
            to.parent.name, to.name, labels, PLACEMENT, training=training,
            weights=weights, calibration=calibration, only_mnist=network.is_dir(),
        )  # fmt: skip
        with console.status("exporting"):
            difference = write(held, made, to)
    say(f"wrote {to}; torch and ONNX differ by at most {difference:.1g}")


@app.command()
def evaluate(
    model: Model = MODEL,
    data: Data = None,
    fonts: Fonts = None,
    runs: Runs = RUNS,
    out: Annotated[
        Path | None, typer.Option(help="Folder for pictures and tables. [default: RUNS/evaluation]")
    ] = None,
    fields: Annotated[
        int, typer.Option(help="Synthetic fields to test rubbish on, 0 for none.", min=0)
    ] = 500,
    log: Annotated[Path | None, typer.Option(help="A run's log.jsonl, to draw its curve.")] = None,
    card: Annotated[bool, typer.Option(help="Write the scores into the model's card.")] = False,
    images: Annotated[
        Path | None, typer.Option(help="Read a folder of images instead of single characters.")
    ] = None,
    truth: Truth = None,
    field_only: FieldOnly = False,
) -> None:
    """Measure a model: single characters and rubbish, or readings of a folder of images."""
    from training import reports

    folder = out or runs / "evaluation"
    folder.mkdir(parents=True, exist_ok=True)
    with explained():
        if images is not None:
            from training.readings import evaluate_folder

            with progress_bars() as bar:
                task = bar.add_task("reading", total=None)
                scores, blamed = evaluate_folder(
                    model, images, truth or images / "truth.csv", folder, field_only=field_only,
                    progress=lambda n, of: bar.update(task, completed=n, total=of),
                )  # fmt: skip
            _print_scores(asdict(scores) | {f"wrong: {one}": n for one, n in blamed.items() if n})
            return
        from training.data.folder import data_folder

        with progress_bars() as bar:
            task = bar.add_task("sets", total=None)

            def show(done: int, total: int, name: str) -> None:
                bar.update(task, completed=done, total=total, description=name)

            report = reports.characters(model, data_folder(data), fonts, fields, show)
        reports.write(report, folder, log)
    _print_report(report)
    if card:
        reports.into_card(report, model)


@app.command()
def calibrate(
    model: Model = MODEL,
    fields: Annotated[int, typer.Option(help="Synthetic fields to read.", min=0)] = 1000,
    cheques: Annotated[int, typer.Option(help="Synthetic cheques to read.", min=0)] = 2000,
    seed: Seed = 0,
    to: Annotated[
        Path | None,
        typer.Option(help="Folder of a new version. [default: the model's own card is changed]"),
    ] = None,
    runs: Runs = RUNS,
    workers: Readers = 2,
    data: Data = None,
    fonts: Fonts = None,
) -> None:
    """Fit the confidence to synthetic fields and cheques of held-out writers and layouts."""
    from training.calibrate import calibrate_model, jobs
    from training.data.folder import data_folder
    from training.dataset import Sources

    with explained(), progress_bars() as bar:
        task = bar.add_task("reading", total=fields + cheques)
        held, folder = calibrate_model(
            model, Sources(data_folder(data), fonts), jobs(fields, cheques, seed),
            runs / "calibration", workers=workers, to=to,
            progress=lambda n: bar.update(task, completed=n),
        )  # fmt: skip
    _print_calibration(held)
    say(f"wrote the calibration to {to or model}, pictures to {folder}")


@app.command()
def doubts(
    model: Model = MODEL,
    cheques: Annotated[int, typer.Option(help="Synthetic cheques to read.", min=1)] = 4000,
    seed: Seed = 0,
    runs: Runs = RUNS,
    workers: Readers = 2,
    data: Data = None,
    fonts: Fonts = None,
) -> None:
    """Fit how far sure readings are doubted that may leave something out; calibrate afterwards."""
    from service.pipeline.card import SIGNS
    from training.data.folder import data_folder
    from training.dataset import Sources
    from training.doubt_fit import fit_model

    with explained(), progress_bars() as bar:
        task = bar.add_task("reading", total=cheques)
        fit = fit_model(
            model, Sources(data_folder(data), fonts), cheques, seed, runs / "calibration",
            workers=workers, progress=lambda n: bar.update(task, completed=n),
        )  # fmt: skip
    table = Table("sign", "weight")
    for name, weight in zip(SIGNS, fit.weights, strict=True):
        table.add_row(name, f"{weight:.2f}")
    console.print(table)
    say(f"wrote the doubts to {model}: calibrate it now")


@app.command()
def refuse(
    model: Model = MODEL,
    pages: Annotated[int, typer.Option(help="Pages to read.", min=1)] = 500,
    seed: Seed = 0,
    data: Data = None,
    fonts: Fonts = None,
) -> None:
    """Read pages that must not be accepted: blank, negative, struck out, or no cheque at all."""
    from service.pipeline.decision import hangs_on_confidence
    from training.data.folder import data_folder
    from training.dataset import Sources
    from training.refusal import measure

    with explained(), progress_bars() as bar:
        task = bar.add_task("reading", total=pages)
        sources = Sources(data_folder(data), fonts)
        found = measure(model, sources, pages, seed, lambda: bar.advance(task))
    table = Table("", "pages", "accepted", "surest %", "surest that hangs on it %")
    for kind in sorted({one.kind for one in found}):
        part = [one for one in found if one.kind == kind]
        hangs = [one.confidence for one in part if hangs_on_confidence(one.reason)]
        table.add_row(
            kind, str(len(part)), str(sum(one.accepted for one in part)),
            f"{100 * max(one.confidence for one in part):.1f}",
            f"{100 * max(hangs, default=0.0):.1f}",
        )  # fmt: skip
    console.print(table)
    say(f"accepted: {sum(one.accepted for one in found)} of {len(found)}")


@app.command()
def robustness(
    images: Annotated[Path, typer.Option(help="Folder with images and truth.csv.")],
    model: Model = MODEL,
    truth: Truth = None,
    field_only: FieldOnly = False,
    pictures: Annotated[
        int, typer.Option(help="Pictures of each cheque on a table, or with a streak.", min=1)
    ] = 10,
    seed: Seed = 0,
) -> None:
    """Read a folder of images changed (turned, smaller, blurred, on a table), then spoiled."""
    from service.calibration import load_sample
    from training.robustness import measure, measure_spoiled

    spoiled = Table("accepted as they are, spoiled", "images", "accepted", "rejected for")
    table = Table("", "images", "right %", "accepted %", "wrong", "rejected for")
    with explained(), progress_bars() as bar:
        task = bar.add_task("reading", total=None)
        sample = load_sample(truth or images, images)
        for one in measure(
            model, sample, field_only=field_only, pictures=pictures, seed=seed,
            progress=lambda name: bar.update(task, description=name),
        ):  # fmt: skip
            reasons = ", ".join(f"{name} {n}" for name, n in one.reasons.most_common(3))
            table.add_row(
                one.change, str(one.images), f"{100 * one.right / one.images:.1f}",
                f"{100 * one.accepted / one.images:.1f}", str(one.wrong), reasons,
            )  # fmt: skip
        for spoilt in measure_spoiled(
            model, sample, field_only=field_only, seed=seed,
            progress=lambda name: bar.update(task, description=name),
        ):  # fmt: skip
            reasons = ", ".join(f"{name} {n}" for name, n in spoilt.reasons.most_common(3))
            still = ", ".join((str(len(spoilt.accepted)), *spoilt.accepted[:_NAMED]))
            spoiled.add_row(spoilt.how, str(spoilt.images), still, reasons)
    console.print(table)
    console.print(spoiled)


@app.command()
def accepted(
    model: Model = MODEL,
    fields: Annotated[int, typer.Option(help="Synthetic fields to read.", min=0)] = 0,
    cheques: Annotated[int, typer.Option(help="Synthetic cheques to read.", min=0)] = 1500,
    scattered: Annotated[
        int, typer.Option(help="Synthetic cheques to read whose parts stand anywhere.", min=0)
    ] = 0,
    max_error: Annotated[float, typer.Option(help="Error that is borne.", min=0, max=1)] = 0.01,
    seed: Annotated[int, typer.Option(help="Another sample than any before.", min=0)] = 90_000_000,
    data: Data = None,
    fonts: Fonts = None,
    runs: Runs = RUNS,
    workers: Annotated[int, typer.Option(help="Processes that read.", min=1)] = 2,
) -> None:
    """Read fresh images of held-out writers and count what is accepted, and wrong, of them."""
    from service.pipeline.card import load_card
    from training import calibrate as calibration
    from training.data.folder import data_folder
    from training.dataset import Sources

    with explained(), progress_bars() as bar:
        task = bar.add_task("reading", total=fields + cheques + scattered)
        outcomes = calibration.read_synthetic(
            model, Sources(data_folder(data), fonts),
            calibration.jobs(fields, cheques, seed, scattered),
            runs / "calibration" / calibration.state_of(model) / "fresh.jsonl", workers,
            lambda done: bar.update(task, completed=done),
        )  # fmt: skip
        found = calibration.accepted_of(outcomes, load_card(model), max_error)
    table = Table("", "images", "right %", "accepted", "wrong of accepted")
    for one in found:
        table.add_row(
            one.name, str(one.images), f"{100 * one.right / one.images:.1f}", str(one.accepted),
            str(one.wrong),
        )  # fmt: skip
    console.print(table)


@app.command()
def blame(
    model: Model = MODEL,
    count: Annotated[int, typer.Option(help="Synthetic fields to read.", min=1)] = 300,
    seed: Annotated[int, typer.Option(help="Seed of the first, counted on.", min=0)] = 0,
    data: Data = None,
    fonts: Fonts = None,
) -> None:
    """Read synthetic fields of held-out writers and say which stage spoiled the wrong readings."""
    from training.blame import blame_fields, shares
    from training.data.folder import data_folder
    from training.synth.field import FieldMaker

    with explained(), progress_bars() as bar:
        task = bar.add_task("reading", total=count)
        maker = FieldMaker.load(data_folder(data), fonts, "valid")
        found = blame_fields(
            model, maker, range(seed, seed + count), lambda n: bar.update(task, completed=n)
        )
    table = Table("stage", "fields %", "most often at")
    for stage, share, symbols in shares(found):
        table.add_row(stage, f"{100 * share:.1f}", symbols)
    console.print(table)


@app.command()
def segments(
    fields: Annotated[int, typer.Option(help="Synthetic fields to cut.", min=1)] = 300,
    seed: Seed = 0,
    hand: Annotated[bool, typer.Option("--hand/--print", help="Handwriting, or print.")] = True,
    picture: Annotated[Path, typer.Option(help="PNG of the worst fields.")] = RUNS / "segments.png",
    data: Data = None,
    fonts: Fonts = None,
) -> None:
    """Measure the over-segmentation by itself on synthetic fields of held-out writers."""
    from training import segments as measurement
    from training.data.folder import data_folder
    from training.dataset import PLACEMENT
    from training.synth.field import FieldMaker

    with explained(), progress_bars() as bar:
        task = bar.add_task("cutting", total=fields)
        maker = FieldMaker.load(data_folder(data), fonts, "valid", hand_share=float(hand))
        found = measurement.measure(
            PLACEMENT, maker, range(seed, seed + fields), lambda n: bar.update(task, completed=n)
        )
        shown = measurement.write_worst(found, picture)
    for title, value in measurement.figures(found):
        say(f"{value:8.4f}  {title}")
    table = Table("cause", "characters", "fields by it alone", "most often at")
    for cause, characters, alone, symbols in measurement.causes(found):
        table.add_row(cause, str(characters), str(alone), symbols)
    console.print(table)
    if shown:
        say(f"wrote the worst {shown} fields to {picture}")


@app.command()
def fields(
    model: Model = MODEL,
    cheques: Annotated[
        int, typer.Option(help="Held-out synthetic cheques to measure.", min=1)
    ] = 300,
    seed: Annotated[int, typer.Option(help="Seed of the first, counted on.", min=0)] = 0,
    read: Annotated[bool, typer.Option(help="Also read them with the whole chain.")] = True,
    refit: Annotated[
        bool, typer.Option("--fit", help="Fit the locator's weights anew and print them.")
    ] = False,
    examples: Annotated[int, typer.Option(help="Cheques to fit to.", min=1)] = 1000,
    out: Annotated[Path, typer.Option(help="Folder for the picture of misses.")] = RUNS / "fields",
    data: Data = None,
) -> None:
    """Measure on whole synthetic cheques whether the amount's field is found, and its ink."""
    from training import fields as located
    from training.data.folder import data_folder
    from training.synth.bank import GlyphBank
    from training.synth.hand import HandWriter

    with explained(), progress_bars() as bar:
        hand = HandWriter(GlyphBank.load(data_folder(data), "valid")).write
        held_out = located.cheques(hand, "valid", range(seed, seed + cheques))
        if refit:
            from training import field_fit

            task = bar.add_task("cheques", total=examples + cheques)
            writer = HandWriter(GlyphBank.load(data_folder(data), "train")).write
            shown = located.cheques(writer, "train", range(seed, seed + examples))
            fitted = field_fit.refit(shown, held_out, lambda: bar.advance(task))
        else:
            from service.pipeline.reader import ChequeReader

            task = bar.add_task("cheques", total=cheques)
            misses: list[Any] = []
            found = []
            reader = ChequeReader(model) if read else None
            for one in located.measure(
                held_out, reader, lambda *miss: misses.append(located.miss_picture(*miss))
            ):
                found.append(one)
                bar.advance(task)
            located.write_misses(misses, out / "misses.png")
    if refit:
        say(field_fit.as_table(fitted.weights))
        for name, shares in (("before", fitted.before), ("after", fitted.after)):
            say(f"{name}: recall at 1, 2, 3, 4: " + ", ".join(f"{100 * s:.1f}" for s in shares))
        return
    table = Table(*located.COLUMNS)
    for row in located.table(found):
        table.add_row(*row)
    console.print(table)
    say(f"wrote {out / 'misses.png'}")


@app.command()
def synth(
    material: Annotated[Material, typer.Argument(help="What to make.")] = Material.fields,
    to: Annotated[Path, typer.Option(help="Folder to write to.")] = RUNS / "synth",
    count: Annotated[int, typer.Option("--count", "--fields", help="How many.", min=1)] = 120,
    seed: Annotated[int, typer.Option(help="Seed of the first, counted on.", min=0)] = 0,
    split: Annotated[str, typer.Option(help="Writers and fonts: train, valid or test.")] = "train",
    single: Annotated[
        bool, typer.Option("--single", help="Also each picture by itself, with truth.csv.")
    ] = False,
    data: Data = None,
    fonts: Fonts = None,
) -> None:
    """Draw synthetic fields or whole cheques onto sheets, to be looked at, or check fields."""
    from training.data.folder import data_folder
    from training.sheets import check_fields, cheques, fields, write_sheets

    with explained(), progress_bars() as bar:
        seeds = range(seed, seed + count)
        folder = data_folder(data)
        if material is Material.check:
            task = bar.add_task("checked", total=count)
            found = check_fields(folder, fonts, split, seeds, lambda: bar.advance(task))
            say(
                f"{found.fields} fields, {found.fields_a_second:.0f} a second of processor time, "
                f"{found.violations.total()} violations {dict(found.violations) or ''}"
            )
            raise typer.Exit(1 if found.violations else 0)
        if material is Material.fields:
            made, cell, columns = fields(folder, fonts, split, seeds), (90, 260), 6
        else:
            made, cell, columns = cheques(folder, split, seeds), (320, 640), 3
        task = bar.add_task(material.value, total=count)
        written = write_sheets(
            made, to, material.value, cell, columns, single=single,
            progress=lambda: bar.advance(task),
        )  # fmt: skip
    say(f"wrote {written} sheets to {to}")


@app.command()
def mnist(
    networks: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NETWORK]...", help="lenet1, lenet4, lenet5; all if none is named"),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Seeds 0, 1, ... each.", min=1)] = 3,
    plain: Annotated[bool, typer.Option(help="Train on the digits as they are.")] = True,
    distorted: Annotated[bool, typer.Option(help="Train on distorted digits.")] = True,
    samples: Samples = None,
    data: Data = None,
    runs: Runs = RUNS,
    threads: Threads = None,
) -> None:
    """Compare the networks of 1998 on MNIST; finished trials are not trained again."""
    from training import mnist as comparison
    from training.data.folder import data_folder

    with explained():
        use_threads(threads)
        chosen = networks or list(comparison.NETWORKS)
        if unknown := set(chosen) - set(comparison.NETWORKS):
            raise ValueError(f"no network is called {', '.join(sorted(unknown))}")
        ways = [way for way, wanted in ((False, plain), (True, distorted)) if wanted]
        trials = [
            comparison.Trial(network, way, seed)
            for seed in range(seeds)
            for network in chosen
            for way in ways
        ]
        with progress_bars() as bar:
            every = bar.add_task("trials", total=len(trials))
            for trial in trials:
                task = bar.add_task(trial.name, total=trial.recipe(samples).samples)

                def show(
                    seen: int, loss: float, error: float, task: Any = task, name: str = trial.name
                ) -> None:
                    text = f"{name}, loss {loss:.3f}, held out {error:.2f} % wrong"
                    bar.update(task, completed=seen, description=text)

                comparison.run_trial(
                    trial, data_folder(data), runs / "mnist", samples=samples, progress=show
                )
                bar.remove_task(task)
                bar.advance(every)
    _print_comparison(comparison.table(comparison.outcomes(runs / "mnist")))


def _print_report(report: Any) -> None:
    table = Table("set", "n", "error %", "error % of all labels")
    for one in report.sets:
        table.add_row(
            one.title, str(one.count), f"{100 * one.error:.2f}", f"{100 * one.error_free:.2f}"
        )
    console.print(table)
    if report.rubbish is not None:
        say(
            f"non-characters accepted at 1 % of characters rejected: "
            f"{100 * report.rubbish.accepted:.2f} % of {report.rubbish.others}; "
            f"characters wrong: {100 * report.rubbish.error:.2f} % of {report.rubbish.characters}"
        )
    say(f"100 crops in one call: {report.milliseconds:.2f} ms")


def _print_calibration(held: dict[str, Any]) -> None:
    table = Table("", "error borne", "accepted %", "wrong", "error bound %", "least confidence %")
    for kind, part in held.items():
        for name, read in part["read_rightly"].items():
            say(f"{kind}s {name}: {100 * read['share']:.1f} % of {read['images']} read rightly")
        error = part["expected_calibration_error"]
        say(f"{kind}s: expected calibration error {100 * error:.2f} %")
        for bound, found in part["accepted_at"].items():
            row = ["nothing", "", "", ""] if found is None else [
                f"{100 * found['share']:.1f}", f"{found['wrong']} of {found['accepted']}",
                f"{100 * found['error_bound']:.2f}", f"{100 * found['least_confidence']:.2f}",
            ]  # fmt: skip
            table.add_row(f"{kind}s", f"{100 * float(bound):g} %", *row)
    console.print(table)


def _print_scores(scores: dict[str, Any]) -> None:
    table = Table("", "")
    for name, value in scores.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    console.print(table)


def _print_comparison(rows: list[dict[str, Any]]) -> None:
    table = Table("network", "training digits", "test error %, each seed", "median", "1998")
    for row in rows:
        table.add_row(
            row["network"],
            "distorted" if row["distorted"] else "plain",
            ", ".join(f"{error:.2f}" for error in row["test"]),
            f"{row['median']:.2f}",
            "" if row["printed"] is None else f"{row['printed']:.2f}",
        )
    console.print(table)


app.command("x9")(letter_commands.x9)
app.command("x9-fit")(letter_commands.x9_fit)
app.command()(field_commands.field_map)
app.command()(centre_commands.centres)
app.command()(chain_commands.tune)
app.command()(swept_commands.sweep)
app.command()(swept_commands.gate)
app.command()(chain_commands.adapt)
app.command()(chain_commands.quantize)
app.command()(chain_commands.ablate)


if __name__ == "__main__":
    app()
